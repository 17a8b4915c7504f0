"""Build every object of the window and connect them: the composition root.

The module is over 450 lines long because it alone names all of these objects.
"""

import dataclasses
import functools
import gc
import json
import logging
import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import psutil
from PySide6.QtCore import QCoreApplication, QObject, Qt, QTimer

from app.base import paths, programs, wording
from app.base.confidentiality import Label
from app.base.errors import AppError
from app.base.files.day_record import DayRecord
from app.base.isolation import network_guard
from app.base.paths import Paths
from app.base.services import background
from app.base.services.child_process import ChildExit
from app.base.services.preferences import Preferences
from app.base.settings import Settings
from app.base.wording import describe_error
from app.chat import conversation_privacy
from app.chat.services.chat_session import ChatSession, ModelPreloader
from app.chat.services.conversation_transfer import ConversationTransfer
from app.chat.services.conversations import Conversations
from app.chat.services.preset_library import PresetLibrary
from app.chat.store import Store
from app.chat.ui.asking_notices import AskingNotices
from app.chat.ui.chat_notices import ModelAvailability
from app.chat.ui.chat_page import ChatPage
from app.chat.ui.conversations.bin_page import BinPage
from app.chat.ui.conversations.search_page import SearchPage
from app.chat.ui.conversations.transfer_controller import TransferController
from app.chat.ui.preset_editor import ConversationSettings
from app.documents.grounding.grounding_record import CollectionRef
from app.documents.library import collections_now
from app.documents.overview.result_table import OverviewRequest
from app.documents.retrieval import excerpts
from app.documents.services.document_library import DocumentLibrary
from app.documents.services.embedding import Embedding
from app.documents.services.ocr_setup import OcrSetup
from app.documents.services.reading_offers import ReadingOffers
from app.documents.whole_document import ReadingPlace
from app.evaluation.services.evaluations import Evaluations
from app.inference import child_commands
from app.inference.services.engine import EngineClient
from app.models import catalogue, models_folder
from app.models.catalogue import ModelCard
from app.models.services.downloads import Downloads
from app.models.services.maintenance import ModelMaintenance
from app.models.services.model_library import ModelLibrary
from app.models.ui.build_views import BuildController
from app.models.ui.download_controller import DownloadController
from app.models.ui.work_progress import StartOffers
from app.shell.services import housekeeping, lifecycle
from app.shell.services.housekeeping import GarbageCollector
from app.shell.services.lifecycle import ProgramStart, SignalHandlers
from app.shell.services.pause_for_questions import PauseForQuestions
from app.shell.ui import window_layout
from app.shell.ui.background_work import CloseGuard, Notifier
from app.shell.ui.first_run_controller import FirstRunController, start_with_trial
from app.shell.ui.main_window import MainWindow, PageBuilder, Pages
from app.shell.ui.settings.page import SettingsPage
from app.shell.ui.settings.storage import ModelsFolderPanel
from app.shell.ui.settings.training import TrainingPanel
from app.shell.ui.start_notice import apply_safe_mode, open_store, report_bugs, show_notices
from app.shell.ui.window_layout import WindowGeometry
from app.training.runs import lineage
from app.training.services import training_run
from app.training.services.environment_setup import EnvironmentSetup
from app.training.services.training_run import Trainer
from app.training.services.training_runner import TrainingRunner
from app.training.ui.install_environment_flow import InstallEnvironmentFlow
from app.uikit import desktop, dialogs, localization
from app.uikit.clipboard_guard import ClipboardGuard
from app.uikit.confidentiality_guard import ConfidentialityGuard
from app.uikit.page import ListDetailPage, NavigationSignals
from app.uikit.theme import Theme, unstyled

SWITCH_S = 0.0002  # seconds the window's thread waits for one that computes, at each call from Qt; Python's own: 0.005
DOCUMENTS_AFTER_MS = 1500  # after the window is shown, because a migration of the database may take time

if TYPE_CHECKING:
    from app.chat.services.document_summary import SummaryRun
    from app.models.services.build_runner import BuildRunner

log = logging.getLogger("kotae")


