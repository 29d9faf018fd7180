"""Measure the trainer and the sampler beside TRL and transformers, on the same model, prompts, lengths and batch.

    python -m bench.engine [--turns 5]

Both sides are processes of one thread that take turns, step by step, so that a busy machine slows both alike. Ratios are of
CPU seconds, medians over turns; wall seconds stand beside them. Ours is started as a worker starts it, with the settings of
`workers/launch.py`, of which a peer as it comes has none; two rows give the peer the same. Writes bench/results/engine.md.
"""

import argparse
import os
import platform
from pathlib import Path

from bench.cases import Case
from bench.turns import Side, compare, ratio
from workers.launch import SETTINGS

RESULTS = Path(__file__).resolve().parent / "results" / "engine.md"
SHORT = [Case(model, 16, 8, 32, 32) for model in ("0.8 M", "3.2 M")]
LONG_PROMPTS = Case("0.8 M", 16, 16, 256, 32)
TUNED = "trl-grpo, tuned"  # the peer in an environment like ours
PAIRS = [
    *(("GRPO step", "trl-grpo", "grpo", case) for case in (*SHORT, LONG_PROMPTS)),
    *(("MOPD step", "trl-distillation", "mopd", case) for case in SHORT),
    *(("sampling", "generate", "sampler", case) for case in SHORT),
    *(("GRPO step", TUNED, "grpo", case) for case in SHORT),
]
PEERS = {
    "trl-grpo": "TRL's GRPOTrainer",
    TUNED: "TRL's GRPOTrainer, started with our settings",
    "trl-distillation": "TRL's DistillationTrainer",
    "generate": "transformers' generate",
}
HEAD = f"""\
# The engine beside its peers

`.venv/bin/python -m bench.engine` on {os.cpu_count()} cores ({platform.machine()}), one thread a side. Ratio: the peer's CPU seconds over ours,
medians over turns. Ours as a worker starts it, a peer as it comes, but where it says otherwise. Memory: peak above what the imports took, in MB.

| what | model and batch | peer | peer, s (wall) | ours, s (wall) | ratio | memory: peer | ours |
|---|---|---|---|---|---|---|---|
"""


def main() -> None:
    """Compare every pair and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=5)
    arguments = parser.parse_args()
    rows = [line(what, theirs, ours, case, arguments.turns) for what, theirs, ours, case in PAIRS]
    RESULTS.write_text(HEAD + "\n".join(rows) + "\n")


def line(what: str, theirs: str, ours: str, case: Case, turns: int) -> str:
    """Compare two sides on one case: a row of the table."""
    peer_settings = SETTINGS if theirs == TUNED else {}
    sides = [
        Side.start(theirs.removesuffix(", tuned"), case.to_json(), settings=peer_settings),
        Side.start(ours, case.to_json(), settings=SETTINGS),
    ]
    compare(sides, turns)
    peer, own = sides
    found = (
        f"| {what} | {case.title} | {PEERS[theirs]} | {peer.median('cpu'):.2f} ({peer.median('wall'):.2f}) "
        f"| {own.median('cpu'):.2f} ({own.median('wall'):.2f}) | {ratio(peer, own, 'cpu'):.2f} "
        f"| {peer.median('memory'):.0f} | {own.median('memory'):.0f} |"
    )
    print(found, flush=True)
    return found


if __name__ == "__main__":
    main()
