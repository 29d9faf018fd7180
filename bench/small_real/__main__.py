"""Write the sample rows of the preset small-real, and pin them in its recipe: python -m bench.small_real."""

import json
import tempfile
from pathlib import Path

from bench.small_real import following, knowledge, office, pairs, programs, repairs, schemas, stories, sums
from bench.small_real.gym import Row
from runs.presets import preset_text
from workers.data_dir import DataDir, DataSourceSpec, DataSummary
from workers.stage_dir import read_document, write_document
from workers.training.data_sets.register import register
from workers.training.process import StopRequest

NAME = "small-real"
PRESETS = Path(__file__).resolve().parents[2] / "runs" / "presets"
FOLDER = PRESETS / "samples" / NAME
BEFORE_PINS = "data_sets: # python -m bench.small_real writes what follows\n"


def files() -> dict[str, list[Row]]:
    """The rows of each data set, by its name."""
    return {
        "if_rows": following.rows(),
        "mcqa_rows": knowledge.rows(),
        "tool_rows": office.rows(),
        "json_rows": schemas.rows(),
        "math_rows": sums.rows(),
        "pref_rows": pairs.rows(),
        "long_rows": stories.rows(),
        "code_rows": programs.rows(),
        "swe_rows": repairs.rows(),
    }


def text_of(rows: list[Row]) -> str:
    """Write rows as JSONL."""
    return "".join(json.dumps(row) + "\n" for row in rows)


def pins(paths: dict[str, Path]) -> str:
    """Read files as a worker does, and say in YAML what a recipe pins of each."""
    lines = []
    for name, path in paths.items():
        with tempfile.TemporaryDirectory() as folder:
            data = DataDir(Path(folder))
            write_document(data.process.spec, DataSourceSpec(name=name, source=str(path)))
            register(data.process, StopRequest())
            found = read_document(data.summary, DataSummary)
        assert found is not None
        splits = ", ".join(f"{split}: {n}" for split, n in found.splits.items())
        counts = {key: n for key, n in found.pin().items() if key.startswith("n_") and n}
        lines += [f"  {name}:", f"    digest: {found.digest}", f"    splits: {{{splits}}}"]
        lines += [f"    {key}: {n}" for key, n in counts.items()]
        print(f"{name}: {found.n_rows} rows, {found.n_bad} not usable")
    return "".join(f"{line}\n" for line in lines)


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, rows in files().items():
        (FOLDER / f"{name}.jsonl").write_text(text_of(rows))
    before, mark, _ = preset_text(NAME).partition(BEFORE_PINS)
    (PRESETS / f"{NAME}.yaml").write_text(before + mark + pins({name: FOLDER / f"{name}.jsonl" for name in files()}))
