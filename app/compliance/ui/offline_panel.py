"""Show the offline check in the settings: start it, show its progress and its outcome."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget

from app.base.errors import AppError
from app.base.wording import describe_error, phrase
from app.compliance.offline_check.records import STAGES, CheckOutcome
from app.compliance.services.offline_check import OfflineCheck
from app.uikit.desktop import open_file, open_folder
from app.uikit.theme import Theme
from app.uikit.widgets.banner import Banner
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import FlowBox, make_column
from app.uikit.widgets.progress_row import ProgressRow

_LEVELS = {"clean": "success", "limited": "success", "incomplete": "warning", "leak": "danger"}


class OfflineCheckPanel(QWidget):
    """The part of the settings for the offline check."""

    def __init__(self, theme: Theme, check: OfflineCheck) -> None:
        super().__init__()
        self._theme = theme
        self._check = check
        self._build()
        self._connect()

    def show_outcome(self, outcome: CheckOutcome) -> None:
        self._end_progress()
        self.banner.show_message(_LEVELS[outcome.verdict], outcome.title, outcome.about)

    def _build(self) -> None:
        self.button = Button(self._theme, phrase("compliance.check"), icon="shield-check")
        self.report_button = Button(self._theme, phrase("common.open_the_report"))
        self.folder_button = Button(self._theme, phrase("common.open_the_folder"), icon="folder-open")
        self.progress = ProgressRow(self._theme)
        self.banner = Banner(self._theme)
        column = make_column(into=self, spacing_px=6)
        for widget in (FlowBox(self.button, self.report_button, self.folder_button), self.progress, self.banner):
            column.addWidget(widget)
        self.setFocusProxy(self.button)
        self._show_buttons(is_idle=True)

    def _connect(self) -> None:
        self.button.clicked.connect(self.start)
        self.progress.cancelled.connect(self._on_cancelled)
        self.report_button.clicked.connect(lambda: open_file(self._check.report_path))
        self.folder_button.clicked.connect(lambda: open_folder(self._check.report_path.parent))
        self._check.stage_changed.connect(self._on_stage_changed)
        self._check.finished.connect(self.show_outcome)
        self._check.failed.connect(self._on_failed)
        self._check.cancelled.connect(self._end_progress)

    def start(self) -> None:
        if not self._check.is_running:
            self.banner.hide()
            self.progress.start(phrase("compliance.checking"))
            if self.button.hasFocus():  # otherwise Qt moves the focus to the next setting, which keys could change
                self.progress.cancel_button.setFocus()
            self._show_buttons(is_idle=False)  # the progress row is shown instead
            self._check.start()

    def _on_stage_changed(self, stage: str, done: float) -> None:
        self.progress.say(phrase(f"compliance.offline_part.{stage}"))
        self.progress.set_progress(round(STAGES.index(stage) + done), len(STAGES))

    def _on_cancelled(self) -> None:
        """Cancel the check, and move the focus from the disabled button to its row."""
        self.progress.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.progress.setFocus()
        self._check.cancel()

    def _on_failed(self, error: AppError) -> None:
        self._end_progress()
        sentence = describe_error(error)
        self.banner.show_message("warning", sentence.message, sentence.next)

    def _end_progress(self) -> None:
        has_focus = self.progress.hasFocus() or self.progress.cancel_button.hasFocus()
        self._show_buttons(is_idle=True)
        if has_focus:
            self.button.setFocus()
        self.progress.finish()
        self.progress.setFocusPolicy(Qt.FocusPolicy.NoFocus)

    def _show_buttons(self, *, is_idle: bool) -> None:
        """Show or hide the buttons; those for the page of the last check only if it exists."""
        has_report = self._check.report_path.is_file()
        self.button.setVisible(is_idle)
        for button in (self.report_button, self.folder_button):
            button.setVisible(is_idle and has_report)
