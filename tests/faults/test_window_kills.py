"""The window killed with SIGKILL at random moments: what it had acknowledged is there afterwards, and it starts again.

Acknowledged is what the running window showed as stored: a question when it appears, also an edited one; streamed text
as far as it was saved; an answer when it has ended; a new title, folder or pin; a draft; a conversation moved to the
bin or brought back. Temporary conversations must leave nothing at all. A kill leaves the page cache of the operating
system as it is, so this says nothing about power cuts.
"""

import random
import sqlite3
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from app.base import paths, settings
from app.base.paths import Paths
from app.chat.records import AnswerDetails
from app.chat.store import Store
from tests.faults.scripted_window import SECRET
from tests.faults.window_process import Fact, WindowProcess, add_tiny_model, environment, wait_until

AT_ONCE = 2
# When the window is killed, by folder: while it starts, at any moment, in a long answer, while a question is changed,
# or just after a fact, which the deed brings about. The first folder has conversations from the beginning.
STARTING, ANY, LONG, EDITING = "starting", "any", "long", "editing"
# Qt queues the commit that Enter asks for. If the list moves on before, it commits and closes the editor itself, and
# then says this of the queued one: the name is stored, and the ledger checks it.
_LATE_EDITOR = "QAbstractItemView::commitData called with an editor that does not belong to this view"

_FACTS = {
    "binned": "bin", "renaming": "rename", "arranging": "pin", "listed": "rename", "message": "ask",
    "first_text": "ask", "finished": "ask", "streamed": "ask slowly", "draft": "type",
}  # fmt: skip
_WAYS = (
    ("binned", LONG, "renaming", "arranging", "streamed"),
    (STARTING, "finished", "listed", EDITING),
    ("message", ANY, "first_text", "draft"),
)
_SCRIPTED = (LONG, EDITING)  # without the person who does things by chance
NO_DRAFT = ("", "")
FILLED = 200  # conversations in the first folder before the first start
SAVED_WITHIN_S = 1.5  # saved every second; the rest is for a busy machine


_PLACES = """SELECT c.id, coalesce(f.name, ''), c.pinned_at IS NOT NULL
    FROM conversation c LEFT JOIN folder f ON f.id = c.folder_id"""
_ASTRAY = """SELECT c.id FROM conversation c LEFT JOIN message m ON m.id = c.leaf_id
    WHERE m.id IS NULL OR m.conversation_id <> c.id"""


