"""llama.cpp's side of the proofs: token ids and logits of a GGUF file, and the numbers of the comparison."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import numpy.typing as npt

from app.engine.llama import api

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
        parameters = api.llama_context_default_params()
        parameters.n_ctx = parameters.n_batch = parameters.n_ubatch = parameters.n_outputs_max = 256
        context = api.llama_init_from_model(self._handle, parameters)
        batch = api.llama_batch_init(len(sequence), 0, 1)
        try:
            batch.n_tokens = len(sequence)
            for place, token in enumerate(sequence):
                batch.token[place], batch.pos[place], batch.logits[place] = int(token), place, 1
                batch.n_seq_id[place], batch.seq_id[place][0] = 1, 0
            assert api.llama_decode(context, batch) == 0
            size = api.llama_vocab_n_tokens(self._vocabulary)
            return np.ctypeslib.as_array(api.llama_get_logits(context), (len(sequence), size)).copy()
        finally:
            api.llama_batch_free(batch)
            api.llama_free(context)


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
        for tensor in gguf.GGUFReader(path).tensors
    }


def metadata(path: Path) -> dict[str, Any]:
    return {key: field.contents() for key, field in gguf.GGUFReader(path).fields.items()}
