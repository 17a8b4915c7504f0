"""Collections and their queue over a real child: whatever ends when, nothing is lost and nothing is there twice."""

import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from PySide6.QtCore import QCoreApplication
from pytestqt.qtbot import QtBot

from app.base import programs
from app.base.errors import AppError
from app.base.paths import Paths
from app.base.services import background
from app.documents import collection_lookup
from app.documents.collection_updates import AddedFiles, RefreshResult
from app.documents.grounding.grounding_record import CollectionRef
from app.documents.library import UNKNOWN, Library
from app.documents.records import Document
from app.documents.retrieval import passage_search
from app.documents.services.document_library import DocumentLibrary
from app.documents.services.reading_queue import QueueStatus
from tests.faults.ledger import Tally

SCRIPTED = [sys.executable, str(Path(__file__).parents[2] / "scripted_reader.py")]
TIMEOUT_MS = 30_000


class Desk:
    """The service as a window has it, with what it said."""

    def __init__(self, where: Paths, qtbot: QtBot, **limits: float) -> None:
        self.where, self.qtbot = where, qtbot
        self.documents = DocumentLibrary(where.documents, [*SCRIPTED, str(where.documents)], where.logs, **limits)
        self.problems: list[AppError] = []
        self.documents.failed.connect(self.problems.append)

    def open(self) -> None:
        with self.qtbot.waitSignal(self.documents.opened, timeout=TIMEOUT_MS):
            self.documents.open()

    def collection(self, *paths: Path, name: str = "基準") -> int:
        """A new one, with what has been read of the paths."""
        with self.qtbot.waitSignal(self.documents.collection_added, timeout=TIMEOUT_MS) as made:
            self.documents.add_collection(name)
        if paths:
            self.add(made.args[0], *paths)
            self.wait_until_read()
        return int(made.args[0])

    def add(self, collection_id: int, *paths: Path) -> AddedFiles:
        with self.qtbot.waitSignal(self.documents.added, timeout=TIMEOUT_MS) as added:
            self.documents.add(collection_id, list(paths))
        outcome: AddedFiles = added.args[0]
        return outcome

    def refresh(self, collection_id: int) -> RefreshResult:
        with self.qtbot.waitSignal(self.documents.refreshed, timeout=TIMEOUT_MS) as refreshed:
            self.documents.refresh(collection_id)
        self.wait_until_read()
        outcome: RefreshResult = refreshed.args[0]
        return outcome

    def wait(self, condition: Callable[[], bool]) -> None:
        self.qtbot.waitUntil(condition, timeout=TIMEOUT_MS)

    def wait_until_read(self) -> None:
        self.wait(lambda: self.documents.standing.phase == "idle" and not self.documents.is_busy)

    def states(self, collection_id: int) -> dict[str, str]:
        return {document.name: document.state for document in self.documents.documents(collection_id)}

    def document(self, collection_id: int, name: str) -> Document:
        return next(one for one in self.documents.documents(collection_id) if one.name == name)

    def attempts(self) -> list[str]:
        """Names of documents, each time one was begun."""
        return Path(f"{self.where.documents}.log").read_text("utf-8").split()

    def texts(self) -> list[str]:
        """Of all sections that are stored."""
        library = Library.beside(self.where.documents)
        try:
            return [row[0] for row in library.database.read("SELECT text FROM section ORDER BY text")]
        finally:
            library.close()

    def close(self) -> None:
        self.documents.close()
        background.shut_down()
        QCoreApplication.processEvents()
        self.documents.deleteLater()


@pytest.fixture
def make_desk(where: Paths, qtbot: QtBot) -> Iterator[Callable[..., Desk]]:
    desks: list[Desk] = []

    def make(**limits: float) -> Desk:
        desk = Desk(where, qtbot, **limits)
        desks.append(desk)
        desk.open()
        return desk

    yield make
    for desk in desks:
        desk.close()


@pytest.fixture
def desk(make_desk: Callable[..., Desk]) -> Desk:
    return make_desk()


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "資料"
    folder.mkdir()
    for number in range(1, 4):
        (folder / f"{number}.txt").write_text(f"橋脚の{number}\nかぶりの{number}\n", encoding="utf-8")
    return folder


