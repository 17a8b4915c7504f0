"""The page まとめて質問 as a user meets it, over the fake engine as a real child."""

import json
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from app.application import AppContext
from app.base.wording import phrase
from app.chat.store import Store
from app.chat.ui.batch_page import BatchPage
from app.documents.records import Section
from app.inference.local_model import LocalModel
from app.uikit.desktop import Pickers
from tests.chat.driver import add_documents
from tests.chat.ui.driver import Window, entries

LIMIT_MS = 30_000
RULE = Section(("第1章",), "鍵は守衛室にある。")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    book = openpyxl.Workbook()
    for row in (
        ["番号", "内容", "質問"],
        [1, "鍵の場所について", "鍵はどこですか？"],
        [2, "x", None],
        [3, "y", "何時までですか？"],
    ):
        book.active.append(row)
    path = tmp_path / "問い合わせ.xlsx"
    book.save(path)
    return path


class BatchWindow(Window):
    """The window with its page まとめて質問."""

    def __init__(self, parts: AppContext, qtbot: QtBot, folder: Path) -> None:
        super().__init__(parts, qtbot)
        self.folder = folder
        self.batch: BatchPage = parts.window.page("batch")
        self.setup, self.running, self.banner = self.batch.setup, self.batch.running, self.batch.banner
        self.opened: list[Path] = []
        self.batch._open_folder = self.opened.append

    def show(self) -> None:
        """From the menu of 質問."""
        entries(self.page.header.menu())["まとめて質問…"].trigger()
        assert self.window.current_page == "batch"
        self.wait(lambda: self.parts.documents.is_open)

    def wait(self, condition: Callable[[], bool]) -> None:
        self.qtbot.waitUntil(condition, timeout=LIMIT_MS)

    def click(self, button: QWidget) -> None:
        assert button.isVisible()
        self.qtbot.mouseClick(button, Qt.MouseButton.LeftButton)

    def choose(self, path: Path) -> None:
        self.batch._pickers = Pickers(open=lambda *_: str(path), save=lambda *_: str(path))
        self.click(self.batch.choose_button)
        self.wait(lambda: self.batch.shown_widget is self.setup)

    def said(self) -> str:
        self.wait(self.banner.isVisible)
        return self.banner.accessibleName()


@pytest.fixture
def opened(
    open_window: Callable[..., AppContext], store: Store, model: LocalModel, qtbot: QtBot, tmp_path: Path
) -> Callable[[], BatchWindow]:
    """Opens the window on the page."""
    store.put_local_model(model)

    def open_() -> BatchWindow:
        window = BatchWindow(open_window(), qtbot, tmp_path)
        window.show()
        return window

    return open_


@pytest.fixture
def desk(opened: Callable[[], BatchWindow]) -> BatchWindow:
    return opened()


def verdicts(path: Path) -> list[object]:
    rows = list(openpyxl.load_workbook(path)["回答"].iter_rows(values_only=True))
    at = rows[0].index("判定")
    return [row[at] for row in rows[1:]]


def test_a_file_is_chosen_looked_at_and_answered(desk, file):
    desk.choose(file)
    setup = desk.setup
    assert setup.facts.text() == "質問 2 件　シート「Sheet」"
    assert setup.columns.currentText() == "C「質問」"
    assert [line.text() for line in setup.preview if line.isVisible()] == [
        "2 行目　鍵はどこですか？",
        "4 行目　何時までですか？",
    ]
    assert "1 行は質問にできません：3 行目（質問が空です）" in setup.skipped.text()
    assert setup.no_documents_note.isVisible()
    assert setup.out == file.with_name("問い合わせ_回答.xlsx")
    ended: list[str] = []
    desk.parts.navigation.work_ended.connect(lambda words, _seconds: ended.append(words))
    desk.click(setup.start_button)
    desk.wait(lambda: desk.batch.shown_widget is desk.batch.empty and desk.banner.isVisible())
    assert ended == [phrase("chat.asking_in_batch_has_finished")]
    assert desk.said().startswith("2 件に回答しました。")
    assert "質問にできない行 1 行" in desk.said()
    assert verdicts(setup.out) == ["回答", "質問ではありません", "回答"]
    desk.banner.action_requested.emit("folder")
    assert desk.opened == [file.parent]
    desk.choose(file)
    assert setup.out == file.with_name("問い合わせ_回答 (2).xlsx")  # nothing is ever replaced


