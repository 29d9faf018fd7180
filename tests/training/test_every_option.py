"""Every pair of options of GRPO and of MOPD, carried out for three steps on a very small model.

A covering array: few stages, in which any two values of any two options meet at least once. Warnings are errors, as in all
tests.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from pathlib import Path

import pytest

from workers.spec import GRPOSpec, LoRASpec, MOPDSpec, ResolvedStageSpec, RewardModelSpec, SFTSpec, TinyModelSpec
from workers.stage_dir import Outcome, StageDir, StepRecord, read_records, write_document
from workers.training.checkpoints import load_checkpoint, save_checkpoint
from workers.training.process import carry_out
from workers.training.trainer import train

TINY = TinyModelSpec(hidden_size=16, layers=1, heads=2, head_size=8, mlp_size=16)
SFT = SFTSpec(
    name="sft", domains={"stem": 1, "preference": 1}, steps=60, batch_size=16, learning_rate=0.02, warmup_steps=0,
    optimizer="muon", adamw_learning_rate=0.01,
)  # fmt: skip
LEARNED = {"domains": {"stem": 1, "preference": 1}, "reward_model": RewardModelSpec(steps=1, hidden_size=8, layers=1)}
STAGE_OPTIONS = {
    "optimizer": ["adamw", "muon"],
    "adamw_learning_rate": [None, 1e-3],
    "warmup_steps": [1, 3],
    "warmup_from": [0.0, 1e-4],
    "schedule": ["constant", "linear", "cosine"],
    "final_learning_rate": [0.0, 1e-4],
    "beta1": [0.9, 0.5],
    "beta2": [0.95, 0.99],
    "weight_decay": [0.0, 0.1],
    "max_grad_norm": [1.0, 0.01],
    "checkpoint_every": [1, 20],
    "keep_last": [0, 1],
    "score_every": [0, 1],
    "precision": ["float32", "bfloat16"],
    "gradient_checkpointing": [False, True],
    "micro_batch_tokens": [2048, 64],
    "lora": [None, LoRASpec(rank=2, alpha=8), LoRASpec(rank=1, target_modules="q_proj, v_proj")],
    "prompts_per_step": [3, 4],
    "temperature": [1.0, 0.7],
    "top_p": [1.0, 0.9],
    "max_response_tokens": [6, 9],
    "thinking": [None, True, False],
}
GRPO_OPTIONS = {
    **STAGE_OPTIONS,
    "rollouts_per_prompt": [3, 4],
    "baseline": ["mean", "leave_one_out"],
    "normalize_advantages": [True, False],
    "loss_average": ["token", "sequence", "constant"],
    "kl_coefficient": [0.0, 0.1],
    "kl_estimator": ["k1", "k2", "k3"],
    "entropy_coefficient": [0.0, 0.01],
    "updates_per_batch": [1, 2, 3],
    "clip_low": [0.2, 0.01],
    "clip_high": [0.2, 0.01],
    "dynamic_filtering": ["off", "drop", "replace"],
    "max_resampling": [1, 2],
    "min_group_reward": [None, 0.45],
    "overlong": ["keep", "penalize", "mask"],
    "length_reward": [0.0, 0.5],
    "conciseness_bonus": [0.0, 0.5],
    "conciseness_quantile": [0.8, 0.5],
    "length_parts": ["whole", "apart"],
    "domains": [{"stem": 1}, LEARNED],
}
MOPD_OPTIONS = {
    **STAGE_OPTIONS,
    "rollouts_per_prompt": [2, 3],
    "divergence": ["sampled_token", "full_vocabulary"],
    "loss_average": ["token", "sequence"],
    "ratio_low": [0.5, 0.99],
    "ratio_high": [2.0, 1.01],
    "task_reward_weight": [0.0, 0.5],
    "domains": [{"stem": 1}, {"stem": 1, "tools": 2}],
}
ELSEWHERE = {
    "kind",
    "engine",
    "liger",
    "cpu_threads",
    "processes",
    "name",
    "starts_from",
    "steps",
    "learning_rate",
    "reward_model",
    "teachers",
}  # reward_model: LEARNED; liger: needs a GPU

Value = tuple[str, int]  # an option, and which of its values


@dataclass
class StopAfter:
    """A request to stop that comes after so many steps."""

    steps: int

    def is_set(self) -> bool:
        self.steps -= 1
        return self.steps <= 0


def covering(options: Mapping[str, Sequence[object]]) -> Iterator[dict[str, object]]:
    """Yield choices until every pair of values of two options has met; greedy, so not the fewest there could be."""
    names = sorted(options, key=lambda name: -len(options[name]))
    missing = {
        ((a, i), (b, j))
        for a, b in combinations(names, 2)
        for i, j in product(range(len(options[a])), range(len(options[b])))
        if _is_possible({a: options[a][i], b: options[b][j]})
    }
    while missing:
        chosen = dict(min(missing))
        for name in (name for name in names if name not in chosen):
            so_far = {other: options[other][value] for other, value in chosen.items()}
            gains = [
                _n_new(missing, (name, value), chosen) if _is_possible(so_far | {name: options[name][value]}) else -1
                for value in range(len(options[name]))
            ]
            chosen[name] = gains.index(max(gains))
        missing -= set(product(chosen.items(), repeat=2))
        yield {name: options[name][chosen[name]] for name in options}


def _n_new(missing: set[tuple[Value, Value]], value: Value, chosen: dict[str, int]) -> int:
    return sum((value, other) in missing or (other, value) in missing for other in chosen.items())


def _is_possible(choice: Mapping[str, object]) -> bool:
    """Muon trains no adapters, and only a checkpoint can be scored."""
    has_adapters = choice.get("optimizer") == "muon" and choice.get("lora") is not None
    has_no_checkpoint = choice.get("score_every") == 1 and choice.get("checkpoint_every", 1) != 1
    return not has_adapters and not has_no_checkpoint


def grpo_of(choice: dict[str, object]) -> GRPOSpec:
    domains = choice["domains"]
    settings = domains if domains is LEARNED else {"domains": domains}
    return GRPOSpec.model_validate({"name": "rl", "steps": 3, "learning_rate": 3e-3} | choice | settings)


def mopd_of(choice: dict[str, object]) -> MOPDSpec:
    return MOPDSpec.model_validate({"name": "mopd", "steps": 3, "learning_rate": 3e-3} | choice)


GRPO_STAGES = [grpo_of(choice) for choice in covering(GRPO_OPTIONS)]
MOPD_STAGES = [mopd_of(choice) for choice in covering(MOPD_OPTIONS)]


def prepare(folder: Path, stage: SFTSpec | GRPOSpec | MOPDSpec, **more: object) -> StageDir:
    stage_dir = StageDir(folder)
    document = {"run": "r", "seed": 3, "model": TINY, "stage": stage, "start_folder": None} | more
    write_document(stage_dir.spec, ResolvedStageSpec.model_validate(document))
    return stage_dir


def run(stage_dir: StageDir, *, stop_after: int = 10**9) -> Outcome:
    return carry_out(stage_dir, StopAfter(stop_after), lambda: train)  # type: ignore[arg-type]


def weights(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that answers right now and then, and whose chat template can be told to think."""
    stage_dir = prepare(tmp_path_factory.mktemp("run") / "sft", SFT)
    assert run(stage_dir).status == "done"
    policy = load_checkpoint(stage_dir.checkpoint(SFT.steps))
    policy.tokenizer.chat_template += "{% if enable_thinking %}ok{% endif %}"
    thoughtful = stage_dir.path / "thoughtful"
    save_checkpoint(thoughtful, policy)
    return thoughtful


