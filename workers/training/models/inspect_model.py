"""Look at a model's folder before anybody trains it: python -m workers.training.models.inspect_model FOLDER.

Nothing of the model is run: weights are read as safetensors headers and bytes, the tokenizer as data, the chat template in a
process of its own (chat_template.py). What could not be trained here is refused in words.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

from workers.model_dir import ModelDir, ModelFacts, ModelSourceSpec
from workers.stage_dir import Outcome, Progress, StageDir, read_document, write_document
from workers.training.bad_spec import BadSpecError
from workers.training.models.chat_template import storable, write_samples
from workers.training.models.download import download
from workers.training.models.weights import count_parameters, digest_of, refuse_adapters, tensors_of, weight_files
from workers.training.process import StopRequest, Work, run_in_folder

MIB = 2**20
TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model", "tekken.json")


class _StopRequestedError(Exception):
    """A stop was asked for in the middle of a long file."""


def inspect_model(folder: StageDir, stop: StopRequest) -> Outcome:
    """Download the model if it is the hub's, then look at all of it; raises BadSpecError for what cannot be trained here."""
    spec = read_document(folder.spec, ModelSourceSpec)
    assert spec is not None
    where, revision = Path(spec.folder), ""
    if spec.hub:
        found = download(spec, folder, stop)
        if found is None:
            return Outcome(status="stopped", step=0)
        revision = found
    try:
        facts = facts_of(where, folder, stop)
    except _StopRequestedError:
        return Outcome(status="stopped", step=0)
    write_document(ModelDir(folder.path).facts, facts.model_copy(update={"revision": revision}))
    return Outcome(status="done", step=0)


def facts_of(where: Path, folder: StageDir, stop: StopRequest) -> ModelFacts:
    """Find out what a model is, the cheap refusals first."""
    if not where.is_dir():
        raise BadSpecError(
            f"found no folder '{where.name}' below MODELS_DIR on this worker; put the model there, then retry"
        )
    config = _json(where / "config.json")
    _refuse_code(where, config)
    _refuse_architecture(config)
    refuse_adapters(where)
    files = weight_files(where)
    tensors = tensors_of(files, where)
    inner = config.get("text_config") if isinstance(config.get("text_config"), dict) else config
    parameters, dtypes = count_parameters(tensors, is_tied=bool(config.get("tie_word_embeddings", True)))
    spoken = _language(where)
    n_bytes = sum(path.stat().st_size for path in files)

    def tell(n_read: int) -> None:
        if stop.is_set():
            raise _StopRequestedError
        at = Progress(substep="read weights", step=n_read // MIB, steps=n_bytes // MIB, at=time.time())
        write_document(folder.progress, at)

    return ModelFacts(
        digest=digest_of(files, tell=tell),
        architecture=storable(config["architectures"][0])[:200],
        parameters=parameters,
        dtypes=dtypes,
        layers=_size(inner, "num_hidden_layers", "n_layer"),
        width=_size(inner, "hidden_size", "n_embd"),
        vocabulary=_size(inner, "vocab_size"),
        context=_size(inner, "max_position_embeddings", "n_positions"),
        n_weight_files=len(files),
        weight_bytes=n_bytes,
        folder_bytes=sum(path.stat().st_size for path in where.iterdir() if path.is_file()),
        **spoken,
    )


def _refuse_code(where: Path, config: dict[str, Any]) -> None:
    """Raise BadSpecError where the model or its tokenizer would have to run code that comes with it."""
    tokenizer = where / "tokenizer_config.json"
    given = {"config.json": config, tokenizer.name: _json(tokenizer) if tokenizer.is_file() else {}}
    for name, found in given.items():
        if found.get("auto_map"):
            raise BadSpecError(
                f"{name} has an auto_map: the model needs Python code of its own, which is never run here; take a model whose "
                "architecture transformers has"
            )


def _refuse_architecture(config: dict[str, Any]) -> None:
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as KNOWN

    kind, named = config.get("model_type"), config.get("architectures")
    if not isinstance(named, list) or not named or not isinstance(named[0], str):
        raise BadSpecError(
            "config.json names no architectures; expected a causal language model as transformers saves it"
        )
    if kind not in KNOWN or not named[0].endswith(("ForCausalLM", "LMHeadModel", "ForConditionalGeneration")):
        raise BadSpecError(
            f"found architecture {named[0]} (model_type {kind}), expected a causal language model that transformers knows, such as "
            "Qwen3ForCausalLM or LlamaForCausalLM"
        )
    if config.get("quantization_config"):
        raise BadSpecError(
            "found quantised weights, which cannot be trained; take the model in bfloat16, float16 or float32"
        )


def _language(where: Path) -> dict[str, Any]:
    """Look at tokenizer and chat template; raises BadSpecError where one is missing."""
    from transformers import AutoTokenizer

    if not any(
        (where / name).is_file() for name in TOKENIZERS
    ):  # the library would make an empty one of the model's kind
        raise BadSpecError(
            f"found no tokenizer, expected one of: {', '.join(TOKENIZERS)}; copy it beside the weights, then retry"
        )
    try:
        tokenizer = AutoTokenizer.from_pretrained(where, local_files_only=True, trust_remote_code=False)
    except Exception as error:
        # The border to whatever may be wrong with a tokenizer's files, each kind with an exception of its own.
        first = (str(error).splitlines() or [""])[0][:300]
        raise BadSpecError(
            f"found no tokenizer that can be read ({type(error).__name__}: {first}); expected tokenizer.json and "
            "tokenizer_config.json beside the weights"
        ) from None
    if not tokenizer.chat_template:
        raise BadSpecError(
            "found no chat template, with which conversations become text; expected chat_template.jinja, or chat_template in "
            "tokenizer_config.json, as instruction-tuned models have: add one, or take such a model"
        )
    written = write_samples(tokenizer)
    return {
        "tokenizer": type(tokenizer).__name__,
        "tokens": len(tokenizer),
        "chat_template": storable(tokenizer.get_chat_template())[:100_000],
        "sample": written.plain[:4000],
        "knows_thinking": written.thinking != written.no_thinking,
        "knows_tools": written.tools not in (None, written.plain),
    }


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text())
    except FileNotFoundError:
        raise BadSpecError(f"found no {path.name}, expected a model in Hugging Face layout") from None
    except (OSError, ValueError, RecursionError):
        raise BadSpecError(f"{path.name} cannot be read as JSON; copy it again, then retry") from None
    if not isinstance(found, dict):
        raise BadSpecError(f"{path.name} is no JSON object; copy it again, then retry")
    return found


def _size(config: Any, *names: str) -> int | None:
    found = next((config[name] for name in names if config.get(name)), None)
    return found if isinstance(found, int) and not isinstance(found, bool) and 0 < found < 2**53 else None


def _import_work() -> Work:
    return inspect_model


if __name__ == "__main__":
    sys.exit(run_in_folder(sys.argv, _import_work))
