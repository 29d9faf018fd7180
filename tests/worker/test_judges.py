"""Judges are declared by the operator; a trainer is told of those that its spec names, and of their keys, and of no others."""

import json
from pathlib import Path
from typing import Any

import pytest

from workers import launch
from workers.judges import VARIABLE, JudgeError, declared_judges, environment_for, named_judges
from workers.stage_dir import StageDir

URL = "https://judge.example/v1"
TWO = {
    "qwen": {"url": URL, "model": "qwen3", "key_variable": "QWEN_SESAME"},
    "oss": {"url": URL, "model": "oss", "key_variable": "OSS_SESAME"},
}
ENVIRONMENT = {VARIABLE: json.dumps(TWO), "QWEN_SESAME": "open qwen", "OSS_SESAME": "open oss"}


def test_judges_are_declared_as_json() -> None:
    found = declared_judges({VARIABLE: json.dumps({"qwen": {"url": f"{URL}/", "model": "qwen3", "timeout_s": 30}})})
    assert (found["qwen"].url, found["qwen"].timeout_s, found["qwen"].key_variable) == (URL, 30.0, "")
    assert declared_judges({}) == declared_judges({VARIABLE: " "}) == {}


@pytest.mark.parametrize(
    "text",
    [
        "qwen",
        "[]",
        '{"Qwen!": {"url": "https://x/v1", "model": "m"}}',
        '{"q": {"model": "m"}}',
        '{"q": {"url": "https://x/v1"}}',
        '{"q": {"url": "x/v1", "model": "m"}}',
        '{"q": {"url": "file:///etc/passwd", "model": "m"}}',
        '{"q": {"url": "https://me:word@x/v1", "model": "m"}}',
        '{"q": {"url": "https://x/v1?key=word", "model": "m"}}',
        '{"q": {"url": "https://x/v1", "model": "m", "key": "word"}}',
        '{"q": {"url": "https://x/v1", "model": "m", "key_variable": "sk-word"}}',
        '{"q": {"url": "https://x/v1", "model": "m", "concurrency": 0}}',
        '{"q": {"url": "https://x/v1", "model": "m", "timeout_s": "word"}}',
    ],
)
def test_a_wrong_declaration_is_refused_without_showing_what_it_holds(text: str) -> None:
    with pytest.raises(JudgeError, match=r"found JUDGES that cannot be read .* expected a JSON object") as refused:
        declared_judges({VARIABLE: text})
    assert "word" not in str(refused.value).replace("without a password", "")


def test_a_spec_names_the_recipes_judge_and_that_of_its_rewards() -> None:
    reward = {"reward_model": {"kind": "judge", "judge": "oss"}}
    assert named_judges({"judge": "qwen", "stage": reward}) == ["qwen", "oss"]
    assert named_judges({"judge": None, "stage": {"reward_model": None}}) == []
    assert named_judges({"judge": "qwen", "stage": {"kind": "sft"}}) == ["qwen"]


def test_a_trainer_gets_what_it_names_and_nothing_else() -> None:
    found = environment_for(["oss"], ENVIRONMENT)
    assert set(found) == {VARIABLE, "OSS_SESAME"}
    assert set(json.loads(found[VARIABLE])) == {"oss"}
    assert environment_for([], ENVIRONMENT) == {}


@pytest.mark.parametrize(
    ("names", "environment", "words"),
    [
        (["gpt"], ENVIRONMENT, "found judge 'gpt', expected one of: oss, qwen"),
        (["gpt"], {}, "this server declares none"),
        (["qwen"], {VARIABLE: json.dumps(TWO)}, "found no variable QWEN_SESAME, expected the key of judge 'qwen'"),
    ],
)
def test_a_judge_that_cannot_be_had_is_refused_in_words(
    names: list[str], environment: dict[str, str], words: str
) -> None:
    with pytest.raises(JudgeError, match=words):
        environment_for(names, environment)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    monkeypatch.setattr(launch.nursery, "fork", lambda module, *, folder, environment: found.append(environment))
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    return found


@pytest.mark.parametrize(
    ("spec", "kept"),
    [
        ({"judge": "qwen"}, {"QWEN_SESAME"}),
        ({"stage": {"reward_model": {"kind": "judge", "judge": "oss"}}}, {"OSS_SESAME"}),
        ({"judge": None, "stage": {"kind": "sft"}}, set()),
        ([], set()),
    ],
)
def test_processes_start_with_the_keys_they_need(
    spec: Any, kept: set[str], tmp_path: Path, started: list[dict[str, str]]
) -> None:
    folder = StageDir(tmp_path)
    folder.spec.write_text(json.dumps(spec))
    launch.start(folder, launch.TRAIN)
    assert {name for name in ("QWEN_SESAME", "OSS_SESAME") if name in started[0]} == kept
    assert (VARIABLE in started[0]) is bool(kept)


def test_a_warm_nursery_knows_no_key(started: list[dict[str, str]]) -> None:
    assert not set(ENVIRONMENT) & set(launch._environment())


def test_a_process_whose_judge_is_not_declared_does_not_start(tmp_path: Path, started: list[dict[str, str]]) -> None:
    folder = StageDir(tmp_path)
    folder.spec.write_text('{"judge": "gone"}')
    with pytest.raises(JudgeError, match="found judge 'gone'"):
        launch.start(folder, launch.TRAIN)
    assert not started
