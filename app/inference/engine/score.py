"""Run the scoring child: measure the likelihood of given answers under a model, and generate answers.

`model_jobs` begins and ends the process.

A reference file keeps the f16 model's predictions at each trained place (a position whose token is a training label),
so that quantized files can be compared with it. It has a line of JSON, then one record per place with the 1,024 highest
of up to 262,144 log-probabilities and the mass of the rest, 8 KiB per place instead of 1 MiB.

The divergence computed from it is a lower bound of the Kullback-Leibler divergence of the whole distributions: merging
tokens (here the rest, into one) never increases a divergence (the log-sum inequality; Cover & Thomas, Elements of
Information Theory, 2.7). It is close, because the difference is the rest's mass times the divergence within the rest,
and that mass is small: 2 % on the trial model, whose divergence comes out 3 % too small, for quantizations that differ
little (0.0137 nats) and much (0.477) alike; measured by `tests/benchmarks/likelihood.py`.
"""

import dataclasses
import functools
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from app.base.errors import AppError
from app.base.files.output_file import drive_errors, require_space
from app.inference import memory_estimate, scoring_files
from app.inference.engine import llama, model_jobs
from app.inference.engine.llama import Device
from app.inference.engine.model_jobs import Notes, Score, Send
from app.inference.engine.scored_model import ScoredModel, WrittenAnswer
from app.inference.prompts import ScoredText, Segment
from app.inference.scoring_files import NOT_TRAINED, AnswerScore, ExampleScore, HeldOutExample, Holdout, Scores
from trainer.convert_job import Phase, Progress, part_path

REFERENCE_VERSION = 1
KEPT_PER_PLACE = 1024
_HEADER_BYTES = 4096
# That another try without cards may mend.
_FAILURES_OF_CARDS = ("model_unreadable", "adapter_unreadable", "context_failed", "score_failed", "score_not_finite")
_LEAST_MASS = 1e-30  # used for a rest that rounding has reduced to zero

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class ReferenceHeader:
    """Identifies the hold-out of a reference by its number of places, vocabulary size and `Holdout.digest`."""

    positions: int
    vocabulary: int
    digest: str

    @property
    def kept_tokens(self) -> int:
        return min(KEPT_PER_PLACE, self.vocabulary)

    def to_line(self) -> bytes:
        return json.dumps({"version": REFERENCE_VERSION, **dataclasses.asdict(self)}).encode("ascii") + b"\n"

    @property
    def record(self) -> np.dtype[Any]:
        """Return the numpy type of one place's record.

        `ids` and `log_p`: the kept tokens, unordered; `rest`: the mass of all others; `first`: the likeliest token.
        """
        lengths = (self.kept_tokens,)
        return np.dtype([("rest", "<f4"), ("first", "<i4"), ("ids", "<i4", lengths), ("log_p", "<f4", lengths)])

    @property
    def size_bytes(self) -> int:
        return len(self.to_line()) + self.positions * self.record.itemsize


class ReferenceWriter:
    """Writes a reference file. All methods raise AppError: drive_space, build_unwritable."""

    def __init__(self, path: Path, header: ReferenceHeader) -> None:
        self._header = header
        self._errors = functools.partial(drive_errors, path.parent, "build_unwritable", header.size_bytes)
        with self._errors():
            self._file = path.open("wb", buffering=1 << 20)
        self._write(header.to_line())

    def add(self, log_p: Floats) -> None:
        """Write the record of the next place. `log_p`: its log-probabilities, [vocabulary]."""
        header = self._header
        record = np.zeros((), header.record)
        ids = likeliest_tokens(log_p, header.kept_tokens)
        record["ids"], record["log_p"] = ids, log_p[ids]
        record["rest"] = max(0.0, 1.0 - float(np.exp(record["log_p"].astype(np.float64)).sum()))
        record["first"] = log_p.argmax()
        self._write(record.tobytes())

    def close(self) -> None:
        with self._errors():
            self._file.close()

    def _write(self, raw: bytes) -> None:
        with self._errors():
            self._file.write(raw)


