"""Published scores as a run to read, clearly told apart from one of this server.

A sample is a YAML file in `samples/`: a table of stages by benchmarks, and the domains whose scores are means of it. It
becomes a run whose document says where it was published; everything that shows a run asks `run.published` first. It has no
items, no weights and no folder, nothing of it can be queued, and its scores carry a protocol of their own, so that they
are never joined with measured ones.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import yaml
from django.contrib.auth.models import User
from django.db import transaction

from runs.models import Benchmark, Checkpoint, Project, Recipe, Run, Score, Stage, Status
from runs.presets import load_preset
from runs.recipes import save_recipe

_SAMPLES = Path(__file__).parent / "samples"


class UnknownSampleError(ValueError):
    """There is no sample of this name; the message lists those there are."""


def sample_names() -> list[str]:
    """Name the samples that ship with the product."""
    return sorted(path.stem for path in _SAMPLES.glob("*.yaml"))


def read_sample(name: str) -> dict[str, Any]:
    """Read a sample as it was published; raises UnknownSampleError."""
    if name not in sample_names():
        raise UnknownSampleError(f"found no sample '{name}', expected one of: {', '.join(sample_names())}")
    sample: dict[str, Any] = yaml.safe_load((_SAMPLES / f"{name}.yaml").read_text())
    return sample


def import_sample(name: str, *, project: Project, user: User) -> Run:
    """Store a sample as a run of the project; one that is there already is returned as it is."""
    sample = read_sample(name)
    recipe = save_recipe(project=project, spec=load_preset(sample["preset"]), user=user)
    with transaction.atomic():
        Project.objects.select_for_update().get(pk=project.pk)  # run numbers have no gaps and no twins
        found = Run.objects.filter(project=project, document__published__sample=name).first()
        if found is not None:
            return found
        newest = Run.objects.filter(project=project).order_by("-number").first()
        run = Run.objects.create(
            project=project,
            recipe=recipe,
            number=newest.number + 1 if newest else 1,
            name=f"{sample['name']} (published)",
            document=_document(name, sample, recipe),
            created_by=user,
        )
        _write_stages(run, sample, recipe)
    return run


def _document(name: str, sample: dict[str, Any], recipe: Recipe) -> dict[str, Any]:
    """The recipe's document, with the published domains in place of its benchmarks."""
    benchmarks = [
        {"domain": domain, "title": about["title"], "label": about["label"], "of": about["benchmarks"]}
        for domain, about in sample["domains"].items()
    ]
    inside = {benchmark for about in sample["domains"].values() for benchmark in about["benchmarks"]}
    published = {
        "sample": name,
        "source": sample["source"],
        "paper": sample["paper"],
        "columns": sample["benchmarks"],
        "guards": [benchmark for benchmark in sample["benchmarks"] if benchmark not in inside],
        "rows": [[stage, *scores] for stage, scores in sample["scores"].items()],
    }
    return {**recipe.document, "benchmarks": benchmarks, "published": published}


def _write_stages(run: Run, sample: dict[str, Any], recipe: Recipe) -> None:
    """Write the stages with their ends and scores. They are over from the start, so that no worker ever sees them."""
    documents = {document["name"]: document for document in recipe.document["stages"]}
    benchmarks = {domain: _benchmark(domain, about, sample) for domain, about in sample["domains"].items()}
    before: Stage | None = None
    for position, (name, origin) in enumerate(sample["stages"].items()):
        document = {**documents[origin], "name": name}
        before = Stage.objects.create(
            run=run,
            position=position,
            name=name,
            kind=document["kind"],
            document=document,
            starts_from=before,
            status=Status.SUCCEEDED,
        )
        end = Checkpoint.objects.create(run=run, stage=before, at_step=0, folder="", status=Status.SUCCEEDED)
        scores = dict(zip(sample["benchmarks"], sample["scores"][name], strict=True))
        for domain, about in sample["domains"].items():
            points = [scores[benchmark] for benchmark in about["benchmarks"]]
            mean = sum(points) / len(points) / 100
            Score.objects.create(
                checkpoint=end, benchmark=benchmarks[domain], mean=mean, n_items=0, response_tokens=0.0
            )


def _benchmark(domain: str, about: dict[str, Any], sample: dict[str, Any]) -> Benchmark:
    """A benchmark of its own, whose protocol is the paper: nothing that was measured here has the same."""
    protocol = {"published_in": sample["paper"], "mean_of": ", ".join(about["benchmarks"])}
    identity = {"domain": domain, "sample": sample["name"], "protocol": protocol}
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    fields = {"domain": domain, "split": "test", "version": 0, "protocol": protocol}
    return Benchmark.objects.get_or_create(digest=digest, defaults=fields)[0]
