"""Metrics: what the grades of a problem's answers say of it, from 0 to 1.

Every answer's grade is kept, so that the number follows from them wherever it is needed: in scoring, and again where
further answers join. A metric other than the mean stands in a score's protocol, so that scores of different metrics are
never compared.
"""

from collections.abc import Mapping, Sequence
from math import comb
from statistics import fmean
from typing import Literal

Metric = Literal["avg", "pass", "exact"]
RIGHT = 1.0  # the grade of an answer that is wholly right


def pass_at_k(n: int, right: int, k: int) -> float:
    """Estimate without bias how likely one of k answers is right, of n answers of which some were.

    1 - C(n - c, k) / C(n, k): the share of the sets of k answers that hold a right one (Chen et al. 2021,
    arXiv 2107.03374, equation 1). Raises ValueError for fewer answers than k.
    """
    if not 1 <= k <= n:
        raise ValueError(f"found {n} answers, expected at least the k of pass@{k}; sample more or lower k")
    return 1 - comb(n - right, k) / comb(n, k)


def name_metric(metric: Metric, k: int = 1) -> str:
    """Name a metric as a protocol does: 'pass@4', 'exact'; the mean, which every score was once, goes without."""
    return {"avg": "", "exact": "exact", "pass": f"pass@{k}"}[metric]


def value_of(grades: Sequence[float], protocol: Mapping[str, object]) -> float:
    """Say what the grades of a problem's answers are worth under a protocol, 0 to 1."""
    name = protocol.get("metric", "")
    if name == "exact":
        return fmean(float(grade >= RIGHT) for grade in grades)
    if k := k_of(protocol):
        return pass_at_k(len(grades), sum(grade >= RIGHT for grade in grades), k)
    return fmean(grades)


def k_of(protocol: Mapping[str, object]) -> int | None:
    """The k of a protocol's pass@k; None where it has another metric."""
    name, _, k = str(protocol.get("metric", "")).partition("@")
    return int(k) if name == "pass" and k.isdecimal() else None


def metric_words(protocol: Mapping[str, object], samples: int) -> str:
    """Name what a score is, for people: 'avg@8', 'pass@4 of 8', 'exact match of 8', 'acc_norm (lm-eval 0.4.13)'."""
    if harness := protocol.get("harness"):
        return f"{protocol.get('metric')} ({harness})"
    if "published_in" in protocol:
        return "as published"
    if k := k_of(protocol):
        return f"pass@{k} of {samples}"
    return f"exact match of {samples}" if protocol.get("metric") == "exact" else f"avg@{samples}"
