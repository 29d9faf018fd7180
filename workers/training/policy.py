"""The trainable model: the log-probs it gives to answers, its tokenizer, where it comes from.

The probability of a token is the model's at the stage's sampling temperature, before any nucleus is cut out: the
sampler reports, and the trainer differentiates, the same quantity. Dropout stays off, so that both compute alike.
"""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from workers.spec import FolderModelSpec, TinyModelSpec
from workers.training.bad_spec import BadSpecError
from workers.training.norms import speed_up_norms
from workers.training.packing import ATTENTION, Pack, SeesLayout, can_pack
from workers.training.rollouts import Problem, Rollout, Turn

TEXTS_REMEMBERED = 2**15


class Body(nn.Module):
    """A model whose forward pass ends before the output head; its weights can be split among processes (distributed.py)."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, **inputs: Any) -> Tensor:
        hidden_BTD: Tensor = self.model.base_model(use_cache=False, **inputs).last_hidden_state
        return hidden_BTD


class Policy:
    """A Hugging Face causal language model with its tokenizer, on the best device there is.

    `replica` is there where the weights are split among processes: room for all of them (see distributed.whole).
    """

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.model = model.to(self.device).eval()
        speed_up_norms(self.model)
        self.body = Body(self.model)
        self.replica: Policy | None = None
        self.tokenizer = tokenizer
        self.around: Callable[[], AbstractContextManager[None]] = nullcontext  # what each pass of `hidden` runs in
        self.can_pack = can_pack(model)
        if self.can_pack:
            model.set_attn_implementation(ATTENTION)
        self.max_positions: int = getattr(model.config, "max_position_embeddings", 2**31)
        self.pad_id: int = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
        # speed: the same few thousand texts come again and again, and a chat template takes longer than a token to sample
        self._framed = lru_cache(maxsize=TEXTS_REMEMBERED)(self._frame)
        self._encoded = lru_cache(maxsize=TEXTS_REMEMBERED)(self._encode)

    @property
    def stop_ids(self) -> list[int]:
        """List the tokens that end a response; the first is the tokenizer's own."""
        generation = getattr(self.model, "generation_config", None)
        more = getattr(generation, "eos_token_id", None)
        more = more if isinstance(more, list) else [more]
        return list(dict.fromkeys(i for i in (self.tokenizer.eos_token_id, *more) if i is not None))

    def prompt_ids(self, problem: Problem, max_response_tokens: int = 0, *, thinking: bool | None = None) -> list[int]:
        """Frame a problem as a chat that the answer goes on; raises BadSpecError if no room is left for the response.

        `thinking` is handed to the chat template, None leaves it to the template.
        """
        turns = problem.turns or (Turn("user", problem.prompt),)
        ids = list(self._framed(turns, problem.tools, thinking))
        if len(ids) + max_response_tokens > self.max_positions:
            raise BadSpecError(
                f"a prompt of '{problem.domain}' has {len(ids)} tokens, which with {max_response_tokens} response tokens "
                f"is more than the model's {self.max_positions} positions; lower max_response_tokens"
            )
        return ids

    def check_thinking(self, thinking: bool | None, where: str) -> None:
        """Raise BadSpecError where thinking is asked for of a chat template that would not hear of it."""
        if thinking is not None and "enable_thinking" not in self.tokenizer.get_chat_template():
            raise BadSpecError(
                f"found thinking {str(thinking).lower()}, but the model's chat template does not know enable_thinking; "
                f"leave thinking out of {where}, or change the template"
            )

    def response_ids(self, text: str) -> list[int]:
        """Encode a whole response, its end included."""
        return [*self._encoded(text), self.tokenizer.eos_token_id]

    def text(self, token_ids: list[int]) -> str:
        """Decode a response without its special tokens."""
        decoded: str = self.tokenizer.decode(token_ids, skip_special_tokens=True)
        return decoded

    def hidden(self, pack: Pack) -> Tensor:
        """Run all but the output head: the last hidden state at the place that predicts each response token, (N, D)."""
        with self.around():
            if not self.can_pack:
                return self._hidden_padded(pack.rollouts)
            hidden_1MD = self.run(pack.ids_M[None], pack.positions_M[None], pack.layout)
        return hidden_1MD[0].index_select(0, pack.predictors_N)

    def run(self, ids_BT: Tensor, positions_BT: Tensor, layout: SeesLayout) -> Tensor:
        """Run all but the output head, with attention as the layout says: the last hidden states, (B, T, D)."""
        hidden_BTD: Tensor = self.body(
            input_ids=ids_BT,
            position_ids=positions_BT,
            attention_mask=ids_BT.new_empty(1, 1, 1, 1),  # of four axes, so that none is made: the layout says all
            layout=layout,
        )
        return hidden_BTD

    def logprobs(self, hidden_ND: Tensor, temperature: float = 1.0) -> Tensor:
        """Run the output head: the log-probs of every possible next token, (N, V) float32."""
        return at_temperature(self.logits(hidden_ND), temperature)

    def logits(self, hidden_ND: Tensor) -> Tensor:
        """Run the output head: the logits of every possible next token, (N, V) float32."""
        logits_NV: Tensor = self.model.get_output_embeddings()(hidden_ND).float()
        config = self.model.config
        # What families of models do to their logits: Cohere, Granite, Gemma.
        if scale := getattr(config, "logit_scale", None):
            logits_NV = logits_NV * scale
        if divisor := getattr(config, "logits_scaling", None):
            logits_NV = logits_NV / divisor
        if cap := getattr(config, "final_logit_softcapping", None):
            logits_NV = cap * torch.tanh(logits_NV / cap)
        return logits_NV

    def _frame(self, turns: tuple[Turn, ...], tools: str, thinking: bool | None) -> tuple[int, ...]:
        messages = [asdict(turn) for turn in turns]
        options: dict[str, Any] = {} if thinking is None else {"enable_thinking": thinking}
        if tools:
            options["tools"] = json.loads(tools)
        return tuple(
            self.tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False, **options)
        )

    def _encode(self, text: str) -> tuple[int, ...]:
        return tuple(self.tokenizer.encode(text, add_special_tokens=False))

    def _hidden_padded(self, rollouts: list[Rollout]) -> Tensor:
        """Do what `hidden` does with a padded row per rollout: for models whose layers a row cannot be packed for."""
        whole = [r.prompt_ids + r.token_ids[:-1] for r in rollouts]
        width = max(len(row) for row in whole)
        ids_BS = torch.tensor([row + [self.pad_id] * (width - len(row)) for row in whole], device=self.device)
        lengths_B = torch.tensor([len(row) for row in whole], device=self.device)
        attention_BS = (torch.arange(width, device=self.device) < lengths_B[:, None]).long()
        hidden_BSD = self.body(input_ids=ids_BS, attention_mask=attention_BS)
        return torch.cat([hidden_BSD[row, len(r.prompt_ids) - 1 : len(whole[row])] for row, r in enumerate(rollouts)])


