"""Documents that move to another collection: nothing is read again, and nothing secret gets out by it."""

import random
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from app.base.confidentiality import Permit, permit_export
from app.base.errors import AppError
from app.documents import collection_updates
from app.documents.collection_updates import move_documents, move_request
from app.documents.library import Library
from app.documents.records import shown_name
from tests.documents.test_document_gathering import Gathering
from tests.permits import permit_to_lower

HOSTILE_NAMES = ("'); DROP TABLE document; --", "%s&{name}", "あ" * 100, "../基準", "名\u202eexe.md")
ROOT = Path(__file__).parents[2]
MOVER = """
import sys
from pathlib import Path
from app.documents.collection_updates import move_documents
from app.documents.library import Library
library = Library.open_second(Path(sys.argv[1]))
ids = [row[0] for row in library.database.read("SELECT id FROM document ORDER BY id")]
print("begun", flush=True)
while True:
    move_documents(library, ids, 3 - library.document(ids[0]).collection_id)
"""


@pytest.fixture
def read(library: Library, folder: Path) -> Gathering:
    """A collection of a folder with three documents that were read: a.pdf, b.DOCX, c.md."""
    gathering = Gathering(library)
    gathering.add(folder)
    gathering.read()
    return gathering


@pytest.fixture
def other(library: Library) -> Gathering:
    return Gathering(library, "要領")


def move(source: Gathering, target: Gathering, *names: str, permit: Permit | None = None) -> None:
    ids = [one.id for one in source.library.documents(source.id) if one.name in names]
    assert len(ids) == len(names)
    move_documents(source.library, ids, target.id, permit)


def sections(library: Library) -> list[tuple[object, ...]]:
    return [tuple(row) for row in library.database.read("SELECT id, document_id, text FROM section ORDER BY id")]


def agreed(library: Library, source: Gathering, target: Gathering, log: Path, *, is_agreed: bool = True) -> Permit:
    known = {one.id: one for one in library.collections()}
    export = move_request(library.path, known[source.id], known[target.id], "a.pdf")
    return permit_export(export, log, is_agreed=is_agreed)


def test_its_folder_does_not_add_it_again_and_its_file_is_followed_where_it_is_now(read, other, folder):
    move(read, other, "a.pdf")
    read.assert_unchanged()
    other.assert_unchanged()
    (folder / "a.pdf").write_text("longer than before", encoding="utf-8")
    assert read.refresh().changed == 0
    assert other.refresh().changed == 1
    other.read()
    (folder / "a.pdf").unlink()
    assert read.refresh().removed_ids == []
    assert len(other.refresh().removed_ids) == 1


@pytest.mark.parametrize("is_named_alone", [False, True])
def test_moved_back_it_is_where_it_was(library, other, folder, *, is_named_alone):
    gathering = Gathering(library)
    gathering.add(*([folder / "a.pdf"] if is_named_alone else [folder]))
    gathering.read()
    before = (gathering.names(), library.sources(gathering.id), library.excluded_paths(gathering.id))
    move(gathering, other, "a.pdf")
    move(other, gathering, "a.pdf")
    assert (gathering.names(), library.sources(gathering.id), library.excluded_paths(gathering.id)) == before
    assert library.sources(other.id) == []
    gathering.assert_unchanged()
    other.assert_unchanged()


def test_into_a_folder_from_which_it_was_taken_out_it_comes_to_stay(read, other, folder):
    library = read.library
    other.add(folder)
    other.read()
    removed = [one.id for one in library.documents(other.id) if one.name == "a.pdf"]
    library.exclude(removed)
    library.remove_documents(removed)
    move(read, other, "a.pdf")
    assert library.documents_to_remove() == []  # the next start removes those
    assert library.sources(other.id) == [folder]  # which follows it
    other.assert_unchanged()


def test_a_document_that_is_there_already_is_refused_and_nothing_moves(read, other, folder):
    other.add(folder / "下" / "b.DOCX")
    other.read()
    before = list(read.library.database.read("SELECT * FROM left_out"))
    with pytest.raises(AppError) as refused:
        move(read, other, "a.pdf", "b.DOCX")
    assert refused.value.code == "document_already_there"
    assert refused.value.facts == {"name": "b.DOCX", "collection": "要領"}
    with pytest.raises(AppError) as refused:
        move(read, read, "a.pdf")
    assert refused.value.code == "document_already_there"
    assert (read.names(), other.names()) == (["a.pdf", "b.DOCX", "c.md"], ["b.DOCX"])
    assert list(read.library.database.read("SELECT * FROM left_out")) == before
    assert read.library.sources(other.id) == [folder / "下" / "b.DOCX"]


