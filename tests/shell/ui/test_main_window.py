"""The frame around every page: narrow windows, keys, the status line, and text that is never HTML."""

import dataclasses
import os
import subprocess
import sys

import pytest
from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtGui import QAction, QKeySequence, QShortcut
from PySide6.QtWidgets import QAbstractButton, QAbstractItemView, QComboBox, QLabel, QLineEdit

from app.base.errors import AppError
from app.inference.engine.messages import EngineFacts
from app.inference.services.events import EngineStatus
from app.shell.ui import window_layout
from app.shell.ui.main_window import DEFAULT_SIZE
from app.shell.ui.window_layout import WindowGeometry
from app.uikit import dialogs
from app.uikit.widgets.section_bars import RailStep
from tests.dev_scripts import ROOT
from tests.screenshots import facts
from tests.window_fixtures import settle

ANSWERED = EngineStatus("ready", "試し 8B", facts("/m.gguf"), 3412, 44.9, 0.6)


def touch(window, *several: str) -> None:
    """What shortcuts of the window do one after the other, without a window manager that would deliver the keys."""
    for keys in several:
        found = [shortcut for shortcut in window.findChildren(QShortcut) if shortcut.key() == QKeySequence(keys)]
        assert len(found) == 1, keys
        found[0].activated.emit()


def press(window, *several: str) -> None:
    touch(window, *several)
    settle()  # a new page is built and shown in turns of the event loop


BUILT = """
import sys, tempfile
from pathlib import Path
from PySide6.QtWidgets import QApplication
from app import application
from app.base import paths
from app.chat.store import Store
from app.base.services.preferences import Preferences
from app.uikit.theme import Theme
app = QApplication([])
with tempfile.TemporaryDirectory() as folder:
    where = paths.locate(folder)
    store = Store.open(where.database, where.backups)
    parts = application.build(where, Theme(), Preferences(where.settings), store)
    print(*(name for name in sys.argv[1:] if name in sys.modules))
    parts.close()
"""


def test_a_start_loads_nothing_large_that_only_some_starts_need():
    """Each of them takes longer to load than the window to be built."""
    large = ["numpy", "llama_cpp", "transformers", "huggingface_hub", "docx", "openpyxl", "app.training.cli.train"]
    environment = os.environ | {"QT_QPA_PLATFORM": "offscreen"}
    command = [sys.executable, "-c", BUILT, *large]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, encoding="utf-8", check=True)
    assert done.stdout.split() == []


def test_the_window_shows_the_pages_that_exist(open_window):
    window = open_window().window
    buttons = window.sidebar.nav.findChildren(QAbstractButton)
    assert [button.text() for button in buttons] == ["質問", "資料", "モデル", "学習", "評価", "設定"]
    pages = ("ask", "documents", "models", "training", "evaluation", "settings")
    for number, page in enumerate(pages, start=1):
        press(window, f"Ctrl+{number}")
        assert window.current_page == page


def test_of_pages_that_are_asked_for_fast_only_the_last_is_built_and_shown(open_window):
    window = open_window().window
    press(window, "Ctrl+2", "Ctrl+3", "Ctrl+2", "Ctrl+6")
    assert window.current_page == "settings"
    assert set(window.pages.built_pages) == {"ask", "settings"}
    press(window, "Ctrl+2", "Ctrl+N")
    assert window.current_page == "ask"
    press(window, "Ctrl+2", "Ctrl+1", "Ctrl+2")
    assert window.current_page == "documents"


def test_a_page_that_is_needed_before_its_turn_is_built_once(open_window):
    window, built = open_window().window, []
    window.pages.built.connect(built.append)
    window._open_page("documents")
    early = window.page("documents")
    settle()
    assert built == [early]
    assert window.current_page == "documents"


def test_a_window_that_is_closed_opens_no_page(open_window):
    window = open_window().window
    window._open_page("documents")
    window.close()
    settle()
    assert set(window.pages.built_pages) == {"ask"}


