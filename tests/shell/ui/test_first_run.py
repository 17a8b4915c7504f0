"""The greeting of the first start: shown once, left at any step without a loss, finished by keyboard alone."""

import threading

import pytest
import shiboken6
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractButton, QApplication, QLabel

from app.base import settings
from app.base.errors import AppError
from app.base.services import background
from app.base.services.preferences import Preferences
from app.inference import machine, speed
from app.inference.machine import Gpu, Machine
from app.inference.speed import MachineSpeed
from app.models import local_models, starter
from app.models.kits import kit_export, kit_import
from app.models.ui import model_actions
from app.shell.ui.first_run_dialog import FirstRunDialog
from app.uikit.desktop import Pickers
from app.uikit.dialogs import Dialog
from tests import model_files as models
from tests.models.test_verify import flip
from tests.permits import PERMIT

GB = 10**9
DESK = Machine(memory_bytes=32 * GB, available_bytes=24 * GB, cores=8, free_disk_bytes=200 * GB)


@pytest.fixture
def here(monkeypatch):
    """A desktop computer without a graphics processor. Tests replace what they need."""
    monkeypatch.setattr(machine, "measure_machine", lambda _folder: DESK)
    monkeypatch.setattr(machine, "list_gpus", lambda: ())


@pytest.fixture
def parts(open_window, here):
    return open_window()


@pytest.fixture
def greet(parts, qtbot):
    def greet() -> FirstRunDialog:
        parts.navigation.first_run_requested.emit()
        dialog = parts.window.findChildren(FirstRunDialog)[-1]
        qtbot.waitUntil(dialog.isActiveWindow)
        return dialog

    return greet


def shown(widget) -> str:
    return "\n".join(label.text() for label in widget.findChildren(QLabel) if label.isVisible())


def press(qtbot, key: Qt.Key) -> None:
    qtbot.keyClick(QApplication.focusWidget(), key)


# ----------------------------------------------------------------- once, and again on request


def test_it_is_for_those_who_have_no_conversation_and_have_not_closed_it(parts, store):
    assert parts.is_first_run
    store.add_question("もうここにいる")
    assert not parts.is_first_run


@pytest.mark.parametrize("step", [0, 1, 2])
def test_escape_at_any_step_ends_it_for_good_and_changes_nothing_else(parts, greet, qtbot, where, step):
    before = parts.preferences.value
    dialog = greet()
    dialog.show_step(step)
    press(qtbot, Qt.Key.Key_Escape)
    assert not dialog.isVisible()
    assert not parts.is_first_run
    after = settings.load(where.settings)
    assert after.first_run_done
    assert {name for name in settings.Settings.__slots__ if getattr(before, name) != getattr(after, name)} == {
        "first_run_done"
    }
    assert parts.library.models() == []


def test_closing_the_dialogs_window_ends_it_too(parts, greet, where):
    greet().close()
    assert Preferences(where.settings).value.first_run_done


def test_it_can_be_opened_again_from_the_settings(parts, qtbot):
    parts.window.show_page("settings")
    page = parts.window.page("settings")
    page.show_named("about")
    qtbot.mouseClick(page.section("about").first_run_button, Qt.MouseButton.LeftButton)
    assert parts.window.findChild(FirstRunDialog).isVisible()


# ------------------------------------------------------------------------------- step 1


def test_what_the_machine_offers_is_shown(parts, greet, qtbot):
    dialog = greet()
    qtbot.waitUntil(lambda: "見つかりません。CPU で回答します。" in shown(dialog))
    for fact in ("32.0 GB（空き 24.0 GB）", "物理コア 8 個", "200 GB"):
        assert fact in shown(dialog)
    assert "入力した内容と資料は、この PC の中だけで扱います。" in shown(dialog)


def test_graphics_processors_are_named_without_a_promise(parts, greet, qtbot, monkeypatch):
    monkeypatch.setattr(machine, "list_gpus", lambda: (Gpu("NVIDIA GeForce RTX 4060 Ti", 17 * GB), Gpu("AMD")))
    dialog = greet()
    qtbot.waitUntil(lambda: "NVIDIA GeForce RTX 4060 Ti（17.0 GB）\nAMD\n" in shown(dialog))
    assert "回答に使えるかは、モデルを読み込むときに確かめます。" in shown(dialog)


