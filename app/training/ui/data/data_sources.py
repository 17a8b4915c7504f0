"""Get the rows of a draft: import a file, or generate question-answer pairs from a document collection.

The dialog for pairs asks for the collection, their number and the model, and shows how long the generation takes.
"""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QStandardPaths, Signal
from PySide6.QtWidgets import QComboBox, QSpinBox, QWidget

from app.base import confidentiality
from app.base.errors import AppError
from app.base.services import background
from app.base.services.background import LatestWork
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
from app.training.ui.data.review_list import count_decided
from app.uikit import desktop
from app.uikit.confidentiality_guard import ConfidentialityGuard
from app.uikit.desktop import Pickers
from app.uikit.dialogs import Dialog, cancel_or
from app.uikit.localization import join_facts
from app.uikit.theme import Theme
from app.uikit.widgets.containers import make_column, make_grid
from app.uikit.widgets.labels import Label


class DataSourceController(QObject):
    """Asks for a source of rows and imports or generates them.

    It asks for confirmation before decisions on existing rows would be lost.
    """

    refused = Signal(object)  # AppError
    template_saved = Signal(object)  # Path

    def __init__(
        self,
        theme: Theme,
        work: DraftEditor,
        parent: QWidget,
        *,
        documents: DocumentLibrary,
        library: ModelLibrary,
        generation: DraftPairGeneration,
        guard: ConfidentialityGuard,
        model_id: Callable[[], str | None],
        collect_pairs: Callable[[], Sequence[dict[str, Any]]],
        pickers: Pickers | None = None,
    ) -> None:
        """Create the controller.

        `collect_pairs`: returns the preference pairs that conversations and blind comparisons give; runs in the
        background. `model_id`: returns the id of the model that answers questions now; None if there is none.
        `pickers`: None for the desktop's own file dialogs.
        """
        super().__init__(parent)
        self._theme = theme
        self._work = work
        self._window = parent
        self._documents = documents
        self._library = library
        self._generation = generation
        self._guard = guard
        self._model_id = model_id
        self._collect_pairs = collect_pairs
        self._pickers = pickers or Pickers()
        self._path = Path()  # the file that the user chose last

    # --------------------------------------------------------------------- files

    def choose_file(self) -> None:
        kinds = " ".join(f"*{suffix}" for suffix in file_import.SUFFIXES)
        every = phrase("training.training_data_kinds_all_files", kinds=kinds)
        home = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DocumentsLocation)
        start = str(self._path.parent) if self._path.name else home
        path = self._pickers.open(self._window, phrase("training.choose_a_file_of_training"), start, every)
        if path:
            self.take_file(Path(path))

    def save_template(self) -> None:
        """Ask where to save a workbook to fill in, and save it there."""
        home = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DocumentsLocation)
        start = str(Path(home) / phrase("training.template.file"))
        chosen = self._pickers.save(self._window, phrase("training.save_a_table_to_fill_in"), start, "Excel (*.xlsx)")
        if not chosen:
            return
        path = desktop.complete_suffix(Path(chosen), ".xlsx")
        saved = functools.partial(self.template_saved.emit, path)
        background.run(lambda: file_import.write_template(path), lambda _none: saved(), self.refused.emit)

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
        """Ask for the columns of the file that the user chose last."""
        path = self._path
        background.run(lambda: (path, file_import.read_outline(path)), self._on_outlined, self.refused.emit)

    def _on_outlined(self, outcome: tuple[Path, Outline]) -> None:
        path, outline = outcome
        dialog = ColumnsDialog(self._theme, path.name, outline, self._window)
        read = functools.partial(self._work.import_file, path)
        dialog.ask(lambda: read(dialog.form.mapping))

    # ------------------------------------------------------------ preference pairs

    def take_collected(self) -> None:
        """Collect preference pairs, and import them after consent if some of them are confidential."""
        background.run(self._collect_pairs, self._on_collected, self.refused.emit)

    def _on_collected(self, rows: Sequence[dict[str, Any]]) -> None:
        if not rows:
            self.refused.emit(AppError("no_preference_pairs"))
            return
        label = confidentiality.label_of_rows(rows)

        def take(is_agreed: bool) -> None:
            self._replace(functools.partial(self._import_collected, rows, is_agreed=is_agreed))

        self._guard.ask_before_training(self._window, lambda: label, take)

    def _import_collected(self, rows: Sequence[dict[str, Any]], *, is_agreed: bool) -> None:
        try:
            self._work.import_collected(rows, is_agreed=is_agreed)
        except AppError as error:
            self.refused.emit(error)

    # --------------------------------------------------------------------- pairs

    def ask_pairs(self) -> None:
        if self._generation.is_running:
            self.refused.emit(AppError("pairs_running"))
            return
        collections = [one for one in self._documents.collections() if one.sections]
        models = [model for model in self._library.answering() if model.remote is None]
        dialog = GeneratePairsDialog(self._theme, collections, models, self._model_id(), self._window)
        dialog.ask(lambda: self._generate(*dialog.entered))

    def go_on(self) -> None:
        """Resume an interrupted generation of pairs."""
        request = self._generation.unfinished(self._work.draft.id)
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

    def _generate(self, collection: DocumentCollection, pair_count: int, model: LocalModel) -> None:
        name = self._generation.free_name(self._work.draft.id)
        request = GenerationRequest(collection.id, collection.name, model.id, pair_count, name)
        self._replace(lambda: self._begin(request, collection))

    def _begin(self, request: GenerationRequest, collection: DocumentCollection) -> None:
        draft_id = self._work.draft.id

        def begin(is_agreed: bool) -> None:
            try:
                self._generation.begin(draft_id, request, collection, is_agreed=is_agreed)
            except AppError as error:
                self.refused.emit(error)

        model = self._library.model(request.model_id)
        documents = self._documents.path
        self._guard.ask_before_training(
            self._window,
            lambda: pairs_label_now(documents, collection, model) if model is not None else collection.label,
            begin,
        )

    # ------------------------------------------------------------- private methods

    def _replace(self, act: Callable[[], object]) -> None:
        """Run `act`, after a confirmation if decisions would be lost."""
        decided = count_decided(self._work.curation)
        if not decided:
            act()
            return
        Dialog(
            self._theme,
            phrase("training.replace_the_rows"),
            phrase("training.the_rows_are_replaced_and", n=f"{decided:,}"),
            cancel_or("replace", phrase("training.replace"), is_grave=True),
            self._window,
            icon=("triangle-alert", "warning"),
        ).ask(act)


