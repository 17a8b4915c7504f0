"""Define the building blocks of the study dialog: controls, the choices it offers, and the base class of its parts.

Each part is rows of controls for some fields of a StudyRequest. StudyDialogModel collects the choices again each time
that the dialog opens.
"""

from collections.abc import Callable, Container, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import QSize, Signal, SignalInstance
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QCheckBox, QFrame, QGridLayout, QLineEdit, QSizePolicy, QWidget

from app.base.errors import AppError
from app.base.paths import Paths
from app.base.wording import phrase
from app.documents.grounding.grounding_record import CollectionRef
from app.documents.records import DocumentCollection
from app.evaluation import question_sets
from app.evaluation.study import studies
from app.evaluation.ui.study_dialog_rules import KINDS, DialogFiles, DialogOffer
from app.inference.local_model import LocalModel
from app.models import local_models
from app.training.runs import training_list
from app.training.services.training_run import Trainer
from app.uikit.localization import join_facts
from app.uikit.theme import Theme
from app.uikit.widgets.containers import make_column
from app.uikit.widgets.fields import AutoSpin
from app.uikit.widgets.form_rows import CheckRow, Chooser, SettingRow
from app.uikit.widgets.labels import plain_tooltip

LETTERS = 10  # least width of a choice in characters; a tooltip shows longer text
TWO_COLUMNS_PX = 400


class ChoiceBox(Chooser):
    """A drop-down list that takes the available width."""

    changed = Signal()  # the user chose a value

    def __init__(self) -> None:
        super().__init__((), lambda _value: self._on_chosen())
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMinimumContentsLength(LETTERS)
        self.setSizeAdjustPolicy(self.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)

    @property
    def value(self) -> Any:
        """Return the chosen value; None: there is nothing to choose from, or None was chosen."""
        place = self.currentIndex()
        return self._values[place] if place >= 0 else None

    def offer(self, choices: Sequence[tuple[str, Any]], value: Any) -> None:
        """Show the choices; select `value`, or the first if it is not among them. Emits nothing."""
        self.set_choices(choices)
        self.setEnabled(bool(choices))
        if choices:
            self.setCurrentIndex(self._values.index(value) if value in self._values else 0)
        self.setToolTip(plain_tooltip(self.currentText()))

    def _on_chosen(self) -> None:
        self.setToolTip(plain_tooltip(self.currentText()))
        self.changed.emit()


