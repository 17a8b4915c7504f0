"""A part of the dialog: rows of controls that become fields of the wish."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QCoreApplication, Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.documents.claims.grounding import CollectionRef
from app.documents.records import Collection
from app.evaluation.question_sets import KeptSet
from app.evaluation.ui.start import words
from app.inference.local_model import LocalModel
from app.uikit.language import joined
from app.uikit.phrases import gigabytes, label
from app.uikit.theme import Theme
from app.uikit.widgets.setting_rows import SettingRow

translate = QCoreApplication.translate


@dataclass(frozen=True, slots=True)
class Offer:
    """What there is to choose from, as it was when the dialog was opened."""

    models: Sequence[LocalModel]
    names: Mapping[str, str]  # by a model's id, no two alike
    collections: Sequence[Collection]
    sets: Sequence[KeptSet]  # those that can be read
    context_tokens: int
    current_model_id: str
    has_trainer: bool
    missing: frozenset[str] = frozenset()  # ids of models whose files are gone

    def name(self, model: LocalModel) -> str:
        """× is said at the foot when it is chosen; words would leave no room for a long name."""
        return f"× {self.names[model.id]}" if self.lack(model) else self.names[model.id]

    def lack(self, model: LocalModel) -> str:
        if model.remote is not None:
            return translate("Evaluation", "LAN のサーバーのモデルは測れません")
        return translate("Evaluation", "ファイルがありません") if model.id in self.missing else ""

    def facts(self, model: LocalModel) -> str:
        return self.lack(model) or joined(model.quantization, gigabytes(model.size_bytes) if model.size_bytes else "")


class Part(QWidget):
    changed = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.rows: list[SettingRow] = []
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(14)

    def wish(self) -> dict[str, Any]:
        """Fields of a StudyWish."""
        raise NotImplementedError

    def set_stacked(self, is_stacked: bool) -> None:
        for row in self.rows:
            row.set_stacked(is_stacked)

    def _add(self, name: str, control: QWidget, sentence: str = "") -> SettingRow:
        row = SettingRow(self._theme, name, control, sentence, is_wide=True)
        self.rows.append(row)
        self._column.addWidget(row)
        return row


def collection_rows(collections: Sequence[Collection]) -> list[tuple[str, str, str]]:
    """For `Checks`: the key is the name, which no two share."""
    return [(one.name, one.name, joined(label(one.label), words.documents(one.documents))) for one in collections]


def scope_of(collections: Sequence[Collection], names: Sequence[str]) -> tuple[CollectionRef, ...]:
    return tuple(CollectionRef(one.id, one.name) for one in collections if one.name in names)
