"""The page 質問 without a model says when one is on its way, and where to see how far it is."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QObject, Signal
from pytestqt.qtbot import QtBot

from app.base.errors import AppError
from app.chat.ui.chat_notices import EmptyView, ModelAvailability
from app.models.kits import kit_import
from app.uikit.page import NavigationSignals
from app.uikit.theme import Theme


class Work(QObject):
    """A double of what adds models."""

    progressed = Signal(object, object)
    imported = Signal(object)
    kit_read = Signal(object)
    failed = Signal(object)
    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.is_working = self.is_importing = False
        self.states: list[str] = []

    def items(self) -> list["Item"]:
        return [Item(state) for state in self.states]


class Item:
    def __init__(self, state: str) -> None:
        self.state = state


@pytest.fixture
def empty(theme: Theme, qtbot: QtBot) -> EmptyView:
    view = EmptyView(theme, NavigationSignals())
    qtbot.addWidget(view)
    view.show_state(has_model=False, is_starter_available=True, is_temporary=False)
    return view


def offered(empty: EmptyView) -> list[str]:
    buttons = (empty.progress_button, empty.starter_button, empty.import_button)
    return [button.text() for button in buttons if not button.isHidden()]


def test_the_import_of_a_kit_is_said_until_it_ends(open_window, tmp_path, qtbot, monkeypatch):
    may_end = threading.Event()

    def bring_in(
        _folder: Path, _target: Path, _register: object, _read_presets: object, report: Callable[[int, int], None]
    ) -> object:
        report(1, 2)
        may_end.wait()
        raise AppError("kit_missing", path=str(tmp_path))

    monkeypatch.setattr(kit_import, "import_kit", bring_in)
    parts = open_window()
    empty = parts.window.page("ask").empty
    with qtbot.waitSignal(parts.maintenance.progressed):
        parts.window.models_page().maintenance_strip.import_kit(tmp_path)
    parts.window.show_questions()
    assert empty.lacking.text() == "モデルを追加しています。"
    assert offered(empty) == ["進み具合を見る"]
    empty.progress_button.click()
    assert parts.window.current_page == "models"
    with qtbot.waitSignal(parts.maintenance.failed):
        may_end.set()
    assert empty.lacking.text() == "モデルがまだありません。"
    assert len(offered(empty)) == 2


def test_a_model_that_is_added_otherwise_is_said_too(empty):
    library, upkeep, downloads = Work(), Work(), Work()
    ModelAvailability(empty, library, upkeep, downloads, empty)
    library.is_working = True
    library.progressed.emit(1, 2)
    assert empty.lacking.text() == "モデルを追加しています。"
    library.is_working = False
    library.failed.emit(AppError("cancelled"))
    assert empty.lacking.text() == "モデルがまだありません。"


def test_beside_a_download_the_trial_model_can_still_be_added(empty):
    downloads = Work()
    ModelAvailability(empty, Work(), Work(), downloads, empty)
    downloads.states = ["paused", "running"]
    downloads.changed.emit()
    assert empty.lacking.text() == "モデルをダウンロードしています。"
    assert offered(empty)[:2] == ["進み具合を見る", "お試し用ではじめる"]
    downloads.states = ["paused"]
    downloads.changed.emit()
    assert empty.lacking.text() == "モデルがまだありません。"
