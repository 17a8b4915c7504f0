"""Show the review queue (見直し): keys accept, edit or reject the current row, and the next undecided one follows."""

from collections.abc import Callable, Sequence

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QStackedWidget, QWidget

from app.base.errors import AppError
from app.base.wording import phrase, shorten
from app.training.data import curation
from app.training.data.curation import Curation, CurationItem, Decision, DecisionKind
from app.training.services.draft_editor import DraftEditor
from app.training.ui.data.review_layout import ReviewLayout, RowSourceView
from app.training.ui.data.review_list import Filter, ItemRole, ReviewList, ReviewListModel
from app.training.ui.data.row_editor import RowEditor, Texts
from app.uikit.localization import with_note
from app.uikit.page import NavigationSignals
from app.uikit.theme import Theme
from app.uikit.undo import undo_key
from app.uikit.widgets.banner import Banner
from app.uikit.widgets.buttons import Button, KeyButton
from app.uikit.widgets.containers import FlowBox, make_column, make_row
from app.uikit.widgets.labels import Label, Separator, announce, set_surface

FOOT_MARGIN_PX = 16
NOTICE_CHARACTERS = 24  # of a question that is named in a notice


class ReviewTab(QWidget):
    """The tab of the review queue.

    Unsaved texts stay with their row until a decision on it; undoing the decision restores them.
    """

    def __init__(self, theme: Theme, work: DraftEditor, navigation: NavigationSignals) -> None:
        super().__init__()
        self._theme = theme
        self._work = work
        self._navigation = navigation
        self._curation: Curation | None = None
        self._revision = -1  # revision of the shown rows
        self._same_passage = curation.count_by_passage(())
        self._edits: dict[int, Texts] = {}  # unsaved texts by the item's number
        self._decided_edits: dict[int, Texts] = {}  # texts unsaved before the decision, restored by an undo
        self._undone: list[Decision] = []  # decisions taken back since the last one, which can be made again
        self.items = ReviewListModel()
        self.items.setParent(self)
        self.items.edits = self._edits
        self._build()
        self._connect()
        self.show_rows()

    # ------------------------------------------------------------------- showing

    def show_rows(self) -> None:
        """Update the tab after the draft's rows were replaced or decisions were made elsewhere."""
        found = self._work.curation
        if found is not self._curation:
            self._show_other(found)
        elif found is not None and found.revision != self._revision:
            self._fill(self.items.filter, self.item.number if self.item is not None else 0)

    def focus_first(self) -> None:
        self.list.view.setFocus(Qt.FocusReason.ShortcutFocusReason)

    @property
    def item(self) -> CurationItem | None:
        """Return the item that is shown; None if there is none."""
        found: CurationItem | None = self.list.view.currentIndex().data(ItemRole)
        return found

    def show_item(self, number: int) -> None:
        """Show an item; if the filter excludes it, show all items."""
        if self.items.index_of(number).isValid():
            self._select(number)
        else:
            self._fill("all", number)

    # --------------------------------------------------------------------- keys

    def event(self, event: QEvent) -> bool:
        """Handle Ctrl+Z and the keys of redo before the window does, wherever the focus is in this tab."""
        is_key = isinstance(event, QKeyEvent) and self._act_of(event) is not None
        if is_key and event.type() == QEvent.Type.ShortcutOverride:
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        act = self._act_of(event)
        if act is None:
            super().keyPressEvent(event)
        elif not event.isAutoRepeat():
            act()

    def _act_of(self, event: QKeyEvent) -> Callable[[], None] | None:
        return {"undo": self.undo, "redo": self.redo}.get(undo_key(event, self))

    # ----------------------------------------------------------------- deciding

    def accept(self) -> None:
        """Accept the row with the texts in the fields."""
        if self.item is not None and self.editor.finish_input_conversion():
            if self.editor.is_original:
                self._decide(Decision(self.item.number, "accepted"))
            else:
                self._decide(Decision(self.item.number, "edited", *self.editor.texts))

    def reject(self) -> None:
        if self.item is not None and self.editor.finish_input_conversion():
            self._decide(Decision(self.item.number, "rejected"))

    def edit(self) -> None:
        """Accept a changed row; if nothing has changed, move the focus to the answer."""
        if self.editor.is_edited:
            self.accept()
        else:
            self._begin_edit()

    def undo(self) -> None:
        """Take the last decision back, say which, and offer to make it again."""
        curation = self._curation
        decision = curation.last if curation is not None else None
        if curation is None or decision is None:
            return
        self._revision = curation.revision + 1  # the draft's signal is emitted during the call
        try:
            number = self._work.undo()
        except AppError as error:
            self._on_failed(error)
            return
        self.banner.hide()
        if number in self._decided_edits:
            self._edits[number] = self._decided_edits.pop(number)
        self._undone.append(decision)
        self.items.refresh(number)
        self.show_item(number)
        self._show_progress()
        self.focus_first()
        announce(self, self.foot.undone.text())

    def redo(self) -> None:
        """Make the decision again that was taken back last."""
        if self._undone:
            *others, decision = self._undone
            self.show_item(decision.number)
            self._decide(decision, others)

    # ----------------------------------------------------------------- building

    def _build(self) -> None:
        set_surface(self, "base")
        theme = self._theme
        self.banner = Banner(theme)
        self.list = ReviewList(theme, self.items)
        self.editor = RowEditor(theme, self._go_to)
        self.source = RowSourceView(theme, self._navigation, self._go_to)
        self.nothing = Label(tone="text2", wraps=True)
        self.nothing.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.nothing.setMargin(theme.px(20))
        self.row = QStackedWidget()
        self.row.addWidget(self.editor)
        self.row.addWidget(self.nothing)
        self.columns = ReviewLayout(theme, self.list, self.row, self.source)
        self.foot = ReviewFooter(theme)
        make_column(self.banner, (self.columns, 1), self.foot, into=self, spacing_px=0)

    def _connect(self) -> None:
        view, editor, foot = self.list.view, self.editor, self.foot
        actions = {"accept": self.accept, "edit": self._begin_edit, "reject": self.reject}
        view.key_pressed.connect(lambda key: actions[key]())
        view.selectionModel().currentChanged.connect(self._show_current)
        self.list.filter_chosen.connect(self._on_filter_chosen)
        editor.edited.connect(self._on_edited)
        for field in editor.fields:
            field.submitted.connect(self.accept)
            field.cancelled.connect(self._on_cancelled)
        editor.caret_moved.connect(self.columns.keep_in_sight)
        foot.accept_button.clicked.connect(self.accept)
        foot.edit_button.clicked.connect(self.edit)
        foot.reject_button.clicked.connect(self.reject)
        foot.undo_button.clicked.connect(self.undo)
        foot.redo_button.clicked.connect(self.redo)

    # ------------------------------------------------------------------- showing

    def _show_other(self, current_curation: Curation | None) -> None:
        self._curation = current_curation
        for known in (self._edits, self._decided_edits, self._undone):
            known.clear()
        self._same_passage = curation.count_by_passage(current_curation.items if current_curation is not None else ())
        self.banner.hide()
        self._fill("all", 0)

    def _fill(self, item_filter: Filter, number: int) -> None:
        """Fill the list. `number`: the item to show if the filter includes it, otherwise the first one."""
        self._revision = self._curation.revision if self._curation is not None else -1
        self.items.show_curation(self._curation, item_filter)
        self._select(number if self.items.index_of(number).isValid() else self.items.first_number())
        self._show_progress()

    def _select(self, number: int) -> None:
        """Select the item with this number; 0 selects none."""
        index = self.items.index_of(number)
        if index.isValid() and index != self.list.view.currentIndex():
            self.list.view.setCurrentIndex(index)
        else:
            self._show_current()
        self.list.view.show_current()

    def _show_current(self) -> None:
        item, curation = self.item, self._curation
        self.row.setCurrentWidget(self.editor if item is not None else self.nothing)
        if item is None or curation is None:
            self.nothing.setText(phrase(f"training.review_empty.{self.items.filter}"))
            self.columns.show_source(False)
        else:
            like = curation.items[item.like - 1] if item.like else None
            place = phrase(
                "training.i_of_n", i=f"{self.list.view.currentIndex().row() + 1:,}", n=f"{self.items.rowCount():,}"
            )
            self.editor.show_item(item, curation.row_of(item), like, place, self._edits.get(item.number))
            found = item.evidence
            others = self._same_passage[found.document, found.passage] - 1 if found is not None else 0
            self.source.show_item(item, others, (like, curation.row_of(like)) if like is not None else None)
            self.columns.show_source(not self.source.is_empty)
            self.columns.scroll_to_top(lambda: self.source.mark_top)
        self._show_foot()

    def _show_progress(self) -> None:
        self.list.show_progress()
        self._show_foot()

    def _show_foot(self) -> None:
        curation, undone = self._curation, ""
        if self._undone and curation is not None:
            decision = self._undone[-1]
            question = shorten(curation.items[decision.number - 1].row.question, NOTICE_CHARACTERS)
            undone = phrase(f"training.decision_undone.{decision.kind}", question=question)
        can_undo, can_decide = curation is not None and curation.last is not None, self.item is not None
        total, left = self.items.total, self.items.open_count
        self.foot.show_state(can_decide=can_decide, can_undo=can_undo, undone=undone, total=total, left=left)

    def _on_failed(self, error: AppError) -> None:
        """Show the error and the current state.

        The decision may have been stored despite the error, because the draft's file is written after it.
        """
        self.banner.show_error(error)
        self._revision = -1
        self.show_rows()

    # ---------------------------------------------------------------------- slots

    def _decide(self, decision: Decision, undone: Sequence[Decision] = ()) -> None:
        """Store a decision and show the next item. `undone`: the decisions that can be made again afterwards."""
        assert self._curation is not None
        number = decision.number
        following = self.items.following(number)
        self._revision = self._curation.revision + 1  # the draft's signal is emitted during the call
        try:
            self._work.decide(decision)
        except AppError as error:
            self._on_failed(error)
            return
        self.banner.hide()
        self._undone = list(undone)
        if number in self._edits:
            self._decided_edits[number] = self._edits.pop(number)
        else:
            self._decided_edits.pop(number, None)
        if following != number:
            self._select(following)
        self.items.refresh(number)
        if following == number or self.item is None:
            self._select(number if self.items.index_of(number).isValid() else self.items.nearest(number))
        self._show_progress()
        self.focus_first()
        announce(self, self._announcement(decision.kind))

    def _announcement(self, kind: DecisionKind) -> str:
        text = phrase(f"training.decision.{kind}")
        return text if self.items.open_count else phrase("training.done_review_finished", done=text)

    def _begin_edit(self) -> None:
        if self.item is not None:
            self.editor.answer.to_end()

    def _on_filter_chosen(self, item_filter: Filter) -> None:
        self._fill(item_filter, self.item.number if self.item is not None else 0)

    def _on_edited(self) -> None:
        item = self.editor.item
        if item is None:
            return
        if self.editor.is_edited:
            self._edits[item.number] = self.editor.texts
        else:
            self._edits.pop(item.number, None)
        self.items.touch(item.number)

    def _on_cancelled(self) -> None:
        self.editor.give_up()
        self.banner.hide()
        self.focus_first()

    def _go_to(self, number: int) -> None:
        self.show_item(number)
        self.focus_first()


