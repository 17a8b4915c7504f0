"""The look at the folders each minute: what has changed is taken in, and nothing is lost or done for nothing."""

import os
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from app.base.paths import Paths
from app.documents.collection_updates import RefreshResult, scan_sources
from app.documents.library import Library
from tests.documents.driver import DocumentsDriver


class WatchDriver(DocumentsDriver):
    """The service with its looks, which a test calls for instead of a minute."""

    def __init__(self, where: Paths, qtbot: QtBot) -> None:
        super().__init__(where, qtbot)
        self.told: list[RefreshResult] = []
        self.documents.refreshed.connect(self.told.append)
        self.open()

    def look(self, times: int = 1) -> None:
        for _ in range(times):
            self.documents.watch.look()
            self.wait(lambda: not self.documents.watch._looking)
            self.wait_until_read()

    def watched(self, *paths: Path, name: str = "基準") -> int:
        """Make a collection that was looked at until nothing was left to be done."""
        made = self.collection(*paths, name=name)
        self.look(3)
        self.told.clear()
        return made


@pytest.fixture
def driver(where: Paths, qtbot: QtBot) -> Iterator[WatchDriver]:
    driver = WatchDriver(where, qtbot)
    yield driver
    driver.close()
    driver.documents.deleteLater()


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "資料"
    folder.mkdir()
    for number in range(1, 4):
        write(folder / f"{number}.txt", f"橋脚の{number}\n")
    return folder


def write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def test_the_first_look_takes_in_what_changed_while_no_window_was_open(driver, files):
    collection = driver.collection(files)
    write(files / "4.txt", "新しい\n")
    driver.documents.watch.start()
    driver.wait(lambda: driver.states(collection).get("4.txt") == "done")
    assert driver.documents.watch.is_on
    assert [(one.new, one.changed) for one in driver.told] == [(1, 0)]


def test_new_changed_and_removed_files_are_taken_in_when_two_looks_find_the_same(driver, files):
    collection = driver.watched(files)
    write(files / "1.txt", "橋台だけを\n")
    (files / "2.txt").unlink()
    (files / "下").mkdir()
    write(files / "下" / "新しい.txt", "新しい\n")
    driver.look()
    assert driver.told == []
    assert driver.texts() == ["橋脚の1", "橋脚の2", "橋脚の3"]
    driver.look()
    assert [(one.new, one.changed, len(one.removed_ids)) for one in driver.told] == [(1, 1, 1)]
    assert driver.states(collection) == {"1.txt": "done", "3.txt": "done", "新しい.txt": "done"}
    assert driver.texts() == ["新しい", "橋台だけを", "橋脚の3"]


def test_a_file_that_is_being_written_waits_and_delays_no_other(driver, files):
    collection = driver.watched(files)
    write(files / "長い.txt", "一\n")
    write(files / "短い.txt", "短い\n")
    for text in ("一\n二\n", "一\n二\n三\n"):
        driver.look()
        write(files / "長い.txt", text)
    assert "長い.txt" not in driver.states(collection)
    assert driver.states(collection)["短い.txt"] == "done"
    driver.look(2)
    assert driver.states(collection)["長い.txt"] == "done"
    assert driver.attempts().count("長い.txt") == 1
    assert "三" in driver.texts()


def test_where_nothing_has_changed_nothing_is_done(driver, files, qtbot):
    driver.watched(files)
    quiet = (driver.documents.changed, driver.documents.refreshed, driver.documents.queue.status_changed)
    asked = len(driver.attempts())
    with qtbot.assertNotEmitted(driver.documents.write_queue.counted):  # not even a task for the database
        for signal in quiet:
            with qtbot.assertNotEmitted(signal):
                driver.look(2)
    assert len(driver.attempts()) == asked


def test_of_a_folder_that_cannot_be_reached_nothing_leaves_and_it_is_told_once(driver, files, tmp_path):
    alone = tmp_path / "媒体" / "単独.txt"
    alone.parent.mkdir()
    write(alone, "単独\n")
    collection = driver.watched(files, alone)
    before = driver.texts()
    files.rename(tmp_path / "切れた")
    alone.unlink()  # a mount point without its drive is an empty folder
    driver.look(4)
    assert driver.texts() == before
    assert [(one.missing, one.removed_ids) for one in driver.told] == [([files, alone], [])]
    (tmp_path / "切れた").rename(files)
    write(alone, "単独\n")
    driver.look(4)
    assert [one.missing for one in driver.told[1:]][-1:] == [[]]
    assert set(driver.states(collection).values()) == {"done"}
    assert driver.texts() == before


def test_a_folder_that_never_answers_delays_nothing(driver, files, tmp_path, monkeypatch):
    """A dead server blocks the call for ever, which no real folder of this machine does."""
    (tmp_path / "速い").mkdir()
    write(tmp_path / "速い" / "a.txt", "一\n")
    slow, fast = driver.watched(files), driver.watched(tmp_path / "速い", name="速い")
    scandir, is_answered = os.scandir, threading.Event()

    def blocked(path: Any) -> Any:
        if str(path) == str(files):
            is_answered.wait()
            raise OSError("stale handle")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", blocked)
    write(tmp_path / "速い" / "b.txt", "二\n")
    for _ in range(2):
        driver.documents.watch.look()
        driver.wait(lambda: driver.documents.watch._looking == {slow})
        driver.wait_until_read()
    assert driver.states(fast) == {"a.txt": "done", "b.txt": "done"}
    assert driver.collection(name="できる") > fast
    driver.close()  # which does not wait for it
    assert driver.documents.watch._looking == {slow}
    is_answered.set()
    driver.wait(lambda: not driver.documents.watch._looking)
    assert len(driver.told) == 1


