"""What Qt keeps by itself lies beside our data, and a window that nobody uses rests."""

import warnings
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, QObject, QSettings, Qt, QTimer
from PySide6.QtWidgets import QFileDialog, QLineEdit, QPlainTextEdit, QVBoxLayout, QWidget

from app.uikit import desktop


def test_the_folders_that_a_file_dialog_was_in_are_kept_beside_the_data(qtbot, tmp_path):
    before = Path(QSettings(QSettings.Scope.UserScope, "QtProject").fileName()).parent
    visited = tmp_path / "橋梁"
    visited.mkdir()
    desktop.keep_visited_folders(tmp_path / "データ")
    try:
        dialog = QFileDialog(directory=str(visited))
        dialog.setOption(QFileDialog.Option.DontUseNativeDialog)
        qtbot.addWidget(dialog)
        dialog.show()
        dialog.accept()
        dialog.deleteLater()
        qtbot.waitUntil((tmp_path / "データ" / "QtProject.conf").is_file)
    finally:
        desktop.keep_visited_folders(before)


def test_a_dialog_begins_in_the_home_folder_where_its_own_does_not_exist(qtbot, tmp_path, monkeypatch):
    asked: list[str] = []
    for name, answer in (("getExistingDirectory", ""), ("getSaveFileName", ("", "")), ("getOpenFileName", ("", ""))):
        monkeypatch.setattr(
            QFileDialog, name, lambda _parent, _title, start, *_kinds, answer=answer: asked.append(start) or answer
        )
    window, pickers, gone = QWidget(), desktop.Pickers(), tmp_path / "無い"
    qtbot.addWidget(window)
    pickers.folder(window, "", str(gone))
    pickers.open(window, "", str(gone), "")
    pickers.save(window, "", str(gone / "表.xlsx"), "")
    pickers.folder(window, "", str(tmp_path))
    pickers.save(window, "", str(tmp_path / "表.xlsx"), "")
    home = Path.home()
    assert asked == [str(home), str(home), str(home / "表.xlsx"), str(tmp_path), str(tmp_path / "表.xlsx")]


class Blinks(QObject):
    """Counts the timers that fire in a field and in what is in it."""

    def __init__(self, app) -> None:
        super().__init__(app)
        self.count = 0
        app.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Timer:
            ancestors = [watched]
            while ancestors[-1] is not None:
                ancestors.append(ancestors[-1].parent())
            self.count += any(isinstance(one, QLineEdit | QPlainTextEdit) for one in ancestors)
        return False


@pytest.mark.parametrize("kind", [QLineEdit, QPlainTextEdit])
def test_the_caret_stands_still_until_somebody_types_again(qapp, qtbot, kind):
    window = QWidget()
    qtbot.addWidget(window)
    field, other = kind(), QLineEdit()
    column = QVBoxLayout(window)
    for widget in (field, other):
        column.addWidget(widget)
    window.show()
    window.activateWindow()
    flash_ms = qapp.styleHints().cursorFlashTime()
    qapp.styleHints().setCursorFlashTime(60)
    rest, blinks = desktop.RestingCaret(qapp, still_after_ms=1000), Blinks(qapp)
    try:
        field.setFocus()
        qtbot.waitUntil(lambda: blinks.count > 1)
        for act in (lambda: qtbot.keyClick(field, Qt.Key.Key_A), other.setFocus):
            qtbot.waitUntil(lambda: qapp.styleHints().cursorFlashTime() == 0)
            qtbot.wait(50)  # what was under way
            blinks.count = 0
            qtbot.wait(200)
            assert blinks.count == 0
            act()
            qtbot.waitUntil(lambda: blinks.count > 1)
    finally:
        qapp.removeEventFilter(blinks)
        rest.deleteLater()
        qapp.styleHints().setCursorFlashTime(flash_ms)


def test_a_file_dialog_that_closes_leaves_nothing_to_disconnect(qapp, qtbot, tmp_path):
    """Its fields are destroyed while they have the focus."""
    window = QWidget()
    qtbot.addWidget(window)
    window.show()
    rest = desktop.RestingCaret(qapp)
    (tmp_path / "file.csv").write_text("")

    def choose() -> None:
        if not isinstance(qapp.focusWidget(), QLineEdit):  # the dialog is not open yet
            QTimer.singleShot(20, choose)
            return
        qtbot.keyClicks(qapp.focusWidget(), str(tmp_path / "file.csv"))
        qtbot.keyClick(qapp.focusWidget(), Qt.Key.Key_Return)

    QTimer.singleShot(0, choose)
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            QFileDialog.getOpenFileName(window, "", str(tmp_path))
    finally:
        rest.deleteLater()
    assert [str(one.message) for one in said] == []
