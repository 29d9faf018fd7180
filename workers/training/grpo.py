"""GRPO: each rollout is credited by how much better it was than its group (C2 §4.1.2, Eq. 1).

By default strictly on-policy, one update per batch. What C2 leaves open: the standard deviation is that of a sample, and
the batch's tokens share one denominator. docs/algorithms.md goes through the options.
"""

from itertools import chain, groupby
from statistics import fmean
from typing import Protocol

import torch
from torch import Tensor

from workers.catalogue import PREFERENCE, describe
from workers.spec import GRPOSpec, ResolvedStageSpec
from workers.training.distributed import split_work
from workers.training.judge import check_judged
from workers.training.lengths import lengths_of
from workers.training.loss import (
    Average,
    clipped_policy_gradient,
    entropy,
    group_advantages,
    is_concise,
    is_mixed,
    kl_penalty,
    length_weights,
    policy_gradient,
    sampled,
)
from workers.training.mixing import Mixture, other_problems
from workers.training.packing import Tokens
from workers.training.policy import Policy
from workers.training.record import by_domain, ratio_metrics, rollout_metrics
from workers.training.rollouts import FAILED, Batch, Grade, Problem, Rollout
from workers.training.sampling import Sampler, grade_rollouts, sample_rollouts, sample_step
from workers.training.seeds import torch_rng
from workers.training.update import TokenLosses, Update


class Rewards(Protocol):
    """Where learned rewards come from: a model that the stage trained, one in a folder, or a judge."""

    def grades(self, rollouts: list[Rollout]) -> list[Grade]:
        """Reward whole groups, one after the other: the value is the reward, `parts` say what made it or why there is none."""
        ...


