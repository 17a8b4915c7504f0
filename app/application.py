"""The composition root: builds every object of the window and hands each what it needs."""

import dataclasses
import gc
import json
import logging
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil
from PySide6.QtCore import QCoreApplication, Qt, QTimer

from app.base import children, offline, paths, wording
from app.base.errors import AppError
from app.base.paths import Paths
from app.base.services import background
from app.base.services.preferences import Preferences
from app.base.settings import Settings
from app.base.wording import describe_error
from app.chat.services.chat import ChatSession
from app.chat.services.conversations import Conversations
from app.chat.services.preload import Preload
from app.chat.services.presets import Presets
from app.chat.services.transfer import Transfer
from app.chat.store import Store
from app.chat.ui.adding import Adding
from app.chat.ui.conversations.transfer_desk import TransferDesk
from app.chat.ui.page import ChatPage
from app.documents.services.documents import Documents
from app.documents.services.embedding import Embedding
from app.evaluation.services.evaluations import Evaluations
from app.inference import child_commands
from app.inference.services.engine import EngineClient, EngineDeath
from app.models import catalogue, models_folder
from app.models.services.downloads import Downloads
from app.models.services.library import ModelLibrary
from app.models.services.upkeep import ModelUpkeep
from app.models.ui.care.build_desk import BuildDesk
from app.models.ui.download_desk import DownloadDesk
from app.models.ui.offers import StartOffers
from app.shell.services import display, housekeeping
from app.shell.services.ending import Ending
from app.shell.services.garbage import GarbageCollector
from app.shell.services.start import Start
from app.shell.ui import window_place
from app.shell.ui.bugs import report_bugs
from app.shell.ui.closing import Closing
from app.shell.ui.first_run.greeting import greet, start_with_trial
from app.shell.ui.holding import hold_back
from app.shell.ui.main_window import MainWindow
from app.shell.ui.notices import show_notices
from app.shell.ui.notifications import Notifier
from app.shell.ui.opening import open_store
from app.shell.ui.pages import Services
from app.training.services import training
from app.training.services.training_setup import TrainingSetup
from app.training.services.trainings import Trainings
from app.training.ui.making import EnvironmentMaking
from app.uikit import desktop, dialogs, language
from app.uikit.navigation import Navigation
from app.uikit.secrecy import Secrecy
from app.uikit.theme import Theme, unstyled

DOCUMENTS_AFTER_MS = 1500  # after the window: checking their database takes time, and nobody asks sooner

if TYPE_CHECKING:
    from app.models.services.builds import Builds

log = logging.getLogger("kotae")


@dataclass
class Parts:
    """What lives as long as the window."""

    theme: Theme
    store: Store
    preferences: Preferences
    engine: EngineClient
    library: ModelLibrary
    upkeep: ModelUpkeep
    downloads: Downloads
    documents: Documents
    embedding: Embedding
    build_desk: BuildDesk
    training_setup: TrainingSetup
    trainings: Trainings
    evaluations: Evaluations
    conversations: Conversations
    presets: Presets
    session: ChatSession
    window: MainWindow
    desk: TransferDesk
    secrecy: Secrecy
    offers: StartOffers
    preload: Preload

    @property
    def is_first_run(self) -> bool:
        """Whether nobody was here before: the greeting was never closed, and no conversation is stored."""
        return not (self.preferences.value.first_run_done or self.conversations.all())

    def close(self) -> bool:
        """Ends the answer that is being written, keeps its text, and gives the engine's memory back.

        Other long work is cancelled and leaves no half file. False: a trainer is still saving, and would be killed by
        the end of Qt.
        """
        self.downloads.discard_cancelled()
        self.downloads.close()  # what runs is paused; the next start offers to go on
        self.build_desk.cancel()  # what is finished of it is kept
        has_saved = self.trainings.close()  # what is trained; the page offers to go on
        has_saved = self.evaluations.close() and has_saved  # what is measured, likewise
        self.training_setup.close()  # what was fetched for it is kept
        self.documents.close()  # what waits is read after the next start
        self.embedding.close()
        background.shut_down()
        self.session.close()
        self.engine.shut_down()
        self.store.close()
        return has_saved


