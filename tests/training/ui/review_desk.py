"""Rows to be reviewed, and the queue over them as a person meets it."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from app.base import paths
from app.training.data import curation
from app.training.data.curation import Curation, CurationItem, RowEvidence
from app.training.data.rows import RowMessage, TrainingRow
from app.training.drafts import DraftData, TrainingDraft
from app.training.services.draft_editor import DraftEditor
from app.training.ui.data.review_tab import ReviewTab
from app.uikit.theme import Theme

QUOTE = "鍵は守衛室で受け取り、20時までに返す。"
PASSAGE = f"第3条 鍵\n{QUOTE}\n返すときは、返却簿に時刻を書く。\n第4条 照明\n退出するときは、照明を消す。"
CONTROL = Qt.KeyboardModifier.ControlModifier


def pair(number: int, answer: str = "20時までに返します。", quote: str = QUOTE, page: int = 3) -> CurationItem:
    evidence = RowEvidence(
        "利用規則.pdf", ("第1章 施設", "第3条 鍵"), page, quote, PASSAGE, "number", 3 if quote else None
    )
    return CurationItem(number, row(number, f"鍵は何時までに返しますか。（{number}）", answer), evidence=evidence)


def row(line: int, question: str, answer: str) -> TrainingRow:
    return TrainingRow(line, (RowMessage("user", question), RowMessage("assistant", answer)))


def file_items() -> list[CurationItem]:
    """Rows of a file: the second has a flaw, the third is like the first, the fifth ends a conversation."""
    said = (RowMessage("system", "敬体で答える。"), RowMessage("user", "こんにちは"), RowMessage("assistant", "はい。"))
    last = row(6, "照明はどうしますか。", "退出するときに消します。")
    return [
        CurationItem(1, row(2, "鍵はどこですか。", "守衛室です。")),
        CurationItem(2, row(3, "返却簿に何を書きますか。", "時刻を書き、"), ("unfinished",)),
        CurationItem(3, row(4, "鍵はどこですか。", "守衛室です。"), ("same_row",), like=1),
        CurationItem(4, row(5, "窓は閉めますか。", "閉めます。")),
        CurationItem(5, dataclasses.replace(last, messages=(*said, *last.messages))),
    ]


def make_work(folder: Path, items: Sequence[CurationItem]) -> DraftEditor:
    """With the rows opened already."""
    where = paths.locate(str(folder / "データ"))
    rows = where.drafts / "下書き" / "rows-1"
    curation.create(rows, items)
    draft = TrainingDraft("下書き", data=DraftData("組.jsonl", 0, len(items), folder=str(rows)))
    work = DraftEditor(draft, where, tuple, lambda: None)
    work.curation = Curation(rows)
    return work


class Desk:
    def __init__(self, work: DraftEditor, theme: Theme, qtbot: QtBot, width: int = 1168, height: int = 640) -> None:
        self.work = work
        self.tab = ReviewTab(theme, work)
        qtbot.addWidget(self.tab)
        self.tab.resize(width, height)
        self.tab.show()
        self.tab.activateWindow()
        self.tab.focus_first()
        qtbot.waitUntil(self.view.hasFocus)
        work.changed.connect(self.tab.show_items)  # as the page does

    @property
    def view(self) -> QWidget:
        return self.tab.list.view

    @property
    def number(self) -> int:
        """Of the item that is shown."""
        assert self.tab.item is not None
        assert self.tab.item is self.tab.editor.item
        return self.tab.item.number

    @property
    def curation(self) -> Curation:
        assert self.work.curation is not None
        return self.work.curation

    def state(self, number: int) -> str:
        return self.curation.state_of(self.curation.items[number - 1])

    def shown(self) -> list[int]:
        """Numbers of the items that the list shows."""
        items = self.tab.items
        return [items.index(place).data(Qt.ItemDataRole.UserRole).number for place in range(items.rowCount())]

    def spoken(self, number: int) -> str:
        """What a screen reader says of it."""
        text: str = self.tab.items.index_of(number).data(Qt.ItemDataRole.AccessibleTextRole)
        return text

    def press(self, keys: str) -> None:
        """In the list."""
        assert self.view.hasFocus()
        QTest.keyClicks(self.view, keys)

    def press_undo(self) -> None:
        QTest.keyClick(self.view, Qt.Key.Key_Z, CONTROL)

    def type_answer(self, text: str) -> None:
        """In place of the answer, with the keyboard in it."""
        answer = self.tab.editor.answer
        assert answer.hasFocus()
        answer.selectAll()
        answer.insertPlainText(text)

    def submit(self) -> None:
        QTest.keyClick(self.tab.editor.answer, Qt.Key.Key_Return, CONTROL)
