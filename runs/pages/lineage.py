"""The lineage of a run's checkpoints as a drawing beside its table: a square of the grid per checkpoint and lane."""

from dataclasses import dataclass
from typing import Any

from runs.drift import RowInfo, words
from runs.drift.lineage import Edge, Node, lineage_graph
from runs.models import Run
from runs.pages.stage_lines import stage_url
from runs.report import DriftReport
from workers.catalogue import describe

ROW, LANE, MARGIN = 36, 22, 16  # pixels; ROW is --cell of the stylesheet
BULGE = 9  # pixels that a teacher's line goes out per row it spans


@dataclass(frozen=True)
class LineageLine:
    """One checkpoint's line in the table."""

    row: RowInfo
    url: str
    only_domain: str
    parent: str
    teachers: list[tuple[str, str]]  # row, what it taught
    chips: list[tuple[str, str]]  # name, score
    best: str  # the domains in which it is the best so far


@dataclass(frozen=True)
class Mark:
    """A node of the drawing."""

    x: int
    y: int
    kind: str
    domain: str


@dataclass(frozen=True)
class Stroke:
    """An edge of the drawing, as an SVG path."""

    kind: str
    path: str
    about: str


def lineage_view(report: DriftReport, run: Run) -> dict[str, Any]:
    """Lay the graph out, and say the same in a table."""
    nodes, edges = lineage_graph(report.matrix, report.teachers)
    lessons = [edge for edge in edges if edge.kind == "teacher"]
    out = max([BULGE * (edge.later.position - edge.earlier.position) for edge in lessons], default=0)
    urls = {stage.name: stage_url(run, stage) for stage in run.stages.all()}
    return {
        "lines": [_line(report, node.row, urls.get(node.row.key, ""), lessons) for node in nodes],
        "marks": [Mark(*_place(node), node.row.kind, _only_domain(node.row)) for node in nodes],
        "strokes": [Stroke(edge.kind, _path(edge), _about(edge)) for edge in edges],
        "width": 2 * MARGIN + LANE * max([node.lane for node in nodes], default=0) + out,
        "height": ROW * len(nodes),
        "n_lessons": len(lessons),
    }


def _line(report: DriftReport, row: RowInfo, url: str, lessons: list[Edge]) -> LineageLine:
    best = [report.matrix.column(domain).label for domain, choice in report.best.items() if choice.row == row.key]
    return LineageLine(
        row=row,
        url=url,
        only_domain=_only_domain(row),
        parent=row.parent or "",
        teachers=[
            (edge.earlier.row.title, ", ".join(describe(domain).label for domain in edge.domains))
            for edge in lessons
            if edge.later.row.key == row.key
        ],
        chips=_chips(report, row),
        best=", ".join(best),
    )


def _chips(report: DriftReport, row: RowInfo) -> list[tuple[str, str]]:
    """The mean, and the scores of the domains that a GRPO stage trains: its own."""
    mean = report.matrix.mean(row.key)
    own = [
        (report.matrix.column(domain).label, words.score(cell.mean))
        for domain in (row.domains if row.kind == "grpo" else ())
        if (cell := report.matrix.cell(row.key, domain))
    ]
    return own if mean is None else [("mean", words.score(mean)), *own]


def _place(node: Node) -> tuple[int, int]:
    return MARGIN + LANE * node.lane, ROW * node.position + ROW // 2


def _path(edge: Edge) -> str:
    """A start is a line that changes lanes on its way; a teacher's line goes out to the right and comes back."""
    (x, y), (to_x, to_y) = _place(edge.earlier), _place(edge.later)
    if edge.kind == "start":
        return f"M{x} {y}V{to_y - ROW // 2}Q{x} {to_y} {to_x} {to_y}" if x != to_x else f"M{x} {y}V{to_y}"
    far = max(x, to_x) + MARGIN + BULGE * (edge.later.position - edge.earlier.position)
    return f"M{x} {y}C{far} {y} {far} {to_y} {to_x} {to_y}"


def _about(edge: Edge) -> str:
    if edge.kind == "start":
        return f"{edge.later.row.title} starts from {edge.earlier.row.title}"
    titles = words.listed([describe(domain).title for domain in edge.domains])
    return f"{edge.earlier.row.title} teaches {edge.later.row.title}: {titles}"


def _only_domain(row: RowInfo) -> str:
    return row.domains[0] if len(row.domains) == 1 else ""
