"""The next token from the logits, in numpy.

llama.cpp's own chain builds and walks a list of the whole vocabulary for every token. With Gemma's 262,144 entries that
costs milliseconds, several times what the rest of our overhead does (measured by tests/benchmarks/engine.py). Here one
vectorized pass drops what no sampler could choose, and the usual steps run on the few hundred candidates left.

Order and meaning are llama.cpp's: repetition penalty, top-k, top-p, min-p, temperature, draw.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from app.base.errors import AppError
from app.inference.engine.messages import Sampling

# A candidate e^-20 as likely as the best one: 262,144 of them together weigh less than 0.06 %.
NEGLIGIBLE_LOGIT_GAP = 20.0

Logits = npt.NDArray[np.float32]  # [vocabulary]
Ids = npt.NDArray[np.intp]


class Grammar(Protocol):
    """Which tokens may come next. `allowed` does not change its state; `accept` moves it on."""

    def allowed(self, ids: Ids) -> npt.NDArray[np.bool_]: ...
    def accept(self, token: int) -> None: ...


class Sampler:
    """Chooses tokens for one answer. Not thread-safe; `seed` makes the draws repeatable (PCG64)."""

    def __init__(self, sampling: Sampling, seed: int, grammar: Grammar | None = None) -> None:
        self._sampling = sampling
        self._random = np.random.default_rng(seed)
        self._grammar = grammar

    def choose(self, logits: Logits, recent: Sequence[int]) -> int:
        """The next token id. `logits` is changed in place (penalties); `recent` are the tokens before, oldest first.

        Raises AppError("decode_failed") when the model computed no numbers: damaged weights do that.
        """
        sampling = self._sampling
        if sampling.repeat_penalty != 1.0 and sampling.repeat_window > 0:
            _penalize(logits, recent[-sampling.repeat_window :], sampling.repeat_penalty)
        if not np.isfinite(logits.max()):
            raise AppError("decode_failed", status="NaN")
        if self._grammar is None and sampling.temperature <= 0:
            return int(logits.argmax())
        ids = self._candidates(logits)
        if sampling.temperature <= 0:
            return int(ids[logits[ids].argmax()])
        return self._draw(ids, logits[ids])

    def accept(self, token: int) -> None:
        """Tells the grammar, if there is one, that this token was taken."""
        if self._grammar is not None:
            self._grammar.accept(token)

    def _candidates(self, logits: Logits) -> Ids:
        """The ids worth looking at; under a grammar only those it accepts, from the whole vocabulary if need be."""
        ids = self._likely(logits)
        if self._grammar is None:
            return ids
        accepted = ids[self._grammar.allowed(ids)]
        if accepted.size == 0:
            every = np.arange(logits.size)
            accepted = every[self._grammar.allowed(every)]
        if accepted.size == 0:
            raise AppError("grammar_invalid", reason="no token continues it")
        return accepted

    def _likely(self, logits: Logits) -> Ids:
        """With top-k: the smallest of nested sets that holds the k most likely. Without: all but the negligible."""
        best = logits.max()
        if self._sampling.top_k > 0 and self._grammar is None:  # a grammar decides before top-k counts
            for gap in (4.0, 8.0, 16.0):
                ids = np.flatnonzero(logits >= best - gap)
                if ids.size >= self._sampling.top_k:
                    return ids
        return np.flatnonzero(logits >= best - NEGLIGIBLE_LOGIT_GAP * max(1.0, self._sampling.temperature))

    def _draw(self, ids: Ids, logits: Logits) -> int:
        sampling = self._sampling
        order = np.argsort(-logits, kind="stable")
        if sampling.top_k > 0:
            order = order[: sampling.top_k]
        ids, logits = ids[order], logits[order]
        probabilities = _softmax(logits)
        keep = np.ones(ids.size, dtype=bool)
        if sampling.top_p < 1.0:
            keep &= np.cumsum(probabilities) - probabilities < sampling.top_p
        if sampling.min_p > 0.0:
            keep &= probabilities >= sampling.min_p * probabilities[0]
        keep[0] = True
        ids, logits = ids[keep], logits[keep]
        return int(self._random.choice(ids, p=_softmax(logits / sampling.temperature)))


def _penalize(logits: Logits, recent: Sequence[int], penalty: float) -> None:
    """The repetition penalty of Keskar et al. 2019 (CTRL), as in llama.cpp: once a token, however often it occurred."""
    ids = np.unique(np.asarray(recent, dtype=np.intp))
    values = logits[ids]
    logits[ids] = np.where(values > 0, values / penalty, values * penalty)


def _softmax(logits: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float64]:
    weights = np.exp(logits.astype(np.float64) - logits.max())
    normalized: npt.NDArray[np.float64] = weights / weights.sum()
    return normalized