def test_a_driver_that_answers_after_the_dialog_is_closed_disturbs_nobody(parts, greet, qtbot, monkeypatch):
    go_on, asked = threading.Event(), threading.Event()

    def slow_gpus():
        go_on.wait()
        asked.set()
        return ()

    monkeypatch.setattr(machine, "list_gpus", slow_gpus)
    dialog = greet()
    press(qtbot, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: not shiboken6.isValid(dialog))
    with qtbot.captureExceptions() as bugs:
        go_on.set()
        qtbot.waitUntil(lambda: asked.is_set() and not background._running)
    assert bugs == []


ADVICE = (
    (24, 200, ("おすすめは 8B のモデルです。", "必要なメモリは約 5.6 GB", "メモリには 32B まで余裕をもって入ります。")),
    (5.8, 200, ("おすすめは 3B のモデルです。", "業務向けの 8B も動きますが、メモリの余裕はわずかです。")),
    (4, 200, ("おすすめは 3B のモデルです。", "業務向けの 8B には、空きメモリが足りません（約 5.6 GB 必要です）。")),
    (0.5, 200, ("いまの空きメモリでは、1B のモデルでも余裕がありません。",)),
    (24, 5, ("おすすめは 8B のモデルです。", "▲ 保存先の空きが足りません。")),
)


def test_the_advice_follows_from_the_room_there_is(parts, greet, qtbot, monkeypatch):
    for available_gb, disk_gb, says in ADVICE:
        room = Machine(32 * GB, int(available_gb * GB), 8, int(disk_gb * GB))
        monkeypatch.setattr(machine, "measure_machine", lambda _folder, room=room: room)
        dialog = greet()
        qtbot.waitUntil(dialog.machine.advice.isVisible)
        words = shown(dialog)
        assert [sentence for sentence in says if sentence not in words] == []
        assert ("▲" in words) == (disk_gb < 10)
        dialog.close()


SLOW_DESK = MachineSpeed(1.48e10, 4.34e11, 1.4e11, 2, 1.0)


@pytest.fixture
def measuring(parts, monkeypatch):
    """The slow computer is measured until it is let go on, or the measurement is cancelled."""
    let_go = threading.Event()

    def measure(report):
        while not let_go.wait(0.01):
            report(3, 16)
        report(16, 16)
        return SLOW_DESK

    monkeypatch.setattr(speed, "measure", measure)
    yield let_go
    let_go.set()


def test_nothing_is_recommended_before_the_speed_is_measured(measuring, greet, qtbot, where):
    dialog = greet()
    qtbot.waitUntil(lambda: "19 %" in dialog.machine.progress.words)
    assert "この PC の速さを測っています" in shown(dialog)
    assert "おすすめは" not in shown(dialog)
    measuring.set()
    qtbot.waitUntil(dialog.machine.advice.isVisible)
    words = shown(dialog)
    assert "おすすめは 3B のモデルです。" in words
    assert "最初の語まで、短い質問で約 1 秒、資料への質問で約 10 秒。" in words
    assert "業務向けの 8B も動きますが、資料への質問では最初の語まで約 30 秒、そのあと 1 秒に約 5 字です。" in words
    assert not dialog.machine.progress.isVisible()
    assert speed.load(where.data / speed.FILE_NAME) == SLOW_DESK
    dialog.show_step(1)
    assert "sarashina2.2-3b" in shown(dialog.model)
    assert "この PC におすすめのモデルです。" in shown(dialog.model)


