"""A clock that is years ahead or behind, jumps, or stands: nothing is lost, overwritten or taken for the newest."""

import json
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from app.base import database, wording
from app.base.files import work_folder
from app.base.files.day_record import DAY_S, NAME, PROOF_DAYS, DayRecord
from app.base.paths import Paths
from app.chat.organizer import BIN_DAYS, ConversationOrganizer
from app.chat.records import AnswerDetails
from app.chat.store import Store
from app.evaluation import question_sets
from app.evaluation.records import Question
from app.evaluation.study import studies
from app.shell.services import housekeeping
from app.shell.ui import start_notice
from tests.evaluation.driver import QUESTIONS, study
from tests.faults.ledger import Tally
from tests.faults.window_process import ROOT, WindowProcess, add_tiny_model, environment, wait_until
from tests.passed_days import pass_days

pytestmark = pytest.mark.fault("F10")
NOW = 1_795_000_000.0  # November 2026
YEAR_S = 365.25 * DAY_S
CLOCKS = {
    "90_days_ahead": NOW + 90 * DAY_S,
    "10_years_ahead": NOW + 10 * YEAR_S,
    "10_years_behind": NOW - 10 * YEAR_S,
    "beyond_2038": 2**31 + 86_400.0,
    "1970": 3600.0,
    "2106": 2**32 + 1.0,
}


class World:
    """A data folder with something in every bin and a backup, and a clock and an uptime that the test sets."""

    def __init__(self, where: Paths) -> None:
        self.where = where
        self.now = NOW
        self.store = Store.open(where.database, where.backups, lambda: self.now)
        self.shelf = ConversationOrganizer(self.store.database)
        self.binned = self.ask("ごみ箱の質問")
        self.kept = self.ask("残す質問")
        self.shelf.bin([self.binned])
        studies.create(where.evaluations / "x", study(), QUESTIONS)
        question_sets.store(where.questions, "窓口", [Question("q1", "何時までですか。")])
        studies.remove(studies.find(where.evaluations, "x"))
        question_sets.remove(where.questions, "窓口")
        for parent in (where.runs, where.drafts):
            (parent / "a").mkdir(parents=True)
            (parent / "a" / "file").write_text("x")
            work_folder.move_to_bin(parent / "a", self.now)
        database.make_daily_backup(where.database, where.backups, self.now)

    def ask(self, question: str) -> int:
        asked = self.store.add_question(question)
        reply = self.store.add_answer(asked.id, AnswerDetails())
        self.store.finish_answer(reply.id, "答え", "done", AnswerDetails())
        return asked.conversation_id

    def start(self, now: float) -> None:
        """What a start of the window and its first minute delete and make."""
        self.now = now
        self.shelf.mark_expired_for_erasure(DayRecord(self.where.data))
        while self.shelf.erase_some():
            pass
        database.make_daily_backup(self.where.database, self.where.backups, now)
        housekeeping.empty_bins_now(self.where, now)

    def missing(self, backups_before: set[str]) -> list[str]:
        bins = (self.where.runs, self.where.drafts, self.where.evaluations, self.where.questions)
        gone = [str(parent) for parent in bins if not any((parent / work_folder.BIN).iterdir())]
        gone += [f"conversation {one}" for one in (self.binned, self.kept) if self.store.conversation(one) is None]
        return gone + sorted(backups_before - self.backups())

    def backups(self) -> set[str]:
        return {path.name for path in self.where.backups.iterdir()}


@pytest.fixture
def world(where: Paths) -> World:
    return World(where)


def loses_nothing(world: World, tally: Tally, clocks: list[float]) -> None:
    before = world.backups()
    for now in clocks:
        world.start(now)
    gone = world.missing(before)
    tally.tried(1)
    tally.lost(len(gone))
    assert gone == []
    world.store.close()


@pytest.mark.parametrize("clock", CLOCKS)
def test_one_start_with_a_wrong_clock_deletes_nothing(world, tally, clock):
    loses_nothing(world, tally, [NOW, CLOCKS[clock], NOW + 60])


