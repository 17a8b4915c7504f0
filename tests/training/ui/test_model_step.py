"""モデルと設定 as a user meets it: the base, the presets with what each takes, and the settings one by one."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from pytestqt.qtbot import QtBot

from app.base import programs
from app.base.paths import Paths
from app.base.services import background
from app.base.services.preferences import Preferences
from app.base.wording import phrase
from app.models import catalogue
from app.models.model_store import ModelStore
from app.models.services.downloads import Downloads
from app.models.services.model_library import ModelLibrary
from app.training.drafts import StartingPoint
from app.training.ui import settings_form
from app.training.ui.model_step import PAPER_PRESETS, ModelStep
from app.uikit.desktop import Pickers
from app.uikit.dialogs import Dialog
from app.uikit.page import NavigationSignals
from app.uikit.theme import Theme
from tests import hf_models
from tests.models.downloads.hub import COMMIT, REPOSITORY, Fault
from tests.models.downloads.shelf import Publisher, published, put_card
from tests.training.ui.driver import LEFT, Planned, words


class ModelDriver(Planned):
    def __init__(self, where: Paths, folder: Path, qtbot: QtBot, theme: Theme) -> None:
        super().__init__(where, folder, qtbot, theme)
        self.picked = ""
        self.navigation = NavigationSignals()
        store = ModelStore.open(where.database, where.backups)
        self.downloads = Downloads(
            ModelLibrary(store, where.models), Preferences(where.settings), programs.downloader_command(),
            where.logs / "download.log", None,
        )  # fmt: skip
        self.close = lambda: (self.downloads.close(), store.close())
        pickers = Pickers(folder=lambda *_: self.picked)
        self.step = ModelStep(theme, self.navigation, self.work, where, lambda: self.models, self.downloads, pickers)

    def open(self, *, details: bool = False) -> ModelStep:
        self.show(self.step)
        self.settle()
        if details:
            self.click(self.step.fold_button)
        return self.step

    def settle(self) -> None:
        self.until(lambda: not self.step.forecasts.is_working)

    def type_number(self, key: str, text: str) -> None:
        spin = self.step.expert.numbers[key]
        spin.setFocus()
        self.qtbot.keyClicks(spin, text)
        self.press(spin, Qt.Key.Key_Return)


@pytest.fixture
def driver(where: Paths, tmp_path: Path, qtbot: QtBot, theme: Theme) -> Iterator[ModelDriver]:
    made = ModelDriver(where, tmp_path, qtbot, theme)
    yield made
    background.shut_down()
    made.close()


def test_each_card_tells_what_its_preset_would_take_and_is_chosen_by_click_or_arrow_key(driver: ModelDriver) -> None:
    driver.show(driver.step)
    cards = driver.step.cards.cards
    assert [value.text() for value in cards["light"].values] == [phrase("training.computing")] * 3
    driver.settle()
    time, memory, disk = (value.text() for value in cards["light"].values)
    assert (time, memory[-3:], disk[-3:]) == ("約 1 分", "\u00a0GB", "\u00a0GB")
    assert phrase("common.memory") in cards[PAPER_PRESETS[0]].line.text()
    assert driver.step.about.text() == phrase("training.estimated_from_the_letters_of")
    assert cards["standard"].radio.isChecked()
    driver.qtbot.mouseClick(cards["thorough"], LEFT, pos=QPoint(20, 60))
    assert driver.work.draft.preset == "thorough"
    driver.step.focus_first()
    driver.press(cards["thorough"].radio, Qt.Key.Key_Down)
    assert (driver.work.draft.preset, cards[PAPER_PRESETS[0]].radio.isChecked()) == (PAPER_PRESETS[0], True)


def test_preference_is_offered_once_enough_pairs_are_accepted_and_tells_how_many_are_lacking(
    driver: ModelDriver,
) -> None:
    card = driver.open().learned.answers["preference"]
    assert (card.radio.isEnabled(), "50" in card.about.text()) == (False, True)  # rows without rejected answers
    data = driver.work.draft.data
    assert data is not None
    driver.work.change(data=dataclasses.replace(data, has_pairs=True, used=49))
    assert (card.radio.isEnabled(), "1" in card.about.text()) == (False, True)
    driver.work.change(data=dataclasses.replace(data, has_pairs=True, used=60))
    driver.qtbot.mouseClick(card, LEFT, pos=QPoint(20, 20))
    assert driver.work.draft.settings == {"loss": "preference"}
    assert driver.work.draft.is_complete("model")
    driver.work.change(data=dataclasses.replace(data, has_pairs=True, used=40))  # some were rejected afterwards
    assert [one.code for one in driver.work.draft.problems("model")] == ["pairs_few"]
    driver.qtbot.mouseClick(driver.step.learned.answers["answers"], LEFT, pos=QPoint(20, 20))
    assert driver.work.draft.settings == {}
    driver.settle()


def test_another_base_is_chosen_and_what_cannot_be_trained_is_named_with_its_reason(driver: ModelDriver) -> None:
    driver.models = (
        dataclasses.replace(driver.models[0], quantization="Q4_K_M", size_bytes=253_113_024),
        *driver.models[1:],
    )
    base = driver.open().base
    assert [base.box.itemText(place) for place in range(base.box.count())] == ["小さいモデル", "別のモデル"]
    assert base.refused.text() == "検索のモデル は資料検索用のモデルなので、学習の元にできません。"
    assert base.state.text() == "✓ 使えます　Q4_K_M　0.25 GB"  # as on the page of the models
    base.box.setFocus()
    driver.press(base.box, Qt.Key.Key_Down)
    assert driver.work.draft.base == "other"


def test_a_folder_becomes_the_base_and_one_that_is_none_is_refused_in_words(driver: ModelDriver) -> None:
    step = driver.open()
    folder = hf_models.model(driver.folder / "配布元")
    (folder / "chat_template.jinja").write_text("{{ messages }}", encoding="utf-8")
    for path, sign in ((folder, "✓"), (driver.folder, "▲")):
        driver.picked = str(path)
        driver.click(step.base.folder_button)
        assert driver.work.draft.base == driver.picked
        driver.until(lambda sign=sign: step.base.state.text().startswith(sign))
    driver.settle()
    assert step.about.text().startswith(phrase("training.time_and_memory_cannot_be", reason=""))


def test_beside_a_copy_the_publishers_weights_are_offered_fetched_with_consent_and_taken(
    driver: ModelDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_card(driver.folder / "cards", 1)
    card = driver.folder / "cards" / "tiny.toml"
    card.write_text(
        card.read_text("utf-8").replace("form =", f'base_model = "{REPOSITORY}"\nsize_label = "70B"\nform =')
    )
    catalogue.load.cache_clear()
    copy = dataclasses.replace(driver.models[0], card_id="tiny", quantization="Q4_K_M")
    driver.models = (copy, *driver.models[1:])
    offer = driver.open().weights
    assert "量子化した写し（Q4_K_M）から戻した重み" in offer.note.text()
    assert f"{REPOSITORY}　約 140\u00a0GB" in offer.note.text()
    assert "8.1 %" in offer.note.text()
    before, other = driver.work.draft.base, f"models--{REPOSITORY.replace('/', '--')}-Instruct"
    driver.downloads.base_finished.emit(driver.folder / other / "snapshots" / COMMIT)  # of a name that begins alike
    assert driver.work.draft.base == before
    with Publisher(published(driver.folder / "publisher"), Fault(token="hf_secret")) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.place)
        driver.click(offer.button)
        driver.until(lambda: not driver.step.banner.isHidden())
        assert "使用条件への同意が必要です" in words(driver.step.banner)
        driver.downloads.set_token("hf_secret")
        driver.click(offer.button)
        driver.until(lambda: offer.progress.isHidden())
        dialog = driver.dialog(Dialog)
        assert REPOSITORY in words(dialog)
        assert "llama3.1" in words(dialog)
        assert "トークンを入力してから" in words(dialog)
        assert hub.asked == set()
        driver.click(dialog.buttons["accept"])
        driver.until(lambda: driver.work.draft.base.endswith(COMMIT))
    assert not offer.isVisible()
    driver.until(lambda: driver.step.base.state.text().startswith("✓"))
    assert f"配布元の重み（{REPOSITORY}@{COMMIT[:8]}）" in driver.step.base.state.text()
    assert "配布元の重み" in driver.step.base.box.currentText()
    driver.settle()


def test_a_base_that_is_gone_is_said_and_where_there_is_none_one_can_be_had(driver: ModelDriver) -> None:
    asked: list[str] = []
    driver.navigation.page_requested.connect(asked.append)
    driver.work.change(base="消えた")
    step = driver.open()
    assert step.base.state.text() == phrase("training.the_base_model_chosen_before", name="消えた")
    driver.models = driver.models[2:]
    driver.work.change(base="")
    assert (step.base.empty.isVisible(), step.base.state.text()) == (True, "")
    assert step.about.text() == phrase("training.choose_a_base_model_to")
    driver.click(step.base.get_button)
    assert asked == ["models"]


def test_a_setting_is_typed_within_its_limits_marked_as_changed_and_taken_back(driver: ModelDriver) -> None:
    assert not driver.open().expert.isVisible()
    driver.click(driver.step.fold_button)
    expert = driver.step.expert
    field = expert.fields["rank"]
    assert (expert.numbers["rank"].text(), field.reset_button.isVisible()) == ("既定（16）", False)
    driver.type_number("rank", "32")
    driver.settle()
    assert driver.work.draft.settings == {"rank": 32}
    assert field.reset_button.text() == phrase("training.reset_to_value", value="16")
    assert driver.step.fold_button.text() == "詳しい設定をたたむ（1 件を変更）"
    driver.click(field.reset_button)
    assert (driver.work.draft.settings, field.reset_button.isVisible()) == ({}, False)
    driver.type_number("learning_rate", "0.00015")
    driver.type_number("dropout", "5")
    assert driver.work.draft.settings == {"learning_rate": 0.00015}
    assert not driver.work.draft.problems("model")
    assert expert.numbers["dropout"].maximum() == 0.9


def test_a_choice_is_made_and_unmade_in_its_list(driver: ModelDriver) -> None:
    box = driver.open(details=True).expert.choices["loss"]
    assert [box.itemText(place) for place in range(box.count())] == [
        "既定（回答だけ）",
        "回答だけ",
        "質問と回答",
        "好み",
    ]
    box.setFocus()
    for key, settings in ((Qt.Key.Key_End, {"loss": "preference"}), (Qt.Key.Key_Home, {})):
        driver.press(box, key)
        assert driver.work.draft.settings == settings


def test_sample_questions_are_kept_when_the_field_is_left(driver: ModelDriver) -> None:
    samples = driver.open(details=True).expert.samples
    samples.setFocus()
    samples.insertPlainText("鍵はどこですか？\n\n  何時までですか？ ")
    assert driver.work.draft.settings == {}
    driver.press(samples, Qt.Key.Key_Tab)
    assert driver.work.draft.settings == {"samples": ("鍵はどこですか？", "何時までですか？")}
    samples.setFocus()
    samples.clear()
    driver.step.hide()
    assert driver.work.draft.settings == {}


def test_what_the_trainer_would_not_take_stands_at_its_setting(driver: ModelDriver) -> None:
    expert = driver.open(details=True).expert
    driver.work.change(settings={"rank": 0})
    notes = {key: row._note.text() for key, row in expert.rows.items() if row._note.isVisible()}
    assert list(notes) == ["rank"]
    assert "1〜1024 の整数" in notes["rank"]


def test_what_an_adapter_that_is_trained_further_decides_cannot_be_changed_and_says_why(driver: ModelDriver) -> None:
    driver.work.change(start=StartingPoint(str(driver.folder), "一度目", 4, 8))
    expert = driver.open(details=True).expert
    rank, rate = expert.numbers["rank"], expert.numbers["learning_rate"]
    assert (rank.isEnabled(), "4" in rank.text(), rate.isEnabled()) == (False, True, True)
    assert phrase("training.that_of_the_adapter_that") in words(expert.rows["alpha"])


def test_settings_that_have_no_field_are_told_and_can_be_taken_back(driver: ModelDriver) -> None:
    driver.work.choose(optimizer="adamw", rank=8)
    expert = driver.open(details=True).expert
    assert "最適化の方法：adamw" in expert._others_line.text()
    driver.click(expert.others)
    assert (driver.work.draft.settings, expert.others.isVisible()) == ({"rank": 8}, False)


def test_more_memory_than_the_computer_has_is_said_on_the_card(driver: ModelDriver) -> None:
    step = driver.open()
    card, plan = step.cards.cards["light"], step.forecasts.forecasts["light"].plan
    assert not card.note.isVisible()
    small = dataclasses.replace(plan.device, memory_bytes=1_000_000)
    card.show_plan(dataclasses.replace(plan, device=small), is_working=False)
    assert card.note.text() == phrase("training.more_than_the_memory_of", size="1.0\u00a0MB")


@pytest.mark.parametrize(("width", "percent"), [(560, 100), (760, 200)])
def test_every_setting_has_a_name_and_room_also_where_there_is_little(
    driver: ModelDriver, width: int, percent: int
) -> None:
    driver.enlarge(percent)
    driver.work.choose(rank=32)
    expert = driver.open(details=True).expert
    assert set(expert.rows) == set(settings_form.SETTING_ORDER)
    driver.area.resize(width, 600)
    driver.assert_whole()
