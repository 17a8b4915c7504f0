"""The row GPU の部品 of the settings: a part is taken from its file, what is none is refused, and it can go again."""

import hashlib
import zipfile
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLineEdit, QVBoxLayout, QWidget

from app.inference import engine_packs
from app.inference.engine_packs import EnginePack, PackFile
from app.shell.ui.settings.sections import EnginePacksPanel
from app.uikit.desktop import Pickers

LIBRARY = bytes(range(256)) * 40
FILE = PackFile("libggml-vulkan.so", len(LIBRARY), hashlib.sha256(LIBRARY).hexdigest())
PACK = EnginePack("vulkan", (FILE,))
LIMIT_MS = 60_000


@pytest.fixture(autouse=True)
def listed(monkeypatch):
    monkeypatch.setattr(engine_packs, "known_packs", lambda: (PACK,))


@pytest.fixture
def pack(tmp_path) -> Path:
    file = tmp_path / "kotae-vulkan.zip"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(FILE.name, LIBRARY)
    return file


@pytest.fixture
def window(theme, qtbot) -> QWidget:
    window = QWidget()
    qtbot.addWidget(window)
    window.resize(500, 300)
    return window


@pytest.fixture
def row(window, theme, where, qtbot, pack) -> EnginePacksPanel:
    """With a field after it, where the keyboard would go."""
    row = EnginePacksPanel(theme, where, Pickers(open=lambda *_: str(pack)))
    column = QVBoxLayout(window)
    column.addWidget(row)
    column.addWidget(QLineEdit())
    window.show()
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    row.setFocus()
    return row


def take(row: EnginePacksPanel, qtbot) -> None:
    qtbot.keyClick(row.add_button, Qt.Key.Key_Return)
    qtbot.waitUntil(row.add_button.isEnabled, timeout=LIMIT_MS)


def remove(row: EnginePacksPanel, qtbot, choice: str = "remove") -> None:
    row.remove_button.setFocus()
    dialog = row.ask_to_remove()
    qtbot.mouseClick(dialog.buttons[choice], Qt.MouseButton.LeftButton)
    qtbot.waitUntil(row.add_button.isEnabled, timeout=LIMIT_MS)


def test_a_part_is_taken_from_its_file_and_the_keyboard_stays(row, where, qtbot):
    assert row.state.text() == "なし（CPU で計算します）"
    assert row.remove_button.isHidden()
    take(row, qtbot)
    assert row.state.text().startswith("✓ Vulkan を追加しました。")
    assert (where.engine_packs / PACK.name / FILE.name).read_bytes() == LIBRARY
    assert row.remove_button.isVisible()
    assert row.window().focusWidget() == row.add_button


def test_a_part_that_is_there_is_named(row, theme, where, qtbot):
    take(row, qtbot)
    again = EnginePacksPanel(theme, where)
    qtbot.addWidget(again)
    assert again.state.text() == "あり：Vulkan"


def test_another_file_is_refused_with_a_sign_and_can_be_followed_by_the_right_one(row, pack, qtbot):
    right = pack.read_bytes()
    pack.write_bytes(b"<html>404</html>")
    take(row, qtbot)
    assert row.state.text().startswith("× ")
    assert "GPU の部品ではありません" in row.state.text()
    pack.write_bytes(right)
    take(row, qtbot)
    assert row.state.text().startswith("✓ ")


def test_it_goes_only_after_a_yes(row, where, qtbot):
    take(row, qtbot)
    remove(row, qtbot, "cancel")
    assert (where.engine_packs / PACK.name / FILE.name).is_file()
    remove(row, qtbot)
    qtbot.waitUntil(lambda: row.state.text().startswith("✓ 外しました。"), timeout=LIMIT_MS)
    assert not where.engine_packs.exists()
    assert row.remove_button.isHidden()
    assert row.window().focusWidget() == row.add_button


def test_what_a_command_changes_is_seen_when_the_user_comes_back(row, window, where, pack, qtbot):
    elsewhere = QWidget()
    qtbot.addWidget(elsewhere)

    def come_back_after(change) -> None:
        elsewhere.show()
        elsewhere.activateWindow()
        qtbot.waitUntil(elsewhere.isActiveWindow)
        change()
        window.activateWindow()
        qtbot.waitUntil(window.isActiveWindow)

    come_back_after(lambda: engine_packs.install(pack, where.engine_packs))
    assert row.state.text().startswith("✓ Vulkan を追加しました。次の質問から")
    assert row.remove_button.isVisible()
    come_back_after(lambda: engine_packs.remove(where.engine_packs))
    assert row.state.text().startswith("✓ 外しました。")
    assert row.remove_button.isHidden()
    row.take(str(where.data / "ない.zip"))
    qtbot.waitUntil(row.add_button.isEnabled, timeout=LIMIT_MS)
    refused = row.state.text()
    come_back_after(lambda: None)
    assert row.state.text() == refused


def test_what_a_command_changes_is_seen_when_the_settings_are_opened_again(row, where, pack):
    row.hide()
    engine_packs.install(pack, where.engine_packs)
    row.show()
    assert row.state.text().startswith("✓ Vulkan を追加しました。")


def test_one_that_cannot_be_deleted_now_is_not_called_gone(row, monkeypatch, qtbot):
    take(row, qtbot)
    monkeypatch.setattr(engine_packs, "remove", lambda _folder: None)  # as Windows leaves what is loaded
    remove(row, qtbot)
    qtbot.waitUntil(lambda: row.state.text().startswith("▲ 使用中"), timeout=LIMIT_MS)
    assert row.remove_button.isVisible()
