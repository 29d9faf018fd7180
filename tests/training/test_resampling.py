"""Dynamic filtering by replacement: groups that teach nothing give way to other problems, the same on every run."""

from types import SimpleNamespace

import pytest

from tests.training.methods import TINY, grpo_method
from workers.training.grpo import GRPO
from workers.training.policy import Policy, build_policy
from workers.training.rollouts import Batch, Rollout
from workers.training.trainer import graded_batch


@pytest.fixture(scope="module")
def policy() -> Policy:
    return build_policy(TINY, seed=1)


def grpo(policy: Policy, *, seed: int = 0, **settings) -> GRPO:
    usual = {"domains": {"stem": 1, "tools": 1}, "prompts_per_step": 4, "rollouts_per_prompt": 2, "overlong": "keep"}
    replacing = {"dynamic_filtering": "replace", "max_resampling": 3}
    return grpo_method(policy, seed=seed, **usual | replacing | settings)


def drawn(method: GRPO, *dull: int) -> list[Rollout]:
    """The first draw of step 1; of the groups numbered in `dull` no answer is better than another."""
    rollouts = method.sample(1)
    for number, rollout in enumerate(rollouts):
        rollout.reward = float(number % 2 and rollout.group not in dull)
    return rollouts


def said(rollouts: list[Rollout]) -> list[tuple[int, str, list[int]]]:
    return [(r.group, r.problem.prompt, r.token_ids) for r in rollouts]


def test_only_equal_groups_give_way_to_others_of_their_domain(policy):
    method = grpo(policy)
    rollouts = drawn(method, 1, 2)
    fresh = method.resample(rollouts, 1, 1)
    assert [r.group for r in fresh] == [1, 1, 2, 2]
    assert [r.problem.domain for r in fresh[::2]] == [rollouts[2].problem.domain, rollouts[4].problem.domain]
    assert all(r.problem.key != rollouts[2 * r.group].problem.key for r in fresh)


def test_what_comes_instead_follows_from_seed_stage_step_and_round(policy):
    method = grpo(policy)
    rollouts = drawn(method, 1, 2)
    first = said(method.resample(rollouts, 1, 1))
    assert said(method.resample(rollouts, 1, 1)) == first
    others = [(method, 1, 2), (method, 2, 1), (grpo(policy, seed=1), 1, 1), (grpo(policy, name="t"), 1, 1)]
    assert all(said(other.resample(rollouts, step, round_)) != first for other, step, round_ in others)


@pytest.mark.parametrize("dynamic_filtering", ["off", "drop"])
def test_the_other_ways_sample_once(policy, dynamic_filtering):
    method = grpo(policy, dynamic_filtering=dynamic_filtering)
    assert method.resample(drawn(method, 1, 2), 1, 1) == []


def test_nothing_to_replace_and_no_round_left(policy):
    assert grpo(policy).resample(drawn(grpo(policy)), 1, 1) == []
    rollouts = drawn(grpo(policy), 0)
    assert len(grpo(policy).resample(rollouts, 1, 3)) == 2
    assert grpo(policy).resample(rollouts, 1, 4) == []


def test_rounds_go_on_until_every_group_teaches(policy, monkeypatch):
    # of four groups, 1 and 2 are dull at first, then 2 alone, then none: two rounds, of two groups and of one
    method = grpo(policy)
    dull, rounds = [{1, 2}, {2}, set()], []

    def grade(rollouts: list[Rollout]) -> None:
        still = dull[len(rounds)]
        rounds.append(sorted({r.group for r in rollouts}))
        for number, rollout in enumerate(rollouts):
            rollout.reward = float(number % 2 and rollout.group not in still)

    monkeypatch.setattr(method, "grade", grade)
    report = SimpleNamespace(tell=lambda substep: None)
    batch = graded_batch(SimpleNamespace(method=method, report=report), 1)  # type: ignore[arg-type]
    assert rounds == [[0, 1, 2, 3], [1, 2], [2]]
    assert [r.group for r in batch.rollouts] == [0, 0, 1, 1, 2, 2, 3, 3]
    assert len(method.credit(batch.rollouts)) == 8
    assert batch.drawn != batch.rollouts
    assert batch.rollouts[:2] == batch.drawn[:2]


def test_tokens_of_replaced_answers_count_as_sampled():
    def rollout(group: int, n_tokens: int) -> Rollout:
        return Rollout(None, group, [1], [7] * n_tokens, [0.0] * n_tokens, "", False)  # type: ignore[arg-type]

    # 2 + 3 drawn; the 3 give way to 4, those to 5: 2 + 5 stay, 3 + 4 were replaced
    first = [rollout(0, 2), rollout(1, 3)]
    batch = Batch(first, first).with_groups([rollout(1, 4)]).with_groups([rollout(1, 5)])
    assert (batch.n_tokens_replaced, batch.n_tokens) == (7, 14)
    assert [len(r.token_ids) for r in batch.rollouts] == [2, 5]
    assert batch.drawn == first
