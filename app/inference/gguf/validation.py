"""Check models and LoRA adapters before llama.cpp loads them: refuse files of the wrong kind or that would abort it.

A file that passes may still fail to load, with llama.cpp's own reason, but should not end the process. llama.cpp
does not reject an adapter that does not fit its model, and then crashes.
"""

import math
import re
from dataclasses import replace
from pathlib import Path

from app.base.errors import AppError
from app.inference.gguf import tables
from app.inference.gguf.header import GgufArray, GgufHeader, TensorInfo
from app.inference.gguf.reader import MAX_TENSORS, MAX_TOKENS, damaged, printable, read_header

_TOKENS = "tokenizer.ggml.tokens"


def check_tokenizer(header: GgufHeader) -> None:
    """Check that llama.cpp has the tokenizer, and that its lists fit each other in type and length."""
    model = header.text("tokenizer.ggml.model")
    if model is None:
        damaged("tokenizer.ggml.model", "missing")
    if model not in tables.TOKENIZERS:
        raise AppError("unknown_tokenizer", tokenizer=printable(model))
    pre = header.metadata.get("tokenizer.ggml.pre", "")
    if model in tables.BPE_TOKENIZERS - {"gemma4"} and pre not in tables.PRE_TOKENIZERS | {""}:
        raise AppError("unknown_tokenizer", tokenizer=printable(str(pre)))
    tokens = header.array(_TOKENS)
    if tokens is None or tokens.element_type != "str":
        damaged(_TOKENS, "missing" if tokens is None else "wrong_type")
    if not 1 <= tokens.length <= MAX_TOKENS:
        damaged(_TOKENS, "out_of_range", value=tokens.length)
    _check_list(header, "scores", ("f32", "i32"), tokens.length)
    _check_list(header, "token_type", ("i32",), tokens.length)
    if model in tables.BPE_TOKENIZERS and pre != "kimi-k2":
        _check_list(header, "merges", ("str",), 0, required=True)


def _check_list(header: GgufHeader, name: str, types: tuple[str, ...], length: int, *, required: bool = False) -> None:
    key = f"tokenizer.ggml.{name}"
    if key not in header.metadata:
        if required:
            damaged(key, "missing")
        return
    array = header.array(key)
    if array is None or array.element_type not in types:
        damaged(key, "wrong_type")
    if array.length < length:
        damaged(key, "inconsistent", value=array.length)


def check_token_texts(header: GgufHeader, tokens: list[bytes]) -> None:
    """Check that no text occurs twice (llama.cpp asserts it), and that a byte vocabulary has a token for every byte."""
    if b"\0" in b"".join(tokens):  # llama.cpp reads them as C strings
        tokens = [token.split(b"\0", 1)[0] for token in tokens]
    distinct = set(tokens)
    empty = tokens.count(b"") if b"" in distinct else 0  # llama.cpp gives empty tokens distinct names
    if len(distinct) - bool(empty) != len(tokens) - empty:
        damaged(_TOKENS, "duplicate_name")
    if header.text("tokenizer.ggml.model") == "llama":
        for byte in range(256):
            if b"<0x%02X>" % byte not in distinct and bytes((byte,)) not in distinct:
                damaged(_TOKENS, "byte_token_missing", value=byte)


_MAX_LENGTH = 1 << 20  # of an embedding or a head, and number of heads; the largest known embedding has 18,432
_MAX_U31 = (1 << 31) - 1
_MAX_REAL = 1e15  # its square times a row's length still fits a 32-bit float
_PART_NAME = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf")
# Draft and sound models, whose token table has another shape than {embedding, vocabulary} or is not in the file.
_OWN_TOKEN_TABLE = frozenset(("eagle3", "dflash", "gemma4-assistant", "wavtokenizer-dec", "qwen3tts", "pockettts"))


