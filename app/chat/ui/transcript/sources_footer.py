"""Show the footer of an answer from documents: whether its sentences are supported, and its sources."""

from PySide6.QtCore import Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLayout, QVBoxLayout, QWidget

from app.base.wording import phrase
from app.chat import answer_check
from app.chat.records import Message
from app.chat.ui.text import citations
from app.chat.ui.text.source_row import SourceRow, row_names
from app.chat.ui.transcript.message_view import MessageRequests
from app.documents.grounding import source_citations
from app.documents.grounding.grounding_record import Claim, Grounding
from app.uikit import untrusted_text
from app.uikit.localization import join_facts
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import FlowBox, make_column, make_row
from app.uikit.widgets.labels import IconLabel, Label, set_surface

NAMED_VALUES = 3  # number of missing values that one line names
QUOTED_SHOWN = 12  # sources of an imported file that are listed; no more than the program itself gives a model


class SourcesFooter(QWidget):
    """Shows the result of the check and the rows of sources."""

    def __init__(self, message: Message, grounding: Grounding, theme: Theme, requests: MessageRequests) -> None:
        super().__init__()
        self._message = message
        self._grounding = grounding
        self._theme = theme
        self._requests = requests
        self.numbers = source_citations.used_sources(message.text, grounding) if grounding.sources else ()
        self.rows: dict[int, SourceRow] = {}
        self.summary = ""  # result of the check for screen readers; "" without one
        column = make_column(into=self, margins_px=(0, theme.px(2), 0, 0), spacing_px=theme.px(8))
        for words in source_citations.picture_messages(grounding):
            column.addLayout(signed_line(theme, "info", "text2", words))
        if not grounding.has_answer:
            column.addWidget(self._not_found_box())
            if doubtful := [claim for claim in grounding.claims if not claim.is_supported]:
                column.addWidget(self._doubt_box(doubtful))
        elif line := self._check_line():
            column.addWidget(line) if isinstance(line, QWidget) else column.addLayout(line)
        if grounding.has_answer and self.numbers:
            column.addLayout(self._source_rows())

    def show_open(self, number: int | None) -> None:
        """Mark the source that is open next to the conversation; None marks none."""
        for row in self.rows.values():
            row.show_open(row.number == number)

    def show_all_rows(self) -> None:
        """Show also the sources of quotations that have been opened."""
        for row in self.rows.values():
            row.show()
        self.updateGeometry()

    # ------------------------------------------------------------------ private

    def _choose(self, number: int) -> None:
        self._requests.source_chosen.emit(self._message.id, number)

    def _check_line(self) -> QWidget | QLayout | None:
        claims, grounding = self._grounding.claims, self._grounding
        doubtful = [claim for claim in claims if not claim.is_supported]
        if doubtful:
            return self._doubt_box(doubtful)
        if grounding.is_excerpt or self._message.is_edited or (grounding.pictures and not claims):
            return None
        unchecked = source_citations.unchecked_messages(grounding)
        if not claims:
            if self._message.status != "done":
                words = phrase("chat.not_checked_because_the_answer")
                return Label(words, role="caption", tone="text2", wraps=True)
            return Label(join_facts(phrase("chat.none_checked"), *unchecked), role="caption", tone="text2", wraps=True)
        words = join_facts(*source_citations.source_agreement_messages(grounding), *unchecked)
        self.summary = words
        sign = ("info", "text2") if unchecked else ("circle-check", "success")
        return signed_line(self._theme, *sign, words)

    def _doubt_box(self, doubtful: list[Claim]) -> QWidget:
        frame = QFrame()
        frame.setProperty("surface", "warning")
        px = self._theme.px
        icon = IconLabel(self._theme, "triangle-alert", "warning")
        icon.setFixedHeight(self._theme.line_height("ui"))
        head, why = phrase("chat.n_sentences_need_checking", n=len(doubtful)), self._why(doubtful)
        why = join_facts(why, *source_citations.unchecked_messages(self._grounding))
        self.summary = join_facts(self.summary, head, why)
        words = make_column(Label(head, tone="warning", strong=True), Label(why, wraps=True), spacing_px=0)
        top = Qt.AlignmentFlag.AlignTop
        row = make_row(
            (icon, 0, top), (words, 1), into=frame, margins_px=(px(12), px(8), px(8), px(8)), spacing_px=px(8)
        )
        first_number = next(
            (claim.sources[0] for claim in doubtful if claim.sources), self.numbers[0] if self.numbers else 0
        )
        if first_number:
            button = Button(self._theme, phrase("chat.open_the_source"), compact=True)
            button.clicked.connect(lambda: self._choose(first_number))
            row.addWidget(button, 0, top)
        return frame

    def _why(self, doubtful: list[Claim]) -> str:
        missing = list(
            dict.fromkeys(untrusted_text.make_harmless(value) for claim in doubtful for value in claim.missing)
        )
        if not missing:
            return phrase("chat.what_is_underlined_was_not")
        named = phrase("common.symbol_2").join(missing[:NAMED_VALUES])
        kind = source_citations.doubt_kind(self._grounding, doubtful)
        count = "several" if len(missing) > NAMED_VALUES else "few"
        return phrase(f"chat.doubtful_value.{kind}_{count}", value=named, n=len(missing))

    def _source_rows(self) -> QVBoxLayout:
        column = make_column(spacing_px=0)
        quoted = citations.sources_at_first(self._message) or self.numbers
        names = row_names(self._grounding.sources)
        for number in self.numbers:
            row = SourceRow(self._theme, number, self._grounding.sources[number - 1], names[number - 1])
            row.clicked.connect(lambda _=False, number=number: self._choose(number))
            self.rows[number] = row
            column.addWidget(row)
            if number not in quoted:
                row.hide()
        return column

    def _not_found_box(self) -> QWidget:
        box = FooterBox(self._theme)
        if self._message.details is not None and self._message.details.is_action:
            self.summary = phrase("chat.the_action_failed")
            box.column.addWidget(Label(self.summary, strong=True, wraps=True))
            box.column.addWidget(Label(phrase("chat.the_answer_above_still_holds"), tone="text2", wraps=True))
            return box
        is_notice = citations.is_not_found_notice(self._message)
        is_told = is_notice and self._message.text not in ("", phrase("chat.not_in_documents"))
        self.summary = self._message.text if is_told else phrase("chat.not_in_your_documents")
        box.column.addWidget(Label(self.summary, strong=True, wraps=True))
        if not is_told:
            words = phrase("chat.the_documents_asked_do_not" if is_notice else "chat.no_answer_was_found_in")
            box.column.addWidget(Label(words, tone="text2", wraps=True))
        add = Button(self._theme, phrase("chat.add_documents_2"), compact=True)
        add.clicked.connect(lambda: self._requests.navigation.page_requested.emit("documents"))
        near = Button(self._theme, phrase("chat.see_near_passages_n", n=len(self.numbers)), compact=True)
        near.clicked.connect(lambda: self._choose(self.numbers[0]))
        near.setVisible(bool(self.numbers))
        box.column.addWidget(FlowBox(add, near))
        return box


