"""The results of a study as a person meets them: real results, real widgets, nothing asked of a model."""

import dataclasses
import itertools
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from PySide6.QtCore import QCoreApplication, QObject, Qt, QUrl, Slot
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from app.base.plots import PlotEstimate, PlotScale
from app.base.services import background
from app.base.settings import Settings
from app.base.wording import LANGUAGES, use_language
from app.evaluation.records import RuleScores, System
from app.evaluation.report import result_view_model
from app.evaluation.report.result_view_data import ResultViewData, model_of_system, use_obstacle
from app.evaluation.study import studies
from app.evaluation.ui import comparison_cards, overview, result_texts
from app.evaluation.ui.blind_view import BlindView
from app.evaluation.ui.comparison_cards import VerdictBadge
from app.evaluation.ui.overview import TextTable
from app.evaluation.ui.questions_tab import AnswerCard
from app.evaluation.ui.result_view import EvaluationResultView
from app.inference.local_model import FileFingerprint, LocalModel
from app.models import catalogue, local_models
from app.uikit.confidentiality_guard import ConfidentialityGuard
from app.uikit.desktop import Pickers
from app.uikit.dialogs import Dialog
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.labels import Label
from tests.evaluation.made_evaluation import first_questions
from tests.evaluation.ui import result_studies
from tests.evaluation.ui.driver import Driver, stacked
from tests.evaluation.ui.result_studies import Result
from tests.model_files import tiny_llama
from tests.window_fixtures import settle


class Desk(Driver):
    """The view of a result, below the buttons that the page has in its header."""

    def __init__(self, theme: Theme, folder: Path, qtbot: QtBot) -> None:
        self.target = folder / "書き出し" / "結果.xlsx"
        self.target.parent.mkdir(exist_ok=True)
        self.models = result_studies.models()
        self.used: list[System] = []
        pickers = Pickers(save=lambda _parent, _title, _start, _kinds: str(self.target))
        guard = ConfidentialityGuard(theme, folder / "log")
        self.view = EvaluationResultView(theme, guard, folder / "documents.sqlite", lambda: self.models, pickers)
        super().__init__(stacked([*self.view.header_actions, self.view]), qtbot)
        self.overview, self.advice = self.view.overview, self.view.overview.advice
        for card in (self.advice, self.overview.comparison):
            card.use_requested.connect(self.used.append)
        self.view.failed.connect(self.errors.append)

    def show(self, result: Result) -> ResultViewData:
        """What is shown of it."""
        self.view.show_result(*result)
        self.until(lambda: self.view.view_data is not None and not self.overview.filling.isActive())
        settle()
        assert self.view.view_data is not None
        return self.view.view_data

    def show_tab(self, key: str) -> None:
        self.click(self.view.tabs.buttons[key])

    def is_shown(self, part: QWidget) -> bool:
        return part.isVisibleTo(self.view)

    def verdicts(self) -> list[str]:
        badges = self.overview.differences.findChildren(VerdictBadge)
        return [badge.words.text() for badge in badges if self.is_shown(badge)]


@pytest.fixture
def open_desk(theme: Theme, tmp_path: Path, qtbot: QtBot) -> Iterator[Callable[..., Desk]]:
    def open_(width: int = 1180, height: int = 860) -> Desk:
        desk = Desk(theme, tmp_path, qtbot)
        desk.open(width, height)
        return desk

    yield open_
    background.shut_down()
    QCoreApplication.processEvents()


@pytest.fixture
def desk(open_desk: Callable[..., Desk]) -> Desk:
    return open_desk()


@pytest.fixture
def documents(tmp_path: Path) -> Result:
    return result_studies.documents(tmp_path / "s")


# -------------------------------------------------------------------------- advice


def test_the_advice_stands_first_with_its_reasons_and_its_button_uses_what_is_advised(
    desk: Desk, documents: Result
) -> None:
    desk.show(documents)
    assert desk.advice.verdict.text().startswith("「元のモデル + 資料」を勧めます")
    assert len(desk.advice.reasons.text().splitlines()) == 3
    assert desk.view.tabs.buttons["overview"].text() == "資料と学習の比較"
    desk.click(desk.advice.use_button)
    assert [one.name for one in desk.used] == ["元のモデル + 資料"]


