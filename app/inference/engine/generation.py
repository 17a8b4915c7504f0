"""Hold one answer while it is written: choose one token after the other until something ends it.

`TextStream` keeps stop strings out of the text. `Sampler` chooses
tokens in numpy: llama.cpp's own chain builds and walks a list of the whole vocabulary for every token, which costs
milliseconds with Gemma's 262,144 entries, several times the rest of our overhead (measured by
tests/benchmarks/engine.py). Here one vectorized pass drops tokens that no sampler could choose, and the usual steps run
on the few hundred candidates left. The steps have the order and meaning of llama.cpp: repetition penalty, top-k, top-p,
min-p, temperature, draw.
"""

import codecs
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from app.base.errors import AppError
from app.inference import thoughts
from app.inference.engine.backend import Emit
from app.inference.engine.messages import Ask, Done, PromptProgress, Sampling, Thought, Timings, Token, Usage


class TextStream:
    """Passes text on up to a stop string. Text that may begin one waits until that is decided."""

    def __init__(self, stop: Sequence[str] = ()) -> None:
        self._stop = tuple(text for text in stop if text)
        self._pending = ""
        self.is_stopped = False

    def push(self, text: str) -> str:
        """Add a piece and return the text to show now; "" once `is_stopped` is true."""
        if self.is_stopped:
            return ""
        self._pending += text
        found = min((at for at in map(self._pending.find, self._stop) if at >= 0), default=-1)
        if found >= 0:
            self.is_stopped = True
            ready, self._pending = self._pending[:found], ""
            return ready
        kept = max((thoughts.overlap(self._pending, stop) for stop in self._stop), default=0)
        ready = self._pending[: len(self._pending) - kept]
        self._pending = self._pending[len(ready) :]
        return ready

    def flush(self) -> str:
        """Return the text held back as a possible stop string."""
        ready, self._pending = self._pending, ""
        return "" if self.is_stopped else ready


# Tokens less than e^-20 times as likely as the best are dropped: 262,144 of them together weigh less than 0.06 %.
NEGLIGIBLE_LOGIT_GAP = 20.0

Logits = npt.NDArray[np.float32]  # [vocabulary]
Ids = npt.NDArray[np.intp]


class GrammarProtocol(Protocol):
    """Decides which tokens may come next. `allowed` does not change its state; `accept` advances it."""

    def allowed(self, ids: Ids) -> npt.NDArray[np.bool_]: ...
    def accept(self, token: int) -> None: ...
    def close(self) -> None: ...


