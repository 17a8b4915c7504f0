"""確認 as a user meets it, over a trainer that says what it was told to say as a real child process."""

import ast
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from PySide6.QtCore import Qt, QTimer
from pytestqt.qtbot import QtBot

import trainer
from app.base.errors import AppError
from app.base.paths import Paths
from app.base.services import background
from app.base.wording import phrase
from app.inference import child_commands
from app.inference.services.engine import EngineClient
from app.training.drafts import DraftProblem
from app.training.runs import run_folders
from app.training.ui import training_texts
from app.training.ui.check_step import CheckStep
from app.training.ui.job_dialogs import ExportJobDialog
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from tests import scripted_trainer
from tests.training.ui.driver import CHECK, START, Planned, offered
from trainer import sleep_inhibitor
from trainer.events import (
    Event,
    Failed,
    Phase,
    PreflightFinding,
    PreflightFindings,
    Preview,
    PreviewToken,
    ResolvedRecipe,
    RunForecast,
)

GB = 1_000_000_000
EFFECTIVE = scripted_trainer.effective()
COMPUTED = RunForecast(3 * GB, 60 * GB, 1.0, 90.0, GB, is_measured=False)
MEASURED = dataclasses.replace(COMPUTED, peak_bytes=2 * GB, total_s=2460.0, is_measured=True)


def token(text: str, kind: str = "", *, is_trained: bool = False) -> PreviewToken:
    return PreviewToken(1, text, is_trained, kind)


PREVIEWS = [
    Preview(1, (token("<s>", "bos"), token("鍵は"), token("？\n"), token("<0xE5><0xAE>", is_trained=True),
                token("<0x88>です。", is_trained=True), token("</s>", "end", is_trained=True))),
    Preview(2, (token("何時？"), token("五時です。", is_trained=True))),
]  # fmt: skip
FOUND = PreflightFindings(
    (
        PreflightFinding("few_rows", "warn", {"rows": 48, "wanted": 50}),
        PreflightFinding("pad_is_end", "note", {"text": "</s>"}),
    )
)
PLAN: list[Event | str] = [EFFECTIVE, FOUND, *PREVIEWS, COMPUTED]


class CheckDriver(Planned):
    def __init__(self, where: Paths, folder: Path, qtbot: QtBot, theme: Theme) -> None:
        self._made = (where, folder, qtbot, theme)
        self.engine = EngineClient(child_commands.engine(), folder / "engine.log")
        self.led_to: list[str] = []  # steps

    def open(self, plan: list[Event | str] | None, *probe: Event | str, width: int = 1000) -> CheckStep:
        """`plan`: what the trainer says when it is asked for one; None: there is no trainer."""
        folder = self._made[1] / "学習環境"
        trainer = scripted_trainer.made(folder, plan, list(probe)) if plan is not None else None
        super().__init__(*self._made, trainer, self.engine)
        step = CheckStep(self.theme, self.work, self.led_to.append, self.pause_study)
        self.show(step, width)
        return step

    def pause_study(self) -> None:
        """As an evaluation does, a moment later."""
        QTimer.singleShot(50, self.theme, lambda: setattr(self.engine, "refusal", None))

    def checked(self, plan: list[Event | str] | None, *probe: Event | str, width: int = 1000) -> CheckStep:
        step = self.open(plan, *probe, width=width)
        self.do(CHECK)
        return step

    def do(self, name: str) -> None:
        self.act(name)
        self.wait()

    def lines(self) -> list[tuple[str, str]]:
        return [(row.line.level, row.line.topic) for row in self.step.findings.rows]


@pytest.fixture
def driver(
    where: Paths, tmp_path: Path, qtbot: QtBot, theme: Theme, monkeypatch: pytest.MonkeyPatch
) -> Iterator[CheckDriver]:
    monkeypatch.setattr(sleep_inhibitor, "can_keep_awake", lambda: True)  # whatever machine this is
    made = CheckDriver(where, tmp_path, qtbot, theme)
    yield made
    background.shut_down()
    made.engine.shut_down()
    made.engine.deleteLater()


