"""Sample further answers to a benchmark's problems: python -m workers.training.top_up TOP_UP_FOLDER.

They are sampled in rounds of a few answers per problem, each a whole line of scores.jsonl with a generator of its own that
is seeded by how many answers came before. So no answer is sampled twice, a round that a crash cut short is sampled again
as it was, and what is there already is counted, not repeated.
"""

import os
import sys

from workers.spec import TopUpSpec
from workers.stage_dir import Outcome, ScoreRecord, StageDir, append_record, keep_whole_records
from workers.training.evaluate import score_benchmark, with_rows
from workers.training.process import StopRequest, Work, run_in_folder

ROUND = 4  # answers per problem in one record: what a crash may cost


def top_up(folder: StageDir, stop: StopRequest) -> Outcome:
    """Sample and grade answers until every problem has as many as the folder's spec asks for."""
    from workers.training.checkpoints import load_checkpoint
    from workers.training.domains import add_data, domain_of
    from workers.training.judge import take_judges
    from workers.training.policy import set_up_torch
    from workers.training.record import Reporter
    from workers.training.sampling import make_sampler

    set_up_torch()
    spec = TopUpSpec.model_validate_json(folder.spec.read_text())
    domain = spec.benchmark.domain
    take_judges(folder, [spec.judge] if spec.judge else [], of_recipe=spec.judge)
    add_data({name: folder.path / data for name, data in spec.data_folders.items()})
    version = domain_of(domain).VERSION
    if spec.version != version:
        reason = (
            f"found version {version} of the problems of '{domain}', expected version {spec.version}, which "
            "was scored; further answers would be to other problems, start a new run to score these"
        )
        return Outcome(status="failed", code="other_version", reason=reason)
    n_answers = spec.n_scored + sum(record.samples for record in keep_whole_records(folder.scores, ScoreRecord))
    report = Reporter(folder, spec.n_answers - spec.n_scored)
    report.tell("load", now=True)
    policy = load_checkpoint(folder.path / spec.checkpoint_folder)
    sampler = make_sampler(policy)
    report.begin_steps(n_answers - spec.n_scored)
    while n_answers < spec.n_answers:
        if stop.is_set():
            return Outcome(status="stopped", step=report.step)
        report.tell("sample", now=True)
        k = min(ROUND, spec.n_answers - n_answers)
        record = score_benchmark(policy, sampler, spec.benchmark, "test", spec.seed, k=k, after=n_answers)
        append_record(folder.scores, with_rows(record, spec.digests))
        n_answers += k
        report.step = n_answers - spec.n_scored
        print(f"{domain}: {n_answers} answers to each problem, {record.mean:.3f} of the last {k} right", flush=True)
    return Outcome(status="done", step=report.step)


def _import_top_up() -> Work:
    return top_up


if __name__ == "__main__":
    os.nice(10)  # as scoring does: training goes first where cores are few
    sys.exit(run_in_folder(sys.argv, _import_top_up))
