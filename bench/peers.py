"""The same steps by TRL's trainers and transformers' `generate`, each in the fastest setting it has on a CPU."""

import tempfile
from typing import Any

import torch
from transformers import GenerationConfig, TrainerCallback

from bench.cases import LEARNING_RATE, Case, build, prompts, reward
from bench.turns import Turns, take_turns


class _Turn(TrainerCallback):
    """A turn for each step of a foreign loop."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns

    def on_train_begin(self, *_: object, **__: object) -> None:
        self.turns.wait()

    def on_step_end(self, *_: object, **__: object) -> None:
        self.turns.wait()


def grpo(case: Case, turns: Turns) -> None:
    """Train with GRPOTrainer until there are no more turns."""
    from trl import GRPOConfig, GRPOTrainer

    def share_of_even_tokens(completion_ids: list[list[int]], **_: object) -> list[float]:
        return [reward(token_ids) for token_ids in completion_ids]

    model, tokenizer = build(case)
    tokenizer.padding_side = "left"
    settings = GRPOConfig(
        **_settings(case),
        num_generations=case.n_rollouts,
        num_iterations=1,
        beta=0.0,
        scale_rewards="group",
        loss_type="dapo",
    )
    GRPOTrainer(
        model,
        share_of_even_tokens,
        settings,
        train_dataset=_dataset(case, repeats=1),
        processing_class=tokenizer,
        callbacks=[_Turn(turns)],
    ).train()


def distillation(case: Case, turns: Turns) -> None:
    """Train with DistillationTrainer, exact reverse KL on the student's own samples, until there are no more turns."""
    from trl import DistillationConfig, DistillationTrainer

    (model, tokenizer), (teacher, _) = build(case), build(case, seed=1)
    tokenizer.padding_side = "left"
    DistillationTrainer(
        model,
        teacher,
        DistillationConfig(**_settings(case), beta=1.0),
        train_dataset=_dataset(case, repeats=case.n_rollouts),  # it samples once for each prompt of a batch
        processing_class=tokenizer,
        callbacks=[_Turn(turns)],
    ).train()


def generate(case: Case, turns: Turns) -> None:
    take_turns(turns, generate_steps(case))


def generate_steps(case: Case) -> Any:
    """Sample a batch with `generate`, for ever."""
    model, tokenizer = build(case)
    model = model.eval()  # type: ignore[no-untyped-call]
    ids = tokenizer.apply_chat_template(
        [[{"role": "user", "content": prompt}] for prompt in prompts(case)],
        add_generation_prompt=True,
        return_dict=False,
    )
    ids_BS = torch.tensor(ids).repeat_interleave(case.n_rollouts, dim=0)
    config = GenerationConfig(  # type: ignore[no-untyped-call]
        max_new_tokens=case.response_tokens,
        do_sample=True,
        top_k=0,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    while True:
        with torch.inference_mode():
            found = model.generate(ids_BS, attention_mask=torch.ones_like(ids_BS), generation_config=config)
        assert found.shape[1] == case.prompt_tokens + case.response_tokens
        yield


def _settings(case: Case) -> dict[str, Any]:
    return {
        "output_dir": tempfile.mkdtemp(),
        "per_device_train_batch_size": case.n_prompts * case.n_rollouts,
        "gradient_accumulation_steps": 1,
        "max_completion_length": case.response_tokens,
        "temperature": 1.0,
        "top_p": 1.0,
        "top_k": 0,
        "learning_rate": LEARNING_RATE,
        "lr_scheduler_type": "constant",
        "optim": "adamw_torch_fused",
        "max_grad_norm": 1.0,
        "gradient_checkpointing": False,
        "bf16": False,
        "use_cpu": True,
        "max_steps": 1_000_000,
        "dataloader_pin_memory": False,
        "logging_strategy": "no",
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
    }


def _dataset(case: Case, *, repeats: int) -> Any:
    from datasets import Dataset

    rows = [[{"role": "user", "content": prompt}] for prompt in prompts(case) for _ in range(repeats)]
    return Dataset.from_dict({"prompt": rows})
