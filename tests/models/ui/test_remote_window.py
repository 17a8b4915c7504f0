"""A model elsewhere as a user meets it: added, marked as long as it is chosen, agreed to once, removed and back."""

import dataclasses
from collections.abc import Callable, Iterator

import openpyxl
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QInputMethodEvent
from PySide6.QtWidgets import QApplication, QMenu
from pytestqt.qtbot import QtBot

from app.application import AppContext
from app.chat.store import Store
from app.chat.ui.chat_page import ChatPage
from app.inference.local_model import LocalModel
from app.inference.services.events import EngineStatus
from app.models.ui.remote_server_dialog import RemoteServerDialog
from tests import screenshots
from tests.chat.ui.test_batch_page import BatchWindow
from tests.inference.remote.servers import Script, end, piece, scripted_server, stream_head, whole
from tests.models.ui.driver import ModelsDriver, words
from tests.uikit.ui.clipping import clipped

Open = Callable[..., AppContext]
CHAT = "POST /v1/chat/completions"


@pytest.fixture
def script() -> Iterator[Script]:
    with scripted_server() as script:
        script.says(CHAT, stream_head(), piece("東京です"), end())
        yield script


class Desk(ModelsDriver):
    def __init__(self, parts: AppContext, qtbot: QtBot) -> None:
        super().__init__(parts, qtbot)
        self.chat: ChatPage = parts.window.page("ask")

    def server_dialog(self) -> RemoteServerDialog:
        self.window.show_page("models")
        (wanted,) = [one for one in self.page.menu().actions() if one.text() == "LAN のサーバーを使う…"]
        wanted.trigger()
        return self.dialog(RemoteServerDialog)

    def check(self, dialog: RemoteServerDialog, address: str) -> None:
        dialog.address.clear()
        self.qtbot.keyClicks(dialog.address, address)
        self.click(dialog.check_button)
        self.wait(lambda: dialog._check is None)

    def add(self, script: Script, key: str = "") -> LocalModel:
        dialog = self.server_dialog()
        self.qtbot.keyClicks(dialog.key, key)
        self.check(dialog, script.address)
        self.click(dialog.buttons["use"])
        (model,) = self.elsewhere()
        self.preferences.change(model_id=model.id)
        return model

    def elsewhere(self) -> list[LocalModel]:
        return [one for one in self.library.listed() if one.remote is not None]

    def ask(self, text: str) -> None:
        self.window.show_questions()
        self.chat.composer.set_text(text)
        self.click(self.chat.composer.send_button)

    def answered(self, ask: Callable[[], None]) -> int:
        """Waits for the answer, and returns its id."""
        with self.until(self.parts.session.answer_finished) as told:
            ask()
        return int(told.args[0].id)

    def ask_with_consent(self) -> None:
        self.chat._session.agree_to_remote()
        self.answered(lambda: self.ask("首都は？"))

    def mark(self) -> str:
        """What stands at the question as long as it would leave this computer."""
        mark = self.chat.composer.remote_mark
        return mark.words.text() if mark.isVisible() else ""


@pytest.fixture
def desk(open_window: Open, store: Store, model: LocalModel, qtbot: QtBot) -> Desk:
    store.put_local_model(model)
    return Desk(open_window(), qtbot)


# ------------------------------------------------------------------ the page モデル


def test_a_server_is_checked_and_one_of_its_models_added(desk, script):
    script.says("GET /v1/models", whole({"data": [{"id": "a/first"}, {"id": "b/second", "max_model_len": 8192}]}))
    dialog = desk.server_dialog()
    assert not dialog.buttons["use"].isEnabled()
    assert "接続を確かめる" in dialog.note.text()
    desk.check(dialog, script.address)
    assert "モデルは 2 個" in dialog.note.text()
    assert dialog.name.text() == "first"
    assert "知らせません" in dialog.context_hint.text()
    desk.qtbot.keyClick(dialog.model, Qt.Key.Key_Down)
    dialog.model.activated.emit(1)
    assert dialog.name.text() == "second"
    assert "8,192" in dialog.context_hint.text()
    dialog.name.setText("部署のモデル")
    desk.click(dialog.buttons["use"])
    added = desk.library.listed()[-1]
    assert (added.name, added.remote.model) == ("部署のモデル", "b/second")
    assert desk.titles()[2:4] == ["LAN のサーバーのモデル", "部署のモデル"]
    assert f"http://{script.address}/v1" in desk.shown()
    assert script.address in desk.shown()
    assert not desk.detail.verify_button.isVisible()
    assert not desk.detail.folder_button.isVisible()


