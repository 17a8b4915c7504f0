"""Convert LoRA adapters between PEFT's folder and the GGUF file that llama.cpp applies to a model of the list.

The matrices are copied in 32 bits. llama.cpp names them otherwise, and in Llama's queries and keys it puts the two
halves of each head's rotation beside each other, so the rows of these B matrices are reordered. Other architectures,
other kinds of LoRA and other matrices than the seven projections are refused.
"""

import dataclasses
import json
import re
import secrets
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.base import confidentiality
from app.base.confidentiality import ExportRequest, Label, Permit
from app.base.errors import AppError
from app.base.files import input_file, strict_json
from app.base.files.input_file import open_regular
from app.base.files.output_file import drive_errors, open_atomically, require_space
from app.inference import gguf
from app.inference.gguf import GgufHeader, writing
from app.inference.gguf.writing import NewTensor
from app.inference.local_model import LocalModel, TuningRecord
from app.models import base_models, catalogue, hf_folders, local_models, model_registry
from app.models.hf_folders import HfAdapter
from app.models.model_store import ModelStore
from trainer import adapter

if TYPE_CHECKING:  # imported when used, because commands wait for this module, and few convert an adapter
    import numpy as np
    import numpy.typing as npt

    Array = npt.NDArray[np.float32]

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


@dataclass(frozen=True, slots=True)
class PeftAdapter:
    """An adapter that fits the base. `is_proven`: its origin is named, too, and is this base.

    `names`: llama.cpp's names of its matrices, by PEFT's.
    """

    read: HfAdapter
    names: Mapping[str, str]
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
    read = hf_folders.read_hf_adapter(folder)
    header = gguf.check_model(Path(base.path))
    if header.architecture not in _ARCHITECTURES:
        raise AppError("peft_unsupported", name=base.name, where=header.architecture)
    names: dict[str, str] = {}
    for target, shape in read.shapes.items():
        name = gguf_tensor(target)
        if name is None or name in names.values():
            raise AppError("peft_unsupported", name=base.name, where=target[:80])
        weight = header.tensors.get(name)
        there = weight.shape[::-1] if weight is not None else None
        if there != shape:
            reason = f"{shape} / {there or '-'}"
            raise AppError("hf_adapter_mismatch", where=target[:80], reason=reason, base=read.base)
        names[target] = name
    return PeftAdapter(read, names, header, is_proven=_is_proven(read, base))


def _is_proven(read: HfAdapter, base: LocalModel) -> bool:
    """Return whether the adapter's origin names this base; False if it does not say. Raises AppError for another."""
    try:
        record = strict_json.parse_object(input_file.read_plain(read.folder / adapter.RECORD, _RECORD_BYTES))
        sha256 = record.get("base_sha256")
    except (OSError, ValueError):
        sha256 = ""
    card = catalogue.card(base.card_id)
    repository = card.base_model if card is not None else ""
    if sha256:
        is_same = sha256 == base_models.sha256_of_model(base)
    elif repository and hf_folders.is_repository(read.base):
        is_same = read.base.casefold() == repository.casefold()
    else:
        return False
    if not is_same:
        raise AppError("peft_other_base", name=base.name, base=read.base)
    return True


def add(found: PeftAdapter, base: LocalModel, name: str, store: ModelStore, models_folder: Path) -> LocalModel:
    """Add the base with the adapter to the list, and return that model.

    Raises AppError: tuned_unwritable, drive_space, peft_not_finite, and the errors of the file and the database.
    """
    folder = models_folder / model_registry.ADAPTERS_FOLDER
    with drive_errors(folder, "tuned_unwritable"):
        folder.mkdir(parents=True, exist_ok=True)
        require_space(folder, sum(4 * tensor.elements for tensor in found.read.tensors.values()))
        part = folder / f"{secrets.token_hex(8)}.part"
        try:
            with part.open("xb") as file:
                for block in _gguf_blocks(found):
                    file.write(block)
            gguf.check_adapter(part, found.base)
            sha256 = input_file.sha256_of(part)
            part.replace(target := model_registry.adapter_file(models_folder, sha256))
        finally:
            part.unlink(missing_ok=True)
    first, *others = base.files
    first = dataclasses.replace(first, sha256=base_models.sha256_of_model(base))
    base = local_models.add(store, dataclasses.replace(base, files=(first, *others)))
    tuned = TuningRecord("", name, "", base.name, first.sha256, sha256)
    model = dataclasses.replace(base, name=name, tuned=tuned, adapter=str(target))
    return model_registry.add_tuned_model(model, store, models_folder)


