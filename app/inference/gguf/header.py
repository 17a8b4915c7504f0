"""Define the contents of a GGUF file except its weights; `reader` creates these values, `validation` checks them."""

import glob
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from msgspec import Struct

from app.base import invisible_characters
from app.inference.gguf import tables

_RANK_POOLING = 4  # LLAMA_POOLING_TYPE_RANK


def parts_of(path: Path) -> list[Path]:
    """Return the file and, if its name says that it is part of a split model, all parts in its folder."""
    stem, is_part, count = path.stem.rpartition("-of-")
    pattern = f"{glob.escape(stem[:-5])}*-of-{glob.escape(count)}.gguf"
    return [path, *path.parent.glob(pattern)] if is_part else [path]


Scalar = bool | int | float | str

MAX_KEPT_TEXT_BYTES = 256 * 1024  # chat templates are the longest texts needed whole
MAX_KEPT_ARRAY_ELEMENTS = tables.MAX_LAYERS  # head counts and window patterns have one value per layer


class GgufArray(Struct, frozen=True):
    """Describes a list in the metadata. Only short numeric lists keep their values; longer texts are of "char"."""

    element_type: str  # "u8" … "f64", "bool", "str", "char"
    length: int
    values: tuple[bool | int | float, ...] = ()
    position: int = 0  # bytes from the start of the file to the first element


class TensorInfo(Struct, frozen=True):
    """Describes a tensor by its entry in the header."""

    name: str
    shape: tuple[int, ...]  # ne order: the length of a row first
    type: str  # "Q4_K"
    offset: int  # bytes from the start of the file's tensor data
    size_bytes: int

    @property
    def elements(self) -> int:
        return math.prod(self.shape)


@dataclass(frozen=True)
class GgufHeader:
    """Holds the file's header; for a split model, the first file's metadata and the tensors of all files."""

    path: Path
    version: int
    alignment: int
    metadata: Mapping[str, Scalar | GgufArray] = field(repr=False)
    types: Mapping[str, str] = field(repr=False)  # type of each scalar: "u8" … "f64", "bool", "str"
    tensors: Mapping[str, TensorInfo] = field(repr=False)
    data_offset: int
    file_bytes: int  # total size of all files
    parts: tuple[Path, ...] = ()  # the other files of a split model

    def text(self, key: str) -> str | None:
        value = self.metadata.get(key)
        return value if isinstance(value, str) else None

    def integer(self, key: str) -> int | None:
        value = self.metadata.get(key)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def array(self, key: str) -> GgufArray | None:
        value = self.metadata.get(key)
        return value if isinstance(value, GgufArray) else None

    def key(self, name: str) -> str:
        """Return the full key of one of the architecture's own values: `block_count` -> `llama.block_count`."""
        return f"{self.architecture}.{name}"

    def number(self, name: str, default: int = 0) -> int:
        """Return one of the architecture's own integers, or `default` if it is missing."""
        value = self.integer(self.key(name))
        return default if value is None else value

    def per_layer(self, name: str) -> tuple[int, ...]:
        """Return one of the architecture's own numbers for each layer, whether stored once or as a list."""
        array = self.array(self.key(name))
        if array is not None and len(array.values) == self.block_count and array.element_type not in ("f32", "f64"):
            return tuple(int(value) for value in array.values)
        # An unchecked file may claim any number of layers.
        return (self.number(name),) * min(self.block_count, tables.MAX_LAYERS)

    @property
    def architecture(self) -> str:
        return self.text("general.architecture") or ""

    @property
    def name(self) -> str:
        return invisible_characters.to_single_line(self.text("general.name") or "") or self.path.stem

    @property
    def licence(self) -> str | None:
        licence = self.text("general.license")
        return licence if licence is None else invisible_characters.to_single_line(licence)

    @property
    def file_type(self) -> int | None:
        return self.integer("general.file_type")

    @cached_property
    def quantization(self) -> str:
        """Return the quantization that the file states, such as "Q4_K_M"; else the tensor type of most bytes."""
        if self.file_type in tables.FILE_TYPES:
            return tables.FILE_TYPES[self.file_type]
        sizes: dict[str, int] = {}
        for tensor in self.tensors.values():
            sizes[tensor.type] = sizes.get(tensor.type, 0) + tensor.size_bytes
        return max(sizes, key=lambda name: sizes[name], default="")

    @cached_property
    def parameters(self) -> int:
        return sum(tensor.elements for tensor in self.tensors.values())

    @cached_property
    def weights_bytes(self) -> int:
        return sum(tensor.size_bytes for tensor in self.tensors.values())

    @property
    def is_adapter(self) -> bool:
        """Return whether the file is a LoRA or control vector: a change to a model, not a model."""
        return (
            self.text("general.type") == "adapter"
            or "adapter.type" in self.metadata
            or self.architecture == "controlvector"
            or any(name.endswith((".lora_a", ".lora_b")) for name in self.tensors)
        )

    @property
    def is_projector(self) -> bool:
        """Return whether the file is the image or sound part of a model (mmproj)."""
        return self.text("general.type") == "mmproj" or self.architecture == "clip"

    @property
    def is_reranker(self) -> bool:
        """Return whether the model scores pairs of texts: it has a classification head, which rank pooling uses.

        jina-reranker-v1 has only the first of the head's two layers.
        """
        is_ranking = self.number("pooling_type") == _RANK_POOLING
        return "cls.output.weight" in self.tensors or (is_ranking and "cls.weight" in self.tensors)

    @property
    def lacks_normalization(self) -> bool:
        """Return whether the model's tokens are of normalized text, but the file has no table for normalizing.

        SentencePiece's table (nmt_nfkc) is NFKC with all white space as single spaces. Without it llama.cpp takes line
        ends and full-width letters as unknown.
        """
        is_unigram = self.text("tokenizer.ggml.model") == "t5"
        return is_unigram and "tokenizer.ggml.precompiled_charsmap" not in self.metadata

    @property
    def context_length(self) -> int:
        """Return the context length in training, in tokens."""
        return self.number("context_length")

    @property
    def block_count(self) -> int:
        return self.number("block_count")

    @property
    def embedding_length(self) -> int:
        return self.number("embedding_length")

    @property
    def head_counts(self) -> tuple[int, ...]:
        """Return the number of attention heads of each layer; 0 for a layer without any."""
        return self.per_layer("attention.head_count")

    @property
    def head_counts_kv(self) -> tuple[int, ...]:
        """Return the number of key and value heads of each layer."""
        if self.key("attention.head_count_kv") not in self.metadata:
            return self.head_counts
        return self.per_layer("attention.head_count_kv")

    @property
    def key_length(self) -> int:
        """Return the number of elements of one head's key."""
        return self.number("attention.key_length", self._default_head_length)

    @property
    def value_length(self) -> int:
        return self.number("attention.value_length", self._default_head_length)

    @property
    def _default_head_length(self) -> int:
        heads = self.head_counts[:1]
        return self.embedding_length // heads[0] if heads and heads[0] else 0

    @property
    def vocab_size(self) -> int:
        tokens = self.array("tokenizer.ggml.tokens")
        return tokens.length if tokens else self.number("vocab_size")

    @property
    def chat_template(self) -> str | None:
        """Return the chat template; None if missing or over 256 KiB. Render it only in the isolated child."""
        return self.text("tokenizer.chat_template")
