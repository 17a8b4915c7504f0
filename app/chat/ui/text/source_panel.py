"""Show the panel with a source: its place in the document, its page or text, and the passages that the answer uses.

`SourceSplitter` puts the panel next to the conversation; in a narrow window the panel replaces the conversation.
"""

from dataclasses import dataclass

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QFrame, QSplitter, QStackedWidget, QVBoxLayout, QWidget

from app.base.errors import AppError
from app.base.wording import describe_error, phrase
from app.chat.ui.text.page_view import PagePane
from app.documents.grounding.grounding_record import CitedSource
from app.documents.services.reading_child import PagePicture, PagePictures
from app.uikit import untrusted_text
from app.uikit.text.source_text import SourceText
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button, IconButton, make_icon_button, with_icon_space
from app.uikit.widgets.containers import Stretch, make_column, make_row
from app.uikit.widgets.labels import ElidedLabel, IconLabel, Label, Separator, plain_tooltip, set_surface

WIDTH_MIN_PX, WIDTH_MAX_PX = 360, 524
_SIDE = 16
TAG_CHARACTERS = 12  # enough for tags such as 考え方; an imported file may contain any


@dataclass(frozen=True, slots=True)
class DisplayedSource:
    """A source to show. `number` is its mark in the answer; it is number `index` of the `count` sources that the answer
    shows.

    `places` are the used passages as (start, end) in its text. `can_open`: its file is one of the user's documents.
    `is_used`: False for a passage that is only near the question. `is_doubtful`: the answer has an unsupported sentence
    that was compared with this source.
    """

    source: CitedSource
    number: int
    index: int
    count: int
    places: tuple[tuple[int, int], ...] = ()
    can_open: bool = False
    is_used: bool = True
    is_doubtful: bool = False


