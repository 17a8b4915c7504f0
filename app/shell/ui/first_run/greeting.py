"""The first run's greeting, and the trial model that is added with one click."""

from app.base.errors import AppError
from app.base.paths import Paths
from app.base.services.preferences import Preferences
from app.chat.ui.page import ChatPage
from app.inference.local_model import LocalModel
from app.models.services.library import ModelLibrary
from app.models.ui.download_desk import DownloadDesk
from app.shell.ui.main_window import MainWindow


def greet(
    window: MainWindow,
    page: ChatPage,
    library: ModelLibrary,
    preferences: Preferences,
    download_desk: DownloadDesk,
    where: Paths,
) -> None:
    """The first run's dialog, at the first start and when it is asked for. Closing it in any way ends the greeting.

    It makes way for the import of a kit, on the page for that, and goes on at the same step, however that ends, unless
    the user has gone to another page meanwhile.
    """
    from app.shell.ui.first_run.dialog import FirstRunDialog  # most starts never need it

    def show() -> FirstRunDialog:
        dialog = FirstRunDialog(window.theme, library, preferences, download_desk, where.models, window)
        dialog.kit_requested.connect(import_kit)
        dialog.example_chosen.connect(page.offer_question)
        dialog.example_chosen.connect(window.show_questions)
        dialog.finished.connect(lambda: _end_greeting(window, library, preferences))
        dialog.open()
        return dialog

    def import_kit() -> None:
        models = window.models_page()
        models.importing.take_over()
        if models.care.choose_import():
            models.care.import_ended.connect(go_on)
        else:
            show().go_on(None)

    def go_on(problem: AppError | None) -> None:
        window.pages.models().care.import_ended.disconnect(go_on)
        is_shown_again = any(dialog.isVisible() for dialog in window.findChildren(FirstRunDialog))
        if window.isVisible() and window.current_page == "models" and not is_shown_again:
            show().go_on(problem)

    show()


def _end_greeting(window: MainWindow, library: ModelLibrary, preferences: Preferences) -> None:
    """A model that is still being added goes on, and is seen on its page."""
    preferences.change(first_run_done=True)
    if library.is_working:
        window.pages.models().importing.take_over()


def start_with_trial(window: MainWindow, library: ModelLibrary) -> None:
    """Adds the trial model where its progress and licence show, then returns to the question if it could be added.

    A bundle has it in a kit of its own, whose folder is asked for.
    """
    if not library.is_starter_available():
        window.models_page().care.choose_import()
        return

    def end(outcome: LocalModel | AppError) -> None:
        library.imported.disconnect(end)
        library.failed.disconnect(end)
        if isinstance(outcome, LocalModel):
            window.show_questions()

    if not library.is_working:
        library.imported.connect(end)
        library.failed.connect(end)
    window.models_page().add_starter()
