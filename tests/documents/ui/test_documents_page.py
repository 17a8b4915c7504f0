"""The page 資料 as it is used, over a real child that reads plain lines."""

import dataclasses
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QContextMenuEvent, QDragEnterEvent, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QMenu, QPushButton
from pytestqt.qtbot import QtBot

from app.base import programs, wording
from app.base.errors import AppError
from app.base.paths import Paths
from app.base.services.preferences import Preferences
from app.base.wording import phrase
from app.documents.grounding.grounding_record import CollectionRef
from app.documents.library import Library
from app.documents.overview.result_table import OverviewRequest
from app.documents.records import ReadingReport
from app.documents.services.embedding import Embedding, EmbeddingStatus
from app.documents.services.ocr_setup import OcrSetup
from app.documents.services.reading_offers import ReadingOffer, ReadingOffers
from app.documents.services.reading_queue import QueueStatus
from app.documents.ui.adding import AskOffer, TargetDialog
from app.documents.ui.document_lists import NAME, PROBLEMS, STATE
from app.documents.ui.page import DocumentsPage
from app.inference import child_commands
from app.uikit.confidentiality_guard import ConfidentialityGuard
from app.uikit.desktop import Pickers
from app.uikit.page import NavigationSignals
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import escape_mnemonic
from tests.documents.driver import DocumentsDriver


class PageDriver(DocumentsDriver):
    """The page over its service, with what a person sees and does."""

    def __init__(self, where: Paths, theme: Theme, qtbot: QtBot) -> None:
        super().__init__(where, qtbot)
        self.files: list[str] = []  # what the user would choose
        self.folder = ""
        pickers = Pickers(open_several=lambda *_: self.files, folder=lambda *_: self.folder)
        self.embedding = Embedding(child_commands.engine(), where.logs, where.documents)
        self.secrecy = ConfidentialityGuard(theme, where.exports_log)
        navigation = NavigationSignals()
        self.undo: list[tuple[str, Callable[[], object]]] = []
        navigation.undo_offered.connect(lambda action: self.undo.append((action.done, action.undo)))
        self.asked: list[tuple[tuple[CollectionRef, ...], str]] = []  # what 質問 is asked for
        navigation.question_requested.connect(lambda scope, question, _at_once: self.asked.append((scope, question)))
        self.overviews: list[OverviewRequest] = []
        navigation.overview_requested.connect(self.overviews.append)
        self.preferences = Preferences(where.settings)
        command = programs.downloader_command()
        self.ocr_setup = OcrSetup(self.preferences, command, where.documents, where.logs, lambda: "")
        self.page = DocumentsPage(
            theme, navigation, self.documents, ReadingOffers(self.documents, self.documents), self.embedding,
            self.secrecy, self.ocr_setup, pickers,
        )  # fmt: skip
        qtbot.addWidget(self.page)
        self.page.resize(1200, 800)
        self.page.show()
        self.wait(lambda: self.documents.is_open)

    def settle(self) -> None:
        """All is read, and shown."""
        self.wait_until_read()
        self.page._refill()

    def names(self) -> list[str]:
        shown = self.page.documents
        return [shown.index(row, NAME).data() for row in range(shown.rowCount())]

    def shown_states(self) -> list[str]:
        shown = self.page.documents
        return [shown.index(row, STATE).data() for row in range(shown.rowCount())]

    def drop(self, *paths: Path) -> None:
        data = QMimeData()
        data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
        copy, button, none = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
        QApplication.sendEvent(self.page, QDragEnterEvent(QPoint(300, 300), copy, data, button, none))
        QApplication.sendEvent(self.page, QDropEvent(QPointF(300, 300), copy, data, button, none))

    def said(self) -> str:
        """What the banner says."""
        return self.page.banner.accessibleName()

    def click(self, button: QPushButton) -> None:
        self.qtbot.mouseClick(button, Qt.MouseButton.LeftButton)

    def choose(self, *names: str) -> None:
        wanted = [one.id for one in self.documents.documents(self.page._chosen_id) if one.name in names]
        self.page.view.choose(set(wanted))

    def put(self, name: str, state: str, report: ReadingReport) -> None:
        """As another reader would have left it."""
        document = self.document(self.page._chosen_id, name)
        with closing(Library.open_second(self.where.documents)) as library:
            library.put(dataclasses.replace(document, state=state, report=report), [])
        self.page._refill()


