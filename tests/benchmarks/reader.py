"""How long the window computes at a time while the reader opens a long document and is used.

    python -m tests.benchmarks.reader [sections]

Prints one JSON object: for each step the longest turn of the window's thread, in ms of processor time, which other
processes do not lengthen. The document is of random sentences, a heading for each section.
"""

import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication

from app.base.settings import Settings
from app.chat.ui.reader.reader_page import ReaderPage
from app.documents.library import Library
from app.documents.records import Section
from app.documents.services.document_library import DocumentLibrary
from app.documents.whole_document import ReadingPlace
from app.uikit.page import NavigationSignals
from app.uikit.theme import Theme
from tests.benchmarks.search import message_text

SECTIONS, CHARACTERS, IN_CHAPTER = 17_000, 160, 40


def write(path: Path, sections: int) -> int:
    """Store the document and return its id."""
    chance = random.Random(7)
    library = Library.open(path)
    (document_id,) = library.add_documents(library.add_collection("x"), [Path("/x.txt")])
    document = library.document(document_id)
    assert document is not None
    library.put(
        replace(document, state="done"),
        [Section((f"第{n // IN_CHAPTER}章", f"{n}条"), message_text(chance, CHARACTERS)) for n in range(sections)],
    )
    library.close()
    return document_id


class Turns:
    """Notes the longest time between two rounds of the event loop."""

    def __init__(self, app: QApplication) -> None:
        self._app = app
        self._last = self._longest = 0.0
        self._timer = QTimer(interval=0)
        self._timer.timeout.connect(self._note)

    def _note(self) -> None:
        now = time.thread_time()
        self._last, self._longest = now, max(self._longest, now - self._last)

    def longest_ms(self, act: Callable[[], object], is_done: Callable[[], bool]) -> float:
        self._last, self._longest = time.thread_time(), 0.0
        self._timer.start()
        act()
        self._note()
        until = time.monotonic() + 0.5
        while not is_done() or time.monotonic() < until:
            self._app.processEvents()
        self._timer.stop()
        return round(self._longest * 1000, 1)


def main() -> None:
    sections = int(sys.argv[1]) if len(sys.argv) > 1 else SECTIONS
    app = QApplication([])
    theme = Theme()
    theme.apply(app, Settings())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "documents.sqlite")
        document_id = write(path, sections)
        documents = DocumentLibrary(path, [], Path(folder))
        page = ReaderPage(theme, NavigationSignals(), documents)
        page.resize(1048, 640)
        page.show()
        turns, view = Turns(app), page.view
        turns.longest_ms(documents.open, lambda: documents.is_open)
        opened = turns.longest_ms(lambda: page.open(ReadingPlace(document_id)), lambda: page.document is not None)
        strip, bar, outline = view.find_strip, view.text.verticalScrollBar(), view.outline.outline
        print(
            json.dumps(
                {
                    "sections": sections,
                    "open_ms": opened,
                    "find_ms": turns.longest_ms(lambda: strip.look_for("橋脚"), lambda: bool(strip.count.text())),
                    "next_ms": turns.longest_ms(lambda: strip.step(1), lambda: True),
                    "scroll_ms": turns.longest_ms(lambda: bar.setValue(bar.maximum() // 2), lambda: True),
                    "resize_ms": turns.longest_ms(lambda: page.resize(900, 640), lambda: True),
                    "unfold_ms": turns.longest_ms(
                        lambda: [outline.reveal(number) for number in range(0, sections, sections // 20)], lambda: True
                    ),
                },
                indent=1,
            )
        )
        documents.close()


if __name__ == "__main__":
    main()