def test_what_was_not_checked_is_checked_first_and_then_begun_and_after_a_change_checked_anew(
    driver: CheckDriver,
) -> None:
    step = driver.open(PLAN)
    assert step.verdict.text() == phrase("training.draft_problem.not_checked")
    assert not step.findings.isVisible()
    driver.do(CHECK)
    assert step.verdict.text() == phrase("training.ready_to_start_with_n", n=1)
    driver.work.choose(rank=4)
    assert (offered(step), step.tokens.isVisible()) == (CHECK, False)
    driver.do(CHECK)
    folders: list[Path] = []
    driver.work.begun.connect(folders.append)
    driver.do(START)
    (folder,) = folders
    assert run_folders.read(folder).spec is not None


def test_a_start_that_an_evaluation_forbids_is_not_enabled_and_offers_to_pause_it(driver: CheckDriver) -> None:
    step = driver.checked(PLAN)
    driver.engine.refusal = AppError("study_has_memory")
    action = step.primary_action()
    assert action is not None
    assert (action.name, action.can_act) == (START, False)
    assert "評価中は" in step.obstacle.accessibleName()
    (pause,) = [one for one in step.obstacle.findChildren(Button) if one.isVisible()]
    assert pause.text() == phrase("training.pause_the_evaluation_and_start")
    folders: list[Path] = []
    driver.work.begun.connect(folders.append)
    driver.click(pause)
    assert "一時停止しています" in step.obstacle.accessibleName()
    driver.until(lambda: folders)
    assert not step.obstacle.isVisible()


def test_a_start_beside_another_training_says_why_it_waits(driver: CheckDriver) -> None:
    step = driver.checked(PLAN)
    driver.engine.refusal = AppError("training_has_memory")
    assert step.obstacle.isVisible()
    assert [one for one in step.obstacle.findChildren(Button) if one.isVisible()] == []
    driver.engine.refusal = None
    action = step.primary_action()
    assert action is not None
    assert action.can_act
    assert not step.obstacle.isVisible()


def test_findings_stand_by_their_gravity_each_with_the_way_to_mend_it(driver: CheckDriver) -> None:
    step = driver.checked(PLAN)
    assert driver.lines() == [
        ("warn", "データの量"), ("ok", "データの分割"), ("ok", "会話書式"), ("ok", "スリープ"), ("note", "会話書式"),
    ]  # fmt: skip
    warning, counts, *_ = step.findings.rows
    assert "48 行しかなく" in warning.text.text()
    assert counts.text.text() == "学習 30 件　検証 15 件　試験 15 件（学習に使いません）"
    driver.click(warning.button)
    assert driver.led_to == ["data"]
    assert not counts.button.isVisible()


def test_lines_about_data_have_names_of_their_own() -> None:
    topics = {*training_texts._DATA.values(), "split"}
    assert len({phrase(f"training.data_topic.{topic}") for topic in topics} - {phrase("common.data")}) == len(topics)


def test_what_forbids_to_begin_leaves_nothing_to_do_but_to_mend_it(driver: CheckDriver) -> None:
    too_long = {"file": "train.jsonl", "lines": [3], "count": 2, "context_tokens": 512, "longest": 1180}
    found = PreflightFindings((PreflightFinding("too_long", "block", too_long),))
    step = driver.checked([EFFECTIVE, found, Failed("preflight_blocked", {"codes": ["too_long"]})])
    assert (offered(step), step.verdict.text()) == ("", phrase("training.cannot_start_like_this_n", n=1))
    row = step.findings.rows[0]
    assert row.text.text().startswith("学習用データの 2 行が 512 トークンを超えています（最長 1,180）。")
    assert f"「{training_texts.setting_label('over_length')}」" in row.text.text()  # as the page before calls it
    assert not step.forecast.trial_button.isVisible()
    driver.click(row.button)
    assert driver.led_to == ["model"]


@pytest.mark.parametrize(
    ("code", "facts"),
    [
        ("validation_shared", {"file": "validation.jsonl", "lines": [3, 8], "count": 2}),
        ("holdout_shared", {"file": "holdout.jsonl", "lines": [3], "count": 1}),
        ("holdout_known", {"file": "holdout.jsonl", "lines": [3], "count": 1}),
        ("data_unfrozen", {"files": ["train.jsonl", "validation.jsonl"]}),
        ("rows_dropped", {"file": "train.jsonl", "lines": [1], "count": 1, "context_tokens": 512}),
        ("no_rows", {"file": "train.jsonl"}),
    ],
)
def test_no_file_field_or_option_is_named_in_what_was_found(code: str, facts: dict[str, Any]) -> None:
    for told in (
        training_texts.finding_text(PreflightFinding(code, "block", facts)),
        training_texts.problem_text(DraftProblem("finding", {"code": code, "facts": facts})),
    ):
        assert not any(word in told for word in (".jsonl", "hashes", "--", "_", "[", "{"))


