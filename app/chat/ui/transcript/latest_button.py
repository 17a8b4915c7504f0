"""↓ 最新へ: over the foot of a conversation whose end is out of sight."""

from app.base.wording import phrase
from app.chat.ui.transcript.rows_view import RowsView
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button, with_icon_space

FOOT_PX = 12


class LatestButton(Button):
    """The rows say when it is shown, and that it has to be placed anew."""

    def __init__(self, theme: Theme, rows: RowsView) -> None:
        super().__init__(theme, "", icon="arrow-down", compact=True, parent=rows)
        self._rows = rows
        words = phrase("chat.latest")
        self.setText(with_icon_space(words))
        self.setAccessibleName(words)
        self.clicked.connect(self._on_clicked)
        self.hide()

    def place(self) -> None:
        rows, hint = self._rows, self.sizeHint()
        left, top = (rows.width() - hint.width()) // 2, rows.height() - hint.height() - FOOT_PX
        self.setGeometry(left, top, hint.width(), hint.height())

    def _on_clicked(self) -> None:
        if self.hasFocus():
            self._rows.setFocus()  # else Qt hands the focus of the hidden button on to some message, and scrolls to it
        self._rows.scroll_to_end()
