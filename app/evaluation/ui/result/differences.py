"""差と確からしさ: pairs of systems, how far they lie apart, and whether that may be chance."""

from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QSizePolicy, QWidget

from app.base.wording import phrase
from app.evaluation.report.result_shown import Difference, ResultShown
from app.evaluation.ui.result import words
from app.evaluation.ui.result.grid import RowGrid
from app.evaluation.ui.result.span_plot import Axis, Scale, SpanRow, scale_of
from app.uikit.localization import join_facts
from app.uikit.theme import Theme
from app.uikit.widgets.containers import Card
from app.uikit.widgets.labels import IconLabel, Label, plain_tooltip

WIDE_PX, NAME_PX = 660, 150


class VerdictBadge(QWidget):
    """The word on its ground, as wide as that; `sentence` says it whole."""

    def __init__(self, theme: Theme, verdict: str, sentence: str) -> None:
        super().__init__()
        icon, tone = words.VERDICTS[verdict]
        said = words.verdict(verdict)
        self.words = Label(said if icon else f"≈ {said}", "caption", tone)
        self.words.setAccessibleName(said)
        self.words.setAccessibleDescription(sentence)
        ground = QFrame()
        ground.setProperty("surface", tone if tone in ("success", "danger") else "tag")
        inside = QHBoxLayout(ground)
        inside.setContentsMargins(8, 2, 8, 2)
        inside.setSpacing(5)
        if icon:
            inside.addWidget(IconLabel(theme, icon, tone, 13))
        inside.addWidget(self.words)
        self.setToolTip(plain_tooltip(sentence))
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 8, 0)
        row.addWidget(ground, 0, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self.setSizePolicy(QSizePolicy.Policy.Minimum, QSizePolicy.Policy.Preferred)


class DifferencesCard(Card):
    """Hidden where there are no two systems with something to compare."""

    def __init__(self, theme: Theme) -> None:
        super().__init__("")
        self.title.setText(phrase("evaluation.differences_and_how_sure_they"))
        self._theme = theme
        self._found: ResultShown | None = None
        self._is_wide = True
        self.rows = RowGrid(theme)
        self.notes = Label(role="caption", tone="text2", wraps=True)
        self.column.addWidget(self.rows)
        self.column.addWidget(self.notes)
        self.column.addStretch(1)
        self.hide()

    def show_result(self, found: ResultShown) -> None:
        self._found = found
        self.setVisible(bool(found.differences))
        self.notes.setText("\n".join(found.notes))
        self.notes.setVisible(bool(found.notes))
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
        found = self._found
        if found is None or not found.differences:
            return
        spans = [one.span for one in found.differences if one.span is not None]
        scale = scale_of(spans, has_zero=True) if spans else None
        count = 5 if self._is_wide else 2
        self._fill_head(scale, count)
        for at, one in enumerate(found.differences):
            if self._is_wide:
                self._add_wide(one, found.digits, scale)
            else:
                self._add_narrow(one, found.digits, scale)
            if at + 1 < len(found.differences):
                self.rows.rule(count)

    def _fill_head(self, scale: Scale | None, count: int) -> None:
        rows = self.rows
        if self._is_wide:
            rows.ground("raised")
            heads = (
                (phrase("evaluation.pair"), 0),
                (phrase("evaluation.difference"), 1),
                (words.interval(), 2),
                (phrase("evaluation.blind_column.verdict"), 4),
            )
            for name, column in heads:
                rows.put(Label(name, "caption", "text2", strong=True), column, is_number=column in (1, 2))
            if scale:
                rows.put(Axis(self._theme, scale), 3)
            rows.grid.setColumnMinimumWidth(0, self._theme.px(NAME_PX))
            for column, stretch in enumerate((5, 0, 0, 4 if scale else 0, 0)):
                rows.grid.setColumnStretch(column, stretch)
            rows.rule(count)
            return
        rows.grid.setColumnStretch(0, 1)
        if scale:
            rows.put(Axis(self._theme, scale), 0, span=2)
            rows.rule(count)

    def _add_wide(self, one: Difference, digits: int, scale: Scale | None) -> None:
        self.rows.put(self._name(one), 0)
        self.rows.put(Label(words.signed(one.mean, digits)), 1, is_number=True)
        self.rows.put(Label(words.signed_span(one.span, digits)), 2, is_number=True)
        if scale:
            self.rows.put(self._plot(one, scale), 3)
        self.rows.put(VerdictBadge(self._theme, one.verdict, one.sentence), 4)

    def _add_narrow(self, one: Difference, digits: int, scale: Scale | None) -> None:
        self.rows.put(self._name(one), 0)
        self.rows.put(VerdictBadge(self._theme, one.verdict, one.sentence), 1)
        self.rows.next_row()
        if scale:
            self.rows.put(self._plot(one, scale), 0, span=2)
            self.rows.next_row()
        interval = phrase("evaluation.95_interval_span", span=words.signed_span(one.span, digits)) if one.span else ""
        told = join_facts(phrase("evaluation.difference_d", d=words.signed(one.mean, digits)), interval)
        self.rows.put(Label(told, "caption", "text2", wraps=True), 0, span=2)

    def _name(self, one: Difference) -> Label:
        name = Label(phrase("evaluation.second_and_first", second=one.second, first=one.first), wraps=True)
        name.setToolTip(plain_tooltip(one.sentence))
        name.setAccessibleDescription(one.sentence)
        return name

    def _plot(self, one: Difference, scale: Scale) -> SpanRow:
        plot = SpanRow(self._theme, scale, one.span, is_sure=one.verdict in ("better", "worse"))
        plot.setToolTip(plain_tooltip(one.sentence))
        return plot
