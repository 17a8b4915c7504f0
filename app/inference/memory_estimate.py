"""Estimate the memory that loading a model adds to the engine process, and measure the machine's free memory.

The key/value cache is exact (llama-kv-cache.cpp). The rest is llama.cpp's compute buffer and its copy of the
vocabulary, fitted to measurements with flash attention, one sequence and one row of logits, as the engine runs it:
Gemma 3 270M and a random Llama-3.1-8B, at 512 tokens per batch and contexts of 2,048 to 32,768.
"""

import platform
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from app.inference import processor_cores
from app.inference.gguf import GgufHeader
from app.inference.processor_cores import system_text

MIB = 1 << 20
CONTEXT_STEP = 256  # llama.cpp rounds a context up to this

# Bytes of a block of 32 numbers, by type.
_KV_BLOCK_BYTES = {"f16": 64, "bf16": 64, "f32": 128, "q8_0": 34, "q4_0": 18}

# Weight types that repacking copies into another layout (ggml-cpu/repack.cpp).
_REPACKED = frozenset(("Q4_0", "Q4_K", "Q2_K", "IQ4_NL", "MXFP4"))
_REPACKED_ON_ARM = _REPACKED | {"Q5_K", "Q6_K", "Q8_0"}
# Those copied for a matrix unit of Intel (ggml-cpu/amx), with the size of the copy; also an embedding used as output.
_COPIED_FOR_AMX = {"Q4_0": 1, "Q4_1": 1, "Q4_K": 1, "Q5_K": 1, "IQ4_XS": 1, "Q6_K": 218 / 210, "Q8_0": 38 / 34}

_PROCESS_BYTES = 7 * MIB  # code and tables paged in by any load
_TOKEN_BYTES = 180  # text, two hash-table entries and attributes of one token
_MERGE_BYTES = 125  # one entry in the tree of byte-pair merges

# Every n-th layer has attention; the others keep a state of fixed size (defaults in llama.cpp's src/models/*.cpp).
_INTERVAL_ARCHITECTURES = {"qwen3next": 4, "qwen35": 4, "qwen35moe": 4, "qwen4exp": 4, "minimax-01": 8}
_GEMMA_3N_LAYERS_WITH_CACHE = 20

PICTURE_TOKENS_MOST = 1024  # of one picture, for models that read any size; the batch is as long
PARALLEL_MOST = 7  # answers that are written at a time (`app.inference.engine.sequences`)
COMFORT = 1.1  # free memory / needed memory from which a fit counts as comfortable


@dataclass(frozen=True, slots=True)
class MemoryEstimate:
    """Holds the memory that a loaded model takes, by purpose."""

    weights_bytes: int  # tensors of the file, and their repacked copy
    kv_bytes: int  # the key/value cache, allocated at once
    compute_bytes: int  # activations, vocabulary and everything else
    total_bytes: int


def estimate_memory(
    header: GgufHeader,
    context_tokens: int,
    batch_tokens: int = 512,
    kv_type: str = "f16",
    repack: bool = False,
    parallel: int = 1,
    projector: GgufHeader | None = None,
) -> MemoryEstimate:
    """Estimate the memory that loading adds to a process.

    `context_tokens` 0: the context length in training. `parallel`: answers that are written at a time. `projector`: the
    part that reads pictures; None: none.
    """
    context = rounded_context(header, context_tokens)
    batch = min(max(batch_tokens, PICTURE_TOKENS_MOST if projector else 0), context)
    weights = header.weights_bytes + (_repacked_bytes(header) if repack else 0)
    kv = parallel * sum(cache_bytes_by_layer(header, context, kv_type))
    merges = header.array("tokenizer.ggml.merges")
    vocabulary = header.vocab_size * _TOKEN_BYTES + (merges.length if merges else 0) * _MERGE_BYTES
    compute = activations_bytes(header, context, batch, parallel) + vocabulary + _PROCESS_BYTES
    if projector is not None:
        weights += projector.weights_bytes
        compute += picture_bytes(projector)
    return MemoryEstimate(weights, kv, compute, weights + kv + compute)


