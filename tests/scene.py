"""The services with the fake engine, as a real child process."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import shiboken6
from pytestqt.qtbot import QtBot

from app.base import programs
from app.base.paths import Paths
from app.base.services.preferences import Preferences
from app.chat.records import Message
from app.chat.services.chat_session import ChatSession
from app.chat.services.conversations import Conversations
from app.chat.services.preset_library import PresetLibrary
from app.chat.store import Store
from app.inference.local_model import LocalModel
from app.inference.services.engine import EngineClient
from app.models.services.model_library import ModelLibrary
from tests import model_files as models

ECHO = [*programs.own_program(), "--engine", "echo"]


@dataclass
class Scene:
    """A chat session with everything under it."""

    where: Paths
    store: Store
    engine: EngineClient
    library: ModelLibrary
    preferences: Preferences
    conversations: Conversations
    presets: PresetLibrary
    session: ChatSession
    qtbot: QtBot

    def ask(self, text: str) -> Message:
        """Asks and waits for the end of the answer."""
        return self.finish(lambda: self.session.ask(text))

    def finish(self, act: Callable[[], object]) -> Message:
        """Does what starts or ends an answer, and waits for its end."""
        with self.qtbot.waitSignal(self.session.answer_finished, timeout=60_000) as signal:
            assert act() is not False
        message: Message = signal.args[0]
        return message

    def refusal(self, act: Callable[[], object]) -> str:
        """The code of the problem that this leads to."""
        with self.qtbot.waitSignal(self.session.problem_occurred) as signal:
            act()
        code: str = signal.args[0].code
        return code

    def thread(self) -> list[Message]:
        assert self.session.conversation is not None
        return self.store.thread(self.session.conversation.id)


@pytest.fixture(scope="session")
def long_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model, said to be trained for 32,768 tokens as the fake engine is."""
    return models.tiny_llama(tmp_path_factory.mktemp("models") / "long.gguf", metadata={"llama.context_length": 32768})


@pytest.fixture
def model(long_model: Path) -> LocalModel:
    return LocalModel("tiny", "小さなモデル", str(long_model), 1, "llama", "F32", 32768, 1.0, form_id="llama3")


@pytest.fixture
def make_scene(where: Paths, store: Store, model: LocalModel, qtbot: QtBot) -> Iterator[Callable[..., Scene]]:
    engines: list[EngineClient] = []

    def make(**limits: float) -> Scene:
        store.put_local_model(model)
        engine = EngineClient(ECHO, where.logs / "engine.log", **limits)
        engines.append(engine)
        library = ModelLibrary(store, where.models)
        preferences = Preferences(where.settings)
        conversations, presets = Conversations(store), PresetLibrary(store)
        session = ChatSession(store, conversations, presets, engine, library, preferences, where.documents)
        return Scene(where, store, engine, library, preferences, conversations, presets, session, qtbot)

    yield make
    for engine in engines:
        engine.shut_down()
        shiboken6.delete(engine)  # with its children, which a collection of both would delete a second time


@pytest.fixture
def scene(make_scene: Callable[..., Scene]) -> Scene:
    return make_scene()
