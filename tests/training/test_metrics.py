"""What grades are worth: pass@k and exact match by hand, and against all subsets; several seeds; answers joined."""

from itertools import combinations
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.stats import hypergeom

from workers.answers import with_further_answers
from workers.metrics import k_of, metric_words, name_metric, pass_at_k, value_of
from workers.spec import BenchmarkSpec, TinyModelSpec
from workers.stage_dir import ItemRecord, ScoreRecord
from workers.training.evaluate import score_benchmark
from workers.training.policy import build_policy
from workers.training.sampling import make_sampler


def test_pass_at_k_by_hand() -> None:
    assert pass_at_k(4, 1, 2) == pytest.approx(1 - 3 / 6)  # of the 6 pairs, 3 are without the right one
    assert pass_at_k(8, 2, 4) == pytest.approx(1 - 15 / 70)  # C(6, 4) of C(8, 4)
    assert pass_at_k(5, 3, 1) == pytest.approx(3 / 5)  # pass@1 is the mean
    assert pass_at_k(5, 0, 3) == 0
    assert pass_at_k(5, 3, 3) == 1  # only 2 are wrong: any 3 hold a right one
    assert pass_at_k(200, 1, 100) == pytest.approx(0.5)


@pytest.mark.parametrize("n", range(1, 9))
def test_pass_at_k_is_the_share_of_subsets_with_a_right_answer(n: int) -> None:
    for right in range(n + 1):
        grades = [1] * right + [0] * (n - right)
        for k in range(1, n + 1):
            subsets = list(combinations(grades, k))
            assert pass_at_k(n, right, k) == pytest.approx(sum(any(s) for s in subsets) / comb(n, k), abs=1e-15)


@given(st.integers(1, 300).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(1, n))))
def test_pass_at_k_agrees_with_the_hypergeometric_and_with_the_papers_product(case: tuple[int, int, int]) -> None:
    n, right, k = case
    assert pass_at_k(n, right, k) == pytest.approx(hypergeom(n, right, k).sf(0), abs=1e-9)
    theirs = 1.0 if n - right < k else 1.0 - np.prod(1.0 - k / np.arange(n - right + 1, n + 1))
    assert pass_at_k(n, right, k) == pytest.approx(float(theirs), abs=1e-9)


def test_pass_at_k_is_unbiased() -> None:
    """The mean over many draws of 6 answers that are right with 0.3 is 1 - 0.7^3."""
    rng = np.random.default_rng(0)
    found = [pass_at_k(6, int(right), 3) for right in rng.binomial(6, 0.3, 20_000)]
    assert np.mean(found) == pytest.approx(1 - 0.7**3, abs=4 * np.std(found) / 20_000**0.5)


def test_fewer_answers_than_k_are_refused() -> None:
    with pytest.raises(ValueError, match="found 3 answers, expected at least the k of pass@4"):
        pass_at_k(3, 1, 4)


def test_what_grades_are_worth_follows_from_the_protocol() -> None:
    grades = [1.0, 0.5, 0.0, 1.0]
    assert value_of(grades, {}) == 0.625
    assert value_of(grades, {"metric": "exact"}) == 0.5  # half right is not exact
    assert value_of(grades, {"metric": "pass@2"}) == pytest.approx(1 - 1 / 6)
    assert [k_of({"metric": m}) for m in ("pass@2", "pass@x", "acc", "exact", "")] == [2, None, None, None, None]


def test_metrics_in_words() -> None:
    assert [name_metric("avg"), name_metric("exact"), name_metric("pass", 4)] == ["", "exact", "pass@4"]
    assert metric_words({}, 8) == "avg@8"
    assert metric_words({"metric": "pass@4"}, 8) == "pass@4 of 8"
    assert metric_words({"metric": "exact"}, 2) == "exact match of 2"
    assert metric_words({"metric": "acc", "harness": "lm-eval 0.4.13"}, 1) == "acc (lm-eval 0.4.13)"
    assert metric_words({"published_in": "arXiv"}, 1) == "as published"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"k": 2}, "found k 2 with metric avg, which has no k"),
        ({"metric": "pass", "k": 4, "samples_per_problem": 3}, "found k 4 with 3 answers per problem"),
        ({"seeds": 2, "temperature": 0.0}, "found 2 seeds at temperature 0"),
        ({"metric": "median"}, "Input should be 'avg', 'pass' or 'exact'"),
    ],
)
def test_metrics_that_cannot_be_are_refused(given: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        BenchmarkSpec.model_validate({"domain": "stem", **given})


def test_seeds_give_answers_of_their_own_and_the_first_are_those_of_one_seed() -> None:
    policy = build_policy(TinyModelSpec(hidden_size=16, layers=1, heads=2, head_size=8, mlp_size=16), 0)
    sampler = make_sampler(policy, "torch")
    settings = {"domain": "stem", "n_problems": 24, "samples_per_problem": 2, "max_response_tokens": 4}
    one, three, passed = (
        score_benchmark(policy, sampler, BenchmarkSpec.model_validate({**settings, **more}), "test", 3)
        for more in ({}, {"seeds": 3}, {"seeds": 3, "metric": "pass", "k": 4})
    )
    assert (one.samples, three.samples, passed.samples) == (2, 6, 6)
    assert [item.grades for item in one.items] == [item.grades[:2] for item in three.items]
    assert [item.response for item in one.items] == [item.response for item in three.items]
    assert one.protocol == three.protocol  # more answers measure the same
    assert [item.value for item in three.items] == [sum(item.grades) / 6 for item in three.items]
    assert [item.grades for item in passed.items] == [item.grades for item in three.items]
    assert passed.protocol == {**three.protocol, "metric": "pass@4"}
    for item in passed.items:
        assert item.value == pass_at_k(6, sum(grade == 1 for grade in item.grades), 4)
    assert passed.mean == pytest.approx(sum(item.value for item in passed.items) / 24)


def test_answers_that_join_are_measured_by_the_same_metric() -> None:
    first = a_record([1.0, 0.0], protocol={"metric": "pass@2"})
    more = a_record([0.0, 0.0], protocol={"metric": "pass@2"}, after=2)
    joined = with_further_answers(first, [more])
    assert joined.items[0].grades == [1.0, 0.0, 0.0, 0.0]
    assert joined.items[0].value == joined.mean == pytest.approx(0.5)  # of 6 pairs 3 hold the right one
    other = a_record([0.0, 0.0], protocol={"metric": "pass@1"}, after=2)
    assert with_further_answers(first, [other]) == first


def a_record(grades: list[float], *, protocol: dict[str, float | int | str], after: int = 0) -> ScoreRecord:
    """A score of one problem."""
    value = value_of(grades, protocol)
    item = ItemRecord(item=0, key="k", prompt="?", value=value, grades=grades, response="", n_tokens=1)
    return ScoreRecord(
        domain="stem",
        split="test",
        version=1,
        protocol=protocol,
        samples=len(grades),
        after=after,
        mean=value,
        items=[item],
    )