@pytest.fixture
def driver(where: Paths, theme: Theme, qtbot: QtBot) -> Iterator[PageDriver]:
    driver = PageDriver(where, theme, qtbot)
    yield driver
    driver.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "庁舎の資料"
    folder.mkdir()
    for name in ("か.txt", "あ.txt", "さ.txt"):
        (folder / name).write_text(f"{name}\n二行目\n", encoding="utf-8")
    return folder


@pytest.fixture
def filled(driver: PageDriver, folder: Path) -> PageDriver:
    driver.folder = str(folder)
    driver.click(driver.page.folder_button)
    driver.wait(lambda: driver.page.collection is not None)
    driver.settle()
    return driver


def test_without_documents_the_page_says_what_to_do(driver):
    driver.settle()
    assert driver.page.empty.isVisible()
    assert driver.page._empty_words.text() == phrase("documents.no_documents_yet_you_can")
    assert driver.page.empty_button.property("kind") == "primary"
    assert driver.page.add_button.property("kind") == ""


def test_what_is_dropped_makes_a_collection_of_the_folders_name_and_what_was_left_out_is_told(driver, folder):
    driver.drop(folder)
    driver.wait(lambda: driver.page.collection is not None)
    driver.settle()
    assert driver.page.collection.name == "庁舎の資料"
    assert driver.names() == ["あ.txt", "か.txt", "さ.txt"]
    assert driver.shown_states() == ["完了"] * 3
    (folder / "写真.gif").touch()
    (folder / "追加.md").write_text("章\n", encoding="utf-8")
    driver.drop(folder)
    driver.wait(driver.page.banner.isVisible)
    said = driver.said()
    for words in (
        phrase("documents.n_documents_added", n=1),
        phrase("documents.already_there_n", n=3),
        f"{phrase('documents.not_taken.unknown')} 1",
    ):
        assert words in said


def test_the_table_is_sorted_and_filtered(filled):
    filled.put("か.txt", "doubtful", ReadingReport(pages=84, pages_without_text=tuple(range(1, 13)), sections=2))
    filled.page.view.sortByColumn(PROBLEMS, Qt.SortOrder.DescendingOrder)
    assert filled.names()[0] == "か.txt"
    assert filled.page.documents.index(0, PROBLEMS).data() == "12"
    filled.page.view.sortByColumn(NAME, Qt.SortOrder.DescendingOrder)
    assert filled.names() == ["さ.txt", "か.txt", "あ.txt"]
    filled.page.filter.setText("か TXT")
    assert filled.names() == ["か.txt"]


def test_the_report_says_what_came_of_reading_and_takes_turns_with_the_table_in_a_small_page(filled):
    filled.put("あ.txt", "doubtful", ReadingReport(pages=84, pages_without_text=(3, 4, 5, 17), headings=12, sections=2))
    filled.choose("あ.txt")
    report = filled.page.report
    assert report.isVisible()
    assert phrase("documents.n_pages_are_images_only", n=4) in report.banner.accessibleName()
    accept = next(
        one for one in report.banner.findChildren(QPushButton) if one.text() == phrase("documents.use_as_it_is")
    )
    filled.click(accept)
    filled.settle()
    assert filled.shown_states() == ["完了"] * 3
    assert not report.banner.isVisible()
    filled.page.resize(500, 400)
    filled.choose("あ.txt")
    assert filled.page.view.isVisible()
    assert not report.isVisible()
    filled.page.view.setFocus()
    QTest.keyClick(filled.page.view, Qt.Key.Key_Return)
    assert report.isVisible()
    assert not filled.page.view.isVisible()
    filled.click(report.back_button)
    assert filled.page.view.hasFocus()


def test_nothing_turns_the_direction_of_the_path_in_the_report(driver, tmp_path):
    folder = tmp_path / "基準\u202e"
    folder.mkdir()
    (folder / "あ.txt").write_text("一行目\n", encoding="utf-8")
    driver.drop(folder)
    driver.wait(lambda: driver.page.collection is not None)
    driver.settle()
    driver.choose("あ.txt")
    said = [label.text() for label in driver.page.report.facts.findChildren(QLabel)]
    assert str(tmp_path / "基準\ufffd" / "あ.txt") in said


