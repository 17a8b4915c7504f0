"""The step 結果 as a person meets it: a run's folder, real widgets, the fake engine as a real child."""

import dataclasses
import functools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QScrollArea, QWidget
from pytestqt.qtbot import QtBot

from app.base.errors import AppError
from app.base.files import input_file
from app.base.services import background
from app.inference import child_commands, scoring_files
from app.models.artifact_steps import StepProgress
from app.training import quality_gate
from app.training.quality_gate import BASE, BASE_ADAPTER, GateResult
from app.training.runs import run_folders
from app.training.services import training_run
from app.training.services.adapter_trial import AdapterTrial
from app.training.services.training_runner import TrainingRunner
from app.training.ui.result.result_step import ResultStep
from app.uikit.page import Navigation
from app.uikit.theme import Theme
from app.uikit.widgets.containers import make_scrollable
from app.uikit.widgets.labels import Label
from tests import model_files as models
from tests.scene import Scene
from tests.training import report_folder, test_gate
from tests.uikit.ui.clipping import clipped
from trainer import spec

GROUPS = ["設計編"] * 6 + ["維持管理編（河川）"] * 5


@dataclass
class Desk:
    folder: Path
    step: ResultStep
    area: QScrollArea
    trainings: TrainingRunner
    qtbot: QtBot
    used: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)  # buttons and pages

    def read(self) -> None:
        """Anew, as when the step is shown."""
        self.step.view = None
        self.step.show_draft()
        self.step.focus_first()
        self.until(lambda: self.step.view is not None)

    def until(self, condition: Callable[[], bool]) -> None:
        self.qtbot.waitUntil(condition)

    def texts(self, part: QWidget) -> list[str]:
        return [label.text() for label in part.findChildren(Label) if label.isVisibleTo(part) and label.text()]

    def click(self, button: QWidget) -> None:
        assert button.isVisibleTo(self.step)
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)


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
def open_step(
    scene: Scene, theme: Theme, long_model: Path, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Desk]]:
    monkeypatch.setenv(training_run.VARIABLE, "fake:good")
    opened: list[Desk] = []
    navigation = Navigation()

    def open_(gate: GateResult | None, *, width: int = 1168, in_use: str = "") -> Desk:
        folder = write_run(tmp_path / "実行", long_model, gate)
        trainings = TrainingRunner(scene.engine, lambda: training_run.locate_trainer(tmp_path), tmp_path / "bases")
        models_of, settings_of = scene.store.local_models, lambda: scene.preferences.value
        trial = AdapterTrial(folder, scene.engine, child_commands.template(), models_of, settings_of)
        step = ResultStep(theme, navigation, folder, trainings, trial, lambda: in_use)
        area = make_scrollable(step)
        area.resize(width, 900)
        area.show()
        desk = Desk(folder, step, area, trainings, qtbot)
        opened.append(desk)
        step.use_requested.connect(desk.used.append)
        for name, button in (
            ("rollback", step.rollback_button),
            ("report", step.verdict.report_button),
            ("judge", step.verdict.judge_button),
            ("measure", step.forms.measure_button),
        ):
            button.clicked.connect(lambda _=False, name=name: desk.asked.append(name))
        navigation.page_requested.connect(desk.asked.append)
        desk.read()
        return desk

    yield open_
    background.shut_down()
    for desk in opened:
        desk.step.trial.stop()
        desk.area.deleteLater()
        desk.trainings.deleteLater()


def test_an_adopted_run_is_told_in_a_sentence_with_its_interval_and_used_with_one_click(
    open_step: Callable[..., Desk],
) -> None:
    desk = open_step(adopted())
    verdict = desk.step.verdict
    assert verdict.word.text() == "採用"
    assert "元のモデルより良くなりました" in verdict.sentence.text()
    assert "95\u00a0% 区間" in verdict.detail.text()
    assert verdict.use_button.property("kind") == "primary"
    assert desk.step.focusWidget() is verdict.use_button
    QTest.keyClick(verdict.use_button, Qt.Key.Key_Return)
    assert desk.used == [BASE_ADAPTER]
    desk.click(verdict.report_button)
    assert desk.asked == ["report"]
    assert desk.step.header_actions == ()  # it is not in use


