"""What the upper edge of 質問 shows of the open conversation, and what is chosen there."""

from PySide6.QtCore import QObject

from app.base import confidentiality
from app.base.wording import phrase
from app.chat import answer_origin
from app.chat.presets import Choices
from app.chat.services.chat import ChatSession
from app.chat.services.conversations import Conversations
from app.chat.services.presets import Presets
from app.chat.ui import labelling
from app.chat.ui.header import ChatHeader
from app.chat.ui.scoping import Scoping
from app.chat.ui.transcript.transcript import Transcript
from app.models.services.model_library import ModelLibrary
from app.uikit import clipboard_guard


class Heading(QObject):
    """Says nothing by itself: the page asks it to show what may be another."""

    def __init__(
        self,
        header: ChatHeader,
        session: ChatSession,
        conversations: Conversations,
        presets: Presets,
        library: ModelLibrary,
        scoping: Scoping,
        transcript: Transcript,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._header = header
        self._session = session
        self._conversations = conversations
        self._presets = presets
        self._library = library
        self._scoping = scoping
        self._transcript = transcript
        header.model_chosen.connect(session.use_model)
        header.preset_chosen.connect(self._on_preset_chosen)
        header.new_requested.connect(self._on_new_requested)
        header.temporary_requested.connect(self._on_temporary_requested)
        header.renamed.connect(self._on_renamed)
        header.label_chosen.connect(session.give_label)
        session.answering_changed.connect(self.show_label)
        header.copy_requested.connect(self._copy_conversation)

    def _on_preset_chosen(self, preset_id: str | None) -> None:
        self._session.answer_by(preset_id, self._session.choices)

    def _on_new_requested(self) -> None:
        self._session.new()

    def _on_temporary_requested(self) -> None:
        self._session.new(is_temporary=True)

    def show_title(self) -> None:
        conversation = self._session.conversation
        self._header.show_conversation(
            conversation.title if conversation else phrase("common.new_question"),
            has_messages=conversation is not None,
            is_temporary=self._session.is_temporary,
        )
        self.show_label()

    def show_label(self) -> None:
        """How confidential the conversation is."""
        messages, given = self._transcript.messages, self._session.label
        is_unanswered = labelling.is_unanswered(messages)
        asked = self._scoping.labels(messages, self._session.asked())  # all branches leave with it
        self._header.show_label(labelling.shown(given, asked, is_unanswered=is_unanswered))
        self._header.offer_labels(given, confidentiality.highest_label(asked))

    def show_models(self) -> None:
        self._header.show_models(self._library.answering(), self._session.model_id)

    def show_presets(self) -> None:
        deviates = self._session.choices != Choices()
        self._header.show_presets(self._presets.all("chat"), self._session.preset, deviates=deviates)

    # ------------------------------------------------------------------ private

    def _on_renamed(self, title: str) -> None:
        if self._session.conversation is not None:
            self._conversations.rename(self._session.conversation.id, title)

    def _copy_conversation(self) -> None:
        """Everything as it was written, questions marked, and answers that were imported."""
        parts = [
            (phrase("chat.question") if message.role == "question" else phrase("chat.answer"))
            + answer_origin.copied(message, message.text)
            for message in self._transcript.messages
        ]
        clipboard_guard.copy_text(self._transcript, "\n\n".join(parts))
