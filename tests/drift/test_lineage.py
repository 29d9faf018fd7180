"""The graph of checkpoints as it is laid out."""

from dataclasses import replace

from runs.drift.lineage import lineage_graph
from tests.drift.conftest import Build

TABLE = [
    ("base", "base", (), {"if": 0.2}),
    ("sft", "sft", ("if",), {"if": 0.3}),
    ("side", "grpo", ("if",), {"if": 0.4}),
    ("side_2", "grpo", ("if",), {"if": 0.4}),
    ("main", "grpo", ("if",), {"if": 0.5}),
    ("mopd", "mopd", ("if", "code"), {"if": 0.6}),
]


def test_a_side_branch_gets_a_lane_and_teachers_an_edge(build: Build) -> None:
    matrix = build(TABLE)
    rows = tuple(replace(row, parent="sft") if row.key == "main" else row for row in matrix.rows)
    nodes, edges = lineage_graph(
        replace(matrix, rows=rows), {"mopd": {"if": "side_2", "code": "side_2", "stem": "gone"}}
    )
    assert {node.row.key: node.lane for node in nodes} == {
        "base": 0, "sft": 0, "side": 1, "side_2": 1, "main": 0, "mopd": 0,
    }  # fmt: skip
    assert [(edge.earlier.row.key, edge.later.row.key) for edge in edges if edge.kind == "start"] == [
        ("base", "sft"), ("sft", "side"), ("side", "side_2"), ("sft", "main"), ("main", "mopd"),
    ]  # fmt: skip
    lesson = edges[-1]
    assert (lesson.kind, lesson.earlier.row.key, lesson.domains) == ("teacher", "side_2", ("if", "code"))


def test_two_branches_of_one_checkpoint_stand_apart(build: Build) -> None:
    matrix = build(TABLE)
    rows = tuple(replace(row, parent="sft") if row.key in ("side", "side_2", "main") else row for row in matrix.rows)
    nodes, _ = lineage_graph(replace(matrix, rows=rows), {})
    assert len({node.lane for node in nodes if node.row.key in ("sft", "side", "side_2")}) == 3


def test_nothing_is_drawn_of_nothing(build: Build) -> None:
    assert lineage_graph(replace(build(TABLE), rows=()), {}) == ([], [])
