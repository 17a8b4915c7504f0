"""Show what a search has found in conversations or in documents, as rows with the matching words in bold."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QRect, QSize, Qt, Signal
from PySide6.QtGui import QFontMetrics, QKeyEvent, QPainter
from PySide6.QtWidgets import QListView, QStyle, QStyleOptionViewItem

from app.base import search_text
from app.base.search_text import Snippet
from app.base.wording import phrase
from app.chat.message_index import SearchHit
from app.documents.section_search import SectionHit
from app.uikit import untrusted_text
from app.uikit.localization import format_date, format_day, join_facts
from app.uikit.theme import Theme
from app.uikit.widgets import list_rows
from app.uikit.widgets.labels import plain_tooltip
from app.uikit.widgets.list_rows import Index, ThemedDelegate

Hit = SearchHit | SectionHit


@dataclass(frozen=True, slots=True)
class SearchResultRow:
    """The text that the row of a hit shows; the text of `line` is "" when only the title matches."""

    title: Snippet
    line: Snippet
    place: str  # the date, or the document and its page
    kind: str = ""  # of a hit in conversations: question, answer or title, in the language of the window
    more_text: str = ""  # the number of further matching messages, or the collection


class SearchResultModel(QAbstractListModel):
    """The hits. The text of a row, which may be a long message, is computed when it is first shown."""

    def __init__(self) -> None:
        super().__init__()
        self._hits: Sequence[Hit] = ()
        self._words: Sequence[str] = ()
        self._now = datetime.now()
        self._rows_by_index: dict[int, SearchResultRow] = {}

    def show_hits(self, hits: Sequence[Hit], query: str, now: datetime | None = None) -> None:
        self.beginResetModel()
        self._hits, self._words = hits, search_text.split_query(query)
        self._now = now or datetime.now()
        self._rows_by_index.clear()
        self.endResetModel()

    def hit(self, index: Index) -> Hit | None:
        return self._hits[index.row()] if index.isValid() else None

    def result(self, row: int) -> SearchResultRow:
        if row not in self._rows_by_index:
            self._rows_by_index[row] = self._make(self._hits[row])
        return self._rows_by_index[row]

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 (Qt's signature)
        return 0 if parent.isValid() else len(self._hits)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return self.result(index.row()).title.text
            case Qt.ItemDataRole.ToolTipRole:
                row = self.result(index.row())
                return plain_tooltip(join_facts(row.title.text, row.place) if row.more_text else row.title.text)
            case Qt.ItemDataRole.AccessibleTextRole:
                row = self.result(index.row())
                return join_facts(row.title.text, row.place, row.kind, row.line.text, row.more_text)
        return None

    def _make(self, hit: Hit) -> SearchResultRow:
        return self._section_row(hit) if isinstance(hit, SectionHit) else self._conversation_row(hit)

    def _section_row(self, hit: SectionHit) -> SearchResultRow:
        """Return a row that leads with the clause. The documents' words may be anything, so they are made harmless."""
        *_, clause = hit.heading or (hit.document,)
        title = untrusted_text.make_harmless(clause)
        document = untrusted_text.make_harmless(hit.document) if hit.heading else ""
        page = phrase("chat.page_short", n=hit.page) if hit.page else ""
        found, line = self._marked(title), search_text.make_snippet(untrusted_text.make_harmless(hit.text), self._words)
        if not (found.marks or line.marks):  # only a heading further out has the words
            line = self._marked(untrusted_text.make_harmless(" › ".join(hit.heading[:-1])))
        collection = untrusted_text.make_harmless(hit.collection)
        return SearchResultRow(found, line, join_facts(document, page), more_text=collection)

    def _conversation_row(self, hit: SearchHit) -> SearchResultRow:
        line, more = Snippet("", ()), ""
        kind = phrase("chat.name_of_the_conversation")
        if hit.message_id is not None:
            line = search_text.make_snippet(hit.text, self._words)
            kind = phrase(f"common.batch_column.{hit.role}")
            more = phrase("common.n_more", n=f"{hit.count - 1:,}") if hit.count > 1 else ""
        imported = phrase("chat.imported_in_list") if hit.is_imported else ""
        return SearchResultRow(self._marked(hit.title), line, self._date(hit.time), join_facts(imported, kind), more)

    def _marked(self, text: str) -> Snippet:
        return Snippet(text, tuple(search_text.find_occurrences(text, self._words)))

    def _date(self, at: float) -> str:
        when = datetime.fromtimestamp(at)
        if when.date() == self._now.date():
            return f"{when.hour}:{when.minute:02}"
        return format_day(when) if when.year == self._now.year else format_date(when)


