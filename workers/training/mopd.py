"""MOPD: the teacher of a prompt's domain credits each token that the student sampled (C2 §4.4, Eqs. 2-4).

One teacher per prompt, no task reward in the loss. "full_vocabulary" replaces the one-sample estimate of Eq. 2 by the
exact reverse KL at each position, as NeMo RL 0.8 does; both have the same expected gradient.
"""

from collections.abc import Mapping
from statistics import fmean

from torch import Tensor

from workers.spec import MOPDSpec, ResolvedStageSpec
from workers.training.loss import (
    distillation_advantages,
    importance_ratios,
    masked_importance_weights,
    policy_gradient,
    reverse_kl,
    sampled,
)
from workers.training.mixing import Mixture
from workers.training.packing import Tokens
from workers.training.policy import Policy
from workers.training.record import by_domain, rollout_metrics
from workers.training.rollouts import Rollout
from workers.training.sampling import Sampler, grade_rollouts, sample_step
from workers.training.update import TokenLosses, Update


class MOPD:
    """Multi-domain on-policy distillation: how it fills the loop's verbs. Domains may share one teacher."""

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
        self.average, self.temperature = stage.loss_average, stage.temperature
        self.mixture = Mixture(stage.domains, stage.prompts_per_step, early={}, early_steps=0)

    def sample(self, step: int) -> list[Rollout]:
        """Sample answers of the student to each of the step's problems."""
        return sample_step(self.spec, self.stage, self.mixture, self.policy, self.sampler, step)

    def grade(self, rollouts: list[Rollout]) -> None:
        """Grade for the record only; no grade enters the loss."""
        grade_rollouts(rollouts)

    def credit(self, rollouts: list[Rollout]) -> list[Rollout]:
        """Every rollout counts; its teacher credits it token by token in `token_losses`, where the log-probs are."""
        return rollouts

    def reference_of(self, rollout: Rollout) -> Policy | None:
        """The teacher of the rollout's domain."""
        return self.teachers[rollout.problem.domain]

    def token_losses(self, tokens: Tokens, logprobs_NV: Tensor, reference_NV: Tensor | None) -> TokenLosses:
        assert reference_NV is not None
        logprobs_N = sampled(logprobs_NV, tokens.ids_N)
        advantages_N = distillation_advantages(sampled(reference_NV, tokens.ids_N), logprobs_N)
        is_exact = self.stage.divergence == "full_vocabulary"
        divergences_N = reverse_kl(logprobs_NV if is_exact else logprobs_NV.detach(), reference_NV)
        stats = {"teacher_gap": advantages_N, "reverse_kl": divergences_N.detach()}
        if is_exact:
            return TokenLosses(divergences_N, stats)
        ratios_N = importance_ratios(logprobs_N, tokens.sampler_logprobs_N)
        weights_N = masked_importance_weights(ratios_N, self.stage.ratio_low, self.stage.ratio_high)
        stats["masked"] = (weights_N == 0).float()
        return TokenLosses(policy_gradient(logprobs_N, weights_N * advantages_N), stats)

    def metrics(self, rollouts: list[Rollout], credited: list[Rollout], update: Update) -> dict[str, float]:
        """Means over tokens within, then over rollouts; `masked` is the share of tokens outside the band."""
        for rollout, gap in zip(credited, update.stats["teacher_gap"], strict=True):
            rollout.advantage = gap
        divergences = update.stats["reverse_kl"]
        return {
            **rollout_metrics(rollouts),
            "reverse_kl": fmean(divergences),
            **by_domain("reverse_kl", credited, divergences),
            "teacher_gap": fmean(update.stats["teacher_gap"]),
            "masked": fmean(update.stats.get("masked", [0.0])),
            "ratio_mean": update.ratio_mean,
            "ratio_max": update.ratio_max,
        }