@pytest.mark.parametrize("way", ["cancel", "go on"])
def test_a_speed_that_was_not_measured_is_said_to_be_unknown(way, measuring, greet, qtbot, where):
    dialog = greet()
    qtbot.waitUntil(lambda: "19 %" in dialog.machine.progress.words)
    if way == "cancel":
        qtbot.mouseClick(dialog.machine.progress.cancel_button, Qt.MouseButton.LeftButton)
        qtbot.waitUntil(dialog.machine.advice.isVisible)
        assert "8B のモデルなら、メモリは足ります・速さは未測定" in shown(dialog)
        assert "おすすめは" not in shown(dialog)
    press_next = dialog.next_button
    qtbot.mouseClick(press_next, Qt.MouseButton.LeftButton)
    assert "メモリは足ります・速さは未測定です。" in shown(dialog.model)
    assert "おすすめのモデル" not in shown(dialog.model)
    qtbot.waitUntil(lambda: not background._running)
    assert not (where.data / speed.FILE_NAME).exists()
    qtbot.mouseClick(dialog.back_button, Qt.MouseButton.LeftButton)
    assert dialog.machine.progress.isVisible(), "measured again on the way back"
    measuring.set()
    qtbot.waitUntil(lambda: "おすすめは 3B のモデルです。" in shown(dialog))


def test_where_every_size_is_slow_the_smallest_is_recommended_and_said_to_be_slow(greet, qtbot, where):
    speed.save(where.data / speed.FILE_NAME, MachineSpeed(1.06e9, 3.1e10, 1e10, 1, 1.0))
    dialog = greet()
    assert "おすすめは 1B のモデルです。" in shown(dialog)
    assert "この PC では、この大きさでも待たされます。" in shown(dialog)


# ------------------------------------------------------------------------------- step 2


@pytest.fixture
def choosing(greet):
    dialog = greet()
    dialog.show_step(1)
    return dialog


def test_a_file_becomes_the_model_that_questions_go_to(parts, choosing, qtbot, tiny_model, monkeypatch):
    monkeypatch.setattr(model_actions, "choose_gguf_file", lambda _parent: str(tiny_model))
    assert not choosing.next_button.isVisible()
    with qtbot.waitSignal(parts.library.imported):
        qtbot.mouseClick(choosing.model.file_button, Qt.MouseButton.LeftButton)
    model = parts.library.models()[0]
    assert parts.preferences.value.model_id == model.id
    assert f"✓ {model.name} を質問に使います。" in shown(choosing)
    assert choosing.next_button.hasFocus()
    assert not choosing.later_button.isVisible()


def test_choosing_no_file_changes_nothing(parts, choosing, qtbot, monkeypatch):
    monkeypatch.setattr(model_actions, "choose_gguf_file", lambda _parent: "")
    qtbot.mouseClick(choosing.model.file_button, Qt.MouseButton.LeftButton)
    assert not parts.library.is_working
    assert choosing.model.progress.isHidden()


def test_a_bad_file_is_explained_there_and_another_can_be_chosen(
    parts, choosing, qtbot, tmp_path, tiny_model, monkeypatch
):
    page = tmp_path / "model.gguf"
    page.write_text("<!DOCTYPE html><html></html>", "utf-8")
    files = iter((str(page), str(tiny_model)))
    monkeypatch.setattr(model_actions, "choose_gguf_file", lambda _parent: next(files, ""))
    with qtbot.waitSignal(parts.library.failed):
        qtbot.mouseClick(choosing.model.file_button, Qt.MouseButton.LeftButton)
    assert "保存された Web ページです" in shown(choosing.model.banner)
    assert choosing.model.progress.isHidden()
    again = next(b for b in choosing.model.banner.findChildren(QAbstractButton) if b.text() == "別のファイルを選ぶ")
    with qtbot.waitSignal(parts.library.imported):
        qtbot.mouseClick(again, Qt.MouseButton.LeftButton)
    assert not choosing.model.banner.isVisible()
    assert choosing.model.has_model


@pytest.fixture
def with_starter(monkeypatch):
    """The trial model's package is here; putting it together goes on until it is cancelled or let go on."""
    let_go = threading.Event()

    def assemble(_card, folder, report):
        for step in range(1_000_000):
            if let_go.is_set():
                return models.tiny_llama(folder / "trial.gguf", metadata={"general.name": "Gemma 3 270M"})
            report(min(250_000_000, step * 250_000), 253_113_024)
            let_go.wait(0.005)
        raise AssertionError("nobody cancelled")

    monkeypatch.setattr(starter, "cards", lambda: [starter.card()])
    monkeypatch.setattr(starter, "assemble", assemble)
    return let_go


