"""A team's own rows: read, checked by their graders, kept with their split, drawn as problems, trained on and scored."""

import gzip
import json
import random
from pathlib import Path
from typing import Any

import pytest

from workers import catalogue
from workers.data_dir import BadRowRecord, DataDir, DataSourceSpec, DataSummary, RowRecord
from workers.stage_dir import read_document, read_records, write_document
from workers.training.bad_spec import BadSpecError
from workers.training.data_sets.domain import DataSetDomain
from workers.training.data_sets.register import register, split_of
from workers.training.graders import GRADERS

QUESTIONS: list[dict[str, Any]] = [
    {"prompt": f"say {word}", "answer": word, "verifier": "exact", "response": word} for word in ("one", "two", "three")
]


class Never:
    def is_set(self) -> bool:
        return False


def kept(tmp_path: Path, rows: list[Any], **settings: Any) -> DataDir:
    """Register rows, given as objects or as the lines themselves."""
    source = tmp_path / "source" / "rows.jsonl"
    source.parent.mkdir(exist_ok=True)
    source.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return register_file(tmp_path, "source/rows.jsonl", **settings)


def register_file(tmp_path: Path, source: str, **settings: Any) -> DataDir:
    data = DataDir(tmp_path)
    write_document(data.process.spec, DataSourceSpec(name="rows", source=source, **settings))
    assert register(data.process, Never()).status == "done"  # type: ignore[arg-type]
    return data


def rows_of(data: DataDir) -> list[RowRecord]:
    return read_records(data.rows, RowRecord)[0]


def summary_of(data: DataDir) -> DataSummary:
    found = read_document(data.summary, DataSummary)
    assert found is not None
    return found


def test_plain_rows_are_kept_with_their_key_grader_and_split(tmp_path: Path) -> None:
    data = kept(tmp_path, QUESTIONS, use="train")
    first = rows_of(data)[0]
    assert (first.messages[0].role, first.messages[0].content) == ("user", "say one")
    assert (first.grader, first.reference, first.response, first.split) == ("exact", {"answer": "one"}, "one", "train")
    summary = summary_of(data)
    assert (summary.n_rows, summary.n_bad, summary.n_responses) == (3, 0, 3)
    assert summary.lengths == {"shortest": 7, "median": 7, "longest": 9}
    assert summary.graders == {"exact": 3}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "found no JSON"),
        ("[1]", "found a JSON list, expected an object"),
        ('{"answer": "x"}', "found neither prompt nor messages"),
        ('{"prompt": "", "answer": "x", "verifier": "exact"}', "found prompt ''"),
        ('{"prompt": "q", "answer": "x"}', "found no verifier"),
        ('{"prompt": "q", "answer": "x", "verifier": "magic"}', "found verifier 'magic', expected one of: "),
        ('{"prompt": "q", "verifier": "exact"}', "exact cannot grade it: "),
        ('{"messages": [{"role": "robot", "content": "q"}], "verifier": "exact"}', "found messages.0.role 'robot'"),
        ('{"messages": [{"role": "user"}], "answer": "x", "verifier": "exact"}', "found messages.0.content none"),
        ('{"messages": [{"role": "assistant", "content": "q"}], "verifier": "exact"}', "end with the assistant"),
        ('{"prompt": "q", "answer": "x", "verifier": 3}', "found verifier 3"),
        ('{"prompt": "q", "reference": 3, "verifier": "exact"}', "found reference 3"),
        ('{"prompt": "q", "answer": "x", "verifier": "exact", "tools": "all"}', "found tools 'all'"),
        ('{"prompt": "q", "answer": "x", "verifier": "exact", "response": 1}', "found response 1"),
        ('{"prompt": "\\ud800", "answer": "x", "verifier": "exact"}', "found half a character"),
        ('{"prompt": "q", "answer": "x", "verifier": "\'\\u0000"}', "expected one of: "),
        (
            '{"prompt": "q", "answer": "x", "verifier": "exact", "tools": [' + '{"a":' * 400 + "1" + "}" * 400 + "]}",
            "JSON cannot",
        ),
        ('{"responses_create_params": 1}', "found responses_create_params 1"),
        ('{"responses_create_params": {"input": "q"}}', "keys of no known environment"),
    ],
)
def test_a_bad_row_is_kept_with_its_line_and_reason(tmp_path: Path, line: str, reason: str) -> None:
    data = kept(tmp_path, [QUESTIONS[0], line])
    (bad,) = read_records(data.bad_rows, BadRowRecord)[0]
    assert bad.line == 2
    assert reason in bad.reason
    assert summary_of(data).n_bad == 1


@pytest.mark.parametrize(("answer", "text"), [(4, "4"), (0.5, "0.5"), ("4", "4")])
def test_an_answer_may_be_a_number(tmp_path: Path, answer: float | str, text: str) -> None:
    row = {"prompt": "2 + 2?", "answer": answer, "verifier": "maths"}
    (tmp_path / "rows.jsonl").write_text(json.dumps(row) + "\n")
    assert rows_of(register_file(tmp_path, "rows.jsonl"))[0].reference == {"answer": text}


