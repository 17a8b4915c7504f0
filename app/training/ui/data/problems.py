"""問題のある行: what is wrong with each, and what a person decides of it."""

from PySide6.QtCore import QModelIndex, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QComboBox, QSizePolicy, QVBoxLayout, QWidget

from app.base.errors import AppError
from app.base.wording import phrase
from app.training.data.curation import Curation, Decision, Item
from app.training.data.overview import Flaws
from app.training.data.records import BadRow
from app.training.services.training_draft import TrainingDraft
from app.training.ui.data import words
from app.training.ui.data.problem_editor import ProblemEditor
from app.training.ui.data.problem_list import FlawedRole, Problems, ProblemView
from app.uikit.theme import Theme
from app.uikit.widgets.labels import Label, Separator

LIST_PX, STACK_BELOW_PX, STACKED_PX = 348, 720, 420


class ProblemsTab(QWidget):
    refused = Signal(object)  # AppError: a decision that could not be kept

    def __init__(self, theme: Theme, work: TrainingDraft) -> None:
        super().__init__()
        self._theme = theme
        self._work = work
        self._shown: Curation | None = None
        self._flaws: Flaws | None = None
        self.kinds = QComboBox()
        self.kinds.setAccessibleName(phrase("training.kind_of_problem"))
        self.kinds.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.problems = Problems()
        self.problems.setParent(self)
        self.view = ProblemView(theme, self.problems)
        self.nothing = Label(tone="text2", wraps=True)
        self.editor = ProblemEditor(theme)
        self._build()
        self._connect()

    def show_rows(self) -> None:
        """What has changed of the draft's rows."""
        rows, origin = self._work.curation, self._work.origin
        if rows is None:
            return
        if rows is not self._shown:
            self._shown = rows
            self._flaws = Flaws(rows, origin.imported.bad if origin is not None else ())
            self._fill_kinds("")
            self._fill()
            return
        self._fill_kinds(self.kinds.currentData() or "")
        self.problems.touch()
        self._show_current()

    def focus_first(self) -> None:
        first = self.view if self.problems.rowCount() else self.kinds
        first.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._turn()

    # ------------------------------------------------------------------ building

    def _build(self) -> None:
        self._side = QWidget()
        top = QVBoxLayout()
        top.setContentsMargins(16, 10, 16, 10)
        top.addWidget(self.kinds)
        top.addWidget(self.nothing)
        side = QVBoxLayout(self._side)
        side.setContentsMargins(0, 0, 0, 0)
        side.setSpacing(0)
        side.addLayout(top)
        side.addWidget(Separator())
        side.addWidget(self.view, 1)
        self._rules = (Separator("vertical"), Separator())
        self._row = QBoxLayout(QBoxLayout.Direction.LeftToRight, self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(0)
        for part, share in ((self._side, 0), (self._rules[0], 0), (self._rules[1], 0), (self.editor, 1)):
            self._row.addWidget(part, share)
        self._turn()

    def _connect(self) -> None:
        self.kinds.activated.connect(self._fill)
        self.view.selectionModel().currentChanged.connect(self._on_current_changed)
        self.view.key_pressed.connect(self._on_key)
        self.view.doubleClicked.connect(lambda _index: self.editor.edit())
        self.editor.decided.connect(self._decide)
        self.editor.undo_button.clicked.connect(self._undo)
        self.editor.left.connect(self.view.setFocus)
        self._theme.changed.connect(self._turn)

    def _turn(self) -> None:
        """The texts below the list, where both do not fit side by side."""
        is_stacked = self.width() < self._theme.px(STACK_BELOW_PX)
        directions, policies = QBoxLayout.Direction, QSizePolicy.Policy
        self._row.setDirection(directions.TopToBottom if is_stacked else directions.LeftToRight)
        self._rules[0].setVisible(not is_stacked)
        self._rules[1].setVisible(is_stacked)
        self._side.setSizePolicy(policies.Preferred if is_stacked else policies.Fixed, policies.Preferred)
        self._side.setMaximumWidth(16_777_215 if is_stacked else self._theme.px(LIST_PX))
        self._side.setMinimumWidth(0 if is_stacked else self._theme.px(LIST_PX))
        self._row.setStretchFactor(self._side, 2 if is_stacked else 0)
        self._row.setStretchFactor(self.editor, 3 if is_stacked else 1)
        self.setMinimumHeight(self._theme.px(STACKED_PX) if is_stacked else 0)

    # ------------------------------------------------------------------- showing

    def _fill_kinds(self, chosen: str) -> None:
        assert self._flaws is not None
        self.kinds.clear()
        kinds = self._flaws.kinds()
        for kind, count in (("", len(self._flaws.of(""))), *kinds):
            self.kinds.addItem(phrase("training.kind_n", kind=words.kind(kind), n=f"{count:,}"), kind)
        self.kinds.setCurrentIndex(max(0, self.kinds.findData(chosen)))
        self.kinds.setVisible(bool(kinds))

    def _fill(self, *_: object) -> None:
        assert self._flaws is not None
        assert self._shown is not None
        kind = self.kinds.currentData() or ""
        self.problems.show_rows(self._shown, self._flaws.of(kind))
        is_empty = not self.problems.rowCount()
        self.nothing.setText(phrase("training.no_rows_have_problems") if not kind else phrase("training.none_are_left"))
        self.nothing.setVisible(is_empty)
        self.editor.setVisible(not is_empty)
        if not is_empty:
            self.view.setCurrentIndex(self.problems.index(0))
        self._show_current()

    def _show_current(self) -> None:
        one = self.view.currentIndex().data(FlawedRole)
        if isinstance(one, BadRow):
            self.editor.show_bad(one)
        elif isinstance(one, Item) and self._shown is not None:
            other = self._shown.items[one.like - 1] if one.like else None
            self.editor.show_item(one, self._shown.row_of(one), self._shown.state_of(one), other)

    def _on_current_changed(self, _now: QModelIndex, _before: QModelIndex) -> None:
        self._show_current()

    # ------------------------------------------------------------------ deciding

    def _on_key(self, key: str) -> None:
        deeds = {"accept": self.editor.accept, "edit": self.editor.edit, "reject": self.editor.reject}
        deeds.get(key, self._undo)()

    def _decide(self, decision: Decision) -> None:
        had_keyboard = self.editor.question.hasFocus() or self.editor.answer.hasFocus()
        try:
            self._work.decide(decision)
        except AppError as error:
            self.refused.emit(error)
            return
        self.editor.forget_edit(decision.number)
        row = self.problems.row_of(decision.number)
        self.view.setCurrentIndex(self.problems.index(self.problems.following(row)))
        self.show_rows()
        if had_keyboard:
            self.view.setFocus()

    def _undo(self) -> None:
        try:
            number = self._work.undo()
        except AppError as error:
            self.refused.emit(error)
            return
        if number:
            self.editor.forget_edit(number)
            row = self.problems.row_of(number)
            if row >= 0:
                self.view.setCurrentIndex(self.problems.index(row))
            self.show_rows()