def test_the_licence_is_read_before_the_trial_model_is_added(with_starter, parts, choosing):
    words = shown(choosing.model.starter_card)
    card = starter.card()
    assert card.licence in words
    assert card.licence_notice in words
    assert choosing.model.starter_button.hasFocus()
    assert parts.library.models() == []


def test_adding_the_trial_model_shows_progress_and_is_cancelled_by_keyboard(with_starter, parts, choosing, qtbot):
    press(qtbot, Qt.Key.Key_Return)
    step = choosing.model
    qtbot.waitUntil(lambda: "0.25 GB" in step.progress.words)
    qtbot.waitUntil(lambda: not step.progress.visibleRegion().isEmpty())
    assert step.progress.cancel_button.hasFocus()
    assert not step.starter_button.isEnabled()
    with qtbot.waitSignal(parts.library.failed):
        press(qtbot, Qt.Key.Key_Space)
    assert step.progress.isHidden()
    assert not step.banner.isVisible()
    assert step.starter_button.hasFocus()
    assert parts.library.models() == []


def test_what_fails_here_is_not_explained_on_the_page_behind(parts, choosing, qtbot, tmp_path):
    page = parts.window.page("models")
    with qtbot.waitSignal(parts.library.failed):
        choosing.model.import_path(str(tmp_path / "missing.gguf"))
    assert choosing.model.banner.isVisible()
    assert page.banner.isHidden()


def test_what_fails_after_the_dialog_was_closed_is_explained_on_the_page(with_starter, parts, choosing, qtbot):
    press(qtbot, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: parts.library.is_working)
    choosing.reject()
    page = parts.window.models_page()
    assert page.progress.isVisible()
    parts.library.failed.emit(AppError("disk_full", path="/", free_bytes=0))
    assert page.banner.isVisible()
    with qtbot.waitSignal(parts.library.failed):
        parts.library.cancel()


@pytest.mark.parametrize("code", ["cancelled", "disk_full"])
def test_only_the_trial_model_that_was_asked_for_leads_back_to_the_question(
    code, with_starter, parts, qtbot, tiny_model
):
    parts.navigation.starter_requested.emit()
    assert parts.window.current_page == "models"
    with qtbot.waitSignal(parts.library.failed):
        if code == "cancelled":
            parts.library.cancel()
        else:
            parts.library.failed.emit(AppError(code, path="/", free_bytes=0))
    parts.library.cancel()
    qtbot.waitUntil(lambda: not parts.library.is_working)
    with qtbot.waitSignal(parts.library.imported):
        parts.library.import_file(str(tiny_model))
    assert parts.window.current_page == "models"
    parts.navigation.starter_requested.emit()
    with qtbot.waitSignal(parts.library.imported):
        with_starter.set()
    assert parts.window.current_page == "ask"


def test_what_is_being_added_goes_on_when_the_dialog_is_closed(with_starter, parts, choosing, qtbot):
    press(qtbot, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: parts.library.is_working)
    choosing.reject()
    qtbot.waitUntil(lambda: not shiboken6.isValid(choosing))
    with qtbot.waitSignal(parts.library.imported):
        with_starter.set()
    assert [model.card_id for model in parts.library.models()] == ["gemma-3-270m"]


def test_the_added_trial_model_is_not_offered_again(with_starter, parts, choosing, qtbot):
    with_starter.set()
    with qtbot.waitSignal(parts.library.imported):
        press(qtbot, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: choosing.step == 2)  # it goes on by itself
    assert choosing.documents.files_button.hasFocus()
    qtbot.mouseClick(choosing.back_button, Qt.MouseButton.LeftButton)
    assert not choosing.model.starter_card.isVisible()
    assert choosing.next_button.hasFocus()


@pytest.fixture
def care(parts):
    return parts.window.pages.models().maintenance_strip


@pytest.fixture
def kit(tmp_path, tiny_model):
    """A transfer kit with one model."""
    kit_export.export_kit([local_models.describe(tiny_model)], tmp_path / "kit", permit=PERMIT)
    return tmp_path / "kit"


