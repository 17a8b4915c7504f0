"""Show the footer of an answer from documents: whether its sentences are supported, and its sources."""

import itertools
from collections.abc import Callable, Sequence
from pathlib import PurePath

from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtGui import QFontMetrics, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLayout, QSizePolicy, QVBoxLayout, QWidget

from app.base.wording import phrase
from app.chat import answer_check
from app.chat.records import Message
from app.chat.ui.text import citations
from app.chat.ui.text.source_panel import TAG_CHARACTERS
from app.chat.ui.transcript.message_view import MessageRequests
from app.documents.grounding import source_citations
from app.documents.grounding.grounding_record import CitedSource, Claim, Grounding
from app.uikit import untrusted_text
from app.uikit.localization import join_facts
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button, PaintedButton
from app.uikit.widgets.containers import FlowBox, make_column, make_row
from app.uikit.widgets.labels import IconLabel, Label, plain_tooltip, set_surface

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


HEIGHT_PX = 30
KEYS_MAX = 9  # highest source number that a key opens
FILE_SHARE = 0.38  # most of the room that a file's name takes beside a clause
BEGINNING = 14  # characters of a source that tell it from another one of the same clause


def row_names(sources: Sequence[CitedSource]) -> list[tuple[str, str]]:
    """Return the clause and the file of each source as its row names them, so that no two rows show the same.

    Files of one name are told apart by suffix, folder or collection, and parts of one clause by how they begin.
    """
    forms: tuple[Callable[[CitedSource], str], ...] = (
        lambda one: one.document.rpartition(".")[0] or one.document,
        lambda one: one.document,
        lambda one: f"{PurePath(one.path).parent.name}/{one.document}",
        lambda one: f"{one.collection_title} › {one.document}",
    )
    names: dict[int, tuple[str, str]] = {}

    def place(at: int) -> tuple[str, ...]:
        return (*sources[at].heading, sources[at].tag, str(sources[at].page), forms[0](sources[at]))

    for _, group in itertools.groupby(sorted(range(len(sources)), key=place), key=place):
        same = list(group)
        form = next((form for form in forms if len({form(sources[at]) for at in same}) == len(same)), None)
        for count, at in enumerate(same, start=1):
            one = sources[at]
            begins = "" if form else f"「{' '.join(one.text.split())[:BEGINNING]}…」"
            is_told = len({sources[other].text[:BEGINNING] for other in same}) == len(same)
            counted = "" if form or is_told else f"（{count}）"
            names[at] = (" ".join(one.heading) + begins + counted, (form or forms[0])(one))
    return [names[at] for at in range(len(sources))]


