"""The pages of the window, and what they ask of it. Those other than 質問 are built when they are first shown."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from app.base.paths import Paths
from app.base.services.preferences import Preferences
from app.chat.services.chat import ChatSession
from app.chat.services.conversations import Conversations
from app.chat.services.presets import Presets
from app.chat.ui.conversations.bin_page import BinPage
from app.chat.ui.conversations.search_page import SearchPage
from app.chat.ui.presets.conversation import ConversationSettings
from app.documents.services.documents import Documents
from app.documents.services.embedding import Embedding
from app.evaluation.services.evaluations import Evaluations
from app.inference import child_commands
from app.inference.services.engine import EngineClient
from app.models.catalogue import ModelCard
from app.models.services.library import ModelLibrary
from app.models.services.upkeep import ModelUpkeep
from app.models.ui.download_desk import DownloadDesk
from app.shell.ui.settings.page import SettingsPage
from app.shell.ui.settings.storage import Storage
from app.shell.ui.settings.training import TrainingPanel
from app.training.services.training_setup import TrainingSetup
from app.training.services.trainings import Trainings
from app.training.ui.build import training_page
from app.uikit.navigation import Navigation
from app.uikit.secrecy import Secrecy
from app.uikit.theme import Theme
from app.uikit.widgets.page import Page

if TYPE_CHECKING:
    from app.models.ui.care.build_desk import BuildDesk
    from app.models.ui.page import ModelsPage


@dataclass(frozen=True)
class Services:
    """What the pages work with."""

    preferences: Preferences
    library: ModelLibrary
    session: ChatSession
    conversations: Conversations
    presets: Presets
    engine: EngineClient
    paths: Paths
    upkeep: ModelUpkeep
    download_desk: DownloadDesk
    build_desk: "BuildDesk"
    training_setup: TrainingSetup
    trainings: Trainings
    evaluations: Evaluations
    documents: Documents
    embedding: Embedding

    def is_environment_in_use(self) -> bool:
        """Whether something works with the training environment, which stays as it is then."""
        return self.build_desk.is_running or self.trainings.is_training or self.evaluations.is_running

    def card(self) -> ModelCard | None:
        """Of the model that answers now."""
        model = self.session.model
        return self.library.card(model) if model else None


class Pages(QObject):
    built = Signal(object)  # Page
    ask_requested = Signal()
    restore_requested = Signal(object)  # ids of conversations, out of the bin
    conversation_chosen = Signal(int)
    message_chosen = Signal(int, str)  # a message, and the words it was found by
    search_closed = Signal()
    undo_offered = Signal(str, object)  # what was done, and a function that undoes it
    first_run_requested = Signal()
    problem_occurred = Signal(object)  # AppError
    work_ended = Signal(str, float)  # which kind of work, in words, and the seconds it took
    page_requested = Signal(str)  # a key
    starter_requested = Signal()  # the trial model is to be added
    settings_requested = Signal(str)  # models | network | training: a section of the settings
    reopened = Signal()  # to the pages: the window was closed while a run went on, and is shown again

    def __init__(
        self, theme: Theme, navigation: Navigation, services: Services, chat_page: Page, parent: QObject
    ) -> None:
        super().__init__(parent)
        self.navigation = navigation
        navigation.setParent(self)
        navigation.page_requested.connect(self.page_requested)
        navigation.settings_requested.connect(self.settings_requested)
        navigation.starter_requested.connect(self.starter_requested)
        navigation.restore_requested.connect(self.restore_requested)
        navigation.conversation_requested.connect(self.conversation_chosen)
        navigation.message_requested.connect(self.message_chosen)
        navigation.work_ended.connect(self.work_ended)
        navigation.search_closed.connect(self.search_closed)
        navigation.problem_occurred.connect(self.problem_occurred)
        navigation.undo_offered.connect(self.undo_offered)
        self.reopened.connect(navigation.reopened)
        self._theme = theme
        self._services = services
        self._pages: dict[str, Page] = {"ask": chat_page}
        self._makers: dict[str, Callable[[], Page]] = {
            "documents": self._make_documents,
            "models": self._make_models,
            "training": self._make_training,
            "evaluation": self._make_evaluation,
            "settings": self._make_settings,
            "bin": self._make_bin,
            "search": self._make_search,
            "batch": self._make_batch,
        }

    def page(self, key: str) -> Page:
        """`key`: ask, documents, models, training, evaluation, settings, bin, search or batch."""
        if key not in self._pages:
            self._pages[key] = self._makers[key]()
            self.built.emit(self._pages[key])
        return self._pages[key]

    @property
    def all_built(self) -> list[Page]:
        return list(self._pages.values())

    def models(self) -> "ModelsPage":
        from app.models.ui.page import ModelsPage

        page = self.page("models")
        assert isinstance(page, ModelsPage)
        return page

    def settings(self) -> SettingsPage:
        page = self.page("settings")
        assert isinstance(page, SettingsPage)
        return page

    def search(self) -> SearchPage:
        page = self.page("search")
        assert isinstance(page, SearchPage)
        return page

    def answering(self, parent: QWidget) -> ConversationSettings:
        """A window over `parent`: how the open conversation is answered."""
        of = self._services
        details = of.preferences.value.shows_details
        return ConversationSettings(
            self._theme, of.session, of.presets, of.card(), shows_details=details, parent=parent
        )

    # ------------------------------------------------------------------- private

    def _make_documents(self) -> Page:
        from app.documents.ui.page import DocumentsPage

        return DocumentsPage(self._theme, self.navigation, self._services.documents, self._services.embedding)

    def _make_models(self) -> Page:
        of = self._services
        from app.models.ui.page import ModelsPage

        return ModelsPage(
            self._theme, self.navigation, library=of.library, preferences=of.preferences, engine=of.engine,
            paths=of.paths, upkeep=of.upkeep, download_desk=of.download_desk, build_desk=of.build_desk,
        )  # fmt: skip

    def _make_training(self) -> Page:
        of = self._services
        return training_page(
            self._theme, self.navigation, paths=of.paths, library=of.library, preferences=of.preferences,
            engine=of.engine, session=of.session, documents=of.documents, setup=of.training_setup,
            trainings=of.trainings, is_environment_in_use=of.is_environment_in_use,
        )  # fmt: skip

    def _make_evaluation(self) -> Page:
        from app.evaluation.ui.build import evaluation_page

        of = self._services
        return evaluation_page(
            self._theme, self.navigation, paths=of.paths, preferences=of.preferences, library=of.library,
            documents=of.documents, session=of.session, trainings=of.trainings, evaluations=of.evaluations,
        )  # fmt: skip

    def _make_settings(self) -> Page:
        of = self._services
        downloads = of.download_desk.downloads
        storage = functools.partial(
            Storage, self._theme, of.upkeep, downloads, of.engine, lambda: of.build_desk.is_running
        )
        training = functools.partial(TrainingPanel, self._theme, of.training_setup, of.is_environment_in_use)
        page = SettingsPage(self._theme, of.preferences, of.presets, of.card, of.paths, downloads, storage, training)
        page.undo_offered.connect(self.undo_offered)
        page.first_run_requested.connect(self.first_run_requested)
        return page

    def _make_batch(self) -> Page:
        from app.chat.services.batches import Batches
        from app.chat.ui.batch.page import BatchPage
        from app.uikit.desktop import open_folder

        of = self._services
        batches = Batches(
            of.session, of.library, of.preferences, of.presets, of.engine, child_commands.template(),
            of.paths.documents, of.paths.data / "batch.json", self, of.embedding,
        )  # fmt: skip
        secrecy = Secrecy(self._theme, of.paths.exports_log)
        return BatchPage(self._theme, self.navigation, batches, of.session, of.documents, secrecy, open_folder)

    def _make_bin(self) -> Page:
        return BinPage(self._theme, self.navigation, self._services.conversations)

    def _make_search(self) -> Page:
        return SearchPage(self._theme, self.navigation, self._services.conversations)
