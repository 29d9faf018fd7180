"""The shape of a model: what its memory and time follow from, known before any weight is loaded.

A decoder-only transformer with gated feed-forward parts, as Llama, Qwen and their relatives are. Biases and what else is
small beside the matrices are left out. Imports no torch.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workers.spec import FolderModelSpec, TinyModelSpec

TINY_VOCABULARIES = {"domains": 414, "text": 1742}  # tokens of the tiny tokenizers, which only the trainer can build
_EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts")


class UnknownShapeError(ValueError):
    """Nothing can be said of a model's size; the message says why."""


@dataclass(frozen=True)
class ModelShape:
    """Sizes in features, but `vocabulary` in tokens and `layers` in blocks."""

    vocabulary: int
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head_size: int
    mlp: int
    is_tied: bool

    @property
    def queries(self) -> int:
        """Features of all query heads together."""
        return self.heads * self.head_size

    @property
    def keys(self) -> int:
        """Features of all key heads together; values have as many."""
        return self.kv_heads * self.head_size

    @property
    def block_parameters(self) -> int:
        """Count the matrices of all blocks: d x (q + 2 k) + q x d + 3 d x m, in each."""
        attention = self.hidden * (2 * self.queries + 2 * self.keys)
        return self.layers * (attention + 3 * self.hidden * self.mlp)

    @property
    def parameters(self) -> int:
        """Count all weights: blocks, their norms (2 d + 2 heads' width), embedding, last norm, and an output head of its own."""
        embedding = self.vocabulary * self.hidden * (1 if self.is_tied else 2)
        norms = self.layers * 2 * (self.hidden + self.head_size) + self.hidden
        return self.block_parameters + embedding + norms


def shape_of(model: TinyModelSpec | FolderModelSpec, models_dir: Path) -> ModelShape:
    """Tell a model's shape from its spec, or from its folder's config.json; raises UnknownShapeError."""
    if isinstance(model, FolderModelSpec):
        return read_shape(models_dir / model.folder)
    return ModelShape(
        vocabulary=TINY_VOCABULARIES[model.vocabulary],
        hidden=model.hidden_size,
        layers=model.layers,
        heads=model.heads,
        kv_heads=model.heads,
        head_size=model.head_size,
        mlp=model.mlp_size,
        is_tied=True,
    )


def read_shape(folder: Path) -> ModelShape:
    """Read config.json of a folder in Hugging Face layout; raises UnknownShapeError."""
    try:
        loaded = json.loads((folder / "config.json").read_text())
    except FileNotFoundError:
        raise UnknownShapeError(f"the model folder '{folder.name}' is not on this machine") from None
    except (OSError, ValueError):
        raise UnknownShapeError(f"config.json of the model folder '{folder.name}' cannot be read") from None
    if not isinstance(loaded, dict):
        raise UnknownShapeError(f"config.json of the model folder '{folder.name}' is no JSON object")
    return shape_in(loaded, f"the model folder '{folder.name}'")


def shape_in(loaded: dict[str, Any], whose: str) -> ModelShape:
    """Find the shape in what config.json holds; raises UnknownShapeError."""
    inner = loaded.get("text_config")
    config: dict[str, Any] = inner if isinstance(inner, dict) else loaded
    if any(config.get(name) for name in _EXPERTS):
        raise UnknownShapeError(f"{whose} is a mixture of experts, whose size is not predicted yet")
    heads = _size(config, "num_attention_heads", whose)
    hidden = _size(config, "hidden_size", whose)
    return ModelShape(
        vocabulary=_size(config, "vocab_size", whose),
        hidden=hidden,
        layers=_size(config, "num_hidden_layers", whose),
        heads=heads,
        kv_heads=_size(config, "num_key_value_heads", whose, otherwise=heads),
        head_size=_size(config, "head_dim", whose, otherwise=max(1, hidden // heads)),
        mlp=_size(config, "intermediate_size", whose),
        is_tied=bool(loaded.get("tie_word_embeddings", True)),  # what transformers takes where it is not said
    )


def _size(config: dict[str, Any], name: str, whose: str, *, otherwise: int = 0) -> int:
    found = config.get(name) or otherwise
    if not isinstance(found, int) or found < 1:
        raise UnknownShapeError(f"config.json of {whose} says no {name}")
    return found
