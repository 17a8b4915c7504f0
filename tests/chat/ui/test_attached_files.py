"""A file for the questions of one conversation: dropped, pasted or chosen, read by the real child, and gone with it."""

import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import docx
import openpyxl
import pptx
import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QImage
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from app.application import AppContext
from app.base.wording import phrase
from app.chat.organizer import ConversationOrganizer
from app.chat.ui.transcript.sources_footer import SourcesFooter
from app.documents import section_search
from app.documents.library import Library
from app.documents.overview.result_table import OverviewRequest
from app.documents.services import document_library
from app.inference import machine
from app.inference.engine.messages import Ask, Load
from app.models import local_models
from app.uikit import desktop
from app.uikit.widgets.banner import Banner
from app.uikit.widgets.labels import Label
from tests import model_files as models
from tests.chat.ui.driver import CONTROL, NONE, Window, press, words
from tests.documents.reading.pdf_maker import Pdf, text
from tests.documents.reading.stand_in import answering, row

READING_MS = 60_000
CLAUSE = "損害賠償の額は委託料の120パーセントを上限とする。"
TEXT = f"# 契約書\n\n## 第8条（損害賠償）\n\n{CLAUSE}\n"
QUESTION = "損害賠償の上限は？"


class Chat(Window):
    """The window with its documents open, and files that are given to it."""

    def __init__(self, parts: AppContext, qtbot: QtBot) -> None:
        super().__init__(parts, qtbot)
        self.documents, self.files, self.line = parts.documents, self.page.files, self.page.scope_line
        with qtbot.waitSignal(parts.documents.opened, timeout=READING_MS):
            parts.documents.open()

    def drop(self, *paths: Path, on: QWidget | None = None) -> None:
        data = QMimeData()
        data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
        copy, left = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton
        QApplication.sendEvent(on or self.page, QDragEnterEvent(QPoint(9, 9), copy, data, left, NONE))
        QApplication.sendEvent(on or self.page, QDropEvent(QPointF(9, 9), copy, data, left, NONE))

    def read(self) -> None:
        self.qtbot.waitUntil(lambda: not self.files.reading, timeout=READING_MS)

    def give(self, *paths: Path) -> None:
        self.drop(*paths)
        self.read()

    def asked(self) -> list[str]:
        """Return the names of what is asked, as the chips show them."""
        return [chip.label.text() for chip in self.line.chips]

    def stored(self) -> list[str]:
        """Return the names of all documents in the database that are attached."""
        with closing(sqlite3.connect(self.documents.path)) as db:
            rows = db.execute(
                "SELECT d.name FROM document d JOIN collection c ON c.id = d.collection_id"
                " WHERE c.attached <> '' AND NOT c.is_leaving ORDER BY d.name"
            )
            return [row[0] for row in rows]

    def is_gone(self) -> bool:
        """Whether no attached file is stored, and their text is in no page of the database."""
        with closing(sqlite3.connect(self.documents.path)) as db:
            if db.execute("SELECT count(*) FROM collection WHERE attached <> ''").fetchone()[0]:
                return False
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return CLAUSE.encode() not in self.documents.path.read_bytes()

    def wait_until_gone(self) -> None:
        self.qtbot.waitUntil(self.is_gone, timeout=READING_MS)

    def banner(self) -> str:
        banner: Banner = self.page.banner
        return "" if banner.isHidden() else " ".join(label.text() for label in banner.findChildren(Label))

    def menu(self) -> dict[str, object]:
        """Return the entries of the menu of the one file, with those of its submenu."""
        menu = self.files.menu(next(ref.name for ref in self.session.scope if " #" in ref.name))
        inner = [action for one in menu.actions() if one.menu() is not None for action in one.menu().actions()]
        return {action.text(): action for action in (*menu.actions(), *inner)}


@pytest.fixture
def chat(open_window: Callable[..., AppContext], qtbot: QtBot) -> Chat:
    return Chat(open_window(), qtbot)


@pytest.fixture
def contract(tmp_path: Path) -> Path:
    path = tmp_path / "契約書.md"
    path.write_text(TEXT, "utf-8")
    return path


def pdf(path: Path) -> None:
    made = Pdf()
    made.page(text(60, 700, CLAUSE))
    path.write_bytes(made.bytes())


def word(path: Path) -> None:
    made = docx.Document()
    made.add_paragraph(CLAUSE)
    made.save(str(path))


def workbook(path: Path) -> None:
    made = openpyxl.Workbook()
    made.active.append(["条", "内容"])
    made.active.append(["第8条", CLAUSE])
    made.save(path)


