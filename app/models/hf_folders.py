"""Check a publisher's model folder (config.json, .safetensors, tokenizer) before GGUF files are built from it.

No code in the folder is executed, and no weights are read. The check refuses, naming the file, everything that could
run code (pickles, `auto_map`), links out of the folder, and all that would make the converter fail after minutes.

The second half checks a LoRA adapter as PEFT writes it (adapter_config.json, adapter_model.safetensors) against its
base. llama.cpp applies alpha / rank and nothing else, so variants with another scaling are refused.
"""

import os
import re
import stat
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from msgspec import Struct

from app.base.errors import AppError
from app.base.files import strict_json
from app.base.files.input_file import absolute_path
from app.models import hf_weights
from app.models.hf_weights import ModelDimensions, ModelFamily, StoredTensor

PICKLES = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt")
MAX_ENTRIES = 10_000
WEIGHTS = "safetensors"  # in the place of a quantization
_INDEX = "model.safetensors.index.json"
_SINGLE = "model.safetensors"
_HEADERS_BYTES, _TENSOR_BYTES = 64 << 20, 400  # memory limit for all headers; memory of a tensor besides its name
_TOKENIZERS = ("tokenizer.json", "tokenizer.model")
# The converter or the tokenizer's library reads each of these, and each could name code to run.
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
_TERMS = re.compile(r"(LICENSE|NOTICE|USE_POLICY)[\w.-]{0,60}", re.IGNORECASE)
_PLAIN_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,200}\.safetensors")
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")


class FileStamp(Struct, frozen=True):
    """Records size and time of a file, to detect changes without reading gigabytes."""

    name: str
    size_bytes: int
    modified_ns: int


@dataclass(frozen=True, slots=True)
class HfModel:
    """Describes a model folder that has passed all checks."""

    folder: Path
    family: ModelFamily
    sizes: ModelDimensions
    name: str  # from the repository's name, else the folder's name
    repository: str  # "owner/name"; "": unknown
    type: str  # type of most weights: F32 | F16 | BF16
    tensors: Mapping[str, StoredTensor] = field(repr=False)
    files: tuple[FileStamp, ...] = field(repr=False)

    @property
    def parameters(self) -> int:
        return sum(tensor.elements for tensor in self.tensors.values())

    @property
    def is_mixture(self) -> bool:
        return self.family.layout == "experts"


def read_hf_model(folder: Path) -> HfModel:
    """Read and check a model folder.

    Raises AppError: hf_folder_unreadable, hf_pickle, hf_file_missing, hf_file_unreadable, hf_file_irregular,
    hf_name_refused, hf_remote_code, hf_architecture_unknown, hf_already_quantized, hf_no_weights, hf_weights_damaged,
    hf_weights_type, hf_weights_mismatch.
    """
    folder = absolute_path(folder)
    names = file_names_in(folder)
    configs, family, sizes = _read_configs(folder, names)
    tensors = _tensors(folder, *_weight_files(folder, names))
    hf_weights.check_shapes(tensors, sizes, family)
    repository = _repository(folder, configs["config.json"])
    weights = {tensor.file for tensor in tensors.values()}
    read_names = sorted({*configs, *weights, *(names & {*_TOKENIZERS, *_ALSO_READ})})
    return HfModel(
        folder=folder,
        family=family,
        sizes=sizes,
        name=repository.partition("/")[2] or folder.name,
        repository=repository,
        type=_most_common_type(tensors),
        tensors=tensors,
        files=tuple(file_stamp(folder, name) for name in read_names),
    )


def check_before_weights(folder: Path, weights: Collection[str]) -> str:
    """Check a folder whose `weights`, by their names, are still to come, and return its "owner/name"; "": not known.

    Raises AppError as `read_hf_model` does, such as hf_file_missing with the name of a file that will be lacking.
    """
    names = file_names_in(folder) | set(weights)
    configs, _, _ = _read_configs(folder, names)
    _weight_files(folder, names)
    return _repository(folder, configs["config.json"])


def is_of_model(name: str) -> bool:
    """Return whether a repository's file belongs into a model folder: weights, what describes them, their terms."""
    others = (*_CONFIGS, *_TOKENIZERS, *_ALSO_READ, _INDEX)
    return name in others or is_weights(name) or _TERMS.fullmatch(name) is not None


def is_weights(name: str) -> bool:
    return name.startswith("model") and _PLAIN_NAME.fullmatch(name) is not None


def has_chat_template(folder: Path) -> bool:
    """Return whether the folder contains a chat template. Raises AppError("hf_file_unreadable")."""
    names = file_names_in(folder)
    if "chat_template.jinja" in names:
        return True
    name = "tokenizer_config.json"
    return name in names and bool(strict_json.read_object(regular_file(folder, name)).get("chat_template"))