WIDTH_PX = 560
BOX_PX = 240
TEXT_MARGIN_PX = 7


class GeneratePairsDialog(Dialog):
    """Asks which pairs to generate. Buttons: cancel, make."""

    def __init__(
        self,
        theme: Theme,
        collections: Sequence[DocumentCollection],
        models: Sequence[LocalModel],
        model_id: str | None,
        parent: QWidget,
    ) -> None:
        """Create the dialog.

        `collections`: those with text. `model_id`: the model that answers questions now, which is preselected.
        """
        self.collection = QComboBox()
        self.pair_count = QSpinBox()
        self.model = QComboBox()
        self.collection_facts = Label(role="caption", tone="text2", wraps=True)
        self.model_facts = Label(role="caption", tone="warning", wraps=True)
        self.takes = Label(tone="text2", wraps=True)
        self.obstacle = Label(tone="warning", wraps=True)
        self._judging = LatestWork()
        self._fill(collections, models, model_id)
        super().__init__(
            theme,
            phrase("training.make_questions_and_answers_from"),
            phrase("training.a_model_on_this_pc"),
            cancel_or("make", phrase("training.start")),
            parent,
            content=self._content(theme),
            width_px=WIDTH_PX,
        )
        self.collection.currentIndexChanged.connect(self._show_collection)
        self.model.currentIndexChanged.connect(self._show_model)
        self._show_collection()
        self._show_model()
        self._show_obstacle()
        self.collection.setFocus()

    @property
    def entered(self) -> tuple[DocumentCollection, int, LocalModel]:
        """Return the collection, the number of pairs, and the model that writes them."""
        return self.collection.currentData(), self.pair_count.value(), self.model.currentData()

    # ------------------------------------------------------------- private methods

    def _fill(
        self, collections: Sequence[DocumentCollection], models: Sequence[LocalModel], model_id: str | None
    ) -> None:
        for collection in collections:
            self.collection.addItem(collection.name, collection)
        self.pair_count.setRange(LEAST_PAIRS, MOST_PAIRS)
        self.pair_count.setSingleStep(10)
        self.pair_count.setValue(USUAL_PAIRS)
        self.pair_count.setGroupSeparatorShown(True)
        self.pair_count.lineEdit().setTextMargins(
            TEXT_MARGIN_PX, 0, 0, 0
        )  # the style sheet's padding has no effect here
        for model in models:
            self.model.addItem(model.name, model)
            if model.id == model_id:
                self.model.setCurrentIndex(self.model.count() - 1)

    def _content(self, theme: Theme) -> QWidget:
        content = QWidget()
        grid = make_grid(spacing_px=(12, 6), stretch=1)
        rows: tuple[tuple[str, QComboBox | QSpinBox, Label | None], ...] = (
            (phrase("training.collection"), self.collection, self.collection_facts),
            (phrase("training.pairs"), self.pair_count, None),
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
        one: DocumentCollection | None = self.collection.currentData()
        if one is None:
            self.collection_facts.hide()
            return
        count = phrase("training.n_documents_s_sections", n=f"{one.documents:,}", s=f"{one.sections:,}")
        secret = phrase("training.you_are_asked_before_it") if one.label == "secret" else ""
        self.collection_facts.setText(join_facts(count, phrase(f"common.label.{one.label}"), secret))

    def _show_model(self) -> None:
        self.model_facts.hide()
        self._judging.drop()
        model: LocalModel | None = self.model.currentData()
        if model is None:
            return
        # An error in the file is ignored here: loading the model reports it.
        self._judging.run(lambda: excerpts.is_too_small(model), self._on_judged, lambda _error: None)

    def _on_judged(self, is_too_small: bool) -> None:
        self.model_facts.setText(phrase("training.the_model_is_small_hardly"))
        self.model_facts.setVisible(is_too_small)
        self.fit_height()

    def _show_obstacle(self) -> None:
        obstacle = ""
        if not self.collection.count():
            obstacle = phrase("training.no_documents_have_been_read")
        elif not self.model.count():
            obstacle = phrase("training.there_is_no_model_yet")
        self.obstacle.setText(obstacle)
        self.obstacle.setVisible(bool(obstacle))
        self.buttons["make"].setEnabled(not obstacle)
        self.buttons["make"].setAccessibleDescription(obstacle)
