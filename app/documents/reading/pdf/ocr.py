"""Recognize the text of a page that is only a picture, with RapidOCR if that part is installed, else with Tesseract.

RapidOCR runs in this process. It never downloads anything: its models are in its package, and their paths are given.
Tesseract is a child process for each page. Either gives words with their places, and a page is then laid out like any
other PDF page; `low_numbers` keeps how certain each number is, because a wrong digit looks like a right one.
"""

import contextlib
import functools
import io
import itertools
import math
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

from app.base import programs
from app.base.errors import AppError
from app.documents.reading import limits
from app.documents.reading.text_blocks import ProgressCallback, is_japanese
from app.documents.values.notation import numbers_in
from app.models import package_folder, package_locks

if TYPE_CHECKING:
    from app.documents.reading.pdf.pdf_page import Glyph

PROGRAM = "tesseract"
LANGUAGES = "jpn+eng"
PAGE_S = 120.0  # seconds of processor time; a full page takes Tesseract 5 to 20
CERTAIN = 30  # percent; words of Tesseract that are less certain are mostly dirt
DOWNWARD = 1.5  # smallest height of a vertical line, relative to its width
LATIN_EM = 0.55  # width of a Latin letter or digit, relative to a Japanese character
SAME_SIZE = 0.25  # largest difference between lines of the usual size: a line without tall characters has a lower box
LETTERS = 0.75  # height of characters, relative to the box of their line
LINES_AT_ONCE = 24  # between two signs of life
DETECTION_PX = (
    2000  # longest side of the picture in which RapidOCR finds the lines; time and memory grow with its square
)
THREADS = 2  # each reserves address space, which is limited
_MODELS = {"Det": "PP-OCRv6_det_small", "Rec": "PP-OCRv6_rec_small", "Cls": "ch_ppocr_mobile_v2.0_cls_mobile"}


@dataclass(frozen=True, slots=True)
class Word:
    """A recognized word or line. Edges in pixels. `certain`: the certainty of each character, in percent."""

    text: str
    certain: tuple[int, ...]
    left: float
    top: float
    right: float
    bottom: float


class Recognizer(Protocol):
    """A recognizer of text. Pictures have at most `dots_per_point` and `pixels_most`."""

    dots_per_point: float
    pixels_most: int

    def words(self, pixels: Any) -> list[Word]:
        """Return the words of a picture, a numpy array of grey bytes (rows, columns), in reading order."""