def test_what_is_added_is_read_and_found(desk: Desk, files: Path) -> None:
    (files / "写真.jpg").touch()
    collection = desk.collection()
    added = desk.add(collection, files)
    assert (len(added.new), added.skipped) == (3, {"unknown": 1})
    desk.wait_until_read()
    assert set(desk.states(collection).values()) == {"done"}
    assert desk.documents.reader_pid == 0
    library = Library.beside(desk.where.documents)
    found = passage_search.search(library, "橋脚", [collection])
    library.close()
    assert len(found) == 3
    assert desk.problems == []


def test_nothing_is_started_before_it_is_opened(where: Paths, qtbot: QtBot) -> None:
    documents = DocumentLibrary(where.documents, SCRIPTED, where.logs)
    assert documents.collections() == []
    assert not where.documents.exists()
    documents.close()


@pytest.mark.fault("F4")
def test_a_document_that_ends_the_child_twice_fails_and_the_others_are_read(desk: Desk, files: Path) -> None:
    (files / "2.txt").write_text("die", encoding="utf-8")
    collection = desk.collection(files)
    assert desk.states(collection) == {"1.txt": "done", "2.txt": "failed", "3.txt": "done"}
    assert desk.document(collection, "2.txt").error_code == "document_crashed"
    assert desk.attempts() == ["1.txt", "2.txt", "2.txt", "3.txt"]


@pytest.mark.fault("F4")
def test_a_silent_child_is_ended_and_the_document_tried_once_more(make_desk: Callable[..., Desk], files: Path) -> None:
    (files / "2.txt").write_text("hang", encoding="utf-8")
    desk = make_desk(silence_limit_s=1.5)
    collection = desk.collection(files)
    assert desk.document(collection, "2.txt").error_code == "document_hung"
    assert desk.attempts().count("2.txt") == 2


@pytest.mark.fault("F4")
def test_a_child_that_takes_too_much_memory_is_ended_at_once(make_desk: Callable[..., Desk], files: Path) -> None:
    (files / "2.txt").write_text("fat", encoding="utf-8")
    desk = make_desk(memory_limit_bytes=250_000_000)
    collection = desk.collection(files)
    assert desk.document(collection, "2.txt").error_code == "document_out_of_memory"
    assert desk.attempts().count("2.txt") == 1


@pytest.mark.fault("F4")
def test_a_child_that_talks_nonsense_is_ended(desk: Desk, files: Path) -> None:
    (files / "2.txt").write_text("garbage", encoding="utf-8")
    collection = desk.collection(files)
    assert desk.document(collection, "2.txt").error_code == "document_crashed"


def test_an_expected_error_is_told_of_its_document_alone(desk: Desk, files: Path) -> None:
    (files / "2.txt").write_text("fail:document_protected", encoding="utf-8")
    collection = desk.collection(files)
    assert desk.document(collection, "2.txt").error_code == "document_protected"
    assert desk.attempts() == ["1.txt", "2.txt", "3.txt"]


@pytest.mark.fault("F4")
def test_a_child_that_cannot_be_started_pauses_the_queue(where: Paths, qtbot: QtBot, files: Path) -> None:
    desk = Desk(where, qtbot)
    desk.documents = DocumentLibrary(where.documents, [str(files / "no program")], where.logs)
    desk.documents.failed.connect(desk.problems.append)
    desk.open()
    desk.add(desk.collection(), files)
    desk.wait(lambda: desk.documents.standing.phase == "paused")
    assert [problem.code for problem in desk.problems] == ["reader_not_started"]
    desk.close()


def test_a_pause_ends_the_child_and_the_document_begins_anew(desk: Desk, files: Path) -> None:
    (files / "2.txt").write_text("slow", encoding="utf-8")
    collection = desk.collection()
    desk.add(collection, files)
    for _ in range(4):  # pausing is no fault of the document
        desk.wait(lambda: desk.documents.standing.name == "2.txt" and desk.documents.standing.done == 1)
        desk.documents.pause()
        assert desk.documents.standing.phase == "paused"
        assert desk.documents.reader_pid == 0
        desk.documents.resume()
    desk.documents.pause()
    (files / "2.txt").write_text("橋脚\n", encoding="utf-8")
    desk.documents.resume()
    desk.wait_until_read()
    assert set(desk.states(collection).values()) == {"done"}


