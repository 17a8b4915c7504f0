"""The step 結果 as a person meets it: a run's folder, real widgets, the fake engine as a real child."""

import dataclasses
import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage

from app.base.files import input_file
from app.base.services import background
from app.base.wording import phrase
from app.inference import scoring_files
from app.models import training_environment
from app.models.artifact_steps import StepProgress
from app.training import quality_gate
from app.training.quality_gate import BASE, BASE_ADAPTER, GateResult
from app.training.runs import run_folders
from app.training.services import training_run
from app.training.services.adapter_trial import AdapterTrial
from app.training.services.training_runner import TrainingRunner
from app.training.ui.result_step import ResultStep
from app.uikit.page import NavigationSignals
from app.uikit.theme import Theme
from tests import fake_trainer
from tests import model_files as models
from tests.scene import Scene
from tests.training import report_folder, test_gate
from tests.training.ui.driver import Driver, words
from trainer import spec

GROUPS = ["設計編"] * 6 + ["維持管理編（河川）"] * 5


class ResultDriver(Driver):
    def __init__(self, scene: Scene, theme: Theme, base: Path, folder: Path) -> None:
        super().__init__(scene.qtbot, theme)
        self.scene, self.base, self.folder = scene, base, folder / "実行"
        self.trainings = TrainingRunner(scene.engine, lambda: training_run.locate_trainer(folder), folder / "bases")
        self.asked: list[str] = []  # forms, buttons and pages
        self.in_use = ""

    def open(self, gate: GateResult | None, width: int = 1168) -> Any:
        """The step of a run with this verdict, after it has been read."""
        write_run(self.folder, self.base, gate)
        scene, navigation = self.scene, NavigationSignals()
        trial = AdapterTrial(
            self.folder, scene.engine, scene.store.local_models,
            lambda: scene.preferences.value,
        )  # fmt: skip
        step = ResultStep(self.theme, navigation, self.folder, self.trainings, trial, lambda: self.in_use)
        for name, button in (
            ("rollback", step.rollback_button),
            ("report", step.verdict.report_button),
            ("judge", step.verdict.judge_button),
            ("measure", step.forms.measure_button),
        ):
            button.clicked.connect(lambda _=False, name=name: self.asked.append(name))
        step.use_requested.connect(self.asked.append)
        step.retrain_requested.connect(lambda preset: self.asked.append(f"retrain {preset}"))
        navigation.page_requested.connect(self.asked.append)
        self.show(step, width, 900)
        self.read()
        return step

    def read(self) -> None:
        """Anew, as when the step is shown."""
        self.step.view = None
        self.step.show_draft()
        self.step.focus_first()
        self.until(lambda: self.step.view is not None)

    def train_another(self, *, is_over: bool = False) -> None:
        self.trainings.folder = None if is_over else self.folder.parent / "ほかの学習"
        if is_over:
            self.trainings.ended.emit(self.folder.parent, None)
        else:
            self.trainings.started.emit(self.trainings.folder)


@functools.cache
def adopted() -> GateResult:
    """With one answer that got worse."""
    found = report_folder.judged()
    first = dataclasses.replace(found.answers[0], change_nats=0.4, tuned="百ミリだと思います。")
    rest = (
        dataclasses.replace(row, change_nats=-0.1 * at, base_ended_by="end", tuned_ended_by="end")
        for at, row in enumerate(found.answers[1:], start=1)
    )
    return dataclasses.replace(found, verdict="adopt", proposed=BASE_ADAPTER, reasons=(), answers=(*rest, first))


def write_run(folder: Path, base: Path, gate: GateResult | None) -> Path:
    report_folder.write(folder, steps=2, with_gate=False)
    models.tiny_adapter(folder / run_folders.ADAPTER)
    rows = "\n".join(json.dumps({"messages": [], "group": group}, ensure_ascii=False) for group in GROUPS)
    (folder / "holdout.jsonl").write_text(rows, encoding="utf-8")
    told = spec.to_json(spec.read(folder / run_folders.SPEC)) | {
        "base": str(base),
        "base_sha256": input_file.sha256_of(base),
        "holdout": str(folder / "holdout.jsonl"),
        "hashes": {"holdout": input_file.sha256_of(folder / "holdout.jsonl")},
    }
    run_folders.write_spec(folder, spec.from_json(told))
    examples = [
        {"line": at, "ids": [1, 2], "labels": [-100, 2], "base_nll": 3.0 + at / 9, "adapter_nll": 2.0 + at / 8}
        for at in range(1, len(GROUPS) + 1)
    ]
    body = {"version": scoring_files.HOLDOUT_VERSION, "examples": examples, "end_ids": [2]}
    (folder / run_folders.HOLDOUT).write_text(json.dumps(body), encoding="utf-8")
    (folder / run_folders.REPORT).write_text("報告", encoding="utf-8")
    if gate is not None:
        quality_gate.write_gate(gate, folder)
    return folder