def test_a_server_that_is_missing_or_cannot_be_used_is_said_and_another_can_be_tried(desk, script):
    dialog = desk.server_dialog()
    assert not dialog.check_button.isEnabled()
    assert "アドレスを入れて" in dialog.note.text()
    committed = QInputMethodEvent()
    committed.setCommitString("ｇｐｕ：８０００")
    QApplication.sendEvent(dialog.address, committed)
    assert dialog.check_button.isEnabled()
    assert "アドレスを入れて" not in dialog.note.text()
    desk.qtbot.keyClick(dialog.name, Qt.Key.Key_Return)
    assert dialog.isVisible()
    for address, said in (
        ("8.8.8.8:8000", "外にあるため"),
        ("http://user:secret@gpu", "使えません"),
        ("no-such-server.invalid", "見つかりません"),
    ):
        desk.check(dialog, address)
        assert said in dialog.note.text()
        assert "secret" not in dialog.note.text()
        assert not dialog.buttons["use"].isEnabled()
    desk.check(dialog, script.address)
    assert dialog.buttons["use"].isEnabled()
    desk.qtbot.keyClicks(dialog.address, "0")
    assert not dialog.buttons["use"].isEnabled()  # it was found elsewhere
    desk.check(dialog, script.address)
    desk.qtbot.keyPress(dialog.name, Qt.Key.Key_Return)
    assert desk.elsewhere()


def test_the_models_that_were_found_are_in_sight_in_a_low_window(desk, script):
    desk.preferences.change(text_scale_percent=200)
    desk.window.resize(800, 600)
    dialog = desk.server_dialog()
    desk.check(dialog, script.address)
    model = dialog.model
    desk.qtbot.waitUntil(lambda: model.visibleRegion().boundingRect().height() == model.height())
    assert model.hasFocus()


def test_the_key_goes_along_and_is_in_no_file_and_the_answer_says_where_it_was_made(desk, script):
    desk.add(script, key="sesame-opens")
    desk.ask_with_consent()
    assert {request.headers.get("authorization") for request in script.requests} == {"Bearer sesame-opens"}
    files = [path for path in desk.parts.paths.data.rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if b"sesame-opens" in path.read_bytes()]
    assert f"外部へ送信：{script.address}" in words(desk.chat.transcript)


def test_a_connection_is_changed_in_its_place_brought_back_and_not_used_without_permission(desk, script):
    before = desk.add(script)
    with scripted_server() as other:
        desk.page.show_model(before.id)
        desk.click(desk.detail.connection_button)
        dialog = desk.dialog(RemoteServerDialog)
        assert dialog.address.text() == f"http://{script.address}/v1"
        desk.check(dialog, other.address)
        dialog.name.setText("引っ越した")
        desk.click(dialog.buttons["use"])
    after = desk.library.model(before.id)
    assert (after.name, after.remote.address) == ("引っ越した", f"http://{other.address}/v1")
    assert desk.elsewhere() == [after]
    desk.page.show_model(after.id)
    desk.click(desk.detail.remove_button)
    assert desk.library.model(after.id) is None
    assert desk.parts.session.model_id == "tiny"
    desk.window.undo_stack.undo()
    assert desk.library.model(after.id) == after
    desk.preferences.change(network_allowed=False, model_id="tiny")
    desk.page.show_model(after.id)
    assert not desk.detail.use_button.isEnabled()
    assert "外部通信を止めている" in desk.shown()
    dialog = desk.page.remote.ask()
    assert not isinstance(dialog, RemoteServerDialog)
    assert "外部通信を止めている" in dialog.accessibleName()
    dialog.reject()


# ------------------------------------------------------------------------ the mark


