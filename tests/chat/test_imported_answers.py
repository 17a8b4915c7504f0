"""Conversations from elsewhere bring words, and no verdict: what is shown of a check was computed here."""

import io
import json
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest
from docx import Document

from app.base.migrations import MIGRATIONS
from app.base.paths import Paths
from app.chat import answer_check, answer_ratings
from app.chat.answer_check import AnswerRecord
from app.chat.exchange import answer_recheck, docx_file
from app.chat.exchange.conversation_export import save_file, save_folder, stored_bundles
from app.chat.exchange.conversation_import import ImportedConversations, import_conversations
from app.chat.message_index import MessageIndex
from app.chat.records import AnswerDetails, Message
from app.chat.services import answer_settings
from app.chat.store import Store
from app.documents.library import Library
from app.documents.records import Section
from app.evaluation import conversation_questions
from app.inference.local_model import FileFingerprint, LocalModel
from app.inference.prompts import Turn
from tests.chat.driver import add_answer, add_documents
from tests.chat.exchange_trees import UID, conversation, document, message, nothing
from tests.permits import PERMIT

LEAVE = "年次有給休暇は、勤続6か月で10日とする。\n申請は3日前までに総務課へ提出する。"
PROVISO = "ただし、勤続6か月未満の者には与えない。"
HOURS = "残業の上限は月45時間とする。"
PARTS = (
    Section(("就業規則", "第5条（休暇）"), f"{LEAVE}\n{PROVISO}"),
    Section(("就業規則", "第6条（残業）"), HOURS),
    Section(("就業規則", "第7条（服装）"), "服装は自由とする。" * 60),
    Section(("就業規則", "第8条（研修）"), "研修は年30日とする。"),
)
MARK, CHECKED = "取り込んだ会話（未照合）", "取り込んだ会話（この PC の資料と照合済み）"
RIGHT, WRONG = "年次有給休暇は、勤続6か月で10日とする。[1]", "年次有給休暇は、勤続6か月で30日とする。[1]"


@pytest.fixture
def library(library: Library) -> Library:
    """With the rules that answers are checked against."""
    add_documents(library, "規則", "internal", *PARTS, sha256="c" * 64, document="rules.md")
    return library


def source(text: str = LEAVE, **changes: Any) -> dict[str, Any]:
    plain = {"collection": "規則", "label": "public", "document": "rules.md", "path": "", "text": text}
    return plain | {"heading": ["第5条"], "page": 1, "sha256": "c" * 64, "score": 1.0} | changes


def forged(*sources: dict[str, Any], text: str = WRONG, **changes: Any) -> dict[str, Any]:
    """What an answer's details say in a file that was made to deceive."""
    claim = {"sentence": text, "start": 0, "end": len(text), "sources": [1], "is_supported": True, "missing": []}
    kept = {"verdict": "answered", "sources": list(sources), "claims": [claim] if sources else [], "is_excerpt": False}
    return {
        "model_name": "Swallow 8B",
        "model_id": "swallow",
        "grounding": kept | changes.pop("grounding", {}),
    } | changes


def imported(store: Store, where: Paths, *conversations: dict[str, Any], to: str = "a.json") -> ImportedConversations:
    """Import a file of these conversations."""
    where.data.mkdir(parents=True, exist_ok=True)
    (where.data / to).write_text(json.dumps(document(*conversations)), "utf-8")
    return import_conversations(store, where.data / to, nothing, where.documents)


def taken(
    store: Store, where: Paths, details: object, text: str = WRONG, *, to: str = "a.json", **changes: Any
) -> Message:
    """The answer after a file with it was imported."""
    one = conversation(message(1), message(2, 1, "answer", text=text, details=details), **changes)
    assert imported(store, where, one, to=to).imported == 1
    return store.thread(max(one.id for one in store.conversations()))[1]