def at_temperature(logits_NV: Tensor, temperature: float) -> Tensor:
    """Turn logits into log-probs: `log softmax(logits / temperature)`, (N, V)."""
    # speed: dividing by 1 is a pass over all of them that changes nothing
    return torch.log_softmax(logits_NV if temperature == 1 else logits_NV / temperature, dim=-1)


def load_policy(folder: Path, dtype: torch.dtype = torch.float32) -> Policy:
    """Read a model and its tokenizer from a folder in Hugging Face layout; nothing is downloaded, no code of it is run."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(
        folder, local_files_only=True, trust_remote_code=False, use_safetensors=True, dtype=dtype
    )
    for parameter in model.parameters():
        # Out of the mapped file into aligned memory of our own: matrix products are faster there, their last bits do not
        # depend on where the file put a tensor, and a file that is cut short later cannot kill us.
        parameter.data = parameter.data.clone()
    return Policy(model, AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False))


def set_up_torch(cpu_threads: int = 1) -> None:
    """Use as many threads as the stage asks for, and on a CPU only algorithms that repeat to the bit; print no bars."""
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    torch.set_num_threads(cpu_threads)
    if not torch.cuda.is_available():
        torch.use_deterministic_algorithms(True)
        # speed: nothing here reads what it did not write
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def build_policy(spec: TinyModelSpec | FolderModelSpec, seed: int) -> Policy:
    """Build the tiny model from its seed; a folder model has a folder to start from instead."""
    from workers.training.tiny_model import build_model, build_tokenizer

    if not isinstance(spec, TinyModelSpec):
        raise BadSpecError(
            "found no start_folder for a model that is read from a folder; set start_folder to that folder"
        )
    tokenizer = build_tokenizer(spec.vocabulary)
    return Policy(build_model(spec, tokenizer, seed), tokenizer)
