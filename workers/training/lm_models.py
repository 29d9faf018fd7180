"""A checkpoint as a model of the lm-evaluation-harness: with transformers, or with vLLM where a benchmark asks for it.

Each tells before every batch how far it is, so that a long task shows its progress and can be stopped.
"""

import contextlib
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from workers.task_spec import TaskError
from workers.training.checkpoints import check_folder

Meanwhile = Callable[[int, int], None]  # requests that were run, and that are to be run
_SAFELY = {"local_files_only": True, "trust_remote_code": False}


class _Tells:
    """Counts requests; stands before a model of the harness, whose methods it wraps."""

    meanwhile: Meanwhile
    n_done, n_asked = 0, 0

    def loglikelihood(self, requests: Any, disable_tqdm: bool = True) -> Any:
        self.n_done, self.n_asked = 0, len(requests)
        return super().loglikelihood(requests, disable_tqdm=True)  # type: ignore[misc]

    def generate_until(self, requests: Any, disable_tqdm: bool = True) -> Any:
        self.n_done, self.n_asked = 0, len(requests)
        return super().generate_until(requests, disable_tqdm=True)  # type: ignore[misc]

    def tell(self, n: int) -> None:
        """Say that n more requests are about to run."""
        self.meanwhile(self.n_done, self.n_asked)
        self.n_done = min(self.n_done + n, self.n_asked)


def load_transformers(checkpoint: Path, meanwhile: Meanwhile) -> Any:
    """Load a checkpoint as the harness's transformers model, in float32."""
    import torch
    from lm_eval.models.huggingface import HFLM
    from transformers import AutoModelForCausalLM, AutoTokenizer

    class Told(_Tells, HFLM):  # type: ignore[misc,unused-ignore]  # mypy does not read the harness
        def _model_call(self, inps: Any, *args: Any, **options: Any) -> Any:
            self.tell(len(inps))
            return super()._model_call(inps, *args, **options)

        def _model_generate(self, context: Any, *args: Any, **options: Any) -> Any:
            self.tell(len(context))
            return super()._model_generate(context, *args, **options)

    check_folder(checkpoint)
    model: Any = AutoModelForCausalLM.from_pretrained(
        str(checkpoint), use_safetensors=True, dtype=torch.float32, **_SAFELY
    )
    device = "cuda" if torch.cuda.is_available() else "cpu"
    tokenizer = AutoTokenizer.from_pretrained(checkpoint, **_SAFELY)
    told = Told(pretrained=model.to(device), tokenizer=tokenizer, batch_size=1)
    told.meanwhile = meanwhile
    return told


def load_vllm(checkpoint: Path, meanwhile: Meanwhile) -> Any:
    """Load a checkpoint as the harness's vLLM model, in the checkpoint's own precision; TaskError where it cannot be."""
    import torch
    from transformers import AutoConfig

    from workers.training.sampling.vllm_sampler import GPU_SHARE, import_vllm, say_obstacle

    check_folder(checkpoint)
    config, on_gpu = AutoConfig.from_pretrained(checkpoint, **_SAFELY), torch.cuda.is_available()
    if obstacle := say_obstacle(config.architectures[0], config, on_gpu=on_gpu):
        raise TaskError("engine", f"{obstacle}; set the task's engine to transformers")
    with _package_of(import_vllm()):
        from lm_eval.models.vllm_causallms import VLLM

    class Told(_Tells, VLLM):  # type: ignore[misc,unused-ignore]
        def _model_generate(self, requests: Any, *args: Any, **options: Any) -> Any:
            self.tell(len(requests))
            return super()._model_generate(requests, *args, **options)

    told = Told(
        pretrained=str(checkpoint),
        dtype=str(config.dtype or "float32").removeprefix("torch."),
        batch_size=1,
        model_impl="vllm",
        generation_config="vllm",
        enforce_eager=not on_gpu,
        gpu_memory_utilization=GPU_SHARE,
        disable_log_stats=True,
    )
    told.meanwhile = meanwhile
    return told


@contextlib.contextmanager
def _package_of(vllm: Any) -> Iterator[None]:
    """Answer to who asks for the version of the package vllm: the one for a CPU goes by another name."""
    usual = metadata.version

    def version(distribution_name: str) -> str:
        return str(vllm.__version__) if distribution_name == "vllm" else usual(distribution_name)

    metadata.version = version
    try:
        yield
    finally:
        metadata.version = usual


def set_batch_size(model: Any, size: int) -> None:
    """Run so many requests together; the harness's models call it by two names."""
    setattr(model, "batch_size_per_gpu" if hasattr(model, "batch_size_per_gpu") else "batch_size", size)


LOADERS: dict[str, Callable[[Path, Meanwhile], Any]] = {"transformers": load_transformers, "vllm": load_vllm}
