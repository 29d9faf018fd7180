"""Carry out one stage: python -m workers.training STAGE_FOLDER."""

import sys

from workers.training.process import Work, run_in_folder


def _import_trainer() -> Work:
    from workers.training.trainer import train

    return train


if __name__ == "__main__":
    sys.exit(run_in_folder(sys.argv, _import_trainer))
