"""Models and adapters as publishers hand them out, for tests: config.json, safetensors, a byte-level tokenizer.

All weights are random from a fixed seed; the writer is forty lines, so that tests need no training library.
"""

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

_LLAMA_3_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)


@dataclass(frozen=True)
class HfShape:
    """A tiny Llama 3 with 2 layers; a vocabulary of the 256 bytes, two words and two control tokens."""

    layers: int = 2
    embedding: int = 64
    heads: int = 4
    heads_kv: int = 2
    feed_forward: int = 128
    vocabulary: int = 260
    context: int = 512

    @property
    def head(self) -> int:
        return self.embedding // self.heads

    def tensors(self) -> dict[str, tuple[int, ...]]:
        """Name -> shape, PyTorch's order."""
        width, wide, kv = self.embedding, self.feed_forward, self.head * self.heads_kv
        shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (self.vocabulary, width)}
        for layer in range(self.layers):
            block = f"model.layers.{layer}."
            shapes |= {
                block + "input_layernorm.weight": (width,),
                block + "mlp.down_proj.weight": (width, wide),
                block + "mlp.gate_proj.weight": (wide, width),
                block + "mlp.up_proj.weight": (wide, width),
                block + "post_attention_layernorm.weight": (width,),
                block + "self_attn.k_proj.weight": (kv, width),
                block + "self_attn.o_proj.weight": (width, width),
                block + "self_attn.q_proj.weight": (width, width),
                block + "self_attn.v_proj.weight": (kv, width),
            }
        return shapes | {"model.norm.weight": (width,), "lm_head.weight": (self.vocabulary, width)}

    def config(self) -> dict[str, Any]:
        return {
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "hidden_size": self.embedding,
            "intermediate_size": self.feed_forward,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "num_key_value_heads": self.heads_kv,
            "head_dim": self.head,
            "vocab_size": self.vocabulary,
            "max_position_embeddings": self.context,
            "rms_norm_eps": 1e-5,
            "rope_theta": 500000.0,
            "hidden_act": "silu",
            "tie_word_embeddings": False,
            "torch_dtype": "bfloat16",
            "bos_token_id": self.vocabulary - 2,
            "eos_token_id": self.vocabulary - 1,
        }


TINY = HfShape()


def model(folder: Path, *, shape: HfShape = TINY, shards: int = 1, seed: int = 1, **config: Any) -> Path:
    """Writes a model with bf16 weights. `config` replaces or adds keys; None removes one."""
    folder.mkdir(parents=True, exist_ok=True)
    values = {key: value for key, value in (shape.config() | config).items() if value is not None}
    (folder / "config.json").write_text(json.dumps(values), encoding="utf-8")
    tokenizer(folder, shape.vocabulary)
    random = np.random.default_rng(seed)
    arrays = {name: bf16(_weights(random, lengths)) for name, lengths in shape.tensors().items()}
    names = [list(part) for part in np.array_split(list(arrays), shards)]
    files = (
        ["model.safetensors"]
        if shards == 1
        else [f"model-{n + 1:05}-of-{shards:05}.safetensors" for n in range(shards)]
    )
    for file, part in zip(files, names, strict=True):
        safetensors(folder / file, {str(name): arrays[str(name)] for name in part})
    if shards > 1:
        places = {str(name): file for file, part in zip(files, names, strict=True) for name in part}
        index = {"metadata": {"total_size": sum(array.nbytes for array in arrays.values())}, "weight_map": places}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    return folder


def _weights(random: np.random.Generator, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    if len(shape) == 1:
        return np.ones(shape, np.float32)
    return (random.standard_normal(shape, np.float32) / np.float32(np.sqrt(shape[-1]))).astype(np.float32)


def adapter(
    folder: Path, *, shape: HfShape = TINY, rank: int = 4, size: float = 0.5, seed: int = 2, **config: Any
) -> Path:
    """Writes a LoRA for the query and value matrices, as PEFT saves it."""
    folder.mkdir(parents=True, exist_ok=True)
    values = {
        "peft_type": "LORA",
        "base_model_name_or_path": "kotae/tiny",
        "r": rank,
        "lora_alpha": 2 * rank,
        "target_modules": ["q_proj", "v_proj"],
        "bias": "none",
        "use_dora": False,
        "use_rslora": False,
        "task_type": "CAUSAL_LM",
    }
    (folder / "adapter_config.json").write_text(json.dumps(values | config), encoding="utf-8")
    random = np.random.default_rng(seed)
    arrays: dict[str, Array] = {}
    for name, lengths in shape.tensors().items():
        if name.endswith(("q_proj.weight", "v_proj.weight")):
            rows, columns = lengths
            stem = "base_model.model." + name.removesuffix(".weight")
            arrays[stem + ".lora_A.weight"] = (random.standard_normal((rank, columns)) * size).astype(np.float32)
            arrays[stem + ".lora_B.weight"] = (random.standard_normal((rows, rank)) * size).astype(np.float32)
    safetensors(folder / "adapter_model.safetensors", arrays)
    return folder


def tokenizer(folder: Path, vocabulary: int) -> None:
    """One token a byte, spelled as GPT-2 does, a merged pair, made-up words, and the two control tokens."""
    words = [*_gpt2_bytes(), "ab", *(f"Ġw{number:06}" for number in range(vocabulary - 259))]
    specials = ["<|begin_of_text|>", "<|end_of_text|>"]
    added = [
        {"id": len(words) + number, "content": text, "special": True, "normalized": False}
        | dict.fromkeys(("single_word", "lstrip", "rstrip"), False)
        for number, text in enumerate(specials)
    ]
    split = {"type": "Split", "pattern": {"Regex": _LLAMA_3_SPLIT}, "behavior": "Isolated", "invert": False}
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    content = {
        "version": "1.0",
        "added_tokens": added,
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, byte_level]},
        "post_processor": None,
        "decoder": byte_level | {"add_prefix_space": True, "use_regex": True},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": True,
            "vocab": {word: number for number, word in enumerate(words)},
            "merges": ["a b"],
        },
    }
    (folder / "tokenizer.json").write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    about = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": specials[0], "eos_token": specials[1]}
    (folder / "tokenizer_config.json").write_text(json.dumps(about), encoding="utf-8")


def _gpt2_bytes() -> list[str]:
    printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = itertools.count(256)
    return [chr(byte if byte in printable else next(others)) for byte in range(256)]


# -------------------------------------------------------------- safetensors


def bf16(values: npt.NDArray[np.float32]) -> npt.NDArray[np.uint16]:
    """The upper half of each number; u16 stands for BF16, which numpy does not have."""
    return (values.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)


_TYPES = {"float32": ("F32", 4), "float16": ("F16", 2), "uint16": ("BF16", 2)}


def header(tensors: Mapping[str, tuple[str, tuple[int, ...]]]) -> bytes:
    """Length and JSON for tensors (numpy's type name, shape) that follow one another."""
    entries: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, (kind, shape) in tensors.items():
        type_name, size = _TYPES[kind]
        first, end = end, end + size * int(np.prod(shape))
        entries[name] = {"dtype": type_name, "shape": list(shape), "data_offsets": [first, end]}
    return packed(entries)


def packed(entries: Mapping[str, Any]) -> bytes:
    raw = json.dumps(entries).encode()
    raw += b" " * (-len(raw) % 8)
    return len(raw).to_bytes(8, "little") + raw


def safetensors(path: Path, arrays: Mapping[str, Array]) -> Path:
    with path.open("wb") as file:
        file.write(header({name: (array.dtype.name, array.shape) for name, array in arrays.items()}))
        for array in arrays.values():
            file.write(array.tobytes())
    return path
