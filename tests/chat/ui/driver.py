"""What a person does and sees in conversations, and the page 質問 over doubles of its services."""

import dataclasses
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from PySide6.QtCore import QObject, Qt, QUrl, Signal, SignalInstance
from PySide6.QtGui import QAction, QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QMenu, QWidget
from pytestqt.qtbot import QtBot

from app.application import AppContext
from app.base import paths, programs
from app.base.confidentiality import Label
from app.base.errors import AppError
from app.base.paths import Paths
from app.base.services.preferences import Preferences
from app.base.wording import phrase
from app.chat.presets import PROGRAM_DEFAULTS, Choices, built_in_presets
from app.chat.records import AnswerDetails, Conversation, Message, UnsentDraft
from app.chat.services.conversations import Conversations
from app.chat.services.preset_library import PresetLibrary
from app.chat.store import Store
from app.chat.ui.chat_page import ChatPage
from app.chat.ui.transcript import rows_view
from app.chat.ui.transcript.message_view import MessageView
from app.chat.ui.transcript.transcript import Transcript
from app.documents.grounding.grounding_record import CollectionRef
from app.documents.services.document_library import DocumentLibrary
from app.inference.local_model import LocalModel
from app.models import catalogue
from app.uikit.page import NavigationSignals
from app.uikit.theme import Theme, unstyled
from tests.documents.reading.pdf_maker import Pdf, text
from tests.scene import Scene
from tests.waiting import process_until

NONE = Qt.KeyboardModifier.NoModifier
CONTROL, SHIFT, ALT = (getattr(Qt.KeyboardModifier, f"{name}Modifier") for name in ("Control", "Shift", "Alt"))
LEFT = Qt.MouseButton.LeftButton
ANSWER_MS = 30_000
TIMEOUT_MS = 60_000
SENTENCE = "発電機は毎月一回、無負荷で五分以上の運転を行う。"

DETAILS = AnswerDetails(
    "m",
    "試験 8B",
    "end",
    seed=7,
    answer_tokens=30,
    total_s=8.2,
    tokens_per_s=44.94,
    choices=PROGRAM_DEFAULTS,
    context_tokens=4096,
)
MODEL = LocalModel("m", "R&D モデル Q4_K_M", "/x", 4_920_000_000, "llama", "Q4_K_M", 8192, 1.0)
TRIAL = LocalModel("t", "お試し", "/y", 253_113_024, "gemma3", "Q4_K_M", 32768, 1.0, "trial")

press = QTest.keyClick


# ------------------------------------------------------------------ messages


def question(number: int, text: str = "質問です。", branch: int = 1, branches: int = 1) -> Message:
    return Message(number, 1, number - 1 or None, "question", text, "done", 1.8e9, None, branch, branches)


def answer(
    number: int,
    text: str = "回答です。",
    status: str = "done",
    *,
    branch: int = 1,
    branches: int = 1,
    **details: object,
) -> Message:
    made = dataclasses.replace(DETAILS, **details)
    return Message(number, 1, number - 1, "answer", text, status, 1.8e9, made, branch, branches)


def failed(number: int, text: str = "途中", code: str = "engine_died") -> Message:
    return answer(number, text, "failed", stop_reason="failed", error_code=code)


def streaming(number: int, text: str = "") -> Message:
    return Message(number, 1, number - 1, "answer", text, "streaming", 1.8e9, AnswerDetails())


# ---------------------------------------------------------------- what is seen


def buttons(inside: QWidget) -> dict[str, QAbstractButton]:
    """Those that can be seen, by their names."""
    found = inside.findChildren(QAbstractButton)
    return {button.accessibleName() or button.text(): button for button in found if button.isVisible()}


def entries(menu: QMenu) -> dict[str, QAction]:
    return {action.text(): action for action in menu.actions() if not action.isSeparator()}


def words(inside: QWidget) -> list[str]:
    """Texts of labels and buttons that can be seen."""
    return [child.text() for child in inside.findChildren(QWidget) if hasattr(child, "text") and child.isVisible()]


def heard(signal: SignalInstance) -> list[tuple[object, ...]]:
    """Return a list that gets the arguments of each emission."""
    found: list[tuple[object, ...]] = []
    signal.connect(lambda *arguments: found.append(arguments))
    return found


def clipboard() -> str:
    return QGuiApplication.clipboard().text()


# ------------------------------------------------------------------ transcript