MARGIN_PX = 14
GAP_PX = 12
PLACE_SHARE = 0.5  # of a row's width that the place of a hit may take


class SearchResultDelegate(ThemedDelegate):
    """Paints a result: title and date, and below them a line of the message with the words in bold."""

    def __init__(self, theme: Theme, model: SearchResultModel, parent: QListView) -> None:
        super().__init__(theme, parent)
        self._model = model

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:  # noqa: ARG002 (Qt passes it)
        theme = self._theme
        return QSize(0, theme.line_height("ui") * 2 + theme.px(22))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        theme = self._theme
        result = self._model.result(index.row())
        state: QStyle.StateFlag = option.state
        is_chosen = bool(state & QStyle.StateFlag.State_Selected)
        area: QRect = option.rect
        painter.save()
        list_rows.draw_row_ground(painter, theme, area, is_chosen=is_chosen, option=option)
        inner = area.adjusted(theme.px(MARGIN_PX), theme.px(9), -theme.px(MARGIN_PX), 0)
        height = theme.line_height("ui")
        quiet = "text2" if is_chosen else "muted"
        self._paint_line(
            painter, QRect(inner.topLeft(), QSize(inner.width(), height)), result.title, "", result.place, 600, quiet
        )
        inner.translate(0, height + theme.px(3))
        second = QRect(inner.topLeft(), QSize(inner.width(), height))
        self._paint_line(painter, second, result.line, result.kind, result.more_text, 400, quiet)
        painter.fillRect(QRect(area.left(), area.bottom(), area.width(), 1), theme.color("line"))
        painter.restore()

    def _paint_line(
        self, painter: QPainter, area: QRect, snippet: Snippet, before: str, after: str, weight: int, quiet: str
    ) -> None:
        """Paint a line of text with a muted text in front of it and another at the right edge."""
        theme = self._theme
        gap = theme.px(GAP_PX)
        small = QFontMetrics(theme.font("caption"))
        left, right = area.left(), area.right() + 1
        if after:
            after = small.elidedText(after, Qt.TextElideMode.ElideMiddle, round(area.width() * PLACE_SHARE))
            right -= small.horizontalAdvance(after) + 1  # + 1, because the width is rounded
            room = QRect(right, area.top(), area.right() + 1 - right, area.height())
            list_rows.draw_text(painter, theme, room, after, "caption", quiet)
            right -= gap
        if before:
            room = QRect(left, area.top(), right - left, area.height())
            left += list_rows.draw_text(painter, theme, room, before, "caption", quiet) + theme.px(8)
        tone = "text" if weight == 600 else "text2"
        self._paint_snippet(painter, QRect(left, area.top(), right - left, area.height()), snippet, weight, tone)

    def _paint_snippet(self, painter: QPainter, area: QRect, snippet: Snippet, weight: int, tone: str) -> None:
        """Paint a snippet from left to right and elide it at the end of `area`."""
        theme = self._theme
        left = area.left()
        for words, is_hit in highlighted_pieces(snippet):
            font = theme.font("ui", 600 if is_hit else weight)
            metrics = QFontMetrics(font)
            room = area.right() + 1 - left
            shown = metrics.elidedText(words, Qt.TextElideMode.ElideRight, room)
            width = metrics.horizontalAdvance(shown)
            place = QRect(left, area.top(), width, area.height())
            if is_hit:
                painter.fillRect(place.adjusted(0, theme.px(1), 0, -theme.px(1)), theme.color("cite"))
            painter.setFont(font)
            painter.setPen(theme.color("text" if is_hit else tone))
            painter.drawText(place, int(Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextSingleLine), shown)
            left += width
            if shown != words:
                break


def highlighted_pieces(snippet: Snippet) -> list[tuple[str, bool]]:
    """Split a snippet at its marks; return pairs (text, whether it is marked)."""
    found: list[tuple[str, bool]] = []
    at = 0
    for start, end in (*snippet.marks, (len(snippet.text), len(snippet.text))):
        found += [(snippet.text[at:start], False), (snippet.text[start:end], True)]
        at = end
    return [piece for piece in found if piece[0]]


class SearchResultView(QListView):
    """The list of results. Up on the first result returns to the field; Enter opens the selected one."""

    up_pressed = Signal()  # Up was pressed on the first result
    chosen = Signal(QModelIndex)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Up and self.currentIndex().row() <= 0:
            self.up_pressed.emit()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.chosen.emit(self.currentIndex())
        else:
            super().keyPressEvent(event)