def carried_out(stage: GRPOSpec | MOPDSpec, start: Path, folder: Path) -> tuple[StageDir, list[dict[str, float]]]:
    untrained = str(start.parent / "checkpoints" / "step_000000")  # a teacher that disagrees
    teachers = {"teacher_folders": dict.fromkeys(stage.domains, untrained)}
    stage_dir = prepare(folder, stage, start_folder=str(start), **(teachers if stage.kind == "mopd" else {}))
    outcome = run(stage_dir)
    assert outcome == Outcome(status="done", step=3), outcome.reason
    found = [record.metrics for record in read_records(stage_dir.steps, StepRecord)[0]]
    assert all(math.isfinite(value) for metrics in found for value in metrics.values())
    return stage_dir, found


def test_no_option_is_left_out() -> None:
    assert set(GRPO_OPTIONS) | ELSEWHERE == set(GRPOSpec.model_fields) | {"teachers"}
    assert set(MOPD_OPTIONS) | ELSEWHERE == set(MOPDSpec.model_fields) | {"reward_model"}


@pytest.mark.parametrize("options", [GRPO_OPTIONS, MOPD_OPTIONS], ids=["grpo", "mopd"])
def test_every_pair_of_values_meets(options: Mapping[str, Sequence[object]]) -> None:
    choices = list(covering(options))
    for (a, firsts), (b, seconds) in combinations(options.items(), 2):
        met = [(choice[a], choice[b]) for choice in choices]
        assert all((x, y) in met for x, y in product(firsts, seconds) if _is_possible({a: x, b: y}))
    assert len(choices) < 40


