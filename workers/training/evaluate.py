"""Score one checkpoint on benchmarks: python -m workers.training.evaluate SCORING_FOLDER.

Each benchmark's validation and test problems are sampled and graded with generators of their own, so scores depend on
the checkpoint, the benchmark and the run's seed, and on nothing else. What scores.jsonl already holds is not repeated.
Validation comes first: a stage that chooses its teachers by it need not wait for the rest.
"""

import os
import sys
import time
from collections.abc import Mapping
from statistics import fmean
from typing import TYPE_CHECKING, Literal

from workers.spec import BenchmarkSpec, ScoringSpec
from workers.stage_dir import ItemRecord, Outcome, ScoreRecord, StageDir, append_record, keep_whole_records
from workers.training.process import StopRequest, Work, run_in_folder

if TYPE_CHECKING:
    from workers.training.policy import Policy
    from workers.training.rollouts import Rollout
    from workers.training.sampling import Sampler

Split = Literal["validation", "test"]
SPLITS: tuple[Split, ...] = ("validation", "test")


def score(folder: StageDir, stop: StopRequest) -> Outcome:
    """Score the checkpoint of a scoring folder on all that is not scored yet."""
    from workers.training.checkpoints import load_checkpoint
    from workers.training.domains import add_data
    from workers.training.policy import set_up_torch
    from workers.training.record import Reporter
    from workers.training.sampling import make_sampler

    set_up_torch()
    spec = ScoringSpec.model_validate_json(folder.spec.read_text())
    wanted = [(benchmark, split) for split in SPLITS for benchmark in spec.benchmarks]
    scored = {(record.domain, record.split) for record in keep_whole_records(folder.scores, ScoreRecord)}
    report = Reporter(folder, len(wanted))
    report.tell("load", now=True)
    add_data({name: folder.path / data for name, data in spec.data_folders.items()})
    policy = load_checkpoint(folder.path / spec.checkpoint_folder)
    sampler = make_sampler(policy)
    report.begin_steps(0)
    for benchmark, split in wanted:
        if stop.is_set():
            return Outcome(status="stopped", step=report.step)
        if (benchmark.domain, split) not in scored:
            report.tell(f"score {benchmark.domain}")
            started = time.perf_counter()
            record = score_benchmark(policy, sampler, benchmark, split, spec.seed)
            append_record(folder.scores, with_rows(record, spec.digests))
            print(f"{benchmark.domain} {split}: {record.mean:.3f} in {time.perf_counter() - started:.2f} s", flush=True)
        report.step += 1
    return Outcome(status="done", step=len(wanted))


def with_rows(record: ScoreRecord, digests: Mapping[str, str]) -> ScoreRecord:
    """Say of a data set's score which rows it is about: other rows are another benchmark."""
    digest = digests.get(record.domain)
    return record.model_copy(update={"protocol": {**record.protocol, "rows": digest[:16]}}) if digest else record


def score_benchmark(
    policy: "Policy",
    sampler: "Sampler",
    benchmark: BenchmarkSpec,
    split: Split,
    seed: int,
    *,
    k: int | None = None,
    after: int = 0,
) -> ScoreRecord:
    """Sample k answers to each problem of a split, by default as many as the benchmark asks for, and grade them.

    after: answers per problem that are there already; whatever it is, these are others.
    """
    from workers.training.domains import benchmark_problems, domain_of
    from workers.training.sampling import grade_rollouts, sample_rollouts
    from workers.training.seeds import torch_rng

    n_problems = benchmark.n_problems if split == "test" else benchmark.n_validation
    problems = benchmark_problems(benchmark.domain, split, n_problems)
    generator = torch_rng(seed, "score", benchmark.domain, split, *(("after", after) if after else ()))
    k = k or benchmark.samples_per_problem
    policy.check_thinking(benchmark.thinking, f"the benchmark of {benchmark.domain}")
    rollouts = sample_rollouts(policy, sampler, problems, k, benchmark, generator, thinking=benchmark.thinking)
    grade_rollouts(rollouts)
    items = [_item(number, rollouts[number * k : (number + 1) * k]) for number in range(n_problems)]
    return ScoreRecord(
        domain=benchmark.domain,
        split=split,
        version=domain_of(benchmark.domain).VERSION,
        protocol=_protocol(benchmark, n_problems),
        samples=k,
        after=after,
        mean=fmean(item.value for item in items),
        items=items,
    )


def _item(number: int, samples: "list[Rollout]") -> ItemRecord:
    problem = samples[0].problem
    return ItemRecord(
        item=number,
        key=problem.key,
        prompt=problem.prompt,
        value=fmean(sample.grade.value for sample in samples),
        grades=[sample.grade.value for sample in samples],
        response=samples[0].text,
        n_tokens=fmean(len(sample.token_ids) for sample in samples),
        n_truncated=sum(sample.is_truncated for sample in samples),
        parts=samples[0].grade.parts,
    )


def _protocol(benchmark: BenchmarkSpec, n_problems: int) -> dict[str, float | int | str]:
    """Say how a score came about; scores with different protocols are never compared.

    What a benchmark does not set is left out, so that scores from before there was such a setting stay comparable.
    """
    switch = {} if benchmark.thinking is None else {"thinking": "on" if benchmark.thinking else "off"}
    return {
        **switch,
        "n_problems": n_problems,
        "temperature": benchmark.temperature,
        "top_p": benchmark.top_p,
        "max_response_tokens": benchmark.max_response_tokens,
    }


def _import_scorer() -> Work:
    return score


if __name__ == "__main__":
    os.nice(10)  # training goes first where cores are few: of stages, only some wait for scores
    sys.exit(run_in_folder(sys.argv, _import_scorer))
