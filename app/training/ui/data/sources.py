"""Where the rows of a planned training come from: a file that is chosen, or pairs that are made from a collection."""

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, QStandardPaths, Signal
from PySide6.QtWidgets import QWidget

from app.base.errors import AppError
from app.base.services import background
from app.base.tables.column_mapping import ColumnMapping
from app.base.wording import phrase
from app.documents.records import DocumentCollection
from app.documents.services.document_library import DocumentLibrary
from app.inference.local_model import LocalModel
from app.models.services.model_library import ModelLibrary
from app.training.data import reading
from app.training.data.curation import State
from app.training.generation.wish import Wish
from app.training.services.generation import label_now
from app.training.services.pair_making import PairMaking
from app.training.services.training_draft import TrainingDraft
from app.training.ui.data.columns import ColumnsDialog, Outline
from app.training.ui.data.generate import GenerateDialog
from app.uikit.confidentiality_guard import ConfidentialityGuard
from app.uikit.desktop import Pickers
from app.uikit.dialogs import Dialog, DialogButton
from app.uikit.theme import Theme

DECIDED: tuple[State, ...] = ("accepted", "edited", "rejected")


class Sources(QObject):
    """Asks, and then has it done; what rows there are, and what was decided of them, is only replaced after a yes."""

    refused = Signal(object)  # AppError

    def __init__(
        self,
        theme: Theme,
        work: TrainingDraft,
        parent: QWidget,
        *,
        documents: DocumentLibrary,
        library: ModelLibrary,
        making: PairMaking,
        secrecy: ConfidentialityGuard,
        model_id: Callable[[], str | None],
        pickers: Pickers | None = None,
    ) -> None:
        """`model_id`: of the model that answers questions now. `pickers`: None for the desktop's own windows."""
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
        self._path = Path()  # of the file that was asked for last
        self.dialog: Dialog | None = None  # the last one that was opened

    # --------------------------------------------------------------------- files

    def choose_file(self) -> None:
        kinds = " ".join(f"*{suffix}" for suffix in reading.SUFFIXES)
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
        """The file of the rows, otherwise than before."""
        data = self._work.draft.data
        if data is not None:
            self._path = path = Path(data.file)
            self._replace(lambda: self._work.import_file(path, mapping))

    def ask_columns(self) -> None:
        """Of the file that was asked for last."""
        path = self._path
        background.run(lambda: (path, reading.outline(path)), self._on_outlined, self._on_refused)

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
        dialog = GenerateDialog(self._theme, collections, models, self._model_id(), self._window)
        dialog.wished.connect(self._on_wished)
        self._open(dialog)

    def go_on(self) -> None:
        """With pairs that were wanted and are not finished."""
        wish = self._making.unfinished(self._work.draft.id)
        if wish is None:
            return
        there = self._documents.collections()
        found = next((one for one in there if (one.id, one.name) == (wish.collection_id, wish.collection)), None)
        if found is None:
            self.refused.emit(AppError("pairs_collection_gone", name=wish.collection))
        else:
            self._begin(wish, found)

    def _on_wished(self, collection: DocumentCollection, wanted: int, model: LocalModel) -> None:
        name = self._making.free_name(self._work.draft.id)
        wish = Wish(collection.id, collection.name, model.id, wanted, name)
        self._replace(lambda: self._begin(wish, collection))

    def _begin(self, wish: Wish, collection: DocumentCollection) -> None:
        draft_id = self._work.draft.id

        def begin(is_agreed: bool) -> None:
            try:
                self._making.begin(draft_id, wish, collection, is_agreed=is_agreed)
            except AppError as error:
                self.refused.emit(error)

        model = self._library.model(wish.model_id)
        documents = self._documents.path
        self._secrecy.train(
            self._window,
            lambda: label_now(documents, collection, model) if model is not None else collection.label,
            begin,
        )

    # ------------------------------------------------------------------- private

    def _replace(self, act: Callable[[], object]) -> None:
        """Asks first where somebody's decisions would be lost."""
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
