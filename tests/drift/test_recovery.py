"""What a MOPD stage won back: fractions by hand, Fieller's intervals by a bootstrap, and reasons where there are none."""

from dataclasses import replace

import numpy as np
import pytest

from runs.drift import ColumnInfo, RowInfo, ScoreCell, ScoreMatrix, measure_recovery, score_cell

CHAIN = [
    ("sft", "sft", ("if", "code"), {"if": 0.2, "code": 0.3}),
    ("if_rl", "grpo", ("if",), {"if": 0.8, "code": 0.3}),
    ("code_rl", "grpo", ("code",), {"if": 0.5, "code": 0.7}),
    ("mopd", "mopd", ("if", "code"), {"if": 0.74, "code": 0.69}),
]
TEACHERS = {"if": "if_rl", "code": "code_rl"}


def random_matrix(before: float, after: float, teacher: float, *, n: int = 300, domains: int = 1) -> ScoreMatrix:
    random = np.random.default_rng(13)
    rows = (
        RowInfo("teacher", "Teacher", "grpo", ("d0",)),
        RowInfo("before", "Before", "grpo", ("x",), "teacher"),
        RowInfo("mopd", "MOPD", "mopd", tuple(f"d{k}" for k in range(domains)), "before"),
    )
    cells = {}
    for k in range(domains):
        luck = random.uniform(size=n)  # one draw per problem, so that the three checkpoints are correlated
        for row, share in (("teacher", teacher), ("before", before), ("mopd", after)):
            cells[row, f"d{k}"] = score_cell(
                row, f"d{k}", (0.7 * luck + 0.3 * random.uniform(size=n) < share).astype(float)
            )
    return ScoreMatrix(rows, tuple(ColumnInfo(f"d{k}", f"D{k}", f"d{k}") for k in range(domains)), cells)


def test_recovery_by_hand(build) -> None:
    found = measure_recovery(build(CHAIN), "mopd", TEACHERS)
    by_domain = {domain.domain: domain for domain in found.domains}
    assert by_domain["if"].fraction == pytest.approx(0.24 / 0.30)
    # of 200 problems 60 were lost and 48 of them came back; times 199: Var gain 0.1824, Var gap 0.21, Cov 0.168
    # (0.09 - 3.8415 * 0.21/199) f^2 - 2 (0.072 - 3.8415 * 0.168/199) f + (0.0576 - 3.8415 * 0.1824/199) = 0
    # 0.085946 f^2 - 2 * 0.068757 f + 0.054079 = 0: f = (0.068757 +- 0.008924) / 0.085946
    assert by_domain["if"].interval == pytest.approx((0.69617, 0.90383), abs=2e-5)
    assert by_domain["code"].fraction is None
    assert by_domain["code"].reason == "the start is its own teacher"
    assert found.fraction == pytest.approx(0.8)
    assert [domain.domain for domain in found.lost] == ["if"]


def test_a_student_at_its_teacher_recovered_all_of_it_for_certain(build) -> None:
    chain = [*CHAIN[:3], ("mopd", "mopd", ("if",), {"if": 0.8, "code": 0.7})]
    found = measure_recovery(build(chain), "mopd", TEACHERS)
    assert found.fraction == pytest.approx(1.0)
    assert found.interval == pytest.approx((1.0, 1.0))  # item by item the same, so no draw of problems would differ


def test_sum_adds_gains_before_dividing() -> None:
    matrix = random_matrix(0.4, 0.6, 0.7, domains=3)
    found = measure_recovery(matrix, "mopd", dict.fromkeys(["d0", "d1", "d2"], "teacher"))
    gain = sum(domain.after.mean - domain.before.mean for domain in found.domains)
    gap = sum(domain.teacher.mean - domain.before.mean for domain in found.domains)
    assert found.fraction == pytest.approx(gain / gap)
    widths = [domain.interval[1] - domain.interval[0] for domain in found.domains]
    assert found.interval[1] - found.interval[0] < min(widths)