@pytest.fixture
def ask_for_kit(parts, greet, care, qtbot, monkeypatch):
    """Presses the button of step 2 and chooses that folder; "" leaves without a choice."""
    monkeypatch.setattr(starter, "is_available", lambda: False)

    def ask(folder) -> None:
        care._pickers = Pickers(folder=lambda *_: str(folder))
        dialog = greet()
        dialog.show_step(1)
        assert dialog.model.starter_button.hasFocus()
        assert dialog.model.starter_button.text() == "お試し用のキットを取り込む…"
        press(qtbot, Qt.Key.Key_Return)
        assert not dialog.isVisible()
        assert parts.window.current_page == "models"

    return ask


@pytest.fixture
def endless_kit(monkeypatch):
    """Importing a kit goes on until it is cancelled."""
    never = threading.Event()

    def bring_in(_folder, _target, _register, _read_presets, report):
        for step in range(1_000_000):
            report(step, 1_000_000)
            never.wait(0.005)
        raise AssertionError("nobody cancelled")

    monkeypatch.setattr(kit_import, "import_kit", bring_in)


def shown_guides(parts) -> list[FirstRunDialog]:
    return [dialog for dialog in parts.window.findChildren(FirstRunDialog) if dialog.isVisible()]


def test_after_a_kit_was_imported_it_goes_on_to_the_first_question(parts, ask_for_kit, care, kit, qtbot):
    with qtbot.waitSignal(care.import_ended):
        ask_for_kit(kit)
        assert shown_guides(parts) == []
    (dialog,) = shown_guides(parts)
    qtbot.waitUntil(dialog.isActiveWindow)
    assert dialog.step == 1
    assert f"✓ {parts.library.models()[0].name} を質問に使います。" in shown(dialog)
    assert dialog.next_button.hasFocus()
    assert not parts.preferences.value.first_run_done
    press(qtbot, Qt.Key.Key_Return)
    assert dialog.step == 2
    qtbot.mouseClick(dialog.start_button, Qt.MouseButton.LeftButton)
    assert parts.window.page("ask").composer.text() == "モデルを追加するには？"
    assert parts.preferences.value.first_run_done


def goes_on_without_a_model(parts, qtbot) -> str:
    """The words of its banner."""
    (dialog,) = shown_guides(parts)
    qtbot.waitUntil(dialog.isActiveWindow)
    assert dialog.step == 1
    assert dialog.model.starter_button.hasFocus()
    assert parts.is_first_run
    return shown(dialog.model.banner)


def test_without_a_folder_chosen_it_goes_on_where_the_kit_was_asked_for(parts, ask_for_kit, qtbot):
    ask_for_kit("")
    assert goes_on_without_a_model(parts, qtbot) == ""


def test_after_a_kit_that_is_none_it_goes_on_and_says_why(parts, ask_for_kit, care, tmp_path, qtbot):
    with qtbot.waitSignal(care.import_ended):
        ask_for_kit(tmp_path)
    assert "持ち運びキットが見つかりません" in goes_on_without_a_model(parts, qtbot)


def test_after_the_import_of_a_kit_was_cancelled_it_goes_on(parts, ask_for_kit, care, endless_kit, tmp_path, qtbot):
    with qtbot.waitSignal(care.import_ended):
        ask_for_kit(tmp_path)
        care.progress.cancel_button.click()
    assert goes_on_without_a_model(parts, qtbot) == ""


def shown_problems(parts) -> Dialog:
    (dialog,) = (dialog for dialog in parts.window.findChildren(Dialog) if dialog.isVisible())
    return dialog


def test_after_what_is_wrong_with_a_kit_was_read_it_goes_on(parts, ask_for_kit, care, kit, qtbot):
    flip(next(kit.glob("*.kotae-part")), 300_000)
    with qtbot.waitSignal(parts.maintenance.kit_read):
        ask_for_kit(kit)
    with qtbot.waitSignal(parts.maintenance.kit_read):
        shown_problems(parts).buttons["again"].click()
    assert shown_guides(parts) == []
    with qtbot.waitSignal(care.import_ended):
        shown_problems(parts).buttons["cancel"].click()
    assert goes_on_without_a_model(parts, qtbot) == ""


