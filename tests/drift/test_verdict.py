"""The verdict says what the numbers say, in every case a run can be in."""

from dataclasses import replace

import pytest

from runs.drift import measure_recovery, verdict
from runs.drift.words import in_sentence, listed

CHAIN = [
    ("sft", "sft", ("if", "code", "stem"), {"if": 0.2, "code": 0.3, "stem": 0.5}),
    ("if_rl", "grpo", ("if",), {"if": 0.8, "code": 0.3, "stem": 0.5}),
    ("code_rl", "grpo", ("code",), {"if": 0.5, "code": 0.7, "stem": 0.48}),
    ("mopd", "mopd", ("if", "code"), {"if": 0.74, "code": 0.69, "stem": 0.48}),
]
TEACHERS = {"if": "if_rl", "code": "code_rl"}


def test_a_whole_cascade(build) -> None:
    matrix = build(CHAIN)
    # if: 60 of 200 lost; up 1/202, down 61/202: -29.703 +- 1.96 sqrt((0.306931 - 0.088227) / 202) = 6.449
    assert verdict(matrix, recovery=measure_recovery(matrix, "mopd", TEACHERS)) == (
        "After 4 stages 2 domains are up, 1 is within noise. Stage CODE_RL did most harm: if −30.0 [−36.2, −23.3]; "
        "the closing MOPD won back 80 % [70, 90] of what was lost."
    )


def test_an_unfinished_run(build) -> None:
    text = verdict(build(CHAIN[:2]), n_stages=4)
    assert (
        text
        == "So far, after 2 of 4 stages, 1 domain is up, 2 are within noise. No stage cost any domain more than noise."
    )


def test_rows_that_wait_for_their_score_are_not_counted(build) -> None:
    matrix = build(CHAIN)
    waiting = replace(matrix, cells={key: cell for key, cell in matrix.cells.items() if key[0] != "mopd"})
    text = verdict(waiting, recovery=measure_recovery(waiting, "mopd", TEACHERS))
    assert text.startswith("So far, after 3 of 4 stages, 2 domains are up")
    assert "won back" not in text
    assert "win back" not in text


def test_only_the_start(build) -> None:
    assert verdict(build(CHAIN[:1])) == "Only SFT is scored so far; it has nothing to be compared with yet."


def test_only_the_base_so_far(build) -> None:
    matrix = build([("base", "base", (), {"if": 0.0, "code": 0.0, "stem": 0.0}), *CHAIN])
    waiting = replace(matrix, cells={key: cell for key, cell in matrix.cells.items() if key[0] == "base"})
    assert verdict(waiting) == "Only BASE is scored so far; it has nothing to be compared with yet."


def test_nothing_scored(build) -> None:
    assert verdict(replace(build(CHAIN), cells={})) == "No checkpoint is scored yet."


def test_a_lost_domain_is_named_with_its_interval(build) -> None:
    text = verdict(build([*CHAIN[:2], ("code_rl", "grpo", ("code",), {"if": 0.8, "code": 0.7, "stem": 0.2})]))
    assert text == (
        "After 3 stages 2 domains are up, 1 is lost: stem, −30.0 [−36.2, −23.3] since SFT. "
        "Stage CODE_RL did most harm: stem −30.0 [−36.2, −23.3]."
    )


def test_nothing_to_win_back(build) -> None:
    chain = [*CHAIN[:2], ("mopd", "mopd", ("if",), {"if": 0.8, "code": 0.3, "stem": 0.5})]
    matrix = build(chain)
    text = verdict(matrix, recovery=measure_recovery(matrix, "mopd", {"if": "if_rl"}))
    assert text.endswith(
        "No stage cost any domain more than noise; the closing MOPD found nothing to win back that is more than noise."
    )


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (0.5, "won back 0 % [0, 0] of what was lost, which is within noise"),
        (0.3, "won back nothing and lost more (−67 % ["),
        (0.8, "won back 100 % [100, 100] of what was lost"),
    ],
)
def test_recovery_in_words(build, share: float, words: str) -> None:
    matrix = build([*CHAIN[:3], ("mopd", "mopd", ("if",), {"if": share, "code": 0.7, "stem": 0.48})])
    text = verdict(matrix, recovery=measure_recovery(matrix, "mopd", TEACHERS))
    assert words in text


def test_a_mopd_stage_in_the_middle_goes_by_its_name(build) -> None:
    matrix = build([*CHAIN, ("swe_rl", "grpo", ("stem",), {"if": 0.6, "code": 0.69, "stem": 0.8})])
    text = verdict(matrix, recovery=measure_recovery(matrix, "mopd", TEACHERS))
    assert "; MOPD won back 80 %" in text


def test_published_means_are_not_judged(published) -> None:
    assert verdict(published) == (
        "After 6 stages 5 domains are higher; without item results nobody can tell how much of it is noise. "
        "Stage RLHF did most harm: instructions −8.7."
    )


def test_titles_inside_sentences() -> None:
    assert [in_sentence(title) for title in ("Tool calling", "STEM", "ArenaHard", "Code")] == [
        "tool calling",
        "STEM",
        "ArenaHard",
        "code",
    ]
    assert [listed(names) for names in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == ["", "a", "a and b", "a, b and c"]
