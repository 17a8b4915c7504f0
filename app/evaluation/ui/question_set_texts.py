"""Build the texts on question sets: counts, versions, right answers, and how a file was read."""

import datetime
from collections.abc import Sequence

from app.base.errors import AppError
from app.base.wording import phrase
from app.evaluation.judge import rule_scoring
from app.evaluation.question_rows import QuestionColumns
from app.evaluation.question_sets import QuestionSetVersion
from app.evaluation.records import Question
from app.training.data.records import BadRow, shorten
from app.uikit.localization import format_past_day, with_note

SHOWN_ROWS = 20  # number of items listed line by line; the rest is counted
LINE_CHARACTERS = 200  # limit for a text on one line

_IN_WINDOW = ("question_set_unknown", "question_set_damaged", "question_set_not_removed")


def error_for_window(error: AppError) -> AppError:
    """Return an error whose advice fits the window, because the original advice names a command."""
    return AppError(f"{error.code}_shown", **error.facts) if error.code in _IN_WINDOW else error


def version_name(number: int) -> str:
    return phrase("evaluation.version_n", n=number)


def version_time(version: QuestionSetVersion) -> str:
    made = datetime.datetime.fromtimestamp(version.made_at).astimezone()
    return f"{format_past_day(version.made_at)}\u00a0{made:%H:%M}"


def known_answers(questions: Sequence[Question]) -> str:
    """Return a text on how many questions have references, required words, quotes, or no answer; "" if none has."""
    counted = (
        ("evaluation.n_reference_answers", sum(bool(one.reference) for one in questions)),
        ("evaluation.n_with_words_to_include", sum(bool(one.must_include) for one in questions)),
        ("evaluation.n_with_evidence", sum(bool(one.gold) for one in questions)),
        ("evaluation.n_not_in_the_documents", sum(not one.is_answerable for one in questions)),
    )
    return phrase("common.data_gap").join(phrase(key, n=f"{number:,}") for key, number in counted if number)


def not_scored_warning(questions: Sequence[Question]) -> str:
    """Return a warning about questions that no rule can score; "" if there are none."""
    number = sum(not rule_scoring.can_be_scored(one) for one in questions)
    if not number:
        return ""
    return phrase("evaluation.n_questions_have_neither_a", n=f"{number:,}")


def unfit_reason(code: str) -> str:
    """Return a text on why no set can hold a question. `code`: a code of `question_sets.unfit_code`."""
    if code == "empty_question":
        return phrase("evaluation.write_the_question")
    if code == "not_text":
        return phrase("evaluation.numbers_and_signs_alone_are")
    if code == "too_long":
        return phrase("evaluation.it_is_too_long_shorten")
    return f"× {phrase(f'common.data_bad.{code}')}"


def one_line(text: str) -> str:
    return shorten(text, LINE_CHARACTERS)


# ------------------------------------------------------------------------ a file


def column_mapping(columns: QuestionColumns) -> list[tuple[str, str]]:
    """Return each recognised field with the names of its columns."""
    return [
        (phrase(f"evaluation.question_column.{field}"), shorten(column))
        for field, column in columns.column_texts().items()
    ]


def first_lines(found: Sequence[str], more: str) -> str:
    """Return the first items as lines, and the number of further items. `more`: key of the text for that number."""
    shown = list(found[:SHOWN_ROWS])
    if len(found) > SHOWN_ROWS:
        shown.append(phrase(more, n=f"{len(found) - SHOWN_ROWS:,}"))
    return "\n".join(shown)


def bad_row_text(row: BadRow) -> str:
    reason = with_note(phrase(f"common.data_bad.{row.code}"), row.detail)
    return phrase("common.data_bad.row", line=f"{row.line:,}", reason=reason)


def doubt_text(row: BadRow) -> str:
    return phrase(
        "evaluation.questions_doubt",
        line=f"{row.line:,}",
        reason=phrase(f"evaluation.question_doubt.{row.code}"),
        detail=row.detail,
    )


def renamed_text(old: str, new: str) -> str:
    return phrase("evaluation.questions_renamed", old=shorten(old), new=shorten(new))
