"""The model card of a checkpoint: where it comes from, how it was trained, what it scored, who signed it off.

It is the checkpoint's README.md. The trainer writes it; once the checkpoint is scored, the worker writes it anew with the
scores. So it has no checksum: it describes the weights, and nothing is read from it. An export has the card of the sign-off.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from workers.catalogue import describe
from workers.metrics import metric_words
from workers.recipe_text import dump_document
from workers.spec import BASE, FolderModelSpec, GRPOSpec, MOPDSpec, ResolvedStageSpec, SFTSpec, TinyModelSpec
from workers.stage_dir import step_of

_UNTRAINED = "the untrained tiny model, built from the seed"
_KINDS = {"sft": "supervised fine-tuning", "grpo": "GRPO", "mopd": "multi-domain on-policy distillation (MOPD)"}


@dataclass(frozen=True)
class CardScore:
    """What a card says of one benchmark; `mean` 0 to 1, of `n_items` problems with `samples` answers each."""

    domain: str
    split: str
    version: int
    protocol: Mapping[str, float | int | str]
    mean: float
    n_items: int
    samples: int

    @property
    def metric(self) -> str:
        return metric_words(self.protocol, self.samples)


def model_card(
    spec: ResolvedStageSpec, *, scores: Sequence[CardScore], step: int | None = None, sign_off: Sequence[str] = ()
) -> str:
    """Write a card as Markdown with the YAML front matter that Hugging Face's tools read.

    step: if it is not the stage's last. sign_off: what was decided about the checkpoint, a line each.
    """
    settings: dict[str, object] = {
        "model": spec.model.model_dump(mode="json"),
        "stage": spec.stage.model_dump(mode="json"),
    }
    return _card(
        _front_matter(f"{spec.run}/{spec.stage.name}", spec.stage.kind, scores),
        f"# {spec.stage.name}, stage of {spec.run}\n\n{_sentence(spec, step)}",
        _lineage(spec),
        scores,
        sign_off,
        settings,
    )


def base_card(
    model: TinyModelSpec | FolderModelSpec, *, run: str, seed: int, scores: Sequence[CardScore], sign_off: Sequence[str]
) -> str:
    """Write the card of the model that a run started from, which no stage has trained."""
    start = _UNTRAINED if isinstance(model, TinyModelSpec) else f"the model `{PurePosixPath(model.folder).name}`"
    return _card(
        _front_matter(f"{run}/{BASE}", BASE, scores),
        f"# {BASE}, the start of {run}\n\nThis is {start}; no stage of the run has trained it.",
        [f"Seed {seed}"],
        scores,
        sign_off,
        {"model": model.model_dump(mode="json")},
    )


def without_front_matter(card: str) -> str:
    """Leave out what only tools read."""
    return card.split("---\n", 2)[2].lstrip()


def _card(
    front_matter: dict[str, object],
    opening: str,
    lineage: Sequence[str],
    scores: Sequence[CardScore],
    sign_off: Sequence[str],
    settings: dict[str, object],
) -> str:
    parts = [
        f"---\n{dump_document(front_matter)}---\n",
        f"{opening}\n",
        *([f"## Sign-off\n\n{_listed(sign_off)}\n"] if sign_off else []),
        f"## Lineage\n\n{_listed(lineage)}\n",
        f"## Scores\n\n{_table(scores)}\n",
        f"## Settings\n\n```yaml\n{dump_document(settings)}```\n",
    ]
    return "\n".join(parts)


def _front_matter(name: str, kind: str, scores: Sequence[CardScore]) -> dict[str, object]:
    matter: dict[str, object] = {
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "tags": ["cascade-rl", kind],
    }
    if scores:
        matter["model-index"] = [{"name": name, "results": [_result(score) for score in _reported(scores)]}]
    return matter


def _result(score: CardScore) -> dict[str, object]:
    return {
        "task": {"type": "text-generation"},
        "dataset": {"type": score.domain, "name": f"{_title(score.domain)}, version {score.version}", "split": "test"},
        "metrics": [{"type": score.metric, "value": round(score.mean, 4)}],
    }


def _sentence(spec: ResolvedStageSpec, step: int | None) -> str:
    domains = ", ".join(_title(name) for name in spec.stage.domains)
    steps = f"{spec.stage.steps:,}" if step is None else f"{step:,} of {spec.stage.steps:,}"
    return f"Trained by {_KINDS[spec.stage.kind]} for {steps} steps on: {domains}.{_means(spec.stage)}"


def _means(stage: SFTSpec | GRPOSpec | MOPDSpec) -> str:
    """Say what of it is not usual: adapters, and weights that are rounded."""
    said = ""
    if stage.lora is not None:
        lora = stage.lora
        said += f" Low-rank adapters were trained (LoRA, rank {lora.rank}, alpha {lora.alpha}, {lora.target_modules}) and are merged into the weights."
    if stage.precision == "bfloat16":
        said += " It computed in bfloat16, in which the weights are stored, with float32 master weights."
    return said


def _lineage(spec: ResolvedStageSpec) -> list[str]:
    start = _UNTRAINED if spec.start_folder is None else _place(spec.start_folder)
    lines = [f"Recipe: {spec.recipe or 'not named'}, seed {spec.seed}", f"Started from: {start}"]
    for domain, folder in spec.teacher_folders.items():
        lines.append(f"Teacher of {_title(domain)}: {spec.teachers.get(domain, 'not named')}, {_place(folder)}")
    return lines


def _place(folder: str) -> str:
    """Name a checkpoint by its stage and step; a model of elsewhere by its folder's name alone."""
    path = PurePosixPath(folder)
    if path.parent.name != "checkpoints" or not path.name.startswith("step_"):
        return f"the model `{path.name}`"
    step = step_of(Path(path.name))
    return f"the {BASE} model" if step == 0 else f"stage `{path.parent.parent.name}` at step {step:,}"


def _listed(lines: Sequence[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _table(scores: Sequence[CardScore]) -> str:
    if not scores:
        return "Not scored yet."
    rows = [
        f"| {_title(score.domain)} | {100 * score.mean:.1f} | {score.metric} | {score.n_items} |"
        for score in _reported(scores)
    ]
    return "\n".join(["| benchmark | points | measure | problems |", "|---|---:|---|---:|", *rows])


def _reported(scores: Sequence[CardScore]) -> list[CardScore]:
    """Validation problems only choose teachers."""
    return [score for score in scores if score.split == "test"]


def _title(domain: str) -> str:
    return describe(domain).title
