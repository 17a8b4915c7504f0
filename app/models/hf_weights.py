"""Read a model's family and dimensions from its config.json, and check that its weights have these shapes.

`FAMILIES` is an allow-list of the families that llama.cpp's converter supports under exactly these names and whose
weights this module can check.

Headers of .safetensors files are read without the library and without the weights, and every number is compared with
the file. The format: eight bytes with the length of a JSON object; that object, with type, shape and position of each
tensor; the weights, one after the other without gaps (github.com/huggingface/safetensors, "Format").
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeGuard

from msgspec import Struct

from app.base.errors import AppError
from app.base.files import strict_json
from app.base.files.input_file import open_regular
from app.inference.gguf import tables

MAX_HEADER_BYTES = (
    12 << 20
)  # an 8B model's 290 tensors take 33 kB; the 91,000 of the largest known model, in 163 files, 11 MB
MAX_TENSORS = 65_536
MAX_RANK = 8
ELEMENT_BYTES = {"F32": 4, "F16": 2, "BF16": 2}


class StoredTensor(Struct, frozen=True):
    """Describes a tensor in a .safetensors file."""

    type: str  # F32 | F16 | BF16
    shape: tuple[int, ...]  # PyTorch's order: rows, columns
    file: str
    offset: int = 0  # of its first byte in the file

    @property
    def elements(self) -> int:
        return math.prod(self.shape)

    @property
    def size_bytes(self) -> int:
        return self.elements * ELEMENT_BYTES[self.type]


def read_safetensors_header(path: Path) -> dict[str, StoredTensor]:
    """Return the tensors of a .safetensors file by name.

    Raises AppError: hf_weights_damaged, hf_weights_type, hf_file_unreadable.
    """
    try:
        size = path.stat().st_size
        with open_regular(path) as file:
            length = int.from_bytes(file.read(8), "little")
            if size < 10 or length > min(size - 8, MAX_HEADER_BYTES):
                raise _damaged(path, f"{size} bytes, header of {length}")
            raw = file.read(length)
    except OSError as error:
        raise AppError("hf_file_unreadable", file=path.name, reason=error.strerror or str(error)) from error
    try:
        entries = strict_json.parse_object(raw)
    except ValueError as error:
        raise _damaged(path, str(error)[:200]) from error
    entries.pop("__metadata__", None)
    if not 0 < len(entries) <= MAX_TENSORS:
        raise _damaged(path, f"{len(entries)} tensors")
    tensors = {}
    for name, entry in entries.items():
        tensors[name] = _tensor(path, name, entry, 8 + length)
    _check_offsets(path, tensors.values(), 8 + length, size)
    return tensors


def _tensor(path: Path, name: str, entry: Any, start: int) -> StoredTensor:
    shown = name[:80]
    if not isinstance(entry, dict):
        raise _damaged(path, shown)
    kind, shape, offsets = entry.get("dtype"), entry.get("shape"), entry.get("data_offsets")
    if not isinstance(kind, str) or kind not in ELEMENT_BYTES:
        raise AppError("hf_weights_type", file=path.name, where=shown, type=str(kind)[:40])
    if not _are_lengths(shape, MAX_RANK) or not _are_lengths(offsets, 2) or len(offsets) != 2:
        raise _damaged(path, shown)
    tensor = StoredTensor(kind, tuple(shape), path.name, start + offsets[0])
    if offsets[1] - offsets[0] != tensor.size_bytes:
        raise _damaged(path, f"{shown}: {tensor.shape} {kind} in {offsets[1] - offsets[0]} bytes")
    return tensor


def _are_lengths(values: Any, most: int) -> TypeGuard[list[int]]:
    return (
        isinstance(values, list)
        and len(values) <= most
        and all(type(value) is int and 0 <= value < 1 << 48 for value in values)
    )


def _check_offsets(path: Path, tensors: Iterable[StoredTensor], start: int, size: int) -> None:
    """Raise AppError unless the tensors fill the file without gaps or overlaps: a gap could hide anything."""
    end = start
    for first, last in sorted((tensor.offset, tensor.offset + tensor.size_bytes) for tensor in tensors):
        if first != end:
            raise _damaged(path, f"offset {first - start} instead of {end - start}")
        end = last
    if end != size:
        raise _damaged(path, f"{size - start} bytes of weights instead of {end - start}")


def _damaged(path: Path, reason: str) -> AppError:
    return AppError("hf_weights_damaged", file=path.name, reason=reason)


_MAX_LENGTH = 1 << 22  # limit for every number in config.json; the largest known vocabulary has 262,208 entries
_LAYER = re.compile(r"(?:^|\.)layers\.(\d+)\.(.+)$")
_OTHER_PARTS = ("vision_tower.", "multi_modal_projector.", "model.vision_tower.", "model.multi_modal_projector.")


class ModelFamily(Struct, frozen=True):
    """Describes a model architecture by the names in config.json.

    `architecture`: its name in GGUF. `classes`: allowed values of `architectures`. `layout`: plain (one matrix each for
    query, key, …) | fused | experts.
    """

    architecture: str
    classes: tuple[str, ...]
    layout: str = "plain"
    head: int = 0  # default for head_dim; 0: embedding length / number of heads
    ties: bool = False  # default for tie_word_embeddings: the last layer is the token table


FAMILIES: dict[str, ModelFamily] = {
    "llama": ModelFamily("llama", ("LlamaForCausalLM",)),
    "mistral": ModelFamily("llama", ("MistralForCausalLM",)),
    "mixtral": ModelFamily("llama", ("MixtralForCausalLM",), "experts"),
    "qwen2": ModelFamily("qwen2", ("Qwen2ForCausalLM",)),
    "qwen2_moe": ModelFamily("qwen2moe", ("Qwen2MoeForCausalLM",), "experts"),
    "qwen3": ModelFamily("qwen3", ("Qwen3ForCausalLM",), head=128),
    "qwen3_moe": ModelFamily("qwen3moe", ("Qwen3MoeForCausalLM",), "experts"),
    "gemma": ModelFamily("gemma", ("GemmaForCausalLM",), head=256, ties=True),
    "gemma2": ModelFamily("gemma2", ("Gemma2ForCausalLM",), head=256, ties=True),
    "gemma3_text": ModelFamily("gemma3", ("Gemma3ForCausalLM",), head=256, ties=True),
    "gemma3": ModelFamily("gemma3", ("Gemma3ForConditionalGeneration",), head=256, ties=True),
    "phi3": ModelFamily("phi3", ("Phi3ForCausalLM",), "fused"),
    "granite": ModelFamily("granite", ("GraniteForCausalLM",)),
    "smollm3": ModelFamily("smollm3", ("SmolLM3ForCausalLM",)),
    "olmo2": ModelFamily("olmo2", ("Olmo2ForCausalLM",)),
    "exaone4": ModelFamily("exaone4", ("Exaone4ForCausalLM",)),
}


class ModelDimensions(Struct, frozen=True):
    """Holds the sizes in a config.json; an optional one that is missing is 0."""

    layers: int
    embedding: int
    feed_forward: int
    heads: int
    heads_kv: int
    head: int
    vocabulary: int
    ties_embedding: bool


def refuse_remote_code(config: Any, file: str) -> None:
    """Raise AppError("hf_remote_code") if the configuration has an `auto_map` or `trust_remote_code` at any depth."""
    waiting = [config]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if "auto_map" in value or value.get("trust_remote_code"):
                raise AppError("hf_remote_code", file=file)
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


def family_of(config: Mapping[str, Any]) -> ModelFamily:
    """Return the family of a configuration. Raises AppError: hf_architecture_unknown, hf_already_quantized."""
    model_type, classes = config.get("model_type"), config.get("architectures")
    family = FAMILIES.get(model_type) if isinstance(model_type, str) else None
    is_known = family is not None and isinstance(classes, list) and len(classes) == 1 and classes[0] in family.classes
    if family is None or not is_known or family.architecture not in tables.ARCHITECTURES:
        shown = f"{str(model_type)[:40]}, {str(classes)[:80]}"
        raise AppError("hf_architecture_unknown", model_type=shown, known=", ".join(FAMILIES))
    for part in (config, config.get("text_config")):
        quantization = part.get("quantization_config") if isinstance(part, dict) else None
        if quantization is not None:
            method = quantization.get("quant_method", "?") if isinstance(quantization, dict) else "?"
            raise AppError("hf_already_quantized", method=str(method)[:40])
    return family


def read_dimensions(config: Mapping[str, Any], family: ModelFamily) -> ModelDimensions:
    """Return the sizes in a configuration.

    Raises AppError("hf_file_unreadable") for a value that is no number or out of range.
    """
    inner = config.get("text_config")
    text: Mapping[str, Any] = inner if isinstance(inner, dict) else config
    layers, embedding = _length(text, "num_hidden_layers", required=True), _length(text, "hidden_size", required=True)
    if layers > tables.MAX_LAYERS:
        raise _unreadable("num_hidden_layers", layers)
    heads = _length(text, "num_attention_heads")
    head = _length(text, "head_dim") or family.head or (embedding // heads if heads else 0)
    return ModelDimensions(
        layers=layers,
        embedding=embedding,
        feed_forward=_length(text, "intermediate_size"),
        heads=heads,
        heads_kv=_length(text, "num_key_value_heads") or heads,
        head=head,
        vocabulary=_length(text, "vocab_size"),
        ties_embedding=bool(text.get("tie_word_embeddings", config.get("tie_word_embeddings", family.ties))),
    )


def _length(config: Mapping[str, Any], key: str, *, required: bool = False) -> int:
    value = config.get(key)
    if value is None and not required:
        return 0
    if type(value) is not int or not 0 < value <= _MAX_LENGTH:
        raise _unreadable(key, value)
    return value


def _unreadable(key: str, value: Any) -> AppError:
    return AppError("hf_file_unreadable", file="config.json", reason=f"{key}: {str(value)[:40]}")


# ------------------------------------------------------------------ weights


def text_name(name: str) -> str | None:
    """Return a tensor's name without the prefix of the text model; None if it belongs to the image part.

    Examples: `layers.0.mlp.up_proj.weight`, `embed_tokens.weight`, `lm_head.weight`.
    """
    if name.startswith(_OTHER_PARTS):
        return None
    found = _LAYER.search(name)
    if found is not None:
        return f"layers.{found[1]}.{found[2]}"
    return next((end for end in ("embed_tokens.weight", "lm_head.weight") if name.endswith(end)), name)


def check_shapes(tensors: Mapping[str, StoredTensor], sizes: ModelDimensions, family: ModelFamily) -> None:
    """Raise AppError("hf_weights_mismatch") for the first tensor that is missing, surplus or of the wrong shape."""
    found = {short: tensor for name, tensor in tensors.items() if (short := text_name(name)) is not None}
    for name, shape in _expected(sizes, family):
        tensor = found.get(name)
        if tensor is None:
            raise AppError("hf_weights_mismatch", where=name, reason="missing")
        fits = len(tensor.shape) == len(shape) and all(
            wanted in (0, length) for length, wanted in zip(tensor.shape, shape, strict=True)
        )
        if not fits:
            raise AppError("hf_weights_mismatch", where=name, reason=f"{tensor.shape}, not {shape}")
    for name in found:
        layer = _LAYER.search(name)
        if layer is not None and int(layer[1]) >= sizes.layers:
            raise AppError("hf_weights_mismatch", where=name, reason=f"{sizes.layers} layers")


def _expected(sizes: ModelDimensions, family: ModelFamily) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield the names and shapes that a model's weights must have; a length of 0 may be any."""
    width, wide = sizes.embedding, sizes.feed_forward
    inner, inner_kv = sizes.heads * sizes.head, sizes.heads_kv * sizes.head
    yield "embed_tokens.weight", (sizes.vocabulary, width)
    if not sizes.ties_embedding:
        yield "lm_head.weight", (sizes.vocabulary, width)
    matrices = {
        "self_attn.q_proj": (inner, width),
        "self_attn.k_proj": (inner_kv, width),
        "self_attn.v_proj": (inner_kv, width),
        "self_attn.o_proj": (width, inner),
        "mlp.gate_proj": (wide, width),
        "mlp.up_proj": (wide, width),
        "mlp.down_proj": (width, wide),
    }
    chosen = {"plain": list(matrices), "fused": ["self_attn.o_proj", "mlp.down_proj"], "experts": ["self_attn.o_proj"]}
    for layer in range(sizes.layers):
        for name in chosen[family.layout]:
            yield f"layers.{layer}.{name}.weight", matrices[name]
