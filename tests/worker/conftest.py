"""What the tests of tasks share: fake programs in real processes, a run, and a second worker."""

import threading
from collections.abc import Callable, Iterator

import pytest
from django.db import connections

from runs.models import Run
from tests.web.some_runs import a_project, a_run
from workers import launch, tasks
from workers.stage_dir import StageDir

FAKE = "tests.worker.fake_trainer"


@pytest.fixture(scope="session")
def warm_nursery(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Let no test's deadline include the seconds in which the nursery imports torch."""
    launch.start(StageDir(tmp_path_factory.mktemp("nursery")), "tests.worker.small_program").wait()


@pytest.fixture
def fake_programs(warm_nursery: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Real child processes, but of the fake trainer; looked at often."""
    monkeypatch.setattr(launch, "TRAIN", FAKE)
    monkeypatch.setattr(launch, "SCORE", FAKE)
    monkeypatch.setattr(launch, "TOP_UP", FAKE)
    monkeypatch.setattr(launch, "STOP_SECONDS", 3.0)
    monkeypatch.setattr(tasks, "LOOK_SECONDS", 0.02)


@pytest.fixture
def run() -> Run:
    return a_run(a_project())


@pytest.fixture
def background() -> Iterator[Callable[[Callable[[], None]], threading.Thread]]:
    """Run a task beside the test, as another worker does; every thread has ended when the test has."""
    threads: list[threading.Thread] = []

    def start(act: Callable[[], None]) -> threading.Thread:
        def whole() -> None:
            try:
                act()
            finally:
                connections.close_all()

        threads.append(threading.Thread(target=whole))
        threads[-1].start()
        return threads[-1]

    yield start
    for thread in threads:
        thread.join(timeout=20)
        assert not thread.is_alive()
