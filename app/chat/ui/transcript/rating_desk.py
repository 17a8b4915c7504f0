"""Stores what the user says of answers, and has it shown."""

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget

from app.base.wording import phrase
from app.chat.answer_ratings import BAD
from app.chat.records import Message
from app.chat.services.chat import ChatSession
from app.chat.ui.transcript import rating
from app.chat.ui.transcript.correction_editor import CorrectionEditor
from app.chat.ui.transcript.transcript import Transcript
from app.uikit.theme import Theme
from app.uikit.widgets.labels import announce


class RatingDesk(QObject):
    def __init__(self, theme: Theme, session: ChatSession, transcript: Transcript, page: QWidget) -> None:
        super().__init__(page)
        self._theme = theme
        self._session = session
        self._transcript = transcript
        self._page = page
        transcript.requests.rating_requested.connect(self._on_requested)
        session.answer_rated.connect(self._on_rated)

    def _on_requested(self, answer_id: int, wish: int) -> None:
        if wish != BAD:
            self._session.rate(answer_id, wish)
            return
        messages = {message.id: message for message in self._transcript.messages}
        answer = messages[answer_id]
        question = messages[answer.parent_id or 0]
        CorrectionEditor(self._theme, self._session, question, answer, self._page).open()

    def _on_rated(self, answer: Message) -> None:
        self._transcript.show_rated(answer)
        announce(self._transcript, rating.words(answer) or phrase("chat.rating_taken_back"))
