"""The step 学習: a run of this program, of another process and of an earlier time, drawn and acted upon."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QLabel, QScrollArea, QWidget
from pytestqt.qtbot import QtBot

from app.base.files import work_folder
from app.base.services import background
from app.base.settings import Settings
from app.inference import child_commands
from app.inference.services.engine import EngineClient
from app.training.runs import run_folders
from app.training.runs.run_journal import JOURNAL_FILE
from app.training.services import training_run
from app.training.services.training_runner import TrainingRunner
from app.training.ui.run.run_step import RunStep
from app.uikit.dialogs import Dialog
from app.uikit.theme import Theme
from app.uikit.widgets.banner import Banner
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import make_scrollable
from tests.uikit.ui.clipping import clipped
from trainer import events, spec
from trainer.events import (
    Checkpoint,
    EvaluationStep,
    Event,
    Failed,
    Paused,
    ResolvedRecipe,
    Sample,
    Started,
    TrainingStep,
)
from trainer.spec import RunSpec

LEFT = Qt.MouseButton.LeftButton
ROWS = [
    ("宛名は、どう書きますか。", "部署名に「御中」を付けます。"),
    ("届けはいつ出しますか。", "前日までに出します。"),
]


class Desk:
    def __init__(self, folder: Path, theme: Theme, qtbot: QtBot) -> None:
        self.folder, self.theme, self.qtbot = folder, theme, qtbot
        self.engine = EngineClient(child_commands.engine(), folder / "engine.log")
        self.is_answering = False
        self.trainings = TrainingRunner(
            self.engine,
            lambda: training_run.locate_trainer(folder),
            folder / "bases",
            None,
            lambda: self.is_answering,
        )
        self.areas: list[QScrollArea] = []
        self.opened: list[Path] = []
        messages = [[{"role": "user", "content": q}, {"role": "assistant", "content": a}] for q, a in ROWS]
        self.rows = folder / "rows.jsonl"
        self.rows.write_text("".join(json.dumps({"messages": one}) + "\n" for one in messages), "utf-8")
        paths = (folder / "run", folder, self.rows, self.rows)
        self.run = run_folders.create(RunSpec(*map(str, paths), name="用語", max_steps=500))

    def tell(self, *told: Event) -> None:
        with (self.run / JOURNAL_FILE).open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(events.to_json(event)) + "\n" for event in told)

    def show(self, width: int = 1168, height: int = 820) -> RunStep:
        step = RunStep(self.theme, self.trainings, self.run, self.opened.append)
        area = make_scrollable(step)
        self.areas.append(area)
        area.resize(width, height)
        area.show()
        self.qtbot.waitUntil(lambda: step.follower.course is not None)
        return step

    def press(self, step: RunStep, words: str) -> None:
        button = next(one for one in step.header_actions if one.text() == words)
        assert not button.isHidden()
        assert button.isEnabled()
        button.click()


@pytest.fixture
def desk(tmp_path: Path, theme: Theme, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setenv("KOTAE_ENGINE", "echo")
    monkeypatch.setenv(training_run.VARIABLE, "fake:slow")
    made = Desk(tmp_path, theme, qtbot)
    yield made
    made.trainings.close()
    for area in made.areas:
        area.hide()
        area.deleteLater()
    background.shut_down()
    QApplication.processEvents()
    made.engine.shut_down()
    made.engine.deleteLater()


def settle() -> None:
    """A layout that follows from a layout comes a round later."""
    for _ in range(6):
        QApplication.sendPostedEvents()
        QApplication.processEvents()


def words(widget: QWidget) -> str:
    return "\n".join(label.text() for label in widget.findChildren(QLabel) if label.isVisibleTo(widget))


def buttons(step: RunStep) -> list[str]:
    return [button.text() for button in step.header_actions if not button.isHidden()]


def step_event(number: int, loss: float = 1.2) -> TrainingStep:
    return TrainingStep(number, 40, number / 20, loss, 6.1e-5, 0.21, 402.0, 9_600_000_000, 700.0)


def told(*losses: float) -> list[Event]:
    """An evaluation every ten steps, the first before them."""
    asked = RunSpec("/r", "/b", "/t", "/v", "/h", patience=4, evaluations_per_epoch=4)
    made: list[Event] = [Started(1, 0, 1.0), ResolvedRecipe(spec.to_json(asked), {})]
    for place, loss in enumerate(losses):
        if place:
            made += [step_event(number) for number in range(10 * place - 9, 10 * place + 1)]
        made.append(EvaluationStep(10 * place, place / 2, loss, 640, is_best=False))
        for question, answer in ROWS:
            made.append(Sample(10 * place, question, answer if place else "分かりません", place > 0))
        made.append(Checkpoint(10 * place, "x", 1000, 0.1))
    return made


def has_banner(banner: Banner, text: str) -> Callable[[], bool]:
    return lambda: not banner.isHidden() and text in banner.accessibleName()


def test_a_run_of_this_program_goes_on_is_paused_and_gone_on_with(desk: Desk, qtbot: QtBot) -> None:
    desk.trainings.start(desk.run)
    step = desk.show()
    qtbot.waitUntil(lambda: step.facts.facts["step"].value.text() not in ("", "–"))
    assert buttons(step) == ["一時停止", "ここで終えて最良を残す", "中止…"]
    assert "画面を閉じても学習は続きます" in words(step)
    qtbot.waitUntil(lambda: bool(step.loss.plot.accessibleDescription()))
    desk.press(step, "一時停止")
    assert "区切りに来たら終わります" in step.sentence.text()
    assert not any(button.isEnabled() for button in step.header_actions if not button.isHidden())
    qtbot.waitUntil(lambda: buttons(step) == ["続ける"])
    assert "一時停止しています" in step.sentence.text()
    assert "画面を閉じても" not in words(step)
    desk.press(step, "続ける")
    qtbot.waitUntil(lambda: "一時停止" in buttons(step) and not desk.trainings.is_asked)
    qtbot.waitUntil(lambda: step.header_actions[2].isEnabled())
    desk.press(step, "ここで終えて最良を残す")
    qtbot.waitUntil(lambda: buttons(step) == [] and step.facts.facts["state"].value.text().startswith("完了"))


def test_an_answer_that_is_waited_for_is_told_and_can_be_given_up_waiting_for(desk: Desk, qtbot: QtBot) -> None:
    desk.tell(*told(1.6, 1.3), Paused(10))
    step = desk.show()
    desk.is_answering = True
    desk.press(step, "続ける")
    assert "質問への回答が終わるのを待っています" in step.sentence.text()
    assert buttons(step) == ["一時停止"]
    desk.press(step, "一時停止")
    assert buttons(step) == ["続ける"]
    assert "ステップ 10 で一時停止しています" in step.sentence.text()


def test_giving_up_is_asked_first_and_tells_what_is_kept(desk: Desk, qtbot: QtBot) -> None:
    desk.trainings.start(desk.run)
    step = desk.show()
    qtbot.waitUntil(lambda: bool(step.follower.course and step.follower.course.standing.saved))
    saved = step.follower.course.standing.saved.step  # type: ignore[union-attr]
    for key in ("cancel", "abort"):
        assert not desk.trainings.is_asked
        desk.press(step, "中止…")
        (dialog,) = step.window().findChildren(Dialog)
        assert "ステップ" in dialog.accessibleDescription()
        assert dialog.buttons["cancel"].isDefault()
        dialog.buttons[key].click()
        qtbot.waitUntil(lambda: not step.window().findChildren(Dialog))
    qtbot.waitUntil(lambda: buttons(step) == ["続ける"])
    assert "中止した学習です" in step.sentence.text()
    assert desk.trainings.outcome == "cancelled"
    assert saved >= 4


def test_a_run_of_another_process_is_followed_and_left_alone(desk: Desk, qtbot: QtBot) -> None:
    held = work_folder.acquire_lock(desk.run / run_folders.LOCK)
    desk.tell(*told(1.6, 1.3))
    step = desk.show()
    assert buttons(step) == []
    assert "Ctrl+C" in step.sentence.text()
    assert step.facts.facts["step"].value.text() == "10／40"
    desk.tell(step_event(11))
    qtbot.waitUntil(lambda: step.facts.facts["step"].value.text() == "11／40")
    desk.tell(Paused(11))
    held.release()
    qtbot.waitUntil(lambda: buttons(step) == ["続ける"])


def test_losses_that_rise_in_a_row_offer_to_end_with_the_best(
    desk: Desk, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(training_run.VARIABLE, "fake:silent")  # after three steps
    desk.trainings.start(desk.run)
    qtbot.waitUntil(lambda: desk.trainings.run is not None)
    run = desk.trainings.run
    assert run is not None
    qtbot.waitUntil(lambda: run.standing.last_step == 3)
    desk.tell(*told(1.6, 1.2, 1.25, 1.3))  # in its name
    step = desk.show()
    qtbot.waitUntil(has_banner(step.alarm, "検証の損失が 2 回続けて悪化しました。最良（ステップ 10）で終えられます。"))
    assert step.watch.value("early_stopping") == "改善なし 2／4 回"
    assert step.watch.value("overfitting").startswith("2 回続けて悪化")
    (button,) = step.alarm.findChildren(Button)
    assert button.text() == "ここで終えて最良を残す"
    qtbot.mouseClick(button, LEFT)
    assert desk.trainings.is_asked
    assert step.alarm.isHidden()
    run.kill()


@pytest.mark.parametrize(
    ("end", "what", "following", "deeds"),
    [
        (None, "途中で止まりました", "ステップ 10 までは保存済みです", ["続ける"]),
        (Failed("disk_full", {"path": "/x"}), "空きがなくなりました", "不要なファイルを消してください", ["続ける"]),
        (Failed("preflight_blocked", {"codes": ["no_end"]}), "問題が見つかりました", "「確認」で見つかった", []),
        (Failed("not_finite", {"step": 3, "learning_rate": 2e-4}), "発散しました", "学習率を小さくして", []),
    ],
)
def test_what_went_wrong_is_told_with_what_is_safe_and_the_next_step(
    desk: Desk, end: Event | None, what: str, following: str, deeds: list[str]
) -> None:
    desk.tell(*told(1.6, 1.3), *([end] if end else []))
    step = desk.show()
    assert what in step.trouble.accessibleName()
    assert following in step.trouble.accessibleName()
    assert "kotae " not in step.trouble.accessibleName()
    assert buttons(step) == deeds
    (log,) = [one for one in step.trouble.findChildren(Button) if one.text() == "記録のフォルダを開く"]
    log.click()
    assert desk.opened == [desk.run]


def test_what_cannot_be_started_is_told(desk: Desk, qtbot: QtBot) -> None:
    desk.tell(*told(1.6, 1.3), Paused(10))
    step = desk.show()
    desk.rows.unlink()
    desk.press(step, "続ける")
    qtbot.waitUntil(has_banner(step.trouble, "学習データのファイルがありません"))
    qtbot.waitUntil(lambda: buttons(step) == ["続ける"])
    assert "学習データを元の場所に戻してください" in step.trouble.accessibleName()


def test_answers_are_shown_one_question_at_a_time(desk: Desk, qtbot: QtBot) -> None:
    desk.tell(*told(1.6, 1.3, 1.2), Paused(20))
    step = desk.show()
    shown = words(step.samples)
    assert "問い 1／2" in shown
    assert ROWS[0][0] in shown
    assert "正解" in shown
    assert "学習前" in shown
    assert "分かりません…" in shown
    assert "ステップ 10〜20（最新）" in shown
    assert not step.samples.before_button.isEnabled()
    qtbot.mouseClick(step.samples.after_button, LEFT)
    assert ROWS[1][0] in words(step.samples)
    assert ROWS[0][0] not in words(step.samples)
    assert not step.samples.after_button.isEnabled()


def test_the_curve_can_be_read_as_a_table(desk: Desk, qtbot: QtBot) -> None:
    desk.tell(*told(1.612, 1.3, 1.35), Paused(20))
    step = desk.show()
    qtbot.waitUntil(lambda: step.loss.plot.isVisible())
    assert "1.612" in step.loss.plot.accessibleDescription()
    qtbot.mouseClick(step.loss.table_button, LEFT)
    assert not step.loss.plot.isVisible()
    table = step.loss.table
    rows = [[table.index(row, column).data() for column in range(7)] for row in range(table.rowCount())]
    assert rows[0] == ["0", "", "1.612", "", "", "", ""]
    assert rows[10] == ["10", "1.200", "1.300（最良）", "6.1e-5", "0.21", "402", "9.6\u00a0GB"]
    assert len(rows) == 21
    qtbot.mouseClick(step.loss.table_button, LEFT)
    assert step.loss.plot.isVisible()


def test_of_thousands_of_steps_some_are_listed_and_all_that_was_evaluated(desk: Desk, qtbot: QtBot) -> None:
    steps = [step_event(number) for number in range(1, 3001)]
    desk.tell(
        Started(1, 0, 1.0),
        *steps[:1001],
        EvaluationStep(1001, 1.0, 0.9, 640, is_best=True),
        *steps[1001:],
        Paused(3000),
    )
    step = desk.show()
    qtbot.waitUntil(lambda: step.loss.table_button.isVisible())
    qtbot.mouseClick(step.loss.table_button, LEFT)
    table = step.loss.table
    listed = [table.index(row, 0).data() for row in range(table.rowCount())]
    assert len(listed) <= 501
    assert "1,001" in listed
    assert "8 ステップごとの値" in words(step.loss)


@pytest.mark.parametrize(("width", "percent"), [(1168, 100), (560, 100), (800, 150)])
def test_nothing_is_cut_off_in_either_theme(
    desk: Desk, qtbot: QtBot, width: int, percent: int, qapp: QApplication
) -> None:
    desk.theme.apply(qapp, Settings(theme="light", text_scale_percent=percent))
    desk.tell(*told(1.6, 1.3, 1.35, 1.4), Failed("disk_full", {"path": "/x"}))
    step = desk.show(width)
    qtbot.waitUntil(lambda: step.loss.plot.isVisible())
    settle()
    assert clipped(desk.areas[-1]) == []
    light = step.loss.plot.grab().toImage()
    desk.theme.apply(qapp, Settings(theme="dark", text_scale_percent=percent))
    settle()
    assert step.loss.plot.grab().toImage() != light
    assert clipped(desk.areas[-1]) == []


def test_a_step_that_is_not_shown_looks_at_nothing(desk: Desk, qtbot: QtBot) -> None:
    desk.tell(*told(1.6, 1.3), Paused(10))
    step = desk.show()
    desk.areas[0].hide()
    desk.tell(Started(1, 0, 2.0, 10), step_event(11), Paused(11))
    step.show_draft()
    assert step.facts.facts["step"].value.text() == "10／40"
    desk.areas[0].show()
    qtbot.waitUntil(lambda: step.facts.facts["step"].value.text() == "11／40")
