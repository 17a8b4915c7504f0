"""Does a model fit into memory: what a load adds to the engine process, and what the machine has left.

The key/value cache is exact (llama-kv-cache.cpp). The rest is llama.cpp's own compute buffer and what it keeps of the
vocabulary, fitted to measurements with flash attention, one sequence and one row of logits, as the engine runs it:
Gemma 3 270M and a random Llama-3.1-8B, at 512 tokens a batch and contexts of 2,048 to 32,768.
"""

import platform
from dataclasses import dataclass
from pathlib import Path

import psutil

from app.inference.gguf import GgufHeader

MIB = 1 << 20
CONTEXT_STEP = 256  # llama.cpp rounds a context up to this

# Bytes of one block of 32 numbers.
_KV_BLOCK_BYTES = {"f16": 64, "bf16": 64, "f32": 128, "q8_0": 34, "q4_0": 18}

# Weight types that are copied into another layout when repacking is on (ggml-cpu/repack.cpp).
_REPACKED = frozenset(("Q4_0", "Q4_K", "Q2_K", "IQ4_NL", "MXFP4"))
_REPACKED_ON_ARM = _REPACKED | {"Q5_K", "Q6_K", "Q8_0"}

_PROCESS_BYTES = 7 * MIB  # code and tables paged in by any load
_TOKEN_BYTES = 180  # text, two hash tables and attributes of one token
_MERGE_BYTES = 125  # one entry of the tree of byte-pair merges

# Every n-th layer attends; the others keep a state of fixed size (the default of their src/models/*.cpp).
_INTERVAL_ARCHITECTURES = {"qwen3next": 4, "qwen35": 4, "qwen35moe": 4, "qwen4exp": 4, "minimax-01": 8}
_GEMMA_3N_LAYERS_WITH_CACHE = 20

COMFORT = 1.1  # spare room that makes a model "comfortable"


@dataclass(frozen=True, slots=True)
class MemoryEstimate:
    weights_bytes: int  # the file's tensors, and their repacked copy
    kv_bytes: int  # the key/value cache, whole from the start
    compute_bytes: int  # activations, vocabulary and everything else
    total_bytes: int


def estimate_memory(
    header: GgufHeader,
    context_tokens: int,
    batch_tokens: int = 512,
    kv_type: str = "f16",
    repack: bool = False,
) -> MemoryEstimate:
    """What loading the model adds to a process's memory. `context_tokens` 0 is what the model was trained with."""
    context = _context(header, context_tokens)
    batch = min(batch_tokens, context)
    weights = header.weights_bytes + (_repacked_bytes(header) if repack else 0)
    kv = _kv_bytes(header, context, kv_type)
    compute = _activations_bytes(header, context, batch) + _vocabulary_bytes(header) + _PROCESS_BYTES
    return MemoryEstimate(weights, kv, compute, weights + kv + compute)


def judge_fit(needed: MemoryEstimate, available_bytes: int) -> str:
    """comfortable: at least 10 % to spare; tight: it fits; insufficient."""
    if needed.total_bytes * COMFORT <= available_bytes:
        return "comfortable"
    return "tight" if needed.total_bytes <= available_bytes else "insufficient"