@functools.cache
def has_tesseract() -> bool:
    """Whether Tesseract is installed with Japanese data. Starts it once, which takes 0.1 s."""
    program = programs.find_program(PROGRAM)
    if program is None:
        return False
    try:
        listed = subprocess.run([program, "--list-langs"], capture_output=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return {"jpn", "eng"} <= set(listed.stdout.decode("utf-8", "replace").split())


def make_recognizer(part: Path | None, on_progress: ProgressCallback) -> Recognizer:
    """Return RapidOCR from the folder `part`, else Tesseract; `on_progress` is called every few seconds.

    Raises AppError("ocr_missing" | "ocr_part_broken" | "ocr_part_changed").
    """
    if part is not None:
        return RapidRecognizer(part, on_progress)
    program = programs.find_program(PROGRAM)
    if program is None or not has_tesseract():
        raise AppError("ocr_missing")
    return TesseractRecognizer(program, on_progress)


def fit_scale(recognizer: Recognizer, width_pt: float, height_pt: float) -> float:
    """Return the pixels per point with which a page of this size is drawn for the recognizer."""
    return min(recognizer.dots_per_point, math.sqrt(recognizer.pixels_most / max(1.0, width_pt * height_pt)))


# ------------------------------------------------------------------ words on a page


def place_glyphs(words: Sequence[Word], scale: float) -> "list[Glyph]":
    """Return the characters of words as glyphs that share their line's length. `scale`: pixels per point."""
    import statistics  # takes 3 ms, and few pages are recognized

    from app.documents.reading.pdf.pdf_page import Glyph  # with PDFium, which most processes do without

    found: list[Glyph] = []
    across = [_across(word) for word in words for _ in word.text]
    usual = statistics.median(across) if across else 0.0
    for word in words:
        thickness = _across(word)
        size = round((usual if abs(thickness - usual) <= SAME_SIZE * usual else thickness) * LETTERS / scale * 2) / 2
        widths = [1.0 if is_japanese(character) else LATIN_EM for character in word.text]
        ends = [0.0, *(end / sum(widths) for end in itertools.accumulate(widths))]
        is_spaced = False
        for character, (start, end) in zip(word.text, itertools.pairwise(ends), strict=True):
            if not character.isspace():
                left, top, right, bottom = (edge / scale for edge in _part(word, start, end))
                found.append(Glyph(character, left, top, right, bottom, size or 0.5, is_spaced))
            is_spaced = character.isspace()
    return found


def _is_down(word: Word) -> bool:
    return len(word.text) > 1 and word.bottom - word.top >= DOWNWARD * (word.right - word.left)


def _across(word: Word) -> float:
    return word.right - word.left if _is_down(word) else word.bottom - word.top


def _part(word: Word, start: float, end: float) -> tuple[float, float, float, float]:
    """Return the edges of the part of a word between two shares of its length."""
    width, height = word.right - word.left, word.bottom - word.top
    if _is_down(word):
        return word.left, word.top + start * height, word.right, word.top + end * height
    return word.left + start * width, word.top, word.left + end * width, word.bottom


def low_numbers(words: Sequence[Word]) -> dict[str, int]:
    """Return each number in the words with the lowest certainty of its characters, in percent."""
    found: dict[str, int] = {}
    for word in words:
        for number, start, end in numbers_in(word.text):
            found[number] = min(found.get(number, 100), *word.certain[start:end])
    return found


# ------------------------------------------------------------------ RapidOCR


class RapidRecognizer:
    """RapidOCR with the models of PP-OCRv6. The constructor raises as `_load_rapid` does."""

    dots_per_point = 200 / 72
    pixels_most = 8_000_000  # A3 at 200 dpi; the memory grows with it

    def __init__(self, part: Path, on_progress: ProgressCallback) -> None:
        self._engine = _load_rapid(part)
        self._on_progress = on_progress
        on_progress(0, 0)  # loading is no part of a page's work

    def words(self, pixels: Any) -> list[Word]:
        import numpy as np
        from rapidocr.main import RapidOCRError
        from rapidocr.utils.process_img import ResizeImgError, map_boxes_to_original

        engine = self._engine
        picture = np.repeat(pixels[:, :, None], 3, axis=2)
        try:
            small, record = engine.preprocess_img(picture)  # lines are found in less detail than they are read
            _, found = engine.detect_and_crop(small, record)
        except (RapidOCRError, ResizeImgError):  # no line is found, or the picture is a strip of a few pixels
            return []
        boxes = map_boxes_to_original(found.boxes, record, *pixels.shape[:2])
        lines, _ = engine.cls_and_rotate(engine.crop_text_regions(picture, boxes))
        words: list[Word] = []
        for start in range(0, len(lines), LINES_AT_ONCE):
            self._on_progress(0, 0)
            read = engine.recognize_txt(lines[start : start + LINES_AT_ONCE])
            words += [
                _rapid_word(text, word.confs, box)
                for text, word, box in zip(read.txts, read.word_results, boxes[start:], strict=False)
                if text.strip()
            ]
        return words


def _rapid_word(text: str, shares: Sequence[float], box: Any) -> Word:
    """Return a word levelled around the middle of its `box` (corners clockwise from the left top), as its line."""
    (left, top), (right, bottom) = box.min(axis=0), box.max(axis=0)
    if right - left > bottom - top:
        thickness = math.hypot(*(box[3] - box[0]))
        top, bottom = (top + bottom - thickness) / 2, (top + bottom + thickness) / 2
    certain = tuple(int(100 * share) for share in shares)
    return Word(text, certain, float(left), float(top), float(right), float(bottom))


@functools.cache
def _load_rapid(part: Path) -> Any:
    """Load RapidOCR with its models, which takes 2 s. Raises AppError("ocr_part_broken" | "ocr_part_changed")."""
    if not is_part_unchanged(part):  # it is code, and the data folder may come from another person
        raise AppError("ocr_part_changed", path=str(part))
    # Each thread of a BLAS library reserves address space, and none computes here.
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    if str(part) not in sys.path:
        sys.path.append(str(part))  # last: the program's own packages come first
    models = part / "rapidocr" / "models"
    settings: dict[str, Any] = {
        "Global.log_level": "critical",
        "Global.return_word_box": True,
        "Global.max_side_len": DETECTION_PX,
        "EngineConfig.onnxruntime.intra_op_num_threads": THREADS,
    }
    try:
        import onnxruntime
        import rapidocr

        # On Windows it writes events into the system's trace, which Windows sends if its user has allowed that.
        onnxruntime.disable_telemetry_events()
        return rapidocr.RapidOCR(
            params=settings | {f"{k}.model_path": str(models / f"{v}.onnx") for k, v in _MODELS.items()}
        )
    except (ImportError, OSError, ValueError, AttributeError) as error:
        raise AppError("ocr_part_broken", path=str(part), detail=str(error)[:200]) from error


# ------------------------------------------------------------------ Tesseract


class TesseractRecognizer:
    """Tesseract, one child process for each page."""

    dots_per_point = 300 / 72  # the resolution that Tesseract is designed for
    pixels_most = 40_000_000  # A3 at 300 dpi has 17 million pixels of one byte

    def __init__(self, program: str, on_progress: ProgressCallback) -> None:
        self._program = program
        self._on_progress = on_progress

    def words(self, pixels: Any) -> list[Word]:
        """Return the words of a picture; [] if nothing is recognized within PAGE_S."""
        height, width = pixels.shape[:2]
        return list(_tesseract_words(self._run(b"P5 %d %d 255\n" % (width, height) + bytes(pixels.tobytes()))))

    def _run(self, picture: bytes) -> str:
        """Return Tesseract's table of a PGM image, which it reads from standard input, without a file."""
        command = [self._program, "stdin", "stdout", "-l", LANGUAGES, "--psm", "3", "tsv"]
        # One thread, because Tesseract's threads wait for each other in busy loops, for minutes on a busy machine.
        child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "OMP_THREAD_LIMIT": "1"},
        )
        # `communicate` would lose unwritten input after a timeout (Python 3.11), so a thread writes it.
        pipe, child.stdin = child.stdin, None
        assert pipe is not None
        threading.Thread(target=_feed, args=(pipe, picture), daemon=True).start()
        began_at = time.monotonic()
        while True:
            try:
                output, _ = child.communicate(timeout=1.0)
                return output.decode("utf-8", "replace")
            except subprocess.TimeoutExpired:
                self._on_progress(0, 0)
                if limits.is_overdue(child.pid, began_at, PAGE_S):
                    child.kill()
                    child.communicate()
                    return ""


