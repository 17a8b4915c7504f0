"""PDF files: text in the order it is read, with its places. Scripts, forms and embedded files are left alone."""

from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import pypdfium2

from app.base import invisible_characters
from app.base.errors import AppError
from app.documents.reading import limits
from app.documents.reading.blocks import Block, Reading, Tell
from app.documents.reading.hygiene import is_japanese
from app.documents.reading.pdf import ocr
from app.documents.reading.pdf.pdf_columns import Column, columns_of
from app.documents.reading.pdf.pdf_lines import Line, Run, runs_of, turned
from app.documents.reading.pdf.pdf_outline import Outline, entries_of
from app.documents.reading.pdf.pdf_page import RawPage, read_page
from app.documents.reading.pdf.pdf_paragraphs import blocks_of
from app.documents.reading.pdf.pdf_tables import Table, aligned, ruled
from app.documents.reading.pdf.pdf_text import Item, TextPage
from app.documents.records import Report

PASSWORD_ERROR = 4  # FPDF_ERR_PASSWORD
UNSUPPORTED_ERROR = 5  # FPDF_ERR_SECURITY
STAMP_CHARACTERS = 20  # a scanned page may bear a number or a stamp that is text
RUBY = 0.62  # of the letters below it


def read(path: Path, tell: Tell, *, ocr: bool = False) -> Reading:
    """`ocr`: recognizes the letters of pages that are pictures.

    Raises AppError("document_protected" | "document_damaged" | "document_too_many_pages" | "document_too_long"),
    OSError.
    """
    document = opened(path)
    try:
        if len(document) > limits.PAGES:
            raise AppError("document_too_many_pages", pages=len(document), limit=limits.PAGES)
        return _Reader(document, tell, ocr).read()
    finally:
        document.close()


def opened(path: Path) -> Any:
    """A pypdfium2 document, which the caller closes. Raises AppError("document_protected" | "document_damaged")."""
    try:
        return pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as error:
        if error.err_code in (PASSWORD_ERROR, UNSUPPORTED_ERROR):
            raise AppError("document_protected") from error
        raise AppError("document_damaged", detail=str(error)) from error


class _Reader:
    def __init__(self, document: Any, tell: Tell, with_ocr: bool) -> None:
        self._document = document
        self._tell = tell
        self._recognizer = ocr.Recognizer(tell) if with_ocr else None
        self._characters = limits.Characters()
        self._unmapped = 0
        self._tables = 0
        self._silent: list[int] = []
        self._recognized: dict[int, list[Block]] = {}
        self._notes: list[str] = []

    def read(self) -> Reading:
        count = len(self._document)
        pages = []
        for number in range(1, count + 1):
            self._tell(number, count)
            pages.append(self._page(number))
        blocks = blocks_of(pages, Outline(entries_of(self._document)))
        if self._recognized:
            self._notes.append("recognized")
            blocks = _with_recognized(blocks, self._recognized)
        if self._document.count_attachments() > 0:
            self._notes.append("embedded_files")
        if len(self._silent) * 2 > count:
            self._notes.append("pages_without_text")
        report = Report(
            pages=count,
            pages_without_text=tuple(self._silent),
            garbled_share=min(1.0, self._unmapped / max(1, self._characters.count)),
            tables=self._tables,
            notes=tuple(dict.fromkeys(self._notes)),
        )
        title = invisible_characters.to_single_line(self._document.get_metadata_value("Title"))
        return Reading(blocks, title, report)

    def _page(self, number: int) -> TextPage:
        try:
            page = self._document[number - 1]
        except pypdfium2.PdfiumError:
            self._notes.append("pages_unreadable")
            self._silent.append(number)
            return TextPage(number, turned(RawPage(0, 0))[0], 0)
        try:
            raw = read_page(page)
            self._characters.add(len(raw.glyphs))
            self._unmapped += raw.unmapped
            self._hear(page, number, raw)
        except pypdfium2.PdfiumError:
            self._notes.append("pages_unreadable")
            self._silent.append(number)
            raw = RawPage(0, 0)
        finally:
            page.close()
        laid_out = lay_out(raw, number)
        self._tables += sum(1 for item in laid_out.items if isinstance(item.content, Table))
        return laid_out

    def _hear(self, page: Any, number: int, raw: RawPage) -> None:
        """Notes a page without text, and recognizes it where that is wished."""
        few = STAMP_CHARACTERS if raw.has_picture else 0
        if len(raw.glyphs) > few or raw.is_blank:
            return
        found = self._recognizer.blocks_of(page, number) if self._recognizer else []
        if found:
            self._recognized[number] = found
            self._characters.add(sum(len(block.text) for block in found))
        else:
            self._silent.append(number)


def lay_out(raw: RawPage, number: int) -> TextPage:
    """A page's lines and tables in reading order."""
    turn, raw = turned(raw)
    tables, glyphs = ruled(raw)
    runs = _without_ruby(runs_of(glyphs))
    page = TextPage(number, turn, raw.height)
    for column in columns_of(runs, tables):
        page.items += _items(column)
    return page


def _items(column: Column) -> list[Item]:
    """Lines whose cells stand under one another become tables too."""
    lines = [one for one in column.content if isinstance(one, Line)]
    pitches = sorted((after.top + after.bottom - line.top - line.bottom) / 2 for line, after in pairwise(lines))
    pitch = pitches[len(pitches) // 2] if len(pitches) >= 2 else 0.0
    found: list[Item] = []
    for is_lines, group in groupby(column.content, key=lambda one: isinstance(one, Line)):
        content = list(group)
        if is_lines:
            content = _with_tables([one for one in content if isinstance(one, Line)])
        found += [Item(one, column.left, column.right, pitch) for one in content]
    return found


def _with_tables(lines: list[Line]) -> list[Line | Table]:
    found: list[Line | Table] = []
    done = 0
    for start, end, table in aligned(lines):
        found += [*lines[done:start], table]
        done = end
    return [*found, *lines[done:]]


def _without_ruby(runs: list[Run]) -> list[Run]:
    """Without the small kana that say how the ideographs below them are read."""
    sizes = sorted(run.size for run in runs)
    if not sizes:
        return runs
    largest = sizes[-1]
    small = [
        run for run in runs if run.size <= RUBY * largest and all("ぁ" <= glyph.text <= "ヿ" for glyph in run.glyphs)
    ]
    if not small:
        return runs
    lines = [run for run in runs if run.glyphs and any(is_japanese(glyph.text) for glyph in run.glyphs)]

    def is_ruby(run: Run) -> bool:
        return any(
            run.size <= RUBY * line.size
            and line.left - line.size <= run.left
            and run.right <= line.right + line.size
            and -0.6 * line.size <= line.top - run.bottom <= 0.4 * line.size
            for line in lines
        )

    ruby = {id(run) for run in small if is_ruby(run)}
    return [run for run in runs if id(run) not in ruby]


def _with_recognized(blocks: list[Block], recognized: dict[int, list[Block]]) -> list[Block]:
    """The pages' blocks at their places among the others."""
    found: list[Block] = []
    waiting = sorted(recognized)
    for block in blocks:
        while waiting and waiting[0] <= block.page:
            found += recognized[waiting.pop(0)]
        found.append(block)
    for number in waiting:
        found += recognized[number]
    return found