def _context(header: GgufHeader, wanted: int) -> int:
    trained = header.context_length
    tokens = min(wanted, trained) if wanted and trained else wanted or trained
    return -(-tokens // CONTEXT_STEP) * CONTEXT_STEP


def _repacked_bytes(header: GgufHeader) -> int:
    is_arm = platform.machine().lower() in ("aarch64", "arm64")
    types = _REPACKED_ON_ARM if is_arm else _REPACKED
    return sum(
        tensor.size_bytes
        for tensor in header.tensors.values()
        if tensor.type in types and len(tensor.shape) >= 2 and tensor.shape[1] % 8 == 0
        if tensor.name != "token_embd.weight"  # looked up, not multiplied
    )


# ----------------------------------------------------------- key/value cache


def _kv_bytes(header: GgufHeader, context: int, kv_type: str) -> int:
    """A key and a value for each token, layer and key/value head. The engine keeps sliding windows whole (swa_full)."""
    block = _KV_BLOCK_BYTES[kv_type]
    keys, values = _head_lengths(header)
    elements = sum(heads * (keys + values) for heads in _cached_heads(header))
    return elements * context * block // 32 + _recurrent_bytes(header)


def _head_lengths(header: GgufHeader) -> tuple[int, int]:
    keys = max(header.key_length, header.number("attention.key_length_swa"))
    values = max(header.value_length, header.number("attention.value_length_swa"))
    if header.number("attention.key_length_mla"):
        values = 0  # multi-head latent attention: values are made from the cached keys
    return keys, values


def _cached_heads(header: GgufHeader) -> list[int]:
    """Key/value heads of the layers that have a cache."""
    heads = header.head_counts_kv
    return [count for layer, count in enumerate(heads) if not _is_recurrent(header, layer)][: _cached_layers(header)]


def _cached_layers(header: GgufHeader) -> int:
    if header.architecture == "gemma3n":
        return _GEMMA_3N_LAYERS_WITH_CACHE
    return max(0, header.block_count - header.number("attention.shared_kv_layers"))


def _is_recurrent(header: GgufHeader, layer: int) -> bool:
    listed = header.array(header.key("attention.recurrent_layers"))
    if listed is not None and layer < len(listed.values):
        return bool(listed.values[layer])
    default = _INTERVAL_ARCHITECTURES.get(header.architecture, 0)
    interval = header.number("full_attention_interval", default)
    return interval > 0 and (layer + 1) % interval != 0


def _recurrent_bytes(header: GgufHeader) -> int:
    """The state of Mamba-like layers, F32; counted for every layer, since it is small."""
    inner, state = header.number("ssm.inner_size"), header.number("ssm.state_size")
    groups = header.number("ssm.group_count")
    convolved = max(0, header.number("ssm.conv_kernel") - 1) * (inner + 2 * groups * state)
    return 4 * (convolved + inner * state) * len(header.head_counts)


# ----------------------------------------------------------------- the rest


def _activations_bytes(header: GgufHeader, context: int, batch: int) -> int:
    """llama.cpp's compute buffer: at its widest, a block holds 3 rows of its feed-forward and 4 of its embedding."""
    wide = _feed_forward(header)
    rows = batch * 4 * (3 * wide + 4 * header.embedding_length)
    masks = 2 if header.number("attention.sliding_window") else 1
    mask = context * batch * 2 * masks
    quantized_input = batch * wide * 9 // 8  # 8-bit copy of the widest product's input
    logits = header.vocab_size * 4 * 2  # in the graph, and handed out
    return rows + mask + quantized_input + logits


def _feed_forward(header: GgufHeader) -> int:
    """The widest layer's inner length; of a mixture of experts, those used together."""
    dense = max(header.per_layer("feed_forward_length"), default=0)
    used = max(header.per_layer("expert_used_count"), default=0)
    return max(dense, used * (header.number("expert_feed_forward_length") or dense))


def _vocabulary_bytes(header: GgufHeader) -> int:
    merges = header.array("tokenizer.ggml.merges")
    return header.vocab_size * _TOKEN_BYTES + (merges.length if merges else 0) * _MERGE_BYTES


# --------------------------------------------------------------- this machine


def available_memory_bytes() -> int:
    """What a new process may take without swapping: the system's free and reclaimable memory, less in a container."""
    return min([int(psutil.virtual_memory().available), *cgroup_free_bytes()])


def memory_bytes() -> int:
    """What there is in all: the system's memory, less in a container with a limit."""
    return min([int(psutil.virtual_memory().total), *(limit for limit, _ in cgroup_limits())])


def cgroup_free_bytes(root: Path = Path("/sys/fs/cgroup"), membership: Path = Path("/proc/self/cgroup")) -> list[int]:
    """Room below each memory limit of the control groups (v1 and v2) that this process is in; [] without limits."""
    return [free for _, free in cgroup_limits(root, membership)]


def cgroup_limits(
    root: Path = Path("/sys/fs/cgroup"), membership: Path = Path("/proc/self/cgroup")
) -> list[tuple[int, int]]:
    """Each memory limit and the room below it."""
    try:
        lines = membership.read_text("utf-8", "replace").splitlines()
    except OSError:
        return []  # not Linux
    room: list[tuple[int, int]] = []
    for line in lines:
        _, controllers, path = [*line.split(":", 2), "none", ""][:3]
        if controllers == "":
            room += _room(root, path, "memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            files = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            room += _room(root / "memory", path, *files)
    return room


def _room(mount: Path, path: str, limit_file: str, usage_file: str, cache_key: str) -> list[tuple[int, int]]:
    """A group is bound by its ancestors' limits too. A container may be given its host's path: the root then counts."""
    parts = [part for part in path.split("/") if part not in ("", "..")]
    folders = [mount.joinpath(*parts[:depth]) for depth in range(len(parts), -1, -1)]
    room = []
    for folder in folders:
        limit, usage = _number(folder / limit_file), _number(folder / usage_file)
        if limit is not None and usage is not None and limit < 1 << 60:  # v1 says "none" with a huge number
            free = max(0, limit - usage + _cache_bytes(folder / "memory.stat", cache_key))
            room.append((limit, free))
    return room


def _number(file: Path) -> int | None:
    try:
        return int(file.read_text("ascii"))
    except (OSError, ValueError):  # absent, or "max"
        return None


def _cache_bytes(stat: Path, key: str) -> int:
    """File pages that the kernel drops when memory is wanted."""
    try:
        fields = dict(line.split(maxsplit=1) for line in stat.read_text("ascii").splitlines())
        return int(fields.get(key, 0))
    except (OSError, ValueError):
        return 0
