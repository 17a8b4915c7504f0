"""What must hold before llama.cpp is given a LoRA adapter for a model. It takes what does not fit, and then crashes."""

from pathlib import Path

from app.base.errors import AppError
from app.inference.gguf import tables
from app.inference.gguf.header import GgufHeader, TensorInfo
from app.inference.gguf.reader import damaged, printable, read_header
from app.inference.gguf.rules import base_of

_A, _B = ".lora_a", ".lora_b"
_MAX_ALPHA = 1e6  # the strength is alpha / rank; real ones are below 1,000


def check_adapter(path: Path, base: GgufHeader) -> GgufHeader:
    """The header of a LoRA adapter that fits `base`.

    Raises AppError: those of `read_header`; model_as_adapter, adapter_unsupported, gguf_damaged, and
    adapter_mismatch(base=what the adapter is for, where=the first thing that does not fit).
    """
    header = read_header(path)
    if not header.is_adapter:
        raise AppError("model_as_adapter", path=str(path))
    _check_metadata(header)
    if header.architecture != base.architecture:
        raise AppError("adapter_mismatch", base=base_of(header), where="general.architecture")
    for name in sorted(_pairs(header)):
        _check_pair(header, base, name)
    return header


def _check_metadata(header: GgufHeader) -> None:
    """llama.cpp aborts when one of these has another type."""
    for key in ("general.type", "general.architecture", "adapter.type"):
        if header.text(key) is None:
            damaged(key, "missing" if key not in header.metadata else "wrong_type")
    if header.text("general.type") != "adapter" or header.text("adapter.type") != "lora":
        raise AppError("adapter_unsupported", kind=printable(header.text("adapter.type") or "?"))
    alpha = header.metadata.get("adapter.lora.alpha", 0.0)
    if header.types.get("adapter.lora.alpha", "f32") != "f32" or not isinstance(alpha, float):
        damaged("adapter.lora.alpha", "wrong_type")
    if not abs(alpha) <= _MAX_ALPHA:  # also when it is not a number
        damaged("adapter.lora.alpha", "out_of_range", value=repr(alpha))
    invocation = header.metadata.get("adapter.alora.invocation_tokens")
    if invocation is not None:  # "activated" adapters are for a part of the text only; the engine knows no such part
        raise AppError("adapter_unsupported", kind="alora")


def _pairs(header: GgufHeader) -> set[str]:
    """Names of the base's tensors that the adapter changes."""
    names = set()
    for name, tensor in header.tensors.items():
        if name.endswith((_A, _B)):
            names.add(name[: -len(_A)])
        elif not name.endswith("_norm.weight"):  # llama.cpp ignores those
            damaged(name, "unknown_name")
        if tensor.type in tables.NOT_FOR_WEIGHTS:
            damaged(name, "unusable_type", value=tensor.type)
    if not names:
        damaged("lora_a", "missing")
    return names


def _check_pair(header: GgufHeader, base: GgufHeader, name: str) -> None:
    """W {in, out} takes A {in, rank} and B {rank, out}; the token table: A {rank, tokens}, B {rank, embedding}."""
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