class SeenTranscript(Transcript):
    """A transcript in a window of its own, and what a person sees in it."""

    def __init__(self, theme: Theme, qtbot: QtBot) -> None:
        super().__init__(theme, NavigationSignals())
        self._qtbot = qtbot

    def label_now(self) -> Label:
        """As of the page around it."""
        return "internal"

    def settle(self) -> None:
        """Wait until nothing is left to be filled in."""
        self._qtbot.waitUntil(lambda: not self._fill_timer.isActive())

    def scroll(self, value: int) -> None:
        self.verticalScrollBar().setValue(value)
        self.settle()

    def tops(self) -> dict[int, int]:
        """Return message id -> top in the viewport, of what can be seen."""
        views = {message.id: self.view_of(message.id) for message in self.messages}
        height = self.viewport().height()
        return {number: view.y() for number, view in views.items() if view and -view.height() < view.y() < height}

    def text_of(self, number: int) -> str:
        return self.view_of(number).text.plain_text()

    def words(self, number: int) -> list[str]:
        return words(self.view_of(number))

    def buttons(self, number: int) -> dict[str, QAbstractButton]:
        return buttons(self.view_of(number))

    def menu(self, number: int) -> dict[str, QAction]:
        """Return the entries of an answer's menu."""
        return entries(self.view_of(number)._end.row.menu())

    def facts(self, number: int) -> list[str]:
        """Return the facts of an answer, which its menu opens."""
        return list(entries(self.menu(number)[phrase("chat.answer_facts")].menu()))


@pytest.fixture
def transcript(theme: Theme, qtbot: QtBot) -> SeenTranscript:
    transcript = SeenTranscript(theme, qtbot)
    qtbot.addWidget(transcript)
    transcript.resize(900, 600)
    transcript.show()
    transcript.activateWindow()
    return transcript


