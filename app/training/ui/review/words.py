"""Words and signs of the review queue."""

import math
from collections.abc import Sequence

from PySide6.QtCore import QCoreApplication

from app.base.wording import phrase
from app.training.data.curation import Item, State
from app.training.data.rows import Row
from app.uikit.language import joined

translate = QCoreApplication.translate

# Icon and colour of each state; "": an outline is drawn.
SIGNS: dict[State, tuple[str, str]] = {
    "used": ("", "control"),
    "undecided": ("", "control"),
    "left_out": ("triangle-alert", "warning"),
    "accepted": ("check", "success"),
    "edited": ("pencil", "accent"),
    "rejected": ("x", "danger"),
}

_LINE_CHARACTERS = 200  # of a text that is shown in one line
_BEFORE_CHARACTERS = 2000  # of what was said before the last question


def state(found: State) -> str:
    return {
        "used": translate("Review", "未確認（このまま使用）"),
        "undecided": translate("Review", "未確認"),
        "left_out": translate("Review", "除外"),
        "accepted": translate("Review", "採用"),
        "edited": translate("Review", "修正"),
        "rejected": translate("Review", "却下"),
    }[found]


def filter_name(key: str) -> str:
    """`key`: of `items.FILTERS`."""
    return {
        "all": translate("Review", "すべて"),
        "undecided": translate("Review", "未確認"),
        "left_out": translate("Review", "除外"),
        "decided": translate("Review", "判断済み"),
    }[key]


def nothing(key: str) -> str:
    """What a filter says that lets nothing through."""
    return {
        "all": translate("Review", "見直すデータはまだありません。"),
        "undecided": translate("Review", "未確認のものはありません。"),
        "left_out": translate("Review", "除外したものはありません。"),
        "decided": translate("Review", "判断したものはまだありません。"),
    }[key]


def source(item: Item) -> str:
    """Where it is from, in one line."""
    found = item.evidence
    if found is None:
        place = translate("Review", "{n} 行目").format(n=f"{item.row.line:,}")
        return joined(place, one_line(item.row.group))
    if not found.quote:
        return joined(translate("Review", "資料にない質問"), one_line(found.document))
    return joined(one_line(found.document), one_line(found.heading[-1] if found.heading else ""))


def place(item: Item) -> str:
    """A row of a file by its line, a pair by its number."""
    if item.evidence is None:
        return translate("Review", "{n} 行目").format(n=f"{item.row.line:,}")
    return translate("Review", "{n} 件目").format(n=f"{item.number:,}")


def one_line(text: str) -> str:
    line = " ".join(text[: 2 * _LINE_CHARACTERS].split())
    return line if len(line) <= _LINE_CHARACTERS else line[: _LINE_CHARACTERS - 1] + "…"


def earlier(row: Row) -> str:
    """What was said before the last question; "" where it is the first."""
    names = {role: phrase(f"data_role_{role}") for role in ("system", "user", "assistant")}
    said = "\n".join(
        translate("Review", "{who}：{text}").format(who=names[message.role], text=message.text)
        for message in row.messages[:-2]
    )
    return said if len(said) <= _BEFORE_CHARACTERS else said[: _BEFORE_CHARACTERS - 1] + "…"


def time_left(seconds: float) -> str:
    minutes = max(1, math.ceil(seconds / 60))
    if minutes < 60:
        return translate("Review", "あと約 {m} 分").format(m=minutes)
    words = translate("Review", "あと約 {h} 時間 {m} 分")
    return words.format(h=minutes // 60, m=minutes % 60)


def flaw(code: str) -> str:
    """`code`: of `quality.CODES`, or of a likeness."""
    words = phrase(f"data_found_{code}")
    return words[:1].upper() + words[1:]


def personal(kinds: Sequence[str]) -> str:
    """`kinds`: of `personal.KINDS`."""
    names = {
        "name": translate("Review", "氏名"),
        "birthday": translate("Review", "生年月日"),
        "postal_code": translate("Review", "郵便番号"),
        "address": translate("Review", "住所"),
        "phone": translate("Review", "電話番号"),
        "mail": translate("Review", "メールアドレス"),
        "my_number": translate("Review", "マイナンバー"),
        "card": translate("Review", "カード番号"),
        "account": translate("Review", "口座番号"),
    }
    what = translate("Review", "、").join(names[kind] for kind in kinds)
    return translate("Review", "個人情報らしい記載：{what}").format(what=what)