class SourcePanel(QWidget):
    """Shows one source, with buttons to other sources and pages."""

    step_requested = Signal(int)  # 1: to the next source; -1: to the previous one

    def __init__(self, theme: Theme, pictures: PagePictures) -> None:
        """Build the panel. `pictures` draws the pages."""
        super().__init__()
        self._theme = theme
        self._inset = 0
        self._is_over = False
        set_surface(self, "base")
        self.setAccessibleName(phrase("common.source"))
        self._build(pictures)
        self.previous_button.clicked.connect(lambda: self.step_requested.emit(-1))
        self.next_button.clicked.connect(lambda: self.step_requested.emit(1))
        theme.changed.connect(self._lay_out)
        self._lay_out()

    # -------------------------------------------------------------------- shown

    def show_source(self, displayed: DisplayedSource) -> None:
        source = displayed.source
        self.number.setText(str(displayed.number))
        self.title.setText(phrase("chat.source_i_n", i=displayed.index, n=displayed.count))
        self._fit()
        self.previous_button.setEnabled(displayed.index > 1)
        self.next_button.setEnabled(displayed.index < displayed.count)
        self.open_button.setVisible(displayed.can_open)
        self.read_button.setVisible(displayed.can_open)
        *outer, clause = source.heading or (source.document,)
        document = [source.document] if source.heading else []
        self.path.setText(untrusted_text.make_harmless(" › ".join([source.collection_title, *document, *outer])))
        self.clause.setText(untrusted_text.make_harmless(clause))
        self._tag.setVisible(bool(source.tag))
        self._tag_words.setText(untrusted_text.make_harmless(source.tag)[:TAG_CHARACTERS])
        self.recognized.setVisible(source.recognized is not None)
        self.usage.setText(self._usage_text(displayed))
        self._swatch.setVisible(bool(displayed.places))
        self.text.show_text(source.text, displayed.places)
        self.problem.hide()
        self.stack.setCurrentWidget(self.text)
        self.pages.view.expect_new_page()

    def show_picture(self, picture: PagePicture) -> None:
        """Show the page image in place of the text."""
        self.problem.hide()
        self.stack.setCurrentWidget(self.pages)
        self.pages.show_picture(picture)

    def show_problem(self, error: AppError, *, can_locate: bool = False) -> None:
        """Show why there is no image, above the text of the source. `can_locate` offers to locate the file."""
        sentence = describe_error(error)
        self._problem_words.setText(f"{sentence.message}{sentence.next}")
        self.locate_button.setVisible(can_locate)
        self.problem.show()
        self.open_button.setVisible(error.code == "source_no_page")
        self.stack.setCurrentWidget(self.text)

    def show_over(self, is_over: bool) -> None:
        """Set whether the panel replaces the conversation, as it does in a narrow window."""
        self._is_over = is_over
        self._lay_out()

    def set_inset(self, inset_px: int) -> None:
        """Reserve `inset_px` at the left of the header for the menu button of a narrow window."""
        self._inset = inset_px
        self._lay_out()

    def focus_first(self) -> None:
        (self.back_button if self._is_over else self.close_button).setFocus()

    # ----------------------------------------------------------------- building

    def _build(self, pictures: PagePictures) -> None:
        self._head = QWidget()
        self._fill_head()
        self.problem = QWidget()
        self._problem_words = Label(role="caption", tone="text2", wraps=True)
        self.locate_button = Button(self._theme, phrase("chat.locate"), compact=True)
        icon, button = IconLabel(self._theme, "info", size=14), (self.locate_button, 0, Qt.AlignmentFlag.AlignTop)
        make_row(icon, (self._problem_words, 1), button, into=self.problem, margins_px=self._margins(8, 4))
        self.problem.hide()
        self.text, self.pages = SourceText(self._theme), PagePane(self._theme, pictures)
        self.stack = QStackedWidget()
        self.stack.setMinimumHeight(1)  # otherwise a low window would cut the texts above
        self.stack.addWidget(self.text)
        self.stack.addWidget(self.pages)
        self._swatch = MarkSwatch(self._theme)
        self.usage = ElidedLabel(role="caption", tone="text2")
        self.copy_button = make_icon_button(self._theme, phrase("chat.copy_quote"), "copy", compact=True)
        foot = make_row(
            self._swatch,
            (self.usage, 1),
            self.copy_button,
            margins_px=self._margins(8, 8),
            spacing_px=self._theme.px(8),
        )
        make_column(
            self._head, Separator(), self._build_place(), Separator(), self.problem, (self.stack, 1),
            Separator(), foot, into=self, spacing_px=0,
        )  # fmt: skip

    def _margins(self, top: int, bottom: int) -> tuple[int, int, int, int]:
        px = self._theme.px
        return px(_SIDE), px(top), px(_SIDE), px(bottom)

    def _fill_head(self) -> None:
        theme = self._theme
        words = phrase("chat.back_to_the_answer")
        self.back_button = make_icon_button(theme, words, "arrow-left", "quiet", compact=True)
        self.number = Label(role="caption", tone="accent", strong=True)
        set_surface(self.number, "number")
        self.title = Label(role="heading3")
        self.previous_button = IconButton(theme, "chevron-left", phrase("chat.previous_source"))
        self.next_button = IconButton(theme, "chevron-right", phrase("chat.next_source"))
        self.read_button = make_icon_button(theme, phrase("chat.read_whole"), "file-text", "quiet", compact=True)
        self.open_button = make_icon_button(theme, phrase("chat.open_file"), "external-link", "quiet", compact=True)
        self.close_button = IconButton(theme, "x", phrase("chat.close_the_source"), "Esc")
        middle = Qt.AlignmentFlag.AlignVCenter
        left = (self.back_button, self.number, self.title, self.previous_button, self.next_button)
        self._head_row = make_row(
            *((widget, 0, middle) for widget in left), Stretch(), self.read_button, self.open_button,
            self.close_button,
            into=self._head, spacing_px=theme.px(6),
        )  # fmt: skip

    def _build_place(self) -> QVBoxLayout:
        self.path = ElidedLabel(role="caption", tone="text2")
        self.clause = ElidedLabel(role="heading3")
        self._tag, self._tag_words = _tag()
        self.recognized, words = _tag()
        words.setText(phrase("common.recognized"))
        row = make_row(self.clause, self._tag, self.recognized, Stretch(), spacing_px=self._theme.px(8))
        return make_column(self.path, row, margins_px=self._margins(8, 10), spacing_px=self._theme.px(2))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    # ------------------------------------------------------------------ private

    def _fit(self) -> None:
        """Show as many buttons with text as fit, and the others as icons only; their accessible names stay the same."""
        worded = (self.back_button, self.read_button, self.open_button)
        for button in worded:
            button.setText(with_icon_space(button.accessibleName()))
            button.setToolTip("")
        for button in reversed(worded):
            if self._head_row.sizeHint().width() > self.width():
                button.setText("")
                button.setToolTip(plain_tooltip(button.accessibleName()))

    def _usage_text(self, source: DisplayedSource) -> str:
        if not source.is_used:
            return phrase("chat.near_the_question_not_used")
        if not source.places:
            return phrase("chat.no_sentence_with_the_same")
        if source.is_doubtful:
            return phrase("chat.n_passages_compared_with_the", n=len(source.places))
        return phrase("chat.n_passages_used", n=len(source.places))

    def _lay_out(self) -> None:
        px = self._theme.px
        over = self._is_over
        self._head.setFixedHeight(self._theme.metric("header_height") - 1)
        self._head_row.setContentsMargins(max(px(_SIDE), self._inset) if over else px(_SIDE), 0, px(8), 0)
        self.setMinimumWidth(0 if over else px(WIDTH_MIN_PX))
        self.setMaximumWidth(16_777_215 if over else px(WIDTH_MAX_PX))
        self.back_button.setVisible(over)
        self.close_button.setVisible(not over)
        self._fit()


