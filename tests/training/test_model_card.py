"""The model card: in every checkpoint that a stage leaves, in nobody's way."""

import pytest
import yaml

from workers.model_card import CardScore, base_card, model_card, without_front_matter
from workers.spec import FolderModelSpec, LoRASpec, MOPDSpec, ResolvedStageSpec, TinyModelSpec
from workers.stage_dir import is_whole
from workers.training.checkpoints import check_folder, load_checkpoint, save_checkpoint
from workers.training.policy import build_policy

TINY = TinyModelSpec(hidden_size=16, layers=1, heads=2, head_size=8, mlp_size=16)
SPEC = ResolvedStageSpec(
    run="run_1", recipe="small v2", seed=3, model=TINY,
    stage=MOPDSpec(name="mopd", domains={"stem": 1, "tools": 1}, steps=5, learning_rate=0.01),
    start_folder="../if_rl/checkpoints/step_000060",
    teachers={"stem": "base", "tools": "warm"},
    teacher_folders={"stem": "../warm/checkpoints/step_000000", "tools": "../warm/checkpoints/step_000012"},
)  # fmt: skip


def score(domain: str, split: str, mean: float) -> CardScore:
    return CardScore(domain, split, 1, {"n_problems": 1}, mean, 1, samples=4)


def front_matter(card: str) -> dict:
    return yaml.safe_load(card.split("---\n")[1])


def test_a_card_says_recipe_lineage_and_settings():
    card = model_card(SPEC, scores=[])
    assert front_matter(card)["tags"] == ["cascade-rl", "mopd"]
    for words in (
        "Recipe: small v2, seed 3",
        "Started from: stage `if_rl` at step 60",
        "Teacher of STEM: base, the base model",
        "Teacher of Tool calling: warm, stage `warm` at step 12",
        "Not scored yet.",
        "learning_rate: 0.01",
        "hidden_size: 16",
    ):
        assert words in card, words


def test_a_card_says_that_adapters_were_trained_and_in_which_precision():
    assert "LoRA" not in model_card(SPEC, scores=[]).split("## Settings")[0]
    stage = SPEC.stage.model_copy(update={"lora": LoRASpec(rank=4, alpha=8), "precision": "bfloat16"})
    card = model_card(SPEC.model_copy(update={"stage": stage}), scores=[])
    assert "(LoRA, rank 4, alpha 8, all-linear) and are merged into the weights." in card
    assert "computed in bfloat16, in which the weights are stored, with float32 master weights." in card


def test_scores_are_of_test_problems_in_the_table_and_the_front_matter():
    card = model_card(SPEC, scores=[score("stem", "test", 0.625), score("stem", "validation", 0.5)])
    assert "| STEM | 62.5 | avg@4 | 1 |" in card
    [index] = front_matter(card)["model-index"]
    [result] = index["results"]
    assert result["metrics"] == [{"type": "avg@4", "value": 0.625}]
    assert "50.0" not in card


def test_a_reader_is_spared_what_only_tools_read():
    assert without_front_matter(model_card(SPEC, scores=[])).startswith("# mopd, stage of run_1\n\nTrained by")


def test_a_sign_off_stands_before_what_it_is_about():
    card = model_card(SPEC, scores=[], sign_off=["Proposed by ada", "Approved by grace"])
    assert "## Sign-off\n\n- Proposed by ada\n- Approved by grace\n\n## Lineage" in card
    assert "Sign-off" not in model_card(SPEC, scores=[])


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (TINY, "This is the untrained tiny model, built from the seed; no stage"),
        (FolderModelSpec(kind="folder", folder="qwen/Qwen3-0.6B"), "This is the model `Qwen3-0.6B`; no stage"),
    ],
)
def test_the_base_has_a_card_too(model, words):
    card = base_card(model, run="run_1", seed=3, scores=[score("stem", "test", 0.25)], sign_off=["Proposed by ada"])
    assert words in card
    assert "- Proposed by ada" in card
    assert "| STEM | 25.0 | avg@4 | 1 |" in card
    assert front_matter(card)["tags"] == ["cascade-rl", "base"]


@pytest.mark.parametrize("folder", ["/models/Qwen3-0.6B", "models/odd/checkpoints/final"])
def test_a_start_from_elsewhere_is_named_by_its_folder(folder):
    card = model_card(SPEC.model_copy(update={"start_folder": folder}), scores=[])
    assert f"Started from: the model `{folder.rpartition('/')[2]}`" in card


def test_a_checkpoint_with_a_card_loads_and_stays_whole_when_the_card_changes(tmp_path):
    from transformers import AutoModelForCausalLM

    folder = tmp_path / "step_000005"
    save_checkpoint(folder, build_policy(TINY, seed=1), card=model_card(SPEC, scores=[]))
    assert "Not scored yet." in (folder / "README.md").read_text()
    (folder / "README.md").write_text(model_card(SPEC, scores=[score("stem", "test", 0.5)]))
    check_folder(folder)
    assert is_whole(folder, meanwhile=lambda: None)
    assert load_checkpoint(folder).max_positions == TINY.max_positions
    assert AutoModelForCausalLM.from_pretrained(folder).config.hidden_size == 16
