"""Good and bad answers: kept with the answer, taken along, and gone with it."""

import json

import pytest

from app.chat import answer_ratings
from app.chat.answer_ratings import BAD, GOOD, UNRATED, rate
from app.chat.exchange.conversation_import import ImportedConversations, import_conversations
from app.chat.message_index import MessageIndex
from app.chat.organizer import ConversationOrganizer
from app.chat.records import AnswerDetails, Message
from app.chat.store import Store
from app.documents.grounding.grounding_record import Grounding
from tests.chat.driver import store_thread
from tests.chat.exchange_trees import conversation, document, exported, message, nothing

CORRECTION = "年に二度、六月と十二月に行う。"


def answered(store: Store, text: str = "年に一度です。", details: AnswerDetails | None = None) -> Message:
    return store_thread(store, "点検はいつ？", text, details=details or AnswerDetails("m"))[1]


def test_a_rating_is_kept_changed_and_taken_back(where):
    store = Store.open(where.database, where.backups)
    answer = answered(store)
    assert (answer.rating, answer.correction) == (UNRATED, "")
    assert rate(store, answer.id, GOOD).rating == GOOD
    store.close()
    again = Store.open(where.database, where.backups)
    assert again.message(answer.id).rating == GOOD
    assert rate(again, answer.id, UNRATED) == answer
    again.close()


def test_a_correction_is_kept_while_the_answer_is_not_bad_and_comes_back(store):
    answer = answered(store)
    assert rate(store, answer.id, BAD, f"  {CORRECTION}\n").correction == CORRECTION
    rate(store, answer.id, UNRATED)
    assert rate(store, answer.id, BAD).correction == CORRECTION
    assert rate(store, answer.id, BAD, "").correction == ""


def test_a_correction_that_says_what_the_answer_says_is_none(store):
    grounded = answered(store, "年に一度です。[1]", AnswerDetails(grounding=Grounding()))
    assert rate(store, grounded.id, BAD, "年に一度です。 ").correction == ""
    code = answered(store, "x = a[1]")
    assert answer_ratings.text_without_marks(code, code.text) == "x = a[1]"
    assert rate(store, code.id, BAD, "x = a").correction == "x = a"


def test_a_question_has_no_rating(store):
    question = store.add_question("問い")
    assert rate(store, question.id, GOOD) == question
    with pytest.raises(KeyError):
        rate(store, 99, GOOD)


def test_a_correction_is_not_searched(store):
    rate(store, answered(store).id, BAD, CORRECTION)
    assert MessageIndex(store.database).search("十二月").hits == ()


def test_a_rating_changes_neither_the_order_of_the_list_nor_the_branch_that_is_shown(store):
    answer = answered(store)
    before = store.conversations()
    rate(store, answer.id, GOOD)
    assert store.conversations() == before


def test_an_erased_correction_is_in_no_file(where):
    store = Store.open(where.database, where.backups)
    answer = answered(store)
    rate(store, answer.id, BAD, CORRECTION)
    shelf = ConversationOrganizer(store.database)
    shelf.bin([answer.conversation_id])
    shelf.erase([answer.conversation_id])
    left = b"".join(path.read_bytes() for path in where.data.rglob("*") if path.is_file())
    assert CORRECTION.encode() not in left
    store.close()


# ------------------------------------------------------------------- exchange


def test_ratings_are_exported_and_those_of_a_file_are_counted_and_left_out(store, other, tmp_path):
    good, bad, taken_back = answered(store), answered(store), answered(store)
    rate(store, good.id, GOOD)
    rate(store, bad.id, BAD, CORRECTION)
    rate(store, taken_back.id, BAD, CORRECTION)
    rate(store, taken_back.id, UNRATED)
    ids = [one.conversation_id for one in (good, bad, taken_back)]
    exported(store, ids, tmp_path / "a.json")
    written = json.loads((tmp_path / "a.json").read_text("utf-8"))["conversations"]
    rated_in_file = [one["messages"][1].get("rating", 0) for one in written]
    assert sorted(rated_in_file) == [BAD, UNRATED, GOOD]
    assert import_conversations(other, tmp_path / "a.json", nothing).ratings == 2
    threads = [other.thread(one.id) for one in other.conversations()]
    assert [(answer.rating, answer.correction) for _, answer in threads] == [(UNRATED, "")] * 3


def test_a_conversation_that_was_only_rated_meanwhile_is_the_same(store, tmp_path):
    answer = answered(store)
    exported(store, [answer.conversation_id], tmp_path / "a.json")
    rate(store, answer.id, GOOD)
    assert import_conversations(store, tmp_path / "a.json", nothing) == ImportedConversations(already_there=1)
    assert store.message(answer.id).rating == GOOD


@pytest.mark.parametrize(
    "wrong",
    [
        {"rating": 2}, {"rating": True}, {"rating": "1"}, {"rating": 1.0}, {"rating": None}, {"correction": "訂正"},
        {"rating": 1, "correction": "訂正"}, {"rating": -1, "correction": 7},
    ],
)  # fmt: skip
def test_a_rating_that_cannot_be_refuses_the_conversation(store, tmp_path, wrong):
    refused = conversation(message(), message(2, 1, "answer", **wrong))
    (tmp_path / "a.json").write_text(json.dumps(document(refused)))
    found = import_conversations(store, tmp_path / "a.json", nothing).refused
    assert [(one.reason, one.message_number) for one in found] == [("rating", 2)]


def test_a_rated_question_and_a_broken_correction_are_refused(store, tmp_path):
    broken = message(2, 1, "answer", rating=-1, correction="\ud800")
    both = document(conversation(message(rating=1)), conversation(message(), broken, uid="a" * 32))
    (tmp_path / "a.json").write_text(json.dumps(both))
    found = import_conversations(store, tmp_path / "a.json", nothing).refused
    assert [(one.reason, one.message_number) for one in found] == [("rating", 1), ("characters", 2)]
