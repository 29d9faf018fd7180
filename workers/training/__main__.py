"""Carry out one stage: python -m workers.training STAGE_FOLDER."""

import sys

from workers.training.distributed import is_launched
from workers.training.launcher import launch, processes_wanted
from workers.training.process import Work, run_in_folder


def _import_trainer() -> Work:
    from workers.training.trainer import train

    return train


if __name__ == "__main__":
    n = 1 if is_launched() else processes_wanted(sys.argv)
    sys.exit(launch(sys.argv[1], n) if n > 1 else run_in_folder(sys.argv, _import_trainer))
