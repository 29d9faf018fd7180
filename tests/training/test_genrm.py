"""The generative reward model: the numbers of its formula by hand, and what becomes of matches without a verdict."""

from pathlib import Path

import pytest

from tests.training.judge_server import Answer, honest, sections, serving
from workers.training.genrm import JudgeRewards, grades_of, ordered_pairs, scores_of
from workers.training.graders._judge_prompts import Comparison
from workers.training.judge import Told
from workers.training.rollouts import FAILED, Problem, Rollout


def told(first: int, second: int, ranking: int) -> Told[Comparison]:
    return Told(Comparison(first, second, ranking))


@pytest.mark.parametrize(
    ("verdict", "scores"),
    [
        ((4, 2, 1), (4.0, 2.0)),  # no tie: the ranking changes nothing
        ((2, 4, 1), (2.0, 4.0)),
        ((3, 3, 1), (5.5, 0.5)),  # 3 + (3.5 - 1), 3 + (1 - 3.5)
        ((3, 3, 3), (3.5, 2.5)),
        ((3, 3, 4), (2.5, 3.5)),
        ((1, 1, 6), (-1.5, 3.5)),  # the least there is
        ((5, 5, 1), (7.5, 2.5)),  # the most
    ],
)
def test_the_ranking_breaks_ties_alone(verdict: tuple[int, int, int], scores: tuple[float, float]) -> None:
    assert scores_of(Comparison(*verdict)) == scores


def test_a_reward_is_the_mean_over_an_answers_matches() -> None:
    grades = grades_of(3, {(0, 1): told(4, 2, 2), (2, 0): told(3, 3, 5), (1, 2): told(1, 5, 6)})
    # 0: 4 against 1; 3 + (5 - 3.5) = 4.5 against 2.   1: 2 and 1.   2: 3 + (3.5 - 5) = 1.5 against 0, and 5
    assert [grade.value for grade in grades] == [4.25, 1.5, 3.25]
    assert [grade.parts["matches"] for grade in grades] == [2.0, 2.0, 2.0]


def test_a_match_without_a_verdict_is_left_out_and_an_answer_without_any_is_a_zero() -> None:
    away: Told[Comparison] = Told(None, "judge 'local' cannot be reached")
    grades = grades_of(3, {(0, 1): told(4, 2, 1), (0, 2): away, (1, 2): away})
    assert [grade.value for grade in grades] == [4.0, 2.0, 0.0]
    assert grades[2].parts == {"reason": "judge 'local' cannot be reached", FAILED: 1.0}


def test_all_pairs_meet_once_and_the_first_place_is_shared() -> None:
    pairs = ordered_pairs(6)
    assert {frozenset(pair) for pair in pairs} == {frozenset((i, j)) for i in range(6) for j in range(i)}
    assert len(pairs) == 15
    firsts = [sum(pair[0] == member for pair in pairs) for member in range(6)]
    assert max(firsts) - min(firsts) <= 1


def rollout(group: int, text: str) -> Rollout:
    return Rollout(Problem("rows", f"k{group}", f"question {group}", {}), group, [1], [2], [], text, False)


def test_answers_are_compared_within_their_group_by_what_follows_the_thinking(tmp_path: Path) -> None:
    with serving(honest) as server:
        rollouts = [rollout(0, "<think>x</think>long answer"), rollout(0, "short"), rollout(3, "a"), rollout(3, "bb")]
        grades = JudgeRewards(server.judge(tmp_path)).grades(rollouts)
        shown = [sections(question) for question in server.asked]
    assert [grade.value for grade in grades] == [4.0, 2.0, 2.0, 4.0]
    met = {(parts["conversation"], *sorted((parts["first response"], parts["second response"]))) for parts in shown}
    assert met == {("question 0", "long answer", "short"), ("question 3", "a", "bb")}


def test_a_judge_that_is_away_gives_no_reward(tmp_path: Path) -> None:
    with serving(lambda question: Answer(status=500)) as server:
        grades = JudgeRewards(server.judge(tmp_path, retries=0)).grades([rollout(0, "a"), rollout(0, "b")])
    assert all(grade.value == 0 and FAILED in grade.parts for grade in grades)


def test_an_answer_that_never_comes_is_shown_as_none(tmp_path: Path) -> None:
    with serving(honest) as server:
        JudgeRewards(server.judge(tmp_path)).grades([rollout(0, "<think>for ever"), rollout(0, "b" * 50_000)])
        parts = sections(server.asked[0])
    assert {parts["first response"], parts["second response"]} == {"(no answer)", "b" * 40_000}
