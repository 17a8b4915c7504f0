"""The wizard from 新しい学習 to the end of a run, in the real window with the fake trainer as a real child."""

import dataclasses
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QFileDialog
from pytestqt.qtbot import QtBot

from app.application import AppContext
from app.base.paths import Paths
from app.base.wording import phrase
from app.chat.store import Store
from app.inference import speed
from app.inference.speed import MachineSpeed
from app.models import local_models, training_environment
from app.training import drafts
from app.training.data import split_record
from app.training.runs import run_journal
from app.training.ui import training_texts
from app.training.ui.wizard import RunWizard
from tests import fake_trainer
from tests import model_files as models
from tests.training.ui.driver import SPLIT, START
from tests.training.ui.wizard import WizardDriver
from trainer import sleep_inhibitor

ROWS = 60
BASE = "小さいモデル"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    rows = (f"{n * 7919 % 10_007:x} の点検は何年ごとか,{n * 104_729 % 99_991:x} 年ごとに行う。\n" for n in range(ROWS))
    path = tmp_path / "点検.csv"
    path.write_text("質問,回答\n" + "".join(rows), "utf-8")
    return path


@pytest.fixture
def wizard(
    where: Paths,
    store: Store,
    open_window: Callable[..., AppContext],
    qtbot: QtBot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> WizardDriver:
    fake_trainer.use(monkeypatch, "good")
    monkeypatch.delenv(training_environment.VARIABLE, raising=False)
    monkeypatch.setattr(training_environment, "DEVELOPMENT_FOLDER", "none")  # looking at it imports torch
    where.data.mkdir(parents=True, exist_ok=True)
    speed.save(where.data / speed.FILE_NAME, MachineSpeed(5.3e9, 3.1e11, 1e11, 2, 1.0))  # measuring takes seconds
    found = local_models.describe(models.tiny_llama(tmp_path / "小.gguf"))
    store.put_local_model(dataclasses.replace(found, id="small", name=BASE))
    return WizardDriver(open_window(), where, qtbot)


@pytest.fixture(autouse=True)
def awake(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever machine this is."""
    monkeypatch.setattr(sleep_inhibitor, "can_keep_awake", lambda: True)


@pytest.fixture
def assert_whole(file: Path, wizard: WizardDriver) -> Callable[[], None]:
    """The file, the draft, the data of the run and its journal are there after the run."""
    before = file.read_bytes()

    def assert_() -> None:
        assert file.read_bytes() == before
        run = wizard.run
        (id,) = drafts.list_ids(wizard.where.drafts)
        draft = drafts.read(wizard.where.drafts, id)
        assert draft.run == str(run.folder)
        assert draft.frozen is not None
        assert split_record.verify_split(Path(draft.frozen.folder)).files["train"].rows == draft.frozen.train
        assert run.spec is not None
        assert split_record.verify_split(Path(run.spec.train).parent).files["holdout"].sha256 == draft.frozen.sha256
        assert json.loads((run.folder / run_journal.JOURNAL_FILE).read_bytes().split(b"\n")[0])["event"] == "started"

    return assert_


def ended(wizard: WizardDriver, state: str) -> None:
    """And shown."""
    trainings = wizard.parts.trainings
    wizard.until(lambda: not trainings.is_training and (found := wizard.shown.follower.course) and found.state == state)


def said(wizard: WizardDriver) -> list[str]:
    """The list without the day."""
    wizard.page.refresh()
    return [re.sub(r" \d+月\d+日\u3000", " ", line) for line in wizard.listed]


def test_from_nothing_to_a_result(
    wizard: WizardDriver,
    file: Path,
    assert_whole: Callable[[], None],
    where: Paths,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wizard.begin()
    assert said(wizard) == ["進行中", "名前のない学習: 下書き：データ"]
    wizard.go_on("data")
    wizard.import_file(file, monkeypatch)
    assert said(wizard) == ["進行中", "点検: 下書き：データ"]
    step = wizard.shown
    assert [step.strip.counts[name].number.text() for name in ("total", "used")] == ["60", "60"]
    for key in ("review", "lengths", "split", "columns"):
        wizard.click(step.tabs.buttons[key])
        assert step.tabs.key == key
    wizard.until(lambda: "試験用 15 行" in step.outlook.text())
    wizard.freeze()
    assert wizard.content.work.draft.base == "small"  # the only model that can be trained
    wizard.choose_model(BASE)
    wizard.go_on("check")
    wizard.wait()
    assert wizard.shown.verdict.text() == phrase("training.ready_to_start")
    (id,) = drafts.list_ids(where.drafts)
    draft = drafts.read(where.drafts, id)
    assert (draft.goal, draft.name, draft.base, draft.preset) == ("style", "点検", "small", "light")
    wizard.start()
    assert wizard.page.rail.steps[0].isEnabled() is False  # what is trained is planned no more
    ended(wizard, "finished")
    wizard.until(lambda: "12 ステップ" in wizard.shown.sentence.text())
    assert wizard.shown.sentence.text().endswith(phrase("training.it_has_not_been_judged"))
    assert said(wizard) == ["履歴", "点検: 完了（未評価）"]
    wizard.go_on("result")
    wizard.until(lambda: wizard.shown.view is not None)
    verdict = wizard.shown.verdict
    assert verdict.word.text() == phrase("training.not_judged")
    assert verdict.sentence.text() == phrase("training.training_has_ended_but_whether")
    assert_whole()


def test_keys_alone_lead_from_the_page_to_a_running_training_in_six_presses(
    wizard: WizardDriver, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The focus is where to go on, also after work that hides or disables the control that was pressed."""
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(file), ""))
    window = wizard.parts.window

    def press() -> None:
        wizard.press(window.focusWidget(), Qt.Key.Key_Space)

    def focused() -> str:
        return window.focusWidget().text()

    wizard.until(lambda: window.focusWidget() is wizard.page.goal_buttons["style"])
    press()
    assert focused() == "次へ：データ"
    press()
    assert wizard.shown.empty.file_button.hasFocus()
    press()
    wizard.wait()
    assert focused() == SPLIT
    press()
    wizard.until(lambda: wizard.content.key == "model" and not wizard.content.work.is_busy)
    assert wizard.shown.base.box.hasFocus()
    wizard.go_on("check")
    wizard.wait()
    assert focused() == START
    press()
    wizard.until(lambda: isinstance(wizard.page.content, RunWizard) and wizard.shown.follower.course)
    assert focused() == phrase("common.pause")


