"""The few rows of a long conversation that have a widget: in sight, close to it, or with the keyboard's focus."""

import itertools
from collections.abc import Callable, Iterator

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QWidget

from app.chat.ui.transcript.message_view import MessageView


class LiveRows:
    """Row number -> widget. `create` makes the widget of a row."""

    def __init__(self, create: Callable[[int], MessageView]) -> None:
        self._create = create
        self._views: dict[int, MessageView] = {}

    def __len__(self) -> int:
        return len(self._views)

    def __contains__(self, row: int) -> bool:
        return row in self._views

    def __iter__(self) -> Iterator[int]:
        return iter(sorted(self._views))

    def __getitem__(self, row: int) -> MessageView:
        return self._views[row]

    def get(self, row: int) -> MessageView | None:
        return self._views.get(row)

    def row_of(self, view: MessageView) -> int | None:
        return next((row for row, other in self._views.items() if other is view), None)

    def ensure(self, row: int) -> tuple[MessageView, bool]:
        """The row's widget, and whether it is new."""
        if row in self._views:
            return self._views[row], False
        self._views[row] = self._create(row)
        return self._views[row], True

    def drop_outside(self, first: int, last: int) -> None:
        focused = QApplication.focusWidget()
        for row in [row for row in self._views if not first <= row <= last]:
            if focused is None or not self._views[row].isAncestorOf(focused):
                self._remove(row)

    def clear(self, first: int = 0) -> None:
        """All from this row on."""
        for row in [row for row in self._views if row >= first]:
            self._remove(row)

    def set_tab_order(self) -> None:
        """Rows get their widgets as they come into sight; Tab must follow the conversation all the same."""
        chain = [widget for row in self for widget in _focusable(self._views[row])]
        for earlier, later in itertools.pairwise(chain):
            QWidget.setTabOrder(earlier, later)

    def _remove(self, row: int) -> None:
        view = self._views.pop(row)
        view.hide()
        view.deleteLater()


def _focusable(view: MessageView) -> list[QWidget]:
    return [widget for widget in view.findChildren(QWidget) if widget.focusPolicy() & Qt.FocusPolicy.TabFocus]