def test_a_model_that_has_left_the_list_cannot_be_used_and_the_reason_stands_beside(
    desk: Desk, documents: Result
) -> None:
    desk.models.clear()
    desk.show(documents)
    assert not desk.advice.use_button.isEnabled()
    assert "モデルの一覧にありません" in desk.advice.why_not.text()
    assert desk.is_shown(desk.advice.why_not)
    desk.models.extend(result_studies.models())
    desk.window.hide()
    desk.window.show()
    assert (desk.advice.use_button.isEnabled(), desk.is_shown(desk.advice.why_not)) == (True, False)


def test_a_model_is_known_again_by_its_file_and_its_adapter_at_its_strength() -> None:
    base, tuned = result_studies.models()
    assert base.tuned is None
    system = System("s1", "元のモデル", result_studies.FILE, "Swallow-8B")
    with_adapter = dataclasses.replace(
        system, adapter=result_studies.ADAPTER, adapter_sha256=result_studies.ADAPTER_SHA256
    )
    assert model_of_system(system, [tuned, base]) == base
    assert model_of_system(with_adapter, [base, tuned]) == tuned
    assert model_of_system(dataclasses.replace(with_adapter, strength=0.5), [base, tuned]) is None
    assert model_of_system(dataclasses.replace(with_adapter, adapter_sha256="other"), [base, tuned]) is None
    assert model_of_system(dataclasses.replace(system, model="/elsewhere.gguf"), [base, tuned]) is None


def trial_model() -> LocalModel:
    """In the list with its card, as it is added: it answers with the adapter of the card."""
    (card,) = [card for card in catalogue.load().cards if card.is_trial]
    marks = (FileFingerprint("base.gguf", 1, 0, card.files[0].sha256 or ""),)
    base, _ = result_studies.models()
    trial = dataclasses.replace(base, name="お試し用", card_id=card.id, form_id=card.form, files=marks)
    assert local_models.adapter_of(trial) is not None
    return trial


def code_of(system: System, models: list[LocalModel]) -> str:
    error = use_obstacle(system, models)
    return error.code if error else ""


def test_why_a_system_cannot_be_used_is_what_the_list_lacks() -> None:
    base, tuned = result_studies.models()
    trial = trial_model()
    system = System("s1", "元のモデル", result_studies.FILE, "お試し用")
    with_adapter = dataclasses.replace(system, adapter=result_studies.ADAPTER, adapter_sha256="other")
    of_card = dataclasses.replace(system, adapter=str(local_models.adapter_of(trial).path))  # type: ignore[union-attr]
    assert code_of(system, [base]) == ""
    assert code_of(of_card, [trial]) == ""
    assert code_of(system, [trial]) == "system_without_adapter"
    assert code_of(dataclasses.replace(system, collections=("河川砂防",)), [trial]) == "system_quoted_instead"
    assert code_of(with_adapter, [base, tuned]) == "system_adapter_not_listed"
    assert code_of(system, []) == code_of(system, [tuned]) == "system_not_listed"


def test_answers_from_documents_are_not_promised_of_a_model_for_which_they_are_quoted(tmp_path: Path) -> None:
    base, _ = result_studies.models()
    trial, small = trial_model(), dataclasses.replace(base, path=str(tiny_llama(tmp_path / "小さい.gguf")))
    adapter = str(local_models.adapter_of(trial).path)  # type: ignore[union-attr]
    asked = ("河川砂防",)
    tuned = System("s4", "学習後 + 資料", result_studies.FILE, "お試し用", adapter=adapter, collections=asked)
    own = System("s2", "元のモデル + 資料", small.path, "小さい", collections=asked)
    for system, model in ((tuned, trial), (own, small)):
        assert model_of_system(system, [model]) == model
        assert code_of(system, [model]) == "system_quoted_instead"
        assert code_of(dataclasses.replace(system, is_quoted=True), [model]) == ""
        assert code_of(dataclasses.replace(system, collections=()), [model]) == ""


