"""Ask the user once per conversation, or per questions file, before text is sent to a remote model."""

from collections.abc import Callable

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget

from app.base.services.preferences import Preferences
from app.base.wording import phrase
from app.chat.services.chat_session import ChatSession
from app.chat.ui.composer import Composer
from app.inference.local_model import LocalModel
from app.models import model_registry
from app.models.services.model_library import ModelLibrary
from app.uikit.dialogs import Dialog, DialogButton
from app.uikit.theme import Theme


def consent_dialog(theme: Theme, model: LocalModel, parent: QWidget, *, is_batch: bool = False) -> Dialog:
    """Return the dialog that asks before the first question of a conversation or file is sent."""
    assert model.remote is not None
    question = phrase("chat.send_these_questions_out" if is_batch else "chat.send_this_conversation_out")
    what = "chat.the_questions_of_the_file" if is_batch else "chat.the_questions_of_this_conversation"
    body = phrase(what, address=model.remote.address)
    sentence = f"{body}\n{phrase('chat.secret_conversations_and_documents_are')}"
    no = DialogButton("cancel", phrase("chat.do_not_send"), is_default=True)
    yes = DialogButton("send", phrase("chat.send_and_ask"))
    return Dialog(theme, question, sentence, (no, yes), parent, icon=("external-link", "warning"))


class RemoteConsent(QObject):
    """Asks for consent, and shows the server in the composer while a remote model is selected."""

    def __init__(
        self,
        theme: Theme,
        session: ChatSession,
        library: ModelLibrary,
        preferences: Preferences,
        composer: Composer,
        parent: QWidget,
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        self._session = session
        self._preferences = preferences
        self._composer = composer
        self._parent = parent
        self.dialog: Dialog | None = None  # the dialog that was opened last
        library.changed.connect(self._show_remote_mark)
        preferences.changed.connect(self._show_remote_mark)
        self._show_remote_mark()

    def run_with_consent(self, go: Callable[[], object]) -> None:
        """Call `go` at once, or after the user agrees. A question that would be refused anyway needs no consent."""
        session, model = self._session, self._session.model
        is_allowed = self._preferences.value.network_allowed
        if model is None or model.remote is None or not is_allowed or not session.needs_remote_consent:
            go()
            return

        def agree() -> None:
            session.agree_to_remote()
            go()

        self.dialog = consent_dialog(self._theme, model, self._parent.window()).ask(agree)

    def _show_remote_mark(self) -> None:
        model = self._session.model
        place = model_registry.server_address(model) if model is not None else ""
        self._composer.remote_mark.show_place(place, is_allowed=self._preferences.value.network_allowed)
