"""Show the tab 長さと分布: lengths and sources of the rows."""

from collections.abc import Sequence

from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QStyleOptionViewItem, QWidget

from app.base.services.background import LatestWork
from app.base.wording import phrase
from app.training.data import data_overview
from app.training.data.curation import Curation
from app.training.data.data_overview import DataDistribution, SourceShare
from app.training.services.draft_editor import DraftEditor
from app.training.ui.data import row_texts
from app.training.ui.wizard import MARGIN_PX
from app.uikit.theme import Theme
from app.uikit.widgets.containers import Stretch, make_column, make_scrollable
from app.uikit.widgets.labels import Label
from app.uikit.widgets.tables import Index, NumberTableDelegate, NumberTableModel, NumberTableView

ROWS_SHOWN = 20
BAR_INSET_PX = 3

NamedCount = tuple[str, int]


class CountTable(QWidget):
    """A table of named counts below a title. Behind each name a bar is as long as the count."""

    def __init__(self, theme: Theme, title: str, column: str) -> None:
        """Create the table. `column`: title of the column with the names."""
        super().__init__()
        self.figures = NumberTableModel((column, phrase("training.rows")), 0)
        self.table = NumberTableView(theme, self.figures, title, rows_shown=ROWS_SHOWN)
        self._bars = CountBars(theme, self.table)
        self.table.setItemDelegate(self._bars)
        self.rest_label = Label(role="caption", tone="text2", wraps=True)
        make_column(Label(title, "heading3", wraps=True), self.table, self.rest_label, into=self, spacing_px=8)

    def show_counts(self, counts: Sequence[NamedCount], rest: str = "") -> None:
        """Show the counts. `rest`: a text about counts that they omit; "" for none."""
        self._bars.most = max((count for _, count in counts), default=1)
        self.figures.set_rows([(name, f"{count:,}") for name, count in counts])
        self.rest_label.setText(rest)
        self.rest_label.setVisible(bool(rest))


class CountBars(NumberTableDelegate):
    """Draws the bar of each count behind its name. `most`: the count of the longest bar."""

    most = 1

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        if index.column() == 0:
            count = int(index.sibling(index.row(), 1).data().replace(",", ""))
            inset, area = self._theme.px(BAR_INSET_PX), QRect(option.rect)
            bar = QRect(area.left(), area.top() + inset, area.width() * count // self.most, area.height() - 2 * inset)
            painter.fillRect(bar, self._theme.color("accent_soft"))
        super().paint(painter, option, index)


class LengthsTab(QWidget):
    def __init__(self, theme: Theme, work: DraftEditor) -> None:
        super().__init__()
        self._work = work
        self._requested: tuple[Curation, int] | None = None
        self._measuring = LatestWork()
        self.state = Label(tone="text2", wraps=True)
        self.questions = Label(tone="text2", wraps=True)
        self.answers_summary = Label(tone="text2", wraps=True)
        self.answers = CountTable(theme, phrase("training.length_of_answers"), phrase("common.characters"))
        kinds, group = phrase("training.kind_of_question"), phrase("training.group")
        self.categories, self.groups = CountTable(theme, kinds, kinds), CountTable(theme, group, group)
        self._build()

    def show_rows(self) -> None:
        rows = self._work.curation
        if rows is None or self._requested == (rows, rows.revision):
            return
        self._requested = (rows, rows.revision)
        self.state.setText(phrase("training.counting"))
        self.state.show()
        self._measuring.run(lambda: data_overview.measure_distribution(rows), self._on_found)

    def focus_first(self) -> None:
        self.answers.table.setFocus(Qt.FocusReason.ShortcutFocusReason)

    # ------------------------------------------------------------- private methods

    def _build(self) -> None:
        self._measured = QWidget()
        make_column(
            self.answers,
            self.answers_summary,
            self.questions,
            12,
            self.categories,
            12,
            self.groups,
            into=self._measured,
            spacing_px=8,
        )
        self._measured.hide()
        content = QWidget()
        sides = (MARGIN_PX, 16, MARGIN_PX, 16)
        make_column(self.state, self._measured, Stretch(), into=content, margins_px=sides, spacing_px=8)
        make_column(make_scrollable(content), into=self)

    def _on_found(self, distribution: DataDistribution | None) -> None:
        self._measured.setVisible(distribution is not None)
        self.state.setVisible(distribution is None)
        self.state.setText(phrase("training.there_are_no_rows_that"))
        if distribution is not None:
            self._show_distribution(distribution)

    def _show_distribution(self, distribution: DataDistribution) -> None:
        self._show_answers(distribution)
        self.answers_summary.setText(row_texts.length_summary("answer", distribution.answers))
        self.questions.setText(row_texts.length_summary("question", distribution.questions))
        self._show_shares(self.categories, distribution.categories, is_category=True)
        self._show_shares(self.groups, distribution.groups, is_category=False)

    def _show_answers(self, distribution: DataDistribution) -> None:
        counts: list[NamedCount] = []
        before = 0
        for bound, count in distribution.bins:
            if count or counts:  # the first row is that of the shortest answers
                counts.append((phrase("training.a_to_b_characters", a=f"{before + 1:,}", b=f"{bound:,}"), count))
            before = bound
        if distribution.beyond:
            counts.append((phrase("training.more_than_a_characters", a=f"{before:,}"), distribution.beyond))
        self.answers.show_counts(counts)

    def _show_shares(self, table: CountTable, shares: Sequence[SourceShare], *, is_category: bool) -> None:
        table.setVisible(bool(shares))
        rest = sum(share.rows for share in shares if share.name is None)
        named = [
            (self._name(share.name, is_category=is_category), share.rows) for share in shares if share.name is not None
        ]
        table.show_counts(named, phrase("training.n_rows_are_in_other", n=f"{rest:,}") if rest else "")

    def _name(self, name: str, *, is_category: bool) -> str:
        if not name:
            return phrase("training.none")
        return row_texts.question_category_name(name) if is_category else row_texts.one_line(name)
