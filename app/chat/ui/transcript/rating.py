"""良い, 悪い: how a rating of an answer is shown below it, and how it is given in its menu."""

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QMenu, QWidget

from app.base.wording import phrase
from app.chat.answer_ratings import BAD, GOOD, UNRATED
from app.chat.records import Message
from app.uikit.localization import with_note
from app.uikit.theme import Theme
from app.uikit.widgets.labels import IconLabel, Label

_ICONS = {GOOD: "thumbs-up", BAD: "thumbs-down"}


class RatingMark(QWidget):
    """An icon and a word, made when an answer is rated: most scroll past without."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self._icon: IconLabel | None = None
        self._label = Label("", role="caption", tone="text2", parent=self)

    def show_rating(self, answer: Message) -> None:
        self.setVisible(answer.rating != UNRATED)
        if answer.rating == UNRATED:
            return
        if self._icon is None:
            self._icon = self._build(_ICONS[answer.rating])
        self._icon.show_icon(_ICONS[answer.rating], "text2")
        self._label.setText(words(answer))

    def _build(self, icon_name: str) -> IconLabel:
        icon = IconLabel(self._theme, icon_name)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(self._theme.px(4))
        row.addWidget(icon, 0, Qt.AlignmentFlag.AlignVCenter)
        row.addWidget(self._label)
        icon.show()  # at once: a child that comes later counts for no width before it is shown
        return icon


def words(answer: Message) -> str:
    """「悪い（訂正あり）」; "" where nothing was said."""
    if answer.rating == BAD:
        is_corrected = bool(answer.correction)
        return with_note(phrase("chat.bad"), phrase("chat.corrected") if is_corrected else "")
    return phrase("chat.good") if answer.rating == GOOD else ""


def add_to_menu(menu: QMenu, answer: Message, rate: Callable[[int], object]) -> None:
    """`rate` is told what is chosen: the rating that is in force chosen again takes it back, and BAD of an answer that
    is bad already is for its correction."""
    for rating, name in ((GOOD, phrase("chat.good")), (BAD, phrase("chat.bad"))):
        is_given = answer.rating == rating
        entry = menu.addAction(name)
        entry.setCheckable(True)
        entry.setChecked(is_given)
        entry.triggered.connect(lambda _checked, wish=UNRATED if is_given else rating: rate(wish))
    if answer.rating == BAD:
        menu.addAction(phrase("chat.write_the_right_answer"), lambda: rate(BAD))
