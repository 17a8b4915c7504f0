"""Which models the list shows: those that answer, those that search documents, those that are here; and a filter."""

from collections.abc import Mapping

from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QButtonGroup, QHBoxLayout, QWidget

from app.base.wording import phrase
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.fields import SearchField

FILTER_LEAST_PX, FILTER_MOST_PX = 96, 190
PADDING_PX = 24  # left and right of the field's text


class ModelTabs(QWidget):
    """`tab` is chat, search or local; `words` are what is looked for."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.names = {
            "chat": phrase("models.for_answers"),
            "search": phrase("models.for_document_search"),
            "local": phrase("models.on_this_pc"),
        }
        self.buttons = {tab: Button(theme, name, compact=True) for tab, name in self.names.items()}
        self.filter = SearchField(theme, phrase("models.filter_by_name_or_feature"))
        self.filter.setMinimumWidth(theme.px(FILTER_LEAST_PX))
        self.filter.setMaximumWidth(theme.px(FILTER_MOST_PX))
        self.group = QButtonGroup(self)
        tabs = QHBoxLayout()
        tabs.setSpacing(4)
        for button in self.buttons.values():
            button.setCheckable(True)
            self.group.addButton(button)
            tabs.addWidget(button)
        tabs.addStretch(1)
        self._row = QBoxLayout(QBoxLayout.Direction.LeftToRight, self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(6)
        self._row.addLayout(tabs, 1)
        self._row.addWidget(self.filter, 4)
        self.buttons["chat"].setChecked(True)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Below the tabs, where it has no room beside them; what the field says is as long as there is room for."""
        super().resizeEvent(event)
        field = self.filter
        buttons = sum(button.sizeHint().width() + 4 for button in self.buttons.values())
        directions = QBoxLayout.Direction
        fits = buttons + field.minimumWidth() + 6 <= self.width()
        self._row.setDirection(directions.LeftToRight if fits else directions.TopToBottom)
        room = field.width() - field.textMargins().left() - self._theme.px(PADDING_PX)
        whole = field.accessibleName()
        fits = field.fontMetrics().horizontalAdvance(whole) <= room
        field.setPlaceholderText(whole if fits else phrase("models.filter"))

    @property
    def tab(self) -> str:
        return next(tab for tab, button in self.buttons.items() if button.isChecked())

    @property
    def words(self) -> str:
        return self.filter.text()

    def show_tab(self, tab: str) -> None:
        self.buttons[tab].setChecked(True)

    def set_counts(self, counts: Mapping[str, int]) -> None:
        for tab, button in self.buttons.items():
            button.setText(f"{self.names[tab]} {counts[tab]}")