def test_a_page_that_cannot_be_built_is_tried_again(open_window, qtbot, monkeypatch):
    window = open_window().window

    def refuse():
        raise ImportError

    with monkeypatch.context() as patched, qtbot.captureExceptions() as raised:
        patched.setitem(window.pages._makers, "documents", lambda: refuse)
        press(window, "Ctrl+2")
    assert (len(raised), window.current_page) == (1, "ask")
    press(window, "Ctrl+2")
    assert window.current_page == "documents"


def test_a_narrow_window_hides_the_sidebar_behind_a_button(open_window, qtbot):
    window = open_window(900, 600).window
    assert not window.sidebar.isVisible()
    assert window.menu_button.isVisible()
    qtbot.mouseClick(window.menu_button, Qt.MouseButton.LeftButton)
    assert window.sidebar.isVisible()
    press(window, "Ctrl+2")
    assert not window.sidebar.isVisible()
    window.resize(1200, 700)
    assert window.sidebar.isVisible()
    assert not window.menu_button.isVisible()


def test_ctrl_b_leaves_the_sidebar_of_a_wide_window_alone(open_window):
    window = open_window().window
    press(window, "Ctrl+B")
    assert window.sidebar.isVisible()


def test_f6_goes_round_the_regions(open_window, store, qtbot):
    store.add_question("質問")
    window = open_window().window
    qtbot.waitUntil(lambda: window.focusWidget() is not None)
    start = window.focusWidget()
    seen = []
    for _ in range(3):
        press(window, "F6")
        seen.append(window.focusWidget())
    assert len(set(seen)) == 3
    assert seen[-1] is start


def test_keys_pressed_while_a_new_page_opens_do_not_reach_the_page_before(open_window, qtbot):
    window = open_window().window
    asking = window.page("ask")
    qtbot.waitUntil(lambda: window.focusWidget() is not None)
    assert asking.isAncestorOf(window.focusWidget())
    touch(window, "Ctrl+4")
    assert window.current_page == "ask"
    assert not asking.isAncestorOf(window.focusWidget())
    settle()
    assert window.page("training").isAncestorOf(window.focusWidget())


def test_ctrl_n_opens_a_new_question(open_window, store):
    number = store.add_question("前の質問").conversation_id
    parts = open_window()
    parts.session.open(number)
    parts.window.show_page("settings")
    press(parts.window, "Ctrl+N")
    assert parts.session.conversation is None
    assert parts.window.current_page == "ask"


def test_ctrl_plus_and_minus_change_the_text_size(open_window):
    parts = open_window()
    press(parts.window, "Ctrl++")
    assert parts.preferences.value.text_scale_percent == 115
    press(parts.window, "Ctrl+0")
    press(parts.window, "Ctrl+-")
    press(parts.window, "Ctrl+-")
    assert parts.preferences.value.text_scale_percent == 90


def test_the_status_line_shows_what_is_in_force(open_window):
    line = open_window().window.status_line
    line.show_status(ANSWERED)
    assert line.model.text() == "試し 8B"
    assert line.device.text() == "CPU 7 スレッド"
    assert line.context.text() == "3,412／8,192 トークン"
    assert line.speed.text() == "44.9 tok/s"
    assert line.first_label.text() == "最初の語まで 0.6 秒"
    assert not line.warning.isVisible()


def test_the_meter_warns_from_ninety_percent_on(open_window):
    line = open_window().window.status_line
    for used, is_low in ((7372, False), (7373, True), (8192, True)):
        line.show_status(dataclasses.replace(ANSWERED, used_tokens=used))
        assert line.warning.isVisible() == is_low
    assert line.warning.text() == "▲ 残りわずか"


def test_every_state_of_the_engine_has_its_words(open_window):
    line = open_window().window.status_line
    for state, words in {
        "off": "待機中",
        "starting": "準備しています…",
        "loading": "モデルを読み込んでいます…",
        "reading": "質問を読んでいます…",
        "answering": "回答中…",
        "failed": "▲ 停止しました",
    }.items():
        line.show_status(EngineStatus(state, "試し 8B", load_fraction=0.4 if state == "loading" else None))
        assert line.state.text() == words
        assert line.state.isVisible()
        assert line.loading.isVisible() == (state == "loading")


