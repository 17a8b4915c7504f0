"""What the engine has kept of the texts of a collection goes when texts leave it or become secret."""

import time
from pathlib import Path
from typing import Any

import pytest

from app.base.paths import Paths
from app.documents import collection_updates
from app.documents.library import Library
from app.inference.prefix_states import PrefixStates
from tests.documents.driver import put


def remove_collection(library: Library, collection_id: int) -> None:
    library.remove_collection(collection_id)


def begin_removal(library: Library, collection_id: int) -> None:
    library.begin_collection_removal(collection_id)


def make_secret(library: Library, collection_id: int) -> None:
    library.set_label(collection_id, "secret")


def remove_document(library: Library, collection_id: int) -> None:
    library.exclude([document.id for document in library.documents(collection_id)])


def move_document(library: Library, collection_id: int) -> None:
    ids = [document.id for document in library.documents(collection_id)]
    collection_updates.move_documents(library, ids, library.add_collection("別"))


def lose_file(library: Library, collection_id: int) -> None:
    folder = library.path.parent / "files"
    folder.mkdir()
    file = folder / "b.md"
    file.write_text("# 章\n\n本文", "utf-8")
    collection_updates.add_paths(library, collection_id, [folder])
    file.unlink()
    (folder / "c.md").write_text("# 章\n\n別", "utf-8")
    collection_updates.refresh_collection(library, collection_id)


CHANGES = [remove_collection, begin_removal, make_secret, remove_document, move_document, lose_file]


@pytest.mark.parametrize("change", CHANGES)
def test_states_of_a_collection_are_deleted_and_those_of_others_stay(library, change):
    collection_id = put(library, "本文", collection="基準")
    other = put(library, "本文", collection="他", name="z.md")
    folder = Paths(library.path.parent).prefix_states
    folder.mkdir()
    states = PrefixStates(folder)

    def keep(number: int) -> Path:
        file = states.file_of([number], "model", [1])
        states.keep(file, 1, time.time() - 60, lambda part: bool(part.write_bytes(b"x")))
        return file

    mine, others = keep(collection_id), keep(other)
    assert mine.exists()
    change(library, collection_id)
    assert not mine.exists()
    assert others.exists()
    assert not keep(collection_id).exists()  # of an answer whose search was before that


def test_what_is_kept_while_a_document_moves_is_deleted_once_it_has_moved(library, monkeypatch):
    collection_id, secret = put(library, "本文", collection="基準"), library.add_collection("機密", "secret")
    folder = Paths(library.path.parent).prefix_states
    folder.mkdir()
    states = PrefixStates(folder)
    state = states.file_of([collection_id], "model", [1])
    add_sources = library.add_sources

    def keep_and_add(*arguments: Any) -> None:  # a search finds the document in the old collection until the commit
        assert states.keep(state, 1, time.time() + 60, lambda part: bool(part.write_bytes(b"x")))
        add_sources(*arguments)

    monkeypatch.setattr(library, "add_sources", keep_and_add)
    move = [document.id for document in library.documents(collection_id)]
    collection_updates.move_documents(library, move, secret)
    assert not state.exists()
