"""How many numbers of a stage's model are trained, and in how many bytes the model's numbers stand: precision and adapters.

d is the width, L the blocks, q and k the features of all query and key heads, m the feed-forward width. A layer of n inputs
and o outputs has an adapter of rank x (n + o) parameters.
"""

import math

from workers.model_shape import ModelShape
from workers.spec import LoRASpec, StageSpec

FLOAT = 4  # bytes of what an optimiser works on, and of logits
NUMBER = {"float32": 4, "bfloat16": 2}  # bytes

ROWS_AT_ONCE = 1024  # answers in flight at most
FIRST_SLOTS = 32  # tokens of an answer that the cache has space for at first
SAMPLER_COPIES = 7  # logits, log-probs, probabilities, and cumulated ones in float64


def number_bytes(stage: StageSpec) -> int:
    """Tell the bytes of a weight, an activation, or a key while the model computes."""
    return NUMBER[stage.precision]


def trained_parameters(stage: StageSpec, shape: ModelShape) -> int:
    """Count what has a gradient and a place in the optimiser's state."""
    return shape.parameters if stage.lora is None else adapter_parameters(stage.lora, shape)


def adapter_parameters(lora: LoRASpec, shape: ModelShape) -> int:
    """Count the parameters of all adapters; names of layers that are not Llama's count as all layers."""
    d, q, k, m = shape.hidden, shape.queries, shape.keys, shape.mlp
    sizes = {
        "q_proj": d + q, "k_proj": d + k, "v_proj": d + k, "o_proj": q + d,
        "gate_proj": d + m, "up_proj": d + m, "down_proj": m + d,
    }  # fmt: skip
    names = {name.strip() for name in lora.target_modules.split(",")}
    adapted = names if names <= sizes.keys() else sizes.keys()
    return shape.layers * lora.rank * sum(sizes[name] for name in adapted)


def weight_bytes(stage: StageSpec, shape: ModelShape) -> float:
    """What the model's weights take, adapters included, without masters; of several processes, in all of them."""
    adapters = 0 if stage.lora is None else adapter_parameters(stage.lora, shape)
    trained = trained_parameters(stage, shape)
    of_trained = FLOAT if stage.processes > 1 else number_bytes(stage)
    return float(of_trained * trained + number_bytes(stage) * (shape.parameters + adapters - trained))


def master_bytes(stage: StageSpec, shape: ModelShape) -> float:
    """What the float32 masters take beside the weights; in float32, or where several processes split them, these are their own."""
    if stage.precision == "float32" or stage.processes > 1:
        return 0.0
    return float(FLOAT * trained_parameters(stage, shape))


def together_bytes(stage: StageSpec, shape: ModelShape) -> float:
    """What each of several processes brings together to compute: embedding and head with gradients, two blocks, one's gradients."""
    if stage.processes == 1:
        return 0.0
    outer, block = shape.parameters - shape.block_parameters, shape.block_parameters / shape.layers
    return number_bytes(stage) * (2 * outer + 3 * block)


def whole_bytes(stage: StageSpec, shape: ModelShape) -> float:
    """What all weights take in one process."""
    return float(number_bytes(stage) * shape.parameters)


def row_bytes(shape: ModelShape, *, prompt: float, response: float, members: int, number: int) -> float:
    """What an answer takes while it is sampled: its keys and values, its share of its prompt's, the logits of a step.

    Slots of the cache are doubled from FIRST_SLOTS on until `response` tokens fit; one block's are copied while they grow.
    """
    slots = FIRST_SLOTS * 2.0 ** math.ceil(math.log2(max(1.0, response / FIRST_SLOTS)))
    cache = number * (slots + prompt / members) * 2 * shape.keys * (shape.layers + 1)
    return cache + FLOAT * SAMPLER_COPIES * shape.vocabulary
