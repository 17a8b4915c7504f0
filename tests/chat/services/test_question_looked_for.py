"""What the documents are searched for: a question, and the one before it where it would mean nothing alone."""

from pathlib import Path

import pytest

from app.base.errors import AppError
from app.chat.services import retrieval_augmentation
from app.documents.grounding.grounding_record import CollectionRef
from app.documents.library import Library
from app.inference.prompts import Turn

BEFORE = "擁壁の高さはいくつまでですか"


def looked_for(question: str) -> str:
    return retrieval_augmentation.RetrievalRequest(
        Path("/x"), (), (Turn(BEFORE, "5mまでです。"), Turn(question, None))
    ).question


@pytest.mark.parametrize("question", ["それはなぜですか", "では根入れ深さは", "その根拠は", "また、排水管は", "なぜ？"])
def test_a_question_that_means_nothing_alone_takes_the_one_before(question: str) -> None:
    assert looked_for(question) == f"{BEFORE}\n{question}"


@pytest.mark.parametrize("question", ["同条第2項は？", "第5条はどうですか"])
def test_a_clause_without_a_document_is_of_the_one_before(question: str) -> None:
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
def test_one_that_only_begins_like_that_stands_alone(question: str) -> None:
    assert looked_for(question) == question


def test_the_manual_does_not_stand_in_for_a_collection_that_is_gone(tmp_path: Path) -> None:
    library = Library.open(tmp_path / "documents.sqlite")
    manual = library.add_collection("Kotae の使い方", "public", is_builtin=True)
    library.close()
    wanted = retrieval_augmentation.RetrievalRequest(
        tmp_path / "documents.sqlite", (CollectionRef(manual, "図面"),), (Turn("橋台は", None),)
    )
    with pytest.raises(AppError) as caught:
        retrieval_augmentation.search(wanted)
    assert caught.value.code == "collections_gone"
