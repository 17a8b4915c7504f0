"""The page's banner, whose buttons move below its words where both do not fit side by side."""

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QBoxLayout

from app.ui.theme import Theme
from app.ui.widgets.banner import Banner

WORDS_PX = 260  # the least width that the words keep beside the buttons


class PageBanner(Banner):
    def __init__(self, theme: Theme) -> None:
        super().__init__(theme)
        row = self.layout()
        assert isinstance(row, QBoxLayout)
        words, _ = row.takeAt(1), row.takeAt(1)
        assert isinstance(words, QBoxLayout)
        self._content = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self._content.setSpacing(8)
        self._content.addLayout(words, 1)
        self._content.addLayout(self._buttons)
        row.insertLayout(1, self._content, 1)

    def show_message(self, level: str, what: str, sentence: str, actions: tuple[tuple[str, str], ...] = ()) -> None:
        super().show_message(level, what, sentence, actions)
        self._turn()

    def minimumSizeHint(self) -> QSize:
        return QSize(0, super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._turn()

    def _turn(self) -> None:
        buttons = self._buttons.sizeHint().width()
        fits = self.width() - buttons - self._theme.px(100) >= self._theme.px(WORDS_PX)
        is_row = fits or self._buttons.count() == 0
        direction = QBoxLayout.Direction.LeftToRight if is_row else QBoxLayout.Direction.TopToBottom
        if self._content.direction() != direction:
            self._content.setDirection(direction)
            self._content.setAlignment(self._buttons, Qt.AlignmentFlag.AlignLeft if not is_row else Qt.AlignmentFlag(0))
