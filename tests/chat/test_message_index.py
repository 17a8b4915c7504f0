"""Searching all conversations: what is found, what is not, and that nothing typed can break it."""

import random
import sqlite3
from pathlib import Path

import pytest

from app.base import search_text
from app.base.migrations import MIGRATIONS
from app.chat import message_index
from app.chat.message_index import MessageIndex
from app.chat.organizer import ConversationOrganizer
from app.chat.records import AnswerDetails, Conversation, Message
from app.chat.store import Store
from tests.chat.driver import add_answer, store_thread

FURTHER_KANJI = "𠮷"


def found(store: Store, query: str) -> list[str]:
    """The texts found, or the titles where only those were."""
    return [hit.text or hit.title for hit in MessageIndex(store.database).search(query).hits]


SENTENCE = (
    "第2径間の橋脚では、主鉄筋D13の配筋とかぶり（設計値70 N/mm²）を３．２．１節で確かめます。ｺﾝｸﾘｰﾄは別紙、Ref.ＡＢ-9。"
)


@pytest.mark.parametrize(
    "query",
    [
        "橋脚", "配筋", "かぶり", "主鉄筋", "橋", "の", "鉄筋D13", "D13", "d13", "Ｄ１３", "13", "3.2.1",
        "３．２．１", "3.2", "N/mm²", "N/mm2", "mm", "設計値70", "コンクリート", "ｺﾝｸﾘｰﾄ", "ンク", "ab-9", "AB",
        "配筋とかぶり", "かぶり 橋脚", "橋脚　配筋　D13", '"橋脚"', "橋脚では、", "（設計値",
    ],
)  # fmt: skip
def test_it_is_found_inside_a_sentence(store, query):
    store.add_question(SENTENCE)
    store.add_question("関係のない文章です。")
    assert found(store, query) == ([SENTENCE] if query != "の" else ["関係のない文章です。", SENTENCE])


@pytest.mark.parametrize("query", ["橋台", "脚橋", "D14", "3.2.2", "橋脚 橋台", "配筋橋脚", "321", "5.3.2"])
def test_what_is_not_there_is_not_found(store, query):
    store.add_question(SENTENCE)
    assert found(store, query) == []


@pytest.mark.parametrize(
    "query",
    [
        '"', "'", "*", "-", ":", "(", "^", "+", "NEAR(", "NEAR(橋脚 配筋)", "AND", "OR NOT", "terms: 橋脚",
        '橋脚" OR "', "橋脚*", "-橋脚", "橋脚 -配筋", "{橋脚}", "橋脚;--", "%", "\\", "\0", "橋\0脚", "\ud840",
        "橋脚\ud840", "\u3099", "😀", "", " ", "　",
    ],
)  # fmt: skip
def test_nothing_typed_is_an_operator_or_an_error(store, query):
    store.add_question(SENTENCE)
    assert found(store, query) in ([], [SENTENCE])


def test_signs_around_a_word_do_not_hide_it_and_operators_are_words(store):
    store.add_question(SENTENCE)
    store.add_question("NEARという語とANDという語")
    for query in ("橋脚*", "-橋脚", "{橋脚}", "「橋脚」", "橋脚;--"):
        assert found(store, query) == [SENTENCE]
    assert found(store, "NEAR AND") == ["NEARという語とANDという語"]
    assert found(store, "NOT AND") == []


@pytest.mark.parametrize("query", ["橋" * 5000, " ".join(f"語{number}" for number in range(2000)), "zz " * 3000])
def test_a_very_long_query_is_no_error(store, query):
    store.add_question(SENTENCE)
    assert found(store, query) == []


def test_every_piece_of_a_run_of_japanese_is_found(store):
    chance = random.Random(7)
    letters = "橋脚配筋鉄々〇ーあがぱンヴッ〆" + FURTHER_KANJI
    for _ in range(40):
        run = "".join(chance.choices(letters, k=chance.randrange(1, 14)))
        written = f"Ａ1 {run}。"
        store.add_question(written)
        for start in range(len(run)):
            for end in range(start + 1, len(run) + 1):
                assert written in found(store, run[start:end]), (run, run[start:end])


def test_what_the_index_finds_can_be_shown_in_the_text(store):
    chance = random.Random(8)
    pieces = ["橋脚", "の", "D13", "3.2.1", "かぶり", "**配筋**", "N/mm²", "、", "。", " ", "70 mm", "ｺﾝ"]
    written = ["".join(chance.choices(pieces, k=12)) for _ in range(100)]
    for sentence in written:
        store.add_question(sentence)
    for sentence in written:
        start = chance.randrange(len(sentence) - 4)
        query = sentence[start : start + 4]
        for hit in MessageIndex(store.database).search(query).hits:
            assert search_text.find_occurrences(hit.text or hit.title, search_text.split_query(query)), (query, hit)


def test_emphasis_does_not_cut_a_sentence(store):
    store_thread(store, "質問", "必要な**かぶり**は`D13`で70です。")
    assert len(found(store, "かぶりはD13で")) == 1


def test_newer_hits_come_first_and_are_counted_by_conversation(store):
    times = iter(range(1_000, 9_000))
    store.database.clock = lambda: float(next(times))
    _, first = store_thread(store, "橋脚とは", "橋脚は柱です。")
    store_thread(store, "配筋とは", "鉄筋の並べ方です。")
    second, _ = store_thread(store, "橋脚の数は", "二つです。")
    store.add_question("橋脚の高さは", first.conversation_id, first.id)
    hits = MessageIndex(store.database).search("橋脚").hits
    assert [(hit.conversation_id, hit.text, hit.role, hit.count) for hit in hits] == [
        (first.conversation_id, "橋脚の高さは", "question", 3),
        (second.conversation_id, "橋脚の数は", "question", 1),
    ]


