"""Sampling with vLLM inside the trainer's process; it is imported only where this engine is chosen.

1. The engine is started with the policy's shape and no weights; they are handed over in memory, before each step again.
2. The logits are divided by the temperature before vLLM sees them, and vLLM samples at temperature 1: so its raw
   log-probs are those of `Answer`. Its own choices are before the temperature, or after the nucleus is cut out.
3. A prompt is sent once with n answers asked for; they share its blocks of the cache.
4. On a GPU the engine sleeps while the trainer works: weights in the host's memory, cache given back.

It runs on one device, without tensor parallelism: where a stage has several processes, each has an engine of its own.
"""

import os
from copy import copy
from importlib.util import find_spec
from tempfile import TemporaryDirectory
from typing import Any

import torch

from workers.training.distributed import n_processes
from workers.training.lora import merged_weights
from workers.training.policy import Policy
from workers.training.sampling.engine import Answer, Decoding

GPU_SHARE = 0.5  # of the GPU's memory while sampling: weights and cache; the trainer's own weights stay beside them
SETTINGS = {
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",  # in this process, so that weights need no copy to another
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_LOGGING_LEVEL": "WARNING",
    "VLLM_CPU_KVCACHE_SPACE": "1",  # GiB, where there is no GPU
}


class VLLMSampler:
    """An engine with a copy of the policy's weights, laid out as vLLM's kernels like them."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.temperature = 1.0
        self.sleeps = policy.device.type == "cuda"
        self.is_asleep = False
        self.llm = _start_engine(policy)
        self.llm.apply_model(self._divide_logits)
        self.load_weights(policy)

    def load_weights(self, policy: Policy) -> None:
        """Hand the weights over in memory, under the names that a checkpoint would have."""
        self.policy = policy
        self._wake_up()
        named = merged_weights(policy.model)
        self.llm.collective_rpc("reload_weights", kwargs={"weights_iterator": named, "is_checkpoint_format": True})

    def sample(self, prompts: list[list[int]], n_per_prompt: int, decoding: Decoding, seeds: list[int]) -> list[Answer]:
        """Sample n answers to each prompt; vLLM admits as many at a time as its cache holds."""
        self._wake_up()
        # Also what earlier calls with the same weights left: it would change the last bits of log-probs.
        self.llm.reset_prefix_cache()
        is_greedy = decoding.temperature == 0
        self.temperature = 1.0 if is_greedy else decoding.temperature
        n_sampled = 1 if is_greedy else n_per_prompt  # greedy answers are all alike, and vLLM refuses more than one
        settings = self._sampling_params(n_sampled, decoding, seeds)
        found = self.llm.generate([{"prompt_token_ids": ids} for ids in prompts], settings, use_tqdm=False)
        if self.sleeps:
            self.llm.sleep(level=1)
            self.is_asleep = True
        return [_answer(group.outputs[i % n_sampled]) for group in found for i in range(n_per_prompt)]

    def _sampling_params(self, n: int, decoding: Decoding, seeds: list[int]) -> list[Any]:
        """Give each prompt a seed of its own; vLLM adds an answer's number to it."""
        make = import_vllm().SamplingParams
        return [
            make(
                n=n,
                temperature=0.0 if decoding.temperature == 0 else 1.0,
                top_p=decoding.top_p,
                max_tokens=decoding.max_response_tokens,
                stop_token_ids=self.policy.stop_ids,
                ignore_eos=True,  # stop_ids hold it
                logprobs=0,  # the sampled token's alone
                seed=seed,
                detokenize=False,
            )
            for seed in seeds
        ]

    def _divide_logits(self, model: Any) -> None:
        """Wrap the output head of vLLM's model, which each of its models has under this name."""
        plain = model.compute_logits

        def divided(*args: Any, **kwargs: Any) -> Any:
            logits = plain(*args, **kwargs)
            return logits if logits is None or self.temperature == 1 else logits.float() / self.temperature

        model.compute_logits = divided

    def _wake_up(self) -> None:
        if self.is_asleep:
            torch.cuda.empty_cache()  # what the trainer's last step left reserved
            self.llm.wake_up()
            self.is_asleep = False


def find_obstacle(policy: Policy) -> str:
    """Say why vLLM cannot sample from this policy and what to do; empty where it can."""
    found = say_obstacle(type(policy.model).__name__, policy.model.config, on_gpu=policy.device.type == "cuda")
    return f"{found}; set engine to auto or torch" if found else ""


def say_obstacle(architecture: str, config: Any, *, on_gpu: bool) -> str:
    """Say why vLLM cannot run a model of this shape here; empty where it can."""
    if find_spec("vllm") is None:
        return "found no vLLM on this machine, expected it where engine is 'vllm', by requirements-vllm.txt"
    if architecture not in import_vllm().ModelRegistry.get_supported_archs():
        return f"found a {architecture}, which vLLM does not know"
    if not on_gpu:
        from vllm.v1.attention.backends.cpu_attn import CPUAttentionBackend

        sizes = CPUAttentionBackend.get_supported_head_sizes()
        found = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        if found not in sizes:
            return (
                f"found attention heads of {found} features, expected one of {', '.join(map(str, sizes))} for vLLM on a "
                "CPU, or a model with such heads"
            )
    return ""


def _start_engine(policy: Policy) -> Any:
    """Start vLLM with the policy's shape and random weights."""
    on_gpu = policy.device.type == "cuda"
    with TemporaryDirectory() as folder:
        config = copy(policy.model.config)
        config.architectures = [type(policy.model).__name__]  # a model that was never saved has none
        if not on_gpu:
            # A tied head keeps a copy of its own there, repacked once, which a reload would leave as it was.
            config.tie_word_embeddings = False
        config.save_pretrained(folder)
        policy.tokenizer.save_pretrained(folder)
        return import_vllm().LLM(
            model=folder,
            load_format="dummy",
            model_impl="vllm",  # its other one would patch the very class of the trainer's model
            generation_config="vllm",
            dtype=policy.model.dtype,
            max_model_len=getattr(config, "max_position_embeddings", None),
            enforce_eager=not on_gpu,
            distributed_executor_backend="external_launcher"
            if n_processes() > 1
            else None,  # an engine in each of ours
            gpu_memory_utilization=GPU_SHARE,
            enable_sleep_mode=on_gpu,
            disable_log_stats=True,
        )


def import_vllm() -> Any:
    """Import vLLM with the settings that it reads as it is imported."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    import vllm

    return vllm


def _answer(output: Any) -> Answer:
    ids = list(output.token_ids)
    logprobs = [at_step[token].logprob for token, at_step in zip(ids, output.logprobs, strict=True)]
    return Answer(ids, logprobs, is_truncated=output.finish_reason == "length")
