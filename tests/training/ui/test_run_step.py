"""The step 学習: a run of this program, of another process and of an earlier time, drawn and acted upon."""

import dataclasses
import json
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.base.errors import AppError
from app.base.files import work_folder
from app.base.services import background
from app.base.settings import Settings
from app.base.wording import phrase
from app.inference import child_commands
from app.inference.local_model import LocalModel
from app.inference.services.engine import EngineClient
from app.models.artifact_steps import StepProgress
from app.training.runs import run_folders
from app.training.runs.run_journal import JOURNAL_FILE
from app.training.services import run_follower, training_run
from app.training.services.training_runner import TrainingRunner
from app.training.ui import run_texts
from app.training.ui.run_step import RunStep
from app.uikit import desktop
from app.uikit.dialogs import Dialog
from app.uikit.localization import join_facts
from app.uikit.theme import Theme
from app.uikit.widgets.banner import Banner
from app.uikit.widgets.buttons import Button
from tests import fake_trainer
from tests.training.ui.driver import Driver, texts, words
from trainer import events, spec
from trainer.events import (
    Checkpoint,
    EvaluationStep,
    Event,
    Failed,
    Finished,
    Paused,
    ResolvedRecipe,
    Sample,
    Started,
    TrainingStep,
)
from trainer.spec import RunSpec

PAUSE, RESUME, START_OVER = phrase("common.pause"), phrase("training.resume"), phrase("training.start_over")
FINISH, ABORT = phrase("training.finish_and_keep_the_best"), phrase("training.abort")
ROWS = [
    ("宛名は、どう書きますか。", "部署名に「御中」を付けます。"),
    ("届けはいつ出しますか。", "前日までに出します。"),
]


class RunDriver(Driver):
    def __init__(self, folder: Path, theme: Theme, qtbot: QtBot) -> None:
        super().__init__(qtbot, theme)
        self.engine = EngineClient(child_commands.engine(), folder / "engine.log")
        self.is_answering = False
        self.trainings = TrainingRunner(
            self.engine, lambda: training_run.locate_trainer(folder), folder / "bases", None, lambda: self.is_answering
        )
        self.opened: list[Path] = []
        messages = [[{"role": "user", "content": q}, {"role": "assistant", "content": a}] for q, a in ROWS]
        self.rows = folder / "rows.jsonl"
        self.rows.write_text("".join(json.dumps({"messages": one}) + "\n" for one in messages), "utf-8")
        paths = (folder / "run", folder, self.rows, self.rows)
        self.run = run_folders.create(RunSpec(*map(str, paths), name="用語", max_steps=500))

    def pause_study(self) -> None:
        """As an evaluation does, a moment later."""
        QTimer.singleShot(50, self.theme, lambda: setattr(self.engine, "refusal", None))

    def tell(self, *told: Event) -> None:
        for one in (one for one in told if isinstance(one, Checkpoint)):
            (self.run / run_folders.CHECKPOINTS / f"checkpoint-{one.step}").mkdir(parents=True)
        with (self.run / JOURNAL_FILE).open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(events.to_json(event)) + "\n" for event in told)

    def open(self, *told: Event, width: int = 1168) -> RunStep:
        """`told`: by the trainer until now."""
        self.tell(*told)
        step = RunStep(self.theme, self.trainings, self.run, self.pause_study)
        self.show(step, width, 820)
        self.until(lambda: step.follower.course is not None)
        return step

    def start(self) -> RunStep:
        self.trainings.start(self.run)
        return self.open()

    @property
    def buttons(self) -> list[str]:
        return texts(self.step.header_actions)

    def press_button(self, name: str) -> None:
        button = next(one for one in self.step.header_actions if one.text() == name)
        self.until(lambda: not button.isHidden() and button.isEnabled())
        button.click()

    def fact(self, key: str) -> str:
        text: str = self.step.facts.facts[key].value.text()
        return text

    def until_banner(self, banner: Banner, text: str) -> None:
        self.until(lambda: not banner.isHidden() and text in banner.accessibleName())


@pytest.fixture
def driver(tmp_path: Path, theme: Theme, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunDriver]:
    monkeypatch.setenv("KOTAE_ENGINE", "echo")
    fake_trainer.use(monkeypatch, "slow")
    made = RunDriver(tmp_path, theme, qtbot)
    monkeypatch.setattr(desktop, "open_folder", made.opened.append)
    yield made
    made.trainings.close()
    made.area.hide()
    background.shut_down()
    QApplication.processEvents()
    made.engine.shut_down()
    made.engine.deleteLater()


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


