"""Questions from rated answers: which ones are taken, and why the others are not."""

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QWidget

from app.base.errors import AppError
from app.base.wording import describe_error, phrase
from app.evaluation.from_conversations import Collected
from app.evaluation.question_sets import KeptSet
from app.evaluation.ui.sets import words
from app.evaluation.ui.sets.take_dialog import Part, TakeDialog, Taken, some
from app.uikit.dialogs import Choice, Dialog
from app.uikit.theme import Theme

translate = QCoreApplication.translate


class ConversationsDialog(TakeDialog):
    def __init__(self, theme: Theme, folder: Path, sets: Sequence[KeptSet], found: Collected, parent: QWidget) -> None:
        source = phrase("chat_questions_source")
        taken = Taken(self.tr("会話の評価から"), found.questions, found.label, source)
        parts = (
            Part(self.tr("使う問い"), some(found.questions, words.SHOWN_ROWS)),
            Part(self.tr("わかっていること"), words.known(found.questions)),
            Part(self.tr("除いたもの"), left_out(found)),
        )
        super().__init__(theme, folder, sets, taken, parts, parent)
        title = self.tr("会話の評価から {n} 問の質問集を作りますか").format(n=f"{len(found.questions):,}")
        sentence = self.tr("「良い」回答と、「悪い」回答に書いた正しい回答が、模範解答になります。")
        self.set_words(title, sentence, self.tr("作る"))


def left_out(found: Collected) -> str:
    """A line for each reason."""
    return "\n".join(phrase(f"chat_questions_{reason}", count=f"{n:,}") for reason, n in found.left_out.items())


def nothing_dialog(theme: Theme, found: Collected, parent: QWidget) -> Dialog:
    """Where no rated answer can become a question: what to do."""
    sentence = describe_error(AppError("no_rated_answers"))
    body = "\n".join(part for part in (sentence.next, left_out(found)) if part)
    close = Choice("cancel", translate("QuestionSets", "閉じる"), is_default=True)
    return Dialog(theme, sentence.message, body, (close,), parent)
