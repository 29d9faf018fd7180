"""What a batch of rollouts does to the policy: credit becomes loss, loss a gradient, the optimiser takes a step.

Where a stage asks for several updates per batch, each takes its share of the groups, and what the policy gave their tokens
before the first update is noted first. For each update:

1. Rollouts are packed into rows of at most `micro_batch_tokens` tokens, one that is longer alone; those of one prompt stay
   together. Where they cannot be packed, rows of like length are padded to the longest of them.
2. A row runs through the model once; the output head and the loss follow in chunks of tokens, each with its own backward
   pass, so that vocabulary x tokens never stands in memory at once and nothing is computed twice.
3. The gradients at the hidden states then run backward through the model.

Of several processes each does so with its share of the rows; the weights of the loss are those of all of them, gradients
and what is recorded are summed up.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import reduce
from itertools import chain, groupby, islice, pairwise
from operator import itemgetter
from typing import Protocol

import torch
from torch import Tensor

from workers.training.distributed import gather, own_share
from workers.training.failures import NotFiniteError
from workers.training.loss import Average, averaging_weights, entropy, importance_ratios, sampled
from workers.training.optim import Optimizers
from workers.training.packing import Pack, Tokens, pack_rollouts, packed_size
from workers.training.policy import Policy
from workers.training.rollouts import Rollout

LOGITS_AT_ONCE = 2**24  # tokens x vocabulary in one chunk of the output head
MOST_PADDED = 2  # times its own length, what a row may be padded to


@dataclass(frozen=True)
class TokenLosses:
    """The loss of each token and what is worth recording of it: `stats` are (N,) and without gradient."""

    losses_N: Tensor
    stats: dict[str, Tensor] = field(default_factory=dict)


class Credit(Protocol):
    """What an update needs of a stage's method."""

    average: Average
    temperature: float

    def reference_of(self, rollout: Rollout) -> Policy | None:
        """Name the frozen model whose log-probs the loss needs; rollouts of different ones never share a row."""
        ...

    def token_losses(self, tokens: Tokens, logprobs_NV: Tensor, reference_NV: Tensor | None) -> TokenLosses: ...


@dataclass
class Update:
    """What was done with a batch. `stats` hold, for each rollout in the order given, the mean over its tokens.

    `ratio_mean`, `_min` and `_max` compare trainer and sampler over all tokens; several updates enter as means over tokens,
    and as the largest gradient norm.
    """

    loss: float = 0.0
    grad_norm: float = 0.0
    n_tokens: int = 0
    entropy: float = 0.0
    ratio_mean: float = 1.0
    ratio_min: float = 1.0
    ratio_max: float = 1.0
    stats: dict[str, list[float]] = field(default_factory=dict)


def update_policy(
    policy: Policy, rollouts: list[Rollout], optimizers: Optimizers, credit: Credit, *, step: int, n_updates: int = 1
) -> Update:
    """Take one optimiser step on all rollouts together, or one on each of `n_updates` parts; none if there are no rollouts.

    All have the learning rate of `step`. Raises NotFiniteError before a weight is touched by what is not finite.
    """
    if not rollouts:
        return Update()
    parts = minibatches(rollouts, n_updates)
    later = [rollout for part in parts[1:] for rollout in part]
    remember_logprobs(policy, later, credit, optimizers.stage.micro_batch_tokens)
    updates = [_update(policy, part, optimizers, credit, step) for part in parts]
    return updates[0] if len(updates) == 1 else _together(updates)


