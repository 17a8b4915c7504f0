"""Show a framed list with check boxes in a dialog, scrolling in a low window."""

from collections.abc import Iterable

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QWidget

from app.uikit.theme import Theme
from app.uikit.widgets.containers import Stretch, make_column, make_scrollable
from app.uikit.widgets.form_rows import CheckRow
from app.uikit.widgets.labels import Separator

LIST_PX = 300
LEAST_PX = 92
OTHERS_PX = 230  # height of the rest of the dialog


class CheckableList(QFrame):
    """Shows rows in a framed, scrolling list."""

    changed = Signal()  # a row was checked or unchecked

    def __init__(self, theme: Theme, name: str, window: QWidget) -> None:
        """Build the list. `name`: for screen readers. `window`: the dialog's parent, which limits the list's height."""
        super().__init__()
        self.setProperty("surface", "card")
        self.setAccessibleName(name)
        self.rows: dict[str, CheckRow] = {}
        content = QWidget()
        self._rows = make_column(Stretch(), into=content, margins_px=(0, 4, 0, 4), spacing_px=0)
        self.area = make_scrollable(content)
        make_column(self.area, into=self, margins_px=(1, 1, 1, 1))
        self._content = content
        available = window.height() - theme.px(OTHERS_PX)
        self._least, self._most = theme.px(LEAST_PX), max(theme.px(LEAST_PX), min(theme.px(LIST_PX), available))
        self.setFixedHeight(self._most)

    def fit(self, width: int) -> None:
        """Fit the list's height to its content at `width` pixels, within the limits."""
        layout = self._content.layout()
        assert layout is not None
        needed = layout.totalHeightForWidth(width) if layout.hasHeightForWidth() else layout.totalSizeHint().height()
        self.setFixedHeight(max(self._least // 2, min(self._most, needed + 14)))

    def add_row(self, key: str, row: CheckRow) -> None:
        self.rows[key] = row
        row.toggled.connect(self.changed)
        self.add(row)

    def add(self, widget: QWidget) -> None:
        if self._rows.count() > 1:
            self._rows.insertWidget(self._rows.count() - 1, Separator())
        self._rows.insertWidget(self._rows.count() - 1, widget)
        widget.show()

    def marked(self) -> list[str]:
        """Return the keys of the checked rows that can be changed."""
        return [key for key, row in self._free() if row.is_checked]

    def first_box(self) -> QWidget | None:
        return next((row.box for _key, row in self._free()), None)

    def _free(self) -> Iterable[tuple[str, CheckRow]]:
        return ((key, row) for key, row in self.rows.items() if row.box.isEnabled())
