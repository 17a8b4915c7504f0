"""Collections and their queue over a real child: whatever ends when, nothing is lost and nothing is there twice."""

import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from app.base import programs
from app.base.errors import AppError
from app.base.paths import Paths
from app.base.services import child_process
from app.documents import collection_lookup
from app.documents.grounding.grounding_record import CollectionRef
from app.documents.library import UNKNOWN, Library
from app.documents.reading import limits, messages
from app.documents.retrieval import passage_search
from app.documents.services.document_library import DocumentLibrary
from app.documents.services.reading_queue import QueueStatus
from app.models import package_folder, package_locks
from tests.documents.driver import SCRIPTED, DocumentsDriver

Make = Callable[..., DocumentsDriver]


@pytest.fixture
def make_driver(where: Paths, qtbot: QtBot) -> Iterator[Make]:
    drivers: list[DocumentsDriver] = []

    def make(*command: str, **limits: float) -> DocumentsDriver:
        drivers.append(DocumentsDriver(where, qtbot, command, **limits))
        drivers[-1].open()
        return drivers[-1]

    yield make
    for driver in drivers:
        driver.close()
        driver.documents.deleteLater()


@pytest.fixture
def driver(make_driver: Make) -> DocumentsDriver:
    return make_driver()


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "資料"
    folder.mkdir()
    for number in range(1, 4):
        (folder / f"{number}.txt").write_text(f"橋脚の{number}\nかぶりの{number}\n", encoding="utf-8")
    return folder


def test_what_is_added_is_read_and_found(driver, files):
    (files / "写真.gif").touch()
    collection = driver.collection()
    added = driver.add(collection, files)
    assert (len(added.new), added.skipped) == (3, {"unknown": 1})
    driver.wait_until_read()
    assert set(driver.states(collection).values()) == {"done"}
    assert driver.documents.queue._reader.pid == 0
    with closing(Library.open_second(driver.where.documents)) as library:
        found = passage_search.search(library, "橋脚", [collection])
    assert len(found) == 3
    assert driver.problems == []


def test_nothing_is_started_before_it_is_opened(where, qtbot):
    documents = DocumentLibrary(where.documents, SCRIPTED, where.logs)
    assert documents.collections() == []
    assert not where.documents.exists()
    documents.close()


ENDS = {  # what a document does to its child: the error of the document, and how often it is begun with
    "die": ("document_crashed", 2),
    "garbage": ("document_crashed", 2),
    "hang": ("document_hung", 2),
    "fat": ("document_out_of_memory", 1),
    "fail:document_protected": ("document_protected", 1),
    "last:document_out_of_memory": ("document_out_of_memory", 1),
    "die\n": ("document_crashed", 2),
}


@pytest.mark.fault("F4")
def test_what_ends_the_child_or_cannot_be_read_fails_alone_and_the_others_are_read(
    make_driver, files, tally, monkeypatch, passed_s
):
    for number, behaviour in enumerate(ENDS, start=31):
        (files / f"{number}.txt").write_text(behaviour, encoding="utf-8")
    (files / "last.txt").write_text("橋脚の9\n", encoding="utf-8")
    driver, waited = make_driver(silence_limit_s=60, memory_limit_bytes=250_000_000), []
    monkeypatch.setattr(child_process, "WATCH_LATE_S", 3600.0)

    def pass_the_limit():
        """Once for each attempt at the document that hangs."""
        attempts = driver.attempts()
        if attempts[-1:] == [hanging] and attempts != waited:
            waited[:] = attempts
            passed_s[0] += 61.0

    hanging = f"{31 + list(ENDS).index('hang')}.txt"

    driver.documents.queue._reader._child.checked.connect(pass_the_limit)
    collection = driver.collection(files)
    names = [*(f"{number}.txt" for number in (1, 2, 3, *range(31, 31 + len(ENDS)))), "last.txt"]
    found = [driver.document(collection, name).error_code for name in names]
    assert found == ["", "", "", *(code for code, _ in ENDS.values()), ""]
    counts = [1, 1, 1, *(count for _, count in ENDS.values()), 1]
    assert driver.attempts() == [name for name, count in zip(names, counts, strict=True) for _ in range(count)]
    tally.tried(6)