@pytest.fixture
def driver(
    scene: Scene, theme: Theme, long_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ResultDriver]:
    fake_trainer.use(monkeypatch, "good")
    made = ResultDriver(scene, theme, long_model, tmp_path)
    yield made
    background.shut_down()
    made.step.trial.stop()
    made.trainings.deleteLater()


def test_an_adopted_run_is_told_in_a_sentence_with_its_interval_and_used_with_one_click(driver: ResultDriver) -> None:
    step = driver.open(adopted())
    verdict = step.verdict
    assert verdict.word.text() == phrase("training.gate.adopt")
    assert verdict.sentence.text() == phrase("training.the_tuned_model_is_better")
    assert "95\u00a0% 区間" in verdict.detail.text()
    assert verdict.use_button.property("kind") == "primary"
    assert step.focusWidget() is verdict.use_button
    driver.press(verdict.use_button, Qt.Key.Key_Return)
    driver.click(verdict.report_button)
    driver.click(step.compare_button)
    assert driver.asked == [BASE_ADAPTER, "report", "evaluation"]
    assert step.header_actions == ()  # it is not in use


def test_a_run_in_use_can_be_rolled_back(driver: ResultDriver) -> None:
    driver.in_use = BASE_ADAPTER
    step = driver.open(adopted())
    (button,) = step.header_actions
    driver.qtbot.addWidget(button)
    button.click()
    assert (driver.asked, step.in_use.isVisible()) == (["rollback"], True)


def test_what_a_run_that_goes_on_from_an_adapter_is_held_against_is_said(driver: ResultDriver) -> None:
    step = driver.open(adopted())
    assert not step.resumed_note.isVisible()
    asked = run_folders.read(driver.folder).spec
    assert asked is not None
    run_folders.write_spec(driver.folder, dataclasses.replace(asked, adapter="start"))
    driver.read()
    assert step.resumed_note.isVisible()


def test_what_somebody_should_look_at_is_the_sentence_itself(driver: ResultDriver) -> None:
    step = driver.open(test_gate.judged(test_gate.measured(ended=18) | {BASE: test_gate.scored(2.0)}))
    assert step.verdict.word.text() == phrase("training.gate.check")
    assert "自分で書き終えた回答は 90\u00a0%" in step.verdict.sentence.text()
    assert step.verdict.use_button.property("kind") == ""
    shown = words(step.gate_table).splitlines()
    assert (shown.count(phrase("training.gate.check")), phrase("training.failed") in shown) == (1, False)


def test_a_rejected_run_is_used_only_against_a_warning(driver: ResultDriver) -> None:
    step = driver.open(test_gate.judged(test_gate.CASES["looping"][1]), width=400)
    verdict = step.verdict
    assert verdict.word.text() == phrase("training.gate.reject")
    assert verdict.sentence.text() in (
        "同じ言葉を繰り返す回答が多くなりました。",
        "同じ言葉を繰り返す回答が、まだ多いままです。",
    )
    assert step.focusWidget() is verdict.advice_button
    folded = (
        verdict.reasons,
        verdict.use_button,
        verdict.warning,
        verdict.report_button,
        step.gate_table,
        step.pairs,
        step.trying,
    )
    assert not any(one.isVisible() for one in folded)
    driver.click(verdict.advice_button)
    assert driver.asked == [f"retrain {verdict.advised_preset}"]
    driver.click(verdict.fold_button)
    assert verdict.use_button.isVisible()
    assert step.gate_table.isVisible()
    assert step.focusWidget() is not verdict.use_button
    assert "繰り返す回答が 100\u00a0%" in verdict.reasons.text()
    assert (verdict.use_button.property("kind"), verdict.warning.isVisible()) == ("quiet", True)
    assert phrase("training.failed") in words(step.gate_table)
    assert phrase("training.recommended") not in words(step.forms)
    driver.press(step.forms.buttons["Q8_0"], Qt.Key.Key_Space)
    assert verdict.why_not.isVisible()
    driver.click(verdict.fold_button)
    assert not verdict.why_not.isVisible()  # of a button that is folded too
    driver.click(verdict.fold_button)
    step.categories.table_button.click()
    driver.until(lambda: step.width() <= 400)
    driver.assert_whole()


