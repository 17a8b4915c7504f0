"""Render a page of a PDF file as an image and locate quoted texts; links and scripts are never followed or run."""

import base64
import unicodedata
import zlib
from contextlib import closing
from pathlib import Path
from typing import Any

import pypdfium2

from app.base.errors import AppError
from app.base.files.input_file import open_regular
from app.documents.reading.messages import QuotePlace, Render, Rendered
from app.documents.reading.pdf import pdf_reader
from app.documents.reading.pdf.pdf_page import Glyph, read_page
from app.documents.records import Document

WIDTH_MOST_PX = 3_000  # a panel of 524 px at double pixel density and 300 % zoom
PIXELS_MOST = 16_000_000  # 48 MB; a page may be a metre high
QUOTES_MOST = 50
REGION_LEAST = 0.01  # of a page's width and height
SHORTEST_QUOTE = 4  # characters; shorter ones occur everywhere
HEAD, TAIL = 12, 8  # characters of a quote's two ends, searched for if the whole is not found
SAME_LINE = 0.6  # share of a character's height; a larger offset is the next line
PDF_HEAD = b"%PDF-"
HEAD_BYTES = 1024  # the signature may follow other bytes


def render(document: Document, command: Render) -> Rendered:
    """Render a page. Raises AppError if the file is gone, changed or damaged, or has no such page, OSError."""
    path = Path(document.path)
    check_unchanged(path, document)
    with open_regular(path) as start:
        if PDF_HEAD not in start.read(HEAD_BYTES):
            raise AppError("source_no_page", page=0)
    with closing(pdf_reader.open_pdf(path)) as file:
        if not 1 <= command.page <= len(file):
            raise AppError("source_no_page", page=command.page)
        try:
            page = file[command.page - 1]
        except pypdfium2.PdfiumError as error:
            raise AppError("document_damaged", detail=str(error)) from error
        with closing(page):
            return _drawn(page, command, len(file))


def check_unchanged(path: Path, document: Document) -> None:
    """Raise AppError("source_gone" | "source_changed") unless the file is as it was read, if its text could be read."""
    try:
        status = path.stat()
    except FileNotFoundError as error:
        raise AppError("source_gone", path=str(path)) from error
    if document.modified_ns and (status.st_size, status.st_mtime_ns) != (document.size_bytes, document.modified_ns):
        raise AppError("source_changed", path=str(path))


def _drawn(page: Any, command: Render, pages: int) -> Rendered:
    width_pt, height_pt = page.get_size()
    if width_pt <= 0 or height_pt <= 0:
        raise AppError("source_no_page", page=command.page)
    left, top, right, bottom = region_edges(command, width_pt, height_pt)
    requested = max(1, min(command.width_px, WIDTH_MOST_PX)) / (right - left)
    scale = min(requested, (PIXELS_MOST / ((right - left) * (bottom - top))) ** 0.5)
    glyphs = read_page(page).glyphs if command.quotes or command.reads else []
    lines = [line for quote in command.quotes[:QUOTES_MOST] for line in locate_quote(glyphs, quote)]
    places = [QuotePlace(*(edge * scale for edge in line)) for line in lines]
    inside = [one for one in glyphs if left <= (one.left + one.right) / 2 <= right]
    inside = [one for one in inside if top <= (one.top + one.bottom) / 2 <= bottom]
    words = "\n".join(line for _, line in _lines(inside)) if command.reads else ""
    crop = (left, height_pt - bottom, width_pt - right, top)
    how = {"scale": scale, "crop": crop, "may_draw_forms": False, "rev_byteorder": True, "prefer_bgrx": False}
    with closing(page.render(**how)) as bitmap:
        width, height, stride = bitmap.width, bitmap.height, bitmap.stride
        data = bytes(bitmap.buffer)
    rows = b"".join(data[start : start + 3 * width] for start in range(0, stride * height, stride))
    return Rendered(command.id, command.page, pages, width, height, pack_rows(rows), tuple(places), words)


def region_edges(command: Render, width: float, height: float) -> tuple[float, float, float, float]:
    """Return (left, top, right, bottom) of what is to be drawn of a page of this size; at least a hundredth of it."""
    left, top, right, bottom = (min(1.0, max(0.0, edge)) for edge in command.region or (0.0, 0.0, 1.0, 1.0))
    left, top = min(left, 1 - REGION_LEAST), min(top, 1 - REGION_LEAST)
    right, bottom = max(right, left + REGION_LEAST), max(bottom, top + REGION_LEAST)
    return left * width, top * height, right * width, bottom * height


def pack_rows(rows: bytes) -> str:
    """Return an image's rows in the form that `Rendered` carries."""
    return base64.b64encode(zlib.compress(rows, 1)).decode("ascii")


def locate_quote(glyphs: list[Glyph], quote: str) -> list[tuple[float, float, float, float]]:
    """Return (left, top, right, bottom) in points of each line of a quote, or of its part on this page; or []."""
    letters = [(_plain(glyph.text), glyph) for glyph in glyphs]
    owners = [glyph for text, glyph in letters for _ in text]
    shown, wanted = "".join(text for text, _ in letters), _plain(quote)
    if len(wanted) < SHORTEST_QUOTE:
        return []
    at = shown.find(wanted)
    span = (at, at + len(wanted)) if at >= 0 else _between_ends(shown, wanted)
    return [edges for edges, _ in _lines(owners[slice(*span)])] if span else []


def _between_ends(page_text: str, quote: str) -> tuple[int, int] | None:
    """Return (start, end) of a quote that differs slightly, found by its beginning, its end or both; or None."""
    head = page_text.find(quote[:HEAD])
    tail = page_text.find(quote[-TAIL:], max(0, head))
    if 0 <= head < tail <= head + 2 * len(quote):
        return head, tail + TAIL
    if len(quote) < 2 * HEAD:
        return None
    if head >= 0:
        return head, min(len(page_text), head + len(quote))
    return (max(0, tail + TAIL - len(quote)), tail + TAIL) if tail >= 0 else None


def _lines(glyphs: list[Glyph]) -> list[tuple[tuple[float, float, float, float], str]]:
    """Return the edges and the text of each line."""
    found: list[tuple[tuple[float, float, float, float], str]] = []
    for glyph in glyphs:
        edges = (glyph.left, glyph.top, glyph.right, glyph.bottom)
        if found and _is_beside(found[-1][0], edges):
            last, words = found[-1]
            both = (min(last[0], edges[0]), min(last[1], edges[1]), max(last[2], edges[2]), max(last[3], edges[3]))
            found[-1] = (both, f"{words}{' ' * glyph.is_spaced}{glyph.text}")
        else:
            found.append((edges, glyph.text))
    return found


def _is_beside(line: tuple[float, float, float, float], edges: tuple[float, float, float, float]) -> bool:
    """Whether the rectangle `edges` continues a line: to its right or, in vertical text, below it."""
    size = max(edges[3] - edges[1], edges[2] - edges[0], 1.0)
    is_across = abs((line[1] + line[3]) - (edges[1] + edges[3])) / 2 < SAME_LINE * size and edges[0] > line[0]
    is_down = abs((line[0] + line[2]) - (edges[0] + edges[2])) / 2 < SAME_LINE * size and edges[1] > line[1]
    return is_across or (is_down and line[2] - line[0] < 2 * size and edges[1] - line[3] < size)


def _plain(text: str) -> str:
    """Return the text in the form that is compared: without spaces and the separators of table cells."""
    return "".join(unicodedata.normalize("NFKC", text).replace("|", "").split())