def test_what_quotes_documents_is_used_whatever_adapter_the_model_has() -> None:
    system = System("s5", "抜粋表示", result_studies.FILE, "お試し用", collections=("河川砂防",), is_quoted=True)
    assert model_of_system(system, [trial_model()]) == trial_model()
    assert model_of_system(system, []) is None


def test_a_study_that_is_older_than_the_note_on_quotes_is_read_with_it(tmp_path: Path) -> None:
    folder, study, found, sections = result_studies.documents(tmp_path / "s")
    contenders = tuple(
        dataclasses.replace(one, may_quote=one.system.name == "元のモデル + 資料") for one in study.contenders
    )
    shown = result_view_model.build_result_view(
        dataclasses.replace(study, contenders=contenders), folder, found, sections
    )
    assert [one.system.name for one in shown.systems if one.system.is_quoted] == ["元のモデル + 資料"]


def test_the_advised_way_of_a_model_with_an_adapter_of_its_own_is_not_said_to_be_missing(
    desk: Desk, documents: Result
) -> None:
    desk.models[:] = [trial_model()]
    desk.show(documents)
    assert not desk.advice.use_button.isEnabled()
    assert "一覧にありません" not in desk.advice.why_not.text()
    assert "資料の抜粋を表示します" in desk.advice.why_not.text()
    assert desk.problems() == []


# ------------------------------------------------------------------------- systems


@pytest.mark.parametrize("width", [1180, 560])
def test_every_system_has_its_figures_and_can_be_used_also_by_its_key(
    open_desk: Callable[..., Desk], documents: Result, width: int
) -> None:
    desk = open_desk(width)
    shown = desk.show(documents)
    card = desk.overview.comparison
    assert card.title.text() == "4 通りの比較"
    assert card.about.text() == "採点は 0〜3 点。横線は 95\u00a0% 区間（ブートストラップ 10,000 回、問いを単位）"
    texts = desk.texts(card.rows)
    first = shown.systems[0]
    assert first.span is not None
    if width > 1000:
        assert texts[:7] == [
            "構成", "平均", "95\u00a0% 区間", "満点", "引用の正しさ", "「ない」と答えた", "秒／問"
        ]  # fmt: skip
        assert texts[7:10] == ["元のモデル", f"{first.mean:.2f}", f"{first.span.low:.2f}〜{first.span.high:.2f}"]
        assert texts[11:14] == ["—", "2／4", "5.0"]
    else:
        assert texts[0] == "元のモデル"
        assert "「ない」と答えた\u00a02／4" in texts
    buttons = [one for one in card.rows.findChildren(Button) if one.isVisibleTo(card.rows)]
    assert buttons[0].accessibleName() == "この組み合わせを質問で使う（元のモデル）"
    desk.click(buttons[3])
    desk.press(Qt.Key.Key_Return, at=buttons[2])
    assert [one.name for one in desk.used] == ["学習済み + 資料", "学習済み"]


def test_the_advised_system_stands_on_a_ground_of_its_own(desk: Desk, theme: Theme, documents: Result) -> None:
    desk.show(documents)
    rows = desk.overview.comparison.rows
    shown = [label for label in rows.findChildren(Label) if label.isVisibleTo(rows)]
    names = [label for label in shown if label.text() in ("元のモデル", "元のモデル + 資料")]
    picture = rows.grab().toImage()
    soft = theme.color("accent_soft")
    assert [picture.pixelColor(2, name.geometry().center().y()) == soft for name in names] == [False, True]