def test_what_moved_into_a_secret_collection_does_not_come_back_under_another_name(driver, files):
    collection, secret = driver.watched(files), driver.collection(name="内規")
    driver.documents.set_label(secret, "secret")
    driver.documents.move([driver.document(collection, "1.txt").id], secret)
    driver.wait(lambda: "1.txt" in driver.states(secret))
    (files / "1.txt").rename(files / "別の名.txt")
    driver.look(4)
    assert driver.states(collection) == {"2.txt": "done", "3.txt": "done", "別の名.txt": "failed"}
    assert driver.document(collection, "別の名.txt").error_code == "document_is_secret"
    assert driver.texts() == ["橋脚の2", "橋脚の3"]
    assert driver.attempts().count("別の名.txt") == 1
    driver.documents.move([driver.document(collection, "別の名.txt").id], secret)
    driver.wait(lambda: "別の名.txt" in driver.states(secret))
    driver.documents.read_again([driver.document(secret, "別の名.txt").id])
    driver.wait(lambda: driver.states(secret) == {"別の名.txt": "done"})


def test_a_file_that_changed_while_it_was_read_is_read_again_when_the_queue_is_empty(driver, files):
    collection = driver.watched(files)
    document = driver.document(collection, "1.txt")
    with closing(Library.open_second(driver.where.documents)) as library:  # as a child that began with an older file
        library.put(replace(document, modified_ns=1), [])
    driver.look(2)
    assert driver.document(collection, "1.txt").modified_ns == 1  # its look does not ask the database
    driver.documents.read_again([driver.document(collection, "2.txt").id])
    driver.wait_until_read()
    driver.look()
    assert driver.document(collection, "1.txt").modified_ns == document.modified_ns
    assert driver.texts() == ["橋脚の1", "橋脚の2", "橋脚の3"]


def test_what_the_user_has_cancelled_is_not_resumed_until_a_refresh(driver, files):
    collection = driver.collection_amid(files, "2.txt")
    driver.documents.watch.look()  # ends after the cancelling
    driver.documents.cancel_all()
    driver.wait(lambda: not driver.documents.watch._looking)
    driver.wait_until_read()
    left = driver.states(collection)
    assert "2.txt" not in left
    write(files / "2.txt", "橋脚の2\n")
    driver.look(3)
    assert driver.states(collection) == left
    driver.refresh(collection)
    assert driver.states(collection) == {"1.txt": "done", "2.txt": "done", "3.txt": "done"}
    write(files / "4.txt", "新しい\n")
    driver.look(2)
    assert driver.states(collection)["4.txt"] == "done"


def test_a_scan_that_the_user_has_cancelled_is_not_completed(driver, files):
    collection = driver.collection()
    driver.documents.add(collection, [files])
    driver.documents.cancel_scan()
    driver.wait_until_read()
    assert driver.states(collection) == {}
    driver.look(3)
    assert driver.states(collection) == {}
    driver.add(collection, files)
    driver.wait_until_read()
    assert len(driver.states(collection)) == 3


def test_a_folder_is_scanned_by_its_look_only(driver, files, monkeypatch):
    """A scan among the writes would block all of them if a server dies in between."""
    collection = driver.watched(files)
    scandir, scanned = os.scandir, []

    def counted(path: Any) -> Any:
        scanned.append(str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", counted)
    write(files / "4.txt", "新しい\n")
    driver.look(2)
    assert driver.states(collection)["4.txt"] == "done"
    assert scanned.count(str(files)) == 2


def test_an_outdated_look_takes_out_nothing_that_was_added_since(driver, files, tmp_path):
    (tmp_path / "別").mkdir()
    write(tmp_path / "別" / "a.txt", "一\n")
    collection, other = driver.watched(files), driver.collection(tmp_path / "別", name="別")
    for act in (
        lambda: driver.documents.add(collection, [files]),
        lambda: driver.documents.move([driver.document(other, "a.txt").id], collection),
    ):
        with closing(Library.open_second(driver.where.documents)) as library:
            scan = scan_sources(library.sources(collection))
        write(files / "4.txt", "新しい\n")
        act()
        driver.documents._on_differed(collection, scan, ())
        driver.wait_until_read()
    assert driver.states(collection) == dict.fromkeys(("1.txt", "2.txt", "3.txt", "4.txt", "a.txt"), "done")


def test_in_a_closed_library_a_late_look_changes_nothing(driver, files):
    driver.watched(files)
    write(files / "4.txt", "新しい\n")
    driver.documents.watch.look()
    driver.close()
    driver.wait(lambda: not driver.documents.watch._looking)
    assert driver.told == []
    assert not driver.documents.is_busy