def test_cancelling_leaves_what_was_read_and_takes_out_the_rest(desk: Desk, files: Path) -> None:
    collection = desk.collection(files)
    before = desk.texts()
    (files / "0.txt").write_text("slow", encoding="utf-8")
    (files / "4.txt").write_text("neu\n", encoding="utf-8")
    desk.documents.add(collection, [files / "0.txt", files / "4.txt"])
    desk.wait(lambda: desk.documents.standing.done == 1)
    desk.documents.read_again([desk.document(collection, "1.txt").id])
    desk.wait(lambda: desk.states(collection)["1.txt"] == "waiting")
    desk.documents.cancel_all()
    desk.wait(lambda: len(desk.states(collection)) == 3)
    desk.wait_until_read()
    assert set(desk.states(collection).values()) == {"done"}
    assert desk.texts() == before
    (files / "0.txt").write_text("alt\n", encoding="utf-8")
    assert desk.refresh(collection).new == 2
    assert len(desk.texts()) == len(before) + 2


def test_a_document_that_is_being_read_can_be_read_in_another_way(desk: Desk, files: Path) -> None:
    (files / "2.txt").write_text("slow", encoding="utf-8")
    collection = desk.collection()
    desk.add(collection, files)
    desk.wait(lambda: desk.documents.standing.name == "2.txt" and desk.documents.standing.done == 1)
    (files / "2.txt").write_text("橋脚\n", encoding="utf-8")
    desk.documents.read_again([desk.document(collection, "2.txt").id], "cp932")
    desk.wait_until_read()
    assert set(desk.states(collection).values()) == {"done"}
    assert desk.document(collection, "2.txt").chosen_encoding == "cp932"
    assert desk.attempts() == ["1.txt", "2.txt", "2.txt", "3.txt"]


def test_a_document_that_is_being_read_can_be_removed(desk: Desk, files: Path) -> None:
    (files / "1.txt").write_text("slow", encoding="utf-8")
    collection = desk.collection()
    desk.add(collection, files)
    desk.wait(lambda: desk.documents.standing.done == 1)
    desk.documents.remove([desk.document(collection, "1.txt").id])
    assert "1.txt" not in desk.states(collection)
    desk.wait_until_read()
    assert desk.states(collection) == {"2.txt": "done", "3.txt": "done"}
    assert desk.refresh(collection).new == 0


def test_removing_does_not_wait_for_a_long_document(desk: Desk, files: Path) -> None:
    collection = desk.collection(files)
    (files / "slow.txt").write_text("slow", encoding="utf-8")
    desk.add(collection, files / "slow.txt")
    desk.wait(lambda: desk.documents.standing.done == 1)
    desk.documents.remove([desk.document(collection, "1.txt").id])
    desk.wait(lambda: len(desk.texts()) == 4)
    assert desk.documents.standing.name == "slow.txt"


def test_changes_of_a_folder_are_followed(desk: Desk, files: Path) -> None:
    collection = desk.collection(files)
    (files / "1.txt").write_text("橋台だけ\n", encoding="utf-8")
    (files / "2.txt").unlink()
    (files / "4.txt").write_text("新しい\n", encoding="utf-8")
    done = desk.refresh(collection)
    assert (done.new, done.changed, len(done.gone)) == (1, 1, 1)
    assert desk.states(collection) == {"1.txt": "done", "3.txt": "done", "4.txt": "done"}
    assert desk.texts() == ["かぶりの3", "新しい", "橋台だけ", "橋脚の3"]