def check_model(path: Path, *, every_token: bool = True) -> GgufHeader:
    """Read and check the header of a model with all its parts.

    `every_token` also checks the vocabulary's texts (60 ms more for 262,144 tokens). Without it a damaged vocabulary
    passes; use it at least once, when a model is imported. Raises AppError: the codes of `read_header`;
    adapter_as_model, projector_as_model, not_a_model, model_without_weights, unknown_architecture, unknown_tokenizer,
    split_not_first, split_part_missing, gguf_damaged.
    """
    tokens: list[bytes] | None = [] if every_token else None
    header = read_header(path, tokens=tokens)
    is_split = header.metadata.get("split.count", 0) not in (0, 1)
    if is_split:
        number, paths = _part_number(header, "split.no"), _part_paths(header)
        if number != 0:  # the other parts have almost no metadata
            raise AppError("split_not_first", first=paths[0].name, number=number + 1, count=len(paths))
    _check_is_model(header)
    if is_split:
        header = _with_parts(header)
    if not header.tensors:
        raise AppError("model_without_weights", path=str(path))
    _check_numbers(header)
    _check_experts(header)
    _check_heads(header)
    _check_rotary(header)
    _check_tensors(header)
    check_tokenizer(header)
    if tokens is not None:
        check_token_texts(header, tokens)
    return header


def check_projector(path: Path, model: GgufHeader) -> GgufHeader:
    """Read and check the header of the file with which a model reads pictures (mmproj).

    libmtmd itself compares its width with the model's; without a tensor of that width it fits certainly not. Raises
    AppError: the codes of `read_header`; not_a_projector, projector_mismatch, gguf_damaged.
    """
    header = read_header(path)
    if not header.is_projector or header.metadata.get("clip.has_vision_encoder") is not True:
        raise AppError("not_a_projector", path=str(path))
    width = model.embedding_length
    if not any(width in tensor.shape for name, tensor in header.tensors.items() if not name.startswith("v.blk.")):
        raise AppError("projector_mismatch", path=str(path), name=printable(model.name))
    for name, most in _PROJECTOR_NUMBERS.items():
        key = f"clip.vision.{name}"
        value = header.integer(key)
        if key in header.metadata and not (value is not None and 1 <= value <= most):
            damaged(key, "out_of_range", value=value or 0)
    for tensor in header.tensors.values():
        if tensor.name.endswith(".weight") and tensor.type in tables.NOT_FOR_WEIGHTS:
            damaged(tensor.name, "unusable_type", value=tensor.type)
    return header


# llama.cpp divides by some of these numbers, and reserves memory for others.
_PROJECTOR_NUMBERS = {
    "image_size": 8192, "patch_size": 1024, "embedding_length": 65_536, "feed_forward_length": 1 << 20,
    "block_count": 1024, "attention.head_count": 1024, "projector.scale_factor": 64, "spatial_merge_size": 64,
}  # fmt: skip


def _check_is_model(header: GgufHeader) -> None:
    kind = header.text("general.type")
    if header.is_adapter:
        raise AppError("adapter_as_model", base=base_of(header))
    if header.is_projector:
        raise AppError("projector_as_model")
    if kind not in (None, "model"):
        raise AppError("not_a_model", kind=printable(kind or ""))
    if header.text("general.architecture") is None:
        damaged("general.architecture", "missing")
    if header.architecture not in tables.ARCHITECTURES:
        raise AppError("unknown_architecture", architecture=printable(header.architecture))


def base_of(adapter: GgufHeader) -> str:
    """Return the name of the model that an adapter was made for, else its architecture; "?" if it states neither."""
    return printable(adapter.text("general.base_model.0.name") or adapter.architecture or "?")


# ------------------------------------------------------------------- parts


def _part_paths(part: GgufHeader) -> list[Path]:
    """Return all files of a split model as llama.cpp names them, derived from one of them."""
    count = _part_number(part, "split.count")
    name = _PART_NAME.fullmatch(part.path.name)
    stem = name["stem"] if name else part.path.stem
    return [part.path.with_name(f"{stem}-{number:05}-of-{count:05}.gguf") for number in range(1, count + 1)]


