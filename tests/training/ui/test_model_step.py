"""モデルと設定 as a user meets it: the base, the presets with what each takes, and the settings one by one."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QApplication, QLabel
from pytestqt.qtbot import QtBot

from app.base.paths import Paths
from app.base.services import background
from app.base.settings import Settings
from app.base.wording import phrase
from app.training.drafts import StartingPoint
from app.training.ui import settings_form
from app.training.ui.model_step import ModelStep
from app.uikit.desktop import Pickers
from app.uikit.page import Navigation
from app.uikit.theme import Theme
from app.uikit.widgets.containers import make_scrollable
from tests import hf_models
from tests.training.ui.planned import Planned
from tests.uikit.ui import accessible
from tests.uikit.ui.clipping import clipped
from tests.window_fixtures import delete_what_is_put_off


class Desk(Planned):
    def __init__(self, where: Paths, folder: Path, qtbot: QtBot, theme: Theme) -> None:
        super().__init__(where, folder, qtbot)
        self.folder = folder
        self.picked = ""
        self.navigation = Navigation()
        pickers = Pickers(folder=lambda *_: self.picked)
        self.step = ModelStep(theme, self.navigation, self.work, where, lambda: self.models, pickers)

    def open(self) -> ModelStep:
        self.show(self.step)
        self.settle()
        return self.step

    def settle(self) -> None:
        self.qtbot.waitUntil(lambda: not self.step.outlooks.is_working)

    def details(self) -> None:
        self.qtbot.mouseClick(self.step.fold_button, Qt.MouseButton.LeftButton)

    def type_number(self, key: str, text: str) -> None:
        spin = self.step.expert.numbers[key]
        spin.setFocus()
        self.qtbot.keyClicks(spin, text)
        self.qtbot.keyClick(spin, Qt.Key.Key_Return)


@pytest.fixture
def desk(where: Paths, tmp_path: Path, qtbot: QtBot, theme: Theme) -> Iterator[Desk]:
    yield Desk(where, tmp_path, qtbot, theme)
    background.shut_down()


def test_each_card_tells_what_its_preset_would_take_once_it_is_known(desk: Desk) -> None:
    desk.show(desk.step)
    card = desk.step.cards.cards["light"]
    assert [value.text() for value in card.values] == ["計算中…"] * 3
    desk.settle()
    time, memory, disk = (value.text() for value in card.values)
    assert time == "約 1 分"
    assert memory.endswith("\u00a0GB")
    assert disk.endswith("\u00a0GB")
    assert "メモリ" in desk.step.cards.paper.line.text()
    assert "見積もり" in desk.step.about.text()


def test_a_preset_is_chosen_with_a_click_on_its_card_or_with_the_arrow_keys(desk: Desk) -> None:
    step = desk.open()
    assert step.cards.cards["standard"].radio.isChecked()
    desk.qtbot.mouseClick(step.cards.cards["thorough"], Qt.MouseButton.LeftButton, pos=QPoint(20, 60))
    assert desk.work.draft.preset == "thorough"
    step.focus_first()
    desk.qtbot.keyClick(step.cards.cards["thorough"].radio, Qt.Key.Key_Down)
    assert desk.work.draft.preset == "paper-2603.18037"
    assert step.cards.paper.radio.isChecked()


def test_another_base_is_chosen_and_what_cannot_be_trained_is_named_with_its_reason(desk: Desk) -> None:
    step = desk.open()
    names = [step.base.box.itemText(place) for place in range(step.base.box.count())]
    assert names == ["小さいモデル", "別のモデル"]
    assert step.base.refused.text() == "検索のモデル は検索用のモデルなので、学習の元にできません。"
    assert step.base.state.text().startswith("✓ 使えます")
    step.base.box.setFocus()
    desk.qtbot.keyClick(step.base.box, Qt.Key.Key_Down)
    assert desk.work.draft.base == "other"


def test_the_size_of_the_base_is_given_as_on_the_page_of_the_models(desk: Desk) -> None:
    trial = dataclasses.replace(desk.models[0], quantization="Q4_K_M", size_bytes=253_113_024)
    desk.models = (trial,)
    assert desk.open().base.state.text() == "✓ 使えます　Q4_K_M　0.25 GB"


def test_a_folder_becomes_the_base_and_one_that_is_none_is_refused_in_words(desk: Desk) -> None:
    step = desk.open()
    folder = hf_models.model(desk.folder / "配布元")
    (folder / "chat_template.jinja").write_text("{{ messages }}", encoding="utf-8")
    desk.picked = str(folder)
    desk.qtbot.mouseClick(step.base.folder_button, Qt.MouseButton.LeftButton)
    assert desk.work.draft.base == desk.picked
    desk.qtbot.waitUntil(lambda: step.base.state.text().startswith("✓ 使えます"))
    desk.picked = str(desk.folder)
    desk.qtbot.mouseClick(step.base.folder_button, Qt.MouseButton.LeftButton)
    desk.qtbot.waitUntil(lambda: step.base.state.text().startswith("▲"))
    desk.settle()
    assert step.about.text().startswith("▲ 時間とメモリを見積もれません。")


def test_a_base_that_is_gone_is_said_and_where_there_is_none_one_can_be_had(desk: Desk) -> None:
    desk.work.change(base="消えた")
    step = desk.open()
    assert step.base.state.text() == "▲ 前に選んだ土台のモデル（消えた）は、もうありません。"
    desk.models = desk.models[2:]
    desk.work.change(base="")
    assert step.base.empty.isVisible()
    assert step.base.state.text() == ""
    assert "土台のモデルを選ぶと" in step.about.text()
    with desk.qtbot.waitSignal(desk.navigation.page_requested) as signal:
        desk.qtbot.mouseClick(step.base.get_button, Qt.MouseButton.LeftButton)
    assert signal.args == ["models"]


def test_a_setting_is_typed_marked_as_changed_and_taken_back(desk: Desk) -> None:
    step = desk.open()
    assert not step.expert.isVisible()
    desk.details()
    field = step.expert.fields["rank"]
    assert step.expert.numbers["rank"].text() == "既定（16）"
    assert not field.reset_button.isVisible()
    desk.type_number("rank", "32")
    desk.settle()
    assert desk.work.draft.settings == {"rank": 32}
    assert field.reset_button.text() == "既定（16）に戻す"
    assert step.fold_button.text() == "詳しい設定をたたむ（1 件を変更）"
    desk.qtbot.mouseClick(field.reset_button, Qt.MouseButton.LeftButton)
    assert desk.work.draft.settings == {}
    assert not field.reset_button.isVisible()


def test_numbers_stay_within_the_limits_of_the_spec_and_fractions_are_kept(desk: Desk) -> None:
    step = desk.open()
    desk.details()
    desk.type_number("learning_rate", "0.00015")
    desk.type_number("dropout", "5")
    assert desk.work.draft.settings == {"learning_rate": 0.00015}
    assert not desk.work.draft.problems("model")
    assert step.expert.numbers["dropout"].maximum() == 0.9


def test_a_choice_is_made_and_unmade_in_its_list(desk: Desk) -> None:
    step = desk.open()
    desk.details()
    box = step.expert.choices["loss"]
    assert [box.itemText(place) for place in range(box.count())] == ["既定（答えだけ）", "答えだけ", "質問と答え"]
    box.setFocus()
    desk.qtbot.keyClick(box, Qt.Key.Key_End)
    assert desk.work.draft.settings == {"loss": "all"}
    desk.qtbot.keyClick(box, Qt.Key.Key_Home)
    assert desk.work.draft.settings == {}


def test_sample_questions_are_kept_when_the_field_is_left(desk: Desk) -> None:
    step = desk.open()
    desk.details()
    samples = step.expert.samples
    samples.setFocus()
    samples.insertPlainText("鍵はどこですか？\n\n  何時までですか？ ")
    assert desk.work.draft.settings == {}
    desk.qtbot.keyClick(samples, Qt.Key.Key_Tab)
    assert desk.work.draft.settings == {"samples": ("鍵はどこですか？", "何時までですか？")}
    samples.setFocus()
    samples.clear()
    step.hide()
    assert desk.work.draft.settings == {}


def test_what_the_trainer_would_not_take_stands_at_its_setting(desk: Desk) -> None:
    step = desk.open()
    desk.details()
    desk.work.change(settings={"rank": 0})
    notes = {key: row._note.text() for key, row in step.expert.rows.items() if row._note.isVisible()}
    assert set(notes) == {"rank"}
    assert "1〜1024 の整数" in notes["rank"]


def test_what_an_adapter_that_is_trained_further_decides_cannot_be_changed_and_says_why(desk: Desk) -> None:
    desk.work.change(start=StartingPoint(str(desk.folder), "一度目", 4, 8))
    step = desk.open()
    desk.details()
    assert not step.expert.numbers["rank"].isEnabled()
    assert "4" in step.expert.numbers["rank"].text()
    assert any("続けるアダプターの値です" in label.text() for label in step.expert.rows["alpha"].findChildren(QLabel))
    assert step.expert.numbers["learning_rate"].isEnabled()


def test_settings_that_have_no_field_are_told_and_can_be_taken_back(desk: Desk) -> None:
    desk.work.choose(optimizer="adamw", rank=8)
    step = desk.open()
    desk.details()
    assert "最適化の方法：adamw" in step.expert._others_line.text()
    desk.qtbot.mouseClick(step.expert.others, Qt.MouseButton.LeftButton)
    assert desk.work.draft.settings == {"rank": 8}
    assert not step.expert.others.isVisible()


def test_more_memory_than_the_computer_has_is_said_on_the_card(desk: Desk) -> None:
    step = desk.open()
    card, plan = step.cards.cards["light"], step.outlooks.found["light"].plan
    assert not card.note.isVisible()
    small = dataclasses.replace(plan.device, memory_bytes=1_000_000)
    card.show_plan(dataclasses.replace(plan, device=small), is_working=False)
    assert card.note.text() == "▲ この PC のメモリ（1.0\u00a0MB）では足りません"


def test_every_setting_has_a_term_and_a_sentence(desk: Desk) -> None:
    step = desk.open()
    desk.details()
    assert set(step.expert.rows) == set(settings_form.SETTING_ORDER)
    for key in settings_form.SETTING_ORDER:
        assert settings_form.setting_label(key) != key
        assert phrase(f"training.setting_description.{key}").endswith("。")
    nameless = [node for node in accessible.walk(step) if node.is_interactive and not node.name]
    assert nameless == []


@pytest.mark.parametrize(("width", "scale"), [(560, 100), (760, 200)])
def test_nothing_is_clipped_where_there_is_little_room(
    desk: Desk, theme: Theme, qapp: QApplication, width: int, scale: int
) -> None:
    theme.apply(qapp, Settings(theme="light", text_scale_percent=scale))
    desk.work.choose(rank=32)
    area = make_scrollable(desk.step)
    desk.show(desk.step, area, width, 600)
    desk.settle()
    desk.details()
    for _ in range(6):
        QApplication.sendPostedEvents()
        QApplication.processEvents()
    delete_what_is_put_off()
    assert clipped(area) == []
    assert desk.step.width() <= width
