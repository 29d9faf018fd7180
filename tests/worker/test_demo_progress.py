"""The demo's progress in the terminal."""

import io
from dataclasses import replace

import pytest
from django.contrib.auth.models import User
from rich.console import Console

from runs import presets
from runs.access import ensure_project
from runs.lifecycle import start_run
from runs.management.demo_progress import Bars, Lines, StageLine, duration, read_lines, watch
from runs.models import Checkpoint, Status
from runs.recipes import save_recipe

LINE = StageLine("coding", "grpo", Status.RUNNING, 10, 40, "sample", 0.25, 75.0, "")


@pytest.mark.django_db
def test_lines_follow_the_rows() -> None:
    user = User.objects.create(username="ada")
    project = ensure_project("demo", user)
    recipe = save_recipe(project=project, spec=presets.load_preset("tiny-cascade"), user=user)
    run = start_run(project=project, recipe=recipe, user=user)
    lines = read_lines(run)
    assert [line.name for line in lines] == [stage.name for stage in run.stages.all()]
    assert {(line.status, line.step) for line in lines} == {(Status.QUEUED, 0)}
    assert all(line.n_steps > 0 for line in lines)

    first = run.stages.first()
    assert first is not None
    Checkpoint.objects.create(run=run, stage=None, at_step=0, folder="base", status=Status.SUCCEEDED)
    Checkpoint.objects.create(run=run, stage=first, at_step=9, folder="x", status=Status.RUNNING, step=3, n_steps=16)
    lines = read_lines(run)
    assert (lines[0].name, lines[0].scoring) == ("base", "scored")
    assert lines[1].scoring == "scoring 3/16"


def test_plain_output_tells_each_event_once() -> None:
    said: list[str] = []
    view = Lines(said.append)
    queued = replace(LINE, status=Status.QUEUED, step=0, reward=None, eta_s=None)
    done = replace(LINE, status=Status.SUCCEEDED, step=40, reward=0.9)
    for line in (queued, LINE, replace(LINE, step=11), replace(LINE, step=20), done, replace(done, scoring="scored")):
        view.show([line])
    assert [" ".join(text.split()) for text in said] == [
        "coding running step 10/40 reward 0.25 ETA 1:15 min",
        "coding running step 20/40 reward 0.25 ETA 1:15 min",
        "coding succeeded step 40/40 reward 0.90",
        "coding succeeded step 40/40 reward 0.90 scored",
    ]


def test_a_terminal_gets_bars_and_a_pipe_gets_lines() -> None:
    screen = io.StringIO()
    bars = watch(Console(file=screen, force_terminal=True, width=100), lambda text: None)
    assert isinstance(bars, Bars)
    bars.show([LINE])
    bars.close()
    for fact in ("coding", "10/40", "0.25", "1:15 min", "sample", "━"):
        assert fact in screen.getvalue()
    assert isinstance(watch(Console(file=io.StringIO()), lambda text: None), Lines)


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0 s"), (59, "59 s"), (125, "2:05 min"), (3720, "1:02 h")])
def test_durations_as_people_read_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text
