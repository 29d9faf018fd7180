"""GRPO on a model of a few thousand weights, for tests of what it does with rollouts."""

from workers.spec import GRPOSpec, ResolvedStageSpec, TinyModelSpec
from workers.training.grpo import GRPO
from workers.training.policy import Policy
from workers.training.rollouts import Problem
from workers.training.sampling import make_sampler

TINY = TinyModelSpec(hidden_size=16, layers=1, heads=2, head_size=8, mlp_size=16)
PROBLEM = Problem("stem", "k", "max?A1B2C3D4", {"value": 4, "letter": "D"})


def grpo_method(policy: Policy, *, seed: int = 0, **settings) -> GRPO:
    """A stage's method without reference and reward model; groups of four on STEM unless `settings` say otherwise."""
    usual = {"name": "s", "domains": {"stem": 1}, "steps": 5, "learning_rate": 0.01, "rollouts_per_prompt": 4}
    stage = GRPOSpec(**usual | settings)
    spec = ResolvedStageSpec(run="r", seed=seed, model=TINY, stage=stage, start_folder=None)
    return GRPO(spec, stage, policy, make_sampler(policy), reference=None, reward_model=None)