def signed_line(theme: Theme, icon: str, tone: str, words: str) -> QHBoxLayout:
    """Return a line with an icon and a sentence, so that its meaning does not depend on colour."""
    sign = IconLabel(theme, icon, tone)
    sign.setFixedHeight(theme.line_height("caption"))
    sentence = Label(words, role="caption", tone=tone, wraps=True)
    return make_row((sign, 0, Qt.AlignmentFlag.AlignTop), (sentence, 1), spacing_px=theme.px(6))


def near_line(theme: Theme, parent: QWidget) -> QWidget:
    """Return the line above an answer from passages that only come close to the question."""
    line = QWidget(parent)
    make_column(
        signed_line(theme, "triangle-alert", "warning", phrase("documents.near")),
        into=line,
        margins_px=(0, 0, 0, theme.px(4)),
    )
    return line


def excerpt_line(theme: Theme, parent: QWidget) -> QWidget:
    """Return the line above an answer of quotations only: the word 抜粋表示 and the reason."""
    px, line, tag = theme.px, QWidget(parent), QFrame()
    tag.setProperty("surface", "tag")
    name = Label(phrase("chat.excerpts"), role="caption", strong=True)
    make_row(name, into=tag, margins_px=(px(8), px(2), px(8), px(2)))
    why = Label(phrase("chat.the_original_sentences_are_shown"), role="caption", tone="text2", wraps=True)
    make_row((tag, 0, Qt.AlignmentFlag.AlignTop), (why, 1), into=line, margins_px=(0, 0, 0, px(4)), spacing_px=px(8))
    return line


def imported_box(message: Message, theme: Theme) -> QWidget:
    """Return the box below an imported answer: whether it was compared with documents, and its file's sources."""
    lines = [] if answer_check.check_status(message) == "checked" else [phrase("chat.it_came_in_a_file")]
    if quoted := answer_check.quoted_places(message):
        lines += [phrase("chat.imported_sources")]
        lines += [f"・{untrusted_text.make_harmless(place)}" for place in quoted[:QUOTED_SHOWN]]
    if len(quoted) > QUOTED_SHOWN:
        lines.append(phrase("common.n_more", n=len(quoted) - QUOTED_SHOWN))
    box, px = QFrame(), theme.px
    set_surface(box, "sunken")
    heading = Label(answer_check.imported_mark(message), strong=True, wraps=True)
    labels = [Label(line, role="caption", tone="text2", wraps=True) for line in lines]
    make_column(heading, *labels, into=box, margins_px=(px(12), px(8), px(12), px(8)), spacing_px=px(2))
    return box


class FooterBox(QFrame):
    """A box with a neutral background and a bar at its left edge."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        set_surface(self, "sunken")
        self.column = make_column(
            into=self, margins_px=(theme.px(16), theme.px(10), theme.px(12), theme.px(10)), spacing_px=theme.px(6)
        )

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        painter = QPainter(self)
        painter.fillRect(0, 0, self._theme.px(3), self.height(), self._theme.color("control"))
