"""What a conversation keeps and what it must not: drafts, presets, temporary and long conversations."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from app.base import database
from app.chat import records
from app.chat.message_index import MessageIndex
from app.chat.organizer import ConversationOrganizer
from app.chat.presets import Choices
from app.chat.records import AnswerDetails, Message, UnsentDraft
from app.chat.services import answer_writer, open_conversation
from app.chat.store import Store
from tests.chat.driver import fill_disk, store_thread
from tests.scene import Scene

CANARY = "みどり色の亀が三時に橋を渡った"


def conversation_id(scene: Scene) -> int:
    return scene.session.conversation.id


# -------------------------------------------------------------------- drafts


def test_every_conversation_has_its_draft_and_so_has_the_new_one_and_an_edit_knows_its_question(scene, monkeypatch):
    session = scene.session
    session.keep_draft(UnsentDraft("新しい会話の書きかけ"))
    answer = scene.ask("一")
    assert session.draft() == UnsentDraft(), "the question that was sent is no draft any more"
    one = conversation_id(scene)
    session.keep_draft(UnsentDraft("一の続き"))
    scene.finish(lambda: session.act(answer.id, scene.presets.presets_of_kind("action")[0]))
    assert session.draft() == UnsentDraft("一の続き"), "an action leaves it alone"
    session.open_new()
    assert session.draft() == UnsentDraft()
    session.keep_draft(UnsentDraft("次の会話"))
    session.open(one)
    assert session.draft() == UnsentDraft("一の続き")
    session.open_new()
    assert session.draft() == UnsentDraft("次の会話")
    assert scene.conversations.with_drafts() == {one}
    session.open(one)
    draft = UnsentDraft("壱", answer.parent_id, "打ちかけ")
    session.keep_draft(draft)
    assert session.draft() == draft
    session.keep_draft(UnsentDraft())
    assert session.draft() == UnsentDraft()
    fill_disk(monkeypatch, ConversationOrganizer, "keep_draft")
    assert scene.refusal(lambda: session.keep_draft(UnsentDraft("入らない"))) == "disk_full"


def test_the_last_moment_for_a_draft_is_told_before_another_conversation_opens(scene):
    scene.ask("一")
    one = conversation_id(scene)
    scene.session.about_to_leave.connect(lambda: scene.session.keep_draft(UnsentDraft("間に合った")))
    scene.session.open_new()
    assert ConversationOrganizer(scene.store.database).draft(one) == UnsentDraft("間に合った")


_TYPES_AND_DIES = """
import os, signal, sys
from pathlib import Path
from app.chat.records import UnsentDraft as Draft
from app.chat.organizer import ConversationOrganizer as Shelf
from app.chat.store import Store

store = Store.open(Path(sys.argv[1]), Path(sys.argv[2]))
question = store.add_question("一")
shelf = Shelf(store.database)
shelf.keep_draft(question.conversation_id, Draft("壱", question.id, "打ちかけ"))
shelf.keep_draft(None, Draft("新しい会話の書きかけ"))
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_drafts_survive_a_kill(tmp_path):
    database = tmp_path / "kotae.sqlite"
    command = [sys.executable, "-c", _TYPES_AND_DIES, str(database), str(tmp_path / "backups")]
    killed = subprocess.run(command, check=False, cwd=Path(__file__).parents[3], timeout=60)
    assert killed.returncode == -signal.SIGKILL
    store = Store.open(database, tmp_path / "backups")
    shelf = ConversationOrganizer(store.database)
    kept = shelf.draft(store.conversations()[0].id)
    assert (kept.text, kept.set_aside) == ("壱", "打ちかけ")
    assert kept.edited_id is not None
    assert shelf.draft(None) == UnsentDraft("新しい会話の書きかけ")
    store.close()


# ------------------------------------------------------------------- presets


def test_a_conversation_keeps_its_preset_and_what_it_has_otherwise(scene):
    session = scene.session
    with scene.qtbot.waitSignal(session.answer_settings_changed):
        session.answer_by("brief", Choices(temperature=0.1))
    assert (session.preset.id, session.choices) == ("brief", Choices(temperature=0.1))
    answer = scene.ask("一")
    assert (answer.details.choices.max_tokens, answer.details.choices.temperature) == (256, 0.1)
    one = conversation_id(scene)
    session.open_new()
    assert (session.preset.id, session.choices) == ("standard", Choices())
    session.open(one)
    assert (session.preset.id, session.choices) == ("brief", Choices(temperature=0.1))
    session.answer_by(None, Choices())
    assert session.preset.id == "standard"


