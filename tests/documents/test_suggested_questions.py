"""Questions that are suggested about documents: made of what they say, and never refused."""

from pathlib import Path

import pytest

from app.chat.services import retrieval_augmentation
from app.chat.services.retrieval_augmentation import RetrievalRequest
from app.documents.grounding.grounding_record import CollectionRef
from app.documents.library import Library
from app.documents.reading import markdown
from app.documents.reading.sections import Splitter
from app.documents.records import Section
from app.documents.retrieval.suggested_questions import suggest_questions
from app.inference.prompts import Turn
from app.models import local_models
from tests.documents.driver import put, silent

SAMPLES = Path(__file__).parents[2] / "resources" / "sample"
STATUTE = [
    Section(("第1章 総則", "第1条（目的）"), "第1条　この規程は、車両の管理について定めることを目的とする。"),
    Section(("第1章 総則", "第2条（定義）"), "第2条　社用車とは、会社が所有し、又は借り受けて業務に使う車両をいう。"),
    Section(("第2章 運転", "第5条（運転日報の提出）"), "第5条　運転者は、その日の行き先を運転日報に書いて提出する。"),
    Section(("第2章 運転", "第6条（駐車場の料金）"), "第6条　駐車場の料金は、一か月につき8000円とする。"),
    Section(("附則",), "この規程は、令和5年4月1日から施行する。それまでの規程は廃止する。"),
]


def scope_of(library: Library, name: str, *paths: str) -> tuple[CollectionRef, ...]:
    return (CollectionRef(library.collection(name).id, name, paths),)


def is_answered(library: Library, scope: tuple[CollectionRef, ...], question: str) -> bool:
    """Whether the program answers without a model, as it would in the window."""
    request = RetrievalRequest(library.path, scope, (Turn(question),))
    found = retrieval_augmentation.search(request)
    return retrieval_augmentation.retrieve(request, local_models.NO_MODEL, found).grounding.has_answer


def test_a_definition_a_value_and_a_heading_become_questions_that_are_answered(library: Library) -> None:
    put(library, *STATUTE)
    scope = scope_of(library, "基準")
    questions = suggest_questions(library.path, scope)
    assert sorted(questions) == [
        "社用車とは何ですか？",
        "運転日報の提出について教えてください。",
        "駐車場の料金は何円ですか？",
    ]
    assert all(is_answered(library, scope, question) for question in questions)


def test_a_heading_that_is_a_question_is_asked_as_it_stands(library: Library) -> None:
    text = "制御ファイルは、パッケージの名前と版と依存関係を書いたファイルです。"
    put(library, Section(("制御ファイルとは何ですか?",), text))
    assert suggest_questions(library.path, scope_of(library, "基準")) == ["制御ファイルとは何ですか?"]


def test_a_foreign_name_as_a_heading_is_asked_about_in_the_language_of_its_text(library: Library) -> None:
    put(library, Section(("Wiki",), "利用者が書いた解決策は、Wiki で読めます。登録すると編集もできます。"))
    assert suggest_questions(library.path, scope_of(library, "基準")) == ["Wikiについて教えてください。"]


@pytest.mark.parametrize(
    ("heading", "question"),
    [("debputy", "What about debputy?"), ("Who may use debputy", "Who may use debputy?")],
)
def test_a_heading_above_english_text_is_asked_about_in_a_sentence(
    library: Library, heading: str, question: str
) -> None:
    put(library, Section((heading,), "Everybody may use the helper debputy, which builds a package from a manifest."))
    scope = scope_of(library, "基準")
    assert suggest_questions(library.path, scope) == [question]
    assert is_answered(library, scope, question)
    assert is_answered(library, scope, "What is debputy?")


def test_headings_that_every_document_has_become_no_question(library: Library) -> None:
    put(library, *STATUTE)
    asked = "".join(suggest_questions(library.path, scope_of(library, "基準")))
    assert not any(general in asked for general in ("目的", "定義", "附則", "総則"))


def test_they_are_about_the_documents_in_the_scope_only(library: Library) -> None:
    put(library, *STATUTE, name="車両.md")
    text = "会議室の予約は、使う日の三日前までに総務課へ申し込む。"
    put(library, Section(("第1条（会議室の予約）",), text), name="会議室.md")
    scope = scope_of(library, "基準", "/会議室.md")
    assert suggest_questions(library.path, scope) == ["会議室の予約について教えてください。"]
    assert not is_answered(library, scope, "駐車場の料金は何円ですか？")


@pytest.mark.parametrize("text", ["", "1\n2\n3", "あ。"])
def test_a_document_that_says_nothing_suggests_nothing(library: Library, text: str) -> None:
    put(library, text)
    assert suggest_questions(library.path, scope_of(library, "基準")) == []


@pytest.mark.parametrize("language", ["ja", "en"])
def test_the_sample_that_ships_suggests_three_questions_in_its_own_language(library: Library, language: str) -> None:
    text = (SAMPLES / f"sample.{language}.md").read_text("utf-8")
    put(library, *Splitter(markdown.read(text, silent)).cut())
    scope = scope_of(library, "基準")
    questions = suggest_questions(library.path, scope)
    assert len(questions) == 3
    assert all(is_answered(library, scope, question) for question in questions)
    assert all(question.isascii() == (language == "en") for question in questions)
