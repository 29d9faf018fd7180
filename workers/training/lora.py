"""LoRA through peft: a linear layer computes W x + alpha / rank * B A x, and only A and B are trained (arXiv 2106.09685).

peft's layers take the place of the model's own, in the model itself, which stays of its class. Whoever else reads weights
gets W + alpha / rank * B A under the layer's own name and never learns of adapters: an engine before each step, a
checkpoint. B starts at zero, so the stage starts as the model it starts from; with the adapters switched off, that
model is there again.

There is no dropout on adapters: sampler and trainer would not compute alike.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from workers.spec import LoRASpec
from workers.training.bad_spec import BadSpecError
from workers.training.policy import Policy

ALL_LINEAR = "all-linear"
NAME = "default"  # peft's, for a model's only adapter


def add_adapters(policy: Policy, lora: LoRASpec, seed: int) -> None:
    """Put adapters into the policy's model, in place, and freeze all else; raises BadSpecError for layers that are not there."""
    from peft import LoraConfig, inject_adapter_in_model

    names = [name.strip() for name in lora.target_modules.split(",")]
    refusal = _refusal(policy, lora)
    config = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        target_modules=ALL_LINEAR if names == [ALL_LINEAR] else names,
        lora_dropout=0.0,
        bias="none",
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            inject_adapter_in_model(config, policy.model)
        except ValueError as error:  # no such layer, or one that is not linear
            raise refusal from error
    if policy.model.get_output_embeddings() in _adapted(policy.model).values():
        raise refusal
    policy.model.eval()


def without_adapters(policy: Policy) -> Policy:
    """Give the model that the stage started from: the same weights, with adapters switched off while it computes."""
    start = copy(policy)
    start.around = partial(_switched_off, list(_adapted(policy.model).values()))
    return start


def merged_weights(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Yield all weights, tied ones under each name, as a checkpoint has them: adapters are added to what they adapt."""
    layers = _adapted(model)
    for name, weight in model.state_dict().items():
        layer, _, rest = name.rpartition(".base_layer.")
        if layer in layers:
            yield f"{layer}.{rest}", _merged(layers[layer], weight) if rest == "weight" else weight
        elif ".lora_" not in name:
            yield name, weight


def _adapted(model: nn.Module) -> dict[str, Any]:
    """Find peft's layers by their names, without importing peft, which costs time where no stage asks for it."""
    return {name: module for name, module in model.named_modules() if hasattr(module, "get_delta_weight")}


@torch.no_grad()
def _merged(layer: Any, weight: Tensor) -> Tensor:
    """Add in float32, and round once; peft would round the adapter's part before."""
    a, b = layer.lora_A[NAME].weight.float(), layer.lora_B[NAME].weight.float()
    delta = layer.scaling[NAME] * (b @ a)
    merged: Tensor = weight.float() + (delta.T if layer.fan_in_fan_out else delta)
    return merged.to(weight.dtype)


@contextmanager
def _switched_off(layers: list[Any]) -> Iterator[None]:
    for layer in layers:
        layer.enable_adapters(False)
    try:
        yield
    finally:
        for layer in layers:
            layer.enable_adapters(True)


def _refusal(policy: Policy, lora: LoRASpec) -> BadSpecError:
    """Say which layers there are, while the model still has its own."""
    head = policy.model.get_output_embeddings()
    found = {
        name.rpartition(".")[2]
        for name, module in policy.model.named_modules()
        if isinstance(module, nn.Linear) and module is not head
    }
    return BadSpecError(
        f"found lora.target_modules '{lora.target_modules}', expected {ALL_LINEAR} or some of: {', '.join(sorted(found))}; "
        "the output head and what is not linear take no adapter"
    )
