"""Say above the question field, before a question is sent, what cannot be asked now and what makes it possible."""

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QObject

from app.base.errors import AppError
from app.base.wording import describe_error, phrase
from app.chat.records import Message
from app.chat.services.chat_session import ChatSession, ModelPreloader
from app.chat.ui.chat_page import ChatPage
from app.chat.ui.transcript import error_presenter
from app.documents.overview import result_table
from app.documents.overview.result_table import OverviewRequest
from app.documents.records import is_attached_name
from app.inference.engine.messages import Event, Failed
from app.inference.services.engine import EngineClient
from app.models.services.model_library import ModelLibrary
from app.uikit.page import MachinePause, NavigationSignals


class AskingNotices(QObject):
    """Shows one notice at a time, the most pressing one, in the composer of the page 質問."""

    def __init__(
        self,
        page: ChatPage,
        session: ChatSession,
        engine: EngineClient,
        library: ModelLibrary,
        preload: ModelPreloader,
        pause: MachinePause,
        navigation: NavigationSignals,
    ) -> None:
        super().__init__(page)
        self._page = page
        self._session = session
        self._engine = engine
        self._library = library
        self._pause = pause
        self._navigation = navigation
        self._failure: tuple[str | None, AppError] | None = None  # id of the model that could not be loaded, and why
        self._act: Callable[[], object] = lambda: None
        self._text_to_send = ""  # the question that waits for the machine
        self._asked = ""  # the question that was asked last in the open conversation
        page.composer.asking_notice.acted.connect(self._on_acted)
        page.scoping.shown.connect(self._show)
        page.files.changed.connect(self._show)
        page.composer.typed.connect(self._show)
        for signal in (engine.refusal_changed, library.changed, session.answer_settings_changed, pause.changed):
            signal.connect(self._show)
        session.conversation_opened.connect(self._on_opened)
        session.message_added.connect(self._on_message_added)
        pause.changed.connect(self._on_pause_changed)
        engine.status_changed.connect(self._on_status_changed)
        engine.event_received.connect(self._on_engine_event)
        preload.failed.connect(self._on_load_failed)
        session.problem_occurred.connect(self._on_load_failed)
        self._show()

    # ------------------------------------------------------------------ private

    def _on_opened(self) -> None:
        self._asked = ""
        self._show()

    def _on_message_added(self, message: Message) -> None:
        if message.role == "question":
            self._asked = message.text
        self._show()

    def _on_acted(self) -> None:
        self._act()

    def _on_status_changed(self) -> None:
        if self._failure is not None and self._engine.facts is not None:
            self._failure = None
            self._show()

    def _on_engine_event(self, event: Event) -> None:
        if isinstance(event, Failed):
            self._on_load_failed(AppError(event.code, **event.facts))

    def _on_load_failed(self, error: AppError) -> None:
        if error_presenter.needs_banner(error) and error.code != "no_model":
            self._failure = self._session.model_id, error
            self._show()

    def _on_pause_changed(self) -> None:
        """Send the question for which the user has paused the work, unless the text was changed meanwhile."""
        text, composer = self._text_to_send, self._page.composer
        if self._pause.state == "pausing":
            return
        self._text_to_send = ""
        if self._pause.state == "paused" and text and composer.text() == text and not self._session.is_busy:
            composer.submitted.emit(text)

    def _show(self) -> None:
        words, action, act, is_refused = self._notice()
        self._act = act
        notice = self._page.composer.asking_notice
        is_warning = (is_refused and not self._page.files.reading) or self._is_failed
        notice.show_notice(words, action, is_warning=is_warning)
        self._page.composer.refuse(words if is_refused else "")

    @property
    def _is_failed(self) -> bool:
        return self._failure is not None and self._failure[0] == self._session.model_id

    def _notice(self) -> tuple[str, str, Callable[[], object], bool]:
        """Return a sentence, the text of its button, what the button does, and whether nothing can be asked."""
        has_scope, to_page = bool(self._session.scope), self._navigation.page_requested.emit
        if reading := self._page.files.reading:
            return reading, "", lambda: None, True
        if self._pause.state == "pausing":
            return phrase("chat.pausing_the_work"), "", lambda: None, not has_scope
        if self._engine.refusal is not None:
            code = self._engine.refusal.code
            words = phrase(f"chat.machine_quoted.{code}" if has_scope else f"chat.machine_refused.{code}")
            action = phrase("chat.pause_and_ask") if self._pause.can_pause else ""
            return words, action, self._pause_and_ask, not has_scope
        if self._pause.state == "paused":
            return phrase("chat.the_work_is_paused"), phrase("chat.go_on_with_the_work"), self._pause.go_on, False
        if self._session.model is None and not has_scope:
            if self._page.scoping.has_documents:
                choose = self._page.scope_line.open_menu
                return phrase("chat.without_a_model_choose_documents"), phrase("chat.choose_documents"), choose, True
            words = phrase("chat.there_is_no_model_to_answer")
            return words, phrase("chat.add_documents"), lambda: to_page("documents"), True
        if self._is_failed and self._failure is not None:
            words = phrase("chat.model_cannot_be_loaded", why=describe_error(self._failure[1]).message)
            return words, phrase("common.choose_a_model"), lambda: to_page("models"), False
        is_new = self._session.conversation is None and not any(
            is_attached_name(ref.name) for ref in self._session.scope
        )
        if is_new and self._page.scoping.is_known and not self._page.scoping.has_documents:
            words = phrase("chat.there_are_no_documents_yet")
            return words, phrase("chat.add_documents"), lambda: to_page("documents"), False
        return *self._overview_offer(), False

    def _overview_offer(self) -> tuple[str, str, Callable[[], object]]:
        """Offer what answers the question that is typed, or was asked last, from whole documents."""
        text = self._page.composer.text().strip() or self._asked
        kind = result_table.kind_of_question(text)
        if kind is None or not self._session.scope:
            return "", "", lambda: None
        collections = [one for one in self._page.scoping.documents_to_choose(has_attached=True) if one.chosen]
        found = [document for one in collections for document in one.documents if document.path in one.chosen]
        if kind == "summary" and len(found) != 1:
            return phrase("chat.offer_choose_one"), phrase("chat.choose_documents"), self._page.choose_documents
        if not found or (kind == "comparison" and len(found) != 2):
            return "", "", lambda: None
        names = (one.documents[0].name if is_attached_name(one.ref.name) else one.ref.name for one in collections)
        title = phrase("common.data_gap").join(names)
        title = found[0].name if len(found) == 1 else title
        ids = tuple(one.id for one in sorted(found, key=lambda one: result_table.edition_order(one.name)))
        request = OverviewRequest(kind, ids, title)
        return (
            phrase(f"chat.overview_offer.{kind}"),
            phrase("chat.open_overview"),
            partial(self._navigation.overview_requested.emit, request),
        )

    def _pause_and_ask(self) -> None:
        self._text_to_send = self._page.composer.text() if self._page.composer.text().strip() else ""
        self._page.composer.setFocus()
        self._pause.pause()