def test_a_run_that_is_not_judged_can_be(driver: ResultDriver) -> None:
    step = driver.open(None)
    verdict = step.verdict
    assert verdict.word.text() == phrase("training.not_judged")
    assert not any(part.isVisible() for part in (step.gate_table, step.forms, step.pairs, step.categories))
    driver.train_another()
    assert not verdict.judge_button.isEnabled()
    assert phrase("training.training_or_judging_is_under") in verdict.why_not.text()
    driver.train_another(is_over=True)
    driver.click(verdict.judge_button)
    driver.click(verdict.use_button)
    assert driver.asked == ["judge", BASE_ADAPTER]
    (driver.folder / run_folders.GATE).write_text("{", encoding="utf-8")
    driver.read()
    assert "読め" in verdict.sentence.text()
    (driver.folder / run_folders.GATE).unlink()
    (driver.folder / run_folders.HOLDOUT).unlink()
    driver.read()
    assert not verdict.judge_button.isVisible()
    assert verdict.sentence.text() == phrase("training.no_rows_were_kept_back")


def test_of_a_judged_run_without_a_form_or_a_report_the_comparison_has_the_keyboard(driver: ResultDriver) -> None:
    step = driver.open(dataclasses.replace(adopted(), proposed="Q8_0"))
    (driver.folder / run_folders.REPORT).unlink()
    driver.read()
    assert not step.verdict.use_button.isEnabled()
    assert step.focusWidget() is step.compare_button


def test_a_worsened_answer_is_in_sight_and_one_may_turn_through_all(driver: ResultDriver) -> None:
    pairs = driver.open(adopted()).pairs
    worse = "百ミリだと思います。"
    assert pairs.counts.text() == "良くなった 19　変わらない 0　悪くなった 1"
    assert [pair.kind for pair in pairs.shown_pairs] == ["worse", "better"]
    assert worse in words(pairs)
    assert not pairs.back_button.isEnabled()
    driver.click(pairs.next_button)
    assert pairs.position.text() == "3–4／20"
    driver.click(pairs.back_button)
    driver.click(pairs.buttons["base"])
    assert worse not in words(pairs)
    assert "橋脚のかぶりは、橋脚の" in words(pairs)
    driver.click(pairs.buttons["tuned"])
    assert worse in words(pairs)


def test_long_answers_are_shown_whole_when_that_is_wished_for(driver: ResultDriver) -> None:
    long = "点検の記録を残します。" + "あ" * 200 + "終わり。"
    gate = adopted()
    pairs = driver.open(dataclasses.replace(gate, answers=(dataclasses.replace(gate.answers[0], tuned=long),))).pairs
    assert "終わり。" not in words(pairs)
    driver.click(pairs.whole_button)
    assert long in words(pairs)


def test_loss_by_group_is_a_plot_and_a_table(driver: ResultDriver) -> None:
    card = driver.open(adopted()).categories
    assert card.title.text() == phrase("training.loss_by_group_smaller_is")
    assert "維持管理編（河川）" in card.plot.accessibleName()
    drawn = card.plot.grab().toImage().convertToFormat(QImage.Format.Format_RGB32)
    colors = {drawn.pixel(x, y) & 0xFFFFFF for x in range(drawn.width()) for y in range(0, drawn.height(), 2)}
    assert {driver.theme.color(token).rgb() & 0xFFFFFF for token in ("chart1", "chart2")} <= colors
    driver.click(card.table_button)
    assert not card.plot.isVisible()
    assert {"設計編", "維持管理編（河川）", "6", "5"} <= set(words(card.table).splitlines())