def test_a_child_that_computes_in_silence_is_ended_whatever_the_time(make_driver, files, monkeypatch):
    (files / "31.txt").write_text("hang", encoding="utf-8")
    driver, computed_s = make_driver(), [0.0]
    monkeypatch.setattr(limits, "processor_seconds", lambda _process: computed_s[0])

    def compute():
        if driver.attempts()[-1:] == ["31.txt"]:
            computed_s[0] += 0.6 * messages.SILENT_PROCESSOR_S

    driver.documents.queue._reader._child.checked.connect(compute)
    assert driver.document(driver.collection(files), "31.txt").error_code == "document_hung"
    assert driver.attempts().count("31.txt") == 2


@pytest.mark.fault("F4")
def test_a_child_that_cannot_be_started_pauses_the_queue(make_driver, files):
    driver = make_driver(str(files / "no program"))
    driver.add(driver.collection(), files)
    driver.wait(lambda: driver.documents.standing.phase == "paused")
    assert [problem.code for problem in driver.problems] == ["reader_not_started"]


def test_a_pause_ends_the_child_and_the_document_begins_anew(driver, files):
    collection = driver.collection_amid(files, "2.txt")
    for _ in range(2):  # pausing is no fault of the document
        driver.wait_amid("2.txt")
        driver.documents.pause()
        assert driver.documents.standing.phase == "paused"
        assert driver.documents.queue._reader.pid == 0
        driver.documents.resume()
    driver.documents.pause()
    (files / "2.txt").write_text("橋脚\n", encoding="utf-8")
    driver.documents.resume()
    driver.wait_until_read()
    assert set(driver.states(collection).values()) == {"done"}


def test_cancelling_leaves_what_was_read_and_takes_out_the_rest(driver, files):
    collection = driver.collection(files)
    before = driver.texts()
    (files / "0.txt").write_text("slow", encoding="utf-8")
    (files / "4.txt").write_text("neu\n", encoding="utf-8")
    driver.documents.add(collection, [files / "0.txt", files / "4.txt"])
    driver.wait(lambda: driver.documents.standing.done == 1)
    driver.documents.read_again([driver.document(collection, "1.txt").id])
    driver.wait(lambda: driver.states(collection)["1.txt"] == "waiting")
    driver.documents.cancel_all()
    driver.wait(lambda: len(driver.states(collection)) == 3)
    driver.wait_until_read()
    assert set(driver.states(collection).values()) == {"done"}
    assert driver.texts() == before
    (files / "0.txt").write_text("alt\n", encoding="utf-8")
    assert driver.refresh(collection).new == 2
    assert len(driver.texts()) == len(before) + 2


def test_a_document_that_is_being_read_can_be_read_in_another_way(driver, files):
    collection = driver.collection_amid(files, "2.txt")
    (files / "2.txt").write_text("橋脚\n", encoding="utf-8")
    driver.documents.read_again([driver.document(collection, "2.txt").id], "cp932")
    driver.wait_until_read()
    assert set(driver.states(collection).values()) == {"done"}
    assert driver.document(collection, "2.txt").chosen_encoding == "cp932"
    attempts = driver.attempts()
    assert attempts[:2] == ["1.txt", "2.txt"]
    assert sorted(set(attempts[2:])) == ["2.txt", "3.txt"]  # the child may have begun 3.txt before it was ended
    assert attempts.count("2.txt") == 2


def test_documents_that_the_child_has_next_can_be_removed_and_read_in_another_way(driver, files):
    collection = driver.collection(files)
    (files / "1.txt").write_text("brief\n", encoding="utf-8")
    ids = {name: driver.document(collection, name).id for name in ("1.txt", "2.txt", "3.txt")}
    driver.documents.read_again(list(ids.values()))
    driver.wait_amid("1.txt")
    driver.documents.remove([ids["3.txt"]])
    driver.documents.recognize([ids["2.txt"]])
    driver.wait_until_read()
    assert driver.states(collection) == {"1.txt": "done", "2.txt": "done"}
    again = driver.attempts()[3:]
    assert again[0] == "1.txt"  # it went on
    assert again[-1] == "2.txt+ocr"
    assert not {"1.txt", "3.txt"} & set(again[1:])


