"""Convert LoRA adapters between PEFT's folder and the GGUF file that llama.cpp applies to a model of the list.

The matrices are copied in 32 bits. llama.cpp names them otherwise, and in Llama's queries and keys it puts the two
halves of each head's rotation beside each other, so the rows of these B matrices are reordered. Other architectures,
other kinds of LoRA and other matrices than the seven projections are refused.
"""

import dataclasses
import json
import math
import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from app.base.confidentiality import ExportRequest, Label, Permit
from app.base.errors import AppError
from app.base.files import input_file, strict_json
from app.base.files.output_file import drive_errors, open_atomically, require_space
from app.inference import gguf
from app.inference.gguf import GgufHeader, writing
from app.inference.gguf.writing import NewTensor
from app.inference.local_model import LocalModel, TuningRecord
from app.models import base_models, catalogue, hf_folders, hf_weights, local_models, model_registry
from app.models.hf_folders import AdapterShapes
from app.models.model_store import ModelStore
from trainer import adapter

# The matrices to which LoRA is applied, with llama.cpp's names for them.
_ADAPTED_TENSORS = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
_TARGET_NAME = re.compile(r"(?:\w+\.)*layers\.(\d{1,4})\.(\w+\.\w+)")
_GGUF_NAME = re.compile(r"blk\.(\d{1,4})\.(\w+)\.weight")
_REORDERED = {"llama": ("attn_q", "attn_k")}  # architecture -> matrices whose rows llama.cpp reorders
_ARCHITECTURES = ("llama", "qwen2", "qwen3", "gemma2", "gemma3")
_F32 = 0  # ggml's number of the type
_RECORD_BYTES = 1 << 20
Array = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class PeftAdapter:
    """An adapter's folder that fits the base. `is_proven`: its origin is named, too, and is this base."""

    folder: Path
    shapes: AdapterShapes
    base: GgufHeader
    is_proven: bool


def gguf_tensor(target: str) -> str | None:
    """Return llama.cpp's name of the matrix that PEFT calls `target`; None if the trainer never adapts it."""
    place = _TARGET_NAME.fullmatch(target)
    found = _ADAPTED_TENSORS.get(place[2]) if place is not None else None
    return f"blk.{int(place[1])}.{found}.weight" if place is not None and found else None


# ---------------------------------------------------------------------- import


def read_for(folder: Path, base: LocalModel) -> PeftAdapter:
    """Read an adapter's folder and check that it was made for this base.

    Raises AppError: peft_unsupported, peft_other_base, hf_adapter_mismatch, hf_adapter_unsupported, and the codes of
    unreadable files.
    """
    shapes = hf_folders.read_adapter_shapes(folder)
    header = gguf.check_model(Path(base.path))
    if header.architecture not in _ARCHITECTURES:
        raise AppError("peft_unsupported", name=base.name, where=header.architecture)
    config = strict_json.read_object(hf_folders.regular_file(folder, adapter.CONFIG))
    made_for = str(config.get("base_model_name_or_path") or "?")[:120]
    for target, shape in shapes.shapes.items():
        name = gguf_tensor(target)
        if name is None:
            raise AppError("peft_unsupported", name=base.name, where=target[:80])
        weight = header.tensors.get(name)
        there = tuple(reversed(weight.shape)) if weight is not None else None
        if there != shape:
            raise AppError("hf_adapter_mismatch", where=target[:80], reason=f"{shape} / {there or '-'}", base=made_for)
    return PeftAdapter(folder, shapes, header, is_proven=_is_proven(folder, base, made_for))


def _is_proven(folder: Path, base: LocalModel, made_for: str) -> bool:
    """Return whether the adapter's origin names this base; False if it does not say. Raises AppError for another."""
    try:
        record = strict_json.parse_object(input_file.read_plain(folder / adapter.RECORD, _RECORD_BYTES))
        sha256 = record.get("base_sha256")
    except (OSError, ValueError):
        sha256 = ""
    card = catalogue.load().card(base.card_id)
    repository = card.base_model if card is not None else ""
    if sha256:
        is_same = sha256 == base_models.sha256_of_model(base)
    elif repository and hf_folders.is_repository(made_for):
        is_same = made_for.casefold() == repository.casefold()
    else:
        return False
    if not is_same:
        raise AppError("peft_other_base", name=base.name, base=made_for)
    return True


