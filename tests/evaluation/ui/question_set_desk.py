"""Question sets in a folder of their own, the view of one, and the ways to add one, with what they say noted down."""

import time
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QApplication, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from app.base.errors import AppError
from app.base.services import background
from app.evaluation import question_sets
from app.evaluation.conversation_questions import CollectedQuestions
from app.evaluation.records import Gold, Question
from app.evaluation.ui.sets.add_set_flow import AddSet
from app.evaluation.ui.sets.question_set_view import SetView
from app.uikit.confidentiality_guard import ConfidentialityGuard
from app.uikit.desktop import Pickers
from app.uikit.theme import Theme
from tests.window_fixtures import settle

NAME = "窓口の質問"
PLACE = Gold("鍵は守衛室で渡す。", "規則.pdf", ("2 章",), 4)
QUESTIONS = (
    Question("q1", "会議室は何階にありますか。", "3 階です。", ("3 階",), category="施設"),
    Question(
        "q2", "鍵はどこで受け取りますか。", "守衛室です。", gold=(Gold("鍵は守衛室で渡す。", "規則.pdf", ("2 章",), 4),)
    ),
    Question("q3", "社長の好きな食べ物は何ですか。", is_answerable=False),
)
NOTHING = CollectedQuestions((), "public", {})


class Desk(QObject):
    def __init__(self, folder: Path, theme: Theme, qtbot: QtBot, width: int = 1168, height: int = 760) -> None:
        super().__init__()
        self.folder = folder
        self.qtbot = qtbot
        self.target = ""  # that the desktop's window gives
        self.collect: Callable[[], CollectedQuestions] = lambda: NOTHING
        pickers = Pickers(save=lambda *_: self.target, open=lambda *_: self.target)
        self.window = QWidget()
        self.view = SetView(
            theme,
            folder,
            folder.parent / "documents.sqlite",
            ConfidentialityGuard(theme, folder.parent / "exports.jsonl"),
            pickers,
        )
        column = QVBoxLayout(self.window)
        column.setContentsMargins(0, 0, 0, 0)
        for action in self.view.header_actions:
            column.addWidget(action)
        column.addWidget(self.view)
        self.adding = AddSet(theme, folder, lambda: self.collect(), self.window, pickers)
        self.failed: list[AppError] = []
        self.undone: list[tuple[str, Callable[[], object]]] = []
        self.added: list[str] = []
        for part in (self.view, self.adding):
            part.failed.connect(self.failed.append)
        self.view.undo_offered.connect(lambda text, undo: self.undone.append((text, undo)))
        self.adding.added.connect(self.added.append)
        qtbot.addWidget(self.window)
        self.window.resize(width, height)
        self.window.show()

    def store(self, *questions: Question, name: str = NAME, **given: object) -> None:
        question_sets.store(self.folder, name, questions or QUESTIONS, **given)  # type: ignore[arg-type]

    def show(self, name: str = NAME) -> None:
        self.view.show_set(name)
        self.settle()

    def settle(self) -> None:
        """All that goes on in the background has come to its end, and to the window."""
        deadline = time.monotonic() + 30
        while background._running and time.monotonic() < deadline:
            QApplication.processEvents()
        assert not background._running
        settle()

    def texts(self, name: str = NAME) -> list[str]:
        """Of the newest version that is kept."""
        return [one.text for one in question_sets.find(self.folder, name).questions]

    def version(self, name: str = NAME) -> int:
        return question_sets.newest_version(self.folder, name)

    def shown(self) -> list[str]:
        model = self.view.questions
        return [model.index(row, 0).data() for row in range(model.rowCount())]
