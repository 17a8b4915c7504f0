"""The training environment in the window: offered where it is missing, made with its progress, looked at, deleted."""

import os
import sys
import time
from pathlib import Path

import pytest
import shiboken6
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QLabel

from app.base.errors import AppError
from app.models import package_locks as locks
from app.models import training_environment
from app.models.training_environment import VARIABLE
from app.shell.ui.background_work import Notifier
from app.training.environment.folders import EnvironmentFolders
from app.training.environment.install_plan import InstallNeed
from app.training.ui.install_environment_flow import InstallEnvironmentDialog
from app.uikit.desktop import Pickers
from app.uikit.localization import set_language
from tests.training.services.test_training_setup import _CHILD, ROOT, processes_below
from tests.wheelhouse import Index, make_wheels, write_lock

LEFT = Qt.MouseButton.LeftButton
LIMIT_MS = 120_000


def words(widget) -> str:
    return "\n".join(label.text() for label in widget.findChildren(QLabel) if label.isVisibleTo(widget))


def asking() -> InstallEnvironmentDialog:
    shown = [widget for widget in QApplication.topLevelWidgets() if widget.isVisible()]
    (dialog,) = [widget for widget in shown if isinstance(widget, InstallEnvironmentDialog)]
    return dialog


@pytest.fixture
def wheels(tmp_path) -> Path:
    return make_wheels(tmp_path / "ホイール")


@pytest.fixture
def locked(wheels, tmp_path, monkeypatch) -> Path:
    folder = write_lock(tmp_path / "locked", wheels)
    monkeypatch.setattr(locks, "folder", lambda: folder)
    return folder


@pytest.fixture
def parts(open_window, where, locked, monkeypatch, qtbot):
    """Nothing of the developer's; the real child installs tiny wheels."""
    for name in [name for name in os.environ if name.startswith("PIP_")] + [VARIABLE]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setattr(training_environment, "DEVELOPMENT_FOLDER", "none")
    parts = open_window()
    parts.training_setup._child._command = [sys.executable, "-P", "-c", _CHILD, str(locked)]
    yield parts
    parts.training_setup.close()
    qtbot.waitUntil(lambda: processes_below(where.data) == [], timeout=LIMIT_MS)  # one that looks ends by itself


@pytest.fixture
def panel(parts, wheels, qtbot):
    """The section of the settings, after it has looked."""
    parts.window.show_settings("training")
    panel = dict(parts.window.page("settings").sections)["学習環境"].panel
    panel.making._pickers = Pickers(folder=lambda *_: str(wheels))
    qtbot.waitUntil(lambda: panel.report is not None, timeout=LIMIT_MS)
    return panel


@pytest.fixture
def build_dialog(parts, wheels):
    parts.window.show_page("models")
    dialog = parts.window.page("models").ask_to_build()
    dialog.making._pickers = Pickers(folder=lambda *_: str(wheels))
    yield dialog
    dialog.reject()


def choose(qtbot, key: str) -> None:
    dialog = asking()
    qtbot.waitUntil(lambda: dialog.buttons[key].isEnabled(), timeout=LIMIT_MS)
    qtbot.mouseClick(dialog.buttons[key], LEFT)


def test_the_dialog_that_needs_it_offers_it_and_goes_on_when_it_is_there(parts, build_dialog, qtbot):
    dialog = build_dialog
    assert "学習環境" in words(dialog.banner)
    button = next(b for b in dialog.banner.findChildren(type(dialog.buttons["build"])) if b.text() == "学習環境を作る")
    qtbot.mouseClick(button, LEFT)
    qtbot.waitUntil(lambda: "使います（空き" in asking().room.text(), timeout=LIMIT_MS)
    assert "通信：pip の配布元" in asking().network.text()
    choose(qtbot, "offline")
    qtbot.waitUntil(lambda: "通信はしません。" in words(asking()) and "使います" in asking().room.text())
    choose(qtbot, "make")
    assert dialog.banner.isHidden()
    assert dialog.making.progress.isVisible()
    seen = set()
    parts.training_setup.progressed.connect(lambda _: seen.add(dialog.making.progress._what.text()))
    with qtbot.waitSignal(parts.training_setup.finished, timeout=LIMIT_MS):
        pass
    assert {"学習環境の Python を用意しています", "学習環境の部品を集めています：torch"} <= seen
    assert not dialog.making.isVisible()
    assert dialog.banner.isHidden()
    assert parts.build_controller.obstacle() is None


