"""The page 質問 with doubles of the services: what was asked of them is in `Double.session.calls`."""

from PySide6.QtCore import QObject, QUrl, Signal
from PySide6.QtWidgets import QAbstractButton, QWidget
from pytestqt.qtbot import QtBot

from app.base.confidentiality import Label
from app.base.paths import Paths
from app.base.services.preferences import Preferences
from app.chat.presets import Choices, Preset, built_in_presets
from app.chat.records import AnswerDetails, Conversation, Message, UnsentDraft
from app.chat.services.conversations import Conversations
from app.chat.services.preset_library import PresetLibrary
from app.chat.store import Store
from app.chat.ui.chat_page import ChatPage
from app.documents.grounding.grounding_record import CollectionRef
from app.documents.services.document_library import DocumentLibrary
from app.inference.local_model import LocalModel
from app.models import catalogue
from app.uikit.page import Navigation
from app.uikit.theme import Theme

MODEL = LocalModel("m", "R&D モデル Q4_K_M", "/x", 4_920_000_000, "llama", "Q4_K_M", 8192, 1.0)
TRIAL = LocalModel("t", "お試し", "/y", 253_113_024, "gemma3", "Q4_K_M", 32768, 1.0, "trial")


class Overflows(QObject):
    counted = Signal(object)


class Session(QObject):
    """A double of ChatSession: signals, and what was asked of it."""

    conversation_opened = Signal(object, object)
    message_added = Signal(object)
    text_received = Signal(int, str)
    answer_finished = Signal(object)
    answer_finished_elsewhere = Signal(object)
    stage_changed = Signal(object)
    problem_occurred = Signal(object)
    answer_rated = Signal(object)
    answering_changed = Signal()
    about_to_leave = Signal()
    temporary_left = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.overflow = Overflows(self)
        self._given: list[Message] = []
        self.conversation_opened.connect(lambda _conversation, messages: setattr(self, "_given", messages))
        self.calls: list[tuple[object, ...]] = []
        self.conversation: Conversation | None = None
        self.is_busy = False
        self.is_answering_elsewhere = False
        self.takes_questions = True
        self.model: LocalModel | None = MODEL
        self.is_temporary = False
        self.preset = built_in_presets()[0]
        self.choices = Choices()
        self.scope: tuple[CollectionRef, ...] = ()
        self.label: Label = "internal"
        self.stored_draft = UnsentDraft()
        self.kept: list[UnsentDraft] = []

    @property
    def model_id(self) -> str | None:
        return self.model.id if self.model else None

    def messages(self) -> list[Message]:
        """Those that the page was given last."""
        return self._given

    def asked(self) -> list[CollectionRef]:
        return []

    def draft(self) -> UnsentDraft:
        return self.stored_draft

    def keep_draft(self, draft: UnsentDraft) -> bool:
        self.kept.append(draft)
        return True

    def edit(self, question_id: int, text: str) -> bool:
        self.calls.append(("edit", question_id, text))
        return self.takes_questions

    def act(self, answer_id: int, action: Preset) -> bool:
        self.calls.append(("act", answer_id, action.id))
        return True

    def reproduce(self, answer_id: int) -> None:
        self.calls.append(("reproduce", answer_id))

    def answer_by(self, preset_id: str | None, choices: Choices) -> bool:
        self.calls.append(("answer_by", preset_id, choices))
        return True

    def ask_of(self, scope: tuple[CollectionRef, ...]) -> bool:
        self.scope = scope
        self.answering_changed.emit()
        return True

    def give_label(self, label: Label) -> bool:
        self.label = label
        self.answering_changed.emit()
        return True

    def keep_temporary(self) -> None:
        self.calls.append(("keep_temporary",))

    def ask(self, text: str) -> bool:
        self.calls.append(("ask", text))
        return self.takes_questions

    def stop(self) -> None:
        self.calls.append(("stop",))

    def new(self, *, is_temporary: bool = False) -> None:
        self.calls.append(("new", "temporary") if is_temporary else ("new",))

    def use_model(self, model_id: str) -> None:
        self.calls.append(("use_model", model_id))

    def regenerate(self, answer_id: int, force_load: bool = False) -> None:
        self.calls.append(("regenerate", answer_id, force_load))

    def show_branch(self, answer_id: int, step: int) -> None:
        self.calls.append(("show_branch", answer_id, step))

    def resolve_overflow(self, choice: str) -> None:
        self.calls.append(("resolve_overflow", choice))


class Library(QObject):
    changed = Signal()

    def __init__(self, *models: LocalModel) -> None:
        super().__init__()
        self.list = list(models)

    def models(self) -> list[LocalModel]:
        return self.list

    answering = models

    def card(self, model: LocalModel) -> catalogue.ModelCard | None:
        return next(card for card in catalogue.load().cards if card.is_trial) if model is TRIAL else None

    def is_starter_available(self) -> bool:
        return True


class Double:
    """The page with doubles."""

    def __init__(self, theme: Theme, where: Paths, store: Store, qtbot: QtBot) -> None:
        self.session = Session()
        self.library = Library(MODEL, TRIAL)
        self.preferences = Preferences(where.settings)
        self.presets = PresetLibrary(store)
        self.documents = DocumentLibrary(where.documents, [], where.logs)  # never opened
        self.opened: list[QUrl] = []
        self.navigation = Navigation()
        self.page = ChatPage(
            theme,
            self.navigation,
            self.session,  # type: ignore[arg-type]
            Conversations(store),
            self.presets,
            self.library,  # type: ignore[arg-type]
            self.preferences,
            self.documents,
            self.opened.append,
        )
        qtbot.addWidget(self.page)
        self.page.resize(1100, 800)
        self.page.show()
        qtbot.waitExposed(self.page)

    def open(self, *messages: Message) -> None:
        self.session.about_to_leave.emit()
        self.session.conversation = Conversation(1, "題 & 名", 1.0, 1.0, messages[-1].id if messages else None)
        self.session.conversation_opened.emit(self.session.conversation, list(messages))

    def buttons(self, inside: QWidget | None = None) -> dict[str, QAbstractButton]:
        found = (inside or self.page).findChildren(QAbstractButton)
        return {button.accessibleName() or button.text(): button for button in found if button.isVisible()}


def question(number: int, text: str = "質問です。") -> Message:
    return Message(number, 1, number - 1 or None, "question", text, "done", 1.8e9)


def answer(number: int, text: str = "回答です。", status: str = "done", reason: str = "end", code: str = "") -> Message:
    details = AnswerDetails(stop_reason=reason, error_code=code)
    return Message(number, 1, number - 1, "answer", text, status, 1.8e9, details)
