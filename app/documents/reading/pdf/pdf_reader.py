"""Read PDF files: text with its places, column by column in bands between what spans the columns; nothing active."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby, pairwise
from pathlib import Path
from typing import Any

import pypdfium2

from app.base import invisible_characters
from app.base.errors import AppError
from app.base.isolation import sandbox
from app.documents.reading import limits
from app.documents.reading.helpers import NO_HELPERS, Helpers
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
TITLE = 0.35  # largest share of a page's height that the title, authors and summary above two columns take
DEEPEST = 3  # a page is halved up to three times: up to eight columns


@dataclass(slots=True)
class PageColumn:
    """The lines and tables of a column in order, with the column's left and right edge."""

    content: list[PageLine | PdfTable]
    left: float
    right: float


def find_columns(
    runs: Sequence[GlyphRun], tables: Sequence[PdfTable], depth: int = 0, *, has_title: bool = False
) -> list[PageColumn]:
    """Return the columns of runs outside of tables, in reading order.

    `depth`: how often the page is halved. `has_title`: columns may begin below a title, as on a paper's first page.
    """
    gutter = _gutter(runs) if depth < DEEPEST else None
    if gutter is None and has_title and runs:
        top, bottom = min(run.top for run in runs), max(run.bottom for run in runs)
        gutter = _gutter([run for run in runs if run.top > top + TITLE * (bottom - top)])
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
    """Return the right edge that several lines share, as a long formula or address may extend beyond."""
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


def read(
    path: Path,
    on_progress: ProgressCallback,
    recognizer: ocr.Recognizer | None = None,
    helpers: Helpers = NO_HELPERS,
) -> ReadDocument:
    """Read a PDF file, images with a `recognizer`. Raises AppError for a damaged, protected or too long one,
    OSError."""
    document = open_pdf(path)
    try:
        if len(document) > limits.PAGES:
            raise AppError("document_too_many_pages", pages=len(document), limit=limits.PAGES)
        return _Reader(document, on_progress, recognizer, helpers).read(path)
    finally:
        document.close()


def open_pdf(path: Path) -> Any:
    """Open a pypdfium2 document to close. Raises AppError("document_protected" | "document_damaged")."""
    try:
        return pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as error:
        if error.err_code in (PASSWORD_ERROR, UNSUPPORTED_ERROR):
            raise AppError("document_protected") from error
        raise AppError("document_damaged", detail=str(error)) from error


@dataclass(slots=True)
class _PageReading:
    """A page that was read, with numbers of glyphs. `recognized`: the certainty of the numbers of recognized text."""

    page: TextPage
    characters: int = 0
    unmapped: int = 0
    letters: int = 0
    is_unreadable: bool = False
    is_empty: bool = False
    recognized: dict[str, int] | None = None


def _read_page(document: Any, number: int, recognizer: ocr.Recognizer | None = None) -> _PageReading:
    raw = RawPage(0, 0)
    reading = _PageReading(TextPage(number, rotate_page(raw)[0], 0))
    try:
        page = document[number - 1]
    except pypdfium2.PdfiumError:
        reading.is_unreadable = reading.is_empty = True
        return reading
    try:
        raw = read_page(page)
        reading.characters, reading.unmapped, reading.letters = len(raw.glyphs), raw.unmapped, raw.letters
        _recognize_if_empty(page, raw, recognizer, reading)
    except pypdfium2.PdfiumError:
        reading.is_unreadable = reading.is_empty = True
        raw = RawPage(0, 0)
    finally:
        page.close()
    reading.page = lay_out(raw, number)
    reading.letters -= reading.page.ruby_letters
    return reading


def _recognize_if_empty(page: Any, raw: RawPage, recognizer: ocr.Recognizer | None, reading: _PageReading) -> None:
    """Record a page that has no text, or recognize its text if the user wants that."""
    few = STAMP_CHARACTERS if raw.has_picture else 0
    if len(raw.glyphs) > few or raw.is_blank:
        return
    scale = ocr.fit_scale(recognizer, raw.width, raw.height) if recognizer else 0.0
    words = recognizer.words(_grey_pixels(page, scale)) if recognizer else []
    if words:
        raw.glyphs = ocr.place_glyphs(words, scale)
        reading.recognized = ocr.low_numbers(words)
        reading.characters += len(raw.glyphs)
    else:
        reading.is_empty = True


PART_PAGES = 4  # pages that a helper reads at once
_Part = tuple[Path, int, Sequence[int]]  # the file, when it was changed, and numbers of pages
_open_in_helper: tuple[tuple[Path, int], Any] | None = None


def read_pages(part: _Part) -> list[_PageReading]:
    """Read pages in a helper, which keeps the file open for the next ones."""

    def read_confined() -> list[_PageReading]:
        global _open_in_helper
        path, changed_ns, numbers = part
        if _open_in_helper is None or _open_in_helper[0] != (path, changed_ns):
            if _open_in_helper is not None:
                _open_in_helper[1].close()
            _open_in_helper = (path, changed_ns), open_pdf(path)
        return [_read_page(_open_in_helper[1], number) for number in numbers]

    readings = sandbox.run_confined(read_confined, [part[0]], ())
    for item in itertools.chain.from_iterable(reading.page.items for reading in readings):
        if isinstance(item.content, PageLine):
            item.content.runs = []  # only needed for the layout, and most of what would be sent
    return readings


class _Reader:
    def __init__(
        self,
        document: Any,
        on_progress: ProgressCallback,
        recognizer: ocr.Recognizer | None,
        helpers: Helpers,
    ) -> None:
        self._document = document
        self._on_progress = on_progress
        self._recognizer = recognizer
        self._helpers = helpers
        self._characters = limits.CharacterBudget()
        self._unmapped = self._letters = 0
        self._tables = 0
        self._empty_pages: list[int] = []
        self._recognized: dict[int, dict[str, int]] = {}
        self._notes: list[str] = []

    def read(self, path: Path) -> ReadDocument:
        count = len(self._document)
        pages = [self._take(reading) for reading in self._readings(path)]
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

    def _readings(self, path: Path) -> Iterator[_PageReading]:
        """Yield the pages in order; helpers read some of them, unless text is recognized."""
        numbers = range(1, len(self._document) + 1)
        parts = [
            (path, path.stat().st_mtime_ns, numbers[at : at + PART_PAGES]) for at in range(0, len(numbers), PART_PAGES)
        ]
        if self._helpers and self._recognizer is None:
            for readings in self._helpers.map(read_pages, parts, lambda part: list(map(self._read, part[2]))):
                yield from readings
        else:
            yield from map(self._read, numbers)

    def _read(self, number: int) -> _PageReading:
        self._on_progress(number, len(self._document))  # helpers read most of the pages before it
        return _read_page(self._document, number, self._recognizer)

    def _take(self, reading: _PageReading) -> TextPage:
        self._characters.add(reading.characters)
        self._unmapped += reading.unmapped
        self._letters += reading.letters
        if reading.is_unreadable:
            self._notes.append("pages_unreadable")
        if reading.is_empty:
            self._empty_pages.append(reading.page.number)
        if reading.recognized is not None:
            self._recognized[reading.page.number] = reading.recognized
        self._tables += sum(1 for item in reading.page.items if isinstance(item.content, PdfTable))
        return reading.page


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
    printed = build_runs(glyphs)
    runs = _without_ruby(printed)
    page = TextPage(number, turn, raw.height)
    page.ruby_letters = sum(len(run.glyphs) for run in printed) - sum(len(run.glyphs) for run in runs)
    for column in find_columns(runs, tables, has_title=number == 1):
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
