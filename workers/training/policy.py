"""The trainable model: the log-probs it gives to answers, one update, its weights.

The probability of a token is the model's at the stage's sampling temperature, before any nucleus is cut out: the
sampler reports, and the trainer differentiates, the same quantity. Dropout stays off, so that both compute alike.
"""

import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from workers.spec import FolderModelSpec, TinyModelSpec
from workers.training.failures import BadSpecError, NotFiniteError
from workers.training.loss import averaging_weights, entropy, importance_ratios
from workers.training.optim import Optimizers
from workers.training.rollouts import Problem, Rollout

MICRO_BATCH_TOKENS = 1024  # padded tokens in one forward pass: bounds memory, and fits the cache of a CPU core


@dataclass(frozen=True)
class Batch:
    """Rollouts padded on the right; S positions of prompt and response, T of the response alone.

    `ids_BS` int64, `attention_BS` int64 (1 where real); `tokens_BT` int64, `mask_BT` bool (True where real),
    `sampler_logprobs_BT` float32 (0 where masked or unknown), `advantages_B` float32; `starts_B` int64 is the position
    whose logits predict the first response token.
    """

    rollouts: list[Rollout]
    ids_BS: Tensor
    attention_BS: Tensor
    starts_B: Tensor
    tokens_BT: Tensor
    mask_BT: Tensor
    sampler_logprobs_BT: Tensor
    advantages_B: Tensor


@dataclass(frozen=True)
class TokenLosses:
    """The loss of each token and what is worth recording of it: `stats` are (B, T) and without gradient."""

    losses_BT: Tensor
    stats: dict[str, Tensor] = field(default_factory=dict)


LossFunction = Callable[[Batch, Tensor], TokenLosses]  # (batch, logprobs_BTV) -> losses
SortKey = Callable[[Rollout], str]  # rollouts with different keys never share a micro-batch


@dataclass
class Update:
    """What one update did. `stats` hold, for each rollout in the order given, the mean over its tokens."""

    loss: float = 0.0
    grad_norm: float = 0.0
    n_tokens: int = 0
    entropy: float = 0.0
    ratio_mean: float = 1.0
    ratio_max: float = 1.0
    stats: dict[str, list[float]] = field(default_factory=dict)


