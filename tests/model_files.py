"""Models for tests: a tiny one that loads and generates, adapters for it, and those with the shapes of published ones.

All weights are random from a fixed seed. Nothing here is imported by the program.
"""

import ctypes
import itertools
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gguf
import llama_cpp
import numpy as np
import numpy.typing as npt

from app.models import model_fit
from app.models.catalogue import ModelShape


@dataclass(frozen=True)
class TinyShape:
    """The tiny model: llama, 440 kB, F32, 260 tokens (4 of its own, then one for each byte)."""

    layers: int = 2
    embedding: int = 64
    heads: int = 4
    heads_kv: int = 2
    feed_forward: int = 128
    context: int = 512
    vocabulary: int = 260

    @property
    def head(self) -> int:
        return self.embedding // self.heads

    def matrices(self) -> dict[str, tuple[int, int]]:
        """Name -> (out, in), numpy's order; GGUF's ne order is the reverse."""
        embedding, kv = self.embedding, self.head * self.heads_kv
        shapes = {"token_embd.weight": (self.vocabulary, embedding), "output.weight": (self.vocabulary, embedding)}
        for layer in range(self.layers):
            block = f"blk.{layer}."
            shapes[block + "attn_q.weight"] = (embedding, embedding)
            shapes[block + "attn_k.weight"] = (kv, embedding)
            shapes[block + "attn_v.weight"] = (kv, embedding)
            shapes[block + "attn_output.weight"] = (embedding, embedding)
            shapes[block + "ffn_gate.weight"] = (self.feed_forward, embedding)
            shapes[block + "ffn_up.weight"] = (self.feed_forward, embedding)
            shapes[block + "ffn_down.weight"] = (embedding, self.feed_forward)
        return shapes

    def vectors(self) -> list[str]:
        blocks = (f"blk.{layer}.{name}.weight" for layer in range(self.layers) for name in ("attn_norm", "ffn_norm"))
        return ["output_norm.weight", *blocks]


TINY = TinyShape()


def tiny_llama(
    path: Path,
    *,
    shape: TinyShape = TINY,
    architecture: str = "llama",
    metadata: Mapping[str, Any] | None = None,
    chat_template: str | None = None,
    seed: int = 1,
    tensors_per_file: int = 0,
) -> Path:
    """Writes the tiny model; it loads only as "llama".

    `tensors_per_file`: split, as `<stem>-00001-of-0000n.gguf` and so on; 0: one file.
    `metadata` replaces or adds keys (int: u32, float: f32); None removes one.
    """
    writer = gguf.GGUFWriter(path, architecture, split_max_tensors=tensors_per_file)
    values: dict[str, Any] = {
        "general.type": "model",
        "general.name": "Tiny",
        "general.license": "apache-2.0",
        "general.file_type": 0,
        f"{architecture}.context_length": shape.context,
        f"{architecture}.embedding_length": shape.embedding,
        f"{architecture}.block_count": shape.layers,
        f"{architecture}.feed_forward_length": shape.feed_forward,
        f"{architecture}.attention.head_count": shape.heads,
        f"{architecture}.attention.head_count_kv": shape.heads_kv,
        f"{architecture}.attention.layer_norm_rms_epsilon": 1e-5,
        f"{architecture}.rope.dimension_count": shape.head,
        f"{architecture}.rope.freq_base": 10000.0,
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.ggml.unknown_token_id": 0,
        "tokenizer.ggml.add_bos_token": True,
    }
    if chat_template is not None:
        values["tokenizer.chat_template"] = chat_template
    add_metadata(writer, values | dict(metadata or {}))
    _add_byte_vocabulary(writer, shape.vocabulary)
    random = np.random.default_rng(seed)
    for name in shape.vectors():
        writer.add_tensor(name, np.ones(shape.embedding, np.float32))
    for name, (rows, columns) in shape.matrices().items():
        writer.add_tensor(name, (random.standard_normal((rows, columns)) / np.sqrt(columns)).astype(np.float32))
    return finish(writer, path)


