"""The model card of a checkpoint that a stage left: where it comes from, how it was trained, what it scored.

It is the checkpoint's README.md. The trainer writes it; once the checkpoint is scored, the worker writes it anew with the
scores. So it has no checksum: it describes the weights, and nothing is read from it.
"""

from pathlib import Path, PurePosixPath

from workers.catalogue import describe
from workers.recipe_text import dump_document
from workers.spec import BASE, GRPOSpec, MOPDSpec, ResolvedStageSpec, SFTSpec
from workers.stage_dir import ScoreRecord, step_of

_KINDS = {"sft": "supervised fine-tuning", "grpo": "GRPO", "mopd": "multi-domain on-policy distillation (MOPD)"}


def model_card(spec: ResolvedStageSpec, *, scores: list[ScoreRecord], step: int | None = None) -> str:
    """Write a card as Markdown with the YAML front matter that Hugging Face's tools read; `step` if it is not the stage's last."""
    parts = [
        f"---\n{dump_document(_front_matter(spec, scores))}---\n",
        f"# {spec.stage.name}, stage of {spec.run}\n",
        f"{_sentence(spec, step)}\n",
        f"## Lineage\n\n{_lineage(spec)}\n",
        f"## Scores\n\n{_table(scores)}\n",
        f"## Settings\n\n```yaml\n{_settings(spec)}```\n",
    ]
    return "\n".join(parts)


def _front_matter(spec: ResolvedStageSpec, scores: list[ScoreRecord]) -> dict[str, object]:
    matter: dict[str, object] = {
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "tags": ["cascade-rl", spec.stage.kind],
    }
    if scores:
        matter["model-index"] = [
            {"name": f"{spec.run}/{spec.stage.name}", "results": [_result(score) for score in _reported(scores)]}
        ]
    return matter


def _result(score: ScoreRecord) -> dict[str, object]:
    return {
        "task": {"type": "text-generation"},
        "dataset": {"type": score.domain, "name": f"{_title(score.domain)}, version {score.version}", "split": "test"},
        "metrics": [{"type": _metric(score), "value": round(score.mean, 4)}],
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


def _lineage(spec: ResolvedStageSpec) -> str:
    lines = [f"- Recipe: {spec.recipe or 'not named'}, seed {spec.seed}", f"- Started from: {_start(spec)}"]
    for domain, folder in spec.teacher_folders.items():
        lines.append(f"- Teacher of {_title(domain)}: {spec.teachers.get(domain, 'not named')}, {_place(folder)}")
    return "\n".join(lines)


def _start(spec: ResolvedStageSpec) -> str:
    if spec.start_folder is None:
        return "the untrained tiny model, built from the seed"
    return _place(spec.start_folder)


def _place(folder: str) -> str:
    """Name a checkpoint by its stage and step; a model of elsewhere by its folder's name alone."""
    path = PurePosixPath(folder)
    if path.parent.name != "checkpoints" or not path.name.startswith("step_"):
        return f"the model `{path.name}`"
    step = step_of(Path(path.name))
    return f"the {BASE} model" if step == 0 else f"stage `{path.parent.parent.name}` at step {step:,}"


def _table(scores: list[ScoreRecord]) -> str:
    if not scores:
        return "Not scored yet."
    rows = [
        f"| {_title(score.domain)} | {100 * score.mean:.1f} | {_metric(score)} | {len(score.items)} |"
        for score in _reported(scores)
    ]
    return "\n".join(["| benchmark | points | measure | problems |", "|---|---:|---|---:|", *rows])


def _reported(scores: list[ScoreRecord]) -> list[ScoreRecord]:
    """Validation problems only choose teachers."""
    return [score for score in scores if score.split == "test"]


def _metric(score: ScoreRecord) -> str:
    return f"avg@{score.protocol.get('samples_per_problem', 1)}"


def _settings(spec: ResolvedStageSpec) -> str:
    return dump_document({"model": spec.model.model_dump(mode="json"), "stage": spec.stage.model_dump(mode="json")})


def _title(domain: str) -> str:
    return describe(domain).title