class Policy:
    """A Hugging Face causal language model with its tokenizer, on the best device there is."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.model = model.to(self.device).eval()
        self.tokenizer = tokenizer
        self.max_positions: int = getattr(model.config, "max_position_embeddings", 2**31)
        self.pad_id: int = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id

    @property
    def stop_ids(self) -> list[int]:
        """List the tokens that end a response; the first is the tokenizer's own."""
        generation = getattr(self.model, "generation_config", None)
        more = getattr(generation, "eos_token_id", None)
        more = more if isinstance(more, list) else [more]
        return list(dict.fromkeys(i for i in (self.tokenizer.eos_token_id, *more) if i is not None))

    def prompt_ids(self, problem: Problem, max_response_tokens: int = 0) -> list[int]:
        """Frame a problem as a chat's first turn; raises BadSpecError if no room is left for the response."""
        message = [{"role": "user", "content": problem.prompt}]
        ids: list[int] = self.tokenizer.apply_chat_template(message, add_generation_prompt=True, return_dict=False)
        if len(ids) + max_response_tokens > self.max_positions:
            raise BadSpecError(
                f"a prompt of '{problem.domain}' has {len(ids)} tokens, which with {max_response_tokens} response tokens "
                f"is more than the model's {self.max_positions} positions; lower max_response_tokens"
            )
        return ids

    def response_ids(self, text: str) -> list[int]:
        """Encode a whole response, its end included."""
        return [*self.tokenizer.encode(text, add_special_tokens=False), self.tokenizer.eos_token_id]

    def text(self, token_ids: list[int]) -> str:
        """Decode a response without its special tokens."""
        decoded: str = self.tokenizer.decode(token_ids, skip_special_tokens=True)
        return decoded

    def batch(self, rollouts: list[Rollout]) -> Batch:
        """Pad rollouts to one batch."""
        n_response = max(len(r.token_ids) for r in rollouts)
        n_total = max(len(r.prompt_ids) + len(r.token_ids) for r in rollouts)

        def padded(rows: list[list[Any]], width: int, filler: float, dtype: torch.dtype) -> Tensor:
            return torch.tensor([row + [filler] * (width - len(row)) for row in rows], dtype=dtype, device=self.device)

        whole = [r.prompt_ids + r.token_ids for r in rollouts]
        return Batch(
            rollouts=rollouts,
            ids_BS=padded(whole, n_total, self.pad_id, torch.long),
            attention_BS=padded([[1] * len(row) for row in whole], n_total, 0, torch.long),
            starts_B=torch.tensor([len(r.prompt_ids) - 1 for r in rollouts], device=self.device),
            tokens_BT=padded([r.token_ids for r in rollouts], n_response, self.pad_id, torch.long),
            mask_BT=padded([[1] * len(r.token_ids) for r in rollouts], n_response, 0, torch.bool),
            sampler_logprobs_BT=padded([r.logprobs for r in rollouts], n_response, 0.0, torch.float32),
            advantages_B=torch.tensor([r.advantage for r in rollouts], dtype=torch.float32, device=self.device),
        )

    def logprobs(self, batch: Batch, temperature: float = 1.0) -> Tensor:
        """Give the log-probs of every possible token at every response position: (B, T, V) float32."""
        # Speed: positions before the first response token of any row need no logits.
        first = int(batch.starts_B.min())
        logits_BSV = self.model(
            input_ids=batch.ids_BS,
            attention_mask=batch.attention_BS,
            use_cache=False,
            logits_to_keep=batch.ids_BS.shape[1] - first,
        ).logits
        n_rows, n_response = batch.tokens_BT.shape
        positions_BT = (batch.starts_B - first)[:, None] + torch.arange(n_response, device=self.device)
        positions_BT = positions_BT.clamp(max=logits_BSV.shape[1] - 1)  # only masked tokens lie beyond
        logits_BTV = logits_BSV[torch.arange(n_rows, device=self.device)[:, None], positions_BT]
        return torch.log_softmax(logits_BTV.float() / temperature, dim=-1)

    def update(
        self,
        rollouts: list[Rollout],
        optimizers: Optimizers,
        loss_function: LossFunction,
        *,
        step: int,
        average: Any,
        temperature: float = 1.0,
        sort_key: SortKey = lambda rollout: "",
    ) -> Update:
        """Take one optimiser step on all rollouts together; none at all if there are no rollouts.

        Raises NotFiniteError before a weight is touched.
        """
        if not rollouts:
            return Update()
        lengths_B = torch.tensor([len(r.token_ids) for r in rollouts], device=self.device)
        weights_B = averaging_weights(lengths_B, average)
        tally = _Tally(rollouts)
        for rows in micro_batches(rollouts, sort_key):
            batch = self.batch([rollouts[row] for row in rows])
            logprobs_BTV = self.logprobs(batch, temperature)
            token = loss_function(batch, logprobs_BTV)
            weights_BT = weights_B[rows][:, None] * batch.mask_BT
            loss = (torch.where(batch.mask_BT, token.losses_BT, 0.0) * weights_BT).sum()
            loss.backward()  # type: ignore[no-untyped-call]
            tally.add(rows, batch, logprobs_BTV.detach(), token.stats, loss.item())
        grad_norm = optimizers.clip_gradients()
        if not (math.isfinite(tally.loss) and math.isfinite(grad_norm)):
            raise NotFiniteError(step, tally.loss, grad_norm)
        optimizers.step(step)
        optimizers.clear_gradients()
        return tally.result(grad_norm)


def sampled(values_BTV: Tensor, batch: Batch) -> Tensor:
    """Pick the values of the tokens that were sampled: (B, T, V) -> (B, T)."""
    return values_BTV.gather(-1, batch.tokens_BT[..., None]).squeeze(-1)


