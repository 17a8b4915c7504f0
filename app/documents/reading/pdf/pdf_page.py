"""Read one page with PDFium: glyphs with their boxes, and ruled lines, in points of the page as displayed."""

import ctypes
import math
import sys
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pypdfium2.raw as pdfium

SEGMENTS_MOST = 20_000  # lines of a page; a page with more is a drawing without tables
FORMS_DEEPEST = 6
STRAIGHT_PT = 1.0  # the largest slant of a rule
SHORTEST_PT = 6.0  # shorter strokes are parts of characters and symbols
GLYPHS_MOST = 200_000  # glyphs of one page; a full newspaper page has 20,000

# Characters that PDF files use instead of others: radicals, vertical forms of punctuation, ligatures.
_SAME = {
    code: unicodedata.normalize("NFKC", chr(code))
    for first, last in ((0x2F00, 0x2FD5), (0xFE10, 0xFE19), (0xFE30, 0xFE44), (0xFB00, 0xFB06))
    for code in range(first, last + 1)
}
_SAME[0x02] = "-"  # PDFium's mark for a hyphen at the end of a line
_SAME[0xA0] = " "


@dataclass(slots=True)
class Glyph:
    """A character; `size` is its font size in points. y grows downward."""

    text: str
    left: float
    top: float
    right: float
    bottom: float
    size: float
    is_spaced: bool = False  # whether white space precedes it


@dataclass(slots=True)
class RuledLine:
    """A straight horizontal or vertical line from `start` to `end`. `position`: its position on the other axis."""

    position: float
    start: float
    end: float


@dataclass(slots=True)
class RawPage:
    """The content of a page before it is divided into lines."""

    width: float
    height: float
    glyphs: list[Glyph] = field(default_factory=list)
    horizontal: list[RuledLine] = field(default_factory=list)
    vertical: list[RuledLine] = field(default_factory=list)
    letters: int = 0  # letters and digits on the page, whether or not their places are known
    unmapped: int = 0  # glyphs without a character in the file
    has_picture: bool = False  # whether an image covers at least half of the page
    is_blank: bool = False  # whether nothing is drawn on the page


class _PageTransform:
    """A conversion from a page's own coordinates to displayed ones; it includes crop box and rotation."""

    def __init__(self, page: Any) -> None:
        self.left, self.bottom, self.right, self.top = page.get_bbox()
        self.rotation: int = page.get_rotation()
        width, height = abs(self.right - self.left), abs(self.top - self.bottom)
        self.width, self.height = (height, width) if self.rotation in (90, 270) else (width, height)

    def point(self, x: float, y: float) -> tuple[float, float]:
        match self.rotation:
            case 90:
                return y - self.bottom, x - self.left
            case 180:
                return self.right - x, y - self.bottom
            case 270:
                return self.top - y, self.right - x
        return x - self.left, self.top - y


def read_page(page: Any) -> RawPage:
    """Read a page. `page`: a pypdfium2 page, which the caller closes. Raises pypdfium2.PdfiumError."""
    frame = _PageTransform(page)
    raw = RawPage(frame.width, frame.height)
    text_page = page.get_textpage()
    try:
        _read_glyphs(text_page, frame, raw)
    finally:
        text_page.close()
    _read_objects(page, frame, raw)
    return raw


def _read_glyphs(text_page: Any, frame: _PageTransform, raw: RawPage) -> None:
    count = min(GLYPHS_MOST, text_page.count_chars())
    handle, address = text_page.raw, _address(text_page.raw)
    box = pdfium.FS_RECTF()
    box_at = ctypes.byref(box)
    is_spaced = False
    surrogate = 0
    last_object = -1
    size = 0.0
    for index in range(count):
        code = _unicode_of(address, index)
        if code > sys.maxunicode:
            code = 0
        if code in (9, 10, 13, 32, 0x3000, 0xA0):
            is_spaced = is_spaced or code != 13
            continue
        # PDFium also reports old fonts, whose codes are plain ASCII.
        if code in (0, 0xFFFE, 0xFFFF) or (code > 0x7E and _is_unmapped(address, index) == 1):
            raw.unmapped += 1
        is_letter = chr(code).isalnum()
        raw.letters += is_letter
        if not _loose_box_of(address, index, box_at):
            continue
        if 0xD800 <= code < 0xDC00:
            surrogate = code
            continue
        if 0xDC00 <= code < 0xE000:
            code = 0x10000 + ((surrogate - 0xD800) << 10) + (code - 0xDC00) if surrogate else 0xFFFD
        surrogate = 0
        owner = _object_of(address, index)
        if owner != last_object:
            last_object = owner
            size = _size(handle, index)
        left, top = frame.point(box.left, box.top)
        right, bottom = frame.point(box.right, box.bottom)
        if not (-1e5 < left < 1e5 and -1e5 < top < 1e5 and -1e5 < right < 1e5 and -1e5 < bottom < 1e5):
            continue  # also what is no number
        if left > right:
            left, right = right, left
        if top > bottom:
            top, bottom = bottom, top
        if right <= 0 or left >= frame.width or bottom <= 0 or top >= frame.height:
            raw.letters -= is_letter
            continue  # outside the page, and so invisible
        text = _SAME.get(code) or (chr(code) if code else "\ufffd")
        raw.glyphs.append(Glyph(text, left, top, right, bottom, size or bottom - top, is_spaced))
        is_spaced = False


def _address(pointer: Any) -> int | None:
    return ctypes.cast(pointer, ctypes.c_void_p).value