def _with_parts(first: GgufHeader) -> GgufHeader:
    """Return the header with the tensors of all parts. Raises AppError: split_part_missing, gguf_damaged."""
    paths = _part_paths(first)
    tensors = dict(first.tensors)
    file_bytes = first.file_bytes
    for number, part in enumerate(paths[1:], start=1):
        if first.path != paths[0] or not part.is_file():
            raise AppError("split_part_missing", missing=part.name, count=len(paths))
        other = read_header(part)
        if _part_number(other, "split.no") != number or not tensors.keys().isdisjoint(other.tensors):
            damaged(part.name, "wrong_part")
        tensors |= other.tensors
        if len(tensors) > MAX_TENSORS:
            damaged(part.name, "count_too_large", value=len(tensors))
        file_bytes += other.file_bytes
    if first.integer("split.tensors.count") not in (None, len(tensors)):
        damaged("split.tensors.count", "inconsistent", value=len(tensors))
    return replace(first, tensors=tensors, file_bytes=file_bytes, parts=tuple(paths[1:]))


def _part_number(header: GgufHeader, key: str) -> int:
    value = header.integer(key)
    if value is None or header.types[key] != "u16" or value > 10_000:
        damaged(key, "wrong_type" if value is None else "out_of_range")
    return value


# ----------------------------------------------------------------- numbers


def _check_numbers(header: GgufHeader) -> None:
    """Check that the architecture's own values have llama.cpp's types and do not overflow its arithmetic."""
    prefix = header.architecture + "."
    for key, value in header.metadata.items():
        if not key.startswith(prefix):
            continue
        for number in value.values if isinstance(value, GgufArray) else (value,):
            if isinstance(number, float):
                _check_float(key, number)
            elif isinstance(number, int) and not -_MAX_U31 - 1 <= number <= _MAX_U31:
                damaged(key, "out_of_range", value=number)
    _checked_integer(header, "context_length", 1, _MAX_U31)
    _checked_integer(header, "embedding_length", 1, _MAX_LENGTH)
    layers = _checked_integer(header, "block_count", 1, tables.MAX_LAYERS)
    _checked_integer(header, "nextn_predict_layers", 0, layers - 1, required=False)
    _checked_integer(header, "pooling_type", 0, 4, required=False)
    _checked_per_layer(header, "feed_forward_length", _MAX_U31)


def _check_float(key: str, value: float) -> None:
    if not math.isfinite(value) or abs(value) > _MAX_REAL:
        damaged(key, "out_of_range", value=repr(value))
    if key.endswith("epsilon") and value <= 0:
        damaged(key, "not_positive", value=value)
    # With a base below 1 the angles of far positions overflow, and all logits become NaN.
    if key.endswith((".rope.freq_base", ".rope.freq_base_swa")) and value < 1:
        damaged(key, "out_of_range", value=value)
    is_factor = key.endswith((".rope.scaling.factor", ".rope.scale_linear"))
    if is_factor and value != 0 and not 1e-3 <= value <= 1e6:  # 0: not scaled
        damaged(key, "out_of_range", value=value)


def _checked_integer(header: GgufHeader, name: str, low: int, high: int, *, required: bool = True) -> int:
    """Return one of the architecture's integers, which llama.cpp reads as u32 only, after checking its range."""
    key = header.key(name)
    value = header.integer(key)
    if key not in header.metadata:
        if required:
            damaged(key, "missing")
        return 0
    if value is None or header.types[key] != "u32":
        damaged(key, "wrong_type")
    if not low <= value <= high:
        damaged(key, "out_of_range", value=value)
    return value


def _checked_per_layer(header: GgufHeader, name: str, high: int) -> tuple[int, ...]:
    """Return one of the architecture's integers for each layer, after checking type and range (0 to `high`).

    The file may hold one number for all layers, or a list with one value per layer.
    """
    array = header.array(header.key(name))
    if array is None:
        _checked_integer(header, name, 0, high, required=False)
    elif array.length != header.block_count:
        damaged(header.key(name), "inconsistent", value=array.length)
    elif array.element_type not in ("u32", "i32"):
        damaged(header.key(name), "wrong_type")
    elif not all(0 <= value <= high for value in array.values):
        damaged(header.key(name), "out_of_range")
    return header.per_layer(name)


