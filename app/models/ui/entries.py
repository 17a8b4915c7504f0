"""The models of this machine and those of the catalogue, as one list."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, Qt

from app.base.wording import phrase
from app.inference.local_model import LocalModel
from app.models import local_models
from app.models.catalogue import ModelCard
from app.models.services.downloads import Download
from app.models.ui.fits import Judged

EntryRole = Qt.ItemDataRole.UserRole + 1

Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True, slots=True)
class Entry:
    """A local model (with its card, if it has one), a card without a file, or a heading (neither)."""

    title: str
    model: LocalModel | None = None
    card: ModelCard | None = None
    is_used: bool = False  # questions go to this model
    judged: Mapping[str, Judged] = field(default_factory=dict)  # by quantization; empty: not known
    quantization: str = ""  # of the file at hand, else of the one on its way, else the usual one of the card
    download: Download | None = None  # of a file of the card

    @property
    def key(self) -> str:
        """Tells entries apart while the list changes."""
        if self.model is not None:
            return f"model:{self.model.id}"
        return f"card:{self.card.id}" if self.card is not None else ""

    @property
    def usual(self) -> Judged | None:
        return self.judged.get(self.quantization)

    @property
    def is_tuned(self) -> bool:
        return self.model is not None and self.model.tuned is not None

    @property
    def is_remote(self) -> bool:
        return self.model is not None and self.model.remote is not None

    @property
    def has_adapter(self) -> bool:
        """Of its own, on the file of its base."""
        return self.model is not None and bool(self.model.adapter)

    @property
    def is_for_search(self) -> bool:
        if self.model is not None:
            return local_models.is_for_search(self.model)
        return self.card is not None and self.card.kind == "embedding"

    def speaks_of(self, words: str) -> bool:
        """Return whether every word that is looked for stands in the description of the model."""
        card, model = self.card, self.model
        described = [self.title]
        if card is not None:
            described += [card.id, card.summary, card.licence, card.size_label, card.base_model]
        if model is not None:
            described += [model.path, model.architecture, model.quantization]
            described += [model.tuned.base_name, model.tuned.run_name] if model.tuned is not None else []
        text = "\n".join(described).casefold()
        return all(word in text for word in words.casefold().split())


class ModelList(QAbstractListModel):
    def __init__(self) -> None:
        super().__init__()
        self._entries: list[Entry] = []

    def set_entries(self, local: Sequence[Entry], cards: Sequence[Entry]) -> None:
        """Cards that are being downloaded stand above all others."""
        coming = [entry for entry in cards if entry.download is not None]
        cards = [entry for entry in cards if entry.download is None]
        self.beginResetModel()
        self._entries = []
        if coming:
            self._entries += [Entry(phrase("models.download")), *coming]
        here, elsewhere = [one for one in local if not one.is_remote], [one for one in local if one.is_remote]
        if here:
            self._entries += [Entry(phrase("models.models_on_this_pc")), *here]
        if elsewhere:
            self._entries += [Entry(phrase("models.models_of_servers_in_the")), *elsewhere]
        if cards:
            self._entries += [Entry(phrase("models.models_you_can_add")), *cards]
        self.endResetModel()

    def downloading(self) -> list[QModelIndex]:
        return [self.index(row) for row, entry in enumerate(self._entries) if entry.download is not None]

    def entry(self, index: Index) -> Entry | None:
        return self._entries[index.row()] if index.isValid() else None

    def index_of(self, key: str) -> QModelIndex:
        """The entry of that key, else the first that is no heading; invalid in an empty list."""
        rows = [row for row, entry in enumerate(self._entries) if entry.key]
        row = next((row for row in rows if self._entries[row].key == key), rows[0] if rows else -1)
        return self.index(row) if row >= 0 else QModelIndex()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 (Qt's signature)
        return 0 if parent.isValid() else len(self._entries)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        entry = self._entries[index.row()]
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return entry.title
        return entry if role == EntryRole else None

    def flags(self, index: Index) -> Qt.ItemFlag:
        if not self._entries[index.row()].key:
            return Qt.ItemFlag.NoItemFlags
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