def test_a_removed_collection_can_be_brought_back(desk: Desk, files: Path) -> None:
    collection = desk.collection(files)
    desk.documents.set_label(collection, "secret")
    desk.wait_until_read()
    before = desk.texts()
    removal = desk.documents.remove_collection(collection)
    assert desk.documents.collections() == []
    with desk.qtbot.waitSignal(desk.documents.added, timeout=TIMEOUT_MS):
        desk.documents.restore(removal)
    desk.wait_until_read()
    again = desk.documents.collections()[0]
    assert (again.name, again.label, again.documents) == ("基準", "secret", 3)
    assert desk.texts() == before


@pytest.mark.parametrize("is_folder", [True, False])
def test_what_is_brought_back_without_its_file_is_there_and_says_why(desk: Desk, files: Path, is_folder: bool) -> None:
    collection = desk.collection(*([files] if is_folder else sorted(files.iterdir())))
    (files / "2.txt").unlink()
    removal = desk.documents.remove_collection(collection)
    with desk.qtbot.waitSignal(desk.documents.added, timeout=TIMEOUT_MS) as added:
        desk.documents.restore(removal)
    desk.wait_until_read()
    assert added.args[0].missing == [files / "2.txt"]
    again = desk.documents.collections()[0].id
    assert desk.states(again) == {"1.txt": "done", "2.txt": "failed", "3.txt": "done"}
    removed = [desk.document(again, "2.txt"), desk.document(again, "3.txt")]
    desk.documents.remove([one.id for one in removed])
    with desk.qtbot.waitSignal(desk.documents.added, timeout=TIMEOUT_MS) as added:
        desk.documents.restore_documents(again, [Path(one.path) for one in removed])
    desk.wait_until_read()
    assert added.args[0].missing == [files / "2.txt"]
    assert desk.states(again) == {"1.txt": "done", "2.txt": "failed", "3.txt": "done"}
    (files / "2.txt").write_text("戻した\n", encoding="utf-8")
    desk.refresh(again)
    assert desk.states(again)["2.txt"] == "done"


def test_a_removed_document_can_be_brought_back_at_once(desk: Desk, files: Path) -> None:
    collection = desk.collection(files)
    before = desk.texts()
    removed = desk.document(collection, "2.txt")
    desk.documents.remove([removed.id])
    desk.documents.restore_documents(collection, [Path(removed.path)])
    desk.wait_until_read()
    assert set(desk.states(collection)) == {"1.txt", "2.txt", "3.txt"}
    assert desk.document(collection, "2.txt").id != removed.id
    assert desk.texts() == before


def test_a_name_that_is_taken_is_refused_and_told(desk: Desk) -> None:
    first = desk.collection()
    desk.documents.add_collection("基準")
    desk.wait(lambda: len(desk.problems) == 1)
    second = desk.collection(name="規程")
    desk.documents.rename(second, "基準")
    desk.wait(lambda: len(desk.problems) == 2)
    assert {problem.code for problem in desk.problems} == {"collection_exists"}
    desk.documents.rename(first, "基準 2025")
    desk.wait(lambda: "基準 2025" in [one.name for one in desk.documents.collections()])


def one_reads(make_desk: Callable[..., Desk], files: Path) -> tuple[Desk, Desk, int]:
    """The one, which is amid a slow document; the other, which has just looked; the collection."""
    first, second = make_desk(), make_desk()
    (files / "1.txt").write_text("slow", encoding="utf-8")
    collection = first.collection()
    first.add(collection, files)
    first.wait(lambda: first.documents.standing.done == 1)
    second.documents.check_for_changes()
    return first, second, collection


def test_two_processes_do_not_read_the_same_queue(make_desk: Callable[..., Desk], files: Path) -> None:
    first, second, collection = one_reads(make_desk, files)
    assert second.documents.standing.phase == "elsewhere"
    assert second.documents.reader_pid == 0
    (files / "1.txt").write_text("橋\n", encoding="utf-8")
    first.documents.pause()  # the other one takes over
    second.wait(lambda: second.documents.standing.phase == "idle")
    assert set(second.states(collection).values()) == {"done"}


