"""The page 学習: its list, the rail, the foot, and what is done to trainings; the steps themselves are plain here."""

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QObject, Qt
from PySide6.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from app.base.errors import AppError
from app.base.paths import Paths
from app.base.wording import phrase
from app.inference.services.engine import EngineClient
from app.training import drafts
from app.training.data import data_split
from app.training.data.rows import PARTS, RowMessage, TrainingRow
from app.training.data.split_record import LeakageReport
from app.training.drafts import DraftData, TrainingDraft
from app.training.runs import run_folders, training_list
from app.training.services.draft_editor import DraftEditor
from app.training.services.training_run import locate_trainer
from app.training.services.training_runner import TrainingRunner
from app.training.ui.page import TrainingPage
from app.training.ui.step_factory import WizardStepFactory
from app.training.ui.training_actions import TrainingNameDialog
from app.training.ui.wizard import DraftWizard, PrimaryAction, RunWizard, WizardStep
from app.uikit.dialogs import Dialog
from app.uikit.page import NavigationSignals
from app.uikit.theme import Theme
from app.uikit.widgets.list_rows import DescriptionRole, EntryRole
from tests.training.ui.driver import Driver
from trainer import events, spec

GOING_ON, OVER = phrase("training.in_progress"), phrase("training.history")


class PlainStep(WizardStep):
    def __init__(self, theme: Theme, key: str, offers: Callable[[], PrimaryAction | None] = lambda: None) -> None:
        super().__init__(theme)
        self.key = key
        self.drawn = 0
        self._offers = offers
        self.button = QPushButton(f"{key} の操作")
        column = QVBoxLayout(self)
        column.addWidget(QLabel(key))

    @property
    def header_actions(self) -> Sequence[QWidget]:
        return (self.button,)

    def show_draft(self) -> None:
        self.drawn += 1

    def focus_first(self) -> None:
        self.button.setFocus()

    def primary_action(self) -> PrimaryAction | None:
        return self._offers()

    def shows_failure(self) -> bool:
        return self.button.isChecked()


class PlainSteps(WizardStepFactory):
    def __init__(self, where: Paths, theme: Theme, offers: Callable[[], PrimaryAction | None]) -> None:
        QObject.__init__(self)
        self._where, self._theme = where, theme
        self._offers = offers

    def edit(self, draft: TrainingDraft) -> DraftEditor:
        return DraftEditor(draft, self._where, tuple, lambda: None)

    def plan(self, key: str, work: DraftEditor, show_step: Callable[[str], None], _go_on: object) -> WizardStep:
        return PlainStep(self._theme, key, self._offers if key == "data" else lambda: None)

    def run(self, key: str, folder: Path) -> WizardStep:
        return PlainStep(self._theme, key)


