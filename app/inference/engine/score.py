"""The scoring child: how likely one form of a model finds given answers, and what it answers itself.

How it begins and ends is in `job_process`.
"""

import time
from pathlib import Path
from typing import NoReturn

import numpy as np

from app.base.errors import AppError
from app.base.files.output_file import drive_error, require_space
from app.inference import fit
from app.inference import holdout as holdouts
from app.inference import scores as score_files
from app.inference.engine import job_process, score_job
from app.inference.engine.job_process import Notes, Send
from app.inference.engine.reference import About, Reader, Writer
from app.inference.engine.score_job import Chat, Score
from app.inference.engine.scored_model import ScoredModel
from app.inference.holdout import NOT_TRAINED, Example, Holdout
from app.inference.prompt import ScoredText, Segment
from app.inference.scores import AnswerScore, ExampleScore, Scores
from trainer.convert_job import Phase, Progress, part_path

_REPORT_EVERY_S = 0.1


def main(arguments: list[str]) -> NoReturn:
    """`arguments`: the file with the job. The process ends with the job."""
    job_process.run(
        arguments, score_job.read, _work, lambda job: [job.reference] if job.makes_reference and job.reference else []
    )


def _work(job: Score, part: Path, send: Send) -> Notes:
    """Raises AppError: holdout_unreadable, holdout_other_vocabulary, likelihood_too_long, what loading finds, and what
    writing does."""
    kept = holdouts.read(Path(job.holdout)) if job.holdout else None
    send(Phase("loading"))
    model = ScoredModel(Path(job.model), job.adapter, job.strength)
    try:
        holdout = kept or tokenized(job.texts, model)
        _require_known_ids(holdout, job, model.vocabulary)
        model.open(*_context_tokens(job, holdout))
        scoring = _Scoring(model, job, holdout, send)
        scores = scoring.run()
    finally:
        model.close()
    try:
        score_files.write(scores, part)
    except OSError as error:
        raise drive_error(error, part.parent, "build_unwritable") from error
    return {
        "tokens": scores.tokens,
        "rows": model.rows,
        "seconds_reading": round(scoring.seconds_reading, 3),
        "seconds_writing": round(scoring.seconds_writing, 3),
    }


def tokenized(texts: tuple[ScoredText, ...], model: ScoredModel) -> Holdout:
    """As if they had been kept back: of the ids only the answers' are labels, and no end follows them."""
    return Holdout(tuple(_example(text, model) for text in texts), chats=(), end_ids=())


def _example(text: ScoredText, model: ScoredModel) -> Example:
    prompt = len(model.ids_of(text.segments))
    ids = model.ids_of((*text.segments, Segment(text.answer)))
    trained = model.header.context_length or len(ids)
    if len(ids) > trained:
        raise AppError("likelihood_too_long", line=text.line, tokens=len(ids), context_tokens=trained)
    return Example(text.line, ids, (NOT_TRAINED,) * prompt + ids[prompt:])


def _context_tokens(job: Score, holdout: Holdout) -> tuple[int, int]:
    """What has to be read at once, and what answers may take with their prompts."""
    asked = job.chats if job.answers else ()
    first = job.chats[:1] if job.speed_tokens else ()
    read = [*(len(example.ids) for example in holdout.examples), *(len(chat.ids) for chat in (*first, *asked))]
    speed = len(job.chats[0].ids) + job.speed_tokens if job.speed_tokens and job.chats else 0
    return max(read), max((len(chat.ids) + chat.limit for chat in asked), default=speed)


def _require_known_ids(holdout: Holdout, job: Score, vocabulary: int) -> None:
    lists = [*(example.ids for example in holdout.examples), *(chat.ids for chat in job.chats)]
    highest = max(max(ids, default=0) for ids in lists)
    if highest >= vocabulary:
        raise AppError("holdout_other_vocabulary", token=highest, vocabulary=vocabulary)


class _Scoring:
    def __init__(self, model: ScoredModel, job: Score, holdout: Holdout, send: Send) -> None:
        self._model = model
        self._job = job
        self._holdout = holdout
        self._send = send
        self._about = About(holdout.positions, model.vocabulary, holdout.digest)
        self._done = 0
        self._sent_at = 0.0
        answers = sum(len(chat.ids) + chat.limit for chat in job.chats) if job.answers else 0
        self._total = (sum(len(example.ids) for example in holdout.examples) if job.measures else 0) + answers
        self.seconds_reading = self.seconds_writing = 0.0

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
        answers = tuple(self._answer(at, chat) for at, chat in enumerate(chats)) if self._job.answers else ()
        written = sum(answer.tokens for answer in answers) if self._job.answers else self._write_for_speed()
        memory_bytes = fit.estimate(self._model.header, self._job.context_tokens).total_bytes
        return Scores(
            examples=examples,
            answers=answers,
            same_ids=same,
            references=tuple(self._model.text_of(chat.answer) for chat in self._holdout.chats),
            write_tokens_per_s=round(written / self.seconds_writing, 2) if self.seconds_writing else 0.0,
            size_bytes=self._size_bytes(Path(self._job.model).stat().st_size),
            memory_bytes=self._size_bytes(memory_bytes),
        )

    def _size_bytes(self, model_bytes: int) -> int:
        return model_bytes + (Path(self._job.adapter).stat().st_size if self._job.adapter else 0)

    # -------------------------------------------------------------------- examples

    def _examples(self) -> tuple[ExampleScore, ...]:
        if not self._job.reference:
            return self._each(None, None)
        path = Path(self._job.reference)
        if not self._job.makes_reference:
            reader = Reader(path, self._about)
            try:
                return self._each(reader, None)
            finally:
                reader.close()
        require_space(path.parent, self._about.size_bytes)
        writer = Writer(part_path(str(path)), self._about)
        try:
            found = self._each(None, writer)
        finally:
            writer.close()
        job_process.put_in_place(part_path(str(path)), path)
        return found

    def _each(self, reader: Reader | None, writer: Writer | None) -> tuple[ExampleScore, ...]:
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
                    apart, is_same = reader.compare(log_p)
                    divergence, same = divergence + apart, same + is_same
            if not np.isfinite(nll):
                raise AppError("score_not_finite", line=example.line)
            compared = (divergence, same) if reader is not None else (None, None)
            found.append(ExampleScore(example.line, len(places), nll, *compared))
            self._report(before + len(example.ids) - self._done)  # tokens behind the last answer are not read
        return tuple(found)

    # --------------------------------------------------------------------- answers

    def _answer(self, at: int, chat: Chat) -> AnswerScore:
        ends = frozenset(self._holdout.end_ids)
        text, ended_by, tokens, seconds = self._model.answer(chat.ids, chat.limit, ends, self._job.stop)
        self.seconds_writing += seconds
        self._report(len(chat.ids) + chat.limit)
        about = self._holdout.chats[at]
        return AnswerScore(about.line, about.question, text.strip(), ended_by, tokens)

    def _write_for_speed(self) -> int:
        """Gives the tokens."""
        if not self._job.speed_tokens or not self._job.chats:
            return 0
        ids, limit = self._job.chats[0].ids, self._job.speed_tokens
        _text, _ended_by, tokens, self.seconds_writing = self._model.answer(ids, limit, None, ())
        return tokens

    def _report(self, tokens: int) -> None:
        self._done += tokens
        now = time.monotonic()
        if now - self._sent_at >= _REPORT_EVERY_S or self._done == self._total:
            self._sent_at = now
            self._send(Progress(self._done, self._total))
