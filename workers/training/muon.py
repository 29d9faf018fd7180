"""Muon: momentum whose update of a hidden matrix is replaced by the nearest orthogonal one (Keller Jordan, 2024).

torch.optim.Muon does the same in bfloat16 and a matrix at a time. On a CPU without bfloat16 instructions that takes
three times as long as the step it belongs to, so this one works in the gradient's own precision, matrices of one shape
together. Agreement with torch's is tested.
"""

import math
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from workers.training.distributed import full, like

COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # a quintic steep at 0: singular values end near 1, not at it (Jordan)
ITERATIONS = 5
EPSILON = 1e-7


class Muon(torch.optim.Optimizer):
    """Muon with Nesterov momentum; `lr` is per matrix, times sqrt(rows / columns) for tall ones."""

    def __init__(self, matrices: list[nn.Parameter], *, lr: float, momentum: float, weight_decay: float) -> None:
        super().__init__(matrices, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """Update every matrix that has a gradient."""
        for group in self.param_groups:
            matrices = [matrix for matrix in group["params"] if matrix.grad is not None]
            # A matrix that is split among processes is orthogonalised whole, by each of them alike.
            updates = [full(self._momentum_of(matrix, group["momentum"])) for matrix in matrices]
            for matrix, update in zip(matrices, orthogonalize(updates), strict=True):
                rows, columns = matrix.shape
                matrix.mul_(1 - group["lr"] * group["weight_decay"])
                matrix.add_(like(matrix, update), alpha=-group["lr"] * math.sqrt(max(1.0, rows / columns)))

    def _momentum_of(self, matrix: nn.Parameter, momentum: float) -> Tensor:
        """Take the gradient into the running mean, and look ahead (Nesterov)."""
        assert matrix.grad is not None
        state = self.state[matrix]
        if not state:
            state["momentum_buffer"] = torch.zeros_like(matrix)
        buffer: Tensor = state["momentum_buffer"]
        buffer.lerp_(matrix.grad, 1 - momentum)
        return matrix.grad.lerp(buffer, momentum)


def orthogonalize(matrices: list[Tensor]) -> list[Tensor]:
    """Push the singular values of each matrix towards 1 by Newton-Schulz iteration; singular vectors stay."""
    groups: dict[tuple[int, int], list[int]] = defaultdict(list)
    wide = [matrix.T if matrix.shape[0] > matrix.shape[1] else matrix for matrix in matrices]
    for number, matrix in enumerate(wide):
        groups[matrix.shape[0], matrix.shape[1]].append(number)
    found = list(wide)
    for numbers in groups.values():
        for number, matrix in zip(numbers, _iterate(torch.stack([wide[n] for n in numbers])), strict=True):
            found[number] = matrix
    return [new.T if matrix.shape[0] > matrix.shape[1] else new for matrix, new in zip(matrices, found, strict=True)]


def _iterate(x_KRC: Tensor) -> Tensor:
    """Orthogonalise K matrices of R rows and C >= R columns."""
    a, b, c = COEFFICIENTS
    x_KRC = x_KRC / x_KRC.norm(dim=(1, 2), keepdim=True).clamp(min=EPSILON)
    for _ in range(ITERATIONS):
        gram_KRR = x_KRC @ x_KRC.mT
        x_KRC = torch.baddbmm(x_KRC, torch.baddbmm(gram_KRR, gram_KRR, gram_KRR, beta=b, alpha=c), x_KRC, beta=a)
    return x_KRC
