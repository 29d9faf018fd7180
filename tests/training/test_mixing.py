"""Domains of a step: exact shares over time, the same after a resume."""

from collections import Counter
from itertools import islice

from workers.training.mixing import Mixture, interleave, step_rng


def test_equal_weights_take_turns():
    assert list(islice(interleave({"a": 1, "b": 1, "c": 1}), 6)) == ["a", "b", "c", "a", "b", "c"]


def test_shares_are_exact_over_time_and_never_a_turn_off():
    weights = {"a": 5.0, "b": 1.0, "c": 2.0}
    seen: Counter[str] = Counter()
    for n, name in enumerate(islice(interleave(weights), 800), start=1):
        seen[name] += 1
        assert all(abs(seen[k] - n * w / 8) < 1 for k, w in weights.items())
    assert seen == {"a": 500, "b": 100, "c": 200}


def test_a_resumed_stage_goes_on_where_it_was():
    def mixture() -> Mixture:
        return Mixture({"stem": 3, "tools": 2}, 4, early={"tools": 9}, early_steps=3)

    straight = mixture()
    whole = [straight.domains_of(step) for step in range(1, 9)]
    resumed = mixture()
    assert [resumed.domains_of(step) for step in range(6, 9)] == whole[5:]


def test_early_weights_hold_for_the_early_steps_only():
    mixture = Mixture({"stem": 1, "tools": 1}, 20, early={"tools": 9}, early_steps=2)
    counts = [Counter(mixture.domains_of(step))["tools"] for step in (1, 2, 3, 4)]
    assert counts == [18, 18, 10, 10]


def test_problems_follow_from_seed_stage_and_step():
    def prompts(seed: int, step: int) -> list[str]:
        mixture = Mixture({"stem": 1}, 5, early={}, early_steps=0)
        return [problem.prompt for problem in mixture.problems_of(step, step_rng(seed, "rl", step))]

    assert prompts(0, 3) == prompts(0, 3)
    assert prompts(0, 3) != prompts(0, 4)
    assert prompts(0, 3) != prompts(1, 3)