def test_a_failed_document_says_why_and_is_read_again(filled, folder):
    (folder / "た.txt").write_text("die", encoding="utf-8")
    filled.drop(folder / "た.txt")
    filled.settle()
    filled.choose("た.txt")
    assert filled.page.report.banner.property("surface") == "danger"
    (folder / "た.txt").write_text("直した\n", encoding="utf-8")
    filled.click(filled.page.report.again_button)
    filled.settle()
    assert filled.shown_states() == ["完了"] * 4


def test_delete_takes_out_and_undo_brings_back(filled):
    filled.choose("あ.txt", "か.txt")
    filled.page.view.setFocus()
    QTest.keyClick(filled.page.view, Qt.Key.Key_Delete)
    filled.settle()
    assert filled.names() == ["さ.txt"]
    text, undo = filled.undo[0]
    assert text == phrase("documents.n_documents_removed_the_original", n=2)
    undo()
    filled.settle()
    assert filled.names() == ["あ.txt", "か.txt", "さ.txt"]
    assert filled.shown_states() == ["完了"] * 3


def moves(filled: PageDriver) -> QMenu | None:
    """The submenu of the collections to move to, in the menu of the selected documents."""
    menu = filled.page.document_menu()
    return next((action.menu() for action in menu.actions() if action.menu() is not None), None)


def test_documents_move_by_keyboard_and_undo_brings_them_back(filled):
    assert moves(filled) is None  # there is no other collection
    before = filled.texts()
    for name in ("公開 & 共有", "あ" * 100):
        filled.documents.add_collection(name)
        filled.settle()
    source = next(one for one in filled.documents.collections() if one.name == "庁舎の資料")
    filled.page.show_collection(source.id)
    filled.choose("あ.txt", "か.txt")
    filled.page.view.setFocus()
    QApplication.sendEvent(
        filled.page.view,
        QContextMenuEvent(QContextMenuEvent.Reason.Keyboard, QPoint(1, 1), filled.page.mapToGlobal(QPoint(1, 1))),
    )
    menu = next(one for one in filled.page.findChildren(QMenu) if one.isVisible())
    (into,) = [action for action in menu.actions() if action.menu() is not None]
    assert into.text() == phrase("documents.move_to_collection")
    assert [action.text() for action in into.menu().actions()][1] == "公開 && 共有"
    assert into.menu().sizeHint().width() < 500
    menu.setActiveAction(into)
    QTest.keyClick(menu, Qt.Key.Key_Right)
    filled.wait(into.menu().isVisible)
    QTest.keyClick(into.menu(), Qt.Key.Key_Down)
    QTest.keyClick(into.menu(), Qt.Key.Key_Return)
    filled.settle()
    assert filled.names() == ["さ.txt"]
    target = next(one for one in filled.documents.collections() if one.name == "公開 & 共有")
    assert filled.states(target.id) == {"あ.txt": "done", "か.txt": "done"}
    ((text, undo),) = filled.undo
    assert text == phrase("documents.what_moved_to_name", what=phrase("documents.n_documents", n=2), name="公開 & 共有")
    filled.page.collection_actions.refresh(source)  # its folder does not bring them back
    filled.settle()
    assert filled.names() == ["さ.txt"]
    undo()
    filled.settle()
    assert filled.names() == ["あ.txt", "か.txt", "さ.txt"]
    assert len(filled.undo) == 1
    assert filled.texts() == before
    assert len(filled.attempts()) == 3  # nothing was read again


def test_what_was_done_to_a_collection_is_undone_also_when_its_deletion_was_undone_before(filled):
    before, actions = filled.page.collection, filled.page.collection_actions
    filled.documents.set_label(before.id, "secret")
    filled.settle()
    actions.label(before, "public")
    filled.click(filled.secrecy.dialog.buttons["go"])
    filled.settle()
    actions.remove(before, filled.documents.documents(before.id)[:1])
    actions.remove_collection(before)
    filled.settle()
    for _, undo in reversed(filled.undo):
        assert undo() is not False
        filled.settle()
    (now,) = filled.documents.collections()
    assert now.id != before.id
    assert (now.label, len(filled.documents.documents(now.id))) == ("secret", 3)


