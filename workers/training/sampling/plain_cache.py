"""Keys and values while sampling as transformers keeps them: for any causal language model, whatever its layers do.

1. All but the last token of each prompt is run once, padded on the left, into transformers' cache: a row's tokens lie side by
   side, so that layers which see the last slots only (a sliding window) see the row's last tokens.
2. The cache is expanded to the group's size: a group shares the work on its prompt, but not its memory.
3. Each step runs one token of every row, at the row's own position; the first one is the prompt's last token.
4. Finished rows leave the batch and the cache.
"""

import torch
from torch import Tensor

from workers.training.policy import Policy


class PlainCache:
    """The rows being sampled, n for each prompt. Axes: P prompts, R rows left, S slots of the cache."""

    def __init__(self, policy: Policy, prompts: list[list[int]], n_per_prompt: int) -> None:
        from transformers import DynamicCache

        self.policy, self.n_per_prompt = policy, n_per_prompt
        self.cache = DynamicCache(config=policy.model.config)
        heads = [ids[:-1] for ids in prompts]
        width, pad = max(len(head) for head in heads), policy.pad_id
        self.ids_PS = torch.tensor([[pad] * (width - len(head)) + head for head in heads], device=policy.device).long()
        lengths_P = torch.tensor([len(head) for head in heads], device=policy.device)
        slots_S = torch.arange(width, device=policy.device)
        self.attention_RS = (slots_S >= width - lengths_P[:, None]).long()
        self.position_PS = (slots_S - (width - lengths_P[:, None])).clamp(min=0)
        self.position_R = lengths_P.repeat_interleave(n_per_prompt)
        self.last_R = torch.tensor([ids[-1] for ids in prompts], device=policy.device).repeat_interleave(n_per_prompt)

    def first(self) -> Tensor:
        """Run the prompts; returns the logits of each row's first token, (R, V)."""
        if self.ids_PS.shape[1]:
            self.policy.model(
                input_ids=self.ids_PS,
                position_ids=self.position_PS,
                attention_mask=self.attention_RS,
                past_key_values=self.cache,
                use_cache=True,
                logits_to_keep=1,
            )
            self.cache.batch_repeat_interleave(self.n_per_prompt)
        self.attention_RS = self.attention_RS.repeat_interleave(self.n_per_prompt, dim=0)
        return self.following(self.last_R)

    def following(self, token_R: Tensor) -> Tensor:
        """Run one more token of each row; returns the logits of the next, (R, V)."""
        self.attention_RS = torch.cat([self.attention_RS, self.attention_RS.new_ones(len(token_R), 1)], dim=1)
        logits_RV: Tensor = self.policy.model(
            input_ids=token_R[:, None],
            position_ids=self.position_R[:, None],
            attention_mask=self.attention_RS,
            past_key_values=self.cache,
            use_cache=True,
        ).logits[:, -1]
        self.position_R = self.position_R + 1
        return logits_RV

    def drop(self, is_done_R: Tensor) -> Tensor:
        """Let rows go; returns which rows are left (R,), in the order they have from now on."""
        left_R = (~is_done_R).nonzero().squeeze(1)
        self.cache.batch_select_indices(left_R)
        self.position_R, self.attention_RS = self.position_R[left_R], self.attention_RS[left_R]
        return left_R
