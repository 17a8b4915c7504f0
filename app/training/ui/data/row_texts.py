"""Provide texts about training rows: imported files, problems, lengths, and the review queue."""

from collections.abc import Sequence

from app.base.wording import phrase, phrase_or
from app.training.data import check, data_overview
from app.training.data.check import LengthSummary
from app.training.data.curation import CurationItem, RowState
from app.training.data.file_import import ImportedRows, encoding_name
from app.training.data.records import BadRow
from app.training.data.rows import TrainingRow
from app.training.ui import training_texts
from app.uikit.localization import join_facts, with_note

EACH_MOST = 3  # most personal details that a line quotes


def file_summary(imported: ImportedRows) -> str:
    """Return what was read from a file, such as 「質問と回答の列 文字コード CP932」."""
    encoding = encoding_name(imported.encoding) if imported.encoding else ""
    return join_facts(
        phrase(f"training.data_shape.{imported.shape}"),
        phrase("training.encoding_name", name=encoding) if encoding else "",
        phrase("training.sheet_name", name=imported.sheet) if imported.sheet else "",
    )


def skipped_parts(imported: ImportedRows) -> str:
    """Return a text about the file's parts that were not read; "" if all were."""
    sheets = phrase("common.data_other_sheets", sheets=phrase("common.data_gap").join(imported.other_sheets))
    return join_facts(
        sheets if imported.other_sheets else "",
        phrase("training.data_blank", count=f"{imported.blank:,}") if imported.blank else "",
    )


def field_name(field: str) -> str:
    """Return the displayed name of a field, which is one of `column_mapping.FIELDS`."""
    return {
        "question": phrase("common.batch_column.question"),
        "answer": phrase("common.batch_column.answer"),
        "rejected": phrase("training.rejected_answer"),
        "input": phrase("training.input"),
        "system": phrase("training.system"),
        "group": phrase("training.group"),
    }[field]


def check_flaw_text(code: str) -> str:
    """Return the text of a flaw. `code`: one of `check.CODES` or `quality.CODES`, or a kind of similarity."""
    return training_texts.capitalized(phrase(f"training.data_found.{code}"))


def bad_row_text(row: BadRow) -> str:
    return with_note(phrase(f"common.data_bad.{row.code}"), row.detail if row.code in check.DETAILED else "")


def length_summary(field: str, summary: LengthSummary) -> str:
    """Return a sentence on lengths. `field`: "question" | "answer"."""
    return phrase(
        "training.data_length",
        what=phrase(f"training.length_of.{field}"),
        median=f"{summary.median:,.0f}",
        mean=f"{summary.mean:,.1f}",
        p95=f"{summary.p95:,}",
        longest=f"{summary.longest:,}",
    )


def question_category_name(key: str) -> str:
    """Return the displayed name of a question category of `resources/evaluation/generation.toml`."""
    return phrase_or(f"training.question_category.{key}", key)


def short_hash(sha256: str) -> str:
    """Return the first eight digits of a hash in groups: a41f 09c2."""
    return f"{sha256[:4]} {sha256[4:8]}"


def line_numbers(lines: Sequence[int]) -> str:
    return phrase("common.data_gap").join(f"{line:,}" for line in lines)


# Icon and colour of each state; with "" an outline is drawn.
STATE_SIGNS: dict[RowState, tuple[str, str]] = {
    "used": ("", "control"),
    "undecided": ("", "control"),
    "left_out": ("triangle-alert", "warning"),
    "accepted": ("check", "success"),
    "edited": ("pencil", "accent"),
    "rejected": ("x", "danger"),
}

_LINE_CHARACTERS = 200  # most characters of a text on one line
_BEFORE_CHARACTERS = 2000  # most characters of the turns before the last question


def state_name(state: RowState) -> str:
    return {
        "used": phrase("training.not_reviewed_used_as_it"),
        "undecided": phrase("training.not_reviewed"),
        "left_out": phrase("training.left_out"),
        "accepted": phrase("training.accepted_2"),
        "edited": phrase("training.edited"),
        "rejected": phrase("training.rejected_2"),
    }[state]


def filter_name(key: str) -> str:
    """Return the displayed name of a filter, which is one of `review_list.FILTERS`."""
    return {
        "all": phrase("common.all"),
        "undecided": phrase("training.not_reviewed"),
        "left_out": phrase("training.left_out"),
        "decided": phrase("training.decided"),
    }[key]


def source_line(item: CurationItem) -> str:
    """Return the origin of an item on one line: its line and group, or its document and heading."""
    found = item.evidence
    if found is None:
        place = phrase("training.row_n", n=f"{item.row.line:,}")
        return join_facts(place, one_line(item.row.group))
    if not found.quote:
        return join_facts(phrase("training.question_category.unanswerable"), one_line(found.document))
    return join_facts(one_line(found.document), one_line(found.heading[-1] if found.heading else ""))


def row_place(item: CurationItem) -> str:
    """Return a text with the item's line in the imported file, or with the number of a generated pair."""
    if item.evidence is None:
        return phrase("training.row_n", n=f"{item.row.line:,}")
    return phrase("training.pair_n", n=f"{item.number:,}")


def one_line(text: str) -> str:
    line = " ".join(text[: 2 * _LINE_CHARACTERS].split())
    return line if len(line) <= _LINE_CHARACTERS else line[: _LINE_CHARACTERS - 1] + "…"


def earlier_turns_text(row: TrainingRow) -> str:
    """Return the turns before the last question; "" if there are none."""
    names = {role: phrase(f"training.data_role.{role}") for role in ("system", "user", "assistant")}
    text = "\n".join(
        phrase("training.who_text", who=names[message.role], text=message.text) for message in row.messages[:-2]
    )
    return text if len(text) <= _BEFORE_CHARACTERS else text[: _BEFORE_CHARACTERS - 1] + "…"


def personal_data_text(row: TrainingRow, kinds: Sequence[str]) -> str:
    """Return a warning about what may be personal data in a row, with the texts. `kinds`: some of `personal.KINDS`."""
    gap = phrase("common.data_gap")
    what = gap.join(phrase(f"training.personal_data.{kind}") for kind in kinds)
    found = [text for kind in kinds for text in data_overview.personal_texts(row, f"personal_{kind}")][:EACH_MOST]
    return join_facts(phrase("training.may_be_personal_data_what", what=what), *found)
