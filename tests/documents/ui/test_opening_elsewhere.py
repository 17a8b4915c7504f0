"""Files and folders that are shown by another program, where there is none."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QApplication, QMessageBox, QWidget

from app.uikit import desktop


def what_is_said() -> str:
    (box,) = [one for one in QApplication.topLevelWidgets() if isinstance(one, QMessageBox) and one.isVisible()]
    text = box.text()
    box.close()
    return text


@pytest.mark.parametrize(
    ("show", "name", "words"),
    [
        (desktop.open_file, "報告.html", "このファイルを開くアプリが見つかりません。"),
        (desktop.open_folder, "資料", "フォルダを開くアプリが見つかりません。"),
    ],
    ids=["file", "folder"],
)
def test_where_no_program_shows_it_its_place_is_said(qtbot, tmp_path, monkeypatch, show, name, words):
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda _url: False)
    window = QWidget()
    window.setAttribute(Qt.WidgetAttribute.WA_ShowWithoutActivating)  # the user is in another program by now
    qtbot.addWidget(window)
    window.show()
    show(tmp_path / name)
    said = what_is_said()
    assert said.startswith(words)
    assert str(tmp_path / name) in said
