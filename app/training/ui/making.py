"""The training environment being made: asked, shown with a way to stop it, and how it ended."""

from pathlib import Path

from PySide6.QtCore import QStandardPaths, Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.base.errors import AppError
from app.base.wording import describe_error, phrase
from app.training.environment.messages import Phase
from app.training.services.training_setup import TrainingSetup
from app.training.ui.asking import MakeDialog
from app.uikit.desktop import Pickers
from app.uikit.theme import Theme
from app.uikit.widgets.banner import Banner
from app.uikit.widgets.progress_row import ProgressRow


class EnvironmentMaking(QWidget):
    """Shown while it is made, and when it could not be. Wherever it was begun, all of these follow."""

    changed = Signal()  # it has begun, or has ended in some way

    def __init__(self, theme: Theme, setup: TrainingSetup, pickers: Pickers) -> None:
        super().__init__()
        self._theme = theme
        self._setup = setup
        self._pickers = pickers
        self._shown = ""  # the step
        self.progress = ProgressRow(theme)
        self.banner = Banner(theme)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self.progress)
        column.addWidget(self.banner)
        self.progress.cancelled.connect(setup.cancel)
        setup.began.connect(self._on_began)
        setup.progressed.connect(self._on_progressed)
        setup.finished.connect(self._on_ended)
        setup.cancelled.connect(self._on_ended)
        setup.kit_written.connect(self._on_kit_written)
        setup.failed.connect(self._on_failed)
        self.banner.closed.connect(self._settle)
        self._settle()
        if setup.is_making:
            self._on_began()

    @property
    def is_shown(self) -> bool:
        """Whether it is being made."""
        return not self.progress.isHidden()

    def ask(self, *_key: object) -> MakeDialog:
        return self._ask(None)

    def ask_offline(self, base: Path | None = None) -> MakeDialog | None:
        """`base`: where it is to be made, if that was chosen. None: no folder of wheels was chosen."""
        home = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.HomeLocation)
        path = self._pickers.folder(self.window(), phrase("training.choose_the_folder_of_a"), home)
        return self._ask(Path(path), base) if path else None

    def say_no(self, what: str, sentence: str) -> None:
        """Why it cannot be made now."""
        self.banner.show_message("warning", what, sentence)
        self._settle()

    # ------------------------------------------------------------------- private

    def _ask(self, wheels: Path | None, base: Path | None = None) -> MakeDialog:
        dialog = MakeDialog(self._theme, self._setup, wheels, self.window(), self._pickers, base)
        dialog.chosen.connect(lambda key: self._on_chosen(key, wheels, dialog.base, dialog.variant))
        dialog.open()
        return dialog

    def _on_chosen(self, key: str, wheels: Path | None, base: Path | None, variant: str) -> None:
        if key == "make":
            self._setup.start(wheels, base, variant)
        elif key == "offline":
            self.ask_offline(base)

    def _on_began(self) -> None:
        self.banner.hide()
        self._shown = self._setup.phase.name
        self.progress.start(phase_words(self._setup.phase), self._setup.elapsed_s)
        self._settle()

    def _on_progressed(self, phase: Phase) -> None:
        if phase.name != self._shown:  # how far it is, is known of some steps only
            self._shown = phase.name
            self.progress.start(phase_words(phase), self._setup.elapsed_s)
        self.progress.say(phase_words(phase))
        self.progress.set_progress(phase.done_bytes, phase.total_bytes, is_brief=True)

    def _on_ended(self) -> None:
        self.progress.finish()
        self._settle()

    def _on_kit_written(self, folder: str) -> None:
        self.progress.finish()
        what = phrase("training.the_training_environment_kit_is")
        sentence = phrase("training.take_the_whole_folder_folder")
        self.banner.show_message("success", what, sentence.format(folder=folder))
        self._settle()

    def _on_failed(self, error: AppError) -> None:
        if not self._setup.is_making:
            self.progress.finish()
        sentence = describe_error(error)
        self.banner.show_message("danger", sentence.message, sentence.next)
        self._settle()

    def _settle(self) -> None:
        """Takes no room while there is nothing to show."""
        self.setVisible(not (self.progress.isHidden() and self.banner.isHidden()))
        self.changed.emit()


def phase_words(phase: Phase) -> str:
    return {
        "prepare": phrase("training.getting_ready_to_make_the"),
        "python": phrase("training.fetching_python"),
        "kit": phrase("training.writing_the_training_environment_kit"),
        "venv": phrase("training.preparing_python_for_the_training"),
        "fetch": phrase("training.collecting_the_parts_of_the", package=phase.package or "…"),
        "install": phrase("training.installing_the_parts_of_the"),
        "check": phrase("training.checking_that_the_training_environment"),
    }[phase.name]
