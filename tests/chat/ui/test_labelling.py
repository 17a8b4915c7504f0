"""What the label of a conversation is taken from, before and while its first answer is written, and its look."""

from PySide6.QtCore import QRect
from PySide6.QtGui import QColor, QImage, QPainter
from PySide6.QtWidgets import QListView
from pytestqt.qtbot import QtBot

from app.base.confidentiality import LABELS, Label
from app.chat import conversation_privacy
from app.chat.records import AnswerDetails, Conversation, Message
from app.chat.ui.collection_picker import LabelTag
from app.chat.ui.conversations.conversation_list import ConversationList
from app.chat.ui.conversations.conversation_view import ConversationDelegate
from app.documents.grounding.grounding_record import CollectionRef
from app.evaluation.question_sets import StoredQuestionSet
from app.evaluation.ui.evaluation_content import ListedEntries
from app.uikit import confidentiality_guard
from app.uikit.theme import Theme
from app.uikit.widgets.labels import IconLabel

QUESTION = Message(1, 1, None, "question", "幅は。", "done", 1.0)


def answer(status: str) -> Message:
    return Message(2, 1, 1, "answer", "", status, 2.0, AnswerDetails(scope=(CollectionRef(7, "基準"),)))


def test_a_label_may_be_lower_than_the_stored_one_only_before_the_first_answer_has_ended() -> None:
    assert conversation_privacy.is_unanswered([])
    assert conversation_privacy.is_unanswered([QUESTION, answer("streaming")])
    assert not conversation_privacy.is_unanswered([QUESTION])  # which could not be answered
    for status in ("done", "stopped", "failed"):
        assert not conversation_privacy.is_unanswered([QUESTION, answer(status)])


def test_the_badge_of_each_label_has_a_look_of_its_own_and_the_highest_stands_out(qtbot: QtBot, theme: Theme) -> None:
    tag = LabelTag(theme)
    qtbot.addWidget(tag)

    def look(label: Label) -> tuple[str, bool, str, bool]:
        tag.show_label(label)
        has_lock = tag.findChild(IconLabel).isVisible()
        return tag.property("surface"), has_lock, tag.words.property("tone"), tag.words.property("strong")

    for _ in range(2):  # it follows its conversation up and down
        assert [look(label) for label in LABELS] == [
            ("tag", False, "muted", False),
            ("tag", True, "text2", False),
            ("warning", True, "warning", True),
        ]
    tag.show_label(None)
    assert not tag.isVisible()


def test_in_a_list_the_highest_label_alone_has_a_sign_and_a_colour(qapp: object, theme: Theme) -> None:
    drawn = {label: in_a_row(theme, label) for label in LABELS}
    assert [theme.color("warning") in colors for colors, _ in drawn.values()] == [False, False, True]
    lock = theme.px(13)
    assert drawn["secret"][1] > drawn["public"][1] + lock  # of as many letters


def test_a_confidential_conversation_stands_out_in_the_list(qtbot: QtBot, theme: Theme) -> None:
    found = []
    for label in LABELS:
        model = ConversationList()
        model.set_conversations([Conversation(1, "題", 1.0, 1.0, None, label=label)])
        view = QListView()
        qtbot.addWidget(view)
        view.setModel(model)
        view.setItemDelegate(ConversationDelegate(theme, model, view))
        view.resize(200, 200)
        found.append(theme.color("warning") in colors(view.grab().toImage()))
    assert found == [False, False, True]


def test_a_confidential_question_set_has_a_lock_in_the_list() -> None:
    _, *rows = ListedEntries(tuple(StoredQuestionSet(label, label, ()) for label in LABELS)).rows({})
    assert {row.name: row.sign for row in rows} == {"public": None, "internal": None, "secret": ("lock", "warning")}


def in_a_row(theme: Theme, label: Label) -> tuple[list[QColor], int]:
    """The colours of what is drawn, and its width."""
    image = QImage(120, 20, QImage.Format.Format_RGB32)
    image.fill(theme.color("side"))
    painter = QPainter(image)
    width = confidentiality_guard.draw_label(painter, theme, QRect(0, 0, 120, 20), label, "muted")
    painter.end()
    return colors(image), width


def colors(image: QImage) -> list[QColor]:
    return [image.pixelColor(x, y) for x in range(image.width()) for y in range(image.height())]
