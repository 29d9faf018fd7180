"""Peak memory and time of a stage, predicted from its spec and its model's shape before anything starts.

d is the width, L the blocks, q and k the features of all query and key heads, m the feed-forward width, V the vocabulary,
P the parameters, U those that are trained (all, or the adapters'), b the bytes of a number (4, in bfloat16 2), M the tokens of
one micro-batch, N those of them that predict a response token, R the answers sampled at once and S the slots that each has in
the cache.

    torch itself       what Python, torch and transformers take before there is a model; measured
    weights            b P, and b U of adapters
    master weights     4 U in bfloat16
    gradients          4 U
    optimiser state    8 U; with Muon 4 of the blocks' matrices and 8 of the rest
    optimiser step     Muon only: 4 (blocks + 3 x the matrices of the most common shape), while it orthogonalises
    teachers           b P for each that is another one; a frozen reference is one, but for adapters it is the model itself
    reward model       4 P of its own; while it is trained, 12 P more and its activations
    activations        b M (L (6 d + 4 m + 5 q + 4 k) + 2 d + 3 m); b L (2 k + T) (W + T) for each answer of T tokens after
                       a prompt of W that it shares: all keys and values once more, and its mask. With gradient
                       checkpointing those of one block, and b M d for each of the others; with adapters b M L (2 d + 2 m + q + 2 k) more
    logits             4 N V x copies, in chunks of at most LOGITS_AT_ONCE numbers
    KV cache           b (R S + the prompts' tokens) 2 k (L + 1): one block's is copied while it grows; S doubles from
                       FIRST_SLOTS on; 4 R V x copies of logits with it

A step samples, updates, and steps the optimiser. At each of these moments something comes and goes: the cache; gradients,
activations and logits; gradients and the optimiser step. The peak is what always stands, the largest moment, and the share
of the others that the allocator has KEPT. Rollouts are as long as load.py takes them to be.

Time is what the matrix products take at a sustained rate, and a fixed cost for each pass through each block, which is
what small models mostly pay: 2 FLOPs a parameter and token forward, 4 backward; attention adds 4 q L for each token pair.
Where a machine's earlier stages are known, a `Pace` corrects both by what was measured.

Several processes each hold their part of weights, gradients and optimiser state, and a part of the answers; for a moment
they bring together

    layers together    b (2 (P - blocks) + 3 x one block), in the update
    whole weights      b P, while they sample and to save

It leaves out: engines other than torch, Liger's kernels, models whose rows cannot be packed, saving and scoring checkpoints.
docs/estimate.md has the measurements behind the constants.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from workers.catalogue import describe
from workers.footprint import (
    FLOAT,
    ROWS_AT_ONCE,
    master_bytes,
    number_bytes,
    row_bytes,
    together_bytes,
    trained_parameters,
    weight_bytes,
    whole_bytes,
)
from workers.load import DEMONSTRATIONS, Case, Load, Range, load_of, sampling_flops, update_flops
from workers.model_shape import ModelShape
from workers.spec import BEST, GRPOSpec, MOPDSpec, RecipeSpec, RewardModelSpec, SFTSpec, StageSpec

Device = Literal["cpu", "gpu"]
Bytes = dict[str, float]

LOGITS_AT_ONCE = 2**24  # as in training/update.py, which a test compares

CASES: tuple[Case, ...] = ("low", "expected", "high")


@dataclass(frozen=True)
class Pace:
    """How much longer a step takes than the default cost model says; `n_stages` tells how many were measured."""

    low: float
    expected: float
    high: float
    n_stages: int = 0


@dataclass(frozen=True)
class StageEstimate:
    """One stage: peak memory in bytes, what of it stands at the expected peak, and wall time in seconds without scoring.

    Of several processes, memory is that of one on its GPU; on a CPU, that of all together.
    """

    stage: str
    kind: str
    memory: Range
    terms: Bytes
    seconds: Range

    @property
    def dominant(self) -> str:
        """Name the largest term."""
        return max(self.terms, key=lambda name: self.terms[name])


IMPORTS = Range(
    0.33 * 2**30, 0.45 * 2**30, 0.65 * 2**30
)  # 0.1 more where lm-eval is: transformers takes scikit-learn along
KEPT = Range(0, 0.5, 1)  # of what is no longer in use, what the allocator has not given back
SLACK = Range(0.9, 1.05, 1.25)  # padding, and small things that have no term
HEAD_COPIES = {"sft": 5, "grpo": 6, "mopd": 8}
RATES = {"cpu": 30e9, "gpu": 15e12}  # FLOP/s sustained, of one thread or one GPU
SLOW_BFLOAT16 = 15  # times slower on a CPU without instructions for it; 10 to 24 were measured
MORE_THREADS = 0.6  # of its own rate, what each thread after the first adds
PASS_S = {"cpu": 1e-3, "gpu": 0.2e-3}  # of one block, once forward
START_S = Range(1, 3, 15)  # until the first step
DEFAULT_PACE = Pace(0.25, 1.0, 4.0)


def estimate_recipe(
    recipe: RecipeSpec, shape: ModelShape, *, pace_of: Callable[[StageSpec], Pace], device: Device = "cpu"
) -> list[StageEstimate]:
    """Predict every stage of a recipe, in order."""
    return [
        estimate_stage(
            stage, shape, n_teachers=count_teachers(stage, position=position), pace=pace_of(stage), device=device
        )
        for position, stage in enumerate(recipe.stages)
    ]


def estimate_stage(
    stage: StageSpec, shape: ModelShape, *, n_teachers: Range, pace: Pace = DEFAULT_PACE, device: Device = "cpu"
) -> StageEstimate:
    """Predict one stage."""
    peaks = {
        case: _peak(_standing(stage, shape, getattr(n_teachers, case)), _moments(stage, shape, case), case=case)
        for case in CASES
    }
    on_machine = stage.processes if device == "cpu" else 1  # processes that share the memory
    total_s = stage.steps * step_seconds(stage, shape, device=device)
    total_s += _reward_model_seconds(stage, shape, device=device)
    return StageEstimate(
        stage=stage.name,
        kind=stage.kind,
        memory=Range(*(on_machine * sum(peaks[case].values()) for case in CASES)),
        terms={name: on_machine * value for name, value in peaks["expected"].items() if value},
        seconds=START_S + Range(total_s * pace.low, total_s * pace.expected, total_s * pace.high),
    )


def count_teachers(stage: StageSpec, *, position: int) -> Range:
    """Count the frozen models that a stage holds; which ones 'best' will mean is not known yet."""
    if isinstance(stage, GRPOSpec):
        n = float(stage.kl_coefficient > 0 and stage.lora is None)
        return Range(n, n, n)
    if isinstance(stage, SFTSpec):
        return Range(0, 0, 0)
    names = [stage.teacher_of(domain) for domain in stage.domains]
    named = len(set(names) - {BEST})
    earlier = position + 1  # stages before it, and the base
    low, high = max(1, named), min(earlier, named + names.count(BEST))
    return Range(low, (low + max(low, high)) / 2, max(low, high))


def step_seconds(stage: StageSpec, shape: ModelShape, *, device: Device = "cpu") -> float:
    """Predict what one step takes at the default pace, in seconds."""
    load = load_of(stage, "expected")
    forwards = _forwards(stage)
    flops = update_flops(shape, load) / 3 * (forwards - (stage.lora is not None))  # what is frozen needs no gradient
    passes = math.ceil(load.row_tokens / load.batch_tokens) * (forwards + 2 * (stage.lora is not None))
    if not isinstance(stage, SFTSpec):
        flops += sampling_flops(shape, load)
        passes += math.ceil(load.answers / ROWS_AT_ONCE) * (1 + stage.max_response_tokens)  # the longest ends last
    rate = RATES[device]
    if device == "cpu":
        rate *= 1 + MORE_THREADS * (stage.cpu_threads - 1)
        rate /= SLOW_BFLOAT16 if stage.precision == "bfloat16" else 1
    return passes * shape.layers * PASS_S[device] + flops / rate


def _forwards(stage: StageSpec) -> float:
    """Count how many forward passes an update is worth: one, two for the backward pass, and what else goes forward."""
    forwards = 3.0 + stage.gradient_checkpointing
    if isinstance(stage, GRPOSpec):
        forwards += 1 - 1 / stage.updates_per_batch  # what the policy gave before the first of several updates
        forwards += stage.kl_coefficient > 0
    return forwards + isinstance(stage, MOPDSpec)


class TooLargeError(ValueError):
    """A stage needs more memory than there is; the message says how much, of what, and what to do."""


def refuse_if_too_large(found: StageEstimate, memory: float) -> None:
    """Raise TooLargeError where even the low estimate is more than `memory`, in bytes."""
    if found.memory.low > memory:
        raise TooLargeError(
            f"stage '{found.stage}' needs at least {gib(found.memory.low)} of memory, mostly {found.dominant}, and this "
            f"machine has {gib(memory)}; {_REMEDIES.get(found.dominant, 'take a smaller model')}, or use a machine with more "
            "memory"
        )


_REMEDIES = {
    "activations": "turn on gradient_checkpointing, lower micro_batch_tokens or max_response_tokens, or take a smaller model",
    "optimiser state": "train adapters (lora) or take a smaller model",
    "logits": "lower max_response_tokens or take a model with a smaller vocabulary",
    "KV cache": "lower rollouts_per_prompt or max_response_tokens",
    "teachers": "name fewer teachers or take a smaller model",
    "reward model": "lower the reward model's size or its pairs_per_step",
}


def gib(n_bytes: float) -> str:
    """Say how much memory that is."""
    gib = n_bytes / 2**30
    return f"{gib:.1f} GiB" if gib < 99.95 else f"{gib:,.0f} GiB"


# Memory ---------------------------------------------------------------------------------------------------------


def _standing(stage: StageSpec, shape: ModelShape, n_teachers: float) -> Bytes:
    """What is there all the time."""
    own = FLOAT * _reward_shape(stage, shape).parameters if _has_reward_model(stage) else 0.0
    frozen = "teachers" if isinstance(stage, MOPDSpec) else "reference"
    return {
        "weights": weight_bytes(stage, shape) / stage.processes,
        "master weights": master_bytes(stage, shape),
        "optimiser state": _optimizer_bytes(stage, shape) / stage.processes,
        frozen: n_teachers * number_bytes(stage) * shape.parameters,
        "reward model": own,
    }


def _moments(stage: StageSpec, shape: ModelShape, case: Case) -> list[Bytes]:
    """What comes and goes, by the moments that may be the peak."""
    load, gradients = load_of(stage, case), FLOAT * trained_parameters(stage, shape) / stage.processes
    batch = {
        "activations": activation_bytes(stage, shape, load),
        "logits": _logits_bytes(stage, shape, load),
        "layers together": together_bytes(stage, shape),
    }
    whole = {"whole weights": whole_bytes(stage, shape)} if stage.processes > 1 else {}
    moments = [{**batch, "gradients": gradients}, {"gradients": gradients, "optimiser step": _muon_bytes(stage, shape)}]
    if case == "low" and load.row_tokens <= load.batch_tokens:
        moments[0] = batch  # of a single micro-batch, gradients come as activations go
    if not isinstance(stage, SFTSpec):
        moments.append({"KV cache": cache_bytes(stage, shape, load, case=case), **whole})
    elif whole:
        moments.append(whole)  # to save them
    if _has_reward_model(stage):
        moments.append({"reward model's training": _reward_training_bytes(stage, shape)})
    return moments


def _peak(standing: Bytes, moments: list[Bytes], *, case: Case) -> Bytes:
    """Add to what stands the largest moment, and of the others what the allocator kept."""
    largest = max(moments, key=lambda terms: sum(terms.values()))
    kept = {name: getattr(KEPT, case) * value for terms in moments for name, value in terms.items()}
    slack: float = getattr(SLACK, case)
    used = {**standing, **kept, **largest}
    return {"torch itself": getattr(IMPORTS, case), **{name: slack * value for name, value in used.items()}}


def activation_bytes(stage: StageSpec, shape: ModelShape, load: Load) -> float:
    """What one micro-batch keeps for its backward pass, and the gradients of one block's."""
    whole = 1 if stage.gradient_checkpointing else shape.layers  # blocks that keep all
    block = 6 * shape.hidden + 4 * shape.mlp + 5 * shape.queries + 4 * shape.keys
    if stage.lora is not None:  # each layer's output once more, before its adapter's is added: the allocator keeps it
        block += 2 * shape.hidden + 2 * shape.mlp + shape.queries + 2 * shape.keys
    passing = 2 * shape.hidden + 3 * shape.mlp
    branches = load.batch_answers if load.members > 1 and load.batch_answers > 1 else 0  # one alone is a plain row
    copied = branches * (load.prompt + load.response - 1) * 2 * shape.keys
    masks = branches * (load.response - 1) * (load.prompt + load.response - 1)
    inputs = (shape.layers - whole) * shape.hidden
    kept = load.batch_tokens * (whole * block + inputs + passing) + whole * (copied + masks)
    return number_bytes(stage) * kept


