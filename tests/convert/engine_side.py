"""llama.cpp's side of the proofs: token ids and logits of a GGUF file, and the numbers of the comparison."""

import ctypes
import functools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import gguf
import numpy as np
import numpy.typing as npt

from app.inference.engine.llama import api

Floats = npt.NDArray[np.float32]


class Model:
    """A loaded GGUF file, on the CPU."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle
        self._vocabulary = api.llama_model_get_vocab(handle)

    def ids(self, text: str) -> list[int]:
        """With what the model adds by itself (BOS), as transformers' `encode` does."""
        data = text.encode("utf-8")
        room = (api.llama_token * (len(data) + 8))()
        count = api.llama_tokenize(self._vocabulary, data, len(data), room, len(room), True, False)
        assert count >= 0
        return list(room[:count])

    def logits(self, sequence: npt.NDArray[np.int32]) -> Floats:
        """(tokens,) -> (tokens, vocabulary): after each token of a sequence that starts at position 0."""
        with self._context() as context:
            self._decode(context, sequence.tolist(), 0, every=True)
            return np.stack([self._row(context, place) for place in range(len(sequence))])

    def greedy(self, prompt: str, count: int) -> list[int]:
        """The most likely answer, token by token; it ends before an end-of-turn token or after `count`."""
        with self._context() as context:
            ids, answer = self.ids(prompt), list[int]()
            self._decode(context, ids, 0, every=False)
            while len(answer) < count:
                token = int(self._row(context, -1).argmax())
                if api.llama_vocab_is_eog(self._vocabulary, token):
                    break
                answer.append(token)
                self._decode(context, [token], len(ids) + len(answer) - 1, every=False)
            return answer

    def text(self, ids: list[int]) -> str:
        room = ctypes.create_string_buffer(32 * len(ids) + 32)
        count = api.llama_detokenize(
            self._vocabulary, (api.llama_token * len(ids))(*ids), len(ids), room, len(room), True, False
        )
        return room.raw[:count].decode("utf-8", "replace")

    @contextmanager
    def _context(self) -> Iterator[Any]:
        parameters = api.llama_context_default_params()
        parameters.n_ctx = parameters.n_batch = parameters.n_ubatch = parameters.n_outputs_max = 256
        parameters.n_threads = parameters.n_threads_batch = 1
        context = api.llama_init_from_model(self._handle, parameters)
        try:
            yield context
        finally:
            api.llama_free(context)

    def _decode(self, context: Any, tokens: list[int], start: int, *, every: bool) -> None:
        """`every`: logits after each token instead of the last."""
        batch = api.llama_batch_init(len(tokens), 0, 1)
        batch.n_tokens = len(tokens)
        for place, token in enumerate(tokens):
            batch.token[place], batch.pos[place] = token, start + place
            batch.logits[place] = every or place == len(tokens) - 1
            batch.n_seq_id[place], batch.seq_id[place][0] = 1, 0
        code = api.llama_decode(context, batch)
        api.llama_batch_free(batch)
        assert code == 0

    def _row(self, context: Any, place: int) -> Floats:
        """A copy: the next decode overwrites it."""
        pointer = api.llama_get_logits_ith(context, place)
        return np.ctypeslib.as_array(pointer, (api.llama_vocab_n_tokens(self._vocabulary),)).copy()


@contextmanager
def loaded(path: Path) -> Iterator[Model]:
    parameters = api.llama_model_default_params()
    parameters.n_gpu_layers = 0
    handle = api.llama_model_load_from_file(str(path).encode(), parameters)
    assert handle, path
    try:
        yield Model(handle)
    finally:
        api.llama_model_free(handle)


def requantize(source: Path, target: Path, kind: str = "F16") -> None:
    """The same weights in another type (F16, BF16, Q8_0), by llama.cpp."""
    parameters = api.llama_model_quantize_default_params()
    parameters.ftype = getattr(api, f"LLAMA_FTYPE_MOSTLY_{kind}")
    parameters.allow_requantize = True
    assert api.llama_model_quantize(str(source).encode(), str(target).encode(), parameters) == 0


def top_1(reference: Floats, other: Floats) -> float:
    """Share of the places where both name the same token first."""
    return float(np.mean(reference.argmax(-1) == other.argmax(-1)))


def divergence(reference: Floats, other: Floats) -> float:
    """Mean Kullback-Leibler divergence of `other` from `reference`, in nats a token."""
    p, q = _log_softmax(reference), _log_softmax(other)
    return float(np.mean(np.sum(np.exp(p) * (p - q), axis=-1)))


def _log_softmax(logits: Floats) -> npt.NDArray[np.float64]:
    shifted = logits.astype(np.float64) - logits.max(-1, keepdims=True)
    result: npt.NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    return result


def largest_difference(one: Path, other: Path) -> float:
    """Over all tensors: the largest difference of an element, relative to the largest element of its tensor."""
    mine, theirs = tensors(one), tensors(other)
    assert mine.keys() == theirs.keys()
    return max(float(np.abs(mine[name] - theirs[name]).max() / np.abs(theirs[name]).max()) for name in mine)


def tensors(path: Path) -> dict[str, Floats]:
    return {
        tensor.name: gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        for tensor in _reader(path, path.stat().st_mtime_ns).tensors
    }


def metadata(path: Path) -> dict[str, Any]:
    return {key: field.contents() for key, field in _reader(path, path.stat().st_mtime_ns).fields.items()}


@functools.lru_cache(maxsize=3)
def _reader(path: Path, _changed_ns: int) -> gguf.GGUFReader:
    """Read through a plain array, as each piece of a `memmap` is another one: in less than half the time."""
    mapped = np.memmap
    with patch.object(np, "memmap", lambda *arguments, **named: mapped(*arguments, **named).view(np.ndarray)):
        return gguf.GGUFReader(path)
