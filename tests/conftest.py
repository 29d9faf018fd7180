"""PostgreSQL and Redis for the tests: the embedded ones, unless DATABASE_URL and REDIS_URL name others.

They have to run before Django reads its settings, hence at import. Their folders below var/test/ are kept between
sessions, which saves a second; a session that runs beside another takes the next folder.
"""

import atexit
import os
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

import django
import pytest

from runs.management.embedded import BusyError, stores

ROOT = Path(__file__).resolve().parent.parent
DEPLOYED = ("CASCADE_VAR", "ARTIFACTS_DIR", "MODELS_DIR", "PUBLIC_URL", "CASCADE_DEBUG", "CASCADE_PORT")
_running = ExitStack()


def _start_stores() -> Path:
    for number in count():
        folder = ROOT / "var" / "test" / str(number)
        try:
            _running.enter_context(stores(folder, is_scratch=True))
        except BusyError:
            continue
        return folder
    raise AssertionError("unreachable")


def _prepare_environment() -> None:
    for name in DEPLOYED:
        os.environ.pop(name, None)
    # One thread per process, and none that spins while it waits: tests share the machine with the processes they start.
    os.environ.update(HF_HUB_OFFLINE="1", OMP_NUM_THREADS="1", OMP_WAIT_POLICY="passive", GOMP_SPINCOUNT="0")
    os.environ.setdefault("SECRET_KEY", "only for tests, which nobody signs in to from outside")
    os.environ["CASCADE_VAR"] = str(_start_stores())
    os.environ["DJANGO_SETTINGS_MODULE"] = "cascade_web.settings"
    (Path(os.environ["CASCADE_VAR"]) / "static").mkdir(exist_ok=True)


atexit.register(_running.close)  # also where pytest itself fails
_prepare_environment()
django.setup()  # before the folders' own conftests, which import models


def pytest_unconfigure() -> None:
    """Stop what was started for this session."""
    _running.close()


@pytest.fixture(autouse=True, scope="session")
def _static_files_from_their_sources() -> Iterator[None]:
    """Find static files where they are written, without collecting them first."""
    from django.test import override_settings

    plain: dict[str, Any] = {
        "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    with override_settings(STORAGES=plain):
        yield


@pytest.fixture(autouse=True)
def _artifacts_of_its_own(settings: Any, tmp_path: Path) -> None:
    """Give each test its own artifact folder, which pytest removes."""
    settings.ARTIFACTS_DIR = tmp_path / "artifacts"
