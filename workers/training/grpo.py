"""GRPO: each rollout is credited by how much better it was than its group (C2 §4.1.2, Eq. 1).

By default strictly on-policy, one update per batch. What C2 leaves open: the standard deviation is that of a sample, and
the batch's tokens share one denominator. docs/algorithms.md goes through the options.
"""

from statistics import fmean

import torch
from torch import Tensor

from workers.catalogue import describe
from workers.spec import GRPOSpec, ResolvedStageSpec
from workers.training.distributed import split_work
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
from workers.training.reward_model import RewardModel
from workers.training.rollouts import Batch, Rollout
from workers.training.sampling import Sampler, grade_rollouts, sample_rollouts, sample_step
from workers.training.seeds import torch_rng
from workers.training.update import TokenLosses, Update


class GRPO:
    """Group relative policy optimisation: how it fills the loop's verbs.

    `reference` is a frozen copy of the stage's start where a KL penalty needs it; `reward_model` there where a domain's
    reward is learned.
    """

    def __init__(
        self,
        spec: ResolvedStageSpec,
        stage: GRPOSpec,
        policy: Policy,
        sampler: Sampler,
        *,
        reference: Policy | None,
        reward_model: RewardModel | None,
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
        """Reward each answer by its grade, or by the reward model where the reward is learned; cut-off ones as `overlong` says."""
        grade_rollouts(rollouts)
        learned = [r for r in rollouts if describe(r.problem.domain).learned_reward]
        if learned:
            assert self.reward_model is not None
            for rollout, reward in zip(learned, split_work(learned, self.reward_model.rewards), strict=True):
                rollout.reward = reward
        if self.stage.overlong == "penalize":
            for rollout in rollouts:
                rollout.reward *= not rollout.is_truncated

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

        A response has one length, that of all its tokens, whether it thinks in some of them or not.
        """
        stage = self.stage
        graded_PG = self._by_group([r.reward for r in rollouts])
        lengths_PG = self._by_group([float(len(r.token_ids)) for r in rollouts])
        concise_PG = is_concise(graded_PG, lengths_PG, stage.conciseness_quantile)
        return graded_PG + stage.length_reward * length_weights(lengths_PG) + stage.conciseness_bonus * concise_PG

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
        if self.reward_model is not None:
            grades = [r.grade.value for r in drawn]
            found |= {"true_reward": fmean(grades), **by_domain("true_reward", drawn, grades)}
        return found
