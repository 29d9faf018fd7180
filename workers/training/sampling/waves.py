"""How many groups are sampled at once: as many as a share of the memory has room for, known before the first token.

What an answer takes is counted as in the estimate before launch (footprint.py). The share is of all the memory there is,
not of what happens to be free, so that the same machine always makes the same waves. At least one group is sampled.
"""

from workers.footprint import ROWS_AT_ONCE, row_bytes
from workers.model_shape import ModelShape, UnknownShapeError, shape_in
from workers.training.distributed import n_processes
from workers.training.memory import device_bytes
from workers.training.policy import Policy

SHARE = 0.25  # of the memory; the weights, their gradients and the optimiser's state have the rest


def groups_at_once(policy: Policy, prompt: int, response: int, n_per_prompt: int) -> int:
    """Count the groups of a wave; `prompt` and `response` are the longest, in tokens."""
    try:
        shape = shape_in(policy.model.config.to_dict(), "the model")
    except UnknownShapeError:
        return max(1, ROWS_AT_ONCE // n_per_prompt)
    return max(1, rows_at_once(policy, shape, prompt, response, n_per_prompt) // n_per_prompt)


def rows_at_once(policy: Policy, shape: ModelShape, prompt: int, response: int, n_per_prompt: int) -> int:
    """Count the answers of a wave: at most ROWS_AT_ONCE, beyond which a token costs no less."""
    members = n_per_prompt if policy.can_pack else 1  # else each has its prompt's keys and values to itself
    number = policy.model.dtype.itemsize
    each = row_bytes(shape, prompt=prompt, response=response, members=members, number=number)
    sharing = n_processes() if policy.device.type == "cpu" else 1
    return min(ROWS_AT_ONCE, int(SHARE * device_bytes() / sharing / each))
