"""A base model, from a folder or the hub to its facts: looked at by a real process, refused in words."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from runs import lifecycle, registered_models
from runs.models import Project, RegisteredModel, Run, Status
from runs.pins import pin_recipe
from runs.recipes import save_recipe
from runs.registered_models import ModelError, register_folder, register_hub
from tests.web.some_models import THINKS, a_model_folder, a_trainable_folder
from tests.web.some_runs import a_project
from tests.worker.small_hub import a_hub
from workers import data_tasks, launch, tasks
from workers.recipe_text import check_recipe

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def project(warm_nursery: None, settings: Any, tmp_path: Path) -> Project:
    settings.MODELS_DIR = tmp_path / "models"
    settings.MODELS_DIR.mkdir()
    return a_project()


def looked_at(model: RegisteredModel) -> RegisteredModel:
    data_tasks.inspect_model(model.pk)
    model.refresh_from_db()
    return model


def registered(project: Project, name: str = "small") -> RegisteredModel:
    return looked_at(register_folder(project=project, user=project.members.get(), folder=name)[0])


def test_a_folder_is_looked_at_and_its_facts_are_kept(project: Project) -> None:
    folder = a_model_folder(template=THINKS)
    model = registered(project)
    assert (model.status, model.failure_reason) == (Status.SUCCEEDED, "")
    facts = model.facts
    assert (facts.architecture, facts.layers, facts.width, facts.context) == ("Qwen3ForCausalLM", 2, 8, 256)
    assert facts.parameters == facts.tokens * 8 + 8  # the output head is the embedding, and counts once
    assert facts.dtype == "bfloat16"
    assert facts.sample == "<u>system\nBe brief.<u>What is 12 * 12?<a>"
    assert (facts.knows_thinking, facts.knows_tools) == (True, True)
    assert facts.weight_bytes == (folder / "model.safetensors").stat().st_size
    assert len(model.digest) == 64


def test_a_template_that_drops_tools_is_told_from_one_that_shows_them(project: Project) -> None:
    template = "{% for message in messages %}<u>{{ message['content'] }}{% endfor %}"
    (a_model_folder() / "chat_template.jinja").write_text(template)
    facts = registered(project).facts
    assert (facts.knows_thinking, facts.knows_tools) == (False, False)


def test_the_digest_is_of_the_weights_alone(project: Project) -> None:
    first = a_model_folder("first")
    shutil.copytree(first, first.with_name("second"))
    (first.with_name("second") / "README.md").write_text("a copy")
    a_model_folder("third")
    save_file({"model.norm.weight": torch.zeros(8)}, first.with_name("third") / "model.safetensors")
    digests = [registered(project, name).digest for name in ("first", "second", "third")]
    assert digests[0] == digests[1] != digests[2]


def _pickle_only(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def _cut_short(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-10])


def _lacks_a_shard(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    names = {"model.norm.weight": "model-00001-of-00002.safetensors", "other": "model-00002-of-00002.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": names}))


def _lacks_a_tensor(folder: Path) -> None:
    names = dict.fromkeys(("model.norm.weight", "model.layers.0.weight"), "model.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": names}))


def _no_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer_config.json").unlink()


def _no_template(folder: Path) -> None:
    (folder / "chat_template.jinja").unlink()


def _endless_template(folder: Path) -> None:
    loop = "{% for i in range(99999) %}" * 3 + "{% endfor %}" * 3
    (folder / "chat_template.jinja").write_text(loop)


def _endless_power(folder: Path) -> None:
    (folder / "chat_template.jinja").write_text("{{ (messages | length + 7) ** (9 ** 9) }}")


def _endless_text(folder: Path) -> None:
    (folder / "chat_template.jinja").write_text("{{ messages[-1]['content'] * (10 ** 10) }}")


def _has_adapters(folder: Path) -> None:
    (folder / "adapter_config.json").write_text("{}")


def _write_header(folder: Path, header: object) -> None:
    data = json.dumps(header).encode()
    (folder / "model.safetensors").write_bytes(len(data).to_bytes(8, "little") + data + bytes(4))


def _config(**changes: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / "config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    return change


REFUSED: list[tuple[Callable[[Path], None], str]] = [
    (_pickle_only, "found weights as pytorch_model.bin only, which are pickled Python"),
    (_cut_short, "it is not whole; copy or download it again"),
    (_lacks_a_shard, "found 1 of the 2 weight files"),
    (_lacks_a_tensor, "found no tensor model.layers.0.weight"),
    (_no_tokenizer, "found no tokenizer, expected one of"),
    (_no_template, "found no chat template"),
    (_endless_template, "the chat template cannot write a short conversation"),
    (_endless_power, "(it took longer than 10 s)"),
    (_endless_text, "the chat template cannot write a short conversation (MemoryError"),
    (_has_adapters, "found adapter_config.json in the model's folder: adapters are not added"),
    (
        _config(auto_map={"AutoModelForCausalLM": "modeling.Mine"}),
        "needs Python code of its own, which is never run here",
    ),
    (_config(model_type="bert", architectures=["BertForMaskedLM"]), "found architecture BertForMaskedLM"),
    (_config(quantization_config={"bits": 4}), "found quantised weights"),
    (lambda folder: (folder / "config.json").write_text("["), "config.json cannot be read as JSON"),
    (lambda folder: (folder / "model.safetensors").unlink(), "found no weights"),
    (lambda folder: (folder / "model.safetensors").write_bytes(b"\xff" * 64), "is no safetensors file"),
    (
        lambda folder: _write_header(folder, {"w": {"dtype": "F32", "shape": ["a"], "data_offsets": [0, 4]}}),
        "is no safetensors",
    ),
    (
        lambda folder: _write_header(folder, {"w": {"dtype": "F32", "shape": [1], "data_offsets": "no"}}),
        "is no safetensors",
    ),
    (
        lambda folder: _write_header(folder, {"w": {"dtype": "F32", "shape": [10**18] * 50, "data_offsets": [0, 4]}}),
        "cannot be loaded",
    ),
    (
        lambda folder: _write_header(folder, {"w": {"dtype": "Q", "shape": [1], "data_offsets": [0, 4]}}),
        "model.safetensors cannot be loaded",
    ),
    (lambda folder: _write_header(folder, []), "is no safetensors file"),
    (lambda folder: save_file({}, folder / "model.safetensors"), "found weight files without any weight"),
]


@pytest.mark.parametrize(("spoil", "words"), REFUSED, ids=[words[:30] for _, words in REFUSED])
def test_what_cannot_be_trained_is_refused_in_words(
    project: Project, settings: Any, spoil: Callable[[Path], None], words: str
) -> None:
    spoil(a_model_folder())
    model = registered(project)
    assert (model.status, model.failure_code) == (Status.FAILED, "bad_spec")
    assert words in model.failure_reason
    assert str(settings.MODELS_DIR) not in model.failure_reason


def test_a_link_out_of_models_dir_is_not_followed(project: Project, tmp_path: Path) -> None:
    template = a_model_folder() / "chat_template.jinja"
    template.rename(tmp_path / "secret")
    template.symlink_to(tmp_path / "secret")
    model = registered(project)
    assert (model.status, model.failure_code) == (Status.FAILED, "bad_source")
    assert "found 'chat_template.jinja' of the model 'small' to be a link that leads out" in model.failure_reason
    assert str(tmp_path) not in model.failure_reason


def test_links_into_the_hubs_cache_are_followed(project: Project, settings: Any, tmp_path: Path) -> None:
    cache = tmp_path / "hub" / "models--team--small"
    (cache / "snapshots").mkdir(parents=True)
    a_model_folder().rename(cache / "blobs")
    snapshot = cache / "snapshots" / ("c" * 40)
    snapshot.mkdir()
    for blob in (cache / "blobs").iterdir():
        (snapshot / blob.name).symlink_to(Path("..", "..", "blobs", blob.name))
    (settings.MODELS_DIR / "small").symlink_to(snapshot)
    assert registered(project).failure_reason == ""


def test_what_was_mended_is_looked_at_again(project: Project) -> None:
    folder = a_model_folder()
    (folder / "model.safetensors").rename(folder / "aside")
    model = registered(project)
    assert model.status == Status.FAILED
    (folder / "aside").rename(folder / "model.safetensors")
    lifecycle.read_again(model)
    assert looked_at(model).status == Status.SUCCEEDED


def test_a_killed_look_is_started_again(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    a_model_folder()
    monkeypatch.setattr(launch, "INSPECT", "tests.worker.small_program")
    monkeypatch.setenv("SMALL_ENDING", "-9")
    model = registered(project)
    assert (model.status, model.kills) == (Status.QUEUED, 1), model.failure_reason
    monkeypatch.undo()


def test_folders_are_found_below_models_dir_and_nowhere_else(project: Project, tmp_path: Path) -> None:
    a_model_folder("small")
    a_model_folder("team/large")
    (tmp_path / "models" / "empty").mkdir()
    assert registered_models.model_folders() == ["small", "team/large"]
    for folder in ("../secret", "/etc", "none", "x\0"):
        with pytest.raises(ModelError):
            register_folder(project=project, user=project.members.get(), folder=folder)


def test_the_hub_is_asked_only_where_the_operator_allows_it(project: Project, settings: Any) -> None:
    user = project.members.get()
    with pytest.raises(ModelError, match="CASCADE_ALLOW_HUB=1"):
        register_hub(project=project, user=user, hub="team/small")
    settings.ALLOW_HUB = True
    for name in ("small", "../x/y", "a/b/c", "a/..", "http://x/y", "a--b/c"):
        with pytest.raises(ModelError, match="expected owner/name"):
            register_hub(project=project, user=user, hub=name)
    model, _ = register_hub(project=project, user=user, hub="team/small", revision="main")
    assert model.folder == "team--small@main"
    settings.ALLOW_HUB = False
    assert looked_at(model).failure_code == "bad_source"


def test_a_model_of_the_hub_is_downloaded_without_what_is_pickled(
    project: Project, settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings.ALLOW_HUB = True
    there = a_model_folder("there").rename(tmp_path / "there")
    (there / "pytorch_model.bin").write_text("pickled")
    with a_hub(there) as address:
        monkeypatch.setenv("HF_ENDPOINT", address)
        model, _ = register_hub(project=project, user=project.members.get(), hub="team/small")
        looked_at(model)
    assert (model.status, model.failure_reason) == (Status.SUCCEEDED, "")
    assert model.facts.revision == "c" * 40
    folder = Path(settings.MODELS_DIR) / "team--small"
    assert (folder / "model.safetensors").read_bytes() == (there / "model.safetensors").read_bytes()
    assert not (folder / "pytorch_model.bin").exists()


def test_a_hub_that_cannot_be_reached_is_said_in_words(
    project: Project, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.ALLOW_HUB = True
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    model, _ = register_hub(project=project, user=project.members.get(), hub="team/small")
    assert "the hub cannot be reached from this worker" in looked_at(model).failure_reason


@pytest.mark.training
def test_a_run_starts_from_a_registered_model(project: Project) -> None:
    a_trainable_folder()
    model = registered(project)
    run = _a_run_of(project, model.folder)
    assert run.document["model"]["max_positions"] == 256
    tasks.train_stage(run.stages.get().pk)
    assert run.stages.get().status == Status.SUCCEEDED, run.stages.get().failure_reason


def test_a_run_of_a_model_with_a_link_out_fails_in_words(project: Project, tmp_path: Path) -> None:
    folder = a_trainable_folder()
    (tmp_path / "secret").write_text("{{ 1 }}")
    (folder / "additional_chat_templates").mkdir()
    (folder / "additional_chat_templates" / "more.jinja").symlink_to(tmp_path / "secret")
    run = _a_run_of(project, "small")
    tasks.train_stage(run.stages.get().pk)
    stage = run.stages.get()
    assert (stage.status, stage.failure_code) == (Status.FAILED, "bad_source")
    assert "additional_chat_templates/more.jinja" in stage.failure_reason
    tasks.score_checkpoint(run.checkpoints.get().pk)
    assert "additional_chat_templates/more.jinja" in run.checkpoints.get().failure_reason


def _a_run_of(project: Project, folder: str) -> Run:
    stage = {"kind": "sft", "name": "warm", "domains": {"stem": 1}, "steps": 3, "learning_rate": 1e-3, "batch_size": 4}
    document = {"name": "r", "model": {"kind": "folder", "folder": folder}, "stages": [stage]}
    user = project.members.get()
    recipe = save_recipe(project=project, spec=check_recipe(pin_recipe(document, project)), user=user)
    return lifecycle.start_run(project=project, recipe=recipe, user=user)
