"""Recognizing letters on pages that are pictures, with Tesseract where it is installed: a child of its own per page."""

import contextlib
import functools
import io
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from typing import IO, Any

from app.base import programs
from app.base.errors import AppError
from app.documents.reading.text_blocks import Block, ProgressCallback, join_lines
from app.documents.records import PageBox

PROGRAM = "tesseract"
LANGUAGES = "jpn+eng"
DOTS_PER_POINT = 300 / 72  # what Tesseract is made for
PIXELS_MOST = 40_000_000  # A3 at 300 dots an inch has 17 million; one byte each
PAGE_S = 120.0  # a full page takes 5 to 20 s on two cores
CERTAIN = 30.0  # percent; what it is less sure of is mostly dirt


@functools.cache
def is_available() -> bool:
    """Whether Tesseract is there with Japanese data. Starts it once, a tenth of a second."""
    program = programs.find_program(PROGRAM)
    if program is None:
        return False
    try:
        listed = subprocess.run([program, "--list-langs"], capture_output=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return {"jpn", "eng"} <= set(listed.stdout.decode("utf-8", "replace").split())


class Recognizer:
    """Raises AppError("ocr_missing") when made where Tesseract is not installed."""

    def __init__(self, tell: ProgressCallback) -> None:
        program = programs.find_program(PROGRAM)
        if program is None or not is_available():
            raise AppError("ocr_missing")
        self._program = program
        self._tell = tell

    def blocks_of(self, page: Any, number: int) -> list[Block]:
        """Paragraphs of a pypdfium2 page; [] when nothing is recognized in time."""
        width, height = page.get_size()
        scale = min(DOTS_PER_POINT, (PIXELS_MOST / max(1.0, width * height)) ** 0.5)
        table = self._run(_picture(page, scale))
        return [Block("paragraph", text, page=number, boxes=(box,)) for text, box in _paragraphs(table, number, scale)]

    def _run(self, picture: bytes) -> str:
        command = [self._program, "stdin", "stdout", "-l", LANGUAGES, "--psm", "3", "tsv"]
        # One thread: Tesseract's own wait for one another by turning, for minutes where the processors are busy.
        child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "OMP_THREAD_LIMIT": "1"},
        )
        # Not `communicate`: when its time is over, it forgets what it has not written yet (Python 3.11).
        pipe, child.stdin = child.stdin, None
        assert pipe is not None
        threading.Thread(target=_feed, args=(pipe, picture), daemon=True).start()
        began = time.monotonic()
        while True:
            try:
                output, _ = child.communicate(timeout=1.0)
                return output.decode("utf-8", "replace")
            except subprocess.TimeoutExpired:
                self._tell(0, 0)
                if time.monotonic() - began > PAGE_S:
                    child.kill()
                    child.communicate()
                    return ""


def _feed(pipe: IO[bytes], data: bytes) -> None:
    with contextlib.suppress(OSError), pipe:  # it may have ended
        pipe.write(data)


def _picture(page: Any, scale: float) -> bytes:
    """Grey, as a PGM file: Tesseract reads it from standard input, and nothing has to be written to disk."""
    bitmap = page.render(scale=scale, grayscale=True)
    try:
        pixels = bitmap.to_numpy()
        height, width = pixels.shape[:2]
        return b"P5 %d %d 255\n" % (width, height) + bytes(pixels.tobytes())
    finally:
        bitmap.close()


def _paragraphs(table: str, number: int, scale: float) -> Iterator[tuple[str, PageBox]]:
    """From Tesseract's table: level, page, block, paragraph, line, word, left, top, width, height, confidence, text."""
    text, edges, before = "", [0.0, 0.0, 0.0, 0.0], ("", "")
    for row in io.StringIO(table):
        cells = row.rstrip("\n").split("\t")
        if len(cells) != 12 or cells[0] != "5" or float(cells[10]) < CERTAIN or not cells[11].strip():
            continue
        left, top, width, height = (int(cell) / scale for cell in cells[6:10])
        place = (cells[2], cells[3])
        if place != before and text:
            yield text, PageBox(number, *(round(edge, 1) for edge in edges))
            text = ""
        if not text:
            edges = [left, top, left + width, top + height]
        before = place
        text = join_lines(text, cells[11])
        edges = [min(edges[0], left), min(edges[1], top), max(edges[2], left + width), max(edges[3], top + height)]
    if text:
        yield text, PageBox(number, *(round(edge, 1) for edge in edges))