def add(found: PeftAdapter, base: LocalModel, name: str, store: ModelStore, models_folder: Path) -> LocalModel:
    """Add the base with the adapter to the list, and return that model.

    Raises AppError: tuned_unwritable, drive_space, peft_not_finite, and the errors of the file and the database.
    """
    folder = models_folder / model_registry.ADAPTERS_FOLDER
    with drive_errors(folder, "tuned_unwritable"):
        folder.mkdir(parents=True, exist_ok=True)
        require_space(folder, _size_bytes(found))
        part = folder / f"{found.folder.name}.part"
        try:
            with part.open("wb") as file:
                for block in _gguf_blocks(found):
                    file.write(block)
            sha256 = input_file.sha256_of(part)
            part.replace(target := model_registry.adapter_file(models_folder, sha256))
        finally:
            part.unlink(missing_ok=True)
    gguf.check_adapter(target, found.base)
    first, *others = base.files
    first = dataclasses.replace(first, sha256=base_models.sha256_of_model(base))
    base = local_models.add(store, dataclasses.replace(base, files=(first, *others)))
    tuned = TuningRecord("", name, "", base.name, first.sha256, sha256)
    model = dataclasses.replace(base, name=name, tuned=tuned, adapter=str(target))
    return model_registry.add_tuned_model(model, store, models_folder)


def _size_bytes(found: PeftAdapter) -> int:
    return sum(4 * found.shapes.rank * sum(shape) for shape in found.shapes.shapes.values())


def _gguf_blocks(found: PeftAdapter) -> Iterator[bytes]:
    rank, header = found.shapes.rank, found.base
    metadata = {
        "general.architecture": writing.text(header.architecture),
        "general.type": writing.text("adapter"),
        "general.base_model.0.name": writing.text(header.name),
        "adapter.type": writing.text("lora"),
        "adapter.lora.alpha": writing.real(found.shapes.alpha),
    }
    targets = {target: str(gguf_tensor(target)) for target in sorted(found.shapes.shapes)}
    tensors = []
    for target, (rows, columns) in found.shapes.shapes.items():
        shapes = {"a": (columns, rank), "b": (rank, rows)}
        tensors += [
            NewTensor(f"{targets[target]}.lora_{side}", shape, _F32, 4 * math.prod(shape))
            for side, shape in shapes.items()
        ]
    yield writing.head(metadata, tensors)
    arrays = _read_safetensors(found.folder / adapter.WEIGHTS)
    for target in found.shapes.shapes:
        for side in "AB":
            array = arrays(target, side)
            if not np.isfinite(array).all():
                raise AppError("peft_not_finite", where=target[:80])
            if side == "B":
                array = _reordered(array, targets[target], header, is_back=False)
            yield (data := np.ascontiguousarray(array).tobytes()) + writing.padding(len(data))


def _read_safetensors(path: Path) -> Callable[[str, str], Array]:
    """Return a function that reads matrix "A" or "B" of a target in 32 bits."""
    kinds = {name: tensor.type for name, tensor in hf_weights.read_safetensors_header(path).items()}
    raw = np.memmap(path, dtype=np.uint8, mode="r")
    start = 8 + int.from_bytes(raw[:8].tobytes(), "little")
    entries = strict_json.parse_object(raw[8:start].tobytes())
    places = {key[:2]: (name, entries[name]) for name in kinds for key in [hf_folders.lora_place(name)] if key}

    def read(target: str, side: str) -> Array:
        name, entry = places[target, side]
        begin, end = (start + offset for offset in entry["data_offsets"])
        data = raw[begin:end].tobytes()
        if kinds[name] == "BF16":
            array = (np.frombuffer(data, "<u2").astype(np.uint32) << 16).view(np.float32)
        else:
            array = np.frombuffer(data, {"F32": "<f4", "F16": "<f2"}[kinds[name]]).astype(np.float32)
        return array.reshape(entry["shape"])

    return read


