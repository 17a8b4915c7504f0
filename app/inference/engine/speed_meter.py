"""Measure how fast llama.cpp computes on this machine, with two layers of Llama 3 8B in a child process.

The layers have random weights in the types of Q4_K_M, 260 MB, more than a processor's cache holds, so that each token
reads them from memory as it reads those of a whole model.
"""

import os
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from app.base.isolation import sandbox
from app.inference.gguf import writing
from app.inference.gguf.writing import NewTensor
from app.inference.speed import METER_STEPS
from trainer.wire import EventWriter, claim_stdout, end_with_parent, ends_process

MODEL = "speed.gguf"  # in the folder of the measurement
_F32, _Q4_K, _Q6_K = 0, 12, 14  # ggml's numbers of tensor types
_BLOCK_VALUES, _BLOCK_BYTES = 256, {_Q4_K: 144, _Q6_K: 210}
_SCALE = struct.pack("<e", 0.001)  # half precision; any finite number
_WIDTH, _INNER, _KEYS, _WORDS = 4096, 14_336, 1024, 256
_PROMPT_TOKENS, _ANSWER_TOKENS = 64, 16
_ROUNDS = METER_STEPS - 2  # of a prompt and an answer each; the first warms up


@ends_process
def main(folder: str, threads: str) -> None:
    """Measure in this empty folder on so many threads, and write progress and result as JSON lines.

    Each line of progress has "done", the number of steps. The last line has "answer_bytes_per_s", how many bytes of
    weights are read for an answer, and "prompt_weights_per_s", how many weights are multiplied for a prompt. When the
    parent closes standard input, the process ends.
    """
    writer = claim_stdout()
    os.environ.setdefault("GGML_NO_BACKTRACE", "1")
    sandbox.confine([Path(folder)], reads=[])
    end_with_parent(code=0)
    writer.send(_measure(Path(folder) / MODEL, int(threads), writer))


def write_model(path: Path) -> list[NewTensor]:
    """Write the two layers, and return their tensors."""
    tensors = list(_tensors())
    metadata = {
        "general.architecture": writing.text("llama"),
        "llama.vocab_size": writing.number(_WORDS),
        "llama.context_length": writing.number(2 * _PROMPT_TOKENS),
        "llama.embedding_length": writing.number(_WIDTH),
        "llama.block_count": writing.number(2),
        "llama.feed_forward_length": writing.number(_INNER),
        "llama.attention.head_count": writing.number(32),
        "llama.attention.head_count_kv": writing.number(8),
        "llama.attention.layer_norm_rms_epsilon": writing.real(1e-5),
        "tokenizer.ggml.model": writing.text("no_vocab"),
    }
    pool = {
        _F32: struct.pack("<f", 1.0) * _WIDTH,
        _Q4_K: _blocks(lambda: _SCALE + _SCALE + os.urandom(140)),
        _Q6_K: _blocks(lambda: os.urandom(208) + _SCALE),
    }
    with path.open("wb") as file:
        file.write(writing.head(metadata, tensors))
        for tensor in tensors:
            for at in range(0, tensor.size_bytes, len(pool[tensor.kind])):
                file.write(pool[tensor.kind][: tensor.size_bytes - at])
            file.write(writing.padding(tensor.size_bytes))
    return tensors


def _blocks(make: Callable[[], bytes]) -> bytes:
    return b"".join(make() for _ in range(4096))


def _tensors() -> Iterator[NewTensor]:
    yield _matrix("token_embd", _WIDTH, _WORDS, _Q4_K)
    yield _matrix("output", _WIDTH, _WORDS, _Q6_K)
    yield NewTensor("output_norm.weight", (_WIDTH,), _F32, 4 * _WIDTH)
    for layer, mixed in enumerate((_Q6_K, _Q4_K)):  # Q4_K_M has these two in Q6_K in half of the layers
        name = f"blk.{layer}."
        for norm in ("attn_norm", "ffn_norm"):
            yield NewTensor(f"{name}{norm}.weight", (_WIDTH,), _F32, 4 * _WIDTH)
        for part, columns, rows, kind in (
            ("attn_q", _WIDTH, _WIDTH, _Q4_K),
            ("attn_k", _WIDTH, _KEYS, _Q4_K),
            ("attn_v", _WIDTH, _KEYS, mixed),
            ("attn_output", _WIDTH, _WIDTH, _Q4_K),
            ("ffn_gate", _WIDTH, _INNER, _Q4_K),
            ("ffn_up", _WIDTH, _INNER, _Q4_K),
            ("ffn_down", _INNER, _WIDTH, mixed),
        ):
            yield _matrix(name + part, columns, rows, kind)


def _matrix(name: str, columns: int, rows: int, kind: int) -> NewTensor:
    return NewTensor(f"{name}.weight", (columns, rows), kind, columns * rows // _BLOCK_VALUES * _BLOCK_BYTES[kind])


def _measure(path: Path, threads: int, writer: EventWriter) -> dict[str, float]:
    """Return the speeds, the best of the rounds after the first, since other programs only make them worse."""
    from app.inference.engine.llama import EngineLog, api  # after standard output was claimed

    done = 0

    def step() -> None:
        nonlocal done
        writer.send({"done": done})
        done += 1

    log = EngineLog()
    step()
    layers = [tensor for tensor in write_model(path) if not tensor.name.startswith("token_embd")]
    step()
    api.llama_backend_init()
    model_params = api.llama_model_default_params()
    model_params.n_gpu_layers, model_params.use_mmap = 0, False
    model = api.llama_model_load_from_file(str(path).encode("utf-8"), model_params)
    path.unlink()
    params = api.llama_context_default_params()
    params.n_ctx = params.n_batch = params.n_ubatch = 2 * _PROMPT_TOKENS
    params.n_threads = params.n_threads_batch = threads
    params.n_outputs_max, params.no_perf = 1, True
    context = api.llama_init_from_model(model, params) if model else None
    if not context:
        raise RuntimeError("".join(log.lines[-20:]))

    def seconds(tokens: int, times: int) -> float:
        ids = (api.llama_token * tokens)(*range(tokens))
        began = time.perf_counter()
        for _ in range(times):
            if api.llama_decode(context, api.llama_batch_get_one(ids, tokens)) != 0:
                raise RuntimeError("".join(log.lines[-20:]))
        return time.perf_counter() - began

    prompts, answers = [], []
    for _ in range(_ROUNDS):
        step()
        api.llama_memory_clear(api.llama_get_memory(context), True)
        prompts.append(seconds(_PROMPT_TOKENS, 1))
        answers.append(seconds(1, _ANSWER_TOKENS))
    weights = sum(tensor.shape[0] * tensor.shape[-1] for tensor in layers if len(tensor.shape) == 2)
    read = sum(tensor.size_bytes for tensor in layers)
    return {
        "answer_bytes_per_s": read * _ANSWER_TOKENS / min(answers[1:]),
        "prompt_weights_per_s": weights * _PROMPT_TOKENS / min(prompts[1:]),
    }