def test_a_file_is_dropped_with_another_column_and_target_and_what_is_no_file_of_questions_is_not(desk, file, tmp_path):
    broken = tmp_path / "壊れた.xlsx"
    broken.write_bytes(b"PK\x03\x04")
    desk.batch.open_file(broken)
    assert "壊れた.xlsx を読めません" in desk.said()
    assert desk.batch.shown_widget is desk.batch.empty
    place, mime = QPoint(100, 100), QMimeData()
    for name, is_taken in (("絵.png", False), (file.name, True)):
        mime.setUrls([QUrl.fromLocalFile(str(file.with_name(name)))])
        buttons, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
        event = QDragEnterEvent(place, Qt.DropAction.CopyAction, mime, buttons, keys)
        QApplication.sendEvent(desk.batch, event)
        assert event.isAccepted() == is_taken
    drop = QDropEvent(QPointF(place), Qt.DropAction.CopyAction, mime, buttons, keys)
    QApplication.sendEvent(desk.batch, drop)
    setup = desk.setup
    desk.wait(lambda: desk.batch.shown_widget is setup)
    setup.columns.setCurrentIndex(1)
    setup.columns.activated.emit(1)
    desk.wait(lambda: setup.preview[0].text() == "2 行目　鍵の場所について")
    desk.batch._pickers = Pickers(save=lambda *_: str(desk.folder / "別名"))
    desk.click(setup.target_button)
    assert setup.out == desk.folder / "別名.xlsx"


def test_it_is_paused_stopped_and_gone_on_with_after_a_restart(desk, opened, tmp_path):
    path = tmp_path / "q.csv"
    path.write_text(
        "質問\n一つ目\n!slow 答えに何秒もかかる長い質問です\n!slow 三つ目も、答えに何秒もかかります\n", "utf-8"
    )
    desk.choose(path)
    running = desk.running
    out = desk.setup.out
    desk.click(desk.setup.start_button)
    desk.wait(lambda: running.bar.value() == 1)
    assert running.work_label.text().startswith("回答しています：!slow")
    assert running.amount.text().startswith("1／3 件（33 %）")
    desk.click(running.pause_button)
    assert running.work_label.text() == "一時停止しています"
    desk.click(running.resume_button)
    desk.click(running.stop_button)
    assert desk.said().startswith("1／3 件で止めました。")
    assert verdicts(out) == ["回答", "未回答", "未回答"]

    again = opened()  # another window, as after a restart
    assert again.said().startswith("q_回答.xlsx は途中です（1 件に回答済み）。")
    again.banner.action_requested.emit("again")
    again.wait(lambda: again.banner.isVisible() and "回答しました" in again.banner.accessibleName())
    assert verdicts(out) == ["回答"] * 3


def test_what_is_unmarked_stays_so_when_documents_change(opened, library, file):
    add_documents(library, "内規", "internal", RULE)
    desk = opened()
    desk.choose(file)
    setup = desk.setup
    desk.wait(lambda: [ref.name for ref in setup.scope()] == ["内規"])
    setup._rows[0].box.click()
    desk.parts.documents.changed.emit()
    assert len(setup._rows) == 1
    assert setup.scope() == ()


def test_confidential_documents_are_asked_after_a_yes(where, opened, library, tmp_path):
    add_documents(library, "内規", "secret", RULE)
    desk = opened()
    path = tmp_path / "q.csv"
    path.write_text("質問\n航空法とは？\n", "utf-8")
    desk.choose(path)
    setup = desk.setup
    desk.wait(lambda: len(setup._rows) == 1)
    if not setup._rows[0].is_checked:
        setup._rows[0].box.click()
    assert not setup.no_documents_note.isVisible()
    desk.click(setup.start_button)
    desk.wait(lambda: desk.batch._secrecy.dialog is not None)
    desk.batch._secrecy.dialog.buttons["cancel"].click()
    assert not setup.out.exists()
    assert desk.batch.shown_widget is setup
    desk.batch._secrecy.dialog = None
    setup.out.write_text("別の人の回答", "utf-8")
    desk.click(setup.start_button)
    assert desk.said().startswith("同じ名前のファイルがあります")
    assert desk.batch._secrecy.dialog is None  # nothing is put on record that cannot be
    assert not where.exports_log.exists()
    setup.out.unlink()
    desk.click(setup.start_button)
    desk.wait(lambda: desk.batch._secrecy.dialog is not None)
    desk.batch._secrecy.dialog.buttons["go"].click()
    assert "1 件に回答しました。" in desk.said()
    (line,) = [json.loads(line) for line in where.exports_log.read_text("utf-8").splitlines()]
    assert (line["what"], line["target"]) == ("answers", str(setup.out))
