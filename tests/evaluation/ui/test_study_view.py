"""A study as its page shows it: what goes on, what waits, what has failed, with the fake engine as a real child."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QPushButton

from app.base.errors import AppError
from app.base.services import background
from app.base.settings import Settings
from app.chat.presets import Choices
from app.documents.grounding.grounding_record import CollectionRef
from app.evaluation import question_files
from app.evaluation.records import Question, QuestionSet
from app.evaluation.services.evaluations import Evaluations
from app.evaluation.study import compared_systems, studies
from app.evaluation.study.studies import MadeModel, Study, Training
from app.evaluation.ui import study_texts
from app.evaluation.ui.study_view import StudyView
from app.inference.local_model import LocalModel
from app.models.artifact_steps import StepProgress
from app.training.services.training_run import Trainer
from app.uikit.theme import Theme
from tests.scene import Scene
from tests.uikit.ui import accessible
from tests.uikit.ui.clipping import clipped
from tests.window_fixtures import settle
from trainer.events import FAILURES

LEFT = Qt.MouseButton.LeftButton
SLOW = "!slow とても長い答えになる質問がここにある"


def locate() -> Trainer:
    raise AppError("no_training_environment", path="")


class Desk:
    """The view alone, with a study in its folder."""

    def __init__(self, scene: Scene, model: LocalModel, theme: Theme) -> None:
        self.scene, self.model, self.qtbot = scene, model, scene.qtbot
        self.folder = scene.where.evaluations / "x"
        self.is_answering = False
        self.evaluations = Evaluations(
            scene.engine, scene.where, locate, parent=scene.engine, is_answering=lambda: self.is_answering
        )
        self.view = StudyView(theme, self.evaluations)
        self.qtbot.addWidget(self.view)
        self.errors: list[AppError] = []
        self.view.failed.connect(self.errors.append)

    def study(self, *questions: str, systems: int = 1, folder: Path | None = None, **others: object) -> Study:
        asked = tuple(Question(f"q{n}", text, reference="答え") for n, text in enumerate(questions, start=1))
        found = QuestionSet("現場の質問", 1, question_files.sha256(asked), asked)
        contenders = compared_systems.assign_ids(
            compared_systems.compared_system(self.model, None) for _ in range(systems)
        )
        choices = Choices(temperature=0.0, max_tokens=200)
        one = Study(
            "x", "秋の比較", "questions", found.name, 1, found.sha256, "internal", contenders, (0,), choices, 2048
        )
        one = dataclasses.replace(one, **others)  # type: ignore[arg-type]
        studies.create(folder or self.folder, one, found)
        return one

    def show(self, width: int = 900, height: int = 800) -> None:
        self.view.resize(width, height)
        self.view.show()
        self.view.show_study(studies.find(self.scene.where.evaluations, "x"))
        self.qtbot.waitUntil(lambda: self.view._standing is not None)

    def begin(self) -> None:
        self.show()
        self.click(self.view.go_on_button)

    def click(self, button: QPushButton) -> None:
        assert button.isVisible()
        assert button.isEnabled()
        QTest.mouseClick(button, LEFT)

    def systems(self) -> list[tuple[str, str]]:
        return [(row.name.text(), row.state.text()) for row in self.view.systems.rows.values()]

    @property
    def facts(self) -> list[str]:
        return [label.text() for label in self.view.facts.findChildren(QLabel) if label.isVisible()]


@pytest.fixture
def desk(scene: Scene, model: LocalModel, theme: Theme, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setenv("KOTAE_ENGINE", "echo")
    made = Desk(scene, model, theme)
    yield made
    made.evaluations.close()
    background.shut_down()
    QApplication.processEvents()


def test_a_study_that_waits_says_so_and_begins_by_its_button(desk: Desk) -> None:
    desk.study("一つ目", "二つ目", systems=2)
    desk.show()
    view = desk.view
    assert view.name.text() == "秋の比較"
    assert view.sentence.text() == "回答はまだありません。「続ける」で、初めから進めます。"
    assert desk.systems() == [("小さなモデル", "回答 0／2　待機"), ("小さなモデル（2）", "回答 0／2　待機")]
    assert view.go_on_button.text() == "続ける"
    assert "モデルの比較" in desk.facts
    assert "現場の質問（社外秘）" in desk.facts
    said: list[str] = []
    desk.evaluations.progressed.connect(lambda _told: said.append(view.step.text()))
    with desk.qtbot.waitSignal(desk.evaluations.ended):
        desk.click(view.go_on_button)
    assert list(dict.fromkeys(said)) == [
        "1／2　「小さなモデル」に質問しています",
        "2／2　「小さなモデル（2）」に質問しています",
        "2／2　結果をまとめています",
    ]
    desk.qtbot.waitUntil(lambda: [state for _, state in desk.systems()] == ["回答 2／2　完了"] * 2)
    assert view.sentence.text() == "評価が終わりました。"
    assert not view.go_on_button.isVisible()
    assert desk.errors == []


def test_while_it_goes_on_its_step_its_time_and_the_way_to_pause_it_are_shown(desk: Desk) -> None:
    desk.study("一つ目", SLOW, SLOW)
    desk.begin()
    view = desk.view
    desk.qtbot.waitUntil(lambda: "1／3" in view.progress.words)
    assert "33 %" in view.progress.words
    assert view.step.text() == "1／1　「小さなモデル」に質問しています"
    assert not view.go_on_button.isVisible()
    assert "評価中は、質問用のモデルを休ませます。終わると自動で戻ります。" in view.notes.text()
    assert "Kotae を閉じると、評価は一時停止します。" in view.notes.text()
    assert view.elapsed.text().startswith("今回の経過 ")
    desk.qtbot.waitUntil(lambda: desk.systems() == [("小さなモデル", "回答 1／3　測定中")])
    with desk.qtbot.waitSignal(desk.evaluations.ended):
        desk.click(view.pause_button)
    assert view.step.text() == ""
    assert not view.progress.isVisible()


def test_the_bar_counts_the_answers_of_all_systems(desk: Desk) -> None:
    desk.study("一つ目", SLOW, systems=2)
    desk.begin()
    desk.qtbot.waitUntil(lambda: "1／4" in desk.view.progress.words)
    desk.qtbot.waitUntil(lambda: "3／4" in desk.view.progress.words, timeout=30_000)


def test_one_that_was_paused_goes_on_where_it_was(desk: Desk) -> None:
    desk.study("一つ目", SLOW)
    desk.begin()
    view = desk.view
    desk.qtbot.waitUntil(lambda: "1／2" in view.progress.words)
    with desk.qtbot.waitSignal(desk.evaluations.ended):
        desk.click(view.pause_button)
    desk.qtbot.waitUntil(lambda: desk.systems() == [("小さなモデル", "回答 1／2　未完了")])
    assert view.sentence.text() == "2 回答のうち 1 件が済みました。「続ける」で、続きから進めます。"
    assert (view.go_on_button.text(), view.go_on_button.property("kind")) == ("続ける", "primary")
    assert not view.pause_button.isVisible()
    assert view.notes.text() == ""
    with desk.qtbot.waitSignal(desk.evaluations.ended):
        QTest.keyClick(view.go_on_button, Qt.Key.Key_Return)
    assert desk.evaluations.outcome == "finished"


def test_while_an_answer_is_given_it_says_what_it_waits_for(desk: Desk) -> None:
    desk.study("一つ目")
    desk.is_answering = True
    desk.begin()
    assert desk.view.step.text() == "回答が終わるのを待っています"
    assert desk.view.pause_button.isVisible()
    with desk.qtbot.waitSignal(desk.evaluations.ended):
        desk.is_answering = False


def test_what_has_failed_says_why_and_can_be_gone_on_with(desk: Desk) -> None:
    desk.study("一つ目", "!crash 落ちる", "!crash 落ちる", "!crash 落ちる")
    view = desk.view
    desk.show()
    with desk.qtbot.waitSignal(desk.evaluations.ended):
        desk.click(view.go_on_button)
    assert desk.evaluations.outcome == "failed"
    assert view.banner.isVisible()
    assert "モデルの処理が" in view.banner.accessibleName()
    assert "「続ける」を押すと" in view.banner.accessibleName()
    assert "kotae" not in view.banner.accessibleName()
    desk.qtbot.waitUntil(lambda: view.go_on_button.text() == "続ける")
    assert view.go_on_button.isEnabled()
    desk.click(view.go_on_button)
    assert not view.banner.isVisible()  # it is tried again
    desk.qtbot.waitUntil(lambda: not desk.evaluations.is_running)


def test_a_training_that_is_told_to_stop_says_that_it_saves_first(desk: Desk) -> None:
    run = desk.folder / "runs" / "20-seed42"
    desk.study("一つ目", kind="scale", trainings=(Training(str(run), 20, 42),))
    desk.show()
    desk.evaluations.folder = desk.folder
    desk.evaluations.progress = StepProgress("train", run.name, 12, 124, 1, 2, 600)
    desk.evaluations.progressed.emit(desk.evaluations.progress)
    view = desk.view
    assert view.step.text() == "1／2　20 件（1 回目）を学習しています"
    assert view.progress.words.startswith("12／124（10 %）")
    assert "学習は保存してから止まる" in view.notes.text()
    assert {"終わった学習", "0／1"} <= set(desk.facts)
    desk.evaluations.is_stopping = True
    desk.evaluations.progressed.emit(desk.evaluations.progress)
    assert not view.pause_button.isEnabled()
    assert "数分かかることがあります。" in view.sentence.text()
    assert view.pause_button.accessibleDescription() == view.sentence.text()
    desk.evaluations.folder = desk.evaluations.progress = None
    desk.evaluations.is_stopping = False


def test_one_that_somebody_else_carries_out_has_no_buttons(desk: Desk) -> None:
    desk.study("一つ目")
    lock = studies.lock(desk.folder)
    desk.show()
    assert desk.view.sentence.text().startswith("ターミナルなど、この画面の外で進んでいる評価です。")
    assert not desk.view.go_on_button.isVisible()
    assert not desk.view.pause_button.isVisible()
    with desk.qtbot.waitSignal(desk.view.ended_elsewhere):
        lock.release()
    assert desk.view.go_on_button.isVisible()


def test_while_another_one_goes_on_this_one_has_to_wait(desk: Desk) -> None:
    other = desk.scene.where.evaluations / "もう一つ"
    desk.study(SLOW, folder=other)
    desk.study("一つ目")
    desk.evaluations.start(other)
    desk.show()
    assert desk.view.step.text() == ""
    assert not desk.view.go_on_button.isEnabled()
    assert desk.view.sentence.text() == "ほかの評価が進んでいます。終わると、続けられます。"
    with desk.qtbot.waitSignal(desk.evaluations.ended):
        desk.evaluations.stop()
    assert desk.view.go_on_button.isEnabled()


def test_models_that_need_more_memory_than_there_is_are_named(desk: Desk, model: LocalModel) -> None:
    huge = dataclasses.replace(model, name="大きすぎるモデル", size_bytes=10**14)
    one = compared_systems.compared_system(huge, None)
    desk.study("一つ目", contenders=compared_systems.assign_ids([one]), judge=huge)
    desk.show()
    desk.qtbot.waitUntil(desk.view.warnings.isVisible)
    first, second = desk.view.warnings.text().splitlines()
    assert first.startswith("▲ 「大きすぎるモデル」には、空きより多いメモリ")
    assert second.startswith("▲ 採点モデル「大きすぎるモデル」には")


def test_a_folder_that_cannot_be_read_is_told(desk: Desk) -> None:
    desk.study("一つ目")
    entry = studies.find(desk.scene.where.evaluations, "x")
    (desk.folder / studies.QUESTIONS).write_bytes(b"{")
    desk.view.show()
    with desk.qtbot.waitSignal(desk.view.failed):
        desk.view.show_study(entry)
    assert {error.code for error in desk.errors} == {"evaluation_damaged"}


def test_what_is_wrong_with_another_study_is_not_said_of_this_one(desk: Desk) -> None:
    other = desk.scene.where.evaluations / "もう一つ"
    desk.study("一つ目", folder=other)
    desk.study("一つ目")
    (other / studies.QUESTIONS).write_bytes(b"{")
    entries = {entry.folder: entry for entry in studies.list_all(desk.scene.where.evaluations)}
    desk.view.show()
    desk.view.show_study(entries[other])
    desk.view.show_study(entries[desk.folder])
    desk.qtbot.waitUntil(lambda: desk.view._standing is not None)
    assert desk.errors == []


@pytest.mark.parametrize("code", ["unresponsive", "killed", "crashed", *FAILURES])
def test_a_training_that_fails_leads_to_what_can_be_done_here(code: str) -> None:
    facts = dict.fromkeys(FAILURES.get(code, ()), 1) | {"log": "/r/log", "cause": "1", "id": "1000-seed42"}
    told = study_texts.failure_message(AppError(f"run_{code.removeprefix('run_')}", **facts))
    assert "kotae" not in told.next
    assert told.next


def test_everything_fits_at_twice_the_size_and_has_a_name(desk: Desk, qapp: QApplication, theme: Theme) -> None:
    theme.apply(qapp, Settings(theme="dark", text_scale_percent=200))
    scope = (CollectionRef(1, "基準"),)
    named = [compared_systems.compared_system(desk.model, None) for _ in range(2)]
    long = [compared_systems.renamed(one, "学習済み ＋ 資料（とても長い名前の学習から作ったモデル）") for one in named]
    desk.study(
        "一つ目", contenders=compared_systems.assign_ids([dataclasses.replace(one, scope=scope) for one in long])
    )
    desk.show(560, 560)
    settle()
    assert clipped(desk.view) == []
    assert [str(node) for node in accessible.walk(desk.view) if node.is_interactive and not node.name] == []


def progress(kind: str, name: str) -> StepProgress:
    return StepProgress(kind, name, 0, 0, 1, 9)


def test_files_and_runs_are_called_by_what_they_are(desk: Desk) -> None:
    made = (MadeModel("/m/1a2b3c", "folder", "/m.gguf"), MadeModel("/m/base-Q8_0.gguf", "Q8_0", "/m/base-F16.gguf"))
    runs = (Training("/r/20-a", 20, 42), Training("/r/20-b", 20, 43), Training("/r/20-c", 20, 42, is_control=True))
    study = desk.study("一つ目", made=made, trainings=runs)
    told = {
        ("make", "1a2b3c"): "モデルを変換用のフォルダに戻しています",
        ("make", "base-Q8_0.gguf"): "Q8_0 の形式を作っています",
        ("make", "base-F16.gguf"): "base-F16.gguf を作っています",
        ("train", "20-b"): "20 件（2 回目）を学習しています",
        ("train", "20-c"): "20 件の対照を学習しています",
        ("likelihood", "Q8_0"): "「Q8_0」の損失を測っています",
        ("judge", "大きなモデル"): "「大きなモデル」が採点しています",
    }
    assert {key: study_texts.step_description(progress(*key), study) for key in told} == told