def test_what_another_process_reads_is_told_while_it_reads(make_desk: Callable[..., Desk], files: Path) -> None:
    first, second, collection = one_reads(make_desk, files)
    told: list[set[str]] = []
    second.documents.changed.connect(lambda: told.append(set(second.states(collection).values())))
    (files / "1.txt").write_text("橋\n", encoding="utf-8")
    first.documents.read_again([first.document(collection, "1.txt").id])
    first.wait_until_read()
    second.wait(lambda: second.documents.standing.phase == "idle")
    assert told
    assert told[-1] == {"done"}


def test_a_look_for_what_others_have_added_leaves_what_is_read_where_it_was(desk: Desk, files: Path) -> None:
    (files / "1.txt").write_text("slow", encoding="utf-8")
    collection = desk.collection()
    desk.add(collection, files)
    desk.wait(lambda: desk.documents.standing.done == 1)
    library = Library.beside(desk.where.documents)
    library.add_collection("規程")
    library.close()
    stood: list[QueueStatus] = []
    desk.documents.queue.status_changed.connect(stood.append)
    desk.documents.check_for_changes()
    assert [(one.phase, one.name, one.done) for one in stood] == [("reading", "1.txt", 1)]
    assert [one.name for one in desk.documents.collections()] == ["基準", "規程"]


@pytest.mark.fault("F3")
def test_what_a_closed_program_left_is_read_at_the_next_start(make_desk: Callable[..., Desk], files: Path) -> None:
    (files / "2.txt").write_text("slow", encoding="utf-8")
    first = make_desk()
    collection = first.collection()
    first.add(collection, files)
    first.wait(lambda: first.documents.standing.name == "2.txt")
    first.documents.close()
    (files / "2.txt").write_text("橋脚\n", encoding="utf-8")
    second = make_desk()
    second.wait_until_read()
    assert set(second.states(collection).values()) == {"done"}
    assert second.attempts().count("1.txt") == 1


@pytest.mark.fault("F9")
def test_a_damaged_database_is_kept_and_told_and_a_new_one_made(where: Paths, qtbot: QtBot, files: Path) -> None:
    where.documents.write_bytes(b"SQLite format 3\0" + b"damage" * 2000)
    desk = Desk(where, qtbot)
    desk.documents.not_opened.connect(desk.problems.append)
    desk.open()
    assert [problem.code for problem in desk.problems] == ["documents_damaged"]
    assert where.documents.with_suffix(".damaged").is_file()
    desk.collection(files)
    assert len(desk.texts()) == 6
    desk.close()


@pytest.mark.fault("S16")
@pytest.mark.parametrize("lost", ["documents", "all"])
def test_labels_survive_the_database_that_said_them(where: Paths, qtbot: QtBot, lost: str, tally: Tally) -> None:
    where.data.mkdir(parents=True, exist_ok=True)
    with closing(Library.open(where.documents)) as library:
        ids = {name: library.add_collection(name) for name in ("公報", "入札", "別の版")}
        library.add_documents(ids["公報"], [Path(f"/x/{number}{'長' * 80}.pdf") for number in range(300)])
        library.set_label(ids["公報"], "public")
        library.database.read("PRAGMA ignore_check_constraints = 1")
        with library.database.transaction():
            library.database.write("UPDATE collection SET label = 'top' WHERE id = ?", ids["別の版"])
    beside = closing(Library.beside(where.documents))
    with beside as library:  # not yet in the file itself, only in its log
        library.set_label(ids["入札"], "secret")
        log = where.documents.with_name(where.documents.name + "-wal").read_bytes()
    raw = bytearray(where.documents.read_bytes())
    start = len(raw) - 8192 if lost == "documents" else 0
    raw[start:] = b"\xff" * (len(raw) - start)
    where.documents.write_bytes(raw)
    where.documents.with_name(where.documents.name + "-wal").write_bytes(log)
    desk = Desk(where, qtbot)
    desk.documents.not_opened.connect(desk.problems.append)
    desk.open()
    assert [problem.code for problem in desk.problems] == ["documents_damaged"]
    desk.close()
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
def test_ids_of_a_damaged_database_that_no_collection_can_have_cost_no_start(tmp_path: Path) -> None:
    with closing(Library.open(tmp_path / "documents.sqlite")) as library:
        library.keep_lost_labels([("規程", "", 2**63 - 1, "secret"), UNKNOWN])
        assert library.add_collection("よそ") < 2**31


