"""Take the answers per problem out of what makes two scores comparable, without changing what any score or sign-off says.

A benchmark's digest is of its problems' keys too, which are no rows: they are read from the folder of one of its scorings.
Where that is gone the digest stays, so that its scores are compared with each other as before, and with no later ones.
"""

import hashlib
import json
from pathlib import Path

from django.conf import settings
from django.db import migrations

K = "samples_per_problem"
GRADES_OF_SINGLE_ANSWERS = """
UPDATE runs_itemresult SET grades = ARRAY[runs_itemresult.value]
FROM runs_score WHERE runs_score.id = runs_itemresult.score_id AND runs_score.samples = 1
"""


def move_answers_per_problem(apps, schema_editor):
    """Move k from each benchmark's protocol to its scores, and in what was frozen for a sign-off."""
    new_digests = {}
    for benchmark in apps.get_model("runs", "Benchmark").objects.filter(protocol__has_key=K):
        old = benchmark.digest
        _move_benchmark(apps, benchmark)
        new_digests[old] = benchmark.digest
    for proposal in apps.get_model("runs", "Proposal").objects.all():
        _move_frozen(apps, proposal, new_digests)


def _move_benchmark(apps, benchmark):
    """Benchmarks that differed in k alone become one."""
    scores = apps.get_model("runs", "Score").objects.filter(benchmark=benchmark)
    scores.update(samples=benchmark.protocol[K])
    keys = _keys(scores, benchmark)
    benchmark.protocol = {name: value for name, value in benchmark.protocol.items() if name != K}
    if keys is not None:
        benchmark.digest = _digest(benchmark, benchmark.protocol, keys)
    twin = type(benchmark).objects.filter(digest=benchmark.digest).exclude(pk=benchmark.pk).first()
    if twin is None:
        benchmark.save()
    else:
        scores.update(benchmark=twin)
        benchmark.delete()


def _keys(scores, benchmark):
    """Read the keys of a benchmark's problems from the folder of any of its scorings; None where there is none."""
    for score in scores.select_related("checkpoint__run", "checkpoint__stage"):
        checkpoint = score.checkpoint
        stage = checkpoint.stage.name if checkpoint.stage else "base"
        folder = Path(settings.ARTIFACTS_DIR) / checkpoint.run.public_id / stage / "scoring"
        path = folder / f"step_{checkpoint.at_step:06d}" / "scores.jsonl"
        for line in path.read_text().splitlines() if path.exists() else ():
            keys = [item["key"] for item in json.loads(line)["items"]] if line.endswith("}") else []
            if _digest(benchmark, benchmark.protocol, keys) == benchmark.digest:
                return keys
    return None


def _digest(benchmark, protocol, keys):
    named = {"domain": benchmark.domain, "split": benchmark.split, "version": benchmark.version}
    text = json.dumps({**named, "protocol": protocol, "items": keys}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _move_frozen(apps, proposal, new_digests):
    """Spell what reviewers were asked about anew, so that neither it nor their verdicts on it turn stale."""
    for score in proposal.frozen["scores"]:
        score["samples"] = score["protocol"].pop(K, 1)
        score["benchmark"] = new_digests.get(score["benchmark"], score["benchmark"])
    scores = [{**score, "items": sorted(score["items"])} for score in proposal.frozen["scores"]]
    scores.sort(key=lambda score: (score["domain"], score["split"], score["benchmark"]))
    text = json.dumps({**proposal.frozen, "scores": scores}, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    old, proposal.digest = proposal.digest, hashlib.sha256(text.encode()).hexdigest()
    proposal.save()
    apps.get_model("runs", "Review").objects.filter(proposal=proposal, digest=old).update(digest=proposal.digest)


class Migration(migrations.Migration):
    dependencies = [("runs", "0005_top_up")]

    operations = [
        migrations.RunPython(move_answers_per_problem, elidable=True),
        migrations.RunSQL(GRADES_OF_SINGLE_ANSWERS, elidable=True),
    ]
