"""Measure what a GRPO step costs against answer length, group size and batch, beside what its FLOPs alone would take.

    python -m bench.scaling [--turns 3]

The floor is the FLOPs of the shared computation (a group's prompt once, in sampling and in training) at the rate of this
machine's matrix products, measured in turns with the steps. Costs are CPU seconds of one thread, medians over turns; they
should follow the floor: linear in answers and prompts, and in length but for attention. Writes bench/results/scaling.md.
"""

import argparse
from pathlib import Path

from bench.cases import MODELS, Case
from bench.ours import SGEMM_FLOPS
from bench.turns import Side, compare, ratio
from workers.launch import SETTINGS
from workers.load import Load, sampling_flops, update_flops
from workers.model_shape import shape_of

RESULTS = Path(__file__).resolve().parent / "results" / "scaling.md"
SERIES = {
    "tokens an answer": [Case("0.8 M", 4, 8, 32, n) for n in (32, 64, 128, 256, 512, 1024)],
    "answers a prompt": [Case("0.8 M", 16, n, 32, 32) for n in (2, 4, 8, 16, 32)],
    "prompts a step": [Case("0.8 M", n, 8, 32, 32) for n in (4, 8, 16, 32, 64)],
}
HEAD = """\
# What a GRPO step costs

`.venv/bin/python -m bench.scaling`, one thread. Floor: the step's FLOPs at the rate of 1,024 x 1,024 matrix products, measured
in turns with it. CPU seconds, medians over turns.

| what grows | model and batch | sampling, s | step, s | step, µs an answer token | floor, s | share of the floor |
|---|---|---:|---:|---:|---:|---:|
"""


def main() -> None:
    """Measure every case and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=3)
    arguments = parser.parse_args()
    rows = [line(what, case, arguments.turns) for what, cases in SERIES.items() for case in cases]
    RESULTS.write_text(HEAD + "\n".join(rows) + "\n")


def line(what: str, case: Case, turns: int) -> str:
    """Measure one case: a row of the table."""
    sides = [Side.start(name, case.to_json(), settings=SETTINGS) for name in ("sgemm", "sampler", "grpo")]
    compare(sides, turns, n_warm_up=1)
    product, sampler, step = sides
    floor_s = flops_of(case) / SGEMM_FLOPS * product.median("cpu")
    per_token = step.median("cpu") / (case.n_prompts * case.n_rollouts * case.response_tokens)
    found = (
        f"| {what} | {case.title} | {sampler.median('cpu'):.2f} | {step.median('cpu'):.2f} | {per_token * 1e6:.0f} "
        f"| {floor_s:.2f} | {flops_of(case) / SGEMM_FLOPS * ratio(product, step, 'cpu'):.0%} |"
    )
    print(found, flush=True)
    return found


def flops_of(case: Case) -> float:
    """Count the FLOPs of sampling a step's answers and of the update on them."""
    shape = shape_of(MODELS[case.model], Path())
    load = Load(case.n_prompts, case.n_rollouts, case.prompt_tokens, case.response_tokens)
    return sampling_flops(shape, load) + update_flops(shape, load)


if __name__ == "__main__":
    main()