def _read_configs(folder: Path, names: set[str]) -> tuple[dict[str, dict[str, Any]], ModelFamily, ModelDimensions]:
    """Return the configurations by file, the family and the dimensions; check that a tokenizer is there too."""
    if "config.json" not in names:
        raise AppError("hf_file_missing", file="config.json", path=str(folder))
    configs = {name: strict_json.read_object(regular_file(folder, name)) for name in _CONFIGS if name in names}
    for name, config in configs.items():
        hf_weights.refuse_remote_code(config, name)
    family = hf_weights.family_of(configs["config.json"])
    sizes = hf_weights.read_dimensions(configs["config.json"], family)
    if not any(name in names for name in _TOKENIZERS):
        raise AppError("hf_file_missing", file=" / ".join(_TOKENIZERS), path=str(folder))
    return configs, family, sizes


def file_names_in(folder: Path) -> set[str]:
    """Return the names of the folder's direct entries, at most 10,000.

    Raises AppError: hf_folder_unreadable; hf_pickle for a file that could run code when opened.
    """
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


def regular_file(folder: Path, name: str) -> Path:
    """Return the path of a file in this folder.

    Only links of the Hugging Face cache are followed, from snapshots/… to blobs/…. Raises AppError:
    hf_file_missing, hf_file_irregular.
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


def file_stamp(folder: Path, name: str) -> FileStamp:
    status = regular_file(folder, name).stat()
    return FileStamp(name, status.st_size, status.st_mtime_ns)


# ------------------------------------------------------------------ weights


def _weight_files(folder: Path, names: set[str]) -> tuple[dict[str, str], list[str]]:
    """Return the index (tensor -> file; empty without one) and the files of the weights. Raises AppError."""
    files = sorted(name for name in names if name.startswith("model") and name.endswith(".safetensors"))
    if _INDEX in names:
        index = _read_index(folder)
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
    if extra is not None:  # the converter would read it as another part of this model
        raise AppError("hf_weights_mismatch", where=extra, reason=f"not in {_INDEX}")
    return index, wanted


def _tensors(folder: Path, index: dict[str, str], wanted: list[str]) -> dict[str, StoredTensor]:
    """Return the tensors of all weight files by name, exactly those of the index if there is one. Raises AppError."""
    tensors: dict[str, StoredTensor] = {}
    bytes_left = _HEADERS_BYTES
    for name in wanted:
        for tensor_name, tensor in hf_weights.read_safetensors_header(regular_file(folder, name)).items():
            if tensor_name in tensors or (index and index.get(tensor_name) != name):
                raise AppError("hf_weights_mismatch", where=tensor_name[:80], reason=f"{_INDEX} / {name}")
            tensors[tensor_name] = tensor
            bytes_left -= len(tensor_name) + _TENSOR_BYTES
        if bytes_left < 0:
            raise AppError("hf_weights_damaged", file=name, reason=f"headers of more than {_HEADERS_BYTES >> 20} MB")
    absent = next((name for name in index if name not in tensors), None)
    if absent is not None:
        raise AppError("hf_weights_mismatch", where=absent[:80], reason="missing")
    return tensors


def _read_index(folder: Path) -> dict[str, str]:
    """Return the file of each tensor as the index lists it. Raises AppError: hf_file_unreadable, hf_name_refused."""
    weight_map = strict_json.read_object(regular_file(folder, _INDEX)).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise AppError("hf_file_unreadable", file=_INDEX, reason="no weight_map")
    for name in weight_map.values():
        if not isinstance(name, str) or _PLAIN_NAME.fullmatch(name) is None:
            raise AppError("hf_name_refused", file=_INDEX, name=ascii(name)[:80])
    return weight_map


def _most_common_type(tensors: Mapping[str, StoredTensor]) -> str:
    counts = dict.fromkeys(hf_weights.ELEMENT_BYTES, 0)
    for tensor in tensors.values():
        counts[tensor.type] += tensor.elements
    return max(counts, key=lambda name: counts[name])


def _repository(folder: Path, config: Mapping[str, Any]) -> str:
    """Return "owner/name" from the cache's folder name, else from the configuration; "" if unknown or a path."""
    cached = folder.parent.parent.name
    if folder.parent.name == "snapshots" and cached.startswith("models--"):
        name: Any = cached.removeprefix("models--").replace("--", "/", 1)
    else:
        name = config.get("_name_or_path")
    return name if isinstance(name, str) and is_repository(name) else ""


def is_repository(text: str) -> bool:
    """Return whether a text is a repository's name, "owner/name", and not a path."""
    return _REPOSITORY.fullmatch(text) is not None and ".." not in text


_CONFIG, _WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
_PAIR = re.compile(r"(?:base_model\.model\.)?(.+)\.lora_(A|B)(?:\.default)?\.weight")
_MAX_RANK = 4096
_MAX_ALPHA = 1e6
# Options of PEFT 0.21's LoraConfig that make an adapter other than plain LoRA if true or not empty.
_REFUSED = (
    "use_dora",
    "use_rslora",
    "use_qalora",
    "lora_bias",
    "modules_to_save",
    "alpha_pattern",
    "fan_in_fan_out",
    "target_parameters",
    "trainable_token_indices",
    "layer_replication",
    "alora_invocation_tokens",
    "use_bdlora",
    "kasa_config",
    "monteclora_config",
    "arrow_config",
)
_CHANGE_BASE = ("pissa", "olora", "corda", "loftq", "lora_ga")  # kinds of `init_lora_weights` that change the base


