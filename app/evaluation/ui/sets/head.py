"""Above the questions of a set: its name, which version is shown, and what is known of the right answers."""

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from app.base.wording import phrase
from app.evaluation.question_sets import KeptSet, Version
from app.evaluation.records import Question
from app.evaluation.ui.sets import words
from app.uikit import localization
from app.uikit.localization import join_facts, with_note
from app.uikit.theme import Theme
from app.uikit.widgets.labels import ElidedLabel, Label

ARROW_PX = 72  # of the list of versions: what stands around its words


class SetHead(QWidget):
    version_chosen = Signal(int)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.title = ElidedLabel("", "heading2")
        self.facts = Label("", tone="text2", wraps=True)
        self.known = Label("", tone="text2", wraps=True)
        self.not_scored = Label("", tone="warning", wraps=True)
        self.versions = QComboBox()
        self.versions.setAccessibleName(phrase("common.version"))
        self.versions.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self._build()
        self.versions.activated.connect(lambda _: self.version_chosen.emit(self.versions.currentData()))

    def show_name(self, name: str) -> None:
        """Before more of it is known."""
        self.title.setText(name)
        for part in (self.facts, self.known, self.not_scored, self.versions):
            part.hide()

    def show_version(self, kept: KeptSet, shown: Version, questions: Sequence[Question] | None) -> None:
        """`questions` None: this version is damaged."""
        self.title.setText(kept.name)
        made = phrase("common.data_gap").join(part for part in (words.time_of(shown), shown.source) if part)
        said = join_facts(
            words.count(shown.count),
            localization.label_name(kept.label),
            with_note(words.version(shown.number), made),
        )
        told = questions or ()
        for label, text in (
            (self.facts, said),
            (self.known, words.known(told)),
            (self.not_scored, words.not_scored(told)),
        ):
            label.setText(text)
            label.setVisible(bool(text))
        self._fill_versions(kept, shown)

    # ------------------------------------------------------------------- private

    def _build(self) -> None:
        for label in (self.facts, self.known, self.not_scored):
            label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self.title, 1)
        row.addWidget(self.versions)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(row)
        for label in (self.facts, self.known, self.not_scored):
            column.addWidget(label)

    def _fill_versions(self, kept: KeptSet, shown: Version) -> None:
        """The newest first."""
        self.versions.clear()
        for version in reversed(kept.versions):
            newest = phrase("evaluation.newest") if version is kept.newest else words.day(version)
            self.versions.addItem(with_note(words.version(version.number), newest), version.number)
        self.versions.setCurrentIndex(self.versions.findData(shown.number))
        texts = [self.versions.itemText(at) for at in range(self.versions.count())]
        widest = max(map(self.versions.fontMetrics().horizontalAdvance, texts))
        self.versions.setMinimumWidth(widest + self._theme.px(ARROW_PX))  # Qt forgets the padding of the style sheet
        self.versions.setVisible(len(kept.versions) > 1)