class Sampler:
    """Chooses the tokens of one answer. Not thread-safe; `seed` makes the draws repeatable (PCG64)."""

    def __init__(self, sampling: Sampling, seed: int, grammar: GrammarProtocol | None = None) -> None:
        self.seed = seed
        self._sampling = sampling
        self._random = np.random.default_rng(seed)
        self._grammar = grammar

    def choose(self, logits: Logits, recent: Sequence[int]) -> int:
        """Return the next token id. `logits` is changed in place (penalties); `recent`: earlier tokens, oldest first.

        Raises AppError("decode_failed") if the logits are not finite, as damaged weights cause.
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
        """Advance the grammar, if there is one, by the chosen token."""
        if self._grammar is not None:
            self._grammar.accept(token)

    def close(self) -> None:
        if self._grammar is not None:
            self._grammar.close()
            self._grammar = None

    def _candidates(self, logits: Logits) -> Ids:
        """Return the ids of the likely tokens; with a grammar, of the allowed ones, even if none of them is likely."""
        ids = self._likely_ids(logits)
        if self._grammar is None:
            return ids
        accepted = ids[self._grammar.allowed(ids)]
        if accepted.size == 0:
            every = np.arange(logits.size)
            accepted = every[self._grammar.allowed(every)]
        if accepted.size == 0:
            raise AppError("grammar_invalid", reason="no token continues it")
        return accepted

    def _likely_ids(self, logits: Logits) -> Ids:
        """Return the ids of all tokens whose logit is within a gap of the best one.

        With top-k, use the smallest gap of 4, 8 and 16 that leaves at least k tokens; otherwise NEGLIGIBLE_LOGIT_GAP,
        times the temperature if that is above 1.
        """
        best = logits.max()
        if self._sampling.top_k > 0 and self._grammar is None:  # a grammar filters before top-k
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
    """Change `logits` in place by the repetition penalty of CTRL (Keskar and others, 2019), as llama.cpp does.

    A token is penalized once, however often it occurred.
    """
    ids = np.unique(np.asarray([token for token in recent if token >= 0], dtype=np.intp))  # others are of pictures
    values = logits[ids]
    logits[ids] = np.where(values > 0, values / penalty, values * penalty)


def _softmax(logits: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float64]:
    weights = np.exp(logits.astype(np.float64) - logits.max())
    normalized: npt.NDArray[np.float64] = weights / weights.sum()
    return normalized


@dataclass(frozen=True, slots=True)
class Shown:
    """A part of a picture between tokens of a prompt. `ids`: one for each position.

    `chunk`: libmtmd's pointer to it (`app.inference.engine.picture_reader`).
    """

    chunk: Any
    ids: list[int]
    tokens: int  # that it takes in the cache, which can be more than its positions


class Answer:
    """An answer that is being written. `tokens` are the ids of its prompt and, after them, of the answer.

    `ended_by`: end | stop | length | thoughts | context | cancelled | failed; "" before the end. For "failed",
    `error` is set.
    """

    def __init__(
        self,
        command: Ask,
        prompt: list[int],
        sampler: Sampler,
        is_end: Callable[[int], bool],
        is_cancelled: Callable[[], bool],
        emit: Emit,
    ) -> None:
        """Prepare the answer. `is_end`: whether a token ends it. `emit` gets PromptProgress and Token events."""
        self.command = command
        self.tokens = prompt
        self.ends: Sequence[int] = ()  # numbers of its first tokens after which a batch ends
        self.shown: dict[int, Shown] = {}  # parts of pictures, by the place of their first id among `tokens`
        self.is_cancelled = is_cancelled
        self.ended_by = ""
        self.error: AppError | None = None
        self.decoded_s = 0.0  # seconds that the model has spent decoding so far, for all answers
        self._prompt_tokens = len(prompt)
        self._sampler = sampler
        self._is_end = is_end
        self._emit = emit
        # A character may be split over tokens. Bytes that never become UTF-8 are left out.
        self._characters = codecs.getincrementaldecoder("utf-8")("ignore")
        self._thoughts = thoughts.ThoughtStream(thoughts.begins_open(command.prompt))
        self._thought_tokens = 0
        self._thought_s = 0.0
        self._stream = TextStream(command.stop)
        self._received = time.perf_counter()
        self._cached = 0
        self._prompt_s = self._first_token_s = 0.0
        self.answer_s = 0.0  # seconds from the end of reading the prompt to the end of the answer
        self._decode_s = self._reading_since = self._writing_since = 0.0

    @property
    def count(self) -> int:
        """Return the number of tokens of the answer so far."""
        return len(self.tokens) - self._prompt_tokens

    def begin(self, cached: int) -> None:
        """Begin to read the prompt, of which the cache holds the first `cached` tokens."""
        self._cached = cached
        self._reading_since = time.perf_counter()
        self.report_read(cached)

    def report_read(self, place: int) -> None:
        """Report that the prompt is read up to this place."""
        total = self._prompt_tokens - self._cached
        self._emit(PromptProgress(self.command.id, place - self._cached, total))

    def begin_writing(self, decoded_s: float) -> None:
        """Begin to write. `decoded_s`: seconds that the model has spent decoding so far."""
        self._writing_since = time.perf_counter()
        self._prompt_s = self._writing_since - self._reading_since
        self._decode_s = decoded_s

    def choose(self, logits: Logits, spell: Callable[[int], tuple[bytes, str]], context_tokens: int) -> None:
        """Choose the next token, and end the answer if it ends with it.

        `spell` returns a token's bytes, or the name of a control token.
        """
        if self.command.max_tokens < 1:
            self.end("length")
            return
        try:
            token = self._sampler.choose(logits, self.tokens)
        except AppError as error:
            self.error = error
            self.end("failed")
            return
        if self._is_end(token):
            self.end("end")
            return
        self._sampler.accept(token)
        self.tokens.append(token)
        if self.count == 1:
            self._first_token_s = time.perf_counter() - self._received
        text, control = spell(token)
        self._show(self._thoughts.push(control or self._characters.decode(text), is_control=bool(control)))
        if self._thoughts.is_thinking:
            self._thought_tokens += 1
            self._thought_s = time.perf_counter() - self._writing_since
        if reason := self._reason_to_end(context_tokens):
            self.end(reason)

    def end(self, reason: str) -> None:
        self.ended_by = reason
        if self._writing_since:
            self.answer_s = time.perf_counter() - self._writing_since
            self._decode_s = self.decoded_s - self._decode_s
        self._show(self._thoughts.flush())
        self._send(self._stream.flush())
        self._sampler.close()

    def done_event(self, threads: int) -> Done:
        usage = Usage(self._prompt_tokens, self._cached, self.count, self._thought_tokens)
        timings = Timings(self._prompt_s, self._first_token_s, self.answer_s, self._decode_s, threads, self._thought_s)
        return Done(self.command.id, self.ended_by, usage, timings, self._sampler.seed)

    def _show(self, pieces: Iterable[tuple[str, bool]]) -> None:
        for text, is_thought in pieces:
            if is_thought:
                self._emit(Thought(self.command.id, text))
            else:
                self._send(self._stream.push(text))

    def _send(self, text: str) -> None:
        if text:
            self._emit(Token(self.command.id, text))

    def _reason_to_end(self, context_tokens: int) -> str:
        if self._stream.is_stopped:
            return "stop"
        if self.is_cancelled():
            return "cancelled"
        if self._thoughts.is_thinking and self._thought_tokens >= self.command.thought_tokens:
            return "thoughts"
        if self.count - self._thought_tokens >= self.command.max_tokens:
            return "length"
        used = len(self.tokens) + sum(one.tokens - len(one.ids) for one in self.shown.values())
        return "context" if used >= context_tokens else ""
