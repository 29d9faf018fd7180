"""What each process of a comparison does: `python -m bench.sides SIDE CASE`, started by `bench.turns`."""

import sys
from collections.abc import Callable

import torch

from bench import ours, peers
from bench.cases import Case
from bench.turns import Turns

SIDES: dict[str, Callable[[Case, Turns], None]] = {
    "grpo": ours.grpo,
    "mopd": ours.mopd,
    "sampler": ours.sampler,
    "sgemm": ours.sgemm,
    "trl-grpo": peers.grpo,
    "trl-distillation": peers.distillation,
    "generate": peers.generate,
}


def main() -> None:
    """Take the turns of one side."""
    torch.set_num_threads(1)
    SIDES[sys.argv[1]](Case.from_json(sys.argv[2]), Turns())


if __name__ == "__main__":
    main()
