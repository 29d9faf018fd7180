"""Our loss and gradient of a batch are those of TRL's trainers, for every setting that both have.

Each test prints the largest difference; `pytest -s` shows it. TRL's value of a loss has the ratio pi / pi_old where ours has
log pi on a batch's only update: at ratio 1 the gradients are the same, and the values are compared in the form that both
have, ours with several updates per batch.

What C2 leaves open TRL decides otherwise in two places. It counts masked answers in the average over answers, and averages
the entropy over tokens whatever the loss does: so both are compared with the average over tokens.
"""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, Qwen3Config, TrainerCallback

from workers.spec import GRPOSpec, MOPDSpec, ResolvedStageSpec, TinyModelSpec
from workers.training.grpo import GRPO
from workers.training.mopd import MOPD
from workers.training.optim import Optimizers
from workers.training.policy import Policy
from workers.training.rollouts import Problem, Rollout
from workers.training.sampling import make_sampler
from workers.training.tiny_model import build_tokenizer
from workers.training.update import update_policy

pytestmark = [
    pytest.mark.training,
    # TRL's and accelerate's own, about how they are built
    pytest.mark.filterwarnings("ignore::FutureWarning:(trl|accelerate|transformers|datasets).*"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:(trl|accelerate|datasets|multiprocess|dill).*"),
]

LIMIT = 12  # max_response_tokens
GROUP = 4
Step = tuple[float, list[torch.Tensor]]  # loss, gradients

PROMPTS = ("a", "max?A1B2C3D4", "please 7 plus 9")
LENGTHS = ((3, 12, 7, 1), (12, 12, 5, 9), (2, 4, 6, 8))  # those of LIMIT tokens are cut off, the others end
REWARDS = ((1.0, 0.0, 0.25, 0.5), (0.0, 1.0, 1.0, 0.0), (0.5, 0.5, 0.5, 0.5))  # the last group teaches nothing

K3 = {"beta": 0.3, "use_bias_correction_kl": False}
SHARED = {  # TRL's names, then ours
    "std of the group, token average (dapo)": ({}, {}),
    "no std": ({"scale_rewards": "none"}, {"normalize_advantages": False}),
    "token average (bnpo)": ({"loss_type": "bnpo"}, {}),
    "sequence average (grpo)": ({"loss_type": "grpo"}, {"loss_average": "sequence"}),
    "constant average (dr_grpo)": (
        {"loss_type": "dr_grpo", "scale_rewards": "none"},
        {"loss_average": "constant", "normalize_advantages": False},
    ),
    "temperature": ({"temperature": 0.7}, {"temperature": 0.7}),
    "KL to a reference (k3)": (K3, {"kl_coefficient": 0.3}),
    "KL, sequence average": (K3 | {"loss_type": "grpo"}, {"kl_coefficient": 0.3, "loss_average": "sequence"}),
    "cut-off answers masked": ({"mask_truncated_completions": True}, {"overlong": "mask"}),
    "entropy bonus": ({"entropy_coef": 0.1}, {"entropy_coefficient": 0.1}),
    "three micro-batches": ({"per_device_train_batch_size": 4, "gradient_accumulation_steps": 3}, {}),
    "all at once": (
        K3 | {"scale_rewards": "none", "temperature": 1.3, "mask_truncated_completions": True},
        {"normalize_advantages": False, "kl_coefficient": 0.3, "temperature": 1.3, "overlong": "mask"},
    ),
}


@pytest.fixture(autouse=True)
def _trl(monkeypatch):
    monkeypatch.setenv("TRL_EXPERIMENTAL_SILENCE", "1")  # it calls rollout_func experimental


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A model and its tokenizer, saved."""
    path = tmp_path_factory.mktemp("model")
    tokenizer = build_tokenizer()
    ids = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id, "bos_token_id": None}
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2}
    config = Qwen3Config(
        vocab_size=len(tokenizer), head_dim=8, intermediate_size=64, initializer_range=0.2, **sizes, **ids
    )
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config).save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


def model_in(folder: Path, *, moved: float = 0.0):
    """The saved model, or one whose weights differ from it."""
    model = AutoModelForCausalLM.from_pretrained(folder)
    torch.manual_seed(1)
    for parameter in model.parameters():
        parameter.data += moved * torch.randn_like(parameter)
    return model


def rollouts(tokenizer) -> list[Rollout]:
    """Three groups of four made-up answers."""
    generator = torch.Generator().manual_seed(2)
    made = []
    for group, prompt in enumerate(PROMPTS):
        problem = Problem("stem", str(group), prompt, {})
        message = [{"role": "user", "content": prompt}]
        prompt_ids = tokenizer.apply_chat_template(message, add_generation_prompt=True, return_dict=False)
        for length, reward in zip(LENGTHS[group], REWARDS[group], strict=True):
            ids = torch.randint(5, len(tokenizer), (length,), generator=generator).tolist()
            is_cut = length == LIMIT
            if not is_cut:
                ids[-1] = tokenizer.eos_token_id
            made.append(Rollout(problem, group, prompt_ids, ids, [-1.0] * length, "", is_cut, reward=reward))
    return made


class Catch(TrainerCallback):
    """Keeps the gradients of a TRL trainer's step."""

    def on_pre_optimizer_step(self, args, state, control, *, model, **_):
        self.gradients = [parameter.grad.clone() for parameter in model.parameters()]


def theirs(folder: Path, tmp_path: Path, **settings) -> Step:
    """One step of TRL's GRPOTrainer."""
    catch = Catch()
    trainer = grpo_trainer(folder, tmp_path, catch, **settings)
    return trainer.train().training_loss, catch.gradients


def grpo_trainer(folder: Path, tmp_path: Path, catch: Catch, **settings):
    """TRL's trainer, to be given our answers instead of sampling its own."""
    from datasets import Dataset
    from trl import GRPOConfig, GRPOTrainer

    tokenizer = build_tokenizer()
    tokenizer.padding_side = "left"
    batch = rollouts(tokenizer)

    def sample(prompts, trainer):
        assert [prompt[0]["content"] for prompt in prompts] == [r.problem.prompt for r in batch]
        return {
            "prompt_ids": [r.prompt_ids for r in batch],
            "completion_ids": [r.token_ids for r in batch],
            "logprobs": [r.logprobs for r in batch],
            "given": [r.reward for r in batch],
        }

    return GRPOTrainer(
        model_in(folder, moved=0.02),
        lambda given, **_: given,
        GRPOConfig(**trl_settings(tmp_path, len(batch)) | {"num_generations": GROUP, "beta": 0.0} | settings),
        train_dataset=Dataset.from_dict({"prompt": [[{"role": "user", "content": prompt}] for prompt in PROMPTS]}),
        processing_class=tokenizer,
        rollout_func=sample,
        callbacks=[catch],
    )


def trl_settings(tmp_path: Path, batch_size: int) -> dict[str, Any]:
    return {
        **{"output_dir": str(tmp_path), "max_steps": 1, "max_completion_length": LIMIT, "shuffle_dataset": False},
        **{"per_device_train_batch_size": batch_size, "learning_rate": 0.01, "max_grad_norm": 0.0},
        **{"bf16": False, "use_cpu": True, "gradient_checkpointing": False, "dataloader_pin_memory": False},
        **{"save_strategy": "no", "logging_strategy": "no", "report_to": "none", "disable_tqdm": True},
    }


def padded(batch: list[Rollout]) -> dict[str, torch.Tensor]:
    """A batch as TRL's trainers take it: prompts padded on the left, answers on the right."""
    width = max(len(r.prompt_ids) for r in batch)

    def rows(values: list[list[float]], n: int, *, is_left: bool = False) -> torch.Tensor:
        return torch.tensor([[0] * (n - len(v)) + v if is_left else v + [0] * (n - len(v)) for v in values])

    return {
        "prompt_ids": rows([r.prompt_ids for r in batch], width, is_left=True),
        "prompt_mask": rows([[1] * len(r.prompt_ids) for r in batch], width, is_left=True),
        "completion_ids": rows([r.token_ids for r in batch], LIMIT),
        "completion_mask": rows([[1] * len(r.token_ids) for r in batch], LIMIT),
        "advantages": torch.tensor([r.advantage for r in batch]),
        "num_items_in_batch": torch.tensor(sum(len(r.token_ids) for r in batch)),
        "old_per_token_logps": rows([r.old_logprobs or [] for r in batch], LIMIT),
    }


def loss_of(trainer, inputs: dict[str, torch.Tensor]) -> Step:
    """The loss that a TRL trainer gives to a padded batch."""
    model = trainer.model.train()
    loss = trainer.compute_loss(model, inputs)
    loss.backward()
    return float(loss.detach()), [parameter.grad for parameter in model.parameters()]


def ours(policy: Policy, method: GRPO | MOPD, monkeypatch, batch: list[Rollout]) -> Step:
    """One of our updates, over several rows."""
    optimizers, found = Optimizers(policy.model, method.stage.model_copy(update={"micro_batch_tokens": 40})), []
    monkeypatch.setattr(optimizers, "step", lambda step: found.extend(p.grad.clone() for p in optimizers.parameters))
    update = update_policy(policy, method.credit(batch), optimizers, method, step=1)
    return update.loss, found


def policy_in(folder: Path, *, moved: float = 0.0) -> Policy:
    return Policy(model_in(folder, moved=moved), build_tokenizer())


STAGE = {"name": "s", "domains": {"stem": 1}, "steps": 5, "learning_rate": 0.01, "max_grad_norm": 1e6}
STAGE |= {"rollouts_per_prompt": GROUP, "max_response_tokens": LIMIT}


def grpo(folder: Path, monkeypatch, batch: list[Rollout], **settings) -> Step:
    stage = GRPOSpec(**STAGE | {"overlong": "keep", "dynamic_filtering": "off"} | settings)
    spec = ResolvedStageSpec(run="r", seed=0, model=TinyModelSpec(), stage=stage, start_folder=None)
    policy, reference = policy_in(folder, moved=0.02), policy_in(folder) if stage.kl_coefficient else None
    method = GRPO(spec, stage, policy, make_sampler(policy), reference=reference, reward_model=None)
    return ours(policy, method, monkeypatch, batch)


def difference(name: str, mine: Step, other: Step) -> float:
    """Print how far two losses and gradients are apart, beside their size; returns the larger difference."""
    of_loss = abs(mine[0] - other[0])
    of_gradient = max(float((a - b).abs().max()) for a, b in zip(mine[1], other[1], strict=True))
    size = max(float(gradient.abs().max()) for gradient in other[1])
    print(f"\n{name}: loss {other[0]:+.5f}, off by {of_loss:.1e}; gradient up to {size:.3f}, off by {of_gradient:.1e}")
    assert size > 0.01
    return max(of_loss, of_gradient)


@pytest.mark.parametrize("name", SHARED)
def test_grpo(folder, tmp_path, monkeypatch, name):
    settings, of_ours = SHARED[name]
    expected = theirs(folder, tmp_path, **settings)
    batch = rollouts(build_tokenizer())
    in_ratios = grpo(folder, monkeypatch, batch, **of_ours, updates_per_batch=2)
    assert difference(name, in_ratios, expected) < 1e-5
    _, gradients = grpo(folder, monkeypatch, batch, **of_ours)
    assert difference(f"{name}, only update", (expected[0], gradients), expected) < 1e-5


def test_clipping_after_the_first_update(folder, tmp_path, monkeypatch):
    batch = rollouts(build_tokenizer())
    generator = torch.Generator().manual_seed(3)
    plain = grpo(folder, monkeypatch, batch)  # also gives the answers their advantages
    for rollout in batch:
        logprobs = logprobs_alone(model_in(folder, moved=0.02), rollout)
        rollout.old_logprobs = (logprobs + 0.3 * torch.randn(len(logprobs), generator=generator)).tolist()
    mine = grpo(folder, monkeypatch, batch, updates_per_batch=2, clip_low=0.1, clip_high=0.25)
    trainer = grpo_trainer(folder, tmp_path, Catch(), epsilon=0.1, epsilon_high=0.25)
    trainer.current_gradient_accumulation_steps = 1  # what its own loop would set
    assert difference("clipped ratios", mine, loss_of(trainer, padded(batch))) < 1e-5
    assert difference("unclipped, for comparison", mine, plain) > 0.01


def logprobs_alone(model, rollout: Rollout) -> torch.Tensor:
    with torch.no_grad():
        ids = torch.tensor([rollout.prompt_ids + rollout.token_ids])
        logits = model(input_ids=ids, use_cache=False).logits[0, len(rollout.prompt_ids) - 1 : -1]
        return logits.log_softmax(-1).gather(1, torch.tensor(rollout.token_ids)[:, None]).squeeze(1)


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_exact_reverse_kl(folder, tmp_path, monkeypatch, temperature):
    from datasets import Dataset
    from trl import DistillationConfig, DistillationTrainer

    tokenizer = build_tokenizer()
    batch = rollouts(tokenizer)
    exact = {"divergence": "full_vocabulary", "loss_average": "token", "temperature": temperature}
    stage = MOPDSpec(**STAGE | exact)
    teachers = {"teachers": {"stem": "t"}, "teacher_folders": {"stem": "t"}}
    spec = ResolvedStageSpec(run="r", seed=0, model=TinyModelSpec(), stage=stage, start_folder=None, **teachers)
    policy = policy_in(folder, moved=0.02)
    method = MOPD(spec, stage, policy, make_sampler(policy), teachers={"stem": policy_in(folder)})
    mine = ours(policy, method, monkeypatch, batch)

    tokenizer.padding_side = "left"
    trainer = DistillationTrainer(
        model_in(folder, moved=0.02),
        model_in(folder),
        DistillationConfig(**trl_settings(tmp_path, len(batch)), beta=1.0, temperature=temperature),
        train_dataset=Dataset.from_dict({"prompt": [[{"role": "user", "content": prompt}] for prompt in PROMPTS]}),
        processing_class=tokenizer,
    )
    assert difference(f"reverse KL at {temperature}", mine, loss_of(trainer, padded(batch))) < 1e-5