def test_into_a_collection_that_is_leaving_or_kotaes_own_nothing_moves(read, other):
    library = read.library
    own = library.add_collection("使い方", "public", is_builtin=True)
    library.begin_collection_removal(other.id)
    for target in (other.id, own, 999):
        with pytest.raises(AppError) as refused:
            move_documents(library, [library.documents(read.id)[0].id], target)
        assert refused.value.code == "collection_gone"
    assert len(read.names()) == 3
    read.assert_unchanged()


def test_a_document_that_has_gone_meanwhile_moves_nowhere(read, other):
    ids = [one.id for one in read.library.documents(read.id)][:2]
    read.library.remove_documents(ids[:1])
    move_documents(read.library, ids, other.id)
    assert len(other.names()) == 1


@pytest.mark.parametrize("name", HOSTILE_NAMES)
@pytest.mark.fault("S10")
def test_odd_names_move_like_others(library, tmp_path, name):
    source, target = Gathering(library, name), Gathering(library, name + "2")
    file = tmp_path / f"{name.replace('/', '_')[:60]}.md"
    file.touch()
    source.add(file)
    source.read()
    move(source, target, shown_name(file))
    assert target.names() == [shown_name(file)]
    assert source.names() == []
    assert "internal" in library.labels_of([], [shown_name(file)])


# ---------------------------------------------------------------- confidentiality


@pytest.mark.parametrize("label", ["public", "internal"])
@pytest.mark.fault("S16")
def test_out_of_a_secret_collection_only_a_yes_on_record_leads(read, other, tmp_path, label):
    library, log = read.library, tmp_path / "exports.log"
    library.set_label(read.id, "secret")
    library.set_label(other.id, "secret")
    asked_while_it_was_secret = agreed(library, read, other, log, is_agreed=False)
    library.set_label(other.id, label, permit_to_lower("要領"))
    for permit in (None, asked_while_it_was_secret):
        with pytest.raises(AppError) as refused:
            move(read, other, "a.pdf", "c.md", permit=permit)
        assert refused.value.code == "secret_move"
    with pytest.raises(AppError) as refused:
        agreed(library, read, other, log, is_agreed=False)
    assert refused.value.code == "secret_move"
    assert (len(read.names()), log.exists()) == (3, False)
    move(read, other, "a.pdf", permit=agreed(library, read, other, log))
    assert other.names() == ["a.pdf"]
    assert f'"what": "move", "label": "secret", "target": "要領", "to": "{label}"' in log.read_text("utf-8")


@pytest.mark.fault("S16")
def test_texts_made_before_the_move_stay_secret_also_without_the_old_collection(read, other, tmp_path):
    library = read.library
    library.set_label(read.id, "secret")
    library.set_label(other.id, "public")
    move(read, other, "a.pdf", permit=agreed(library, read, other, tmp_path / "log"))
    for leave in (library.remove_collection, lambda _id: None):
        assert "secret" in library.labels_of(["基準"], ["a.pdf"])
        assert "secret" in library.labels_of([], ["a.pdf"])  # one that does not say its collection
        assert library.labels_of(["要領"], []) == ["public"]
        leave(read.id)


@pytest.mark.fault("S16")
def test_texts_of_a_document_become_secret_when_it_moves_into_a_secret_collection(read, other):
    library = read.library
    library.set_label(other.id, "secret")
    move(read, other, "a.pdf")
    assert "secret" in library.labels_of(["基準"], ["a.pdf"])
    with pytest.raises(AppError):
        move(other, read, "a.pdf")  # the way back is a way out


@pytest.fixture
def secret(library: Library) -> Gathering:
    secret = Gathering(library, "内規")
    library.set_label(secret.id, "secret")
    return secret


def assert_refused(gathering: Gathering) -> None:
    """What waits is read, and not stored."""
    with pytest.raises(AppError) as refused:
        gathering.read()
    assert refused.value.code == "document_is_secret"
    (waiting,) = gathering.library.waiting()
    assert gathering.library.sections(waiting.id) == []
    gathering.fail()


@pytest.mark.fault("S16")
def test_what_is_secret_now_is_not_taken_in_again_with_its_folder(read, other, secret, folder):
    move(read, secret, "a.pdf")
    restored = collection_updates.restore_paths(read.library, read.id, [folder, folder / "a.pdf"], [folder / "a.pdf"])
    assert (restored.new, restored.known_files, restored.skipped) == ([], 2, {"secret": 1})
    asked_for_nothing = agreed(read.library, read, other, folder / "log", is_agreed=False)
    for gathering, permit in ((read, None), (other, asked_for_nothing)):
        added = collection_updates.add_paths(
            read.library, gathering.id, [folder, folder / "a.pdf"], lambda _: None, permit
        )
        assert added.skipped == {"secret": 1}
        assert gathering.refresh().new == 0
        assert (gathering.names(), read.library.sources(gathering.id)) == (["b.DOCX", "c.md"], [folder])
    third = Gathering(read.library, "第三")
    read.library.set_label(third.id, "secret")
    assert len(third.add(folder).new) == 3