def slides(path: Path) -> None:
    made = pptx.Presentation()
    slide = made.slides.add_slide(made.slide_layouts[1])
    slide.shapes.title.text, slide.placeholders[1].text = "第8条", CLAUSE
    made.save(str(path))


KINDS = {
    "a.pdf": pdf, "a.docx": word, "a.xlsx": workbook, "a.pptx": slides,
    "a.txt": lambda path: path.write_text(CLAUSE, "utf-8"),
    "a.html": lambda path: path.write_text(f"<h1>契約</h1><p>{CLAUSE}</p>", "utf-8"),
}  # fmt: skip


def test_a_dropped_file_answers_alone_with_its_clause_stays_with_its_conversation_and_is_attached_once(chat, contract):
    chat.drop(contract)
    assert chat.asked() == ["契約書.md（読んでいます）"]
    chat.composer.set_text(QUESTION)
    press(chat.editor, Qt.Key.Key_Return)
    assert not chat.session.is_busy, "nothing is asked of a file that is not read"
    chat.read()
    assert (chat.asked(), chat.composer.asking_notice.words) == (["契約書.md"], "")
    source = chat.send().details.grounding.sources[0]
    assert (source.document, source.heading[-1], CLAUSE in source.text) == ("契約書.md", "第8条（損害賠償）", True)
    first = chat.open_id
    chat.session.open_new()
    assert chat.asked() == []
    chat.session.open(first)
    assert chat.asked() == ["契約書.md"]
    chat.qtbot.wait(2 * 300)
    assert chat.stored() == ["契約書.md"]
    chat.give(contract, contract)
    assert chat.asked() == ["契約書.md"]
    assert chat.composer.notice.text() == "「契約書.md」は、もう付いています。"
    contract.write_text(TEXT.replace("120", "150"), "utf-8")
    with chat.qtbot.waitSignal(chat.documents.queue.document_ended, timeout=READING_MS):
        chat.give(contract)
    assert chat.asked() == ["契約書.md"]
    chat.ask(QUESTION)
    assert "150" in chat.transcript.messages[-1].details.grounding.sources[0].text


def test_a_file_chosen_by_key_is_summarized_whole_and_the_search_of_the_window_does_not_list_it(chat, contract):
    requests: list[OverviewRequest] = []
    chat.parts.navigation.overview_requested.disconnect(chat.parts._on_overview_requested)
    chat.parts.navigation.overview_requested.connect(requests.append)
    chat.files.pickers = desktop.Pickers(open_several=lambda *_: [str(contract)])
    chat.activate()
    press(chat.editor, Qt.Key.Key_O, CONTROL)
    chat.read()
    assert chat.asked() == ["契約書.md"]
    with closing(Library.open_second(chat.documents.path)) as library:
        assert section_search.find_sections(library, "損害賠償").count == 0
    chat.composer.set_text("このファイルを要約して")
    chat.composer.typed.emit()
    assert chat.composer.asking_notice.words == phrase("chat.overview_offer.summary")
    chat.qtbot.mouseClick(chat.composer.asking_notice.button, Qt.MouseButton.LeftButton)
    assert [(one.kind, one.title) for one in requests] == [("summary", "契約書.md")]
    assert chat.documents.collections() == []
    assert chat.parts.preferences.value.scope is None, "new conversations ask what they did"


def test_each_kind_of_file_is_read(chat, tmp_path):
    for name, make in KINDS.items():
        make(tmp_path / name)
    chat.give(*(tmp_path / name for name in KINDS))
    assert sorted(chat.asked()) == sorted(KINDS), chat.banner()
    chat.ask(QUESTION)
    assert CLAUSE in " ".join(one.text for one in chat.transcript.messages[-1].details.grounding.sources)


def test_a_file_that_waits_for_the_first_question_is_still_there_after_a_restart(
    chat, contract, open_window, qtbot, store
):
    kept = store.add_question("以前の質問").conversation_id
    chat.give(contract)
    chat.session.open(kept)
    assert chat.asked() == []
    chat.parts.documents.close()
    again = Chat(open_window(), qtbot)
    assert again.asked() == ["契約書.md"]
    again.ask(QUESTION)
    assert again.parts.preferences.value.unsent_files == ()


def test_the_text_is_gone_when_the_conversation_is_erased_and_not_before(chat, contract):
    chat.give(contract)
    chat.ask("上限は？")
    conversations, here = chat.parts.conversations, chat.open_id
    conversations.bin([here])
    chat.qtbot.wait(2 * 300)
    conversations.restore([here])
    chat.session.open(here)
    assert chat.asked() == ["契約書.md"]
    conversations.bin([here])
    conversations.erase([here])
    chat.wait_until_gone()
    with closing(Library.open_second(chat.documents.path)) as library:
        assert library.labelled() == [], "nor is its name kept"