def test_many_starts_within_an_hour_are_not_many_days(world, tally):
    jumps = [NOW + sign * years * YEAR_S for years in range(1, 11) for sign in (1, -1)]
    loses_nothing(world, tally, jumps)


def test_a_clock_that_goes_on_by_a_day_at_each_look_deletes_nothing(world, tally):
    loses_nothing(world, tally, [NOW + days * DAY_S for days in range(15)])


@pytest.mark.parametrize(
    "content", ["", "{", '{"days": 9999}', '{"days": -1, "rest_s": 0, "uptime_s": 0, "noted": {}}']
)
def test_a_lost_or_damaged_record_begins_again(world, tally, content):
    world.start(NOW)
    (world.where.data / NAME).write_text(content)
    loses_nothing(world, tally, [NOW + 60 * DAY_S])


def test_a_record_that_was_put_back_or_cannot_be_written_deletes_nothing(tmp_path, tally):
    record = DayRecord(tmp_path)
    record.track("x", {"a": 0.0}, NOW)
    old = (tmp_path / NAME).read_bytes()
    pass_days(tmp_path, 100)
    record.track("x", {"a": 0.0, "b": 0.0}, NOW)
    state = json.loads((tmp_path / NAME).read_bytes())
    (tmp_path / NAME).write_text(json.dumps({**state, "days": 3}))  # less than was noted
    assert record.track("x", {"b": 0.0}, NOW)["b"].age == 0
    (tmp_path / NAME).write_bytes(old)
    assert record.expired_items("x", {"a": 0.0, "b": 0.0}, NOW, 30) == set()
    (tmp_path / NAME).unlink()
    (tmp_path / NAME).mkdir()
    assert record.expired_items("x", {"a": 0.0}, NOW, 30) == set()
    tally.tried(1)


def test_what_is_old_by_clock_and_record_goes_as_promised(world, tally):
    tally.tried(0)
    world.start(NOW)
    pass_days(world.where.data, PROOF_DAYS)
    world.start(NOW + (BIN_DAYS + 1) * DAY_S)
    assert world.store.conversation(world.binned) is None
    assert world.store.conversation(world.kept) is not None
    assert not any((world.where.runs / work_folder.BIN).iterdir())
    world.store.close()


def test_what_was_removed_while_the_clock_was_behind_has_its_thirty_days_too(world, tally):
    world.now = NOW - 10 * YEAR_S
    early = world.ask("前の日付")
    world.shelf.bin([early])
    world.start(NOW)
    pass_days(world.where.data, PROOF_DAYS)
    world.start(NOW + (BIN_DAYS - 1) * DAY_S)
    tally.tried(1)
    tally.lost(int(world.store.conversation(early) is None))
    assert world.store.conversation(early) is not None
    world.start(NOW + (BIN_DAYS + 1) * DAY_S)
    assert world.store.conversation(early) is None
    world.store.close()


def test_what_was_removed_while_the_clock_was_ahead_does_not_stay_for_years(world, tally):
    tally.tried(0)
    world.start(NOW)
    world.now = NOW + 10 * YEAR_S
    late = world.ask("先の日付")
    world.shelf.bin([late])
    world.start(NOW)
    pass_days(world.where.data, BIN_DAYS + 1)
    world.start(NOW + DAY_S)
    assert world.store.conversation(late) is None
    world.store.close()


# -------------------------------------------------------------------------------------------------------- the record


@pytest.mark.parametrize("seed", range(5))
def test_the_record_never_counts_more_than_has_passed(tmp_path, tally, seed):
    chance = random.Random(seed)
    uptime_s, passed_s = 1000.0, 0.0
    record = DayRecord(tmp_path, lambda: uptime_s)
    record.track("x", {"a": 0.0}, NOW)
    for looks in range(1, 200):
        seconds = chance.choice([0.0, 300.0, 7200.0, DAY_S / 2, chance.uniform(0, 40 * DAY_S)])
        if chance.random() < 0.3:  # the machine was off, and was started a minute ago
            uptime_s, passed_s = 60.0, passed_s + seconds + 60.0
        else:
            uptime_s, passed_s = uptime_s + seconds, passed_s + seconds
        age = record.track("x", {"a": 0.0}, NOW)["a"].age
        assert age <= passed_s / DAY_S
        assert age <= looks
    tally.tried(1)