def micro_batches(rollouts: list[Rollout], sort_key: SortKey) -> Iterator[list[int]]:
    """Split the rows of rollouts into micro-batches of one key each."""
    sizes = [len(r.prompt_ids) + len(r.token_ids) for r in rollouts]
    return similar_lengths(sizes, [sort_key(rollout) for rollout in rollouts])


def similar_lengths(sizes: list[int], keys: list[str]) -> Iterator[list[int]]:
    """Group rows of one key and of similar length, at most MICRO_BATCH_TOKENS a group, so that little is padding."""
    group: list[int] = []
    for row in sorted(range(len(sizes)), key=lambda row: (keys[row], sizes[row], row)):
        is_full = sizes[row] * (len(group) + 1) > MICRO_BATCH_TOKENS
        if group and (is_full or keys[row] != keys[group[0]]):
            yield group
            group = []
        group.append(row)
    yield group


def load_policy(folder: Path) -> Policy:
    """Read a model and its tokenizer from a folder in Hugging Face layout; nothing is downloaded, no code of it is run."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    # float32: on a CPU bfloat16 is no faster, and an optimiser's small steps would be lost in it
    model = AutoModelForCausalLM.from_pretrained(
        folder, local_files_only=True, trust_remote_code=False, use_safetensors=True, dtype=torch.float32
    )
    for parameter in model.parameters():
        # Out of the mapped file into aligned memory of our own: matrix products are faster there, their last bits do not
        # depend on where the file put a tensor, and a file that is cut short later cannot kill us.
        parameter.data = parameter.data.clone()
    return Policy(model, AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False))


def set_up_torch() -> None:
    """Use the threads that this process may use, and on a CPU only algorithms that repeat to the bit; print no bars."""
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    torch.set_num_threads(int(os.environ.get("CASCADE_THREADS", "1")))
    if not torch.cuda.is_available():
        torch.use_deterministic_algorithms(True)


def build_policy(spec: TinyModelSpec | FolderModelSpec, seed: int) -> Policy:
    """Build the tiny model from its seed; a folder model has a folder to start from instead."""
    from workers.training.tiny_model import build_model, build_tokenizer

    if not isinstance(spec, TinyModelSpec):
        raise BadSpecError(
            "found no start_folder for a model that is read from a folder; set start_folder to that folder"
        )
    tokenizer = build_tokenizer()
    return Policy(build_model(spec, tokenizer, seed), tokenizer)


class _Tally:
    """Sums over the micro-batches of one update."""

    def __init__(self, rollouts: list[Rollout]) -> None:
        self.loss = 0.0
        self.n_tokens = 0
        self.entropy = 0.0
        self.ratio = 0.0
        self.ratio_max = 0.0
        self.n_rollouts = len(rollouts)
        self.stats: dict[str, list[float]] = {}

    def add(self, rows: list[int], batch: Batch, logprobs_BTV: Tensor, stats: dict[str, Tensor], loss: float) -> None:
        mask_BT = batch.mask_BT
        lengths_B = mask_BT.sum(dim=1)
        self.loss += loss
        self.n_tokens += int(lengths_B.sum())
        self.entropy += float((entropy(logprobs_BTV) * mask_BT).sum())
        ratios_BT = importance_ratios(sampled(logprobs_BTV, batch), batch.sampler_logprobs_BT) * mask_BT
        self.ratio += float(ratios_BT.sum())
        self.ratio_max = max(self.ratio_max, float(ratios_BT.max()))
        for name, values_BT in stats.items():
            means_B = torch.where(mask_BT, values_BT, 0.0).sum(dim=1) / lengths_B
            column = self.stats.setdefault(name, [0.0] * self.n_rollouts)
            for row, mean in zip(rows, means_B.tolist(), strict=True):
                column[row] = mean

    def result(self, grad_norm: float) -> Update:
        n = self.n_tokens
        return Update(self.loss, grad_norm, n, self.entropy / n, self.ratio / n, self.ratio_max, self.stats)