@pytest.mark.training
@pytest.mark.parametrize("stage", GRPO_STAGES, ids=range(len(GRPO_STAGES)))
def test_grpo(stage: GRPOSpec, start: Path, tmp_path: Path) -> None:
    stage_dir, found = carried_out(stage, start, tmp_path)
    is_moved = any(metrics["used_groups"] > 0 for metrics in found)
    is_written_anew = is_moved or stage.precision == "bfloat16"
    assert (weights(stage_dir.checkpoint(3)) != weights(start)) is is_written_anew
    assert all(({"ratio_min", "ratio_mean", "ratio_max"} <= set(m)) is (m["used_groups"] > 0) for m in found)


@pytest.mark.training
@pytest.mark.parametrize("stage", MOPD_STAGES, ids=range(len(MOPD_STAGES)))
def test_mopd(stage: MOPDSpec, start: Path, tmp_path: Path) -> None:
    stage_dir, found = carried_out(stage, start, tmp_path)
    assert weights(stage_dir.checkpoint(3)) != weights(start)
    names = {f"{name}/{domain}" for name in ("reward", "reverse_kl", "teacher_gap") for domain in stage.domains}
    assert all(names | {"ratio_min", "ratio_mean", "ratio_max"} <= set(metrics) for metrics in found)


@pytest.mark.training
@pytest.mark.parametrize(
    "how",
    [
        {"optimizer": "adamw"},
        {"optimizer": "muon"},
        {"optimizer": "muon", "precision": "bfloat16", "gradient_checkpointing": True},
        {"lora": LoRASpec(rank=2), "kl_coefficient": 0.1},
        {"lora": LoRASpec(rank=2), "kl_coefficient": 0.1, "precision": "bfloat16", "micro_batch_tokens": 64},
    ],
    ids=["adamw", "muon", "bfloat16", "adapters", "bfloat16 adapters"],
)
def test_several_updates_and_replaced_groups_resume_bit_for_bit(
    start: Path, tmp_path: Path, how: dict[str, object]
) -> None:
    settings = {**how, "updates_per_batch": 2, "dynamic_filtering": "replace", "max_resampling": 2}
    document = {"name": "rl", "domains": {"stem": 1}, "steps": 5, "learning_rate": 3e-3, "prompts_per_step": 4}
    stage = GRPOSpec.model_validate(document | {"rollouts_per_prompt": 4, "schedule": "linear"} | settings)
    straight, stopped = (prepare(tmp_path / name, stage, start_folder=str(start)) for name in ("straight", "stopped"))
    assert run(straight) == Outcome(status="done", step=5)
    assert run(stopped, stop_after=2) == Outcome(status="stopped", step=2)
    assert run(stopped) == Outcome(status="done", step=5)
    assert weights(stopped.checkpoint(5)) == weights(straight.checkpoint(5))
    assert weights(straight.checkpoint(5)) != weights(start)
    rates = [record.metrics["learning_rate"] for record in read_records(stopped.steps, StepRecord)[0]]
    assert rates == pytest.approx([1e-3, 2e-3, 3e-3, 1.5e-3, 0])  # warm-up of three, then down, whatever the updates