def test_the_uptime_does_not_follow_the_clock(tmp_path, tally, faked):
    code = "from app.base.files.day_record import uptime_s; print(uptime_s())"
    here, there = (float(faked(clock, sys.executable, "-c", code)) for clock in ("+0d", "+3000d"))
    tally.tried(1)
    assert abs(there - here) < 600


# -------------------------------------------------------------------------------------------- backups and the way back


@pytest.mark.parametrize("clock", CLOCKS)
def test_the_newest_content_is_restored_whatever_the_dates_are(world, tally, clock):
    world.start(CLOCKS[clock])  # a backup with that date
    world.start(NOW + DAY_S)
    world.ask("そのあとの質問")
    world.shelf.rename(world.kept, "そのあとの名前")
    last = database.make_daily_backup(world.where.database, world.where.backups, NOW + 2 * DAY_S)
    expected = contents(world.where.database)
    world.store.close()
    world.where.database.write_bytes(b"\0" * 50_000)
    used = database.restore_newest_backup(world.where.database, world.where.backups)
    tally.tried(1)
    tally.lost(int(contents(world.where.database) != expected))
    assert used == last
    assert contents(world.where.database) == expected


def test_a_renamed_conversation_decides_between_two_backups(world, tally):
    """No message is newer in it, and its date is older."""
    world.shelf.rename(world.kept, "あとの名前")
    newer = database.make_daily_backup(world.where.database, world.where.backups, NOW - 5 * YEAR_S)
    world.store.close()
    world.where.database.write_bytes(b"\0" * 50_000)
    tally.tried(1)
    assert database.restore_newest_backup(world.where.database, world.where.backups) == newer
    said = start_notice.restore_outcome(world.where, newer)
    assert said.code == "restored"
    assert said.facts["conversations"] == "1"
    assert said.facts["name"] == newer.name


def test_a_backup_without_a_conversation_has_no_date_of_one(where):
    Store.open(where.database, where.backups).close()
    used = database.make_daily_backup(where.database, where.backups, NOW)
    said = wording.describe_error(start_notice.restore_outcome(where, used))
    assert "（会話なし）" in said.message
    assert "1970" not in str(said)


def test_a_day_that_comes_again_overwrites_no_backup_and_gets_one_of_its_own(world, tally):
    (first,) = world.where.backups.iterdir()
    held = first.read_bytes()
    pass_days(world.where.data, 3)
    world.ask("三日あと、時計は同じ日")
    second = database.make_daily_backup(world.where.database, world.where.backups, NOW)
    tally.tried(1)
    assert second is not None
    assert second != first
    assert first.read_bytes() == held
    assert database.make_daily_backup(world.where.database, world.where.backups, NOW + 60) is None
    world.store.close()


def test_a_damaged_file_that_was_kept_is_never_replaced(world, tally, monkeypatch):
    world.store.close()
    monkeypatch.setattr(time, "time", lambda: NOW)
    for number in range(3):
        world.where.database.write_bytes(b"\0" * (50_000 + number))
        database.restore_newest_backup(world.where.database, world.where.backups)
    sizes = {path.stat().st_size for path in world.where.data.glob("kotae.damaged-*")}
    tally.tried(1)
    assert sizes == {50_000, 50_001, 50_002}


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago", "Asia/Tokyo"])
def test_another_zone_loses_no_backup(world, tally, zone, monkeypatch):
    before = {path.name: path.read_bytes() for path in world.where.backups.iterdir()}
    world.ask("別の地域で")
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        database.make_daily_backup(world.where.database, world.where.backups, NOW)
    finally:
        monkeypatch.undo()
        time.tzset()
    tally.tried(1)
    assert {name: (world.where.backups / name).read_bytes() for name in before} == before
    world.store.close()


