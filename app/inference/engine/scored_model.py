"""Measure a model: the likelihood of given tokens, the token ids of prompts, and greedy answers.

Only trained places get a row of logits, at most `ROWS_BYTES` of them at a time: with a vocabulary of 262,144 a row is 1
MiB, and an example of 1,000 tokens would take 1 GiB twice (llama.cpp's graph, and its output).

Reading in parts changes nothing: without flash attention, whose kernels depend on the batch size, and with no batch of
only a few tokens, the parts give bit for bit what the whole would.

Answers are written several at a time, each in a sequence of its own, because one step reads the weights once for all.
They are fewer than LEAST_TOKENS, so that the kernel, and with it each answer, is the same as for one alone: of 20
answers of the trial model 20 were equal with 4 and 7 at a time, 10 with 8.
"""

import ctypes
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from app.base.errors import AppError
from app.inference import gguf, memory_estimate
from app.inference.engine.generation import TextStream
from app.inference.engine.llama import api
from app.inference.engine.model_jobs import ChatToScore
from app.inference.engine.native_model import NativeModel
from app.inference.prompts import Segment

BATCH_TOKENS = 512
LEAST_TOKENS = 8  # with fewer, llama.cpp multiplies quantized weights by another kernel
ROWS_BYTES = 64 << 20
MAX_ROWS = 256
SEQUENCES = LEAST_TOKENS - 1  # answers that are written at a time
CACHE_SHARE = 0.25  # of the free memory, for the key/value cache of all sequences

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class WrittenAnswer:
    """An answer. `ended_by`: end | stop | limit. `seconds`: from the end of reading the prompt to the answer's end."""

    text: str
    ended_by: str
    tokens: int
    seconds: float


