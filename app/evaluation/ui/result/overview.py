"""The first tab: what is advised, the systems side by side, and what the study has of its own."""

from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QVBoxLayout, QWidget

from app.evaluation.report.report_parts import Section
from app.evaluation.report.result_shown import ResultShown
from app.evaluation.ui.result.advice_box import AdviceBox
from app.evaluation.ui.result.breakdown import BreakdownCard
from app.evaluation.ui.result.comparison import ComparisonCard
from app.evaluation.ui.result.differences import DifferencesCard
from app.evaluation.ui.result.section_card import SectionCard
from app.uikit.theme import Theme
from app.uikit.widgets.labels import Label

MARGIN_PX, GAP_PX, WIDE_PX = 24, 14, 900


class Overview(QWidget):
    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.doubt = Label(tone="warning", wraps=True)
        self.advice = AdviceBox(theme)
        self.comparison = ComparisonCard(theme)
        self.differences = DifferencesCard(theme)
        self.breakdown = BreakdownCard(theme)
        self.sections: list[SectionCard] = []
        self._pair = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self._rest = QVBoxLayout()
        self._build()

    def show_result(self, found: ResultShown) -> None:
        self.doubt.setText(f"▲ {found.doubt}" if found.doubt else "")
        self.doubt.setVisible(bool(found.doubt))
        self.advice.show_advice(found.advice, found.advised)
        for card in (self.comparison, self.differences, self.breakdown):
            card.show_result(found)
        self._show_sections(found)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        is_row = self.width() >= self._theme.px(WIDE_PX)
        self._pair.setDirection(QBoxLayout.Direction.LeftToRight if is_row else QBoxLayout.Direction.TopToBottom)

    # ------------------------------------------------------------------- private

    def _build(self) -> None:
        self._pair.setSpacing(GAP_PX)
        self._pair.addWidget(self.differences, 1)
        self._pair.addWidget(self.breakdown, 1)
        self._rest.setSpacing(GAP_PX)
        column = QVBoxLayout(self)
        column.setContentsMargins(MARGIN_PX, 14, MARGIN_PX, 20)
        column.setSpacing(GAP_PX)
        for widget in (self.doubt, self.advice, self.comparison):
            column.addWidget(widget)
        column.addLayout(self._pair)
        column.addLayout(self._rest)
        column.addStretch(1)

    def _show_sections(self, found: ResultShown) -> None:
        for card in self.sections:
            self._rest.removeWidget(card)
            card.hide()
            card.deleteLater()
        told = list(found.sections)
        if found.categories is not None:
            told.insert(0, Section(self.tr("分野別"), tables=(found.categories,)))
        self.sections = [SectionCard(self._theme, section) for section in told]
        for card in self.sections:
            self._rest.addWidget(card)
            card.show()  # at once: Qt shows what is added to a visible layout a moment later, which flickers
