"""A score is joined with the further answers of its top-ups, each once and in its turn."""

import json

import pytest

from workers.answers import with_further_answers
from workers.stage_dir import ItemRecord, ScoreRecord


def record(*grades: list[float], after: int = 0, **changes: object) -> ScoreRecord:
    """One list of grades per problem."""
    items = [
        ItemRecord(
            item=at, key=f"k{at}", prompt="?", value=sum(g) / len(g), grades=g, response=f"{after}", n_tokens=4 + after
        )
        for at, g in enumerate(grades)
    ]
    facts = {"domain": "stem", "split": "test", "version": 1, "protocol": {"temperature": 1.0}, "after": after}
    mean = sum(item.value for item in items) / len(items)
    return ScoreRecord.model_validate({**facts, "samples": len(grades[0]), "mean": mean, "items": items, **changes})


def test_values_are_means_over_all_answers() -> None:
    # one answer each, then three: problem 0 has 1, 0, 0, 1 = 1/2; problem 1 has 0, 0, 0, 1 = 1/4; the mean is 3/8
    found = with_further_answers(record([1.0], [0.0]), [record([0.0, 0.0, 1.0], [0.0, 0.0, 1.0], after=1)])
    assert found.samples == 4
    assert [item.grades for item in found.items] == [[1, 0, 0, 1], [0, 0, 0, 1]]
    assert [item.value for item in found.items] == [0.5, 0.25]
    assert found.mean == 0.375
    assert found.items[0].response == "0"  # the first answer stays the one that is shown
    assert found.items[0].n_tokens == 4.75  # (4 + 3 * 5) / 4


def test_rounds_are_taken_once_and_in_their_turn() -> None:
    rounds = [record([1.0], [1.0], after=2), record([0.0], [1.0], after=1)]
    found = with_further_answers(record([1.0], [0.0]), [*rounds, *rounds])
    assert [item.grades for item in found.items] == [[1, 0, 1], [0, 1, 1]]


def test_what_follows_a_gap_waits() -> None:
    assert with_further_answers(record([1.0]), [record([0.0], after=2)]) == record([1.0])


@pytest.mark.parametrize("other", [{"version": 2}, {"protocol": {"temperature": 0.6}}, {"split": "validation"}])
def test_answers_of_another_kind_are_left_out(other: dict[str, object]) -> None:
    assert with_further_answers(record([1.0]), [record([0.0], after=1, **other)]) == record([1.0])


def test_a_record_of_before_keeps_its_meaning() -> None:
    old = json.loads(record([1.0, 0.0], [0.0, 0.0]).model_dump_json(exclude={"samples", "after"}))
    old["protocol"]["samples_per_problem"] = 2
    for item in old["items"]:
        del item["grades"]
    found = ScoreRecord.model_validate_json(json.dumps(old))
    assert (found.samples, found.protocol) == (2, {"temperature": 1.0})
    topped_up = with_further_answers(found, [record([1.0, 1.0], [0.0, 1.0], after=2)])
    assert [item.value for item in topped_up.items] == [0.75, 0.25]
    assert [item.grades for item in topped_up.items] == [[1, 1], [0, 1]]  # what was kept
