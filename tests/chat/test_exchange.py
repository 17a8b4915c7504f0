"""Export to JSON and import: what comes back is what was there, once, and whole."""

import errno
import io
import json
import random
import zipfile
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from app.base.errors import AppError
from app.base.files import output_file
from app.base.files.day_record import DayRecord
from app.chat.exchange import conversation_import, json_file
from app.chat.exchange.conversation_export import save_file, save_folder, stored_bundles
from app.chat.exchange.conversation_import import ImportedConversations, import_conversations
from app.chat.exchange.json_file import JsonStream
from app.chat.message_index import MessageIndex
from app.chat.organizer import BEING_IMPORTED, ConversationOrganizer
from app.chat.records import AnswerDetails
from app.chat.store import Store
from tests.chat.exchange_trees import UID, conversation, document, exported, message, nothing, plant
from tests.permits import PERMIT


def taken(store: Store, path: Path) -> ImportedConversations:
    return import_conversations(store, path, nothing)


def _write(path: Path, content: Any) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return path


def test_a_tree_comes_back_with_branches_folder_pin_preset_and_details(
    store: Store, other: Store, tmp_path: Path
) -> None:
    store.add_question("別の会話")  # so that numbers here are others than there
    kept = plant(store)
    first = exported(store, [kept], tmp_path / "a.json")
    assert taken(other, tmp_path / "a.json") == ImportedConversations(imported=1, unchecked=3)
    found = other.conversations()[0]
    before = store.conversation(kept)
    assert found.imported_at is not None
    same = structs.replace(found, id=kept, leaf_id=before.leaf_id, folder_id=before.folder_id, imported_at=None)
    assert same == before
    assert [folder.name for folder in ConversationOrganizer(other.database).folders()] == ["点検"]
    assert [m.text for m in other.thread(found.id)] == [m.text for m in store.thread(kept)]
    tree = other.tree(found.id)
    assert [(m.role, m.text, m.status, m.branch, m.branches) for m in tree] == [
        (m.role, m.text, m.status, m.branch, m.branches) for m in store.tree(kept)
    ]
    assert tree[2].details.reproduces_id == tree[1].id  # not the id that it had on the other machine
    assert [hit.role for hit in MessageIndex(other.database).search("配筋").hits] == ["question"]
    (again,) = exported(other, [found.id], tmp_path / "b.json")["conversations"]
    (before_,) = first["conversations"]
    assert [one["text"] for one in again["messages"]] == [one["text"] for one in before_["messages"]]
    assert again["uid"] == before_["uid"]


@pytest.mark.parametrize("then", ["nothing", "it goes on", "it is thrown away"])
def test_a_file_of_what_is_here_adds_nothing(store: Store, tmp_path: Path, then: str) -> None:
    kept = plant(store)
    exported(store, [kept], tmp_path / "a.json")
    if then == "it goes on":
        store.add_question("その後", kept, store.leaf_id(kept))
    elif then == "it is thrown away":
        ConversationOrganizer(store.database).bin([kept])
    is_binned = then == "it is thrown away"
    expected = ImportedConversations(in_bin=1) if is_binned else ImportedConversations(already_there=1)
    assert taken(store, tmp_path / "a.json") == expected
    assert len(store.conversations()) == (not is_binned)


def test_one_that_went_on_differently_becomes_a_copy_once(store: Store, other: Store, tmp_path: Path) -> None:
    exported(store, [plant(store)], tmp_path / "a.json")
    taken(other, tmp_path / "a.json")
    here = other.conversations()[0].id
    other.add_question("向こうで続けた", here, other.leaf_id(here))
    exported(other, [here], tmp_path / "b.json")
    assert taken(store, tmp_path / "b.json") == ImportedConversations(imported=1, copies=1, unchecked=3)
    assert taken(store, tmp_path / "b.json") == ImportedConversations(already_there=1)
    uids = [found.uid for found in store.conversations()]
    assert len(set(uids)) == len(uids) == 2


def test_an_existing_folder_of_the_same_name_is_used(store: Store, other: Store, tmp_path: Path) -> None:
    folder = ConversationOrganizer(other.database).add_folder("点検")
    exported(store, [plant(store)], tmp_path / "a.json")
    taken(other, tmp_path / "a.json")
    assert other.conversations()[0].folder_id == folder
    assert len(ConversationOrganizer(other.database).folders()) == 1