@pytest.mark.parametrize("width", [860, 560])
def test_differences_have_a_verdict_in_words_their_sentence_and_their_interval_in_numbers(
    open_desk: Callable[..., Desk], documents: Result, width: int
) -> None:
    """Where documents are compared with training, what training adds to documents comes first."""
    desk = open_desk(width)
    shown, card = desk.show(documents), desk.overview.differences
    assert desk.verdicts() == ["≈ 誤差の範囲", "良い", "良い", "良い"]
    assert "学習済み + 資料 と 元のモデル + 資料" in desk.texts(card.rows)
    assert "差があるとは言えません" in card.findChildren(VerdictBadge)[0].words.accessibleDescription()
    assert "4 つの差を一度に見ています" in card.notes.text()
    texts = "\n".join(desk.texts(card.rows))
    assert [result_texts.signed_span(one.span, shown.digits) in texts for one in shown.differences] == [True] * 4


def test_what_is_worse_and_what_is_asked_too_little_say_so(desk: Desk, tmp_path: Path) -> None:
    desk.show(result_studies.documents(tmp_path / "s", ways=(1, 0)))
    assert desk.verdicts() == ["悪い"]
    folder, study, found, _ = result_studies.documents(tmp_path / "t", ways=(0, 1))
    desk.show((folder, study, first_questions(found, 3), ()))
    assert desk.verdicts() == ["問数不足"]
    about = desk.overview.comparison.about.text()
    assert about == "採点は 0〜3 点。5 問に満たないので、95\u00a0% 区間は示しません。"


def test_scores_are_counted_in_four_parts_whose_numbers_are_said(desk: Desk, documents: Result, tmp_path: Path) -> None:
    shown, card = desk.show(documents), desk.overview.breakdown
    assert card.title.text() == "得点の内訳（24 問）"
    assert [sum(one.counts) for one in shown.systems] == [24] * 4
    desk.show(result_studies.documents(tmp_path / "t", None))
    assert "規則で付けた得点" in card.about.text()
    assert "0.5 未満" in card.plot.accessibleName()


def test_more_systems_than_there_are_marks_all_look_different(desk: Desk) -> None:
    span, pictures = PlotEstimate(0.5, 0.2, 0.8), []
    for number in range(8):
        row = comparison_cards.system_plot(desk.view.overview._theme, PlotScale([0.2, 0.8]), span, number)
        desk.qtbot.addWidget(row)
        row.resize(200, 34)
        pictures.append(row.grab().toImage())
    assert not any(one == other for one, other in itertools.combinations(pictures, 2))


def test_many_systems_are_added_in_turns_and_all_of_them_come(desk: Desk, tmp_path: Path) -> None:
    study = result_studies.models_compared(tmp_path / "s", 20)
    rows = desk.overview.comparison.rows
    first: list[int] = []
    desk.view.overview.comparison.filling.timeout.connect(lambda: first.append(len(rows.findChildren(Button))))
    shown = desk.show(study)
    assert len(shown.systems) == 20
    buttons = [one for one in rows.findChildren(Button) if desk.is_shown(one)]
    assert len(buttons) == 20
    assert 0 < first[0] < 20, "the window answers between the turns"
    assert len(desk.verdicts()) == 19
    desk.show(result_studies.models_compared(tmp_path / "t", 3))
    assert len([one for one in rows.findChildren(Button) if desk.is_shown(one)]) == 3


def test_a_page_whose_filling_an_error_ends_is_painted_again(
    desk: Desk, documents: Result, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object) -> None:
        raise ValueError("a section")

    monkeypatch.setattr(overview, "SectionCard", fail)
    with desk.qtbot.captureExceptions() as caught:
        desk.show(documents)
    assert [str(error) for _, error, _ in caught] == ["a section"]
    assert desk.overview.updatesEnabled()


def test_the_answers_to_a_question_are_made_when_the_tab_is_shown(desk: Desk, documents: Result) -> None:
    desk.show(documents)
    assert not desk.view.questions.detail.findChildren(AnswerCard)
    desk.show_tab("questions")
    settle()
    assert len([card for card in desk.view.questions.detail.findChildren(AnswerCard) if desk.is_shown(card)]) == 4


