"""SFT: demonstrations instead of samples, and credit 1 for each of their tokens.

Cross-entropy is the policy gradient of an answer that someone else wrote and that deserves full credit.
"""

from torch import Tensor

from workers.spec import ResolvedStageSpec, SFTSpec
from workers.training.domains import domain_of
from workers.training.loss import Average, policy_gradient, sampled
from workers.training.mixing import Mixture, step_rng
from workers.training.packing import Tokens
from workers.training.policy import Policy
from workers.training.rollouts import Batch, Grade, Rollout
from workers.training.update import TokenLosses, Update


class SFT:
    """Supervised fine-tuning: how it fills the loop's verbs."""

    temperature = 1.0
    updates_per_batch = 1

    def __init__(self, spec: ResolvedStageSpec, stage: SFTSpec, policy: Policy) -> None:
        self.spec, self.stage, self.policy = spec, stage, policy
        self.average: Average = stage.loss_average
        early_steps = round(stage.early_share * stage.steps)
        self.mixture = Mixture(stage.domains, stage.batch_size, early=stage.early_domains, early_steps=early_steps)

    def sample(self, step: int) -> list[Rollout]:
        """Write a demonstration for each of the step's problems."""
        rng = step_rng(self.spec.seed, self.stage.name, step)
        problems = self.mixture.problems_of(step, rng, for_demonstration=True)
        rollouts = []
        for group, problem in enumerate(problems):
            text = domain_of(problem.domain).demonstrate(problem, rng, style_noise=self.stage.style_noise)
            token_ids = self.policy.response_ids(text)
            prompt_ids = self.policy.prompt_ids(problem, len(token_ids), thinking=self.stage.thinking)
            rollouts.append(
                Rollout(problem, group, prompt_ids, token_ids, [0.0] * len(token_ids), text, is_truncated=False)
            )
        return rollouts

    def grade(self, rollouts: list[Rollout]) -> None:
        """Demonstrations are right by definition."""
        for rollout in rollouts:
            rollout.grade, rollout.reward = Grade(1.0), 1.0

    def resample(self, rollouts: list[Rollout], step: int, round_: int) -> list[Rollout]:
        """Every demonstration teaches something."""
        return []

    def credit(self, rollouts: list[Rollout]) -> list[Rollout]:
        """Give every demonstration credit 1."""
        for rollout in rollouts:
            rollout.advantage = 1.0
        return rollouts

    def reference_of(self, rollout: Rollout) -> Policy | None:
        return None

    def token_losses(self, tokens: Tokens, logprobs_NV: Tensor, reference_NV: Tensor | None) -> TokenLosses:
        return TokenLosses(policy_gradient(sampled(logprobs_NV, tokens.ids_N), tokens.advantages_N))

    def metrics(self, batch: Batch, credited: list[Rollout], update: Update) -> dict[str, float]:
        return {"tokens": float(update.n_tokens)}
