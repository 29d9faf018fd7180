"""bfloat16 with a float32 master: the model computes with rounded weights, the optimiser updates exact ones.

bfloat16 has 8 bits of mantissa, so a step of less than about 1/256 of a weight would be rounded away. It is taken on the
master instead, and the model is handed the rounded weights anew. Gradients come in bfloat16 and are added up in float32.
"""

from functools import partial

import torch
from torch import Tensor, nn

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def with_masters(model: nn.Module) -> dict[str, nn.Parameter]:
    """Round all weights to bfloat16, in place; returns the float32 masters of those that are trained, by name.

    Buffers stay as they are: rotary frequencies would be wrong in bfloat16.
    """
    masters: dict[str, nn.Parameter] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            masters[name] = nn.Parameter(parameter.detach().float())  # takes the float32 weights over, no copy
            parameter.register_post_accumulate_grad_hook(partial(_add_up, masters[name]))  # type: ignore[no-untyped-call]
        parameter.data = parameter.data.to(torch.bfloat16)
    return masters


def _add_up(master: nn.Parameter, parameter: Tensor) -> None:
    """Take a parameter's gradient as soon as it is there, so that only one is ever kept in bfloat16."""
    assert parameter.grad is not None
    gradient, parameter.grad = parameter.grad.float(), None
    master.grad = gradient if master.grad is None else master.grad.add_(gradient)
