"""Show the whole problem report before the user saves it. Nothing is sent, and only the shown text is saved."""

import time
from collections.abc import Collection
from pathlib import Path

import PySide6
from PySide6.QtCore import QStandardPaths, Qt, qVersion
from PySide6.QtWidgets import QDialog, QPlainTextEdit, QWidget

from app.base import confidentiality
from app.base.errors import AppError
from app.base.paths import Paths
from app.base.services import background
from app.base.wording import describe_error, phrase
from app.compliance import problem_report
from app.uikit import clipboard_guard
from app.uikit.desktop import Pickers
from app.uikit.dialogs import fit_to_parent
from app.uikit.localization import make_breakable
from app.uikit.theme import Theme
from app.uikit.widgets.banner import Banner
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import FlowBox, make_column
from app.uikit.widgets.labels import Label

SIZE_PX = (760, 540)


class ReportWindow(QDialog):
    """The window of a problem report. A background thread composes the text; until then it cannot be saved."""

    def __init__(
        self,
        theme: Theme,
        where: Paths,
        shown_presets: Collection[str],
        parent: QWidget,
        pickers: Pickers | None = None,
    ) -> None:
        """Compose the report in the background. `shown_presets`: ids of presets that the report may name."""
        super().__init__(parent)
        self.setWindowTitle(phrase("compliance.problem_report"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._theme = theme
        self._pickers = pickers or Pickers()
        self._build()
        self._connect()
        versions = {"Qt": qVersion(), "PySide6": PySide6.__version__}
        background.run(
            lambda: problem_report.compose(where, time.time(), versions, shown_presets),
            self._on_composed,
            self._on_failed,
        )

    def label_now(self) -> confidentiality.Label:
        return confidentiality.LABELS[0]  # the text is scrubbed, and the user has seen it

    def _build(self) -> None:
        self.text = QPlainTextEdit()
        self.text.setReadOnly(True)
        self.text.setProperty("field", True)
        self.text.setTabChangesFocus(True)
        self.text.setAccessibleName(phrase("compliance.text_of_the_report"))
        self.text.setFont(self._theme.font("mono"))
        self.banner = Banner(self._theme)
        self.state = Label(phrase("compliance.collecting"), tone="muted")
        self.copy_button = Button(self._theme, phrase("common.copy"), icon="copy")
        self.close_button = Button(self._theme, phrase("common.close"))
        self.save_button = Button(self._theme, phrase("compliance.save"), "primary")
        for button in (self.copy_button, self.save_button):
            button.setEnabled(False)
        make_column(
            Label(phrase("compliance.this_is_what_will_be"), "heading3", wraps=True),
            Label(phrase("compliance.it_holds_no_text_or"), tone="text2", wraps=True),
            (self.text, 1),
            self.banner,
            self.state,
            FlowBox(self.save_button, self.copy_button, self.close_button),
            into=self,
            margins_px=(24, 20, 24, 20),
            spacing_px=12,
        )
        fit_to_parent(self, self._theme, SIZE_PX)

    def _connect(self) -> None:
        self.save_button.clicked.connect(self._save)
        self.copy_button.clicked.connect(lambda: clipboard_guard.copy_text(self, self.text.toPlainText()))
        self.close_button.clicked.connect(self.close)

    def _on_composed(self, text: str) -> None:
        self.text.setPlainText(text)
        self.state.hide()
        for button in (self.copy_button, self.save_button):
            button.setEnabled(True)

    def _on_failed(self, error: AppError) -> None:
        self.state.hide()
        sentence = describe_error(error)
        self.banner.show_message("danger", sentence.message, sentence.next)

    def _save(self) -> None:
        folder = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DocumentsLocation)
        start = str(Path(folder) / problem_report.file_name(time.time()))
        path = self._pickers.save(
            self, phrase("compliance.where_to_save_the_report"), start, phrase("compliance.text_txt")
        )
        if not path:
            return
        try:
            problem_report.save(self.text.toPlainText(), Path(path))
        except AppError as error:
            self._on_failed(error)
            return
        what = phrase("compliance.saved_nothing_was_sent")
        self.banner.show_message("success", what, phrase("compliance.place_path", path=make_breakable(path)))