def test_out_of_a_secret_collection_documents_move_after_a_yes_and_back_without(filled):
    filled.documents.set_label(filled.page._chosen_id, "secret")
    filled.documents.add_collection("公開集", "public")
    filled.settle()
    known = {one.name: one for one in filled.documents.collections()}
    source, target = known["庁舎の資料"], known["公開集"]
    for answer in ("cancel", "go"):
        filled.page.collection_actions.move(source, filled.documents.documents(source.id)[:1], target)
        filled.settle()
        assert len(filled.documents.documents(source.id)) == 3
        assert filled.undo == []
        assert not filled.where.exports_log.exists()
        dialog = filled.secrecy.dialog
        assert dialog.accessibleName() == "機密の「あ.txt」を、資料集「公開集」（公開）に移動しますか"
        filled.click(dialog.buttons[answer])
        filled.settle()
    assert list(filled.states(target.id)) == ["あ.txt"]
    (line,) = [json.loads(line) for line in filled.where.exports_log.read_text("utf-8").splitlines()]
    assert (line["what"], line["target"], line["label"], line["to"]) == ("move", "公開集", "secret", "public")
    filled.undo[0][1]()
    filled.settle()
    assert len(filled.documents.documents(source.id)) == 3
    assert filled.secrecy.dialog is dialog


def test_a_collection_gets_its_former_name_back(filled):
    dialog = filled.page.collection_actions.ask_name(filled.page.collection)
    dialog.field.setText("新しい名前")
    filled.click(dialog.buttons["done"])
    filled.settle()
    assert filled.page.collection.name == "新しい名前"
    ((done, undo),) = filled.undo
    assert done == "名前を「新しい名前」に変えました。"
    assert undo() is not False
    filled.settle()
    assert filled.page.collection.name == "庁舎の資料"


def test_a_collection_is_deleted_and_brought_back(filled):
    filled.page.list.setFocus()
    QTest.keyClick(filled.page.list, Qt.Key.Key_Delete)
    filled.settle()
    assert filled.page.collection is None
    assert filled.page.empty.isVisible()
    filled.undo[0][1]()
    filled.wait(lambda: filled.page.collection is not None)
    filled.settle()
    assert filled.page.collection.name == "庁舎の資料"
    assert len(filled.names()) == 3


@pytest.mark.parametrize("is_by_dialog", [False, True])
def test_a_secret_collection_is_made_less_so_after_a_yes_on_record_and_can_be_made_secret_again(
    filled, *, is_by_dialog
):
    page = filled.page

    def choose(label: int) -> None:
        if is_by_dialog:
            dialog = page.collection_actions.ask_name(page.collection)
            dialog.label.setCurrentIndex(label)
            filled.click(dialog.buttons["done"])
        else:
            filled.click(page.label_button)
            menu = next(one for one in page.findChildren(QMenu) if one.isVisible())
            menu.actions()[label].trigger()
            menu.close()
        filled.settle()

    choose(2)
    assert filled.undo == []
    assert filled.secrecy.dialog is None
    for answer in ("cancel", "go"):
        choose(0)
        assert (page.collection.label, filled.undo) == ("secret", [])
        assert not filled.where.exports_log.exists()
        dialog = filled.secrecy.dialog
        assert dialog.accessibleName() == "資料集「庁舎の資料」のラベルを、機密から公開に下げますか"
        assert any("確認なしで書き出し" in label.text() for label in dialog.findChildren(QLabel))
        filled.click(dialog.buttons[answer])
        filled.settle()
    assert page.collection.label == "public"
    (line,) = [json.loads(line) for line in filled.where.exports_log.read_text("utf-8").splitlines()]
    told = (line["what"], line["target"], line["label"], line["to"])
    assert told == ("label", "庁舎の資料", "secret", "public")
    ((said, undo),) = filled.undo
    assert said == phrase(
        "documents.the_label_of_collection_name", name="庁舎の資料", label=phrase("common.label.public")
    )
    undo()
    filled.settle()
    assert page.collection.label == "secret"