def test_a_copy_that_a_killed_child_left_goes_with_the_next_reading(driver, files):
    left = driver.where.documents.with_name("conversion")
    (left / "profile").mkdir(parents=True)
    (left / "document.doc").write_text("機密")
    driver.collection(files)
    assert list(left.iterdir()) == []


@pytest.mark.skipif(package_locks.ocr_lock() is None, reason="there is no part for this machine")
def test_the_child_is_replaced_when_the_part_for_recognition_comes_or_goes(driver, files):
    lock, part = package_locks.ocr_lock(), driver.where.documents.with_name("ocr")
    assert lock is not None
    for number in (2, 3, 4):
        (files / f"{number}.txt").write_text("brief\n", encoding="utf-8")
    pids: list[int] = []

    def on_ended(_document_id: int) -> None:
        pids.append(driver.documents.queue._reader.pid)
        if len(pids) == 1:
            part.mkdir()
            package_folder._write_stamp(part, part.name, lock)
        elif len(pids) == 3:
            package_folder.remove(part)

    driver.documents.queue.document_ended.connect(on_ended)
    driver.collection(files)
    assert 0 not in pids
    assert [pid == pids[1] for pid in pids] == [False, True, True, False]
    assert list(dict.fromkeys(driver.attempts())) == ["1.txt", "2.txt", "3.txt", "4.txt"]


def test_a_document_that_is_being_read_can_be_removed(driver, files):
    collection = driver.collection_amid(files, "1.txt")
    driver.documents.remove([driver.document(collection, "1.txt").id])
    assert "1.txt" not in driver.states(collection)
    driver.wait_until_read()
    assert driver.states(collection) == {"2.txt": "done", "3.txt": "done"}
    assert driver.refresh(collection).new == 0


def test_a_document_that_waits_or_is_being_read_moves_and_is_read_where_it_is_then(driver, files):
    collection = driver.collection_amid(files, "1.txt")
    other = driver.collection(name="要領")
    ids = [driver.document(collection, name).id for name in ("1.txt", "3.txt")]
    driver.carried(driver.documents.changed, lambda: driver.documents.move(ids, other))
    driver.wait(lambda: len(driver.states(other)) == 2)
    (files / "1.txt").write_text("短い\n", encoding="utf-8")
    driver.documents.read_again([ids[0]])  # not to wait for its end
    driver.wait_until_read()
    assert driver.states(collection) == {"2.txt": "done"}
    assert driver.states(other) == {"1.txt": "done", "3.txt": "done"}
    assert driver.texts() == ["かぶりの2", "かぶりの3", "橋脚の2", "橋脚の3", "短い"]
    assert driver.attempts().count("3.txt") == 1


def test_removing_does_not_wait_for_a_long_document(driver, files):
    collection = driver.collection(files)
    (files / "slow.txt").write_text("slow", encoding="utf-8")
    driver.add(collection, files / "slow.txt")
    driver.wait(lambda: driver.documents.standing.done == 1)
    driver.documents.remove([driver.document(collection, "1.txt").id])
    driver.wait(lambda: len(driver.texts()) == 4)
    assert driver.documents.standing.name == "slow.txt"


def test_what_was_removed_can_be_brought_back_and_a_file_that_has_gone_is_there_and_says_why(driver, files):
    """A file of a folder, and one that was added by itself."""
    documents, alone = driver.documents, files.parent / "単独.txt"
    alone.write_text("単独\n", encoding="utf-8")
    collection = driver.collection(files, alone)
    documents.set_label(collection, "secret")
    driver.wait_until_read()
    before = driver.texts()
    removal = documents.remove_collection(collection)
    assert documents.collections() == []
    assert driver.carried(documents.added, lambda: documents.restore(removal)).missing == []
    driver.wait_until_read()
    (again,) = documents.collections()
    assert (again.name, again.label, again.documents, driver.texts()) == ("基準", "secret", 4, before)
    gone = [alone, files / "2.txt"]
    for path in gone:
        path.unlink()
    removal = documents.remove_collection(again.id)
    assert sorted(driver.carried(documents.added, lambda: documents.restore(removal)).missing) == sorted(gone)
    driver.wait_until_read()
    (last,) = documents.collections()
    there = {"1.txt": "done", "3.txt": "done"}
    assert driver.states(last.id) == there | {path.name: "failed" for path in gone}
    for path in gone:
        path.write_text("戻した\n", encoding="utf-8")
    driver.refresh(last.id)
    assert set(driver.states(last.id).values()) == {"done"}


