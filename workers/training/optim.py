"""Optimisers, their learning rate over a stage, and their state as plain tensors.

Muon takes hidden matrices; embeddings, the output head, norms and biases stay with AdamW. Weight decay acts on matrices
only. In bfloat16 they update float32 masters, whose rounding the model computes with (precision.py); weights that are
split among processes stay in float32, and are rounded as they are brought together.
"""

import math

import torch
from torch import Tensor, nn

from workers.spec import StageSpec
from workers.training.distributed import full, is_split, like
from workers.training.muon import Muon
from workers.training.precision import with_masters

MUON_MOMENTUM = 0.95


class Optimizers:
    """The one or two optimisers of a stage, stepped and saved as one.

    `weights` are what they update, by name: the model's trained parameters, or in bfloat16 their masters.
    """

    def __init__(self, model: nn.Module, stage: StageSpec) -> None:
        self.stage = stage
        trained = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
        matrices = _hidden_matrices(model) if stage.optimizer == "muon" else []
        self.weights = with_masters(model) if stage.precision == "bfloat16" and not is_split(model) else trained
        self._rounded = [
            (trained[name], weight) for name, weight in self.weights.items() if weight is not trained[name]
        ]
        self.parameters = list(self.weights.values())
        muon = [self.weights[name] for name in matrices]
        self.parts: list[tuple[torch.optim.Optimizer, float]] = []  # with each one's share of the learning rate
        if muon:
            self.parts.append((_muon(muon, stage), 1.0))
        chosen = {id(parameter) for parameter in muon}
        rest = [parameter for parameter in self.parameters if id(parameter) not in chosen]
        share = (stage.adamw_learning_rate or stage.learning_rate) / stage.learning_rate if muon else 1.0
        self.parts.append((_adamw(rest, stage), share))

    def clip_gradients(self) -> float:
        """Scale the gradient down to max_grad_norm; returns its norm before."""
        return float(full(nn.utils.clip_grad_norm_(self.parameters, self.stage.max_grad_norm)))

    def step(self, step: int) -> None:
        """Apply one update at the learning rate of this step, counted from 1."""
        rate = learning_rate_at(self.stage, step)
        for optimizer, share in self.parts:
            for group in optimizer.param_groups:
                group["lr"] = rate * share
            optimizer.step()
        self.hand_over()

    @torch.no_grad()
    def hand_over(self) -> None:
        """Give the model the weights as they are now, where it computes with their rounding."""
        for parameter, weight in self._rounded:
            parameter.copy_(weight)

    def clear_gradients(self) -> None:
        for parameter in self.parameters:
            parameter.grad = None

    def state_tensors(self) -> dict[str, Tensor]:
        """Flatten the state into named tensors: '<optimiser>.<parameter>.<name>'."""
        return {
            f"{part}.{parameter}.{name}": value
            for part, (optimizer, _) in enumerate(self.parts)
            for parameter, state in optimizer.state_dict()["state"].items()
            for name, value in state.items()
        }

    def load_state_tensors(self, tensors: dict[str, Tensor]) -> None:
        """Take back what state_tensors gave."""
        for part, (optimizer, _) in enumerate(self.parts):
            owners = [parameter for group in optimizer.param_groups for parameter in group["params"]]
            state: dict[int, dict[str, Tensor]] = {}
            for key, value in tensors.items():
                owner, parameter, name = key.split(".", 2)
                if int(owner) == part:
                    own = like(owners[int(parameter)], value)
                    state.setdefault(int(parameter), {})[name] = own.clone()  # out of the mapped file
            optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def learning_rate_at(stage: StageSpec, step: int) -> float:
    """Rise linearly from warmup_from over the warm-up, then follow the schedule to final_learning_rate at the last step; steps count from 1."""
    if step <= stage.warmup_steps:
        return stage.warmup_from + (stage.learning_rate - stage.warmup_from) * step / stage.warmup_steps
    done = (step - stage.warmup_steps) / max(1, stage.steps - stage.warmup_steps)
    fall = {"constant": 0.0, "linear": done, "cosine": (1 - math.cos(math.pi * done)) / 2}[stage.schedule]
    return stage.learning_rate + fall * (stage.final_learning_rate - stage.learning_rate)


def _hidden_matrices(model: nn.Module) -> list[str]:
    """Name the matrices between embeddings and output head; a tied head is the embedding itself."""
    outer = {
        id(parameter)
        for module in model.modules()
        if isinstance(module, nn.Embedding)
        for parameter in module.parameters()
    }
    head = getattr(model, "lm_head", None)
    if isinstance(head, nn.Module):
        outer |= {id(parameter) for parameter in head.parameters()}
    return [name for name, p in model.named_parameters() if p.requires_grad and p.ndim == 2 and id(p) not in outer]


def _muon(matrices: list[nn.Parameter], stage: StageSpec) -> torch.optim.Optimizer:
    return Muon(matrices, lr=stage.learning_rate, momentum=MUON_MOMENTUM, weight_decay=stage.weight_decay)


def _adamw(parameters: list[nn.Parameter], stage: StageSpec) -> torch.optim.Optimizer:
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": stage.weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    # fused: one kernel for all parameters, several times faster than a loop on a model this small
    return torch.optim.AdamW(groups, lr=stage.learning_rate, betas=(stage.beta1, stage.beta2), fused=True)