class ReviewFooter(QWidget):
    """The footer with the buttons that decide on a row, each with its key."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.accept_button = KeyButton(theme, phrase("training.accept"), "A")
        self.edit_button = KeyButton(theme, phrase("training.edit_and_accept_2"), "E")
        self.reject_button = KeyButton(theme, phrase("training.reject"), "R")
        self.undo_button = Button(theme, phrase("common.undo"), "quiet", "undo-2")
        self.undo_button.setAccessibleName(with_note(phrase("common.undo"), "Ctrl+Z"))
        self.undo_button.setToolTip("Ctrl+Z")
        self.redo_button = Button(theme, phrase("common.redo"), "quiet", "redo-2")
        self.undone = Label(tone="text2", wraps=True)
        self.note = Label(tone="text2")
        deciding = (self.accept_button, self.edit_button, self.reject_button)
        self._buttons = FlowBox(*deciding, self.undo_button, self.redo_button)
        row = make_row((self._buttons, 1), self.note, spacing_px=12)
        sides = (FOOT_MARGIN_PX, 9, FOOT_MARGIN_PX, 9)
        make_column(Separator(), make_column(self.undone, row, margins_px=sides, spacing_px=6), into=self, spacing_px=0)

    def show_state(self, *, can_decide: bool, can_undo: bool, undone: str, total: int, left: int) -> None:
        """Update the footer. `undone`: a text on what was taken back; "": nothing. `left` of `total` items are open."""
        for button in (self.accept_button, self.edit_button, self.reject_button):
            button.setEnabled(can_decide)
        self.undo_button.setVisible(can_undo)
        self.undone.setText(undone)
        for widget in (self.undone, self.redo_button):
            widget.setVisible(bool(undone))
        if not can_decide:
            self.note.setText(phrase("training.no_row_is_selected"))
        elif left:
            self.note.setText(phrase("training.n_left_to_review", n=f"{left:,}"))
        else:
            self.note.setText(phrase("training.review_finished") if total else "")
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        """Hide the note if it would push the buttons onto another line; the list shows the same number."""
        needed = self._buttons.sizeHint().width() + self.note.sizeHint().width() + 3 * FOOT_MARGIN_PX
        self.note.setVisible(bool(self.note.text()) and needed <= self.width())
