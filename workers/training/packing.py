"""Rollouts of one forward pass in one row, without padding: the prompt of a group is computed once.

A group is a trunk, its prompt, and a branch for each of its rollouts. The tokens of a branch see the trunk and what
comes before them in their own branch; their positions go on from the prompt's last. So every token gets the very
hidden state, and every weight the very gradient, that it would get if each rollout were computed alone:

    row          p0 p1 p2 | a0 a1 a2 | b0 b1 | q0 q1 | c0 ...
    position      0  1  2    3  4  5    3  4    0  1    2
    sees           p p p   p+a         p+b      q q    q+c

The last token of a rollout predicts nothing that counts, so it is left out. A group of one is a trunk alone.
All layers but attention work on the row as it is; attention pads what it compares: trunks among trunks, and each branch
with its trunk. This holds for models whose layers mix tokens by full attention only (`can_pack`).
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from workers.training.rollouts import Rollout

ATTENTION = "shared_prefix"  # the name under which transformers finds `attention`


@dataclass(frozen=True)
class Branches:
    """R branches in the row, padded on the right to T tokens; each sees the first W tokens of a trunk.

    `runs` has the branches of each trunk, which are neighbours. `sees_RTK` bool tells which of K = W + T keys (those of the
    trunk, then its own) each token sees.
    """

    shape: tuple[int, int]  # R, T
    runs: list[tuple[int, slice]]
    sees_RTK: Tensor
    width: int


@dataclass(frozen=True)
class Layout:
    """Where attention finds the row's tokens: slot after slot those of Q trunks, padded to S tokens, then of branches.

    `slots_L` int64 index the row, 0 in the `padding` slots; `origins_M` int64 lead from the row back to the slots.
    """

    n_trunks: int
    trunk_width: int
    branches: Branches | None
    slots_L: Tensor
    padding: Tensor
    origins_M: Tensor

    def to_slots(self, values_1HMD: Tensor) -> tuple[Tensor, Tensor]:
        """Take the row's tokens to their slots: the trunks' (Q, S, heads, features), the branches' (R, T, heads, features)."""
        slots: tuple[Tensor, Tensor] = _ToSlots.apply(values_1HMD[0].transpose(0, 1), self)  # type: ignore[no-untyped-call]
        return slots

    def attend(self, module: nn.Module, query: Tensor, key: Tensor, value: Tensor, scale: float | None) -> Tensor:
        """Attend among trunks, and from each branch to its trunk and itself."""
        (q_QSHD, q_RTHD), keys, values = (self.to_slots(x) for x in (query, key, value))
        # Padding is on the right, so no real token of a trunk sees it, and causal attention needs no mask.
        found = [_attend(q_QSHD, keys[0], values[0], scale=scale, is_causal=True)]
        if (branches := self.branches) is not None:
            k_RKHD, v_RKHD = (_AfterTrunks.apply(*both, branches) for both in (keys, values))  # type: ignore[no-untyped-call]
            found.append(_attend(q_RTHD, k_RKHD, v_RKHD, scale=scale, mask=branches.sees_RTK[:, None]))
        together_LHD = torch.cat([part.flatten(0, 1) for part in found])
        row_MHD: Tensor = _FromSlots.apply(together_LHD, self)  # type: ignore[no-untyped-call]
        return row_MHD[None]


@dataclass(frozen=True)
class Pack:
    """Rollouts laid out in one row of M tokens; they have N response tokens, one rollout after the other.

    `ids_M`, `positions_M` int64; `predictors_N` int64 is the place in the row whose logits predict each response token.
    """

    rollouts: list[Rollout]
    ids_M: Tensor
    positions_M: Tensor
    layout: Layout
    predictors_N: Tensor
    tokens: "Tokens"


@dataclass(frozen=True)
class Tokens:
    """What is known of N response tokens, one rollout after the other.

    `ids_N` int64; `rows_N` int64 numbers their rollout in the pack; `sampler_logprobs_N` float32, 0 where unknown;
    `advantages_N` float32 is the rollout's; `old_logprobs_N` float32 is the trainer's before the batch's first update,
    and none where this is the first.
    """

    ids_N: Tensor
    rows_N: Tensor
    sampler_logprobs_N: Tensor
    advantages_N: Tensor
    old_logprobs_N: Tensor | None = None

    def chunks(self, size: int) -> Iterator[tuple[slice, "Tokens"]]:
        """Cut into parts of at most `size` tokens."""
        for first in range(0, len(self.ids_N), size):
            part = slice(first, first + size)
            yield (
                part,
                Tokens(
                    self.ids_N[part],
                    self.rows_N[part],
                    self.sampler_logprobs_N[part],
                    self.advantages_N[part],
                    None if self.old_logprobs_N is None else self.old_logprobs_N[part],
                ),
            )


