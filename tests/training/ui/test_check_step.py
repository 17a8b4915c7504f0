"""確認 as a user meets it, over a trainer that says what it was told to say as a real child process."""

import ast
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QTextCharFormat
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

import trainer
from app.base.paths import Paths
from app.base.services import background
from app.base.settings import Settings
from app.training.drafts import DraftProblem
from app.training.runs import run_folders
from app.training.ui import training_texts
from app.training.ui.check_step import CheckStep
from app.training.ui.job_dialogs import ExportJobDialog
from app.uikit.theme import Theme
from app.uikit.widgets.containers import make_scrollable
from tests import scripted_trainer
from tests.training.ui.planned import Planned
from tests.uikit.ui import accessible
from tests.uikit.ui.clipping import clipped
from tests.window_fixtures import delete_what_is_put_off
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


class Desk:
    def __init__(self, where: Paths, folder: Path, qtbot: QtBot, theme: Theme) -> None:
        self.where, self.folder, self.qtbot, self.theme = where, folder, qtbot, theme
        self.led_to: list[str] = []  # steps

    def open(self, plan: list[Event | str] | None, *probe: Event | str) -> CheckStep:
        """`plan`: what the trainer says when it is asked for one; None: there is no trainer."""
        trainer = scripted_trainer.made(self.folder / "学習環境", plan, list(probe)) if plan is not None else None
        self.planned = Planned(self.where, self.folder, self.qtbot, trainer)
        self.work = self.planned.work
        self.step = CheckStep(self.theme, self.work, self.led_to.append)
        return self.step

    def checked(self, plan: list[Event | str] | None, *probe: Event | str) -> CheckStep:
        step = self.open(plan, *probe)
        self.planned.show(step)
        self.do("check")
        return step

    def do(self, key: str) -> None:
        deed = self.step.primary_action()
        assert deed is not None
        assert deed.key == key
        self.step.do(key)
        self.planned.wait()

    def click(self, button: QWidget) -> None:
        assert button.isVisible()
        self.qtbot.mouseClick(button, Qt.MouseButton.LeftButton)

    def lines(self) -> list[tuple[str, str]]:
        return [(row.line.level, row.line.topic) for row in self.step.findings.rows]