def test_an_answer_that_was_being_written_arrives_as_stopped(store: Store, other: Store, tmp_path: Path) -> None:
    answer = store.add_answer(store.add_question("問い").id, AnswerDetails("m"))
    store.update_answer(answer.id, "途中まで")
    exported(store, [answer.conversation_id], tmp_path / "a.json")
    taken(other, tmp_path / "a.json")
    found = other.tree(other.conversations()[0].id)[1]
    assert (found.text, found.status) == ("途中まで", "stopped")
    assert found.details == AnswerDetails("m", stop_reason="interrupted", is_imported=True)


def test_messages_in_any_order_find_their_parents(store: Store, tmp_path: Path) -> None:
    messages = [
        message(number, number - 1 or None, "answer" if number % 2 == 0 else "question") for number in range(1, 40)
    ]
    random.Random(1).shuffle(messages)
    taken(store, _write(tmp_path / "a.json", document(conversation(*messages, leaf=39))))
    assert [m.text for m in store.thread(store.conversations()[0].id)] == [f"文 {n}" for n in range(1, 40)]


def test_twenty_thousand_messages_in_one_line_are_no_deeper_than_one(store: Store, tmp_path: Path) -> None:
    count = 20_000
    messages = [message(n, n - 1 or None, text="短い") for n in range(1, count + 1)]
    assert taken(store, _write(tmp_path / "a.json", document(conversation(*messages)))).imported == 1
    assert len(store.tree(store.conversations()[0].id)) == count


def test_a_text_of_three_megabytes_comes_back_whole(store: Store, tmp_path: Path) -> None:
    text = "橋脚の点検。" * 200_000
    written = json.dumps(document(conversation(message(text=text))), ensure_ascii=False)
    taken(store, _write(tmp_path / "a.json", written))
    assert store.tree(store.conversations()[0].id)[0].text == text