@dataclass(slots=True)
class _Writing:
    """An answer that is being written. `place`: of the chat in the list. `length`: tokens in the cache."""

    place: int
    limit: int
    length: int
    stream: TextStream
    began: float = field(default_factory=time.perf_counter)
    token: int = 0  # the latest
    tokens: int = 0
    text: str = ""


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
        self._batch: Any = None
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

    def open(self, read_tokens: int, answer_tokens: int = 0, answers: int = 1) -> None:
        """Make the context.

        `read_tokens`: tokens of the longest text to read. `answer_tokens`: tokens of the longest prompt with its
        answer, cut to the model's context. `answers`: their number, of which up to SEQUENCES are written at a time if
        the memory suffices. Raises AppError: context_failed, context_full (a text is longer than the model's context).
        """
        trained = self.header.context_length or max(read_tokens, answer_tokens)
        if read_tokens > trained:
            raise AppError("context_full", prompt_tokens=read_tokens, context_tokens=trained)
        self.context_tokens = max(read_tokens, min(answer_tokens, trained))
        cache = memory_estimate.estimate_memory(self.header, self.context_tokens).kv_bytes
        affordable = int(CACHE_SHARE * memory_estimate.available_memory_bytes() / max(1, cache))
        self.sequences = max(1, min(SEQUENCES, answers, affordable, self.rows))
        params = api.llama_context_default_params()
        params.n_ctx = self.context_tokens * self.sequences
        params.n_seq_max = self.sequences
        params.n_batch = params.n_ubatch = min(BATCH_TOKENS, max(self.context_tokens, self.sequences))
        params.n_outputs_max = self.rows
        params.flash_attn_type = api.LLAMA_FLASH_ATTN_TYPE_DISABLED
        params.swa_full = True
        params.no_perf = True
        self._open(params)
        self.batch_tokens = api.llama_n_batch(self._context)
        self._batch = api.llama_batch_init(self.batch_tokens, 0, 1)
        self._read: tuple[int, ...] = ()  # ids in the cache after `log_probabilities`
        if self._adapters:
            self._set_adapters(self._adapters, [self._strength])

    def close(self) -> None:
        if self._batch is not None:
            api.llama_batch_free(self._batch)
            self._batch = None
        super().close()

    # ------------------------------------------------------------------- likelihood

    def log_probabilities(
        self, ids: tuple[int, ...], places: tuple[int, ...], report: Callable[[int], None]
    ) -> Iterator[Floats]:
        """Yield for each of `places` (ascending, from 1) the log-probabilities of all tokens there, [vocabulary].

        Each array is valid until the next one. `report` is called with the number of tokens of each batch. Tokens with
        which the text before began as well are not evaluated again. Raises AppError("score_failed").
        """
        wanted = {place - 1 for place in places}
        last = max(wanted) + 1  # later tokens predict nothing
        begin = self._keep_common(ids, min(min(wanted), last - LEAST_TOKENS))
        if begin:
            report(begin)
        while begin < last:
            end = self._end_of_batch(begin, last, wanted)
            marks = [at in wanted for at in range(begin, end)]
            self._decode([(0, at, ids[at], mark) for at, mark in zip(range(begin, end), marks, strict=True)])
            self._read = ids[:end]
            report(end - begin)
            yield from map(_log_softmax, self._rows(sum(marks)))
            begin = end

    def _keep_common(self, ids: tuple[int, ...], most: int) -> int:
        """Keep in the cache at most the first `most` tokens, as far as `ids` begins with them; return their number."""
        both = enumerate(zip(ids, self._read, strict=False))
        common = next((at for at, (ours, theirs) in both if ours != theirs), min(len(ids), len(self._read)))
        common = max(0, min(common, most))
        if not common or not api.llama_memory_seq_rm(api.llama_get_memory(self._context), 0, common, -1):
            self._clear()
            common = 0
        self._read = ids[:common]
        return common

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

    def _decode(self, tokens: Sequence[tuple[int, int, int, bool]]) -> None:
        """Evaluate tokens. Each is (sequence, position in it, id, whether it gets a row of logits)."""
        batch = self._batch
        batch.n_tokens = len(tokens)
        for at, (sequence, position, token, has_row) in enumerate(tokens):
            batch.token[at], batch.pos[at], batch.logits[at] = token, position, has_row
            batch.n_seq_id[at] = 1
            batch.seq_id[at][0] = sequence
        self._adapt_threads()
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

    def write_answers(
        self, chats: Sequence[ChatToScore], ends: frozenset[int] | None, stop: tuple[str, ...]
    ) -> Iterator[tuple[int, WrittenAnswer]]:
        """Yield (place of the chat, its answer) as the answers end, with the likeliest token each time.

        `ends`: token ids that end an answer besides the model's own; None: no token ends it. `stop`: texts that end it.
        Raises AppError("score_failed").
        """
        self._clear()
        self._read = ()
        waiting = deque(enumerate(chats))
        writing: dict[int, _Writing] = {}  # by sequence
        while waiting or writing:
            chosen: list[tuple[int, int]] = []  # (sequence, token) of the answers that go on
            if writing:
                self._decode([(at, one.length, one.token, True) for at, one in writing.items()])
                chosen = list(zip(writing, self._rows(len(writing)).argmax(axis=1).tolist(), strict=True))
                for one in writing.values():
                    one.length += 1
            for sequence in set(range(self.sequences)) - writing.keys():
                if waiting:
                    place, chat = waiting.popleft()
                    token = self._read_prompt(sequence, chat.ids)
                    room = self.context_tokens - len(chat.ids)
                    writing[sequence] = _Writing(place, min(chat.limit, room), len(chat.ids), TextStream(stop))
                    chosen.append((sequence, token))
            for sequence, token in chosen:
                one = writing[sequence]
                if ended_by := self._end_of(one, token, ends):
                    seconds = time.perf_counter() - one.began
                    yield one.place, WrittenAnswer(one.text + one.stream.flush(), ended_by, one.tokens, seconds)
                    del writing[sequence]
                    api.llama_memory_seq_rm(api.llama_get_memory(self._context), sequence, -1, -1)

    def _read_prompt(self, sequence: int, ids: tuple[int, ...]) -> int:
        """Evaluate a prompt and return the likeliest token after it."""
        for begin in range(0, len(ids), self.batch_tokens):
            part = ids[begin : begin + self.batch_tokens]
            self._decode([(sequence, at, token, at == len(ids) - 1) for at, token in enumerate(part, start=begin)])
        return int(self._rows(1)[0].argmax())

    def _end_of(self, answer: _Writing, token: int, ends: frozenset[int] | None) -> str:
        """Add the next token to an answer. Return end, stop or limit if the answer ends with it, else ""."""
        if answer.limit < 1:
            return "limit"
        if ends is not None and (token in ends or self.is_end(token)):
            return "end"
        answer.token = token
        answer.tokens += 1
        answer.text += answer.stream.push(self.piece(token))
        if answer.stream.is_stopped:
            return "stop"
        return "limit" if answer.tokens >= answer.limit else ""


def _log_softmax(row: Floats) -> Floats:
    shifted: Floats = row - row.max()
    shifted -= np.float32(np.log(np.exp(shifted).sum(dtype=np.float64)))
    return shifted
