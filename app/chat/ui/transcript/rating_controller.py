"""Let the user judge an answer: rate it, correct a bad one, and edit its text by hand."""

from collections.abc import Callable, Collection

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QPlainTextEdit, QWidget

from app.base.wording import phrase, shorten
from app.chat import answer_ratings
from app.chat.answer_ratings import BAD
from app.chat.records import Message
from app.chat.services.chat_session import ChatSession
from app.chat.ui.transcript import answer_actions
from app.chat.ui.transcript.transcript import Transcript
from app.uikit.dialogs import EditorWindow
from app.uikit.theme import Theme
from app.uikit.undo import UndoableAction
from app.uikit.widgets.fields import storable_text
from app.uikit.widgets.labels import Label, announce

CHARACTERS_MAX = 100_000  # limit of a correction, or the length of the answer if that is more
QUESTION_MAX = 200  # characters of the question that the editor shows
FIELD_HEIGHT_PX = 160  # minimum height in px
EDITED = ("chat.answer_was_edited", "chat.edit_was_taken_back")  # what is said of an edit and of its undo


class AnswerTextEditor(EditorWindow):
    """The base of the windows with the text of an answer below its question. Subclasses say what saving does."""

    def __init__(
        self, theme: Theme, question: Message, answer: Message, name: str, text: str, parent: QWidget | None = None
    ) -> None:
        """Build the window. `name`: what the text is, as its label says."""
        super().__init__(theme, parent)
        self._answer = answer
        field = QPlainTextEdit(text)
        field.setProperty("field", True)
        field.setTabChangesFocus(True)
        field.setMinimumHeight(self._theme.px(FIELD_HEIGHT_PX))
        self.text = field
        asked = shorten(" ".join(question.text.split()), QUESTION_MAX)
        on_action = phrase("chat.action_on_answer", name=asked)
        words = on_action if question.is_action else phrase("chat.question_question", question=asked)
        shown = Label(words, tone="text2", wraps=True, shrinks=True)
        label = Label(name, strong=True)
        label.setBuddy(self.text)
        self.text.setAccessibleName(name)
        self.column.setSpacing(8)
        self.column.addWidget(shown)
        self.column.addWidget(label)
        self.column.addWidget(self.text, 1)
        self.text.textChanged.connect(self.note_change)
        self.text.setFocus()

    def save_or_explain(self) -> str:
        """Store the text. Return why it was not stored, or ""."""
        text, limit = storable_text(self.text), max(CHARACTERS_MAX, len(self._answer.text))
        if len(text) > limit:
            return phrase("common.the_text_is_too_long", n=f"{len(text):,}", limit=f"{limit:,}")
        return self._save(text)

    def _save(self, text: str) -> str:
        """Store a text of a fitting length. Return why it was not stored, or ""."""
        raise NotImplementedError


class CorrectionEditor(AnswerTextEditor):
    """Edits the correction of an answer. An unchanged text rates the answer bad without a correction."""

    def __init__(
        self, theme: Theme, session: ChatSession, question: Message, answer: Message, parent: QWidget | None = None
    ) -> None:
        text = answer.correction or answer_ratings.text_without_marks(answer, answer.text)
        super().__init__(theme, question, answer, phrase("chat.right_answer_optional"), text, parent)
        self._session = session
        self.set_words(
            phrase("chat.rate_this_answer_as_bad"), phrase("chat.if_you_know_the_right"), phrase("common.save")
        )

    def _save(self, text: str) -> str:
        return "" if self._session.rate(self._answer.id, BAD, text) else phrase("chat.it_could_not_be_saved")


class AnswerEditor(AnswerTextEditor):
    """Edits the text of an answer, or shows the original of an edited one and puts it back."""

    saved = Signal(object, object)  # functions that take the change back and make it again

    def __init__(
        self,
        theme: Theme,
        session: ChatSession,
        question: Message,
        answer: Message,
        parent: QWidget | None = None,
        *,
        is_original: bool = False,
    ) -> None:
        name = phrase("chat.original_answer" if is_original else "chat.answer_text")
        super().__init__(theme, question, answer, name, answer.written_text if is_original else answer.text, parent)
        self._session = session
        self.text.setReadOnly(is_original)
        if is_original:
            words = ("chat.original_answer", "chat.restoring_discards", "chat.put_the_original_back")
        else:
            words = ("chat.edit_the_answer_title", "chat.editing_keeps", "common.save")
        self.set_words(*map(phrase, words))

    def _save(self, text: str) -> str:
        if not text.strip():
            return phrase("chat.write_the_answer")
        if text.strip() == self._answer.text.strip():
            return ""
        edit = self._session.edit_answer(self._answer.id, text)
        if edit is None:
            return phrase("chat.it_could_not_be_saved")
        self.saved.emit(*edit)
        return ""


class RatingController(QObject):
    """Stores requested ratings and edits, and shows them in the transcript."""

    def __init__(self, theme: Theme, session: ChatSession, transcript: Transcript, page: QWidget) -> None:
        super().__init__(page)
        self._theme = theme
        self._session = session
        self._transcript = transcript
        self._page = page
        transcript.requests.rating_requested.connect(self._on_requested)
        transcript.requests.answer_edit_requested.connect(self._edit)
        transcript.requests.original_requested.connect(self._on_original_requested)
        session.answer_rated.connect(self._on_rated)
        session.answer_edited.connect(transcript.show_edited)

    def _on_requested(self, answer_id: int, rating: int) -> None:
        if rating != BAD:
            self._session.rate(answer_id, rating)
            return
        CorrectionEditor(self._theme, self._session, *self._turn(answer_id), self._page).open()

    def _on_original_requested(self, answer_id: int) -> None:
        self._edit(answer_id, is_original=True)

    def _edit(self, answer_id: int, *, is_original: bool = False) -> None:
        turn = self._turn(answer_id)
        editor = AnswerEditor(self._theme, self._session, *turn, self._page, is_original=is_original)
        words = ("chat.original_is_back", "chat.edit_is_back") if is_original else EDITED
        ids = () if self._session.is_temporary else (turn[1].conversation_id,)  # another store may have the same ids
        editor.saved.connect(lambda undo, redo: self._offer_undo(undo, redo, words, ids))
        editor.open()

    def _offer_undo(
        self, undo: Callable[[], bool], redo: Callable[[], bool], words: tuple[str, str], ids: Collection[int]
    ) -> None:
        """Offer to undo an edit. `words`: what is said of it and of its undo. `ids`: its conversation, if stored."""

        def redo_and_offer() -> bool:
            is_done = redo()
            if is_done:
                self._offer_undo(undo, redo, words, ids)
            return is_done

        done, undone = map(phrase, words)
        action = UndoableAction(done=done, undone=undone, undo=undo, redo=redo_and_offer, conversation_ids=ids)
        self._transcript.requests.navigation.undo_offered.emit(action)

    def _turn(self, answer_id: int) -> tuple[Message, Message]:
        """Return the question of an answer, and the answer."""
        messages = {message.id: message for message in self._transcript.messages}
        answer = messages[answer_id]
        return messages[answer.parent_id or 0], answer

    def _on_rated(self, answer: Message) -> None:
        self._transcript.show_rated(answer)
        announce(self._transcript, answer_actions.rating_text(answer) or phrase("chat.rating_taken_back"))