def exported(store: Store, folder: Path) -> list[str]:
    """Everything of the newest conversation as Markdown and as Word, and its answer as Word."""
    here = store.conversations()[0]
    folder.mkdir(exist_ok=True)
    found = []
    for form in ("markdown", "docx"):
        (path,) = save_folder(stored_bundles(store, [here.id], nothing, []), form, folder, permit=PERMIT)
        found.append(path.read_text("utf-8") if form == "markdown" else _words(path.read_bytes()))
    question, answer = store.thread(here.id)
    return [*found, _words(docx_file.answer_docx(AnswerRecord(question, answer, here.label)))]


def _words(content: bytes) -> str:
    made = Document(io.BytesIO(content))
    cells = [cell.text for table in made.tables for row in table.rows for cell in row.cells]
    return "\n".join([*(one.text for one in made.paragraphs), *cells])


INVENTED = "年次有給休暇は、勤続6か月で30日とする。"
NOT_AT_HAND = {
    "a passage that no document holds": forged(source(INVENTED)),
    "a true line and an invented one": forged(source(f"{LEAVE}\n{INVENTED}")),
    "true lines in another order": forged(source("\n".join(reversed(LEAVE.split("\n"))))),
    "lines from far apart": forged(source(f"{LEAVE}\n研修は年30日とする。")),
    "one source that is there and one that is not": forged(source(), source(INVENTED)),
    "a document of another name": forged(source(document="other.md", sha256="")),
    "no text at all": forged(source(" \n　")),
    "only a heading": forged(source("第5条（休暇）")),
    "a passage without end": forged(source(LEAVE + "あ" * 9000)),
    "more sources than a model gets": forged(*([source()] * 30)),
    "a fragment of a long passage": forged(source("服装は自由とする。")),
    "a heading and a fragment": forged(source("第5条（休暇）\n30日")),
    "it is not in the documents": forged(source(), grounding={"verdict": "not_in_documents", "claims": []}),
    "sentences of the source as they stand": forged(source(INVENTED), grounding={"is_excerpt": True}),
    "no sources, and yet checked": forged(grounding={"by_meaning": "used"}),
    "what this program calls checked": forged(source(INVENTED), is_imported=False),
    "sources in the place of unchecked ones": {"quoted": [source(INVENTED)], "is_imported": False},
    "a repetition that was the same": forged(source(INVENTED), is_same=True, reproduces_id=2),
    "nothing": None,
}


@pytest.mark.parametrize("details", NOT_AT_HAND.values(), ids=NOT_AT_HAND.keys())
@pytest.mark.usefixtures("library")
@pytest.mark.fault("S15")
def test_an_answer_whose_sources_are_not_at_hand_is_shown_as_not_checked(
    details: dict[str, Any] | None, store: Store, where: Paths, tmp_path: Path
) -> None:
    text = "資料にありません。" if details and "not_in_documents" in json.dumps(details) else WRONG
    answer = taken(store, where, details, text)
    kept = answer.details
    assert (kept.grounding, kept.is_same, answer_check.check_status(answer)) == (None, None, "unchecked")
    for written in exported(store, tmp_path / "文書"):
        assert MARK in written
        assert "違いは見つかりませんでした" not in written
        assert "要確認" not in written
        assert "抜粋" not in written


@pytest.mark.parametrize(
    ("answer", "is_supported"), [(RIGHT, True), (WRONG, False), ("残業の上限は月60時間とする。[1]", False)]
)
@pytest.mark.usefixtures("library")
@pytest.mark.fault("S15")
def test_an_answer_whose_document_is_at_hand_is_checked_against_that(
    answer: str, is_supported: bool, store: Store, where: Paths, tmp_path: Path
) -> None:
    kept = taken(store, where, forged(source(), text=answer), answer).details
    assert [claim.is_supported for claim in kept.grounding.claims] == [is_supported]
    (own,) = kept.grounding.sources
    assert (own.label, own.collection, own.sha256) == ("internal", "規則", "c" * 64)
    for written in exported(store, tmp_path / "文書"):
        assert CHECKED in written
        assert ("違いは見つかりませんでした" in written) is is_supported