def test_a_form_that_is_not_there_is_made_before_it_is_used(
    driver: ResultDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    step, trainings = driver.open(adopted()), driver.trainings
    forms, verdict = step.forms, step.verdict
    assert phrase("training.large_loss") in words(forms)
    driver.press(forms.buttons["Q8_0"], Qt.Key.Key_Space)
    assert not verdict.use_button.isEnabled()
    assert phrase("training.make_the_form_that_is") in verdict.why_not.text()

    def make(folder: Path, form: str) -> None:
        """In place of minutes of work: what it says of itself."""
        trainings.folder, trainings.form = folder, form
        trainings.making.emit(StepProgress("quantize", form, 1, 2, 2, 2))

    monkeypatch.setattr(trainings, "make_model_file", make)
    monkeypatch.setattr(trainings, "pause", lambda: driver.asked.append("pause"))
    driver.click(forms.make_button)
    assert forms.progress.isVisible()
    assert not forms.buttons["Q6_K"].isEnabled()
    assert not step.trying.compare_button.isEnabled()
    driver.click(forms.progress.cancel_button)
    trainings.folder, trainings.form = None, ""
    (driver.folder / "助手-Q8_0.gguf").write_bytes(b"")
    trainings.made.emit(driver.folder, None)
    driver.until(verdict.use_button.isEnabled)
    assert forms.form == "Q8_0"  # still
    driver.click(verdict.use_button)
    assert driver.asked == ["pause", "Q8_0"]


@pytest.mark.parametrize("begins", [True, False])
def test_why_a_form_could_not_be_made_is_said_where_it_was_asked_for(
    driver: ResultDriver, begins: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it begins, the fake trainer cannot convert."""
    if not begins:
        monkeypatch.delenv(training_run.VARIABLE)
        monkeypatch.setattr(training_environment, "DEVELOPMENT_FOLDER", "none")
    forms = driver.open(adopted()).forms
    driver.press(forms.buttons["Q6_K"], Qt.Key.Key_Space)
    driver.click(forms.make_button)
    driver.until(lambda: driver.trainings.folder is None and forms.banner.isVisible())
    assert not forms.progress.isVisible()
    assert forms.make_button.isVisible()
    assert forms.make_button.isEnabled()


def test_a_form_that_was_not_measured_says_so_and_can_be(driver: ResultDriver) -> None:
    gate = adopted()
    forms = tuple(row for row in gate.forms if row.form != "Q6_K")
    card = driver.open(dataclasses.replace(gate, forms=forms)).forms
    assert phrase("training.not_measured") in words(card)
    driver.click(card.measure_button)
    assert driver.asked == ["measure"]


def test_ones_own_question_is_answered_by_both_at_a_strength_chosen_by_keyboard(driver: ResultDriver) -> None:
    step = driver.open(adopted())
    trying, answers = step.trying, step.trying.answers
    driver.train_another()
    assert not trying.compare_button.isEnabled()
    assert phrase("training.training_or_judging_is_under") in trying.reason.text()
    driver.train_another(is_over=True)
    for key, value in ((Qt.Key.Key_Left, "0.9"), (Qt.Key.Key_End, "1.5")):
        driver.press(trying.slider, key)
        assert trying.value.text() == value
    driver.click(trying.compare_button)  # nothing is asked yet
    assert (answers.isVisible(), trying.reason.isVisible()) == (False, False)
    driver.qtbot.keyClicks(trying.question, "kagi?")
    driver.press(trying.question, Qt.Key.Key_Return)
    assert trying.stop_button.isVisible()
    driver.until(lambda: not step.trial.is_running)
    assert (answers.base.text.text(), answers.tuned.text.text()) == ("kagi?", "kagi?")
    assert answers.tuned.head.text().startswith(phrase("training.tuned_strength_s", s="1.5"))
    assert trying.compare_button.isVisible()


def test_escape_stops_what_is_being_answered_and_an_error_is_said_in_words(driver: ResultDriver) -> None:
    step = driver.open(adopted())
    trying, tuned = step.trying, step.trying.answers.tuned
    trying.question.setText("!slow kagi wa doko desu ka")
    driver.click(trying.compare_button)
    driver.until(tuned.text.text)
    driver.press(trying.question, Qt.Key.Key_Escape)
    assert not step.trial.is_running
    assert phrase("common.stopped_here") in tuned.head.text()
    assert tuned.text.text()  # what was written stays
    driver.until(lambda: step.trial._engine.status.state == "ready")
    trying.question.setText("!memory")
    driver.click(trying.compare_button)
    driver.until(trying.banner.isVisible)
    assert not step.trial.is_running