@pytest.mark.parametrize("short_bytes", [run_follower.SHORT_BYTES, 0])
def test_a_run_is_read_before_it_is_drawn_unless_its_journal_is_long(
    driver: RunDriver, monkeypatch: pytest.MonkeyPatch, short_bytes: int
) -> None:
    monkeypatch.setattr(run_follower, "SHORT_BYTES", short_bytes)
    driver.tell(step_event(3))
    step = RunStep(driver.theme, driver.trainings, driver.run, driver.pause_study)
    driver.qtbot.addWidget(step)
    step.show()
    assert (step.follower.course is not None) == (short_bytes > 0)
    driver.until(lambda: step.follower.course is not None)


def test_a_run_of_this_program_goes_on_is_paused_and_gone_on_with(driver: RunDriver) -> None:
    step = driver.start()
    driver.until(lambda: driver.fact("step") not in ("", "–"))
    assert driver.buttons == [PAUSE, FINISH, ABORT]
    assert phrase("training.training_continues_when_this_window") in words(step)
    driver.until(lambda: step.loss.plot is not None and bool(step.loss.plot.accessibleDescription()))
    driver.press_button(PAUSE)
    assert step.sentence.text() == phrase("training.it_ends_as_soon_as")
    assert not any(button.isEnabled() for button in step.header_actions if not button.isHidden())
    driver.until(lambda: driver.buttons == [RESUME])
    assert "一時停止しています" in step.sentence.text()
    assert phrase("training.training_continues_when_this_window") not in words(step)
    driver.press_button(RESUME)
    driver.until(lambda: PAUSE in driver.buttons and not driver.trainings.is_asked)
    driver.press_button(FINISH)
    driver.until(
        lambda: driver.buttons == [] and driver.fact("state").startswith(phrase("training.run_state.finished"))
    )


def test_the_one_bar_goes_on_through_the_judging_with_the_time_left(driver: RunDriver) -> None:
    asked = run_folders.read(driver.run).require_spec()
    run_folders.write_spec(driver.run, dataclasses.replace(asked, holdout=str(driver.rows)))
    end = Finished("epochs", 10, 10, 1.6, 1.3, "a", "", 20.0, 1.0, 1)
    now = time.time()
    sent = [(now - 100 + place, one) for place, one in enumerate([*told(1.6, 1.3), end])]
    lines = [json.dumps({**events.to_json(one), "at": at}) + "\n" for at, one in sent]
    (driver.run / JOURNAL_FILE).write_text("".join(lines), "utf-8")
    driver.trainings.folder = driver.run  # as if it were judging it
    step = driver.open()
    before = step.facts.bar.value()
    assert 0 < before < step.facts.bar.maximum()
    for number, (kind, name) in enumerate((("score", "f16+adapter"), ("score", "base"), ("score", "base+adapter")), 1):
        driver.trainings._on_judging(StepProgress(kind, name, 0, 0, number, 15))
    step.facts.tick()
    assert before <= step.facts.bar.value() < step.facts.bar.maximum()
    assert driver.fact("left").startswith("約")
    driver.trainings.folder = None


def test_a_run_that_an_evaluation_keeps_from_going_on_offers_to_pause_it(driver: RunDriver) -> None:
    step = driver.open(*told(1.6, 1.3), Paused(10))
    driver.engine.refusal = AppError("study_has_memory")
    driver.until(lambda: step.obstacle.isVisible())
    (resume,) = [one for one in step.header_actions if not one.isHidden()]
    assert (resume.text(), resume.isEnabled()) == (RESUME, False)
    (pause,) = [one for one in step.obstacle.findChildren(Button) if one.isVisible()]
    assert pause.text() == phrase("training.pause_the_evaluation_and_resume")
    pause.click()
    driver.until(lambda: driver.trainings.folder == driver.run)
    assert not step.obstacle.isVisible()


def test_an_answer_that_is_waited_for_is_told_and_can_be_given_up_waiting_for(driver: RunDriver) -> None:
    step = driver.open(*told(1.6, 1.3), Paused(10))
    driver.is_answering = True
    driver.press_button(RESUME)
    assert (step.sentence.text(), driver.buttons) == (phrase("training.waiting_for_an_answer_to"), [PAUSE])
    driver.press_button(PAUSE)
    assert driver.buttons == [RESUME]
    assert step.sentence.text() == phrase("training.paused_at_step_n_resume", n=10)