class CheckRows(QFrame):
    """Framed rows with check boxes; in two columns if there is room and `is_short`."""

    def __init__(self, theme: Theme, changed: SignalInstance, *, is_short: bool = False) -> None:
        """Create the empty frame. `changed`: emitted when the user checks or unchecks a row."""
        super().__init__()
        self._changed = changed
        self.setProperty("surface", "card")
        self._theme = theme
        self._is_short = is_short
        self._columns = 0
        self.rows: dict[str, CheckRow] = {}
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(1, 3, 1, 3)
        self._grid.setSpacing(0)

    def minimumSizeHint(self) -> QSize:
        return QSize(0, super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._lay_out()

    def show_rows(
        self, rows: Sequence[tuple[str, str, str]], marked: Container[str], fixed: Container[str] = ()
    ) -> None:
        """Replace the rows. `rows`: key, name and facts of each.

        `marked`: keys of the checked rows. `fixed`: keys that the user cannot change.
        """
        for old in self.rows.values():
            old.hide()
            old.deleteLater()
        self.rows = {}
        for key, title, facts in rows:
            row = CheckRow(title, facts, is_checked=key in marked, is_fixed=key in fixed)
            row.toggled.connect(self._changed)
            self.rows[key] = row
        self._columns = 0
        self._lay_out()

    def marked(self) -> list[str]:
        """Return the keys of the checked rows, in the order of the rows."""
        return [key for key, row in self.rows.items() if row.is_checked]

    def _lay_out(self) -> None:
        columns = 2 if self._is_short and self.width() >= self._theme.px(TWO_COLUMNS_PX) else 1
        if columns == self._columns:
            return
        self._columns = columns
        for place, row in enumerate(self.rows.values()):
            self._grid.addWidget(row, place // columns, place % columns)
            row.show()
        for column in range(2):
            self._grid.setColumnStretch(column, 1 if column < columns else 0)


class DialogPart(QWidget):
    changed = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.rows: list[SettingRow] = []
        self._column = make_column(into=self, spacing_px=14)

    def request_fields(self) -> dict[str, Any]:
        """Return the user's choices as fields of a StudyRequest or of its AnswerParameters."""
        raise NotImplementedError

    def set_stacked(self, is_stacked: bool) -> None:
        for row in self.rows:
            row.set_stacked(is_stacked)

    def _number(
        self,
        limits: tuple[float, float],
        default: tuple[str, float | None],
        *,
        unit: str = "",
        step: float = 1,
        decimals: int = 0,
    ) -> AutoSpin:
        """Return a number field.

        `limits`: lowest and highest number. `default`: the text for no number, and the number from which stepping
        starts.
        """
        spin = AutoSpin(*limits, step, decimals, unit, lambda _value: self.changed.emit())
        spin.show_auto(*default)
        spin.show_number(None)
        return spin

    def _add_scope(self, collections: Sequence[DocumentCollection]) -> None:
        """Add the choice of documents, which is hidden if there are none."""
        self.scope = CheckRows(self._theme, self.changed)
        self.scope.show_rows(collection_rows(collections), ())
        words = phrase("evaluation.documents_given_to_them"), phrase("evaluation.with_none_they_answer_without")
        self._add(words[0], self.scope, words[1]).setVisible(bool(collections))

    def _add(self, name: str, control: QWidget, sentence: str = "") -> SettingRow:
        """Add a row; what the user changes in its control changes the part, after the control's own slots."""
        match control:
            case ChoiceBox():
                control.changed.connect(self.changed)
            case QLineEdit():
                control.textChanged.connect(self.changed)
            case QCheckBox():
                control.toggled.connect(self.changed)
        row = SettingRow(self._theme, name, control, sentence, is_wide=True)
        self.rows.append(row)
        self._column.addWidget(row)
        return row


def collection_rows(collections: Sequence[DocumentCollection]) -> list[tuple[str, str, str]]:
    """Return the collections as rows for `CheckRows`; the key of a row is the collection's name, which is unique."""
    return [
        (
            one.name,
            one.name,
            join_facts(phrase(f"common.label.{one.label}"), phrase("evaluation.n_documents", n=f"{one.documents:,}")),
        )
        for one in collections
    ]


def scope_of(collections: Sequence[DocumentCollection], names: Sequence[str]) -> tuple[CollectionRef, ...]:
    return tuple(CollectionRef(one.id, one.name) for one in collections if one.name in names)


class StudyDialogModel:
    """Collects the choices of the dialog. `look` and `trainer` read files and must run in the background."""

    def __init__(
        self,
        paths: Paths,
        *,
        models: Callable[[], Sequence[LocalModel]],
        collections: Callable[[], Sequence[DocumentCollection]],
        context_tokens: Callable[[], int],
        current_model_id: Callable[[], str],
        locate: Callable[[], Trainer],
    ) -> None:
        """Set where the choices come from.

        `current_model_id`: returns the id of the model in use; "": none. `locate`: `training_run.locate_trainer`.
        """
        self.paths = paths
        self.models = models
        self.collections = collections
        self._context_tokens = context_tokens
        self._current_model_id = current_model_id
        self._locate = locate

    def look(self) -> DialogFiles:
        """Read what `offer` needs."""
        for model in self.models():
            local_models.thinking_of(model)  # reads the file of one with its own template, and remembers it
        names = [phrase(f"evaluation.study_kind.{kind}") for kind in KINDS]
        return DialogFiles(
            [one for one in question_sets.list_all(self.paths.questions) if one.versions],
            training_list.list_splits(self.paths),
            dict(zip(KINDS, studies.free_names(self.paths.evaluations, names), strict=True)),
            len(question_sets.shipped().questions),
            self.trainer() is not None,
        )

    def trainer(self) -> Trainer | None:
        """Return the training environment; None if there is none."""
        try:
            return self._locate()
        except AppError:
            return None

    def offer(self, files: DialogFiles) -> DialogOffer:
        """Return the choices of the dialog. `files`: the result of `look`."""
        models = tuple(self.models())
        return DialogOffer(
            models=models,
            names=local_models.distinct_names(models),
            collections=tuple(one for one in self.collections() if one.documents),
            files=files,
            context_tokens=self._context_tokens(),
            current_model_id=self._current_model_id(),
            missing=frozenset(one.id for one in models if not _is_there(one)),
        )


def _is_there(model: LocalModel) -> bool:
    return all(Path(path).is_file() for path in (model.path, model.adapter) if path)
