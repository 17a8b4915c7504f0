"""Read PDF files: text in reading order with its places. Scripts, forms and embedded files are ignored.

A page is read column by column; lines and tables that span the columns separate them into bands.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby, pairwise
from pathlib import Path
from typing import Any

import pypdfium2

from app.base import invisible_characters
from app.base.errors import AppError
from app.documents.reading import limits
from app.documents.reading.pdf import ocr
from app.documents.reading.pdf.pdf_lines import (
    GlyphRun,
    PageLine,
    build_lines,
    build_runs,
    group_runs,
    rotate_page,
)
from app.documents.reading.pdf.pdf_page import RawPage, read_page
from app.documents.reading.pdf.pdf_paragraphs import (
    Outline,
    PageItem,
    TextPage,
    build_blocks,
    count_letters,
    read_outline,
)
from app.documents.reading.pdf.pdf_tables import PdfTable, find_aligned_tables, find_ruled_tables
from app.documents.reading.text_blocks import ProgressCallback, ReadDocument, is_japanese
from app.documents.records import ReadingReport

GUTTER_EM = 1.0  # the least width between two columns
LINES_LEAST = 6  # smallest number of lines in each column
FILLED = 0.55  # share of a column's width that its median line fills; table cells are shorter
CROSSING = 0.12  # largest share of lines that span the gutter, such as titles
DEEPEST = 3  # a page is halved up to three times: up to eight columns


@dataclass(slots=True)
class PageColumn:
    """The lines and tables of a column in order, with the column's left and right edge."""

    content: list[PageLine | PdfTable]
    left: float
    right: float


def find_columns(runs: Sequence[GlyphRun], tables: Sequence[PdfTable], depth: int = 0) -> list[PageColumn]:
    """Return the columns in reading order.

    `runs`: the page's glyphs outside of tables. `tables`: the page's tables. `depth`: how often the page is already
    halved.
    """
    gutter = _gutter(runs) if depth < DEEPEST else None
    if gutter is None:
        return _one_column(runs, tables)
    spanning = [run for run in runs if run.left < gutter < run.right]
    wide = [table for table in tables if table.edges[0] < gutter < table.edges[2]]
    found: list[PageColumn] = []
    above = float("-inf")
    places = [((line.top + line.bottom) / 2, None) for line in build_lines(spanning)]
    ends: list[tuple[float, PdfTable | None]] = [*places, *((table.edges[1], table) for table in wide)]
    for below, table in [*sorted(ends, key=lambda end: end[0]), (float("inf"), None)]:
        band = [run for run in runs if above < run.middle < below and not run.left < gutter < run.right]
        narrow = [one for one in tables if one not in wide and above < one.edges[1] <= below]
        for is_left in (True, False):
            side = [run for run in band if (run.right <= gutter) == is_left]
            beside = [one for one in narrow if (one.edges[2] <= gutter) == is_left]
            found += find_columns(side, beside, depth + 1)
        line = [run for run in spanning if abs(run.middle - below) < max(1.0, run.size * 0.5)]
        found += _one_column([] if table else line, [table] if table else [])
        above = below
    return found


def _one_column(runs: Sequence[GlyphRun], tables: Sequence[PdfTable]) -> list[PageColumn]:
    if not runs:
        return [PageColumn([table], table.edges[0], table.edges[2]) for table in tables]
    lines = build_lines(runs)
    content: list[PageLine | PdfTable] = list(lines)
    for table in sorted(tables, key=lambda table: -table.edges[1]):
        above = next((place for place, line in enumerate(lines) if line.top >= table.edges[1] - 1), len(lines))
        content.insert(above, table)
    return [PageColumn(content, min(line.left for line in lines), _right_edge(lines))]


