"""A study as its page shows it: what goes on, what waits, what has failed, with the fake engine as a real child."""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication

from app.base.errors import AppError
from app.base.services import background
from app.base.settings import Settings
from app.documents.grounding.grounding_record import CollectionRef
from app.evaluation.services.evaluations import Evaluations
from app.evaluation.study import compared_systems, studies
from app.evaluation.study.studies import ComparedSystem, MadeModel, Study, Training
from app.evaluation.ui import study_texts
from app.evaluation.ui.study_view import StudyView
from app.inference.local_model import LocalModel
from app.models.artifact_steps import StepProgress
from app.training.services.training_run import Trainer
from app.uikit.theme import Theme
from tests.evaluation.driver import question_set, systems_of, write_study
from tests.evaluation.ui.driver import Driver
from tests.scene import Scene
from trainer.events import FAILURES

SLOW = "!slow とても長い答えの質問"


def locate() -> Trainer:
    raise AppError("no_training_environment", path="")


class Desk(Driver):
    """The view alone, with a study in its folder."""

    def __init__(self, scene: Scene, model: LocalModel, theme: Theme) -> None:
        self.scene, self.model = scene, model
        self.folder = scene.where.evaluations / "x"
        self.other = scene.where.evaluations / "もう一つ"
        self.is_answering = False
        self.evaluations = Evaluations(
            scene.engine, scene.where, locate, parent=scene.engine, is_answering=lambda: self.is_answering
        )
        self.view = StudyView(theme, self.evaluations)
        super().__init__(self.view, scene.qtbot)
        self.view.failed.connect(self.errors.append)

    def study(
        self,
        *texts: str,
        folder: Path | None = None,
        contenders: tuple[ComparedSystem, ...] = (),
        count: int = 1,
        **others: object,
    ) -> Study:
        asked = question_set(*texts, name="現場の質問", reference="答え")
        contenders = contenders or systems_of(self.model, count)
        return write_study(folder or self.folder, *contenders, asked=asked, name="秋の比較", **others)

    def show(self, width: int = 900, height: int = 800) -> None:
        self.view.show_study(studies.find(self.scene.where.evaluations, "x"))
        self.open(width, height)
        self.until(self.systems)

    def begin(self) -> None:
        self.show()
        self.click(self.view.go_on_button)

    def end(self, act: Callable[[], object]) -> None:
        with self.qtbot.waitSignal(self.evaluations.ended):
            act()

    def pause(self) -> None:
        self.end(lambda: self.click(self.view.pause_button))

    def systems(self) -> list[str]:
        return self.view.systems.texts

    @property
    def facts(self) -> list[str]:
        return self.texts(self.view.facts)


