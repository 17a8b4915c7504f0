"""Show the tab 問いごとの結果: the questions, and beside them (or below, in a narrow window) the chosen one."""

from collections.abc import Iterator, Sequence
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QComboBox, QWidget

from app.base.wording import phrase
from app.evaluation.records import Question
from app.evaluation.report.result_view_data import AnswerViewData, QuestionViewData, ResultViewData
from app.evaluation.ui import result_texts
from app.training.data.records import shorten
from app.uikit.localization import join_facts, with_note
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import (
    Card,
    RowsInTurns,
    Stretch,
    clear_layout,
    fix_width,
    make_column,
    make_row,
    make_scrollable,
    set_direction,
)
from app.uikit.widgets.labels import FactList, Label, plain_tooltip
from app.uikit.widgets.list_rows import DescriptionRole, EntryListModel, EntryRole, EntryRow, Index, NamedList

MARGIN_PX, WIDE_PX, LIST_PX, LIST_LOW_PX, DETAIL_LEAST_PX, NAME_CHARACTERS = 24, 700, 320, 150, 160, 16
ANSWERS_AT_ONCE = 4


class ScoredQuestions(EntryListModel):
    """The list of the questions of one category, in their order or by the difference between the systems.

    The texts of the scores are made only for the rows that are shown.
    """

    def __init__(self) -> None:
        super().__init__()
        self._all: Sequence[QuestionViewData] = ()
        self._systems: Sequence[str] = ()  # names of the systems
        self.category: str | None = None  # None: all categories
        self.is_by_spread = False

    def show_result(self, result: ResultViewData) -> None:
        self._all, self.category = result.questions, None
        self._systems = [one.system.name for one in result.systems]
        self.refilter()

    def refilter(self) -> None:
        """Apply `category` and `is_by_spread` after a change."""
        shown = [one for one in self._all if self.category in (None, one.question.category)]
        if self.is_by_spread:
            shown.sort(key=lambda one: -one.spread)  # stable: questions with equal spread keep their order
        self.set_rows([EntryRow(one.question.text, one.question.id, one) for one in shown])

    @property
    def total(self) -> int:
        return len(self._all)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        one: QuestionViewData = self._rows[index.row()].entry
        match role:
            case Qt.ItemDataRole.ToolTipRole:
                return plain_tooltip(join_facts(one.question.text, *self._named_scores(one)))
            case _ if role == DescriptionRole:  # the scores in the order of the systems, and the category
                return join_facts(" / ".join(map(result_texts.points_of, one.means)), one.question.category)
            case Qt.ItemDataRole.AccessibleTextRole:
                return join_facts(one.question.text, *self._named_scores(one), one.question.category)
        return super().data(index, role)

    def _named_scores(self, question: QuestionViewData) -> list[str]:
        """Return the score of each system as a text with the system's name."""
        scores = zip(self._systems, question.means, strict=True)
        return [f"{name}\u00a0{result_texts.points_of(mean)}" for name, mean in scores]


class QuestionDetail(QWidget):
    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.text = Label(role="heading3", strong=True, wraps=True)
        self.text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.unanswerable = Label(phrase("evaluation.the_documents_do_not_answer"), "caption", "text2", wraps=True)
        self.facts = FactList(theme, is_compact=True)
        self._answers = make_column(spacing_px=10)
        self._filling = RowsInTurns(self, ANSWERS_AT_ONCE)
        make_column(self.text, self.unanswerable, self.facts, self._answers, Stretch(), into=self, spacing_px=10)

    def show_question(self, question: QuestionViewData | None) -> None:
        """Show a question; None: no question fits the filter."""
        clear_layout(self._answers)
        self.text.setText(question.question.text if question else phrase("evaluation.no_question_fits_the_filter"))
        self.unanswerable.setVisible(question is not None and not question.question.is_answerable)
        self.facts.set_facts(self._facts(question.question) if question else ())
        self._filling.begin(self._add_answers(question.list_answers() if question else ()))

    def _add_answers(self, answers: Sequence[AnswerViewData]) -> Iterator[None]:
        for answer in answers:
            card = AnswerCard(answer)
            self._answers.addWidget(card)
            card.show()  # at once, because Qt shows a widget added to a visible layout a moment later, which flickers
            yield

    def _facts(self, question: Question) -> list[tuple[str, str]]:
        return [
            (phrase("evaluation.question_column.reference"), question.shown_reference),
            (phrase("evaluation.question_column.must_include"), " / ".join(question.must_include)),
            (phrase("evaluation.gold_quotes"), "\n".join(with_note(gold.quote, gold.place) for gold in question.gold)),
            (phrase("evaluation.question_column.category"), question.category),
        ]


class AnswerCard(Card):
    def __init__(self, answer: AnswerViewData) -> None:
        super().__init__(answer.system)
        self.score = Label(self._score(answer), "ui", "text", strong=True)
        self.score.setVisible(bool(self.score.text()))
        self.head.addWidget(self.score, 0, Qt.AlignmentFlag.AlignTop)
        text = Label(answer.text, "reading", wraps=True)
        text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.column.addWidget(text)
        reason = [phrase("evaluation.the_judges_reason_text", text=answer.reason)] if answer.reason else []
        for line in (*reason, join_facts(*answer.detail, *answer.marks)):
            if line:
                self.column.addWidget(Label(line, "caption", "text2", wraps=True))

    def _score(self, answer: AnswerViewData) -> str:
        """Return the judge's score as text, "" if there is none; the score by rules is among the marks."""
        return phrase("evaluation.n_of_3", n=result_texts.number(answer.score, 0)) if answer.score is not None else ""


