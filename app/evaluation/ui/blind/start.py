"""Before the comparison: which two systems, and how far it is."""

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QVBoxLayout, QWidget

from app.base.wording import phrase
from app.evaluation.report.blind import BlindComparison
from app.evaluation.results import Evaluation
from app.evaluation.ui.blind import words
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import Card, FlowBox
from app.uikit.widgets.labels import Label, plain_tooltip

BOX_PX = 480
LEAST_NAME_CHARACTERS = 12  # of a system, that the boxes have room for


class StartPanel(QWidget):
    """Names are shown here; they tell nothing of the single question."""

    pair_chosen = Signal()
    begin_requested = Signal()
    result_requested = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.first, self.second = (
            _box(phrase("evaluation.setting_to_compare_1")),
            _box(phrase("evaluation.setting_to_compare_2")),
        )
        self.about = Label(phrase("evaluation.the_answers_of_two_settings"), wraps=True)
        self.note = Label(phrase("evaluation.which_is_which_stays_hidden"), "caption", "text2", wraps=True)
        self.facts = Label(tone="text2", wraps=True)
        self.reason = Label(tone="warning", wraps=True)
        self.begin_button = Button(theme, phrase("evaluation.start_comparing"))
        self.result_button = Button(theme, phrase("evaluation.see_the_result_so_far"), "quiet")
        self._build()
        self._connect()

    @property
    def chosen(self) -> tuple[str, str]:
        """Ids of two systems, which may be the same one."""
        return self.first.currentData() or "", self.second.currentData() or ""

    def show_systems(self, found: Evaluation, chosen: tuple[str, str]) -> None:
        for box, wanted in ((self.first, chosen[0]), (self.second, chosen[1])):
            with QSignalBlocker(box):
                box.clear()
                for one in found.systems:
                    box.addItem(words.name(one.system.name), one.system.id)
                box.setCurrentIndex(max(0, box.findData(wanted)))
            box.setToolTip(plain_tooltip(box.currentText()))

    def show_comparison(self, comparison: BlindComparison | None) -> None:
        """None: both boxes have the same system."""
        count = len(comparison.pairing.pairs) if comparison else 0
        done = len(comparison.votes) if comparison else 0
        is_revealed = comparison is not None and comparison.is_revealed
        told = ""
        if comparison is not None:
            standing = words.standing(done, count, is_revealed=is_revealed)
            told = "\n".join(filter(None, (words.questions(comparison.pairing), standing)))
        self.facts.setText(told)
        self.facts.setVisible(bool(told))
        self.reason.setText(self._reason(comparison, count))
        self.reason.setVisible(bool(self.reason.text()))
        self.begin_button.setEnabled(count > 0)
        self.begin_button.setVisible(done < count or not count)
        self.begin_button.setText(
            phrase("evaluation.go_on_comparing") if done else phrase("evaluation.start_comparing")
        )
        self.result_button.setText(
            phrase("evaluation.see_the_result") if is_revealed else phrase("evaluation.see_the_result_so_far")
        )
        self.result_button.setVisible(done > 0)

    # ------------------------------------------------------------------- private

    def _reason(self, comparison: BlindComparison | None, count: int) -> str:
        """Why it cannot begin; "": it can."""
        if comparison is None:
            return phrase("evaluation.choose_two_different_settings")
        return "" if count else phrase("evaluation.there_is_nothing_to_compare")

    def _build(self) -> None:
        self.card = Card(phrase("evaluation.blind_sheet"))
        name = Label(phrase("evaluation.settings_to_compare"), tone="text2")
        name.setBuddy(self.first)
        boxes = QVBoxLayout()
        boxes.setSpacing(6)
        boxes.addWidget(name)
        for box in (self.first, self.second):
            row = QHBoxLayout()
            row.addWidget(box, 1000)
            row.addStretch(1)
            boxes.addLayout(row)
        self.card.column.addWidget(self.about)
        self.card.column.addWidget(self.note)
        self.card.column.addLayout(boxes)
        self.card.column.addWidget(self.facts)
        self.card.column.addWidget(self.reason)
        self.card.column.addWidget(FlowBox(self.begin_button, self.result_button))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.card)
        column.addStretch(1)

    def _connect(self) -> None:
        for box in (self.first, self.second):
            box.currentIndexChanged.connect(lambda _: self._on_chosen())
        self._theme.changed.connect(self._restyle)
        self._restyle()
        self.begin_button.clicked.connect(lambda _: self.begin_requested.emit())
        self.result_button.clicked.connect(lambda _: self.result_requested.emit())

    def _on_chosen(self) -> None:
        for box in (self.first, self.second):
            box.setToolTip(plain_tooltip(box.currentText()))  # a long name is cut off in the box
        self.pair_chosen.emit()

    def _restyle(self) -> None:
        for box in (self.first, self.second):
            box.setMaximumWidth(self._theme.px(BOX_PX))


def _box(name: str) -> QComboBox:
    box = QComboBox()
    box.setAccessibleName(name)
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(LEAST_NAME_CHARACTERS)
    box.view().setTextElideMode(Qt.TextElideMode.ElideMiddle)
    return box
