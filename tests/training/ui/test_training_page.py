"""The page 学習: its list, the rail, the foot, and what is done to trainings; the steps themselves are plain here."""

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication, QObject, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from app.base.paths import Paths
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
from app.training.ui.wizard import DraftWizard, PrimaryAction, RunWizard, WizardStep
from app.uikit.page import Navigation
from app.uikit.theme import Theme
from app.uikit.widgets.list_rows import DescriptionRole, EntryRole
from trainer import events, spec


class PlainStep(WizardStep):
    def __init__(self, key: str, offers: Callable[[], PrimaryAction | None] = lambda: None) -> None:
        super().__init__()
        self.key = key
        self.drawn = 0
        self.done: list[str] = []
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

    def do(self, key: str) -> None:
        self.done.append(key)


class PlainSteps(WizardStepFactory):
    def __init__(self, offers: Callable[[], PrimaryAction | None]) -> None:
        QObject.__init__(self)
        self._offers = offers

    def plan(self, key: str, work: DraftEditor, show_step: Callable[[str], None]) -> WizardStep:
        return PlainStep(key, self._offers if key == "data" else lambda: None)

    def run(self, key: str, folder: Path) -> WizardStep:
        return PlainStep(key)


class Scene:
    def __init__(self, where: Paths, theme: Theme, qtbot: QtBot) -> None:
        self.where, self.qtbot = where, qtbot
        self.offered: PrimaryAction | None = None
        self.undone: list[tuple[str, Callable[[], None]]] = []
        self.engine = EngineClient(["false"], where.logs / "engine.log")
        trainings = TrainingRunner(self.engine, lambda: locate_trainer(where.data), where.bases)
        self.navigation = Navigation()
        self.page = TrainingPage(
            theme, self.navigation, paths=where, models=tuple, trainings=trainings,
            steps=PlainSteps(lambda: self.offered),
            work_of=lambda draft: DraftEditor(draft, where, tuple, lambda: None),
        )  # fmt: skip
        self.trainings = trainings
        self.navigation.undo_offered.connect(lambda said, undo: self.undone.append((said, undo)))
        qtbot.addWidget(self.page)
        self.page.resize(1100, 700)

    def show(self) -> None:
        self.page.show()
        self.qtbot.waitExposed(self.page)

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

    def listed(self) -> list[str]:
        model = self.page.entries
        return [model.data(model.index(row)) for row in range(model.rowCount())]

    def choose(self, name: str) -> None:
        model = self.page.entries
        rows = [row for row in range(model.rowCount()) if model.data(model.index(row), EntryRole) is not None]
        self.page.list.setCurrentIndex(model.index(next(row for row in rows if model.data(model.index(row)) == name)))


@pytest.fixture
def scene(tmp_path: Path, theme: Theme, qtbot: QtBot) -> Scene:
    where = Paths(tmp_path / "daten")
    where.logs.mkdir(parents=True)
    return Scene(where, theme, qtbot)


def test_with_nothing_yet_it_says_what_it_is_for_and_begins_a_training(scene: Scene) -> None:
    scene.show()
    assert scene.page.content is None
    assert scene.page.nothing.isVisible()
    QTest.mouseClick(scene.page.nothing.button, Qt.MouseButton.LeftButton)
    assert isinstance(scene.page.content, DraftWizard)
    assert scene.page.content.key == "goal"
    assert scene.listed() == ["進行中", "名前のない学習"]


def test_what_goes_on_stands_above_what_is_over(scene: Scene) -> None:
    scene.draft("下書き", goal="style")
    scene.run("終わった学習")
    scene.show()
    assert scene.listed() == ["進行中", "下書き", "履歴", "終わった学習"]
    assert isinstance(scene.page.content, DraftWizard)  # it is gone on with
    scene.choose("終わった学習")
    assert isinstance(scene.page.content, RunWizard)
    assert scene.page.content.key == "result"
    assert not scene.page.rail.steps[1].isEnabled()  # the plan of what is over is not changed any more


