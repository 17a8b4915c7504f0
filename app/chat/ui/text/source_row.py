"""Show a source below an answer: number, clause, page, tag (how binding the clause is), and document."""

import itertools
from collections.abc import Callable, Sequence
from pathlib import PurePath

from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtGui import QFontMetrics, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy

from app.base.wording import phrase
from app.documents.grounding import source_citations
from app.documents.grounding.grounding_record import CitedSource
from app.uikit import untrusted_text
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import PaintedButton
from app.uikit.widgets.labels import plain_tooltip

HEIGHT_PX = 30
KEYS_MAX = 9  # highest source number that a key opens
TAG_CHARACTERS = 12  # enough for tags such as 考え方; an imported file may contain any
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