def _gguf_blocks(found: PeftAdapter) -> Iterator[bytes]:
    import numpy as np

    header = found.base
    metadata = {
        "general.architecture": writing.text(header.architecture),
        "general.type": writing.text("adapter"),
        "general.base_model.0.name": writing.text(header.name),
        "adapter.type": writing.text("lora"),
        "adapter.lora.alpha": writing.real(found.read.alpha),
    }
    places = [(tensor, *_place(found, name)) for name, tensor in found.read.tensors.items()]
    news = [
        NewTensor(f"{name}.lora_{side.lower()}", tensor.shape[::-1], _F32, 4 * tensor.elements)
        for tensor, name, side in places
    ]
    yield writing.head(metadata, news)
    with open_regular(found.read.folder / adapter.WEIGHTS) as file:
        for tensor, name, side in places:
            file.seek(tensor.offset)
            array = _in_32_bits(file.read(tensor.size_bytes), tensor.type).reshape(tensor.shape)
            if not np.isfinite(array).all():
                raise AppError("peft_not_finite", where=name)
            if side == "B":
                array = _reordered(array, name, header, is_back=False)
            yield (data := array.tobytes()) + writing.padding(len(data))


def _place(found: PeftAdapter, tensor: str) -> tuple[str, str]:
    """Return llama.cpp's name of the matrix that a tensor of the adapter changes, and "A" or "B"."""
    place = hf_folders.lora_place(tensor)
    assert place is not None
    return found.names[place[0]], place[1]


def _in_32_bits(data: bytes, kind: str) -> "Array":
    import numpy as np

    if kind == "BF16":
        return (np.frombuffer(data, "<u2").astype(np.uint32) << 16).view(np.float32)
    return np.frombuffer(data, {"F32": "<f4", "F16": "<f2"}[kind]).astype(np.float32)


def _reordered(array: "Array", name: str, base: GgufHeader, *, is_back: bool) -> "Array":
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
    arrays = _matrices(model, header, base)
    ranks = {array.shape[0] for name, array in arrays.items() if ".lora_A." in name}
    if len(ranks) > 1:  # llama.cpp divides by the rank of each matrix, PEFT by that of the configuration
        raise AppError("peft_unsupported", name=model.name, where=f"r = {sorted(ranks)}"[:80])
    (rank,) = ranks
    card = catalogue.card(model.card_id)
    alpha = header.metadata.get("adapter.lora.alpha")
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": (card.base_model if card else "") or model.tuned.base_name,
        "r": rank,
        "lora_alpha": (alpha if isinstance(alpha, float) and alpha else rank) * model.tuned.strength,
        "lora_dropout": 0.0,
        "target_modules": sorted({name.split(".")[-3] for name in arrays}),
        "bias": "none",
        "inference_mode": True,
    }
    record = {"version": 1, "name": model.name, "base": model.tuned.base_name, "base_sha256": model.tuned.base_sha256}
    if permit.label != confidentiality.LABELS[0]:  # also of data of which nothing is known
        record["label"] = permit.label
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


def _matrices(model: LocalModel, header: GgufHeader, base: GgufHeader) -> "dict[str, Array]":
    """Return the matrices of an adapter by PEFT's names, in their order. Raises AppError("peft_unsupported")."""
    import numpy as np

    names = {llama: ours for ours, llama in _ADAPTED_TENSORS.items()}
    arrays: dict[str, Array] = {}
    raw = np.memmap(header.path, dtype=np.uint8, mode="r")
    for name, tensor in header.tensors.items():
        stem, _, side = name.rpartition(".lora_")
        place = _GGUF_NAME.fullmatch(stem)
        if place is None or place[2] not in names or tensor.type != "F32":
            raise AppError("peft_unsupported", name=model.name, where=name[:80])
        begin = header.data_offset + tensor.offset
        array = np.frombuffer(raw[begin : begin + tensor.size_bytes].tobytes(), "<f4").reshape(tensor.shape[::-1])
        if side == "b":
            array = _reordered(array, stem, base, is_back=True)
        arrays[f"base_model.model.model.layers.{place[1]}.{names[place[2]]}.lora_{side.upper()}.weight"] = array
    return dict(sorted(arrays.items()))


def _safetensors_blocks(arrays: "dict[str, Array]") -> Iterator[bytes]:
    head: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for name, array in arrays.items():
        end = offset + array.nbytes
        head[name] = {"dtype": "F32", "shape": array.shape, "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    yield struct.pack("<Q", len(text)) + text
    for array in arrays.values():
        yield array.tobytes()