def test_a_gpu_is_named_with_its_layers(open_window):
    line = open_window().window.status_line
    on_gpu: EngineFacts = dataclasses.replace(facts("/m.gguf"), gpu_layers=33)
    line.show_status(dataclasses.replace(ANSWERED, facts=on_gpu))
    assert line.device.text() == "GPU 33／33 層"


def every_page(window):
    for key in ("ask", "documents", "models", "training", "evaluation", "settings"):
        window.show_page(key)
    return window


def test_every_label_is_plain_text(open_window, store):
    store.add_question("<img src=x> 質問")
    window = every_page(open_window().window)
    labels = window.findChildren(QLabel)
    assert len(labels) > 20
    rich = [label.text() for label in labels if label.textFormat() != Qt.TextFormat.PlainText]
    assert rich == []


def test_everything_one_can_use_has_a_name_and_takes_the_keyboard(open_window):
    window = every_page(open_window().window)
    kinds = (QAbstractButton, QLineEdit, QComboBox, QAbstractItemView)
    found = [
        widget
        for kind in kinds
        for widget in window.findChildren(kind)
        if not isinstance(widget.parent(), QLineEdit) and not is_inside_a_control(widget)
    ]
    assert len(found) > 15
    nameless = [widget for widget in found if not (widget.accessibleName() or getattr(widget, "text", str)())]
    assert nameless == []
    deaf = [widget for widget in found if not widget.focusPolicy() & Qt.FocusPolicy.TabFocus]
    assert deaf == []


def is_inside_a_control(widget) -> bool:
    """The list of a combo box, the field of a spin box and the head of a table belong to it; a step to come to its
    rail."""
    if widget.inherits("QHeaderView") or (isinstance(widget, RailStep) and not widget.isEnabled()):
        return True
    parent = widget.parentWidget()
    while parent is not None:
        if parent.inherits("QComboBox") or parent.inherits("QAbstractSpinBox"):
            return True
        parent = parent.parentWidget()
    return False


def test_no_word_of_qt_is_english(open_window):
    window = open_window().window
    words = [action.text() for action in window.findChildren(QAction)] + [window.windowTitle()]
    assert [word for word in words if word.isascii() and word not in ("", "Kotae")] == []


def test_the_window_comes_back_where_it_was(where, qtbot, theme):
    from PySide6.QtWidgets import QWidget

    place = WindowGeometry(where.data / "window.json")
    first, second = QWidget(), QWidget()
    qtbot.addWidget(first)
    qtbot.addWidget(second)
    assert not place.restore(first)
    first.resize(700, 500)
    place.save(first)
    assert place.restore(second)
    assert (second.width(), second.height()) == (700, 500)


@pytest.mark.parametrize("is_placed", [False, True])
def test_a_window_fits_a_small_screen_with_its_frame(qtbot, is_placed):
    from PySide6.QtWidgets import QWidget

    window, screen = QWidget(), QRect(0, 0, 1366, 728)
    qtbot.addWidget(window)
    window.resize(*((1900, 1000) if is_placed else DEFAULT_SIZE))
    if is_placed:
        window.move(40, 30)
    window_layout.fit_to_screen(window, screen)
    frame = QSize(*window_layout.FRAME_PX)
    assert window.size() + frame == (window.size() + frame).boundedTo(screen.size())
    assert window.height() > 600
    assert is_placed or screen.contains(QRect(window.pos(), window.size() + frame))


def test_a_window_that_fits_stays_as_it_is_and_a_first_one_stands_in_the_middle(qtbot):
    from PySide6.QtWidgets import QWidget

    placed, first = QWidget(), QWidget()
    for window in (placed, first):
        qtbot.addWidget(window)
        window.resize(700, 500)
    placed.move(600, 100)
    for window in (placed, first):
        window_layout.fit_to_screen(window, QRect(0, 0, 1366, 728))
    assert placed.geometry() == QRect(600, 100, 700, 500)
    assert first.geometry().center().x() == pytest.approx(683, abs=2)
    assert (first.width(), first.height()) == (700, 500)


