"""Rows of training data in words."""

from collections.abc import Sequence

from PySide6.QtCore import QCoreApplication

from app.base.wording import phrase
from app.training.data import check_file, overview, quality
from app.training.data.curation import Item
from app.training.data.lengths import Lengths
from app.training.data.overview import OPEN, UNUSABLE
from app.training.data.reading import Imported, encoding_name
from app.training.data.records import BadRow
from app.uikit.language import joined, noted

translate = QCoreApplication.translate

EACH_MOST = 3  # personal details that are named


def file_facts(found: Imported) -> str:
    """「質問と回答の列　文字コード CP932」"""
    encoding = encoding_name(found.encoding) if found.encoding else ""
    return joined(
        phrase(f"data_shape_{found.shape}"),
        translate("TrainingData", "文字コード {name}").format(name=encoding) if encoding else "",
        translate("TrainingData", "シート「{name}」").format(name=found.sheet) if found.sheet else "",
    )


def left_aside(found: Imported) -> str:
    """What of the file is not read at all; "" where all is."""
    sheets = phrase("data_other_sheets", sheets=phrase("data_gap").join(found.other_sheets))
    return joined(
        sheets if found.other_sheets else "",
        phrase("data_blank", count=f"{found.blank:,}") if found.blank else "",
    )


def field_name(field: str) -> str:
    """`field`: of `columns.FIELDS`."""
    return {
        "question": translate("TrainingData", "質問"),
        "answer": translate("TrainingData", "回答"),
        "input": translate("TrainingData", "参考"),
        "system": translate("TrainingData", "システム"),
        "group": translate("TrainingData", "グループ"),
    }[field]


def field_about(field: str) -> str:
    return {
        "question": translate("TrainingData", "モデルに尋ねる文です。"),
        "answer": translate("TrainingData", "モデルに覚えさせる文です。"),
        "input": translate("TrainingData", "質問の後に続けて渡す文です。"),
        "system": translate("TrainingData", "会話の前に渡す指示です。"),
        "group": translate("TrainingData", "同じグループの行は、学習用と試験用に分かれません。"),
    }[field]


def kind(found: str) -> str:
    """Of rows with something wrong, as short as it can be; "": all of them."""
    if found == "":
        return translate("TrainingData", "問題のある行すべて")
    if found == OPEN:
        return translate("TrainingData", "まだ決めていない行")
    if found == UNUSABLE:
        return translate("TrainingData", "直せない行")
    likeness = {
        "same_row": translate("TrainingData", "重複"),
        "repeated_question": translate("TrainingData", "同じ質問に別の回答"),
        "near_duplicate": translate("TrainingData", "ほとんど同じ行"),
    }
    if found in likeness:
        return likeness[found]
    name = phrase(f"split_flag_{found}") if found in quality.CODES else phrase(f"data_found_{found}")
    return name[:1].upper() + name[1:]


def flaw(code: str) -> str:
    """`code`: of `check.CODES`."""
    words = phrase(f"data_found_{code}")
    return words[:1].upper() + words[1:]


def flaws(item: Item, other: Item | None) -> list[str]:
    """Each on a line, with what was found. `other`: the row that it is like."""
    found = []
    for code in item.flags:
        named = overview.personal_words(item.row, code)[:EACH_MOST]
        quoted = translate("TrainingData", "「{text}」")
        detail = phrase("data_gap").join(quoted.format(text=text) for text in named)
        found.append(noted(flaw(code), detail))
    if other is not None:
        words = translate("TrainingData", "もとの行は {n} 行目です。")
        found.append(words.format(n=f"{other.row.line:,}"))
    return found


def unusable(row: BadRow) -> str:
    return noted(phrase(f"data_bad_{row.code}"), row.detail if row.code in check_file.DETAILED else "")


def lengths(what: str, found: Lengths) -> str:
    """`what`: question | answer."""
    return phrase(
        "data_length",
        what=phrase(f"data_length_{what}"),
        median=f"{found.median:,.0f}",
        mean=f"{found.mean:,.1f}",
        p95=f"{found.p95:,}",
        longest=f"{found.longest:,}",
    )


def category(key: str) -> str:
    """`key`: what a generated question asks for (`resources/evaluation/generation.toml`)."""
    known = {
        "number": translate("TrainingData", "数値"),
        "definition": translate("TrainingData", "定義"),
        "procedure": translate("TrainingData", "手順"),
        "comparison": translate("TrainingData", "比較"),
        "list": translate("TrainingData", "列挙"),
        "everyday": translate("TrainingData", "ふだんの言葉"),
        "keywords": translate("TrainingData", "検索語"),
        "paraphrase": translate("TrainingData", "言い換え"),
        "unanswerable": translate("TrainingData", "資料にない質問"),
    }
    return known.get(key, key)


def short_hash(sha256: str) -> str:
    """As one reads it out: a41f 09c2."""
    return f"{sha256[:4]} {sha256[4:8]}"


def line_numbers(lines: Sequence[int]) -> str:
    return phrase("data_gap").join(f"{line:,}" for line in lines)