def test_a_draft_is_left_and_come_back_to_at_every_step(
    wizard: WizardDriver, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wizard.begin()
    wizard.go_on("data")
    wizard.import_file(file, monkeypatch)
    for step, act in (("data", wizard.freeze), ("check", wizard.check)):  # the only model is chosen by itself
        wizard.page.close_content()
        wizard.parts.window._on_page_chosen("ask")
        wizard.parts.window._on_page_chosen("training")
        assert said(wizard) == ["進行中", f"点検: 下書き：{training_texts.step_name(step)}"]
        wizard.wait()
        assert wizard.content.key == step
        act()
    assert wizard.shown.verdict.text() == phrase("training.ready_to_start")


def test_a_run_goes_on_while_its_page_and_the_window_are_closed(
    wizard: WizardDriver, file: Path, assert_whole: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_trainer.use(monkeypatch, "slow")
    wizard.plan(file, BASE, monkeypatch)
    wizard.content.work.choose(max_steps=200)
    wizard.check()
    wizard.start()
    wizard.until(lambda: wizard.run.standing.last_step > 4)
    assert re.fullmatch(r"点検: \d+/200 ステップ", said(wizard)[1])
    window, trainings = wizard.parts.window, wizard.parts.trainings
    window._on_page_chosen("ask")
    wizard.page.close_content()
    before, folder = trainings.run, trainings.folder
    assert before is not None
    window._on_page_chosen("training")
    assert (wizard.content.folder, wizard.content.key) == (folder, "run")
    window.close()
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    app.lastWindowClosed.emit()  # windows of other tests may be left
    window.show()
    assert wizard.shown._note.text() == phrase("training.training_has_continued")
    assert trainings.run is before
    wizard.press_button(phrase("training.finish_and_keep_the_best"))
    ended(wizard, "finished")
    assert wizard.shown.sentence.text().startswith("指示どおり ")
    assert said(wizard) == ["履歴", "点検: 完了（未評価）"]
    assert_whole()