class QuestionsTab(QWidget):
    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._view_data: ResultViewData | None = None
        self._question_id = ""
        self.questions = ScoredQuestions()
        self.questions.setParent(self)
        self.view = NamedList(theme, self.questions, phrase("evaluation.list_of_questions"))
        self.view.setProperty("framed", True)
        self.view.setUniformItemSizes(True)
        self.categories = QComboBox()
        self.categories.setAccessibleName(phrase("evaluation.question_column.category"))
        self.categories.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.spread_button = Button(theme, phrase("evaluation.largest_differences_first"))
        self.spread_button.setCheckable(True)
        self.count = Label(role="caption", tone="text2", wraps=True)
        self.legend = Label(role="caption", tone="text2", wraps=True)
        self.detail = QuestionDetail(theme)
        self._area = make_scrollable(self.detail)
        self._left = QWidget()
        self._inside = QWidget()
        self._content = QBoxLayout(QBoxLayout.Direction.LeftToRight, self._inside)
        self._build()
        self.categories.activated.connect(self._on_category_chosen)
        self.spread_button.toggled.connect(self._on_order_chosen)
        self.view.selectionModel().currentChanged.connect(lambda *_: self._show_current())
        theme.changed.connect(self._arrange_panes)

    def show_result(self, result: ResultViewData) -> None:
        """Show a result when the tab is shown; one that is shown already keeps the chosen question."""
        if result is self._view_data:
            return
        self._view_data, self._question_id = result, ""
        self.questions.show_result(result)
        names = list(dict.fromkeys(question.question.category for question in result.questions))
        self.categories.clear()
        self.categories.addItem(phrase("evaluation.all_categories"), None)
        for name in names:
            self.categories.addItem(shorten(name or phrase("evaluation.no_category"), NAME_CHARACTERS), name)
            self.categories.setItemData(self.categories.count() - 1, plain_tooltip(name), Qt.ItemDataRole.ToolTipRole)
        self.categories.setVisible(len(names) > 1)
        self.spread_button.setVisible(len(result.systems) > 1)
        order = " / ".join(system.system.name for system in result.systems)
        self.legend.setText(phrase("evaluation.figures_from_the_left_names", names=order))
        self.legend.setVisible(bool(result.measure) and len(result.systems) > 1)
        self._choose()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange_panes()

    @property
    def current(self) -> QuestionViewData | None:
        found: QuestionViewData | None = self.view.currentIndex().data(EntryRole)
        return found

    def _build(self) -> None:
        row = make_row(self.spread_button, (self.count, 1), spacing_px=10)
        make_column(self.categories, row, self.legend, (self.view, 1), into=self._left, spacing_px=8)
        self._content.setContentsMargins(MARGIN_PX, 14, MARGIN_PX, 14)
        self._content.setSpacing(16)
        self._content.addWidget(self._left)
        self._content.addWidget(self._area, 1)
        make_column(make_scrollable(self._inside), into=self)  # the tab scrolls if there is no room for both

    def _arrange_panes(self) -> None:
        """Put list and detail side by side in a wide tab, else one above the other."""
        px = self._theme.px
        is_row = self.width() >= px(WIDE_PX)
        set_direction(self._content, is_row=is_row)
        fix_width(self._left, px(LIST_PX) if is_row else None)
        self.view.setMinimumHeight(px(LIST_LOW_PX) * 3 // 4)
        self._area.setMinimumHeight(px(DETAIL_LEAST_PX))
        self.view.setMaximumHeight(16777215 if is_row else px(LIST_LOW_PX))

    def _on_category_chosen(self) -> None:
        self.questions.category = self.categories.currentData()
        self.questions.refilter()
        self._choose()

    def _on_order_chosen(self, is_by_spread: bool) -> None:
        """Reorder the list; by difference, show the first question, which has the largest difference."""
        self.questions.is_by_spread = is_by_spread
        self.questions.refilter()
        self._question_id = "" if is_by_spread else self._question_id
        self._choose()

    def _choose(self) -> None:
        """Select the question that was shown if it is still in the list, else the first."""
        shown, total = self.questions.rowCount(), self.questions.total
        key = "evaluation.n_questions" if shown == total else "evaluation.n_of_total_questions"
        self.count.setText(phrase(key, n=f"{shown:,}", total=f"{total:,}"))
        index = self.questions.index_of(self._question_id)
        index = index if index.isValid() else self.questions.index(0)
        if index != self.view.currentIndex():
            self.view.setCurrentIndex(index)  # this shows the question
        else:
            self._show_current()
        self.view.scrollTo(index)

    def _show_current(self) -> None:
        if self._view_data is None:
            return
        one = self.current
        if one is not None:
            self._question_id = one.question.id
        self.detail.show_question(one)
        self._area.verticalScrollBar().setValue(0)