def test_what_became_secret_in_another_process_is_asked_about_though_the_page_shows_an_old_label(filled):
    with closing(Library.open_second(filled.where.documents)) as library:
        library.set_label(filled.page._chosen_id, "secret")
    assert filled.page.collection.label == "internal"
    filled.page.collection_actions.label(filled.page.collection, "public")
    filled.settle()
    assert filled.secrecy.dialog.isVisible()
    assert filled.page.collection.label == "secret"
    filled.documents.set_label(filled.page._chosen_id, "public")  # without the gate
    filled.settle()
    assert filled.page.collection.label == "secret"
    assert filled.said().startswith(wording.describe("secret_lowering", {"what": "庁舎の資料"}).message)


def test_the_row_is_opened_read_again_and_reported_by_keyboard(filled, folder):
    view = filled.page.view
    view.setFocus()
    QTest.keyClick(view, Qt.Key.Key_End)
    QTest.keyClick(view, Qt.Key.Key_Home)
    assert [one.name for one in view.selected_documents()] == ["あ.txt"]
    (folder / "あ.txt").write_text("一\n二\n三\n", encoding="utf-8")
    QTest.keyClick(view, Qt.Key.Key_F5)
    filled.wait(lambda: filled.documents.documents(filled.page._chosen_id)[0].report.sections == 3)
    filled.settle()
    QTest.keyClick(view, Qt.Key.Key_Down, Qt.KeyboardModifier.ShiftModifier)
    assert [one.name for one in view.selected_documents()] == ["あ.txt", "か.txt"]
    assert not filled.page.report.isVisible()  # of one document only


def test_a_new_collection_needs_a_name_of_its_own_which_can_be_changed_with_its_label(filled):
    dialog = filled.page.collection_actions.ask_new()
    filled.click(dialog.buttons["done"])
    assert dialog.isVisible()
    dialog.field.setText("庁舎の資料")
    QTest.keyClick(dialog.field, Qt.Key.Key_Return)
    assert dialog.isVisible()
    assert dialog._problem.text() == phrase("documents.there_is_a_collection_with")
    dialog.field.setText("規程")
    dialog.label.setCurrentIndex(1)
    QTest.keyClick(dialog.field, Qt.Key.Key_Return)
    filled.wait(lambda: filled.page.collection.name == "規程")
    assert filled.page._empty_words.text() == phrase("documents.this_collection_has_no_documents")
    assert filled.page.collection.label == "internal"
    assert filled.page.label_button.text().startswith("社外秘")
    QTest.keyClick(filled.page.list, Qt.Key.Key_F2)
    dialog = filled.page.window().findChild(type(filled.page.collection_actions.ask_name(filled.page.collection)))
    dialog.field.setText("庁舎 2026")
    dialog.label.setCurrentIndex(0)
    filled.click(dialog.buttons["done"])
    filled.settle()
    assert (filled.page.collection.name, filled.page.collection.label) == ("庁舎 2026", "public")
    assert filled.page.label_button.icon().isNull()


def test_the_queue_is_paused_resumed_and_cancelled_and_a_row_tells_how_far_it_is(filled, folder):
    (folder / "は.txt").write_text("slow", encoding="utf-8")
    filled.drop(folder / "は.txt")
    queue = filled.page.queue
    filled.wait(lambda: queue.isVisible() and "は.txt" in queue.work_label.text())
    queue.pause_button.setFocus()
    QTest.keyClick(queue.pause_button, Qt.Key.Key_Space)
    assert queue.resume_button.isVisible()
    assert queue.resume_button.hasFocus()
    filled.click(queue.resume_button)
    filled.wait(lambda: "は.txt" in queue.work_label.text())
    filled.click(queue.cancel_button)
    filled.settle()
    assert not queue.isVisible()
    assert filled.names() == ["あ.txt", "か.txt", "さ.txt"]
    document = filled.documents.documents(filled.page._chosen_id)[0]
    filled.page._on_status_changed(QueueStatus("reading", document.id, document.name, 41, 84, 2, 8))
    assert filled.shown_states() == ["読み取り中 41／84", "完了", "完了"]
    assert "文書 2／8" in queue.amount.text()


