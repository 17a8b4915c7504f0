"""Check a Hugging Face folder before the converter reads it: only safetensors, no programs, nothing missing.

Without this check, llama.cpp's converter would read pickled weights, let transformers run code that comes with a model,
and write a file without the tensors that an incomplete download lacks.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer.convert.report import JobError

MOST_HEADER_BYTES = 100_000_000  # the safetensors library's own limit
_UNSAFE = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
_LAYER = re.compile(r"(?:^|\.)layers\.(\d+)\.(.+)")
# Architectures whose layers all have the same tensors; others may mix kinds of layers.
_UNIFORM = {"llama", "mistral", "qwen2", "qwen3", "gemma2", "gemma3", "gemma3_text", "phi3"}


@dataclass(frozen=True, slots=True)
class TensorHeader:
    shape: tuple[int, ...]
    dtype: str


def check(folder: Path) -> None:
    """Check a model's folder. Raises JobError: source_missing, remote_code, unsafe_weights, tensor_missing."""
    config = read_config(folder)
    tensors = _all_tensors(folder)
    _check_layers(config, tensors)


def read_config(folder: Path) -> dict[str, Any]:
    """Return config.json, after checking it and the other JSON files for programs."""
    config = _json(folder / "config.json")
    for path in sorted(folder.glob("*.json")):
        if path.name == "tokenizer.json" or path.name.endswith(".index.json"):  # large, without this key
            continue
        value = json.loads(path.read_bytes())
        if isinstance(value, dict) and value.get("auto_map"):
            raise JobError("remote_code", path=str(path))
    return config


def tensors_of(file: Path) -> dict[str, TensorHeader]:
    """Return the tensors in the header of a safetensors file. Raises JobError("tensor_missing") if it is cut off."""
    size = file.stat().st_size
    with file.open("rb") as stream:
        header_bytes = int.from_bytes(stream.read(8), "little")
        if not 2 <= header_bytes <= min(MOST_HEADER_BYTES, size - 8):
            raise JobError("tensor_missing", detail=file.name)
        header = json.loads(stream.read(header_bytes))
    header.pop("__metadata__", None)
    end = max((entry["data_offsets"][1] for entry in header.values()), default=0)
    if 8 + header_bytes + end != size:
        raise JobError("tensor_missing", detail=f"{file.name}: {size:,} / {8 + header_bytes + end:,} bytes")
    return {name: TensorHeader(tuple(entry["shape"]), entry["dtype"]) for name, entry in header.items()}


def _all_tensors(folder: Path) -> dict[str, TensorHeader]:
    index_path = folder / "model.safetensors.index.json"
    parts: Iterable[str]
    if index_path.is_file():
        index: dict[str, str] = _json(index_path).get("weight_map") or {}
        parts = sorted(set(index.values()))
        if not all(Path(part).name == part and part.endswith(".safetensors") for part in parts):
            raise JobError("source_missing", path=str(index_path))
    else:
        index, parts = {}, sorted(path.name for path in folder.glob("model*.safetensors"))
    if not parts:
        unsafe = [path for path in sorted(folder.iterdir()) if path.suffix in _UNSAFE]
        code, path = ("unsafe_weights", unsafe[0]) if unsafe else ("source_missing", folder / "model.safetensors")
        raise JobError(code, path=str(path))
    absent = [part for part in parts if not (folder / part).is_file()]
    if absent:
        raise JobError("tensor_missing", detail=", ".join(absent))
    tensors = {name: tensor for part in parts for name, tensor in tensors_of(folder / part).items()}
    different = sorted(set(index) ^ set(tensors)) if index else []
    if different:
        raise JobError("tensor_missing", detail=", ".join(different[:5]))
    return tensors


def _check_layers(config: dict[str, Any], tensors: Iterable[str]) -> None:
    """Raise JobError("tensor_missing") for a missing layer, or for missing tensors of a layer.

    Only models whose layers all have the same tensors are checked.
    """
    text = config.get("text_config") or config
    count = text.get("num_hidden_layers")
    if text.get("model_type") not in _UNIFORM or not isinstance(count, int):
        return
    layers: dict[int, set[str]] = {number: set() for number in range(count)}
    for name in tensors:
        if (match := _LAYER.search(name)) and "vision" not in name:
            layers.setdefault(int(match[1]), set()).add(match[2])
    every = set().union(*layers.values())
    lacking = [f"layers.{number}.{name}" for number in range(count) for name in sorted(every - layers[number])]
    if lacking or not every:
        raise JobError("tensor_missing", detail=", ".join(lacking[:5]) or "layers")


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise JobError("source_missing", path=str(path)) from error
    if not isinstance(value, dict):
        raise JobError("source_missing", path=str(path))
    return value
