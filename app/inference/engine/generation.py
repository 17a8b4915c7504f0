"""The life of one answer: read the prompt, then one token after the other until something ends it.

Bytes of tokens into text that can be shown: whole characters only, and nothing of a stop string.

The next token from the logits, in numpy.

llama.cpp's own chain builds and walks a list of the whole vocabulary for every token. With Gemma's 262,144 entries that
costs milliseconds, several times what the rest of our overhead does (measured by tests/benchmarks/engine.py). Here one
vectorized pass drops what no sampler could choose, and the usual steps run on the few hundred candidates left.

Order and meaning are llama.cpp's: repetition penalty, top-k, top-p, min-p, temperature, draw.
"""

import codecs
import time
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from app.base.errors import AppError
from app.inference.engine.backend import Cancellation, Emit
from app.inference.engine.messages import Ask, Done, PromptProgress, Sampling, Timings, Token, Usage


class TextStream:
    """Feed token bytes with `push`; it returns the text that is safe to show.

    A character split over tokens waits for its last byte. Text that may be the beginning of a stop string waits
    until it is or is not one. Bytes that never become UTF-8 are left out: U+FFFD is never produced.
    """

    def __init__(self, stop: Sequence[str] = ()) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("ignore")
        self._stop = tuple(text for text in stop if text)
        self._held = ""
        self.is_stopped = False

    def push(self, piece: bytes) -> str:
        """The text to show now. After `is_stopped` has become true, always ""."""
        if self.is_stopped:
            return ""
        self._held += self._decoder.decode(piece)
        found = min((at for at in map(self._held.find, self._stop) if at >= 0), default=-1)
        if found >= 0:
            self.is_stopped = True
            ready, self._held = self._held[:found], ""
            return ready
        keep = self._possible_stop_length()
        ready = self._held[: len(self._held) - keep]
        self._held = self._held[len(self._held) - keep :]
        return ready

    def flush(self) -> str:
        """What was held back for a stop string that did not come. Half a character is dropped."""
        ready, self._held = self._held, ""
        return "" if self.is_stopped else ready

    def _possible_stop_length(self) -> int:
        """How many characters at the end are the beginning of a stop string."""
        longest = max((len(text) for text in self._stop), default=1) - 1
        for length in range(min(longest, len(self._held)), 0, -1):
            if any(text.startswith(self._held[-length:]) for text in self._stop):
                return length
        return 0


# A candidate e^-20 as likely as the best one: 262,144 of them together weigh less than 0.06 %.
NEGLIGIBLE_LOGIT_GAP = 20.0

Logits = npt.NDArray[np.float32]  # [vocabulary]
Ids = npt.NDArray[np.intp]


class GrammarProtocol(Protocol):
    """Which tokens may come next. `allowed` does not change its state; `accept` moves it on."""

    def allowed(self, ids: Ids) -> npt.NDArray[np.bool_]: ...
    def accept(self, token: int) -> None: ...


class Sampler:
    """Chooses tokens for one answer. Not thread-safe; `seed` makes the draws repeatable (PCG64)."""

    def __init__(self, sampling: Sampling, seed: int, grammar: GrammarProtocol | None = None) -> None:
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


class DecodeAborted(Exception):  # noqa: N818  not an error: the user asked for it
    """A decode stopped because the command was cancelled."""


class Decoder(Protocol):
    """The part of a backend that an answer needs. `tokens` is what the cache holds; `append` evaluates more."""

    tokens: list[int]
    threads: int
    batch_tokens: int
    context_tokens: int
    decode_s: float  # seconds inside llama_decode so far

    def append(self, tokens: list[int]) -> None: ...
    def logits(self) -> npt.NDArray[np.float32]: ...
    def piece(self, token: int) -> bytes: ...
    def is_end(self, token: int) -> bool: ...


class GenerationLoop:
    """One Ask in progress. Raises Aborted out of `read_prompt` and `write` when cancelled during a decode."""

    def __init__(
        self, decoder: Decoder, command: Ask, sampler: Sampler, cancellation: Cancellation, emit: Emit, received: float
    ) -> None:
        """`received`: time.perf_counter() when the command was taken up; timings count from there."""
        self._decoder = decoder
        self._command = command
        self._sampler = sampler
        self._cancellation = cancellation
        self._emit = emit
        self._received = received
        self._stream = TextStream(command.stop)
        self._count = 0
        self._prompt_s = self._first_token_s = self._answer_s = self._decode_s = 0.0

    def read_prompt(self, prompt: list[int]) -> None:
        """Evaluates what the cache does not hold yet, a batch at a time."""
        started = time.perf_counter()
        decoder = self._decoder
        begin = len(decoder.tokens)
        self._emit(PromptProgress(self._command.id, 0, len(prompt) - begin))
        for at in range(begin, len(prompt), decoder.batch_tokens):
            if self._cancellation.is_set:
                raise DecodeAborted
            decoder.append(prompt[at : at + decoder.batch_tokens])
            done = len(decoder.tokens) - begin
            self._emit(PromptProgress(self._command.id, done, len(prompt) - begin))
        self._prompt_s = time.perf_counter() - started

    def write(self) -> str:
        """Streams the answer. Returns why it ended: end | stop | length | context | cancelled."""
        decoder = self._decoder
        started, decoded_s = time.perf_counter(), decoder.decode_s
        try:
            while True:
                token = self._sampler.choose(decoder.logits(), decoder.tokens)
                if decoder.is_end(token):
                    return "end"
                self._take(token)
                reason = self._reason_to_end()
                if reason:
                    return reason
                decoder.append([token])
        finally:
            self._answer_s = time.perf_counter() - started
            self._decode_s = decoder.decode_s - decoded_s
            self._send(self._stream.flush())

    def done(self, reason: str, prompt_tokens: int, cached_tokens: int, seed: int) -> Done:
        usage = Usage(prompt_tokens, cached_tokens, self._count)
        timings = Timings(self._prompt_s, self._first_token_s, self._answer_s, self._decode_s, self._decoder.threads)
        return Done(self._command.id, reason, usage, timings, seed)

    def _take(self, token: int) -> None:
        self._sampler.accept(token)
        self._count += 1
        if self._count == 1:
            self._first_token_s = time.perf_counter() - self._received
        self._send(self._stream.push(self._decoder.piece(token)))

    def _send(self, text: str) -> None:
        if text:
            self._emit(Token(self._command.id, text))

    def _reason_to_end(self) -> str:
        if self._stream.is_stopped:
            return "stop"
        if self._cancellation.is_set:
            return "cancelled"
        if self._count >= self._command.max_tokens:
            return "length"
        if len(self._decoder.tokens) + 1 >= self._decoder.context_tokens:
            return "context"
        return ""
