"""Show the page ごみ箱, where conversations can be restored for 30 days, or erased at once after a question."""

import functools
import math
import time
from collections.abc import Callable, Iterable

from PySide6.QtCore import QRect, QSize, Qt, Signal
from PySide6.QtGui import QFontMetrics, QKeyEvent, QKeySequence, QPainter, QShowEvent
from PySide6.QtWidgets import QListView, QStackedWidget, QStyle, QStyleOptionViewItem, QWidget

from app.base import confidentiality
from app.base.wording import phrase
from app.chat.organizer import BIN_DAYS
from app.chat.records import Conversation
from app.chat.services.conversations import Conversations
from app.uikit import dialogs
from app.uikit.localization import join_facts
from app.uikit.page import PAGE_MARGIN_PX, NavigationSignals, Page, PageHeader
from app.uikit.theme import Theme
from app.uikit.widgets import list_rows
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import Stretch, make_column, make_row
from app.uikit.widgets.labels import Label, set_surface
from app.uikit.widgets.list_rows import DescriptionRole, EntryListModel, EntryRole, EntryRow, Index, ThemedDelegate

TWO_LINES_BELOW_PX = 520

_DAY_S = 24 * 60 * 60


def bin_rows(conversations: Iterable[Conversation], now: float) -> list[EntryRow]:
    """Return the rows of conversations with the number of days until each is erased. `now`: seconds since 1970."""

    @functools.cache  # thousands of rows have few descriptions
    def describe(days: int, is_imported: bool) -> str:
        left = phrase("chat.days_left_n", n=min(days, BIN_DAYS)) if days > 0 else phrase("chat.goes_soon")
        return join_facts(phrase("chat.imported_in_list") if is_imported else "", left)

    def row(conversation: Conversation) -> EntryRow:
        days = math.ceil(BIN_DAYS - (now - (conversation.binned_at or 0)) / _DAY_S)
        description = describe(days, conversation.imported_at is not None)
        return EntryRow(conversation.title, conversation.id, conversation, description=description)

    return [row(conversation) for conversation in conversations]


