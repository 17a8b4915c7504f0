"""What a model's config.json says, as far as a build needs it: which kind it is, and the shapes its weights must have.

The kinds are an allow-list: those that llama.cpp's converter knows under exactly these names, whose weights this
module can hold against their configuration.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from app.base.errors import AppError
from app.inference.gguf import tables
from app.models.safetensors_header import StoredTensor

_MAX_LENGTH = 1 << 22  # of anything that config.json counts; the largest vocabulary known has 262,208 entries
_LAYER = re.compile(r"(?:^|\.)layers\.(\d+)\.(.+)$")
_OTHER_PARTS = ("vision_tower.", "multi_modal_projector.", "model.vision_tower.", "model.multi_modal_projector.")


@dataclass(frozen=True, slots=True)
class Family:
    """`architecture`: its name in GGUF. `layout`: plain (a matrix each for query, key, …) | fused | experts."""

    architecture: str
    classes: tuple[str, ...]
    layout: str = "plain"
    head: int = 0  # elements of a head where the configuration does not say; 0: what the embedding leaves each
    ties: bool = False  # likewise: the last layer is the table of tokens


FAMILIES: dict[str, Family] = {
    "llama": Family("llama", ("LlamaForCausalLM",)),
    "mistral": Family("llama", ("MistralForCausalLM",)),
    "mixtral": Family("llama", ("MixtralForCausalLM",), "experts"),
    "qwen2": Family("qwen2", ("Qwen2ForCausalLM",)),
    "qwen2_moe": Family("qwen2moe", ("Qwen2MoeForCausalLM",), "experts"),
    "qwen3": Family("qwen3", ("Qwen3ForCausalLM",), head=128),
    "qwen3_moe": Family("qwen3moe", ("Qwen3MoeForCausalLM",), "experts"),
    "gemma": Family("gemma", ("GemmaForCausalLM",), head=256, ties=True),
    "gemma2": Family("gemma2", ("Gemma2ForCausalLM",), head=256, ties=True),
    "gemma3_text": Family("gemma3", ("Gemma3ForCausalLM",), head=256, ties=True),
    "gemma3": Family("gemma3", ("Gemma3ForConditionalGeneration",), head=256, ties=True),
    "phi3": Family("phi3", ("Phi3ForCausalLM",), "fused"),
    "granite": Family("granite", ("GraniteForCausalLM",)),
    "smollm3": Family("smollm3", ("SmolLM3ForCausalLM",)),
    "olmo2": Family("olmo2", ("Olmo2ForCausalLM",)),
    "exaone4": Family("exaone4", ("Exaone4ForCausalLM",)),
}


@dataclass(frozen=True, slots=True)
class Dimensions:
    """0: the configuration does not say."""

    layers: int
    embedding: int
    feed_forward: int
    heads: int
    heads_kv: int
    head: int
    vocabulary: int
    ties_embedding: bool


def refuse_remote_code(config: Any, file: str) -> None:
    """`auto_map` at any depth. Raises AppError("hf_remote_code")."""
    waiting = [config]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if "auto_map" in value or value.get("trust_remote_code"):
                raise AppError("hf_remote_code", file=file)
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


def family_of(config: Mapping[str, Any]) -> Family:
    """Raises AppError: hf_architecture_unknown, hf_already_quantized."""
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


def dimensions(config: Mapping[str, Any], family: Family) -> Dimensions:
    """Raises AppError("hf_file_unreadable") for a number that is none or out of range."""
    inner = config.get("text_config")
    text: Mapping[str, Any] = inner if isinstance(inner, dict) else config
    layers, embedding = _length(text, "num_hidden_layers", required=True), _length(text, "hidden_size", required=True)
    if layers > tables.MAX_LAYERS:
        raise _unreadable("num_hidden_layers", layers)
    heads = _length(text, "num_attention_heads")
    head = _length(text, "head_dim") or family.head or (embedding // heads if heads else 0)
    return Dimensions(
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
    """A tensor's name without what comes before the text model's own: `layers.0.mlp.up_proj.weight`,
    `embed_tokens.weight`, `lm_head.weight`. None: it belongs to the image half."""
    if name.startswith(_OTHER_PARTS):
        return None
    found = _LAYER.search(name)
    if found is not None:
        return f"layers.{found[1]}.{found[2]}"
    return next((end for end in ("embed_tokens.weight", "lm_head.weight") if name.endswith(end)), name)


def check_shapes(tensors: Mapping[str, StoredTensor], sizes: Dimensions, family: Family) -> None:
    """Raises AppError("hf_weights_mismatch") for the first tensor that is missing, too many or of another shape."""
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


def _expected(sizes: Dimensions, family: Family) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Names and shapes; a length of 0 may be any."""
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
