"""What cannot be asked is said above the field before Enter is pressed, with the button that makes it possible."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from app.application import AppContext
from app.base.errors import AppError
from app.base.wording import phrase
from app.chat.records import Message
from app.chat.store import Store
from app.documents.library import Library
from app.documents.records import Section
from app.inference.local_model import LocalModel
from tests.chat.ui.driver import Window, heard, press

HAS_MEMORY = ("training_has_memory", "study_has_memory")


class Field(Window):
    """The question field with its notice."""

    def __init__(self, parts: AppContext, qtbot: QtBot) -> None:
        super().__init__(parts, qtbot)
        self.notice = self.composer.asking_notice
        self.sent = heard(self.composer.submitted)
        self.pages = heard(parts.navigation.page_requested)
        with qtbot.waitSignal(parts.documents.opened, timeout=60_000):
            parts.documents.open()

    def enter(self, text: str) -> None:
        self.composer.set_text(text)
        press(self.editor, Qt.Key.Key_Return)


@pytest.fixture
def field(open_window: Callable[..., AppContext], qtbot: QtBot) -> Callable[[], Field]:
    return lambda: Field(open_window(), qtbot)


@pytest.fixture
def model(store: Store, tiny_model: Path, tmp_path: Path) -> Path:
    """An installed model, and its file."""
    path = Path(shutil.copyfile(tiny_model, tmp_path / "model.gguf"))
    size = path.stat().st_size
    store.put_local_model(LocalModel("m", "小さなモデル", str(path), size, "llama", "Q4_K_M", 8192, 1.0))
    return path


@pytest.fixture
def documents(library: Library) -> None:
    collection_id = library.add_collection("基準")
    (document_id,) = library.add_documents(collection_id, [Path("/nowhere/基準.md")])
    library.put(library.document(document_id), [Section(("1",), "かぶりは70mmとする。")])
    library.keep(document_id)


def test_without_documents_the_field_says_so_and_leads_to_them(field, model, qtbot):
    desk = field()
    assert desk.notice.words == phrase("chat.there_are_no_documents_yet")
    qtbot.mouseClick(desk.notice.button, Qt.MouseButton.LeftButton)
    assert desk.pages == [("documents",)]
    desk.enter("こんにちは")  # a model answers without documents
    assert desk.sent == [("こんにちは",)]
    assert desk.notice.words == ""  # and need not say it again


def test_with_neither_model_nor_documents_enter_leads_to_the_button_and_keeps_the_text(field):
    desk = field()
    assert desk.notice.words == phrase("chat.there_is_no_model_to_answer")
    desk.enter("質問")
    assert desk.sent == []
    assert desk.notice.button.hasFocus()
    assert desk.composer.text() == "質問"
    assert not desk.composer.send_button.isEnabled()
    press(desk.notice.button, Qt.Key.Key_Return)
    assert desk.pages == [("documents",)]


def test_without_a_model_documents_have_to_be_chosen(field, documents):
    desk = field()
    assert desk.notice.words == ""  # they are asked, and quoted
    desk.page.scoping.choose([])
    assert desk.notice.words == phrase("chat.without_a_model_choose_documents")
    desk.enter("質問")
    assert desk.sent == []


@pytest.mark.parametrize("code", HAS_MEMORY)
def test_while_the_machine_is_used_only_documents_can_be_asked(field, documents, model, code):
    desk = field()
    assert desk.notice.words == ""
    desk.parts.engine.refusal = AppError(code)
    assert desk.notice.words == phrase(f"chat.machine_quoted.{code}")
    desk.enter("かぶりは？")
    assert desk.sent == [("かぶりは？",)]
    desk.session.open_new()
    desk.page.scoping.choose([])
    assert desk.notice.words == phrase(f"chat.machine_refused.{code}")
    desk.enter("こんにちは")
    assert desk.sent == [("かぶりは？",)]
    desk.parts.engine.refusal = None
    assert desk.notice.words == ""
    assert desk.composer.send_button.isEnabled()


def test_a_model_that_cannot_be_loaded_is_named_while_the_question_is_typed(field, documents, model, qtbot):
    model.write_bytes(model.read_bytes()[:64])  # as after a disk error
    desk = field()
    desk.type("a")
    qtbot.waitUntil(lambda: "モデルを読み込めません" in desk.notice.words)
    qtbot.mouseClick(desk.notice.button, Qt.MouseButton.LeftButton)
    assert desk.pages == [("models",)]


def test_one_button_pauses_the_training_and_then_asks_what_was_typed(field, model, qtbot):
    desk = field()
    desk.page.scoping.choose([])
    desk.parts.trainings.folder = Path("/nowhere/run")  # it is about to begin
    desk.parts.engine.refusal = AppError("training_has_memory")
    desk.enter("こんにちは")
    assert desk.sent == []
    assert desk.notice.button.text() == phrase("chat.pause_and_ask")
    qtbot.mouseClick(desk.notice.button, Qt.MouseButton.LeftButton)
    assert desk.sent == [("こんにちは",)]
    assert not desk.parts.trainings.is_training
    assert desk.notice.words == phrase("chat.the_work_is_paused")
    assert desk.notice.button.text() == phrase("chat.go_on_with_the_work")


def test_a_question_about_the_whole_document_leads_to_its_window(field, documents, model, qtbot):
    desk = field()
    requests = heard(desk.parts.navigation.overview_requested)
    desk.parts.navigation.overview_requested.disconnect(desk.parts._on_overview_requested)
    desk.composer.set_text("かぶりは？")
    desk.composer.typed.emit()
    assert desk.notice.words == ""
    for question, kind in (
        ("この資料を要約して", "summary"),
        ("すべての数値基準を表にして", "values"),
        ("Summarize this document", "summary"),
    ):
        desk.composer.set_text(question)
        desk.composer.typed.emit()
        assert desk.notice.words == phrase(f"chat.overview_offer.{kind}")
        qtbot.mouseClick(desk.notice.button, Qt.MouseButton.LeftButton)
        (request,) = requests.pop()
        assert (request.kind, request.document_ids) == (kind, (1,))
    desk.page.scoping.choose([])
    desk.composer.typed.emit()
    assert desk.notice.words == ""  # of what the model knows there is no such window


def test_the_offer_stays_when_the_question_was_sent(field, documents, model):
    desk = field()
    desk.session.message_added.emit(Message(1, 1, None, "question", "この資料を要約して", "done", 0.0))
    assert desk.notice.words == phrase("chat.overview_offer.summary")
    desk.session.message_added.emit(Message(2, 1, 1, "answer", "", "streaming", 0.0))
    assert desk.notice.words == phrase("chat.overview_offer.summary")
    desk.session.open_new()
    assert desk.notice.words == ""


def test_one_of_several_documents_has_to_be_chosen_for_a_summary(field, documents, model, library):
    (other,) = library.add_documents(1, [Path("/nowhere/要領.md")])
    library.put(library.document(other), [Section(("1",), "かぶりは80mmとする。")])
    library.keep(other)
    desk = field()
    for text, key in (
        ("この資料を要約して", "offer_choose_one"),
        ("旧版と新版の違いは？", "overview_offer.comparison"),
    ):
        desk.composer.set_text(text)
        desk.composer.typed.emit()
        assert desk.notice.words == phrase(f"chat.{key}")