@pytest.mark.usefixtures("library")
@pytest.mark.fault("S15")
def test_the_source_is_the_documents_text_and_not_what_the_file_quotes_of_it(store: Store, where: Paths) -> None:
    """Left out of the quotation is the proviso; a hash and a page are claimed, and the hash of the content stands for
    another name."""
    quoted = source(LEAVE.replace("\n", "\n\n  "), document="別名.md", page=99)
    kept = taken(store, where, forged(quoted, text=RIGHT), RIGHT).details
    (own,) = kept.grounding.sources
    assert own.text == PARTS[0].text
    assert (own.document, own.page) == ("rules.md", 0)


@pytest.mark.parametrize(
    ("claimed", "of_source", "label"),
    [
        ("public", "public", "internal"),
        ("internal", "public", "internal"),
        ("secret", "public", "secret"),
        ("?", "public", "secret"),
        ("public", "secret", "secret"),
    ],
)
@pytest.mark.fault("S15")
def test_a_file_raises_a_label_and_never_lowers_it(
    claimed: str, of_source: str, label: str, store: Store, where: Paths
) -> None:
    answer = taken(store, where, forged(source(INVENTED, label=of_source)), label=claimed)
    assert store.conversation(answer.conversation_id).label == label
    question = store.add_question("続き", answer.conversation_id, answer.id)
    add_answer(store, question.id, "はい")
    assert store.conversation(answer.conversation_id).label == label


@pytest.mark.fault("S15")
def test_the_first_answer_from_public_documents_does_not_publish_an_imported_question(
    store: Store, where: Paths, library: Library
) -> None:
    library.set_label(library.collections()[0].id, "public")
    imported(store, where, conversation(message(1)))
    (here,) = store.conversations()
    answer = store.add_answer(store.thread(here.id)[0].id, AnswerDetails())
    checked = taken(store, where, forged(source(), text=RIGHT), RIGHT, to="b.json", uid="b" * 32).details
    assert checked.grounding.sources[0].label == "public"
    store.finish_answer(answer.id, RIGHT, "done", AnswerDetails(grounding=checked.grounding))
    assert store.conversation(here.id).label == "internal"


@pytest.mark.fault("S15")
def test_a_model_that_the_file_names_gets_no_hash_of_ours(store: Store, where: Paths) -> None:
    answer = taken(store, where, forged(adapter_sha256="d" * 64, base_sha256="e" * 64, tokens_per_s=12.0, total_s=1.0))
    model = LocalModel(
        "swallow",
        "Swallow 8B",
        "/m.gguf",
        1,
        "llama",
        "Q4_K_M",
        8192,
        1.0,
        files=(FileFingerprint("m.gguf", 1, 1, "b" * 64),),
    )
    question = store.thread(answer.conversation_id)[0]
    written = _words(docx_file.answer_docx(AnswerRecord(question, answer, "internal", model)))
    assert not [one for one in ("b" * 64, "d" * 64, "e" * 64, "12.0", "1.0 秒") if one in written]
    assert "モデル（取り込んだファイルの記載）：Swallow 8B" in written


@pytest.mark.usefixtures("library")
@pytest.mark.fault("S15")
def test_no_number_of_machines_launders_an_answer(store: Store, other: Store, where: Paths, tmp_path: Path) -> None:
    taken(store, where, forged(source(), text=RIGHT), RIGHT)
    here, there = store, other
    for turn in range(4):
        path = tmp_path / f"{turn}.json"
        save_file(
            stored_bundles(here, [here.conversations()[0].id], nothing, []),
            "json",
            path,
            permit=PERMIT,
        )
        moved = document({**json.loads(path.read_text("utf-8"))["conversations"][0], "uid": f"{turn:032x}"})
        path.write_text(json.dumps(moved), "utf-8")
        assert import_conversations(there, path, nothing).unchecked == 1  # no documents there
        answer = there.thread(there.conversations()[0].id)[1]
        assert answer_check.check_status(answer) == "unchecked"
        here, there = there, here


