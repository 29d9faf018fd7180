"""The sample rows of the preset small-real: as the generator writes them, right by their graders, and none leaks into another split."""

import json
import shutil
from pathlib import Path

import pytest

from bench.small_real.__main__ import files, text_of
from runs.presets import load_preset, sample_files
from tests.training.test_data_sets import register_file, rows_of, summary_of
from workers.catalogue import PREFERENCE
from workers.data_dir import RowRecord
from workers.spec import TinyModelSpec
from workers.training.data_sets.leaks import LeakIndex
from workers.training.graders import GRADERS
from workers.training.rollouts import Grade, Problem
from workers.training.tiny_model import UNKNOWN, build_tokenizer

PRESET = "small-real"
PATHS = sample_files(PRESET)
PAIRS = PATHS["pref_rows"]
LONGEST = 1000  # characters of a prompt with its tools and response


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[RowRecord]]:
    found = {}
    for name, path in PATHS.items():
        folder = tmp_path_factory.mktemp(name)
        shutil.copy(path, folder / "rows.jsonl")
        data, pin = register_file(folder, "rows.jsonl"), load_preset(PRESET).data_sets[name]
        summary = summary_of(data)
        assert (summary.n_bad, summary.n_repeated) == (0, 0), name
        kept = (summary.digest, summary.splits, summary.n_responses)
        assert kept == (pin.digest, pin.splits, pin.n_responses), f"{name}: bring the preset's data_sets up to date"
        found[name] = rows_of(data)
    return found


def judged(row: RowRecord, response: str) -> Grade:
    problem = Problem("own", row.key, row.asked, dict(row.reference), row.grader)
    return GRADERS[row.grader].grade([problem], [response])[0]


def test_the_files_are_what_the_generator_writes() -> None:
    for name, made in files().items():
        assert PAIRS.with_name(f"{name}.jsonl").read_text() == text_of(made), f"{name}: run python -m bench.small_real"


def test_every_data_set_is_large_enough_and_has_a_grader_of_its_own(rows: dict[str, list[RowRecord]]) -> None:
    assert {row.grader for found in rows.values() for row in found} == {*GRADERS} - {"exact", "judged"}
    for name, found in rows.items():
        assert 40 <= len(found) <= 80, name
        assert min(load_preset(PRESET).data_sets[name].splits.values()) >= 8, name


def test_every_response_is_right_and_that_of_a_row_far_from_it_mostly_wrong(rows: dict[str, list[RowRecord]]) -> None:
    by_rule = {name: found for name, found in rows.items() if found[0].grader != PREFERENCE}
    for name, found in by_rule.items():
        wrong, half = 0, len(found) // 2
        for row, other in zip(found, [*found[half:], *found[:half]], strict=True):
            assert judged(row, row.response).value == 1.0, (name, row.line, row.response)
            wrong += judged(row, other.response).value < 1.0
        assert wrong > 0.3 * len(found), name


def test_the_tiny_model_can_read_and_write_every_row(rows: dict[str, list[RowRecord]]) -> None:
    model = load_preset(PRESET).model
    assert isinstance(model, TinyModelSpec)
    tokenizer = build_tokenizer(model.vocabulary)
    unknown = tokenizer.convert_tokens_to_ids(UNKNOWN)
    for name, found in rows.items():
        for row in found:
            text = row.asked + (json.dumps(row.tools) if row.tools else "") + row.response
            assert len(text) <= LONGEST, (name, row.line)
            assert unknown not in tokenizer.encode(text), (name, row.line)
            assert tokenizer.decode(tokenizer.encode(text)) == text, (name, row.line)


def test_no_row_to_be_asked_stands_in_training(rows: dict[str, list[RowRecord]]) -> None:
    index = LeakIndex()
    for number, row in enumerate(row for found in rows.values() for row in found if row.split != "train"):
        index.add(number, row.asked)
    trained = [row for found in rows.values() for row in found if row.split == "train"]
    assert not [(leak, row.asked) for row in trained for leak in index.leaks_of(0, row.asked)]


def test_a_repair_is_needed_for_what_fails_and_not_for_what_passes(rows: dict[str, list[RowRecord]]) -> None:
    for row in rows["swe_rows"]:
        path, module = next(iter(dict(row.reference["files"]).items()))  # type: ignore[arg-type]
        space: dict[str, object] = {}
        exec(str(module), space)
        tests = next(iter(dict(row.reference["tests"]).values()))  # type: ignore[arg-type]
        exec("\n".join(str(tests).splitlines()[1:]), space)
        space["test_old"]()  # type: ignore[operator]
        with pytest.raises((AssertionError, LookupError, TypeError)):
            space["test_new"]()  # type: ignore[operator]
        assert path == f"{str(tests).split()[1]}.py"


def test_preferences_are_pairs() -> None:
    pairs = [json.loads(line) for line in PAIRS.read_text().splitlines()]
    assert 40 <= len(pairs) <= 80
    assert all(set(pair) == {"prompt", "chosen", "rejected"} and pair["chosen"] != pair["rejected"] for pair in pairs)


def test_the_preset_has_the_stages_of_the_paper_in_order() -> None:
    assert [(stage.name, stage.kind) for stage in load_preset(PRESET).stages] == [
        ("sft", "sft"), ("if_rl", "grpo"), ("multi_rl", "grpo"), ("mopd", "mopd"), ("rlhf", "grpo"), ("long_rl", "grpo"),
        ("code_rl", "grpo"), ("swe_rl", "grpo"), ("mopd_final", "mopd"),
    ]  # fmt: skip
    assert all(Path(path).exists() for path in PATHS.values())