def judge_fit(estimate: MemoryEstimate, available_bytes: int) -> str:
    """Return comfortable (at least 10 % to spare), tight (it fits) or insufficient."""
    if estimate.total_bytes * COMFORT <= available_bytes:
        return "comfortable"
    return "tight" if estimate.total_bytes <= available_bytes else "insufficient"


def rounded_context(header: GgufHeader, context_tokens: int) -> int:
    """Return the tokens that llama.cpp gives a context."""
    trained = header.context_length
    tokens = min(context_tokens, trained) if context_tokens and trained else context_tokens or trained
    return -(-tokens // CONTEXT_STEP) * CONTEXT_STEP


def _repacked_bytes(header: GgufHeader) -> int:
    if processor_cores.has_matrix_unit():
        is_output_apart = "output.weight" in header.tensors
        return sum(
            int(tensor.size_bytes * _COPIED_FOR_AMX.get(tensor.type, 0))
            for tensor in header.tensors.values()
            if len(tensor.shape) >= 2 and not (is_output_apart and tensor.name == "token_embd.weight")
        )
    is_arm = platform.machine().lower() in ("aarch64", "arm64")
    types = _REPACKED_ON_ARM if is_arm else _REPACKED
    return sum(
        tensor.size_bytes
        for tensor in header.tensors.values()
        if tensor.type in types and len(tensor.shape) >= 2 and tensor.shape[1] % 8 == 0
        if tensor.name != "token_embd.weight"  # looked up, not multiplied
    )


def cache_bytes_by_layer(header: GgufHeader, context: int, kv_type: str) -> list[int]:
    """Return the bytes of keys and values of all tokens and heads for each layer, or of its recurrent state.

    The engine keeps sliding windows complete (swa_full). `context`: in tokens, a multiple of `CONTEXT_STEP`.
    """
    numbers = context * sum(_head_lengths(header))
    state, is_recurrent = _recurrent_bytes(header), _recurrent_layers(header)
    remaining, found = max(0, header.block_count - header.number("attention.shared_kv_layers")), []
    if header.architecture == "gemma3n":
        remaining = _GEMMA_3N_LAYERS_WITH_CACHE
    for layer, heads in enumerate(header.head_counts_kv):
        has_cache = remaining > 0 and not is_recurrent(layer)
        remaining -= has_cache
        found.append(state + (heads * numbers * _KV_BLOCK_BYTES[kv_type] // 32 if has_cache else 0))
    return found


def _head_lengths(header: GgufHeader) -> tuple[int, int]:
    keys = max(header.key_length, header.number("attention.key_length_swa"))
    values = max(header.value_length, header.number("attention.value_length_swa"))
    if header.number("attention.key_length_mla"):
        values = 0  # multi-head latent attention computes values from the cached keys
    return keys, values


def _recurrent_layers(header: GgufHeader) -> Callable[[int], bool]:
    """Return whether a layer, counted from 0, has a recurrent state instead of a cache."""
    listed = header.array(header.key("attention.recurrent_layers"))
    named = [] if listed is None else listed.values
    default = _INTERVAL_ARCHITECTURES.get(header.architecture, 0)
    interval = header.number("full_attention_interval", default)
    return lambda layer: bool(named[layer]) if layer < len(named) else interval > 0 and (layer + 1) % interval != 0


def _recurrent_bytes(header: GgufHeader) -> int:
    """Return the bytes of a layer's Mamba-like state in F32, counted for every layer, since it is small."""
    inner, state = header.number("ssm.inner_size"), header.number("ssm.state_size")
    groups = header.number("ssm.group_count")
    convolved = max(0, header.number("ssm.conv_kernel") - 1) * (inner + 2 * groups * state)
    return 4 * (convolved + inner * state)


def activations_bytes(header: GgufHeader, context: int, batch: int, parallel: int) -> int:
    """Return the bytes of llama.cpp's compute buffer; a block needs at most 3 feed-forward and 4 embedding rows."""
    wide = _feed_forward(header)
    rows = batch * 4 * (3 * wide + 4 * header.embedding_length)
    masks = 2 if header.number("attention.sliding_window") else 1
    mask = context * batch * 2 * masks
    quantized_input = batch * wide * 9 // 8  # 8-bit copy of the widest product's input
    logits = parallel * header.vocab_size * 4 * 2  # in the graph, and in the output buffer
    return rows + mask + quantized_input + logits


def attention_bytes(header: GgufHeader, context: int, batch: int) -> int:
    """Return what the compute buffer has more without flash attention: a weight in F32 for each head and two tokens."""
    return min(batch, context) * context * max(header.head_counts, default=0) * 4


def picture_bytes(projector: GgufHeader) -> int:
    """Return the bytes of libmtmd's compute buffer: rows of the widest layer for each patch of a picture."""
    width, wide = (projector.integer(f"clip.vision.{name}_length") or 0 for name in ("embedding", "feed_forward"))
    side = (projector.integer("clip.vision.image_size") or 0) // (projector.integer("clip.vision.patch_size") or 14)
    patches = max(side * side, 4 * PICTURE_TOKENS_MOST)  # models of any size join four patches
    return patches * 4 * (4 * width + 2 * wide)


def _feed_forward(header: GgufHeader) -> int:
    """Return the widest feed-forward length; in a mixture of experts, the sum over the experts used at once."""
    dense = max(header.per_layer("feed_forward_length"), default=0)
    used = max(header.per_layer("expert_used_count"), default=0)
    return max(dense, used * (header.number("expert_feed_forward_length") or dense))


def available_memory_bytes() -> int:
    """Return the bytes that a new process may take without swapping; in a container, at most those below its limit."""
    import psutil

    return min([int(psutil.virtual_memory().available), *(free for _, free in cgroup_limits())])


def memory_bytes() -> int:
    """Return the system's total memory in bytes, or a container's limit if that is lower."""
    import psutil

    return min([int(psutil.virtual_memory().total), *(limit for limit, _ in cgroup_limits())])


def cgroup_limits(
    root: Path = Path("/sys/fs/cgroup"), membership: Path = Path("/proc/self/cgroup")
) -> list[tuple[int, int]]:
    """Return (limit, free bytes below it) for each memory limit of this process's control groups; [] without one."""
    try:
        lines = membership.read_text("utf-8", "replace").splitlines()
    except OSError:
        return []  # not Linux
    limits: list[tuple[int, int]] = []
    for line in lines:
        _, controllers, path = [*line.split(":", 2), "none", ""][:3]
        if controllers == "":
            limits += _group_limits(root, path, "memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            files = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            limits += _group_limits(root / "memory", path, *files)
    return limits


def _group_limits(mount: Path, path: str, limit_file: str, usage_file: str, cache_key: str) -> list[tuple[int, int]]:
    """Return (limit, free bytes below it) of a control group and of each of its ancestors that has a limit.

    The limits of the ancestors hold for the group too. `path`: the group, below `mount`. `cache_key`: the entry of
    memory.stat with the file pages that the kernel drops when memory is needed. In a container, `path` may be the
    host's; then only `mount` itself exists.
    """
    parts = [part for part in path.split("/") if part not in ("", "..")]
    folders = [mount.joinpath(*parts[:depth]) for depth in range(len(parts), -1, -1)]
    limits = []
    for folder in folders:
        limit, usage = _number(folder / limit_file), _number(folder / usage_file)
        if limit is not None and usage is not None and limit < 1 << 60:  # v1 writes a huge number for "none"
            cached = re.search(rf"^{cache_key} (\d+)$", system_text(folder / "memory.stat"), re.MULTILINE)
            free = max(0, limit - usage + (int(cached[1]) if cached else 0))
            limits.append((limit, free))
    return limits


def _number(file: Path) -> int | None:
    text = system_text(file)
    return int(text) if text.isdecimal() else None  # absent, or "max"
