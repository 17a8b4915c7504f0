"""Let the user choose documents to add, and the collection to which a folder is added."""

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QComboBox, QWidget

from app.base.wording import phrase
from app.documents import records
from app.documents.records import DocumentCollection
from app.uikit import desktop
from app.uikit.dialogs import Dialog, cancel_or
from app.uikit.theme import Theme
from app.uikit.widgets.labels import plain_tooltip

NAME_WIDTH_PX = 150  # widest name of a collection in the choice


def choose_files(pickers: desktop.Pickers, window: QWidget, folder: str) -> list[Path]:
    """Let the user choose documents, beginning in a folder; [] if the user cancels."""
    known = " ".join(f"*{suffix}" for suffix in records.DOCUMENT_SUFFIXES)
    kinds = f"{phrase('documents.document')} ({known});;{phrase('common.all_files')} (*)"
    return [Path(path) for path in pickers.open_several(window, phrase("documents.choose_files_to_add"), folder, kinds)]


def choose_folder(pickers: desktop.Pickers, window: QWidget, folder: str) -> list[Path]:
    """Let the user choose a folder of documents, beginning in another; [] if the user cancels."""
    path = pickers.folder(window, phrase("documents.choose_a_folder_to_add"), folder)
    return [Path(path)] if path else []


class TargetDialog(Dialog):
    """A dialog that asks to which collection a folder is added."""

    collection_chosen = Signal(object)  # DocumentCollection; None: a new one

    def __init__(self, theme: Theme, new_name: str, collections: Sequence[DocumentCollection], parent: QWidget) -> None:
        self.choice = QComboBox()
        self.choice.setAccessibleName(phrase("documents.collection_to_add_to"))
        metrics, width = self.choice.fontMetrics(), theme.px(NAME_WIDTH_PX)
        for one in (None, *collections):
            name = one.name if one is not None else new_name
            shown = metrics.elidedText(name, Qt.TextElideMode.ElideMiddle, width)
            key = "documents.add_to_name" if one is not None else "documents.a_new_collection_name"
            self.choice.addItem(phrase(key, name=shown), one)
            self.choice.setItemData(self.choice.count() - 1, plain_tooltip(name), Qt.ItemDataRole.ToolTipRole)
        super().__init__(
            theme,
            phrase("documents.where_to_add_the_folder"),
            phrase("documents.a_question_can_be_asked_of_several"),
            cancel_or("add", phrase("common.add")),
            parent,
            content=self.choice,
        )
        self.chosen.connect(self._on_chosen)
        self.choice.setFocus()

    def _on_chosen(self, key: str) -> None:
        if key == "add":
            self.collection_chosen.emit(self.choice.currentData())
