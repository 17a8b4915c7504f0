"""The window killed with SIGKILL at random moments: what it had acknowledged is there afterwards, and it starts again.

Acknowledged is what the running window showed as stored: a question when it appears, also an edited one; streamed text
as far as it was saved; an answer when it has ended; a new title, folder or pin; a draft; a conversation moved to the
bin or brought back. Temporary conversations must leave nothing at all. A kill leaves the page cache of the operating
system as it is, so this says nothing about power cuts.
"""

import random
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from app.base import paths, settings
from app.base.paths import Paths
from app.chat.records import AnswerDetails
from app.chat.store import Store
from tests.faults.ledger import Tally
from tests.faults.scripted_window import SECRET
from tests.faults.window_process import Fact, WindowProcess, add_tiny_model, environment, wait_until

FOLDERS, AT_ONCE = 4, 2
NO_DRAFT = ("", "")
FILLED = 200  # conversations in the first folder before the first start
MANY = 100  # kills, among which there is also what people do seldom
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


def _fill(where: Paths) -> None:
    store = Store.open(where.database, where.backups)
    for number in range(FILLED):
        answer = store.add_answer(store.add_question(f"以前の質問 {number}").id, AnswerDetails())
        store.finish_answer(answer.id, "以前の答え", "done", AnswerDetails(stop_reason="end"))
    store.close()


def _kill_one(where: Paths, ledger: Ledger, rng: random.Random) -> None:
    """Starts the window, lets a person do things, and kills it."""
    way = rng.choices((_while_it_starts, _at_any_moment, _just_after_a_fact, _in_a_long_answer), (10, 45, 30, 15))[0]
    talk = None if way is _in_a_long_answer else rng.randrange(10**9)
    window = WindowProcess(where.data, talk=talk, env=environment())
    try:
        way(window, rng)
        assert window.process.poll() is None, window.stderr()
        killed_at = window.kill()
        assert wait_until(lambda: not window.orphans(), 10.0), "the engine outlived its window"
        assert window.stderr() == ""
        ledger.note(window.facts, killed_at)
    finally:
        window.end()


def _let_live(window: WindowProcess, seconds: float) -> None:
    wait_until(lambda: window.process.poll() is not None, seconds)


def _while_it_starts(window: WindowProcess, rng: random.Random) -> None:
    _let_live(window, rng.uniform(0.05, 1.0))


def _at_any_moment(window: WindowProcess, rng: random.Random) -> None:
    window.wait_for("ready")
    _let_live(window, rng.uniform(0.0, 1.8))


def _just_after_a_fact(window: WindowProcess, rng: random.Random) -> None:
    name = rng.choice(
        ("message", "first_text", "finished", "listed", "streamed", "renaming", "binning", "draft", "arranging")
    )
    count = rng.randint(1, 3)
    window.wait_for("ready")
    wait_until(lambda: len(window.named(name)) >= count or window.process.poll() is not None, 2.5)


def _in_a_long_answer(window: WindowProcess, rng: random.Random) -> None:
    window.wait_for("ready")
    window.wait_for("first_text", window.tell("ask", f"!slow {rng.randrange(10**6)} " + "長い答え" * 20))
    _let_live(window, rng.uniform(SAVED_WITHIN_S + 0.3, 3.2))


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


def _kill_in_folder(folder: Path, kills: int, seed: int) -> Ledger:
    rng = random.Random(seed)
    where = paths.locate(str(folder / "データ"))
    add_tiny_model(where, folder)
    if seed % FOLDERS == 0:
        _fill(where)
    ledger = Ledger()
    for _ in range(kills):
        _kill_one(where, ledger, rng)
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


def _kill(tmp_path: Path, kills: int, seed: int, tally: Tally) -> None:
    threads_before = threading.active_count()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        folders = [tmp_path / f"{number}" for number in range(FOLDERS)]
        for folder in folders:
            folder.mkdir()
        share = kills // FOLDERS
        ledgers = list(pool.map(lambda n: _kill_in_folder(folders[n], share, seed * FOLDERS + n), range(FOLDERS)))
    tally.tried(share * FOLDERS)
    counts: dict[str, int] = {}
    for ledger in ledgers:
        counts = {key: counts.get(key, 0) + ledger.counts.get(key, 0) for key in counts.keys() | ledger.counts.keys()}
    acknowledged = sum(ledger.messages for ledger in ledgers)
    due = sum(len(ledger.due) for ledger in ledgers)
    print(f"kills {share * FOLDERS}, acknowledged messages {acknowledged}, lost 0; text of {due} answers was due")
    print(f"facts {dict(sorted(counts.items()))}")
    # The person did everything there is to do; otherwise the zero above would say little.
    deeds = {"finished", "streamed", "listed", "binned", "renaming", "draft", "arranging"}
    assert (deeds | {"settings", "temporary"} if kills >= MANY else deeds) <= counts.keys()
    assert counts["set_aside"] > 0
    assert acknowledged > 2 * kills
    assert due > kills / 20
    assert threading.active_count() <= threads_before  # one of an earlier test may end meanwhile


@pytest.mark.fault("F3")
def test_forty_kills_of_the_window_at_random_moments_lose_nothing(tmp_path: Path, tally: Tally) -> None:
    _kill(tmp_path, 40, 20261125, tally)


@pytest.mark.slow
@pytest.mark.fault("F3")
def test_three_hundred_kills_of_the_window_lose_nothing(tmp_path: Path, tally: Tally) -> None:
    _kill(tmp_path, 300, 7, tally)
