"""Several processes that train one model (torchrun): who does what, how they agree, and whose weights are where.

All of them draw the same problems and know all rollouts, so each makes the same decisions; what is long is split. Each
samples and grades its share of the answers, and runs its share of the micro-batches forward and backward. The weights,
their gradients and the optimiser's state are split by FSDP2: a layer is brought together only while it is computed. The
first process alone writes.

A process on its own finds every function here does nothing, and torch.distributed is never touched. Frozen models,
teachers and references, are whole in each process: rollouts of different ones run at the same time.

It imports no torch of itself: a process asks who it is before it sets what torch reads when it is imported.
"""

import atexit
import ctypes
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from datetime import timedelta
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar

from workers.machine import refuse_if_too_few_gpus

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from workers.training.policy import Policy

T = TypeVar("T")
R = TypeVar("R")

PATIENCE = timedelta(minutes=30)  # for a process that is alive but does not come: one may sample for long
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of prctl(2)


def is_launched() -> bool:
    """Tell whether torchrun started this process; what other launchers say of themselves counts for nothing."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def n_processes() -> int:
    """Count the processes that train together; without torchrun, one."""
    return int(os.environ["WORLD_SIZE"]) if is_launched() else 1


def number() -> int:
    """Say which of the processes this one is, from 0."""
    return int(os.environ["RANK"]) if n_processes() > 1 else 0


def is_first() -> bool:
    """Tell whether this process is the one that writes: records, checkpoints, the outcome."""
    return number() == 0


def join(stage: str) -> None:
    """Meet the other processes of a stage; each takes the GPU of its number. Raises TooLargeError if there are too few."""
    if n_processes() == 1:
        return
    import torch
    from torch import distributed

    backend = "gloo"
    if torch.cuda.is_available():
        refuse_if_too_few_gpus(stage, n_processes(), torch.cuda.device_count())
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        backend = "cpu:gloo,cuda:nccl"
    # A launcher that is killed takes its processes along: they have sessions of their own, so no signal to it does.
    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # they are all on this machine
    distributed.init_process_group(backend, timeout=PATIENCE)
    atexit.register(_part)


def _part() -> None:
    """Leave the other processes, unless an engine that came along has cleared away everything already."""
    from torch import distributed

    if distributed.is_initialized():
        distributed.destroy_process_group()


# Agreement ------------------------------------------------------------------------------------------------------


def gather(value: T) -> list[T]:
    """Give everybody what each process has, in the order of their numbers."""
    if n_processes() == 1:
        return [value]
    from torch import distributed

    values: list[Any] = [None] * n_processes()
    distributed.all_gather_object(values, value)
    return values


def anyone(fact: bool) -> bool:
    """Tell whether it is so in any process: then all do the same about it."""
    return any(gather(fact))


def by_first(act: Callable[[], T]) -> T:
    """Have the first process do what only one may do; everybody gets what it returns, or its error."""
    value, error = None, None
    if is_first():
        try:
            value = act()
        except Exception as found:
            error = found
    value, error = gather((value, error))[0]
    if error is not None:
        raise error
    return value  # type: ignore[return-value]


def split_work(items: list[T], work: Callable[[list[T]], list[R]]) -> list[R]:
    """Have each process work on its part of a list; everybody gets all that comes out, in order."""
    first, end = (len(items) * n // n_processes() for n in (number(), number() + 1))
    return list(chain.from_iterable(gather(work(items[first:end]))))


def own_share(items: list[T], size: Callable[[T], float]) -> list[T]:
    """Deal items out, the largest first and to whom has least so far; returns this process's."""
    if n_processes() == 1:
        return items
    filled, own = [0.0] * n_processes(), []
    for item in sorted(items, key=size, reverse=True):
        taker = filled.index(min(filled))
        filled[taker] += size(item)
        if taker == number():
            own.append(item)
    return own


# Weights --------------------------------------------------------------------------------------------------------


def shard(policy: "Policy", dtype: "torch.dtype") -> None:
    """Split a policy's weights among the processes: each block of layers on its own, embedding and head together.

    They compute in `dtype`. Gradients are summed up in float32, not averaged: the weights of the loss are those of the
    whole batch.
    """
    if n_processes() == 1:
        return
    import torch
    from torch import nn
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard

    from workers.training.policy import Policy

    room = {id(p): nn.Parameter(p.new_empty(0, dtype=dtype), requires_grad=False) for p in policy.model.parameters()}
    policy.replica = Policy(deepcopy(policy.model, room), policy.tokenizer)  # shares nothing, and holds no weights yet
    mesh = init_device_mesh(policy.device.type, (n_processes(),))
    rounding = MixedPrecisionPolicy(param_dtype=dtype, reduce_dtype=torch.float32)
    blocks = set(getattr(policy.model, "_no_split_modules", None) or ())  # by their class, as transformers names them
    for module in policy.model.modules():
        if type(module).__name__ in blocks:
            fully_shard(module, mesh=mesh, mp_policy=rounding)
    fully_shard(policy.body, mesh=mesh, mp_policy=rounding)
    for module in policy.body.modules():
        if isinstance(module, FSDPModule):
            module.set_gradient_divide_factor(1.0)
            module.set_force_sum_reduction_for_comms(True)  # gloo knows no factors


@contextmanager
def whole(policy: "Policy") -> Iterator["Policy"]:
    """Give a policy with all weights in this process: itself, or a copy that holds them for as long as this lasts.

    All processes have to ask at the same time.
    """
    if policy.replica is None:
        yield policy
        return
    rooms = list(policy.replica.model.parameters())
    for room, parameter in zip(rooms, policy.model.parameters(), strict=True):
        room.data = full(parameter.detach()).to(room.dtype)
    yield policy.replica
    for room in rooms:
        room.data = room.new_empty(0)


def is_split(model: "torch.nn.Module") -> bool:
    """Tell whether a model's weights are parts of those of several processes."""
    return any(hasattr(parameter, "full_tensor") for parameter in model.parameters())


def full(tensor: "Tensor") -> "Tensor":
    """Bring a tensor together that is split among the processes; any other is whole already."""
    together: Callable[[], Tensor] | None = getattr(tensor, "full_tensor", None)
    return tensor if together is None else together()


def like(parameter: "Tensor", value: "Tensor") -> "Tensor":
    """Split a whole value of a parameter as the parameter is split; what is not of its shape stays as it is."""
    mesh = getattr(parameter, "device_mesh", None)
    if mesh is None or value.shape != parameter.shape:
        return value
    from torch.distributed.tensor import DTensor, distribute_tensor

    assert isinstance(parameter, DTensor)
    # No source: everybody has the value, so each takes its part and nothing is sent.
    return distribute_tensor(value.to(parameter.device), mesh, parameter.placements, src_data_rank=None)