def test_the_foot_says_what_is_lacking_and_leads_on_when_nothing_is(scene: Scene) -> None:
    scene.draft("下書き")
    scene.show()
    planning = scene.page.content
    assert isinstance(planning, DraftWizard)
    foot = planning.foot
    assert not foot.next_button.isEnabled()
    assert foot.reason.text() == "何をしたいかを選んでください。"
    planning.work.change(goal="style")
    assert (foot.reason.text(), foot.next_button.text()) == ("", "次へ：データ")
    QTest.mouseClick(foot.next_button, Qt.MouseButton.LeftButton)
    assert planning.key == "data"
    assert foot.reason.text() == "学習に使うデータを取り込んでください。"
    QTest.mouseClick(scene.page.rail.steps[0], Qt.MouseButton.LeftButton)
    assert planning.key == "goal"


def test_what_a_step_offers_takes_the_place_of_going_on(scene: Scene) -> None:
    scene.draft("下書き", goal="style", data=DraftData("行.csv", 1, 60))
    scene.offered = PrimaryAction("freeze", "分割する")
    scene.show()
    planning = scene.page.content
    assert isinstance(planning, DraftWizard)
    scene.qtbot.waitUntil(lambda: not planning.work.is_busy)  # it looks for its rows
    assert planning.foot.next_button.text() == "分割する"
    QTest.mouseClick(planning.foot.next_button, Qt.MouseButton.LeftButton)
    assert isinstance(planning.step, PlainStep)
    assert planning.step.done == ["freeze"]
    assert planning.key == "data"


def test_the_header_has_the_actions_of_the_step_that_is_shown(scene: Scene) -> None:
    scene.draft("下書き", goal="style")
    scene.show()
    planning = scene.page.content
    assert isinstance(planning, DraftWizard)
    first = planning.step.header_actions[0]
    assert first.isVisible()
    planning.show_step("goal")
    assert planning.step.header_actions[0].isVisible()
    assert not first.isVisible()


def test_a_training_is_found_by_its_note(scene: Scene) -> None:
    for number in range(8):
        folder = scene.run(f"学習 {number}")
    training_list.write_note(folder, "丁寧すぎる")
    scene.show()
    scene.page.search.setText("丁寧")
    assert scene.listed() == ["履歴", "学習 7"]
    scene.page.search.clear()
    assert len(scene.listed()) == 9


def test_what_was_removed_comes_back(scene: Scene) -> None:
    scene.draft("下書き", goal="style")
    scene.run("消す学習")
    scene.show()
    scene.choose("消す学習")
    QTest.keyClick(scene.page.list, Qt.Key.Key_Delete)
    assert scene.listed() == ["進行中", "下書き"]
    assert scene.page.content is None
    said, undo = scene.undone[-1]
    assert said == "「消す学習」を削除しました。"
    undo()
    assert scene.listed() == ["進行中", "下書き", "履歴", "消す学習"]
    assert isinstance(scene.page.content, RunWizard)


def test_a_name_and_a_note_are_written(scene: Scene) -> None:
    folder = scene.run("前の名前")
    scene.show()
    scene.choose("前の名前")
    entry = scene.page.list.entry
    assert entry is not None
    dialog = scene.page.entry_actions.edit(entry)
    assert dialog.note is not None
    dialog.name.setText("新しい名前")
    dialog.note.setPlainText("一度目")
    dialog.buttons["keep"].click()
    assert run_folders.read(folder).name == "新しい名前"
    assert training_list.read_note(folder) == "一度目"
    assert scene.listed() == ["履歴", "新しい名前"]


def test_a_training_that_is_over_is_planned_once_more(scene: Scene, tmp_path: Path) -> None:
    rows = [
        TrainingRow(n, (RowMessage("user", f"{n} 番目の問い"), RowMessage("assistant", f"{n} 番目の答え")))
        for n in range(1, 61)
    ]
    made = data_split.write_split(data_split.split_rows(rows), tmp_path / "分割", {"name": "行.csv"}, LeakageReport())
    scene.run("一度目", data=tmp_path / "分割", hashes={part: made.files[part].sha256 for part in PARTS})
    scene.show()
    scene.choose("一度目")
    entry = scene.page.list.entry
    assert entry is not None
    menu = scene.page.entry_actions.menu(entry, scene.page.rect().center())
    next(action for action in menu.actions() if action.text() == "同じ設定でもう一度").trigger()
    scene.qtbot.waitUntil(lambda: isinstance(scene.page.content, DraftWizard))
    assert scene.listed() == ["進行中", "一度目", "履歴", "一度目"]
    planning = scene.page.content
    assert isinstance(planning, DraftWizard)
    assert planning.work.draft.frozen is not None


