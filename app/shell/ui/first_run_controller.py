"""Show the first-run dialog, and add the trial model with one click."""

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from app.base.errors import AppError
from app.base.paths import Paths
from app.base.services.preferences import Preferences
from app.chat.ui.chat_page import ChatPage
from app.documents.services.document_library import DocumentLibrary
from app.documents.services.reading_offers import ReadingOffers
from app.inference.local_model import LocalModel
from app.models.services.model_library import ModelLibrary
from app.models.ui.download_controller import DownloadController
from app.shell.ui.main_window import MainWindow
from app.uikit.page import NavigationSignals

if TYPE_CHECKING:
    from app.shell.ui.first_run_dialog import FirstRunDialog


class FirstRunController(QObject):
    """Shows the first-run dialog at the first start and on request. Closing the dialog ends the first run.

    To import a kit, the dialog closes and the models page shows the import. The dialog then opens again at the same
    step, whatever the outcome, unless the user has gone to another page.
    """

    def __init__(
        self,
        window: MainWindow,
        navigation: NavigationSignals,
        page: ChatPage,
        library: ModelLibrary,
        preferences: Preferences,
        download_desk: DownloadController,
        where: Paths,
        documents: DocumentLibrary,
        offers: ReadingOffers,
    ) -> None:
        super().__init__(window)
        self._navigation = navigation
        self._documents = documents
        self._offers = offers
        self._window = window
        self._page = page
        self._library = library
        self._preferences = preferences
        self._download_desk = download_desk
        self._where = where

    def show(self) -> "FirstRunDialog":
        from app.shell.ui.first_run_dialog import FirstRunDialog  # most starts do not need it

        window = self._window
        dialog = FirstRunDialog(
            window.theme, self._library, self._preferences, self._download_desk, self._where, self._documents,
            self._offers, window,
        )  # fmt: skip
        dialog.asked.connect(lambda scope, question: self._navigation.question_requested.emit(scope, question, True))
        dialog.kit_requested.connect(self._import_kit)
        dialog.example_chosen.connect(self._page.suggest_question)
        dialog.example_chosen.connect(window.show_questions)
        dialog.finished.connect(self._end_first_run)
        dialog.open()
        return dialog

    def _import_kit(self) -> None:
        models = self._window.models_page()
        models.importing.take_over()
        if models.maintenance_strip.choose_import():
            models.maintenance_strip.import_ended.connect(self._on_import_ended)
        else:
            self.show().go_on(None)

    def _on_import_ended(self, problem: AppError | None) -> None:
        from app.shell.ui.first_run_dialog import FirstRunDialog

        window = self._window
        window.pages.models().maintenance_strip.import_ended.disconnect(self._on_import_ended)
        is_shown = any(dialog.isVisible() for dialog in window.findChildren(FirstRunDialog))
        if window.isVisible() and window.current_page == "models" and not is_shown:
            self.show().go_on(problem)

    def _end_first_run(self) -> None:
        """End the first run. If a model is still being added, the models page shows its progress."""
        self._preferences.change(first_run_done=True)
        if self._library.is_working:
            self._window.pages.models().importing.take_over()


def start_with_trial(window: MainWindow, library: ModelLibrary) -> None:
    """Add the trial model, or that of a kit that the user chooses, on the models page, then show 質問."""
    if not library.is_starter_available():
        window.models_page().maintenance_strip.choose_import()
        return

    if not library.is_working:
        _ReturnToQuestions(window, library)
    window.models_page().add_starter()


class _ReturnToQuestions(QObject):
    """Shows the page 質問 once the model is added."""

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
