"""Show the source of a row: the passage from which it was generated, or the similar row."""

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QWidget

from app.base.wording import phrase
from app.training.data.curation import CurationItem, RowEvidence
from app.training.data.rows import TrainingRow
from app.training.ui.data import row_texts
from app.uikit import untrusted_text
from app.uikit.localization import join_facts
from app.uikit.page import NavigationSignals
from app.uikit.text import source_text
from app.uikit.text.source_text import SourcePage
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import Stretch, make_column
from app.uikit.widgets.labels import Label

MARGIN_PX = 16


class RowSourceView(QWidget):
    """Shows the passage or the similar row of an item. Its owner hides it for rows that have neither."""

    def __init__(self, theme: Theme, navigation: NavigationSignals, show_item: Callable[[int], None]) -> None:
        """Create the view. `show_item`: called with the number of an item to show."""
        super().__init__()
        self.passage = PassageView(theme, navigation)
        self.similar_row = SimilarRowView(theme, show_item)
        make_column(self.passage, self.similar_row, Stretch(), into=self, spacing_px=0)

    def show_item(self, item: CurationItem, others: int, similar: tuple[CurationItem, TrainingRow] | None) -> None:
        """Show an item. `others`: number of other pairs from its passage. `similar`: a similar item and its texts."""
        self.passage.setVisible(item.evidence is not None)
        self.similar_row.setVisible(item.evidence is None and similar is not None)
        if item.evidence is not None:
            self.passage.show_evidence(item.evidence, others)
        elif similar is not None:
            self.similar_row.show_row(*similar)

    @property
    def is_empty(self) -> bool:
        return self.passage.isHidden() and self.similar_row.isHidden()

    @property
    def mark_top(self) -> int:
        """Return the position of the quote's top in pixels; 0 if there is no quote."""
        return self.passage.mark_top if not self.passage.isHidden() else 0


class PassageView(QWidget):
    def __init__(self, theme: Theme, navigation: NavigationSignals) -> None:
        super().__init__()
        self._theme = theme
        self._evidence: RowEvidence | None = None
        self._path = _wrapped("caption", "text2")
        self._title = _wrapped("heading3", "text")
        self.text = PassageText(theme)
        self.facts = _wrapped("caption", "text2")
        self.page_button = Button(theme, phrase("training.show_page"), icon="file-text")
        self.page_button.clicked.connect(lambda: navigation.page_requested.emit("documents"))
        self._head = make_column(Label(phrase("common.source"), strong=True), self._path, self._title, spacing_px=4)
        self._foot = make_column(self.facts, (self.page_button, 0, Qt.AlignmentFlag.AlignLeft), spacing_px=8)
        make_column(self._head, self.text, self._foot, into=self, spacing_px=0)
        theme.changed.connect(self._restyle)
        self._restyle()

    def show_evidence(self, evidence: RowEvidence, others: int) -> None:
        self._evidence = evidence
        *outer, title = (evidence.document, *evidence.heading)
        self._path.setText(untrusted_text.make_harmless(" › ".join(outer)))
        self._path.setVisible(bool(outer))
        self._title.setText(untrusted_text.make_harmless(title))
        page = f"p.{evidence.page}" if evidence.page else ""
        shared = phrase("training.n_more_from_the_same", n=others) if others else ""
        self.facts.setText(join_facts(page, shared))
        self.facts.setVisible(bool(self.facts.text()))
        self.page_button.setVisible(evidence.page > 0)
        self._show_text()

    @property
    def mark_top(self) -> int:
        page = self.text.sheet
        return self.text.y() + round(page.top_of(0)) if page.marks else 0

    def _restyle(self) -> None:
        """Align all texts with the text of the passage."""
        left = self._theme.px(source_text.MARGIN_PX + source_text.BAR_PX)
        self._head.setContentsMargins(left, 14, MARGIN_PX, 0)
        self._foot.setContentsMargins(left, 0, MARGIN_PX, 16)
        self._show_text()

    def _show_text(self) -> None:
        if self._evidence is not None:
            start = self._evidence.passage.find(self._evidence.quote) if self._evidence.quote else -1
            places = [(start, start + len(self._evidence.quote))] if start >= 0 else []
            self.text.show_text(self._evidence.passage, places)


class PassageText(QWidget):
    """Shows the text of a passage, as high as the text needs at the current width."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.sheet = SourcePage(theme)
        self.sheet.setParent(self)
        self.sheet.text.setAccessibleName(phrase("common.text_of_the_source"))

    def show_text(self, text: str, places: list[tuple[int, int]]) -> None:
        self.sheet.show_text(text, places)
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        self.sheet.fit(self.width())
        self.setFixedHeight(self.sheet.height())


class SimilarRowView(QWidget):
    def __init__(self, theme: Theme, show_item: Callable[[int], None]) -> None:
        super().__init__()
        self._number = 0
        self._title = Label(strong=True)
        self.question = _wrapped("ui", "text")
        self.answer = _wrapped("ui", "text")
        self.button = Button(theme, phrase("training.go_to_this_row"), compact=True)
        self.button.clicked.connect(lambda: show_item(self._number))
        make_column(
            self._title,
            Label(phrase("common.batch_column.question"), "caption", "text2"),
            self.question,
            4,
            Label(phrase("common.batch_column.answer"), "caption", "text2"),
            self.answer,
            4,
            (self.button, 0, Qt.AlignmentFlag.AlignLeft),
            into=self,
            margins_px=(MARGIN_PX, 14, MARGIN_PX, 16),
            spacing_px=6,
        )

    def show_row(self, item: CurationItem, row: TrainingRow) -> None:
        self._number = item.number
        self._title.setText(phrase("training.similar_place", place=row_texts.row_place(item)))
        self.question.setText(untrusted_text.make_harmless(row.question))
        self.answer.setText(untrusted_text.make_harmless(row.answer))


def _wrapped(role: str, tone: str) -> Label:
    return Label(role=role, tone=tone, wraps=True, selectable=True, shrinks=True)