@pytest.fixture(autouse=True)
def time_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine widgets may come a round later than the tests look for them."""
    monkeypatch.setattr(rows_view, "BUDGET_S", 60.0)


# ----------------------------------------------------------------------- pages


@pytest.fixture
def page(scene: Scene, theme: Theme, qtbot: QtBot) -> Iterator[ChatPage]:
    """The page over the real services and the fake engine."""
    documents = DocumentLibrary(scene.where.documents, [], scene.where.logs)  # never opened
    services = (scene.session, scene.conversations, scene.presets, scene.library, scene.preferences, documents)
    with unstyled():
        page = ChatPage(theme, NavigationSignals(), *services)
    qtbot.addWidget(page)
    page.resize(1000, 700)
    page.show()
    yield page
    scene.session.close()


class Window:
    """The window with its page 質問."""

    def __init__(self, parts: AppContext, qtbot: QtBot) -> None:
        self.parts, self.qtbot = parts, qtbot
        self.window, self.session = parts.window, parts.session
        self.page: ChatPage = parts.window.page("ask")
        self.composer, self.editor = self.page.composer, self.page.composer.editor
        self.transcript, self.requests = self.page.transcript, self.page.transcript.requests

    @property
    def open_id(self) -> int | None:
        return self.session.conversation and self.session.conversation.id

    def type(self, text: str) -> None:
        for character in text:
            press(self.editor, character)

    def answered(self, act: Callable[[], object]) -> Message:
        """Act, and wait for the end of the answer."""
        with self.qtbot.waitSignal(self.session.answer_finished, timeout=ANSWER_MS) as signal:
            act()
        return signal.args[0]

    def ask(self, text: str) -> Message:
        self.composer.set_text(text)
        return self.send()

    def send(self) -> Message:
        return self.answered(lambda: press(self.editor, Qt.Key.Key_Return))

    def shown(self) -> list[str]:
        return [message.text for message in self.transcript.messages]

    def activate(self) -> None:
        self.window.activateWindow()
        self.qtbot.waitUntil(self.window.isActiveWindow)


@pytest.fixture(scope="module")
def read_once(tmp_path_factory: pytest.TempPathFactory, qapp: QApplication) -> Path:
    """A folder with a PDF file of three pages, SENTENCE on its second, a copy, and documents in which it was read."""
    folder = tmp_path_factory.mktemp("read")
    pdf = Pdf()
    for number in range(1, 4):
        written = SENTENCE if number == 2 else "別の文である。"
        pdf.page(text(72, 720, f"第{number}節　点検", 16) + text(72, 300, written, 11))
    (folder / "規程.pdf").write_bytes(pdf.bytes())
    shutil.copy2(folder / "規程.pdf", folder / "copy")
    kept = paths.locate(str(folder))
    with closing(DocumentLibrary(kept.documents, programs.reader_command(kept.documents), kept.logs)) as documents:
        documents.open()
        process_until(lambda: documents.is_open)
        documents.add_collection("規程", paths=[folder / "規程.pdf"])
        process_until(lambda: any(one.sections for one in documents.collections()))
        assert [one.sections for one in documents.collections()] == [3]
    return folder


@pytest.fixture
def with_document(read_once: Path, where: Paths, open_window: Callable[..., AppContext], qtbot: QtBot) -> AppContext:
    """The window with the file of `read_once` that was read."""
    shutil.copy2(read_once / "copy", read_once / "規程.pdf")
    shutil.copy(read_once / "documents.sqlite", where.documents)
    parts = open_window()
    with qtbot.waitSignal(parts.documents.opened, timeout=TIMEOUT_MS):
        parts.documents.open()
    return parts


# --------------------------------------------------------------------- doubles


class Overflows(QObject):
    counted = Signal(object)


class Session(QObject):
    """A double of ChatSession: signals, and in `calls` what was asked of it."""

    conversation_opened = Signal(object, object)
    earlier_read = Signal(object)
    message_added = Signal(object)
    text_received = Signal(int, str)
    answer_finished = Signal(object)
    answer_finished_elsewhere = Signal(object)
    stage_changed = Signal(object)
    problem_occurred = Signal(object)
    answer_rated = Signal(object)
    answer_edited = Signal(object)
    answer_settings_changed = Signal()
    about_to_leave = Signal()
    temporary_left = Signal()

    def __init__(self, library: "Library") -> None:
        super().__init__()
        self._library = library
        self.overflow = Overflows(self)
        self._given: list[Message] = []
        self.conversation_opened.connect(lambda _conversation, messages: setattr(self, "_given", messages))
        self.calls: list[tuple[object, ...]] = []
        self.conversation: Conversation | None = None
        self.is_busy = False
        self.is_answering_elsewhere = False
        self.takes_questions = True
        self.model_id: str | None = "m"
        self.is_temporary = False
        self.preset = built_in_presets()[0]
        self.choices = Choices()
        self.scope: tuple[CollectionRef, ...] = ()
        self.label: Label = "internal"
        self.kept: list[UnsentDraft] = []

    @property
    def model(self) -> LocalModel | None:
        return next((model for model in self._library.list if model.id == self.model_id), None)

    def messages(self) -> list[Message]:
        """Those that the page was given last."""
        return self._given

    def referenced_collections(self) -> list[CollectionRef]:
        return []

    def thinks(self, _messages: list[Message]) -> bool | None:
        return None

    def read_earlier(self) -> None:
        """All messages are given at once."""

    def draft(self) -> UnsentDraft:
        return UnsentDraft()

    def keep_draft(self, draft: UnsentDraft) -> bool:
        self.kept.append(draft)
        return True

    def ask_of(self, scope: tuple[CollectionRef, ...]) -> bool:
        self.scope = scope
        self.answer_settings_changed.emit()
        return True

    def give_label(self, label: Label) -> bool:
        self.label = label
        self.answer_settings_changed.emit()
        return True


def _noted(name: str) -> Callable[..., bool]:
    def call(session: Session, *arguments: object, **named: object) -> bool:
        session.calls.append((name, *arguments, *named.values()))
        return session.takes_questions

    return call


for _name in (
    *("ask", "ask_follow_up", "edit", "act", "reproduce", "regenerate", "show_branch", "resolve_overflow", "stop"),
    *("open_new", "keep_temporary", "use_model", "answer_by"),
):
    setattr(Session, _name, _noted(_name))


class Library(QObject):
    """A double of ModelLibrary."""

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
        self.library = Library(MODEL, TRIAL)
        self.session = Session(self.library)
        self.preferences = Preferences(where.settings)
        self.presets = PresetLibrary(store)
        self.documents = DocumentLibrary(where.documents, [], where.logs)  # never opened
        self.opened: list[QUrl] = []
        self.navigation = NavigationSignals()
        services = (self.session, Conversations(store), self.presets, self.library, self.preferences, self.documents)
        with unstyled():
            self.page = ChatPage(theme, self.navigation, *services, self.opened.append)
        self.header, self.composer = self.page.header, self.page.composer
        self.transcript, self.requests = self.page.transcript, self.page.transcript.requests
        self.banner, self.calls = self.page.banner, self.session.calls
        qtbot.addWidget(self.page)
        self.page.resize(1100, 800)
        self.page.show()

    def open(self, *messages: Message) -> None:
        self.session.about_to_leave.emit()
        self.session.conversation = Conversation(1, "題 & 名", 1.0, 1.0, messages[-1].id if messages else None)
        self.session.conversation_opened.emit(self.session.conversation, list(messages))

    def open_new(self) -> None:
        self.session.about_to_leave.emit()
        self.session.conversation = None
        self.session.conversation_opened.emit(None, [])

    def fail(self, code: str, **facts: object) -> None:
        self.session.problem_occurred.emit(AppError(code, **facts))

    def view(self, number: int) -> MessageView:
        return self.transcript.view_of(number)

    def menu(self) -> dict[str, QAction]:
        return entries(self.header.menu())

    def press(self, key: Qt.Key, modifiers: Qt.KeyboardModifier = NONE) -> None:
        """Press a key in the field."""
        press(self.composer.editor, key, modifiers)


@pytest.fixture
def double(theme: Theme, where: Paths, store: Store, qtbot: QtBot) -> Double:
    return Double(theme, where, store, qtbot)
