"""Score one checkpoint on benchmarks: python -m workers.training.evaluate SCORING_FOLDER.

Each benchmark's validation and test problems are sampled and graded with generators of their own, so scores depend on
the checkpoint, the benchmark and the run's seed, and on nothing else. What scores.jsonl already holds is not repeated.
Validation comes first: a stage that chooses its teachers by it need not wait for the rest. Tasks of the lm-evaluation-harness
come last, with the model loaded as the harness has it (lm_tasks.py).
"""

import os
import sys
import time
from collections.abc import Mapping
from statistics import fmean
from typing import TYPE_CHECKING, Any, Literal

from workers.metrics import name_metric, value_of
from workers.spec import BenchmarkSpec, ScoringSpec, TaskBenchmarkSpec
from workers.stage_dir import ItemRecord, Outcome, ScoreRecord, StageDir, append_record, keep_whole_records
from workers.task_spec import TaskError
from workers.training.process import StopRequest, Work, run_in_folder

if TYPE_CHECKING:
    from workers.training.policy import Policy
    from workers.training.record import Reporter
    from workers.training.rollouts import Rollout
    from workers.training.sampling import Sampler

Split = Literal["validation", "test"]
Protocol = dict[str, float | int | str]
SPLITS: tuple[Split, ...] = ("validation", "test")


def score(folder: StageDir, stop: StopRequest) -> Outcome:
    """Score the checkpoint of a scoring folder on all that is not scored yet."""
    from workers.training.judge import take_judges
    from workers.training.policy import set_up_torch
    from workers.training.record import Reporter

    set_up_torch()
    spec = ScoringSpec.model_validate_json(folder.spec.read_text())
    scored = {(record.domain, record.split) for record in keep_whole_records(folder.scores, ScoreRecord)}
    wanted = [(benchmark, split) for split in SPLITS for benchmark in spec.benchmarks]
    report = Reporter(folder, len(wanted))
    report.tell("load", now=True)
    take_judges(folder, [spec.judge] if spec.judge else [], of_recipe=spec.judge)
    ask_domain, ask_task = (
        [(asked, split) for asked, split in wanted if isinstance(asked, TaskBenchmarkSpec) == is_task]
        for is_task in (False, True)
    )
    missing = [(asked, split) for asked, split in ask_domain if (asked.domain, split) not in scored]
    report.step = len(ask_domain) - len(missing)
    if not _score_domains(folder, spec, missing, report, stop):
        return Outcome(status="stopped", step=report.step)
    tasks = [(asked, split) for asked, split in ask_task if (asked.domain, split) not in scored]
    report.step = len(wanted) - len(tasks)
    return _score_tasks(folder, spec, tasks, report, stop) if tasks else Outcome(status="done", step=len(wanted))


def _score_domains(
    folder: StageDir, spec: ScoringSpec, wanted: list[Any], report: "Reporter", stop: StopRequest
) -> bool:
    """Sample and grade answers to problems of domains; False if stopped before the end."""
    from workers.training.checkpoints import load_checkpoint
    from workers.training.domains import add_data
    from workers.training.sampling import make_sampler

    if not wanted:
        return True
    add_data({name: folder.path / data for name, data in spec.data_folders.items()})
    policy = load_checkpoint(folder.path / spec.checkpoint_folder)
    sampler = make_sampler(policy)
    report.begin_steps(report.step)
    for benchmark, split in wanted:
        if stop.is_set():
            return False
        report.tell(f"score {benchmark.domain}")
        started = time.perf_counter()
        record = score_benchmark(policy, sampler, benchmark, split, spec.seed)
        append_record(folder.scores, with_rows(record, spec.digests))
        _print(record, started)
        report.step += 1
    return True