def test_removed_documents_can_be_brought_back_at_once_and_one_that_has_gone_later(driver, files):
    collection = driver.collection(files)
    before = driver.texts()
    removed = [driver.document(collection, name) for name in ("2.txt", "3.txt")]
    (files / "2.txt").rename(files / "2.bin")
    driver.documents.remove([one.id for one in removed])
    paths = [Path(one.path) for one in removed]
    restore = lambda: driver.documents.restore_documents(collection, paths)  # noqa: E731
    assert driver.carried(driver.documents.added, restore).missing == paths[:1]
    driver.wait_until_read()
    assert driver.states(collection) == {"1.txt": "done", "2.txt": "failed", "3.txt": "done"}
    (files / "2.bin").rename(files / "2.txt")
    driver.refresh(collection)
    assert set(driver.states(collection).values()) == {"done"}
    assert not {driver.document(collection, one.name).id for one in removed} & {one.id for one in removed}
    assert driver.texts() == before


def test_a_name_that_is_taken_is_refused_and_told(driver):
    first = driver.collection()
    driver.documents.add_collection("基準")
    driver.wait(lambda: len(driver.problems) == 1)
    second = driver.collection(name="規程")
    driver.documents.rename(second, "基準")
    driver.wait(lambda: len(driver.problems) == 2)
    assert {problem.code for problem in driver.problems} == {"collection_exists"}
    driver.documents.rename(first, "基準 2025")
    driver.wait(lambda: "基準 2025" in [one.name for one in driver.documents.collections()])


def one_reads(make_driver: Make, files: Path) -> tuple[DocumentsDriver, DocumentsDriver, int]:
    """The one, which is amid a slow document; the other, which has just looked and looks often; the collection."""
    first, second = make_driver(), make_driver()
    second.documents.queue._retry_timer.setInterval(50)
    collection = first.collection_amid(files, "1.txt")
    second.documents.check_for_changes()
    return first, second, collection


def test_two_processes_do_not_read_the_same_queue(make_driver, files):
    first, second, collection = one_reads(make_driver, files)
    assert second.documents.standing.phase == "elsewhere"
    assert second.documents.queue._reader.pid == 0
    (files / "1.txt").write_text("橋\n", encoding="utf-8")
    first.documents.pause()  # the other one takes over
    second.wait(lambda: second.documents.standing.phase == "idle")
    assert set(second.states(collection).values()) == {"done"}


