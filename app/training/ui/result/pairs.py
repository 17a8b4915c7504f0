"""問いごとの前後: what was answered before and after, the worst and the best first."""

from collections.abc import Sequence

from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QVBoxLayout, QWidget

from app.base.wording import phrase
from app.training import result_view
from app.training.result_view import Pair
from app.training.ui.result import words
from app.training.ui.result.badge import Badge
from app.training.ui.result.side_by_side import SideBySide
from app.uikit.localization import join_facts
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button, IconButton
from app.uikit.widgets.containers import Card, FlowBox
from app.uikit.widgets.labels import Label, Separator

AT_ONCE = 2
MOST_CHARACTERS = 160  # of an answer, until the whole is wished for


class PairsCard(Card):
    """Hidden where nothing was answered."""

    def __init__(self, theme: Theme) -> None:
        super().__init__("")
        self.title.setText(phrase("training.before_and_after_by_question"))
        self._theme = theme
        self._pairs: tuple[Pair, ...] = ()
        self._first = 0
        self.counts = Label(role="caption", tone="text2", wraps=True)
        self.about = Label(
            phrase("training.better_and_worse_by_how"),
            "caption",
            "muted",
            wraps=True,
        )
        self.sides = QButtonGroup(self)
        self.buttons: dict[str, Button] = {}
        for side, name in (
            ("", phrase("training.both")),
            ("base", phrase("training.before")),
            ("tuned", phrase("training.after")),
        ):
            button = self.buttons[side] = Button(theme, name, compact=True)
            button.setCheckable(True)
            self.sides.addButton(button)
        self.buttons[""].setChecked(True)
        self.whole_button = Button(theme, phrase("training.show_all_text"), "quiet", compact=True)
        self.whole_button.setCheckable(True)
        self.back_button = IconButton(theme, "chevron-left", phrase("training.previous_questions"))
        self.next_button = IconButton(theme, "chevron-right", phrase("training.next_questions"))
        self.place = Label(role="caption", tone="text2")
        self._list = QVBoxLayout()
        self._list.setSpacing(10)
        self._build()
        self.sides.buttonClicked.connect(self._show_page)
        self.whole_button.clicked.connect(self._show_page)
        self.back_button.clicked.connect(lambda: self._turn(-AT_ONCE))
        self.next_button.clicked.connect(lambda: self._turn(AT_ONCE))
        self.hide()

    def show_pairs(self, pairs: Sequence[Pair]) -> None:
        """As `result_view.pairs` sorts them."""
        if tuple(pairs) != self._pairs:
            self._pairs, self._first = tuple(pairs), 0
        self.setVisible(bool(pairs))
        found = [pair.kind for pair in pairs]
        told = phrase("training.better_a_same_b_worse")
        self.counts.setText(told.format(a=found.count("better"), b=found.count("same"), c=found.count("worse")))
        self._show_page()

    @property
    def shown(self) -> tuple[Pair, ...]:
        return self._pairs[self._first : self._first + AT_ONCE]

    # ------------------------------------------------------------------- private

    def _build(self) -> None:
        pages = QWidget()
        row = QHBoxLayout(pages)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        for widget in (self.back_button, self.place, self.next_button):
            row.addWidget(widget)
        self.column.addWidget(self.counts)
        self.column.addWidget(self.about)
        self.column.addWidget(FlowBox(*self.buttons.values(), self.whole_button, pages))
        self.column.addLayout(self._list)

    def _turn(self, by: int) -> None:
        self._first += by
        self._show_page()

    def _show_page(self, *_: object) -> None:
        while (item := self._list.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        side = next(key for key, button in self.buttons.items() if button.isChecked())
        for at, pair in enumerate(self.shown):
            view = _PairView(self._theme, pair, side, is_whole=self.whole_button.isChecked())
            for widget in (Separator(), view) if at else (view,):
                self._list.addWidget(widget)
                widget.show()  # at once: Qt shows what is added to a visible layout a moment later, which flickers
        count, last = len(self._pairs), self._first + len(self.shown)
        self.place.setText(phrase("training.a_b_of_n", a=self._first + 1, b=last, n=count))
        self.back_button.setEnabled(self._first > 0)
        self.next_button.setEnabled(last < count)
        self.whole_button.setVisible(any(_is_long(text) for pair in self._pairs for text in _texts(pair)))


class _PairView(QWidget):
    def __init__(self, theme: Theme, pair: Pair, side: str, *, is_whole: bool) -> None:
        super().__init__()
        row = pair.row
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addWidget(Label(row.question, strong=True, wraps=True))
        column.addWidget(Badge(theme, *words.KINDS[pair.kind], join_facts(words.change_kind(pair.kind), _why(pair))))
        self.answers = SideBySide(theme)
        for view, name, text, flaw in (
            (self.answers.base, phrase("training.before"), row.base, result_view.flaw_of(row.base, row.base_ended_by)),
            (
                self.answers.tuned,
                phrase("training.after"),
                row.tuned,
                result_view.flaw_of(row.tuned, row.tuned_ended_by),
            ),
        ):
            view.head.setText(join_facts(name, words.flaw(flaw)))
            view.text.setText(_shown(text.strip() or phrase("training.nothing"), is_whole=is_whole))
        self.answers.show_only(side)
        column.addWidget(self.answers)
        if row.reference:
            told = phrase("training.kept_back_answer_text", text=_shown(row.reference, is_whole=is_whole))
            column.addWidget(Label(told, "caption", "text2", wraps=True))


def _why(pair: Pair) -> str:
    """What tells that it got worse or better: a flaw where the loss says something else."""
    change, flaw = pair.row.change_nats, result_view.flaw_of(pair.row.tuned, pair.row.tuned_ended_by)
    if flaw and pair.kind != "better" and (change is None or change <= 0):
        return words.flaw(flaw)
    return phrase("training.loss_v", v=words.signed(change)) if change is not None else ""


def _texts(pair: Pair) -> tuple[str, ...]:
    return pair.row.base, pair.row.tuned, pair.row.reference


def _is_long(text: str) -> bool:
    return len(text.strip()) > MOST_CHARACTERS


def _shown(text: str, *, is_whole: bool) -> str:
    return text if is_whole or not _is_long(text) else text.strip()[:MOST_CHARACTERS].rstrip() + "…"
