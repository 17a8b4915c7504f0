"""Write answers, several at a time, each in a sequence of its own: one step reads the weights once for all of them.

There are fewer than LEAST_TOKENS of them, so that the kernel of the weights is the same as for one alone. So is each
answer with at most 256 tokens in the cache, or on one thread: of 20 answers of the trial model 20 were equal with 4 and
7 at a time, 10 with 8. Rounded otherwise than alone are: the attention of a single token beyond 256, which llama.cpp
splits among threads; an adapter's F16 matrices for several tokens; repacked weights for four and more; and a prompt
that was read in other parts, because the cache held its beginning (of 90 prompts that began alike up to 4 differed).
"""

import ctypes
import functools
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from app.base.errors import AppError
from app.inference.engine.generation import Answer, Shown
from app.inference.engine.llama import api
from app.inference.engine.native_model import NativeModel
from app.inference.prompts import common_length

LEAST_TOKENS = 8  # with fewer, llama.cpp multiplies quantized weights by another kernel
_ABORTED, _NO_KV_SLOT = 2, 1  # return values of llama_decode

Floats = npt.NDArray[np.float32]


class DecodeAborted(Exception):  # noqa: N818  not an error: the user cancelled
    """Reports that a decode has stopped because every running command was cancelled."""


class SequencedModel(NativeModel):
    """Holds a model whose context has one or several sequences, of `context_tokens` each."""

    failure_code = "decode_failed"

    def __init__(self) -> None:
        super().__init__()
        self._batch: Any = None
        self.progress = 0  # number of decodes
        self.decode_s = 0.0  # seconds inside llama_decode
        self.cached: list[list[int]] = []  # ids in the key/value cache by position, of each sequence

    def close(self) -> None:
        if self._batch is not None:
            api.llama_batch_free(self._batch)
            self._batch = None
        self.cached = []
        super().close()

    def _load(self, path: str, params: Any) -> None:
        super()._load(path, params)
        self.vocabulary_size = api.llama_vocab_n_tokens(self._vocabulary)

    def _open(self, params: Any, *, has_spare: bool = False) -> None:
        """Make the context. `params.n_ctx` is the length of one sequence. Raises AppError("context_failed").

        `has_spare`: beside the only sequence there is another, which can have a part of it at no cost.
        """
        self.sequences = params.n_seq_max
        params.n_ctx *= self.sequences
        if has_spare:
            params.n_seq_max = params.n_outputs_max = 2
            params.kv_unified = True
        super()._open(params)
        self.context_tokens = api.llama_n_ctx_seq(self._context)
        self.batch_tokens = api.llama_n_batch(self._context)
        self._batch = api.llama_batch_init(self.batch_tokens, 0, 1)
        self.cached = [[] for _ in range(self.sequences)]

    def _clear(self) -> None:
        super()._clear()
        self.cached = [[] for _ in self.cached]

    def _decode(self, tokens: Sequence[tuple[int, int, bool]]) -> None:
        """Evaluate tokens after those in the cache.

        Each is (sequence, id, whether it gets a row of logits). Raises DecodeAborted, after which the cache is as
        before, and AppError: context_full, decode_failed.
        """
        batch = self._batch
        ends = [len(ids) for ids in self.cached]
        batch.n_tokens = len(tokens)
        for at, (sequence, token, has_row) in enumerate(tokens):
            batch.token[at], batch.pos[at], batch.logits[at] = token, ends[sequence], has_row
            batch.n_seq_id[at] = 1
            batch.seq_id[at][0] = sequence
            ends[sequence] += 1
        self._evaluate(tokens, lambda: api.llama_decode(self._context, batch))

    def _evaluate(self, tokens: Sequence[tuple[int, int, bool]], evaluate: Callable[[], int]) -> None:
        """Call `evaluate`, which returns what llama_decode does, and note these tokens in `cached`; see `_decode`."""
        self._adapt_threads()
        began = time.perf_counter()
        status = evaluate()
        self.decode_s += time.perf_counter() - began
        self.progress += 1
        if status == 0:
            for sequence, token, _ in tokens:
                self.cached[sequence].append(token)
        elif status == _ABORTED:
            for sequence in {sequence for sequence, *_ in tokens}:
                self._keep(sequence, len(self.cached[sequence]))
            raise DecodeAborted
        elif status == _NO_KV_SLOT:
            needed = max(len(self.cached[sequence]) for sequence, *_ in tokens) + 1
            raise AppError("context_full", prompt_tokens=needed, context_tokens=self.context_tokens)
        else:
            self._clear()
            raise AppError(self.failure_code, status=status)

    def _rows(self, count: int) -> Floats:
        """Return the logits of the last decode, [count, vocabulary], as a view into llama.cpp's buffer."""
        if not count:
            return np.empty((0, self.vocabulary_size), np.float32)
        address = ctypes.addressof(api.llama_get_logits(self._context).contents)
        raw = (ctypes.c_float * (count * self.vocabulary_size)).from_address(address)
        return np.frombuffer(raw, np.float32).reshape(count, self.vocabulary_size)

    def _keep(self, sequence: int, count: int) -> None:
        """Keep the first `count` tokens of a sequence. Recurrent models cannot go back: they keep none."""
        memory = api.llama_get_memory(self._context)
        if not api.llama_memory_seq_rm(memory, sequence, count, -1):
            api.llama_memory_seq_rm(memory, sequence, -1, -1)
            count = 0
        del self.cached[sequence][count:]

    def _keep_common(self, sequence: int, ids: Sequence[int], most: int) -> int:
        """Keep at most the first `most` tokens of a sequence, as far as `ids` begins with them; return their number."""
        self._keep(sequence, min(most, common_length(self.cached[sequence], ids)))
        return len(self.cached[sequence])

    def _choose_sequence(self, prompt: Sequence[int], taken: Collection[int]) -> int:
        """Return the free sequence with at least half of the prompt in its cache, else the one with the fewest tokens.

        So a conversation finds its beginning again after others.
        """
        free = [sequence for sequence in range(self.sequences) if sequence not in taken]
        common = {sequence: common_length(self.cached[sequence], prompt) for sequence in free}
        best = max(free, key=common.__getitem__)
        return best if 2 * common[best] >= len(prompt) else min(free, key=lambda at: len(self.cached[at]))

    def write(self, next_answer: Callable[[], Answer | None]) -> Iterator[Answer]:
        """Yield answers as they end. `next_answer` is called when a sequence is free; None: there is none now.

        Raises AppError("decode_failed") if a decode fails, which ends all answers.
        """
        writing: dict[int, Answer] = {}  # by sequence
        try:
            while (answer := next_answer() if len(writing) < self.sequences else None) is not None or writing:
                if answer is not None:
                    sequence = self._choose_sequence(answer.tokens, writing.keys())
                    writing[sequence] = answer
                    self._read_prompt(sequence, answer)
                else:
                    self._close_gaps(writing)
                    self._write_token(writing)
                for sequence in [at for at, one in writing.items() if one.ended_by]:
                    answer = writing.pop(sequence)
                    if answer.error is not None:
                        self._empty_free(writing)  # what was computed may be as wrong as the logits
                    yield answer
        finally:
            for one in writing.values():  # a decode has failed
                one.end("failed")

    def _read_prompt(self, sequence: int, answer: Answer) -> None:
        """Evaluate what the cache lacks of a prompt, batch by batch, and choose the first token of the answer."""
        prompt = answer.tokens
        begin = self._keep_common(sequence, prompt, len(prompt) - 1)  # one at least is left to evaluate
        answer.begin(begin)
        try:
            while (at := len(self.cached[sequence])) < len(prompt):
                if answer.is_cancelled():
                    raise DecodeAborted
                shown = answer.shown.get(at)
                ends = [end for end in (*answer.ends, *answer.shown) if end > at]
                end = at + len(shown.ids) if shown else min(at + self.batch_tokens, *ends, len(prompt))
                tokens = [(sequence, token, place == len(prompt)) for place, token in enumerate(prompt[at:end], at + 1)]
                if shown is None:
                    self._decode(tokens)
                else:
                    self._evaluate(tokens, functools.partial(self._show, shown, at, sequence))
                answer.report_read(end)
        except DecodeAborted:
            answer.end("cancelled")
            return
        answer.begin_writing(self.decode_s)
        self._choose(answer, self._rows(1)[0])

    def _show(self, shown: Shown, at: int, sequence: int) -> int:
        """Evaluate a part of a picture, and return what llama_decode does."""
        raise NotImplementedError

    def _close_gaps(self, writing: dict[int, Answer]) -> None:
        """Go on with the last answers in the free sequences before them, which lose what they held.

        llama.cpp evaluates sequences in one step only as far as their numbers follow each other. The copied sequence
        keeps its tokens too, with which a later prompt may begin. A copy takes 0.1 ms per MiB of a sequence's cache.
        """
        while (last := max(writing)) >= len(writing) > 1:
            free = next(at for at in range(last) if at not in writing)
            api.llama_memory_seq_cp(api.llama_get_memory(self._context), last, free, -1, -1)
            self.cached[free] = self.cached[last].copy()
            writing[free] = writing.pop(last)

    def _empty_free(self, writing: Collection[int]) -> None:
        """Empty all sequences that write no answer, as each may hold a copy of another one's tokens."""
        for sequence in set(range(self.sequences)).difference(writing):
            self._keep(sequence, 0)

    def _write_token(self, writing: dict[int, Answer]) -> None:
        """Evaluate the latest token of each answer, and choose the next one of each."""
        answers = sorted(writing.items())
        try:
            self._decode([(sequence, answer.tokens[-1], True) for sequence, answer in answers])
        except DecodeAborted:
            for answer in writing.values():
                answer.end("cancelled")
            return
        for (_, answer), row in zip(answers, self._rows(len(answers)), strict=True):
            self._choose(answer, row)

    def _choose(self, answer: Answer, row: Floats) -> None:
        answer.decoded_s = self.decode_s
        answer.choose(row, self.spell, self.context_tokens)
