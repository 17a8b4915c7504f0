"""Pictures of the page 資料, for `tests.screenshots`: collections as if they had been read, without any child."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QPoint

from app.application import AppContext
from app.base.errors import AppError
from app.base.wording import current_language, phrase
from app.documents.collection_updates import RefreshResult
from app.documents.grounding.grounding_record import CollectionRef
from app.documents.library import Library
from app.documents.overview.result_table import OverviewRequest
from app.documents.records import Document, ReadingReport, Section
from app.documents.services.embedding import EmbeddingStatus
from app.documents.services.reading_offers import ReadingOffer
from app.documents.services.reading_queue import QueueStatus
from app.documents.ui.document_lists import DocumentRole
from app.documents.ui.overview_window import OverviewWindow
from tests.waiting import process_until

NAMES = {
    "ja": (
        ("庁舎管理規程", "点検記録", "とても長い名前の資料集（建築設備の保全に関する基準と解説）"),
        ("設計編.pdf", "点検記録_R6.pdf", "旧字体の台帳.txt", "単価表.xlsx", "議事録_第12回.docx", "図面一覧.pdf"),
        "/home/yamada/資料/庁舎",
    ),
    "en": (
        ("Building rules", "Inspection records", "A collection whose name is longer than the list is wide"),
        ("design.pdf", "inspections-2024.pdf", "old-ledger.txt", "prices.xlsx", "minutes-12.docx", "drawings.pdf"),
        "/home/yamada/Documents/office",
    ),
}


LEDGER = {
    "ja": "庁舎の鍵は、守衛室で受け取ります。\r\n返す時刻を台帳に書いてください。",
    "en": "The keys are at the gate.\r\nWrite down when they are back.",
}


def _read(documents: list[Document], library: Library) -> None:
    """As the child would have left them."""
    reports = (
        ReadingReport(pages=412, headings=318, tables=41, sections=1206, characters=402_118),
        ReadingReport(pages=84, pages_without_text=(3, 4, 5, 17, 40, 41, 42, 43, 60, 61, 70, 84), headings=12,
        tables=60,
               sections=212, characters=51_020, garbled_share=0.003),
        ReadingReport(headings=3, sections=15, characters=9_204, encoding="cp932", garbled_share=0.0),
        ReadingReport(tables=12, headings=12, sections=340, characters=88_000, notes=("hidden_sheets",)),
        ReadingReport(headings=21, tables=2, sections=48, characters=23_180),
    )  # fmt: skip
    for document, report in zip(documents, reports, strict=False):
        state = "doubtful" if report.is_doubtful else "done"
        sections = [Section(("1",), "本文")]
        library.put(replace(document, state=state, modified_ns=1, size_bytes=1, report=report), sections)
    library.fail(documents[5].id, AppError("document_hung", name=documents[5].name))


def fill(path: Path) -> None:
    collections, names, folder = NAMES[current_language()]
    library = Library.open(path)
    ids = [library.add_collection(name) for name in collections]
    library.set_label(ids[1], "secret")
    own = library.add_collection(phrase("common.manual_collection"), "public", is_builtin=True)
    library.add_documents(ids[0], [Path(folder) / name for name in names])
    library.add_documents(ids[1], [Path(folder) / name for name in names[:2]])
    library.add_documents(own, [Path("/opt/kotae/manual/manual.ja.md")])
    for collection_id in (*ids, own):
        documents = sorted(library.documents(collection_id), key=lambda document: document.id)
        if len(documents) == len(names):
            _read(documents, library)
        for document in documents if len(documents) < len(names) else ():
            library.put(replace(document, state="done", modified_ns=1, report=ReadingReport(sections=1)), [])
    library.close()


def _open(parts: AppContext) -> None:
    parts.documents.queue._is_paused = True  # nothing is to be read: these files are nowhere
    parts.documents.watch._timer.start()  # without a look
    parts.window._on_page_chosen("documents")
    process_until(lambda: parts.documents.is_open)
    page = parts.window.page("documents")
    page._refill()


def documents(parts: AppContext) -> None:
    """One of them is being read."""
    fill(parts.documents._path)
    _open(parts)
    page = parts.window.page("documents")
    wanted = NAMES[current_language()][0][0]
    page.show_collection(next(one.id for one in parts.documents.collections() if one.name == wanted))
    chosen = page.documents.index(1, 1).data(DocumentRole)
    page._on_status_changed(QueueStatus("reading", chosen.id, chosen.name, 41, 84, 12, 53))
    page.view.setFocus()


def documents_meaning(parts: AppContext) -> None:
    """Sections get vectors while one document is still read."""
    documents(parts)
    parts.embedding.status_changed.emit(EmbeddingStatus("working", 41, 1084))


def documents_empty(parts: AppContext) -> None:
    """As at the first start: only the manual is there."""
    library = Library.open(parts.documents._path)
    own = library.add_collection(phrase("common.manual_collection"), "public", is_builtin=True)
    (document_id,) = library.add_documents(own, [Path("/opt/kotae/manual/manual.ja.md")])
    document = library.document(document_id)
    assert document is not None
    library.put(
        replace(document, state="done", modified_ns=1, report=ReadingReport(sections=1)),
        [Section(("1",), "本文")],
    )
    library.close()
    _open(parts)


def documents_full_disk(parts: AppContext) -> None:
    fill(parts.documents._path)
    _open(parts)
    page = parts.window.page("documents")
    page._on_status_changed(QueueStatus("paused", 0, "", 0, 0, 12, 53))
    parts.documents.failed.emit(AppError("disk_full", path="/home/yamada/.local/share/kotae"))


def documents_manual(parts: AppContext) -> None:
    fill(parts.documents._path)
    _open(parts)
    own = next(one for one in parts.documents.collections() if one.is_builtin)
    page = parts.window.page("documents")
    page.show_collection(own.id)
    page.view.choose({parts.documents.documents(own.id)[0].id})
    page._on_report_requested()


def _report(parts: AppContext, number: int) -> None:
    fill(parts.documents._path)
    _open(parts)
    page = parts.window.page("documents")
    wanted = NAMES[current_language()][0][0]
    collection = next(one.id for one in parts.documents.collections() if one.name == wanted)
    page.show_collection(collection)
    document = next(
        one for one in parts.documents.documents(collection) if one.name == NAMES[current_language()][1][number]
    )
    page.view.choose({document.id})
    page._on_report_requested()


def documents_report(parts: AppContext) -> None:
    """A scan in part."""
    _report(parts, 1)


def documents_failed(parts: AppContext) -> None:
    _report(parts, 5)


def documents_encoding(parts: AppContext) -> None:
    _report(parts, 2)
    page = parts.window.page("documents")
    file = parts.documents._path.with_name("ledger.txt")
    file.write_bytes(LEDGER[current_language()].encode("cp932"))
    dialog = page.collection_actions.ask_encoding(replace(page.report.document, path=str(file)))
    process_until(lambda: dialog.preview.toPlainText())


def documents_new(parts: AppContext) -> None:
    _open(parts)
    dialog = parts.window.page("documents").collection_actions.ask_new()
    dialog.buttons["done"].click()


def documents_menu(parts: AppContext) -> None:
    documents(parts)
    parts.window.page("documents").menu_button.click()


def documents_move(parts: AppContext) -> None:
    """The collections to which two documents can be moved."""
    documents(parts)
    page = parts.window.page("documents")
    page.view.selectAll()
    parts.documents.refreshed.emit(RefreshResult(page.collection.id, 2, 1))
    into = next(action.menu() for action in page.document_menu().actions() if action.menu() is not None)
    into.popup(page.view.mapToGlobal(QPoint(120, 60)))


def documents_move_out(parts: AppContext) -> None:
    """Out of a confidential collection."""
    documents(parts)
    known = parts.documents.collections()
    secret = next(one for one in known if one.label == "secret")
    page = parts.window.page("documents")
    page.show_collection(secret.id)
    target = next(one for one in known if one.label != "secret" and not one.is_builtin)
    page.collection_actions.move(page.collection, parts.documents.documents(secret.id)[:1], target)


QUESTIONS = {
    "ja": ("鍵の受け取りについて教えてください。", "守衛室とは何ですか？", "点検の間隔は何か月ですか？"),
    "en": ("How to fetch a key?", "What is the gate?", "Late returns?"),
}


def documents_offer(parts: AppContext) -> None:
    """What was read is offered to be asked."""
    documents(parts)
    one = parts.window.page("documents").collection
    scope = (CollectionRef(one.id, one.name),)
    parts.reading_offers.offered.emit(ReadingOffer(one.id, one.name, 6, scope, QUESTIONS[current_language()]))


def documents_where(parts: AppContext) -> None:
    """A second folder waits for its collection."""
    documents(parts)
    page = parts.window.page("documents")
    page.collection_actions.add(page.collection, [Path(__file__).parent])


def documents_to_ask(parts: AppContext) -> None:
    """Single documents are ticked."""
    documents(parts)
    parts.window.show_questions()
    first = parts.page.scoping.documents_to_choose()[0]
    parts.page.scoping.choose([replace(first.ref, documents=tuple(one.path for one in first.documents[:2]))])
    parts.page.choose_documents()


EDITIONS = {
    "ja": (
        ("鉄筋のかぶりは70mm以上とする。", "ポンプは年2回点検しなければならない。"),
        ("鉄筋のかぶりは75mm以上とする。", "塗膜は、二層とする。"),
    ),
    "en": (
        ("The cover shall be at least 70 mm.", "Pumps are checked twice a year."),
        ("The cover shall be at least 75 mm.", "The coating has two layers."),
    ),
}


def documents_overview(parts: AppContext) -> None:
    """Two editions are compared."""
    documents(parts)
    parts.window.show_questions()
    library = Library.open_second(parts.documents.path)
    chosen = library.documents(1)[:2]
    for document, (cover, other) in zip(chosen, EDITIONS[current_language()], strict=True):
        library.put(document, [Section(("3.1",), cover, page=3), Section((f"3.{len(other)}",), other)])
    library.close()
    ids = tuple(one.id for one in chosen)
    parts.navigation.overview_requested.emit(OverviewRequest("comparison", ids, chosen[0].name))
    window = parts.window.findChild(OverviewWindow)
    process_until(lambda: window.table is not None)


def asking_beside_training(parts: AppContext) -> None:
    """A training holds the memory, and there is no document to quote."""
    parts.trainings.folder = Path("run")
    parts.engine.refusal = AppError("training_has_memory")


DOCUMENT_SHOTS: dict[str, Callable[[AppContext], None]] = {
    shot.__name__: shot
    for shot in (
        documents, documents_meaning, documents_empty, documents_full_disk, documents_manual, documents_report,
        documents_failed, documents_encoding, documents_new, documents_menu, documents_move, documents_move_out,
        documents_offer, documents_where, documents_to_ask, documents_overview, asking_beside_training,
    )
}  # fmt: skip
