"""The models, prompts and batches that the engine's benchmark gives to both sides."""

import json
import random
from dataclasses import asdict, dataclass
from typing import Any

from transformers import PreTrainedTokenizerFast, Qwen3ForCausalLM

from workers.spec import TinyModelSpec
from workers.training.rollouts import Problem
from workers.training.tiny_model import PAIRS, build_model, build_tokenizer

SEED = 0
LEARNING_RATE = 1e-5  # small, so that no side's model drifts to where sampling costs another amount
NEVER = "<never>"
MODELS = {
    "0.8 M": TinyModelSpec(hidden_size=128, layers=4, heads=4, head_size=32, mlp_size=352, max_positions=2048),
    "3.2 M": TinyModelSpec(hidden_size=256, layers=4, heads=4, head_size=64, mlp_size=704, max_positions=2048),
}


@dataclass(frozen=True)
class Case:
    """One batch for one model; every prompt and every response has the same length."""

    model: str
    n_prompts: int
    n_rollouts: int
    prompt_tokens: int
    response_tokens: int

    @property
    def title(self) -> str:
        """Say it in a table's cell."""
        return (
            f"{self.model}, {self.n_prompts} prompts x {self.n_rollouts} rollouts, "
            f"{self.prompt_tokens} + {self.response_tokens} tokens"
        )

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Case":
        return cls(**json.loads(text))


def build(case: Case, seed: int = SEED) -> tuple[Qwen3ForCausalLM, PreTrainedTokenizerFast]:
    """Build a case's model, and a tokenizer whose end-of-sequence token the model's vocabulary does not reach.

    So every response has the full length on both sides, without anything that would slow one of them.
    """
    tokenizer = build_tokenizer()
    model = build_model(MODELS[case.model], tokenizer, seed)
    tokenizer.add_special_tokens({"eos_token": NEVER})
    model.config.eos_token_id = model.generation_config.eos_token_id = tokenizer.eos_token_id
    return model, tokenizer


def prompts(case: Case) -> list[str]:
    """Write a case's prompts; framed by the chat template each has `prompt_tokens` tokens."""
    rng = random.Random(SEED)
    return ["".join(rng.choices(PAIRS, k=case.prompt_tokens - 2)) for _ in range(case.n_prompts)]


def problems(case: Case) -> list[Problem]:
    return [Problem("stem", str(number), prompt, {}) for number, prompt in enumerate(prompts(case))]


def reward(token_ids: list[int]) -> float:
    """Give something trivial that differs within a group: the share of even tokens."""
    return sum(token % 2 == 0 for token in token_ids) / len(token_ids)


def stage_settings(case: Case) -> dict[str, Any]:
    """What a stage's spec says about a case."""
    return {
        "name": "bench",
        "domains": {"stem": 1},
        "steps": 1_000_000,
        "learning_rate": LEARNING_RATE,
        "warmup_steps": 0,
        "prompts_per_step": case.n_prompts,
        "rollouts_per_prompt": case.n_rollouts,
        "max_response_tokens": case.response_tokens,
    }
