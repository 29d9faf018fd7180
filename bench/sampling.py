"""Sampled tokens per second of both engines on one CPU thread: .venv-vllm/bin/python -m bench.sampling (after make test-vllm).

Same model (Qwen3 shape, random weights, answers of full length), prompts, rows and lengths; each engine once to warm up,
then the best of three.
"""

import os
import time
from dataclasses import dataclass

os.environ.update(HF_HUB_OFFLINE="1", OMP_NUM_THREADS="1", OMP_WAIT_POLICY="passive", GOMP_SPINCOUNT="0")

import torch  # after the environment, which it reads
from transformers import Qwen3Config, Qwen3ForCausalLM

from workers.training.policy import Policy, set_up_torch
from workers.training.sampling import ENGINES, Sampler, make_sampler
from workers.training.tiny_model import build_tokenizer

N_PROMPTS, PROMPT_TOKENS = 16, 32
CASES = ((1, 32), (8, 32), (8, 128))  # answers a prompt, tokens an answer


@dataclass(frozen=True)
class Decoding:
    max_response_tokens: int
    temperature: float = 1.0
    top_p: float = 1.0


def main() -> None:
    """Print one line a case."""
    set_up_torch()
    policy = build_policy()
    samplers = {name: make_sampler(policy, name) for name in ENGINES}
    n_parameters = sum(parameter.numel() for parameter in policy.model.parameters())
    print(f"{n_parameters / 1e6:.2f} M parameters, {N_PROMPTS} prompts of {PROMPT_TOKENS} tokens, one thread")
    print("rows  tokens each  " + "  ".join(f"{name:>12}" for name in samplers) + "   vllm / torch")
    for n_per_prompt, n_tokens in CASES:
        found = {name: tokens_per_s(sampler, n_per_prompt, n_tokens) for name, sampler in samplers.items()}
        figures = "  ".join(f"{value:8.0f} t/s" for value in found.values())
        print(
            f"{N_PROMPTS * n_per_prompt:4}  {n_tokens:11}  {figures}   {found['vllm'] / found['torch']:.2f}", flush=True
        )


def build_policy() -> Policy:
    """Build a small model that never ends an answer by itself."""
    tokenizer = build_tokenizer()
    config = Qwen3Config(
        vocab_size=len(tokenizer), hidden_size=128, num_hidden_layers=4, num_attention_heads=4, num_key_value_heads=4,
        head_dim=32, intermediate_size=384, max_position_embeddings=256, tie_word_embeddings=True,
        bos_token_id=None, eos_token_id=None, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    torch.manual_seed(0)
    policy = Policy(Qwen3ForCausalLM(config), tokenizer)  # type: ignore[no-untyped-call]
    policy.tokenizer.eos_token_id = len(tokenizer) + 1
    return policy


def tokens_per_s(sampler: Sampler, n_per_prompt: int, n_tokens: int) -> float:
    """Time whole calls, the engine's own start and the weights' hand-over apart."""
    generator = torch.Generator().manual_seed(0)
    prompts = torch.randint(5, 100, (N_PROMPTS, PROMPT_TOKENS), generator=generator).tolist()
    seconds = []
    for _ in range(4):
        started = time.perf_counter()
        answers = sampler.sample(prompts, n_per_prompt, Decoding(n_tokens), list(range(N_PROMPTS)))
        seconds.append(time.perf_counter() - started)
    return sum(len(answer.token_ids) for answer in answers) / min(seconds[1:])


if __name__ == "__main__":
    main()
