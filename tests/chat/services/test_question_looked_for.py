"""What the documents are searched for: a question, and the one before it where it would mean nothing alone."""

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from app.base import database
from app.base.errors import AppError
from app.chat.services import retrieval_augmentation
from app.documents.document_tables import MIGRATIONS
from app.documents.grounding.grounding_record import CollectionRef
from app.documents.library import Library
from app.documents.records import Section
from app.inference.prompts import Turn
from tests.documents import driver

BEFORE = "擁壁の高さはいくつまでですか"


def looked_for(question: str) -> str:
    return retrieval_augmentation.RetrievalRequest(
        Path("/x"), (), (Turn(BEFORE, "5mまでです。"), Turn(question, None))
    ).question


@pytest.mark.parametrize("question", ["それはなぜですか", "では根入れ深さは", "その根拠は", "また、排水管は", "なぜ？"])
def test_a_question_that_means_nothing_alone_takes_the_one_before(question):
    assert looked_for(question) == f"{BEFORE}\n{question}"


@pytest.mark.parametrize("question", ["同条第2項は？", "第5条はどうですか"])
def test_a_clause_without_a_document_is_of_the_one_before(question):
    before = Turn("港湾管理規則第3条は何を定めていますか", "手続です。")
    request = retrieval_augmentation.RetrievalRequest(Path("/x"), (), (before, Turn(question, None)))
    assert request.question == f"{before.question}\n{question}"


@pytest.mark.parametrize(
    "question",
    [
        "その他の構造物の点検頻度は",
        "この基準で定める安全率は",
        "またぐ橋の桁下高は",
        "それぞれの材料の単位体積重量は",
        "排水管の勾配は",
    ],
)
def test_one_that_only_begins_like_that_stands_alone(question):
    assert looked_for(question) == question


def test_the_manual_does_not_stand_in_for_a_collection_that_is_gone(tmp_path):
    library = Library.open(tmp_path / "documents.sqlite")
    manual = library.add_collection("Kotae の使い方", "public", is_builtin=True)
    library.close()
    wanted = retrieval_augmentation.RetrievalRequest(
        tmp_path / "documents.sqlite", (CollectionRef(manual, "図面"),), (Turn("橋台は", None),)
    )
    with pytest.raises(AppError) as caught:
        retrieval_augmentation.search(wanted)
    assert caught.value.code == "collections_gone"


def test_a_question_right_after_an_update_waits_for_the_documents_to_be_migrated(tmp_path, monkeypatch):
    """The window opens, and so migrates, the documents some time after its start, which a question may precede."""
    path = tmp_path / "documents.sqlite"
    with closing(Library.open(path)) as library:
        driver.put(library, Section(("3.2 かぶり",), "橋脚のかぶりは70mmとする。"), name="基準.md")
        (ref,) = (CollectionRef(one.id, one.name) for one in library.collections())
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("ALTER TABLE collection DROP COLUMN attached")
        other.execute(f"PRAGMA user_version = {len(MIGRATIONS) - 1}")
        other.execute("BEGIN IMMEDIATE")  # as another that migrates it does, for longer than connections wait else
        monkeypatch.setattr(database, "BUSY_MS", 1)
        release = threading.Timer(0.3, other.execute, ["COMMIT"])
        release.start()
        found = retrieval_augmentation.search(
            retrieval_augmentation.RetrievalRequest(path, (ref,), (Turn("橋脚のかぶりは？", None),))
        )
        release.join()
    assert [one.section.text for one in found.passages] == ["橋脚のかぶりは70mmとする。"]