def _right_edge(lines: Sequence[PageLine]) -> float:
    """Return the right edge that several lines share, at which lines are broken.

    A long formula or address may extend beyond it.
    """
    rights = sorted((line.right for line in lines), reverse=True)
    least = max(2, len(lines) // 10)
    for place, right in enumerate(rights):
        if sum(1 for other in rights[place : place + 4 * least] if right - other <= lines[0].size) >= least:
            return right
    return rights[0]


def _gutter(runs: Sequence[GlyphRun]) -> float | None:
    """Return the middle of the white band between two columns; None if there is one column."""
    if len(runs) < 2 * LINES_LEAST:
        return None
    left, right = min(run.left for run in runs), max(run.right for run in runs)
    width = int(right - left)
    if not 60 <= width <= 5000:
        return None
    changes = [0] * (width + 2)  # how many runs begin at a place, less those that have ended before it
    for run in runs:
        changes[int(run.left - left)] += 1
        changes[min(width, int(run.right - left)) + 1] -= 1
    covered = list(accumulate(changes))
    lines = len(group_runs(runs))
    size = sorted(run.size for run in runs)[len(runs) // 2]
    best: tuple[float, float] | None = None
    start: int | None = None
    for place in range(int(width * 0.2), int(width * 0.8) + 1):
        if covered[place] <= CROSSING * lines + 1:
            start = place if start is None else start
            continue
        best = _wider(best, start, place, left)
        start = None
    best = _wider(best, start, int(width * 0.8) + 1, left)
    if best is None or best[0] < GUTTER_EM * size:
        return None
    gutter = best[1]
    return gutter if _is_text(runs, gutter, left, right) else None


def _wider(best: tuple[float, float] | None, start: int | None, end: int, left: float) -> tuple[float, float] | None:
    """Return the wider of `best` and the band from `start` to `end`, as (width, middle)."""
    if start is None or (best is not None and end - start <= best[0]):
        return best
    return float(end - start), left + (start + end) / 2


def _is_text(runs: Sequence[GlyphRun], gutter: float, left: float, right: float) -> bool:
    """Whether both sides of the gutter are lines of text, not table cells."""
    for side, width in (
        ([run for run in runs if run.right <= gutter], gutter - left),
        ([run for run in runs if run.left >= gutter], right - gutter),
    ):
        lines = build_lines(side)
        if len(lines) < LINES_LEAST:
            return False
        filled = sorted((line.right - line.left) / width for line in lines)
        if filled[len(filled) // 2] < FILLED:
            return False
    return True


PASSWORD_ERROR = 4  # FPDF_ERR_PASSWORD
UNSUPPORTED_ERROR = 5  # FPDF_ERR_SECURITY
STAMP_CHARACTERS = 20  # a scanned page may have a number or stamp as text
RUBY = 0.62  # largest size of ruby, as a share of the characters below it


def read(path: Path, on_progress: ProgressCallback, recognizer: ocr.Recognizer | None = None) -> ReadDocument:
    """Read a PDF file. `recognizer`: recognizes the text of pages that are images; None: those pages have no text.

    Raises AppError("document_protected" | "document_damaged" | "document_too_many_pages" | "document_too_long"),
    OSError.
    """
    document = open_pdf(path)
    try:
        if len(document) > limits.PAGES:
            raise AppError("document_too_many_pages", pages=len(document), limit=limits.PAGES)
        return _Reader(document, on_progress, recognizer).read()
    finally:
        document.close()


def open_pdf(path: Path) -> Any:
    """Open a pypdfium2 document, which the caller closes.

    Raises AppError("document_protected" | "document_damaged").
    """
    try:
        return pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as error:
        if error.err_code in (PASSWORD_ERROR, UNSUPPORTED_ERROR):
            raise AppError("document_protected") from error
        raise AppError("document_damaged", detail=str(error)) from error


class _Reader:
    def __init__(self, document: Any, on_progress: ProgressCallback, recognizer: ocr.Recognizer | None) -> None:
        self._document = document
        self._on_progress = on_progress
        self._recognizer = recognizer
        self._characters = limits.CharacterBudget()
        self._unmapped = self._letters = 0
        self._tables = 0
        self._empty_pages: list[int] = []
        self._recognized: dict[int, dict[str, int]] = {}
        self._notes: list[str] = []

    def read(self) -> ReadDocument:
        count = len(self._document)
        pages = []
        for number in range(1, count + 1):
            self._on_progress(number, count)
            pages.append(self._page(number))
        letters = sum(map(count_letters, pages))
        blocks = build_blocks(pages, Outline(read_outline(self._document)))
        self._letters -= letters - sum(map(count_letters, pages))  # of headers, footers and tables of contents
        if self._recognized:
            self._notes.append("recognized")
        if self._document.count_attachments() > 0:
            self._notes.append("embedded_files")
        if len(self._empty_pages) * 2 > count:
            self._notes.append("pages_without_text")
        report = ReadingReport(
            pages=count,
            pages_without_text=tuple(self._empty_pages),
            garbled_share=min(1.0, self._unmapped / max(1, self._characters.count)),
            tables=self._tables,
            notes=tuple(dict.fromkeys(self._notes)),
        )
        title = invisible_characters.to_single_line(self._document.get_metadata_value("Title"))
        return ReadDocument(blocks, title, report, self._letters, self._recognized)

    def _page(self, number: int) -> TextPage:
        try:
            page = self._document[number - 1]
        except pypdfium2.PdfiumError:
            self._notes.append("pages_unreadable")
            self._empty_pages.append(number)
            return TextPage(number, rotate_page(RawPage(0, 0))[0], 0)
        try:
            raw = read_page(page)
            self._characters.add(len(raw.glyphs))
            self._unmapped += raw.unmapped
            self._letters += raw.letters
            self._recognize_if_empty(page, number, raw)
        except pypdfium2.PdfiumError:
            self._notes.append("pages_unreadable")
            self._empty_pages.append(number)
            raw = RawPage(0, 0)
        finally:
            page.close()
        laid_out = lay_out(raw, number)
        self._tables += sum(1 for item in laid_out.items if isinstance(item.content, PdfTable))
        return laid_out

    def _recognize_if_empty(self, page: Any, number: int, raw: RawPage) -> None:
        """Record a page that has no text, or recognize its text if the user wants that."""
        few = STAMP_CHARACTERS if raw.has_picture else 0
        if len(raw.glyphs) > few or raw.is_blank:
            return
        scale = ocr.fit_scale(self._recognizer, raw.width, raw.height) if self._recognizer else 0.0
        words = self._recognizer.words(_grey_pixels(page, scale)) if self._recognizer else []
        if words:
            raw.glyphs = ocr.place_glyphs(words, scale)
            self._recognized[number] = ocr.low_numbers(words)
            self._characters.add(len(raw.glyphs))
        else:
            self._empty_pages.append(number)


def _grey_pixels(page: Any, scale: float) -> Any:
    """Return a page as a numpy array of grey bytes (rows, columns)."""
    bitmap = page.render(scale=scale, grayscale=True)
    try:
        pixels = bitmap.to_numpy()
        return (pixels if pixels.ndim == 2 else pixels[:, :, 0]).copy()
    finally:
        bitmap.close()


def lay_out(raw: RawPage, number: int) -> TextPage:
    """Return a page's lines and tables in reading order."""
    turn, raw = rotate_page(raw)
    tables, glyphs = find_ruled_tables(raw)
    runs = _without_ruby(build_runs(glyphs))
    page = TextPage(number, turn, raw.height)
    for column in find_columns(runs, tables):
        page.items += _items(column)
    return page


def _items(column: PageColumn) -> list[PageItem]:
    """Return the items of a column; lines with aligned cells become tables."""
    lines = [one for one in column.content if isinstance(one, PageLine)]
    pitches = sorted((after.top + after.bottom - line.top - line.bottom) / 2 for line, after in pairwise(lines))
    pitch = pitches[len(pitches) // 2] if len(pitches) >= 2 else 0.0
    found: list[PageItem] = []
    for is_lines, group in groupby(column.content, key=lambda one: isinstance(one, PageLine)):
        content = list(group)
        if is_lines:
            content = _with_tables([one for one in content if isinstance(one, PageLine)])
        found += [PageItem(one, column.left, column.right, pitch) for one in content]
    return found


def _with_tables(lines: list[PageLine]) -> list[PageLine | PdfTable]:
    found: list[PageLine | PdfTable] = []
    done = 0
    for start, end, table in find_aligned_tables(lines):
        found += [*lines[done:start], table]
        done = end
    return [*found, *lines[done:]]


def _without_ruby(runs: list[GlyphRun]) -> list[GlyphRun]:
    """Drop the small kana that give the reading of ideographs below them."""
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

    def is_ruby(run: GlyphRun) -> bool:
        return any(
            run.size <= RUBY * line.size
            and line.left - line.size <= run.left
            and run.right <= line.right + line.size
            and -0.6 * line.size <= line.top - run.bottom <= 0.4 * line.size
            for line in lines
        )

    ruby = {id(run) for run in small if is_ruby(run)}
    return [run for run in runs if id(run) not in ruby]
