"""Lay out list, row and source side by side, and show the source: the passage of a generated row, or the similar row.

With less space the source moves below the row, with even less both move below the list.
"""

from collections.abc import Callable

from PySide6.QtCore import QSize, Qt, QTimer
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QPlainTextEdit, QWidget

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
from app.uikit.widgets.containers import Stretch, fix_width, make_column, make_row, make_scrollable, set_direction
from app.uikit.widgets.labels import Label, Separator, set_surface

# Widths from which the source is placed beside the row, and the row beside the list.
SOURCE_FROM_PX = 1000
LIST_FROM_PX = 700

LIST_PX, LIST_LEAST_PX, SOURCE_PX = 348, 250, 388
LIST_SHARE, SOURCE_SHARE = 0.36, 0.34  # largest shares of the width for the list and the source
LIST_STRETCH, ROW_STRETCH = 42, 58  # parts of the height if the list is above the row
ROW_LEAST_PX = 140
AROUND_CARET_PX = 32
MARGIN_PX = 16
ABOVE_MARK_PX = 60  # height of the passage that stays visible above the quote


class ReviewLayout(QWidget):
    def __init__(self, theme: Theme, listed: QWidget, row: QWidget, source: QWidget) -> None:
        """Create the layout. `source` is hidden until `show_source` is called for a row that has one."""
        super().__init__()
        self._theme = theme
        self._listed, self._row, self._source = listed, row, source
        self._has_source = False
        self._mark_top: Callable[[], int] = int
        self._scroll_soon = QTimer(self, singleShot=True, interval=0)
        self._scroll_soon.timeout.connect(self._scroll)
        self._build()
        theme.changed.connect(self.lay_out)

    @property
    def is_stacked(self) -> bool:
        return self.width() < self._theme.px(LIST_FROM_PX)

    @property
    def is_source_beside(self) -> bool:
        return self.width() >= self._theme.px(SOURCE_FROM_PX)

    @property
    def _list_width(self) -> int:
        """Return the width of the list in pixels if it is beside the row."""
        px = self._theme.px
        return max(px(LIST_LEAST_PX), min(px(LIST_PX), round(self.width() * LIST_SHARE)))

    def show_source(self, has_source: bool) -> None:
        self._has_source = has_source
        self.lay_out()

    def scroll_to_top(self, mark_top: Callable[[], int]) -> None:
        """Scroll to the top after another row is shown.

        `mark_top`: returns the position of the quote in the source, in pixels; it is called after the layout.
        """
        self._mark_top = mark_top
        self._scroll_soon.start()

    def keep_in_sight(self, field: QPlainTextEdit) -> None:
        """Scroll so that the line with the text cursor of `field` stays visible."""
        place = field.viewport().mapTo(self._content, field.cursorRect().center())
        self._middle.ensureVisible(place.x(), place.y(), 0, self._theme.px(AROUND_CARET_PX))

    def lay_out(self) -> None:
        px, width = self._theme.px, self.width()
        is_stacked, is_beside = self.is_stacked, self.is_source_beside
        set_direction(self._columns, is_row=not is_stacked)
        self._below_list.setVisible(is_stacked)
        self._beside_list.setVisible(not is_stacked)
        self._place_source(is_beside)
        self._columns.setStretchFactor(self._listed, LIST_STRETCH if is_stacked else 0)
        fix_width(self._listed, None if is_stacked else self._list_width)
        self._middle.setMinimumHeight(px(ROW_LEAST_PX))
        self._right.setFixedWidth(min(px(SOURCE_PX), round(width * SOURCE_SHARE)))
        self._right.setVisible(is_beside and self._has_source)
        self._rule.setVisible(is_beside and self._has_source)
        self._source.setVisible(self._has_source)
        self._source_rule.setVisible(not is_beside and self._has_source)
        self.updateGeometry()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.lay_out()

    def minimumSizeHint(self) -> QSize:
        row, layout = self._theme.px(ROW_LEAST_PX), self._listed.layout()
        assert layout is not None
        listed = layout.minimumHeightForWidth(self.width() if self.is_stacked else self._list_width)
        return QSize(0, listed + row + 1 if self.is_stacked else max(listed, row))

    def sizeHint(self) -> QSize:
        """Return the minimum size: the parts scroll, so the widget need not be as high as they are."""
        return self.minimumSizeHint()

    def hasHeightForWidth(self) -> bool:
        return False

    # ------------------------------------------------------------- private methods

    def _build(self) -> None:
        self._below_list, self._beside_list, self._rule = Separator(), Separator("vertical"), Separator("vertical")
        self._source_rule = Separator()
        self._content = content = QWidget()
        self._under_row = make_column(self._row, self._source_rule, Stretch(), into=content, spacing_px=0)
        holder = QWidget()
        self._beside_row = make_column(into=holder)
        self._middle, self._right = make_scrollable(content), make_scrollable(holder)
        set_surface(holder, "base")
        self._beside_row.addWidget(self._source)
        self._columns = make_row(
            self._listed,
            self._below_list,
            self._beside_list,
            (self._middle, ROW_STRETCH),
            self._rule,
            self._right,
            into=self,
            spacing_px=0,
        )

    def _scroll(self) -> None:
        self._middle.verticalScrollBar().setValue(0)
        top = self._mark_top()
        is_far = top > self._right.viewport().height() // 2
        self._right.verticalScrollBar().setValue(top - self._theme.px(ABOVE_MARK_PX) if is_far else 0)

    def _place_source(self, is_beside: bool) -> None:
        place = self._beside_row if is_beside else self._under_row
        if place.indexOf(self._source) < 0:
            if is_beside:
                self._under_row.removeWidget(self._source)
                place.addWidget(self._source)
            else:
                self._beside_row.removeWidget(self._source)
                place.insertWidget(place.count() - 1, self._source)


# ------------------------------------------------------------------------- source


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