def _score_tasks(
    folder: StageDir, spec: ScoringSpec, wanted: list[Any], report: "Reporter", stop: StopRequest
) -> Outcome:
    """Have the harness ask its tasks, with the model as it loads it; a task that cannot be asked costs itself only."""
    from workers.training.lm_tasks import Harness, StoppedError

    asked_now = ""

    def meanwhile(n_done: int, n_asked: int) -> None:
        if stop.is_set():
            raise StoppedError
        report.tell(f"score {asked_now[:30]}: {n_done:,} of {n_asked:,}")

    harness = Harness((folder.path / spec.checkpoint_folder).resolve(), spec.tasks, meanwhile=meanwhile)
    report.begin_steps(report.step)
    refused: dict[str, str] = {}
    for benchmark, split in wanted:
        asked_now, started = benchmark.domain, time.perf_counter()
        try:
            record = None if asked_now in refused else harness.score(benchmark, split)
        except StoppedError:
            return Outcome(status="stopped", step=report.step)
        except TaskError as error:
            print(f"{asked_now}: {error}", flush=True)
            refused[asked_now] = str(error)
            record = None
        if record is not None:
            append_record(folder.scores, record)
            _print(record, started)
        report.step += 1
    if refused:
        reason = "; ".join(f"{domain}: {words}" for domain, words in refused.items())
        return Outcome(status="failed", code="bad_task", reason=reason, step=report.step)
    return Outcome(status="done", step=report.step)


def _print(record: ScoreRecord, started: float) -> None:
    print(f"{record.domain} {record.split}: {record.mean:.3f} in {time.perf_counter() - started:.2f} s", flush=True)


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

    k: with one generator, whatever `seeds` the benchmark has. after: answers per problem that are there already; whatever
    it is, these are others.
    """
    from workers.training.domains import benchmark_problems, domain_of, judge_of
    from workers.training.judge import check_judged, take_counts
    from workers.training.sampling import grade_rollouts, sample_rollouts
    from workers.training.seeds import torch_rng

    n_problems = benchmark.n_problems if split == "test" else benchmark.n_validation
    problems = benchmark_problems(benchmark.domain, split, n_problems)
    protocol = {**_protocol(benchmark, n_problems), **judge_of(benchmark.domain)}
    n_each = k or benchmark.samples_per_problem
    answers: list[list[Rollout]] = [[] for _ in problems]
    policy.check_thinking(benchmark.thinking, f"the benchmark of {benchmark.domain}")
    for number in range(1 if k else benchmark.seeds):
        which = ("after", after) if after else ("seed", number) if number else ()
        generator = torch_rng(seed, "score", benchmark.domain, split, *which)
        rollouts = sample_rollouts(policy, sampler, problems, n_each, benchmark, generator, thinking=benchmark.thinking)
        grade_rollouts(rollouts, in_benchmark=True)
        for row, rollout in enumerate(rollouts):
            answers[row // n_each].append(rollout)
    check_judged([rollout.grade for samples in answers for rollout in samples])
    items = [_item(number, samples, protocol) for number, samples in enumerate(answers)]
    return ScoreRecord(
        domain=benchmark.domain,
        split=split,
        version=domain_of(benchmark.domain).VERSION,
        protocol=protocol,
        samples=len(answers[0]),
        after=after,
        mean=fmean(item.value for item in items),
        items=items,
        judge={name: n for name, n in take_counts().items() if n},
    )


def _item(number: int, samples: "list[Rollout]", protocol: Protocol) -> ItemRecord:
    problem, grades = samples[0].problem, [sample.grade.value for sample in samples]
    return ItemRecord(
        item=number,
        key=problem.key,
        prompt=problem.prompt,
        value=value_of(grades, protocol),
        grades=grades,
        response=samples[0].text,
        n_tokens=fmean(len(sample.token_ids) for sample in samples),
        n_truncated=sum(sample.is_truncated for sample in samples),
        parts=samples[0].grade.parts,
    )


def _protocol(benchmark: BenchmarkSpec, n_problems: int) -> Protocol:
    """Say how a score came about; scores with different protocols are never compared.

    The mean goes without a name, and what a benchmark does not set is left out, so that scores from before there were such
    settings stay comparable.
    """
    named = name_metric(benchmark.metric, benchmark.k)
    switch = {} if benchmark.thinking is None else {"thinking": "on" if benchmark.thinking else "off"}
    return {
        **switch,
        "n_problems": n_problems,
        "temperature": benchmark.temperature,
        "top_p": benchmark.top_p,
        "max_response_tokens": benchmark.max_response_tokens,
        **({"metric": named} if named else {}),
    }


def _import_scorer() -> Work:
    return score


if __name__ == "__main__":
    os.nice(10)  # training goes first where cores are few: of stages, only some wait for scores
    sys.exit(run_in_folder(sys.argv, _import_scorer))
