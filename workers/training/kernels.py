"""Liger's kernels for norms, rotary positions and feed-forward parts, where a stage asks for them (arXiv 2410.10989).

They run on a GPU alone. The output head and the loss stay ours, which never hold all logits at once either.
"""

from importlib.util import find_spec

import torch

from workers.training.bad_spec import BadSpecError
from workers.training.policy import Policy


def check_liger() -> None:
    """Raise BadSpecError where Liger's kernels cannot run."""
    if find_spec("liger_kernel") is None or not torch.cuda.is_available():
        missing = "no liger-kernel" if find_spec("liger_kernel") is None else "no NVIDIA GPU"
        raise BadSpecError(
            f"found {missing} on this machine, expected both liger-kernel and an NVIDIA GPU where liger is on; set liger to "
            "false, or install requirements-liger.txt on a machine with a GPU"
        )


def use_liger(policy: Policy) -> None:
    """Exchange the policy's kernels, in place."""
    from transformers.integrations.liger import apply_liger_kernel

    apply_liger_kernel(policy.model, {"cross_entropy": False, "fused_linear_cross_entropy": False})  # type: ignore[no-untyped-call]
