"""What is asked of the user around adding and using a model, by the page モデル and by the first run."""

from PySide6.QtCore import QStandardPaths, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QFileDialog, QWidget

from app.base.wording import phrase
from app.inference.local_model import LocalModel
from app.uikit.dialogs import Dialog, DialogButton
from app.uikit.theme import Theme


def choose_gguf_file(parent: QWidget) -> str:
    """The path of the chosen file, "" when none was chosen."""
    start = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DownloadLocation)
    kinds = phrase("models.gguf_files_gguf_all_files")
    path, _ = QFileDialog.getOpenFileName(parent, phrase("models.choose_a_gguf_file"), start, kinds)
    return path


def consent_dialog(theme: Theme, parent: QWidget) -> Dialog:
    """Whether a file's own chat template may run. `chosen` says allow, plain or cancel."""
    return Dialog(
        theme,
        phrase("models.this_file_brings_its_authors"),
        phrase("models.in_isolation_a_separate_process"),
        (
            DialogButton("plain", phrase("models.do_without_it")),
            DialogButton("allow", phrase("models.use_it_in_isolation"), "primary", is_default=True),
        ),
        parent,
        icon=("file-text", "text2"),
    )


def licence_dialog(theme: Theme, url: str, parent: QWidget) -> Dialog:
    """Asks before the text of a licence is opened outside the program."""
    dialog = Dialog(
        theme,
        phrase("models.open_the_licence_in_the"),
        phrase("models.this_connects_to_the_internet", url=url),
        (
            DialogButton("cancel", phrase("common.cancel"), is_default=True),
            DialogButton("open", phrase("common.open_in_the_browser")),
        ),
        parent,
    )
    dialog.chosen.connect(lambda key: QDesktopServices.openUrl(QUrl(url)) if key == "open" else None)
    return dialog


def removal_dialog(theme: Theme, model: LocalModel, parent: QWidget) -> Dialog:
    """`chosen` says remove or cancel."""
    body = phrase("models.the_file_stays_path_to")
    return Dialog(
        theme,
        phrase("models.take_name_off_the_list", name=model.name),
        body.format(path=model.path),
        (
            DialogButton("cancel", phrase("common.cancel"), is_default=True),
            DialogButton("remove", phrase("models.take_off_the_list_2"), "danger_fill"),
        ),
        parent,
    )