def test_a_conversation_that_is_erased_or_loses_its_file_while_that_is_read_leaves_nothing(chat, tmp_path):
    path = tmp_path / "長い.md"
    path.write_text("".join(f"## {n}\n\n{CLAUSE}{n}\n\n" for n in range(4000)), "utf-8")

    def drop() -> None:
        chat.drop(path)
        chat.qtbot.waitUntil(lambda: chat.documents.standing.document_id > 0, timeout=READING_MS)

    drop()
    chat.page.scoping.remove(chat.session.scope[0].name)
    chat.wait_until_gone()
    chat.session.open(chat.parts.store.add_question("前").conversation_id)
    drop()
    here = chat.open_id
    chat.parts.conversations.bin([here])
    chat.parts.conversations.erase([here])
    chat.wait_until_gone()


def test_what_no_conversation_has_is_gone_after_the_next_start(chat, contract, open_window, qtbot, store):
    chat.give(contract)
    chat.ask("上限は？")
    chat.parts.documents.close()
    organizer = ConversationOrganizer(store.database)
    organizer.bin([chat.open_id])
    organizer.erase([chat.open_id])
    Chat(open_window(), qtbot).wait_until_gone()


def test_a_temporary_conversation_leaves_nothing_behind(chat, contract):
    chat.session.open_new(is_temporary=True)
    chat.give(contract)
    chat.ask(QUESTION)
    assert chat.stored() == ["契約書.md"]
    chat.session.open_new()
    chat.session.reopen_temporary()
    assert chat.asked() == ["契約書.md"]
    chat.documents.close()
    chat.files.close()
    assert chat.is_gone()


def test_a_file_that_is_taken_out_comes_back_by_the_undo(chat, contract):
    chat.give(contract)
    chat.ask(QUESTION)
    chat.page.scoping.remove(chat.session.scope[0].name)
    assert chat.asked() == []
    chat.window.undo_stack.undo()
    assert chat.asked() == ["契約書.md"]
    chat.page.scoping.remove(chat.session.scope[0].name)
    chat.session.open_new()
    chat.wait_until_gone()
    chat.window.undo_stack.undo()
    assert chat.asked() == []


def test_a_file_that_cannot_be_asked_is_taken_out_with_the_reason(chat, tmp_path, monkeypatch):
    monkeypatch.setattr(document_library.ocr, "has_tesseract", lambda: False)
    picture, empty = tmp_path / "写真.png", tmp_path / "空.pdf"
    QImage(40, 40, QImage.Format.Format_RGB32).save(str(picture))
    made = Pdf()
    made.page()
    empty.write_bytes(made.bytes())
    broken, cut, missing = (tmp_path / name for name in ("壊れた.pdf", "切れた.docx", "ない.txt"))
    broken.write_bytes(b"%PDF-1.7\n")
    cut.write_bytes(b"PK\x03\x04 broken")
    for paths, said in (((picture,), "文字認識"), ((empty,), "空.pdf"), ((missing,), "ない.txt"), ((broken, cut), "")):
        chat.give(*paths)
        named = lambda paths=paths: all(path.name in chat.banner() for path in paths)  # noqa: E731
        chat.qtbot.waitUntil(named, timeout=READING_MS)
        assert said in chat.banner()
        assert chat.asked() == []


def test_a_folder_is_offered_as_a_collection(chat, contract):
    chat.drop(contract.parent)
    assert chat.asked() == []
    with chat.qtbot.waitSignal(chat.documents.added, timeout=READING_MS):
        chat.files.dialog.buttons["add"].click()
    assert [one.name for one in chat.documents.collections()] == [contract.parent.name] == chat.asked()


def test_a_file_in_the_clipboard_a_picture_and_a_very_long_text_are_attached(chat, contract, monkeypatch):
    monkeypatch.setattr(document_library.ocr, "has_tesseract", lambda: False)
    chat.drop(contract, on=chat.editor.viewport())
    assert chat.editor.text() == ""
    long = QMimeData()
    long.setText(TEXT * 3000)
    chat.editor.insertFromMimeData(long)
    chat.read()
    assert sorted(chat.asked()) == ["契約書.md", "貼り付けた文章.txt"]
    pasted = chat.documents.path.with_name("pasted")
    assert len(list(pasted.glob("*/*"))) == 1
    picture = QMimeData()
    picture.setImageData(QImage(40, 40, QImage.Format.Format_RGB32))
    chat.editor.insertFromMimeData(picture)
    chat.qtbot.waitUntil(lambda: "貼り付けた画像.png" in chat.banner(), timeout=READING_MS)
    chat.qtbot.waitUntil(lambda: len(list(pasted.glob("*/*"))) == 1, timeout=READING_MS)


