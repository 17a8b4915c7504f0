"""A folder as model publishers hand it out (config.json, .safetensors, tokenizer), looked through before it is built.

Nothing of it is run and no weight is read. What could run something (pickles, `auto_map`), what leads out of the
folder, and what the converter would fail on after minutes is refused here at once, by name.
"""

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.base.errors import AppError
from app.base.files import strict_json
from app.base.files.input_file import absolute_path
from app.models import hf_config, safetensors_header
from app.models.hf_config import Dimensions, Family
from app.models.safetensors_header import StoredTensor

PICKLES = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt")
MAX_ENTRIES = 10_000
_INDEX = "model.safetensors.index.json"
_SINGLE = "model.safetensors"
_HEADERS_BYTES, _TENSOR_BYTES = 64 << 20, 400  # in memory, of all files; beside its name, of each tensor
_TOKENIZERS = ("tokenizer.json", "tokenizer.model")
# Each is read by the converter or by the tokenizer's library, and could name programs.
_CONFIGS = (
    "config.json",
    "tokenizer_config.json",
    "generation_config.json",
    "processor_config.json",
    "preprocessor_config.json",
)
_ALSO_READ = (
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "chat_template.jinja",
    "README.md",
)
_PLAIN_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,200}\.safetensors")
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")


@dataclass(frozen=True, slots=True)
class FileFact:
    """Enough to see that a file is not the one it was, without reading gigabytes."""

    name: str
    size_bytes: int
    modified_ns: int


@dataclass(frozen=True, slots=True)
class HfModel:
    folder: Path
    family: Family
    sizes: Dimensions
    name: str  # what it calls itself, or its folder
    repository: str  # "owner/name"; "": not known
    type: str  # of most weights: F32 | F16 | BF16
    tensors: Mapping[str, StoredTensor] = field(repr=False)
    files: tuple[FileFact, ...] = field(repr=False)

    @property
    def parameters(self) -> int:
        return sum(tensor.elements for tensor in self.tensors.values())

    @property
    def is_mixture(self) -> bool:
        return self.family.layout == "experts"


def read(folder: Path) -> HfModel:
    """Raises AppError: hf_folder_unreadable, hf_pickle, hf_file_missing, hf_file_unreadable, hf_file_irregular,
    hf_name_refused, hf_remote_code, hf_architecture_unknown, hf_already_quantized, hf_no_weights, hf_weights_damaged,
    hf_weights_type, hf_weights_mismatch."""
    folder = absolute_path(folder)
    names = listed(folder)
    if "config.json" not in names:
        raise AppError("hf_file_missing", file="config.json", path=str(folder))
    configs = {name: strict_json.read_object(regular(folder, name)) for name in _CONFIGS if name in names}
    for name, config in configs.items():
        hf_config.refuse_remote_code(config, name)
    family = hf_config.family_of(configs["config.json"])
    sizes = hf_config.dimensions(configs["config.json"], family)
    if not any(name in names for name in _TOKENIZERS):
        raise AppError("hf_file_missing", file=" / ".join(_TOKENIZERS), path=str(folder))
    tensors = _tensors(folder, names)
    hf_config.check_shapes(tensors, sizes, family)
    repository = _repository(folder, configs["config.json"])
    read_names = sorted(
        {*configs, *_files_of(tensors), *(name for name in (*_TOKENIZERS, *_ALSO_READ) if name in names)}
    )
    return HfModel(
        folder=folder,
        family=family,
        sizes=sizes,
        name=repository.partition("/")[2] or folder.name,
        repository=repository,
        type=_most_common_type(tensors),
        tensors=tensors,
        files=tuple(fact(folder, name) for name in read_names),
    )


def has_chat_template(model: HfModel) -> bool:
    """Whether the folder says how a conversation is written. Raises AppError("hf_file_unreadable")."""
    names = {one.name for one in model.files}
    if "chat_template.jinja" in names:
        return True
    name = "tokenizer_config.json"
    return name in names and bool(strict_json.read_object(regular(model.folder, name)).get("chat_template"))


def listed(folder: Path) -> set[str]:
    """Names in the folder itself. Raises AppError: hf_folder_unreadable; hf_pickle for a file that nobody may open."""
    try:
        with os.scandir(folder) as entries:
            names = {entry.name for entry, _ in zip(entries, range(MAX_ENTRIES), strict=False)}
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise AppError("hf_folder_unreadable", path=str(folder), reason=reason) from error
    pickle = next((name for name in sorted(names) if name.casefold().endswith(PICKLES)), None)
    if pickle is not None:
        raise AppError("hf_pickle", file=pickle)
    return names


