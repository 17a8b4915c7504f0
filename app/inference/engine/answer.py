"""The life of one answer: read the prompt, then one token after the other until something ends it."""

import time
from typing import Protocol

import numpy as np
import numpy.typing as npt

from app.inference.engine.backend import Cancellation, Emit
from app.inference.engine.messages import Ask, Done, PromptProgress, Timings, Token, Usage
from app.inference.engine.sampler import Sampler
from app.inference.engine.text_stream import TextStream


class Aborted(Exception):  # noqa: N818  not an error: the user asked for it
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


class Answer:
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
                raise Aborted
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
