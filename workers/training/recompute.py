"""Gradient checkpointing: a block keeps its input alone, and computes the rest anew in the backward pass.

It is transformers' own. Its blocks ask for training mode before they do so, and dropout would be on in that mode; so each is
in it only while it is asked, and has left it when it computes, the first time and again.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import torch
from torch import nn
from transformers.modeling_layers import GradientCheckpointingLayer

from workers.training.bad_spec import BadSpecError
from workers.training.policy import Policy


def recompute_activations(policy: Policy) -> None:
    """Have the policy's blocks keep only their inputs; raises BadSpecError where the model has no such blocks."""
    blocks = [module for module in policy.model.modules() if isinstance(module, GradientCheckpointingLayer)]
    if not blocks or not policy.model.supports_gradient_checkpointing:
        raise BadSpecError(
            f"found gradient_checkpointing with a {type(policy.model).__name__}, whose blocks cannot be computed again; set "
            "gradient_checkpointing to false"
        )
    # No random state to keep: nothing in a pass is random.
    policy.model.gradient_checkpointing_enable({"use_reentrant": False, "preserve_rng_state": False})
    for block in blocks:
        block.register_forward_pre_hook(_leave_training_mode)
    policy.around = partial(_asked, blocks)


@contextmanager
def _asked(blocks: Sequence[nn.Module]) -> Iterator[None]:
    """Let blocks find themselves in training mode when they are called, where there will be a backward pass."""
    for block in blocks:
        block.training = torch.is_grad_enabled()
    try:
        yield
    finally:
        for block in blocks:
            block.training = False


def _leave_training_mode(block: nn.Module, inputs: object) -> None:
    block.training = False