class AppContext:
    """Create every object that lives as long as the window, and connect them.

    Creating them shows nothing and starts no child process. Pages other than 質問 are built when they are first shown,
    because most starts never need them.
    """

    def __init__(self, where: Paths, theme: Theme, preferences: Preferences, database: Store) -> None:
        self.paths = where
        self.theme = theme
        self.store = database
        self.preferences = preferences
        self.navigation = NavigationSignals()
        self.engine = EngineClient(child_commands.engine(where.prefix_states), where.logs / "engine.log")
        self.library = ModelLibrary(database, where.models)
        self.conversations = Conversations(database)
        self.presets = PresetLibrary(database)
        self.embedding = Embedding(child_commands.engine(), where.logs, where.documents)
        self.session = ChatSession(
            database, self.conversations, self.presets, self.engine, self.library, preferences,
            where.documents, embedding=self.embedding, learned=lineage.answer_details,
        )  # fmt: skip
        self.preload = ModelPreloader(self.session, self.engine, preferences, self.session, self.embedding)
        self.documents = DocumentLibrary(where.documents, programs.reader_command(where.documents), where.logs)
        self.reading_offers = ReadingOffers(self.documents, self.documents)
        self.page = ChatPage(
            theme, self.navigation, self.session, self.conversations, self.presets, self.library, preferences,
            self.documents,
        )  # fmt: skip
        self.maintenance = ModelMaintenance(
            database, self.library, self.presets, preferences, where,
            functools.partial(lineage.label_of_model, where.documents),
        )  # fmt: skip
        self.downloads = Downloads(
            self.library, preferences, programs.downloader_command(), where.logs / "download.log", where.downloads
        )
        self.download_controller = DownloadController(theme, self.navigation, self.downloads, preferences, self.page)
        self.ocr_setup = OcrSetup(
            preferences, programs.downloader_command(), where.documents, where.logs, self.downloads.proxy, self.page
        )
        self.training_setup = EnvironmentSetup(
            preferences, programs.training_setup_command(), where.data, where.logs, self.downloads.proxy, self.page
        )
        self.training_setup.is_in_use = self.is_environment_in_use
        self.build_controller = BuildController(
            lambda: _builds(where, self.library),
            lambda: self.maintenance.models_folder,
            lambda theme, pickers: InstallEnvironmentFlow(theme, self.training_setup, pickers),
            self.page,
        )
        self._build_work()
        self._build_window()
        self._connect()

    def _build_work(self) -> None:
        """Build the runners of training and evaluation. Each runs one job at a time and pauses while an answer is
        written."""

        def is_busy() -> bool:
            return self.session.is_busy

        def trainer() -> Trainer:
            return training_run.locate_trainer(self.paths.data)

        self.trainings = TrainingRunner(self.engine, trainer, self.paths.bases, self.page, is_busy)
        self.evaluations = Evaluations(self.engine, self.paths, trainer, self.embedding, self.page, is_busy)
        self.pause = PauseForQuestions(self.session, self.trainings, self.evaluations, self.page)

    def _build_window(self) -> None:
        makers: dict[str, Callable[[], PageBuilder]] = {
            "documents": self._make_documents,
            "models": self._make_models,
            "training": self._make_training,
            "evaluation": self._make_evaluation,
            "settings": self._make_settings,
            "bin": lambda: functools.partial(
                BinPage, self.theme, self.navigation, self.conversations, self._label_of_all
            ),
            "search": lambda: functools.partial(
                SearchPage, self.theme, self.navigation, self.conversations, self.documents, self._label_of_all
            ),
            "reader": self._make_reader,
            "batch": self._make_batch,
        }
        self.window = MainWindow(
            self.theme, self.navigation, Pages(self.page, makers),
            preferences=self.preferences, session=self.session, conversations=self.conversations, engine=self.engine,
            downloads=self.downloads, setups=(self.training_setup, self.ocr_setup), trainings=self.trainings,
            evaluations=self.evaluations, geometry=WindowGeometry(self.paths.data / "window.json"),
            create_answer_settings=self._create_answer_settings,
            refused_attempts=network_guard.refused_attempts,
        )  # fmt: skip
        self.navigation.setParent(self.window)
        self.notifier = Notifier(self.window)
        self.secrecy = ConfidentialityGuard(self.theme, self.paths.exports_log)
        ClipboardGuard(self.window, self.secrecy)
        self.window.sidebar.label_of_all = self._label_of_all
        # A command in a terminal may have changed the documents.
        self.window.stack.currentChanged.connect(self.documents.check_for_changes)
        transfer = ConversationTransfer(self.store, self.conversations, self.paths.documents, self.window)
        self.desk = TransferController(
            self.window, self.window.stack, self.theme, self.window.show_at_foot, transfer, self.conversations,
            self.session, desktop.open_folder, self.secrecy,
        )  # fmt: skip
        self.offers = StartOffers(self.theme, self.download_controller, self.maintenance)
        self.window.show_at_foot(self.offers)

    @property
    def is_first_run(self) -> bool:
        """Return whether Kotae was never used with this data folder: the first-run dialog was never closed, and no
        conversation is stored."""
        return not (self.preferences.value.first_run_done or self.conversations.all_conversations())

    def is_environment_in_use(self) -> bool:
        """Return whether a running job uses the training environment, so that the environment must not be changed."""
        return self.build_controller.is_running or self.trainings.is_training or self.evaluations.is_running

    def card(self) -> ModelCard | None:
        """Return the catalogue's card of the selected model, or None without a model or card."""
        model = self.session.model
        return self.library.card(model) if model else None

    def close(self) -> bool:
        """Stop the answer that is being written, store its text so far, and free the engine's memory.

        Other long jobs are cancelled and leave no partial file. Return False while a trainer is still saving a
        checkpoint; the caller must then end the process without a normal end of Qt, which would kill the trainer.
        """
        self.downloads.discard_cancelled()
        self.downloads.close()  # pauses the running downloads; the next start offers to resume them
        self.build_controller.cancel()  # keeps the finished steps
        has_saved = self.trainings.close()  # the page offers to resume
        has_saved = self.evaluations.close() and has_saved  # the page offers to resume
        self.training_setup.close()  # keeps the packages that were fetched
        self.ocr_setup.close()  # likewise
        self.documents.close()  # the next start reads the documents that are still in the queue
        self.page.files.close()
        self.embedding.close()
        background.shut_down()
        self.session.close()
        self.engine.shut_down()
        self.store.close()
        return has_saved

    # ---------------------------------------------------------------- connections

    def _connect(self) -> None:
        window, notifier = self.window, self.notifier
        for source in (self.preferences.failed, self.presets.problem_occurred, self.documents.not_opened):
            source.connect(window.show_problem)
        self.engine.died.connect(_note_death)
        self.embedding.follow(self.documents, self.library, self.engine, self.preferences)
        notifier.follow(self.session, self.library)
        notifier.follow_models(self.downloads, self.maintenance)
        notifier.follow_training(self.training_setup)
        notifier.follow_trainings(self.trainings)
        notifier.follow_evaluations(self.evaluations)
        CloseGuard(window, self.trainings, self.evaluations, self.pause, notifier, self.navigation)
        for changed in (self.training_setup.finished, self.training_setup.removed):
            changed.connect(self.build_controller.forget_environment)
        self._connect_navigation()
        self._connect_page()
        self._connect_transfer()
        self.offers.models_requested.connect(window.models_page)
        self.offers.move_requested.connect(window.move_models)

    def _connect_navigation(self) -> None:
        """Connect the requests of pages to the parts of the window that serve them."""
        navigation, window = self.navigation, self.window
        navigation.message_requested.connect(self.page.show_found)
        navigation.reading_requested.connect(self._on_reading_requested)
        navigation.overview_requested.connect(self._on_overview_requested)
        navigation.question_requested.connect(self._on_question_requested)
        navigation.starter_requested.connect(lambda: start_with_trial(window, self.library))
        navigation.model_file_requested.connect(lambda: window.models_page().choose_file())
        navigation.first_run_requested.connect(self._show_first_run)
        navigation.log_requested.connect(lambda: desktop.open_folder(self.paths.logs))
        navigation.export_requested.connect(self.desk.export_open)
        navigation.work_ended.connect(self.notifier.finished)

    def _show_first_run(self) -> None:
        FirstRunController(
            self.window, self.navigation, self.page, self.library, self.preferences, self.download_controller,
            self.paths, self.documents, self.reading_offers,
        ).show()  # fmt: skip

    def _on_reading_requested(self, place: ReadingPlace) -> None:
        """Open a document in the reader, which the window shows already."""
        from app.chat.ui.reader.reader_page import ReaderPage

        reader = self.window.page("reader")
        assert isinstance(reader, ReaderPage)
        reader.open(place)

    def _on_overview_requested(self, request: OverviewRequest) -> None:
        from app.documents.ui.overview_window import OverviewWindow

        OverviewWindow(
            self.theme, self.navigation, self.paths.documents, self.secrecy, request, self._summary_run, self.window
        ).show()  # fmt: skip

    def _summary_run(self, document_id: int, chapter: str, parent: QObject) -> "SummaryRun | None":
        """Return the run in which the selected model writes a summary; None if no model of this machine can."""
        from app.chat.services.document_summary import SummaryJob, SummaryRun

        model = self.session.model
        if model is None or model.remote is not None or excerpts.is_known_too_small(model):
            return None
        label = functools.partial(lineage.label_of_model, self.paths.documents, model)
        job = SummaryJob(self.paths.documents, document_id, model, self.preferences.value, chapter, label)
        return SummaryRun(self.engine, job, parent)

    def _on_question_requested(self, scope: Sequence[CollectionRef] | None, words: str, at_once: bool) -> None:
        self.window.show_questions()
        self.page.begin_question(scope, words, at_once=at_once)

    def _connect_page(self) -> None:
        """Connect the page 質問 with the window around it."""
        page, window = self.page, self.window
        ModelAvailability(page.empty, self.library, self.maintenance, self.downloads, page)
        page.scoping.collections_known.connect(window.sidebar.conversations.set_collections)
        page.composer.typed.connect(self.preload.begin)
        page.composer.typed.connect(self.pause.note_use)
        self.pause.failed.connect(window.show_problem)
        AskingNotices(page, self.session, self.engine, self.library, self.preload, self.pause, self.navigation)
        window.list_actions.bin_undone.connect(page.show_restored)

    def _connect_transfer(self) -> None:
        """Connect export and import with every widget that has a command for them."""
        page, desk, sidebar = self.page, self.desk, self.window.sidebar
        page.transcript.requests.answer_export_requested.connect(desk.export_answer)
        sidebar.list.export_requested.connect(desk.export)
        sidebar.export_all_requested.connect(desk.export_all)
        sidebar.import_requested.connect(desk.choose_import)
        desk.ended.connect(self.notifier.finished)

    # ---------------------------------------------------------------------- pages

    def _create_answer_settings(self, parent: MainWindow) -> ConversationSettings:
        """Return the dialog over `parent` with the settings for answers in the open conversation only."""
        details = self.preferences.value.shows_details
        return ConversationSettings(
            self.theme, self.session, self.presets, self.card(), shows_details=details, parent=parent
        )

    def _make_documents(self) -> PageBuilder:
        from app.documents.ui.page import DocumentsPage

        return functools.partial(
            DocumentsPage,
            self.theme, self.navigation, self.documents, self.reading_offers, self.embedding, self.secrecy,
            self.ocr_setup,
        )  # fmt: skip

    def _make_models(self) -> PageBuilder:
        from app.models.ui.page import ModelsPage
        from app.training.runs import run_folders

        return functools.partial(
            ModelsPage,
            self.theme, self.navigation, library=self.library, preferences=self.preferences, engine=self.engine,
            paths=self.paths, upkeep=self.maintenance, download_desk=self.download_controller,
            build_desk=self.build_controller, runs_on=functools.partial(run_folders.names_on, self.paths),
        )  # fmt: skip

    def _make_training(self) -> PageBuilder:
        from app.training.ui.page import TrainingPage
        from app.training.ui.step_factory import WizardStepFactory

        steps = WizardStepFactory(
            self.theme, self.navigation, paths=self.paths, library=self.library, downloads=self.downloads,
            preferences=self.preferences, engine=self.engine, session=self.session, documents=self.documents,
            setup=self.training_setup, trainings=self.trainings, is_environment_in_use=self.is_environment_in_use,
            pause_study=self.evaluations.stop, collect_pairs=self._collect_pairs,
        )  # fmt: skip
        return functools.partial(
            TrainingPage, self.theme, self.navigation, self.paths, self.library.models, self.trainings, steps
        )

    def _collect_pairs(self) -> Sequence[dict[str, Any]]:
        """Return the preference pairs of conversations and blind comparisons; runs in the background."""
        from app.evaluation import preference_pairs

        return preference_pairs.collect_stored(self.paths)

    def _make_evaluation(self) -> PageBuilder:
        from app.evaluation.ui.page import EvaluationPage
        from app.evaluation.ui.study_dialog_choices import StudyDialogModel

        dialog_model = StudyDialogModel(
            self.paths,
            models=self.library.listed,
            collections=self.documents.collections,
            context_tokens=lambda: self.preferences.value.context_tokens,
            current_model_id=lambda: self.session.model_id or "",
            locate=lambda: training_run.locate_trainer(self.paths.data),
        )
        return functools.partial(
            EvaluationPage,
            self.theme, self.navigation, dialog_model, self.evaluations, self.session,
            lambda: self.trainings.is_training,
        )  # fmt: skip

    def _make_settings(self) -> PageBuilder:
        def storage() -> ModelsFolderPanel:
            return ModelsFolderPanel(
                self.theme, self.maintenance, self.downloads, self.engine, lambda: self.build_controller.is_running
            )

        def environment() -> TrainingPanel:
            return TrainingPanel(self.theme, self.training_setup, self.is_environment_in_use)

        return functools.partial(
            SettingsPage,
            self.theme, self.navigation, self.preferences, self.presets, self.card, self.paths, self.downloads,
            storage, environment,
        )  # fmt: skip

    def _make_batch(self) -> PageBuilder:
        from app.chat.services.batch_session import BatchSession
        from app.chat.ui.batch_page import BatchPage

        batches = BatchSession(
            self.session, self.library, self.preferences, self.presets, self.engine,
            self.paths.documents, self.paths.data / "batch.json",
            functools.partial(lineage.label_of_model, self.paths.documents), self.window, self.embedding,
        )  # fmt: skip
        return functools.partial(
            BatchPage,
            self.theme, self.navigation, batches, self.session, self.documents, self.secrecy, desktop.open_folder,
        )  # fmt: skip

    def _make_reader(self) -> PageBuilder:
        from app.chat.ui.reader.reader_page import ReaderPage

        return functools.partial(ReaderPage, self.theme, self.navigation, self.documents)

    def _label_of_all(self) -> Label:
        """Return the highest label of all conversations, including those in the bin."""
        collections = collections_now(self.paths.documents)
        kept = [*self.conversations.all_conversations(), *self.conversations.binned()]
        return conversation_privacy.highest_effective_label(self.store, kept, collections)


