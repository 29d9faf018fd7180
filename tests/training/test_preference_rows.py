"""Rows that a model judges, as teams and NeMo Gym write them: read, counted, and given to the grader they are for."""

from pathlib import Path
from typing import Any

import pytest

from tests.training.test_data_sets import kept, rows_of, summary_of
from workers.data_dir import BadRowRecord
from workers.stage_dir import read_records

ASKED = [{"role": "user", "content": "Plan a day."}]
GYM = {"responses_create_params": {"input": "q"}}


def said(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


@pytest.mark.parametrize(
    ("row", "reference", "response"),
    [
        ({"prompt": "q", "chosen": "a", "rejected": "b"}, {"chosen": "a", "rejected": "b"}, "a"),
        ({"messages": ASKED, "chosen": "a", "rejected": "b"}, {"chosen": "a", "rejected": "b"}, "a"),
        ({"chosen": [*ASKED, said("a")], "rejected": [*ASKED, said("b")]}, {"chosen": "a", "rejected": "b"}, "a"),
        ({"prompt": "q", "chosen": [said("a")], "rejected": [said("b")]}, {"chosen": "a", "rejected": "b"}, "a"),
        ({"prompt": "q", "chosen": "a"}, {"chosen": "a"}, "a"),
        ({"prompt": "q", "chosen": "a", "rejected": "b", "response": "c"}, {"chosen": "a", "rejected": "b"}, "c"),
        ({"prompt": "q", "chosen": "a", "rejected": "b", "baseline": "d"}, {"baseline": "d", "chosen": "a", "rejected": "b"}, "a"),
        ({"prompt": "q", "baseline": "d"}, {"baseline": "d"}, ""),
        ({"prompt": "q", "verifier": "preference"}, {}, ""),
        ({**GYM, "agent_ref": {"name": "genrm_simple_agent"}, "dataset": "hs3"}, {}, ""),
        ({**GYM, "agent_ref": {"name": "genrm_compare_simple_agent"}}, {}, ""),
    ],
)  # fmt: skip
def test_rows_about_preference(row: dict[str, Any], reference: dict[str, str], response: str, tmp_path: Path) -> None:
    (record,) = rows_of(kept(tmp_path, [row]))
    assert (record.grader, record.reference, record.response) == ("preference", reference, response)
    assert record.messages[-1].role == "user"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"prompt": "q", "rejected": "b"}, "found rejected without chosen"),
        ({"prompt": "q", "chosen": "a", "rejected": "a"}, "found the same text"),
        ({"prompt": "q", "chosen": 7, "rejected": "a"}, "found chosen 7"),
        ({"prompt": "q", "chosen": "", "rejected": "a"}, "chosen is ''"),
        ({"prompt": "q", "chosen": ["a"], "rejected": "b"}, "found chosen ['a']"),
        ({"prompt": "q", "chosen": ASKED, "rejected": "b"}, "found chosen [{"),
        ({"chosen": "a", "rejected": "b"}, "found neither prompt nor messages"),
        ({"chosen": [said("a")], "rejected": [said("b")]}, "found messages []"),
        ({"prompt": "q", "chosen": "a", "reference": 3}, "found reference 3"),
        ({"prompt": "q", "baseline": 3}, "baseline is 3"),
    ],
)
def test_rows_that_cannot_be_used_say_why(row: dict[str, Any], reason: str, tmp_path: Path) -> None:
    good = {"prompt": "other", "chosen": "a", "rejected": "b"}
    (bad,) = read_records(kept(tmp_path, [good, row]).bad_rows, BadRowRecord)[0]
    assert reason in bad.reason


def test_what_rules_need_is_counted(tmp_path: Path) -> None:
    found = summary_of(
        kept(
            tmp_path,
            [
                {"prompt": "1", "chosen": "a", "rejected": "b"},
                {"prompt": "2", "chosen": "a"},
                {"prompt": "3", "baseline": "a"},
                {"prompt": "4", "verifier": "preference"},
                {"prompt": "5", "answer": "a", "verifier": "judged"},
                {"prompt": "6", "answer": "tea", "verifier": "contains"},
                {"prompt": "7", "reference": {"answer": "tea", "question": "q"}, "verifier": "contains"},
            ],
        )
    )
    assert found.graders == {"preference": 4, "contains": 2, "judged": 1}
    assert (found.n_pairs, found.n_baselines, found.n_questions, found.n_responses) == (1, 3, 1, 2)


@pytest.mark.parametrize("agent", ["equivalence_llm_judge_simple_agent", "lc_judge_simple_agent"])
def test_questions_of_nemo_gym_are_kept_for_a_judge(agent: str, tmp_path: Path) -> None:
    row = {**GYM, "agent_ref": {"name": agent}, "question": "where?", "expected_answer": "Lisbon"}
    (record,) = rows_of(kept(tmp_path, [row]))
    assert (record.grader, record.reference) == (
        "contains", {"answer": "Lisbon", "max_words": 100, "question": "where?"},
    )  # fmt: skip
