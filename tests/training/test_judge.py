"""A judge is asked many things at once, waited for, retried while it is away, and never asked twice; its key stays secret."""

import json
import socket
import time
from itertools import count
from pathlib import Path

import pytest

from tests.training.judge_server import KEY, Answer, serving
from workers.judges import VARIABLE, JudgeSpec
from workers.stage_dir import StageDir
from workers.training import judge as judges
from workers.training.bad_spec import BadSpecError
from workers.training.graders._judge_prompts import read_word
from workers.training.judge import Judge, JudgeAwayError, check_judged, take_judges
from workers.training.rollouts import FAILED, Grade

WORDS = {"RIGHT": 1.0, "WRONG": 0.0}


def read(said: str) -> tuple[str, float] | None:
    return read_word(said, WORDS)


def right(question: str) -> str:
    return "VERDICT: RIGHT"


def test_it_is_asked_and_its_tokens_are_counted(tmp_path: Path) -> None:
    with serving(lambda question: f"VERDICT: {question}") as server:
        judge = server.judge(tmp_path, temperature=0.3, max_tokens=99)
        told = judge.ask(["RIGHT", "WRONG", "RIGHT"], read)
    assert [found.verdict for found in told] == [("RIGHT", 1.0), ("WRONG", 0.0), ("RIGHT", 1.0)]
    assert dict(judge.counts) == {"kept": 0, "asked": 2, "tokens_in": 200, "tokens_out": 14}  # the same is asked once
    assert server.keys == {f"Bearer {KEY}"}
    assert {(body["model"], body["temperature"], body["max_tokens"]) for body in server.bodies} == {("m", 0.3, 99)}


def test_many_are_asked_at_once_but_no_more_than_it_may_be(tmp_path: Path) -> None:
    with serving(lambda question: Answer("VERDICT: RIGHT", after_s=0.05)) as server:
        started = time.monotonic()
        told = server.judge(tmp_path, concurrency=8).ask([f"q{n}" for n in range(64)], read)
    assert all(found.verdict for found in told)
    assert 4 <= server.most_at_once <= 8
    assert time.monotonic() - started < 64 * 0.05


def test_what_was_judged_is_kept_and_not_asked_again(tmp_path: Path) -> None:
    with serving(right) as server:
        server.judge(tmp_path).ask(["a", "b"], read)
        again = server.judge(tmp_path)
        assert [found.verdict for found in again.ask(["a", "b", "c"], read)] == [("RIGHT", 1.0)] * 3
        assert len(server.asked) == 3
        assert (again.counts["kept"], again.counts["asked"]) == (2, 1)
        Judge("local", server.spec().model_copy(update={"model": "other"}), KEY, tmp_path / "judged").ask(["a"], read)
        Judge("another", server.spec(), KEY, tmp_path / "judged", number=1).ask(["a"], read)
        assert len(server.asked) == 5  # another model, and another judge, are asked anew


def test_a_line_that_was_cut_short_costs_itself_only(tmp_path: Path) -> None:
    with serving(right) as server:
        server.judge(tmp_path).ask(["a", "b"], read)
        path = tmp_path / "judged" / "0.jsonl"
        path.write_text(path.read_text()[:-10])
        again = server.judge(tmp_path)
        again.ask(["a", "b"], read)
    assert (again.counts["kept"], again.counts["asked"]) == (1, 1)
    assert len(path.read_text().splitlines()) == 2


@pytest.mark.parametrize("status", [500, 502, 503, 429, 408])
def test_a_judge_that_is_away_for_a_moment_is_asked_again(status: int, tmp_path: Path) -> None:
    tries = count()
    with serving(lambda question: Answer(status=status) if next(tries) == 0 else "VERDICT: WRONG") as server:
        (told,) = server.judge(tmp_path).ask(["a"], read)
    assert told.verdict == ("WRONG", 0.0)
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(status=500, body=KEY), "answered with status 500"),
        (Answer(status=429), "had too many questions"),
        (Answer(status=401, body=json.dumps({"error": {"message": f"Incorrect API key: {KEY}"}})), "refused its key"),
        (Answer(status=403), "refused its key"),
        (Answer(status=404), "status 404"),
        (Answer(status=400, body=f"too long {KEY}"), "status 400"),
        (Answer(body="<html>sorry</html>"), "judge 'local'"),
        (Answer(body=""), "judge 'local'"),
        (Answer(body="null"), "judge 'local'"),
        (Answer(body="[]"), "judge 'local'"),
        (Answer(body="{}"), "no verdict"),
        (Answer(body='{"choices": []}'), "no verdict"),
        (Answer(body='{"choices": [{"message": {"content": null}}]}'), "no verdict"),
        (Answer(body='{"choices": "yes", "usage": 7}'), "judge 'local'"),
        (Answer(body='{"choices": {"a": 1}}'), "no verdict"),
        (Answer(body='{"choices": ' + "[" * 50_000 + "]" * 50_000 + "}"), "answered nonsense"),
        (Answer(said=""), "no verdict"),
        (Answer(said="The answer is right."), "no verdict"),
        (Answer(said="VERDICT: RIGHT\nbecause it is so"), "no verdict"),
        (Answer(said="VERDICT: PERFECT"), "no verdict"),
        (Answer(said="verdict: right"), "no verdict"),
        (Answer(said="<think>VERDICT: RIGHT"), "no verdict"),
    ],
)
def test_whatever_goes_wrong_is_a_reason_that_tells_no_key(answer: Answer, words: str, tmp_path: Path) -> None:
    with serving(lambda question: answer) as server:
        judge = server.judge(tmp_path, retries=0)
        (told,) = judge.ask(["a"], read)
        assert told.verdict is None
        assert words in told.reason
        assert KEY not in told.reason
        assert judge.counts["failed"] == 1
        judge.ask(["a"], read)
        assert len(server.asked) == 2  # what was no verdict is not kept