@dataclass
class Ledger:
    """What the windows of one data folder have acknowledged."""

    questions: dict[int, str] = field(default_factory=dict)
    asked_by: dict[int, int] = field(default_factory=dict)  # answer -> question
    ended: dict[int, str] = field(default_factory=dict)
    saved: dict[int, int] = field(default_factory=dict)  # characters, of answers that were being written
    due: set[int] = field(default_factory=set)  # answers of which some text had to be saved when the kill came
    titles: dict[int, set[str]] = field(default_factory=dict)  # the acknowledged one, and one that was under way
    is_listed: dict[int, set[bool]] = field(default_factory=dict)
    places: dict[int, tuple[str, bool] | None] = field(default_factory=dict)  # folder and pin; None: being changed
    # Text and what an edit has set aside, by conversation; 0: of the next new one.
    drafts: dict[int, set[tuple[str, str]]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def note(self, facts: list[Fact], killed_at: float) -> None:
        for fact in facts:
            self.counts[fact["fact"]] = self.counts.get(fact["fact"], 0) + 1
            match fact:
                case {"fact": "message", "role": "question", "id": key, "text": text}:
                    self.questions[key] = text
                    self._may_be_asked(fact["conversation"])
                case {"fact": "asking", "conversation": key}:
                    self._may_be_asked(key)
                case {"fact": "drafting", "conversation": key, "text": text, "set_aside": aside}:
                    self.drafts[key] = self.drafts.get(key, {NO_DRAFT}) | {(text, aside)}
                case {"fact": "draft", "conversation": key, "text": text, "set_aside": aside}:
                    self.drafts[key] = {(text, aside)}
                    self.counts["set_aside"] = self.counts.get("set_aside", 0) + bool(aside)
                case {"fact": "arranging", "conversation": key}:
                    self.places[key] = None
                case {"fact": "message", "id": key, "parent": question}:
                    self.asked_by[key] = question
                    self.saved[key] = 0
                case {"fact": "streamed", "id": key, "saved": saved, "received": received, "at": at}:
                    is_due = at < killed_at - SAVED_WITHIN_S
                    self.saved[key] = max(self.saved.get(key, 0), received if is_due else saved)
                    if is_due:
                        self.due.add(key)
                case {"fact": "finished", "id": key, "text": text}:
                    self.ended[key] = text
                case {"fact": "listed", "conversation": key, "title": title}:
                    self.titles[key] = {title}
                    self.is_listed[key] = {True}
                    self.places[key] = (fact["folder"], fact["pinned"])
                case {"fact": "binned", "conversation": key}:
                    self.is_listed[key] = {False}
                case {"fact": "undoing"}:  # what is binned may be back before it is shown to be
                    for states in self.is_listed.values():
                        states.add(True)
                case {"fact": "renaming", "conversation": key, "title": title}:
                    self.titles[key] = self.titles.get(key, set()) | {title}
                case {"fact": "binning", "conversation": key}:
                    self.is_listed[key] = {True, False}

    def _may_be_asked(self, conversation: int) -> None:
        """A question takes the draft with it, also that of a conversation which begins with it; what an edit had set
        aside is the draft then."""
        for key in (conversation, 0):
            before = self.drafts.get(key, {NO_DRAFT})
            self.drafts[key] = before | {(aside, "") for _text, aside in before}

    def losses(self, database: Path) -> list[str]:
        """What is missing or different in the file, read by a connection of its own."""
        db = sqlite3.connect(database)
        messages = {row[0]: row[1:] for row in db.execute("SELECT id, parent_id, text, status FROM message")}
        conversations = {row[0]: row[1:] for row in db.execute("SELECT id, title, binned_at IS NULL FROM conversation")}
        places = {row[0]: row[1:] for row in db.execute(_PLACES)}
        drafts = {
            row[0]: row[1:] for row in db.execute("SELECT coalesce(conversation_id, 0), text, set_aside FROM draft")
        }
        astray = db.execute(_ASTRAY).fetchall()
        integrity = db.execute("PRAGMA integrity_check").fetchall()
        db.execute("INSERT INTO message_terms(message_terms) VALUES ('integrity-check')")  # raises where it is not
        db.close()
        lost = [] if integrity == [("ok",)] else [f"integrity: {integrity}"]
        for key, text in self.questions.items():
            if key not in messages or messages[key][1:] != (text, "done"):
                lost.append(f"question {key}: {messages.get(key)} instead of {text}")
        for key, question in self.asked_by.items():
            lost += self._answer_losses(key, question, messages.get(key))
        for key, titles in self.titles.items():
            if key not in conversations or conversations[key][0] not in titles:
                lost.append(f"title of {key}: {conversations.get(key)} instead of {titles}")
        lost += [f"conversation {row} shows a message that is not its own" for row in astray]
        for key, place in self.places.items():
            if place is not None and places.get(key) != (place[0], int(place[1])):
                lost.append(f"place of {key}: {places.get(key)} instead of {place}")
        for key, texts in self.drafts.items():
            if drafts.get(key, NO_DRAFT) not in texts:
                lost.append(f"draft of {key}: {drafts.get(key)!r} instead of {texts}")
        for key, states in self.is_listed.items():
            if key not in conversations or bool(conversations[key][1]) not in states:
                lost.append(f"conversation {key}: {conversations.get(key)} instead of listed {states}")
        return lost

    def _answer_losses(self, key: int, question: int, row: tuple[int, str, str] | None) -> list[str]:
        if row is None:
            return [f"answer {key} is not there"]
        parent, text, status = row
        lost = []
        asked = self.questions.get(question, text)  # one from before the first start is answered anew
        if parent != question or not asked.startswith(text):  # the fake engine says the question
            lost.append(f"answer {key} is not to {question}: {row}")
        if len(text) < self.saved.get(key, 0):
            lost.append(f"answer {key}: {len(text)} characters of {self.saved[key]} saved ones")
        if self.ended.get(key) and (text != self.ended[key] or status == "streaming"):
            lost.append(f"answer {key} had ended with {self.ended[key]}: {row}")
        return lost

    @property
    def messages(self) -> int:
        return len(self.questions) + len(self.asked_by)


def _fill(where: Paths) -> dict[int, set[str]]:
    """The titles by conversation."""
    store, titles = Store.open(where.database, where.backups), {}
    for number in range(FILLED):
        question = store.add_question(f"以前の質問 {number}")
        answer = store.add_answer(question.id, AnswerDetails())
        store.finish_answer(answer.id, "以前の答え", "done", AnswerDetails(stop_reason="end"))
        titles[question.conversation_id] = {question.text}
    store.close()
    return titles


def _kill_one(where: Paths, ledger: Ledger, way: str, rng: random.Random) -> None:
    """Starts the window, lets a person do things, and kills it."""
    talk = None if way in _SCRIPTED else rng.randrange(10**9)
    window = WindowProcess(where.data, talk=talk, env=environment())
    try:
        _live(window, way, rng)
        assert window.process.poll() is None, window.stderr()
        killed_at = window.kill()
        assert wait_until(lambda: not window.orphans(), 10.0), "the engine outlived its window"
        assert window.stderr().replace(_LATE_EDITOR, "").strip() == ""
        ledger.note(window.facts, killed_at)
    finally:
        window.end()


def _live(window: WindowProcess, way: str, rng: random.Random) -> None:
    """Until the moment of the kill."""

    def let_live(seconds: float) -> None:
        wait_until(lambda: window.process.poll() is not None, seconds)

    if way == STARTING:
        let_live(rng.uniform(0.05, 1.0))
        return
    window.wait_for("ready")
    if way == ANY:
        let_live(rng.uniform(0.0, 1.8))
    elif way == LONG:
        window.wait_for("first_text", window.tell("ask", f"!slow {rng.randrange(10**6)} " + "長い答え" * 20))
        let_live(rng.uniform(SAVED_WITHIN_S + 0.3, 3.2))
    elif way == EDITING:
        window.ask(f"{rng.randrange(10**6)} 変える質問")
        window.wait_for("draft", window.tell("begin_edit", f"{rng.randrange(10**6)} 変えた質問"))
    else:  # just after a fact
        since = window.tell("deed", _FACTS[way])
        wait_until(lambda: any(fact["fact"] == way for fact in window.facts[since:]), 2.5)


def _check(where: Paths, ledger: Ledger) -> None:
    assert ledger.losses(where.database) == []
    for file in where.data.rglob("*"):
        assert not file.is_file() or SECRET.encode() not in file.read_bytes(), f"{file} holds what was temporary"
    settings.load(where.settings)
    assert not where.settings.with_suffix(".bad").exists()
    for backup in where.backups.glob("kotae-*.sqlite"):
        copy = sqlite3.connect(backup)
        assert copy.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        copy.close()


def _kill_in_folder(folder: Path, ways: Sequence[str], seed: int, *, is_filled: bool) -> Ledger:
    rng = random.Random(seed)
    where = paths.locate(str(folder / "データ"))
    add_tiny_model(where, folder)
    ledger = Ledger(titles=_fill(where) if is_filled else {})
    for way in ways:
        _kill_one(where, ledger, way, rng)
        _check(where, ledger)
    _start_and_close(where, ledger)
    return ledger


def _start_and_close(where: Paths, ledger: Ledger) -> None:
    """The last start answers, marks what was interrupted, and closes in order."""
    with WindowProcess(where.data, env=environment()) as window:
        assert window.ask("終わりの確認")["text"] == "終わりの確認"
    ledger.note(window.facts, float("-inf"))
    db = sqlite3.connect(where.database)
    assert db.execute("SELECT count(*) FROM message WHERE status = 'streaming'").fetchone() == (0,)
    db.close()
    assert ledger.losses(where.database) == []
    log = (where.logs / "kotae.log").read_text("utf-8")
    assert " ERROR " not in log, log[log.index(" ERROR ") :]


@pytest.mark.parametrize(("rounds", "seed"), [(1, 20261125), pytest.param(23, 7, marks=pytest.mark.slow)])
@pytest.mark.fault("F3")
def test_kills_of_the_window_at_random_moments_lose_nothing(tmp_path, tally, rounds, seed):
    """Each round has every way to be killed once, 13 kills."""
    threads_before = threading.active_count()

    def kill_in(number: int) -> Ledger:
        folder = tmp_path / f"{number}"
        folder.mkdir()
        return _kill_in_folder(folder, _WAYS[number] * rounds, seed + number, is_filled=number == 0)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        ledgers = list(pool.map(kill_in, range(len(_WAYS))))
    kills = rounds * sum(map(len, _WAYS))
    tally.tried(kills)
    counts: dict[str, int] = {}
    for ledger in ledgers:
        counts = {key: counts.get(key, 0) + ledger.counts.get(key, 0) for key in counts.keys() | ledger.counts.keys()}
    acknowledged = sum(ledger.messages for ledger in ledgers)
    due = sum(len(ledger.due) for ledger in ledgers)
    print(f"kills {kills}, acknowledged messages {acknowledged}, lost 0; text of {due} answers was due")
    print(f"facts {dict(sorted(counts.items()))}")
    # The person did everything there is to do; otherwise the zero above would say little.
    deeds = {"finished", "streamed", "listed", "binned", "renaming", "draft", "arranging"}
    assert (deeds | {"settings", "temporary"} if rounds > 1 else deeds) <= counts.keys()
    assert counts["set_aside"] > 0
    assert acknowledged > kills
    assert due > kills / 20
    assert threading.active_count() <= threads_before  # one of an earlier test may end meanwhile
