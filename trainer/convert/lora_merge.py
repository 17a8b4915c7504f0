"""Merge a GGUF LoRA into the weights of its GGUF base: W + strength x alpha/rank x B A.

The result is the base's file with other numbers in some tensors: header, names, types and positions are copied, and
matrices are changed a block of rows at a time. So a few blocks of memory suffice for any model size, and no metadata is
lost. Formula and scale follow llama.cpp (src/llama-adapter.h).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from trainer.convert import converter
from trainer.convert.report import ConversionReport, JobError, require_space
from trainer.convert_job import Merge

BLOCK_BYTES = 32 << 20  # size of a block in float32; memory holds three blocks
COPY_BYTES = 8 << 20

_A, _B = ".lora_a", ".lora_b"
_PLAIN = ("F16", "BF16", "F32")

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class WeightDelta:
    """The change to one matrix. `offset`: position of the matrix in the base's file, in bytes."""

    name: str
    offset: int
    rows: int
    columns: int
    type: str  # "F16" | "BF16" | "F32"
    a: Floats  # shape (rank, columns)
    b: Floats  # shape (rows, rank), already scaled

    @property
    def row_bytes(self) -> int:
        return self.columns * (4 if self.type == "F32" else 2)

    @property
    def bytes(self) -> int:
        return self.rows * self.row_bytes


def merge_lora(job: Merge, part: Path, report: ConversionReport) -> dict[str, Any]:
    """Write the merged model to `part` and return notes.

    Raises JobError: source_missing, adapter_mismatch, adapter_unsupported, base_quantized, disk_full.
    """
    report.phase("loading")
    converter.put_converter_first_on_path(Path(job.converter))
    base = Path(job.base)
    for path in (base, Path(job.adapter)):
        if not path.is_file():
            raise JobError("source_missing", path=str(path))
    require_space(part, base.stat().st_size)
    report.phase("reading")
    changes = _changes(_read(base), _read(Path(job.adapter)), job.strength)
    report.phase("writing")
    with base.open("rb") as source, part.open("wb") as sink:
        _write(source, sink, changes, base.stat().st_size, report)
    return {"merged_tensors": len(changes), "strength": job.strength}


def _read(path: Path) -> Any:
    from gguf import GGUFReader

    try:
        return GGUFReader(path)
    except (ValueError, IndexError, KeyError, OverflowError) as error:  # not a GGUF file, or cut off
        raise JobError("source_missing", path=str(path)) from error


def _changes(base: Any, adapter: Any, strength: float) -> list[WeightDelta]:
    """Return the changes in the order of the base's file. `strength`: factor for the adapter."""
    _require_fit(base, adapter)
    tensors = {tensor.name: tensor for tensor in base.tensors}
    for tensor in base.tensors:
        if len(tensor.shape) >= 2 and tensor.tensor_type.name not in _PLAIN:
            raise JobError("base_quantized", tensor=tensor.name, type=tensor.tensor_type.name)
    alpha = float(_value(adapter, "adapter.lora.alpha") or 0.0)
    changes = []
    for name, pair in sorted(_pairs(adapter).items()):
        change = _change(name, tensors.get(name), pair, alpha, strength)
        if change is None:
            raise _mismatch(adapter, name)
        changes.append(change)
    return sorted(changes, key=lambda change: change.offset)


def _require_fit(base: Any, adapter: Any) -> None:
    for key, wanted in (("general.type", "adapter"), ("adapter.type", "lora")):
        if _value(adapter, key) != wanted:
            raise JobError("adapter_unsupported", kind=f"{key}: {_value(adapter, key)}")
    if _value(adapter, "general.architecture") != _value(base, "general.architecture"):
        raise _mismatch(adapter, "general.architecture")


def _mismatch(adapter: Any, where: str) -> JobError:
    name = _value(adapter, "general.base_model.0.name") or _value(adapter, "general.architecture")
    return JobError("adapter_mismatch", base=str(name), where=where)


def _pairs(adapter: Any) -> dict[str, dict[str, Any]]:
    """Return the tensors `.lora_a` and `.lora_b` for each base matrix's name."""
    pairs: dict[str, dict[str, Any]] = {}
    for tensor in adapter.tensors:
        name, side = tensor.name[: -len(_A)], tensor.name[-len(_A) :]
        if side not in (_A, _B):
            raise JobError("adapter_unsupported", kind=tensor.name)
        pairs.setdefault(name, {})[side] = tensor
    if not pairs:
        raise JobError("adapter_unsupported", kind="no tensors")
    return pairs


def _change(name: str, matrix: Any, pair: dict[str, Any], alpha: float, strength: float) -> WeightDelta | None:
    """Return the change to a base matrix; None if the adapter's A and B do not fit its shape."""
    if matrix is None or len(matrix.shape) != 2 or set(pair) != {_A, _B}:
        return None
    a, b = _floats(pair[_A]), _floats(pair[_B])
    columns, rows = (int(length) for length in matrix.shape)  # GGUF lists the columns first
    rank = b.shape[-1]
    if a.shape != (rank, columns) or b.shape != (rows, rank):
        return None
    scale = np.float32(strength * alpha / rank if alpha else strength)
    return WeightDelta(name, matrix.data_offset, rows, columns, matrix.tensor_type.name, a, b * scale)


def _floats(tensor: Any) -> Floats:
    from gguf import quants

    return quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float32, copy=True)


def _value(reader: Any, key: str) -> Any:
    field = reader.get_field(key)
    return None if field is None else field.contents()


def _write(
    source: BinaryIO, sink: BinaryIO, changes: list[WeightDelta], total_bytes: int, report: ConversionReport
) -> None:
    for change in changes:
        for _ in _copy_blocks(source, sink, change.offset - source.tell()):
            report.progress(sink.tell(), total_bytes)
        rows = max(1, BLOCK_BYTES // (change.columns * 4))
        for start in range(0, change.rows, rows):
            count = min(rows, change.rows - start)
            block = source.read(count * change.row_bytes)
            weights = unpack_weights(block, change.type).reshape(count, change.columns)
            weights += change.b[start : start + count] @ change.a
            sink.write(pack_weights(weights, change.type))
            report.progress(sink.tell(), total_bytes)
    for _ in _copy_blocks(source, sink, total_bytes - source.tell()):
        report.progress(sink.tell(), total_bytes)


def _copy_blocks(source: BinaryIO, sink: BinaryIO, count: int) -> Iterator[None]:
    """Copy `count` bytes and yield after each block. Raises EOFError if the source is too short."""
    while count > 0:
        block = source.read(min(count, COPY_BYTES))
        if not block:
            raise EOFError("the base has become shorter")
        sink.write(block)
        count -= len(block)
        yield


def unpack_weights(block: bytes, kind: str) -> Floats:
    """Return a copy of the block's weights as float32. `kind`: "BF16", "F16" or "F32"."""
    if kind == "BF16":
        return (np.frombuffer(block, np.uint16).astype(np.uint32) << 16).view(np.float32)
    return np.frombuffer(block, {"F16": np.float16, "F32": np.float32}[kind]).astype(np.float32)


def pack_weights(weights: Floats, kind: str) -> bytes:
    """Return the weights as bytes of type `kind`, rounded like in the converter (to nearest, ties to even)."""
    if kind == "BF16":
        from gguf import GGMLQuantizationType, quants

        return quants.quantize(weights, GGMLQuantizationType.BF16).tobytes()
    return weights.astype({"F16": np.float16, "F32": np.float32}[kind], copy=False).tobytes()
