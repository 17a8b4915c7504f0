"""Questions from elsewhere before they become a question set: which ones, what is left out, and under what name."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from app.base.confidentiality import Label as Secrecy
from app.evaluation import question_sets
from app.evaluation.question_sets import KeptSet
from app.evaluation.records import Question
from app.evaluation.ui.sets import words
from app.evaluation.ui.sets.name_form import NameForm
from app.evaluation.ui.sets.storing_window import StoringWindow, Work
from app.uikit.theme import Theme
from app.uikit.widgets.fact_list import FactList
from app.uikit.widgets.labels import Label


@dataclass(frozen=True, slots=True)
class Taken:
    """What is about to be stored. `source`: where the questions are from, for the list of versions."""

    name: str
    questions: tuple[Question, ...]
    floor: Secrecy
    source: str


@dataclass(frozen=True, slots=True)
class Part:
    """A titled part of what is shown: lines, or facts. `tone`: of the title."""

    title: str
    lines: str = ""
    facts: Sequence[tuple[str, str]] = ()
    tone: str = "text"


class TakeDialog(StoringWindow):
    """Nothing is stored before the button is pressed."""

    def __init__(
        self, theme: Theme, folder: Path, sets: Sequence[KeptSet], taken: Taken, parts: Sequence[Part], parent: QWidget
    ) -> None:
        super().__init__(theme, parent)
        self._folder = folder
        self._taken = taken
        self.naming = NameForm(theme, folder, sets, taken.name, taken.floor, is_new=False)
        self.naming.show_questions(taken.questions)
        self.naming.changed.connect(self.note_change)
        self.column.addWidget(self.naming)
        self.parts = [self._part(part) for part in parts if part.lines or part.facts]
        for shown in self.parts:
            self.column.addWidget(shown)
        self.column.addStretch(1)
        self.naming.name.setFocus()
        self.naming.name.selectAll()

    def save(self) -> str:
        if not self.naming.check():
            return ""
        self.naming.name.setFocus()
        return self.tr("名前を直してください。")

    def work(self) -> Work:
        taken, naming = self._taken, self.naming
        name, label, after = naming.name.text().strip(), naming.chosen_label, naming.after
        return lambda: question_sets.store(
            self._folder, name, taken.questions, label, taken.source, after=after
        )  # fmt: skip

    @property
    def told(self) -> str:
        """All that the parts say."""
        return "\n".join(label.text() for shown in self.parts for label in shown.findChildren(Label))

    # ------------------------------------------------------------------- private

    def _part(self, part: Part) -> QWidget:
        shown = QWidget()
        column = QVBoxLayout(shown)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(Label(part.title, tone=part.tone, strong=True, wraps=True))
        if part.facts:
            facts = FactList(self._theme)
            facts.set_facts(part.facts)
            column.addWidget(facts)
        if part.lines:
            lines = Label(part.lines, tone="text2", wraps=True)
            lines.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            lines.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
            column.addWidget(lines)
        return shown


def some(questions: Sequence[Question], most: int) -> str:
    """The first of them, a line each."""
    shown = [f"・{words.one_line(one.text)}" for one in questions[:most]]
    return "\n".join([*shown, "…"] if len(questions) > most else shown)