def test_giving_up_is_asked_first_and_tells_what_is_kept(driver: RunDriver) -> None:
    step = driver.start()
    driver.until(lambda: step.follower.course and step.follower.course.standing.saved)
    for key in ("cancel", "abort"):
        assert not driver.trainings.is_asked
        driver.press_button(ABORT)
        dialog = driver.dialog(Dialog)
        assert "ステップ" in dialog.accessibleDescription()
        assert dialog.buttons["cancel"].isDefault()
        dialog.buttons[key].click()
        driver.until(lambda: not step.window().findChildren(Dialog))
    driver.until(lambda: driver.buttons == [RESUME])
    assert step.sentence.text().startswith(phrase("training.this_run_was_aborted"))
    assert driver.trainings.outcome == "cancelled"


def test_a_run_of_another_process_is_followed_and_left_alone(driver: RunDriver) -> None:
    held = work_folder.acquire_lock(driver.run / run_folders.LOCK)
    step = driver.open(*told(1.6, 1.3))
    assert (driver.buttons, driver.fact("step")) == ([], "10／40")
    assert phrase("training.to_stop_it_press_ctrl") in step.sentence.text()
    driver.tell(step_event(11))
    driver.until(lambda: driver.fact("step") == "11／40")
    driver.tell(Paused(11))
    held.release()
    driver.until(lambda: driver.buttons == [RESUME])


def test_losses_that_rise_in_a_row_offer_to_end_with_the_best(
    driver: RunDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_trainer.use(monkeypatch, "silent")  # after three steps
    driver.trainings.start(driver.run)
    driver.until(lambda: driver.trainings.run is not None and driver.trainings.run.standing.last_step == 3)
    step = driver.open(*told(1.6, 1.2, 1.25, 1.3))  # in its name
    driver.until_banner(step.alarm, phrase("training.validation_loss_rose_n_times", n=2, s=10))
    assert step.health.value("early_stopping") == phrase("training.no_improvement_n_m", n=2, m=4)
    assert step.health.value("overfitting").startswith(phrase("training.rose_n_times_in_a", n=2))
    (button,) = step.alarm.findChildren(Button)
    assert button.text() == FINISH
    driver.click(button)
    assert (driver.trainings.is_asked, step.alarm.isHidden()) == (True, True)
    driver.trainings.run.kill()  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("end", "what", "following", "deeds"),
    [
        (None, "途中で止まりました", "ステップ 10 までは保存済みです", [RESUME]),
        (Failed("disk_full", {"path": "/x"}), "空きがなくなりました", "不要なファイルを消してください", [RESUME]),
        (Failed("out_of_memory", {}), "メモリが足りなくなりました", "ほかのアプリを閉じてください", [RESUME]),
        (Failed("preflight_blocked", {"codes": ["no_end"]}), "問題が見つかりました", "「確認」で見つかった", []),
        (Failed("not_finite", {"step": 3, "learning_rate": 2e-4}), "発散しました", "学習率を下げて", []),
    ],
)
def test_what_went_wrong_is_told_with_what_is_safe_and_the_next_step(
    driver: RunDriver, end: Event | None, what: str, following: str, deeds: list[str]
) -> None:
    step = driver.open(*told(1.6, 1.3), *([end] if end else []))
    said = step.banner.accessibleName()
    assert (what in said, following in said, "kotae " in said) == (True, True, False)
    assert driver.buttons == deeds
    (log,) = step.banner.findChildren(Button)[:1]
    log.click()
    assert driver.opened == [driver.run]


def test_a_run_that_stopped_before_its_first_save_offers_to_start_over(driver: RunDriver) -> None:
    step = driver.open(Started(1, 0, 1.0))
    assert driver.buttons == [START_OVER]
    assert phrase("training.nothing_was_saved") in step.banner.accessibleName()


def test_what_cannot_be_started_is_told(driver: RunDriver) -> None:
    step = driver.open(Started(1, 0, 1.0), Paused(0))
    driver.rows.unlink()
    driver.press_button(START_OVER)
    driver.until_banner(step.banner, "学習データのファイルがありません")
    driver.until(lambda: driver.buttons == [START_OVER])
    assert phrase("common.run_remedy.run_data_missing") in step.banner.accessibleName()