class SourceRow(PaintedButton):
    """A button that paints its own text, so that text from documents and files is never interpreted as rich text."""

    def __init__(self, theme: Theme, number: int, source: CitedSource, name: tuple[str, str]) -> None:
        """Build the row. `name`: the clause and the file, as `row_names` returns them."""
        super().__init__(theme)
        self.number = number
        self._source = source
        self._is_open = False
        self._clause, self._file = map(untrusted_text.make_harmless, name)
        self._page = phrase("chat.page_n", n=source.page) if source.page else ""
        tags = [untrusted_text.make_harmless(source.tag)[:TAG_CHARACTERS]]
        tags += [phrase("common.recognized")] if source.recognized is not None else []
        self._tag = "・".join(filter(None, tags))
        self.words = "　".join(filter(None, (self._clause, self._page, self._tag, self._file)))
        place = untrusted_text.make_harmless(source_citations.describe_place(source))
        self.setAccessibleName(phrase("chat.source_n", n=number) + f" {place}")
        where = f"{untrusted_text.make_harmless(source.collection_title)} › {place}"
        keys = phrase("chat.source_n_alt_n", n=number)
        self.setToolTip(plain_tooltip(f"{keys} {where}" if number <= KEYS_MAX else where))
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    @property
    def is_open(self) -> bool:
        return self._is_open

    def show_open(self, is_open: bool) -> None:
        """Set whether the source is open next to the conversation."""
        if is_open != self._is_open:
            self._is_open = is_open
            self.setAccessibleDescription(phrase("chat.open") if is_open else "")
            self.update()

    def shown_clause(self, width: int) -> str:
        """Return the clause, elided in the middle to `width` px: first its outer headings, so that its own stays."""
        metrics = QFontMetrics(self._theme.font("ui", 600 if self._is_open else None))
        own = self._clause[len(" ".join(self._source.heading[:-1])) :]
        outer, room = self._clause.removesuffix(own), width - metrics.horizontalAdvance(own)
        if room < metrics.horizontalAdvance("あ…"):
            return metrics.elidedText(own.strip(), Qt.TextElideMode.ElideMiddle, width)
        return metrics.elidedText(outer, Qt.TextElideMode.ElideRight, room) + own

    def sizeHint(self) -> QSize:
        return QSize(self._theme.px(240), self._theme.px(HEIGHT_PX))

    def minimumSizeHint(self) -> QSize:
        return QSize(self._theme.px(120), self._theme.px(HEIGHT_PX))

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        theme, px = self._theme, self._theme.px
        if self._is_open or self.underMouse():
            painter.fillRect(self.rect(), theme.color("accent_soft" if self._is_open else "raised"))
        painter.setPen(QPen(theme.color("line"), 1))
        painter.drawLine(0, 0, self.width(), 0)
        left, right = self._paint_number(painter), self.width() - px(4)
        weight = 600 if self._is_open else None
        if self._clause:
            room = round((right - left) * FILE_SHARE)
            right = self._paint_text(painter, self._file, left, right, "caption", "text2", most=room, at_right=True)
            right -= px(12)
        fixed = [QFontMetrics(theme.font("ui")).horizontalAdvance(self._page) + px(10)] if self._page else []
        fixed += [QFontMetrics(theme.font("caption")).horizontalAdvance(self._tag) + px(26)] if self._tag else []
        most = right - left - sum(fixed)
        shown = self.shown_clause(most) if self._clause else self._file
        end = self._paint_text(painter, shown, left, right, "ui", "text", weight, most=most)
        if self._page:
            end = self._paint_text(painter, self._page, end + px(10), right, "ui", "text2")
        if self._tag:
            self._paint_tag(painter, end + px(10))
        if self.hasFocus():
            width = theme.metric("focus_ring")
            painter.setPen(QPen(theme.color("accent"), width))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            inset = width / 2
            painter.drawRoundedRect(self.rect().toRectF().adjusted(inset, inset, -inset, -inset), px(4), px(4))

    def _paint_number(self, painter: QPainter) -> int:
        theme, px = self._theme, self._theme.px
        chip = QRect(px(2), (self.height() - px(20)) // 2, px(24), px(20))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.color("accent" if self._is_open else "accent_soft"))
        painter.drawRoundedRect(chip, theme.metric("radius_chip"), theme.metric("radius_chip"))
        painter.setFont(theme.font("caption", 600))
        painter.setPen(theme.color("on_accent" if self._is_open else "accent"))
        painter.drawText(chip, int(Qt.AlignmentFlag.AlignCenter), str(self.number))
        return chip.right() + px(8)

    def _paint_text(
        self,
        painter: QPainter,
        text: str,
        left: int,
        right: int,
        role: str,
        tone: str,
        weight: int | None = None,
        *,
        most: int | None = None,
        at_right: bool = False,
    ) -> int:
        """Paint a text, elided in the middle to `most` px; return the x coordinate where it ends at its other side."""
        painter.setFont(self._theme.font(role, weight))
        painter.setPen(self._theme.color(tone))
        metrics = QFontMetrics(painter.font())
        shown = metrics.elidedText(text, Qt.TextElideMode.ElideMiddle, right - left if most is None else most)
        width = metrics.horizontalAdvance(shown)
        start = right - width if at_right else left
        painter.drawText(QRect(start, 0, width + 1, self.height()), int(Qt.AlignmentFlag.AlignVCenter), shown)
        return start if at_right else start + width

    def _paint_tag(self, painter: QPainter, left: int) -> None:
        px = self._theme.px
        font = self._theme.font("caption")
        width = QFontMetrics(font).horizontalAdvance(self._tag) + px(16)
        tag = QRect(left, (self.height() - px(20)) // 2, width, px(20))
        painter.setPen(QPen(self._theme.color("line"), 1))
        painter.setBrush(self._theme.color("raised"))
        painter.drawRoundedRect(tag.toRectF().adjusted(0.5, 0.5, -0.5, -0.5), px(4), px(4))
        painter.setFont(font)
        painter.setPen(self._theme.color("text2"))
        painter.drawText(tag, int(Qt.AlignmentFlag.AlignCenter), self._tag)