def test_the_settings_show_what_there_is_and_delete_it(parts, panel, where, qtbot):
    assert panel.state.text() == "まだありません。"
    assert not panel.remove_button.isVisible()
    qtbot.mouseClick(panel.offline_button, LEFT)
    choose(qtbot, "make")
    assert not panel.make_button.isEnabled()
    qtbot.waitUntil(lambda: panel.state.text() == "✓ 使えます。", timeout=LIMIT_MS)
    assert "torch 1.0" in panel.versions.text()
    assert "training-environment" in panel.place.text().replace("\u200b", "")
    assert panel.make_button.text() == "作り直す"
    qtbot.mouseClick(panel.remove_button, LEFT)
    (dialog,) = [w for w in QApplication.topLevelWidgets() if "学習環境を削除しますか" in w.accessibleName()]
    with qtbot.waitSignal(parts.training_setup.removed, timeout=LIMIT_MS):
        qtbot.mouseClick(dialog.buttons["remove"], LEFT)
    qtbot.waitUntil(lambda: panel.state.text() == "まだありません。", timeout=LIMIT_MS)
    assert not EnvironmentFolders(where.data).final.exists()


def test_what_leaves_the_machine_is_shown_and_cancelling_ends_it(parts, panel, wheels, where, qtbot, monkeypatch):
    traffic = parts.window.sidebar.traffic
    with Index(wheels, stalls_at="gguf") as index:
        for name, value in index.variables().items():
            monkeypatch.setenv(name, value)
        qtbot.mouseClick(panel.make_button, LEFT)
        choose(qtbot, "make")
        qtbot.waitUntil(index.stalled.is_set, timeout=LIMIT_MS)
        qtbot.waitUntil(lambda: "127.0.0.1" in traffic.toolTip(), timeout=LIMIT_MS)
        assert (traffic.state.text(), traffic.since.text()) == ("1 件", "学習環境の取得")
        assert "学習環境の部品の取得" in traffic.toolTip()
        with qtbot.waitSignal(parts.training_setup.cancelled, timeout=LIMIT_MS):
            qtbot.mouseClick(panel.making.progress.cancel_button, LEFT)
    assert not panel.making.progress.isVisible()
    assert (traffic.state.text(), traffic.since.text()) == ("なし", "起動後 1 件")
    qtbot.waitUntil(panel.make_button.isEnabled, timeout=LIMIT_MS)
    assert not EnvironmentFolders(where.data).part.exists()


def test_somebody_in_another_program_is_told_when_it_has_ended(parts):
    told = []
    notifier = Notifier(parts.window, is_away=lambda: True, show=told.append)
    notifier.follow_training(parts.training_setup)
    parts.training_setup._started_at = time.monotonic() - 60
    parts.training_setup.finished.emit()
    parts.training_setup.failed.emit(AppError("training_disk_full", path="/data"))
    assert told == ["学習環境ができました", "学習環境の作業が途中で止まりました"]


def test_a_failure_is_explained_where_it_was_begun(parts, panel, wheels, qtbot):
    path = wheels / "peft-1.0-py3-none-any.whl"
    away = path.rename(wheels.parent / path.name)
    qtbot.mouseClick(panel.offline_button, LEFT)
    dialog = asking()
    qtbot.waitUntil(lambda: "peft==1.0" in dialog.room.text(), timeout=LIMIT_MS)
    assert not dialog.buttons["make"].isEnabled()
    dialog.reject()
    content = bytearray(away.read_bytes())
    content[40] ^= 1
    path.write_bytes(content)
    qtbot.mouseClick(panel.offline_button, LEFT)
    choose(qtbot, "make")
    with qtbot.waitSignal(parts.training_setup.failed, timeout=LIMIT_MS):
        pass
    assert "peft==1.0" in words(panel.making.banner)
    qtbot.waitUntil(panel.make_button.isEnabled, timeout=LIMIT_MS)