def test_the_mark_stands_as_long_as_the_model_is_chosen(desk, script):
    desk.window.show_questions()
    assert desk.mark() == ""
    model = desk.add(script)
    desk.window.show_questions()
    said = f"外部へ送ります：{script.address}"
    assert desk.mark() == said
    assert desk.chat.composer.remote_mark.accessibleName() == said
    assert said in desk.chat.header.model_button.accessibleName()
    menu: QMenu = desk.chat.header.model_button.menu()
    menu.aboutToShow.emit()
    assert f"{model.name}　{said}" in [action.text() for action in menu.actions()]
    desk.ask_with_consent()
    assert desk.window.status_line.device.text() == said
    assert desk.window.status_line.device.isVisible()
    traffic = desk.window.sidebar.traffic
    assert traffic.since_label.text() == "起動後 2 件"  # connected, asked
    assert script.address in traffic.accessibleDescription()
    desk.preferences.change(model_id="tiny")
    assert desk.mark() == ""
    assert desk.chat.header.model_button.toolTip() == ""


def test_a_long_address_takes_no_room_from_the_window_and_is_whole_in_its_tooltip(desk):
    window, place = desk.window, f"gpu.{'department.' * 20}example:8000"
    window.show_questions()
    before = window.minimumSizeHint().width()
    mark, facts = desk.chat.composer.remote_mark, dataclasses.replace(screenshots.facts("/m.gguf"), remote=place)
    mark.show_place("gpu:8000")
    mark.show_place(place)
    assert place in mark.words.toolTip()
    window.status_line.show_status(EngineStatus("ready", "部署のモデル", facts))
    assert place in window.status_line.device.text()
    desk.qtbot.waitUntil(lambda: place in window.status_line.device.toolTip())
    assert window.minimumSizeHint().width() - before < 200
    assert clipped(window) == []


# --------------------------------------------------------------------- the consent


def test_the_first_question_of_a_conversation_is_sent_only_after_a_yes(desk, script):
    desk.add(script)
    before = len(script.requests)
    desk.ask("首都は？")
    dialog = desk.chat.consent.dialog
    assert f"http://{script.address}/v1" in dialog.accessibleDescription()
    desk.click(dialog.buttons["cancel"])
    assert desk.chat.composer.text() == "首都は？"
    assert desk.parts.session.conversation is None
    assert len(script.requests) == before
    desk.click(desk.chat.composer.send_button)
    again = desk.chat.consent.dialog
    assert again is not None
    assert again is not dialog
    desk.answered(lambda: desk.click(again.buttons["send"]))
    assert desk.chat.composer.text() == ""
    desk.answered(lambda: desk.ask("人口は？"))
    assert desk.chat.consent.dialog is again  # it was not asked a second time


def test_a_repeated_answer_of_another_model_is_asked_about_too(desk, script):
    answer_id = desk.answered(lambda: desk.ask("首都は？"))
    desk.add(script)
    desk.window.show_questions()
    desk.chat.transcript.requests.regenerate_requested.emit(answer_id)
    dialog = desk.chat.consent.dialog
    desk.answered(lambda: desk.click(dialog.buttons["send"]))
    assert desk.parts.session.conversation is not None
    assert len(script.questions) == 1


def test_a_file_of_questions_is_sent_only_after_a_yes(desk, script, tmp_path):
    desk.add(script)
    before = len(script.requests)
    file = tmp_path / "質問.jsonl"
    file.write_text('{"question": "一"}\n{"question": "二"}\n', "utf-8")
    batch = BatchWindow(desk.parts, desk.qtbot, tmp_path)
    batch.show()
    batch.choose(file)
    page, out = batch.batch, batch.setup.out
    assert f"外部へ送ります：{script.address}" in page.setup.model.text()
    batch.click(page.setup.start_button)
    batch.wait(lambda: page.consent is not None)
    assert f"http://{script.address}/v1" in page.consent.accessibleDescription()
    desk.click(page.consent.buttons["cancel"])
    assert page.shown_widget is page.setup
    assert len(script.requests) == before
    first = page.consent
    batch.click(page.setup.start_button)
    batch.wait(lambda: page.consent is not first)
    desk.click(page.consent.buttons["send"])
    batch.wait(lambda: page.shown_widget is page.empty and page.banner.isVisible())
    assert len(script.questions) == 2
    facts = [cell for sheet in openpyxl.load_workbook(out) for row in sheet.iter_rows(values_only=True) for cell in row]
    assert [cell for cell in facts if str(cell).endswith(f" @ {script.address}")]
