"""A learned reward: a small transformer that scores answers, trained on preference pairs (Bradley and Terry, 1952).

The score of an answer is a linear head's at its last token. Training maximises `log sigmoid(chosen - rejected)`.
Rewards are `sigmoid(score - mean score of the last pairs)`: how likely this answer is to be preferred to an ordinary
one. That is between 0 and 1 as other rewards are, so that a cut-off answer's 0 is the worst there is.

It follows from the run's seed and its own settings alone, so every stage of a run that asks for it gets the same one.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol, cast

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import Qwen3Config, Qwen3Model

from workers.spec import RewardModelSpec
from workers.training.checkpoints import check_folder, written_beside
from workers.training.distributed import is_first
from workers.training.domains import DOMAINS, draw
from workers.training.failures import CorruptCheckpointError
from workers.training.policy import Policy
from workers.training.rollouts import Problem, Rollout
from workers.training.seeds import python_rng, seed_of

BETAS = (0.9, 0.95)
SCORED_AT_ONCE = 256
TOKENS_AT_ONCE = 2048
WEIGHTS = "model.safetensors"


class PairMaker(Protocol):
    """What the module of a domain with a learned reward offers on top of the others."""

    def preference_pair(
        self, problem: Problem, rng: Any, *, hard_negatives: float, length_bias: float
    ) -> tuple[str, str]:
        """Make a (chosen, rejected) pair of answers."""
        ...


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
        self.head = nn.Linear(spec.hidden_size, 1, bias=False)
        self.typical_score = nn.Parameter(torch.zeros(()), requires_grad=False)

    def forward(self, sequences: list[list[int]]) -> Tensor:
        """Score sequences of token ids; returns (B,) float32."""
        groups = list(_similar_lengths([len(ids) for ids in sequences]))
        scores = torch.cat([self._scores_of([sequences[row] for row in rows]) for rows in groups])
        order = torch.tensor([row for rows in groups for row in rows], device=scores.device)
        return scores[order.argsort()]

    def _scores_of(self, sequences: list[list[int]]) -> Tensor:
        device = self.typical_score.device
        lengths = [len(ids) for ids in sequences]
        width = max(lengths)
        ids_BS = torch.tensor([ids + [0] * (width - len(ids)) for ids in sequences], device=device)
        mask_BS = (torch.arange(width, device=device) < torch.tensor(lengths, device=device)[:, None]).long()
        hidden_BSD = self.body(input_ids=ids_BS, attention_mask=mask_BS, use_cache=False).last_hidden_state
        last_BD = hidden_BSD[torch.arange(len(lengths), device=device), torch.tensor(lengths, device=device) - 1]
        scores_B: Tensor = self.head(last_BD).squeeze(-1)
        return scores_B

    @torch.no_grad()
    def rewards(self, rollouts: list[Rollout]) -> list[float]:
        """Reward rollouts, 0 to 1."""
        found: list[float] = []
        for first in range(0, len(rollouts), SCORED_AT_ONCE):
            some = rollouts[first : first + SCORED_AT_ONCE]
            scores_B = self([r.prompt_ids + r.token_ids for r in some])
            found += torch.sigmoid(scores_B - self.typical_score).tolist()
        return found


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


def _similar_lengths(sizes: list[int]) -> Iterator[list[int]]:
    """Group rows of similar length, at most TOKENS_AT_ONCE padded tokens a group, so that little is padding."""
    group: list[int] = []
    for row in sorted(range(len(sizes)), key=lambda row: (sizes[row], row)):
        if group and sizes[row] * (len(group) + 1) > TOKENS_AT_ONCE:
            yield group
            group = []
        group.append(row)
    yield group


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
        chosen: list[list[int]] = []
        rejected: list[list[int]] = []
        for _ in range(spec.pairs_per_step):
            problem = draw(rng.choice(domains), "train", rng)
            maker = cast(PairMaker, DOMAINS[problem.domain])
            pair = maker.preference_pair(problem, rng, hard_negatives=spec.hard_negatives, length_bias=spec.length_bias)
            for texts, side in zip((chosen, rejected), pair, strict=True):
                texts.append(policy.prompt_ids(problem) + policy.response_ids(side))
        scores_B = model(chosen + rejected)
        margins = scores_B[: len(chosen)] - scores_B[len(chosen) :]
        optimizer.zero_grad()
        nn.functional.logsigmoid(margins).mean().neg().backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        _set_rate(optimizer, spec, step)
        optimizer.step()
        # a running mean over about the last ten batches; early scores fade out
        model.typical_score.data.lerp_(scores_B.detach().mean(), 0.1)


def _set_rate(optimizer: torch.optim.Optimizer, spec: RewardModelSpec, step: int) -> None:
    """Fall linearly to a tenth, so that the last pairs do not decide the model."""
    for group in optimizer.param_groups:
        group["lr"] = spec.learning_rate * (1 - 0.9 * step / spec.steps)
