"""Data sets: registering a team's own rows, in versions; where they lie, and how they are read.

A process reads them (workers/training/data_sets/register.py), started by a task like a trainer. What it leaves in the
folder stays as it is: a changed file is another version.
"""

import shutil
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from django.conf import settings
from django.contrib.auth.models import User
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models import Q, QuerySet
from django.urls import reverse
from pydantic import BaseModel

from runs import audit, ready
from runs.lifecycle import NotPossibleError
from runs.models import AddedBenchmark, DataSet, Project, Recipe, Run, SourceKind, Status, ids
from workers.catalogue import DOMAINS
from workers.data_dir import DataDir, DataSourceSpec
from workers.stage_dir import write_document

Record = TypeVar("Record", bound=BaseModel)


class DataSetError(ValueError):
    """Rows that cannot be registered as asked; `field` is what to change."""

    def __init__(self, field: str, words: str) -> None:
        super().__init__(words)
        self.field = field


# Register -------------------------------------------------------------------------------------------------------


def register_upload(
    *, project: Project, user: User, asked: DataSourceSpec, file: "UploadedFile[Any]", form_key: str = ""
) -> DataSet:
    """Keep an uploaded file as it is, and queue the reading of it; raises DataSetError."""
    _check_name(asked.name)
    if (file.size or 0) > settings.MAX_UPLOAD_BYTES:
        raise DataSetError(
            "file",
            f"found {file.size:,} bytes, expected at most {settings.MAX_UPLOAD_BYTES:,}; compress it (.jsonl.gz) or have it put "
            "below a folder of DATA_DIRS and register it by its path",
        )
    name = file.name or "rows.jsonl"
    return _keep(project, user, asked, name, file.chunks(), form_key)


def register_shipped(*, project: Project, user: User, asked: DataSourceSpec, path: Path, form_key: str) -> DataSet:
    """Keep a copy of rows that ship with the product, and queue the reading of it, as of an uploaded file."""
    _check_name(asked.name)
    with open(path, "rb") as handle:
        return _keep(project, user, asked, path.name, iter(partial(handle.read, 2**20), b""), form_key)


def _keep(
    project: Project, user: User, asked: DataSourceSpec, name: str, chunks: Iterable[bytes], form_key: str
) -> DataSet:
    public_id = ids.data_set_id()
    kept = _folder(public_id).source / ("rows.jsonl.gz" if name.endswith(".gz") else "rows.jsonl")
    kept.parent.mkdir(parents=True)
    try:
        with open(kept, "wb") as handle:
            for chunk in chunks:
                handle.write(chunk)
        found = _add(project, user, asked, SourceKind.UPLOAD, name, public_id, form_key)
    except BaseException:
        shutil.rmtree(kept.parent.parent)
        raise
    if found.public_id != public_id:  # the same form was sent twice, and the other was faster
        shutil.rmtree(kept.parent.parent)
    return found


def register_path(*, project: Project, user: User, asked: DataSourceSpec, form_key: str = "") -> DataSet:
    """Queue the reading of a file or folder of the server; raises DataSetError."""
    _check_name(asked.name)
    allowed_source(asked.source)
    return _add(project, user, asked, SourceKind.PATH, asked.source, ids.data_set_id(), form_key)


def _check_name(name: str) -> None:
    if name in DOMAINS:
        raise DataSetError("name", f"found '{name}', which is the name of a domain; pick another name")


def _add(
    project: Project, user: User, asked: DataSourceSpec, kind: SourceKind, source: str, public_id: str, form_key: str
) -> DataSet:
    with transaction.atomic():
        Project.objects.select_for_update().get(pk=project.pk)  # two at once get two versions
        twin = DataSet.objects.filter(project=project, form_key=form_key).first() if form_key else None
        if twin is not None:
            return twin
        newest = DataSet.objects.filter(project=project, name=asked.name).order_by("-version").first()
        added = DataSet.objects.create(
            public_id=public_id,
            project=project,
            name=asked.name,
            version=newest.version + 1 if newest else 1,
            source_kind=kind,
            source=source[:1000],
            form=asked.form,
            grader=asked.grader,
            use=asked.use,
            form_key=form_key or None,
            created_by=user,
        )
        address = reverse("data:detail", args=[project.slug, added.name, added.version])
        about = {"from": added.source[:200], "for": added.use}
        audit.record(project, "data_set.registered", by=user, subject=str(added), url=address, after=about)
        transaction.on_commit(ready.tend_data)
    return added


def allowed_source(given: str) -> Path:
    """Check that a path leads below a folder of DATA_DIRS without a detour; raises DataSetError, which tells nothing of elsewhere.

    Asked again right before it is read. What somebody who may write below DATA_DIRS swaps after that is not seen.
    """
    path = Path(given.replace("\0", "\N{SYMBOL FOR NULL}"))
    root = next((Path(root) for root in settings.DATA_DIRS if path.is_relative_to(root)), None)
    if root is None or ".." in path.parts:
        allowed = ", ".join(str(root) for root in settings.DATA_DIRS)
        words = (
            f"expected one without '..' below: {allowed}"
            if allowed
            else "and this server reads no paths; upload the file, or have DATA_DIRS name the folders that may be read"
        )
        raise DataSetError("path", f"found path '{given[:200]}', {words}")
    try:
        if link := next(_links(path, root), None):
            raise DataSetError("path", f"found the symbolic link {link}, expected none; give the path that it leads to")
        if not path.exists():
            raise DataSetError("path", f"found nothing at '{given[:200]}'; check its spelling")
    except OSError as error:
        raise DataSetError("path", f"'{given[:200]}' cannot be read: {error.strerror}") from None
    return path