def _tag() -> tuple[QFrame, Label]:
    """Return a frame for a short word, and the label in it."""
    frame, words = QFrame(), Label(role="caption", tone="text2")
    frame.setProperty("surface", "tag")
    make_row(words, into=frame, margins_px=(8, 2, 8, 2))
    return frame, words


class MarkSwatch(QWidget):
    """A sample of the mark on used passages."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.setFixedSize(QSize(theme.px(16), theme.px(14)))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), self._theme.color("cite"))
        painter.fillRect(0, 0, self._theme.px(3), self.height(), self._theme.color("cite_bar"))
        event.accept()


NARROW_PX = 1100  # width of the window in px, below which the panel replaces the conversation
LEFT_MIN_PX = 460  # minimum width of the conversation in px when the panel opens


class SourceSplitter(QSplitter):
    """Shows the conversation and the panel side by side, or only the panel in a narrow window."""

    changed = Signal()  # the panel was opened or closed, or has replaced the conversation

    def __init__(self, theme: Theme, conversation: QWidget, panel: SourcePanel) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self._theme = theme
        self._conversation = conversation
        self._panel = panel
        self._is_open = self._was_open = False
        self.addWidget(conversation)
        self.addWidget(panel)
        self.setChildrenCollapsible(False)
        self.setHandleWidth(1)
        self.setStretchFactor(0, 1)
        self.setStretchFactor(1, 0)
        panel.hide()
        theme.changed.connect(self._lay_out)

    @property
    def is_open(self) -> bool:
        return self._is_open

    @property
    def is_over(self) -> bool:
        """Return whether the panel is open and replaces the conversation."""
        return self._is_open and self.window().width() < self._theme.px(NARROW_PX)

    def show_panel(self, is_open: bool) -> None:
        self._is_open = is_open
        self._lay_out()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._lay_out()

    def _lay_out(self) -> None:
        before = (self._panel.isHidden(), self._conversation.isHidden())
        self._panel.show_over(self.is_over)
        self._panel.setVisible(self._is_open)
        self._conversation.setVisible(not self.is_over)
        if self._is_open and not self.is_over and not self._was_open:
            width = min(self._theme.px(WIDTH_MAX_PX), self.width() - self._theme.px(LEFT_MIN_PX))
            self.setSizes([self.width() - width, width])
            self._was_open = True  # from now on the user decides the panel's width
        if before != (self._panel.isHidden(), self._conversation.isHidden()):
            self.changed.emit()