# ----------------------------------------------------------------- temporary


def files_with(folder: Path, text: str) -> list[str]:
    """Every file that has the text in it, as bytes of any encoding that we write."""
    forms = [text.encode("utf-8"), text.encode("utf-16-le"), text.encode("unicode_escape")]
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path.name for path in files if any(form in path.read_bytes() for form in forms)]


def test_a_temporary_conversation_leaves_no_byte_on_the_disk(scene):
    session = scene.session
    scene.ask("目印：" + CANARY[::-1])
    session.open_new(is_temporary=True)
    session.keep_draft(UnsentDraft(CANARY))
    answer = scene.ask(CANARY)
    session.keep_draft(UnsentDraft(CANARY + "の続き", answer.parent_id, CANARY))
    for act in (
        lambda: session.regenerate(answer.id),
        lambda: session.reproduce(answer.id),
        lambda: session.edit(answer.parent_id, "！" + CANARY),
    ):
        scene.finish(act)
    assert session.is_temporary
    assert len(scene.conversations.all_conversations()) == 1
    session.open_new()
    database.make_daily_backup(scene.where.database, scene.where.backups, 1.8e9)
    data = scene.where.database.parent
    assert files_with(data, CANARY[::-1]), "what is kept is found by the same search"
    assert files_with(data, CANARY) == []
    assert MessageIndex(scene.store.database).search(CANARY[:4]).hits == ()


def test_one_temporary_conversation_after_the_other_can_be_taken_back(scene):
    session = scene.session
    session.open_new(is_temporary=True)
    scene.ask("甲")
    session.keep_draft(UnsentDraft("続き"))
    session.open_new(is_temporary=True)
    scene.ask("乙")
    session.reopen_temporary()
    assert session.is_temporary
    assert session.draft() == UnsentDraft("続き")
    assert [message.text for message in scene.session.messages()] == ["甲", "甲"]
    session.reopen_temporary()
    assert [message.text for message in scene.session.messages()] == ["乙", "乙"]


def test_what_was_typed_in_a_temporary_conversation_can_be_taken_back_and_an_empty_one_is_left_in_silence(scene):
    session = scene.session
    session.open_new(is_temporary=True)
    session.keep_draft(UnsentDraft("まだ聞いていない"))
    with scene.qtbot.waitSignal(session.temporary_left):
        session.open_new()
    assert session.draft() == UnsentDraft()
    session.open_new(is_temporary=True)
    with scene.qtbot.assertNotEmitted(session.temporary_left):
        session.open_new()
    session.reopen_temporary()
    assert (session.is_temporary, session.conversation) == (True, None)
    assert session.draft() == UnsentDraft("まだ聞いていない")


def test_a_temporary_conversation_kept_after_all_is_stored_with_every_branch(scene):
    session = scene.session
    session.open_new(is_temporary=True)
    answer = scene.ask("残す")
    scene.finish(lambda: session.edit(answer.parent_id, "残します"))
    session.keep_temporary()
    assert not session.is_temporary
    assert [message.text for message in scene.thread()] == ["残します", "残します"]
    assert len(scene.store.tree(conversation_id(scene))) == 4
    assert [conversation.title for conversation in scene.conversations.all_conversations()] == ["残す"]
    with scene.qtbot.assertNotEmitted(session.temporary_left):
        session.open_new()


def test_a_temporary_conversation_does_not_touch_a_stored_one_with_the_same_number(scene):
    session = scene.session
    scene.ask("保存")
    stored = conversation_id(scene)
    session.open_new(is_temporary=True)
    scene.ask("一時")
    assert conversation_id(scene) == stored
    scene.conversations.bin([stored])
    assert session.is_temporary
    assert session.conversation.title == "一時"
    scene.conversations.restore([stored])
    session.open(stored)
    assert [message.text for message in scene.thread()] == ["保存", "保存"]


