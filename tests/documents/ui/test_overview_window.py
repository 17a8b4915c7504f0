"""The window of a comparison, a list of values or a summary, as it is used over a real library."""

from dataclasses import replace
from pathlib import Path

import openpyxl
import pytest
from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QFontMetrics
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.base.paths import Paths
from app.documents import records
from app.documents.library import Library
from app.documents.overview import result_table
from app.documents.overview.result_table import OverviewRequest, ResultTable
from app.documents.records import Section
from app.documents.ui.overview_window import OverviewWindow
from app.documents.whole_document import ReadingPlace
from app.uikit.confidentiality_guard import ConfidentialityGuard
from app.uikit.desktop import Pickers
from app.uikit.page import NavigationSignals
from app.uikit.theme import Theme

EDITIONS = {
    "基準2020.md": [("3.1 かぶり", "かぶりは70mm以上とする。"), ("3.2 点検", "ポンプは年2回点検しなければならない。")],
    "基準2025.md": [("3.1 かぶり", "かぶりは75mm以上とする。"), ("3.3 塗装", "塗膜は、二層とする。")],
}


class Writer(QObject):
    """Stands for a model that writes a summary."""

    progressed = Signal(int, int, object)
    finished = Signal(object)
    stopped = Signal()
    failed = Signal(object)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.calls: list[str] = []

    def start(self) -> None:
        self.calls.append("start")

    def stop(self) -> None:
        self.stopped.emit()

    def abandon(self) -> None:
        self.calls.append("abandon")


class Desk:
    """The window, what it asks others for, and what the user would choose."""

    def __init__(self, where: Paths, theme: Theme, qtbot: QtBot, out: Path) -> None:
        self.where, self.theme, self.qtbot, self.out = where, theme, qtbot, out
        self.navigation = NavigationSignals()
        self.read: list[ReadingPlace] = []
        self.navigation.reading_requested.connect(self.read.append)
        self.secrecy = ConfidentialityGuard(theme, where.exports_log)
        self.writers: list[Writer] = []
        self.has_model = True

    def write(self, _document_id: int, _chapter: str, parent: QObject) -> Writer | None:
        if self.has_model:
            self.writers.append(Writer(parent))
            return self.writers[-1]
        return None

    def open(self, kind: str, *ids: int) -> OverviewWindow:
        request = OverviewRequest(kind, ids, "基準")  # type: ignore[arg-type]
        window = OverviewWindow(
            self.theme, self.navigation, self.where.documents, self.secrecy, request, self.write,
            pickers=Pickers(save=lambda *_: str(self.out.with_suffix(""))),
        )  # fmt: skip
        window.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, on=False)
        self.qtbot.addWidget(window)
        window.show()
        self.qtbot.waitUntil(lambda: window.table is not None)
        return window


def shown(window: OverviewWindow, column: int) -> list[str]:
    return [window.rows.index(row, column).data() for row in range(window.rows.rowCount())]


@pytest.fixture
def desk(where: Paths, theme: Theme, qtbot: QtBot, tmp_path: Path) -> Desk:
    library = Library.open(where.documents)
    collection = library.add_collection("基準")
    for name, clauses in EDITIONS.items():
        (document_id,) = library.add_documents(collection, [Path("/") / name])
        document = library.document(document_id)
        assert document is not None
        sections = [Section((heading,), text) for heading, text in clauses]
        library.put(replace(document, state="done", sha256=name), sections)
    library.close()
    return Desk(where, theme, qtbot, tmp_path / "対照.xlsx")


def test_two_editions_stand_side_by_side_and_are_counted_and_filtered(desk):
    window = desk.open("comparison", 1, 2)
    assert shown(window, 3) == ["70mm以上 → 75mm以上", "–", "–"]
    assert len(window.tabs.buttons) == 4  # all, values, added, removed
    assert "かぶりは70mm以上とする。" in window.lines.toPlainText()
    assert "かぶりは75mm以上とする。" in window.lines.toPlainText()
    QTest.mouseClick(window.tabs.buttons["added"], Qt.MouseButton.LeftButton)
    assert shown(window, 2) == ["3.3 塗装"]
    QTest.mouseClick(window.tabs.buttons["all"], Qt.MouseButton.LeftButton)
    window.filter.setText("点検")
    assert shown(window, 1) == ["3.2 点検"]


def test_enter_opens_the_clause_in_the_reader_and_old_and_new_change_places(desk):
    window = desk.open("comparison", 1, 2)
    window.list.setFocus()
    QTest.keyClick(window.list, Qt.Key.Key_Return)
    (place,) = desk.read
    assert (place.document_id, bool(place.section_id)) == (2, True)
    window.filter.setText("点検")  # a clause that only the old edition has
    QTest.mouseClick(window.open_button, Qt.MouseButton.LeftButton)
    assert desk.read[-1].document_id == 1
    window.filter.clear()
    QTest.mouseClick(window.swap_button, Qt.MouseButton.LeftButton)
    desk.qtbot.waitUntil(lambda: shown(window, 3)[0] == "75mm以上 → 70mm以上")