def test_fieller_agrees_with_a_bootstrap() -> None:
    matrix = random_matrix(0.4, 0.6, 0.7, n=400)
    found = measure_recovery(matrix, "mopd", {"d0": "teacher"})
    before, after, teacher = (matrix.cells[row, "d0"].values for row in ("before", "mopd", "teacher"))
    draws = np.random.default_rng(0).integers(0, 400, (4000, 400))
    start = before[draws].mean(1)
    ratios = (after[draws].mean(1) - start) / (teacher[draws].mean(1) - start)
    assert found.interval == pytest.approx(tuple(np.percentile(ratios, [2.5, 97.5])), abs=0.03)


def test_fieller_bounds_solve_its_equation() -> None:
    matrix = random_matrix(0.4, 0.55, 0.7)
    found = measure_recovery(matrix, "mopd", {"d0": "teacher"})
    before, after, teacher = (matrix.cells[row, "d0"].values for row in ("before", "mopd", "teacher"))
    for bound in found.interval:
        rest = (after - before) - bound * (teacher - before)
        assert abs(rest.mean()) / (rest.std(ddof=1) / np.sqrt(len(rest))) == pytest.approx(1.959964, abs=1e-6)


def test_small_gaps_are_not_lost(build) -> None:
    chain = [*CHAIN[:2], ("code_rl", "grpo", ("code",), {"if": 0.78, "code": 0.7}), CHAIN[3]]
    found = measure_recovery(build(chain), "mopd", TEACHERS)
    assert found.fraction is None
    assert found.reason == "no teacher is more than 3 points above the start"


def test_a_gap_within_noise_is_lost_but_never_divided_by_alone() -> None:
    # of 40 problems the teacher has 8 that the start lacks, and lacks 6 that it has: a gap of 5 points, p = 0.79
    matrix = random_matrix(0.5, 0.5, 0.5, n=40)
    cells = dict(matrix.cells)
    cells["teacher", "d0"] = score_cell("teacher", "d0", [1.0] * 18 + [0.0] * 22)
    cells["before", "d0"] = score_cell("before", "d0", [1.0] * 10 + [0.0] * 24 + [1.0] * 6)
    found = measure_recovery(replace(matrix, cells=cells), "mopd", {"d0": "teacher"})
    assert (found.domains[0].is_lost, found.domains[0].fraction) == (True, None)
    assert found.domains[0].reason == "its gap to the teacher is within noise"
    assert (found.fraction, found.reason) == (None, "the teachers are above the start by no more than noise")


def test_lost_domains_can_be_picked_on_validation(build) -> None:
    validation = build([*CHAIN[:2], ("code_rl", "grpo", ("code",), {"if": 0.8, "code": 0.7}), CHAIN[3]])
    found = measure_recovery(build(CHAIN), "mopd", TEACHERS, validation=validation)
    assert found.lost == ()
    assert found.fraction is None


@pytest.mark.parametrize(
    ("missing", "reason"),
    [
        ("if_rl", "its teacher is not scored"),
        ("code_rl", "its start is not scored"),
        ("mopd", "the stage is not scored"),
    ],
)
def test_missing_scores_have_a_reason(build, missing: str, reason: str) -> None:
    matrix = build(CHAIN)
    cells = {key: cell for key, cell in matrix.cells.items() if key != (missing, "if")}
    found = measure_recovery(replace(matrix, cells=cells), "mopd", {"if": "if_rl"})
    assert found.domains[0].reason == reason
    assert found.fraction is None


def test_a_domain_without_a_teacher(build) -> None:
    found = measure_recovery(build(CHAIN), "mopd", {"code": "code_rl"})
    assert {domain.domain: domain.reason for domain in found.domains}["if"] == "it has no teacher"


def test_published_means_have_a_fraction_and_no_interval(build) -> None:
    matrix = build(CHAIN)
    cells = {key: ScoreCell(cell.row, cell.column, cell.mean) for key, cell in matrix.cells.items()}
    found = measure_recovery(replace(matrix, cells=cells), "mopd", TEACHERS)
    assert (found.fraction, found.interval) == (pytest.approx(0.8), None)
