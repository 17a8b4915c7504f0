"""何をしたいですか: three answers, each with what Kotae advises."""

from PySide6.QtCore import QCoreApplication

from app.training.plan import GOALS
from app.uikit.theme import Theme
from app.uikit.widgets.answer_choice import AnswerChoice

ANSWER_PX = 260

translate = QCoreApplication.translate


def goal_choice(theme: Theme) -> AnswerChoice:
    choice = AnswerChoice(theme, {goal: _words(goal) for goal in GOALS}, ANSWER_PX)
    for answer in choice.answers.values():  # an arrow is for the eye alone
        answer.about.setText(f"→ {answer.about.text()}")
    return choice


def _words(goal: str) -> tuple[str, str]:
    """The answer, and the advice."""
    return {
        "facts": (
            translate("Training", "新しい事実を答えさせたい"),
            translate("Training", "資料に追加するのが確実です"),
        ),
        "style": (
            translate("Training", "文体、書式、用語をそろえたい"),
            translate("Training", "学習が向いています"),
        ),
        "both": (
            translate("Training", "両方"),
            translate("Training", "資料と学習を組み合わせます"),
        ),
    }[goal]