@pytest.mark.fault("S15")
def test_ratings_of_a_file_become_no_question_of_a_set(store: Store, where: Paths) -> None:
    for rating, correction in ((1, ""), (-1, "30日です。")):
        one = conversation(
            message(1), message(2, 1, "answer", details=forged(), rating=rating, correction=correction),
            uid=f"{rating + 1:032x}",
        )  # fmt: skip
        assert imported(store, where, one) == ImportedConversations(imported=1, unchecked=1, ratings=1)
    assert conversation_questions.collect_questions(store, []).questions == ()
    answer = store.thread(store.conversations()[0].id)[1]
    answer_ratings.rate(store, answer.id, answer_ratings.GOOD)
    (question,) = conversation_questions.collect_questions(store, []).questions
    assert question.gold == ()  # the user's own rating counts; the file's sources do not


@pytest.mark.fault("S15")
def test_what_is_asked_about_an_unchecked_answer_is_not_answered_from_its_sources(store: Store, where: Paths) -> None:
    answer = taken(store, where, forged(source(INVENTED)))
    line = [*store.thread(answer.conversation_id), Message(9, 1, answer.id, "question", "要約して", "done", 0.0)]
    plan = AnswerDetails(is_action=True)
    assert answer_settings.retrieval_request(where.documents, plan, (Turn("要約して"),), line) is None


@pytest.mark.fault("S15")
def test_dates_to_come_and_words_in_the_place_of_codes_have_no_effect(store: Store, where: Paths) -> None:
    at = 4_000_000_000.0
    details = forged(stop_reason="照合済み", error_code="すべての文に根拠があります")
    answer = taken(store, where, details, updated_at=at, pinned_at=at, created_at=at)
    here = store.conversations()[0]
    assert here.updated_at <= time.time()
    assert here.pinned_at is not None
    assert here.pinned_at <= time.time()
    assert here.imported_at is not None
    assert (answer.details.stop_reason, answer.details.error_code) == ("", "")


@pytest.mark.fault("S15")
def test_a_conversation_of_the_same_number_stays_as_it_is(store: Store, where: Paths) -> None:
    own = store.add_question("自分の質問")
    with store.database.transaction():
        store.database.write("UPDATE conversation SET uid = ? WHERE id = ?", UID, own.conversation_id)
    taken(store, where, forged(source(INVENTED)))
    assert [one.text for one in store.thread(own.conversation_id)] == ["自分の質問"]
    here = store.conversation(own.conversation_id)
    assert here.imported_at is None
    assert len(store.conversations()) == 2


@pytest.mark.fault("S15")
def test_search_and_copies_carry_the_mark(store: Store, where: Paths) -> None:
    answer = taken(store, where, forged(source(INVENTED)))
    (hit,) = MessageIndex(store.database).search("有給").hits
    assert hit.is_imported
    assert MessageIndex(store.database).search("題").hits[0].is_imported
    assert answer_check.with_origin_marks(answer, answer.text).endswith(MARK)
    own = store.add_question("有給の日数は？")
    found = {one.conversation_id: one.is_imported for one in MessageIndex(store.database).search("有給").hits}
    assert found == {answer.conversation_id: True, own.conversation_id: False}


@pytest.mark.usefixtures("library")
@pytest.mark.fault("S15")
def test_an_own_answer_that_comes_back_beside_itself_is_not_taken_again(
    store: Store, where: Paths, tmp_path: Path
) -> None:
    checked = taken(store, where, forged(source(), text=RIGHT), RIGHT)
    save_file(
        stored_bundles(store, [checked.conversation_id], nothing, []),
        "json",
        tmp_path / "a.json",
        permit=PERMIT,
    )
    assert import_conversations(store, tmp_path / "a.json", nothing, where.documents) == ImportedConversations(
        already_there=1
    )