@pytest.mark.skipif(sys.platform == "win32", reason="a lock in the kernel")
@pytest.mark.fault("F3")
def test_a_lock_whose_process_was_killed_before_it_wrote_its_id_stops_no_reading(where, make_driver, files):
    import fcntl

    lock = where.documents.with_suffix(".lock")
    lock.touch()
    with lock.open("rb+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)  # it is being written
        driver = make_driver()
        driver.documents.queue._retry_timer.setInterval(50)
        collection = driver.collection()
        driver.add(collection, files)
        driver.wait(lambda: driver.documents.standing.phase == "elsewhere")
        driver.qtbot.wait(300)
        assert driver.documents.queue._reader.pid == 0
    driver.wait(lambda: driver.documents.standing.phase == "idle")
    assert set(driver.states(collection).values()) == {"done"}


def test_what_another_process_reads_is_told_while_it_reads(make_driver, files):
    first, second, collection = one_reads(make_driver, files)
    told: list[set[str]] = []
    second.documents.changed.connect(lambda: told.append(set(second.states(collection).values())))
    (files / "1.txt").write_text("橋\n", encoding="utf-8")
    first.documents.read_again([first.document(collection, "1.txt").id])
    first.wait_until_read()
    second.wait(lambda: second.documents.standing.phase == "idle")
    assert told
    assert told[-1] == {"done"}


def test_a_look_for_what_others_have_added_leaves_what_is_read_where_it_was(driver, files):
    driver.collection_amid(files, "1.txt")
    with closing(Library.open_second(driver.where.documents)) as library:
        library.add_collection("規程")
    stood: list[QueueStatus] = []
    driver.documents.queue.status_changed.connect(stood.append)
    driver.documents.check_for_changes()
    assert [(one.phase, one.name, one.done) for one in stood] == [("reading", "1.txt", 1)]
    assert [one.name for one in driver.documents.collections()] == ["基準", "規程"]


@pytest.mark.fault("F3")
def test_what_a_closed_program_left_is_read_at_the_next_start(make_driver, files):
    first = make_driver()
    collection = first.collection_amid(files, "2.txt")
    first.documents.close()
    (files / "2.txt").write_text("橋脚\n", encoding="utf-8")
    second = make_driver()
    second.wait_until_read()
    assert set(second.states(collection).values()) == {"done"}
    assert second.attempts().count("1.txt") == 1


@pytest.mark.fault("F9")
def test_a_damaged_database_is_kept_and_told_and_a_new_one_made(where, make_driver, files):
    where.documents.write_bytes(b"SQLite format 3\0" + b"damage" * 2000)
    driver = make_driver()
    assert [problem.code for problem in driver.problems] == ["documents_damaged"]
    assert where.documents.with_suffix(".damaged").is_file()
    driver.collection(files)
    assert len(driver.texts()) == 6


@pytest.mark.fault("F9")
def test_damage_within_a_text_is_met_by_its_reader_and_the_next_start_makes_a_new_database(where, make_driver, files):
    text = "橋" * 3000
    (files / "1.txt").write_text(text, encoding="utf-8")
    first = make_driver()
    first.collection(files)
    first.close()
    raw = bytearray(where.documents.read_bytes())
    page = raw.index(text[:1000].encode()) // 4096 * 4096
    raw[page : page + 4096] = b"\xff" * 4096
    where.documents.write_bytes(raw)
    driver = make_driver()
    assert driver.problems == []
    with pytest.raises(AppError, match="database_damaged"):
        driver.texts()
    driver.close()
    assert [problem.code for problem in make_driver().problems] == ["documents_damaged"]


@pytest.mark.fault("S16")
@pytest.mark.parametrize("lost", ["documents", "all"])
def test_labels_survive_the_database_that_said_them(where, make_driver, lost, tally):
    where.data.mkdir(parents=True, exist_ok=True)
    with closing(Library.open(where.documents)) as library:
        ids = {name: library.add_collection(name) for name in ("公報", "入札", "別の版")}
        library.add_documents(ids["公報"], [Path(f"/x/{number}{'長' * 80}.pdf") for number in range(300)])
        library.set_label(ids["公報"], "public")
        library.database.read("PRAGMA ignore_check_constraints = 1")
        with library.database.transaction():
            library.database.write("UPDATE collection SET label = 'top' WHERE id = ?", ids["別の版"])
    with closing(Library.open_second(where.documents)) as library:  # not yet in the file itself, only in its log
        library.set_label(ids["入札"], "secret")
        log = where.documents.with_name(where.documents.name + "-wal").read_bytes()
    raw = bytearray(where.documents.read_bytes())
    start = len(raw) - 8192 if lost == "documents" else 0
    raw[start:] = b"\xff" * (len(raw) - start)
    where.documents.write_bytes(raw)
    where.documents.with_name(where.documents.name + "-wal").write_bytes(log)
    assert [problem.code for problem in make_driver().problems] == ["documents_damaged"]
    with closing(Library.open(where.documents)) as library:
        new = library.add_collection("よそ", "public")
        others = [library.add_collection(f"よそ {number}", "public") for number in range(3)]
        assert not {new, *others} & {*ids.values()}
        for name, id in ids.items():
            ref = CollectionRef(id, name)
            assert not any(collection_lookup.resolve_scope(library.collections(), [ref])[0][:1])
            if lost == "all" or name != "公報":
                assert collection_lookup.label_of_scope(library.labelled(), [ref]) == "secret"
        assert new < 2**31  # as signals carry it
        there = {(one.id, one.name): one.label for one in library.labelled()}
        assert library.labels_of(["入札"], []) == ["secret"]
        assert library.labels_of([], ["知らない.pdf"]) == ["secret"]
        assert library.labels_of(["よそ"], []) == ["public"]
    if lost == "documents":
        assert there[ids["入札"], "入札"] == there[ids["別の版"], "別の版"] == "secret"
        assert there[ids["公報"], "公報"] == "public"
    tally.tried(3)


@pytest.mark.fault("S16")
def test_ids_of_a_damaged_database_that_no_collection_can_have_cost_no_start(tmp_path):
    with closing(Library.open(tmp_path / "documents.sqlite")) as library:
        library.keep_lost_labels([("規程", "", 2**63 - 1, "secret"), UNKNOWN])
        assert library.add_collection("よそ") < 2**31


def test_the_manual_is_there_and_follows_its_text_and_language(driver, tmp_path):
    japanese, english = tmp_path / "manual.ja.md", tmp_path / "manual.en.md"
    japanese.write_text("モデルを追加する\n", encoding="utf-8")
    english.write_text("Add a model\n", encoding="utf-8")

    def provide(file: Path, name: str) -> list[str]:
        driver.documents.provide_manual(file, name)
        driver.wait_until_read()
        return driver.texts()

    assert provide(japanese, "使い方") == ["モデルを追加する"]
    japanese.write_text("モデルを選ぶ\n", encoding="utf-8")
    assert provide(japanese, "使い方") == ["モデルを選ぶ"]
    assert provide(english, "How to use") == ["Add a model"]
    own = driver.documents.collections()
    assert [(one.name, one.is_builtin, one.documents) for one in own] == [("How to use", True, 1)]


@pytest.mark.fault("F2")
def test_on_a_full_disk_the_queue_pauses_and_goes_on_later_where_it_was(where, make_driver, files):
    script = Path(__file__).parents[2] / "faults" / "full_disk_reader.py"
    clauses = (f"# 第{n}章\n\n装置{n}の点検は{n}年に1回行う。\n\n" for n in range(3000))
    (files / "2.md").write_text("".join(clauses), "utf-8")
    driver = make_driver(sys.executable, str(script), str(where.documents), "150")
    collection = driver.collection()
    driver.add(collection, files)
    driver.wait(lambda: driver.documents.standing.phase == "paused" and not driver.documents.is_busy)
    assert [problem.code for problem in driver.problems] == ["disk_full"]
    assert driver.states(collection) == {"1.txt": "done", "2.md": "waiting", "2.txt": "waiting", "3.txt": "waiting"}
    driver.documents.close()
    roomy = make_driver(*programs.reader_command(where.documents))
    roomy.wait_until_read()
    assert set(roomy.states(collection).values()) == {"done"}
    assert len(roomy.texts()) > 3000


@pytest.mark.fault("F3")
def test_what_was_being_removed_when_all_ended_leaves_at_the_next_start(make_driver, files, tally):
    first = make_driver()
    kept = first.collection(files, name="残る")
    with closing(Library.open_second(first.where.documents)) as library:
        library.exclude([first.document(kept, "2.txt").id])
    first.documents.remove_collection(first.collection(files))
    first.close()
    with closing(Library.open_second(first.where.documents)) as library:
        assert [one.name for one in library.collections()] == ["残る"]
        assert len(library.collections_to_remove()) == 1
    second = make_driver()
    second.wait_until_read()
    assert [one.id for one in second.documents.collections()] == [kept]
    assert set(second.states(kept)) == {"1.txt", "3.txt"}
    assert len(second.texts()) == 4
    second.collection(name="基準")  # its name is free again
    assert second.problems == []
    tally.tried(2)
