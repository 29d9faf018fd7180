"""What was approved: a checkpoint's scores with their items and protocols, as a document with a digest.

`digest` and `differences` are pure. The digest does not depend on the order of rows, on times or on database numbers, so
the same scores read twice, or scored again with the same results, have the same one.
"""

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from django.contrib.postgres.aggregates import ArrayAgg

from runs.drift import words
from runs.drift.comparability import changed_settings
from runs.models import Checkpoint, Score
from workers.catalogue import describe

Frozen = dict[str, Any]


def freeze_all(checkpoints: Iterable[Checkpoint]) -> dict[int, Frozen]:
    """Read what several checkpoints scored, in one query; by the checkpoint's key."""
    wanted = {checkpoint.pk: checkpoint.public_id for checkpoint in checkpoints}
    frozen: dict[int, Frozen] = {pk: {"checkpoint": public_id, "scores": []} for pk, public_id in wanted.items()}
    scores = (
        Score.objects.filter(checkpoint__in=wanted)
        .select_related("benchmark")
        .annotate(
            item_numbers=ArrayAgg("items__item", order_by="items__item", default=[]),
            item_values=ArrayAgg("items__value", order_by="items__item", default=[]),
        )
        .order_by("benchmark__domain", "benchmark__split", "benchmark__digest")
    )
    for score in scores:
        frozen[score.checkpoint_id]["scores"].append(
            {
                "domain": score.benchmark.domain,
                "split": score.benchmark.split,
                "version": score.benchmark.version,
                "benchmark": score.benchmark.digest,
                "protocol": score.benchmark.protocol,
                "samples": score.samples,
                "mean": score.mean,
                "items": [
                    list(pair) for pair in zip(score.item_numbers, score.item_values, strict=True) if None not in pair
                ],
            }
        )
    return frozen


def freeze(checkpoint: Checkpoint) -> Frozen:
    """Read what one checkpoint scored."""
    return freeze_all([checkpoint])[checkpoint.pk]


def digest(frozen: Frozen) -> str:
    """sha256 of the document in one canonical spelling."""
    scores = sorted(({**score, "items": sorted(score["items"])} for score in frozen["scores"]), key=_key)
    text = json.dumps({**frozen, "scores": scores}, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def differences(before: Frozen, after: Frozen) -> list[str]:
    """Say in words what changed between two documents; empty where nothing did."""
    earlier, later = ({_key(score): score for score in frozen["scores"]} for frozen in (before, after))
    gone = [score for key, score in earlier.items() if key not in later]
    new = [score for key, score in later.items() if key not in earlier]
    found = [line for key, score in earlier.items() if key in later for line in _regraded(score, later[key])]
    for score in gone:
        successor = next((other for other in new if _key(other)[:2] == _key(score)[:2]), None)
        if successor is None:
            found.append(f"{_name(score)}: its score of {words.score(score['mean'])} is gone")
        else:
            new.remove(successor)
            found.append(f"{_name(score)}: {_why_another(score, successor)}, {_moved(score, successor)}")
    return sorted(found + [f"{_name(score)}: a new score, {words.score(score['mean'])}" for score in new])


def _regraded(then: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """One line where a benchmark has other results than before, none where it has the same."""
    if then["samples"] != now["samples"]:
        k = f"{now['samples']} answers to each problem, before {then['samples']}"
        return [f"{_name(now)}: {k}, {_moved(then, now)}"]
    earlier, later = dict(then["items"]), dict(now["items"])
    n_moved = sum(earlier.get(item) != later.get(item) for item in earlier.keys() | later.keys())
    if n_moved:
        return [f"{_name(now)}: {n_moved} of {len(later)} problems graded differently, {_moved(then, now)}"]
    return [] if then["mean"] == now["mean"] else [f"{_name(now)}: another mean of the same items, {_moved(then, now)}"]


def _moved(then: dict[str, Any], now: dict[str, Any]) -> str:
    return f"{words.score(then['mean'])}, now {words.score(now['mean'])}"


def _why_another(then: dict[str, Any], now: dict[str, Any]) -> str:
    if then["version"] != now["version"]:
        return f"version {then['version']} of the benchmark, then version {now['version']}"
    if then["protocol"] != now["protocol"]:
        return f"scored under another protocol ({changed_settings(then['protocol'], now['protocol'])})"
    return "scored on other problems"


def _key(score: dict[str, Any]) -> tuple[str, str, str]:
    return score["domain"], score["split"], score["benchmark"]


def _name(score: dict[str, Any]) -> str:
    domain = describe(score["domain"]).title
    return domain if score["split"] == "test" else f"{domain} ({score['split']})"