def test_rows_that_ask_the_same_are_one_problem(tmp_path: Path) -> None:
    data = kept(tmp_path, [*QUESTIONS, QUESTIONS[0]])
    assert (summary_of(data).n_rows, summary_of(data).n_repeated) == (3, 1)


def test_a_source_without_a_usable_row_is_refused_with_the_first_reason(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text("{\n")
    write_document(DataDir(tmp_path).process.spec, DataSourceSpec(name="rows", source="rows.jsonl"))
    with pytest.raises(BadSpecError, match="found no row that can be used among 1; the first reason: found no JSON"):
        register(DataDir(tmp_path).process, Never())  # type: ignore[arg-type]


def test_equal_rows_have_equal_digests_whatever_file_they_lie_in(tmp_path: Path) -> None:
    digest = summary_of(kept(tmp_path, QUESTIONS)).digest
    packed = tmp_path / "again"
    packed.mkdir()
    with gzip.open(packed / "rows.jsonl.gz", "wt") as handle:
        handle.writelines(json.dumps(row) + "\n" for row in QUESTIONS)
    assert summary_of(register_file(packed, "rows.jsonl.gz")).digest == digest
    (tmp_path / "other").mkdir()
    assert summary_of(kept(tmp_path / "other", QUESTIONS[:2])).digest != digest


PACKED = gzip.compress(json.dumps(QUESTIONS[0]).encode() * 100)


@pytest.mark.parametrize("held", [b"{}", PACKED[:-20], PACKED[:40] + b"\0" * 20 + PACKED[60:]])
def test_a_damaged_gzip_is_refused_in_words(tmp_path: Path, held: bytes) -> None:
    (tmp_path / "rows.jsonl.gz").write_bytes(held)
    with pytest.raises(BadSpecError, match=r"found rows.jsonl.gz that gzip cannot read .*; pack it again"):
        register_file(tmp_path, "rows.jsonl.gz")


def test_a_benchmark_has_no_training_rows_and_keys_keep_their_split(tmp_path: Path) -> None:
    keys = [f"{number:016x}" for number in range(500)]
    assert {split_of(key, "benchmark") for key in keys} == {"validation", "test"}
    assert [key for key in keys if split_of(key, "split") == "validation"] == [
        key for key in keys if split_of(key, "benchmark") == "validation"
    ]


def test_a_saved_data_set_is_read_like_a_file(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    datasets.Dataset.from_list(QUESTIONS).save_to_disk(str(tmp_path / "saved"))
    assert summary_of(register_file(tmp_path, "saved")).n_rows == 3


GYM: list[tuple[dict[str, Any], str]] = [
    ({"options": [{"A": "x"}, {"B": "y"}], "expected_answer": "B"}, "choice"),
    ({"agent_ref": {"name": "math_with_judge_simple_agent"}, "question": "q", "expected_answer": "4"}, "maths"),
    ({"instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]}, "constraints"),
    ({"agent_ref": {"name": "lc_judge_simple_agent"}, "question": "q", "expected_answer": "Paris"}, "contains"),
]


@pytest.mark.parametrize(("fields", "grader"), GYM)
def test_a_row_of_nemo_gym_finds_its_grader(tmp_path: Path, fields: dict[str, Any], grader: str) -> None:
    asked = {"responses_create_params": {"input": [{"role": "user", "content": "which?"}]}}
    data = kept(tmp_path, [{**asked, **fields}])
    assert [row.grader for row in rows_of(data)] == [grader]


def test_a_data_set_draws_and_grades_like_a_domain(tmp_path: Path) -> None:
    domain = DataSetDomain("own", kept(tmp_path, QUESTIONS, use="train").path)
    problem = domain.draw("train", random.Random(0), for_demonstration=True)
    right = domain.demonstrate(problem, random.Random(0), style_noise=0.0)
    assert [grade.value for grade in domain.grade([problem, problem], [right, "no"])] == [1.0, 0.0]
    with pytest.raises(ValueError, match="found 0 test rows in data set 'own', expected 1"):
        domain.first("test", 1)


def test_the_web_knows_every_grader_by_its_name() -> None:
    assert list(catalogue.GRADERS) == list(GRADERS)


def test_what_may_hold_a_grader_up_is_judged_in_a_process_of_its_own(tmp_path: Path) -> None:
    rows = [{"prompt": "half of 1?", "answer": "1/2", "verifier": "maths"}]
    domain = DataSetDomain("own", kept(tmp_path, rows, use="train").path)
    problem = domain.draw("train", random.Random(0))
    assert [grade.value for grade in domain.grade([problem] * 2, [r"\boxed{0.5}", r"\boxed{2}"])] == [1.0, 0.0]
