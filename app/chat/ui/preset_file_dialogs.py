"""Dialogs for preset files: choosing a file, choosing what to export, and the problems of an import."""

from collections.abc import Sequence

from PySide6.QtCore import QStandardPaths, Qt
from PySide6.QtGui import QStandardItem, QStandardItemModel
from PySide6.QtWidgets import QFileDialog, QListView, QPlainTextEdit, QWidget

from app.base.errors import AppError
from app.base.wording import describe_error, phrase
from app.chat.presets import Preset
from app.uikit.dialogs import Dialog, DialogButton, scrolled_height
from app.uikit.theme import Theme

LIST_PX = 240
EXPORT_FILE_NAME = "kotae-presets"


def choose_import_path(parent: QWidget) -> str:
    """Return the path of a file to read; "" when the user cancels."""
    start = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DocumentsLocation)
    path, _ = QFileDialog.getOpenFileName(parent, phrase("chat.choose_a_preset_file"), start, _file_types())
    return path


def choose_export_path(parent: QWidget) -> str:
    """Return the path of a file to write; "" when the user cancels."""
    start = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DocumentsLocation)
    dialog = QFileDialog(parent, phrase("chat.export_presets_to"), start, _file_types())
    dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
    dialog.setDefaultSuffix("json")
    dialog.selectFile(EXPORT_FILE_NAME)
    return dialog.selectedFiles()[0] if dialog.exec() else ""


class PresetExportDialog(Dialog):
    """Lets the user choose the presets to export; at first those that other users do not have."""

    def __init__(self, theme: Theme, presets: Sequence[Preset], chosen: Sequence[Preset], parent: QWidget) -> None:
        items = QStandardItemModel()
        for preset in presets:
            item = QStandardItem(preset.name)
            item.setCheckable(True)
            item.setEditable(False)
            item.setCheckState(Qt.CheckState.Checked if preset in chosen else Qt.CheckState.Unchecked)
            items.appendRow(item)
        super().__init__(
            theme,
            phrase("chat.which_presets_should_be_exported"),
            phrase("chat.instructions_and_settings_go_into"),
            (
                DialogButton("cancel", phrase("common.cancel")),
                DialogButton("export", phrase("chat.export"), "primary"),
            ),
            parent,
            content=_list(theme, items, parent),
        )
        self._presets = presets
        self.items = items
        self.items.itemChanged.connect(self._on_item_changed)
        self._on_item_changed()

    def marked(self) -> list[Preset]:
        rows = range(self.items.rowCount())
        return [self._presets[row] for row in rows if self.items.item(row).checkState() == Qt.CheckState.Checked]

    def _on_item_changed(self) -> None:
        self.buttons["export"].setEnabled(bool(self.marked()))


def preset_import_dialog(theme: Theme, added: int, problems: Sequence[AppError], parent: QWidget) -> Dialog:
    """Return a dialog that lists what of a file could not be read, with number and reason."""
    words = phrase("chat.added_were_imported_correct_these")
    text = QPlainTextEdit("\n".join(describe_error(problem).message for problem in problems))
    text.setReadOnly(True)
    text.setProperty("field", True)
    text.setTabChangesFocus(True)
    text.setAccessibleName(phrase("chat.what_could_not_be_imported"))
    text.setFixedHeight(scrolled_height(theme, parent, theme.px(LIST_PX)))
    return Dialog(
        theme,
        phrase("chat.some_presets_could_not_be"),
        words.format(added=added, refused=len(problems)),
        (DialogButton("cancel", phrase("common.close"), is_default=True),),
        parent,
        icon=("triangle-alert", "warning"),
        content=text,
    )


def _list(theme: Theme, items: QStandardItemModel, parent: QWidget) -> QListView:
    view = QListView()
    view.setModel(items)
    view.setProperty("framed", True)
    view.setAccessibleName(phrase("chat.presets_to_export"))
    view.setSpacing(2)
    view.setFixedHeight(scrolled_height(theme, parent, theme.px(LIST_PX)))
    view.setCurrentIndex(items.index(0, 0))
    return view


def _file_types() -> str:
    return phrase("chat.presets_json_all_files")