def _of_glyph(function: Any, result: Any, *more: Any) -> Callable[..., Any]:
    """Return a function of PDFium on a glyph that takes and returns addresses as numbers, which costs half the time."""
    return ctypes.CFUNCTYPE(result, ctypes.c_void_p, ctypes.c_int, *more)(_address(function) or 0)


_unicode_of = _of_glyph(pdfium.FPDFText_GetUnicode, ctypes.c_uint)
_is_unmapped = _of_glyph(pdfium.FPDFText_HasUnicodeMapError, ctypes.c_int)
_loose_box_of = _of_glyph(pdfium.FPDFText_GetLooseCharBox, ctypes.c_int, ctypes.c_void_p)
_object_of = _of_glyph(pdfium.FPDFText_GetTextObject, ctypes.c_void_p)


def _size(handle: Any, index: int) -> float:
    """Return the font size scaled by the text's matrix; 0: unknown."""
    matrix = pdfium.FS_MATRIX()
    size = float(pdfium.FPDFText_GetFontSize(handle, index))
    if not pdfium.FPDFText_GetMatrix(handle, index, ctypes.byref(matrix)):
        return size
    scaled = size * math.hypot(matrix.c, matrix.d)
    return scaled if math.isfinite(scaled) and 0 < scaled < 10_000 else 0.0


# ------------------------------------------------------------------ lines


def _read_objects(page: Any, frame: _PageTransform, raw: RawPage) -> None:
    identity = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)
    segments = 0
    raw.is_blank = True
    for handle, matrix in _objects(page.raw, identity, 0):
        raw.is_blank = False
        kind = pdfium.FPDFPageObj_GetType(handle)
        if kind == pdfium.FPDF_PAGEOBJ_IMAGE:
            raw.has_picture = raw.has_picture or _is_large(handle, frame)
        elif kind == pdfium.FPDF_PAGEOBJ_PATH:
            count = pdfium.FPDFPath_CountSegments(handle)
            segments += count
            if segments > SEGMENTS_MOST:
                raw.horizontal, raw.vertical = [], []
                return
            _take_path(handle, count, _product(_matrix(handle), matrix), frame, raw)


def _objects(container: Any, matrix: tuple[float, ...], depth: int) -> Iterator[tuple[Any, tuple[float, ...]]]:
    """Yield the objects of a page and its nested forms, each with the matrix to the page's coordinates."""
    is_form = depth > 0
    count = pdfium.FPDFFormObj_CountObjects(container) if is_form else pdfium.FPDFPage_CountObjects(container)
    for index in range(min(max(0, count), 4 * SEGMENTS_MOST)):
        handle = (pdfium.FPDFFormObj_GetObject if is_form else pdfium.FPDFPage_GetObject)(container, index)
        if not handle:
            continue
        if pdfium.FPDFPageObj_GetType(handle) == pdfium.FPDF_PAGEOBJ_FORM:
            if depth < FORMS_DEEPEST:
                yield from _objects(handle, _product(_matrix(handle), matrix), depth + 1)
        else:
            yield handle, matrix


def _matrix(handle: Any) -> tuple[float, ...]:
    matrix = pdfium.FS_MATRIX()
    if not pdfium.FPDFPageObj_GetMatrix(handle, ctypes.byref(matrix)):
        return (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)
    return (matrix.a, matrix.b, matrix.c, matrix.d, matrix.e, matrix.f)


def _product(first: tuple[float, ...], then: tuple[float, ...]) -> tuple[float, ...]:
    a, b, c, d, e, f = first
    p, q, r, s, t, u = then
    return (a * p + b * r, a * q + b * s, c * p + d * r, c * q + d * s, e * p + f * r + t, e * q + f * s + u)


def _is_large(handle: Any, frame: _PageTransform) -> bool:
    edges = [ctypes.c_float() for _ in range(4)]
    if not pdfium.FPDFPageObj_GetBounds(handle, *(ctypes.byref(edge) for edge in edges)):
        return False
    left, bottom, right, top = (edge.value for edge in edges)
    return bool(abs((right - left) * (top - bottom)) >= 0.5 * frame.width * frame.height)


def _take_path(handle: Any, count: int, matrix: tuple[float, ...], frame: _PageTransform, raw: RawPage) -> None:
    a, b, c, d, e, f = matrix
    x, y = ctypes.c_float(), ctypes.c_float()
    before = begin = (0.0, 0.0)
    for index in range(count):
        segment = pdfium.FPDFPath_GetPathSegment(handle, index)
        if not pdfium.FPDFPathSegment_GetPoint(segment, ctypes.byref(x), ctypes.byref(y)):
            continue
        point = frame.point(a * x.value + c * y.value + e, b * x.value + d * y.value + f)
        kind = pdfium.FPDFPathSegment_GetType(segment)
        if kind == pdfium.FPDF_SEGMENT_MOVETO:
            begin = point
        elif kind == pdfium.FPDF_SEGMENT_LINETO:
            _take_rule(before, point, raw)
        if pdfium.FPDFPathSegment_GetClose(segment):
            _take_rule(point, begin, raw)
        before = point


def _take_rule(first: tuple[float, float], second: tuple[float, float], raw: RawPage) -> None:
    wide, high = abs(first[0] - second[0]), abs(first[1] - second[1])
    if not (math.isfinite(wide) and math.isfinite(high)):
        return
    if high <= STRAIGHT_PT and SHORTEST_PT <= wide <= 2 * raw.width:
        raw.horizontal.append(RuledLine((first[1] + second[1]) / 2, *sorted((first[0], second[0]))))
    elif wide <= STRAIGHT_PT and SHORTEST_PT <= high <= 2 * raw.height:
        raw.vertical.append(RuledLine((first[0] + second[0]) / 2, *sorted((first[1], second[1]))))
