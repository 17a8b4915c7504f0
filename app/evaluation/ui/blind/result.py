"""What the comparison has come to, with the names."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.evaluation.judge.blind import BlindComparison, Outcome
from app.evaluation.ui.blind import words
from app.uikit.language import joined
from app.uikit.phrases import percent
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.card import Card, Grid
from app.uikit.widgets.flow import Flow
from app.uikit.widgets.labels import Label

TABLE_PX = 640  # in a wider one the eye loses the line


class ResultPanel(QWidget):
    go_on_requested = Signal()
    undo_requested = Signal()
    leave_requested = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.verdict = Label(strong=True, wraps=True)
        self.difference = Label(tone="text2", wraps=True)
        self.table = Grid()
        self._theme = theme
        self.agreement = Label(wraps=True)
        self.when_open = Label(tone="warning", wraps=True)
        self.left = Label(tone="text2", wraps=True)
        self.go_on_button = Button(theme, self.tr("続きから比べる"))
        self.undo_button = Button(theme, self.tr("1 つ前に戻す"), "quiet", "undo-2")
        self.undo_button.setToolTip("Ctrl+Z")
        self.leave_button = Button(theme, self.tr("構成を選び直す"), "quiet")
        self.rows: list[tuple[str, str, str]] = []  # of the table, as they are shown
        self._build()
        self.go_on_button.clicked.connect(lambda _: self.go_on_requested.emit())
        self.undo_button.clicked.connect(lambda _: self.undo_requested.emit())
        self.leave_button.clicked.connect(lambda _: self.leave_requested.emit())

    def show_outcome(self, found: Outcome, comparison: BlindComparison) -> None:
        """`found`: of the comparison."""
        left = len(comparison.pairing.pairs) - found.n
        told = (
            (self.verdict, words.verdict(found)),
            (self.difference, words.difference(found)),
            (self.agreement, words.agreement(found.agreement)),
            (self.when_open, words.when_open(found.when_open) if found.when_open else ""),
            (self.left, words.left(left)),
        )
        for label, text in told:
            label.setText(text)
            label.setVisible(bool(text))
        self.go_on_button.setVisible(left > 0)
        self.undo_button.setVisible(found.n > 0)
        self._fill(found)

    # ------------------------------------------------------------------- private

    def _build(self) -> None:
        self.card = Card(self.tr("ブラインド比較の結果"))
        for widget in (self.verdict, self.difference, self.table, self.when_open, self.agreement, self.left):
            self.card.column.addWidget(widget)
        self.card.column.addWidget(Flow(self.go_on_button, self.undo_button, self.leave_button))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.card)
        column.addStretch(1)
        self._theme.changed.connect(self._restyle)
        self._restyle()

    def _restyle(self) -> None:
        self.table.setMaximumWidth(self._theme.px(TABLE_PX))

    def _fill(self, found: Outcome) -> None:
        counts = (
            (self.tr("「{name}」が良い").format(name=words.name(found.first.name)), found.first_wins),
            (self.tr("「{name}」が良い").format(name=words.name(found.second.name)), found.second_wins),
            (words.vote("same"), found.same),
            (words.vote("both_wrong"), found.both_wrong),
        )
        self.rows = [(name, f"{count:,}", percent(count / max(1, found.n))) for name, count in counts]
        self.rows.append((self.tr("合計"), f"{found.n:,}", ""))
        table = self.table
        table.clear()
        heads = (self.tr("選んだもの"), self.tr("問数"), self.tr("割合"))
        for column, head in enumerate(heads):
            table.put(Label(head, "caption", "muted"), column, is_number=column > 0)
            table.grid.setColumnStretch(column, 1 if column == 0 else 0)
        table.rule(len(heads))
        for at, cells in enumerate(self.rows):
            for column, cell in enumerate(cells):
                label = Label(cell, wraps=column == 0, strong=at == len(self.rows) - 1)
                if column and cell:
                    label.setAccessibleName(joined(cells[0], heads[column], cell))
                table.put(label, column, is_number=column > 0)
            if at + 1 < len(self.rows):
                table.rule(len(heads))
            else:
                table.next_row()
