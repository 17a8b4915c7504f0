"""One question: what is known of its right answer, and what every system answered."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.evaluation.records import Gold, Question
from app.evaluation.report.result_shown import AnswerShown, QuestionShown, ResultShown
from app.evaluation.ui.result import words
from app.uikit.language import joined, noted
from app.uikit.theme import Theme
from app.uikit.widgets.card import Card
from app.uikit.widgets.fact_list import FactList
from app.uikit.widgets.labels import Label


class QuestionDetail(QWidget):
    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.text = Label(role="heading3", strong=True, wraps=True)
        self.text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.unanswerable = Label(
            self.tr("資料にない質問です。「ない」と答えるのが正解です。"), "caption", "text2", wraps=True
        )
        self.facts = FactList(theme, is_compact=True)
        self._answers = QVBoxLayout()
        self._answers.setSpacing(10)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(10)
        for widget in (self.text, self.unanswerable, self.facts):
            column.addWidget(widget)
        column.addLayout(self._answers)
        column.addStretch(1)

    def show_question(self, one: QuestionShown | None, found: ResultShown) -> None:
        """None: none is left by the filter."""
        self._clear()
        self.text.setText(one.question.text if one else self.tr("条件に合う問いはありません。"))
        self.unanswerable.setVisible(one is not None and not one.question.is_answerable)
        self.facts.set_facts(self._facts(one.question) if one else ())
        for answer in one.answers if one else ():
            card = AnswerCard(answer, found)
            self._answers.addWidget(card)
            card.show()  # at once: Qt shows what is added to a visible layout a moment later, which flickers

    # ------------------------------------------------------------------- private

    def _clear(self) -> None:
        while (item := self._answers.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()

    def _facts(self, question: Question) -> list[tuple[str, str]]:
        return [
            (self.tr("模範解答"), question.reference),
            (self.tr("必ず含む語"), " / ".join(question.must_include)),
            (self.tr("根拠"), "\n".join(self._gold(gold) for gold in question.gold)),
            (self.tr("分野"), question.category),
        ]

    def _gold(self, gold: Gold) -> str:
        page = self.tr("{n} ページ").format(n=gold.page) if gold.page else ""
        return noted(gold.quote, " > ".join(filter(None, (gold.document, *gold.heading, page))))


class AnswerCard(Card):
    def __init__(self, answer: AnswerShown, found: ResultShown) -> None:
        super().__init__(found.systems[answer.system].system.name)
        self.score = Label(self._score(answer), "ui", "text", strong=True)
        self.score.setVisible(bool(self.score.text()))
        self.head.addWidget(self.score, 0, Qt.AlignmentFlag.AlignTop)
        text = Label(answer.text, "reading", wraps=True)
        text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.column.addWidget(text)
        told = [self.tr("採点の理由：{text}").format(text=answer.reason)] if answer.reason else []
        for said in (*told, joined(*answer.detail, *answer.marks)):
            if said:
                self.column.addWidget(Label(said, "caption", "text2", wraps=True))

    def _score(self, answer: AnswerShown) -> str:
        """The judge's; the one by rules is among the marks."""
        return self.tr("{n}／3 点").format(n=words.number(answer.score, 0)) if answer.score is not None else ""
