"""Show errors below the answer that failed, or in a banner at the top of the page, with buttons for the next step.

`app.base.wording` has the sentences; this module decides which buttons an error offers.
"""

from PySide6.QtCore import QObject, Signal

from app.base.errors import AppError
from app.base.services.preferences import Preferences
from app.base.settings import CONTEXT_CHOICES
from app.base.wording import describe_error, phrase
from app.chat.records import Message
from app.chat.services.chat_session import ChatSession
from app.chat.ui.transcript.transcript import Transcript
from app.inference.services.events import ContextOverflow
from app.uikit.page import NavigationSignals
from app.uikit.widgets.banner import Banner

BannerAction = tuple[str, str]  # key, text of the button

_MODEL_CODES = frozenset(
    (
        "model_missing", "model_unreadable", "context_failed", "load_too_slow", "template_failed", "unknown_model",
        "truncated", "truncated_header", "gguf_damaged", "unknown_architecture", "unknown_tensor_type",
        "remote_secret", "remote_no_network", "remote_unreachable", "remote_name_unknown", "remote_public",
        "remote_key_refused", "remote_not_found", "remote_model_unknown", "remote_certificate", "remote_no_tls",
    )
)  # fmt: skip


def actions_for(error: AppError, context_tokens: int) -> tuple[BannerAction, ...]:
    """Return the buttons for an error. "log" is for errors that only the log explains."""
    if error.code == "no_model":
        starter = phrase("common.start_with_the_trial_model")
        return ("starter", starter), ("import", phrase("common.import_a_gguf_file"))
    if error.code in ("memory_short", "out_of_memory"):
        smaller = smaller_context(context_tokens)
        shrink = (("shrink", phrase("chat.set_context_to_n", n=f"{smaller:,}")),) if smaller else ()
        force = (("force", phrase("chat.try_anyway")),) if error.code == "memory_short" else ()
        return (*shrink, ("models", phrase("chat.choose_a_lighter_form")), *force)
    if error.code in _MODEL_CODES:
        return (("models", phrase("common.choose_a_model")),)
    if error.code in ("empty_question", "disk_full", "cancelled") or error.code.startswith("attached_"):
        return ()
    return (("log", phrase("common.view_log")),)


def needs_banner(error: AppError) -> bool:
    """Return whether an error has other buttons than those below every failed answer."""
    return error.code in _MODEL_CODES or error.code in ("no_model", "memory_short", "out_of_memory")


def overflow_actions(overflow: ContextOverflow) -> tuple[BannerAction, ...]:
    actions = []
    if overflow.droppable_turns > 0:
        actions.append(("drop", phrase("chat.leave_out_the_oldest_n", n=overflow.droppable_turns)))
    if overflow.wider_context_tokens is not None:
        actions.append(("widen", phrase("chat.enlarge_context_to_n", n=f"{overflow.wider_context_tokens:,}")))
    return (*actions, ("new", phrase("chat.new_question")))


def smaller_context(context_tokens: int) -> int | None:
    return next((size for size in reversed(CONTEXT_CHOICES) if size < context_tokens), None)


class ErrorPresenter(QObject):
    """Shows errors of the session with action buttons. It performs the chosen action or requests it from the window."""

    banner_changed = Signal()

    def __init__(
        self,
        session: ChatSession,
        preferences: Preferences,
        navigation: NavigationSignals,
        banner: Banner,
        transcript: Transcript,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._preferences = preferences
        self._navigation = navigation
        self._banner = banner
        self._transcript = transcript
        self._failed_id = 0  # id of the answer that the next error belongs to; 0: none
        session.conversation_opened.connect(self._on_conversation_opened)
        session.answer_finished.connect(self._on_answer_finished)
        session.overflow.counted.connect(self._on_overflowed)
        session.problem_occurred.connect(self.show_error)
        banner.closed.connect(self.banner_changed)
        banner.action_requested.connect(self._on_action_requested)

    def show_error(self, error: AppError) -> None:
        """Show an error below the answer that failed last, or in the banner."""
        if self._failed_id and not needs_banner(error):
            self._transcript.explain(self._failed_id, str(describe_error(error)))
        else:
            actions = actions_for(error, self._preferences.value.context_tokens)
            self._banner.show_error(error, actions, "warning")
            self.banner_changed.emit()

    def show_unrelated_error(self, error: AppError) -> None:
        """Show an error in the banner, because it does not concern the answer that failed last."""
        self._failed_id = 0
        self.show_error(error)

    def clear(self) -> None:
        """Hide the banner, because the user has begun something new."""
        self._banner.hide()
        self.banner_changed.emit()

    def on_models_changed(self) -> None:
        """Hide the banner, which may state that no model is installed, unless an answer has failed."""
        if not self._failed_id:
            self.clear()

    def _on_conversation_opened(self) -> None:
        """Forget the failed answer, which may be out of sight; in another store another message has its id."""
        self._failed_id = 0
        self.clear()

    def _on_answer_finished(self, message: Message) -> None:
        self._failed_id = message.id if message.status == "failed" else 0

    def _on_overflowed(self, overflow: ContextOverflow) -> None:
        what = phrase("chat.the_conversation_has_reached_the")
        needed = phrase("chat.it_needs_a_of_at", a=f"{overflow.prompt_tokens:,}", b=f"{overflow.context_tokens:,}")
        self._banner.show_message("warning", what, needed, overflow_actions(overflow))
        self.banner_changed.emit()

    def _on_action_requested(self, key: str) -> None:
        self.clear()
        match key:
            case "models":
                self._navigation.page_requested.emit("models")
            case "starter":
                self._navigation.starter_requested.emit()
            case "import":
                self._navigation.model_file_requested.emit()
            case "log":
                self._navigation.log_requested.emit()
            case "drop" | "widen" | "new":
                self._session.resolve_overflow(key)
            case "shrink":
                smaller = smaller_context(self._preferences.value.context_tokens)
                self._preferences.change(context_tokens=smaller)
                self._try_again(force_load=False)
            case "force":
                self._try_again(force_load=True)

    def _try_again(self, *, force_load: bool) -> None:
        if self._failed_id:
            self._session.regenerate(self._failed_id, force_load=force_load)
