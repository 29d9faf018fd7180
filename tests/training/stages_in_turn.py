"""Carry out stages one after the other in the same processes, which saves their imports: run by torchrun."""

import sys
from pathlib import Path

from workers.stage_dir import StageDir
from workers.training import trainer
from workers.training.process import StopRequest, carry_out

if __name__ == "__main__":
    stop = StopRequest()
    for folder in sys.argv[1:]:
        carry_out(StageDir(Path(folder)), stop, lambda: trainer.train)
        trainer.join = lambda stage: None  # they have met
