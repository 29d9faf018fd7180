"""The score matrix and a recovery as a terminal shows them."""

from dataclasses import replace

from runs.drift import matrix_text, measure_recovery, recovery_text
from runs.drift.text import LEGEND

CHAIN = [
    ("sft", "sft", ("if", "code"), {"if": 0.2, "code": 0.3}),
    ("if_rl", "grpo", ("if",), {"if": 0.8, "code": 0.29}),
    ("code_rl", "grpo", ("code",), {"if": 0.5, "code": 0.7}),
    ("mopd", "mopd", ("if", "code"), {"if": 0.74, "code": 0.69}),
]


def test_matrix_with_marks(build) -> None:
    assert matrix_text(build(CHAIN)).splitlines() == [
        "stage        if   code  |  mean",
        "0 SFT       20     30   |  25.0",
        "1 IF_RL   +[80]*  ·29   |  54.5",
        "2 CODE_RL  −50   +[70]* |  60.0",
        "3 MOPD ⇉   +74    ·69   |  71.5",
        "",
        LEGEND,
    ]


def test_missing_scores_are_dashes(build) -> None:
    matrix = build(CHAIN)
    cells = {key: cell for key, cell in matrix.cells.items() if key != ("mopd", "code")}
    assert matrix_text(replace(matrix, cells=cells)).splitlines()[4] == "3 MOPD ⇉   +74      –   |     –"


def test_recovery_lines(build) -> None:
    matrix = build(CHAIN)
    assert recovery_text(matrix, measure_recovery(matrix, "mopd", {"if": "if_rl", "code": "code_rl"})).splitlines() == [
        "MOPD: start -> after (teacher), recovered",
        "  If                  50.0 ->  74.0 ( 80.0 IF_RL)  80 % [70, 90]",
        "  Code                70.0 ->  69.0 ( 70.0 CODE_RL)  the start is its own teacher",
        "  all that was lost  80 % [70, 90]",
    ]


def test_matrix_fits_a_terminal(build) -> None:
    names = ("IF", "STEM", "Tool", "Struct", "Pref", "Long", "Code", "SWE")
    wide = build([("sft", "sft", names, dict.fromkeys(names, 0.5)), ("mdrl", "grpo", names, dict.fromkeys(names, 1.0))])
    assert max(len(line) for line in matrix_text(wide).splitlines()) <= 100