def test_words_that_cannot_be_written_and_counts_that_cannot_be_cost_nothing(tmp_path: Path) -> None:
    usage = {"prompt_tokens": 10**400, "completion_tokens": -5}
    body = json.dumps({"choices": [{"message": {"content": "a\ud800\nVERDICT: RIGHT"}}], "usage": usage})
    with serving(lambda question: Answer(body=body)) as server:
        judge = server.judge(tmp_path, retries=0)
        assert judge.ask(["a"], read)[0].verdict is not None
        assert (judge.counts["tokens_in"], judge.counts["tokens_out"]) == (0, 0)


def test_a_slow_one_costs_its_own_answer(tmp_path: Path) -> None:
    with serving(lambda question: Answer("VERDICT: RIGHT", after_s=2.0 if question == "slow" else 0)) as server:
        slow, quick = server.judge(tmp_path, timeout_s=0.3, retries=0).ask(["slow", "quick"], read)
    assert (slow.verdict, slow.reason) == (None, "judge 'local' took longer than 0.3 s")
    assert quick.verdict == ("RIGHT", 1.0)


def test_one_that_is_away_is_soon_given_up(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        spec = JudgeSpec(url=f"http://127.0.0.1:{free.getsockname()[1]}/v1", model="m", retries=2, concurrency=4)
        judge = Judge("gone", spec, "", tmp_path)
        started = time.monotonic()
        told = judge.ask([f"q{n}" for n in range(40)], read)
    assert {found.reason for found in told} == {"judge 'gone' cannot be reached"}
    assert time.monotonic() - started < 15  # not ten rounds of three tries: the later ones have one each
    assert judge.counts["failed"] == 40


def test_only_a_step_without_any_verdict_is_a_failure() -> None:
    failed, judged = Grade(0.0, {"reason": "away", FAILED: 1.0}), Grade(0.0, {"verdict": "wrong"})
    check_judged([])
    check_judged([judged, failed])
    check_judged([Grade(0.0, {"reason": "no answer"})])
    with pytest.raises(JudgeAwayError, match=r"no verdict on any of 2 answers \(away\)"):
        check_judged([failed, Grade(0.0, {"reason": "no answer"}), failed])


def declare(monkeypatch: pytest.MonkeyPatch, **judge: object) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    monkeypatch.setenv(VARIABLE, json.dumps({"local": {"url": "http://127.0.0.1:9/v1", "model": "m", **judge}}))


def test_a_process_takes_the_keys_out_of_its_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    declare(monkeypatch, key_variable="MY_KEY")
    take_judges(StageDir(tmp_path), ["local"], of_recipe="local")
    assert judges.judge_of_recipe()._key == KEY
    assert not [name for name, value in judges.os.environ.items() if KEY in value or name == VARIABLE]
    assert KEY not in repr(vars(judges.judge_of_recipe().spec))
    judges.drop_judges()


@pytest.mark.parametrize(
    ("names", "words"), [(["other"], "expected one of: local"), (["local"], "no variable LOST_KEY")]
)
def test_a_judge_that_cannot_be_asked_is_a_bad_spec(
    names: list[str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(monkeypatch, key_variable="LOST_KEY")
    with pytest.raises(BadSpecError, match=words):
        take_judges(StageDir(tmp_path), names, of_recipe=None)
    with pytest.raises(BadSpecError, match="name one in the recipe's judge"):
        judges.judge_of_recipe()