# --------------------------------------------------------------------------------------------------- names with dates


def test_a_second_that_comes_again_gives_another_folder(tmp_path, tally):
    places = []
    for _ in range(3):
        places.append(work_folder.timestamped_path(tmp_path, "点検", NOW))
        places[-1].mkdir()
    work_folder.move_to_bin(places[1], NOW)
    places.append(work_folder.timestamped_path(tmp_path, "点検", NOW))
    tally.tried(1)
    assert len(set(places)) == 4


def test_what_lies_in_the_bin_is_not_replaced_by_another_of_its_name(tmp_path, tally):
    for number in range(3):
        (tmp_path / "a").mkdir()
        (tmp_path / "a" / f"{number}").touch()
        work_folder.move_to_bin(tmp_path / "a", NOW)
    tally.tried(1)
    assert sorted(path.name for path in (tmp_path / work_folder.BIN).rglob("?")) == ["0", "1", "2", "a"]


# ------------------------------------------------------------------------------------------- the program as a process


@pytest.fixture
def faked() -> Callable[..., str]:
    """Runs a command under a clock."""
    program = shutil.which("faketime")
    if program is None:
        pytest.skip("faketime is not installed")

    def run(clock: str, *command: str, status: int = 0) -> str:
        done = subprocess.run(
            [program, "-f", clock, *command],
            env=environment(TZ="UTC"),
            cwd=ROOT,
            capture_output=True,
            encoding="utf-8",
            timeout=60,
        )
        assert done.returncode == status, done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr

    return run


AHEAD, ODD = "2120-01-01 00:00:00", ["1975-01-01 00:00:00", "2038-01-19 03:14:08"]
EXPORTS = [(AHEAD, "json"), *((clock, "docx") for clock in (*ODD, AHEAD))]


@pytest.mark.parametrize(
    ("clock", "kind"), [*EXPORTS, *(pytest.param(clock, "json", marks=pytest.mark.slow) for clock in ODD)]
)
def test_an_export_works_or_says_in_words_that_the_clock_is_wrong(world, tally, faked, tmp_path, clock, kind):
    world.store.close()
    is_refused = kind == "docx" and not clock.startswith("2038")
    out = tmp_path / ("out.json" if kind == "json" else "out")
    if kind == "docx":
        out.mkdir()
    command = (sys.executable, "-m", "app", "chats", "export", "--format", kind, "--to", str(out))
    said = faked(clock, *command, "--data-dir", str(world.where.data), status=3 if is_refused else 0)
    tally.tried(1)
    if is_refused:
        assert clock[:4] in said
        assert list(out.iterdir()) == []
    else:
        assert out.stat().st_size > 0


@pytest.mark.slow
def test_a_window_under_a_clock_that_is_ahead_deletes_nothing(world, tally):
    if shutil.which("faketime") is None:
        pytest.skip("faketime is not installed")
    add_tiny_model(world.where, world.where.data.parent)
    world.store.close()
    before = world.backups()
    with WindowProcess(world.where.data, before=["faketime", "-f", "+90d"]):
        assert wait_until(lambda: len(world.backups()) > len(before))
        assert wait_until(lambda: "questions" in json.loads((world.where.data / NAME).read_bytes())["noted"])
    world.store = Store.open(world.where.database, world.where.backups)
    gone = world.missing(before)
    world.store.close()
    tally.tried(1)
    tally.lost(len(gone))
    assert gone == []


def contents(database: Path) -> list[tuple[object, ...]]:
    with sqlite3.connect(database) as db:
        found = db.execute("SELECT id, title, binned_at FROM conversation ORDER BY id").fetchall()
        found += db.execute("SELECT id, text, status FROM message ORDER BY id").fetchall()
    db.close()
    return found
