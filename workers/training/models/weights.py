"""What weight files say of themselves: names, shapes and formats from the headers of safetensors, no number read.

A safetensors file begins with eight bytes that give the length of a JSON header, which names every tensor with its format,
shape and place. Whether the file is whole follows from the last place. Imports no torch.
"""

import hashlib
import json
import math
import struct
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from workers.training.bad_spec import BadSpecError

ADAPTERS = "adapter_config.json"
INDEX = "model.safetensors.index.json"
MAX_HEADER = 100_000_000  # bytes; the format's own limit
_LENGTH = struct.Struct("<Q")
_CHUNK = 2**24
_PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
_DTYPES = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16",
    "F8_E4M3": "float8", "F8_E5M2": "float8", "I64": "int64", "I32": "int32", "I16": "int16", "I8": "int8", "U8": "uint8", "BOOL": "bool",
}  # fmt: skip


@dataclass(frozen=True)
class Tensor:
    """A tensor as a header has it."""

    name: str
    dtype: str
    n_numbers: int


def refuse_adapters(folder: Path) -> None:
    """Raise BadSpecError for adapters beside the weights: transformers would add them, and no digest tells of them."""
    if (folder / ADAPTERS).exists():
        raise BadSpecError(
            f"found {ADAPTERS} in the model's folder: adapters are not added to its weights here; merge them (peft's "
            "merge_and_unload) and save the whole model, or take the file away, then retry"
        )


def weight_files(folder: Path) -> list[Path]:
    """Find the files that the index names, or the only one; raises BadSpecError where some or all are missing."""
    index = folder / INDEX
    if index.is_file():
        names = sorted(set(_weight_map(index).values()))
        if missing := [name for name in names if not (folder / name).is_file()]:
            raise BadSpecError(
                f"found {len(names) - len(missing)} of the {len(names)} weight files that {INDEX} names; {missing[0]} is missing: "
                "copy or download the rest, then retry"
            )
        return [folder / name for name in names]
    found = sorted(folder.glob("*.safetensors"))
    if (whole := folder / "model.safetensors") in found:
        return [whole]
    if len(found) > 1:
        raise BadSpecError(
            f"found {len(found)} weight files without {INDEX}, which says what each holds; add the index, then retry"
        )
    if found:
        return found
    pickled = sorted(path.name for path in folder.iterdir() if path.suffix in _PICKLED)
    if pickled:
        raise BadSpecError(
            f"found weights as {pickled[0]} only, which are pickled Python and run code when they are read; expected "
            "safetensors: convert them with save_pretrained, then retry"
        )
    raise BadSpecError("found no weights, expected model.safetensors or several such files with their index")


def tensors_of(files: list[Path], folder: Path) -> list[Tensor]:
    """Read the headers of all files; raises BadSpecError for one that is cut short or lacks what the index puts there."""
    found: dict[str, Tensor] = {}
    for path in files:
        for tensor in _header(path):
            found[tensor.name] = tensor
    index = folder / INDEX
    if index.is_file() and (lost := sorted(set(_weight_map(index)) - set(found))):
        raise BadSpecError(
            f"found no tensor {lost[0]} in the weight files, which {INDEX} promises ({len(lost)} are missing); the files do not "
            "belong together: copy the model again, then retry"
        )
    if not any(tensor.n_numbers for tensor in found.values()):
        raise BadSpecError("found weight files without any weight; copy the model again, then retry")
    return list(found.values())


def count_parameters(tensors: list[Tensor], *, is_tied: bool) -> tuple[int, dict[str, int]]:
    """Count weights, and by format; an output head that is the embedding counts once."""
    names = {tensor.name for tensor in tensors}
    has_embedding = any(name.endswith("embed_tokens.weight") or name.endswith("wte.weight") for name in names)
    dtypes: Counter[str] = Counter()
    for tensor in tensors:
        if not (is_tied and has_embedding and tensor.name == "lm_head.weight"):
            dtypes[tensor.dtype] += tensor.n_numbers
    return dtypes.total(), dict(dtypes)


def digest_of(files: list[Path], *, tell: Callable[[int], None]) -> str:
    """Hash all weight files, each with its name; `tell` hears how many bytes were read, and may raise to end it."""
    whole, n_read = hashlib.sha256(), 0
    for path in files:
        one = hashlib.sha256()
        with open(path, "rb") as handle:
            while chunk := handle.read(_CHUNK):
                one.update(chunk)
                n_read += len(chunk)
                tell(n_read)
        whole.update(f"{path.name} {one.hexdigest()}\n".encode())
    return whole.hexdigest()


def _weight_map(index: Path) -> dict[str, str]:
    try:
        found = json.loads(index.read_text())["weight_map"]
        if not found or not all(isinstance(name, str) and Path(name).name == name for name in found.values()):
            raise ValueError
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise BadSpecError(
            f"found {INDEX} without a weight_map of file names; copy the model again, then retry"
        ) from None
    return dict(found)


def _header(path: Path) -> list[Tensor]:
    try:
        with open(path, "rb") as handle:
            (length,) = _LENGTH.unpack(handle.read(_LENGTH.size))
            if length > MAX_HEADER:
                raise ValueError
            header = json.loads(handle.read(length))
        tensors = [(name, about) for name, about in header.items() if name != "__metadata__"]
        end = max((_whole(about["data_offsets"][1]) for _, about in tensors), default=0)
        found = [_tensor(name, about) for name, about in tensors]
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, struct.error, RecursionError):
        raise BadSpecError(
            f"{path.name} is no safetensors file, or its beginning is damaged; copy it again, then retry"
        ) from None
    size, expected = path.stat().st_size, _LENGTH.size + length + end
    if size != expected:
        raise BadSpecError(
            f"{path.name} has {size:,} bytes, expected {expected:,}: it is not whole; copy or download it again, then retry"
        )
    try:
        with safe_open(path, framework="pt"):  # the library holds each tensor's place against its shape and type
            return found
    except SafetensorError as error:
        raise BadSpecError(f"{path.name} cannot be loaded ({str(error)[:200]}); copy it again, then retry") from None


def _tensor(name: str, about: dict[str, Any]) -> Tensor:
    return Tensor(name, _DTYPES.get(about["dtype"], "another"), math.prod(_whole(size) for size in about["shape"]))


def _whole(number: object) -> int:
    """Insist on a number of things; raises ValueError."""
    if not isinstance(number, int) or number < 0:
        raise ValueError
    return number
