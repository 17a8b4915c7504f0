"""Stored conversations and read documents in a few words, for the tests of every layer of conversations."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.base import paths
from app.base.confidentiality import Label
from app.base.errors import AppError
from app.base.paths import Paths
from app.chat.records import AnswerDetails, Message
from app.chat.store import Store
from app.documents.library import Library
from app.documents.records import Section


def store_thread(
    store: Store, *texts: str, details: AnswerDetails | None = None, status: str = "done"
) -> list[Message]:
    """Store a conversation of these texts: question, answer, question …"""
    details = details or AnswerDetails()
    messages = [store.add_question(texts[0])]
    for number, text in enumerate(texts[1:], start=1):
        if number % 2:
            messages.append(add_answer(store, messages[-1].id, text, details, status))
        else:
            messages.append(store.add_question(text, messages[0].conversation_id, messages[-1].id))
    return messages


def add_answer(
    store: Store, question_id: int, text: str, details: AnswerDetails | None = None, status: str = "done"
) -> Message:
    """Store another answer to this question."""
    details = details or AnswerDetails()
    return store.finish_answer(store.add_answer(question_id, details).id, text, status, details)


def add_documents(
    library: Library, name: str, label: Label, *sections: Section, sha256: str = "", document: str = ""
) -> int:
    """Add a collection with one document that has been read, and return the collection's id."""
    collection_id = library.add_collection(name, label)
    (document_id,) = library.add_documents(collection_id, [library.path.parent / (document or f"{name}.pdf")])
    library.put(dataclasses.replace(library.document(document_id), state="done", sha256=sha256), sections)
    return collection_id


def fill_disk(monkeypatch: pytest.MonkeyPatch, owner: object, *methods: str) -> None:
    """Let what these write fail as on a full disk."""

    def fail(*_: object, **__: object) -> None:
        raise AppError("disk_full", path="/")

    for method in methods:
        monkeypatch.setattr(owner, method, fail)


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Store]:
    """The store of another machine."""
    where = paths.locate(str(tmp_path / "別の PC"))
    store = Store.open(where.database, where.backups)
    yield store
    store.close()


@pytest.fixture
def library(where: Paths) -> Iterator[Library]:
    where.data.mkdir(parents=True, exist_ok=True)
    library = Library.open(where.documents)
    yield library
    library.close()