def test_what_a_run_that_goes_on_from_an_adapter_is_held_against_is_said(open_step: Callable[..., Desk]) -> None:
    desk = open_step(adopted())
    assert not desk.step.before.isVisible()
    asked = run_folders.read(desk.folder).spec
    assert asked is not None
    run_folders.write_spec(desk.folder, dataclasses.replace(asked, adapter="start"))
    desk.read()
    assert desk.step.before.isVisible()
    assert "「学習前」は、アダプターを付けない元のモデルです" in desk.step.before.text()


def test_it_leads_to_the_page_where_more_can_be_compared(open_step: Callable[..., Desk]) -> None:
    desk = open_step(adopted())
    desk.click(desk.step.compare_button)
    assert desk.asked == ["evaluation"]


def test_a_run_in_use_can_be_rolled_back(open_step: Callable[..., Desk], qtbot: QtBot) -> None:
    desk = open_step(adopted(), in_use=BASE_ADAPTER)
    (button,) = desk.step.header_actions
    qtbot.addWidget(button)
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    assert desk.asked == ["rollback"]
    assert desk.step.in_use.isVisibleTo(desk.step)


def test_what_somebody_should_look_at_is_the_sentence_itself(open_step: Callable[..., Desk]) -> None:
    gate = test_gate.judged(test_gate.measured(ended=18) | {BASE: test_gate.scored(2.0)})
    desk = open_step(gate)
    verdict = desk.step.verdict
    assert verdict.word.text() == "要確認"
    assert "自分で書き終えた回答は 90%" in verdict.sentence.text()
    assert verdict.use_button.property("kind") == ""
    words = desk.texts(desk.step.gate_table)
    assert (words.count("要確認"), "不合格" in words) == (1, False)


def test_a_rejected_run_is_used_only_against_a_warning(open_step: Callable[..., Desk]) -> None:
    desk = open_step(test_gate.judged(test_gate.CASES["looping"][1]))
    verdict = desk.step.verdict
    assert verdict.word.text() == "不採用"
    assert verdict.sentence.text() == "元のモデルのまま使うことを勧めます。"
    assert "繰り返す回答が 100%" in verdict.reasons.text()
    assert (verdict.use_button.property("kind"), verdict.warning.isVisibleTo(desk.step)) == ("quiet", True)
    assert "不合格" in desk.texts(desk.step.gate_table)
    assert "おすすめ" not in desk.texts(desk.step.forms)


def test_a_run_that_is_not_judged_can_be(open_step: Callable[..., Desk]) -> None:
    desk = open_step(None)
    verdict = desk.step.verdict
    assert verdict.word.text() == "未評価"
    for part in (desk.step.gate_table, desk.step.forms, desk.step.pairs, desk.step.categories):
        assert not part.isVisibleTo(desk.step)
    desk.trainings.folder = desk.folder.parent / "ほかの学習"
    desk.trainings.started.emit(desk.trainings.folder)
    assert not verdict.judge_button.isEnabled()
    assert "終わるまで" in verdict.why_not.text()
    desk.trainings.folder = None
    desk.trainings.ended.emit(desk.folder, None)
    desk.click(verdict.judge_button)
    desk.click(verdict.use_button)
    assert (desk.asked, desk.used) == (["judge"], [BASE_ADAPTER])
    (desk.folder / run_folders.GATE).write_text("{", encoding="utf-8")
    desk.read()
    assert "読め" in verdict.sentence.text()
    (desk.folder / run_folders.GATE).unlink()
    (desk.folder / run_folders.HOLDOUT).unlink()
    desk.read()
    assert not verdict.judge_button.isVisibleTo(desk.step)
    assert "判定用のデータがない" in verdict.sentence.text()