class ReferenceReader:
    """Reads a reference file. Raises AppError("reference_unreadable") if it is incomplete or has another header."""

    def __init__(self, path: Path, header: ReferenceHeader) -> None:
        self._path = path
        self._header = header
        try:
            self._file = path.open("rb")
            is_this = (
                self._file.readline(_HEADER_BYTES) == header.to_line() and path.stat().st_size == header.size_bytes
            )
        except OSError as error:
            raise self._unreadable(error.strerror or str(error)) from error
        if not is_this:
            self._file.close()
            raise self._unreadable("another run's, or not whole")

    def compare(self, log_p: Floats) -> tuple[float, bool]:
        """Return the divergence of `log_p` [vocabulary] at the next place, and whether its likeliest token is f16's.

        The divergence is in nats.
        """
        raw = self._file.read(self._header.record.itemsize)
        if len(raw) != self._header.record.itemsize:
            raise self._unreadable("cut")
        record = np.frombuffer(raw, self._header.record)[0]
        return kl_divergence(record, log_p), int(record["first"]) == int(log_p.argmax())

    def close(self) -> None:
        self._file.close()

    def _unreadable(self, reason: str) -> AppError:
        return AppError("reference_unreadable", path=str(self._path), reason=reason)


def likeliest_tokens(log_p: Floats, count: int) -> Any:
    """Return the ids of the `count` likeliest tokens, unordered. `log_p`: their log-probabilities, [vocabulary].

    Only tokens that can be among them are partitioned, which takes a fifth of the time of partitioning all.
    """
    width = max(1, log_p.size // (2 * count))
    most = log_p[: log_p.size - log_p.size % width].reshape(-1, width).max(axis=1)
    bound = np.partition(most, -count)[-count]  # `count` tokens or more are as likely as this
    ids = np.flatnonzero(~(log_p < bound))  # not >=, which leaves nothing where a number is missing (NaN)
    return ids[np.argpartition(log_p[ids], -count)[-count:]]


def kl_divergence(record: Any, log_p: Floats) -> float:
    """Return the divergence of `log_p` from a record in nats, at least 0; tokens that were not kept count as one."""
    kept = record["log_p"].astype(np.float64)
    theirs = log_p[record["ids"]].astype(np.float64)
    total = float(np.sum(np.exp(kept) * (kept - theirs)))
    rest = float(record["rest"])
    if rest > 0:
        other = max(_LEAST_MASS, 1.0 - float(np.exp(theirs).sum()))
        total += rest * (np.log(rest) - np.log(other))
    return max(0.0, total)


_REPORT_EVERY_S = 0.1


def main(arguments: list[str]) -> NoReturn:
    """Run the job in the file `arguments[0]`, then end the process."""
    others = lambda job: [job.reference] if job.makes_reference and job.reference else []  # noqa: E731
    model_jobs.run_job(arguments, (Score,), _work, others)


def _work(job: Score, part: Path, send: Send) -> Notes:
    """Run the job, write its scores to `part`, and return its notes.

    Raises AppError: holdout_unreadable, holdout_other_vocabulary, likelihood_too_long, and the errors of loading and
    writing.
    """
    kept = scoring_files.read_holdout(Path(job.holdout)) if job.holdout else None
    if kept is not None and job.lines:
        kept = kept.only(job.lines)
    send(Phase("loading"))
    cards = llama.load_packs(job.packs)[1] if job.packs or job.cpu_reason == "no_backend" else ()
    try:
        return _measure(job, kept, cards, part, send)
    except AppError as error:
        if not cards or error.code not in _FAILURES_OF_CARDS:
            raise
        return _measure(job, kept, (), part, send)


def _measure(job: Score, kept: Holdout | None, cards: Sequence[Device], part: Path, send: Send) -> Notes:
    """Do the work with layers on `cards`; `kept`: the hold-out, if the job has one."""
    context_tokens = max(_longest_text_and_chat_tokens(job, kept)) if kept is not None else job.context_tokens
    answers = len(job.chats) if job.answers else 1
    on_step = functools.partial(send, Progress(0, 0))
    model = ScoredModel(Path(job.model), job.adapter, job.strength, cards, context_tokens, answers, on_step)
    try:
        holdout = kept or to_holdout(job.texts, model)
        _require_known_ids(holdout, job, model.vocabulary_size)
        model.open(*_longest_text_and_chat_tokens(job, holdout), answers)
        run = _ScoringRun(model, job, holdout, send)
        scores = run.run()
    finally:
        model.close()
    with drive_errors(part.parent, "build_unwritable"):
        scoring_files.write_scores(scores, part)
    return {
        "tokens": scores.tokens,
        "rows": model.rows,
        "card_layers": model.card_layers,
        "seconds_reading": round(run.seconds_reading, 3),
        "seconds_writing": round(run.seconds_writing, 3),
    }


def to_holdout(texts: tuple[ScoredText, ...], model: ScoredModel) -> Holdout:
    """Return texts as held-out examples: only the answer's ids are labels, and no end token follows."""
    return Holdout(tuple(_example(text, model) for text in texts), chats=(), end_ids=())


def _example(text: ScoredText, model: ScoredModel) -> HeldOutExample:
    prompt = len(model.ids_of(text.segments))
    ids = model.ids_of((*text.segments, Segment(text.answer)))
    trained = model.header.context_length or len(ids)
    if len(ids) > trained:
        raise AppError("likelihood_too_long", line=text.line, tokens=len(ids), context_tokens=trained)
    return HeldOutExample(text.line, ids, (NOT_TRAINED,) * prompt + ids[prompt:])


def _longest_text_and_chat_tokens(job: Score, holdout: Holdout) -> tuple[int, int]:
    """Return the tokens of the longest text to read at once, and of the longest prompt with its answer."""
    asked = job.chats if job.answers else ()
    first = job.chats[:1] if job.speed_tokens else ()
    read = [*(len(example.ids) for example in holdout.examples), *(len(chat.ids) for chat in (*first, *asked))]
    speed = len(job.chats[0].ids) + job.speed_tokens if job.speed_tokens and job.chats else 0
    return max(read), max([speed, *(len(chat.ids) + chat.limit for chat in asked)])


def _require_known_ids(holdout: Holdout, job: Score, vocabulary: int) -> None:
    lists = [*(example.ids for example in holdout.examples), *(chat.ids for chat in job.chats)]
    highest = max(max(ids, default=0) for ids in lists)
    if highest >= vocabulary:
        raise AppError("holdout_other_vocabulary", token=highest, vocabulary=vocabulary)


class _ScoringRun:
    """Measures one model: how likely it finds the tokens of the hold-out examples, and then the answers it writes.

    The answers are to the prompts of the hold-out conversations, and are checked against the answers kept back.
    """

    def __init__(self, model: ScoredModel, job: Score, holdout: Holdout, send: Send) -> None:
        self._model = model
        self._job = job
        self._holdout = holdout
        self._send = send
        self._header = ReferenceHeader(holdout.scored_positions, model.vocabulary_size, holdout.digest)
        self._done = 0
        self._sent_at = 0.0
        answers = sum(len(chat.ids) + chat.limit for chat in job.chats) if job.answers else 0
        self._total = (sum(len(example.ids) for example in holdout.examples) if job.measures else 0) + answers
        self.seconds_reading = self.seconds_writing = 0.0
        model.on_step = lambda: self._report(0)  # the parent takes a long silence for a driver that hangs

    def run(self) -> Scores:
        if self._job.measures:
            self._send(Phase("reading"))
        began = time.perf_counter()
        examples = self._examples() if self._job.measures else ()
        self.seconds_reading = time.perf_counter() - began
        chats = self._job.chats
        same = tuple(self._model.ids_of(chat.segments) == chat.ids for chat in chats)
        if self._job.answers:
            self._send(Phase("writing"))
        answers = self._answers() if self._job.answers else ()
        memory_bytes = memory_estimate.estimate_memory(self._model.header, self._job.context_tokens).total_bytes
        return Scores(
            examples=examples,
            answers=answers,
            same_ids=same,
            references=tuple(self._model.text_of(chat.answer) for chat in self._holdout.chats),
            write_tokens_per_s=self._write_tokens_per_s(),
            size_bytes=self._size_bytes(Path(self._job.model).stat().st_size),
            memory_bytes=self._size_bytes(memory_bytes),
        )

    def _size_bytes(self, model_bytes: int) -> int:
        return model_bytes + (Path(self._job.adapter).stat().st_size if self._job.adapter else 0)

    # -------------------------------------------------------------------- examples

    def _examples(self) -> tuple[ExampleScore, ...]:
        if not self._job.reference:
            return self._score_examples(None, None)
        path = Path(self._job.reference)
        if not self._job.makes_reference:
            reader = ReferenceReader(path, self._header)
            try:
                return self._score_examples(reader, None)
            finally:
                reader.close()
        require_space(path.parent, self._header.size_bytes)
        writer = ReferenceWriter(part_path(str(path)), self._header)
        try:
            example_scores = self._score_examples(None, writer)
        finally:
            writer.close()
        model_jobs.put_in_place(part_path(str(path)), path)
        return example_scores

    def _score_examples(
        self, reader: ReferenceReader | None, writer: ReferenceWriter | None
    ) -> tuple[ExampleScore, ...]:
        found = []
        for example in self._holdout.examples:
            before = self._done
            nll, divergence, same = 0.0, 0.0, 0
            places = example.trained
            rows = self._model.log_probabilities(example.ids, places, self._report) if places else iter(())
            for place, log_p in zip(places, rows, strict=True):
                nll -= float(log_p[example.ids[place]])
                if writer is not None:
                    writer.add(log_p)
                if reader is not None:
                    nats, is_same = reader.compare(log_p)
                    divergence, same = divergence + nats, same + is_same
            if not np.isfinite(nll):
                raise AppError("score_not_finite", line=example.line)
            compared = (divergence, same) if reader is not None else (None, None)
            found.append(ExampleScore(example.line, len(places), nll, *compared))
            self._report(before + len(example.ids) - self._done)  # tokens after the last answer are not read
        return tuple(found)

    # --------------------------------------------------------------------- answers

    def _answers(self) -> tuple[AnswerScore, ...]:
        chats = self._job.chats
        ends = frozenset(self._holdout.end_ids)
        began = time.perf_counter()
        written: dict[int, WrittenAnswer] = {}
        for place, answer in self._model.write_answers(chats, ends, self._job.stop):
            written[place] = answer
            self._report(len(chats[place].ids) + chats[place].limit)
        self.seconds_writing = time.perf_counter() - began
        return tuple(
            AnswerScore(kept.line, kept.question, written[at].text.strip(), written[at].ended_by, written[at].tokens)
            for at, kept in enumerate(self._holdout.chats[: len(chats)])
        )

    def _write_tokens_per_s(self) -> float:
        """Return the speed of an answer that is written alone, only for this; 0 if none is asked for."""
        if not self._job.speed_tokens or not self._job.chats:
            return 0.0
        chat = dataclasses.replace(self._job.chats[0], limit=self._job.speed_tokens)
        ((_, answer),) = self._model.write_answers([chat], None, ())
        steps = answer.tokens - 1  # the first token is chosen from what the prompt's last one gives
        return round(steps / answer.seconds, 2) if steps > 0 else 0.0

    def _report(self, tokens: int) -> None:
        self._done += tokens
        now = time.monotonic()
        if now - self._sent_at >= _REPORT_EVERY_S or (tokens and self._done == self._total):
            self._sent_at = now
            self._send(Progress(self._done, self._total))