def test_closing_the_program_forgets_temporary_conversations(scene):
    session = scene.session
    session.open_new(is_temporary=True)
    with scene.qtbot.waitSignal(session.text_received):
        session.ask("!slow " + CANARY)
    session.close()
    assert files_with(scene.where.database.parent, CANARY) == []
    assert scene.where.database.exists()


def test_an_end_that_met_a_full_disk_is_stored_when_there_is_room(scene, monkeypatch):
    monkeypatch.setattr(answer_writer, "SAVED_EVERY_MS", 50)
    with monkeypatch.context() as patch:
        fill_disk(patch, scene.store, "finish_answer")
        shown = scene.ask("一")
        assert (shown.status, scene.store.message(shown.id).status) == ("failed", "streaming")
    scene.qtbot.waitUntil(lambda: scene.store.message(shown.id).status == "done")
    assert scene.store.message(shown.id).text == "一"


def test_a_first_question_and_its_preset_are_stored_together_or_not_at_all(scene, monkeypatch):
    assert scene.session.answer_by("standard", Choices(max_tokens=7))
    with monkeypatch.context() as patch:
        fill_disk(patch, scene.store, "store_answer_settings")
        assert not scene.session.ask("一")
    assert scene.store.conversations() == []
    scene.ask("一")
    assert [c.choices.max_tokens for c in scene.store.conversations()] == [7]
    with monkeypatch.context() as patch:
        fill_disk(patch, scene.store, "store_answer_settings")
        assert not scene.session.answer_by("standard", Choices(max_tokens=8))
    assert scene.session.choices.max_tokens == 7


def test_a_conversation_in_the_bin_is_not_opened_by_a_list_that_still_shows_it(scene):
    answer = scene.ask("一")
    scene.session.open_new()
    scene.conversations.bin([answer.conversation_id])
    scene.session.open(answer.conversation_id)
    assert scene.session.conversation is None


# --------------------------------------------------------- long conversations


def store_long(scene: Scene, count: int = 200) -> list[Message]:
    """Store a conversation of so many messages, which is not opened."""
    details = AnswerDetails("m", "M", "end")
    return store_thread(scene.store, *(f"{number} 番目" for number in range(count)), details=details)


def test_a_long_conversation_is_shown_from_its_end_and_its_beginning_is_read_in_turns(scene, monkeypatch):
    stored = store_long(scene)
    parsed: list[object] = []
    read = records.details_from_json
    monkeypatch.setattr(records, "details_from_json", lambda text: parsed.append(text) or read(text))
    shown: list[Message] = []
    turns: list[int] = []
    scene.session.conversation_opened.connect(lambda _here, messages: shown.extend(messages))
    scene.session.earlier_read.connect(lambda messages: (shown.__setitem__(slice(0, 0), messages), turns.append(1)))
    scene.session.open(stored[0].conversation_id)
    assert [one.text for one in shown] == [one.text for one in stored[-open_conversation.SHOWN_FIRST :]]
    assert len(parsed) == open_conversation.SHOWN_FIRST
    scene.qtbot.waitUntil(lambda: len(shown) == len(stored))
    assert shown == scene.store.thread(stored[0].conversation_id)
    assert len(turns) > 1
    assert len(parsed) == 2 * len(stored), "each is read once, and once for this comparison"


def test_what_another_conversation_has_before_its_end_is_not_read_into_the_next_one(scene):
    short = scene.ask("短い")
    stored = store_long(scene)
    heard: list[object] = []
    scene.session.earlier_read.connect(heard.append)
    for leave in (lambda: scene.session.open(short.conversation_id), scene.session.open_new, scene.session.close):
        scene.session.open(stored[0].conversation_id)
        leave()
        scene.qtbot.wait(20)
        assert heard == []


def test_messages_that_are_erased_before_they_are_read_are_left_out(scene):
    stored = store_long(scene)
    heard: list[object] = []
    scene.session.earlier_read.connect(heard.append)
    scene.session.open(stored[0].conversation_id)
    organizer = ConversationOrganizer(scene.store.database)
    organizer.bin([stored[0].conversation_id])
    organizer.mark_for_erasure([stored[0].conversation_id])
    while organizer.erase_some():
        pass
    scene.session.read_earlier()
    assert heard == []
