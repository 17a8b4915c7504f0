"""長さと分布: how long what will be trained on is, where it is from, and which answers stand apart."""

from collections.abc import Sequence

from PySide6.QtCore import QModelIndex, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.base.errors import AppError
from app.base.services import background
from app.base.wording import phrase
from app.training.data import distribution
from app.training.data.curation import Curation
from app.training.data.distribution import Distribution, Share
from app.training.services.training_draft import TrainingDraft
from app.training.ui.data import words
from app.training.ui.data.charts import Bar, Bars, Chart, Histogram
from app.training.ui.review import words as review_words
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import make_scrollable
from app.uikit.widgets.labels import Label
from app.uikit.widgets.number_table import NumberTableModel, NumberTableView

MARGIN_PX = 24


class Plot(QWidget):
    """A chart, or the same as a table."""

    def __init__(self, theme: Theme, title: str, chart: Chart, column: str) -> None:
        """`column`: what is counted."""
        super().__init__()
        self.chart = chart
        self.figures = NumberTableModel((column, phrase("training.rows")), 0)
        self.table = NumberTableView(theme, self.figures, title)
        self.toggle = Button(theme, phrase("training.show_as_a_table"), compact=True)
        self.rest = Label(role="caption", tone="text2", wraps=True)
        head = QHBoxLayout()
        head.addWidget(Label(title, "heading3", wraps=True), 1)
        head.addWidget(self.toggle, 0, Qt.AlignmentFlag.AlignTop)
        column_of = QVBoxLayout(self)
        column_of.setContentsMargins(0, 0, 0, 0)
        column_of.setSpacing(8)
        column_of.addLayout(head)
        column_of.addWidget(chart)
        column_of.addWidget(self.table)
        column_of.addWidget(self.rest)
        self.table.hide()
        self.toggle.clicked.connect(self._turn)

    def show_bars(self, bars: Sequence[Bar], rows: Sequence[tuple[str, ...]], rest: str = "") -> None:
        """`rows`: of the table. `rest`: what the chart leaves out, in words."""
        self.rest.setText(rest)
        self.rest.setVisible(bool(rest))
        told = phrase("common.data_gap").join(f"{name} {count}" for name, count in rows)
        self.chart.show_bars(bars, told)
        self.figures.set_rows(rows)

    def _turn(self) -> None:
        is_table = self.table.isHidden()
        self.table.setVisible(is_table)
        self.chart.setVisible(not is_table)
        self.toggle.setText(phrase("training.show_as_a_chart") if is_table else phrase("training.show_as_a_table"))


