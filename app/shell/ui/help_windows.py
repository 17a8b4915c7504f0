"""Show the manual (F1) as a document to read, with contents and search, and the problem report."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QWidget

from app.base import confidentiality
from app.base.paths import Paths, resources
from app.base.wording import current_language, phrase
from app.chat import presets
from app.chat.ui.reader.reader_view import ReaderView
from app.documents import whole_document
from app.documents.whole_document import WholeDocument, WholeSection
from app.uikit.dialogs import fit_to_parent
from app.uikit.text import markdown
from app.uikit.theme import Theme
from app.uikit.widgets.containers import make_column

MANUAL_SIZE_PX = (940, 680)
_HEADING = re.compile(r"(#{1,3}) (.+)")
# A picture on a line of its own. RichText, which shows the text, never loads pictures.
_PICTURE = re.compile(r"!\[([^\]\n]*)\]\((pictures/[\w-]+\.png)\)")


class ManualWindow(QDialog):
    """The window of the manual. The user can work while it is open; Esc closes it."""

    def __init__(
        self,
        theme: Theme,
        parent: QWidget | None = None,
        look_everywhere: Callable[[str], object] = lambda _words: None,
    ) -> None:
        """Build the window. `look_everywhere` is called with words that are not in the manual, which is closed then,
        because it would cover what they find."""
        super().__init__(parent)
        self.setWindowTitle(phrase("shell.how_to_use_kotae"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.view = ReaderView(theme)
        make_column(self.view, into=self)
        fit_to_parent(self, theme, MANUAL_SIZE_PX)
        self.view.show_document(read_manual())
        self.view.go_to(0)
        self.view.find_strip.everywhere_requested.connect(self.close)
        self.view.find_strip.everywhere_requested.connect(look_everywhere)
        self.view.find_strip.open()

    def label_now(self) -> confidentiality.Label:
        return confidentiality.LABELS[0]  # it shows only the program's own text


def read_manual() -> WholeDocument:
    """Return the manual in the language of the window, from its file, which needs no library."""
    folder = resources() / "manual"
    text = (folder / f"manual.{current_language()}.md").read_text("utf-8")
    return whole_document.assemble(phrase("shell.how_to_use_kotae"), _sections(text, folder))


def _sections(text: str, folder: Path) -> Iterator[WholeSection]:
    """Yield a section for each heading, which also ends after each picture."""
    heading: tuple[str, ...] = ()
    lines: list[str] = []
    fence = ""
    for line in (*text.split("\n"), None):
        mark = markdown.is_fence(line) if line is not None else ""
        fence = (mark if not fence else "" if mark.startswith(fence) else fence) if mark else fence
        found = None if fence or line is None else _HEADING.fullmatch(line)
        picture = None if fence or line is None else _PICTURE.fullmatch(line)
        if found is None and picture is None and line is not None:
            lines.append(line)
            continue
        body = "\n".join(lines).strip()
        if body or picture:
            shown = (folder / picture[2], picture[1]) if picture else None
            yield WholeSection(0, heading, (), body, is_markdown=True, picture=shown)
        lines = []
        if found:
            depth = max(0, len(found[1]) - 2)  # the title is an entry among the chapters
            heading = (*heading[:depth], found[2])


def show_report(theme: Theme, where: Paths, parent: QWidget) -> None:
    from app.compliance.ui.report_window import ReportWindow  # most starts do not need it

    ReportWindow(theme, where, {preset.id for preset in presets.built_in_presets()}, parent).show()