def run(data_dir: str | None, wished_language: str | None = None, is_safe: bool = False) -> int:
    """Shows the window and runs until it is closed. Returns the exit status.

    `wished_language`: ja or en, whatever the settings say; None leaves it to them. `is_safe`: safe mode is asked for.
    """
    start = Start(data_dir, is_safe)
    with display.failing_in_words(start.end):
        app = desktop.make_application(wished_language or "system")
    theme = Theme()
    theme.apply(app, Settings())
    try:
        where = start.where()
        catalogue.use_folder(where.cards)
        desktop.keep_visited_folders(where.data)
        start.choose_packs()
        if not start.instance.acquire():
            return 0
        preferences = start.preferences()
        language.speak(app, language.resolve(wished_language or preferences.value.language))
        theme.apply(app, preferences.value)
        database = open_store(where, theme)
        if database is None:
            start.end()
            return 3
        database.end_interrupted_answers()
        where = where if start.is_safe else _finish_move(where, preferences, database)
        parts = build(where, theme, preferences, database)
        parts.conversations.erase_old()
    except AppError as error:
        print(describe_error(error), file=sys.stderr)  # noqa: T201  for who started it from a terminal
        dialogs.problem(theme, error).exec()
        start.end()
        return 3
    except Exception:  # a bug: the start counts as one that has failed
        log.exception("start")
        dialogs.problem(theme, AppError("start_failed", path=str(where.logs))).exec()
        return 3
    return _show(app, parts, where, start)


def _show(app: desktop.Application, parts: Parts, where: Paths, start: Start) -> int:
    report_bugs(parts.theme, parts.window, where)
    start.instance.raise_requested.connect(parts.window.come_to_front)
    app.applicationStateChanged.connect(lambda state: _on_state_changed(state, parts))
    Ending(app).requested.connect(lambda: _end(parts.window))

    def restart() -> None:
        start.restart()
        parts.window.close()

    show_notices(parts.window, where, start.last, start.is_safe, restart)
    # What exists now lives as long as the window; collecting through it would cost 20 ms of a frame each time.
    gc.freeze()
    GarbageCollector(app)
    if start.is_safe:
        hold_back(parts.window, parts.preload, parts.offers)
    if app.platformName() != "offscreen":  # its screen of 800 by 800 is nobody's
        window_place.fit(parts.window, window_place.room(parts.window))
    parts.window.show()
    start.watch(parts.window)
    parts.window.show_questions()
    if parts.is_first_run:
        parts.window.first_run_requested.emit()
    if children.REPORT_START_VARIABLE in os.environ:
        QTimer.singleShot(0, lambda: _report_start(parts.window))
    housekeeping.back_up_daily(where, parts.window)
    _open_documents(parts, is_safe=start.is_safe)
    housekeeping.empty_bins(where, parts.window)
    status = app.exec()
    has_saved = parts.close()
    start.end()
    if not has_saved:
        logging.shutdown()
        os._exit(status)
    return status