def test_a_draft_that_is_shown_is_renamed_where_it_is(scene: Scene) -> None:
    draft = scene.draft("前の名前", goal="style")
    scene.show()
    entry = scene.page.list.entry
    assert entry is not None
    dialog = scene.page.entry_actions.edit(entry)
    assert dialog.note is None
    dialog.name.setText("新しい名前")
    dialog.buttons["keep"].click()
    planning = scene.page.content
    assert isinstance(planning, DraftWizard)
    planning.work.change(preset="light")  # would bring the old name back
    assert drafts.read(scene.where.drafts, draft.id).name == "新しい名前"


def test_a_draft_that_cannot_be_read_says_so_and_can_be_removed(scene: Scene) -> None:
    draft = scene.draft("読めない")
    (scene.where.drafts / draft.id / drafts.DRAFT_FILE).write_text("{", "utf-8")
    scene.show()
    assert scene.page.banner.isVisible()
    assert scene.page.content is None
    QTest.keyClick(scene.page.list, Qt.Key.Key_Delete)
    assert scene.listed() == []


def test_in_a_narrow_window_the_list_makes_room_and_can_be_gone_back_to(scene: Scene) -> None:
    scene.draft("下書き", goal="style")
    scene.page.resize(560, 600)
    scene.show()
    assert not scene.page.list.isVisible()
    scene.qtbot.waitUntil(scene.page.isActiveWindow)
    QTest.mouseClick(scene.page.list_button, Qt.MouseButton.LeftButton)
    QCoreApplication.processEvents()
    assert scene.page.list.hasFocus()
    assert scene.page.content is None
    at = scene.page.list.visualRect(scene.page.entries.index(1)).center()
    QTest.mouseClick(scene.page.list.viewport(), Qt.MouseButton.LeftButton, pos=at)
    assert isinstance(scene.page.content, DraftWizard)  # the one that was shown before


def test_in_a_narrow_window_what_can_be_done_stands_below_the_header(scene: Scene) -> None:
    scene.run("終わった学習")
    scene.show()
    scene.choose("終わった学習")
    content = scene.page.content
    assert isinstance(content, RunWizard)
    button = content.step.header_actions[0]
    places = []
    for width in (1100, 560, 1100):
        scene.page.resize(width, 600)
        scene.qtbot.waitUntil(button.isVisible)
        QCoreApplication.processEvents()
        places.append(button.mapTo(scene.page, button.rect().bottomLeft()).y() > scene.page._header.height())
    assert places == [False, True, False]


def test_the_next_step_is_built_while_nothing_else_is_to_do(scene: Scene) -> None:
    scene.draft("下書き")
    scene.show()
    planning = scene.page.content
    assert isinstance(planning, DraftWizard)

    def built() -> dict[str, int]:
        return {step.key: step.drawn for step in planning.findChildren(PlainStep)}

    scene.qtbot.waitUntil(lambda: "data" in built())
    assert built()["data"] == 0
    assert planning.key == "goal"
    planning.work.change(goal="style")
    QTest.mouseClick(planning.foot.next_button, Qt.MouseButton.LeftButton)
    assert (planning.key, built()["data"]) == ("data", 1)


def test_thousands_of_steps_are_told_a_few_times_a_second(scene: Scene) -> None:
    folder = scene.run("いま", state="crashed")
    scene.show()
    index = scene.page.entries.index_of(("run", folder.name))
    told: list[str] = []
    scene.page.entries.dataChanged.connect(lambda *_: told.append(index.data(DescriptionRole)))
    scene.trainings.folder = folder
    for number in range(1, 2001):
        scene.trainings.event_received.emit(events.TrainingStep(number, 4000, 1.0, 1.5, 1e-4, 1.0, 1.0, 1, 60.0))
    scene.qtbot.waitUntil(lambda: any("50" in words for words in told))
    scene.trainings.folder = None
    assert len(told) <= 3