def regular(folder: Path, name: str) -> Path:
    """A file of this folder. Links are followed only as the Hugging Face cache makes them: snapshots/… to blobs/….

    Raises AppError: hf_file_missing, hf_file_irregular.
    """
    path = folder / name
    try:
        real = path.resolve(strict=True)
        is_file = stat.S_ISREG(real.stat().st_mode)
    except (OSError, RuntimeError) as error:
        raise AppError("hf_file_missing", file=name, path=str(folder)) from error
    is_own = real.parent == folder.resolve() or real.parent == (folder.parent.parent / "blobs").resolve()
    is_from_cache = folder.parent.name == "snapshots" and folder.parent.parent.name.startswith("models--")
    if not is_file or not is_own or (path.is_symlink() and not is_from_cache):
        raise AppError("hf_file_irregular", file=name)
    return path


def fact(folder: Path, name: str) -> FileFact:
    status = regular(folder, name).stat()
    return FileFact(name, status.st_size, status.st_mtime_ns)


# ------------------------------------------------------------------ weights


def _tensors(folder: Path, names: set[str]) -> dict[str, StoredTensor]:
    """Of all files; exactly those that the index lists where there is one."""
    files = sorted(name for name in names if name.startswith("model") and name.endswith(".safetensors"))
    if _INDEX in names:
        index = _index(folder)
        wanted = sorted(set(index.values()))
        missing = next((name for name in wanted if name not in names), None)
        if missing is not None:
            raise AppError("hf_file_missing", file=missing, path=str(folder))
    elif files and files != [_SINGLE]:
        raise AppError("hf_file_missing", file=_INDEX, path=str(folder))
    else:
        index, wanted = {}, files
    if not wanted:
        raise AppError("hf_no_weights", path=str(folder))
    extra = next((name for name in files if name not in wanted), None)
    if extra is not None:  # the converter would take it for another part of this model
        raise AppError("hf_weights_mismatch", where=extra, reason=f"not in {_INDEX}")
    tensors: dict[str, StoredTensor] = {}
    room = _HEADERS_BYTES
    for name in wanted:
        for tensor_name, tensor in safetensors_header.read(regular(folder, name)).items():
            if tensor_name in tensors or (index and index.get(tensor_name) != name):
                raise AppError("hf_weights_mismatch", where=tensor_name[:80], reason=f"{_INDEX} / {name}")
            tensors[tensor_name] = tensor
            room -= len(tensor_name) + _TENSOR_BYTES
        if room < 0:
            raise AppError("hf_weights_damaged", file=name, reason=f"headers of more than {_HEADERS_BYTES >> 20} MB")
    absent = next((name for name in index if name not in tensors), None)
    if absent is not None:
        raise AppError("hf_weights_mismatch", where=absent[:80], reason="missing")
    return tensors


def _index(folder: Path) -> dict[str, str]:
    """Tensor -> file. Raises AppError: hf_file_unreadable, hf_name_refused."""
    weight_map = strict_json.read_object(regular(folder, _INDEX)).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise AppError("hf_file_unreadable", file=_INDEX, reason="no weight_map")
    for name in weight_map.values():
        if not isinstance(name, str) or _PLAIN_NAME.fullmatch(name) is None:
            raise AppError("hf_name_refused", file=_INDEX, name=ascii(name)[:80])
    return weight_map


def _files_of(tensors: Mapping[str, StoredTensor]) -> set[str]:
    return {tensor.file for tensor in tensors.values()}


def _most_common_type(tensors: Mapping[str, StoredTensor]) -> str:
    counts = dict.fromkeys(safetensors_header.ELEMENT_BYTES, 0)
    for tensor in tensors.values():
        counts[tensor.type] += tensor.elements
    return max(counts, key=lambda name: counts[name])


def _repository(folder: Path, config: Mapping[str, Any]) -> str:
    """From the cache's folder name, else from what the configuration says of itself; a path there is none."""
    cached = folder.parent.parent.name
    if folder.parent.name == "snapshots" and cached.startswith("models--"):
        said: Any = cached.removeprefix("models--").replace("--", "/", 1)
    else:
        said = config.get("_name_or_path")
    return said if isinstance(said, str) and is_repository(said) else ""


def is_repository(text: str) -> bool:
    """Whether it is "owner/name", as models are called at their hub, and no path."""
    return _REPOSITORY.fullmatch(text) is not None and ".." not in text
