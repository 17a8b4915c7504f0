"""The first run's greeting, and the trial model that is added with one click."""

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from app.base.errors import AppError
from app.base.paths import Paths
from app.base.services.preferences import Preferences
from app.chat.ui.chat_page import ChatPage
from app.inference.local_model import LocalModel
from app.models.services.model_library import ModelLibrary
from app.models.ui.download_controller import DownloadController
from app.shell.ui.main_window import MainWindow

if TYPE_CHECKING:
    from app.shell.ui.first_run_dialog import FirstRunDialog


class FirstRunController(QObject):
    """The first run's dialog, at the first start and when it is asked for. Closing it in any way ends the greeting.

    It makes way for the import of a kit, on the page for that, and goes on at the same step, however that ends, unless
    the user has gone to another page meanwhile.
    """

    def __init__(
        self,
        window: MainWindow,
        page: ChatPage,
        library: ModelLibrary,
        preferences: Preferences,
        download_desk: DownloadController,
        where: Paths,
    ) -> None:
        super().__init__(window)
        self._window = window
        self._page = page
        self._library = library
        self._preferences = preferences
        self._download_desk = download_desk
        self._where = where

    def show(self) -> "FirstRunDialog":
        from app.shell.ui.first_run_dialog import FirstRunDialog  # most starts never need it

        window = self._window
        dialog = FirstRunDialog(
            window.theme, self._library, self._preferences, self._download_desk, self._where.models, window
        )
        dialog.kit_requested.connect(self._import_kit)
        dialog.example_chosen.connect(self._page.offer_question)
        dialog.example_chosen.connect(window.show_questions)
        dialog.finished.connect(self._end)
        dialog.open()
        return dialog

    def _import_kit(self) -> None:
        models = self._window.models_page()
        models.importing.take_over()
        if models.care.choose_import():
            models.care.import_ended.connect(self._go_on)
        else:
            self.show().go_on(None)

    def _go_on(self, problem: AppError | None) -> None:
        from app.shell.ui.first_run_dialog import FirstRunDialog

        window = self._window
        window.pages.models().care.import_ended.disconnect(self._go_on)
        is_shown_again = any(dialog.isVisible() for dialog in window.findChildren(FirstRunDialog))
        if window.isVisible() and window.current_page == "models" and not is_shown_again:
            self.show().go_on(problem)

    def _end(self) -> None:
        """A model that is still being added goes on, and is seen on its page."""
        self._preferences.change(first_run_done=True)
        if self._library.is_working:
            self._window.pages.models().importing.take_over()


def start_with_trial(window: MainWindow, library: ModelLibrary) -> None:
    """Adds the trial model where its progress and licence show, then returns to the question if it could be added.

    A bundle has it in a kit of its own, whose folder is asked for.
    """
    if not library.is_starter_available():
        window.models_page().care.choose_import()
        return

    if not library.is_working:
        _Return(window, library)
    window.models_page().add_starter()


class _Return(QObject):
    """Returns to the question once the model that is being added is there."""

    def __init__(self, window: MainWindow, library: ModelLibrary) -> None:
        super().__init__(window)
        self._window = window
        self._library = library
        library.imported.connect(self._on_ended)
        library.failed.connect(self._on_ended)

    def _on_ended(self, outcome: LocalModel | AppError) -> None:
        self._library.imported.disconnect(self._on_ended)
        self._library.failed.disconnect(self._on_ended)
        self.deleteLater()
        if isinstance(outcome, LocalModel):
            self._window.show_questions()