def minibatches(rollouts: list[Rollout], n_updates: int) -> list[list[Rollout]]:
    """Cut into at most `n_updates` parts of whole groups, as many groups in each as can be, in the order they have.

    Domains take turns in that order, so every part has all of them where it is long enough.
    """
    groups = [list(members) for _, members in groupby(rollouts, key=lambda r: r.group)]
    n = min(n_updates, len(groups))
    ends = [len(groups) * part // n for part in range(n + 1)]
    return [list(chain.from_iterable(groups[first:end])) for first, end in pairwise(ends)]


@torch.no_grad()
def remember_logprobs(policy: Policy, rollouts: list[Rollout], credit: Credit, limit: int) -> None:
    """Note what the policy gives each rollout's tokens now: `Rollout.old_logprobs`.

    The trainer's own log-probs, not the sampler's: so a clip measures how far updates have moved the policy, and never what
    an engine computes otherwise.
    """
    noted: dict[int, list[float]] = {}
    for rows, _ in _passes(policy, rollouts, credit, limit) if rollouts else ():
        pack = pack_rollouts([rollouts[row] for row in rows], policy.device)
        hidden_ND = policy.hidden(pack)
        logprobs_N = torch.cat(
            [
                sampled(policy.logprobs(hidden_ND[part], credit.temperature), tokens.ids_N)
                for part, tokens in pack.tokens.chunks(_tokens_at_once(policy))
            ]
        )
        logprobs = iter(logprobs_N.tolist())
        noted |= {row: list(islice(logprobs, len(rollouts[row].token_ids))) for row in rows}
    for row, old_logprobs in chain.from_iterable(found.items() for found in gather(noted)):
        rollouts[row].old_logprobs = old_logprobs


def _passes(policy: Policy, rollouts: list[Rollout], credit: Credit, limit: int) -> Iterator[tuple[list[int], bool]]:
    """Yield the rows of each micro-batch of this process, and whether it counts.

    All processes bring the layers of a split model together at the same time, so that who has fewer passes than another
    runs the shortest rollout for nothing.
    """
    own = list(micro_batches(rollouts, credit, limit, is_packed=policy.can_pack))
    shortest = min(range(len(rollouts)), key=lambda row: packed_size([rollouts[row]]))
    n_passes = max(gather(len(own)))
    yield from ((rows, True) for rows in own)
    yield from (([shortest], False) for _ in range(n_passes - len(own)))


def micro_batches(
    rollouts: list[Rollout], credit: Credit, limit: int, *, is_packed: bool = True
) -> Iterator[list[int]]:
    """Split the rows of rollouts into batches of one reference and at most `limit` tokens each, like sizes together.

    A batch is packed into one row, where groups stay whole if they fit. Else each of its rows has the prompt of its own,
    and is padded to the longest of the batch. Of several processes, each gets its share.
    """
    references: dict[int, int] = {}
    parts: dict[tuple[int, int, tuple[int, ...]], list[int]] = {}
    for row, rollout in enumerate(rollouts):
        reference = references.setdefault(id(credit.reference_of(rollout)), len(references))
        group = rollout.group if is_packed else row
        parts.setdefault((reference, group, tuple(rollout.prompt_ids)), []).append(row)
    sized = [
        (key[0], packed_size([rollouts[row] for row in part]), part)
        for key, rows in parts.items()
        for part in _split(rows, rollouts, limit)
    ]
    fits = _fits_packed if is_packed else _fits_padded
    batch: list[int] = []
    sizes: list[int] = []
    filled_for = 0
    for reference, size, part in sorted(own_share(sized, size=itemgetter(1))):
        if batch and (reference != filled_for or not fits([*sizes, size], limit)):
            yield batch
            batch, sizes = [], []
        batch, sizes, filled_for = batch + part, [*sizes, size], reference
    if batch:
        yield batch


def _split(rows: list[int], rollouts: list[Rollout], limit: int) -> Iterator[list[int]]:
    """Cut a group that fits no micro-batch into parts that do, each with the prompt; a part is at least one rollout."""
    part: list[int] = []
    for row in rows:
        if part and packed_size([rollouts[r] for r in (*part, row)]) > limit:
            yield part
            part = []
        part = [*part, row]
    yield part


def _fits_packed(sizes: list[int], limit: int) -> bool:
    return sum(sizes) <= limit


def _fits_padded(sizes: list[int], limit: int) -> bool:
    """Sizes rise: all are padded to the last, which the first bounds."""
    return len(sizes) * sizes[-1] <= limit and sizes[-1] <= MOST_PADDED * sizes[0]


def _update(policy: Policy, rollouts: list[Rollout], optimizers: Optimizers, credit: Credit, step: int) -> Update:
    """Take one optimiser step on all rollouts together."""
    lengths_B = torch.tensor([len(r.token_ids) for r in rollouts], device=policy.device)
    weights_B = averaging_weights(lengths_B, credit.average)
    tally = _Tally(rollouts)
    limit = optimizers.stage.micro_batch_tokens
    for rows, counts in _passes(policy, rollouts, credit, limit):
        pack = pack_rollouts([rollouts[row] for row in rows], policy.device)
        weights_N = weights_B[rows][pack.tokens.rows_N] * counts
        _add_gradients(policy, pack, credit, weights_N, rows, tally if counts else _Tally(rollouts))
    tally = reduce(_Tally.plus, gather(tally))
    grad_norm = optimizers.clip_gradients()
    if not (math.isfinite(tally.loss) and math.isfinite(grad_norm)):
        raise NotFiniteError(step, tally.loss, grad_norm)
    optimizers.step(step)
    optimizers.clear_gradients()
    return tally.result(grad_norm)


def _together(updates: list[Update]) -> Update:
    """Tell of the updates of one batch as one."""
    n_tokens = sum(update.n_tokens for update in updates)

    def mean(values: Iterable[float]) -> float:
        return sum(value * update.n_tokens for value, update in zip(values, updates, strict=True)) / n_tokens

    return Update(
        loss=mean(update.loss for update in updates),
        grad_norm=max(update.grad_norm for update in updates),
        n_tokens=n_tokens,
        entropy=mean(update.entropy for update in updates),
        ratio_mean=mean(update.ratio_mean for update in updates),
        ratio_min=min(update.ratio_min for update in updates),
        ratio_max=max(update.ratio_max for update in updates),
        stats={name: [value for update in updates for value in update.stats[name]] for name in updates[0].stats},
    )


def _tokens_at_once(policy: Policy) -> int:
    return max(1, LOGITS_AT_ONCE // len(policy.tokenizer))


def _add_gradients(
    policy: Policy, pack: Pack, credit: Credit, weights_N: Tensor, rows: list[int], tally: "_Tally"
) -> None:
    """Run one row forward and backward."""
    reference = credit.reference_of(pack.rollouts[0])
    with torch.no_grad():
        reference_ND = None if reference is None else reference.hidden(pack)
    hidden_ND = policy.hidden(pack)
    leaf_ND = hidden_ND.detach().requires_grad_()
    for part, tokens in pack.tokens.chunks(_tokens_at_once(policy)):
        logprobs_NV = policy.logprobs(leaf_ND[part], credit.temperature)
        reference_NV = None
        if reference is not None and reference_ND is not None:
            with torch.no_grad():
                reference_NV = reference.logprobs(reference_ND[part], credit.temperature)
        token = credit.token_losses(tokens, logprobs_NV, reference_NV)
        loss = (token.losses_N * weights_N[part]).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        tally.add(rows, tokens, logprobs_NV.detach(), token.stats, loss.item())
    hidden_ND.backward(leaf_ND.grad)  # type: ignore[no-untyped-call]


class _Tally:
    """Sums over the tokens of one update."""

    def __init__(self, rollouts: list[Rollout]) -> None:
        self.lengths = [len(rollout.token_ids) for rollout in rollouts]
        self.loss = 0.0
        self.entropy = 0.0
        self.ratio = 0.0
        self.ratio_min, self.ratio_max = math.inf, 0.0
        self.stats: dict[str, list[float]] = {}

    def add(self, rows: list[int], tokens: Tokens, logprobs_NV: Tensor, stats: dict[str, Tensor], loss: float) -> None:
        self.loss += loss
        self.entropy += float(entropy(logprobs_NV).sum())
        # Before the batch's first update, so that the ratio is of engine and trainer alone.
        trainer_N = sampled(logprobs_NV, tokens.ids_N) if tokens.old_logprobs_N is None else tokens.old_logprobs_N
        ratios_N = importance_ratios(trainer_N, tokens.sampler_logprobs_N)
        self.ratio += float(ratios_N.sum())
        self.ratio_min = min(self.ratio_min, float(ratios_N.min()))
        self.ratio_max = max(self.ratio_max, float(ratios_N.max()))
        for name, values_N in stats.items():
            sums_B = values_N.new_zeros(len(rows)).index_add_(0, tokens.rows_N, values_N)
            column = self.stats.setdefault(name, [0.0] * len(self.lengths))
            for row, total in zip(rows, sums_B.tolist(), strict=True):
                column[row] += total / self.lengths[row]

    def plus(self, other: "_Tally") -> "_Tally":
        """Add what another process counted of its share of the same rollouts."""
        self.loss += other.loss
        self.entropy += other.entropy
        self.ratio += other.ratio
        self.ratio_min = min(self.ratio_min, other.ratio_min)
        self.ratio_max = max(self.ratio_max, other.ratio_max)
        for name, column in other.stats.items():
            own = self.stats.get(name, [0.0] * len(column))
            self.stats[name] = [a + b for a, b in zip(own, column, strict=True)]
        return self

    def result(self, grad_norm: float) -> Update:
        n = sum(self.lengths)
        return Update(
            loss=self.loss,
            grad_norm=grad_norm,
            n_tokens=n,
            entropy=self.entropy / n,
            ratio_mean=self.ratio / n,
            ratio_min=self.ratio_min,
            ratio_max=self.ratio_max,
            stats=self.stats,
        )