@pytest.mark.parametrize("content", ["", "[]", '{"geometry": 5}', '{"geometry": "***"}', '{"geometry": "AAAA"}'])
def test_a_damaged_place_is_as_none(where, qtbot, content):
    from PySide6.QtWidgets import QWidget

    (where.data / "window.json").write_text(content, "utf-8")
    widget = QWidget()
    qtbot.addWidget(widget)
    assert not WindowGeometry(where.data / "window.json").restore(widget)


def test_a_problem_says_what_happened_and_what_to_do(open_window):
    window = open_window().window
    dialog = window.show_problem(AppError("memory_short", need_bytes=6_600_000_000, free_bytes=4_100_000_000))
    texts = [label.text() for label in dialog.findChildren(QLabel)]
    assert "メモリが足りません（必要 6.6 GB、空き 4.1 GB）。" in texts
    assert "文脈の長さを小さくするか、軽い形のモデルを選んでください。" in texts
    assert all(label.textFormat() == Qt.TextFormat.PlainText for label in dialog.findChildren(QLabel))
    dialog.reject()


def raised(message: str) -> Exception:
    try:
        raise ValueError(message)
    except ValueError as error:
        return error


def test_each_bug_is_shown_once(qtbot, theme):
    saved = []
    reporter = dialogs.BugReporter(theme, None, lambda: saved.append(True))
    first, again = raised("一つ目"), raised("二つ目")
    dialog = reporter.report(ValueError, first, first.__traceback__)
    assert reporter.report(ValueError, again, again.__traceback__) is None
    assert "一つ目" in dialog.findChild(dialogs.QPlainTextEdit).toPlainText()
    dialog.buttons["log"].click()
    assert saved == [True]


def test_closing_a_dialog_is_to_cancel(qtbot, theme):
    choices = (
        dialogs.DialogButton("cancel", "キャンセル", is_default=True),
        dialogs.DialogButton("go", "消す", "danger_fill"),
    )
    dialog = dialogs.Dialog(theme, "消しますか", "戻せません。", choices)
    dialog.open()
    with qtbot.waitSignal(dialog.chosen) as signal:
        qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    assert signal.args == ["cancel"]


def test_how_fast_an_answer_was_is_for_those_who_want_details(open_window):
    parts = open_window()
    line = parts.window.status_line
    line.show_status(ANSWERED)
    assert not line.speed.isVisible()
    assert not line.first_label.isVisible()
    parts.preferences.change(shows_details=True)
    assert line.speed.isVisible()
    assert line.first_label.isVisible()
    parts.preferences.change(shows_details=False)
    assert not line.speed.isVisible()


def test_the_status_line_says_that_a_training_has_the_memory(open_window, tmp_path):
    parts = open_window()
    line = parts.window.status_line
    parts.trainings.started.emit(tmp_path)
    assert line.model.text() == "学習中：質問用のモデルは休止中"
    parts.trainings.ended.emit(tmp_path, None)
    assert line.model.text() == "モデルは読み込まれていません"


@pytest.mark.parametrize("is_open", [False, True])
def test_what_the_library_was_doing_when_the_program_closed_reaches_no_closed_database(
    open_window, qtbot, tmp_path, is_open
):
    parts = open_window()
    parts.documents.open()
    if is_open:
        qtbot.waitUntil(lambda: parts.documents.is_open)
        (tmp_path / "規程.md").write_text("# 規程\n\n休憩は一時間とする。\n", encoding="utf-8")
        parts.documents.add_collection("規程集", paths=[tmp_path / "規程.md"])
    changes = []
    parts.documents.changed.connect(lambda: changes.append(1))
    parts.window.close()
    parts.close()
    settle()  # delivers what the pool has done; an error in a slot fails the test
    assert (changes, parts.documents.is_open) == ([], False)
