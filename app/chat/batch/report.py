"""What a file of answers says, whatever its form: every row of the questions with its answer, or why it has none."""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from app import __version__
from app.base.confidentiality import LABELS, Label, highest_label
from app.base.tables.table_reader import Cell
from app.base.wording import phrase
from app.chat.batch.journal import Head
from app.chat.batch.questions import Question, QuestionFile, Skipped, column_name
from app.chat.batch.results import Result
from app.documents.grounding import source_citations
from app.documents.grounding.grounding_record import Grounding

ANSWER_COLUMNS = ("verdict", "answer", "check", "sources", "label", "note", "model", "seconds", "answered_at")
SECONDS_DIGITS = 2


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the questions: with a question or with a reason, with an answer or still without."""

    row: Question | Skipped
    result: Result | None = None

    @property
    def question(self) -> str:
        return self.row.text if isinstance(self.row, Question) else ""

    @property
    def verdict(self) -> str:
        """answered | not_in_documents | length | failed | skipped | waiting."""
        if isinstance(self.row, Skipped):
            return "skipped"
        return self.result.verdict if self.result else "waiting"

    @property
    def note(self) -> str:
        """Why there is no answer, or none that a model has written, in words."""
        if isinstance(self.row, Skipped):
            return phrase(f"chat.batch_reason.{self.row.reason}")
        if self.result is None:
            return ""
        if self.result.error:
            return self.result.error
        kept = self.result.grounding
        if kept is None:
            return phrase("chat.batch_without_documents")
        return phrase("common.excerpts") if kept.is_excerpt else ""


@dataclass(frozen=True, slots=True)
class Report:
    """What a file of answers holds. `model_sha256`: of its file, "" where it was never computed."""

    questions: QuestionFile
    head: Head
    results: dict[int, Result]  # by the line of the question
    model_sha256: str = ""
    scope_label: Label = LABELS[0]

    @property
    def label(self) -> Label:
        """The highest of all that is in it."""
        return highest_label((self.scope_label, *(result.label for result in self.results.values())))

    def lines(self) -> Iterator[Line]:
        """In the order of the questions' file."""
        rows: list[Question | Skipped] = [*self.questions.questions, *self.questions.skipped]
        for row in sorted(rows, key=lambda row: row.line):
            yield Line(row, self.results.get(row.line))


def original_names(questions: QuestionFile) -> list[str]:
    """Names of the other columns, as the file has them; those without are called by their letter."""
    found: list[str] = []
    for column, name in enumerate(questions.columns):
        if column != questions.column:
            is_free = bool(name) and name not in found
            found.append(name if is_free else phrase("chat.batch_original", letter=column_name((), column)))
    return found


def originals(questions: QuestionFile, row: Question | Skipped) -> list[Cell]:
    return [*row.others, *[None] * (len(questions.columns) - 1 - len(row.others))]


def marked(result: Result) -> str:
    """The answer with [n] behind every sentence that has a source."""
    return source_citations.add_marks(result.answer, result.grounding) if result.grounding else result.answer


def sources(result: Result) -> str:
    """Those that the answer uses, one a line; of one that is not in the documents, the nearest passages."""
    if result.grounding is None:
        return ""
    return "\n".join(
        f"[{number}] {source_citations.describe_place(result.sources[number - 1])}"
        for number in source_citations.used_sources(result.answer, result.grounding)
    )


def doubts(result: Result) -> str:
    """The sentences to be checked, one a line, with what their sources do not have, or have otherwise; then how many
    could not be compared."""
    kept = result.grounding or Grounding()
    doubtful = [
        phrase(
            f"chat.batch_doubt{source_citations.message_key_suffix(kept, [claim])}",
            sentence=claim.sentence,
            missing=phrase("common.batch_gap").join(claim.missing),
        )
        for claim in kept.claims
        if not claim.is_supported
    ]
    return "\n".join([*doubtful, *source_citations.unchecked_messages(kept)])


def cells(report: Report, line: Line) -> list[Any]:
    """Of the table of answers: the row, the questions' own other columns, the question, ANSWER_COLUMNS."""
    return [line.row.line, *originals(report.questions, line.row), line.question, *_answer(line)]


def _answer(line: Line) -> list[str | int | float]:
    """Those of ANSWER_COLUMNS."""
    result = line.result
    verdict = phrase(f"common.batch_verdict.{line.verdict}")
    if result is None:
        return [verdict, "", "", "", "", line.note, "", "", ""]
    return [
        verdict, _bulleted(marked(result)), doubts(result), sources(result),
        phrase(f"common.label.{result.label}"), line.note, result.model,
        round(result.total_s, SECONDS_DIGITS), moment(result.answered_at),
    ]  # fmt: skip


def _bulleted(answer: str) -> str:
    """Its lists with points for hyphens, with which a formula may begin; an answer that is one point has none."""
    text = re.sub(r"^(\s*)[-*+] ", r"\1・", answer, flags=re.MULTILINE)
    return text if "\n" in text else text.removeprefix("・")


def facts(report: Report) -> list[tuple[str, str]]:
    """How the answers came about: (name, value)."""
    head, questions = report.head, report.questions
    choices = head.choices
    seed = phrase("chat.batch_fact.random") if choices.seed is None else str(choices.seed)
    found = [
        ("questions", questions.name),
        ("questions_sha256", questions.sha256),
        ("column", column_name(questions.columns, questions.column)),
        ("model", head.model_name),
        ("model_sha256", report.model_sha256),
        ("scope", " / ".join(ref.name for ref in head.scope)),
        ("label", phrase(f"common.label.{report.label}")),
        ("temperature", f"{choices.temperature}"),
        ("max_tokens", f"{choices.max_tokens}"),
        ("seed", seed),
        ("context_tokens", f"{head.context_tokens}"),
        ("system_prompt", choices.system_prompt or ""),
        ("started", moment(head.started_at)),
        ("written", moment(time.time())),
        ("version", f"Kotae {__version__}"),
    ]
    return [(phrase(f"chat.batch_fact.{key}"), value) for key, value in found if value]


def moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds)) if seconds else ""