@pytest.mark.skipif(sys.platform == "win32", reason="a script of the shell")
def test_a_pasted_picture_is_answered_from_its_recognized_text_which_is_said(install, open_window, qtbot):
    chat = Chat(open_window(), qtbot)
    install(answering(row("点検は5年に1回とする。", 97)))
    picture = QMimeData()
    picture.setImageData(QImage(400, 100, QImage.Format.Format_RGB32))
    chat.editor.insertFromMimeData(picture)
    chat.read()
    assert chat.asked() == ["貼り付けた画像.png"], chat.banner()
    chat.ask("点検は何年に1回ですか")
    assert chat.transcript.messages[-1].details.grounding.sources[0].recognized is not None
    footers = chat.transcript.findChildren(SourcesFooter)
    assert any(phrase("documents.only_text_of_picture") in words(footer) for footer in footers)


@pytest.mark.skipif(sys.platform == "win32", reason="a script of the shell")
def test_a_model_that_reads_pictures_is_shown_one_without_text_and_the_answer_says_so(
    install, open_window, qtbot, tiny_model, tmp_path, monkeypatch
):
    monkeypatch.setattr(machine, "has_picture_library", lambda: True)
    parts = open_window()
    part = models.projector(tmp_path / "mmproj.gguf")
    parts.library.add(local_models.with_projector(local_models.describe(tiny_model), part))
    chat = Chat(parts, qtbot)
    sent: list[object] = []
    send = parts.engine.send
    monkeypatch.setattr(parts.engine, "send", lambda command: (sent.append(command), send(command)))
    picture = QMimeData()
    picture.setImageData(QImage(400, 100, QImage.Format.Format_RGB32))
    chat.editor.insertFromMimeData(picture)
    chat.read()
    assert chat.asked() == ["貼り付けた画像.png"], chat.banner()
    chat.ask("何が写っていますか")
    (loaded,) = [one for one in sent if isinstance(one, Load)]
    (asked,) = [one for one in sent if isinstance(one, Ask)]
    assert loaded.projector == str(part)
    assert [(one.width, one.height) for one in asked.pictures] == [(1024, 256)]
    assert any(
        phrase("documents.picture_seen.not_compared") in words(one)
        for one in chat.transcript.findChildren(SourcesFooter)
    )


def test_collections_can_be_asked_besides(chat, contract):
    chat.documents.add_collection("基準")
    chat.qtbot.waitUntil(lambda: len(chat.documents.collections()) == 1, timeout=READING_MS)
    chat.give(contract)
    assert chat.asked() == ["契約書.md"]
    menu = chat.line.menu()
    next(action for action in menu.actions() if action.data() == "基準").toggle()
    assert chat.asked() == ["契約書.md", "基準"]
    assert chat.parts.preferences.value.scope == ("基準",)


def test_a_file_moves_to_a_collection_without_being_read_again_and_back(chat, contract):
    chat.give(contract)
    chat.ask(QUESTION)
    (before,) = (one for each in chat.page.scoping.attached for one in chat.documents.documents(each.id))
    chat.menu()["新しい資料集"].trigger()
    chat.qtbot.waitUntil(lambda: bool(chat.documents.collections()) and chat.asked() == ["契約書.md"])
    chat.qtbot.waitUntil(lambda: not chat.stored(), timeout=READING_MS)
    (collection,) = chat.documents.collections()
    assert (collection.name, chat.documents.documents(collection.id)[0].indexed_at) == ("契約書", before.indexed_at)
    assert [ref.documents for ref in chat.session.scope] == [(str(contract),)]
    chat.window.undo_stack.undo()
    chat.qtbot.waitUntil(lambda: chat.stored() == chat.asked() == ["契約書.md"], timeout=READING_MS)
    chat.window.undo_stack.redo()
    chat.qtbot.waitUntil(lambda: not chat.stored(), timeout=READING_MS)
    chat.parts.conversations.bin([chat.open_id])
    chat.parts.conversations.erase([chat.parts.conversations.binned()[0].id])
    chat.qtbot.wait(2 * 300)
    assert len(chat.documents.documents(collection.id)) == 1, "it is the collection's now"


def test_a_confidential_file_stays_confidential_and_is_known_by_its_content(chat, contract, tmp_path):
    chat.documents.add_collection("機密", "secret", [contract])
    chat.qtbot.waitUntil(lambda: any(one.sections for one in chat.documents.collections()), timeout=READING_MS)
    copy = tmp_path / "写し.md"
    copy.write_bytes(contract.read_bytes())
    chat.give(contract, copy)
    assert [one.label for one in chat.page.scoping.attached] == ["secret"] * 2
    assert chat.page.label_now() == "secret"
