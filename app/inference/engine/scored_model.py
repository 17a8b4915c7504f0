"""Measure a model: the likelihood of given tokens, the token ids of prompts, and greedy answers.

Only trained places get a row of logits, at most `ROWS_BYTES` of them at a time: with a vocabulary of 262,144 a row is 1
MiB, and an example of 1,000 tokens would take 1 GiB twice (llama.cpp's graph, and its output).

Reading in parts changes nothing: without flash attention, whose kernels depend on the batch size, and with no batch of
only a few tokens, the parts give bit for bit what the whole would.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from app.base.errors import AppError
from app.inference import gguf, memory_estimate, offload
from app.inference.engine.generation import Answer, Sampler
from app.inference.engine.llama import Device, api
from app.inference.engine.messages import Ask, Event, Sampling, Token
from app.inference.engine.model_jobs import ChatToScore
from app.inference.engine.sequences import LEAST_TOKENS, Floats, SequencedModel
from app.inference.prompts import Segment
from app.inference.scoring_files import LOOP_CHARACTERS, is_looping

BATCH_TOKENS = 512
ROWS_BYTES = 64 << 20
MAX_ROWS = 256
CACHE_SHARE = 0.25  # of the free memory, for the key/value cache of all sequences
_GREEDY = Sampling(temperature=0.0)


@dataclass(frozen=True, slots=True)
class WrittenAnswer:
    """An answer. `ended_by`: end | stop | limit. `seconds`: from the end of reading the prompt to the answer's end."""

    text: str
    ended_by: str
    tokens: int
    seconds: float