@unstyled()
def build(where: Paths, theme: Theme, preferences: Preferences, database: Store) -> Parts:
    """Every object of the window, connected. Nothing is shown and no child is started yet."""
    engine = EngineClient(child_commands.engine(), where.logs / "engine.log")
    library = ModelLibrary(database, where.models)
    conversations = Conversations(database)
    presets = Presets(database)
    embedding = Embedding(child_commands.engine(), where.logs, where.documents)
    session = ChatSession(
        database, conversations, presets, engine, library, preferences, child_commands.template(), where.documents,
        embedding=embedding,
    )  # fmt: skip
    preload = Preload(session, engine, preferences, session, embedding)
    documents = Documents(where.documents, children.reader(where.documents), where.logs)
    navigation = Navigation()
    page = ChatPage(theme, navigation, session, conversations, presets, library, preferences, documents)
    upkeep = ModelUpkeep(database, library, presets, preferences, where)
    downloads = Downloads(
        library, preferences, children.downloader(), where.logs / "download.log", where.data / "downloads.json"
    )
    navigation = Navigation()
    download_desk = DownloadDesk(theme, navigation, downloads, preferences, page)
    training_setup = TrainingSetup(
        preferences, children.training_setup(), where.data, where.logs, downloads.proxy, page
    )
    build_desk = _build_desk(where, library, upkeep, training_setup, page)
    trainings = Trainings(
        engine, lambda: training.locate(where.data), where.bases, (child_commands.quantizer, child_commands.scorer),
        page, lambda: session.is_busy,
    )  # fmt: skip
    evaluations = Evaluations(
        engine, where, lambda: training.locate(where.data), embedding, page, lambda: session.is_busy
    )
    services = Services(
        preferences, library, session, conversations, presets, engine, where, upkeep, download_desk, build_desk,
        training_setup, trainings, evaluations, documents, embedding,
    )  # fmt: skip
    training_setup.is_in_use = services.is_environment_in_use
    window = MainWindow(theme, navigation, services, page, lambda: len(offline.refusals()))
    preferences.failed.connect(window.show_problem)
    presets.problem_occurred.connect(window.show_problem)
    documents.not_opened.connect(window.show_problem)
    engine.died.connect(_note_death)
    embedding.follow(documents, library, engine)
    _connect_page(page, window, services, preload)
    notifier = Notifier(window)
    notifier.follow(session, library)
    notifier.follow_models(downloads, upkeep)
    notifier.follow_training(training_setup)
    notifier.follow_trainings(trainings)
    notifier.follow_evaluations(evaluations)
    Closing(window, trainings, evaluations, notifier).reopened.connect(window.pages.reopened)
    window.pages.work_ended.connect(notifier.finished)
    offers = _offer_to_go_on(window, download_desk, upkeep)
    secrecy = Secrecy(theme, where.exports_log)
    desk = _desk(window, page, database, where, conversations, session, notifier, secrecy)
    page.transcript.copy_by(lambda text: secrecy.copy(page, page.scoping.raised(desk.label_in_force()), text))
    return Parts(
        theme, database, preferences, engine, library, upkeep, downloads, documents, embedding, build_desk,
        training_setup, trainings, evaluations, conversations, presets, session, window, desk, secrecy, offers, preload,
    )  # fmt: skip


def _connect_page(page: ChatPage, window: MainWindow, services: Services, preload: Preload) -> None:
    """What the page 質問 asks of the window, and the other way round."""
    navigation = window.pages.navigation
    navigation.model_file_requested.connect(lambda: window.models_page().choose_file())
    window.pages.starter_requested.connect(lambda: start_with_trial(window, services.library))
    Adding(page.empty, services.library, services.upkeep, services.download_desk.downloads, page)
    navigation.answering_requested.connect(window.show_answering)
    page.scoping.collections_known.connect(window.sidebar.conversations.set_collections)
    page.composer.typed.connect(preload.begin)
    navigation.log_requested.connect(lambda: desktop.open_folder(services.paths.logs))
    window.found_message_chosen.connect(page.show_found)
    window.list_actions.brought_back.connect(page.show_again)
    window.first_run_requested.connect(
        lambda: greet(window, page, services.library, services.preferences, services.download_desk, services.paths)
    )


def _build_desk(
    where: Paths, library: ModelLibrary, upkeep: ModelUpkeep, setup: TrainingSetup, parent: ChatPage
) -> BuildDesk:
    """Builds of models, with what makes and removes the environment that they need."""
    desk = BuildDesk(
        lambda: _builds(where, library), lambda: upkeep.models_folder,
        lambda theme, pickers: EnvironmentMaking(theme, setup, pickers), parent,
    )  # fmt: skip
    setup.finished.connect(desk.forget_environment)
    setup.removed.connect(desk.forget_environment)
    return desk


