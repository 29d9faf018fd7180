"""Where randomness comes from: every generator is seeded by the run's seed and the names of what it is for.

A step's generators depend on nothing that came before the step, so a resumed stage needs no saved random state to go
on bit for bit, and drawing more in one place disturbs no other.
"""

import hashlib
import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def python_rng(seed: int, *names: str | int) -> random.Random:
    """Seed a generator of problems and demonstrations."""
    return random.Random(seed_of(seed, *names))


def torch_rng(seed: int, *names: str | int) -> "torch.Generator":
    """Seed a generator of sampled tokens; it lives on the CPU, so that a GPU draws the same numbers."""
    import torch

    return torch.Generator().manual_seed(seed_of(seed, *names))


def seed_of(seed: int, *names: str | int) -> int:
    """Mix a run's seed with names into 63 bits."""
    text = "/".join(str(part) for part in (seed, *names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