def cache_bytes(stage: StageSpec, shape: ModelShape, load: Load, *, case: Case) -> float:
    """What the sampler holds at its longest; where memory is short, one group after the other."""
    rows = load.members if case == "low" else min(load.answers, max(load.members, ROWS_AT_ONCE))
    number = number_bytes(stage)
    return rows * row_bytes(shape, prompt=load.prompt, response=load.response, members=load.members, number=number)


def _logits_bytes(stage: StageSpec, shape: ModelShape, load: Load) -> float:
    tokens = min(load.batch_answers * load.response, max(1, LOGITS_AT_ONCE // shape.vocabulary))
    return FLOAT * tokens * shape.vocabulary * HEAD_COPIES[stage.kind]


def _optimizer_bytes(stage: StageSpec, shape: ModelShape) -> float:
    by_muon = shape.block_parameters if stage.optimizer == "muon" else 0
    return FLOAT * (2 * trained_parameters(stage, shape) - by_muon)


def _muon_bytes(stage: StageSpec, shape: ModelShape) -> float:
    if stage.optimizer != "muon":
        return 0.0
    alike = shape.layers * shape.hidden * max(3 * shape.mlp, 2 * (shape.queries + shape.keys))
    return FLOAT * (shape.block_parameters + 3 * alike)


# The reward model -----------------------------------------------------------------------------------------------


def _has_reward_model(stage: StageSpec) -> bool:
    learned = any(describe(name).learned_reward for name in stage.domains)
    return isinstance(stage, GRPOSpec) and isinstance(stage.reward_model, RewardModelSpec) and learned


def _reward_shape(stage: StageSpec, shape: ModelShape) -> ModelShape:
    assert isinstance(stage, GRPOSpec)
    assert isinstance(stage.reward_model, RewardModelSpec)
    width = stage.reward_model.hidden_size
    return ModelShape(shape.vocabulary, width, stage.reward_model.layers, 4, 4, width // 4, 2 * width, is_tied=True)


def _pairs(stage: StageSpec) -> Load:
    """A step of the reward model: all its pairs run before one backward pass."""
    assert isinstance(stage, GRPOSpec)
    assert isinstance(stage.reward_model, RewardModelSpec)
    return Load(stage.reward_model.pairs_per_step, 2, 10, DEMONSTRATIONS.expected)


def _reward_training_bytes(stage: StageSpec, shape: ModelShape) -> float:
    own, load = _reward_shape(stage, shape), _pairs(stage)
    block = 6 * own.hidden + 4 * own.mlp + 5 * own.queries + 4 * own.keys
    return FLOAT * (3 * own.parameters + load.row_tokens * own.layers * block)


def _reward_model_seconds(stage: StageSpec, shape: ModelShape, *, device: Device) -> float:
    if not _has_reward_model(stage):
        return 0.0
    assert isinstance(stage, GRPOSpec)
    assert isinstance(stage.reward_model, RewardModelSpec)
    own, load = _reward_shape(stage, shape), _pairs(stage)
    flops = 6 * own.block_parameters * load.row_tokens
    return stage.reward_model.steps * (3 * own.layers * PASS_S[device] + flops / RATES[device])