def add_metadata(writer: gguf.GGUFWriter, values: Mapping[str, Any]) -> None:
    add = {bool: writer.add_bool, int: writer.add_uint32, float: writer.add_float32, str: writer.add_string}
    for key, value in values.items():
        if value is not None:
            add[type(value)](key, value)


def _add_byte_vocabulary(writer: gguf.GGUFWriter, count: int) -> None:
    """<unk>, <s>, </s>, a space, one token a byte; more tokens are unused."""
    tokens = [b"<unk>", b"<s>", b"</s>", "▁".encode(), *(b"<0x%02X>" % byte for byte in range(256))]
    kinds = [gguf.TokenType.UNKNOWN, *[gguf.TokenType.CONTROL] * 2, gguf.TokenType.NORMAL, *[gguf.TokenType.BYTE] * 256]
    extra = range(count - len(tokens))
    writer.add_token_list([*tokens, *(b"<unused%d>" % number for number in extra)][:count])
    writer.add_token_scores([0.0] * count)
    writer.add_token_types([*kinds, *[gguf.TokenType.UNUSED] * len(extra)][:count])


def finish(writer: gguf.GGUFWriter, path: Path) -> Path:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


# ----------------------------------------------------------------- adapters


def tiny_adapter(
    path: Path,
    *,
    shape: TinyShape = TINY,
    rank: int = 4,
    architecture: str = "llama",
    without: str = "",
    metadata: Mapping[str, Any] | None = None,
    size: float = 1.0,
    seed: int = 2,
    ranks: tuple[int, ...] = (),
) -> Path:
    """Writes a LoRA for the query and value matrices of a tiny model; `shape` and `architecture` may be another's.

    `without` leaves out the tensors whose names end so; `size` is the deviation of its weights. `ranks`: those of the
    matrices in turn, if they differ.
    """
    writer = gguf.GGUFWriter(path, architecture)
    values: dict[str, Any] = {
        "general.type": "adapter",
        "general.name": "Tiny adapter",
        "general.base_model.0.name": "Tiny",
        "adapter.type": "lora",
        "adapter.lora.alpha": float(rank),
    }
    add_metadata(writer, values | dict(metadata or {}))
    random = np.random.default_rng(seed)
    for name, (rows, columns) in shape.matrices().items():
        if not name.endswith(("attn_q.weight", "attn_v.weight")):
            continue
        ranks = (*ranks[1:], rank := ranks[0]) if ranks else ()
        for suffix, pair_shape in ((".lora_a", (rank, columns)), (".lora_b", (rows, rank))):
            if not (without and (name + suffix).endswith(without)):
                writer.add_tensor(name + suffix, (random.standard_normal(pair_shape) * size).astype(np.float32))
    return finish(writer, path)


# A small model that imitates these turns thinks, and writes the mark that ends its thoughts itself.
_THINKING_TEMPLATE = """質問: 三に四を足すと？
<think>三足す四は七です。</think>答えは七です。

質問: 日本の首都は？
<think>日本の首都を思い出します。</think>東京です。

{% for m in messages %}{% if m.role == 'user' %}質問: {{ m.content }}
{% elif m.role == 'assistant' %}{{ m.content }}

{% endif %}{% endfor %}{{ '<think>' if enable_thinking else '<think></think>' }}"""


def thinking_model(base: Path, path: Path) -> Path:
    """Write the trial model under another name, with a chat template that opens thoughts where they are wanted."""
    content, key = base.read_bytes(), b"general.name" + struct.pack("<I", 8)
    at = content.index(key) + len(key)
    length = struct.unpack_from("<Q", content, at)[0]
    renamed = content[: at + 8] + b"Thinker".ljust(length, b"!") + content[at + 8 + length :]
    version, tensors, values = struct.unpack_from("<IQQ", renamed, 4)
    name, template = b"tokenizer.chat_template", _THINKING_TEMPLATE.encode()
    padding = -(len(name) + len(template) + 20 + 4) % 32  # the weights stay aligned
    template = b"{#" + b" " * padding + b"#}" + template
    added = struct.pack("<Q", len(name)) + name + struct.pack("<IQ", 8, len(template)) + template
    path.write_bytes(renamed[:4] + struct.pack("<IQQ", version, tensors, values + 1) + added + renamed[24:])
    return path