@unstyled()
def build(where: Paths, theme: Theme, preferences: Preferences, database: Store) -> AppContext:
    """Return all objects of the window, connected to each other."""
    return AppContext(where, theme, preferences, database)


def _builds(where: Paths, library: ModelLibrary) -> "BuildRunner":
    """Return the runner of model builds. Raises AppError("no_training_environment")."""
    from app.models import training_environment
    from app.models.services.build_runner import BuildRunner  # most starts need no build

    environment = training_environment.locate(where.data)
    return BuildRunner(
        environment,
        child_commands.engine(),
        where.logs,
        library.add,
        lineage.write_lineage_note,
    )


def run(
    data_dir: str | None, requested_language: str | None = None, is_safe: bool = False, file: str | None = None
) -> int:
    """Show the window, run until it is closed, and return the exit status.

    `requested_language` ("ja" or "en") overrides the settings; None uses them. `is_safe` starts in safe mode. `file`: a
    GGUF file to add to the models.
    """
    start = ProgramStart(data_dir, is_safe)
    with lifecycle.report_display_errors(start.end):
        app = desktop.make_application(requested_language or "system")
    theme = Theme()
    theme.apply(app, Settings())
    try:
        where = start.where()
        catalogue.set_user_cards_folder(where.cards)
        desktop.keep_visited_folders(where.data)
        start.choose_packs()
        if not start.instance.acquire(file or ""):
            return 0
        preferences = start.preferences()
        localization.set_language(app, localization.resolve_language(requested_language or preferences.value.language))
        theme.apply(app, preferences.value)
        database = open_store(where, theme)
        if database is None:
            start.end()
            return 3
        database.end_interrupted_answers()
        where = where if start.is_safe else _finish_move(where, preferences, database)
        context = build(where, theme, preferences, database)
        context.conversations.erase_expired_from_bin(DayRecord(where.data))
    except AppError as error:
        print(describe_error(error), file=sys.stderr)  # noqa: T201  for a start from a terminal
        dialogs.problem_dialog(theme, error).exec()
        start.end()
        return 3
    except Exception:  # a bug: without start.end() the start counts as failed
        log.exception("start")
        dialogs.problem_dialog(theme, AppError("start_failed", path=str(where.logs))).exec()
        return 3
    return _show_window(app, context, where, start, file)