def test_an_encoding_is_tried_before_it_is_used(filled, folder):
    (folder / "台帳.txt").write_bytes("庁舎の鍵は守衛室で受け取る。\n".encode("euc_jp"))
    document = filled.documents.documents(filled.page._chosen_id)[0]
    dialog = filled.page.collection_actions.ask_encoding(dataclasses.replace(document, path=str(folder / "台帳.txt")))
    filled.wait(lambda: "守衛室" in dialog.preview.toPlainText())
    assert dialog.choice.currentText() == "自動で判別する（EUC-JP）"
    dialog.choice.setCurrentIndex(dialog.choice.findData("cp932"))
    assert "守衛室" not in dialog.preview.toPlainText()
    dialog.choice.setCurrentIndex(dialog.choice.findData("euc_jp"))
    filled.click(dialog.buttons["read"])
    filled.settle()
    assert filled.documents.documents(filled.page._chosen_id)[0].chosen_encoding == "euc_jp"


def test_changes_of_the_folders_are_taken_in_when_asked_and_what_the_look_takes_in_stands_in_a_line(filled, folder):
    line, watch = filled.page.files_line, filled.documents.watch

    def look(times: int) -> None:
        for _ in range(times):
            watch.look()
            filled.wait(lambda: not watch._looking)
            filled.settle()

    assert not line.isVisible()  # in safe mode nobody looks
    (folder / "な.txt").write_text("新しい\n", encoding="utf-8")
    (folder / "あ.txt").unlink()
    filled.page.collection_actions.refresh(filled.page.collection)
    filled.wait(filled.page.banner.isVisible)
    filled.settle()
    assert phrase("documents.new_a_changed_b_gone", a=1, b=0, c=1) in filled.said()
    assert filled.names() == ["か.txt", "さ.txt", "な.txt"]
    filled.page.banner.hide()
    watch.start()
    look(3)
    assert line.text().startswith(phrase("documents.changes_of_files_are_taken"))
    assert line.isVisible()
    (folder / "は.txt").write_text("新しい\n", encoding="utf-8")
    (folder / "か.txt").unlink()
    look(2)
    assert phrase("documents.new_a_changed_b_gone", a=1, b=0, c=1) in line.text()
    assert filled.names() == ["さ.txt", "な.txt", "は.txt"]
    assert not filled.page.banner.isVisible()
    folder.rename(folder.parent / "切れた")
    look(3)
    assert phrase("documents.places_not_found_path", path=folder) in filled.said()
    assert len(filled.names()) == 3
    (folder.parent / "切れた").rename(folder)
    look(3)
    assert not filled.page.banner.isVisible()
    filled.page.resize(500, 400)
    assert not line.isVisible()


def test_kotaes_own_collection_takes_nothing_and_cannot_be_deleted(driver, folder):
    driver.documents.provide_manual(folder / "あ.txt", "Kotae の使い方")
    driver.settle()
    own = driver.documents.collections()[0]
    driver.page.show_collection(own.id)
    assert not driver.page.add_button.isVisible()
    assert not driver.page.label_button.isVisible()
    driver.drop(folder)
    QTest.keyClick(driver.page.list, Qt.Key.Key_Delete)
    driver.settle()
    assert [one.name for one in driver.documents.collections()] == ["Kotae の使い方"]
    assert driver.names() == ["あ.txt"]


def test_how_far_the_search_by_meaning_is_stands_in_one_line(driver):
    for standing, words in (
        (EmbeddingStatus(), ""),
        (EmbeddingStatus("idle", 84, 84), ""),
        (EmbeddingStatus("working", 41, 1084), "41／1,084 か所（もう質問できます）"),
        (EmbeddingStatus("paused", 41, 84), "41／84 か所（回答中は休止）"),
        (EmbeddingStatus("elsewhere"), "ほかの Kotae（コマンド）が準備しています"),
        (EmbeddingStatus("failed", error=AppError("engine_died", cause="SIGKILL")), "言葉での検索は使えます。"),
    ):
        driver.embedding.status_changed.emit(standing)
        assert words in driver.page.meaning.text()
        assert driver.page.meaning.isVisible() == bool(words), standing


# ------------------------------------------------------------- where a folder goes, and what it can be asked


@pytest.fixture
def second_folder(driver: PageDriver, tmp_path: Path) -> Path:
    """One folder is shown as a collection; a second one has been chosen."""
    for name in ("規程", "図面"):
        (tmp_path / name).mkdir()
        text = f"{name}とは、鍵のかかる棚に保管する書類をいう。\n"
        (tmp_path / name / f"{name}.txt").write_text(text, "utf-8")
    driver.folder = str(tmp_path / "規程")
    driver.click(driver.page.folder_button)
    driver.wait(lambda: len(driver.documents.collections()) == 1)
    driver.settle()
    driver.folder = str(tmp_path / "図面")
    return tmp_path / "図面"


