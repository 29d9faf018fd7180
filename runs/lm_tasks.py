"""Tasks of the lm-evaluation-harness: what the operator allows them, asked when a recipe is saved and before each scoring."""

from collections.abc import Iterable
from contextlib import suppress

from django.conf import settings

from workers.spec import AnyBenchmarkSpec, TaskAccess, TaskBenchmarkSpec
from workers.task_folder import allowed_folder, check_folder_task, check_known_task
from workers.task_spec import TaskError


def check_task(asked: TaskBenchmarkSpec) -> None:
    """Raise TaskError where a task cannot be asked on this server."""
    if asked.task_folder is None:
        check_known_task(asked.task)
        return
    folder = allowed_folder(asked.task_folder, settings.TASKS_DIRS)
    check_folder_task(folder, asked, allow_code=settings.ALLOW_TASK_CODE)


def access_for(benchmarks: Iterable[AnyBenchmarkSpec]) -> TaskAccess:
    """Say for a scoring where its tasks lie and what they may do.

    A folder that is no longer allowed is left out: its task is refused in words, and the other benchmarks are scored.
    """
    folders = {}
    for asked in benchmarks:
        if isinstance(asked, TaskBenchmarkSpec) and asked.task_folder is not None:
            with suppress(TaskError):
                folders[asked.domain] = str(allowed_folder(asked.task_folder, settings.TASKS_DIRS))
    return TaskAccess(folders=folders, code=settings.ALLOW_TASK_CODE, downloads=settings.ALLOW_TASK_DOWNLOADS)
