"""The bar that finds words in the open conversation: a field, which of how many, back, on, and away."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.base.wording import phrase
from app.uikit.input_method import guard_of
from app.uikit.page import PAGE_MARGIN_PX
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button, IconButton
from app.uikit.widgets.fields import FindField
from app.uikit.widgets.labels import Label, Separator, announce, set_surface

FIELD_PX, FIELD_MIN_PX = 300, 120


class FindBar(QWidget):
    """Looks for nothing itself: says what is wanted and shows what it is told."""

    step_requested = Signal(int)  # 1 or -1
    closed = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._build()
        self._connect()
        self._resize()
        self.hide()

    @property
    def query(self) -> str:
        return self.field.text()

    def set_query(self, query: str) -> None:
        """Change the text without a signal of the field."""

        def change() -> None:
            self.field.blockSignals(True)
            self.field.setText(query)
            self.field.blockSignals(False)

        guard_of(self.field).when_free(change)

    def take_keyboard(self) -> None:
        self.show()
        self.field.setFocus(Qt.FocusReason.ShortcutFocusReason)
        guard_of(self.field).when_free(self.field.selectAll)

    def show_place(self, place: int, total: int) -> None:
        """`place` from 1; 0 of 0 where nothing was found."""
        if not self.query.strip():
            words = ""
        elif total == 0:
            words = phrase("chat.nothing_found")
        else:
            words = phrase("chat.n_total", n=f"{place:,}", total=f"{total:,}")
        self.count.set_tone("text2" if total else "warning")
        self.previous_button.setEnabled(total > 0)
        self.next_button.setEnabled(total > 0)
        if words != self.count.text():
            self.count.setText(words)
            if self.isVisible() and words:
                announce(self, words)

    # ------------------------------------------------------------------ private

    def _build(self) -> None:
        set_surface(self, "base")
        self.field = FindField(self._theme, phrase("chat.find_in_this_conversation"))
        self.count = Label(tone="text2")
        self.previous_button = Button(self._theme, phrase("chat.previous"), compact=True)
        self.next_button = Button(self._theme, phrase("common.next"), compact=True)
        self.close_button = IconButton(self._theme, "x", phrase("chat.close_search"), "Esc")
        self._row = QHBoxLayout()
        self._row.addWidget(self.field, 1)
        self._row.addWidget(self.count)
        self._row.addWidget(self.previous_button)
        self._row.addWidget(self.next_button)
        self._row.addStretch(1)
        self._row.addWidget(self.close_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(self._row)
        column.addWidget(Separator())

    def _connect(self) -> None:
        self.field.step_requested.connect(self.step_requested)
        self.field.closed.connect(self.closed)
        self.previous_button.clicked.connect(lambda: self.step_requested.emit(-1))
        self.next_button.clicked.connect(lambda: self.step_requested.emit(1))
        self.close_button.clicked.connect(self.closed)
        self._theme.changed.connect(self._resize)

    def _resize(self) -> None:
        px = self._theme.px
        self.field.setMinimumWidth(px(FIELD_MIN_PX))
        self.field.setMaximumWidth(px(FIELD_PX))
        self._row.setContentsMargins(PAGE_MARGIN_PX, px(8), px(12), px(8))
        self._row.setSpacing(px(8))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Esc on one of the buttons."""
        if event.key() == Qt.Key.Key_Escape:
            self.closed.emit()
        else:
            super().keyPressEvent(event)
