"""The sample rows of presets: registered in a project when somebody first starts from the preset there.

They go the way of any upload, so they are listed among the data sets and a worker reads them, which takes seconds; until
then the preset's recipe, which pins them by digest, cannot be saved in the project.
"""

from dataclasses import dataclass
from pathlib import Path

from django.contrib.auth.models import User

from runs import data_sets, lifecycle
from runs.models import DataSet, Project, Status
from runs.presets import load_preset, sample_files
from workers.data_dir import DataSourceSpec
from workers.spec import DataSetSpec


@dataclass(frozen=True)
class Sample:
    """A data set that a preset's recipe pins, and what a project has of it."""

    name: str
    pin: DataSetSpec
    path: Path
    data_set: DataSet | None

    @property
    def n_rows(self) -> int:
        return sum(self.pin.splits.values())

    @property
    def is_ready(self) -> bool:
        return self.data_set is not None and self.data_set.digest == self.pin.digest

    @property
    def is_under_way(self) -> bool:
        return self.data_set is not None and self.data_set.status in (Status.QUEUED, Status.RUNNING)

    @property
    def failure(self) -> str:
        """Why the rows cannot be used; empty where they can, or may yet."""
        if self.data_set is None or self.is_ready or self.is_under_way:
            return ""
        if self.data_set.failure_reason:
            return self.data_set.failure_reason
        found, expected = self.data_set.digest[:12], self.pin.digest[:12]
        return f"found rows {found}, expected {expected}, which the preset pins; the installation is damaged"


def samples_of(preset: str, project: Project) -> list[Sample]:
    """The data sets of a preset, with what the project has of them; none for a preset without rows of its own."""
    pins = load_preset(preset).data_sets
    return [
        Sample(name, pins[name], path, _registered(project, preset, name, pins[name]))
        for name, path in sample_files(preset).items()
    ]


def missing_samples(preset: str, project: Project) -> list[Sample]:
    """Those that the recipe cannot name yet."""
    return [sample for sample in samples_of(preset, project) if not sample.is_ready]


def register_samples(preset: str, *, project: Project, user: User) -> list[Sample]:
    """Queue the reading of all that the project lacks, again where it failed; safe to repeat."""
    for sample in missing_samples(preset, project):
        if sample.data_set is None:
            data_sets.register_shipped(
                project=project,
                user=user,
                asked=DataSourceSpec(name=sample.name, source="source"),
                path=sample.path,
                form_key=_key(preset, sample.name, sample.pin),
            )
        else:
            lifecycle.read_again(sample.data_set)
    return samples_of(preset, project)


def _registered(project: Project, preset: str, name: str, pin: DataSetSpec) -> DataSet | None:
    """Find the rows by what they are, whoever registered them, or the registration of ours that is not over."""
    rows = DataSet.objects.filter(project=project, name=name)
    same = rows.filter(digest=pin.digest, status=Status.SUCCEEDED).order_by("-version").first()
    return same or rows.filter(form_key=_key(preset, name, pin)).first()


def _key(preset: str, name: str, pin: DataSetSpec) -> str:
    """Name the registration, so that two who start from the preset at once make one."""
    return f"sample:{preset[:20]}:{name[:20]}:{pin.digest[:12]}"
