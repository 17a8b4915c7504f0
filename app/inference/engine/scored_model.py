"""Measure a model: the likelihood of given tokens, the token ids of prompts, and greedy answers.

Only trained places get a row of logits, at most `ROWS_BYTES` of them at a time: with a vocabulary of 262,144 a row is 1
MiB, and an example of 1,000 tokens would take 1 GiB twice (llama.cpp's graph, and its output).

Reading in parts changes nothing: without flash attention, whose kernels depend on the batch size, and with no batch of
only a few tokens, the parts give bit for bit what the whole would.
"""

import ctypes
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from app.base.errors import AppError
from app.inference import gguf
from app.inference.engine.generation import TextStream
from app.inference.engine.llama import api
from app.inference.engine.native_model import NativeModel
from app.inference.machine import default_threads
from app.inference.prompts import Segment

BATCH_TOKENS = 512
LEAST_TOKENS = 8  # with fewer, llama.cpp multiplies quantized weights by another kernel
ROWS_BYTES = 64 << 20
MAX_ROWS = 256

Floats = npt.NDArray[np.float32]


class ScoredModel(NativeModel):
    """Runs a model on the CPU or a GPU, as the engine does. It reads texts after `open`; `close` frees it."""

    def __init__(self, path: Path, adapter: str, strength: float = 1.0) -> None:
        """Load the model. `adapter`: a GGUF file, "" for none. `strength`: the adapter's, from 0 to 2.

        Raises AppError: the codes of `gguf.check_model` and `check_adapter`, model_unreadable, adapter_unreadable.
        """
        self.header = gguf.check_model(path, every_token=False)
        if adapter:
            gguf.check_adapter(Path(adapter), self.header)  # llama.cpp would accept any, and crash
        super().__init__()
        params = api.llama_model_default_params()
        params.use_extra_bufts = False  # True would copy the weights into another layout
        params.n_gpu_layers = -1
        try:
            self._load(str(path), params)
            self._adapters = [self._load_adapter(adapter)] if adapter else []
        except AppError:
            self.close()
            raise
        self._strength = strength
        self.vocabulary = api.llama_vocab_n_tokens(self._vocabulary)
        self.rows = max(1, min(MAX_ROWS, ROWS_BYTES // (4 * self.vocabulary)))

    def open(self, read_tokens: int, answer_tokens: int = 0) -> None:
        """Make the context.

        `read_tokens`: tokens of the longest text to read. `answer_tokens`: tokens of the longest prompt with its
        answer, cut to the model's context. Raises AppError: context_failed, context_full (a text is longer than the
        model's context).
        """
        trained = self.header.context_length or max(read_tokens, answer_tokens)
        if read_tokens > trained:
            raise AppError("context_full", prompt_tokens=read_tokens, context_tokens=trained)
        self.context_tokens = max(read_tokens, min(answer_tokens, trained))
        params = api.llama_context_default_params()
        params.n_ctx = self.context_tokens
        params.n_batch = params.n_ubatch = min(BATCH_TOKENS, self.context_tokens)
        params.n_threads = params.n_threads_batch = default_threads()
        params.n_outputs_max = self.rows
        params.flash_attn_type = api.LLAMA_FLASH_ATTN_TYPE_DISABLED
        params.swa_full = True
        params.no_perf = True
        self._open(params)
        self.batch_tokens = api.llama_n_batch(self._context)
        self._marks = (ctypes.c_int8 * self.batch_tokens)()
        if self._adapters:
            self._set_adapters(self._adapters, [self._strength])

    # ------------------------------------------------------------------- likelihood

    def log_probabilities(
        self, ids: tuple[int, ...], places: tuple[int, ...], report: Callable[[int], None]
    ) -> Iterator[Floats]:
        """Yield for each of `places` (ascending, from 1) the log-probabilities of all tokens there, [vocabulary].

        Each array is valid until the next one. `report` is called with the number of tokens of each batch. Raises
        AppError("score_failed").
        """
        self._clear()
        wanted = {place - 1 for place in places}
        last = max(wanted) + 1  # later tokens predict nothing
        begin = 0
        while begin < last:
            end = self._end_of_batch(begin, last, wanted)
            marks = [at in wanted for at in range(begin, end)]
            self._decode(ids[begin:end], marks)
            report(end - begin)
            yield from map(_log_softmax, self._rows(sum(marks)))
            begin = end

    def _end_of_batch(self, begin: int, stop: int, logit_indices: set[int]) -> int:
        """Return the end of the next batch, which leaves at least LEAST_TOKENS for the last one if possible.

        `stop`: the end of all batches. `logit_indices`: the indices whose logits are needed.
        """
        end = self._end_of_fitting_tokens(begin, stop, logit_indices)
        missing = LEAST_TOKENS - (stop - end)
        return end - missing if end < stop and 0 < missing <= end - begin - LEAST_TOKENS else end

    def _end_of_fitting_tokens(self, begin: int, stop: int, logit_indices: set[int]) -> int:
        """Return the index after the last token from `begin` on that fits into one batch.

        A batch has at most `batch_tokens` tokens, and at most `rows` of them may need logits.
        """
        rows = 0
        full: int = min(stop, begin + self.batch_tokens)
        for at in range(begin, full):
            rows += at in logit_indices
            if rows > self.rows:
                return at
        return full

    def _rows(self, count: int) -> Floats:
        """Return the logits of the last decode, [count, vocabulary], as a view into llama.cpp's buffer."""
        if not count:
            return np.empty((0, self.vocabulary), np.float32)
        address = ctypes.addressof(api.llama_get_logits(self._context).contents)
        raw = (ctypes.c_float * (count * self.vocabulary)).from_address(address)
        return np.frombuffer(raw, np.float32).reshape(count, self.vocabulary)

    def _decode(self, ids: tuple[int, ...], marks: list[bool]) -> None:
        """Evaluate tokens. `marks`: which of them get a row of logits."""
        tokens = (api.llama_token * len(ids))(*ids)  # the batch only points to it
        batch = api.llama_batch_get_one(tokens, len(ids))
        self._marks[: len(ids)] = marks
        batch.logits = self._marks
        status = api.llama_decode(self._context, batch)
        if status != 0:
            raise AppError("score_failed", status=status)

    # ---------------------------------------------------------------- text and back

    def ids_of(self, segments: tuple[Segment, ...]) -> tuple[int, ...]:
        """Return the token ids of a prompt as the engine tokenizes it."""
        return tuple(self.prompt_tokens(segments))

    def text_of(self, ids: tuple[int, ...]) -> str:
        """Return the text of token ids, without control tokens."""
        return b"".join(map(self.piece, ids)).decode("utf-8", "replace")

    # ----------------------------------------------------------------------- answer

    def answer(
        self, prompt: tuple[int, ...], limit: int, ends: frozenset[int] | None, stop: tuple[str, ...]
    ) -> tuple[str, str, int, float]:
        """Generate an answer of at most `limit` tokens, choosing the likeliest token each time.

        `ends`: token ids that end the answer besides the model's own; None: no token ends it. Return the text, the
        reason (end | stop | limit), the number of tokens, and the seconds that generating them took.
        """
        self._clear()
        for begin in range(0, len(prompt), self.batch_tokens):
            part = prompt[begin : begin + self.batch_tokens]
            self._decode(part, [begin + at == len(prompt) - 1 for at in range(len(part))])
        stream, text, count, began = TextStream(stop), "", 0, time.perf_counter()
        ended_by = "limit"
        while count < min(limit, self.context_tokens - len(prompt)):
            token = int(self._rows(1)[0].argmax())
            if ends is not None and (token in ends or self.is_end(token)):
                ended_by = "end"
                break
            count += 1
            text += stream.push(self.piece(token))
            if stream.is_stopped:
                ended_by = "stop"
                break
            self._decode((token,), [True])
        return text + stream.flush(), ended_by, count, time.perf_counter() - began


def _log_softmax(row: Floats) -> Floats:
    shifted: Floats = row - row.max()
    shifted -= np.float32(np.log(np.exp(shifted).sum(dtype=np.float64)))
    return shifted
