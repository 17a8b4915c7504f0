"""Question sets in a folder of their own, the view of one, and the ways to add one, with what they say noted down."""

from collections.abc import Callable
from pathlib import Path

from pytestqt.qtbot import QtBot

from app.evaluation import question_sets
from app.evaluation.conversation_questions import CollectedQuestions
from app.evaluation.records import Gold, Question
from app.evaluation.ui.add_set_flow import AddSet
from app.evaluation.ui.question_set_view import SetView
from app.uikit.confidentiality_guard import ConfidentialityGuard
from app.uikit.desktop import Pickers
from app.uikit.theme import Theme
from tests.evaluation.ui.driver import Driver, stacked

NAME = "窓口の質問"
PLACE = Gold("鍵は守衛室で渡す。", "規則.pdf", ("2 章",), 4)
QUESTIONS = (
    Question("q1", "会議室は何階にありますか。", "3 階です。", ("3 階",), category="施設"),
    Question("q2", "鍵はどこで受け取りますか。", "守衛室です。", gold=(PLACE,)),
    Question("q3", "社長の好きな食べ物は何ですか。", is_answerable=False),
)
TEXTS = [one.text for one in QUESTIONS]
NOTHING = CollectedQuestions((), "public", {})


class Desk(Driver):
    def __init__(self, folder: Path, theme: Theme, qtbot: QtBot, width: int = 1168, height: int = 760) -> None:
        self.folder = folder
        self.target = ""  # that the desktop's window gives
        self.collect: Callable[[], CollectedQuestions] = lambda: NOTHING
        pickers = Pickers(save=lambda *_: self.target, open=lambda *_: self.target)
        guard = ConfidentialityGuard(theme, folder.parent / "exports.jsonl")
        self.view = SetView(theme, folder, folder.parent / "documents.sqlite", guard, pickers)
        super().__init__(stacked([*self.view.header_actions, self.view]), qtbot)
        self.adding = AddSet(theme, folder, lambda: self.collect(), self.window, pickers)
        self.undone: list[tuple[str, Callable[[], object]]] = []
        self.added: list[str] = []
        for part in (self.view, self.adding):
            part.failed.connect(self.errors.append)
        self.view.undo_offered.connect(lambda action: self.undone.append((action.done, action.undo)))
        self.adding.added.connect(self.added.append)
        self.open(width, height)

    def store(self, *questions: Question, name: str = NAME, **given: object) -> None:
        question_sets.store(self.folder, name, questions or QUESTIONS, **given)  # type: ignore[arg-type]

    def show(self, name: str = NAME) -> None:
        self.view.show_set(name)
        self.settle()

    def undo(self, at: int = 0) -> None:
        self.undone[at][1]()
        self.settle()

    def kept(self, name: str = NAME) -> tuple[Question, ...]:
        """The questions of the newest version."""
        return question_sets.find(self.folder, name).questions

    def texts_kept(self, name: str = NAME) -> list[str]:
        return [one.text for one in self.kept(name)]

    def version(self, name: str = NAME) -> int:
        return question_sets.newest_version(self.folder, name)

    def shown(self) -> list[str]:
        model = self.view.questions
        return [model.index(row, 0).data() for row in range(model.rowCount())]
