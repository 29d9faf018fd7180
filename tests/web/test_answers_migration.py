"""Rows of before: what they mean, and what was signed off, stays when answers per problem leave the protocol."""

import hashlib
import json
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps

from runs import frozen, ingest, reviews
from runs.models import Benchmark, Proposal, Run, Score, Verdict
from runs.standings import standing_of

pytestmark = pytest.mark.django_db
migration: Any = import_module("runs.migrations.0006_answers_per_problem")


def make_old(run: Run, k: int) -> None:
    """Spell rows and files of a run as they were: k in the protocol, and in the digest."""
    for checkpoint in run.checkpoints.all():
        path = ingest.scoring_folder(checkpoint).scores
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        for line in lines:
            line["protocol"]["samples_per_problem"] = k
            del line["samples"], line["after"]
            identity = {name: line[name] for name in ("domain", "split", "version", "protocol")}
            text = json.dumps({**identity, "items": [item["key"] for item in line["items"]]}, sort_keys=True)
            fields = {**identity, "digest": hashlib.sha256(text.encode()).hexdigest()}
            benchmark, _ = Benchmark.objects.get_or_create(digest=fields.pop("digest"), defaults=fields)
            score = checkpoint.scores.get(benchmark__domain=line["domain"], benchmark__split=line["split"])
            Score.objects.filter(pk=score.pk).update(benchmark=benchmark, samples=1)
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    Benchmark.objects.exclude(scores__isnull=False).delete()


def move() -> None:
    migration.move_answers_per_problem(apps, None)


def test_scores_keep_their_answers_and_their_benchmark_gets_the_digest_of_new_ones(finished: Run) -> None:
    now = set(Benchmark.objects.values_list("digest", flat=True))
    make_old(finished, k=4)
    assert not now & set(Benchmark.objects.values_list("digest", flat=True))
    move()
    assert set(Benchmark.objects.values_list("digest", flat=True)) == now
    assert set(Score.objects.values_list("samples", flat=True)) == {4}
    assert not Benchmark.objects.filter(protocol__has_key="samples_per_problem").exists()
    scores = set(Score.objects.values_list("checkpoint", "benchmark", "mean", "samples"))
    for checkpoint in finished.checkpoints.all():
        ingest.ingest_scores(checkpoint)  # the files of before say the same
    assert set(Score.objects.values_list("checkpoint", "benchmark", "mean", "samples")) == scores


def test_where_the_files_are_gone_scores_stay_comparable_among_themselves(finished: Run) -> None:
    make_old(finished, k=4)
    kept = set(Benchmark.objects.values_list("digest", flat=True))
    for checkpoint in finished.checkpoints.all():
        ingest.scoring_folder(checkpoint).scores.unlink()
    move()
    assert set(Benchmark.objects.values_list("digest", flat=True)) == kept
    assert set(Score.objects.values_list("samples", flat=True)) == {4}


def test_what_was_signed_off_stays_so(finished: Run, grace: Any) -> None:
    make_old(finished, k=1)
    proposal = reviews.propose(finished.checkpoints.get(stage__name="mopd"), note="look", by=finished.created_by)
    for score in proposal.frozen["scores"]:
        del score["samples"]
    proposal.digest = frozen.digest(proposal.frozen)
    proposal.save()
    proposal.reviews.create(reviewer=grace, verdict=Verdict.APPROVE, digest=proposal.digest)
    move()
    standing = standing_of(Proposal.objects.get(pk=proposal.pk))
    assert (standing.state, standing.changes) == ("approved", ())