class LengthsTab(QWidget):
    row_requested = Signal(int)  # the number of an item

    def __init__(self, theme: Theme, work: TrainingDraft) -> None:
        super().__init__()
        self._theme = theme
        self._work = work
        self._asked: tuple[Curation, int] | None = None
        self._found: Distribution | None = None
        self.state = Label(tone="text2", wraps=True)
        self.questions = Label(tone="text2", wraps=True)
        self.answers_told = Label(tone="text2", wraps=True)
        self.answers = Plot(
            theme,
            phrase("training.length_of_answers"),
            Histogram(theme, phrase("training.length_of_answers")),
            phrase("common.characters"),
        )
        kinds = phrase("training.kind_of_question")
        self.categories = Plot(theme, kinds, Bars(theme, kinds), kinds)
        group = phrase("training.group")
        self.groups = Plot(theme, group, Bars(theme, group), group)
        self.outliers_title = Label(role="heading3", wraps=True)
        self.outliers_about = Label(role="caption", tone="muted", wraps=True)
        self.outliers = NumberTableModel(
            (phrase("training.row"), phrase("common.characters"), phrase("common.batch_column.question")), 2
        )
        self.outlier_table = NumberTableView(theme, self.outliers, phrase("training.answers_of_quite_another_length"))
        self._build()

    def show_rows(self) -> None:
        rows = self._work.curation
        if rows is None or self._asked == (rows, rows.revision):
            return
        self._asked = (rows, rows.revision)
        self.state.setText(phrase("training.counting"))
        self.state.show()
        asked = self._asked
        background.run(lambda: (asked, distribution.distribution(rows)), self._on_found, self._on_failed)

    def focus_first(self) -> None:
        self.answers.toggle.setFocus(Qt.FocusReason.ShortcutFocusReason)

    # ------------------------------------------------------------------- private

    def _build(self) -> None:
        content = QWidget()
        self._parts = (
            self.answers, self.answers_told, self.questions, self.categories, self.groups, self.outliers_title,
            self.outliers_about, self.outlier_table,
        )  # fmt: skip
        inside = QVBoxLayout(content)
        inside.setContentsMargins(MARGIN_PX, 16, MARGIN_PX, 16)
        inside.setSpacing(8)
        inside.addWidget(self.state)
        for part in self._parts:
            if (isinstance(part, Plot) and part is not self.answers) or part is self.outliers_title:
                inside.addSpacing(12)
            inside.addWidget(part)
            part.hide()
        inside.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(make_scrollable(content))
        self.outlier_table.activated.connect(self._on_activated)

    def _on_found(self, found: tuple[tuple[Curation, int], Distribution | None]) -> None:
        asked, told = found
        if asked != self._asked:
            return
        self._found = told
        for part in self._parts:
            part.setVisible(told is not None)
        self.state.setVisible(told is None)
        self.state.setText(phrase("training.there_are_no_rows_that"))
        if told is not None:
            self._show(told)

    def _show(self, found: Distribution) -> None:
        self._show_answers(found)
        self.answers_told.setText(words.lengths("answer", found.answers))
        self.questions.setText(words.lengths("question", found.questions))
        self._show_shares(self.categories, found.categories, is_category=True)
        self._show_shares(self.groups, found.groups, is_category=False)
        count = len(found.outliers)
        self.outliers_title.setText(phrase("training.answers_of_quite_another_length_n", n=f"{count:,}"))
        about = phrase("training.answers_that_are_far_longer")
        self.outliers_about.setText(about if count else phrase("training.none_2"))
        self.outliers.set_rows([
            (f"{one.line:,}", f"{one.characters:,}", review_words.one_line(one.question)) for one in found.outliers
        ])  # fmt: skip
        self.outlier_table.setVisible(count > 0)

    def _show_answers(self, found: Distribution) -> None:
        bars, rows, before = [], [], 0
        for bound, count in found.bins:
            bars.append((f"{bound:,}", count))
            rows.append((phrase("training.a_to_b_characters", a=f"{before + 1:,}", b=f"{bound:,}"), f"{count:,}"))
            before = bound
        if found.beyond:
            bars.append((f">{before:,}", found.beyond))
            rows.append((phrase("training.more_than_a_characters", a=f"{before:,}"), f"{found.beyond:,}"))
        self.answers.show_bars(bars, rows)

    def _show_shares(self, plot: Plot, shares: Sequence[Share], *, is_category: bool) -> None:
        plot.setVisible(bool(shares))
        named = [(self._name(share, is_category=is_category), share.rows) for share in shares]
        rest = sum(share.rows for share in shares if share.name is None)
        words_of_rest = phrase("training.n_rows_are_in_other", n=f"{rest:,}")
        bars = [bar for bar, share in zip(named, shares, strict=True) if share.name is not None]
        plot.show_bars(bars, [(name, f"{count:,}") for name, count in named], words_of_rest if rest else "")

    def _name(self, share: Share, *, is_category: bool) -> str:
        if share.name is None:
            return phrase("training.others")
        if share.name == "":
            return phrase("training.none")
        return words.category(share.name) if is_category else review_words.one_line(share.name)

    def _on_failed(self, _error: AppError) -> None:
        """Nothing is read from the disk: there is no such error."""

    def _on_activated(self, index: QModelIndex) -> None:
        if self._found is not None:
            self.row_requested.emit(self._found.outliers[index.row()].number)