def test_an_untrusted_judge_is_named_and_does_not_decide(desk: Desk, documents: Result, tmp_path: Path) -> None:
    desk.show(result_studies.documents(tmp_path / "t", result_studies.UNTRUSTED))
    doubt = desk.overview.doubt
    assert desk.is_shown(doubt)
    assert doubt.text().startswith("▲ 採点モデル「gemma-3-270m」の点は信用できません")
    assert desk.overview.comparison.about.text().startswith("得点は 0〜1：必ず含む語が入っていた割合。")
    desk.show(documents)
    assert not desk.is_shown(doubt)


def test_categories_follow_in_a_table_that_the_page_alone_scrolls(desk: Desk, documents: Result) -> None:
    def table() -> TextTable:
        return desk.overview.sections[0].findChildren(TextTable)[0]

    folder, study, found, _ = documents
    desk.show(documents)
    assert [card.title.text() for card in desk.overview.sections] == ["分野別", "採点モデルの確かさ"]
    assert table().cells.rowCount() == 3 * 4
    asked = tuple(dataclasses.replace(one, category=one.id) for one in found.questions.questions)
    many = dataclasses.replace(found, questions=dataclasses.replace(found.questions, questions=asked))
    desk.show((folder, study, many, ()))
    assert table().cells.rowCount() == result_studies.COUNT * 4
    assert table().verticalScrollBar().maximum() == 0
    assert table().header().length() == table().viewport().width()


def test_all_rows_of_a_table_are_seen_where_its_columns_scroll(
    open_desk: Callable[..., Desk], documents: Result
) -> None:
    desk = open_desk(560, 520)
    desk.show(documents)
    table = desk.overview.sections[0].findChildren(TextTable)[0]
    assert table.horizontalScrollBar().maximum() > 0
    assert table.verticalScrollBar().maximum() == 0


# -------------------------------------------------------------- other kinds of study


def test_one_system_has_nothing_to_be_compared_with(desk: Desk, tmp_path: Path) -> None:
    desk.show(result_studies.one_system(tmp_path / "s"))
    blind = desk.view.tabs.buttons["blind"]
    assert not any(desk.is_shown(part) for part in (desk.overview.differences, desk.advice, blind))
    assert desk.overview.comparison.title.text() == "結果"
    assert desk.problems() == []


def test_without_any_score_that_is_said_and_nothing_is_drawn_or_advised(desk: Desk, tmp_path: Path) -> None:
    assert desk.show(result_studies.without_scores(tmp_path / "s")).advised is None
    assert desk.overview.comparison.about.text() == "点の付いた回答がありません。"
    assert desk.texts(desk.overview.comparison.rows)[:3] == ["構成", "「ない」と答えた", "秒／問"]
    hidden = (desk.overview.differences, desk.overview.breakdown, desk.advice.use_button)
    assert not any(desk.is_shown(part) for part in hidden)
    assert "どの構成が良いかを判断できません" in desk.advice.verdict.text()


def test_a_study_of_the_amount_of_data_shows_its_curve_and_tables(desk: Desk, tmp_path: Path) -> None:
    desk.show(result_studies.amount_of_data(tmp_path))
    view = desk.view
    assert view.tabs.buttons["overview"].text() == "学習量"
    assert not view.tabs.buttons["questions"].isVisibleTo(view)
    assert view.overview.advice.verdict.text().startswith("データを増やすと、まだ良くなります")
    plots = [plot for card in view.overview.sections for plot in card.plots]
    assert len(plots) == 5
    assert all(plot.heightForWidth(400) > 0 for plot in plots)
    assert plots[0].accessibleName().startswith("行数と損失")
    ink = plots[0].grab().toImage()
    colours = {ink.pixelColor(x, y).name() for x in range(0, ink.width(), 2) for y in range(0, ink.height(), 2)}
    assert view.overview._theme.color("chart1").name() in colours
    assert not view.overview.comparison.isVisibleTo(view)