def _builds(where: Paths, library: ModelLibrary) -> "Builds":
    """Raises AppError("no_training_environment")."""
    from app.models import training_environment
    from app.models.services.builds import Builds, Commands  # most starts never need them

    environment = training_environment.locate(where.data)
    return Builds(Commands(environment, child_commands.quantizer, child_commands.engine()), where.logs, library.add)


def _offer_to_go_on(window: MainWindow, download_desk: DownloadDesk, upkeep: ModelUpkeep) -> StartOffers:
    """With downloads, or with a move of the models folder, that the last end of the program has interrupted."""
    offers = StartOffers(window.theme, download_desk, upkeep)
    window.show_at_foot(offers)
    offers.models_requested.connect(window.models_page)
    offers.move_requested.connect(lambda target: window.move_models(target))
    return offers


def _desk(
    window: MainWindow,
    page: ChatPage,
    database: Store,
    where: Paths,
    conversations: Conversations,
    session: ChatSession,
    notifier: Notifier,
    secrecy: Secrecy,
) -> TransferDesk:
    """Export and import, for everybody who offers them."""
    transfer = Transfer(database, conversations, where.documents, window)
    desk = TransferDesk(
        window, window.stack, window.theme, window.show_at_foot, transfer, conversations, session,
        desktop.open_folder, secrecy,
    )  # fmt: skip
    page.transcript.requests.answer_export_requested.connect(desk.export_answer)
    window.sidebar.list.export_requested.connect(desk.export)
    window.sidebar.export_all_requested.connect(desk.export_all)
    window.sidebar.import_requested.connect(desk.choose_import)
    window.pages.navigation.export_requested.connect(desk.export_open)
    desk.ended.connect(notifier.finished)
    return desk


def _on_state_changed(state: Qt.ApplicationState, parts: Parts) -> None:
    """The user comes back from a terminal, perhaps, where a model was added, or conversations."""
    if state == Qt.ApplicationState.ApplicationActive:
        parts.library.refresh()
        parts.conversations.refresh()
        parts.documents.look_again()


def _end(window: MainWindow) -> None:
    """The system ends the program. A training is saved on the way out, with the window or without it."""
    window.close()
    QCoreApplication.exit(0)


def _note_death(death: EngineDeath) -> None:
    """The engine's log holds no text of questions or answers, so its end may go into ours."""
    log.error("engine: %s %s\n%s", death.cause, death.detail, death.log_tail)


def _finish_move(where: Paths, preferences: Preferences, database: Store) -> Paths:
    """A move of the models folder that was interrupted when all was copied. Others wait for the user.

    Gives the paths with the folder that is in use now.
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


def _open_documents(parts: Parts, *, is_safe: bool) -> None:
    """What is left of the queue is read, what changed in the folders is found, and Kotae's own manual is provided.

    In safe mode nothing is read until the user asks for it.
    """
    documents = parts.documents

    def begin() -> None:
        file = paths.resources() / "manual" / f"manual.{wording.current_language()}.md"
        documents.provide_manual(file, wording.phrase("manual_collection"))
        documents.refresh_all()

    if is_safe:
        documents.pause()
    else:
        documents.opened.connect(begin)
    QTimer.singleShot(DOCUMENTS_AFTER_MS, parts.window, documents.open)


def _report_start(window: MainWindow) -> None:
    """Waits until the window is on the screen and painted; then it takes input."""
    handle = window.windowHandle()
    if handle is None or not handle.isExposed():
        QTimer.singleShot(1, window, lambda: _report_start(window))
        return
    print(json.dumps({"resident_bytes": psutil.Process().memory_info().rss}), flush=True)  # noqa: T201
    window.close()
