"""Hold the page's verdict against the raw items: does it name the stage that hurt most?

    python -m bench.verdict [--seeds 0 1 2] [--folder var/bench/recovery]

Reads what `python -m bench.recovery` left, and trains nothing. Per seed: the sentence that the drift page would show, and an
independent reckoning that shares no code with it. That one goes from line to line of the scores' files and knows numpy and
scipy alone: per stage, the drops since the stage it starts from that are significant (exact sign test on the items that
changed, Holm's correction over the stage's benchmarks), of domains that a stage before it trained, added up. Where results
lie between right and wrong the page's test weighs how far they moved and this one does not, so that small drops may differ.
Writes bench/results/verdict.md.
"""

import argparse
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import stats

from bench.cascade import Cascade
from bench.recovery import closing, score_matrix
from runs.drift import verdict
from runs.drift.recovery import measure_recovery
from runs.presets import load_preset
from workers.stage_dir import StageDir

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "results" / "verdict.md"
LEVEL = 0.05  # of significance, over all benchmarks of a stage together
NOBODY = "no stage"

Items = Mapping[tuple[str, str], npt.NDArray[np.float64]]  # (stage, domain) -> (n,) 0 to 1


@dataclass(frozen=True)
class Leg:
    """A stage as the reckoning knows it: what it starts from, '' for the first, and what it trains."""

    name: str
    start: str
    trains: tuple[str, ...]


@dataclass(frozen=True)
class Checked:
    """One seed: the page's sentence, the stage that it names, and what was reckoned, the worst stage first."""

    seed: int
    sentence: str
    named: str
    reckoned: Sequence[tuple[str, Mapping[str, float]]]

    @property
    def culprit(self) -> str:
        return self.reckoned[0][0] if self.reckoned else NOBODY

    @property
    def agrees(self) -> bool:
        return self.named == self.culprit


def main() -> None:
    """Check all seeds and write what was found; the exit status is 1 where the page names another stage."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--folder", type=Path, default=ROOT / "var" / "bench" / "recovery")
    arguments = parser.parse_args()
    checked = [check(seed, arguments.folder / f"seed_{seed}") for seed in arguments.seeds]
    RESULTS.write_text(report(checked))
    print(RESULTS.read_text())
    raise SystemExit(not all(each.agrees for each in checked))


def check(seed: int, folder: Path) -> Checked:
    """Read one seed's newest cascade."""
    cascades = sorted(folder.glob("*/sft/outcome.json"), key=lambda path: path.stat().st_mtime)
    if not cascades:
        raise SystemExit(f"found no cascade below {folder}; run `python -m bench.recovery --seeds {seed}` first")
    found = cascades[-1].parent.parent
    sentence, legs = page_sentence(found), legs_below(found)
    return Checked(seed, sentence, stage_named(sentence), reckon(legs, items_below(found, legs)))


def page_sentence(folder: Path) -> str:
    """Make the drift page's first sentence of a bare cascade, by the code that makes it for the page."""
    recipe = load_preset("tiny-cascade")
    cascade = Cascade(recipe, folder)
    for stage in recipe.stages:
        cascade.checkpoints[stage.name] = StageDir(folder / stage.name).checkpoint(stage.steps)
    test, validation = (score_matrix(cascade, split) for split in ("test", "validation"))
    last = closing(recipe).name
    teachers = json.loads((folder / last / "spec.json").read_text())["teachers"]
    return verdict(test, recovery=measure_recovery(test, last, teachers, validation=validation))


def stage_named(sentence: str) -> str:
    """Read the culprit out of a verdict, as a person does."""
    found = re.search(r"[Ss]tage (.+?) did most harm", sentence)
    return found[1] if found else NOBODY


def legs_below(folder: Path) -> list[Leg]:
    """List the stages that lead to the closing MOPD stage, from what each stage's folder says that it is."""
    legs = {}
    for path in folder.glob("*/spec.json"):
        spec = json.loads(path.read_text())
        start = Path(spec["start_folder"]).parents[1].name if spec["start_folder"] else ""
        legs[path.parent.name] = Leg(path.parent.name, start, tuple(spec["stage"]["domains"]))
    line = [legs["mopd_final"]]
    while line[0].start:
        line.insert(0, legs[line[0].start])
    return line


def items_below(folder: Path, legs: Sequence[Leg]) -> Items:
    """Read each test problem's result after each stage."""
    items = {}
    for leg in legs:
        last = max(folder.glob(f"{leg.name}/scoring/*/scores.jsonl"))  # the base's scores lie below the first stage too
        for line in last.read_text().splitlines():
            score = json.loads(line)
            if score["split"] == "test":
                items[leg.name, score["domain"]] = np.array([item["value"] for item in score["items"]])
    return items


def reckon(legs: Sequence[Leg], items: Items) -> list[tuple[str, dict[str, float]]]:
    """Add up what each stage took from what was trained before it; the worst stage first, harmless ones left out."""
    harms, trained = [], set(legs[0].trains)
    for leg in legs[1:]:
        domains = [domain for stage, domain in items if stage == leg.name]
        moves = {domain: items[leg.name, domain] - items[leg.start, domain] for domain in domains}
        chances = dict(zip(domains, holm([sign_test(moves[domain]) for domain in domains]), strict=True))
        drops = {domain: float(move.mean()) for domain, move in moves.items() if domain in trained and move.mean() < 0}
        harms.append((leg.name, {domain: drop for domain, drop in drops.items() if chances[domain] < LEVEL}))
        trained |= set(leg.trains)
    return sorted((harm for harm in harms if harm[1]), key=lambda harm: sum(harm[1].values()))


def sign_test(move: npt.NDArray[np.float64]) -> float:
    """Ask whether items fell and rose equally often; the p-value of an exact two-sided test."""
    fell, rose = int((move < 0).sum()), int((move > 0).sum())
    return float(stats.binomtest(fell, fell + rose).pvalue) if fell + rose else 1.0


def holm(chances: Sequence[float]) -> list[float]:
    """Correct p-values for being asked together (Holm 1979, Scandinavian Journal of Statistics 6, p. 65)."""
    order = np.argsort(chances)
    scaled = np.array(chances)[order] * np.arange(len(chances), 0, -1)
    corrected = np.empty(len(chances))
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(scaled))
    return [float(chance) for chance in corrected]


def report(checked: Sequence[Checked]) -> str:
    """Write the sentence of each seed beside what was reckoned."""
    parts = [
        "# Does the page name the stage that hurt most?",
        "",
        "`.venv/bin/python -m bench.verdict` makes this from the cascades that `bench.recovery` left. The reckoning reads the",
        "raw items and shares no code with the page; in points, and only drops that are more than noise.",
    ]
    for each in checked:
        parts += ["", f"## Seed {each.seed}", "", f"> {each.sentence}", ""]
        parts += [f"- {told(*harm)}" for harm in each.reckoned] or ["- nothing was lost"]
        parts += [
            "",
            f"The page names {each.named}, the reckoning {each.culprit}: {'they agree' if each.agrees else '**they differ**'}.",
        ]
    right = sum(each.agrees for each in checked)
    return "\n".join([*parts, "", f"Right on {right} of {len(checked)} seeds.", ""])


def told(stage: str, drops: Mapping[str, float]) -> str:
    largest_first = sorted(drops.items(), key=lambda drop: drop[1])
    return f"{stage} {100 * sum(drops.values()):+.1f}: " + ", ".join(
        f"{domain} {100 * drop:+.1f}" for domain, drop in largest_first
    )


if __name__ == "__main__":
    main()