def _show_window(
    app: desktop.Application, context: AppContext, where: Paths, start: ProgramStart, file: str | None
) -> int:
    report_bugs(context.theme, context.window, where)
    start.instance.raise_requested.connect(context.window.come_to_front)
    start.instance.file_requested.connect(lambda path: _add_model_file(context.window, path))
    app.applicationStateChanged.connect(lambda state: _on_state_changed(state, context))
    SignalHandlers(app).requested.connect(lambda: _close_for_signal(context.window))

    def restart() -> None:
        start.restart()
        context.window.close()

    notice = show_notices(context.window, where, start.last_start, start.is_safe, restart)
    context.documents.not_opened.connect(notice.tell_replaced)
    # All objects that exist now live as long as the window; scanning them would cost each collection 20 ms.
    gc.freeze()
    GarbageCollector(app)
    sys.setswitchinterval(SWITCH_S)
    if start.is_safe:
        apply_safe_mode(context.window, context.preload, context.offers)
    if app.platformName() != "offscreen":  # the offscreen platform reports an invented screen of 800 by 800
        window_layout.fit_to_screen(context.window, window_layout.screen_area(context.window))
    context.window.show()
    start.record_success_later(context.window)
    context.window.show_questions()
    if file is not None:
        _add_model_file(context.window, file)
    if context.is_first_run:
        context.navigation.first_run_requested.emit()
    if programs.REPORT_START_VARIABLE in os.environ:
        QTimer.singleShot(0, lambda: _report_start(context.window))
    housekeeping.back_up_daily(where, context.window)
    housekeeping.check_databases(where, context.window, notice.tell_damage, is_due=start.is_after_kill)
    _open_documents(context, is_safe=start.is_safe)
    housekeeping.empty_bins(where, context.window)
    status = app.exec()
    has_saved = context.close()
    start.end()
    if not has_saved:
        logging.shutdown()
        os._exit(status)
    return status


