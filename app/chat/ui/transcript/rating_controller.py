"""Store the user's ratings of answers, and let the user correct a bad answer."""

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QPlainTextEdit, QSizePolicy, QWidget

from app.base.wording import phrase, shorten
from app.chat import answer_ratings
from app.chat.answer_ratings import BAD
from app.chat.records import Message
from app.chat.services.chat_session import ChatSession
from app.chat.ui.transcript import answer_actions
from app.chat.ui.transcript.transcript import Transcript
from app.uikit.editor_window import EditorWindow
from app.uikit.theme import Theme
from app.uikit.widgets.fields import storable_text
from app.uikit.widgets.labels import Label, announce

CHARACTERS_MAX = 100_000  # limit of a correction, or the length of the answer if that is more
QUESTION_MAX = 200  # characters of the question that the editor shows
FIELD_HEIGHT_PX = 160  # minimum height in px


class CorrectionEditor(EditorWindow):
    """Edits the correction of an answer. If the text is left unchanged, the answer is rated bad without a
    correction."""

    def __init__(
        self, theme: Theme, session: ChatSession, question: Message, answer: Message, parent: QWidget | None = None
    ) -> None:
        super().__init__(theme, parent)
        self._session = session
        self._answer = answer
        self.set_words(
            phrase("chat.rate_this_answer_as_bad"),
            phrase("chat.if_you_know_the_right"),
            phrase("common.save"),
        )
        self.text = self._field(answer.correction or answer_ratings.text_without_marks(answer, answer.text))
        self._fill(question.text)
        self.text.textChanged.connect(self.note_change)
        self.text.setFocus()

    def save_or_explain(self) -> str:
        """Store the rating and the correction. Return why they were not stored, or ""."""
        text, limit = storable_text(self.text), max(CHARACTERS_MAX, len(self._answer.text))
        if len(text) > limit:
            words = phrase("common.the_text_is_too_long")
            return words.format(n=f"{len(text):,}", limit=f"{limit:,}")
        return "" if self._session.rate(self._answer.id, BAD, text) else phrase("chat.it_could_not_be_saved")

    def _field(self, text: str) -> QPlainTextEdit:
        field = QPlainTextEdit(text)
        field.setProperty("field", True)
        field.setTabChangesFocus(True)
        field.setMinimumHeight(self._theme.px(FIELD_HEIGHT_PX))
        return field

    def _fill(self, question: str) -> None:
        asked = shorten(" ".join(question.split()), QUESTION_MAX)
        shown = Label(phrase("chat.question_question", question=asked), tone="text2", wraps=True)
        shown.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        name = phrase("chat.right_answer_optional")
        label = Label(name, strong=True)
        label.setBuddy(self.text)
        self.text.setAccessibleName(name)
        self.column.setSpacing(8)
        self.column.addWidget(shown)
        self.column.addWidget(label)
        self.column.addWidget(self.text, 1)


class RatingController(QObject):
    """Stores requested ratings and shows them in the transcript."""

    def __init__(self, theme: Theme, session: ChatSession, transcript: Transcript, page: QWidget) -> None:
        super().__init__(page)
        self._theme = theme
        self._session = session
        self._transcript = transcript
        self._page = page
        transcript.requests.rating_requested.connect(self._on_requested)
        session.answer_rated.connect(self._on_rated)

    def _on_requested(self, answer_id: int, rating: int) -> None:
        if rating != BAD:
            self._session.rate(answer_id, rating)
            return
        messages = {message.id: message for message in self._transcript.messages}
        answer = messages[answer_id]
        question = messages[answer.parent_id or 0]
        CorrectionEditor(self._theme, self._session, question, answer, self._page).open()

    def _on_rated(self, answer: Message) -> None:
        self._transcript.show_rated(answer)
        announce(self._transcript, answer_actions.rating_text(answer) or phrase("chat.rating_taken_back"))