@pytest.fixture
def desk(where: Paths, tmp_path: Path, qtbot: QtBot, theme: Theme, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setattr(sleep_inhibitor, "can_keep_awake", lambda: True)  # whatever machine this is
    yield Desk(where, tmp_path, qtbot, theme)
    background.shut_down()


def test_what_was_not_checked_is_checked_first_and_then_begun(desk: Desk) -> None:
    step = desk.open(PLAN)
    desk.planned.show(step)
    assert step.verdict.text() == "いまの設定では、まだ確認していません。"
    assert not step.findings.isVisible()
    desk.do("check")
    assert step.verdict.text() == "始められます。注意が 1 件あります。"
    folders: list[Path] = []
    desk.work.begun.connect(folders.append)
    desk.do("start")
    (folder,) = folders
    assert run_folders.read(folder).spec is not None


def test_a_changed_setting_is_to_be_checked_anew(desk: Desk) -> None:
    step = desk.checked(PLAN)
    desk.work.choose(rank=4)
    deed = step.primary_action()
    assert deed is not None
    assert deed.key == "check"
    assert not step.tokens.isVisible()


def test_findings_stand_by_their_gravity_each_with_the_way_to_mend_it(desk: Desk) -> None:
    step = desk.checked(PLAN)
    assert desk.lines() == [
        ("warn", "データ"), ("ok", "データ"), ("ok", "会話の形式"), ("ok", "スリープ"), ("note", "会話の形式"),
    ]  # fmt: skip
    warning, counts, *_ = step.findings.rows
    assert "48 行しかなく" in warning.text.text()
    assert counts.text.text() == "学習 30 件　検証 15 件　試験 15 件（学習に使いません）"
    desk.click(warning.button)
    assert desk.led_to == ["data"]
    assert not counts.button.isVisible()


def test_what_forbids_to_begin_leaves_nothing_to_do_but_to_mend_it(desk: Desk) -> None:
    too_long = {"file": "train.jsonl", "lines": [3], "count": 2, "context_tokens": 512, "longest": 1180}
    found = PreflightFindings((PreflightFinding("too_long", "block", too_long),))
    step = desk.checked([EFFECTIVE, found, Failed("preflight_blocked", {"codes": ["too_long"]})])
    assert step.primary_action() is None
    assert step.verdict.text() == "このままでは始められません（1 件）。"
    row = step.findings.rows[0]
    assert row.text.text().startswith("学習用データの 2 行が 512 トークンを超えています（最長 1,180）。")
    assert "「長すぎる例」" in row.text.text()  # as the page before calls it
    assert not step.forecast.trial_button.isVisible()
    desk.click(row.button)
    assert desk.led_to == ["model"]


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


def test_three_steps_are_tried_where_they_are_wanted(desk: Desk) -> None:
    step = desk.checked(PLAN, EFFECTIVE, FOUND, *PREVIEWS, COMPUTED, Phase("probing"), MEASURED)
    assert step.forecast.headline.text().startswith("見積もり：約 ")
    desk.click(step.forecast.trial_button)
    assert step.progress.isVisible()
    assert not step.again_button.isEnabled()
    desk.planned.wait()
    assert step.forecast.headline.text() == "3 ステップ試した結果：約 41 分、メモリ 2.0\u00a0GB"
    assert step.forecast.memory.words.text().startswith("必要 2.0\u00a0GB／使える ")
    assert not step.forecast.trial_button.isVisible()
    assert not step.progress.isVisible()


def test_a_trial_can_be_cancelled_while_it_says_what_it_does(desk: Desk) -> None:
    step = desk.checked(PLAN, EFFECTIVE, Phase("loading"), scripted_trainer.WAIT)
    desk.click(step.forecast.trial_button)
    desk.qtbot.waitUntil(lambda: step.progress._what.text() == "モデルを読み込んでいます")
    desk.click(step.progress.cancel_button)
    desk.planned.wait()
    deed = step.primary_action()
    assert deed is not None
    assert deed.key == "start"
    assert not step.banner.isVisible()


def test_the_bar_is_that_of_the_phase_which_goes_on(desk: Desk) -> None:
    half = [Phase("converting_base", 600_000_000, 1_200_000_000), scripted_trainer.WAIT]
    for said, is_shown in ((half, True), ([half[0], Phase("reading"), scripted_trainer.WAIT], False)):
        step = desk.checked(PLAN, *said)
        desk.click(step.forecast.trial_button)
        phase = "学習データを読んでいます" if not is_shown else "元のモデルを学習用に変換しています"
        desk.qtbot.waitUntil(lambda step=step, phase=phase: step.progress._what.text() == phase)
        assert step.progress._bar.isVisible() is is_shown
        desk.click(step.progress.cancel_button)
        desk.planned.wait()


def test_while_the_draft_does_something_else_nothing_can_be_asked_and_its_failure_is_not_ours(desk: Desk) -> None:
    step = desk.checked(PLAN)
    desk.work.import_file(desk.folder / "無い.csv")
    assert not step.forecast.trial_button.isEnabled()
    assert not step.progress.isVisible()
    desk.planned.wait()
    assert step.forecast.trial_button.isEnabled()
    assert not step.banner.isVisible()


def test_a_check_that_fails_says_why_and_can_be_repeated(desk: Desk) -> None:
    step = desk.checked([Failed("data_changed", {"path": "train.jsonl"})])
    assert step.banner.isVisible()
    assert "データと設定を見直して、もう一度調べてください。" in step.banner.accessibleName()
    assert "kotae" not in step.banner.accessibleName()  # there is no run that the command line could go on with
    desk.do("check")


def test_where_memory_is_short_the_settings_that_suffice_are_one_click(desk: Desk) -> None:
    large = {"micro_batch": 64, "context_tokens": 4096, "gradient_checkpointing": False}
    wasteful = ResolvedRecipe(EFFECTIVE.spec | large, EFFECTIVE.facts | {"longest": 2000})
    little = dataclasses.replace(COMPUTED, available_bytes=GB)
    short = Failed("memory_short", {"needed_bytes": 3 * GB, "available_bytes": GB, "device": "cpu"})
    step = desk.checked([wasteful, FOUND, *PREVIEWS, little, short])
    assert step.primary_action() is None
    assert not step.forecast.memory.fits
    assert "途中の値の再計算：する" in step.forecast.advice.text()
    forecast = desk.work.draft.forecast
    assert forecast is not None
    desk.click(step.forecast.changes_button)
    assert desk.work.is_busy  # it is seen at once whether they suffice
    desk.planned.wait()
    assert desk.work.draft.settings == dict(forecast.changes)


def test_without_an_environment_what_can_be_said_is_said(desk: Desk) -> None:
    step = desk.checked(None)
    assert desk.lines() == [("block", "学習環境"), ("ok", "データ"), ("ok", "スリープ")]
    assert step.primary_action() is None
    assert step.forecast.source.text() == "トークンの数を文字数から推し量った、おおよその値です。"
    assert not step.forecast.trial_button.isVisible()
    assert not step.tokens.isVisible()
    desk.click(step.findings.rows[0].button)
    assert desk.led_to == ["goal"]
    desk.click(step.job_button)
    (dialog,) = step.findChildren(ExportJobDialog)
    assert dialog.isVisible()
    dialog.reject()


def test_a_machine_that_cannot_be_kept_awake_is_told_of(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sleep_inhibitor, "can_keep_awake", lambda: False)
    step = desk.checked([EFFECTIVE, *PREVIEWS, COMPUTED])
    assert desk.lines()[0] == ("warn", "スリープ")
    assert step.verdict.text() == "始められます。注意が 1 件あります。"


def formats(step: CheckStep) -> dict[str, QTextCharFormat]:
    """Piece of text -> how it is drawn."""
    found: dict[str, QTextCharFormat] = {}
    block = step.tokens.text.document().begin()
    while block.isValid():
        for fragment in _fragments(block):
            found[fragment.text()] = fragment.charFormat()
        block = block.next()
    return found


def _fragments(block: Any) -> Iterator[Any]:
    place: Any = block.begin()
    while not place.atEnd():
        yield place.fragment()
        place += 1


def test_what_is_learned_differs_from_what_is_only_read_by_more_than_colour(desk: Desk) -> None:
    step = desk.checked(PLAN)
    assert step.tokens.title.text() == "例 1／2"
    assert step.tokens.text.toPlainText() == "[<s>]鍵は？⏎\n守です。[</s>]"
    found = formats(step)
    learned, read, mark = found["守です。"], found["鍵は？⏎"], found["[</s>]"]
    assert (learned.fontUnderline(), read.fontUnderline(), mark.fontUnderline()) == (True, False, True)
    assert learned.fontWeight() > read.fontWeight()
    assert step.tokens.facts.text() == "全部で 6 トークン　学習する語 3 トークン"
    assert step.tokens.text.accessibleDescription() == "学習する語：守です。"


def test_examples_are_turned_by_buttons_and_by_arrow_keys(desk: Desk) -> None:
    step = desk.checked(PLAN)
    step.focus_first()
    assert not step.tokens.before.isEnabled()
    desk.qtbot.keyClick(step.tokens.text, Qt.Key.Key_Right)
    assert (step.tokens.title.text(), step.tokens.text.toPlainText()) == ("例 2／2", "何時？五時です。")
    assert not step.tokens.after.isEnabled()
    desk.qtbot.keyClick(step.tokens.text, Qt.Key.Key_Right)
    assert step.tokens.title.text() == "例 2／2"
    desk.click(step.tokens.before)
    assert step.tokens.title.text() == "例 1／2"


def test_a_reopened_draft_keeps_its_forecast_and_says_how_examples_come_back(desk: Desk) -> None:
    step = desk.checked(PLAN)
    desk.work.plan = None
    step.show_draft()
    assert step.no_tokens.text() == "どの語を学習するかの例は、もう一度調べると表示します。"
    desk.click(step.again_button)
    desk.planned.wait()
    assert step.tokens.isVisible()
    nameless = [node for node in accessible.walk(step) if node.is_interactive and not node.name]
    assert nameless == []


@pytest.mark.parametrize(("width", "scale"), [(560, 100), (760, 200)])
def test_the_check_is_not_clipped_where_there_is_little_room(
    desk: Desk, qapp: QApplication, width: int, scale: int
) -> None:
    desk.theme.apply(qapp, Settings(theme="light", text_scale_percent=scale))
    step = desk.open(PLAN)
    area = make_scrollable(step)
    desk.planned.show(step, area, width, 600)
    desk.do("check")
    for _ in range(6):
        QApplication.sendPostedEvents()
        QApplication.processEvents()
    delete_what_is_put_off()
    assert clipped(area) == []
    assert step.width() <= width


def test_every_finding_of_the_trainer_is_of_something_that_the_page_names() -> None:
    """The trainer's module needs torch, so its table is read as text. A code in no list would be taken for the base."""
    tree = ast.parse((Path(trainer.__file__).parent / "preflight.py").read_text("utf-8"))
    assigned = {ast.unparse(node.target): node.value for node in tree.body if isinstance(node, ast.AnnAssign)}
    listed = [*training_texts._DATA, *training_texts._FORM, *training_texts._BASE, *training_texts._MACHINE]
    assert sorted(listed) == sorted(ast.literal_eval(assigned["CODES"]))