@pytest.fixture
def twenty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of twenty conversations that are read and stored one by one."""
    monkeypatch.setattr(conversation_import, "TURN_CONVERSATIONS", 1)
    monkeypatch.setattr(json_file, "PIECE_CHARACTERS", 1000)
    return _write(tmp_path / "a.json", document(*(conversation(uid=f"{n:032x}", folder="新") for n in range(20))))


def test_what_was_stored_is_not_seen_before_all_has_arrived(store: Store, twenty: Path) -> None:
    seen: set[int] = set()
    arriving: set[int] = set()

    def look(_done: int, _total: int) -> None:
        seen.add(len(store.conversations()) + len(ConversationOrganizer(store.database).binned()))
        rows = store.database.read("SELECT count(*) FROM conversation WHERE binned_at = ?", BEING_IMPORTED)
        arriving.add(rows[0][0])

    import_conversations(store, twenty, look)
    assert seen == {0}
    assert max(arriving) > 5
    assert len(store.conversations()) == 20


def test_an_import_that_is_ended_takes_everything_with_it(store: Store, twenty: Path) -> None:
    def end(done: int, total: int) -> None:
        if done > total / 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_conversations(store, twenty, end)
    assert store.database.read("SELECT count(*) FROM conversation")[0][0] == 0
    assert ConversationOrganizer(store.database).folders() == []


def test_what_a_crash_left_half_imported_goes_at_the_next_start(store: Store) -> None:
    lost = plant(store)
    with store.database.transaction():
        store.database.write("UPDATE conversation SET binned_at = ? WHERE id = ?", BEING_IMPORTED, lost)
    assert ConversationOrganizer(store.database).binned() == []
    assert ConversationOrganizer(store.database).mark_expired_for_erasure(DayRecord(store.database.path.parent)) == 1
    ConversationOrganizer(store.database).erase([])
    assert store.database.read("SELECT * FROM message") == []
    assert store.conversation(lost) is None


def _long(count: int = 12) -> dict[str, Any]:
    """In the branch that is shown all but the last message, which begins another."""
    line = [message(n, n - 1 or None, text=f"橋脚 {n}") for n in range(1, count)]
    return conversation(*line, message(count, 1), leaf=count - 1)


def test_a_long_conversation_arrives_in_turns_between_which_others_write(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Store.open_second(store.path)
    seen: list[tuple[int, int]] = []

    def write_meanwhile(_seconds: float) -> None:
        other.add_question("その間の質問")
        seen.append((len(other.conversations()), other.database.read("SELECT count(*) FROM message")[0][0]))

    monkeypatch.setattr(conversation_import, "TURN_CHARACTERS", 10)
    monkeypatch.setattr(conversation_import.time, "sleep", write_meanwhile)
    assert taken(store, _write(tmp_path / "a.json", document(_long()))).imported == 1
    arrived = [count for count, _ in seen]
    assert len(seen) >= 5
    assert arrived == list(range(1, len(seen) + 1))  # only what was asked meanwhile is seen
    (new,) = [c for c in store.conversations() if c.title == "題"]
    assert len(store.tree(new.id)) == 12
    assert [m.text for m in store.thread(new.id)] == [f"橋脚 {n}" for n in range(1, 12)]
    other.close()


def test_a_long_conversation_that_is_ended_midway_goes_again(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end(_seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(conversation_import, "TURN_CHARACTERS", 10)
    monkeypatch.setattr(conversation_import.time, "sleep", end)
    with pytest.raises(KeyboardInterrupt):
        taken(store, _write(tmp_path / "a.json", document(_long())))
    assert store.database.read("SELECT id FROM message UNION ALL SELECT id FROM conversation") == []


def test_a_conversation_that_is_being_erased_can_be_imported_again(store: Store, tmp_path: Path) -> None:
    lost = plant(store)
    exported(store, [lost], tmp_path / "a.json")
    shelf = ConversationOrganizer(store.database)
    shelf.bin([lost])
    shelf.mark_for_erasure([lost])
    assert taken(store, tmp_path / "a.json").imported == 1
    shelf.erase([])
    (kept,) = store.conversations()
    assert store.thread(kept.id) != []


def test_an_import_that_another_start_has_cleaned_up_says_so(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversation_import, "PAUSE_S", 0)
    record = DayRecord(store.database.path.parent)
    monkeypatch.setattr(
        conversation_import.time,
        "sleep",
        lambda _s: ConversationOrganizer(store.database).mark_expired_for_erasure(record),
    )
    monkeypatch.setattr(conversation_import, "TURN_CONVERSATIONS", 1)
    with pytest.raises(AppError, match="import_disturbed"):
        taken(store, _write(tmp_path / "a.json", document(conversation())))


def test_a_file_written_by_other_programs_is_read_too(store: Store, tmp_path: Path) -> None:
    """Indented, keys sorted, with a byte order mark: the head comes after the conversations."""
    written = json.dumps(document(conversation()), indent=4, sort_keys=True, ensure_ascii=False)
    (tmp_path / "a.json").write_text("\ufeff" + written, "utf-8")
    assert taken(store, tmp_path / "a.json").imported == 1


@pytest.mark.parametrize("piece", [1, 7, 33, 64])
def test_a_file_read_in_small_pieces_is_the_same(piece: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_file, "PIECE_CHARACTERS", piece)
    values = [1, -12.5e3, "長い文字列", {"a": [1, 2, {"b": None}]}, [], True, '\\"']
    text = json.dumps({"x": 12345678, "items": values, "y": 1e10})
    stream = JsonStream(io.TextIOWrapper(io.BytesIO(text.encode()), "utf-8"), lambda _done: None)
    found = {key: list(stream.items()) if key == "items" else stream.value() for key in stream.members()}
    stream.end()
    assert found == {"x": 12345678, "items": values, "y": 1e10}


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.EROFS, "export_forbidden"),
        (errno.EACCES, "export_forbidden"),
        (errno.EDQUOT, "disk_full"),
        (errno.EIO, "export_unwritable"),
        (errno.ENOSPC, "disk_full"),
    ],
)
@pytest.mark.fault("F2")
def test_what_cannot_be_written_is_said_in_words_and_replaces_nothing(
    number: int, code: str, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = plant(store)
    (tmp_path / "a.json").write_text("前のもの")

    def fail(_descriptor: int) -> None:
        raise OSError(number, "x")

    monkeypatch.setattr(output_file.os, "fsync", fail)
    with pytest.raises(AppError, match=code):
        save_folder(stored_bundles(store, [kept], nothing, []), "markdown", tmp_path, permit=PERMIT)
    with pytest.raises(AppError, match=code):
        exported(store, [kept], tmp_path / "a.json")
    assert [path.read_text() for path in tmp_path.iterdir() if path.is_file()] == ["前のもの"]


def test_a_folder_that_is_gone_and_a_conversation_that_was_erased_are_named(store: Store, tmp_path: Path) -> None:
    kept = plant(store)
    for save, target in (
        (save_file, tmp_path / "x" / "a.md"),
        (save_folder, tmp_path / "x"),
    ):
        with pytest.raises(AppError, match="export_folder_gone"):
            save(stored_bundles(store, [kept], nothing, []), "markdown", target, permit=PERMIT)
    with pytest.raises(AppError, match="conversation_gone"):
        save_file(stored_bundles(store, [99], nothing, []), "json", tmp_path / "a.json", permit=PERMIT)
    assert not (tmp_path / "a.json").exists()


def test_many_files_have_names_of_their_own_and_overwrite_nothing(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "書き出し"
    folder.mkdir()
    (folder / "同じ題.md").write_text("前からある")
    ids = [store.add_question("同じ題").conversation_id for _ in range(3)]
    made = save_folder(stored_bundles(store, ids, nothing, []), "markdown", folder, permit=PERMIT)
    assert [path.name for path in made] == ["同じ題 (2).md", "同じ題 (3).md", "同じ題 (4).md"]
    assert (folder / "同じ題.md").read_text() == "前からある"


def test_equal_names_are_not_tried_again_and_again(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [store.add_question("同じ質問").conversation_id for _ in range(20)]
    tried: list[Path] = []
    before = Path.open

    def counted(path: Path, mode: str = "r", *arguments: Any, **named: Any) -> Any:
        if path.suffix == ".md":
            tried.append(path)
        return before(path, mode, *arguments, **named)

    monkeypatch.setattr(Path, "open", counted)
    made = save_folder(stored_bundles(store, ids, nothing, []), "markdown", tmp_path, permit=PERMIT)
    assert len({path.name for path in made}) == len(tried) == 20


def test_many_files_are_written_all_or_none(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "書き出し"
    folder.mkdir()
    ids = [store.add_question(f"題 {number}").conversation_id for number in range(5)]

    def end(done: int, _total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        save_folder(stored_bundles(store, ids, end, []), "docx", folder, permit=PERMIT)
    assert list(folder.iterdir()) == []


def test_the_head_says_what_the_file_is(store: Store, tmp_path: Path) -> None:
    written = exported(store, [plant(store)], tmp_path / "a.json")
    assert (written["format"], written["version"]) == ("kotae-conversations", 1)
    assert written["conversations"][0]["folder"] == "点検"
    assert written["conversations"][0]["uid"] != UID


def test_thoughts_are_a_field_of_their_own_in_json_and_in_no_other_file(
    store: Store, other: Store, tmp_path: Path
) -> None:
    question = store.add_question("一たす一は？")
    answer = store.add_answer(question.id, AnswerDetails())
    details = AnswerDetails(stop_reason="end", thoughts="足し算だ。", thought_s=1.5)
    store.finish_answer(answer.id, "二です。", "done", details)
    ids = [question.conversation_id]
    (found,) = exported(store, ids, tmp_path / "a.json")["conversations"]
    written = found["messages"][1]
    assert (written["text"], written["details"]["thoughts"]) == ("二です。", "足し算だ。")
    taken(other, tmp_path / "a.json")
    (back,) = (one for one in other.tree(other.conversations()[0].id) if one.role == "answer")
    assert (back.text, back.details.thoughts, back.details.thought_s) == ("二です。", "足し算だ。", 1.5)
    for kind in ("markdown", "docx"):
        target = tmp_path / f"a.{kind}"
        save_file(stored_bundles(store, ids, nothing, []), kind, target, permit=PERMIT)
        content = target.read_bytes()
        if kind == "docx":
            content = zipfile.ZipFile(target).read("word/document.xml")
        assert "二です。" in content.decode()
        assert "足し算" not in content.decode()