def test_three_steps_are_tried_where_they_are_wanted(driver: CheckDriver) -> None:
    step = driver.checked(PLAN, EFFECTIVE, FOUND, *PREVIEWS, COMPUTED, Phase("probing"), MEASURED)
    assert step.forecast.headline.text().startswith("見積もり：判定まで約 ")
    driver.click(step.forecast.trial_button)
    assert (step.progress.isVisible(), step.again_button.isEnabled()) == (True, False)
    driver.wait()
    found = "3 ステップ試した結果：判定まで約 42 分（学習は約 41 分）、メモリ 2.0\u00a0GB"
    assert step.forecast.headline.text() == found
    assert step.forecast.memory.words.text().startswith("必要 2.0\u00a0GB／使える ")
    assert not step.forecast.trial_button.isVisible()
    assert not step.progress.isVisible()


@pytest.mark.parametrize(("phase", "has_bar"), [("converting_base", True), ("reading", False)])
def test_a_trial_says_what_it_does_with_the_bar_of_its_phase_and_can_be_cancelled(
    driver: CheckDriver, phase: str, has_bar: bool
) -> None:
    half = Phase("converting_base", 600_000_000, 1_200_000_000)
    step = driver.checked(PLAN, half, *([] if has_bar else [Phase(phase)]), scripted_trainer.WAIT)
    driver.click(step.forecast.trial_button)
    driver.until(lambda: step.progress._label.text() == phrase(f"training.run_phase.{phase}"))
    assert step.progress._bar.isVisible() is has_bar
    driver.click(step.progress.cancel_button)
    driver.wait()
    assert (offered(step), step.banner.isVisible()) == (START, False)


def test_while_the_draft_does_something_else_nothing_can_be_asked_and_its_failure_is_not_ours(
    driver: CheckDriver,
) -> None:
    step = driver.checked(PLAN)
    driver.work.import_file(driver.folder / "無い.csv")
    assert (step.forecast.trial_button.isEnabled(), step.progress.isVisible()) == (False, False)
    driver.wait()
    assert (step.forecast.trial_button.isEnabled(), step.banner.isVisible()) == (True, False)


def test_a_check_that_fails_says_why_and_can_be_repeated(driver: CheckDriver) -> None:
    step = driver.checked([Failed("data_changed", {"path": "train.jsonl"})])
    assert step.banner.isVisible()
    assert phrase("training.look_over_the_data_and") in step.banner.accessibleName()
    assert "kotae" not in step.banner.accessibleName()  # there is no run that the command line could go on with
    driver.do(CHECK)


def test_where_memory_is_short_the_settings_that_suffice_are_one_click(driver: CheckDriver) -> None:
    large = {"micro_batch": 64, "context_tokens": 4096, "gradient_checkpointing": False}
    wasteful = ResolvedRecipe(EFFECTIVE.spec | large, EFFECTIVE.facts | {"longest": 2000})
    little = dataclasses.replace(COMPUTED, available_bytes=GB)
    short = Failed("memory_short", {"needed_bytes": 3 * GB, "available_bytes": GB, "device": "cpu"})
    step = driver.checked([wasteful, FOUND, *PREVIEWS, little, short])
    assert (offered(step), step.forecast.memory.fits) == ("", False)
    assert "途中の値の再計算：する" in step.forecast.advice.text()
    changes = driver.work.draft.forecast.changes  # type: ignore[union-attr]
    driver.click(step.forecast.changes_button)
    assert driver.work.is_busy  # it is seen at once whether they suffice
    driver.wait()
    assert driver.work.draft.settings == dict(changes)