@pytest.mark.parametrize(("width", "columns"), [(960, 1), (1180, 2)])
def test_plots_stand_side_by_side_where_their_words_can_be_read_and_have_a_table(
    open_desk: Callable[..., Desk], tmp_path: Path, width: int, columns: int
) -> None:
    desk = open_desk(width)
    desk.show(result_studies.amount_of_data(tmp_path))
    cards = [card for card in desk.overview.sections if card.plots]
    desk.qtbot.waitUntil(lambda: len({plot.x() for plot in cards[-1].plots}) == columns)
    desk.qtbot.waitUntil(lambda: all(plot.width() >= 520 for card in cards for plot in card.plots))
    assert all(card.findChildren(TextTable) for card in cards)


def test_a_study_of_a_judge_says_whether_to_believe_it(desk: Desk, tmp_path: Path) -> None:
    assert desk.show(result_studies.judge_alone(tmp_path / "s")).advised is None
    assert desk.view.tabs.buttons["overview"].text() == "採点モデル"
    assert "信用できます" in desk.advice.verdict.text()
    assert not desk.is_shown(desk.advice.use_button)
    assert [card.title.text() for card in desk.overview.sections] == ["採点モデルの確かさ"]
    assert desk.problems() == []


def test_the_losses_of_quantizations_are_drawn_and_stand_in_a_table(desk: Desk, tmp_path: Path) -> None:
    shown = desk.show(result_studies.quantizations(tmp_path / "s"))
    assert shown.advised is not None
    assert (shown.advised.name, desk.is_shown(desk.advice.use_button)) == ("元のモデル Q4_K_M", True)
    card = desk.overview.sections[-1]
    assert (card.title.text(), len(card.plots)) == ("損失・速さ・大きさ", 1)
    assert "16.10\u00a0GB" in desk.texts(desk.overview.comparison.rows)
    assert desk.problems() == []


# ----------------------------------------------------------------------- questions


def test_every_question_is_listed_with_what_each_system_answered(desk: Desk, documents: Result, tmp_path: Path) -> None:
    desk.show(documents)
    desk.show_tab("questions")
    tab = desk.view.questions
    assert (tab.questions.rowCount(), tab.count.text()) == (result_studies.COUNT, "24 問")
    assert tab.legend.text() == "数字は左から：元のモデル / 元のモデル + 資料 / 学習済み / 学習済み + 資料"
    assert "元のモデル + 資料\u00a0" in tab.view.currentIndex().data(Qt.ItemDataRole.AccessibleTextRole)
    desk.press(Qt.Key.Key_Down, at=tab.view)
    assert tab.detail.text.text() == "基準地点 2 の水質調査は、年に何回行いますか。"
    cards = [card for card in tab.detail.findChildren(AnswerCard) if card.isVisibleTo(tab)]
    assert [card.title.text() for card in cards] == ["元のモデル", "元のモデル + 資料", "学習済み", "学習済み + 資料"]
    texts = desk.texts(tab.detail)
    assert "採点の理由：回数が正解と合う。" in texts
    assert "年2回 / 月1回|毎月" in texts
    assert any(text.startswith("8.0 秒") and "引用の正しさ 90\u00a0%" in text for text in texts)
    desk.press(Qt.Key.Key_End, at=tab.view)
    assert tab.detail.unanswerable.isVisibleTo(tab)
    assert tab.legend.isVisibleTo(tab)
    desk.show(result_studies.one_system(tmp_path / "t"))
    desk.show_tab("questions")
    assert not tab.legend.isVisibleTo(tab)


def test_an_answer_that_was_cut_off_says_that_it_scores_nothing_for_that(desk: Desk, tmp_path: Path) -> None:
    folder, study, found, _ = result_studies.one_system(tmp_path / "s")
    (one,) = found.systems
    cut = dataclasses.replace(one.rows[0], verdict="length", marks=RuleScores(0.0, is_broken=True))
    systems = (dataclasses.replace(one, rows=(cut, *one.rows[1:])),)
    desk.show((folder, study, dataclasses.replace(found, systems=systems), ()))
    desk.show_tab("questions")
    texts = "\n".join(desk.texts(desk.view.questions.detail))
    assert "途中で切れたため 0 点" in texts
    assert "壊れている" not in texts