def test_with_the_network_blocked_only_a_folder_is_offered(parts, panel, qtbot):
    parts.preferences.change(network_allowed=False)
    qtbot.mouseClick(panel.make_button, LEFT)
    dialog = asking()
    qtbot.waitUntil(lambda: "使います" in dialog.room.text())
    assert "外部通信をすべて止める" in dialog.network.text()
    assert not dialog.buttons["make"].isEnabled()
    assert dialog.buttons["offline"].isEnabled()
    dialog.reject()


def test_while_something_works_with_the_environment_it_stays(parts, panel, qtbot):
    panel._is_in_use = lambda: True
    qtbot.mouseClick(panel.offline_button, LEFT)
    assert "いま、学習環境を使っています。" in words(panel.making.banner)
    assert [w for w in QApplication.topLevelWidgets() if isinstance(w, InstallEnvironmentDialog)] == []


def test_one_made_elsewhere_is_shown_but_not_deleted_here(parts, monkeypatch, qtbot):
    monkeypatch.setenv(VARIABLE, sys.executable)
    parts.window.show_settings("training")
    panel = dict(parts.window.page("settings").sections)["学習環境"].panel
    qtbot.waitUntil(lambda: panel.report is not None, timeout=LIMIT_MS)
    assert panel.state.text().startswith("▲ 使えません（")
    assert "Kotae が作ったものではありません" in panel.place.text()
    assert not panel.remove_button.isVisible()


def test_the_place_is_chosen_with_its_room_and_one_that_cannot_hold_it_is_refused(
    parts, panel, wheels, tmp_path, qtbot
):
    drive = tmp_path / "外付け"
    drive.mkdir()
    qtbot.mouseClick(panel.offline_button, LEFT)
    dialog = asking()
    qtbot.waitUntil(dialog.buttons["make"].isEnabled, timeout=LIMIT_MS)
    dialog._pickers = Pickers(folder=lambda *_: str(tmp_path / "none"))
    qtbot.mouseClick(dialog.place.choose_button, LEFT)
    qtbot.waitUntil(lambda: "見つかりません" in dialog.room.text(), timeout=LIMIT_MS)
    assert not dialog.buttons["make"].isEnabled()
    dialog._pickers = Pickers(folder=lambda *_: str(drive))
    qtbot.mouseClick(dialog.place.choose_button, LEFT)
    qtbot.waitUntil(lambda: "使います（空き" in dialog.room.text(), timeout=LIMIT_MS)
    choose(qtbot, "make")
    qtbot.waitUntil(lambda: panel.state.text() == "✓ 使えます。", timeout=LIMIT_MS)
    assert str(drive) in panel.place.text().replace("\u200b", "")
    assert parts.preferences.value.training_folder == str(drive)


def test_a_drive_that_is_not_connected_is_named(parts, tmp_path, qtbot):
    parts.preferences.change(training_folder=str(tmp_path / "外した"))
    parts.window.show_settings("training")
    panel = dict(parts.window.page("settings").sections)["学習環境"].panel
    qtbot.waitUntil(lambda: panel.report is not None, timeout=LIMIT_MS)
    assert "見つかりません" in panel.state.text()
    assert panel.make_button.isEnabled()


def test_a_refusal_of_the_place_before_says_nothing_of_the_one_that_is_chosen(parts, panel, tmp_path, qtbot):
    late = []
    estimate = parts.training_setup.estimate

    def hold_the_refusal(wheels, done, failed, base, variant):
        is_gone = not base.is_dir()  # the answer of a drive that has to wake up comes when it comes
        estimate(wheels, done, (lambda error: late.append((failed, error))) if is_gone else failed, base, variant)

    parts.training_setup.estimate = hold_the_refusal
    qtbot.mouseClick(panel.offline_button, LEFT)
    dialog = asking()
    for folder in (tmp_path / "none", tmp_path):
        dialog._pickers = Pickers(folder=lambda *_, folder=folder: str(folder))
        qtbot.mouseClick(dialog.place.choose_button, LEFT)
    qtbot.waitUntil(lambda: bool(late) and dialog.buttons["make"].isEnabled(), timeout=LIMIT_MS)
    shown = dialog.room.text()
    failed, error = late[0]
    failed(error)
    assert dialog.room.text() == shown
    assert dialog.buttons["make"].isEnabled()
    dialog.reject()