def hollow(sound: Path, path: Path, size_bytes: int | None = None) -> Path:
    """Write the beginning of a model, in which its header is, and a hole that no disk has to keep for its weights."""
    with sound.open("rb") as source, path.open("wb") as out:
        size_bytes = size_bytes if size_bytes is not None else sound.stat().st_size
        out.write(source.read(min(size_bytes, 16 << 20)))
        out.truncate(size_bytes)
    return path


def wrong_shape_adapter(path: Path) -> Path:
    return tiny_adapter(path, shape=replace(TINY, embedding=128))


def wrong_architecture_adapter(path: Path) -> Path:
    return tiny_adapter(path, architecture="gemma3")


def unpaired_adapter(path: Path) -> Path:
    return tiny_adapter(path, without="blk.1.attn_v.weight.lora_b")


# ----------------------------------------------------------------- projectors


@dataclass(frozen=True)
class ProjectorShape:
    """Gemma 3's projector (SigLIP), made small: four tokens for a picture of any size."""

    text: int = TINY.embedding  # the width of the model that it is for
    image: int = 64  # pixels a side
    patch: int = 16
    merge: int = 2  # patches a side that become one token
    width: int = 32
    feed_forward: int = 64
    layers: int = 2
    heads: int = 2


def projector(
    path: Path,
    shape: ProjectorShape = ProjectorShape(),
    *,
    kind: type[np.floating[Any]] = np.float32,
    metadata: Mapping[str, Any] | None = None,
    seed: int = 3,
) -> Path:
    """Writes a part with which a model reads pictures (mmproj). `kind`: of its matrices."""
    writer, width = gguf.GGUFWriter(path, "clip"), shape.width
    values: dict[str, Any] = {
        "general.type": "mmproj",
        "general.name": "Tiny",
        "general.file_type": 0 if kind is np.float32 else 1,
        "clip.has_vision_encoder": True,
        "clip.projector_type": "gemma3",
        "clip.use_gelu": True,
        "clip.vision.image_size": shape.image,
        "clip.vision.patch_size": shape.patch,
        "clip.vision.embedding_length": width,
        "clip.vision.feed_forward_length": shape.feed_forward,
        "clip.vision.block_count": shape.layers,
        "clip.vision.attention.head_count": shape.heads,
        "clip.vision.attention.layer_norm_epsilon": 1e-6,
        "clip.vision.projection_dim": shape.text,
        "clip.vision.projector.scale_factor": shape.merge,
    }
    add_metadata(writer, values | dict(metadata or {}))
    for name in ("image_mean", "image_std"):
        writer.add_array(f"clip.vision.{name}", [0.5, 0.5, 0.5])
    matrices = {
        "v.position_embd": ((shape.image // shape.patch) ** 2, width),
        "mm.input_projection": (width, shape.text),
    }
    norms = ["v.post_ln"]
    for layer in range(shape.layers):
        block = f"v.blk.{layer}."
        matrices |= {f"{block}attn_{name}": (width, width) for name in ("q", "k", "v", "out")}
        matrices |= {f"{block}ffn_up": (shape.feed_forward, width), f"{block}ffn_down": (width, shape.feed_forward)}
        norms += [f"{block}ln1", f"{block}ln2"]
    random = np.random.default_rng(seed)
    patches = random.standard_normal((width, 3, shape.patch, shape.patch)) / shape.patch
    writer.add_tensor("v.patch_embd.weight", patches.astype(np.float32 if kind is np.float32 else np.float16))
    writer.add_tensor("v.patch_embd.bias", np.zeros(width, np.float32))
    writer.add_tensor("mm.soft_emb_norm.weight", np.ones(width, np.float32))
    for name in norms:
        writer.add_tensor(f"{name}.weight", np.ones(width, np.float32))
        writer.add_tensor(f"{name}.bias", np.zeros(width, np.float32))
    for name, (rows, columns) in matrices.items():
        values_of = random.standard_normal((rows, columns), np.float32) / np.float32(np.sqrt(columns))
        writer.add_tensor(f"{name}.weight", values_of.astype(np.float32 if "position" in name else kind))
        if name.startswith("v.blk."):
            writer.add_tensor(f"{name}.bias", np.zeros(rows, np.float32))
    return finish(writer, path)


# ------------------------------------------------------ the shapes of published models


def synthetic_8b(path: Path, *, layers: int = 32) -> Path:
    """Llama-3.1-8B's shape: 4.58 GiB in 15 s. Fewer layers make it smaller."""
    return synthetic(path, replace(model_fit.SHAPES["8B"], block_count=layers))


def synthetic(path: Path, shape: ModelShape) -> Path:
    """Writes a random model of that shape (llama, qwen2 or qwen3) with Q4_K_M's mix of types.

    One pool of random numbers is quantized once for each type and tiled over all tensors: the weights mean nothing, but
    size, memory traffic and header are those of the real file.
    """
    kind, width = shape.architecture, shape.embedding_length
    writer = gguf.GGUFWriter(path, kind)
    is_llama = kind == "llama"
    specials = 256 if is_llama else 26
    add_metadata(
        writer,
        {
            "general.type": "model",
            "general.name": "Synthetic",
            "general.file_type": 15,
            f"{kind}.vocab_size": shape.vocab_size,
            f"{kind}.context_length": 131_072,
            f"{kind}.embedding_length": width,
            f"{kind}.block_count": shape.block_count,
            f"{kind}.feed_forward_length": shape.feed_forward_length,
            f"{kind}.attention.head_count": shape.head_count,
            f"{kind}.attention.head_count_kv": shape.head_count_kv,
            f"{kind}.attention.key_length": shape.key_length,
            f"{kind}.attention.value_length": shape.key_length,
            f"{kind}.attention.layer_norm_rms_epsilon": 1e-5,
            f"{kind}.rope.dimension_count": shape.key_length if is_llama else None,
            f"{kind}.rope.freq_base": 500_000.0,
            "tokenizer.ggml.model": "gpt2",
            "tokenizer.ggml.pre": "llama-bpe" if is_llama else "qwen2",
            "tokenizer.ggml.bos_token_id": shape.vocab_size - specials,
            "tokenizer.ggml.eos_token_id": shape.vocab_size - specials + 1,
            "tokenizer.ggml.add_bos_token": is_llama,
        },
    )
    _add_large_vocabulary(writer, shape.vocab_size, shape.merges, specials)
    pool, matrices, vectors = _QuantizedPool(width), _matrices(shape), _vectors(shape)
    for name, length in vectors:
        writer.add_tensor_info(name, (length,), np.dtype(np.float32), length * 4)
    for name, columns, rows, type_ in matrices:
        packed = (rows, pool.row_bytes(columns, type_))
        writer.add_tensor_info(name, packed, np.dtype(np.uint8), packed[0] * packed[1], raw_dtype=type_)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for _, length in vectors:
        writer.write_tensor_data(np.ones(length, np.float32))
    for _, columns, rows, type_ in matrices:
        _write_tiled(writer, pool.rows(columns, type_), rows)
    writer.close()
    return path


def _matrices(shape: ModelShape) -> list[tuple[str, int, int, gguf.GGMLQuantizationType]]:
    """Name, columns, rows and type of each, as llama.cpp's Q4_K_M chooses."""
    big, small = gguf.GGMLQuantizationType.Q6_K, gguf.GGMLQuantizationType.Q4_K
    width, wide, layers = shape.embedding_length, shape.feed_forward_length, shape.block_count
    inner, inner_kv = shape.head_count * shape.key_length, shape.head_count_kv * shape.key_length
    found = [("token_embd.weight", width, shape.vocab_size, big if shape.ties_embedding else small)]
    if not shape.ties_embedding:
        found.append(("output.weight", width, shape.vocab_size, big))
    for layer in range(layers):
        # llama.cpp's use_more_bits(): the first and last eighth, and every third layer between.
        more = layer < layers // 8 or layer >= 7 * layers // 8 or (layer - layers // 8) % 3 == 2
        mixed = big if more else small
        block = f"blk.{layer}."
        found += [
            (block + "attn_q.weight", width, inner, small),
            (block + "attn_k.weight", width, inner_kv, small),
            (block + "attn_v.weight", width, inner_kv, mixed),
            (block + "attn_output.weight", inner, width, small),
            (block + "ffn_gate.weight", width, wide, small),
            (block + "ffn_up.weight", width, wide, small),
            (block + "ffn_down.weight", wide, width, mixed),
        ]
    return found


def _vectors(shape: ModelShape) -> list[tuple[str, int]]:
    """Norms, and what an architecture has besides: Qwen 2 biases, Qwen 3 norms of queries and keys."""
    head = shape.key_length
    own = {
        "qwen2": [
            ("attn_q.bias", shape.head_count * head),
            ("attn_k.bias", shape.head_count_kv * head),
            ("attn_v.bias", shape.head_count_kv * head),
        ],
        "qwen3": [("attn_q_norm.weight", head), ("attn_k_norm.weight", head)],
    }.get(shape.architecture, [])
    each = [("attn_norm.weight", shape.embedding_length), ("ffn_norm.weight", shape.embedding_length), *own]
    blocks = [(f"blk.{layer}.{name}", length) for layer in range(shape.block_count) for name, length in each]
    return [("output_norm.weight", shape.embedding_length), *blocks]


class _QuantizedPool:
    """A few rows of random numbers in each needed type and length, made by ggml's own quantizer."""

    ROWS = 512

    def __init__(self, columns: int) -> None:
        folder = Path(llama_cpp.__file__).parent / "lib"
        self._ggml = ctypes.CDLL(str(next(folder.glob("*ggml-base*"))))
        self._ggml.ggml_quantize_chunk.restype = ctypes.c_size_t
        self._ggml.ggml_quantize_chunk.argtypes = [
            ctypes.c_int,
            ctypes.c_void_p,
            ctypes.c_void_p,
            ctypes.c_int64,
            ctypes.c_int64,
            ctypes.c_int64,
            ctypes.c_void_p,
        ]
        self._columns = columns
        self._made: dict[tuple[int, gguf.GGMLQuantizationType], npt.NDArray[np.uint8]] = {}

    @staticmethod
    def row_bytes(columns: int, kind: gguf.GGMLQuantizationType) -> int:
        elements, size = gguf.GGML_QUANT_SIZES[kind]
        return columns // elements * size

    def rows(self, columns: int, kind: gguf.GGMLQuantizationType) -> npt.NDArray[np.uint8]:
        key = (columns, kind)
        if key not in self._made:
            numbers = np.random.default_rng(columns).standard_normal((self.ROWS, columns), np.float32)
            numbers /= np.float32(np.sqrt(columns))
            out = np.empty((self.ROWS, self.row_bytes(columns, kind)), np.uint8)
            written = self._ggml.ggml_quantize_chunk(
                int(kind), numbers.ctypes.data, out.ctypes.data, 0, self.ROWS, columns, None
            )
            assert written == out.nbytes
            self._made[key] = out
        return self._made[key]


def _write_tiled(writer: gguf.GGUFWriter, rows: npt.NDArray[np.uint8], count: int) -> None:
    tiles = -(-count // len(rows))
    writer.write_tensor_data(np.tile(rows, (tiles, 1))[:count])


def _add_large_vocabulary(writer: gguf.GGUFWriter, count: int, merges: int, specials: int) -> None:
    """256 byte tokens as GPT-2 writes them, then made-up words, then control tokens; and the merges."""
    words = (b"w%06d" % number for number in itertools.count())
    tokens = [*_gpt2_bytes(), *itertools.islice(words, count - specials - 256)]
    special = [b"<|begin_of_text|>", b"<|end_of_text|>", *(b"<|reserved_%d|>" % n for n in range(specials - 2))]
    writer.add_token_list(tokens + special)
    writer.add_token_types([gguf.TokenType.NORMAL] * len(tokens) + [gguf.TokenType.CONTROL] * len(special))
    writer.add_token_merges([f"x{number:05x} y{number % 97}" for number in range(merges)])


def _gpt2_bytes() -> Iterator[bytes]:
    printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = itertools.count(256)
    for byte in range(256):
        yield chr(byte if byte in printable else next(others)).encode()
