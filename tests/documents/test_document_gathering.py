"""What a collection is made of: files and folders as they are added, changed, moved away and taken out."""

import dataclasses
import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from app.base.errors import AppError
from app.documents import collection_updates
from app.documents.collection_updates import compare_with_sources, scan_sources
from app.documents.library import Library
from app.documents.records import ReadingReport, Section


class Gathering:
    """A collection, with what a person does to it; `read` and `fail` are the child's part, which looks into no file."""

    def __init__(self, library: Library, name: str = "基準") -> None:
        self.library = library
        self.id = library.add_collection(name)

    def add(self, *paths: Path) -> collection_updates.AddedFiles:
        return collection_updates.add_paths(self.library, self.id, paths)

    def refresh(self, tell: Callable[[int], None] = lambda _count: None) -> collection_updates.RefreshResult:
        return collection_updates.refresh_collection(self.library, self.id, tell)

    def assert_unchanged(self) -> None:
        assert self.refresh() == collection_updates.RefreshResult(self.id)

    def read(self, report: ReadingReport = ReadingReport(sections=1)) -> None:  # noqa: B008  frozen
        for document in self.library.waiting():
            status = Path(document.path).stat()
            done = dataclasses.replace(
                document,
                state="done",
                size_bytes=status.st_size,
                modified_ns=status.st_mtime_ns,
                sha256=hashlib.sha256(Path(document.path).read_bytes()).hexdigest(),
                report=report,
            )
            self.library.put(done, [Section(("第1章",), "本文です。")])

    def fail(self) -> None:
        for document in self.library.waiting():
            self.library.begin_reading(document.id, Path(document.path).stat())
            self.library.fail(document.id, AppError("document_damaged"))

    def names(self) -> list[str]:
        return [document.name for document in self.library.documents(self.id)]


@pytest.fixture
def gathering(library: Library) -> Gathering:
    return Gathering(library)


@pytest.fixture
def read_folder(gathering: Gathering, folder: Path) -> Gathering:
    gathering.add(folder)
    gathering.read()
    return gathering


def test_a_folder_gives_its_documents_and_counts_what_it_leaves_out(folder, tmp_path):
    outside = tmp_path / "よそ.pdf"
    outside.touch()
    for name in (".隠し.pdf", "~$a.docx", "写真.gif", "下/.git"):
        (folder / name).touch()
    (folder / "外へ.pdf").symlink_to(outside)
    (folder / "親へ").symlink_to(tmp_path, target_is_directory=True)
    (folder / "中へ.pdf").symlink_to(folder / "a.pdf")
    (folder / "輪").symlink_to(folder / "輪")
    found = scan_sources([folder])
    assert [path.name for path in found.files] == ["a.pdf", "b.DOCX", "c.md"]
    assert found.skipped == {"hidden": 2, "lock": 1, "unknown": 1, "link": 2, "unreadable": 1}
    assert found.missing == []


def test_a_named_file_is_taken_whatever_its_suffix_is(tmp_path):
    odd = tmp_path / "議事録.議事録"
    odd.touch()
    os.mkfifo(tmp_path / "pipe.txt")
    found = scan_sources([odd, tmp_path / "pipe.txt", tmp_path / "ない.pdf", Path("a\0b.pdf")])
    assert found.files == [odd]
    assert found.skipped == {"unreadable": 1}
    assert found.missing == [tmp_path / "ない.pdf", Path("a\0b.pdf")]


def test_a_name_that_is_no_text_is_left_out(folder):
    with open(os.fsencode(folder) + b"/\xff.pdf", "wb"):  # noqa: PTH123  Path takes no bytes
        pass
    found = scan_sources([folder])
    assert len(found.files) == 3
    assert found.skipped["name"] == 1


def test_a_named_file_whose_name_is_no_text_is_left_out_too(gathering, folder):
    path = Path(os.fsdecode(os.fsencode(folder) + b"/\xff\xfe.txt"))
    try:
        path.touch()
    except OSError:
        pytest.skip("this file system takes text only")
    added = gathering.add(path)
    assert (added.new, added.skipped, added.missing) == ([], {"name": 1}, [])
    assert gathering.library.sources(gathering.id) == []


def test_folders_nested_deeper_than_pythons_stack_are_walked(tmp_path):
    deepest = tmp_path / "深い"
    deepest.mkdir()
    here = os.open(deepest, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=here)
        deeper = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = deeper
    os.close(here)
    (deepest / "z.pdf").touch()
    found = scan_sources([deepest])
    for depth in range(1500, 0, -1):  # whoever tidies up would not come so deep
        os.rmdir(f"{deepest}{'/d' * depth}")  # noqa: PTH106
    assert [path.name for path in found.files] == ["z.pdf"]