def test_in_english_the_room_and_what_to_do_about_it_are_two_sentences(parts, panel, where, qtbot):
    set_language(QApplication.instance(), "en")
    qtbot.mouseClick(panel.offline_button, LEFT)
    dialog = asking()
    qtbot.waitUntil(dialog.buttons["make"].isEnabled, timeout=LIMIT_MS)
    dialog._on_estimated(InstallNeed(6_000_000_000, 0, 2_100_000_000, where.data))
    assert "free). There is not enough" in dialog.room.text()
    dialog.reject()


def test_the_kind_of_parts_is_chosen_where_there_are_two(parts, panel, wheels, locked, qtbot):
    write_lock(locked, wheels, "cuda")
    qtbot.mouseClick(panel.make_button, LEFT)
    dialog = asking()
    qtbot.waitUntil(lambda: "CPU 用" in dialog.room.text(), timeout=LIMIT_MS)
    assert dialog.kind.isVisible()
    dialog.kind.setFocus()
    qtbot.keyClick(dialog.kind, Qt.Key.Key_Down)
    qtbot.waitUntil(lambda: "GPU 用（CUDA）" in dialog.room.text(), timeout=LIMIT_MS)
    assert dialog.variant == "cuda"
    dialog.reject()


def test_of_the_dialog_that_offers_no_kind_of_parts_nothing_is_left(parts, panel, qtbot):
    qtbot.mouseClick(panel.offline_button, LEFT)
    dialog = asking()
    assert not dialog.kind.isVisible()
    kind = dialog.kind
    dialog.reject()
    qtbot.waitUntil(lambda: not shiboken6.isValid(dialog))
    assert not shiboken6.isValid(kind)


def test_a_kit_is_written_and_made_from(parts, panel, wheels, where, tmp_path, qtbot, monkeypatch):
    stick = tmp_path / "USB"
    panel._pickers = Pickers(folder=lambda *_: str(stick))
    panel.making._pickers = Pickers(folder=lambda *_: str(stick))
    with Index(wheels) as index:
        for name, value in index.variables().items():
            monkeypatch.setenv(name, value)
        dialog = panel.ask_for_kit()
        assert not dialog.buttons["write"].isEnabled()
        assert "キットのフォルダを選んでください" in dialog.note.text()
        qtbot.mouseClick(dialog.place.choose_button, LEFT)
        with qtbot.waitSignal(parts.training_setup.kit_written, timeout=LIMIT_MS):
            qtbot.mouseClick(dialog.buttons["write"], LEFT)
    assert "学習環境キットを書き出しました" in words(panel.making.banner)
    assert (stick / "README.txt").is_file()
    qtbot.waitUntil(panel.offline_button.isEnabled, timeout=LIMIT_MS)
    qtbot.mouseClick(panel.offline_button, LEFT)
    choose(qtbot, "make")
    qtbot.waitUntil(lambda: panel.state.text() == "✓ 使えます。", timeout=LIMIT_MS)
    assert not panel.back_button.isVisible()
    qtbot.mouseClick(panel.offline_button, LEFT)
    choose(qtbot, "make")
    qtbot.waitUntil(panel.back_button.isVisible, timeout=LIMIT_MS)
    dialog = panel.ask_to_go_back()
    with qtbot.waitSignal(parts.training_setup.previous_restored, timeout=LIMIT_MS):
        qtbot.mouseClick(dialog.buttons["back"], LEFT)


def test_with_the_network_blocked_no_kit_is_written(parts, panel):
    parts.preferences.change(network_allowed=False)
    dialog = panel.ask_for_kit()
    assert "外部通信をすべて止める" in dialog.note.text()
    assert not dialog.buttons["write"].isEnabled()
    dialog.reject()