def test_questions_can_be_those_of_a_category_and_in_the_order_of_their_spread(desk: Desk, documents: Result) -> None:
    shown = desk.show(documents)
    desk.show_tab("questions")
    tab = desk.view.questions
    desk.press(Qt.Key.Key_End, at=tab.categories)
    assert (tab.questions.rowCount(), tab.count.text()) == (8, "8／24 問")
    before = set(tab.detail.findChildren(AnswerCard))
    desk.click(tab.spread_button)
    assert len(set(tab.detail.findChildren(AnswerCard)) - before) == 4  # built once, not for each step of the sorting
    assert tab.view.currentIndex().row() == 0
    assert tab.current is not None
    of_category = [one for one in shown.questions if one.question.category == tab.current.question.category]
    assert tab.current.spread == max(one.spread for one in of_category)
    desk.press(Qt.Key.Key_Home, at=tab.categories)
    assert tab.questions.rowCount() == 24


# ----------------------------------------------------------------------- passed on


def test_the_results_are_written_as_a_workbook(desk: Desk, documents: Result) -> None:
    desk.target.write_bytes(b"older")  # the desktop has asked whether to replace it
    desk.show(documents)
    QWidget.setTabOrder(desk.view.report_button, desk.advice.use_button)
    desk.view.export_button.setFocus()
    with desk.qtbot.waitSignal(desk.view.exporting.saved):
        desk.click(desk.view.export_button)
    assert desk.window.focusWidget() is desk.view.tabs.buttons["overview"]  # and not a button that uses a model
    assert openpyxl.load_workbook(desk.target).sheetnames[0] == "結果"
    assert [path.name for path in desk.target.parent.iterdir()] == [desk.target.name]
    assert desk.is_shown(desk.view.banner)