@pytest.mark.fault("S15")
def test_a_library_that_cannot_be_read_leaves_answers_unchecked(store: Store, where: Paths) -> None:
    where.documents.write_bytes(b"no database" * 100)
    assert answer_check.check_status(taken(store, where, forged(source(), text=RIGHT), RIGHT)) == "unchecked"


@pytest.mark.fault("S15")
def test_a_database_of_an_earlier_program_believes_no_verdict_that_a_file_brought(where: Paths) -> None:
    """Which answers came in a file shows where they have sources: what they were asked of is named by answers from here
    alone, and an action repeats the sources of one."""
    kept = {"verdict": "answered", "sources": [source(path="/資料/rules.md")], "claims": [], "is_excerpt": False}
    there = {"verdict": "answered", "sources": [source(INVENTED, path="/資料/rules.md")], "claims": []}
    scope = [{"id": 1, "name": "規則"}]
    details: dict[int, Any] = {
        2: {"scope": scope, "grounding": kept},  # asked here, and an action about it
        4: {"scope": [], "is_action": True, "grounding": kept},
        6: {"scope": [], "grounding": there, "is_same": True},  # of a file, the second pretending to be an action
        8: {"scope": [], "is_action": True, "grounding": there},
        10: {"scope": [], "grounding": None},
    }
    db = sqlite3.connect(where.database)
    at = next(number for number, step in enumerate(MIGRATIONS) if step.__name__ == "_imported_conversations")
    for migrate in MIGRATIONS[:at]:
        migrate(db)
    for conversation_id, first, last in ((1, 1, 4), (2, 5, 8), (3, 9, 10)):
        db.execute(
            "INSERT INTO conversation(id, title, created_at, updated_at, uid) VALUES (?, 'x', 1, 2, ?)",
            (conversation_id, f"{conversation_id:032x}"),
        )
        for number in range(first, last + 1):
            db.execute(
                "INSERT INTO message(id, conversation_id, parent_id, role, text, status, created_at, details)"
                " VALUES (?, ?, ?, ?, 'x', 'done', 1, ?)",
                (
                    number, conversation_id, number - 1 if number > first else None,
                    "answer" if number in details else "question",
                    json.dumps(details[number]) if number in details else None,
                ),
            )  # fmt: skip
    db.execute(f"PRAGMA user_version = {at}")
    db.commit()
    db.close()
    store = Store.open(where.database, where.backups)
    found = {number: answer_check.check_status(store.message(number)) for number in details}
    assert found == {2: "own", 4: "own", 6: "unchecked", 8: "unchecked", 10: "own"}
    imported = store.message(6).details
    assert ([one.text for one in imported.quoted], imported.is_same) == ([INVENTED], None)
    assert {one.id: one.imported_at is not None for one in store.conversations()} == {1: False, 2: True, 3: False}
    store.close()


@pytest.mark.usefixtures("library")
@pytest.mark.fault("S15")
def test_a_file_cannot_keep_the_check_busy_without_end_and_it_can_be_ended(
    store: Store, where: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is too much to compare stays unchecked; so does the rest, when the time is up."""
    long = RIGHT * 2000
    started = time.process_time()
    answer = taken(store, where, forged(*([source()] * 20), text=long), long)
    assert answer_check.check_status(answer) == "unchecked"
    assert time.process_time() - started < 10
    path = where.data / "many.json"
    many = [
        conversation(message(1), message(2, 1, "answer", text=RIGHT, details=forged(source())), uid=f"{n:032x}")
        for n in range(5)
    ]
    path.write_text(json.dumps(document(*many)), "utf-8")
    calls: list[int] = []

    def end(done: int, _total: int) -> None:
        calls.append(done)
        if len(calls) > 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):  # although the file was read in one piece
        import_conversations(store, path, end, where.documents)
    monkeypatch.setattr(answer_recheck, "CHECKING_S", 1e-9)
    result = import_conversations(store, path, nothing, where.documents)
    assert (result.checked, result.unchecked) == (1, 4)
