"""Questions that the clauses next to an answer's source can answer."""

import dataclasses

import pytest

from app.base import wording
from app.base.errors import AppError
from app.documents.library import Library
from app.documents.records import Passage, Section
from app.documents.retrieval import excerpts
from app.documents.retrieval import suggested_questions as follow_ups
from app.documents.retrieval.passage_search import search
from app.documents.retrieval.suggested_questions import follow_up_questions

CHAPTER = "第2章 材料"


def clause(*heading: str, text: str = "本文である。") -> Section:
    return Section(heading, text)


def put(library: Library, *sections: Section) -> None:
    collection_id = library.add_collection("基準")
    (document_id,) = library.add_documents(collection_id, [library.path.parent / "a.md"])
    library.put(dataclasses.replace(library.document(document_id), state="done"), sections)


def source(library: Library, heading: str) -> Passage:
    """The passage of the clause whose last heading this is."""
    return next(
        passage
        for number, section in library.sections(1)
        if section.heading[-1:] == (heading,) and (passage := library.passage(number)) is not None
    )


def suggested(library: Library, heading: str, *asked: str) -> tuple[str, ...]:
    return follow_up_questions(library, [source(library, heading)], asked)


def test_the_nearest_clauses_come_first_and_no_more_than_three(library: Library) -> None:
    titles = ("鉄筋の種類", "鉄筋のかぶり", "鉄筋の継手", "鉄筋の定着", "鉄筋の検査")
    put(library, *(clause(CHAPTER, f"2.{number} {title}") for number, title in enumerate(titles, start=1)))
    assert suggested(library, "2.2 鉄筋のかぶり") == ("鉄筋の継手は？", "鉄筋の種類は？", "鉄筋の定着は？")
    asked = suggested(library, "2.2 鉄筋のかぶり", "鉄筋の継手はどのように設けますか")
    assert asked == ("鉄筋の種類は？", "鉄筋の定着は？", "鉄筋の検査は？"), "what was asked is not suggested"
    for question in asked:
        assert search(library, question, [1], 3)[0].section.heading[-1].endswith(question.removesuffix("は？"))


def test_a_clause_of_many_sections_counts_once_and_a_later_chapter_is_another_matter(library: Library) -> None:
    cover = clause(CHAPTER, "2.1 鉄筋のかぶり")
    put(library, cover, cover, cover, clause(CHAPTER, "2.2 鉄筋の継手"), clause("第3章 施工", "3.1 型枠の組立て"))
    assert suggested(library, "2.1 鉄筋のかぶり") == ("鉄筋の継手は？",)


def test_a_title_that_stands_in_many_places_is_asked_with_the_heading_that_tells_it(library: Library) -> None:
    parts = [
        clause("設計編", subject, f"{number}.2 基本的な構造", f"{number}.2.{at} {title}")
        for number, subject in enumerate(("第6節 床止め", "第7節 水制"), start=6)
        for at, title in enumerate(("適用範囲", "材質", "天端高と落差" if number == 6 else "間隔の設定"), start=1)
    ]
    put(library, *parts)
    assert suggested(library, "6.2.3 天端高と落差") == ("水制の適用範囲は？", "床止めの材質は？", "水制の材質は？")


@pytest.mark.parametrize(
    "title",
    [
        "総説",
        "参考文献",
        "附則",
        "（1）",
        "第917条",
        "別表第一",
        "表2-1 材料の強度",
        "ただし、次による。",
        "組み立てる",
        "《例 示》",
    ],
)
def test_a_heading_that_says_nothing_is_no_question(library: Library, title: str) -> None:
    put(library, clause(CHAPTER, "2.1 鉄筋のかぶり"), clause(CHAPTER, f"2.2 {title}"))
    assert suggested(library, "2.1 鉄筋のかぶり") == ()


def test_only_a_part_of_a_huge_document_is_looked_at(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    kanji = "甲乙丙丁戊己庚辛壬癸"
    names = [f"{one}{other}材料の検査" for one in kanji for other in kanji]
    put(library, *(clause(CHAPTER, f"2.{number} {name}") for number, name in enumerate(names, start=1)))
    whole = suggested(library, f"2.50 {names[49]}")
    looked: list[str] = []
    title_of = excerpts.title_of
    monkeypatch.setattr(excerpts, "title_of", lambda heading: looked.append(heading) or title_of(heading))
    monkeypatch.setattr(follow_ups, "_BLOCK", 10)
    assert suggested(library, f"2.50 {names[49]}") == whole
    assert len(looked) < 30


def test_a_heading_that_asks_how_stays_as_it_is(library: Library) -> None:
    put(library, clause("使い方", "最初の質問"), clause("使い方", "モデルを追加するには"))
    assert suggested(library, "最初の質問") == ("モデルを追加するには？",)


def test_articles_of_a_law_have_their_titles_in_brackets_and_english_windows_ask_in_english(library: Library) -> None:
    put(library, clause("第1章", "第3条（借地権の存続期間）"), clause("第1章", "第4条（借地権の更新後の期間）"))
    assert suggested(library, "第3条（借地権の存続期間）") == ("借地権の更新後の期間は？",)
    wording.use_language("en")
    try:
        assert suggested(library, "第3条（借地権の存続期間）") == ("What about 借地権の更新後の期間?",)
    finally:
        wording.use_language("ja")


def test_a_document_without_headings_or_one_that_is_gone_suggests_nothing(library: Library) -> None:
    put(library, clause(text="見出しのない文。"), clause("1 鉄筋のかぶり"))
    plain = library.passage(library.sections(1)[0][0])
    assert plain is not None
    assert follow_up_questions(library, [plain], ()) == ()
    gone = dataclasses.replace(source(library, "1 鉄筋のかぶり"), document_id=99)
    assert follow_up_questions(library, [gone], ()) == ()
    assert follow_up_questions(library, [], ()) == ()


def test_a_damaged_heading_is_told_as_damage(library: Library) -> None:
    put(library, clause(CHAPTER, "2.1 鉄筋の継手"), clause(CHAPTER, "2.2 鉄筋のかぶり"))
    passage = source(library, "2.1 鉄筋の継手")
    with library.database.transaction():
        library.database.write("UPDATE section SET heading = '[1]' WHERE id > ?", passage.section_id)
    with pytest.raises(AppError, match="database_damaged"):
        follow_up_questions(library, [passage], [])