class PageDriver(Driver):
    def __init__(self, where: Paths, theme: Theme, qtbot: QtBot) -> None:
        super().__init__(qtbot, theme)
        self.where = where
        self.offered: PrimaryAction | None = None
        self.undone: list[tuple[str, Callable[[], None]]] = []
        self.engine = EngineClient(["false"], where.logs / "engine.log")
        trainings = TrainingRunner(self.engine, lambda: locate_trainer(where.data), where.bases)
        self.navigation = NavigationSignals()
        self.page = TrainingPage(
            theme, self.navigation, where, tuple, trainings, PlainSteps(where, theme, lambda: self.offered)
        )
        self.trainings = trainings
        self.navigation.undo_offered.connect(lambda action: self.undone.append((action.done, action.undo)))
        qtbot.addWidget(self.page)
        self.page.resize(1100, 700)

    def open(self) -> TrainingPage:
        self.page.show()
        return self.page

    @property
    def planning(self) -> DraftWizard:
        assert isinstance(self.page.content, DraftWizard)
        return self.page.content

    @property
    def running(self) -> RunWizard:
        assert isinstance(self.page.content, RunWizard)
        return self.page.content

    def draft(self, name: str, **fields: object) -> TrainingDraft:
        made = drafts.create(self.where.drafts, float(len(drafts.list_ids(self.where.drafts))))
        return drafts.save(self.where.drafts, dataclasses.replace(made, name=name, **fields), made.changed_at)  # type: ignore[arg-type]

    def run(
        self, name: str, state: str = "finished", data: Path = Path(), hashes: Mapping[str, str] | None = None
    ) -> Path:
        train, validation, holdout = (str(data / f"{part}.jsonl") for part in PARTS)
        folder = str(self.where.runs / name)
        asked = spec.RunSpec(folder, "b", train, validation, holdout, name=name, hashes=dict(hashes or {}))
        made = run_folders.create(asked)
        told: list[dict[str, object]] = [{"event": "started", "protocol": 1, "pid": 0, "time": 1_764_000_000.0}]
        if state == "finished":
            end = events.Finished("steps", 4, 4, 3.0, 2.0, "a", "g", 1.0, 1.0, 1)
            told.append(events.to_json(end))
        (made / "events.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in told), "utf-8")
        return made

    def menu(self, name: str) -> None:
        """An action of the menu of the chosen training."""
        menu = self.page.entry_actions.menu(self.page.list.entry, self.page.rect().center())
        next(action for action in menu.actions() if action.text() == name).trigger()

    def listed(self) -> list[str]:
        model = self.page.entries
        return [model.data(model.index(row)) for row in range(model.rowCount())]

    def edited(self, name: str) -> TrainingNameDialog:
        """The dialog for the name and the note of an entry that is chosen in the open page."""
        self.choose(name)
        return self.page.entry_actions.edit(self.page.list.entry)

    def choose(self, name: str) -> None:
        model = self.page.entries
        rows = [row for row in range(model.rowCount()) if model.data(model.index(row), EntryRole) is not None]
        self.page.list.setCurrentIndex(model.index(next(row for row in rows if model.data(model.index(row)) == name)))


@pytest.fixture
def driver(tmp_path: Path, theme: Theme, qtbot: QtBot) -> PageDriver:
    where = Paths(tmp_path / "daten")
    where.logs.mkdir(parents=True)
    return PageDriver(where, theme, qtbot)


def test_what_goes_on_stands_above_what_is_over(driver: PageDriver) -> None:
    driver.draft("下書き", goal="style")
    driver.run("終わった学習")
    page = driver.open()
    assert driver.listed() == [GOING_ON, "下書き", OVER, "終わった学習"]
    assert isinstance(page.content, DraftWizard)  # it is gone on with
    driver.choose("終わった学習")
    assert driver.running.key == "result"
    assert not page.rail.steps[1].isEnabled()  # the plan of what is over is not changed any more


def test_a_run_that_ends_stays_until_it_is_judged_and_its_result_leads_back(driver: PageDriver) -> None:
    folder = driver.run("いま", state="crashed")
    driver.open()
    foot = driver.running.foot
    driver.trainings.ended.emit(folder, None)
    assert (driver.running.key, foot.back_button.isVisible()) == ("run", False)
    (folder / run_folders.GATE).write_text("{}", "utf-8")
    driver.trainings.ended.emit(folder, None)
    assert driver.running.key == "result"
    driver.click(foot.back_button)
    assert driver.running.key == "run"


def test_the_foot_says_what_is_lacking_and_leads_on_when_nothing_is(driver: PageDriver) -> None:
    driver.draft("下書き")
    page = driver.open()
    planning, foot = driver.planning, driver.planning.foot
    assert (foot.next_button.isEnabled(), foot.reason.text()) == (False, phrase("training.draft_problem.goal_missing"))
    planning.work.change(goal="style")
    assert (foot.reason.text(), foot.next_button.text()) == ("", "次へ：データ")
    driver.click(foot.next_button)
    assert (planning.key, foot.reason.text()) == ("data", phrase("training.draft_problem.data_missing"))
    driver.click(page.rail.steps[0])
    assert planning.key == "goal"


def test_what_a_step_offers_takes_the_place_of_going_on(driver: PageDriver) -> None:
    driver.draft("下書き", goal="style", data=DraftData("行.csv", 1, 60))
    done: list[str] = []
    driver.offered = PrimaryAction("分割する", lambda: done.append("分割"))
    driver.open()
    driver.until(lambda: not driver.planning.work.is_busy)  # it looks for its rows
    assert driver.planning.foot.next_button.text() == "分割する"
    driver.click(driver.planning.foot.next_button)
    assert (done, driver.planning.key) == (["分割"], "data")


def test_the_header_has_the_actions_of_the_step_that_is_shown_below_it_in_a_narrow_window(driver: PageDriver) -> None:
    driver.draft("下書き", goal="style")
    page = driver.open()
    first = driver.planning.step.header_actions[0]
    assert first.isVisible()
    driver.planning.show_step("goal")
    shown = driver.planning.step.header_actions[0]
    assert (shown.isVisible(), first.isVisible()) == (True, False)
    places = []
    for width in (1100, 560, 1100):
        page.resize(width, 600)
        driver.until(shown.isVisible)
        QCoreApplication.processEvents()
        places.append(shown.mapTo(page, shown.rect().bottomLeft()).y() > page.header.height())
    assert places == [False, True, False]


def test_a_training_is_found_by_its_note(driver: PageDriver) -> None:
    for number in range(8):
        folder = driver.run(f"学習 {number}")
    training_list.write_note(folder, "丁寧すぎる")
    page = driver.open()
    page.search.setText("丁寧")
    assert driver.listed() == [OVER, "学習 7"]
    page.search.clear()
    assert len(driver.listed()) == 9


def test_a_failure_that_the_step_shows_is_not_said_twice(driver: PageDriver) -> None:
    driver.draft("下書き", goal="style")
    page = driver.open()
    driver.choose("下書き")
    step = page.content.step
    step.button.setCheckable(True)
    step.button.setChecked(True)
    page.content.work.failed.emit(AppError("check_engine_busy"))
    assert page.banner.isHidden()
    step.button.setChecked(False)
    page.content.work.failed.emit(AppError("check_engine_busy"))
    assert not page.banner.isHidden()


def test_what_was_removed_comes_back(driver: PageDriver) -> None:
    driver.draft("下書き", goal="style")
    driver.run("消す学習")
    page = driver.open()
    driver.choose("消す学習")
    driver.press(page.list, Qt.Key.Key_Delete)
    assert (driver.listed(), page.content) == ([GOING_ON, "下書き"], None)
    said, undo = driver.undone[-1]
    assert said == phrase("common.name_was_deleted", name="消す学習")
    undo()
    assert driver.listed() == [GOING_ON, "下書き", OVER, "消す学習"]
    assert isinstance(page.content, RunWizard)


def test_a_name_and_a_note_are_written(driver: PageDriver) -> None:
    folder = driver.run("前の名前")
    driver.open()
    dialog = driver.edited("前の名前")
    assert dialog.note is not None
    assert dialog.note.property("field")
    dialog.name.setText("新しい名前")
    dialog.note.setPlainText("一度目")
    dialog.buttons["keep"].click()
    assert (run_folders.read(folder).name, training_list.read_note(folder)) == ("新しい名前", "一度目")
    assert driver.listed() == [OVER, "新しい名前"]
    said, undo = driver.undone[-1]
    assert said == phrase("common.renamed_to_name", name="新しい名前")
    undo()
    assert (run_folders.read(folder).name, driver.listed(), len(driver.undone)) == ("前の名前", [OVER, "前の名前"], 1)
    assert training_list.read_note(folder) == ""


def test_a_note_alone_is_taken_back_too(driver: PageDriver) -> None:
    folder = driver.run("学習")
    training_list.write_note(folder, "前のメモ")
    page = driver.open()
    driver.choose("学習")
    for note in ("", ""):  # the second changes nothing
        dialog = page.entry_actions.edit(page.list.entry)
        dialog.note.setPlainText(note)
        dialog.buttons["keep"].click()
    said, undo = driver.undone[-1]
    assert (said, training_list.read_note(folder), len(driver.undone)) == (
        phrase("training.note_changed", name="学習"), "", 1,
    )  # fmt: skip
    undo()
    assert (training_list.read_note(folder), len(driver.undone)) == ("前のメモ", 1)


def test_escape_asks_before_a_written_note_is_lost_and_closes_at_once_without_one(driver: PageDriver) -> None:
    folder = driver.run("学習")
    page = driver.open()
    dialog = driver.edited("学習")
    assert dialog.note is not None
    dialog.note.setPlainText("書きかけ")
    for key, is_open in (("cancel", True), ("leave", False)):
        driver.qtbot.keyClick(dialog.note, Qt.Key.Key_Escape)
        (asked,) = dialog.findChildren(Dialog)
        assert asked.accessibleName() == phrase("uikit.close_without_saving_your_changes")
        asked.buttons[key].click()
        assert dialog.isVisible() == is_open
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    assert training_list.read_note(folder) == ""
    dialog = page.entry_actions.edit(page.list.entry)
    driver.qtbot.keyClick(dialog.name, Qt.Key.Key_Escape)
    assert not dialog.isVisible()


def test_a_training_that_is_over_is_planned_once_more(driver: PageDriver, tmp_path: Path) -> None:
    rows = [
        TrainingRow(n, (RowMessage("user", f"{n} 番目の問い"), RowMessage("assistant", f"{n} 番目の答え")))
        for n in range(1, 61)
    ]
    made = data_split.write_split(data_split.split_rows(rows), tmp_path / "分割", {"name": "行.csv"}, LeakageReport())
    driver.run("一度目", data=tmp_path / "分割", hashes={part: made.files[part].sha256 for part in PARTS})
    page = driver.open()
    driver.choose("一度目")
    driver.menu(phrase("training.again_with_the_same_settings"))
    driver.until(lambda: isinstance(page.content, DraftWizard))
    assert driver.listed() == [GOING_ON, "一度目", OVER, "一度目"]
    assert driver.planning.work.draft.frozen is not None


def test_a_draft_that_is_shown_is_renamed_where_it_is(driver: PageDriver) -> None:
    draft = driver.draft("前の名前", goal="style")
    page = driver.open()
    dialog = page.entry_actions.edit(page.list.entry)
    assert dialog.note is None
    dialog.name.setText("新しい名前")
    dialog.buttons["keep"].click()
    driver.planning.work.change(preset="light")  # would bring the old name back
    assert drafts.read(driver.where.drafts, draft.id).name == "新しい名前"


def test_a_name_that_another_training_has_gets_a_number(driver: PageDriver) -> None:
    driver.run("用語集")
    draft = driver.draft("前の名前")
    driver.open()
    dialog = driver.edited("前の名前")
    dialog.name.setText("用語集")
    dialog.buttons["keep"].click()
    assert drafts.read(driver.where.drafts, draft.id).name == "用語集（2）"


def test_a_draft_that_cannot_be_read_says_so_and_can_be_removed(driver: PageDriver) -> None:
    draft = driver.draft("読めない")
    (driver.where.drafts / draft.id / drafts.DRAFT_FILE).write_text("{", "utf-8")
    page = driver.open()
    assert (page.banner.isVisible(), page.content) == (True, None)
    driver.press(page.list, Qt.Key.Key_Delete)
    assert driver.listed() == []


def test_the_next_step_is_built_while_nothing_else_is_to_do(driver: PageDriver) -> None:
    driver.draft("下書き")
    driver.open()
    planning = driver.planning

    def built() -> dict[str, int]:
        return {step.key: step.drawn for step in planning.findChildren(PlainStep)}

    driver.until(lambda: "data" in built())
    assert (built()["data"], planning.key) == (0, "goal")
    planning.work.change(goal="style")
    driver.click(planning.foot.next_button)
    assert (planning.key, built()["data"]) == ("data", 1)


def test_thousands_of_steps_are_told_a_few_times_a_second(driver: PageDriver) -> None:
    folder = driver.run("いま", state="crashed")
    page = driver.open()
    index, told = page.entries.index_of(("run", folder.name)), []
    page.entries.dataChanged.connect(lambda *_: told.append(index.data(DescriptionRole)))
    driver.trainings.folder = folder
    for number in range(1, 2001):
        driver.trainings.event_received.emit(events.TrainingStep(number, 4000, 1.0, 1.5, 1e-4, 1.0, 1.0, 1, 60.0))
    driver.until(lambda: any("2,000" in words for words in told))
    driver.trainings.folder = None
    assert len(told) <= 3