def test_the_search_can_be_ended_amid_it(folder):
    def end(_count: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scan_sources([folder], end)


def test_files_are_added_once(gathering, folder):
    first = gathering.add(folder, folder / "a.pdf")
    again = gathering.add(folder / "a.pdf")
    assert (len(first.new), first.known_files, again.new, again.known_files) == (3, 0, [], 1)
    assert gathering.names() == ["a.pdf", "b.DOCX", "c.md"]
    assert gathering.library.sources(gathering.id) == [folder, folder / "a.pdf"]


def test_what_was_named_by_itself_inside_a_known_folder_stays_though_the_folder_would_not_give_it(
    gathering, folder, tmp_path
):
    (tmp_path / "よそ.txt").touch()
    (folder / "記録.log").touch()
    (folder / ".隠し.txt").touch()
    (folder / ".隠し").mkdir()
    (folder / ".隠し" / "d.txt").touch()
    (folder / "外へ.txt").symlink_to(tmp_path / "よそ.txt")
    gathering.add(folder)
    named = [folder / name for name in ("記録.log", ".隠し.txt", ".隠し", "外へ.txt")]
    assert len(gathering.add(*named, folder / "下", folder / "a.pdf").new) == 4
    assert gathering.library.sources(gathering.id) == [folder, *named]
    gathering.read()
    gathering.assert_unchanged()
    assert len(gathering.names()) == 7
    assert gathering.add(folder).skipped == {}  # nothing is both read and left out
    other = gathering.library.add_collection("別")
    assert collection_updates.add_paths(gathering.library, other, [folder, folder / "記録.log"]).skipped == {
        "hidden": 2,
        "link": 1,
    }


def test_new_changed_and_vanished_files_are_told_apart(read_folder, folder):
    read_folder.assert_unchanged()
    (folder / "new.txt").touch()
    (folder / "a.pdf").write_text("longer than before", encoding="utf-8")
    (folder / "下" / "b.DOCX").unlink()
    done = read_folder.refresh()
    assert (done.new, done.changed, len(done.removed_ids), done.missing) == (1, 1, 1, [])
    assert [document.name for document in read_folder.library.waiting()] == ["a.pdf", "new.txt"]


def test_of_a_folder_that_is_not_there_nothing_leaves(gathering, folder, tmp_path):
    alone = tmp_path / "単独.txt"
    alone.touch()
    gathering.add(folder, alone)
    gathering.read()
    folder.rename(tmp_path / "移した")
    alone.unlink()
    done = gathering.refresh()
    assert [gathering.library.document(one).name for one in done.removed_ids] == ["単独.txt"]
    assert done.missing == [folder]
    assert gathering.library.sources(gathering.id) == [folder]


def test_of_a_subfolder_that_cannot_be_looked_into_nothing_leaves(gathering, folder, tmp_path):
    (folder / "z.txt").touch()
    gathering.add(folder)
    gathering.read()
    (folder / "a.pdf").unlink()

    def drop(_count: int) -> None:  # once the folder above it is listed
        if (folder / "下").exists():
            (folder / "下").rename(tmp_path / "切れた")

    done = gathering.refresh(drop)
    assert [gathering.library.document(one).name for one in done.removed_ids] == ["a.pdf"]
    assert done.missing == [folder / "下"]
    later = gathering.refresh()
    assert (len(later.removed_ids), later.missing) == (3, [])  # it is another place now


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can become somebody else")
def test_of_a_folder_whose_entries_cannot_be_looked_at_nothing_leaves(gathering):
    """Its names can be listed, but not what they are."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "下").mkdir()
        (folder / "下" / "a.pdf").touch()
        gathering.add(folder)
        gathering.read()
        folder.chmod(0o755)
        (folder / "下").chmod(0o744)
        os.seteuid(65534)
        try:
            found = compare_with_sources([folder], gathering.library.documents(gathering.id))
        finally:
            os.seteuid(0)
    assert (found.new, found.removed_ids, found.missing) == ([], [], [folder / "下" / "a.pdf"])


def test_what_cannot_be_looked_into_and_was_never_read_is_not_missing(gathering, folder):
    (folder / "輪").symlink_to(folder / "輪")
    gathering.add(folder)
    gathering.read()
    assert scan_sources([folder]).unreadable == [folder / "輪"]
    gathering.assert_unchanged()


def test_an_empty_folder_is_a_drive_that_is_not_plugged_in(read_folder, folder):
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    done = read_folder.refresh()
    assert (done.removed_ids, done.missing) == ([], [folder])


def test_an_empty_subfolder_may_be_a_drive_too_if_anything_was_read_there(read_folder, folder):
    (folder / "空").mkdir()
    (folder / "a.pdf").unlink()
    (folder / "下" / "さらに下" / "c.md").unlink()
    done = read_folder.refresh()
    assert [read_folder.library.document(one).name for one in done.removed_ids] == ["a.pdf"]
    assert done.missing == [folder / "下" / "さらに下"]
    (folder / "下" / "さらに下").rmdir()
    later = read_folder.refresh()
    assert (len(later.removed_ids), later.missing) == (2, [])  # the reading child has not removed the first yet


def test_what_the_user_took_out_of_a_folder_does_not_come_back_by_itself(gathering, folder):
    added = gathering.add(folder)
    gathering.read()
    gathering.library.exclude(added.new[:1])
    gathering.library.remove_documents(added.new[:1])
    assert gathering.refresh().new == 0
    assert len(gathering.add(folder).new) == 1


def test_a_document_whose_new_file_failed_is_tried_once_and_again_when_it_is_the_old_one(gathering, folder):
    gathering.add(folder / "a.pdf")
    gathering.read()
    before = (folder / "a.pdf").stat()
    os.utime(folder / "a.pdf", (4e9, 4e9))
    assert gathering.refresh().changed == 1
    gathering.fail()
    assert gathering.refresh().changed == 0
    os.utime(folder / "a.pdf", ns=(before.st_mtime_ns, before.st_mtime_ns))
    assert gathering.refresh().changed == 1


def test_a_file_that_was_not_there_when_it_was_to_be_read_is_tried_again(gathering, folder):
    added = gathering.add(folder / "a.pdf")
    gathering.read()
    gathering.library.read_again(added.new)
    gathering.library.fail(added.new[0], AppError("document_missing", path=str(folder / "a.pdf")))
    assert gathering.refresh().changed == 1


def test_what_was_to_be_read_again_and_is_cancelled_is_no_change(gathering, folder):
    added = gathering.add(folder / "a.pdf")
    gathering.read()
    gathering.library.read_again(added.new)
    collection_updates.empty_queue(gathering.library)
    gathering.assert_unchanged()


def test_what_leaves_the_queue_is_as_it_was_before(gathering, folder):
    gathering.add(folder / "a.pdf")
    gathering.read(ReadingReport(pages=2, pages_without_text=(2,)))
    known = gathering.library.documents(gathering.id)[0].id
    gathering.library.read_again([known])
    assert len(gathering.add(folder).new) == 2
    collection_updates.empty_queue(gathering.library)
    assert gathering.library.document(known).state == "doubtful"
    assert gathering.names() == ["a.pdf"]


def test_what_left_the_queue_is_found_again_in_its_folder_but_not_where_it_was_named_by_itself(
    gathering, folder, tmp_path
):
    (tmp_path / "単独.txt").touch()
    gathering.add(folder, tmp_path / "単独.txt")
    collection_updates.empty_queue(gathering.library)
    assert gathering.names() == []
    assert gathering.refresh().new == 3
    assert gathering.names() == ["a.pdf", "b.DOCX", "c.md"]


def test_what_another_process_takes_out_amid_reading_is_not_written_any_more(gathering, folder):
    gathering.add(folder)
    waiting = gathering.library.waiting()
    other = Library.open_second(gathering.library.path)
    other.remove_documents([waiting[0].id])
    other.close()
    with pytest.raises(AppError) as refused:
        gathering.library.put(waiting[0], [Section(("1",), "本文。")])
    assert refused.value.code == "document_removed"
    gathering.library.put(waiting[1], [Section(("1",), "本文。")])
    assert [section.text for _, section in gathering.library.sections(waiting[1].id)] == ["本文。"]
    assert gathering.library.sections(waiting[0].id) == []


def test_the_look_for_interrupted_removals_finds_only_those(gathering, folder):
    added = gathering.add(folder)
    assert gathering.library.documents_to_remove() == []
    gathering.library.exclude(added.new[:1])
    assert gathering.library.documents_to_remove() == added.new[:1]
    gathering.library.remove_documents(gathering.library.documents_to_remove())
    assert gathering.library.documents_to_remove() == []
    assert gathering.refresh().new == 0


def test_who_leaves_amid_reading_puts_back_only_what_is_not_read_yet(gathering, folder):
    gathering.add(folder)
    first, second = (document.id for document in gathering.library.waiting()[:2])
    gathering.library._db.write("UPDATE document SET state = 'reading', attempts = 3 WHERE id IN (?, ?)", first, second)
    gathering.read()
    gathering.library._db.write("UPDATE document SET state = 'reading', attempts = 3 WHERE id = ?", first)
    gathering.library.interrupt(first)
    gathering.library.interrupt(second)
    assert [document.id for document in gathering.library.waiting()] == [first]
    assert gathering.library._db.read("SELECT attempts FROM document WHERE id = ?", first)[0][0] == 0


@pytest.mark.parametrize(
    ("files", "name"),
    [
        (("規程/要領.pdf",), "要領"),
        (("規程/要領.pdf", "規程/要綱.pdf"), "規程"),
        (("規程/要領.pdf", "別紙/要綱.pdf"), "要領"),
        (("要領.pdf", "要綱.pdf"), "要領"),
    ],
)
def test_a_collection_of_files_is_named_after_their_folder_or_the_first_of_them(tmp_path, monkeypatch, files, name):
    monkeypatch.setenv("HOME", str(tmp_path))
    paths = [tmp_path / "Downloads" / file for file in files]
    assert collection_updates.name_of_added(paths, ()) == name
    assert collection_updates.name_of_added(paths, (name,)) == f"{name}（2）"