def _feed(pipe: IO[bytes], data: bytes) -> None:
    with contextlib.suppress(OSError), pipe:  # the child may have ended
        pipe.write(data)


def _tesseract_words(table: str) -> Iterator[Word]:
    """Yield the words of Tesseract's table, those of a line without a gap between them as one.

    The columns: level, page, block, paragraph, line, word, left, top, width, height, confidence, text.
    """
    line = (0.0, 0.0)  # top and bottom of the current line: those of words depend on their characters
    word: Word | None = None
    for row in io.StringIO(table):
        cells = row.rstrip("\n").split("\t")
        if len(cells) != 12 or not cells[0].isdigit():
            continue
        left, top, width, height = map(float, cells[6:10])
        if cells[0] == "4":
            line = (top, top + height)
        if cells[0] != "5" or float(cells[10]) < CERTAIN or not cells[11].strip():
            continue
        top, bottom = line if line[0] <= top < line[1] else (top, top + height)
        certain = (int(float(cells[10])),) * len(cells[11])
        found = Word(cells[11], certain, left, top, left + width, bottom)
        if word is not None and (word.top, word.bottom) == (top, bottom) and 0 <= left - word.right < bottom - top:
            word = _joined(word, found)
            continue
        if word is not None:
            yield word
        word = found
    if word is not None:
        yield word


def _joined(first: Word, second: Word) -> Word:
    """Return two neighbours in a line as one word, with a space only between Latin letters."""
    is_tight = is_japanese(first.text[-1]) or is_japanese(second.text[0])
    gap, certain = ("", ()) if is_tight else (" ", (100,))
    return Word(
        first.text + gap + second.text, (*first.certain, *certain, *second.certain),
        first.left, first.top, second.right, first.bottom,
    )  # fmt: skip


FOLDER = "ocr"  # of the optional part, RapidOCR, beside the database


def part_folder(database: Path) -> Path:
    """Return the part's folder, whether it exists or not. `database`: the documents' database."""
    return database.with_name(FOLDER)


def locate_part(database: Path) -> Path | None:
    """Return the part's folder; None if it is not installed for this machine and Python."""
    return package_folder.locate(part_folder(database), package_locks.ocr_lock())


def part_version(database: Path) -> str:
    """Return a text that changes when the part is installed, replaced or removed; "" if it is not installed."""
    return package_folder.version(part_folder(database), package_locks.ocr_lock())


def is_part_current(database: Path) -> bool:
    """Whether the part is installed as this version of Kotae has it."""
    return package_folder.is_current(part_folder(database), package_locks.ocr_lock())


def is_part_unchanged(part: Path) -> bool:
    """Whether the part's files are as Kotae has unpacked them. `part`: its folder. Takes half a second."""
    return package_folder.is_unchanged(part, package_locks.ocr_lock())