def test_a_title_is_found_when_no_message_has_the_words(store):
    question = store.add_question("これは何ですか")
    ConversationOrganizer(store.database).rename(question.conversation_id, "橋脚の ｺﾝｸﾘｰﾄ")
    (hit,) = MessageIndex(store.database).search("コンクリート 橋脚").hits
    assert (hit.conversation_id, hit.message_id, hit.title) == (question.conversation_id, None, "橋脚の ｺﾝｸﾘｰﾄ")
    assert found(store, "橋脚 配筋") == []


def test_the_bin_is_not_searched_and_what_is_erased_leaves_no_trace_in_the_index(store):
    kept = store.add_question("秘密橋脚の点検").conversation_id
    shelf = ConversationOrganizer(store.database)
    shelf.bin([kept])
    assert found(store, "橋脚") == []
    shelf.restore([kept])
    assert found(store, "橋脚") == ["秘密橋脚の点検"], "listed once though its title matches too"
    shelf.bin([kept])
    shelf.erase([kept])
    store.add_question("別の質問")  # may get the id of the erased one
    assert found(store, "秘密") == []
    assert found(store, "別の") == ["別の質問"]
    assert store.database.read("SELECT count(*) FROM message_terms WHERE message_terms MATCH '\"秘密\"'")[0][0] == 0


def test_other_branches_are_searched_too(store):
    first, _ = store_thread(store, "橋脚とは", "柱の一種です。")
    add_answer(store, first.id, "上部を支えます。")
    store.add_question("橋台とは", first.conversation_id, None)
    assert found(store, "一種") == ["柱の一種です。"]
    assert found(store, "支え") == ["上部を支えます。"]
    assert found(store, "橋台") == ["橋台とは"]


@pytest.mark.parametrize("status", ["done", "stopped", "failed"])
def test_an_answer_is_found_when_it_has_ended_and_by_its_new_text_when_it_is_taken_up_again(store, status):
    answer = store.add_answer(store.add_question("質問").id, AnswerDetails())
    store.update_answer(answer.id, "橋脚は")
    assert found(store, "橋脚") == []
    store.finish_answer(answer.id, "橋脚は柱です。", status, AnswerDetails())
    assert found(store, "橋脚") == ["橋脚は柱です。"]
    store.restart_answer(answer.id, AnswerDetails())
    assert found(store, "橋脚") == []
    store.update_answer(answer.id, "橋台は途中")
    store.end_interrupted_answers()  # as at the start after a crash
    assert found(store, "橋脚") == []
    assert found(store, "橋台") == ["橋台は途中"]


def test_a_conversation_from_elsewhere_is_found(store):
    messages = [
        Message(5, 0, None, "question", "橋脚とは", "done", 1.0),
        Message(9, 0, 5, "answer", "柱。", "done", 2.0),
    ]
    store.add_tree(Conversation(0, "二行の\n題名", 1.0, 2.0, 9), messages)
    assert found(store, "橋脚") == ["橋脚とは"]
    assert found(store, "題名") == ["二行の\n題名"]


def test_more_hits_than_are_shown_are_told(store, monkeypatch):
    index = MessageIndex(store.database)
    for number in range(6):
        store.add_question(f"橋脚 {number}")
    assert index.search("橋脚").is_complete
    monkeypatch.setattr(message_index, "CONVERSATIONS_MAX", 5)
    assert not index.search("橋脚").is_complete
    assert len(index.search("橋脚").hits) == 5
    assert index.search("橋脚 3").is_complete
    monkeypatch.setattr(message_index, "CONVERSATIONS_MAX", 50)
    monkeypatch.setattr(message_index, "MESSAGES_MAX", 6)
    assert not index.search("橋脚").is_complete


def test_hits_in_the_bin_hide_none_that_are_older(store, monkeypatch):
    monkeypatch.setattr(message_index, "MESSAGES_MAX", 5)
    store.add_question("特別な橋脚")
    ConversationOrganizer(store.database).bin(
        [store.add_question(f"橋脚 {number}").conversation_id for number in range(8)]
    )
    result = MessageIndex(store.database).search("橋脚")
    assert ([hit.text for hit in result.hits], result.is_complete) == (["特別な橋脚"], True)


def test_messages_of_the_first_version_of_the_database_are_indexed(where):
    _first_version(where.database)
    store = Store.open(where.database, where.backups)
    assert found(store, "橋脚") == ["古い橋脚の質問"]
    assert found(store, "途中") == []
    store.end_interrupted_answers()
    assert found(store, "途中") == ["途中の答え"]
    shelf = ConversationOrganizer(store.database)
    shelf.bin([1])
    shelf.erase([1])
    assert found(store, "橋脚") == []
    store.close()


def _first_version(path: Path) -> None:
    db = sqlite3.connect(path)
    MIGRATIONS[0](db)
    db.execute("INSERT INTO conversation(id, title, created_at, updated_at) VALUES (1, '古い', 1, 1)")
    rows = ((1, None, "question", "古い橋脚の質問", "done"), (2, 1, "answer", "途中の答え", "streaming"))
    for message_id, parent_id, role, written, status in rows:
        db.execute(
            "INSERT INTO message(id, conversation_id, parent_id, role, text, status, created_at)"
            " VALUES (?, 1, ?, ?, ?, ?, 1)",
            (message_id, parent_id, role, written, status),
        )
    db.execute("UPDATE conversation SET leaf_id = 2")
    db.execute("PRAGMA user_version = 1")
    db.commit()
    db.close()


def test_searching_an_empty_database_finds_nothing(store):
    assert MessageIndex(store.database).search("橋脚") == message_index.SearchResult()
