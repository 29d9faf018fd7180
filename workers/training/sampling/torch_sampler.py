"""Sampling with the trainer's own model in plain torch; works for any Hugging Face causal language model.

1. Each prompt is run once: a group shares the work on it.
2. Each step chooses a token for every row, and runs it to find out about the next one.
3. Finished rows leave the batch.

What rows remember of their past is kept per group where the model allows it (shared_cache.py), else as transformers keeps
it (plain_cache.py). It has no paged or continuous batching: rows are admitted together, so a wave is as long as its
longest answer.
"""

import torch
from torch import Tensor

from workers.training.policy import Policy, at_temperature
from workers.training.sampling.engine import Answer, Decoding
from workers.training.sampling.plain_cache import PlainCache
from workers.training.sampling.shared_cache import SharedCache
from workers.training.sampling.waves import groups_at_once

DRAWN_AT_ONCE = 32  # random numbers of a row


class TorchSampler:
    """An engine that shares the weights of the policy it is given."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy

    def load_weights(self, policy: Policy) -> None:
        """Nothing is copied: these are the trainer's own tensors."""
        self.policy = policy

    @torch.inference_mode()
    def sample(self, prompts: list[list[int]], n_per_prompt: int, decoding: Decoding, seeds: list[int]) -> list[Answer]:
        """Sample n answers to each prompt, in waves of as many groups as the memory has room for."""
        longest = max(len(prompt) for prompt in prompts)
        per_wave = groups_at_once(self.policy, longest, decoding.max_response_tokens, n_per_prompt)
        answers: list[Answer] = []
        for first in range(0, len(prompts), per_wave):
            some = slice(first, first + per_wave)
            answers += self._sample_wave(prompts[some], n_per_prompt, decoding, seeds[some])
        return answers

    def _sample_wave(
        self, prompts: list[list[int]], n_per_prompt: int, decoding: Decoding, seeds: list[int]
    ) -> list[Answer]:
        """Axes: R rows still being sampled, V vocabulary."""
        cache = (SharedCache if self.policy.can_pack else PlainCache)(self.policy, prompts, n_per_prompt)
        device, n_rows, limit = self.policy.device, len(prompts) * n_per_prompt, decoding.max_response_tokens
        stop_ids = torch.tensor(self.policy.stop_ids, device=device)
        rows_R = torch.arange(n_rows, device=device)
        tokens = torch.zeros(n_rows, limit, dtype=torch.long, device=device)
        logprobs = torch.zeros(n_rows, limit, device=device)
        lengths = torch.full((n_rows,), limit, device=device)
        is_cut = torch.ones(n_rows, dtype=torch.bool, device=device)
        draws = _Draws(seeds, n_per_prompt, device)
        logits_RV = cache.first()
        for t in range(limit):
            token_R, logprobs[rows_R, t] = choose_tokens(logits_RV, decoding, draws.at(t)[rows_R])
            tokens[rows_R, t] = token_R
            is_done_R = torch.isin(token_R, stop_ids)
            lengths[rows_R[is_done_R]], is_cut[rows_R[is_done_R]] = t + 1, False
            if t + 1 == limit or bool(is_done_R.all()):
                break
            if bool(is_done_R.any()):
                left_R = cache.drop(is_done_R)
                rows_R, token_R = rows_R[left_R], token_R[left_R]
            logits_RV = cache.following(token_R)
        return _answers(tokens, logprobs, lengths, is_cut)


class _Draws:
    """Uniform numbers, one for each token of N rows: those of a prompt from a generator of its own.

    So they depend neither on what is sampled beside it nor on which rows have ended.
    """

    def __init__(self, seeds: list[int], n_per_prompt: int, device: torch.device) -> None:
        self.generators = [torch.Generator().manual_seed(seed) for seed in seeds]  # on the CPU, see seeds.py
        self.n_per_prompt, self.device = n_per_prompt, device
        self.drawn_NT = torch.empty(0)

    def at(self, t: int) -> Tensor:
        """Give the numbers of every row's token t, (N,) float64; asked for in rising order."""
        if t % DRAWN_AT_ONCE == 0:
            shape = (self.n_per_prompt, DRAWN_AT_ONCE)
            drawn = [torch.rand(shape, dtype=torch.float64, generator=generator) for generator in self.generators]
            self.drawn_NT = torch.cat(drawn).to(self.device)
        return self.drawn_NT[:, t % DRAWN_AT_ONCE]


def choose_tokens(logits_RV: Tensor, decoding: Decoding, uniform_R: Tensor) -> tuple[Tensor, Tensor]:
    """Choose each row's next token by its number of 0 to 1, float64.

    Returns the tokens (R,) int64 and their log-probs (R,) float32, as `Answer` defines.
    """
    temperature = decoding.temperature if decoding.temperature > 0 else 1.0
    logprobs_RV = at_temperature(logits_RV.float(), temperature)
    if decoding.temperature == 0:
        token_R = logprobs_RV.argmax(dim=-1)
    else:
        probs_RV = nucleus(logprobs_RV.exp(), decoding.top_p)
        # One uniform number a row, found in the cumulated probabilities: far cheaper than noise for each token.
        # float64 keeps the last tokens of a large vocabulary reachable.
        cumulated_RV = probs_RV.double().cumsum(dim=-1)
        token_R = torch.searchsorted(cumulated_RV, uniform_R[:, None] * cumulated_RV[:, -1:], right=True).squeeze(1)
    return token_R, logprobs_RV.gather(1, token_R[:, None]).squeeze(1)


def nucleus(probs_RV: Tensor, top_p: float) -> Tensor:
    """Keep the smallest set of most likely tokens that reaches top_p, and zero the others; not renormalised."""
    if top_p >= 1:
        return probs_RV
    sorted_RV, order_RV = probs_RV.sort(dim=-1, descending=True)
    is_kept_RV = sorted_RV.cumsum(dim=-1) - sorted_RV < top_p
    return torch.zeros_like(probs_RV).scatter(-1, order_RV, sorted_RV * is_kept_RV)


def _answers(tokens: Tensor, logprobs: Tensor, lengths: Tensor, is_cut: Tensor) -> list[Answer]:
    rows = zip(tokens.tolist(), logprobs.tolist(), lengths.tolist(), is_cut.tolist(), strict=True)
    return [Answer(ids[:length], logs[:length], cut) for ids, logs, length, cut in rows]