def _check_experts(header: GgufHeader) -> None:
    """Check the conditions on experts that llama.cpp asserts while loading."""
    count = _checked_integer(header, "expert_count", 0, tables.MAX_EXPERTS, required=False)
    used = max(_checked_per_layer(header, "expert_used_count", tables.MAX_EXPERTS))
    groups = _checked_integer(header, "expert_group_count", 0, tables.MAX_EXPERTS, required=False)
    groups_used = _checked_integer(header, "expert_group_used_count", 0, tables.MAX_EXPERTS, required=False)
    if header.architecture.startswith("hunyuan") and count <= 1:
        return
    if used > count or (count and not used) or (groups >= count and groups):
        damaged(header.key("expert_used_count"), "inconsistent", value=used)
    if groups > 1 and (count % groups or not 0 < groups_used < groups):
        damaged(header.key("expert_group_count"), "inconsistent", value=groups)


def _check_heads(header: GgufHeader) -> None:
    heads = _checked_per_layer(header, "attention.head_count", _MAX_LENGTH)
    _checked_per_layer(header, "attention.head_count_kv", _MAX_LENGTH)
    if header.architecture in tables.RECURRENT_ARCHITECTURES:
        return
    key = header.key("attention.head_count")
    if not any(heads):
        damaged(key, "missing")
    for count, count_kv in zip(heads, header.head_counts_kv, strict=True):
        if count_kv and (count == 0 or count % count_kv):
            damaged(header.key("attention.head_count_kv"), "inconsistent", value=count_kv)
    has_length = header.key("attention.key_length") in header.metadata
    if not has_length and heads[0] and header.embedding_length % heads[0]:
        damaged(key, "inconsistent", value=heads[0])
    for name in ("key_length", "value_length", "key_length_swa", "value_length_swa"):
        _checked_integer(header, f"attention.{name}", 1, _MAX_LENGTH, required=False)
    if header.architecture in tables.EQUAL_HEAD_LENGTHS and header.key_length != header.value_length:
        damaged(header.key("attention.value_length"), "inconsistent", value=header.value_length)


def _check_rotary(header: GgufHeader) -> None:
    scaling = header.metadata.get(header.key("rope.scaling.type"), "none")
    if scaling not in tables.ROPE_SCALING_TYPES:
        damaged(header.key("rope.scaling.type"), "unknown_value", value=printable(str(scaling)))
    for suffix in ("", "_swa"):
        key = header.key("rope.dimension_count" + suffix)
        value = header.integer(key)
        if value is None:
            continue
        length = header.number("attention.key_length" + suffix, header.key_length)
        covers = header.architecture in tables.ROTARY_COVERS_HEAD and not suffix
        if value % 2 or value > length or (covers and value != length):
            damaged(key, "inconsistent", value=value)
    if header.architecture in tables.ROTARY_COVERS_HEAD and header.key_length % 2:
        damaged(header.key("attention.key_length"), "inconsistent", value=header.key_length)


# ----------------------------------------------------------------- tensors


def _check_tensors(header: GgufHeader) -> None:
    for tensor in header.tensors.values():
        _check_type(tensor)
    if header.architecture in tables.PLAIN_ATTENTION:
        _check_attention(header)
    if header.architecture in _OWN_TOKEN_TABLE:
        return
    table = header.tensors.get("token_embd.weight")
    if table is None:
        damaged("token_embd.weight", "missing")
    if table.shape != (header.embedding_length, header.vocab_size):
        damaged("token_embd.weight", "inconsistent", value=str(table.shape))


def _check_attention(header: GgufHeader) -> None:
    """Check that projections have a row per element of their heads; llama.cpp does so for some architectures only."""
    keys, values = header.key_length, header.value_length
    for layer, (heads, heads_kv) in enumerate(zip(header.head_counts, header.head_counts_kv, strict=True)):
        rows = {"attn_q": heads * keys, "attn_k": heads_kv * keys, "attn_v": heads_kv * values}
        rows["attn_qkv"] = sum(rows.values())
        for name, expected in rows.items():
            tensor = header.tensors.get(f"blk.{layer}.{name}.weight")
            if tensor is not None and tensor.shape[1:] != (expected,):
                damaged(tensor.name, "inconsistent", value=str(tensor.shape))


