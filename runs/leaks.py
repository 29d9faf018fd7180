"""Benchmark items that also stand in training prompts: looked for before launch, over the data sets that a recipe pins.

The domains of the catalogue cannot leak, since a problem's key decides its split. A check is made once for the same rows.
"""

import hashlib
import json
import os
from pathlib import Path

from django.conf import settings
from django.db import transaction

from runs import lifecycle, ready
from runs.data_sets import folders_of
from runs.models import LeakCheck, Project, Status
from workers.data_dir import LeakReport, LeakSpec
from workers.spec import RecipeSpec
from workers.stage_dir import StageDir, write_document

VERSION = 1  # goes up with any change to what counts as a leak


def queue_check(spec: RecipeSpec, project: Project, *, again: bool = False) -> LeakCheck | None:
    """Have a recipe's data sets compared, unless they were; None where there is nothing to compare. `again` retries a failed one."""
    pins = _pins(spec)
    if pins is None:
        return None
    check, is_new = LeakCheck.objects.get_or_create(project=project, digest=_digest(pins), defaults={"pins": pins})
    if is_new:
        transaction.on_commit(ready.tend_data)
    elif again and check.status == Status.FAILED:
        lifecycle.read_again(check)
    return check


def find_check(spec: RecipeSpec, project: Project) -> LeakCheck | None:
    """Find what was compared, for a page that changes nothing."""
    pins = _pins(spec)
    return LeakCheck.objects.filter(project=project, digest=_digest(pins)).first() if pins else None


def folder_of(check: LeakCheck) -> StageDir:
    """Where the process of a check works."""
    return StageDir(Path(settings.ARTIFACTS_DIR) / "leak_checks" / check.public_id)


def write_check_spec(check: LeakCheck) -> None:
    """Write the spec.json of a check; raises DataSetError where rows are gone."""
    folder = folder_of(check)
    trained, asked = (
        {name: os.path.relpath(path, folder.path) for name, path in folders_of(check.project, pins).items()}
        for pins in (check.pins["trained"], check.pins["benchmarks"])
    )
    write_document(folder.spec, LeakSpec(trained=trained, benchmarks=asked))


def report_of(check: LeakCheck) -> LeakReport | None:
    """What a check found; None while it is not over."""
    return LeakReport.model_validate(check.report) if check.report else None


def _pins(spec: RecipeSpec) -> dict[str, dict[str, str]] | None:
    used = {name for stage in spec.stages for name in (*stage.domains, *getattr(stage, "early_domains", ()))}
    asked = {benchmark.domain for benchmark in spec.benchmarks}
    trained, benchmarks = (
        {name: pin.digest for name, pin in spec.data_sets.items() if name in names} for names in (used, asked)
    )
    return {"trained": trained, "benchmarks": benchmarks} if trained and benchmarks else None


def _digest(pins: dict[str, dict[str, str]]) -> str:
    return hashlib.sha256(json.dumps([VERSION, pins], sort_keys=True).encode()).hexdigest()
