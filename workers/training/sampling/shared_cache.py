"""Keys and values while sampling: a prompt's once for its whole group, a response's in a row of its own.

1. The prompts run once, packed without padding; what their tokens leave for attention is kept per group.
2. Each step runs one token of every row. Attention compares the queries of a group with their prompt in one product, and
   each query with its own row; the two are brought together in the softmax.
3. A finished row leaves at once: the last row takes its place, so what is kept stays in one piece and little is copied.

Space for responses doubles as they grow. It serves the models that rollouts can be packed for (`can_pack`).
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from workers.footprint import FIRST_SLOTS
from workers.training.packing import Layout, lay_out
from workers.training.policy import Policy

PREFILL_TOKENS = 2048  # of prompts in one pass: bounds memory, and fits the cache of a CPU core


@dataclass
class _Layer:
    """What one layer keeps: of P prompts (P, heads, S, features), of R responses (R, heads, slots, features)."""

    prompt_keys: Tensor
    prompt_values: Tensor
    keys: Tensor
    values: Tensor


@dataclass(frozen=True)
class _Groups:
    """Which rows belong together where groups have lost members: `rows_PG` int64, padded; `origins_R` lead back."""

    rows_PG: Tensor
    origins_R: Tensor


class SharedCache:
    """The rows being sampled, n for each prompt, and all that attention needs of their past.

    Axes: P prompts with rows left, G rows of a prompt, R rows left, H key heads, Q queries for each of them, S prompt
    tokens, T response tokens, D features.
    """

    def __init__(self, policy: Policy, prompts: list[list[int]], n_per_prompt: int) -> None:
        self.policy, self.prompts, self.n_per_prompt = policy, prompts, n_per_prompt
        self.layers: dict[nn.Module, _Layer] = {}
        self.n_tokens = 0  # of each response so far
        lengths_P = torch.tensor([len(ids) for ids in prompts], device=policy.device)
        self.width = int(lengths_P.max())
        self.is_padded = bool(lengths_P.min() < self.width)
        self.is_padding_PS = torch.arange(self.width, device=policy.device) >= lengths_P[:, None]
        self.groups_R = torch.arange(len(prompts), device=policy.device).repeat_interleave(n_per_prompt)
        self.positions_R = lengths_P[self.groups_R]
        self.groups: _Groups | None = None  # none as long as all are whole: then rows lie in their order

    def first(self) -> Tensor:
        """Run the prompts; returns the logits of each row's first token, (R, V)."""
        found = []
        for first, part in _parts(self.prompts):
            row = lay_out([(prompt, [[]]) for prompt in part], self.policy.device)
            layout = _Prefill(self, row.layout, first)
            hidden_MD = self.policy.run(row.ids_M[None], row.positions_M[None], layout)[0]
            found.append(self.policy.logits(hidden_MD[row.lasts_R]))
        return torch.cat(found).repeat_interleave(self.n_per_prompt, dim=0)

    def following(self, token_R: Tensor) -> Tensor:
        """Run one more token of each row; returns the logits of the next, (R, V)."""
        hidden_R1D = self.policy.run(token_R[:, None], self.positions_R[:, None], self)
        self.n_tokens += 1
        self.positions_R = self.positions_R + 1
        return self.policy.logits(hidden_R1D[:, 0])

    def drop(self, is_done_R: Tensor) -> Tensor:
        """Let rows go; returns which rows are left (R,), in the order they have from now on."""
        order_R = _order_without(is_done_R)
        for layer in self.layers.values():
            for kept in (layer.keys, layer.values):
                _fill(kept[:, :, : self.n_tokens], order_R)
        self.groups_R, self.positions_R = self.groups_R[order_R], self.positions_R[order_R]
        self._drop_prompts()
        self.groups = self._regroup()
        return order_R

    def attend(self, module: nn.Module, query: Tensor, key: Tensor, value: Tensor, scale: float | None) -> Tensor:
        """Attend from one new token of each row to its prompt and its past: (R, heads, 1, D) to (R, 1, heads, D)."""
        n_rows, n_heads, _, size = key.shape
        layer = self._with_space(module, key)
        layer.keys[:n_rows, :, self.n_tokens] = key[:, :, 0]
        layer.values[:n_rows, :, self.n_tokens] = value[:, :, 0]
        past = slice(0, self.n_tokens + 1)
        q_RHQD = query.reshape(n_rows, n_heads, -1, size) * (size**-0.5 if scale is None else scale)
        own_RHQT = torch.matmul(q_RHQD, layer.keys[:n_rows, :, past].transpose(2, 3))
        prompt_PHGQS = self._compare(self._by_group(q_RHQD), layer.prompt_keys)
        scores = torch.cat([prompt_PHGQS, self._by_group(own_RHQT)], dim=-1)
        weights = torch.softmax(scores, dim=-1, dtype=torch.float32).to(query.dtype)
        of_prompt, of_own = weights[..., : self.width], weights[..., self.width :]
        found_PHGQD = torch.matmul(of_prompt.flatten(2, 3), layer.prompt_values).view(*of_prompt.shape[:-1], size)
        found_RHQD = torch.matmul(self._by_row(of_own), layer.values[:n_rows, :, past])
        return (found_RHQD + self._by_row(found_PHGQD)).view(n_rows, 1, -1, size)

    def keep_prompts(self, module: nn.Module, first: int, keys_PSHD: Tensor, values_PSHD: Tensor) -> None:
        """Take over what some of the prompts leave in one layer."""
        n, width, n_heads, size = keys_PSHD.shape
        if module not in self.layers:
            of_prompts = keys_PSHD.new_zeros(2, len(self.prompts), n_heads, self.width, size)
            of_rows = keys_PSHD.new_zeros(2, len(self.groups_R), n_heads, 0, size)
            self.layers[module] = _Layer(*of_prompts, *of_rows)
        layer = self.layers[module]
        layer.prompt_keys[first : first + n, :, :width] = keys_PSHD.transpose(1, 2)
        layer.prompt_values[first : first + n, :, :width] = values_PSHD.transpose(1, 2)

    def _compare(self, q_PHGQD: Tensor, keys_PHSD: Tensor) -> Tensor:
        scores_PHLS = torch.matmul(q_PHGQD.flatten(2, 3), keys_PHSD.transpose(2, 3))
        if self.is_padded:
            scores_PHLS.masked_fill_(self.is_padding_PS[:, None, None], -torch.inf)
        return scores_PHLS.view(*q_PHGQD.shape[:-1], self.width)

    def _by_group(self, values_RHQX: Tensor) -> Tensor:
        """Bring rows of a group together: (P, H, G, Q, X)."""
        if self.groups is None:
            return values_RHQX.view(-1, self.n_per_prompt, *values_RHQX.shape[1:]).transpose(1, 2)
        taken = values_RHQX.index_select(0, self.groups.rows_PG.flatten())
        return taken.view(*self.groups.rows_PG.shape, *taken.shape[1:]).transpose(1, 2)

    def _by_row(self, values_PHGQX: Tensor) -> Tensor:
        """Undo `_by_group`: (R, H, Q, X)."""
        flat = values_PHGQX.transpose(1, 2).flatten(0, 1)
        return flat if self.groups is None else flat.index_select(0, self.groups.origins_R)

    def _with_space(self, module: nn.Module, key: Tensor) -> _Layer:
        """Find the layer, with space for one more token of each row."""
        layer = self.layers[module]
        if self.n_tokens == layer.keys.shape[2]:
            n_rows, n_heads, _, size = key.shape
            n_slots = max(FIRST_SLOTS, 2 * self.n_tokens)
            for name in ("keys", "values"):
                larger = key.new_zeros(n_rows, n_heads, n_slots, size)
                larger[:, :, : self.n_tokens] = getattr(layer, name)[:n_rows]
                setattr(layer, name, larger)
        return layer

    def _drop_prompts(self) -> None:
        """Let prompts go that have no rows left."""
        n_rows_P = torch.bincount(self.groups_R, minlength=len(self.is_padding_PS))
        order_P = _order_without(n_rows_P == 0)
        if len(order_P) == len(n_rows_P):
            return
        for layer in self.layers.values():
            layer.prompt_keys = _fill(layer.prompt_keys, order_P)
            layer.prompt_values = _fill(layer.prompt_values, order_P)
        self.is_padding_PS = self.is_padding_PS[order_P]
        new_numbers_P = torch.zeros_like(n_rows_P)
        new_numbers_P[order_P] = torch.arange(len(order_P), device=order_P.device)
        self.groups_R = new_numbers_P[self.groups_R]

    def _regroup(self) -> _Groups:
        n_rows_P = torch.bincount(self.groups_R, minlength=len(self.is_padding_PS))
        largest = int(n_rows_P.max())
        rows_R = torch.argsort(self.groups_R, stable=True)  # group after group
        groups_R = self.groups_R[rows_R]
        places_R = torch.arange(len(rows_R), device=rows_R.device) - (n_rows_P.cumsum(0) - n_rows_P)[groups_R]
        rows_PG = rows_R.new_zeros(len(n_rows_P), largest)
        rows_PG[groups_R, places_R] = rows_R
        origins_R = torch.empty_like(rows_R)
        origins_R[rows_R] = groups_R * largest + places_R
        return _Groups(rows_PG, origins_R)


