"""JSON files that are damaged, foreign or made to do harm: refused in words, the good conversations taken."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from app.base import wording
from app.base.errors import AppError
from app.chat.exchange import conversation_bundle, json_file
from app.chat.exchange.conversation_import import ImportedConversations, import_conversations
from app.chat.presets import Choices
from app.chat.records import AnswerDetails
from app.chat.store import TITLE_CHARACTERS, Store
from tests.chat.exchange_trees import UID, conversation, document, message, nothing

GOOD = conversation(uid="f" * 32, title="良い会話")
NAN, INFINITE = float("nan"), float("inf")


def taken(store: Store, folder: Path, *conversations: Any) -> ImportedConversations:
    """Import a file of these conversations, or the one that is there."""
    if conversations:
        (folder / "a.json").write_text(json.dumps(document(*conversations)))
    return import_conversations(store, folder / "a.json", nothing)


def answer(message_id: int = 2, parent: int | None = 1, **other: Any) -> dict[str, Any]:
    return message(message_id, parent, "answer", **other)


BAD: list[tuple[str, Any, tuple[str, int]]] = [
    ("a number", 5, ("shape", 0)),
    ("null", None, ("shape", 0)),
    ("a list", [], ("shape", 0)),
    ("no messages", conversation() | {"messages": []}, ("messages", 0)),
    ("messages as an object", conversation() | {"messages": {}}, ("messages", 0)),
    ("messages missing", {"uid": UID, "title": "題"}, ("messages", 0)),
    ("a message that is text", conversation("文"), ("message", 1)),
    ("a title that is a number", conversation(title=7), ("title", 0)),
    ("a title with half a character", conversation(title="\ud800"), ("characters", 0)),
    ("no uid", conversation(uid=None), ("uid", 0)),
    ("a short uid", conversation(uid="abc"), ("uid", 0)),
    ("a uid with a line end", conversation(uid=UID + "\n"), ("uid", 0)),
    ("a uid that is a path", conversation(uid="../../../../../../etc/passwd12345"), ("uid", 0)),
    ("a time that is NaN", conversation(created_at=NAN), ("time", 0)),
    ("a time without end", conversation(updated_at=INFINITE), ("time", 0)),
    ("a time before 1970", conversation(created_at=-1), ("time", 0)),
    ("a time in the year 5138", conversation(created_at=1e11), ("time", 0)),
    ("a time that is text", conversation(created_at="2026-01-01"), ("time", 0)),
    ("a time that is true", conversation(created_at=True), ("time", 0)),
    ("no time", conversation(message(created_at=None)), ("time", 1)),
    ("a time of 400 digits", conversation(message(), answer(created_at=int("9" * 400))), ("time", 2)),
    ("a pin that is true", conversation(pinned_at=True), ("time", 0)),
    ("a folder that is a list", conversation(folder=["x"]), ("folder", 0)),
    ("a preset that is a number", conversation(preset=3), ("preset", 0)),
    ("a preset of 1,000 letters", conversation(preset="x" * 1000), ("preset", 0)),
    ("choices that are a list", conversation(choices=[1]), ("choices", 0)),
    ("a temperature of 99", conversation(choices={"temperature": 99}), ("choices", 0)),
    ("a temperature that is NaN", conversation(choices={"temperature": NAN}), ("choices", 0)),
    ("a system prompt with half a character", conversation(choices={"system_prompt": "\udfff"}), ("choices", 0)),
    ("an id twice", conversation(message(), answer(1)), ("id", 1)),
    ("an id that is text", conversation(message("1")), ("id", 1)),
    ("an id that is true", conversation(message(True)), ("id", 1)),
    ("an id below zero", conversation(message(-1)), ("id", 1)),
    ("an id of 300 digits", conversation(message(int("9" * 300))), ("id", 1)),
    ("an id that is 1.5", conversation(message(1.5)), ("id", 1)),
    ("no id", conversation({"role": "question", "text": "", "status": "done"}), ("id", 1)),
    ("a parent that is not there", conversation(message(), answer(2, 9)), ("parent", 2)),
    ("a parent that is text", conversation(message(), message(2, "1")), ("parent", 2)),
    ("its own parent", conversation(message(), message(2, 2)), ("cycle", 0)),
    ("a circle of two", conversation(message(), message(2, 3), message(3, 2)), ("cycle", 0)),
    ("nothing but a circle", conversation(message(1, 2), message(2, 1)), ("cycle", 0)),
    ("an answer without a question", conversation(answer(1, None)), ("order", 1)),
    ("an answer to an answer", conversation(message(), answer(), answer(3, 2)), ("order", 3)),
    ("a role of the system", conversation(message(role="system")), ("role", 1)),
    ("a role that is a list", conversation(message(role=[])), ("role", 1)),
    ("an unknown status", conversation(message(status="erased")), ("status", 1)),
    ("a status that is an object", conversation(message(status={})), ("status", 1)),
    ("a question being written", conversation(message(status="streaming")), ("status", 1)),
    ("a text that is null", conversation(message(text=None)), ("text", 1)),
    ("a text that is a list", conversation(message(text=["文"])), ("text", 1)),
    ("a text with half a character", conversation(message(text="文\ud800")), ("characters", 1)),
    ("halves the wrong way round", conversation(message(), answer(text="\udc00\ud800")), ("characters", 2)),
    ("details that are text", conversation(message(), answer(details="x")), ("details", 2)),
    ("details of a question", conversation(message(details={})), ("details", 1)),
    ("a model name that is a number", conversation(message(), answer(details={"model_name": 3})), ("details", 2)),
    ("a model with half a character", conversation(message(), answer(details={"model_id": "\ud800"})), ("details", 2)),
    ("a seed that is text", conversation(message(), answer(details={"seed": "7"})), ("details", 2)),
    ("a seed that is 7.5", conversation(message(), answer(details={"seed": 7.5})), ("details", 2)),
    ("a speed that is NaN", conversation(message(), answer(details={"tokens_per_s": NAN})), ("details", 2)),
    ("a speed below zero", conversation(message(), answer(details={"tokens_per_s": -1})), ("details", 2)),
    ("a yes that is 1", conversation(message(), answer(details={"is_same": 1})), ("details", 2)),
    ("a count that is true", conversation(message(), answer(details={"prompt_tokens": True})), ("details", 2)),
    ("choices of an answer", conversation(message(), answer(details={"choices": {"top_k": -5}})), ("choices", 2)),
    ("a leaf that is not there", conversation(leaf=9), ("leaf", 0)),
    ("a leaf that is text", conversation(leaf="2"), ("leaf", 0)),
]  # fmt: skip


@pytest.mark.parametrize(("bad", "reason"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
@pytest.mark.fault("S11")
def test_a_bad_conversation_is_named_and_the_good_ones_are_taken(bad, reason, store, tmp_path):
    sys.set_int_max_str_digits(0)  # to write the case, not to read it
    try:
        (tmp_path / "a.json").write_text(json.dumps(document(GOOD, bad, conversation(uid="e" * 32))))
    finally:
        sys.set_int_max_str_digits(4300)
    result = taken(store, tmp_path)
    assert [(found.number, found.reason, found.message_number) for found in result.refused] == [(2, *reason)]
    assert result.imported == len(store.conversations()) == 2
    assert wording.phrase(f"common.refused.{reason[0]}")


HEAD = '{"format": "kotae-conversations", "version": 1, '
WHOLE = json.dumps(document(GOOD))
FILES: list[tuple[str, bytes, str]] = [
    ("nothing", b"", "file_empty"),
    ("space", b"  \n", "import_not_json"),
    ("text", "会話です".encode(), "import_not_json"),
    ("a list", b"[]", "import_not_json"),
    ("a page", b"<!doctype html><html></html>", "import_not_json"),
    ("another encoding", WHOLE.encode("utf-16"), "import_not_json"),
    ("zeros", bytes(1000), "import_not_json"),
    ("a Word document", b"PK\x03\x04" + bytes(100), "import_not_json"),
    ("brackets without end", b"[" * 1_000_000, "import_not_json"),
    ("nested in the head", b'{"format": ' + b"[" * 200_000, "import_not_json"),
    ("an empty object", b"{}", "import_not_ours"),
    ("another format", b'{"format": "chatgpt", "version": 1, "conversations": []}', "import_not_ours"),
    ("a format that is a list", b'{"format": [], "version": 1, "conversations": []}', "import_not_ours"),
    ("no format", json.dumps(document(GOOD) | {"format": None}).encode(), "import_not_ours"),
    ("no version", b'{"format": "kotae-conversations", "conversations": []}', "import_not_ours"),
    ("a version of text", b'{"format": "kotae-conversations", "version": "1", "conversations": []}', "import_not_ours"),
    ("version 0", b'{"format": "kotae-conversations", "version": 0, "conversations": []}', "import_not_ours"),
    ("version true", b'{"format": "kotae-conversations", "version": true, "conversations": []}', "import_not_ours"),
    ("a newer version", json.dumps(document(GOOD, version=2)).encode(), "import_newer"),
    ("a newer version, said last", json.dumps(document(GOOD, version=9), sort_keys=True).encode(), "import_newer"),
    ("no conversations", (HEAD[:-2] + "}").encode(), "import_not_ours"),
    ("a key that is a number", b'{1: 2}', "import_not_json"),
]  # fmt: skip


@pytest.mark.parametrize(("content", "code"), [case[1:] for case in FILES], ids=[case[0] for case in FILES])
@pytest.mark.fault("S11")
def test_a_file_that_is_none_of_ours_is_refused_and_changes_nothing(content, code, store, tmp_path):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(AppError, match=code):
        taken(store, tmp_path)
    assert store.database.read("SELECT count(*) FROM conversation")[0][0] == 0


RESTS: list[tuple[str, bytes, int]] = [
    ("cut short", WHOLE[: WHOLE.rindex("]")].encode(), 1),
    ("cut inside the second", (WHOLE[: WHOLE.rindex("]")] + ', {"uid": "ab').encode(), 1),
    ("conversations that are an object", (HEAD + '"conversations": {}}').encode(), 0),
    ("a second list", (WHOLE[:-1] + f', "conversations": [{json.dumps(GOOD)}]}}').encode(), 1),
    ("another file behind it", (WHOLE + WHOLE).encode(), 1),
    ("a second that is nested too deeply", (WHOLE[: WHOLE.rindex("]")] + ", " + "[" * 200_000).encode(), 1),
    ("bytes that are no UTF-8", WHOLE[: WHOLE.rindex("]")].encode() + b", \xff\xfe]}", 1),
    ("no comma", (WHOLE[: WHOLE.rindex("]")] + " 5]}").encode(), 1),
]


@pytest.mark.parametrize(("content", "imported"), [case[1:] for case in RESTS], ids=[case[0] for case in RESTS])
@pytest.mark.fault("S11")
def test_a_file_that_breaks_off_gives_what_came_before_and_says_so(content, imported, store, tmp_path):
    (tmp_path / "a.json").write_bytes(content)
    result = taken(store, tmp_path)
    assert [found.reason for found in result.refused] == ["rest"]
    assert result.imported == len(store.conversations()) == imported


@pytest.mark.fault("S11")
def test_bytes_that_are_no_utf_8_cost_only_their_conversation(store, tmp_path):
    bad = json.dumps(conversation(title="HERE", uid="a" * 32)).encode().replace(b"HERE", b"\x93\xfa\x96{")
    good = json.dumps(GOOD).encode()
    (tmp_path / "a.json").write_bytes(WHOLE[: WHOLE.index("[") + 1].encode() + bad + b"," + good + b"]}")
    result = taken(store, tmp_path)
    assert [(found.number, found.reason) for found in result.refused] == [(1, "characters")]
    assert result.imported == 1


@pytest.fixture
def small_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_file, "PIECE_CHARACTERS", 1000)
    monkeypatch.setattr(json_file, "VALUE_CHARACTERS_MAX", 10_000)


@pytest.mark.fault("S11")
@pytest.mark.usefixtures("small_values")
def test_a_conversation_beyond_all_measure_costs_only_itself(store, tmp_path):
    odd = conversation(message(text='あ"[{\\' * 100_000))
    result = taken(store, tmp_path, GOOD, odd, conversation(message(text="あとの会話"), uid="c" * 32))
    assert [(found.number, found.reason) for found in result.refused] == [(2, "size")]
    assert wording.phrase("common.refused.size")
    assert result.imported == 2


@pytest.mark.fault("S11")
@pytest.mark.usefixtures("small_values")
def test_a_file_that_ends_in_a_conversation_beyond_all_measure_is_said_to_break_off(store, tmp_path):
    whole = json.dumps(document(GOOD, conversation(message(text="あ" * 100_000))))
    (tmp_path / "a.json").write_text(whole[:-50])
    result = taken(store, tmp_path)
    assert [found.reason for found in result.refused] == ["rest"]
    assert result.imported == 1


@pytest.mark.fault("S11")
@pytest.mark.usefixtures("small_values")
def test_a_conversation_is_read_up_to_the_limit_and_not_to_twice_of_it(store, tmp_path):
    for length, imported in ((9_000, 1), (12_000, 0)):
        one = conversation(message(text="x" * length), uid=f"{length:032x}")
        assert taken(store, tmp_path, one).imported == imported


@pytest.mark.fault("S11")
def test_a_file_beyond_the_limit_is_not_opened(store, tmp_path, monkeypatch):
    monkeypatch.setattr(json_file, "FILE_BYTES_MAX", 10)
    (tmp_path / "a.json").write_text(WHOLE)
    with pytest.raises(AppError, match="import_too_large"):
        taken(store, tmp_path)


@pytest.mark.fault("S11")
def test_a_missing_file_and_a_folder_are_named(store, tmp_path):
    with pytest.raises(AppError, match="file_missing"):
        import_conversations(store, tmp_path / "x.json", nothing)
    with pytest.raises(AppError, match="import_not_json"):
        import_conversations(store, tmp_path, nothing)


@pytest.mark.fault("S11")
def test_the_same_conversation_twice_in_a_file_is_taken_once(store, tmp_path):
    result = taken(store, tmp_path, GOOD, GOOD)
    assert (result.imported, result.already_there) == (1, 1)


@pytest.mark.fault("S11")
def test_titles_and_folder_names_are_one_short_line(store, tmp_path):
    taken(store, tmp_path, conversation(title="一\n二" * 100, folder="箱\t" * 100))
    assert len(store.conversations()[0].title) == TITLE_CHARACTERS
    assert "\n" not in store.conversations()[0].title


KNOWN = {"model_id": "m", "seed": 7, "context_tokens": 4096, "choices": {"temperature": 0.5}}
ABSURD: list[tuple[dict[str, Any], str]] = [
    ({"seed": 1 << 32}, "seed"),
    ({"seed": int("9" * 40)}, "seed"),
    ({"prompt_tokens": 1 << 52}, "prompt_tokens"),
    ({"total_s": 2.5}, "total_s"),
    ({"total_s": 1e300}, "total_s"),
    ({"tokens_per_s": INFINITE}, "tokens_per_s"),
    ({"context_tokens": 0}, "choices"),
    ({"context_tokens": 1 << 40}, "context_tokens choices"),
]


@pytest.mark.parametrize(("wrong", "lost"), ABSURD)
@pytest.mark.fault("S11")
def test_an_absurd_number_of_an_answer_costs_only_what_cannot_be_without_it(wrong, lost, store, tmp_path):
    assert taken(store, tmp_path, conversation(message(), answer(details=KNOWN | wrong))).refused == ()
    details = store.tree(store.conversations()[0].id)[1].details
    unknown = AnswerDetails()
    assert details is not None
    for name in ("model_id", "seed", "context_tokens", "choices", *wrong):
        value = getattr(details, name)
        if name in lost.split():
            assert value == getattr(unknown, name)
        elif name == "choices":
            assert value == Choices(temperature=0.5)
        else:
            assert value == (KNOWN | wrong)[name]


@pytest.mark.fault("S11")
def test_a_message_of_endless_length_is_refused(store, tmp_path, monkeypatch):
    monkeypatch.setattr(conversation_bundle, "MESSAGE_CHARACTERS_MAX", 10)
    result = taken(store, tmp_path, GOOD, conversation(message(), answer(text="長" * 11)))
    assert [(found.reason, found.message_number) for found in result.refused] == [("long", 2)]
    assert wording.phrase("common.refused.long")
