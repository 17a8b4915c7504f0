"""Pictures of the page まとめて質問, for `tests.screenshots`: a real file of questions, and batches as if they ran."""

from collections.abc import Callable
from pathlib import Path

import openpyxl

from app.application import AppContext
from app.base.confidentiality import ExportRequest
from app.base.errors import AppError
from app.base.wording import current_language
from app.chat.batch.journal import JournalHeader
from app.chat.presets import PROGRAM_DEFAULTS
from app.chat.services.batch_run import BatchStatus, BatchSummary
from app.chat.services.batch_session import UnfinishedBatch
from app.chat.ui.batch_page import BatchPage
from tests import document_shots
from tests.waiting import process_until

QUESTIONS = {
    "ja": (
        "会議室の予約はいつまで取り消せますか。",
        "出張費の精算の締め切りはいつですか。",
        "消火器の点検の間隔を教えてください。",
        "来客用の駐車場は何台分ありますか。",
        "停電のときに非常用の発電機で動かせる設備と、その時間を教えてください。",
        "鍵はどこで受け取りますか。",
    ),
    "en": (
        "Until when can a meeting room be cancelled?",
        "When are travel expenses due?",
        "How often are fire extinguishers inspected?",
        "How many cars can visitors park?",
        "What runs on the emergency generator during a power cut, and for how long?",
        "Where are the keys?",
    ),
}
NAMES = {"ja": ("問い合わせ一覧", "質問", "番号", "部署"), "en": ("enquiries", "Question", "No.", "Section")}


def _page(parts: AppContext) -> BatchPage:
    """With the collections of the page 資料."""
    document_shots.fill(parts.documents._path)
    parts.documents.queue._is_paused = True  # nothing is to be read: these files are nowhere
    page = parts.window.page("batch")
    assert isinstance(page, BatchPage)
    parts.window._on_page_chosen("batch")
    process_until(lambda: parts.documents.is_open)
    return page


def _file(parts: AppContext, count: int = 118) -> Path:
    name, question, number, section = NAMES[current_language()]
    book = openpyxl.Workbook()
    book.active.title = name
    book.active.append([number, question, section])
    texts = QUESTIONS[current_language()]
    for at in range(count):
        book.active.append([at + 1, texts[at % len(texts)] if at != 3 else None, "A"])
    path = Path(parts.documents._path).with_name(f"{name}.xlsx")
    book.save(path)
    return path


def _folder() -> Path:
    return Path(document_shots.NAMES[current_language()][2])


def batch_empty(parts: AppContext) -> None:
    _page(parts)


def batch_setup(parts: AppContext) -> None:
    page = _page(parts)
    path = _file(parts)
    page.open_file(path)
    process_until(lambda: page._batch_file is not None)
    page.setup.show_target(_folder() / page.setup.out.name)
    page.setup._rows[0].box.setChecked(True)


def batch_running(parts: AppContext) -> None:
    page = _page(parts)
    page.running.begin()
    page._show_view(page.running)
    page._on_progressed(BatchStatus(41, 118, QUESTIONS[current_language()][4], 640))


def batch_done(parts: AppContext) -> None:
    page = _page(parts)
    page._out = _folder() / f"{NAMES[current_language()][0]}.xlsx"
    page._on_finished(BatchSummary(117, 9, 6, 0, 1, 0, "internal"))


def batch_failed(parts: AppContext) -> None:
    page = _page(parts)
    page._show_view(page.running)
    page._on_failed(AppError("disk_full", path="/media/usb"))


def batch_unfinished(parts: AppContext) -> None:
    page = _page(parts)
    name = NAMES[current_language()][0]
    head = JournalHeader(str(_folder() / f"{name}.xlsx"), "", 1, "m", "M", (), PROGRAM_DEFAULTS, 4096, 1.0)
    page._on_unfinished(UnfinishedBatch(_folder() / f"{name}_2.xlsx", head, 41))


def export_secret(parts: AppContext) -> None:
    page = _page(parts)
    page._secrecy.export(page, ExportRequest("answers", "/x", lambda: "secret"), lambda _permit: None)


def chat_menu(parts: AppContext) -> None:
    """With a conversation that is open."""
    from tests import screenshots

    screenshots.chat(parts)
    header = parts.window.page("ask").header
    header.menu_button.click()


BATCH_SHOTS: dict[str, Callable[[AppContext], None]] = {
    shot.__name__: shot
    for shot in (
        batch_empty, batch_setup, batch_running, batch_done, batch_failed, batch_unfinished, export_secret, chat_menu,
    )
}  # fmt: skip
