"""A LoRA adapter as PEFT writes it (adapter_config.json, adapter_model.safetensors), held against its base.

llama.cpp applies alpha / rank and nothing else, so every kind that means another sum is refused.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.base.errors import AppError
from app.base.files import strict_json
from app.base.files.input_file import absolute_path
from app.models import hf_config, safetensors_header
from app.models.hf_folder import FileFact, HfModel, fact, listed, regular
from app.models.safetensors_header import StoredTensor

_CONFIG, _WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
_PAIR = re.compile(r"(?:base_model\.model\.)?(.+)\.lora_(A|B)(?:\.default)?\.weight")
_MAX_RANK = 4096
_MAX_ALPHA = 1e6
# Not plain LoRA when they are true or not empty: PEFT's LoraConfig of 0.21.
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
)


@dataclass(frozen=True, slots=True)
class HfAdapter:
    folder: Path
    rank: int
    alpha: float
    targets: int  # matrices that it changes
    base: str  # what it says it was trained on
    weights_bytes: int
    files: tuple[FileFact, ...]


@dataclass(frozen=True, slots=True)
class LoneAdapter:
    """What is known without the base. `shapes`: of the base's matrices that it is for, by their modules' names."""

    rank: int
    alpha: float
    shapes: Mapping[str, tuple[int, int]]  # PyTorch's order: rows before columns


def read_alone(folder: Path) -> LoneAdapter:
    """Raises AppError as `read`."""
    config, rank, alpha, tensors = _read(absolute_path(folder))
    shapes = {}
    for target, pair in _pairs(tensors).items():
        a, b = pair.get("A"), pair.get("B")
        if a is None or b is None or len(a.shape) != 2 or len(b.shape) != 2 or a.shape[0] != b.shape[1]:
            raise AppError("hf_adapter_mismatch", where=target[:80], reason="A / B", base=_base_name(config))
        if a.shape[0] != rank:
            raise AppError("hf_adapter_mismatch", where=target[:80], reason=f"r = {rank}", base=_base_name(config))
        shapes[target] = (b.shape[0], a.shape[1])
    return LoneAdapter(rank, alpha, shapes)


def _read(folder: Path) -> tuple[Mapping[str, Any], int, float, dict[str, StoredTensor]]:
    """Configuration, rank, alpha and tensors."""
    names = listed(folder)
    for name in (_CONFIG, _WEIGHTS):
        if name not in names:
            raise AppError("hf_file_missing", file=name, path=str(folder))
    config = strict_json.read_object(regular(folder, _CONFIG))
    hf_config.refuse_remote_code(config, _CONFIG)
    rank, alpha = _checked(config)
    return config, rank, alpha, safetensors_header.read(regular(folder, _WEIGHTS))


def _base_name(config: Mapping[str, Any]) -> str:
    return str(config.get("base_model_name_or_path") or "?")[:120]


def read(folder: Path, base: HfModel) -> HfAdapter:
    """Raises AppError: those of `hf_folder` for its files; hf_adapter_unsupported, hf_adapter_mismatch."""
    folder = absolute_path(folder)
    config, rank, alpha, tensors = _read(folder)
    trained_on = _base_name(config)
    pairs = _pairs(tensors)
    for target in sorted(pairs):
        _check_pair(target, pairs[target], base, trained_on)
    return HfAdapter(
        folder=folder,
        rank=rank,
        alpha=alpha,
        targets=len(pairs),
        base=trained_on,
        weights_bytes=sum(
            tensor.elements * safetensors_header.ELEMENT_BYTES[tensor.type] for tensor in tensors.values()
        ),
        files=tuple(fact(folder, name) for name in (_CONFIG, _WEIGHTS)),
    )


def _checked(config: Mapping[str, Any]) -> tuple[int, float]:
    """Rank and alpha. Raises AppError: hf_adapter_unsupported, hf_file_unreadable."""
    if config.get("peft_type") != "LORA":
        raise AppError("hf_adapter_unsupported", kind=str(config.get("peft_type"))[:40])
    refused = next((key for key in _REFUSED if config.get(key)), None)
    if refused is None and config.get("bias", "none") != "none":
        refused = "bias"
    if refused is not None:
        raise AppError("hf_adapter_unsupported", kind=refused)
    rank, alpha = config.get("r"), config.get("lora_alpha")
    if isinstance(rank, bool) or not isinstance(rank, int) or not 0 < rank <= _MAX_RANK:
        raise AppError("hf_file_unreadable", file=_CONFIG, reason=f"r: {str(rank)[:40]}")
    if isinstance(alpha, bool) or not isinstance(alpha, int | float) or not 0 < alpha <= _MAX_ALPHA:
        raise AppError("hf_file_unreadable", file=_CONFIG, reason=f"lora_alpha: {str(alpha)[:40]}")
    return rank, float(alpha)


def _pairs(tensors: Mapping[str, StoredTensor]) -> dict[str, dict[str, StoredTensor]]:
    """Target module -> its A and B."""
    pairs: dict[str, dict[str, StoredTensor]] = {}
    for name, tensor in tensors.items():
        found = _PAIR.fullmatch(name)
        if found is None:
            raise AppError("hf_adapter_unsupported", kind=name[:80])
        pairs.setdefault(found[1], {})[found[2]] = tensor
    return pairs


def _check_pair(target: str, pair: Mapping[str, StoredTensor], base: HfModel, trained_on: str) -> None:
    def mismatch(reason: str) -> AppError:
        return AppError("hf_adapter_mismatch", where=target[:80], reason=reason, base=trained_on)

    weight = base.tensors.get(f"{target}.weight")
    if weight is None:
        raise mismatch("not in the model")
    a, b = pair.get("A"), pair.get("B")
    if a is None or b is None or len(a.shape) != 2 or len(b.shape) != 2 or a.shape[0] != b.shape[1]:
        raise mismatch("A / B")
    if (b.shape[0], a.shape[1]) != weight.shape:
        raise mismatch(f"{(b.shape[0], a.shape[1])}, not {weight.shape}")