def test_answers_are_shown_one_question_at_a_time(driver: RunDriver) -> None:
    samples = driver.open(*told(1.6, 1.3, 1.2), Paused(20)).samples
    shown = words(samples)
    for text in ("質問 1／2", ROWS[0][0], "正解", "学習前", "分かりません…", "ステップ 10〜20（最新）"):
        assert text in shown
    assert not samples.before_button.isEnabled()
    driver.click(samples.after_button)
    assert (ROWS[1][0] in words(samples), ROWS[0][0] in words(samples)) == (True, False)
    assert not samples.after_button.isEnabled()


def test_the_curve_can_be_read_as_a_table(driver: RunDriver) -> None:
    loss = driver.open(*told(1.612, 1.3, 1.35), Paused(20)).loss
    driver.until(lambda: loss.plot is not None and loss.plot.isVisible())
    assert "1.612" in loss.plot.accessibleDescription()
    driver.click(loss.table_button)
    assert not loss.plot.isVisible()
    rows = loss.table.rows
    assert rows[0] == ("0", "", "1.612", "", "", "", "")
    assert rows[10] == ("10", "1.200", "1.300（最良）", "6.1e-5", "0.21", "402", "9.6\u00a0GB")
    assert len(rows) == 21
    driver.click(loss.table_button)
    assert loss.plot.isVisible()


def test_of_thousands_of_steps_some_are_listed_and_all_that_was_evaluated(driver: RunDriver) -> None:
    steps = [step_event(number) for number in range(1, 3001)]
    best = EvaluationStep(1001, 1.0, 0.9, 640, is_best=True)
    loss = driver.open(Started(1, 0, 1.0), *steps[:1001], best, *steps[1001:], Paused(3000)).loss
    driver.until(loss.table_button.isVisible)
    driver.click(loss.table_button)
    listed = [row[0] for row in loss.table.rows]
    assert len(listed) <= 501
    assert "1,001" in listed
    assert phrase("training.one_step_in_n_and", n=8) in words(loss)


def test_rows_that_are_added_leave_the_chosen_one_chosen(driver: RunDriver) -> None:
    loss = driver.open(*told(1.6, 1.3), Paused(10)).loss
    driver.until(loss.table_button.isVisible)
    driver.click(loss.table_button)
    assert loss.view is not None
    loss.view.setCurrentIndex(loss.table.index(4, 0))
    driver.tell(Started(1, 0, 2.0, 10), step_event(11), EvaluationStep(11, 0.6, 1.2, 640, is_best=True), Paused(11))
    driver.until(lambda: loss.table.rowCount() == 12)
    assert (loss.view.currentIndex().row(), loss.table.rows[10][2], loss.table.rows[11][2]) == (
        4,
        "1.300",
        "1.200（最良）",
    )


@pytest.mark.parametrize(("width", "percent"), [(1168, 100), (800, 150)])
def test_nothing_is_cut_off_in_either_theme(driver: RunDriver, width: int, percent: int, qapp: QApplication) -> None:
    driver.enlarge(percent)
    step = driver.open(*told(1.6, 1.3, 1.35, 1.4), Failed("disk_full", {"path": "/x"}), width=width)
    driver.until(lambda: step.loss.plot is not None and step.loss.plot.isVisible())
    driver.assert_whole()
    light = step.loss.plot.grab().toImage()
    driver.theme.apply(qapp, Settings(theme="dark", text_scale_percent=percent))
    driver.assert_whole()
    assert step.loss.plot.grab().toImage() != light


def test_a_step_that_is_not_shown_looks_at_nothing(driver: RunDriver) -> None:
    step = driver.open(*told(1.6, 1.3), Paused(10))
    driver.area.hide()
    driver.tell(Started(1, 0, 2.0, 10), step_event(11), Paused(11))
    step.show_draft()
    assert driver.fact("step") == "10／40"
    driver.area.show()
    driver.until(lambda: driver.fact("step") == "11／40")


def test_the_base_is_called_as_in_the_list_of_models_and_by_its_file_where_it_is_not_there() -> None:
    asked = SimpleNamespace(base="/models/gemma-3-270m-q4_k_m.gguf", precision="", rank=8)
    model = LocalModel("m", "お試し用 270M", asked.base, 1, "gemma3", "Q4_K_M", 512, 1.0)
    course = SimpleNamespace(requested=asked)
    assert run_texts.base_name(course, [model]) == join_facts("お試し用 270M", "r8")  # type: ignore[arg-type]
    assert run_texts.base_name(course, []) == join_facts("gemma-3-270m-q4_k_m", "r8")  # type: ignore[arg-type]
