"""Likelihood and divergence by their definitions, in float64, from logits that llama.cpp computes of a whole text at
once: what the scoring child is held against. No code of the program's is used.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from llama_cpp import llama_cpp as api

Row = npt.NDArray[np.float64]  # log-probabilities, [vocabulary]
Text = tuple[tuple[int, ...], tuple[int, ...]]  # ids, and the places that are asked for (from 1)


def log_probabilities(path: Path, texts: Sequence[Text]) -> Iterator[Row]:
    """Of what stands at each place, text by text. Memory: 8 bytes a place of the longest text and token."""
    parameters = api.llama_model_default_params()
    parameters.n_gpu_layers, parameters.use_extra_bufts = 0, False
    model = api.llama_model_load_from_file(str(path).encode(), parameters)
    assert model, path
    try:
        for ids, places in texts:
            yield from _of_text(model, ids, places)
    finally:
        api.llama_model_free(model)


def _of_text(model: Any, ids: tuple[int, ...], places: tuple[int, ...]) -> Iterator[Row]:
    parameters = api.llama_context_default_params()
    parameters.n_ctx = parameters.n_batch = parameters.n_ubatch = parameters.n_outputs_max = len(ids)
    parameters.n_threads = parameters.n_threads_batch = 1
    parameters.flash_attn_type = api.LLAMA_FLASH_ATTN_TYPE_DISABLED
    parameters.swa_full = True
    context = api.llama_init_from_model(model, parameters)
    batch = api.llama_batch_init(len(ids), 0, 1)
    try:
        batch.n_tokens = len(ids)
        for at, token in enumerate(ids):
            batch.token[at], batch.pos[at], batch.logits[at] = token, at, at + 1 in places
            batch.n_seq_id[at], batch.seq_id[at][0] = 1, 0
        assert api.llama_decode(context, batch) == 0
        size = api.llama_vocab_n_tokens(api.llama_model_get_vocab(model))
        for place in places:
            logits = np.ctypeslib.as_array(api.llama_get_logits_ith(context, place - 1), (size,)).astype(np.float64)
            yield logits - _log_sum(logits)
    finally:
        api.llama_batch_free(batch)
        api.llama_free(context)


def divergence(p: Row, q: Row) -> float:
    """Kullback-Leibler divergence of q from p over all tokens, in nats."""
    return float(np.sum(np.exp(p) * (p - q)))


def divergence_of_likeliest(p: Row, q: Row, kept: int = 1024) -> float:
    """The same over the `kept` likeliest tokens of p and all others as one."""
    if kept >= len(p):
        return divergence(p, q)
    order = np.argpartition(p, -kept)
    first, others = order[-kept:], order[:-kept]
    return divergence(p[first], q[first]) + divergence(_log_sum(p[others]), _log_sum(q[others]))


def _log_sum(logs: Row) -> Row:
    highest = logs.max()
    return np.asarray(highest + np.log(np.exp(logs - highest).sum()))
