"""MOPD: the teacher of a prompt's domain credits each token that the student sampled (C2 §4.4, Eqs. 2-4).

One teacher per prompt. "full_vocabulary" replaces the one-sample estimate of Eq. 2 by the exact reverse KL at each
position, as NeMo RL 0.8 does; both have the same expected gradient. Only where the stage weighs it does the task reward
enter the loss, as MiMo-V2-Flash (arXiv 2601.02780, Eq. 9) adds it.
"""

from collections.abc import Mapping
from statistics import fmean

import torch
from torch import Tensor

from workers.spec import MOPDSpec, ResolvedStageSpec
from workers.training.judge import check_judged
from workers.training.loss import (
    Average,
    distillation_advantages,
    group_advantages,
    importance_ratios,
    masked_importance_weights,
    policy_gradient,
    reverse_kl,
    sampled,
)
from workers.training.mixing import Mixture
from workers.training.packing import Tokens
from workers.training.policy import Policy
from workers.training.record import by_domain, ratio_metrics, rollout_metrics
from workers.training.rollouts import Batch, Rollout
from workers.training.sampling import Sampler, grade_rollouts, sample_step
from workers.training.update import TokenLosses, Update


class MOPD:
    """Multi-domain on-policy distillation: how it fills the loop's verbs. Domains may share one teacher."""

    updates_per_batch = 1

    def __init__(
        self,
        spec: ResolvedStageSpec,
        stage: MOPDSpec,
        policy: Policy,
        sampler: Sampler,
        *,
        teachers: Mapping[str, Policy],
    ) -> None:
        self.spec, self.stage, self.policy, self.sampler = spec, stage, policy, sampler
        self.teachers = teachers
        self.average: Average = stage.loss_average
        self.temperature = stage.temperature
        self.mixture = Mixture(stage.domains, stage.prompts_per_step, early={}, early_steps=0)

    def sample(self, step: int) -> list[Rollout]:
        """Sample answers of the student to each of the step's problems."""
        return sample_step(self.spec, self.stage, self.mixture, self.policy, self.sampler, step)

    def grade(self, rollouts: list[Rollout]) -> None:
        """Grade each answer: for the record, and for the loss only where `task_reward_weight` says so."""
        grade_rollouts(rollouts)
        check_judged([r.grade for r in rollouts])

    def resample(self, rollouts: list[Rollout], step: int, round_: int) -> list[Rollout]:
        """Every answer teaches something: its teacher tells."""
        return []

    def credit(self, rollouts: list[Rollout]) -> list[Rollout]:
        """Every rollout counts; its teacher credits it token by token in `token_losses`, where the log-probs are.

        Where the task reward counts too, each rollout gets its weighted advantage here.
        """
        if self.stage.task_reward_weight > 0:
            rewards = torch.tensor([r.reward for r in rollouts], dtype=torch.float64)
            advantages_PG = group_advantages(rewards.view(-1, self.stage.rollouts_per_prompt), normalize=True)
            for rollout, advantage in zip(rollouts, advantages_PG.flatten().tolist(), strict=True):
                rollout.advantage = self.stage.task_reward_weight * advantage
        return rollouts

    def reference_of(self, rollout: Rollout) -> Policy | None:
        """The teacher of the rollout's domain."""
        return self.teachers[rollout.problem.domain]

    def token_losses(self, tokens: Tokens, logprobs_NV: Tensor, reference_NV: Tensor | None) -> TokenLosses:
        """Credit each token by its teacher, plus by the task reward where that counts; both take the importance weight.

        The exact divergence needs neither credit nor weight, so then only the task reward has them.
        """
        assert reference_NV is not None
        logprobs_N = sampled(logprobs_NV, tokens.ids_N)
        gaps_N = distillation_advantages(sampled(reference_NV, tokens.ids_N), logprobs_N)
        is_exact = self.stage.divergence == "full_vocabulary"
        divergences_N = reverse_kl(logprobs_NV if is_exact else logprobs_NV.detach(), reference_NV)
        stats = {"teacher_gap": gaps_N, "reverse_kl": divergences_N.detach()}
        if is_exact and self.stage.task_reward_weight == 0:
            return TokenLosses(divergences_N, stats)
        ratios_N = importance_ratios(logprobs_N, tokens.sampler_logprobs_N)
        weights_N = masked_importance_weights(ratios_N, self.stage.ratio_low, self.stage.ratio_high)
        stats["masked"] = (weights_N == 0).float()
        if is_exact:
            return TokenLosses(divergences_N + policy_gradient(logprobs_N, weights_N * tokens.advantages_N), stats)
        return TokenLosses(policy_gradient(logprobs_N, weights_N * (gaps_N + tokens.advantages_N)), stats)

    def metrics(self, batch: Batch, credited: list[Rollout], update: Update) -> dict[str, float]:
        """Means over tokens within, then over rollouts; `masked` is the share of tokens outside the band."""
        gaps, divergences = update.stats["teacher_gap"], update.stats["reverse_kl"]
        for rollout, gap in zip(credited, gaps, strict=True):
            rollout.advantage += gap
        return {
            **rollout_metrics(batch.drawn),
            "reverse_kl": fmean(divergences),
            **by_domain("reverse_kl", credited, divergences),
            "teacher_gap": fmean(gaps),
            **by_domain("teacher_gap", credited, gaps),
            "masked": fmean(update.stats.get("masked", [0.0])),
            **ratio_metrics(update),
        }
