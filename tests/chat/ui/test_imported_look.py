"""An answer that came in a file is seen to be one: below its text, in copies, in the list and in a search."""

import dataclasses
from datetime import datetime

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from app.base.search_text import Snippet
from app.base.wording import phrase
from app.chat.message_index import SearchHit
from app.chat.records import AnswerDetails, Conversation, Message
from app.chat.ui.conversations.conversation_list import ConversationList
from app.chat.ui.conversations.search_results import SearchResultModel
from app.chat.ui.transcript.answer_actions import AnswerDisplayOptions
from app.chat.ui.transcript.answer_view import AnswerView
from app.chat.ui.transcript.message_view import MessageRequests
from app.documents.grounding.grounding_record import CitedSource, Claim, Grounding
from app.uikit.page import NavigationSignals
from app.uikit.theme import Theme
from tests.chat.ui.driver import answer, clipboard, question

TEXT = "年次有給休暇は、勤続6か月で10日とする。[1]"
SOURCE = CitedSource("規則", "internal", "rules.md", "", "年次有給休暇は、勤続6か月で10日とする。", ("第5条",), page=1)
MARK = "取り込んだ会話（未照合）"


def view(details: AnswerDetails, theme: Theme, qtbot: QtBot, copied: list[str]) -> AnswerView:
    look = AnswerDisplayOptions(shows_details=True)
    found = AnswerView(
        Message(1, 1, None, "answer", TEXT, "done", 0.0, details), theme, look, MessageRequests(NavigationSignals())
    )
    qtbot.addWidget(found)
    found.resize(640, found.fit(640))
    found.label_now = lambda: "internal"  # as of the page around it
    found.show()
    QGuiApplication.clipboard().dataChanged.connect(lambda: copied.append(QGuiApplication.clipboard().text()))
    return found


def words(found: AnswerView) -> str:
    return "\n".join(label.text() for label in found.findChildren(QLabel))


@pytest.mark.fault("S15")
def test_an_unchecked_answer_names_its_sources_as_the_files_and_offers_none_to_open(theme, qtbot):
    copied: list[str] = []
    details = AnswerDetails(model_name="Swallow 8B", is_imported=True, quoted=(SOURCE,))
    found = view(details, theme, qtbot, copied)
    shown = words(found)
    assert MARK in shown
    assert phrase("chat.imported_sources") in shown
    assert "rules.md" in shown
    assert "根拠" not in shown
    assert "モデル（取り込んだファイルの記載）：Swallow 8B" in shown
    assert found.sources == ()
    assert found.check_summary == MARK
    found._end.row._copy()
    found._copy_shown()
    assert all(text.endswith(f"\n\n{MARK}") for text in copied)
    assert len(copied) == 2
    found._end.row.copy_cited()  # there is nothing to cite
    assert len(copied) == 2


@pytest.mark.fault("S15")
def test_an_answer_that_was_checked_here_says_both(theme, qtbot):
    copied: list[str] = []
    kept = Grounding(sources=(SOURCE,), claims=(Claim(TEXT, 0, len(TEXT), (1,), True),))
    found = view(AnswerDetails(is_imported=True, grounding=kept), theme, qtbot, copied)
    assert phrase("chat.imported_check.checked") in words(found)
    assert found.sources == (1,)
    found._end.row.copy_cited()
    found._end.row._copy()
    found._copy_shown()
    assert len(copied) == 3
    assert all(text.endswith("\n\n取り込んだ会話（この PC の資料と照合済み）") for text in copied)


@pytest.mark.fault("S15")
def test_a_copy_of_a_whole_conversation_marks_the_answers_that_were_imported(double):
    forged, own = AnswerDetails(is_imported=True, quoted=(SOURCE,)), AnswerDetails()
    double.open(
        question(1, "何日ですか"),
        dataclasses.replace(answer(2, "30日です。"), details=forged),
        question(3, "本当ですか"),
        dataclasses.replace(answer(4, "いいえ。"), details=own),
    )
    double.menu()[phrase("chat.copy_the_conversation")].trigger()
    assert clipboard() == (f"質問：何日ですか\n\n回答：30日です。\n\n{MARK}\n\n質問：本当ですか\n\n回答：いいえ。")


@pytest.mark.fault("S15")
def test_the_list_and_what_a_search_finds_say_that_a_conversation_was_imported():
    shown = ConversationList()
    now = datetime.now()
    at = now.timestamp()
    shown.set_conversations(
        [Conversation(1, "自分の", at, at, None), Conversation(2, "よその", at, at, None, imported_at=at)], []
    )
    spoken = [shown.data(shown.index(row), Qt.ItemDataRole.AccessibleTextRole) for row in range(shown.rowCount())]
    assert [("取り込み" in one) for one in spoken if one and ("自分の" in one or "よその" in one)] == [False, True]
    results = SearchResultModel()
    hits = [
        SearchHit(1, "題", at, 1, "answer", "有給", 1),
        SearchHit(2, "題", at, 2, "answer", "有給", 1, True),
        SearchHit(3, "題", at),
    ]
    results.show_hits(hits, "有給")
    assert [results.result(row).kind for row in range(3)] == ["回答", "取り込み　回答", "会話の名前"]
    assert isinstance(results.result(0).line, Snippet)
