"""Read PNG, JPEG and TIFF pictures as documents of recognized pages; Pillow decodes none before its size is checked."""

import base64
import contextlib
import io
import itertools
import math
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from PIL import Image, ImageOps

from app.base.errors import AppError
from app.base.files.input_file import open_regular
from app.documents.reading import limits
from app.documents.reading.messages import Draw, Render, Rendered
from app.documents.reading.pdf import ocr, page_renderer, pdf_reader
from app.documents.reading.pdf.pdf_page import RawPage
from app.documents.reading.pdf.pdf_paragraphs import Outline, build_blocks
from app.documents.reading.text_blocks import ProgressCallback, ReadDocument
from app.documents.records import Document, ReadingReport

FORMATS = ("PNG", "JPEG", "TIFF")
WIDTH_PT = 595.0  # every picture counts as a page as wide as A4: many state no resolution, or a wrong one
_WIDE = ("I;16", "I;16L", "I;16B", "I;16N", "I", "F")  # Pillow's modes of numbers with more than 8 bits
# What Pillow raises for damaged files.
_DAMAGES = (OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError, OverflowError, struct.error, zlib.error)


def read(path: Path, on_progress: ProgressCallback, make_recognizer: Callable[[], ocr.Recognizer]) -> ReadDocument:
    """Read a file of pictures, for which `make_recognizer` is called once. Raises AppError for a damaged or too large
    one."""
    pages, recognized, empty = [], {}, []
    characters = limits.CharacterBudget()
    with open_picture(path) as picture:
        recognizer = make_recognizer()
        for number, total in frames(picture):
            on_progress(number, total)
            pixels = decode(picture, "L", recognizer.pixels_most)
            scale = pixels.width / WIDTH_PT
            words = recognizer.words(_array(pixels))
            raw = RawPage(WIDTH_PT, pixels.height / scale, ocr.place_glyphs(words, scale))
            characters.add(len(raw.glyphs))
            pages.append(pdf_reader.lay_out(raw, number))
            recognized[number] = ocr.low_numbers(words)
            if not words:
                empty.append(number)
    report = ReadingReport(pages=len(pages), pages_without_text=tuple(empty), notes=("recognized",))
    return ReadDocument(build_blocks(pages, Outline(())), "", report, recognized=recognized)


@contextlib.contextmanager
def _converted_errors() -> Iterator[None]:
    """Convert what Pillow raises in the block to AppError("document_damaged" | "picture_too_large")."""
    try:
        yield
    except Image.DecompressionBombError as error:
        raise AppError("picture_too_large", limit=f"{limits.PICTURE_PIXELS:,}") from error
    except _DAMAGES as error:
        raise AppError("document_damaged", detail=str(error)[:200]) from error


@contextlib.contextmanager
def open_picture(source: Path | IO[bytes]) -> Iterator[Image.Image]:
    """Open a picture without decoding it. Raises AppError("document_damaged" | "picture_too_large"), OSError."""
    with open_regular(source) if isinstance(source, Path) else source as file:
        with _converted_errors():
            picture = Image.open(file, formats=FORMATS)
        with picture:
            yield picture


def frames(picture: Image.Image) -> Iterator[tuple[int, int]]:
    """Seek each page; yield (number, total or 0). Raises AppError("document_too_many_pages" | "document_damaged")."""
    yield 1, 0 if picture.format == "TIFF" else 1
    number = 1
    while picture.format == "TIFF":
        with _converted_errors():
            try:
                picture.seek(number)
            except EOFError:
                return
        number += 1
        if number > limits.PAGES:
            raise AppError("document_too_many_pages", pages=number, limit=limits.PAGES)
        yield number, 0


@_converted_errors()
def decode(picture: Image.Image, mode: str, pixels_most: int) -> Image.Image:
    """Return a page in mode "L" (grey) or "RGB", upright, on white, with at most so many pixels. Raises AppError."""
    width, height = picture.size
    if width * height > limits.PICTURE_PIXELS:
        raise AppError("picture_too_large", limit=f"{limits.PICTURE_PIXELS:,}")
    share = min(1.0, (pixels_most / (width * height)) ** 0.5)
    size = max(1, int(width * share)), max(1, int(height * share))
    picture.draft(mode, size)  # a JPEG is decoded smaller
    if "A" in picture.getbands() or "transparency" in picture.info:
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture.convert("RGBA"))
    elif picture.mode in _WIDE:
        picture = _narrowed(picture)
    plain = picture.convert(mode)
    upright = plain if share == 1.0 else plain.resize(size, Image.Resampling.BOX)
    orientation = picture.getexif().get(0x0112)
    if orientation not in (None, 1):
        upright.getexif()[0x0112] = orientation
        return ImageOps.exif_transpose(upright)
    return upright


def _narrowed(picture: Image.Image) -> Image.Image:
    """Return a picture of numbers with more than 8 bits in grey: 16 bits as they are, others from least to most."""
    numbers = picture.convert("F")
    extrema: Any = (0, 65535) if picture.mode.startswith("I;16") else numbers.getextrema()
    least, most = extrema
    share = 255 / ((most - least) or 1)
    return numbers.point(lambda value: value * share - least * share).convert("L")


def render(document: Document, command: Render) -> Rendered:
    """Draw a picture for the window. Raises AppError as `page_renderer.render`, and "picture_too_large"."""
    path = Path(document.path)
    page_renderer.check_unchanged(path, document)
    with open_picture(path) as picture:
        if command.page not in (number for number, _ in itertools.islice(frames(picture), command.page)):
            raise AppError("source_no_page", page=command.page)
        found = decode(picture, "RGB", page_renderer.PIXELS_MOST)
    edges = page_renderer.region_edges(command, *found.size)
    found = found.crop((int(edges[0]), int(edges[1]), math.ceil(edges[2]), math.ceil(edges[3])))
    return _rendered(found, command, command.page, max(1, document.report.pages))


def draw(command: Draw) -> Rendered:
    """Draw a picture that is no document. Raises AppError("document_damaged" | "picture_too_large")."""
    with open_picture(io.BytesIO(base64.b64decode(command.file))) as picture:
        return _rendered(decode(picture, "RGB", page_renderer.PIXELS_MOST), command, 1, 1)


def _rendered(found: Image.Image, command: Render | Draw, page: int, pages: int) -> Rendered:
    width = max(1, min(command.width_px, page_renderer.WIDTH_MOST_PX))
    height = round(width * found.height / found.width)
    share = min(1.0, (page_renderer.PIXELS_MOST / (width * max(1, height))) ** 0.5)
    drawn = found.resize((max(1, int(width * share)), max(1, int(height * share))))
    return Rendered(command.id, page, pages, drawn.width, drawn.height, page_renderer.pack_rows(drawn.tobytes()), ())


def _array(picture: Image.Image) -> Any:
    import numpy as np

    return np.asarray(picture)