class GRPO:
    """Group relative policy optimisation: how it fills the loop's verbs.

    `reference` is a frozen copy of the stage's start where a KL penalty needs it; `reward_model` there where a reward is
    learned: a domain's, or that of rows about preference.
    """

    def __init__(
        self,
        spec: ResolvedStageSpec,
        stage: GRPOSpec,
        policy: Policy,
        sampler: Sampler,
        *,
        reference: Policy | None,
        reward_model: Rewards | None,
    ) -> None:
        self.spec, self.stage, self.policy, self.sampler = spec, stage, policy, sampler
        self.reference, self.reward_model = reference, reward_model
        self.average: Average = stage.max_response_tokens if stage.loss_average == "constant" else stage.loss_average
        self.temperature, self.updates_per_batch = stage.temperature, stage.updates_per_batch
        self.mixture = Mixture(stage.domains, stage.prompts_per_step, early={}, early_steps=0)

    def sample(self, step: int) -> list[Rollout]:
        """Sample a group of answers to each of the step's problems."""
        return sample_step(self.spec, self.stage, self.mixture, self.policy, self.sampler, step)

    def grade(self, rollouts: list[Rollout]) -> None:
        """Reward each answer by its grade, or by the reward model where the reward is learned; cut-off ones as `overlong` says.

        Raises JudgeAwayError where a judge was asked and judged nothing.
        """
        grade_rollouts(rollouts)
        check_judged([r.grade for r in rollouts])
        learned = [r for r in rollouts if _is_learned(r.problem)]
        if learned:
            self._reward(learned)
        if self.stage.overlong == "penalize":
            for rollout in rollouts:
                if rollout.is_truncated:
                    rollout.reward = self._worst(rollout, rollouts)

    def _reward(self, learned: list[Rollout]) -> None:
        """Ask the reward model; what is said of rows about preference, which have no grade, is all that there is to say."""
        assert self.reward_model is not None
        groups = [list(members) for _, members in groupby(learned, key=lambda r: r.group)]
        found = split_work(groups, lambda own: self._reward_model_grades(list(chain.from_iterable(own))))
        check_judged(found)
        for rollout, grade in zip(learned, found, strict=True):
            rollout.reward, rollout.is_rewarded = grade.value, True
            own = grade if rollout.problem.grader == PREFERENCE else rollout.grade
            rollout.grade = Grade(own.value, {**own.parts, **(grade.parts if FAILED in grade.parts else {})})

    def _reward_model_grades(self, rollouts: list[Rollout]) -> list[Grade]:
        assert self.reward_model is not None
        return self.reward_model.grades(rollouts) if rollouts else []

    def _worst(self, cut_off: Rollout, rollouts: list[Rollout]) -> float:
        """What a cut-off answer gets: 0, or less where a learned reward goes below it and another of the group did."""
        if not _is_learned(cut_off.problem):
            return 0.0
        return min(0.0, *(r.reward for r in rollouts if r.group == cut_off.group))

    def resample(self, rollouts: list[Rollout], step: int, round_: int) -> list[Rollout]:
        """With "replace": sample another problem of the same domain for each group whose rewards are all equal."""
        if self.stage.dynamic_filtering != "replace" or round_ > self.stage.max_resampling:
            return []
        size, is_mixed_P = self.stage.rollouts_per_prompt, is_mixed(self.rewards(rollouts)).tolist()
        equal = [group for group, mixed in enumerate(is_mixed_P) if not mixed]
        if not equal:
            return []
        names = (self.spec.seed, self.stage.name, step, round_)
        problems = other_problems([rollouts[group * size].problem.domain for group in equal], *names)
        generator = torch_rng(*names, "tokens")
        fresh = sample_rollouts(
            self.policy, self.sampler, problems, size, self.stage, generator, thinking=self.stage.thinking
        )
        for rollout in fresh:
            rollout.group = equal[rollout.group]
        return fresh

    def credit(self, rollouts: list[Rollout]) -> list[Rollout]:
        """Give every token of a rollout its advantage; returns the rollouts that the loss is made of.

        A masked (cut-off) rollout still counts in its group's mean. Without any advantage, penalty or bonus nothing is
        returned, so that the optimiser's momentum does not move the weights.
        """
        stage, rewards_PG = self.stage, self.rewards(rollouts)
        advantages_PG = group_advantages(rewards_PG, normalize=stage.normalize_advantages, baseline=stage.baseline)
        for rollout, advantage in zip(rollouts, advantages_PG.flatten().tolist(), strict=True):
            rollout.advantage = advantage
        counts_P = self.counts(rollouts, rewards_PG).tolist()
        credited = [r for r in rollouts if counts_P[r.group]]
        if stage.overlong == "mask":
            credited = [r for r in credited if not r.is_truncated]
        has_other_terms = stage.kl_coefficient > 0 or stage.entropy_coefficient > 0
        return credited if has_other_terms or any(r.advantage for r in credited) else []

    def rewards(self, rollouts: list[Rollout]) -> Tensor:
        """The rewards that a group's members are compared by: as graded, then adjusted for length. Returns (P, G) float64.

        Where the parts of a response count apart, the thinking's length and the answer's are adjusted for one by one.
        """
        stage = self.stage
        graded_PG = self._by_group([r.reward for r in rollouts])
        if stage.length_reward == stage.conciseness_bonus == 0:
            return graded_PG
        rewards_PG = graded_PG
        for lengths in self._lengths(rollouts):
            lengths_PG = self._by_group([float(length) for length in lengths])
            concise_PG = is_concise(graded_PG, lengths_PG, stage.conciseness_quantile)
            rewards_PG = (
                rewards_PG + stage.length_reward * length_weights(lengths_PG) + stage.conciseness_bonus * concise_PG
            )
        return rewards_PG

    def _lengths(self, rollouts: list[Rollout]) -> list[tuple[int, ...]]:
        """The lengths that count: of whole responses, or first of their thinking, then of their answers."""
        if self.stage.length_parts == "whole":
            return [tuple(len(r.token_ids) for r in rollouts)]
        return list(
            zip(*(lengths_of(r, self.policy, thinking=bool(self.stage.thinking)) for r in rollouts), strict=True)
        )

    def counts(self, rollouts: list[Rollout], rewards_PG: Tensor) -> Tensor:
        """Tell which groups the loss is made of. Returns (P,) bool."""
        counts_P = is_mixed(rewards_PG) | (self.stage.dynamic_filtering == "off")
        if self.stage.min_group_reward is not None:
            best_P = self._by_group([r.reward for r in rollouts]).amax(dim=1)
            counts_P = counts_P & (best_P > self.stage.min_group_reward)
        return counts_P

    def _by_group(self, values: list[float]) -> Tensor:
        return torch.tensor(values, dtype=torch.float64).view(-1, self.stage.rollouts_per_prompt)

    def reference_of(self, rollout: Rollout) -> Policy | None:
        return self.reference

    def token_losses(self, tokens: Tokens, logprobs_NV: Tensor, reference_NV: Tensor | None) -> TokenLosses:
        """Sum up the terms of each token: the advantage's, the KL penalty's, the entropy bonus's."""
        logprobs_N, stats = sampled(logprobs_NV, tokens.ids_N), {}
        if self.updates_per_batch == 1:
            losses_N = policy_gradient(logprobs_N, tokens.advantages_N)
        else:
            old_N = logprobs_N.detach() if tokens.old_logprobs_N is None else tokens.old_logprobs_N
            losses_N, is_clipped_N = clipped_policy_gradient(
                logprobs_N, old_N, tokens.advantages_N, low=self.stage.clip_low, high=self.stage.clip_high
            )
            stats["clipped"] = is_clipped_N.float()
        if reference_NV is not None:
            penalty_N = kl_penalty(logprobs_N, sampled(reference_NV, tokens.ids_N), self.stage.kl_estimator)
            losses_N = losses_N + self.stage.kl_coefficient * penalty_N
            stats["kl"] = penalty_N.detach()
        if self.stage.entropy_coefficient > 0:
            losses_N = losses_N - self.stage.entropy_coefficient * entropy(logprobs_NV)
        return TokenLosses(losses_N, stats)

    def metrics(self, batch: Batch, credited: list[Rollout], update: Update) -> dict[str, float]:
        """`used_groups` is the share of groups in the loss, `true_reward` the grade where the reward is learned.

        Rows about preference have no grade besides, and so no true reward.
        `replaced` is how many tokens were sampled for answers that others replaced, as a share of all.
        """
        drawn = batch.drawn
        found = {
            **rollout_metrics(drawn),
            "used_groups": len({r.group for r in credited}) * self.stage.rollouts_per_prompt / len(drawn),
            **(ratio_metrics(update) if credited else {}),
            **{name: fmean(values) for name, values in update.stats.items()},
        }
        if self.stage.dynamic_filtering == "replace":
            found["replaced"] = batch.n_tokens_replaced / batch.n_tokens
        if any(describe(domain).learned_reward for domain in self.stage.domains):
            graded = [r for r in drawn if r.problem.grader != PREFERENCE]
            grades = [r.grade.value for r in graded]
            found |= {"true_reward": fmean(grades), **by_domain("true_reward", graded, grades)} if graded else {}
        return found


def _is_learned(problem: Problem) -> bool:
    return problem.grader == PREFERENCE or describe(problem.domain).learned_reward
