"""Sampled tokens per second of both engines on one CPU thread: .venv-vllm/bin/python -m bench.sampling (after make test-vllm).

Same model (Qwen3 shape, random weights, answers of full length), prompts, rows and lengths; the engines take turns, each once
to warm up, then three times, of which the best counts. Writes bench/results/sampling.md.
"""

import os
import time
from dataclasses import dataclass
from pathlib import Path

os.environ.update(HF_HUB_OFFLINE="1", OMP_NUM_THREADS="1", OMP_WAIT_POLICY="passive", GOMP_SPINCOUNT="0")

import torch  # after the environment, which it reads
from transformers import Qwen3Config, Qwen3ForCausalLM

from workers.training.policy import Policy, set_up_torch
from workers.training.sampling import ENGINES, Sampler, make_sampler
from workers.training.tiny_model import build_tokenizer

N_PROMPTS, PROMPT_TOKENS = 16, 32
CASES = ((1, 32), (8, 32), (8, 128))  # answers a prompt, tokens an answer
TURNS = 3
RESULTS = Path(__file__).resolve().parent / "results" / "sampling.md"
HEAD = """\
# Sampling: the torch engine beside vLLM on a CPU

`.venv-vllm/bin/python -m bench.sampling` (after `make test-vllm`): {size:.2f} M parameters, 16 prompts of 32 tokens, one thread,
tokens per second, the best of three in turns. vLLM is made for GPUs and for far larger models; this only tells which engine a
small model on a CPU should have, which is what `engine: auto` takes.

| rows | tokens an answer | torch engine | vLLM | ratio |
|---:|---:|---:|---:|---:|
"""


@dataclass(frozen=True)
class Decoding:
    max_response_tokens: int
    temperature: float = 1.0
    top_p: float = 1.0


def main() -> None:
    """Measure every case and write the table."""
    set_up_torch()
    policy = build_policy()
    samplers = {name: make_sampler(policy, name) for name in ENGINES}
    n_parameters = sum(parameter.numel() for parameter in policy.model.parameters())
    rows = [line(samplers, n_per_prompt, n_tokens) for n_per_prompt, n_tokens in CASES]
    RESULTS.write_text(HEAD.format(size=n_parameters / 1e6) + "\n".join(rows) + "\n")


def line(samplers: dict[str, Sampler], n_per_prompt: int, n_tokens: int) -> str:
    """Measure one case: a row of the table."""
    best = dict.fromkeys(samplers, 0.0)
    for turn in range(1 + TURNS):
        for name, sampler in samplers.items():
            found = tokens_per_s(sampler, n_per_prompt, n_tokens)
            best[name] = max(best[name], found) if turn else 0.0
    torch_, vllm = best["torch"], best["vllm"]
    row = f"| {N_PROMPTS * n_per_prompt} | {n_tokens} | {torch_:,.0f} | {vllm:,.0f} | {torch_ / vllm:.1f} |"
    print(row, flush=True)
    return row


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
    """Time a whole call, the engine's own start and the weights' hand-over apart."""
    generator = torch.Generator().manual_seed(0)
    prompts = torch.randint(5, 100, (N_PROMPTS, PROMPT_TOKENS), generator=generator).tolist()
    started = time.perf_counter()
    answers = sampler.sample(prompts, n_per_prompt, Decoding(n_tokens), list(range(N_PROMPTS)))
    return sum(len(answer.token_ids) for answer in answers) / (time.perf_counter() - started)


if __name__ == "__main__":
    main()
