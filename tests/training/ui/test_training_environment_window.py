"""The training environment in the window: offered where it is missing, made with its progress, looked at, deleted."""

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import shiboken6
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.application import AppContext
from app.base.errors import AppError
from app.base.paths import Paths
from app.base.wording import phrase
from app.models import package_locks as locks
from app.models.training_environment import VARIABLE
from app.shell.ui.background_work import Notifier
from app.training.environment.folders import EnvironmentFolders
from app.training.ui.install_environment_flow import InstallEnvironmentDialog
from app.uikit.desktop import Pickers
from app.uikit.dialogs import Dialog
from app.uikit.widgets.buttons import Button
from tests.training.driver import processes_below, without_an_environment
from tests.training.services.test_training_setup import _CHILD
from tests.training.ui.driver import Driver, words
from tests.wheelhouse import Index, make_wheels, write_lock

LIMIT_S = 120
NONE_YET, WORKS = "まだありません。学習を始める前に、一度だけ作ります。", "✓ 使えます。4 ビットの計算も確かめました。"


class EnvironmentDriver(Driver):
    """The section of the settings, after it has looked."""

    def __init__(self, parts: AppContext, qtbot: QtBot, wheels: Path) -> None:
        super().__init__(qtbot, parts.theme)
        self.parts, self.setup, self.wheels = parts, parts.training_setup, wheels

    def open(self) -> Any:
        self.parts.window.show_settings("training")
        page: Any = self.parts.window.page("settings")
        self.panel = page.section("training").panel
        self.pick(self.panel.making, self.wheels)
        self.wait(lambda: self.panel.report is not None)
        return self.panel

    def pick(self, widget: Any, folder: Path) -> None:
        widget._pickers = Pickers(folder=lambda *_: str(folder))

    def wait(self, condition: Callable[[], object]) -> None:
        self.until(condition, LIMIT_S)

    def signal(self, name: str) -> Any:
        return self.qtbot.waitSignal(getattr(self.setup, name), timeout=LIMIT_S * 1000)

    def ask(self, button: str = "offline") -> Any:
        """The dialog of a button of the section."""
        self.click(getattr(self.panel, f"{button}_button"))
        return self.dialog(InstallEnvironmentDialog)

    def choose(self, key: str) -> None:
        """As soon as the dialog can be answered so."""
        button = self.dialog(InstallEnvironmentDialog).buttons[key]
        self.wait(button.isEnabled)
        self.click(button)

    def make(self) -> None:
        self.ask()
        self.choose("make")

    def until_made(self) -> None:
        self.wait(lambda: self.panel.state.text() == WORKS)

    def use(self, index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in index.variables().items():
            monkeypatch.setenv(name, value)


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    return make_wheels(tmp_path / "ホイール")


@pytest.fixture
def locked(wheels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = write_lock(tmp_path / "locked", wheels)
    monkeypatch.setattr(locks, "folder", lambda: folder)
    return folder


@pytest.fixture
def driver(
    open_window: Callable[..., AppContext],
    where: Paths,
    wheels: Path,
    locked: Path,
    monkeypatch: pytest.MonkeyPatch,
    qtbot: QtBot,
) -> Iterator[EnvironmentDriver]:
    """Nothing of the developer's; the real child installs tiny wheels."""
    without_an_environment(monkeypatch)
    made = EnvironmentDriver(open_window(), qtbot, wheels)
    made.setup._child._command = [sys.executable, "-P", "-c", _CHILD, str(locked)]
    yield made
    made.setup.close()
    made.wait(lambda: processes_below(where.data) == [])  # one that looks ends by itself


def test_the_dialog_that_needs_it_offers_it_and_goes_on_when_it_is_there(driver: EnvironmentDriver) -> None:
    driver.parts.window.show_page("models")
    models: Any = driver.parts.window.page("models")
    build = models.ask_to_build()
    driver.pick(build.making, driver.wheels)
    offer = next(one for one in build.banner.findChildren(Button) if one.text() == "学習環境を作る")
    driver.click(offer)
    asked = driver.dialog(InstallEnvironmentDialog)
    driver.wait(lambda: "使います（空き" in asked.room.text())
    assert "いまの" not in words(asked)
    assert "通信：pip の配布元" in asked.network.text()
    driver.choose("offline")
    asked = driver.dialog(InstallEnvironmentDialog)
    driver.wait(lambda: "通信はしません。" in words(asked) and "使います" in asked.room.text())
    driver.choose("make")
    assert (build.banner.isHidden(), build.making.progress.isVisible()) == (True, True)
    seen = set()
    driver.setup.progressed.connect(lambda _: seen.add(build.making.progress._label.text()))
    with driver.signal("finished"):
        pass
    fetching = phrase("training.install_phase.fetch", package="torch")
    assert {phrase("training.install_phase.venv"), fetching} <= seen
    assert (build.making.isVisible(), build.banner.isHidden()) == (False, True)
    assert driver.parts.build_controller.obstacle() is None
    build.reject()


def test_what_leaves_the_machine_is_shown_and_cancelling_ends_it(
    driver: EnvironmentDriver, where: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel, traffic = driver.open(), driver.parts.window.sidebar.traffic
    with Index(driver.wheels, stalls_at="gguf") as index:
        driver.use(index, monkeypatch)
        driver.ask("make")
        driver.choose("make")
        driver.wait(index.stalled.is_set)
        driver.wait(lambda: "127.0.0.1" in traffic.toolTip())
        assert (traffic.state.text(), traffic.since_label.text()) == ("1 件", "学習環境の取得")
        assert "学習環境の部品の取得" in traffic.toolTip()
        with driver.signal("cancelled"):
            driver.click(panel.making.progress.cancel_button)
    assert not panel.making.progress.isVisible()
    assert (traffic.state.text(), traffic.since_label.text()) == ("なし", "起動後 1 件")
    driver.wait(panel.make_button.isEnabled)
    assert not EnvironmentFolders(where.data).part_folder.exists()


def test_somebody_in_another_program_is_told_when_it_has_ended(driver: EnvironmentDriver) -> None:
    told: list[str] = []
    notifier = Notifier(driver.parts.window, is_away=lambda: True, show=told.append)
    notifier.follow_training(driver.setup)
    driver.setup._started_at = time.monotonic() - 60
    driver.setup.finished.emit()
    driver.setup.failed.emit(AppError("training_disk_full", path="/data"))
    assert told == ["学習環境ができました", "学習環境の作業が途中で止まりました"]


def test_a_failure_is_explained_where_it_was_begun(driver: EnvironmentDriver) -> None:
    panel = driver.open()
    path = driver.wheels / "peft-1.0-py3-none-any.whl"
    away = path.rename(driver.wheels.parent / path.name)
    dialog = driver.ask()
    driver.wait(lambda: "peft==1.0" in dialog.room.text())
    assert not dialog.buttons["make"].isEnabled()
    dialog.reject()
    content = bytearray(away.read_bytes())
    content[40] ^= 1
    path.write_bytes(content)
    driver.ask()
    with driver.signal("failed"):
        driver.choose("make")
    assert "peft==1.0" in words(panel.making.banner)
    driver.wait(panel.make_button.isEnabled)


def test_with_the_network_blocked_only_a_folder_is_offered_and_no_kit_is_written(driver: EnvironmentDriver) -> None:
    panel = driver.open()
    driver.parts.preferences.change(network_allowed=False)
    dialog = driver.ask("make")
    driver.wait(lambda: "使います" in dialog.room.text())
    assert "外部通信をすべて止める" in dialog.network.text()
    assert (dialog.buttons["make"].isEnabled(), dialog.buttons["offline"].isEnabled()) == (False, True)
    dialog.reject()
    kit = panel.ask_for_kit()
    assert "外部通信をすべて止める" in kit.note.text()
    assert not kit.buttons["write"].isEnabled()
    kit.reject()


def test_while_something_works_with_the_environment_it_stays(driver: EnvironmentDriver) -> None:
    panel = driver.open()
    panel.making.is_in_use = lambda: True
    driver.click(panel.offline_button)
    assert "いま、学習環境を使っています。" in words(panel.making.banner)
    assert [one for one in QApplication.topLevelWidgets() if isinstance(one, InstallEnvironmentDialog)] == []


def test_one_made_elsewhere_is_shown_but_not_deleted_here(
    driver: EnvironmentDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, sys.executable)
    panel = driver.open()
    assert panel.state.text().startswith("▲ 学習環境を使えません（")
    assert "Kotae が作ったものではありません" in panel.folder_label.text()
    assert not panel.remove_button.isVisible()


def test_a_drive_that_is_not_connected_is_named(driver: EnvironmentDriver, tmp_path: Path) -> None:
    driver.parts.preferences.change(training_folder=str(tmp_path / "外した"))
    panel = driver.open()
    assert "見つかりません" in panel.state.text()
    assert panel.make_button.isEnabled()


def test_it_is_made_at_a_chosen_place_shown_in_the_settings_and_deleted(
    driver: EnvironmentDriver, tmp_path: Path
) -> None:
    panel, drive = driver.open(), tmp_path / "外付け"
    assert (panel.state.text(), panel.remove_button.isVisible()) == (NONE_YET, False)
    drive.mkdir()
    dialog = driver.ask()
    driver.wait(dialog.buttons["make"].isEnabled)
    for folder, said in ((tmp_path / "none", "見つかりません"), (drive, "使います（空き")):
        driver.pick(dialog, folder)
        driver.click(dialog.folder_row.choose_button)
        driver.wait(lambda said=said: said in dialog.room.text())
        assert dialog.buttons["make"].isEnabled() == folder.exists()
    driver.choose("make")
    assert not panel.make_button.isEnabled()
    driver.until_made()
    assert "torch 1.0" in panel.versions.text()
    assert str(drive) in panel.folder_label.text().replace("\u200b", "")
    assert driver.parts.preferences.value.training_folder == str(drive)
    assert panel.make_button.text() == "作り直す"
    dialog = driver.ask("make")
    driver.wait(lambda: "いまの学習環境は、" in dialog.room.text())
    dialog.reject()
    driver.click(panel.remove_button)
    with driver.signal("removed"):
        driver.click(driver.dialog(Dialog).buttons["remove"])
    driver.wait(lambda: panel.state.text() == NONE_YET)
    assert list(drive.rglob("python*")) == []


def test_a_refusal_of_the_place_before_says_nothing_of_the_one_that_is_chosen(
    driver: EnvironmentDriver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver.open()
    late, estimate = [], driver.setup.estimate

    def hold_the_refusal(wheels: Any, done: Any, failed: Any, base: Path, variant: str) -> None:
        is_gone = not base.is_dir()  # the answer of a drive that has to wake up comes when it comes
        estimate(wheels, done, (lambda error: late.append((failed, error))) if is_gone else failed, base, variant)

    monkeypatch.setattr(driver.setup, "estimate", hold_the_refusal)
    dialog = driver.ask()
    for folder in (tmp_path / "none", tmp_path):
        driver.pick(dialog, folder)
        driver.click(dialog.folder_row.choose_button)
    driver.wait(lambda: late and dialog.buttons["make"].isEnabled())
    shown = dialog.room.text()
    failed, error = late[0]
    failed(error)
    assert (dialog.room.text(), dialog.buttons["make"].isEnabled()) == (shown, True)
    dialog.reject()


def test_the_kind_of_parts_is_chosen_where_there_are_two(driver: EnvironmentDriver, locked: Path) -> None:
    driver.open()
    dialog = driver.ask()
    assert not dialog.kind.isVisible()
    kind = dialog.kind
    dialog.reject()
    driver.until(lambda: not shiboken6.isValid(dialog))
    assert not shiboken6.isValid(kind)  # nothing is left of the dialog that offers none
    write_lock(locked, driver.wheels, "cuda")
    dialog = driver.ask("make")
    driver.wait(lambda: "CPU 用" in dialog.room.text())
    assert dialog.kind.isVisible()
    dialog.kind.setFocus()
    driver.press(dialog.kind, Qt.Key.Key_Down)
    driver.wait(lambda: "GPU 用（CUDA）" in dialog.room.text())
    assert dialog.variant == "cuda"
    dialog.reject()


def test_a_kit_is_written_and_made_from(
    driver: EnvironmentDriver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel, stick = driver.open(), tmp_path / "USB"
    driver.pick(panel, stick)
    driver.pick(panel.making, stick)
    with Index(driver.wheels) as index:
        driver.use(index, monkeypatch)
        dialog = panel.ask_for_kit()
        assert not dialog.buttons["write"].isEnabled()
        assert "キットのフォルダを選んでください" in dialog.note.text()
        driver.click(dialog.folder_row.choose_button)
        with driver.signal("kit_written"):
            driver.click(dialog.buttons["write"])
    assert phrase("training.the_training_environment_kit_is") in words(panel.making.banner)
    assert (stick / "README.txt").is_file()
    driver.wait(panel.offline_button.isEnabled)
    driver.make()
    driver.until_made()
    assert not panel.back_button.isVisible()
    driver.make()
    driver.wait(panel.back_button.isVisible)
    dialog = panel.ask_to_restore_previous()
    with driver.signal("previous_restored"):
        driver.click(dialog.buttons["back"])