def test_the_required_values_are_exported_and_what_became_secret_meanwhile_after_consent_only(desk):
    window = desk.open("values", 1, 2)
    assert shown(window, 1) == ["70mm以上", "2回", "75mm以上"]
    QTest.mouseClick(window.export_button, Qt.MouseButton.LeftButton)
    desk.qtbot.waitUntil(lambda: desk.out.exists() and window.banner.isVisible())
    (sheet,) = openpyxl.load_workbook(desk.out).worksheets
    assert [sheet.cell(row, 2).value for row in (2, 3, 4)] == ["70mm以上", "2回", "75mm以上"]
    desk.out.unlink()
    library = Library.open_second(desk.where.documents)
    library.set_label(1, "secret")
    library.close()
    assert window.label_now() == "secret"
    QTest.mouseClick(window.export_button, Qt.MouseButton.LeftButton)
    dialog = desk.secrecy.dialog
    assert dialog is not None
    assert not desk.out.exists()
    dialog.chosen.emit("go")
    desk.qtbot.waitUntil(desk.out.exists)
    dialog.close()


def test_a_value_is_shown_whole_where_long_clauses_are_shortened_and_the_window_is_called_after_the_document(desk):
    library = Library.open_second(desk.where.documents)
    document = library.document(1)
    assert document is not None
    long = "3.1 " + "環境条件の厳しい場所でのかぶり" * 3
    library.put(document, [Section((long,), "設計基準強度は 1,240.5 N/mm2以上とする。")])
    library.close()
    window = desk.open("values", 1)
    window.resize(620, 500)
    QApplication.processEvents()
    measure, header = QFontMetrics(desk.theme.font("ui")).horizontalAdvance, window.list.header()
    shares = [header.sectionSize(at) - measure(window.rows.index(0, at).data()) for at in (1, 4)]
    assert shares[0] > 0 > shares[1]
    assert window.windowTitle() == "基準 – 数値基準の一覧"


def test_the_label_is_that_of_what_the_model_learned_from_and_of_attached_files(desk):
    window = desk.open("summary", 1)
    assert window.table is not None
    assert window.label_now() == "internal"
    window.table = replace(window.table, least_label="secret")
    assert window.label_now() == "secret"
    library = Library.open_second(desk.where.documents)
    library.attach(records.new_attached_name(), Path("/c.md"), "here")
    (attached,) = (one for one in library.collections(has_attached=True) if one.attached)
    (document,) = library.documents(attached.id)
    library.close()
    of_question = replace(window.table, least_label="public", document_ids=(document.id,))
    assert result_table.label_now(desk.where.documents, of_question) == attached.label == "internal"
    of_gone = replace(of_question, document_ids=(document.id, 99))
    assert result_table.label_now(desk.where.documents, of_gone) == "secret"


def test_a_summary_is_quoted_at_once_and_written_when_asked(desk):
    window = desk.open("summary", 1)
    assert shown(window, 0) == ["かぶりは70mm以上とする。", "ポンプは年2回点検しなければならない。"]
    assert window.coverage.value() == window.coverage.maximum()
    QTest.mouseClick(window.write_button, Qt.MouseButton.LeftButton)
    (writer,) = desk.writers
    assert writer.calls == ["start"]
    writer.progressed.emit(1, 4, None)
    assert "25" in window.progress.words
    QTest.mouseClick(window.progress.cancel_button, Qt.MouseButton.LeftButton)
    assert not window.progress.isVisible()
    window.banner.action_requested.emit("write")  # go on
    table = window.table
    assert isinstance(table, ResultTable)
    desk.writers[-1].finished.emit(replace(table, title="書かれた要約"))
    desk.qtbot.waitUntil(lambda: window.table is not table)
    assert window.heading.text() == "書かれた要約"
    assert window.write_button.isHidden()


def test_without_a_model_it_is_said_why_it_stays_quoted(desk):
    desk.has_model = False
    window = desk.open("summary", 1)
    QTest.mouseClick(window.write_button, Qt.MouseButton.LeftButton)
    assert window.banner.isVisible()
    assert window.rows.rowCount() == 2


@pytest.mark.parametrize("close", [OverviewWindow.reject, OverviewWindow.close])
def test_closing_the_window_ends_its_work(desk, close):
    window = desk.open("summary", 1)
    QTest.mouseClick(window.write_button, Qt.MouseButton.LeftButton)
    close(window)
    assert desk.writers[0].calls == ["start", "abandon"]
