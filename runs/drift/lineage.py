"""The graph of a run's checkpoints: who starts from whom, who teaches whom, and where each stands when it is drawn."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from runs.drift.matrix import RowInfo, ScoreMatrix


@dataclass(frozen=True)
class Node:
    """A checkpoint in the drawing: `position` counts down, `lane` across; the lineage of the last one is lane 0."""

    row: RowInfo
    position: int
    lane: int


@dataclass(frozen=True)
class Edge:
    """From an earlier checkpoint to a later one: it starts from it, or learns from it as its teacher."""

    kind: Literal["start", "teacher"]
    earlier: Node
    later: Node
    domains: tuple[str, ...] = ()  # what is taught


def lineage_graph(matrix: ScoreMatrix, teachers: Mapping[str, Mapping[str, str]]) -> tuple[list[Node], list[Edge]]:
    """Lay out all rows; teachers: MOPD row -> domain -> the row that taught it. Rows that are not there are left out."""
    nodes = {node.row.key: node for node in _nodes(matrix)}
    starts = [
        Edge("start", nodes[node.row.parent], node)
        for node in nodes.values()
        if node.row.parent is not None and node.row.parent in nodes
    ]
    lessons = []
    for learner, by_domain in teachers.items():
        taught: dict[str, list[str]] = {}
        for domain, teacher in by_domain.items():
            taught.setdefault(teacher, []).append(domain)
        lessons += [
            Edge("teacher", nodes[teacher], nodes[learner], tuple(domains))
            for teacher, domains in taught.items()
            if teacher in nodes and learner in nodes
        ]
    return list(nodes.values()), [*starts, *lessons]


def _nodes(matrix: ScoreMatrix) -> list[Node]:
    """Give each branch that leaves a lineage a lane of its own."""
    final = matrix.final_row() or (matrix.rows[-1] if matrix.rows else None)
    main = {row.key for row in matrix.lineage(final.key)} if final else set()
    lanes: dict[str, int] = {}
    continued: set[str] = set()  # rows whose lane a later row already goes on with
    n_lanes = 1
    for row in matrix.rows:
        parent = row.parent
        if row.key in main:
            lanes[row.key] = 0
        elif parent in lanes and parent not in main and parent not in continued:
            lanes[row.key] = lanes[parent]
        else:
            lanes[row.key] = n_lanes
            n_lanes += 1
        if parent is not None:
            continued.add(parent)
    return [Node(row, position, lanes[row.key]) for position, row in enumerate(matrix.rows)]
