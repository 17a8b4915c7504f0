"""Recognize text on pages that are images with Tesseract, if it is installed: one child process per page."""

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
DOTS_PER_POINT = 300 / 72  # the resolution that Tesseract is designed for
PIXELS_MOST = 40_000_000  # A3 at 300 dpi has 17 million pixels of one byte
PAGE_S = 120.0  # a full page takes 5 to 20 s on two cores
CERTAIN = 30.0  # percent; less certain words are mostly dirt


@functools.cache
def is_available() -> bool:
    """Whether Tesseract is installed with Japanese data. Starts it once, which takes 0.1 s."""
    program = programs.find_program(PROGRAM)
    if program is None:
        return False
    try:
        listed = subprocess.run([program, "--list-langs"], capture_output=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return {"jpn", "eng"} <= set(listed.stdout.decode("utf-8", "replace").split())


class Recognizer:
    """A recognizer of text on pages. The constructor raises AppError("ocr_missing") if Tesseract is not installed."""

    def __init__(self, on_progress: ProgressCallback) -> None:
        program = programs.find_program(PROGRAM)
        if program is None or not is_available():
            raise AppError("ocr_missing")
        self._program = program
        self._on_progress = on_progress

    def blocks_of(self, page: Any, number: int) -> list[Block]:
        """Return the paragraphs of a pypdfium2 page; [] if nothing is recognized within PAGE_S."""
        width, height = page.get_size()
        scale = min(DOTS_PER_POINT, (PIXELS_MOST / max(1.0, width * height)) ** 0.5)
        table = self._run(_picture(page, scale))
        return [Block("paragraph", text, page=number, boxes=(box,)) for text, box in _paragraphs(table, number, scale)]

    def _run(self, picture: bytes) -> str:
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
        began = time.monotonic()
        while True:
            try:
                output, _ = child.communicate(timeout=1.0)
                return output.decode("utf-8", "replace")
            except subprocess.TimeoutExpired:
                self._on_progress(0, 0)
                if time.monotonic() - began > PAGE_S:
                    child.kill()
                    child.communicate()
                    return ""


def _feed(pipe: IO[bytes], data: bytes) -> None:
    with contextlib.suppress(OSError), pipe:  # the child may have ended
        pipe.write(data)


def _picture(page: Any, scale: float) -> bytes:
    """Return the page as a grey PGM image, so that Tesseract can read it from standard input, without a file."""
    bitmap = page.render(scale=scale, grayscale=True)
    try:
        pixels = bitmap.to_numpy()
        height, width = pixels.shape[:2]
        return b"P5 %d %d 255\n" % (width, height) + bytes(pixels.tobytes())
    finally:
        bitmap.close()


def _paragraphs(table: str, number: int, scale: float) -> Iterator[tuple[str, PageBox]]:
    """Yield the paragraphs of Tesseract's table with their boxes.

    The columns of the table: level, page, block, paragraph, line, word, left, top, width, height, confidence, text.
    """
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