def _reordered(array: Array, name: str, base: GgufHeader, *, is_back: bool) -> Array:
    """Return a B matrix with its rows in llama.cpp's order, or `is_back` in PEFT's."""
    place = _GGUF_NAME.fullmatch(name)
    assert place is not None
    if place[2] not in _REORDERED.get(base.architecture, ()):
        return array
    layer = int(place[1])
    heads = (base.head_counts if place[2] == "attn_q" else base.head_counts_kv)[layer]
    halves = (-1, 2) if is_back else (2, -1)
    return array.reshape(heads, *halves, array.shape[1]).swapaxes(1, 2).reshape(array.shape)


# ---------------------------------------------------------------------- export


def export_request(model: LocalModel, folder: Path, label_now: Callable[[], Label]) -> ExportRequest:
    return ExportRequest("kit", str(folder.absolute()), label_now, model.name)


def export(model: LocalModel, folder: Path, *, permit: Permit) -> Path:
    """Write the adapter of a tuned model as a folder that PEFT loads. `permit`: the permit for `export_request`.

    Raises AppError: peft_no_adapter, peft_unsupported, peft_folder_taken, secret_export, and the errors of the files.
    """
    if model.tuned is None or not model.adapter:
        raise AppError("peft_no_adapter", name=model.name)
    model_registry.require_unchanged(model)
    base = gguf.check_model(Path(model.path))
    header = gguf.check_adapter(Path(model.adapter), base)
    if base.architecture not in _ARCHITECTURES:
        raise AppError("peft_unsupported", name=model.name, where=base.architecture)
    names = {llama: ours for ours, llama in _ADAPTED_TENSORS.items()}
    arrays: dict[str, Array] = {}
    modules, rank = set(), 0
    raw = np.memmap(header.path, dtype=np.uint8, mode="r")
    for name, tensor in header.tensors.items():
        stem, _, side = name.rpartition(".lora_")
        place = _GGUF_NAME.fullmatch(stem)
        if place is None or place[2] not in names or tensor.type != "F32":
            raise AppError("peft_unsupported", name=model.name, where=name[:80])
        begin = header.data_offset + tensor.offset
        data = raw[begin : begin + tensor.size_bytes].tobytes()
        array = np.frombuffer(data, "<f4").reshape(tuple(reversed(tensor.shape)))
        if side == "a":
            rank = array.shape[0]
        else:
            array = _reordered(array, stem, base, is_back=True)
        module = names[place[2]]
        modules.add(module.rpartition(".")[2])
        arrays[f"base_model.model.model.layers.{place[1]}.{module}.lora_{side.upper()}.weight"] = array
    card = catalogue.load().card(model.card_id)
    alpha = header.metadata.get("adapter.lora.alpha")
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": (card.base_model if card else "") or model.tuned.base_name,
        "r": rank,
        "lora_alpha": (alpha if isinstance(alpha, float) and alpha else rank) * model.tuned.strength,
        "lora_dropout": 0.0,
        "target_modules": sorted(modules),
        "bias": "none",
        "inference_mode": True,
    }
    record = {"version": 1, "name": model.name, "base": model.tuned.base_name, "base_sha256": model.tuned.base_sha256}
    try:
        with permit.write_folder(folder):
            permit.at(folder).mkdir(parents=True, exist_ok=True)
            if next(folder.iterdir(), None) is not None:
                raise AppError("peft_folder_taken", path=str(folder))
            require_space(folder, header.file_bytes)
            with open_atomically(folder / adapter.WEIGHTS) as file:
                for block in _safetensors_blocks(arrays):
                    file.write(block)
            for name, content in ((adapter.CONFIG, config), (adapter.RECORD, record)):
                (folder / name).write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise AppError("export_unwritable", path=str(folder), reason=error.strerror or str(error)) from error
    return folder


def _safetensors_blocks(arrays: dict[str, Array]) -> Iterator[bytes]:
    head: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for name, array in sorted(arrays.items()):
        head[name] = {
            "dtype": "F32",
            "shape": list(array.shape),
            "data_offsets": [offset, offset := offset + array.nbytes],
        }
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    yield struct.pack("<Q", len(text)) + text
    for _name, array in sorted(arrays.items()):
        yield np.ascontiguousarray(array).tobytes()
