"""Which models the list shows: those that answer, those that search documents, those that are here; and a filter."""

from collections.abc import Mapping

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QWidget

from app.ui.theme import Theme
from app.ui.widgets.buttons import Button
from app.ui.widgets.search_field import SearchField

FILTER_LEAST_PX, FILTER_MOST_PX = 96, 190


class ModelTabs(QWidget):
    """`tab` is chat, search or local; `words` are what is looked for."""

    changed = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.names = {
            "chat": self.tr("回答用"),
            "search": self.tr("資料検索用"),
            "local": self.tr("取り込み済み"),
        }
        self.buttons = {tab: Button(theme, name, compact=True) for tab, name in self.names.items()}
        self.filter = SearchField(theme, self.tr("名前、特徴で絞り込む"))
        self.filter.setMinimumWidth(theme.px(FILTER_LEAST_PX))
        self.filter.setMaximumWidth(theme.px(FILTER_MOST_PX))
        self._group = QButtonGroup(self)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        for button in self.buttons.values():
            button.setCheckable(True)
            self._group.addButton(button)
            row.addWidget(button)
        row.addStretch(1)
        row.addWidget(self.filter, 4)
        self.buttons["chat"].setChecked(True)
        self._group.buttonClicked.connect(self.changed)
        self.filter.textChanged.connect(self.changed)

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
