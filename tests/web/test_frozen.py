"""What was approved, as a digest: the same for the same scores, another for any other, with words for the difference."""

import copy
from typing import Any

import pytest

from runs.frozen import differences, digest, freeze
from runs.models import ItemResult, Score
from tests.web.some_runs import a_project, a_run, finish


def _document() -> dict[str, Any]:
    def score(domain: str, split: str, benchmark: str, values: list[float]) -> dict[str, Any]:
        return {
            "domain": domain,
            "split": split,
            "version": 1,
            "benchmark": benchmark,
            "protocol": {"temperature": 1.0},
            "samples": 1,
            "mean": sum(values) / len(values),
            "items": [[item, value] for item, value in enumerate(values)],
        }

    return {
        "checkpoint": "ckpt_a",
        "scores": [score("stem", "test", "aa", [1.0, 0.0]), score("coding", "validation", "bb", [0.5, 0.5])],
    }


def test_the_digest_is_of_the_facts_and_not_of_their_order() -> None:
    other = _document()
    other["scores"].reverse()
    other["scores"][0]["items"].reverse()
    other["scores"][0]["protocol"] = dict(reversed(other["scores"][0]["protocol"].items()))
    assert digest(other) == digest(_document())
    assert differences(_document(), other) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: s[0].update(mean=1.0, items=[[0, 1.0], [1, 1.0]]), "STEM: 1 of 2 problems graded differently, 50.0, now 100.0"),
        (lambda s: s[0].update(samples=4), "STEM: 4 answers to each problem, before 1, 50.0, now 50.0"),
        (lambda s: s[0].update(items=[[0, 1.0]]), "STEM: 1 of 1 problems graded differently, 50.0, now 50.0"),
        (lambda s: s[0].update(benchmark="cc", protocol={"temperature": 0.6}), "STEM: scored under another protocol (temperature 1.0, then 0.6), 50.0, now 50.0"),
        (lambda s: s[0].update(benchmark="cc", version=2), "STEM: version 1 of the benchmark, then version 2, 50.0, now 50.0"),
        (lambda s: s[0].update(benchmark="cc"), "STEM: scored on other problems, 50.0, now 50.0"),
        (lambda s: s[0].update(mean=0.6), "STEM: another mean of the same items, 50.0, now 60.0"),
        (lambda s: s.pop(1), "Code (validation): its score of 50.0 is gone"),
        (lambda s: s.append({**s[0], "domain": "tools", "benchmark": "dd"}), "Tool calling: a new score, 50.0"),
    ],
)  # fmt: skip
def test_any_change_has_another_digest_and_words(change: Any, words: str) -> None:
    changed = copy.deepcopy(_document())
    change(changed["scores"])
    assert digest(changed) != digest(_document())
    assert differences(_document(), changed) == [words]


@pytest.mark.django_db
def test_a_checkpoint_is_frozen_with_every_item_of_every_score() -> None:
    run = a_run(a_project())
    finish(run, "warm")
    checkpoint = run.checkpoints.get(stage__name="warm")
    document = freeze(checkpoint)
    assert {(score["domain"], score["split"]): len(score["items"]) for score in document["scores"]} == {
        (domain, split): n for domain in ("instructions", "stem") for split, n in (("test", 16), ("validation", 8))
    }
    assert digest(freeze(checkpoint)) == digest(document)
    item = ItemResult.objects.filter(score__checkpoint=checkpoint).first()
    assert item is not None
    ItemResult.objects.filter(pk=item.pk).update(value=1 - item.value)
    assert digest(freeze(checkpoint)) != digest(document)
    Score.objects.filter(checkpoint=checkpoint).delete()
    assert freeze(checkpoint)["scores"] == []
