"""得点の内訳: of each system, how many answers have which score, as a bar divided in four."""

from collections.abc import Sequence

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QBrush, QFontMetrics, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QWidget

from app.base.wording import phrase
from app.evaluation.report.result_shown import ResultShown, SystemShown
from app.evaluation.ui.result import words
from app.uikit.localization import join_facts
from app.uikit.theme import Theme
from app.uikit.widgets.containers import Card, CardGrid, FlowBox
from app.uikit.widgets.labels import Label, plain_tooltip

BAR_PX, WIDE_PX, SWATCH_PX = 24, 500, 16
# Of each part: ground, and what is written on it. The first two have a pattern, too: colour does not tell them alone.
_LOOKS = (("base", "text"), ("base", "text"), ("accent_soft", "text"), ("accent", "on_accent"))
_PATTERNS = (Qt.BrushStyle.Dense7Pattern, Qt.BrushStyle.BDiagPattern)


class BreakdownCard(Card):
    """Hidden where no answer has a score."""

    def __init__(self, theme: Theme) -> None:
        super().__init__("")
        self._theme = theme
        self._found: ResultShown | None = None
        self._is_wide = True
        self.rows = CardGrid()
        self.rows.grid.setVerticalSpacing(8)
        self.about = Label(role="caption", tone="text2", wraps=True)
        self._keys = [Label(role="caption", tone="text2") for _ in _LOOKS]
        self.legend = FlowBox(*(_key(theme, part, label) for part, label in enumerate(self._keys)))
        for widget in (self.rows, self.legend, self.about):
            self.column.addWidget(widget)
        self.column.addStretch(1)
        self.hide()

    def show_result(self, found: ResultShown) -> None:
        self._found = found
        counted = [sum(one.counts) for one in found.systems if one.counts]
        self.setVisible(bool(counted))
        is_plain = len(found.questions) == max(counted, default=0)  # every question once
        title = phrase("evaluation.scores_n_questions") if is_plain else phrase("evaluation.scores_n_answers")
        self.title.setText(title.format(n=f"{max(counted, default=0):,}"))
        for label, name in zip(self._keys, words.points(found), strict=True):
            label.setText(name)
        if found.has_judged_counts:
            told = phrase("evaluation.from_the_left_0_1")
        else:
            told = phrase("evaluation.from_the_left_0_below")
        self.about.setText(told)
        self._fill()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        is_wide = self.width() >= self._theme.px(WIDE_PX)
        if is_wide != self._is_wide:
            self._is_wide = is_wide
            self._fill()

    # ------------------------------------------------------------------- private

    def _fill(self) -> None:
        self.rows.clear()
        if self._found is None:
            return
        names = words.points(self._found)
        for one in self._found.systems:
            if not one.counts:
                continue
            bar = Bar(self._theme, one.counts, _told(one, names))
            self.rows.put(Label(one.system.name, wraps=True), 0)
            if not self._is_wide:
                self.rows.next_row()
            self.rows.put(bar, 1 if self._is_wide else 0)
            self.rows.next_row()
        self.rows.grid.setColumnStretch(0, 2)
        self.rows.grid.setColumnStretch(1, 5 if self._is_wide else 0)


class Bar(QWidget):
    """`told`: the same in words."""

    def __init__(self, theme: Theme, counts: Sequence[int], told: str) -> None:
        super().__init__()
        self._theme = theme
        self._counts = tuple(counts)
        self.setAccessibleName(told)
        self.setToolTip(plain_tooltip(told))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self.updateGeometry)

    def sizeHint(self) -> QSize:
        return QSize(self._theme.px(160), self._theme.px(BAR_PX))

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter, theme = QPainter(self), self._theme
        painter.setFont(theme.font("caption"))
        metrics = QFontMetrics(painter.font())
        room, total, at = self.width() - 1, sum(self._counts), 0.5
        for part, count in enumerate(self._counts):
            if not count:
                continue
            area = QRectF(at, 2.5, room * count / total, self.height() - 5)
            at += area.width()
            draw_part(painter, theme, part, area)
            text = f"{count:,}"
            width = metrics.horizontalAdvance(text) + theme.px(6)
            if width <= area.width():
                plate = QRectF(area.center().x() - width / 2, area.top() + 1, width, area.height() - 1.5)
                painter.fillRect(plate, theme.color(_LOOKS[part][0]))
                painter.setPen(theme.color(_LOOKS[part][1]))
                painter.drawText(area, Qt.AlignmentFlag.AlignCenter, text)
        painter.end()


class Swatch(QWidget):
    def __init__(self, theme: Theme, part: int) -> None:
        super().__init__()
        self._theme = theme
        self._part = part
        theme.changed.connect(self._resize)
        self._resize()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        draw_part(painter, self._theme, self._part, QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5))
        painter.end()

    def _resize(self) -> None:
        self.setFixedSize(self._theme.px(SWATCH_PX), self._theme.px(SWATCH_PX - 4))


def draw_part(painter: QPainter, theme: Theme, part: int, area: QRectF) -> None:
    painter.fillRect(area, theme.color(_LOOKS[part][0]))
    if part < len(_PATTERNS):
        painter.fillRect(area, QBrush(theme.color("control"), _PATTERNS[part]))
    painter.setPen(QPen(theme.color("control"), 1))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRect(area)


def _key(theme: Theme, part: int, label: Label) -> QWidget:
    holder = QWidget()
    row = QHBoxLayout(holder)
    row.setContentsMargins(0, 0, 8, 0)
    row.setSpacing(6)
    row.addWidget(Swatch(theme, part))
    row.addWidget(label)
    return holder


def _told(one: SystemShown, names: Sequence[str]) -> str:
    parts = (f"{name} {count:,}" for name, count in zip(names, one.counts, strict=True))
    return join_facts(one.system.name, *parts)