@dataclass(frozen=True)
class _Prefill:
    """A layout that also keeps what its prompts, from number `first` on, leave."""

    cache: SharedCache
    layout: Layout
    first: int

    def attend(self, module: nn.Module, query: Tensor, key: Tensor, value: Tensor, scale: float | None) -> Tensor:
        keys_PSHD, values_PSHD = (self.layout.to_slots(x)[0] for x in (key, value))
        self.cache.keep_prompts(module, self.first, keys_PSHD, values_PSHD)
        return self.layout.attend(module, query, key, value, scale)


def _parts(prompts: list[list[int]]) -> list[tuple[int, list[list[int]]]]:
    """Cut prompts into parts of about PREFILL_TOKENS tokens, each with the number of its first."""
    parts: list[tuple[int, list[list[int]]]] = []
    size = PREFILL_TOKENS
    for number, ids in enumerate(prompts):
        if size + len(ids) > PREFILL_TOKENS:
            parts.append((number, []))
            size = 0
        parts[-1][1].append(ids)
        size += len(ids)
    return parts


def _order_without(is_done: Tensor) -> Tensor:
    """Order what is left: as before, but what was last takes the places of what is done."""
    left = (~is_done).nonzero().squeeze(1)
    order = torch.arange(len(left), device=left.device)
    order[is_done[: len(left)]] = left[left >= len(left)]
    return order


def _fill(kept: Tensor, order: Tensor) -> Tensor:
    """Bring rows of what is kept into an order made by `_order_without`, in place; returns those left."""
    moved = (order != torch.arange(len(order), device=order.device)).nonzero().squeeze(1)
    kept[moved] = kept[order[moved]]
    return kept[: len(order)]
