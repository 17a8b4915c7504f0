"""The reading child and its parent killed with SIGKILL at random moments: nothing is lost, nothing is there twice.

Afterwards the index is exactly that of an undisturbed reading, file by file, and what sqlite itself can check is sound.
A kill leaves the page cache of the operating system as it is, so this says nothing about power cuts.
"""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from app.documents.library import Library
from tests.documents import driver
from tests.forked_program import ROOT, Program
from tests.waiting import wait_for_ends

HOST = [sys.executable, "-m", "tests.faults.reading_host"]
FILES, CLAUSES = 6, 40
LONGEST_S = 120.0
VICTIMS = ("host", "child", "both")

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Files that take some tenths of a second each."""
    folder = tmp_path / "資料"
    folder.mkdir()
    for number in range(FILES):
        values = [f"値{line}は{number + line}mm以上とし、毎年{line % 12 + 1}月に点検する。" for line in range(20)]
        clauses = [f"## {number}.{clause} 装置{clause}の点検\n\n{''.join(values)}" for clause in range(CLAUSES)]
        (folder / f"{number:02}.md").write_text(f"# 第{number}章 維持管理\n\n{chr(10).join(clauses)}\n", "utf-8")
    return folder


def host(database: Path, *folder: Path) -> "subprocess.Popen[bytes]":
    return Program([*HOST, str(database), *map(str, folder)], cwd=ROOT, stderr=subprocess.DEVNULL)


def end(process: "subprocess.Popen[bytes]") -> None:
    """Undisturbed to its end."""
    assert process.wait(LONGEST_S) == 0


def child_of(process: "subprocess.Popen[bytes]") -> psutil.Process | None:
    try:
        found = psutil.Process(process.pid).children()
        return next((one for one in found if "--read-documents" in one.cmdline()), None)
    except psutil.Error:
        return None


def kill(process: "subprocess.Popen[bytes]", victim: str, delay_s: float) -> bool:
    """Kills host | child | both (the machine's lack of memory) after some time of reading; False: it had ended."""
    while process.poll() is None:
        child = child_of(process)
        if child is not None:
            break
        time.sleep(0.02)
    time.sleep(delay_s)
    child = child_of(process)
    if process.poll() is not None or child is None:
        return False
    try:
        if victim in ("child", "both"):
            child.kill()
        if victim in ("host", "both"):
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            wait_for_ends([child])  # by itself: its parent is gone
    except psutil.NoSuchProcess:
        return False
    return True


def contents(database: Path) -> Counter[tuple[str, ...]]:
    """All sections with their documents, and that sqlite finds nothing wrong, in the full-text index either."""
    with closing(sqlite3.connect(database)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
        driver.check_index(db)
        counted = (
            "SELECT count(*), coalesce(sum(heading_length), 0), coalesce(sum(body_length), 0) FROM section s"
            " JOIN document d ON d.id = s.document_id WHERE d.collection_id = ?"
        )
        for row in db.execute("SELECT id, sections, heading_length, body_length FROM collection").fetchall():
            assert row[1:] == db.execute(counted, row[:1]).fetchone()
        rows = db.execute(
            "SELECT c.name, d.path, d.state, s.position, s.heading, s.text FROM collection c"
            " JOIN document d ON d.collection_id = c.id LEFT JOIN section s ON s.document_id = d.id"
        )
        return Counter(tuple(map(str, row)) for row in rows)


def undisturbed(tmp_path: Path, folder: Path) -> Counter[tuple[str, ...]]:
    database = tmp_path / "undisturbed" / "documents.sqlite"
    database.parent.mkdir()
    end(host(database, folder))
    expected = contents(database)
    assert len(expected) >= (FILES - 1) * CLAUSES
    assert set(expected.values()) == {1}
    return expected


@pytest.mark.parametrize(
    ("kills", "seed"), [(6, 1), *(pytest.param(60, seed, marks=pytest.mark.slow) for seed in range(2, 8))]
)
@pytest.mark.fault("F3")
def test_whatever_is_killed_when_and_changes_meanwhile_all_is_read_once_as_it_is_now(
    tmp_path, folder, kills, seed, tally
):
    database = tmp_path / "documents.sqlite"
    chance, killed = random.Random(seed), 0
    process = host(database, folder)
    while killed < kills:
        killed += kill(process, VICTIMS[killed % len(VICTIMS)], chance.uniform(0.0, 0.5))
        if process.poll() is not None:
            if process.returncode == 0 or killed % 2:  # else what the killed one has left is read
                change(folder / f"{killed % (FILES - 1):02}.md", killed)
                put_back(database)  # so that there is something to kill, and the changed file is read
            process = host(database, folder)
    tally.tried(killed)
    end(process)
    last = folder / f"{FILES - 1:02}.md"
    last.unlink()
    with closing(Library.open_second(database)) as library:
        gone = [one.id for one in library.documents(library.collection("基準").id) if one.name == last.name]
        library.remove_documents(gone)
    put_back(database, "failed")  # what was killed twice within one host is left alone, and read when asked to be
    end(host(database, folder))
    assert contents(database) == undisturbed(tmp_path, folder)


def change(path: Path, number: int) -> None:
    path.write_text(path.read_text("utf-8").replace("に点検する", f"に{number}回点検する"), "utf-8")


def put_back(database: Path, *states: str) -> None:
    with closing(Library.open_second(database)) as library:
        documents = [one for collection in library.collections() for one in library.documents(collection.id)]
        library.read_again([one.id for one in documents if not states or one.state in states])