def _check_type(tensor: TensorInfo) -> None:
    """Refuse types that llama.cpp accepts in a file but not in the tensor's operation."""
    is_index_table = tensor.type == "I32" and tensor.name.endswith("ffn_gate_tid2eid.weight")
    if tensor.name.endswith(".weight") and tensor.type in tables.NOT_FOR_WEIGHTS and not is_index_table:
        damaged(tensor.name, "unusable_type", value=tensor.type)
    is_vector = len(tensor.shape) <= 1 or tensor.name.endswith("norm.weight")
    if is_vector and tensor.name.endswith((".weight", ".bias")) and tensor.type != "F32":
        damaged(tensor.name, "unusable_type", value=tensor.type)


_A, _B = ".lora_a", ".lora_b"
_MAX_ALPHA = 1e6  # the strength is alpha / rank; real values are below 1,000


def check_adapter(path: Path, base: GgufHeader) -> GgufHeader:
    """Read and check the header of a LoRA adapter for `base`.

    Raises AppError: the codes of `read_header`; model_as_adapter, adapter_unsupported, gguf_damaged, and
    adapter_mismatch(base: the model that the adapter is for, where: the first tensor or key that does not fit).
    """
    header = read_header(path)
    if not header.is_adapter:
        raise AppError("model_as_adapter", path=str(path))
    _check_metadata(header)
    if header.architecture != base.architecture:
        raise AppError("adapter_mismatch", base=base_of(header), where="general.architecture")
    for name in sorted(_adapted_names(header)):
        _check_lora_pair(header, base, name)
    return header


def _check_metadata(header: GgufHeader) -> None:
    """Check the metadata; llama.cpp aborts if one of these values has another type."""
    for key in ("general.type", "general.architecture", "adapter.type"):
        if header.text(key) is None:
            damaged(key, "missing" if key not in header.metadata else "wrong_type")
    if header.text("general.type") != "adapter" or header.text("adapter.type") != "lora":
        raise AppError("adapter_unsupported", kind=printable(header.text("adapter.type") or "?"))
    alpha = header.metadata.get("adapter.lora.alpha", 0.0)
    if header.types.get("adapter.lora.alpha", "f32") != "f32" or not isinstance(alpha, float):
        damaged("adapter.lora.alpha", "wrong_type")
    if not abs(alpha) <= _MAX_ALPHA:  # also true for NaN
        damaged("adapter.lora.alpha", "out_of_range", value=repr(alpha))
    invocation = header.metadata.get("adapter.alora.invocation_tokens")
    if invocation is not None:  # the adapter applies to a part of the text, which the engine does not support
        raise AppError("adapter_unsupported", kind="alora")


def _adapted_names(header: GgufHeader) -> set[str]:
    """Return the names of the base's tensors that the adapter changes."""
    names = set()
    for name, tensor in header.tensors.items():
        if name.endswith((_A, _B)):
            names.add(name[: -len(_A)])
        elif not name.endswith("_norm.weight"):  # llama.cpp ignores norms in adapters
            damaged(name, "unknown_name")
        if tensor.type in tables.NOT_FOR_WEIGHTS:
            damaged(name, "unusable_type", value=tensor.type)
    if not names:
        damaged("lora_a", "missing")
    return names


def _check_lora_pair(header: GgufHeader, base: GgufHeader, name: str) -> None:
    """Check that the LoRA matrices A and B of tensor `name` fit its weight W in `base`.

    W {in, out} needs A {in, rank} and B {rank, out}. The token table needs A {rank, tokens} and B {rank, embedding}.
    """
    a, b, weight = header.tensors.get(name + _A), header.tensors.get(name + _B), base.tensors.get(name)
    if a is None or b is None:
        damaged(name + (_A if a is None else _B), "missing")
    if weight is None:
        raise AppError("adapter_mismatch", base=base_of(header), where=printable(name))
    a_in, a_out = _matrix(a)
    b_in, b_out = _matrix(b)
    w_in, w_out = _matrix(weight)
    if name.endswith("token_embd.weight"):
        fits = (b_out, a_out) == (w_in, w_out) and a_in == b_in
    else:
        fits = (a_in, b_out) == (w_in, w_out) and a_out == b_in
    if not fits or not weight.shape[2:] == a.shape[2:] == b.shape[2:]:
        raise AppError("adapter_mismatch", base=base_of(header), where=printable(name))


def _matrix(tensor: TensorInfo) -> tuple[int, int]:
    first, second = (*tensor.shape, 1, 1)[:2]
    return first, second
