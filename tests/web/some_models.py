"""Models for tests: real folders, made small, and looked at in this process as a worker does in another."""

import json
from pathlib import Path
from typing import Any

import torch
from django.conf import settings
from safetensors.torch import save_file

from runs import lifecycle, registered_models
from runs.models import Project, RegisteredModel
from tests.web.some_data import _Never
from workers.spec import TinyModelSpec
from workers.training.models.inspect_model import inspect_model
from workers.training.tiny_model import build_tokenizer

THINKS = "{% if enable_thinking is defined and not enable_thinking %}no{% endif %}"
SHAPE = TinyModelSpec(hidden_size=32, layers=2, heads=2, head_size=16, mlp_size=32, max_positions=256)


def a_model_folder(name: str = "small", *, template: str = "", **config: Any) -> Path:
    """Write a model below MODELS_DIR: config, tokenizer and weights of two matrices, enough to be looked at."""
    folder = Path(settings.MODELS_DIR) / name
    folder.mkdir(parents=True)
    tokenizer = build_tokenizer()
    tokenizer.chat_template += template
    tokenizer.save_pretrained(folder)
    about = {
        "architectures": ["Qwen3ForCausalLM"],
        "model_type": "qwen3",
        "num_hidden_layers": 2,
        "hidden_size": 8,
        "num_attention_heads": 2,
        "intermediate_size": 16,
        "vocab_size": len(tokenizer),
        "max_position_embeddings": 256,
        "tie_word_embeddings": True,
        **config,
    }
    (folder / "config.json").write_text(json.dumps(about))
    embedding = torch.zeros(len(tokenizer), 8, dtype=torch.bfloat16)
    weights = {
        "model.embed_tokens.weight": embedding,
        "lm_head.weight": embedding.clone(),
        "model.norm.weight": torch.ones(8),
    }
    save_file(weights, folder / "model.safetensors")
    return folder


def a_trainable_folder(name: str = "small") -> Path:
    """Write a whole model below MODELS_DIR, which a run can start from."""
    from workers.training.policy import build_policy

    folder = Path(settings.MODELS_DIR) / name
    policy = build_policy(SHAPE, seed=1)
    policy.model.save_pretrained(folder)
    policy.tokenizer.save_pretrained(folder)
    return folder


def a_model(project: Project, name: str = "small", **about: Any) -> RegisteredModel:
    """Write a folder, register it and look at it."""
    if not (Path(settings.MODELS_DIR) / name).exists():
        a_model_folder(name, **about)
    owner = project.members.get(memberships__role="owner")
    model, _ = registered_models.register_folder(project=project, user=owner, folder=name)
    claim = lifecycle.claim_data(RegisteredModel, model.pk, worker="host:1")
    assert claim is not None
    registered_models.write_source_spec(model)
    folder = registered_models.folder_of(model)
    inspect_model(folder.process, _Never())  # type: ignore[arg-type]
    found = json.loads(folder.facts.read_text())
    lifecycle.finish_data(claim, digest=found["digest"], found=found)
    model.refresh_from_db()
    return model