def contents(driver: PageDriver) -> dict[str, list[str]]:
    """Return the names of the documents by collection."""
    known = driver.documents.collections()
    return {one.name: [document.name for document in driver.documents.documents(one.id)] for one in known}


def asked_where(driver: PageDriver) -> TargetDialog:
    driver.click(driver.page.folder_button)
    return driver.page.findChildren(TargetDialog)[-1]


def test_a_second_folder_becomes_a_collection_of_its_own_or_part_of_a_chosen_one_once_somebody_has_said_so(
    driver, second_folder
):
    for ask in (lambda: driver.drop(second_folder), lambda: driver.click(driver.page.folder_button)):
        ask()
        driver.page.findChildren(TargetDialog)[-1].buttons["cancel"].click()
        driver.settle()
        assert contents(driver) == {"規程": ["規程.txt"]}
    dialog = asked_where(driver)
    texts = [dialog.choice.itemText(at) for at in range(dialog.choice.count())]
    assert texts == ["新しい資料集「図面」", "資料集「規程」"]
    dialog.buttons["add"].click()
    driver.wait(lambda: len(driver.documents.collections()) == 2)
    driver.settle()
    assert contents(driver) == {"規程": ["規程.txt"], "図面": ["図面.txt"]}
    assert driver.page.collection.name == "図面"
    third = second_folder.with_name("帳票")
    third.mkdir()
    (third / "帳票.txt").write_text("帳票\n", "utf-8")
    driver.folder = str(third)
    dialog = asked_where(driver)
    dialog.choice.setCurrentIndex(dialog.choice.findText("資料集「規程」"))
    dialog.buttons["add"].click()
    driver.wait(lambda: len(contents(driver)["規程"]) == 2)
    driver.settle()
    assert {name: sorted(found) for name, found in contents(driver).items()} == {
        "規程": ["帳票.txt", "規程.txt"], "図面": ["図面.txt"]
    }  # fmt: skip


def test_what_was_read_can_be_asked_summarized_compared_and_listed_from_offer_and_menus(driver, second_folder):
    def chosen(menu: QMenu, key: str) -> OverviewRequest:
        next(one for one in menu.actions() if one.text() == phrase(f"documents.{key}")).trigger()
        return driver.overviews.pop()

    offer = driver.page.offer
    driver.wait(offer.isVisible)
    (collection,) = driver.documents.collections()
    (document,) = driver.documents.documents(collection.id)
    driver.click(offer.question_buttons[0])
    assert driver.asked.pop() == ((CollectionRef(collection.id, "規程"),), "規程とは何ですか？")
    assert not offer.isVisible()
    driver.page.view.choose({document.id})
    menu = driver.page.document_menu()
    next(one for one in menu.actions() if one.text() == phrase("documents.ask_these_documents")).trigger()
    assert driver.asked == [((CollectionRef(collection.id, "規程", (document.path,)),), "")]
    assert chosen(menu, "summarize_document").document_ids == (document.id,)
    assert chosen(menu, "list_values").kind == "values"
    assert phrase("documents.compare_editions") not in [one.text() for one in menu.actions()]  # takes two
    driver.page.report.summary_button.click()
    assert driver.overviews.pop().kind == "summary"
    whole = chosen(driver.page.menu(), "list_values")
    assert (whole.title, whole.document_ids) == (collection.name, (document.id,))


def test_the_signs_of_a_suggested_question_are_shown_as_they_are(theme, qtbot):
    offer = AskOffer(theme)
    qtbot.addWidget(offer)
    scope = (CollectionRef(1, "規程"),)
    offer.show_offer(ReadingOffer(1, "規程", 1, scope, ("R&D費の\u202e扱いは？",)))
    (button,), asked = offer.question_buttons, []
    offer.asked.connect(lambda *one: asked.append(one))
    assert button.shortcut().isEmpty()
    assert button.text() == escape_mnemonic(button.accessibleName())
    assert "\u202e" not in button.text()
    button.click()
    assert asked == [(scope, "R&D費の\u202e扱いは？")]