def pack_rollouts(rollouts: list[Rollout], device: torch.device) -> Pack:
    """Lay rollouts out in one row; neighbours that answer the same prompt share it."""
    row = _Row()
    for _, members in groupby(rollouts, key=lambda r: (r.group, r.prompt_ids)):
        group = list(members)
        row.add_group(group[0].prompt_ids, [rollout.token_ids[:-1] for rollout in group])

    def tensor(values: list[Any], dtype: torch.dtype = torch.long) -> Tensor:
        return torch.tensor(values, dtype=dtype, device=device)

    old = [value for r in rollouts for value in r.old_logprobs or ()]
    tokens = Tokens(
        ids_N=tensor([token for r in rollouts for token in r.token_ids]),
        rows_N=tensor([number for number, r in enumerate(rollouts) for _ in r.token_ids]),
        sampler_logprobs_N=tensor([value for r in rollouts for value in r.logprobs], torch.float32),
        advantages_N=tensor([r.advantage for r in rollouts for _ in r.token_ids], torch.float32),
        old_logprobs_N=tensor(old, torch.float32) if old else None,
    )
    return Pack(rollouts, tensor(row.ids), tensor(row.positions), row.layout(device), tensor(row.predictors), tokens)


Group = tuple[list[int], list[list[int]]]  # a prompt, and the responses to it; an empty one is the prompt alone


@dataclass(frozen=True)
class TextRow:
    """Texts laid out in one row of M tokens, a group's prompt once; `lasts_R` int64 is the place of each response's last token."""

    ids_M: Tensor
    positions_M: Tensor
    lasts_R: Tensor
    layout: Layout


def lay_out(groups: list[Group], device: torch.device) -> TextRow:
    """Lay groups out in one row, one after the other."""
    row = _Row()
    for prompt, responses in groups:
        row.add_group(prompt, responses)
    ids_M, positions_M, lasts_R = (torch.tensor(v, device=device) for v in (row.ids, row.positions, row.lasts))
    return TextRow(ids_M, positions_M, lasts_R, row.layout(device))


def packed_size(members: list[Rollout]) -> int:
    """Count the tokens that rollouts of one prompt take in a row."""
    return len(members[0].prompt_ids) + sum(len(rollout.token_ids) - 1 for rollout in members)


def can_pack(model: PreTrainedModel) -> bool:
    """Tell whether a model's layers mix tokens by full attention only, through transformers' attention interface."""
    config = model.config
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    has_window = getattr(config, "sliding_window", None) and getattr(config, "use_sliding_window", True)
    is_causal_attention = bool(getattr(model, "_supports_attention_backend", False))
    return is_causal_attention and kinds == {"full_attention"} and not has_window


class SeesLayout(Protocol):
    """What tells the model's attention where tokens are: passed to the model as `layout`."""

    def attend(self, module: nn.Module, query: Tensor, key: Tensor, value: Tensor, scale: float | None) -> Tensor:
        """Attend in one layer: from (B, heads, T, features) to (B, T, heads, features)."""
        ...


def attention(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **options: Any
) -> tuple[Tensor, None]:
    """Attend as the layout says; without one, as transformers does."""
    layout: SeesLayout | None = options.pop("layout", None)
    if layout is None:
        plain: tuple[Tensor, None] = sdpa_attention_forward(module, query, key, value, attention_mask, **options)
        return plain
    return layout.attend(module, query, key, value, options.get("scaling")), None


AttentionInterface.register(ATTENTION, attention)
AttentionMaskInterface.register(ATTENTION, sdpa_mask)


class _ToSlots(torch.autograd.Function):
    """Take a row's tokens to their slots. Each has one, so the gradient is taken back, where torch would scatter it."""

    @staticmethod
    def forward(ctx: Any, values_MHD: Tensor, layout: Layout) -> tuple[Tensor, Tensor]:
        ctx.layout = layout
        values_LHD = values_MHD.index_select(0, layout.slots_L)
        n_slots = layout.n_trunks * layout.trunk_width
        of_branches = layout.branches.shape if layout.branches else (0, 1)
        return (
            values_LHD[:n_slots].view(layout.n_trunks, layout.trunk_width, *values_LHD.shape[1:]),
            values_LHD[n_slots:].view(*of_branches, *values_LHD.shape[1:]),
        )

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        grad_LHD = torch.cat([grad.flatten(0, 1) for grad in grads])
        return grad_LHD.index_select(0, ctx.layout.origins_M), None


class _FromSlots(torch.autograd.Function):
    """Take tokens from their slots back to the row."""

    @staticmethod
    def forward(ctx: Any, values_LHD: Tensor, layout: Layout) -> Tensor:
        ctx.layout = layout
        return values_LHD.index_select(0, layout.origins_M)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        grad_LHD = grads[0].index_select(0, ctx.layout.slots_L)
        return grad_LHD.index_fill_(0, ctx.layout.padding, 0.0), None