def test_a_guide_that_was_opened_again_during_the_import_is_not_opened_twice(
    parts, ask_for_kit, greet, care, endless_kit, tmp_path, qtbot
):
    with qtbot.waitSignal(care.import_ended):
        ask_for_kit(tmp_path)
        again = greet()
        care.progress.cancel_button.click()
    assert shown_guides(parts) == [again]


def test_it_stays_away_from_somebody_who_has_gone_on_to_ask(parts, ask_for_kit, care, endless_kit, tmp_path, qtbot):
    with qtbot.waitSignal(care.import_ended):
        ask_for_kit(tmp_path)
        parts.window.show_questions()
        care.progress.cancel_button.click()
    assert shown_guides(parts) == []


@pytest.mark.parametrize(("choice", "is_allowed"), [("allow", True), ("plain", False)])
def test_a_file_with_its_own_template_asks_before_that_runs(parts, choosing, qtbot, tmp_path, choice, is_allowed):
    path = models.tiny_llama(tmp_path / "own.gguf", chat_template="{{ messages[0].content }}")
    choosing.model.import_path(str(path))
    qtbot.waitUntil(lambda: bool(choosing.model.findChildren(Dialog)))
    choosing.model.findChildren(Dialog)[0]._choose(choice)
    assert parts.library.models()[0].template_allowed == is_allowed


# ------------------------------------------------------------------------------- step 3, and all of it


def test_somebody_without_a_model_and_without_a_network_finishes_by_keyboard_alone(parts, greet, qtbot, monkeypatch):
    monkeypatch.setattr(starter, "is_available", lambda: False)
    dialog = greet()
    press(qtbot, Qt.Key.Key_Return)
    assert dialog.step == 1
    while not dialog.later_button.hasFocus():
        press(qtbot, Qt.Key.Key_Tab)
    press(qtbot, Qt.Key.Key_Return)
    assert "モデルがなくても、資料の文を抜き出して答えます。" in shown(dialog)
    assert dialog.documents.files_button.hasFocus()
    while not dialog.start_button.hasFocus():
        press(qtbot, Qt.Key.Key_Tab)
    press(qtbot, Qt.Key.Key_Return)
    composer = parts.window.page("ask").composer
    assert composer.text() == "モデルを追加するには？"
    assert parts.preferences.value.first_run_done
    assert parts.window.focusWidget() is composer.editor


def test_a_question_that_was_begun_is_not_replaced_by_the_example(parts, greet, qtbot):
    composer = parts.window.page("ask").composer
    composer.set_text("書きかけの質問")
    dialog = greet()
    dialog.show_step(2)
    qtbot.mouseClick(dialog.start_button, Qt.MouseButton.LeftButton)
    assert composer.text() == "書きかけの質問"


def test_with_a_model_the_last_step_has_no_warning(parts, greet, model, store):
    parts.library.update(model)
    dialog = greet()
    dialog.show_step(2)
    assert "▲" not in shown(dialog)


class Journey:
    """Somebody at the last step, who chooses files in the system's dialog, and what that costs in clicks."""

    def __init__(self, dialog: FirstRunDialog, qtbot) -> None:
        self.dialog, self._qtbot, self.clicks = dialog, qtbot, 0

    def click(self, button: QAbstractButton) -> None:
        self._qtbot.waitUntil(button.isVisible)
        self.clicks += 1
        self._qtbot.mouseClick(button, Qt.MouseButton.LeftButton)

    def choose(self, button: QAbstractButton, *paths: object) -> None:
        def chosen(*_arguments: object) -> list[str]:
            self.clicks += 1  # a double click on the file
            return [str(path) for path in paths]

        self.dialog.documents._pickers = Pickers(open_several=chosen)
        self.click(button)

    def wait_for_offer(self) -> list[QAbstractButton]:
        self._qtbot.waitUntil(lambda: self.dialog.documents.has_offer, timeout=60_000)
        return self.dialog.documents.offer.question_buttons


RULE = "# 第1条（宿泊料の上限）\n\n宿泊料の上限は、一泊につき12000円とする。領収書を添えて申請する。\n"


