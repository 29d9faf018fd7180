"""Sampling with the trainer's own model in plain torch; works for any Hugging Face causal language model.

1. All but the last token of each prompt is run once, padded on the right, into a key-value cache.
2. The cache is expanded to the group's size: a group shares the work on its prompt.
3. Each step runs one token of every row, at the row's own position; the first one is the prompt's last token.
4. Finished rows leave the batch and the cache.

It has no paged or continuous batching: rows are admitted together, so a pass is as long as its longest answer.
"""

from typing import Any

import torch
from torch import Tensor

from workers.training.policy import Policy
from workers.training.sampling.engine import Answer, Decoding

MAX_ROWS = 1024  # answers in flight; bounds the cache


class TorchSampler:
    """An engine that shares the weights of the policy it is given."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy

    def load_weights(self, policy: Policy) -> None:
        """Nothing is copied: these are the trainer's own tensors."""
        self.policy = policy

    @torch.inference_mode()
    def sample(
        self, prompts: list[list[int]], n_per_prompt: int, decoding: Decoding, generator: torch.Generator
    ) -> list[Answer]:
        """Sample n answers to each prompt, in passes of at most MAX_ROWS answers."""
        per_pass = max(1, MAX_ROWS // n_per_prompt)
        answers: list[Answer] = []
        for first in range(0, len(prompts), per_pass):
            answers += self._sample_pass(prompts[first : first + per_pass], n_per_prompt, decoding, generator)
        return answers

    def _sample_pass(
        self, prompts: list[list[int]], n_per_prompt: int, decoding: Decoding, generator: torch.Generator
    ) -> list[Answer]:
        """Axes: R rows still being sampled, S cache slots."""
        cache, attention_RS = self._prefill(prompts, n_per_prompt)
        device, n_rows, limit = self.policy.device, len(prompts) * n_per_prompt, decoding.max_response_tokens
        stop_ids = torch.tensor(self.policy.stop_ids, device=device)
        rows_R = torch.arange(n_rows, device=device)
        token_R = torch.tensor([ids[-1] for ids in prompts], device=device).repeat_interleave(n_per_prompt)
        position_R = torch.tensor([len(ids) - 1 for ids in prompts], device=device).repeat_interleave(n_per_prompt)
        tokens = torch.zeros(n_rows, limit, dtype=torch.long, device=device)
        logprobs = torch.zeros(n_rows, limit, device=device)
        lengths = torch.full((n_rows,), limit, device=device)
        is_cut = torch.ones(n_rows, dtype=torch.bool, device=device)
        for t in range(limit):
            attention_RS = torch.cat([attention_RS, attention_RS.new_ones(len(rows_R), 1)], dim=1)
            logits_RV = self.policy.model(
                input_ids=token_R[:, None],
                position_ids=position_R[:, None],
                attention_mask=attention_RS,
                past_key_values=cache,
                use_cache=True,
            ).logits[:, -1]
            token_R, logprobs[rows_R, t] = choose_tokens(logits_RV, decoding, generator)
            tokens[rows_R, t] = token_R
            is_alive_R = ~torch.isin(token_R, stop_ids)
            if not bool(is_alive_R.all()):
                done = rows_R[~is_alive_R]
                lengths[done], is_cut[done] = t + 1, False
                alive = is_alive_R.nonzero().squeeze(1)
                if not len(alive):
                    break
                cache.batch_select_indices(alive)
                rows_R, token_R, position_R = rows_R[alive], token_R[alive], position_R[alive]
                attention_RS = attention_RS[alive]
            position_R = position_R + 1
        return _answers(tokens, logprobs, lengths, is_cut)

    def _prefill(self, prompts: list[list[int]], n_per_prompt: int) -> tuple[Any, Tensor]:
        """Fill the cache with all but the last token of each prompt, and expand it to n rows a prompt."""
        from transformers import DynamicCache

        cache = DynamicCache(config=self.policy.model.config)
        heads = [ids[:-1] for ids in prompts]
        width, device, pad = max(len(head) for head in heads), self.policy.device, self.policy.pad_id
        attention_PS = torch.tensor(
            [[1] * len(h) + [0] * (width - len(h)) for h in heads], dtype=torch.long, device=device
        )
        if width:
            ids_PS = torch.tensor([head + [pad] * (width - len(head)) for head in heads], device=device)
            self.policy.model(
                input_ids=ids_PS, attention_mask=attention_PS, past_key_values=cache, use_cache=True, logits_to_keep=1
            )
            cache.batch_repeat_interleave(n_per_prompt)
        return cache, attention_PS.repeat_interleave(n_per_prompt, dim=0)


def choose_tokens(logits_RV: Tensor, decoding: Decoding, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Choose each row's next token; returns the tokens (R,) int64 and their log-probs (R,) float32, as `Answer` defines."""
    temperature = decoding.temperature if decoding.temperature > 0 else 1.0
    logprobs_RV = torch.log_softmax(logits_RV.float() / temperature, dim=-1)
    if decoding.temperature == 0:
        token_R = logprobs_RV.argmax(dim=-1)
    else:
        probs_RV = nucleus(logprobs_RV.exp(), decoding.top_p)
        # One uniform number a row, found in the cumulated probabilities: far cheaper than noise for each token.
        # float64 keeps the last tokens of a large vocabulary reachable.
        cumulated_RV = probs_RV.double().cumsum(dim=-1)
        uniform_R = torch.rand(len(probs_RV), 1, dtype=torch.float64, generator=generator).to(probs_RV.device)
        token_R = torch.searchsorted(cumulated_RV, uniform_R * cumulated_RV[:, -1:], right=True).squeeze(1)
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
