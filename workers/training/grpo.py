"""GRPO: each rollout is credited by how much better it was than its group (C2 §4.1.2, Eq. 1), strictly on-policy.

What C2 leaves open: the standard deviation is the population's, and the batch's tokens share one denominator.
"""

from statistics import fmean

import torch
from torch import Tensor

from workers.catalogue import DOMAINS as CATALOGUE
from workers.spec import GRPOSpec, ResolvedStageSpec
from workers.training.loss import entropy, group_advantages, is_mixed, kl_penalty, policy_gradient, sampled
from workers.training.mixing import Mixture
from workers.training.packing import Tokens
from workers.training.policy import Policy
from workers.training.record import by_domain, rollout_metrics
from workers.training.reward_model import RewardModel
from workers.training.rollouts import Rollout
from workers.training.sampling import Sampler, grade_rollouts, sample_step
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
        self.average, self.temperature = stage.loss_average, stage.temperature
        self.mixture = Mixture(stage.domains, stage.prompts_per_step, early={}, early_steps=0)

    def sample(self, step: int) -> list[Rollout]:
        """Sample a group of answers to each of the step's problems."""
        return sample_step(self.spec, self.stage, self.mixture, self.policy, self.sampler, step)

    def grade(self, rollouts: list[Rollout]) -> None:
        """Reward each answer by its grade, or by the reward model where the reward is learned; cut-off ones as `overlong` says."""
        grade_rollouts(rollouts)
        learned = [r for r in rollouts if CATALOGUE[r.problem.domain].learned_reward]
        if learned:
            assert self.reward_model is not None
            for rollout, reward in zip(learned, self.reward_model.rewards(learned), strict=True):
                rollout.reward = reward
        if self.stage.overlong == "penalize":
            for rollout in rollouts:
                rollout.reward *= not rollout.is_truncated

    def credit(self, rollouts: list[Rollout]) -> list[Rollout]:
        """Give every token of a rollout its advantage; returns the rollouts that the loss is made of.

        A masked (cut-off) rollout still counts in its group's mean. Without any advantage, penalty or bonus nothing is
        returned, so that the optimiser's momentum does not move the weights.
        """
        size = self.stage.rollouts_per_prompt
        rewards_PG = torch.tensor([r.reward for r in rollouts], dtype=torch.float64).view(-1, size)
        advantages_PG = group_advantages(rewards_PG, normalize=self.stage.normalize_advantages)
        for rollout, advantage in zip(rollouts, advantages_PG.flatten().tolist(), strict=True):
            rollout.advantage = advantage
        is_mixed_P = is_mixed(rewards_PG).tolist()
        credited = [r for r in rollouts if is_mixed_P[r.group] or not self.stage.dynamic_filtering]
        if self.stage.overlong == "mask":
            credited = [r for r in credited if not r.is_truncated]
        has_other_terms = self.stage.kl_coefficient > 0 or self.stage.entropy_coefficient > 0
        return credited if has_other_terms or any(r.advantage for r in credited) else []

    def reference_of(self, rollout: Rollout) -> Policy | None:
        return self.reference

    def token_losses(self, tokens: Tokens, logprobs_NV: Tensor, reference_NV: Tensor | None) -> TokenLosses:
        logprobs_N = sampled(logprobs_NV, tokens.ids_N)
        losses_N = policy_gradient(logprobs_N, tokens.advantages_N)
        stats = {}
        if reference_NV is not None:
            penalty_N = kl_penalty(logprobs_N, sampled(reference_NV, tokens.ids_N))
            losses_N = losses_N + self.stage.kl_coefficient * penalty_N
            stats["kl"] = penalty_N.detach()
        if self.stage.entropy_coefficient > 0:
            losses_N = losses_N - self.stage.entropy_coefficient * entropy(logprobs_NV)
        return TokenLosses(losses_N, stats)

    def metrics(self, rollouts: list[Rollout], credited: list[Rollout], update: Update) -> dict[str, float]:
        """`used_groups` is the share of groups in the loss; `true_reward` the grade where the reward is learned."""
        n_groups = len(rollouts) // self.stage.rollouts_per_prompt
        found = {
            **rollout_metrics(rollouts),
            "used_groups": len({r.group for r in credited}) / n_groups,
        }
        if credited:
            found |= {"ratio_mean": update.ratio_mean, "ratio_max": update.ratio_max}
        if self.reward_model is not None:
            grades = [r.grade.value for r in rollouts]
            found |= {"true_reward": fmean(grades), **by_domain("true_reward", rollouts, grades)}
        if "kl" in update.stats:
            found["kl"] = fmean(update.stats["kl"])
        return found