def test_of_results_that_were_written_late_nothing_is_said_over_another_study(
    desk: Desk, documents: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_free, save = threading.Event(), result_view_model.save_result

    def late(*given: Any, **named: Any) -> None:
        is_free.wait(30)
        save(*given, **named)

    monkeypatch.setattr(result_view_model, "save_result", late)
    desk.show(documents)
    with desk.qtbot.waitSignal(desk.view.exporting.saved):
        desk.click(desk.view.export_button)
        desk.view.show_result(*result_studies.one_system(tmp_path / "t"))
        is_free.set()
    assert desk.target.exists()
    assert not desk.view.banner.isVisibleTo(desk.view)


def test_a_report_is_written_as_a_page(desk: Desk, documents: Result) -> None:
    desk.target = desk.target.with_name("報告")  # as typed, without a suffix
    desk.show(documents)
    with desk.qtbot.waitSignal(desk.view.exporting.saved):
        desk.view.report_button.menu().actions()[1].trigger()
    assert "元のモデル" in (desk.target.parent / "報告.html").read_text("utf-8")


def test_what_cannot_be_written_fails_in_words(desk: Desk, documents: Result, tmp_path: Path) -> None:
    desk.target = tmp_path / "gone" / "結果.xlsx"
    desk.show(documents)
    with desk.qtbot.waitSignal(desk.view.failed):
        desk.click(desk.view.export_button)
    assert (desk.failed, desk.view.export_button.isEnabled()) == (["export_folder_gone"], True)


def test_confidential_results_are_written_only_after_a_yes(desk: Desk, tmp_path: Path) -> None:
    desk.show(result_studies.models_compared(tmp_path / "s"))
    desk.click(desk.view.export_button)
    dialog = QApplication.activeModalWidget()
    assert isinstance(dialog, Dialog)
    assert not desk.target.exists()
    with desk.qtbot.waitSignal(desk.view.exporting.saved):
        dialog.buttons["go"].click()
    assert desk.target.exists()
    assert "answers" in (tmp_path / "log").read_text("utf-8")


class Desktop(QObject):
    """What the desktop is asked to open."""

    def __init__(self) -> None:
        super().__init__()
        self.opened: list[str] = []

    @Slot(QUrl)
    def open(self, url: QUrl) -> None:
        self.opened.append(url.toLocalFile())


def test_a_report_that_is_missing_is_made_and_then_opened_as_it_is(desk: Desk, documents: Result) -> None:
    report, desktop, read = documents[0] / studies.REPORT, Desktop(), list[str]()
    QDesktopServices.setUrlHandler("file", desktop, "open")
    try:
        desk.show(documents)
        for _ in range(2):
            desk.view.report_button.menu().actions()[0].trigger()
            desk.until(lambda: len(desktop.opened) > len(read))
            read.append(report.read_text("utf-8"))
            report.write_text("as it is", "utf-8")
    finally:
        QDesktopServices.unsetUrlHandler("file")
    assert [Path(path) for path in desktop.opened] == [report] * 2
    assert ("元のモデル" in read[0], read[1]) == (True, "as it is")


# -------------------------------------------------------------------------- around


def test_until_it_is_worked_out_the_page_says_that_it_is_being_read(desk: Desk, documents: Result) -> None:
    folder, study, found, sections = documents
    studies.write_results(found, sections, folder)
    desk.view.show_result(folder, study, *studies.read_results(folder))
    assert desk.is_shown(desk.view.waiting)
    assert desk.view.waiting.text() == "読み込み中…"
    assert not desk.view.export_button.isEnabled()
    desk.until(lambda: desk.view.view_data is not None)
    assert not desk.is_shown(desk.view.waiting)
    assert desk.view.export_button.isEnabled()
    assert desk.advice.verdict.text().startswith("「元のモデル + 資料」を勧めます")


def test_of_two_studies_asked_for_at_once_the_last_is_shown(desk: Desk, documents: Result, tmp_path: Path) -> None:
    desk.view.show_result(*documents)
    desk.show(result_studies.one_system(tmp_path / "t"))
    desk.settle()
    assert desk.overview.comparison.title.text() == "結果"


def test_the_blind_comparison_is_made_when_it_is_first_wanted(desk: Desk, documents: Result, tmp_path: Path) -> None:
    desk.show(documents)
    assert desk.view.findChildren(BlindView) == []
    desk.show_tab("blind")
    assert isinstance(desk.view.pages.currentWidget(), BlindView)
    desk.show(result_studies.one_system(tmp_path / "t"))
    assert desk.is_shown(desk.overview)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_advised_system_is_found_in_either_language(tmp_path: Path, language: str) -> None:
    """Though results.json was written in the other one."""
    for make, name in ((result_studies.documents, "元のモデル + 資料"), (result_studies.quantizations, "Q4_K_M")):
        folder, study, found, sections = make(tmp_path / make.__name__)
        use_language(language)
        shown = result_view_model.build_result_view(study, folder, found, sections)
        use_language("ja")
        assert shown.advised is not None
        assert shown.advised.name.endswith(name)
        assert ("。" in shown.advice[0]) == (language == "ja")


@pytest.mark.parametrize(("width", "scale_percent"), [(1180, 100), (560, 100), (1180, 200), (560, 200)])
def test_no_text_is_cut_off_and_everything_has_a_name(
    open_desk: Callable[..., Desk], theme: Theme, qapp: QApplication, tmp_path: Path, width: int, scale_percent: int
) -> None:
    theme.apply(qapp, Settings(theme="light", text_scale_percent=scale_percent))
    desk = open_desk(width, 520)
    desk.show(result_studies.documents(tmp_path / "s", result_studies.UNTRUSTED))
    for key in ("overview", "questions"):
        desk.show_tab(key)
        assert desk.problems() == []
    advised = desk.show(result_studies.models_compared(tmp_path / "t")).advised
    assert desk.problems() == []
    assert advised is not None
    assert advised.name == "Llama-3.1-Swallow-20B-Instruct-v0.5 Q4_K_M"