@pytest.mark.fault("S16")
def test_what_is_secret_now_is_known_by_its_content_under_any_name(read, secret, folder):
    library = read.library
    move(read, secret, "a.pdf")
    (folder / "a.pdf").write_text("a later version", encoding="utf-8")
    assert secret.refresh().changed == 1
    secret.read()
    (folder / "a.pdf").rename(folder / "別の名.pdf")
    library.remove_documents(secret.refresh().removed_ids)
    library.remove_collection(secret.id)
    assert read.refresh().new == 1
    assert_refused(read)
    read.assert_unchanged()
    (folder / "別の名.pdf").write_text("and what follows it there", encoding="utf-8")
    assert read.refresh().changed == 1
    assert_refused(read)
    known = next(one for one in library.documents(read.id) if one.name == "c.md")
    Path(known.path).write_text("a later version", encoding="utf-8")  # over what was there
    assert read.refresh().changed == 1
    with pytest.raises(AppError):
        read.read()
    assert [section.text for _, section in library.sections(known.id)] == ["本文です。"]


@pytest.mark.fault("S16")
def test_named_alone_and_with_consent_a_secret_file_enters_and_is_followed(read, secret, folder):
    library, file = read.library, folder / "a.pdf"
    move(read, secret, "a.pdf")
    assert collection_updates.entry_request(library, read.id, [folder], "基準", "internal") is None
    asked = collection_updates.entry_request(library, read.id, [file], "基準", "internal")
    assert asked is not None
    with pytest.raises(AppError):
        permit_export(asked, folder / "log", is_agreed=False)
    permit = permit_export(asked, folder / "log", is_agreed=True)
    added = collection_updates.add_paths(library, read.id, [file], lambda _: None, permit)
    assert (len(added.new), added.skipped) == (1, {})
    read.read()
    file.write_text("a later version", encoding="utf-8")
    assert (read.refresh().changed, secret.refresh().changed) == (1, 1)
    read.read()
    assert (read.names(), secret.names()) == (["a.pdf", "b.DOCX", "c.md"], ["a.pdf"])


@pytest.mark.parametrize("way", ["move", "label"])
def test_what_the_user_has_declassified_is_as_any_other_file(read, secret, folder, tmp_path, way):
    library = read.library
    move(read, secret, "a.pdf")
    if way == "move":
        move(secret, read, "a.pdf", permit=agreed(library, secret, read, tmp_path / "log"))
    else:
        library.set_label(secret.id, "internal", permit_to_lower("内規"))
    (folder / "a.pdf").rename(folder / "別の名.pdf")
    assert read.refresh().new == 1
    read.read()


# ------------------------------------------------------------------------- kills


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
@pytest.mark.fault("F3")
def test_a_move_that_is_killed_has_moved_all_or_nothing(tmp_path, tally):
    database, files, chance = tmp_path / "documents.sqlite", tmp_path / "資料", random.Random(5)
    files.mkdir()
    for number in range(200):
        (files / f"{number:03}.txt").touch()
    with closing(Library.open(database)) as library:
        first, second = Gathering(library), Gathering(library, "要領")
        assert (first.id, second.id) == (1, 2)
        first.add(files)
        first.read()
        sections = library.database.read("SELECT count(*) FROM section")[0][0]
    seen = set()
    for _ in range(12):
        process = subprocess.Popen(
            [sys.executable, "-c", MOVER, str(database)], cwd=ROOT, stdout=subprocess.PIPE, encoding="utf-8"
        )
        assert process.stdout.readline() == "begun\n"
        time.sleep(chance.uniform(0.0, 0.3))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        with closing(Library.open(database)) as library:
            counts = {one.name: one.documents for one in library.collections()}
            assert sorted(counts.values()) == [0, 200]
            seen.add(counts["要領"])
            assert library.database.read("SELECT count(*) FROM section")[0][0] == sections
            assert library.documents_to_remove() == []
            for collection_id in (1, 2):
                assert collection_updates.refresh_collection(
                    library, collection_id
                ) == collection_updates.RefreshResult(collection_id)
    tally.tried(12)
    assert seen == {0, 200}  # both ends of a move were seen


def test_a_pasted_file_stays_while_an_undo_or_a_document_of_another_place_may_need_it(library):
    ended, removed, moved = (collection_updates.pasted_path(library.path, "貼り付け.txt") for _ in range(3))
    for path in (ended, removed, moved):
        path.parent.mkdir(parents=True)
        path.write_text("本文", "utf-8")
    # The data folder lay on a drive with another letter when this one became a document.
    library.add_documents(library.add_collection("基準"), [Path("/old/pasted", *moved.parts[-2:])])
    collection_updates.delete_pasted(library, [str(ended), "/elsewhere/契約書.md"])
    assert [path.exists() for path in (ended, removed, moved)] == [False, True, True]
    collection_updates.delete_pasted(library)
    assert [path.exists() for path in (ended, removed, moved)] == [False, False, True]