def test_without_an_environment_what_can_be_said_is_said(driver: CheckDriver) -> None:
    step = driver.checked(None)
    assert driver.lines() == [("block", "学習環境"), ("ok", "データの分割"), ("ok", "スリープ")]
    assert offered(step) == ""
    assert step.forecast.source.text().startswith(phrase("training.rough_the_number_of_tokens"))
    assert not step.forecast.trial_button.isVisible()
    assert not step.tokens.isVisible()
    driver.click(step.findings.rows[0].button)
    assert driver.led_to == ["goal"]
    driver.click(step.job_button)
    driver.dialog(ExportJobDialog).reject()


@pytest.mark.parametrize("load", [0.0, 99.0])
def test_an_estimate_beside_busy_programs_says_that_it_may_be_too_low(
    driver: CheckDriver, monkeypatch: pytest.MonkeyPatch, load: float
) -> None:
    monkeypatch.setattr(psutil, "getloadavg", lambda: (load, load, load))
    shown = driver.checked(None).forecast.source.text()
    assert (phrase("training.other_programs_are_busy") in shown) == (load > 0)


def test_a_machine_that_cannot_be_kept_awake_is_told_of(driver: CheckDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sleep_inhibitor, "can_keep_awake", lambda: False)
    step = driver.checked([EFFECTIVE, *PREVIEWS, COMPUTED])
    assert driver.lines()[0] == ("warn", "スリープ")
    assert step.verdict.text() == phrase("training.ready_to_start_with_n", n=1)


def test_what_is_learned_differs_from_what_is_only_read_by_more_than_colour(driver: CheckDriver) -> None:
    tokens = driver.checked(PLAN).tokens
    assert tokens.text.toPlainText() == "[<s>]鍵は？⏎\n守です。[</s>]"
    found = {}
    for piece in ("守です。", "鍵は？", "[</s>]"):
        found[piece] = tokens.text.document().find(piece).charFormat()
    learned, read, mark = found.values()
    assert (learned.fontUnderline(), read.fontUnderline(), mark.fontUnderline()) == (True, False, True)
    assert learned.fontWeight() > read.fontWeight()
    assert tokens.facts.text() == "全 6 トークン　学習する語 3 トークン"
    assert tokens.text.accessibleDescription() == phrase("training.trained_text", text="守です。")


def test_an_unchecked_draft_gives_the_keyboard_to_its_first_button(driver: CheckDriver) -> None:
    step = driver.open(PLAN)
    driver.until(step.job_button.hasFocus)
    step.job_button.clearFocus()
    step.focus_first()
    driver.until(step.job_button.hasFocus)


def test_examples_are_turned_by_buttons_and_by_arrow_keys_and_come_back_with_another_check(
    driver: CheckDriver,
) -> None:
    step = driver.checked(PLAN)
    tokens = step.tokens
    step.focus_first()
    assert (tokens.title.text(), tokens.previous_button.isEnabled()) == ("例 1／2", False)
    driver.press(tokens.text, Qt.Key.Key_Right)
    assert (tokens.title.text(), tokens.text.toPlainText()) == ("例 2／2", "何時？五時です。")
    assert not tokens.next_button.isEnabled()
    driver.press(tokens.text, Qt.Key.Key_Right)
    assert tokens.title.text() == "例 2／2"
    driver.click(tokens.previous_button)
    assert tokens.title.text() == "例 1／2"
    driver.work.plan = None  # as in a draft that is opened again
    step.show_draft()
    assert step.no_tokens.text() == phrase("training.check_again_to_see_examples")
    driver.click(step.again_button)
    driver.wait()
    assert tokens.isVisible()


@pytest.mark.parametrize(("width", "percent"), [(560, 100), (760, 200)])
def test_the_check_is_not_clipped_where_there_is_little_room(driver: CheckDriver, width: int, percent: int) -> None:
    driver.checked(PLAN)
    driver.enlarge(percent)
    driver.area.resize(width, 600)
    driver.assert_whole()


def test_every_finding_of_the_trainer_is_of_something_that_the_page_names() -> None:
    """The trainer's module needs torch, so its table is read as text. A code in no list would be taken for the base."""
    tree = ast.parse((Path(trainer.__file__).parent / "preflight.py").read_text("utf-8"))
    assigned = {ast.unparse(node.target): node.value for node in tree.body if isinstance(node, ast.AnnAssign)}
    listed = [*training_texts._DATA, *training_texts._FORM, *training_texts._BASE, *training_texts._MACHINE]
    assert sorted(listed) == sorted(ast.literal_eval(assigned["CODES"]))