def test_a_worsened_answer_is_in_sight_and_one_may_turn_through_all(open_step: Callable[..., Desk]) -> None:
    desk = open_step(adopted())
    pairs = desk.step.pairs
    assert pairs.counts.text() == "良くなった 19　変わらない 0　悪くなった 1"
    assert [pair.kind for pair in pairs.shown] == ["worse", "better"]
    assert "百ミリだと思います。" in desk.texts(pairs)
    assert not pairs.back_button.isEnabled()
    desk.click(pairs.next_button)
    assert pairs.place.text() == "3–4／20"
    desk.click(pairs.back_button)
    desk.click(pairs.buttons["base"])
    assert "百ミリだと思います。" not in desk.texts(pairs)
    assert any(text.startswith("橋脚のかぶりは、橋脚の") for text in desk.texts(pairs))
    desk.click(pairs.buttons["tuned"])
    assert "百ミリだと思います。" in desk.texts(pairs)


def test_long_answers_are_shown_whole_when_that_is_wished_for(open_step: Callable[..., Desk]) -> None:
    long = "点検の記録を残します。" + "あ" * 200 + "終わり。"
    gate = adopted()
    desk = open_step(dataclasses.replace(gate, answers=(dataclasses.replace(gate.answers[0], tuned=long),)))
    pairs = desk.step.pairs
    assert not any("終わり。" in text for text in desk.texts(pairs))
    desk.click(pairs.whole_button)
    assert long in desk.texts(pairs)


def test_loss_by_group_is_a_plot_and_a_table(open_step: Callable[..., Desk]) -> None:
    desk = open_step(adopted())
    card = desk.step.categories
    assert card.title.text().startswith("グループ別")
    assert "維持管理編（河川）" in card.plot.accessibleName()
    drawn = card.plot.grab().toImage().convertToFormat(QImage.Format.Format_RGB32)
    colors = {drawn.pixel(x, y) & 0xFFFFFF for x in range(drawn.width()) for y in range(0, drawn.height(), 2)}
    for token in ("chart1", "chart2"):
        assert desk.step._theme.color(token).rgb() & 0xFFFFFF in colors
    desk.click(card.table_button)
    assert not card.plot.isVisibleTo(desk.step)
    assert {"設計編", "維持管理編（河川）", "6", "5"} <= set(desk.texts(card.table))