@dataclass(frozen=True, slots=True)
class HfAdapter:
    """Describes an adapter folder that has passed all checks."""

    folder: Path
    rank: int
    alpha: float
    base: str  # the base's name in the adapter's configuration
    shapes: Mapping[str, tuple[int, int]]  # of the matrices that it changes, by module: rows, columns
    tensors: Mapping[str, StoredTensor] = field(repr=False)
    files: tuple[FileStamp, ...] = field(repr=False)

    @property
    def weights_bytes(self) -> int:
        return sum(tensor.size_bytes for tensor in self.tensors.values())


def read_hf_adapter(folder: Path, base: HfModel | None = None) -> HfAdapter:
    """Read an adapter and check it against its base; None: only itself, and that all its matrices have one rank.

    Raises AppError: hf_adapter_unsupported, hf_adapter_mismatch, and the codes of `read_hf_model` for unreadable files.
    """
    folder = absolute_path(folder)
    names = file_names_in(folder)
    for name in (_CONFIG, _WEIGHTS):
        if name not in names:
            raise AppError("hf_file_missing", file=name, path=str(folder))
    config = strict_json.read_object(regular_file(folder, _CONFIG))
    hf_weights.refuse_remote_code(config, _CONFIG)
    rank, alpha = _rank_and_alpha(config)
    tensors = hf_weights.read_safetensors_header(regular_file(folder, _WEIGHTS))
    trained_on = str(config.get("base_model_name_or_path") or "?")[:120]
    shapes = {}
    for target, pair in sorted(_pairs(tensors).items()):
        shapes[target] = shape = _pair_shape(target, pair, trained_on)
        weight = base.tensors.get(f"{target}.weight") if base is not None else None
        if base is None and pair["A"].shape[0] != rank:
            raise _mismatch(target, f"r = {rank}", trained_on)
        if base is not None and (weight is None or shape != weight.shape):
            raise _mismatch(target, f"{shape}, not {weight.shape}" if weight else "not in the model", trained_on)
    files = tuple(file_stamp(folder, name) for name in (_CONFIG, _WEIGHTS))
    return HfAdapter(folder, rank, alpha, trained_on, shapes, tensors, files)


def _rank_and_alpha(config: Mapping[str, Any]) -> tuple[int, float]:
    """Return rank and alpha. Raises AppError: hf_adapter_unsupported, hf_file_unreadable."""
    if config.get("peft_type") != "LORA":
        raise AppError("hf_adapter_unsupported", kind=str(config.get("peft_type"))[:40])
    refused = next((key for key in _REFUSED if config.get(key)), None)
    if refused is None and config.get("bias", "none") != "none":
        refused = "bias"
    if refused is None and (start := str(config.get("init_lora_weights")).casefold()).startswith(_CHANGE_BASE):
        refused = start[:40]
    if refused is not None:
        raise AppError("hf_adapter_unsupported", kind=refused)
    rank, alpha = config.get("r"), config.get("lora_alpha")
    if isinstance(rank, bool) or not isinstance(rank, int) or not 0 < rank <= _MAX_RANK:
        raise AppError("hf_file_unreadable", file=_CONFIG, reason=f"r: {str(rank)[:40]}")
    if isinstance(alpha, bool) or not isinstance(alpha, int | float) or not 0 < alpha <= _MAX_ALPHA:
        raise AppError("hf_file_unreadable", file=_CONFIG, reason=f"lora_alpha: {str(alpha)[:40]}")
    return rank, float(alpha)


def _pairs(tensors: Mapping[str, StoredTensor]) -> dict[str, dict[str, StoredTensor]]:
    """Return the tensors "A" and "B" of each target module. Raises AppError("hf_adapter_unsupported")."""
    pairs: dict[str, dict[str, StoredTensor]] = {}
    for name, tensor in tensors.items():
        place = lora_place(name)
        if place is None or place[1] in pairs.get(place[0], ()):
            raise AppError("hf_adapter_unsupported", kind=name[:80])
        pairs.setdefault(place[0], {})[place[1]] = tensor
    return pairs


def lora_place(name: str) -> tuple[str, str] | None:
    """Return the target module of a LoRA tensor and "A" or "B"; None for another tensor."""
    found = _PAIR.fullmatch(name)
    return (found[1], found[2]) if found is not None else None


def _pair_shape(target: str, pair: Mapping[str, StoredTensor], trained_on: str) -> tuple[int, int]:
    """Return the shape (rows, columns) of the matrix that a pair changes. Raises AppError("hf_adapter_mismatch")."""
    a, b = pair.get("A"), pair.get("B")
    if a is None or b is None or len(a.shape) != 2 or len(b.shape) != 2 or a.shape[0] != b.shape[1]:
        raise _mismatch(target, "A / B", trained_on)
    return b.shape[0], a.shape[1]


def _mismatch(target: str, reason: str, trained_on: str) -> AppError:
    return AppError("hf_adapter_mismatch", where=target[:80], reason=reason, base=trained_on)
