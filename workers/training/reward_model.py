"""A learned reward: a small transformer that scores answers, trained on preference pairs (Bradley and Terry, 1952).

The score of an answer is a linear head's at its last token; answers to one prompt share it (packing.py). Training maximises `log sigmoid(chosen - rejected)`.
Rewards are `sigmoid(score - mean score of the last pairs)`: how likely this answer is to be preferred to an ordinary
one. That is between 0 and 1 as other rewards are, so that a cut-off answer's 0 is the worst there is.

Pairs are made by a domain, or are rows of a data set that have a chosen and a rejected answer.

It follows from the run's seed, its pairs and its own settings alone, so every stage of a run that asks for it gets the same one.
"""

import random
from collections.abc import Callable
from itertools import groupby
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import Qwen3Config, Qwen3Model

from workers.spec import RewardModelSpec
from workers.training.checkpoints import check_folder, written_beside
from workers.training.distributed import is_first
from workers.training.domains import draw_pair
from workers.training.failures import CorruptCheckpointError
from workers.training.norms import speed_up_norms
from workers.training.packing import ATTENTION, Group, lay_out
from workers.training.policy import Policy
from workers.training.rollouts import Grade, Rollout
from workers.training.seeds import python_rng, seed_of

BETAS = (0.9, 0.95)
SCORED_AT_ONCE = 256
WEIGHTS = "model.safetensors"


class RewardModel(nn.Module):
    """Scores whole token sequences, prompt and response."""

    def __init__(self, spec: RewardModelSpec, vocabulary_size: int, max_positions: int) -> None:
        super().__init__()
        config = Qwen3Config(
            vocab_size=vocabulary_size,
            hidden_size=spec.hidden_size,
            num_hidden_layers=spec.layers,
            num_attention_heads=4,
            num_key_value_heads=4,
            head_dim=spec.hidden_size // 4,
            intermediate_size=2 * spec.hidden_size,
            max_position_embeddings=max_positions,
        )
        self.body = Qwen3Model(config)
        self.body.set_attn_implementation(ATTENTION)
        speed_up_norms(self.body)
        self.head = nn.Linear(spec.hidden_size, 1, bias=False)
        self.typical_score = nn.Parameter(torch.zeros(()), requires_grad=False)

    def forward(self, groups: list[Group]) -> Tensor:
        """Score the responses of groups, one after the other; returns (R,) float32."""
        row = lay_out(groups, self.typical_score.device)
        hidden_1MD = self.body(
            input_ids=row.ids_M[None],
            position_ids=row.positions_M[None],
            attention_mask=row.ids_M.new_empty(1, 1, 1, 1),  # none is made of one of four axes: the layout says all
            use_cache=False,
            layout=row.layout,
        ).last_hidden_state
        scores_R: Tensor = self.head(hidden_1MD[0].index_select(0, row.lasts_R)).squeeze(-1)
        return scores_R

    @torch.no_grad()
    def rewards(self, rollouts: list[Rollout]) -> list[float]:
        """Reward rollouts, 0 to 1."""
        found: list[float] = []
        for first in range(0, len(rollouts), SCORED_AT_ONCE):
            same_prompt = groupby(rollouts[first : first + SCORED_AT_ONCE], key=lambda r: r.prompt_ids)
            scores_R = self([(prompt, [r.token_ids for r in members]) for prompt, members in same_prompt])
            found += torch.sigmoid(scores_R - self.typical_score).tolist()
        return found

    def grades(self, rollouts: list[Rollout]) -> list[Grade]:
        """Reward rollouts, as every source of learned rewards does."""
        return [Grade(reward) for reward in self.rewards(rollouts)]


def prepare_reward_model(
    spec: RewardModelSpec,
    policy: Policy,
    *,
    seed: int,
    domains: list[str],
    folder: Path,
    before_step: Callable[[int], None],
) -> RewardModel:
    """Read the stage's reward model, or train it and keep it; `before_step` is called before each of its steps."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_of(seed, "reward model"))
        model = RewardModel(spec, len(policy.tokenizer), policy.max_positions).to(policy.device)
    if _is_whole(folder):
        model.load_state_dict(load_file(folder / WEIGHTS))
        return model
    _train(model, spec, policy, seed, domains, before_step)
    if not is_first():  # each process has trained its own, all alike
        return model
    with written_beside(folder) as beside:
        save_file({name: tensor.cpu() for name, tensor in model.state_dict().items()}, beside / WEIGHTS)
    return model


def _is_whole(folder: Path) -> bool:
    """Tell whether a kept model can be used; a damaged one is simply trained again, to the same weights."""
    try:
        check_folder(folder)
    except CorruptCheckpointError:
        return False
    return (folder / WEIGHTS).exists()


def _train(
    model: RewardModel,
    spec: RewardModelSpec,
    policy: Policy,
    seed: int,
    domains: list[str],
    before_step: Callable[[int], None],
) -> None:
    rng = python_rng(seed, "reward model", "pairs")
    optimizer = torch.optim.AdamW(
        [p for p in model.parameters() if p.requires_grad],
        lr=spec.learning_rate,
        betas=BETAS,
        weight_decay=0.0,
        fused=True,
    )
    for step in range(spec.steps):
        before_step(step)
        scores_R = model([_draw_pair(spec, policy, domains, rng) for _ in range(spec.pairs_per_step)])
        chosen_P, rejected_P = scores_R.view(-1, 2).unbind(1)
        optimizer.zero_grad()
        nn.functional.logsigmoid(chosen_P - rejected_P).mean().neg().backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        _set_rate(optimizer, spec, step)
        optimizer.step()
        # a running mean over about the last ten batches; early scores fade out
        model.typical_score.data.lerp_(scores_R.detach().mean(), 0.1)


def _draw_pair(spec: RewardModelSpec, policy: Policy, domains: list[str], rng: random.Random) -> Group:
    """Draw a problem with the chosen and the rejected response to it."""
    problem, pair = draw_pair(
        rng.choice(domains), rng, hard_negatives=spec.hard_negatives, length_bias=spec.length_bias
    )
    prompt = policy.prompt_ids(problem)
    room = max(1, policy.max_positions - len(prompt))  # of a team's own pair that is longer, the beginning counts
    return prompt, [policy.response_ids(side)[:room] for side in pair]


def _set_rate(optimizer: torch.optim.Optimizer, spec: RewardModelSpec, step: int) -> None:
    """Fall linearly to a tenth, so that the last pairs do not decide the model."""
    for group in optimizer.param_groups:
        group["lr"] = spec.learning_rate * (1 - 0.9 * step / spec.steps)
