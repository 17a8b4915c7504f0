"""Question-answer pairs made from a collection: which one, how many, by which model, and what that takes."""

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QGridLayout, QSpinBox, QVBoxLayout, QWidget

from app.base.errors import AppError
from app.base.services import background
from app.base.wording import phrase
from app.documents.records import DocumentCollection
from app.documents.retrieval import excerpts
from app.inference.local_model import LocalModel
from app.training.generation.wish import LEAST, MOST, USUAL
from app.uikit.dialogs import Dialog, DialogButton
from app.uikit.localization import join_facts, label_name
from app.uikit.theme import Theme
from app.uikit.widgets.labels import Label

WIDTH_PX = 560
BOX_PX = 240
TEXT_MARGIN_PX = 7


class GenerateDialog(Dialog):
    """Nothing is begun before `wished`."""

    wished = Signal(object, int, object)  # Collection, pairs, LocalModel

    def __init__(
        self,
        theme: Theme,
        collections: Sequence[DocumentCollection],
        models: Sequence[LocalModel],
        model_id: str | None,
        parent: QWidget,
    ) -> None:
        """`collections`: that have anything in them. `model_id`: that answers questions now."""
        self._collections = list(collections)
        self._models = list(models)
        self.collection = QComboBox()
        self.wanted = QSpinBox()
        self.model = QComboBox()
        self.collection_facts = Label(role="caption", tone="text2", wraps=True)
        self.model_facts = Label(role="caption", tone="warning", wraps=True)
        self.takes = Label(tone="text2", wraps=True)
        self.obstacle = Label(tone="warning", wraps=True)
        self._fill(model_id)
        super().__init__(
            theme,
            phrase("training.make_questions_and_answers_from"),
            phrase("training.a_model_on_this_pc"),
            (
                DialogButton("cancel", phrase("common.cancel")),
                DialogButton("make", phrase("training.start"), "primary", is_default=True),
            ),
            parent,
            content=self._content(theme),
            width_px=WIDTH_PX,
        )
        self.collection.currentIndexChanged.connect(self._show_collection)
        self.model.currentIndexChanged.connect(self._show_model)
        self.chosen.connect(self._on_chosen)
        self._show_collection()
        self._show_model()
        self._show_obstacle()
        self.collection.setFocus()

    # ------------------------------------------------------------------- private

    def _fill(self, model_id: str | None) -> None:
        for one in self._collections:
            self.collection.addItem(one.name)
        self.wanted.setRange(LEAST, MOST)
        self.wanted.setSingleStep(10)
        self.wanted.setValue(USUAL)
        self.wanted.setGroupSeparatorShown(True)
        self.wanted.lineEdit().setTextMargins(TEXT_MARGIN_PX, 0, 0, 0)  # the style sheet's padding does not reach it
        for model in self._models:
            self.model.addItem(model.name)
        ids = [model.id for model in self._models]
        self.model.setCurrentIndex(ids.index(model_id) if model_id in ids else 0)

    def _content(self, theme: Theme) -> QWidget:
        content = QWidget()
        grid = QGridLayout()
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(6)
        grid.setColumnStretch(1, 1)
        rows: tuple[tuple[str, QComboBox | QSpinBox, Label | None], ...] = (
            (phrase("training.collection"), self.collection, self.collection_facts),
            (phrase("training.pairs"), self.wanted, None),
            (phrase("common.batch_column.model"), self.model, self.model_facts),
        )
        for place, (name, field, facts) in enumerate(rows):
            words = Label(name)
            words.setBuddy(field)
            field.setAccessibleName(name)
            if isinstance(field, QComboBox):
                field.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            field.setMinimumWidth(min(theme.px(BOX_PX), BOX_PX * 3 // 2))
            grid.addWidget(words, 2 * place, 0)
            grid.addWidget(field, 2 * place, 1)
            if facts is not None:
                grid.addWidget(facts, 2 * place + 1, 1)
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(10)
        column.addLayout(grid)
        column.addWidget(self.takes)
        column.addWidget(self.obstacle)
        self.takes.setText(phrase("training.each_pair_takes_two_prompts"))
        return content

    def _show_collection(self) -> None:
        place = self.collection.currentIndex()
        if place < 0:
            self.collection_facts.hide()
            return
        one = self._collections[place]
        count = phrase("training.n_documents_s_sections", n=f"{one.documents:,}", s=f"{one.sections:,}")
        secret = phrase("training.you_are_asked_before_it") if one.label == "secret" else ""
        self.collection_facts.setText(join_facts(count, label_name(one.label), secret))

    def _show_model(self) -> None:
        self.model_facts.hide()
        place = self.model.currentIndex()
        if place < 0:
            return
        model = self._models[place]
        background.run(lambda: (model, excerpts.is_too_small(model)), self._on_judged, self._on_unreadable)

    def _on_judged(self, found: tuple[LocalModel, bool]) -> None:
        model, is_too_small = found
        if self._models[self.model.currentIndex()] != model:
            return
        words = phrase("training.the_model_is_small_hardly")
        self.model_facts.setText(words)
        self.model_facts.setVisible(is_too_small)
        self.fit_height()

    def _on_unreadable(self, _error: AppError) -> None:
        """It is said when the model is loaded."""

    def _show_obstacle(self) -> None:
        no_model = phrase("training.there_is_no_model_yet")
        no_documents = phrase("training.no_documents_have_been_read")
        said = no_documents if not self._collections else no_model if not self._models else ""
        self.obstacle.setText(said)
        self.obstacle.setVisible(bool(said))
        self.buttons["make"].setEnabled(not said)
        self.buttons["make"].setAccessibleDescription(said)

    def _on_chosen(self, key: str) -> None:
        if key == "make":
            model = self._models[self.model.currentIndex()]
            self.wished.emit(self._collections[self.collection.currentIndex()], self.wanted.value(), model)
