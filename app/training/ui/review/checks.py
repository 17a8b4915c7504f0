"""What was found of a row by rules: what is wrong with it, each on a line; and on one more line what is not."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from app.base.wording import phrase
from app.training.data.curation import Item
from app.training.data.reviewing import Looked
from app.training.generation.records import SCORE_MAX
from app.training.ui.review import words
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import FlowBox
from app.uikit.widgets.labels import IconLabel, Label

LIKENESS = ("same_row", "repeated_question", "near_duplicate")
NAMED_VALUES = 3  # that are missing
GAP_PX = 6
SOUND_MOST = 4  # kinds of what can be right


class CheckList(QWidget):
    like_requested = Signal(int)  # the number of the item that this one is like

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._item: Item | None = None
        self._doubts = QVBoxLayout()
        self._doubts.setSpacing(4)
        self._sound_labels = [Label(tone="text2") for _ in range(SOUND_MOST)]
        self.like_button = Button(theme, "", "link")
        self._quality_name = Label(phrase("training.quality"), tone="muted")
        self.quality = Label(tone="text2", wraps=True)
        self._build()

    def show_item(self, item: Item, looked: Looked | None, like: Item | None) -> None:
        """`looked`: None while it is not known yet. `like`: the item that it is like."""
        self._item = item
        self._show_doubts(looked or Looked())
        sound = self._sound_of(looked) if looked is not None else [phrase("training.looking")]
        for place, label in enumerate(self._sound_labels):
            label.setText(sound[place] if place < len(sound) else "")
            label.setVisible(place < len(sound))
        self.like_button.setVisible(like is not None)
        if like is not None:
            self.like_button.setText(phrase("training.show_place", place=words.place(like)))
        score = item.evidence.quality if item.evidence is not None else None
        for label in (self._quality_name, self.quality):
            label.setVisible(score is not None)
        self.quality.setText(phrase("training.n_most_scored_by_the", n=score, most=SCORE_MAX))

    @property
    def doubts(self) -> list[str]:
        """As they are shown."""
        return [label.text() for label in self._doubts_shown]

    @property
    def sound(self) -> list[str]:
        """What is right, as it is shown."""
        return [label.text() for label in self._sound_labels if label.text()]

    # ------------------------------------------------------------------- private

    def _build(self) -> None:
        self._doubts_shown: list[Label] = []
        told = QVBoxLayout()
        told.setSpacing(4)
        told.addLayout(self._doubts)
        told.addWidget(self.like_button, 0, Qt.AlignmentFlag.AlignLeft)
        told.addWidget(FlowBox(*self._sound_labels))
        top = Qt.AlignmentFlag.AlignTop
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(4)
        grid.setColumnStretch(1, 1)
        grid.addWidget(Label(phrase("training.checks"), tone="muted"), 0, 0, top)
        grid.addLayout(told, 0, 1)
        grid.addWidget(self._quality_name, 1, 0, top)
        grid.addWidget(self.quality, 1, 1)
        self.like_button.clicked.connect(self._on_like_clicked)

    def _show_doubts(self, looked: Looked) -> None:
        while (line := self._doubts.takeAt(0)) is not None:
            if (widget := line.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        self._doubts_shown.clear()
        for text in self._doubts_of(looked):
            line_widget = QWidget()
            row = QHBoxLayout(line_widget)
            row.setContentsMargins(0, 0, 0, 0)
            row.setSpacing(self._theme.px(GAP_PX))
            icon = IconLabel(self._theme, "triangle-alert", "warning")
            icon.setFixedHeight(self._theme.line_height("ui"))
            label = Label(text, tone="warning", wraps=True)
            self._doubts_shown.append(label)
            row.addWidget(icon, 0, Qt.AlignmentFlag.AlignTop)
            row.addWidget(label, 1)
            self._doubts.addWidget(line_widget)
            line_widget.show()

    def _doubts_of(self, looked: Looked) -> list[str]:
        assert self._item is not None
        found = [words.flaw(code) for code in (*looked.flaws, *self._likeness())]
        if looked.missing:
            named = phrase("common.symbol_2").join(looked.missing[:NAMED_VALUES])
            found.append(phrase("training.value_is_not_in_the", value=named))
        if looked.personal:
            found.append(words.personal(looked.personal))
        return found

    def _likeness(self) -> list[str]:
        assert self._item is not None
        return [code for code in LIKENESS if code in self._item.flags]

    def _sound_of(self, looked: Looked) -> list[str]:
        assert self._item is not None
        has_quote = self._item.evidence is not None and self._item.evidence.quote != ""
        values = phrase("training.no_numbers")
        if looked.numbers:
            values = phrase("training.n_numbers_match_the_quote", n=looked.numbers) if has_quote else ""
        found = (
            phrase("training.ends_as_a_sentence") if "unfinished" not in looked.flaws else "",
            values if not looked.missing else "",
            phrase("training.no_personal_data") if not looked.personal else "",
            phrase("training.no_duplicates") if not self._likeness() else "",
        )
        return [text for text in found if text]

    def _on_like_clicked(self) -> None:
        if self._item is not None:
            self.like_requested.emit(self._item.like)
