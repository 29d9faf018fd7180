"""Benchmark items in training prompts: what counts as the same, and what does not."""

import json
from pathlib import Path
from typing import Any

import pytest

from workers.data_dir import DataDir, DataSourceSpec, LeakReport, LeakSpec
from workers.stage_dir import StageDir, read_document, write_document
from workers.training.data_sets.find_leaks import compare
from workers.training.data_sets.leaks import BOUND, find_leaks, words_of
from workers.training.data_sets.register import register

LONG = (
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"  # 4 runs of 13
)


def kinds(item: str, *prompts: str) -> list[tuple[str, float, int]]:
    found = find_leaks([(0, item)], list(enumerate(prompts)))
    return [(leak.kind, leak.share, leak.prompt) for leak in found]


@pytest.mark.parametrize(
    ("item", "prompt", "kind"),
    [
        ("What is 2 + 2?", "What is 2 + 2?", "exact"),
        ("What is 2 + 2?", "what  is 2+2", "normalised"),
        ("What is 2 + 2?", "WHAT IS 2 + 2 !", "normalised"),
        ("naïve café", "NAÏVE — CAFÉ", "normalised"),
        ("caf\u00e9 au lait", "cafe\u0301 au lait", "normalised"),  # one accent, written in two ways
        ("What is 2 \u00d7 3?", "what is 2*3", "normalised"),  # two signs of multiplication
        ("a well-known poem", "a well known poem", "normalised"),
        ("ﬁne", "fine", "normalised"),  # a ligature
        ("snake_case name", "snake case name", "normalised"),
    ],
)
def test_the_same_question_is_found_however_it_is_set(item: str, prompt: str, kind: str) -> None:
    assert kinds(item, prompt) == [(kind, 1.0, 0)]


@pytest.mark.parametrize(
    ("item", "prompt"),
    [
        ("What is 2 + 2?", "What is 2 + 3?"),
        ("What is 2 + 2?", "What is 2 - 2?"),
        ("What is 2 * 3?", "What is 2 / 3?"),
        ("Is x < 3?", "Is x > 3?"),
        ("What is 2 + 2?", "Please tell me: what is 2 + 2?"),  # shorter than 13 words: only equality counts
        ("?!", "..."),  # no words at all are nothing in common
        ("", "-"),
        ("a b", "ab"),
    ],
)
def test_another_question_is_not(item: str, prompt: str) -> None:
    assert kinds(item, prompt) == []


def test_a_long_item_inside_a_longer_prompt_overlaps_wholly() -> None:
    assert kinds(LONG, f"Solve this: {LONG.upper()}. Think first.") == [("overlap", 1.0, 0)]


def test_the_share_is_of_the_items_own_runs() -> None:
    first_14 = " ".join(LONG.split()[:14])  # holds runs 1 and 2 of the item's 4
    assert BOUND == 0.5
    assert kinds(LONG, f"x {first_14} y") == [("overlap", 0.5, 0)]
    assert kinds(LONG, f"x {' '.join(LONG.split()[:13])} y") == []  # 1 of 4


def test_repeated_runs_count_once() -> None:
    repeated = "a " * 40
    assert kinds(repeated, "a " * 13) == [("overlap", 1.0, 0)]


def test_the_strongest_sign_stands_then_the_first_prompt() -> None:
    assert kinds(LONG, f"x {LONG}", LONG.upper(), LONG, LONG) == [("exact", 1.0, 2)]


def test_every_item_is_told_once_and_in_order() -> None:
    found = find_leaks([(7, "b c"), (3, "a"), (5, "other")], [(0, "A"), (1, "B, C"), (2, "a")])
    assert [(leak.item, leak.prompt, leak.kind) for leak in found] == [(3, 2, "exact"), (7, 1, "normalised")]


def test_words_keep_letters_and_digits_of_any_script() -> None:
    assert words_of("Ответ: 42, 北京!") == ["ответ", "42", "北京"]


class Never:
    def is_set(self) -> bool:
        return False


def registered(folder: Path, rows: list[dict[str, Any]], use: str) -> None:
    folder.mkdir()
    (folder / "rows_given.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    spec = DataSourceSpec.model_validate({"name": "own", "source": "rows_given.jsonl", "use": use})
    write_document(DataDir(folder).process.spec, spec)
    register(StageDir(folder), Never())  # type: ignore[arg-type]


def test_a_process_compares_the_rows_of_data_sets_and_reports_examples(tmp_path: Path) -> None:
    row = {"answer": "x", "verifier": "exact"}
    registered(tmp_path / "bench", [{"prompt": f"Question {n}?", **row} for n in range(30)], "benchmark")
    registered(tmp_path / "train", [{"prompt": f"question {n}", **row} for n in range(0, 60, 2)], "train")
    (tmp_path / "check").mkdir()
    folder = StageDir(tmp_path / "check")
    write_document(folder.spec, LeakSpec(trained={"mine": "../train"}, benchmarks={"theirs": "../bench"}))
    assert compare(folder, Never()).status == "done"  # type: ignore[arg-type]
    report = read_document(folder.path / "report.json", LeakReport)
    assert report is not None
    assert (report.n_items, report.n_prompts, report.n_leaks) == (30, 30, 15)
    assert report.kinds == {"normalised": 15}
    assert report.benchmarks == {"theirs": 15}
    example = report.examples[0]
    assert (example.text, example.trained_text, example.line, example.trained_line) == (
        "Question 0?",
        "question 0",
        1,
        1,
    )
