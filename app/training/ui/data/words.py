"""Rows of training data in words."""

from collections.abc import Sequence

from app.base.wording import phrase
from app.training.data import check_file, overview, quality
from app.training.data.curation import Item
from app.training.data.lengths import Lengths
from app.training.data.overview import OPEN, UNUSABLE
from app.training.data.reading import Imported, encoding_name
from app.training.data.records import BadRow
from app.uikit.localization import join_facts, with_note

EACH_MOST = 3  # personal details that are named


def file_facts(found: Imported) -> str:
    """「質問と回答の列　文字コード CP932」"""
    encoding = encoding_name(found.encoding) if found.encoding else ""
    return join_facts(
        phrase(f"training.data_shape.{found.shape}"),
        phrase("training.encoding_name", name=encoding) if encoding else "",
        phrase("training.sheet_name", name=found.sheet) if found.sheet else "",
    )


def left_aside(found: Imported) -> str:
    """What of the file is not read at all; "" where all is."""
    sheets = phrase("common.data_other_sheets", sheets=phrase("common.data_gap").join(found.other_sheets))
    return join_facts(
        sheets if found.other_sheets else "",
        phrase("training.data_blank", count=f"{found.blank:,}") if found.blank else "",
    )


def field_name(field: str) -> str:
    """`field`: of `columns.FIELDS`."""
    return {
        "question": phrase("common.batch_column.question"),
        "answer": phrase("common.batch_column.answer"),
        "input": phrase("training.input"),
        "system": phrase("training.system"),
        "group": phrase("training.group"),
    }[field]


def field_about(field: str) -> str:
    return {
        "question": phrase("training.what_the_model_is_asked"),
        "answer": phrase("training.what_the_model_is_to"),
        "input": phrase("training.text_given_after_the_question"),
        "system": phrase("training.instructions_before_the_conversation"),
        "group": phrase("training.rows_of_one_group_are"),
    }[field]


def kind(found: str) -> str:
    """Of rows with something wrong, as short as it can be; "": all of them."""
    if found == "":
        return phrase("training.all_rows_with_problems")
    if found == OPEN:
        return phrase("training.not_decided_yet")
    if found == UNUSABLE:
        return phrase("training.unusable_rows")
    likeness = {
        "same_row": phrase("training.duplicates"),
        "repeated_question": phrase("training.same_question_other_answer"),
        "near_duplicate": phrase("training.nearly_the_same_rows"),
    }
    if found in likeness:
        return likeness[found]
    name = phrase(f"training.split_flag_{found}") if found in quality.CODES else phrase(f"training.data_found.{found}")
    return name[:1].upper() + name[1:]


def flaw(code: str) -> str:
    """`code`: of `check.CODES`."""
    words = phrase(f"training.data_found.{code}")
    return words[:1].upper() + words[1:]


def flaws(item: Item, other: Item | None) -> list[str]:
    """Each on a line, with what was found. `other`: the row that it is like."""
    found = []
    for code in item.flags:
        named = overview.personal_words(item.row, code)[:EACH_MOST]
        quoted = phrase("common.text")
        detail = phrase("common.data_gap").join(quoted.format(text=text) for text in named)
        found.append(with_note(flaw(code), detail))
    if other is not None:
        words = phrase("training.the_earlier_row_is_row")
        found.append(words.format(n=f"{other.row.line:,}"))
    return found


def unusable(row: BadRow) -> str:
    return with_note(phrase(f"common.data_bad.{row.code}"), row.detail if row.code in check_file.DETAILED else "")


def lengths(what: str, found: Lengths) -> str:
    """`what`: question | answer."""
    return phrase(
        "training.data_length",
        what=phrase(f"training.data_length_{what}"),
        median=f"{found.median:,.0f}",
        mean=f"{found.mean:,.1f}",
        p95=f"{found.p95:,}",
        longest=f"{found.longest:,}",
    )


def category(key: str) -> str:
    """`key`: what a generated question asks for (`resources/evaluation/generation.toml`)."""
    known = {
        "number": phrase("training.numbers"),
        "definition": phrase("training.definitions"),
        "procedure": phrase("training.procedures"),
        "comparison": phrase("training.comparisons"),
        "list": phrase("training.lists"),
        "everyday": phrase("training.everyday_words"),
        "keywords": phrase("training.search_words"),
        "paraphrase": phrase("training.paraphrases"),
        "unanswerable": phrase("training.not_in_the_documents"),
    }
    return known.get(key, key)


def short_hash(sha256: str) -> str:
    """As one reads it out: a41f 09c2."""
    return f"{sha256[:4]} {sha256[4:8]}"


def line_numbers(lines: Sequence[int]) -> str:
    return phrase("common.data_gap").join(f"{line:,}" for line in lines)