def test_a_form_that_is_not_there_is_made_before_it_is_used(
    open_step: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = open_step(adopted())
    forms, verdict = desk.step.forms, desk.step.verdict
    assert "損失大" in desk.texts(forms)
    QTest.keyClick(forms.buttons["Q8_0"], Qt.Key.Key_Space)
    assert not verdict.use_button.isEnabled()
    assert "先に作って" in verdict.why_not.text()

    def make(folder: Path, form: str) -> None:
        """In place of minutes of work: what it says of itself."""
        desk.trainings.folder, desk.trainings.form = folder, form
        desk.trainings.making.emit(StepProgress("quantize", form, 1, 2, 2, 2))

    monkeypatch.setattr(desk.trainings, "make", make)
    monkeypatch.setattr(desk.trainings, "pause", lambda: desk.asked.append("pause"))
    desk.click(forms.make_button)
    assert forms.progress.isVisibleTo(desk.step)
    assert not forms.buttons["Q6_K"].isEnabled()
    assert not desk.step.trying.compare_button.isEnabled()
    desk.click(forms.progress.cancel_button)
    assert desk.asked == ["pause"]
    desk.trainings.folder, desk.trainings.form = None, ""
    (desk.folder / "助手-Q8_0.gguf").write_bytes(b"")
    desk.trainings.made.emit(desk.folder, None)
    desk.until(verdict.use_button.isEnabled)
    assert forms.form == "Q8_0"  # still
    desk.click(verdict.use_button)
    assert desk.used == ["Q8_0"]


def test_why_a_form_could_not_be_made_is_said_where_it_was_asked_for(open_step: Callable[..., Desk]) -> None:
    desk = open_step(adopted())
    forms = desk.step.forms
    QTest.keyClick(forms.buttons["Q6_K"], Qt.Key.Key_Space)
    desk.click(forms.make_button)  # the fake trainer cannot convert
    desk.until(lambda: desk.trainings.folder is None and forms.banner.isVisibleTo(desk.step))
    assert not forms.progress.isVisibleTo(desk.step)
    assert forms.make_button.isVisibleTo(desk.step)
    assert forms.make_button.isEnabled()


def test_a_form_that_was_not_measured_says_so_and_can_be(open_step: Callable[..., Desk]) -> None:
    gate = adopted()
    fewer = dataclasses.replace(gate, forms=tuple(row for row in gate.forms if row.form != "Q6_K"))
    desk = open_step(fewer)
    assert "未測定" in desk.texts(desk.step.forms)
    desk.click(desk.step.forms.measure_button)
    assert desk.asked == ["measure"]


def test_while_something_is_trained_it_is_said_why_nothing_can_be_tried(open_step: Callable[..., Desk]) -> None:
    desk = open_step(adopted())
    trying = desk.step.trying
    assert not trying.reason.isVisibleTo(desk.step)
    desk.trainings.folder = desk.folder.parent / "ほかの学習"
    desk.trainings.started.emit(desk.trainings.folder)
    assert not trying.compare_button.isEnabled()
    assert "終わるまで" in trying.reason.text()
    desk.trainings.folder = None
    desk.trainings.ended.emit(desk.folder.parent, None)
    assert trying.compare_button.isEnabled()


def test_ones_own_question_is_answered_by_both_at_a_strength_chosen_by_keyboard(open_step: Callable[..., Desk]) -> None:
    desk = open_step(adopted())
    trying = desk.step.trying
    for _ in range(3):
        QTest.keyClick(trying.slider, Qt.Key.Key_Left)
    assert trying.value.text() == "0.7"
    QTest.keyClick(trying.slider, Qt.Key.Key_End)
    assert trying.value.text() == "1.5"
    desk.click(trying.compare_button)  # nothing is asked yet
    assert not trying.answers.isVisibleTo(desk.step)
    QTest.keyClicks(trying.question, "kagi?")
    QTest.keyClick(trying.question, Qt.Key.Key_Return)
    assert trying.stop_button.isVisibleTo(desk.step)
    desk.until(lambda: not desk.step.trial.is_running)
    answers = trying.answers
    assert (answers.base.text.text(), answers.tuned.text.text()) == ("kagi?", "kagi?")
    assert answers.tuned.head.text().startswith("学習後（強さ 1.5）")
    assert trying.compare_button.isVisibleTo(desk.step)


def test_escape_stops_what_is_being_answered_and_an_error_is_said_in_words(open_step: Callable[..., Desk]) -> None:
    desk = open_step(adopted())
    trying = desk.step.trying
    trying.question.setText("!slow kagi wa doko desu ka")
    desk.click(trying.compare_button)
    desk.until(lambda: bool(trying.answers.tuned.text.text()))
    QTest.keyClick(trying.question, Qt.Key.Key_Escape)
    assert not desk.step.trial.is_running
    assert "ここで停止しました" in trying.answers.tuned.head.text()
    assert trying.answers.tuned.text.text()  # what was written stays
    desk.until(lambda: desk.step.trial._engine.status.state == "ready")
    trying.question.setText("!memory")
    desk.click(trying.compare_button)
    desk.until(lambda: trying.banner.isVisibleTo(desk.step))
    assert not desk.step.trial.is_running


@pytest.mark.parametrize("width", [400, 560, 1168])
def test_nothing_is_cut_off(open_step: Callable[..., Desk], width: int) -> None:
    gate = test_gate.judged(test_gate.CASES["looping"][1])
    desk = open_step(gate, width=width)
    desk.step.categories.table_button.click()
    desk.until(lambda: desk.step.width() <= width)
    QTest.qWait(0)
    assert clipped(desk.area) == []
    assert desk.step.minimumSizeHint().width() <= width


def test_a_making_that_cannot_begin_is_said(open_step: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch) -> None:
    desk = open_step(adopted())

    def make(_folder: Path, _form: str) -> None:
        raise AppError("no_training_environment", path="")

    monkeypatch.setattr(desk.trainings, "make", make)
    QTest.keyClick(desk.step.forms.buttons["Q6_K"], Qt.Key.Key_Space)
    desk.click(desk.step.forms.make_button)
    assert desk.step.forms.banner.isVisibleTo(desk.step)
