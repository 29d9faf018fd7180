"""A run's progress in the terminal: bars that move on a terminal, a line per event anywhere else."""

from collections.abc import Callable
from dataclasses import dataclass

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from runs.models import Checkpoint, Run, Stage, Status

REPORT_EVERY = 0.25  # share of a stage between two plain lines
WORDS = {Status.SUCCEEDED: "scored", Status.RUNNING: "scoring", Status.QUEUED: "waits for scoring"}


@dataclass(frozen=True)
class StageLine:
    """What one line tells of a stage."""

    name: str
    kind: str
    status: Status
    step: int
    n_steps: int
    substep: str
    reward: float | None
    eta_s: float | None
    scoring: str

    @property
    def share(self) -> float:
        """How much of the stage is done, 0 to 1."""
        return self.step / self.n_steps if self.n_steps else 0.0


def read_lines(run: Run) -> list[StageLine]:
    """Read where every stage stands, and the scoring of the base model and of each stage's last checkpoint."""
    scoring = {checkpoint.stage_id: _scoring(checkpoint) for checkpoint in run.ends}
    stages = [_line(stage, scoring.get(stage.pk, "")) for stage in run.stages.all()]
    base = scoring.get(None)
    if base is None:
        return stages
    return [StageLine("base", "base", Status.SUCCEEDED, 0, 0, "", None, None, base), *stages]


def _line(stage: Stage, scoring: str) -> StageLine:
    return StageLine(
        name=stage.name,
        kind=stage.kind,
        status=stage.shown_status,
        step=stage.step,
        n_steps=stage.spec.steps,
        substep=stage.substep,
        reward=stage.reward,
        eta_s=stage.eta_s,
        scoring=scoring,
    )


def _scoring(checkpoint: Checkpoint) -> str:
    if checkpoint.status == Status.RUNNING and checkpoint.n_steps:
        return f"scoring {checkpoint.step}/{checkpoint.n_steps}"
    status = checkpoint.shown_status
    return WORDS.get(status, f"scoring {status.label}")


class Bars:
    """Bars on a terminal, redrawn in place."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, auto_refresh=False)
        self._live.start()

    def show(self, lines: list[StageLine]) -> None:
        """Redraw."""
        self._live.update(table_of(lines), refresh=True)

    def close(self) -> None:
        """Leave the last picture standing."""
        self._live.stop()


class Lines:
    """One line whenever a stage reaches something, for logs and pipes."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._told: dict[str, tuple[str, int, str]] = {}

    def show(self, lines: list[StageLine]) -> None:
        """Print the stages that got somewhere since the last time."""
        for line in lines:
            news = (line.status, int(line.share / REPORT_EVERY), line.scoring.split(" ")[0])
            if news != self._told.get(line.name, (Status.QUEUED, 0, "")):
                self._told[line.name] = news
                self._say(sentence(line))

    def close(self) -> None:
        """Nothing to put back."""


def watch(console: Console, say: Callable[[str], None]) -> Bars | Lines:
    """Choose by where the output goes."""
    return Bars(console) if console.is_terminal else Lines(say)


def sentence(line: StageLine) -> str:
    """Tell a stage's state in one line of plain text."""
    facts = [f"{line.name:<16}", f"{line.status.label:<10}"]
    if line.n_steps:
        facts.append(f"step {line.step:>4}/{line.n_steps:<4}")
    if line.reward is not None:
        facts.append(f"reward {line.reward:.2f}")
    if line.status == Status.RUNNING and line.eta_s is not None:
        facts.append(f"ETA {duration(line.eta_s)}")
    if line.scoring:
        facts.append(line.scoring)
    return "  ".join(facts).rstrip()


def table_of(lines: list[StageLine]) -> Table:
    """Draw all stages, a row each."""
    table = Table(box=None, padding=(0, 1), header_style="dim")
    for name, justify in (
        ("stage", "left"),
        ("", "left"),
        ("", "left"),
        ("step", "right"),
        ("reward", "right"),
        ("ETA", "right"),
    ):
        table.add_column(name, justify="right" if justify == "right" else "left", no_wrap=True)
    table.add_column("state", no_wrap=True)
    for line in lines:
        table.add_row(
            line.name,
            f"[dim]{line.kind}[/dim]" if line.n_steps else "",
            ProgressBar(total=line.n_steps, completed=line.step, width=24) if line.n_steps else "",
            f"{line.step}/{line.n_steps}" if line.n_steps else "",
            "" if line.reward is None else f"{line.reward:.2f}",
            duration(line.eta_s) if line.eta_s is not None and line.status == Status.RUNNING else "",
            _state(line),
        )
    return table


def _state(line: StageLine) -> str:
    if line.status == Status.SUCCEEDED:
        return f"[green]{line.scoring}[/green]" if line.scoring == "scored" else line.scoring
    if line.status == Status.RUNNING:
        return f"[cyan]{line.substep or 'starts'}[/cyan]"
    if line.status in (Status.FAILED, Status.CANCELLED, Status.STALE):
        return f"[red]{line.status.label}[/red]"
    return f"[dim]{line.status.label}[/dim]"


def duration(seconds: float) -> str:
    """Write a time as people read it: 45 s, 2:05 min, 1:02 h."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02d} min"
    return f"{whole // 3600}:{whole % 3600 // 60:02d} h"