class BinDelegate(ThemedDelegate):
    """Paints a row with the days left at its right, or below the title in a narrow page. Selected rows have a tick."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:  # noqa: ARG002 (Qt passes it)
        return QSize(0, self._theme.px(52 if self._is_narrow() else 40))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        painter.save()
        theme = self._theme
        area: QRect = option.rect
        is_chosen = bool(option.state & QStyle.StateFlag.State_Selected)
        list_rows.draw_row_ground(painter, theme, area, is_chosen=is_chosen, option=option)
        size = theme.px(16)
        words = area.adjusted(14 + size + theme.px(10), theme.px(4), -14, -theme.px(4))
        if is_chosen:
            theme.icon("check", "accent").paint(painter, QRect(area.left() + 14, area.top(), size, area.height()))
        left = index.data(DescriptionRole)
        tone = "text2" if is_chosen else "muted"
        if self._is_narrow():
            title = QRect(words.left(), words.top(), words.width(), theme.line_height("ui"))
            below = QRect(words.left(), title.bottom() + 1, words.width(), theme.line_height("caption"))
        else:
            width = QFontMetrics(theme.font("caption")).horizontalAdvance(left) + 1
            below = QRect(words.right() - width, words.top(), width, words.height())
            title = words.adjusted(0, 0, -(width + theme.px(16)), 0)
        list_rows.draw_text(painter, theme, title, index.data(), "ui", "text")
        list_rows.draw_text(painter, theme, below, left, "caption", tone)
        painter.restore()

    def _is_narrow(self) -> bool:
        return self._view.width() < self._theme.px(TWO_LINES_BELOW_PX)


class BinView(QListView):
    """The list of the bin. Enter restores; Delete asks whether to erase, so that no single key erases."""

    restore_requested = Signal()
    erasure_requested = Signal()

    def __init__(self, theme: Theme, model: EntryListModel) -> None:
        super().__init__()
        list_rows.set_up_list(self, model, BinDelegate(theme, self), phrase("chat.conversations_in_the_bin"))
        self.setProperty("framed", True)
        self.setSelectionMode(QListView.SelectionMode.ExtendedSelection)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setUniformItemSizes(True)
        theme.changed.connect(self.scheduleDelayedItemsLayout)

    def chosen_ids(self) -> list[int]:
        ranges, model = self.selectionModel().selection().toList(), self.model()
        rows = sorted({row for part in ranges for row in range(part.top(), part.bottom() + 1)})
        return [model.index(row, 0).data(EntryRole).id for row in rows]

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.restore_requested.emit()
        elif event.matches(QKeySequence.StandardKey.Delete):
            self.erasure_requested.emit()
        else:
            super().keyPressEvent(event)


class BinPage(Page):
    """Shows the binned conversations, with buttons to restore some, erase some or empty the bin."""

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
        self.binned = EntryListModel()
        self._build()
        self._conversations.changed.connect(self._on_changed)
        self.list.selectionModel().selectionChanged.connect(self._show_chosen)
        self.list.restore_requested.connect(self._restore)
        self.list.erasure_requested.connect(self._ask_to_erase)
        self.restore_button.clicked.connect(self._restore)
        self.erase_button.clicked.connect(self._ask_to_erase)
        self.empty_button.clicked.connect(self._ask_to_empty)
        self.ask_button.clicked.connect(lambda: self._navigation.page_requested.emit("ask"))

    def label_now(self) -> confidentiality.Label:
        """Return the highest label of all conversations, because the page does not track which it shows."""
        return self._label_of_all()

    def focus_first(self) -> None:
        (self.list if self.binned.rowCount() else self.ask_button).setFocus(Qt.FocusReason.ShortcutFocusReason)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._refill_list()  # the days left may have changed

    # ------------------------------------------------------------------ building

    def _build(self) -> None:
        set_surface(self, "base")
        self.header = PageHeader(self._theme, phrase("common.bin"))
        self.empty_button = Button(self._theme, phrase("chat.empty_the_bin"), "danger", "trash-2")
        self.header.add_action(self.empty_button)
        self.stack = QStackedWidget()
        self.stack.addWidget(self._filled())
        self.stack.addWidget(self._emptied())
        make_column(self.header, (self.stack, 1), into=self, spacing_px=0)

    def _filled(self) -> QWidget:
        self.list = BinView(self._theme, self.binned)
        self.restore_button = Button(self._theme, phrase("chat.restore"), icon="undo-2")
        self.erase_button = Button(self._theme, phrase("chat.delete_permanently"), "danger")
        self._selection_label = Label(role="caption", tone="text2")
        buttons = make_row(self.restore_button, self.erase_button, Stretch(), self._selection_label, spacing_px=8)
        filled = QWidget()
        words = Label(phrase("chat.conversations_leave_the_bin_for"), tone="text2", wraps=True)
        margins = (PAGE_MARGIN_PX, 16, PAGE_MARGIN_PX, 16)
        make_column(words, (self.list, 1), buttons, into=filled, margins_px=margins, spacing_px=12)
        return filled

    def _emptied(self) -> QWidget:
        emptied = QWidget()
        words = Label(phrase("chat.the_bin_is_empty_deleted"), tone="text2", wraps=True)
        self.ask_button = Button(self._theme, phrase("chat.back_to_ask"))
        button = (self.ask_button, 0, Qt.AlignmentFlag.AlignLeft)
        margins = (PAGE_MARGIN_PX, 48, PAGE_MARGIN_PX, 24)
        make_column(words, button, Stretch(), into=emptied, margins_px=margins, spacing_px=16)
        return emptied

    # --------------------------------------------------------------------- shown

    def _on_changed(self) -> None:
        if self.isVisible():
            self._refill_list()

    def _refill_list(self) -> None:
        """Fill the list again and keep a row selected, so that the buttons can be used."""
        row = max(0, self.list.currentIndex().row())
        had_focus = self.isAncestorOf(self.focusWidget()) if self.focusWidget() else False
        now = time.time()
        self.binned.set_rows(bin_rows(self._conversations.binned(), now))
        count = self.binned.rowCount()
        self.stack.setCurrentIndex(0 if count else 1)
        self.empty_button.setVisible(count > 0)
        self.list.setCurrentIndex(self.binned.index(min(row, count - 1)))
        self._show_chosen()
        if had_focus and not count:
            self.focus_first()

    def _show_chosen(self) -> None:
        count = len(self.list.chosen_ids())
        several = phrase("chat.n_selected", n=count) if count > 1 else ""
        self._selection_label.setText(several if count else phrase("chat.select_conversations_first"))
        self.restore_button.setEnabled(count > 0)
        self.erase_button.setEnabled(count > 0)

    # ---------------------------------------------------------------------- actions

    def _restore(self) -> None:
        if ids := self.list.chosen_ids():
            self._navigation.restore_requested.emit(ids)

    def _ask_to_erase(self) -> None:
        ids = self.list.chosen_ids()
        if len(ids) == 1:
            title = self.list.selectedIndexes()[0].data()  # the current row may be unselected after Ctrl+click
            question = phrase("chat.permanently_delete_title", title=title)
        else:
            question = phrase("chat.permanently_delete_n_conversations", n=len(ids))
        if ids:
            self.ask_to_erase(question, phrase("chat.delete_permanently_2"), ids)

    def _ask_to_empty(self) -> None:
        question = phrase("chat.permanently_delete_all_n_in", n=self.binned.rowCount())
        ids = [conversation.id for conversation in self._conversations.binned()]
        self.ask_to_erase(question, phrase("chat.empty_the_bin_2"), ids)

    def ask_to_erase(self, question: str, words: str, ids: list[int]) -> dialogs.Dialog:
        body = phrase("chat.this_cannot_be_undone_the")
        choices = dialogs.cancel_or("erase", words, is_grave=True)
        dialog = dialogs.Dialog(self._theme, question, body, choices, self, icon=("triangle-alert", "warning"))
        return dialog.ask(lambda: self._conversations.erase(ids))