class _AfterTrunks(torch.autograd.Function):
    """Put what each branch has after what its trunk has. Both are written in place, and gradients added up a trunk at a time."""

    @staticmethod
    def forward(ctx: Any, trunks_QSHD: Tensor, own_RTHD: Tensor, branches: Branches) -> Tensor:
        ctx.branches, ctx.of_trunks = branches, trunks_QSHD.shape
        n, width = len(own_RTHD), branches.width
        whole_RKHD = own_RTHD.new_empty(n, width + own_RTHD.shape[1], *own_RTHD.shape[2:])
        whole_RKHD[:, width:] = own_RTHD
        for trunk, of_trunk in branches.runs:
            whole_RKHD[of_trunk, :width] = trunks_QSHD[trunk, :width]
        return whole_RKHD

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None]:
        width = ctx.branches.width
        of_trunks = grads[0].new_zeros(ctx.of_trunks)
        for trunk, of_trunk in ctx.branches.runs:
            torch.sum(grads[0][of_trunk, :width], 0, out=of_trunks[trunk, :width])
        return of_trunks, grads[0][:, width:], None


class _Row:
    """A row while it is being filled."""

    def __init__(self) -> None:
        self.ids: list[int] = []
        self.positions: list[int] = []
        self.predictors: list[int] = []
        self.lasts: list[int] = []
        self.trunks: list[range] = []
        self.branches: list[tuple[range, int, int]] = []  # places, trunk, tokens of the trunk that it sees

    def add_group(self, prompt: list[int], responses: list[list[int]]) -> None:
        """Append a prompt and its responses; where they are trained, each without its last token, which predicts nothing."""
        alone = responses[0] if len(responses) == 1 else []
        trunk = self._append([*prompt, *alone], first_position=0)
        self.trunks.append(trunk)
        last = trunk[len(prompt) - 1]
        for fed in responses:
            if alone:
                places = trunk[len(prompt) :]
            else:
                places = self._append(fed, first_position=len(prompt))
                if fed:
                    self.branches.append((places, len(self.trunks) - 1, len(prompt)))
            self.predictors += [last, *places]
            self.lasts.append(self.predictors[-1])

    def layout(self, device: torch.device) -> Layout:
        """Index the row for attention."""
        trunks = _padded([list(places) for places in self.trunks])
        padded = [trunks]
        if self.branches:
            padded.append(_padded([list(places) for places, _, _ in self.branches]))
        slots_L = torch.cat([places.flatten() for places, _ in padded])
        is_real_L = torch.cat(
            [(torch.arange(places.shape[1]) < lengths[:, None]).flatten() for places, lengths in padded]
        )
        origins_M = torch.empty(len(self.ids), dtype=torch.long)
        origins_M[slots_L[is_real_L]] = is_real_L.nonzero().squeeze(1)
        return Layout(
            n_trunks=len(trunks[0]),
            trunk_width=trunks[0].shape[1],
            branches=self._branches(*padded[1], device=device) if self.branches else None,
            slots_L=slots_L.to(device),
            padding=(~is_real_L).nonzero().squeeze(1).to(device),
            origins_M=origins_M.to(device),
        )

    def _append(self, ids: list[int], *, first_position: int) -> range:
        places = range(len(self.ids), len(self.ids) + len(ids))
        self.ids += ids
        self.positions += range(first_position, first_position + len(ids))
        return places

    def _branches(self, places_RT: Tensor, lengths_R: Tensor, *, device: torch.device) -> Branches:
        seen_R = torch.tensor([n_seen for _, _, n_seen in self.branches])
        width, n_tokens = int(seen_R.max()), places_RT.shape[1]
        of_trunk_RW = torch.arange(width) < seen_R[:, None]
        of_own_TT = torch.ones(n_tokens, n_tokens, dtype=torch.bool).tril()
        sees_RTK = torch.cat(
            [of_trunk_RW[:, None].expand(-1, n_tokens, -1), of_own_TT.expand(len(seen_R), -1, -1)], dim=2
        )
        return Branches((len(seen_R), n_tokens), self._runs(), sees_RTK.to(device), width)

    def _runs(self) -> list[tuple[int, slice]]:
        """Name each trunk that has branches, and which they are."""
        trunks = [trunk for _, trunk, _ in self.branches]
        return [
            (trunk, slice(bisect_left(trunks, trunk), bisect_right(trunks, trunk))) for trunk in dict.fromkeys(trunks)
        ]


def _padded(rows: list[list[int]]) -> tuple[Tensor, Tensor]:
    """Pad lists of places on the right; returns them and their lengths."""
    width = max(len(row) for row in rows)
    return (
        torch.tensor([row + [0] * (width - len(row)) for row in rows]),
        torch.tensor([len(row) for row in rows]),
    )


def _attend(
    q_QSHD: Tensor,
    k_QKHD: Tensor,
    v_QKHD: Tensor,
    *,
    scale: float | None,
    mask: Tensor | None = None,
    is_causal: bool = False,
) -> Tensor:
    """Compare queries with keys of the same row; query heads may share key heads. Returns (rows, queries, heads, features)."""
    q, k, v = (tensor.transpose(1, 2) for tensor in (q_QSHD, k_QKHD, v_QKHD))
    is_grouped = q.shape[1] != k.shape[1]
    out = scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=is_causal, scale=scale, enable_gqa=is_grouped)
    return out.transpose(1, 2)