@pytest.fixture
def desk(scene: Scene, model: LocalModel, theme: Theme, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setenv("KOTAE_ENGINE", "echo")
    made = Desk(scene, model, theme)
    yield made
    made.evaluations.close()
    background.shut_down()
    QApplication.processEvents()


def test_a_study_that_waits_says_so_and_begins_by_its_button(desk: Desk) -> None:
    desk.study("一つ目", "二つ目", count=2)
    desk.show()
    view = desk.view
    assert view.name.text() == "秋の比較"
    assert view.sentence.text() == "回答はまだありません。「続ける」で最初から始めます。"
    assert desk.systems() == ["小さなモデル　回答 0／2　待機", "小さなモデル（2）　回答 0／2　待機"]
    assert view.go_on_button.text() == "続ける"
    assert "モデルの比較" in desk.facts
    assert "現場の質問（社外秘）" in desk.facts
    said: list[str] = []
    counted: list[str] = []
    desk.evaluations.progressed.connect(lambda _told: said.append(view.step.text()))
    desk.evaluations.progressed.connect(lambda _told: counted.append(view.progress.words))
    desk.end(lambda: desk.click(view.go_on_button))
    assert any("3／4" in words for words in counted)  # the answers of all systems share one bar
    assert list(dict.fromkeys(said)) == [
        "1／2　「小さなモデル」に質問しています",
        "2／2　「小さなモデル（2）」に質問しています",
        "2／2　結果をまとめています",
    ]
    desk.until(lambda: [line.partition("　")[2] for line in desk.systems()] == ["回答 2／2　完了"] * 2)
    assert view.sentence.text() == "評価が終わりました。"
    assert not view.go_on_button.isVisible()
    assert desk.errors == []


def test_while_it_goes_on_its_step_and_time_are_shown_and_it_can_be_paused_and_gone_on_with(desk: Desk) -> None:
    desk.study("一つ目", SLOW)
    desk.begin()
    view = desk.view
    desk.until(lambda: "1／2" in view.progress.words)
    assert "50 %" in view.progress.words
    assert view.step.text() == "1／1　「小さなモデル」に質問しています"
    assert not view.go_on_button.isVisible()
    assert "評価中は質問用のモデルをメモリから外します。終わると自動で戻します。" in view.notes.text()
    assert "Kotae を閉じると、評価は一時停止します。" in view.notes.text()
    assert view.elapsed.text().startswith("今回の経過 ")
    desk.until(lambda: desk.systems() == ["小さなモデル　回答 1／2　測定中"])
    desk.pause()
    assert (view.step.text(), view.progress.isVisible(), view.pause_button.isVisible()) == ("", False, False)
    desk.until(lambda: desk.systems() == ["小さなモデル　回答 1／2　未完了"])
    assert view.sentence.text() == "2 回答のうち 1 件が済みました。「続ける」を押すと、続きから進みます。"
    assert (view.go_on_button.text(), view.go_on_button.property("kind"), view.notes.text()) == (
        "続ける",
        "primary",
        "",
    )
    desk.end(lambda: desk.press(Qt.Key.Key_Return, at=view.go_on_button))
    assert desk.evaluations.outcome == "finished"


def test_while_an_answer_is_given_it_says_what_it_waits_for(desk: Desk) -> None:
    desk.study("一つ目")
    desk.is_answering = True
    desk.begin()
    assert desk.view.step.text() == "回答が終わるのを待っています"
    assert desk.view.pause_button.isVisible()
    with desk.qtbot.waitSignal(desk.evaluations.ended):
        desk.is_answering = False  # looked at every now and then


def test_what_has_failed_says_why_and_can_be_gone_on_with(desk: Desk) -> None:
    desk.study("一つ目", "!crash 落ちる", "!crash 落ちる", "!crash 落ちる")
    view = desk.view
    desk.show()
    desk.end(lambda: desk.click(view.go_on_button))
    assert desk.evaluations.outcome == "failed"
    assert view.banner.isVisible()
    assert "モデルの処理が" in view.banner.accessibleName()
    assert "「続ける」を押すと" in view.banner.accessibleName()
    assert "kotae" not in view.banner.accessibleName()
    desk.until(lambda: view.go_on_button.text() == "続ける")
    assert view.go_on_button.isEnabled()
    desk.click(view.go_on_button)
    assert not view.banner.isVisible()  # it is tried again
    desk.end(desk.evaluations.stop)


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
    desk.view._read_timer.setInterval(50)
    desk.study("一つ目")
    lock = studies.lock(desk.folder)
    desk.show()
    assert desk.view.sentence.text().startswith("ターミナルなど、この画面の外で動いている評価です。")
    assert not desk.view.go_on_button.isVisible()
    assert not desk.view.pause_button.isVisible()
    with desk.qtbot.waitSignal(desk.view.ended_elsewhere):
        lock.release()
    assert desk.view.go_on_button.isVisible()


def test_while_another_one_goes_on_this_one_has_to_wait(desk: Desk) -> None:
    desk.study(SLOW, folder=desk.other)
    desk.study("一つ目")
    desk.evaluations.start(desk.other)
    desk.show()
    assert desk.view.step.text() == ""
    assert not desk.view.go_on_button.isEnabled()
    assert desk.view.sentence.text() == "ほかの評価が終わると続けられます。"
    desk.end(desk.evaluations.stop)
    assert desk.view.go_on_button.isEnabled()


def test_models_that_need_more_memory_than_there_is_are_named(desk: Desk, model: LocalModel) -> None:
    huge = dataclasses.replace(model, name="大きすぎるモデル", size_bytes=10**14)
    desk.study("一つ目", contenders=systems_of(huge), judge=huge)
    desk.show()
    desk.until(desk.view.warnings.isVisible)
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
    assert set(desk.failed) == {"evaluation_damaged"}


def test_what_is_wrong_with_another_study_is_not_said_of_this_one(desk: Desk) -> None:
    desk.study("一つ目", folder=desk.other)
    desk.study("一つ目")
    (desk.other / studies.QUESTIONS).write_bytes(b"{")
    entries = {entry.folder: entry for entry in studies.list_all(desk.scene.where.evaluations)}
    desk.view.show()
    desk.view.show_study(entries[desk.other])
    desk.view.show_study(entries[desk.folder])
    desk.until(desk.systems)
    desk.settle()
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
    name = "学習済み ＋ 資料（とても長い名前の学習から作ったモデル）"
    long = [compared_systems.renamed(one, name) for one in systems_of(desk.model, 2)]
    desk.study(
        "一つ目", contenders=compared_systems.assign_ids([dataclasses.replace(one, scope=scope) for one in long])
    )
    desk.show(560, 560)
    assert desk.problems() == []


def test_a_study_of_another_year_says_which(tmp_path: Path) -> None:
    write_study(tmp_path / "x", created_at=1_600_000_000.0)
    (old,) = studies.list_all(tmp_path)
    assert study_texts.study_summary(old).startswith("2020年9月13日")


def progress(kind: str, name: str) -> StepProgress:
    return StepProgress(kind, name, 0, 0, 1, 9)


def test_files_and_runs_are_called_by_what_they_are(desk: Desk) -> None:
    made = (MadeModel("/m/1a2b3c", "folder", "/m.gguf"), MadeModel("/m/base-Q8_0.gguf", "Q8_0", "/m/base-F16.gguf"))
    runs = (Training("/r/20-a", 20, 42), Training("/r/20-b", 20, 43), Training("/r/20-c", 20, 42, is_control=True))
    study = desk.study("一つ目", made=made, trainings=runs)
    told = {
        ("make", "1a2b3c"): "モデルを変換前のフォルダに戻しています",
        ("make", "base-Q8_0.gguf"): "Q8_0 を作っています",
        ("make", "base-F16.gguf"): "base-F16.gguf を作っています",
        ("train", "20-b"): "20 件（2 回目）を学習しています",
        ("train", "20-c"): "20 件の対照を学習しています",
        ("likelihood", "Q8_0"): "「Q8_0」の損失を測っています",
        ("judge", "大きなモデル"): "「大きなモデル」が採点しています",
    }
    assert {key: study_texts.step_description(progress(*key), study) for key in told} == told
