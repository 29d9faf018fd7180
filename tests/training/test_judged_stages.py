"""Stages and scorings that ask a judge, on rows of a team: each kind of reward, a judge that goes away, a key that stays secret."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
from transformers import Qwen3Config, Qwen3ForSequenceClassification

from tests.training.judge_server import KEY, Answer, Server, honest, sections, serving
from tests.training.test_data_sets import kept
from tests.training.test_train_stage import NeverStop, launch, metrics, prepare, run, weights
from workers.judges import VARIABLE
from workers.spec import (
    BenchmarkSpec,
    FolderRewardSpec,
    GRPOSpec,
    JudgeRewardSpec,
    MOPDSpec,
    RewardModelSpec,
    ScoringSpec,
    SFTSpec,
)
from workers.stage_dir import Outcome, RolloutRecord, ScoreRecord, StageDir, read_records, write_document
from workers.training import judge as judges
from workers.training.checkpoints import load_checkpoint
from workers.training.evaluate import score
from workers.training.folder_reward import FolderRewards, batches
from workers.training.process import carry_out
from workers.training.rollouts import Problem, Rollout
from workers.training.tiny_model import build_tokenizer

PAIRS: list[dict[str, Any]] = [
    {"prompt": f"help {topic}?", "chosen": f"{topic} thanks!", "rejected": "no no"}
    for topic in ("tea", "cake", "soup", "rice", "milk", "fish", "jam", "pie", "bread", "fruit")
]
QUESTIONS: list[dict[str, Any]] = [
    {
        "responses_create_params": {"input": [{"role": "user", "content": f"want {topic}?"}]},
        "agent_ref": {"name": "equivalence_llm_judge_simple_agent"},
        "question": f"which? {topic}",
        "expected_answer": "tea",
    }
    for topic in ("tea", "cake", "soup", "rice", "milk", "fish", "jam", "pie", "bread", "fruit", "salad", "juice")
]
SFT = SFTSpec(
    name="sft", domains={"preference": 1}, steps=12, batch_size=8, learning_rate=0.02, optimizer="muon",
    adamw_learning_rate=0.004,
)  # fmt: skip
GRPO = GRPOSpec(
    name="rl", domains={"own": 1}, steps=4, prompts_per_step=2, rollouts_per_prompt=3, learning_rate=0.001,
    checkpoint_every=2, dynamic_filtering="off", max_response_tokens=8, length_reward=0.5, conciseness_bonus=0.5,
    length_parts="apart",
)  # fmt: skip
JUDGED = GRPO.model_copy(update={"reward_model": JudgeRewardSpec(judge="local")})

pytestmark = pytest.mark.training


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = prepare(tmp_path_factory.mktemp("run") / "sft", SFT)
    assert run(folder).status == "done"
    return folder.checkpoint(12)


@pytest.fixture
def pairs(tmp_path: Path) -> str:
    return registered(tmp_path / "pairs", PAIRS)


def registered(folder: Path, rows: list[dict[str, Any]], **settings: Any) -> str:
    folder.mkdir()
    return str(kept(folder, rows, **{"use": "train", **settings}).path)


def declare(monkeypatch: pytest.MonkeyPatch, server: Server, **settings: Any) -> None:
    spec = server.spec(retries=0, **settings).model_copy(update={"key_variable": "LOCAL_KEY"})
    monkeypatch.setenv("LOCAL_KEY", KEY)
    monkeypatch.setenv(VARIABLE, json.dumps({"local": spec.model_dump()}))


def stage_of(stage: GRPOSpec | MOPDSpec, folder: Path, start: Path, data: str, **more: Any) -> StageDir:
    return prepare(folder, stage, start_folder=str(start), data_folders={"own": data}, **more)


def test_a_judge_rewards_preference_rows_and_its_key_stands_nowhere(
    start: Path, pairs: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = stage_of(JUDGED, tmp_path / "rl", start, pairs)
    with serving(honest) as server:
        declare(monkeypatch, server)
        outcome = run(folder)
        n_asked = len(server.asked)
    assert outcome == Outcome(status="done", step=4), outcome.reason
    found = metrics(folder)
    assert sum(step["judge_asked"] for step in found) == n_asked > 0
    assert sum(step["judge_tokens_in"] for step in found) == 100 * n_asked
    assert sum(step["judge_tokens_out"] for step in found) == 7 * n_asked
    assert all(step["judge_failed"] == 0 and step["reward/own"] == step["reward"] for step in found)
    assert not any("true_reward" in step for step in found)  # there is no other grade
    first = read_records(folder.rollouts / "step_000001.jsonl", RolloutRecord)[0]
    assert all(-1.5 <= rollout.parts["score"] <= 7.5 for rollout in first if not rollout.is_truncated)
    written = [path.read_bytes() for path in folder.path.rglob("*") if path.is_file()]
    assert len(written) > 8
    assert not any(KEY.encode() in data for data in written)
    said = capfd.readouterr()
    assert KEY not in said.out + said.err


def test_a_resumed_step_asks_nothing_twice_and_ends_in_the_same_weights(
    start: Path, pairs: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, cut = (stage_of(JUDGED, tmp_path / name, start, pairs) for name in ("whole", "cut"))
    with serving(honest) as server:
        declare(monkeypatch, server)
        assert run(whole).status == "done"

    def away_in_the_last_step(question: str) -> Answer | str:
        return Answer(status=503) if len(metrics(cut)) == 3 else honest(question)

    with serving(away_in_the_last_step) as server:
        declare(monkeypatch, server)
        outcome = run(cut)
    assert (outcome.status, outcome.code, outcome.step) == ("failed", "judge_away", 3)
    assert "no verdict on any of 6 answers (judge 'local' answered with status 503)" in outcome.reason
    with serving(honest) as server:
        declare(monkeypatch, server)
        assert run(cut).status == "done"
    third, last = metrics(cut)[2:]
    assert (third["judge_asked"], third["judge_kept"] > 0, last["judge_asked"] > 0) == (0, True, True)
    assert weights(cut, 4) == weights(whole, 4)


def test_two_processes_share_the_questions_and_learn_the_same(
    start: Path, pairs: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = JUDGED.model_copy(update={"processes": 2})
    one, two = stage_of(JUDGED, tmp_path / "one", start, pairs), stage_of(both, tmp_path / "two", start, pairs)
    with serving(honest) as server:
        declare(monkeypatch, server)
        assert run(one).status == "done"
        n_asked = len(server.asked)
        declare(monkeypatch, server)
        process = launch(two)
        assert process.wait(timeout=120) == 0, two.log.read_text()
        assert len(server.asked) - n_asked == sum(step["judge_asked"] for step in metrics(two))
    assert len(list(two.judged.iterdir())) == 2
    for ours, theirs in zip(metrics(one), metrics(two), strict=True):
        assert ours["reward"] == pytest.approx(theirs["reward"], abs=1e-4)
    assert not any(KEY in path.read_text(errors="replace") for path in two.path.rglob("*") if path.is_file())


def test_some_failures_are_counted_and_the_stage_goes_on(
    start: Path, pairs: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = stage_of(JUDGED, tmp_path / "rl", start, pairs)
    with serving(lambda question: honest(question) if len(question) % 3 else "nonsense") as server:
        declare(monkeypatch, server)
        assert run(folder).status == "done"
    assert sum(step["judge_failed"] for step in metrics(folder)) > 0


def reward_folder(folder: Path, *, labels: int = 1, template: bool = True) -> Path:
    """Leave a small reward model in Hugging Face layout, with a tokenizer of its own."""
    tokenizer = build_tokenizer()
    if not template:
        tokenizer.chat_template = None
    config = Qwen3Config(
        vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=2,
        head_dim=8, intermediate_size=16, num_labels=labels, max_position_embeddings=64,
        pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    Qwen3ForSequenceClassification(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def answer(text: str, group: int = 0) -> Rollout:
    return Rollout(Problem("own", "k", f"help tea {'x' * group}?", {}), group, [1], [2], [], text, False)


def test_a_model_in_a_folder_rewards_preference_rows(start: Path, pairs: str, tmp_path: Path) -> None:
    stage = GRPO.model_copy(update={"reward_model": FolderRewardSpec(folder="rm")})
    folder = stage_of(stage, tmp_path / "rl", start, pairs, reward_folder=str(reward_folder(tmp_path / "rm")))
    outcome = run(folder)
    assert outcome == Outcome(status="done", step=4), outcome.reason
    assert all(math.isfinite(step["reward"]) and "judge_asked" not in step for step in metrics(folder))


def test_how_answers_are_batched_changes_no_score(tmp_path: Path) -> None:
    path = reward_folder(tmp_path / "rm")
    rollouts = [answer("tea " * n + "thanks!", group=n % 4) for n in range(1, 9)] + [answer("<think>no</think>tea!")]
    wide, narrow = (FolderRewards(FolderRewardSpec(folder="rm", batch_tokens=n), path) for n in (16384, 64))
    scores = [grade.value for grade in wide.grades(rollouts)]
    assert scores == pytest.approx([grade.value for grade in narrow.grades(rollouts)], abs=1e-5)
    assert scores == pytest.approx([wide.grades([rollout])[0].value for rollout in rollouts], abs=1e-5)
    assert scores[-1] == pytest.approx(wide.grades([answer("tea!")])[0].value)  # thinking is not read
    assert len(set(scores)) > 5


def test_batches_are_bounded_and_leave_nothing_out() -> None:
    dealt = batches([5, 50, 7, 100, 6], 30)
    assert dealt == [[0, 4, 2], [1], [3]]  # 3 rows of 7 are 21; one row alone may be longer
    assert batches([], 30) == []


@pytest.mark.parametrize(
    ("labels", "template", "words"), [(2, True, "found 2 labels"), (1, False, "found no chat template")]
)
def test_a_folder_that_is_no_reward_model_is_refused(
    labels: int, template: bool, words: str, start: Path, pairs: str, tmp_path: Path
) -> None:
    path = reward_folder(tmp_path / "rm", labels=labels, template=template)
    stage = GRPO.model_copy(update={"reward_model": FolderRewardSpec(folder="rm")})
    outcome = run(stage_of(stage, tmp_path / "rl", start, pairs, reward_folder=str(path)))
    assert outcome.code == "bad_spec"
    assert words in outcome.reason


def test_a_language_model_and_an_empty_folder_are_no_reward_models(start: Path, pairs: str, tmp_path: Path) -> None:
    stage = GRPO.model_copy(update={"reward_model": FolderRewardSpec(folder="rm")})
    for number, (path, words) in enumerate([(start, "found no weights for"), (tmp_path, "found no reward model")]):
        outcome = run(stage_of(stage, tmp_path / f"rl{number}", start, pairs, reward_folder=str(path)))
        assert outcome.code == "bad_spec"
        assert words in outcome.reason or "labels" in outcome.reason


def test_the_stage_trains_a_model_on_the_rows_pairs(start: Path, pairs: str, tmp_path: Path) -> None:
    reward = RewardModelSpec(steps=40, pairs_per_step=8, hidden_size=16, layers=1)
    folder = stage_of(GRPO.model_copy(update={"reward_model": reward}), tmp_path / "rl", start, pairs)
    outcome = run(folder)
    assert outcome == Outcome(status="done", step=4), outcome.reason
    assert all(0 <= step["reward"] <= 2 for step in metrics(folder))
    assert (folder.path / "reward_model" / "model.safetensors").exists()


def test_rows_without_pairs_train_no_model(start: Path, tmp_path: Path) -> None:
    rows = [{"prompt": row["prompt"], "chosen": row["chosen"]} for row in PAIRS]
    stage = GRPO.model_copy(update={"reward_model": RewardModelSpec(steps=1, hidden_size=8, layers=1)})
    outcome = run(stage_of(stage, tmp_path / "rl", start, registered(tmp_path / "own", rows)))
    assert outcome.code == "bad_spec"
    assert "chosen and rejected" in outcome.reason


@pytest.mark.parametrize("with_judge", [True, False])
def test_questions_are_judged_where_there_is_a_judge(
    with_judge: bool, start: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = registered(tmp_path / "own", QUESTIONS)
    folder = stage_of(GRPO, tmp_path / "rl", start, data, judge="local" if with_judge else None)
    with serving(honest) as server:
        declare(monkeypatch, server)
        assert run(folder).status == "done"
    assert bool(server.asked) is with_judge
    assert all(("judge_asked" in step) is with_judge for step in metrics(folder))


def test_a_mopd_stage_learns_from_its_teacher_on_preference_rows_and_asks_nobody(
    start: Path, pairs: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = MOPDSpec(
        name="mopd", domains={"own": 1}, steps=2, prompts_per_step=2, rollouts_per_prompt=2, learning_rate=0.001,
        max_response_tokens=8, warmup_steps=0,
    )  # fmt: skip
    folder = stage_of(stage, tmp_path / "mopd", start, pairs, teacher_folders={"own": str(start)})
    assert run(folder).status == "done"
    assert not any("reward" in step for step in metrics(folder))


MANY = {
    "win": [{**row, "prompt": f"help {n} tea?"} for n, row in enumerate(PAIRS * 6)],
    "right": [{**row, "responses_create_params": {"input": f"want {n} tea?"}} for n, row in enumerate(QUESTIONS * 5)],
}


def scoring_of(folder: Path, start: Path, data: str) -> StageDir:
    scoring = StageDir(folder)
    benchmark = BenchmarkSpec(domain="own", n_problems=8, n_validation=8, samples_per_problem=2, max_response_tokens=8)
    spec = ScoringSpec(
        run="r", seed=1, checkpoint_folder=str(start), benchmarks=(benchmark,), data_folders={"own": data},
        digests={"own": "d" * 64}, judge="local",
    )  # fmt: skip
    write_document(scoring.spec, spec)
    return scoring


def scored(folder: StageDir) -> Outcome:
    return carry_out(folder, NeverStop(), lambda: score)  # type: ignore[arg-type]


@pytest.mark.parametrize("verdict", MANY)
def test_a_scoring_asks_the_judge_and_says_which_one_it_was(
    verdict: str, start: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def say(question: str) -> str:
        parts = sections(question)
        own_is_first = parts.get("second response", "").endswith("thanks!") and "first response" in parts
        return f"VERDICT: 4 4 {1 if own_is_first else 6}" if "first response" in parts else "VERDICT: RIGHT"

    data = registered(tmp_path / "own", MANY[verdict], use="benchmark")
    folder = scoring_of(tmp_path / "scoring", start, data)
    with serving(say) as server:
        declare(monkeypatch, server)
        assert scored(folder) == Outcome(status="done", step=2)
    records = read_records(folder.scores, ScoreRecord)[0]
    assert sum(record.judge.get("asked", 0) for record in records) == len(server.asked) > 0
    assert sum(record.judge.get("tokens_in", 0) for record in records) == 100 * len(server.asked)
    assert all(record.protocol["judge"] == "local: m" for record in records)
    verdicts = {item.parts.get("verdict") for record in records for item in record.items if item.value == 1}
    assert verdict in verdicts
    assert not [path for path in folder.path.rglob("*") if path.is_file() and KEY in path.read_text()]


def test_a_scoring_whose_judge_is_away_fails_in_words_and_a_retry_does_the_rest(
    start: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = scoring_of(tmp_path / "scoring", start, registered(tmp_path / "own", MANY["right"], use="benchmark"))
    with serving(lambda question: Answer(status=500)) as server:
        declare(monkeypatch, server)
        outcome = scored(folder)
    assert outcome.code == "judge_away"
    assert "found no verdict on any of" in outcome.reason
    with serving(honest) as server:
        declare(monkeypatch, server)
        assert scored(folder).status == "done"


@pytest.fixture(autouse=True)
def _no_judges_stay() -> Any:
    yield
    judges.drop_judges()


def test_lengths_of_thinking_and_answer(start: Path) -> None:
    from workers.training.lengths import lengths_of

    policy = load_checkpoint(start)
    ids = policy.response_ids

    def count(text: str, *, thinking: bool = False) -> tuple[int, int]:
        rollout = Rollout(Problem("own", "k", "?", {}), 0, [1], ids(text), [], policy.text(ids(text)), False)
        return lengths_of(rollout, policy, thinking=thinking)

    n = len(ids("tea thanks!"))
    assert count("tea thanks!") == (0, n)
    assert count("tea thanks!", thinking=True) == (n, n)  # it never ended what the template had opened
    thought = len(ids("tea</think>")) - 1
    assert count("tea</think>thanks!") == (thought, len(ids("tea</think>thanks!")) - thought)
    assert sum(count("<think>tea</think>thanks!", thinking=True)) == len(ids("<think>tea</think>thanks!"))
    assert count("<think>tea") == (len(ids("<think>tea")),) * 2