class ScoredModel(SequencedModel):
    """Runs a model on the CPU, or with the layers that fit on cards. It reads texts after `open`; `close` frees it."""

    failure_code = "score_failed"

    def __init__(
        self,
        path: Path,
        adapter: str,
        strength: float = 1.0,
        cards: Sequence[Device] = (),
        context_tokens: int = 0,
        answers: int = 1,
        on_step: Callable[[], object] = lambda: None,
    ) -> None:
        """Load the model. `adapter`: a GGUF file, "" for none. `strength`: the adapter's, from 0 to 2.

        `cards`: take as many layers as leave room there for `context_tokens` (0: the most) of each of `answers`, of
        which at most PARALLEL_MOST are written at a time. `on_step`, an attribute that may be replaced, is called after
        each tensor that is loaded, and after each decode. Raises AppError: the codes of `gguf.check_model` and
        `check_adapter`, model_unreadable, adapter_unreadable.
        """
        self.on_step = on_step
        self.header = gguf.check_model(path, every_token=False)
        if adapter:
            gguf.check_adapter(Path(adapter), self.header)  # llama.cpp would accept any, and crash
        super().__init__()
        params = api.llama_model_default_params()
        params.use_extra_bufts = False  # True would copy the weights into another layout
        parallel = min(answers, memory_estimate.PARALLEL_MOST)
        found = [one.card for one in cards]
        context = memory_estimate.rounded_context(self.header, context_tokens)
        besides = max(ROWS_BYTES, memory_estimate.attention_bytes(self.header, context, BATCH_TOKENS))
        besides += Path(adapter).stat().st_size if adapter else 0
        plan = offload.plan_offload(
            self.header, found, context_tokens, BATCH_TOKENS, "f16", parallel, besides_bytes=besides
        )
        self.card_layers = plan.layers
        self._place(params, cards, plan)
        callback = api.llama_progress_callback(self._on_loaded)  # kept until the model is loaded
        params.progress_callback = callback
        try:
            self._load(str(path), params)
            self._adapters = [self._load_adapter(adapter)] if adapter else []
        except AppError:
            self.close()
            raise
        self._strength = strength
        self.rows = max(1, min(MAX_ROWS, ROWS_BYTES // (4 * self.vocabulary_size)))

    def _on_loaded(self, *_: object) -> bool:
        self.on_step()
        return True  # go on

    def open(self, read_tokens: int, answer_tokens: int = 0, answers: int = 1) -> None:
        """Make the context.

        `read_tokens`: tokens of the longest text to read. `answer_tokens`: tokens of the longest prompt with its
        answer, cut to the model's context. `answers`: their number, of which up to PARALLEL_MOST are written at a time
        if the memory suffices. Raises AppError: context_failed, context_full (a text is longer than the model's
        context).
        """
        trained = self.header.context_length or max(read_tokens, answer_tokens)
        if read_tokens > trained:
            raise AppError("context_full", prompt_tokens=read_tokens, context_tokens=trained)
        context = max(read_tokens, min(answer_tokens, trained))
        cache = memory_estimate.estimate_memory(self.header, context).kv_bytes
        affordable = int(CACHE_SHARE * memory_estimate.available_memory_bytes() / max(1, cache))
        params = api.llama_context_default_params()
        params.n_ctx = context
        params.n_seq_max = max(1, min(memory_estimate.PARALLEL_MOST, answers, affordable, self.rows))
        params.n_batch = params.n_ubatch = min(BATCH_TOKENS, max(context, params.n_seq_max))
        params.n_outputs_max = self.rows
        params.flash_attn_type = api.LLAMA_FLASH_ATTN_TYPE_DISABLED
        params.swa_full = True
        params.no_perf = True
        self._open(params)
        self.context_tokens = context  # llama.cpp has rounded it up
        if self._adapters:
            self._set_adapters(self._adapters, [self._strength])

    def log_probabilities(
        self, ids: tuple[int, ...], places: tuple[int, ...], report: Callable[[int], None]
    ) -> Iterator[Floats]:
        """Yield for each of `places` (ascending, from 1) the log-probabilities of all tokens there, [vocabulary].

        Each array is a view into llama.cpp's buffer, valid until the next one. `report` is called with the number of
        tokens of each batch. Tokens with which the text before began as well are not evaluated again. Raises
        AppError("score_failed").
        """
        wanted = {place - 1 for place in places}
        last = max(wanted) + 1  # later tokens predict nothing
        scratch = np.empty(self.vocabulary_size, np.float32)
        begin = self._keep_common(0, ids, max(0, min(min(wanted), last - LEAST_TOKENS)))
        if begin:
            report(begin)
        while begin < last:
            end = self._end_of_batch(begin, last, wanted)
            tokens = [(0, ids[at], at in wanted) for at in range(begin, end)]
            self._decode(tokens)
            report(end - begin)
            for row in self._rows(sum(has_row for *_, has_row in tokens)):
                _log_softmax(row, scratch)
                yield row
            begin = end

    def _end_of_batch(self, begin: int, stop: int, logit_indices: set[int]) -> int:
        """Return the end of the next batch, which leaves at least LEAST_TOKENS for the last one if possible.

        A batch has at most `batch_tokens` tokens, and at most `rows` of them may need logits. `stop`: the end of all
        batches. `logit_indices`: the indices whose logits are needed.
        """
        rows = 0
        end: int = min(stop, begin + self.batch_tokens)
        for at in range(begin, end):
            rows += at in logit_indices
            if rows > self.rows:
                end = at
                break
        missing = LEAST_TOKENS - (stop - end)
        return end - missing if end < stop and 0 < missing <= end - begin - LEAST_TOKENS else end

    def _evaluate(self, tokens: Sequence[tuple[int, int, bool]], evaluate: Callable[[], int]) -> None:
        super()._evaluate(tokens, evaluate)
        self.on_step()

    def ids_of(self, segments: tuple[Segment, ...]) -> tuple[int, ...]:
        """Return the token ids of a prompt as the engine tokenizes it."""
        return tuple(self.prompt_tokens(segments))

    def text_of(self, ids: tuple[int, ...]) -> str:
        """Return the text of token ids, without control tokens."""
        return b"".join(self.spell(token)[0] for token in ids).decode("utf-8", "replace")

    def write_answers(
        self, chats: Sequence[ChatToScore], ends: frozenset[int] | None, stop: tuple[str, ...]
    ) -> Iterator[tuple[int, WrittenAnswer]]:
        """Yield (place of the chat, its answer) as the answers end, with the likeliest token each time.

        `ends`: token ids that end an answer besides the model's own; None: no token ends it. `stop`: texts that end it.
        An answer that has begun to loop is not written to its limit. Raises AppError("score_failed").
        """
        texts: dict[str, str] = {}  # by the place of the chat
        looping: set[str] = set()
        waiting = enumerate(chats)

        def is_end(token: int) -> bool:
            return ends is not None and (token in ends or self.is_end(token))

        def emit(event: Event) -> None:
            if isinstance(event, Token):
                text = texts[event.id] = texts[event.id] + event.text
                if ends is not None and is_looping(text[-LOOP_CHARACTERS:]) and is_looping(text):
                    looping.add(event.id)

        def next_answer() -> Answer | None:
            place, chat = next(waiting, (0, None))
            if chat is None:
                return None
            texts[str(place)] = ""
            key = str(place)
            ask = Ask(key, (), chat.limit, chat.limit, stop, _GREEDY)
            return Answer(ask, list(chat.ids), Sampler(_GREEDY, 0), is_end, lambda: key in looping, emit)

        self._clear()
        for answer in self.write(next_answer):
            if answer.error is not None:
                raise AppError(self.failure_code, **answer.error.facts)
            ended_by = answer.ended_by if answer.ended_by in ("end", "stop") else "limit"
            text = texts.pop(answer.command.id)
            yield int(answer.command.id), WrittenAnswer(text, ended_by, answer.count, answer.answer_s)


def _log_softmax(row: Floats, scratch: Floats) -> None:
    """Replace logits [vocabulary] by their log-probabilities; `scratch`: an array of the same shape to compute in."""
    row -= row.max()
    row -= np.log(np.exp(row, out=scratch).sum())