def _add_model_file(window: MainWindow, path: str) -> None:
    window.show_page("models")
    window.models_page().import_path(path)


def _on_state_changed(state: Qt.ApplicationState, context: AppContext) -> None:
    """Refresh the lists when the window becomes active, because a command in a terminal may have changed them."""
    if state == Qt.ApplicationState.ApplicationActive:
        context.library.refresh()
        context.conversations.refresh()
        context.documents.check_for_changes()
        for page in context.window.pages.built_pages.values():
            if isinstance(page, ListDetailPage) and page.isVisible():
                page.refresh()


def _close_for_signal(window: MainWindow) -> None:
    """Close the window and end Qt after a signal of the system such as SIGTERM.

    `run` then stops a running training after its checkpoint, whether or not the window closed.
    """
    window.close()
    QCoreApplication.exit(0)


def _note_death(child_exit: ChildExit) -> None:
    """Write how the engine ended into Kotae's log.

    The engine's own log holds no text of questions or answers, so its end may be copied there.
    """
    log.error("engine: %s %s\n%s", child_exit.cause, child_exit.detail, child_exit.log_tail)


def _finish_move(where: Paths, preferences: Preferences, database: Store) -> Paths:
    """Finish a move of the models folder that was interrupted after everything was copied.

    A move that was interrupted earlier waits for the user's decision. Return the paths with the models folder now in
    use.
    """
    plan = models_folder.pending(where)
    if plan is None or plan.state != "switching":
        return where
    try:
        models_folder.finish(where, database)
    except AppError as error:
        log.warning("the move of the models folder is not finished: %s", error)
    else:
        preferences.change(models_folder=str(plan.target))
        return dataclasses.replace(where, models_folder=plan.target)
    return where


def _open_documents(context: AppContext, *, is_safe: bool) -> None:
    """Open the document library DOCUMENTS_AFTER_MS after the window is shown.

    Then read the documents that are still in the queue, follow the changes of the folders and add Kotae's own manual.
    In safe mode only open it, with reading paused until the user resumes it.
    """
    documents = context.documents

    def begin() -> None:
        file = paths.resources() / "manual" / f"manual.{wording.current_language()}.md"
        documents.provide_manual(file, wording.phrase("common.manual_collection"))
        documents.watch.start()

    if is_safe:
        documents.pause()
    else:
        documents.opened.connect(begin)
    QTimer.singleShot(DOCUMENTS_AFTER_MS, context.window, documents.open)


def _report_start(window: MainWindow) -> None:
    """Wait until the window is on the screen, then print the resident memory as JSON and close the window."""
    handle = window.windowHandle()
    if handle is None or not handle.isExposed():
        QTimer.singleShot(1, window, lambda: _report_start(window))
        return
    print(json.dumps({"resident_bytes": psutil.Process().memory_info().rss}), flush=True)  # noqa: T201
    window.close()