def test_the_manual_is_there_and_follows_its_text_and_language(desk: Desk, tmp_path: Path) -> None:
    japanese, english = tmp_path / "manual.ja.md", tmp_path / "manual.en.md"
    japanese.write_text("モデルを追加する\n", encoding="utf-8")
    english.write_text("Add a model\n", encoding="utf-8")

    def provide(file: Path, name: str) -> list[str]:
        desk.documents.provide_manual(file, name)
        desk.wait_until_read()
        return desk.texts()

    assert provide(japanese, "使い方") == ["モデルを追加する"]
    japanese.write_text("モデルを選ぶ\n", encoding="utf-8")
    assert provide(japanese, "使い方") == ["モデルを選ぶ"]
    assert provide(english, "How to use") == ["Add a model"]
    own = desk.documents.collections()
    assert [(one.name, one.is_builtin, one.documents) for one in own] == [("How to use", True, 1)]


def test_the_child_leaves_nothing_running(desk: Desk, files: Path) -> None:
    desk.collection(files)
    desk.wait(lambda: psutil.Process().children() == [])


@pytest.mark.fault("F2")
def test_on_a_full_disk_the_queue_pauses_and_goes_on_later_where_it_was(
    where: Paths, qtbot: QtBot, files: Path
) -> None:
    script = Path(__file__).parents[2] / "faults" / "full_disk_reader.py"
    (files / "2.md").write_text(
        "".join(f"# 第{n}章\n\n装置{n}の点検は{n}年に1回行う。\n\n" for n in range(3000)), "utf-8"
    )
    desk = Desk(where, qtbot)
    desk.documents = DocumentLibrary(
        where.documents, [sys.executable, str(script), str(where.documents), "150"], where.logs
    )
    desk.documents.failed.connect(desk.problems.append)
    desk.open()
    collection = desk.collection()
    desk.add(collection, files)
    desk.wait(lambda: desk.documents.standing.phase == "paused" and not desk.documents.is_busy)
    assert [problem.code for problem in desk.problems] == ["disk_full"]
    assert desk.states(collection) == {"1.txt": "done", "2.md": "waiting", "2.txt": "waiting", "3.txt": "waiting"}
    desk.close()
    roomy = Desk(where, qtbot)
    roomy.documents = DocumentLibrary(where.documents, programs.reader_command(where.documents), where.logs)
    roomy.open()
    roomy.wait_until_read()
    assert set(roomy.states(collection).values()) == {"done"}
    assert len(roomy.texts()) > 3000
    roomy.close()


@pytest.mark.fault("F3")
def test_a_document_that_was_being_removed_when_all_ended_leaves_at_the_next_start(
    make_desk: Callable[..., Desk], files: Path
) -> None:
    first = make_desk()
    collection = first.collection(files)
    library = Library.beside(first.where.documents)
    library.exclude([first.document(collection, "2.txt").id])
    library.close()
    first.documents.close()
    second = make_desk()
    second.wait_until_read()
    assert set(second.states(collection)) == {"1.txt", "3.txt"}
    assert len(second.texts()) == 4


@pytest.mark.fault("F3")
def test_a_collection_that_was_being_removed_when_all_ended_leaves_at_the_next_start(
    where: Paths, qtbot: QtBot, make_desk: Callable[..., Desk], files: Path
) -> None:
    first = Desk(where, qtbot)
    first.open()
    kept = first.collection(files / "1.txt", name="残る")
    first.documents.remove_collection(first.collection(files))
    first.close()
    library = Library.beside(where.documents)
    assert [one.name for one in library.collections()] == ["残る"]
    assert len(library.collections_to_remove()) == 1
    library.close()
    second = make_desk()
    second.wait_until_read()
    assert [one.id for one in second.documents.collections()] == [kept]
    assert len(second.texts()) == 2
    second.collection(name="基準")  # its name is free again
    assert second.problems == []
