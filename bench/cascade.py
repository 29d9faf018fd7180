"""Carry out a recipe with bare processes, one after the other, and print what it did to every domain.

    python -m bench.cascade runs/presets/tiny-cascade.yaml --folder var/cascade --seed 0

No web, no database, no broker: a folder per stage, the trainer, the scorer, forked from one warm process. Running it again goes on where it was.
Prints the score of every checkpoint on every benchmark, what each MOPD stage won back, and where the time went.
"""

import argparse
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from workers import launch
from workers.catalogue import describe
from workers.recipe_text import load_recipe
from workers.spec import BASE, BEST, MOPDSpec, RecipeSpec, ResolvedStageSpec, ScoringSpec
from workers.stage_dir import Outcome, ScoreRecord, StageDir, StepRecord, read_document, read_records, write_document

LOST = 0.03  # a domain lost something if the start validates this far below its teacher


@dataclass
class Cascade:
    """One carrying-out of a recipe below a folder; `checkpoints` and `seconds` fill up as it goes."""

    recipe: RecipeSpec
    folder: Path
    checkpoints: dict[str, Path] = field(default_factory=dict)
    teachers: dict[str, dict[str, str]] = field(default_factory=dict)
    seconds: dict[str, tuple[float, float]] = field(default_factory=dict)

    def run(self) -> None:
        """Train and score every stage in order."""
        for position, stage in enumerate(self.recipe.stages):
            stage_dir = StageDir(self.folder / stage.name)
            write_document(stage_dir.spec, self.resolve(position))
            trained = run_process(launch.TRAIN, stage_dir)
            base = stage_dir.checkpoint(0)
            if base.exists() and BASE not in self.checkpoints:
                self.checkpoints[BASE] = base
                self.score(BASE, stage_dir.scoring(0))
            self.checkpoints[stage.name] = stage_dir.checkpoint(stage.steps)
            scored = self.score(stage.name, stage_dir.scoring(stage.steps))
            self.seconds[stage.name] = (trained, scored)
            print(self.row(stage.name), f"  {trained:5.1f} s + {scored:4.1f} s", flush=True)

    def resolve(self, position: int) -> ResolvedStageSpec:
        """Fill in what a stage starts from and who teaches it."""
        stage, start = self.recipe.stages[position], self.recipe.start_of(position)
        teachers: dict[str, str] = {}
        if isinstance(stage, MOPDSpec):
            teachers = {domain: self.teacher(stage, domain) for domain in stage.domains}
            self.teachers[stage.name] = teachers
        return ResolvedStageSpec(
            run=self.recipe.name,
            seed=self.recipe.seed,
            model=self.recipe.model,
            stage=stage,
            start_folder=str(self.checkpoints[start].resolve()) if start in self.checkpoints else None,
            teachers=teachers,
            teacher_folders={domain: str(self.checkpoints[name].resolve()) for domain, name in teachers.items()},
        )

    def teacher(self, stage: MOPDSpec, domain: str) -> str:
        """Choose a domain's teacher: the one named, or the checkpoint that validates best."""
        named = stage.teacher_of(domain)
        return max(self.checkpoints, key=lambda name: self.mean(name, domain, "validation")) if named == BEST else named

    def score(self, name: str, scoring: StageDir) -> float:
        """Score a checkpoint on every benchmark; returns the seconds it took."""
        folder = str(self.checkpoints[name].resolve())
        spec = ScoringSpec(
            run=self.recipe.name, seed=self.recipe.seed, checkpoint_folder=folder, benchmarks=self.recipe.benchmarks
        )
        write_document(scoring.spec, spec)
        return run_process(launch.SCORE, scoring)

    def mean(self, name: str, domain: str, split: str) -> float:
        """Read a checkpoint's score."""
        checkpoint = self.checkpoints[name]
        scoring = StageDir(checkpoint.parent.parent / "scoring" / checkpoint.name)
        records, _ = read_records(scoring.scores, ScoreRecord)
        return next(record.mean for record in records if (record.domain, record.split) == (domain, split))

    def row(self, name: str) -> str:
        """One line of the matrix, in percent, with the average at the end."""
        means = [100 * self.mean(name, benchmark.domain, "test") for benchmark in self.recipe.benchmarks]
        return f"{name:<12}" + "".join(f"{mean:7.0f}" for mean in means) + f"{sum(means) / len(means):8.1f}"

    def recovery(self, position: int) -> str:
        """Say how much of its lost ground a MOPD stage won back: (after - start) / (teacher - start), summed over lost domains.

        Domains count as lost by their validation scores, and are measured by their test scores.
        """
        name, start = self.recipe.stages[position].name, self.recipe.start_of(position)
        gap = won = 0.0
        parts = []
        for domain, teacher in self.teachers[name].items():
            if self.mean(teacher, domain, "validation") - self.mean(start, domain, "validation") <= LOST:
                continue
            before, after, top = (self.mean(who, domain, "test") for who in (start, name, teacher))
            gap, won = gap + top - before, won + after - before
            label = describe(domain).label
            parts.append(f"{label} {100 * before:.0f} -> {100 * after:.0f} (teacher {teacher} {100 * top:.0f})")
        if not parts:
            return f"{name}: nothing was lost"
        return (
            f"{name}: recovered {won / gap if gap else float('nan'):.2f} of {100 * gap:.0f} points: {'; '.join(parts)}"
        )

    def timings(self, name: str) -> str:
        """Split a stage's time: sampling, updates, the rest of the process (imports, reward model, saving), scoring."""
        records, _ = read_records(StageDir(self.folder / name).steps, StepRecord)
        sampled, updated = (sum(r.metrics[key] for r in records) for key in ("sample_s", "update_s"))
        trained, scored = self.seconds[name]
        rest = trained - sampled - updated
        return f"{name:<12} sample {sampled:5.1f}  update {updated:5.1f}  rest {rest:5.1f}  score {scored:5.1f} s"


def run_process(module: str, folder: StageDir) -> float:
    """Run a trainer or a scorer in its folder; returns the seconds it took, and ends everything if it failed."""
    outcome = read_document(folder.outcome, Outcome)
    if outcome is not None and outcome.status == "done":
        return 0.0
    started = time.monotonic()
    if launch.start(folder, module).wait():
        sys.exit(f"{module} failed in {folder.path}:\n{folder.log.read_text()[-2000:]}")
    return time.monotonic() - started


def main() -> None:
    """Read the command line, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", type=Path, help="a recipe in YAML")
    parser.add_argument("--folder", type=Path, required=True, help="where the stages' folders go")
    parser.add_argument("--seed", type=int, help="instead of the recipe's")
    arguments = parser.parse_args()
    recipe = load_recipe(arguments.recipe.read_text())
    if arguments.seed is not None:
        recipe = recipe.model_copy(update={"seed": arguments.seed})
    cascade = Cascade(recipe, arguments.folder)
    print(" " * 12 + "".join(f"{describe(b.domain).label:>7}" for b in cascade.recipe.benchmarks) + "     avg")
    started = time.monotonic()
    cascade.run()
    print(f"\n{time.monotonic() - started:.0f} s in all")
    print("\n".join(cascade.timings(stage.name) for stage in cascade.recipe.stages))
    for position, stage in enumerate(cascade.recipe.stages):
        if isinstance(stage, MOPDSpec):
            print(cascade.recovery(position))


if __name__ == "__main__":
    main()
