"""Get the rows of a draft: import a file, or generate question-answer pairs from a document collection.

The dialog for pairs asks for the collection, their number and the model, and shows what generating takes.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QObject, QStandardPaths, Signal
from PySide6.QtWidgets import QComboBox, QGridLayout, QSpinBox, QWidget

from app.base.errors import AppError
from app.base.services import background
from app.base.tables.column_mapping import ColumnMapping
from app.base.wording import phrase
from app.documents.records import DocumentCollection
from app.documents.retrieval import excerpts
from app.documents.services.document_library import DocumentLibrary
from app.inference.local_model import LocalModel
from app.models.services.model_library import ModelLibrary
from app.training.data import file_import
from app.training.generation.pair_records import LEAST_PAIRS, MOST_PAIRS, USUAL_PAIRS, GenerationRequest
from app.training.services.draft_editor import DraftEditor
from app.training.services.draft_pairs import DraftPairGeneration
from app.training.services.pair_generation import pairs_label_now
from app.training.ui.data.columns_tab import ColumnsDialog, Outline
from app.training.ui.data.review_list import DECIDED
from app.uikit.confidentiality_guard import ConfidentialityGuard
from app.uikit.desktop import Pickers
from app.uikit.dialogs import Dialog, DialogButton
from app.uikit.localization import join_facts
from app.uikit.theme import Theme
from app.uikit.widgets.containers import make_column
from app.uikit.widgets.labels import Label


class DataSourceController(QObject):
    """The controller that asks for a source of rows and imports or generates them.

    It asks for confirmation before decisions on existing rows would be lost.
    """

    refused = Signal(object)  # AppError

    def __init__(
        self,
        theme: Theme,
        work: DraftEditor,
        parent: QWidget,
        *,
        documents: DocumentLibrary,
        library: ModelLibrary,
        making: DraftPairGeneration,
        secrecy: ConfidentialityGuard,
        model_id: Callable[[], str | None],
        pickers: Pickers | None = None,
    ) -> None:
        """`model_id`: returns the id of the model that answers questions now. `pickers`: None for the desktop's own
        dialogs.
        """
        super().__init__(parent)
        self._theme = theme
        self._work = work
        self._window = parent
        self._documents = documents
        self._library = library
        self._making = making
        self._secrecy = secrecy
        self._model_id = model_id
        self._pickers = pickers or Pickers()
        self._path = Path()  # the last requested file
        self.dialog: Dialog | None = None  # the last opened one

    # --------------------------------------------------------------------- files

    def choose_file(self) -> None:
        kinds = " ".join(f"*{suffix}" for suffix in file_import.SUFFIXES)
        every = phrase("training.training_data_kinds_all_files", kinds=kinds)
        home = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DocumentsLocation)
        start = str(self._path.parent) if self._path.name else home
        path = self._pickers.open(self._window, phrase("training.choose_a_file_of_training"), start, every)
        if path:
            self.take_file(Path(path))

    def take_file(self, path: Path) -> None:
        self._path = path
        self._replace(lambda: self._work.import_file(path))

    def read_again(self, mapping: ColumnMapping) -> None:
        """Import the current file again with another column mapping."""
        data = self._work.draft.data
        if data is not None:
            self._path = path = Path(data.file)
            self._replace(lambda: self._work.import_file(path, mapping))

    def ask_columns(self) -> None:
        """Ask for the columns of the last requested file."""
        path = self._path
        background.run(lambda: (path, file_import.read_outline(path)), self._on_outlined, self._on_refused)

    def _on_outlined(self, found: tuple[Path, Outline]) -> None:
        path, outline = found
        dialog = ColumnsDialog(self._theme, path.name, outline, self._window)
        dialog.mapping_chosen.connect(lambda mapping: self._work.import_file(path, mapping))
        self._open(dialog)

    # --------------------------------------------------------------------- pairs

    def ask_pairs(self) -> None:
        if self._making.is_running:
            self.refused.emit(AppError("pairs_running"))
            return
        collections = [one for one in self._documents.collections() if one.sections]
        models = [model for model in self._library.answering() if model.remote is None]
        dialog = GeneratePairsDialog(self._theme, collections, models, self._model_id(), self._window)
        dialog.generation_requested.connect(self._on_generation_requested)
        self._open(dialog)

    def go_on(self) -> None:
        """Resume generating pairs that are not finished."""
        request = self._making.unfinished(self._work.draft.id)
        if request is None:
            return
        collections = self._documents.collections()
        found = next(
            (one for one in collections if (one.id, one.name) == (request.collection_id, request.collection)), None
        )
        if found is None:
            self.refused.emit(AppError("pairs_collection_gone", name=request.collection))
        else:
            self._begin(request, found)

    def _on_generation_requested(self, collection: DocumentCollection, wanted: int, model: LocalModel) -> None:
        name = self._making.free_name(self._work.draft.id)
        request = GenerationRequest(collection.id, collection.name, model.id, wanted, name)
        self._replace(lambda: self._begin(request, collection))

    def _begin(self, request: GenerationRequest, collection: DocumentCollection) -> None:
        draft_id = self._work.draft.id

        def begin(is_agreed: bool) -> None:
            try:
                self._making.begin(draft_id, request, collection, is_agreed=is_agreed)
            except AppError as error:
                self.refused.emit(error)

        model = self._library.model(request.model_id)
        documents = self._documents.path
        self._secrecy.train(
            self._window,
            lambda: pairs_label_now(documents, collection, model) if model is not None else collection.label,
            begin,
        )

    # ------------------------------------------------------------------- private

    def _replace(self, act: Callable[[], object]) -> None:
        """Run `act`, after a confirmation if it would lose decisions."""
        rows = self._work.curation
        decided = sum(rows.counts[state] for state in DECIDED) if rows is not None else 0
        if not decided:
            act()
            return
        dialog = Dialog(
            self._theme,
            phrase("training.replace_the_rows"),
            phrase("training.the_rows_are_replaced_and", n=f"{decided:,}"),
            (
                DialogButton("cancel", phrase("common.cancel"), is_default=True),
                DialogButton("replace", phrase("training.replace"), "danger_fill"),
            ),
            self._window,
            icon=("triangle-alert", "warning"),
        )
        dialog.chosen.connect(lambda key: act() if key == "replace" else None)
        self._open(dialog)

    def _open(self, dialog: Dialog) -> None:
        self.dialog = dialog
        dialog.open()

    def _on_refused(self, error: AppError) -> None:
        self.refused.emit(error)


WIDTH_PX = 560
BOX_PX = 240
TEXT_MARGIN_PX = 7


class GeneratePairsDialog(Dialog):
    """A dialog that asks for pairs to generate. Nothing begins before `generation_requested`."""

    generation_requested = Signal(object, int, object)  # DocumentCollection, number of pairs, LocalModel

    def __init__(
        self,
        theme: Theme,
        collections: Sequence[DocumentCollection],
        models: Sequence[LocalModel],
        model_id: str | None,
        parent: QWidget,
    ) -> None:
        """`collections`: those with sections. `model_id`: of the model that answers questions now."""
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
        self.wanted.setRange(LEAST_PAIRS, MOST_PAIRS)
        self.wanted.setSingleStep(10)
        self.wanted.setValue(USUAL_PAIRS)
        self.wanted.setGroupSeparatorShown(True)
        self.wanted.lineEdit().setTextMargins(TEXT_MARGIN_PX, 0, 0, 0)  # the style sheet's padding does not apply to it
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
        make_column(grid, self.takes, self.obstacle, into=content, spacing_px=10)
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
        self.collection_facts.setText(join_facts(count, phrase(f"common.label.{one.label}"), secret))

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
        """Show nothing: loading the model will report the error."""

    def _show_obstacle(self) -> None:
        no_model = phrase("training.there_is_no_model_yet")
        no_documents = phrase("training.no_documents_have_been_read")
        obstacle = no_documents if not self._collections else no_model if not self._models else ""
        self.obstacle.setText(obstacle)
        self.obstacle.setVisible(bool(obstacle))
        self.buttons["make"].setEnabled(not obstacle)
        self.buttons["make"].setAccessibleDescription(obstacle)

    def _on_chosen(self, key: str) -> None:
        if key == "make":
            model = self._models[self.model.currentIndex()]
            self.generation_requested.emit(
                self._collections[self.collection.currentIndex()], self.wanted.value(), model
            )