def _links(path: Path, root: Path) -> Iterator[Path]:
    """Find symbolic links on the way to a path and, of a folder, in it."""
    on_the_way = [path, *path.parents]
    yield from (part for part in on_the_way[: on_the_way.index(root)] if part.is_symlink())
    yield from (part for part in path.rglob("*") if part.is_symlink())


# Delete ---------------------------------------------------------------------------------------------------------


def delete_data_set(data_set: DataSet, *, by: User) -> None:
    """Delete a version with its rows; raises NotPossibleError while a recipe or run needs them.

    A process that is reading it loses its claim and ends. What was registered by path stays where it is.
    """
    with transaction.atomic():
        Project.objects.select_for_update().get(pk=data_set.project_id)
        users = [] if _has_twin(data_set) else [*pinning(Recipe, data_set)[:3], *pinning(Run, data_set)[:3]]
        if users:
            named = ", ".join(str(user) for user in users)
            raise NotPossibleError(
                f"{data_set} is needed by {named}; what they trained on or were scored on must stay", "in_use"
            )
        about = {"rows": data_set.facts.n_rows, "digest": data_set.digest} if data_set.is_ready else {}
        audit.record(data_set.project, "data_set.deleted", by=by, subject=str(data_set), before=about)
        path = folder_of(data_set).path
        data_set.delete()
        transaction.on_commit(lambda: shutil.rmtree(path, ignore_errors=True))


def pinning(kind: type[Recipe] | type[Run], data_set: DataSet) -> "QuerySet[Any]":
    """The project's recipes or runs that train on these rows, or ask them; the newest first."""
    pin = {data_set.name: {"digest": data_set.digest}}
    needs = Q(document__contains={"data_sets": pin})
    if kind is Run:
        needs |= Q(pk__in=AddedBenchmark.objects.filter(data_sets__contains=pin).values("run"))
    rows: QuerySet[Any] = kind.objects.filter(needs, project=data_set.project).order_by("-pk")
    return rows if data_set.digest else rows.none()


def _has_twin(data_set: DataSet) -> bool:
    """Whether another version holds the same rows."""
    same = DataSet.objects.filter(project=data_set.project, name=data_set.name, digest=data_set.digest)
    return same.filter(status=Status.SUCCEEDED).exclude(pk=data_set.pk).exists()


# Read -----------------------------------------------------------------------------------------------------------


def folder_of(data_set: DataSet) -> DataDir:
    """Where a data set's rows lie, and the process that reads them works."""
    return _folder(data_set.public_id)


def _folder(public_id: str) -> DataDir:
    return DataDir(Path(settings.ARTIFACTS_DIR) / "data_sets" / public_id)


def write_source_spec(data_set: DataSet) -> None:
    """Write the spec.json of a registration; raises DataSetError where the source may no longer be read."""
    folder = folder_of(data_set)
    is_upload = data_set.source_kind == SourceKind.UPLOAD
    source = folder.source.relative_to(folder.path) if is_upload else allowed_source(data_set.source)
    spec = DataSourceSpec.model_validate(
        {name: getattr(data_set, name) for name in ("name", "form", "grader", "use")} | {"source": str(source)}
    )
    write_document(folder.process.spec, spec)


def ready_versions(project: Project) -> dict[str, list[DataSet]]:
    """The data sets that recipes may name: by name, each with its versions that were read, newest first."""
    found: dict[str, list[DataSet]] = {}
    for data_set in DataSet.objects.filter(project=project, status=Status.SUCCEEDED).order_by("name", "-version"):
        found.setdefault(data_set.name, []).append(data_set)
    return found


def folders_of(project: Project, pins: Mapping[str, str]) -> dict[str, Path]:
    """Find the rows that a recipe pins by name and digest, among a project's own; raises DataSetError where they are gone."""
    rows = DataSet.objects.filter(project=project, digest__in=pins.values(), status=Status.SUCCEEDED)
    found = {(data_set.name, data_set.digest): folder_of(data_set) for data_set in rows}
    for name, digest in pins.items():
        if (name, digest) not in found or not found[name, digest].rows.exists():
            raise DataSetError("data_sets", f"found no rows {digest[:12]} of data set '{name}'; register them again")
    return {name: found[name, digest].path for name, digest in pins.items()}


def records_of(path: Path, kind: type[Record], *, start: int, n: int) -> list[Record]:
    """Read some lines of rows.jsonl or bad_rows.jsonl, counted from 0, without holding the others; a last one cut short is no line."""
    try:
        with open(path, "rb") as handle:
            lines = islice(handle, start, start + n)
            return [kind.model_validate_json(line) for line in lines if line.endswith(b"\n")]
    except FileNotFoundError:
        return []
