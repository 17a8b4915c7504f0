"""Show the page that searches all conversations: a field, the number of hits, and a list with the matching words in
bold."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QRect, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QFontMetrics, QKeyEvent, QPainter, QShowEvent
from PySide6.QtWidgets import (
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from app.base import confidentiality, search_text
from app.base.errors import AppError
from app.base.search_text import Snippet
from app.base.wording import phrase
from app.chat.message_index import SearchHit, SearchResult
from app.chat.services.conversations import Conversations
from app.uikit.input_method import conversion_guard_of
from app.uikit.localization import format_date, format_day, join_facts
from app.uikit.page import NavigationSignals, Page, PageHeader
from app.uikit.theme import Theme
from app.uikit.widgets import list_rows
from app.uikit.widgets.containers import Stretch, make_column, make_row
from app.uikit.widgets.fields import SearchField
from app.uikit.widgets.labels import Label, plain_tooltip, set_surface
from app.uikit.widgets.list_rows import Index


@dataclass(frozen=True, slots=True)
class SearchResultRow:
    """A hit with the text that its row shows; the text of `line` is "" when only the title matches."""

    hit: SearchHit
    title: Snippet
    line: Snippet
    date: str
    kind: str  # question, answer or title, in the language of the window
    more_text: str  # text with the number of further matching messages; "" without any


class SearchResultModel(QAbstractListModel):
    """The hits. A row's text is computed when the row is first shown, because there can be hundreds of long
    messages."""

    def __init__(self) -> None:
        super().__init__()
        self._hits: Sequence[SearchHit] = ()
        self._words: Sequence[str] = ()
        self._now = datetime.now()
        self._rows_by_index: dict[int, SearchResultRow] = {}

    def show_hits(self, hits: Sequence[SearchHit], query: str, now: datetime | None = None) -> None:
        self.beginResetModel()
        self._hits, self._words = hits, search_text.split_query(query)
        self._now = now or datetime.now()
        self._rows_by_index.clear()
        self.endResetModel()

    def hit(self, index: Index) -> SearchHit | None:
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
                return self._hits[index.row()].title
            case Qt.ItemDataRole.ToolTipRole:
                return plain_tooltip(self._hits[index.row()].title)
            case Qt.ItemDataRole.AccessibleTextRole:
                result = self.result(index.row())
                return join_facts(result.hit.title, result.date, result.kind, result.line.text, result.more_text)
        return None

    def _make(self, hit: SearchHit) -> SearchResultRow:
        title = Snippet(hit.title, tuple(search_text.find_occurrences(hit.title, self._words)))
        line, more = Snippet("", ()), ""
        kind = phrase("chat.name_of_the_conversation")
        if hit.message_id is not None:
            line = search_text.make_snippet(hit.text, self._words)
            kind = phrase(f"common.batch_column.{hit.role}")
            more = phrase("common.n_more", n=f"{hit.count - 1:,}") if hit.count > 1 else ""
        imported = phrase("chat.imported_in_list") if hit.is_imported else ""
        return SearchResultRow(hit, title, line, self._date(hit.time), join_facts(imported, kind), more)

    def _date(self, at: float) -> str:
        when = datetime.fromtimestamp(at)
        if when.date() == self._now.date():
            return f"{when.hour}:{when.minute:02}"
        return format_day(when) if when.year == self._now.year else format_date(when)


MARGIN_PX = 14
GAP_PX = 12


class SearchResultDelegate(QStyledItemDelegate):
    """Paints a result: title and date, and below them one line of the message with the matching words in bold and
    highlighted."""

    def __init__(self, theme: Theme, model: SearchResultModel, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
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
            painter, QRect(inner.topLeft(), QSize(inner.width(), height)), result.title, "", result.date, 600, quiet
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


class QueryField(SearchField):
    """The search field. Down moves to the results, Enter opens the selected one."""

    down_pressed = Signal()
    enter_pressed = Signal()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Down:
            self.down_pressed.emit()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.enter_pressed.emit()
        else:
            super().keyPressEvent(event)


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


PAUSE_MS = 150  # ms after the last character; a search of 100,000 messages takes 20 ms, so it needs no thread
WIDTH_PX = 760
SIDE_PX = 24


class SearchPage(Page):
    """Searches while the user types, and opens the chosen result."""

    def __init__(
        self,
        theme: Theme,
        navigation: NavigationSignals,
        conversations: Conversations,
        label_of_all: Callable[[], confidentiality.Label] = lambda: confidentiality.HIGHEST_LABEL,
    ) -> None:
        """Build the page. `label_of_all` returns the highest label of all conversations."""
        super().__init__()
        self._theme = theme
        self._navigation = navigation
        self._conversations = conversations
        self._label_of_all = label_of_all
        self._is_stale = False  # True when conversations have changed while the page was hidden
        self._pause = QTimer(self, singleShot=True, interval=PAUSE_MS)
        self.results = SearchResultModel()
        self._build()
        self._connect()
        self._lay_out()
        self._search()

    def start(self, query: str = "") -> None:
        """Focus the field and search for `query`; if it is "", search again for the text in the field."""
        self.focus_first()

        def fill() -> None:
            if query:
                self.field.setText(query)
            self.field.selectAll()
            self._search()

        conversion_guard_of(self.field).run_after_conversion(fill)

    def label_now(self) -> confidentiality.Label:
        """Return the highest label of all conversations, because the page does not track which conversations it
        shows."""
        return self._label_of_all()

    def focus_first(self) -> None:
        self.field.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def set_header_inset(self, inset_px: int) -> None:
        self.header.set_inset(inset_px)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self._is_stale:
            self._search()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Handle the keys that neither the field nor the list uses."""
        if event.key() == Qt.Key.Key_Escape:
            self._navigation.search_closed.emit()
        else:
            super().keyPressEvent(event)

    # ---------------------------------------------------------------- building

    def _build(self) -> None:
        set_surface(self, "base")
        self.header = PageHeader(self._theme, phrase("chat.search"))
        self.field = QueryField(self._theme, phrase("common.search_conversations"))
        self.count = Label(role="caption", tone="text2", wraps=True)
        self.hint = Label(tone="text2", wraps=True)
        self.hint.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.list = self._build_list()
        self._column = make_column(self.field, self.count, (self.hint, 1), (self.list, 1))
        self._middle = QWidget()
        self._middle.setLayout(self._column)
        row = make_row(Stretch(), (self._middle, 10_000), Stretch())
        make_column(self.header, (row, 1), into=self, spacing_px=0)
        self.setFocusProxy(self.field)

    def _build_list(self) -> SearchResultView:
        view = SearchResultView()
        delegate = SearchResultDelegate(self._theme, self.results, view)
        list_rows.set_up_list(view, self.results, delegate, phrase("chat.conversations_found"))
        view.setUniformItemSizes(True)
        return view

    def _connect(self) -> None:
        self.field.textChanged.connect(lambda: self._pause.start())
        self.field.down_pressed.connect(self._enter_list)
        self.field.enter_pressed.connect(self._on_enter)
        self.list.up_pressed.connect(self.field.setFocus)
        self.list.chosen.connect(self._choose)
        self.list.clicked.connect(self._choose)
        self._pause.timeout.connect(self._search)
        self._conversations.changed.connect(self._on_conversations_changed)
        self._theme.changed.connect(self._lay_out)

    def _lay_out(self) -> None:
        px = self._theme.px
        self._middle.setMaximumWidth(px(WIDTH_PX))
        self._column.setContentsMargins(px(SIDE_PX), px(16), px(SIDE_PX), 0)
        self._column.setSpacing(px(10))
        self.list.scheduleDelayedItemsLayout()

    # --------------------------------------------------------------- searching

    def _search(self) -> None:
        self._pause.stop()
        self._is_stale = False
        query = self.field.text()
        try:
            found = self._conversations.search(query)
        except AppError as error:
            self._navigation.problem_occurred.emit(error)
            return
        self.results.show_hits(found.hits, query)
        self.list.setCurrentIndex(self.results.index(0))
        self._show_counts(query.strip(), found)

    def _show_counts(self, query: str, result: SearchResult) -> None:
        count = phrase("chat.conversations_n", n=f"{len(result.hits):,}")
        if not result.is_complete:
            count += phrase("chat.there_are_many_some_are")
        self.count.setText(count)
        self.count.setVisible(bool(result.hits))
        self.list.setVisible(bool(result.hits))
        self.hint.setVisible(not result.hits)
        if query:
            self.hint.setText(phrase("common.nothing_found_for_q", q=query))
        else:
            self.hint.setText(phrase("chat.searches_the_questions_and_answers"))

    def _on_conversations_changed(self) -> None:
        if self.isVisible():
            self._pause.start()
        else:
            self._is_stale = True

    # ---------------------------------------------------------------- choosing

    def _enter_list(self) -> None:
        if self._pause.isActive():
            self._search()
        if self.results.rowCount():
            self.list.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def _on_enter(self) -> None:
        """Search if the text has changed, otherwise open the selected result, so that only a visible result is
        opened."""
        if self._pause.isActive():
            self._search()
        else:
            self._choose(self.list.currentIndex())

    def _choose(self, index: QModelIndex) -> None:
        hit = self.results.hit(index)
        if hit is None:
            return
        if hit.message_id is None:
            self._navigation.conversation_requested.emit(hit.conversation_id)
        else:
            self._navigation.message_requested.emit(hit.message_id, self.field.text())