def test_the_first_answer_about_ones_own_document_is_five_clicks_away(parts, greet, qtbot, tmp_path):
    document = tmp_path / "旅費規程.md"
    document.write_text(RULE, "utf-8")
    journey = Journey(greet(), qtbot)
    qtbot.waitUntil(journey.dialog.machine.advice.isVisible, timeout=60_000)
    journey.click(journey.dialog.next_button)
    journey.click(journey.dialog.later_button)
    journey.choose(journey.dialog.documents.files_button, document)
    first = journey.wait_for_offer()[0]
    assert first.text() == "宿泊料の上限は何円ですか？"
    assert journey.dialog.documents.offer.ask_button.property("kind") == "primary"
    with qtbot.waitSignal(parts.session.answer_finished, timeout=60_000) as answered:
        journey.click(first)
    assert journey.clicks <= 5
    assert "12000円" in answered.args[0].text
    assert parts.window.current_page == "ask"
    assert shown_guides(parts) == []
    assert parts.preferences.value.first_run_done


def test_with_nothing_at_hand_the_sample_is_read_and_can_be_asked(parts, greet, qtbot, where):
    journey = Journey(greet(), qtbot)
    journey.dialog.show_step(2)
    journey.click(journey.dialog.documents.sample_button)
    assert len(journey.wait_for_offer()) == 3
    journey.click(journey.dialog.documents.offer.ask_button)
    (asked,) = parts.session.scope
    documents = parts.documents.askable_documents(asked.id)
    assert [document.name for document in documents] == ["見本_図書室の利用規程.md"]
    assert (where.data / "sample" / documents[0].name).is_file()
    assert parts.window.focusWidget() is parts.page.composer.editor
    assert parts.page.composer.text() == ""


def test_from_the_choice_of_a_folder_to_the_offer_it_says_what_it_does(greet, qtbot, tmp_path):
    folder = tmp_path / "規程"
    folder.mkdir()
    (folder / "旅費.md").write_text(RULE, "utf-8")
    step = greet().documents
    step.window().show_step(2)
    step.add([folder])
    assert (step.queue.isVisible(), step.queue.work_label.text()) == (True, "資料を調べています…")
    silent = []

    def is_offered() -> bool:
        silent.extend([True] if not step.has_offer and not step.queue.isVisible() else [])
        return step.has_offer

    qtbot.waitUntil(is_offered, timeout=60_000)
    assert (silent, step.queue.isVisible()) == ([], False)


def test_a_file_without_text_is_told_of_and_another_can_be_chosen(parts, greet, qtbot, tmp_path):
    empty = tmp_path / "壊れた.pdf"
    empty.write_bytes(b"%PDF-1.4 nothing")
    journey = Journey(greet(), qtbot)
    journey.dialog.show_step(2)
    journey.choose(journey.dialog.documents.files_button, empty)
    qtbot.waitUntil(lambda: "質問に使える文がありませんでした。" in shown(journey.dialog), timeout=60_000)
    assert not journey.dialog.documents.has_offer
    assert journey.dialog.documents.files_button.property("kind") == "primary"


def test_one_goes_back_by_the_button_and_by_the_rail(parts, greet, qtbot):
    dialog = greet()
    assert not dialog.back_button.isVisible()
    dialog.show_step(2)
    qtbot.mouseClick(dialog.back_button, Qt.MouseButton.LeftButton)
    assert dialog.step == 1
    qtbot.mouseClick(dialog.rail.steps[0], Qt.MouseButton.LeftButton)
    assert dialog.step == 0


@pytest.mark.parametrize("step", [0, 1, 2])
def test_everything_that_can_be_pressed_has_a_name_and_one_button_is_primary(with_starter, parts, greet, model, step):
    dialog = greet()
    dialog.show_step(step)
    for has_model in (False, True):
        if has_model:
            parts.library.update(model)
        buttons = [button for button in dialog.findChildren(QAbstractButton) if button.isVisible()]
        assert all(button.accessibleName() or button.text() for button in buttons)
        assert [b.text() for b in buttons if b.property("kind") == "primary"] == [
            button.text() for button in buttons if button.hasFocus()
        ]
