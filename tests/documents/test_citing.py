"""Marks of an answer, the sources it uses, and the sentences of them that it uses."""

import dataclasses

import pytest

from app.base.wording import phrase
from app.documents.grounding import claims, source_citations
from app.documents.grounding.grounding_record import CitedSource, Claim, Grounding
from app.documents.records import Passage, Section

COVER = "土に接する部材の鉄筋のかぶりは70mm以上とする。"
WATER = "水中で施工する部材では、かぶりを100mm以上とする。"
WEED = "堤防の除草は、年2回を基本とし、5月と8月に行う。"
SOURCES = (
    CitedSource("基準", "internal", "設計編.pdf", "/x", COVER + "\n" + WATER, ("第2章 材料", "2.2 かぶり"), "標準", 14),
    CitedSource("基準", "internal", "維持編.pdf", "/y", "除草の考え方を示す。" + WEED, ("第6章 堤防",), "", 52),
    CitedSource("基準", "internal", "覚え書き.md", "/z", "関係のない文。"),
)


def grounded(answer: str, sources: tuple[CitedSource, ...] = SOURCES) -> Grounding:
    passages = [
        Passage(n, Section(one.heading, one.text, one.tag, one.page), 0, one.document, one.path, one.collection,
                one.label, 1.0, n)
        for n, one in enumerate(sources, start=1)
    ]  # fmt: skip
    return Grounding("answered", sources, claims.check(answer, passages))


def quoted(kept: Grounding, number: int) -> list[str]:
    return [kept.sources[number - 1].text[start:end] for start, end in source_citations.places_in_source(kept, number)]


def test_a_sentence_that_names_no_source_gets_the_mark_of_the_one_it_was_found_in() -> None:
    answer = "土に接する部材の鉄筋のかぶりは70mm以上です。\n- 堤防の除草は年2回を基本とします[2]。"
    assert source_citations.add_marks(answer, grounded(answer)) == (
        "土に接する部材の鉄筋のかぶりは70mm以上です。[1]\n- 堤防の除草は年2回を基本とします[2]。"
    )


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        ("土に接する部材の鉄筋のかぶりは70mm以上です。", "agrees"),
        ("土に接する部材の鉄筋のかぶりは90mm以上です。", "differs"),
        ("はい。", "not_compared"),
    ],
)
def test_an_answer_from_a_picture_says_whether_its_recognized_text_holds_it(answer: str, state: str) -> None:
    kept = dataclasses.replace(grounded(answer), pictures=("図面.png",))
    assert source_citations.picture_messages(kept) == [phrase(f"documents.picture_seen.{state}")]
    assert source_citations.check_messages(kept)[0] == phrase(f"documents.picture_seen.{state}")


def test_what_has_no_support_gets_no_mark() -> None:
    answer = "土に接する部材の鉄筋のかぶりは50mm以上です。"
    assert source_citations.add_marks(answer, grounded(answer)) == answer


def test_a_mark_never_makes_a_link_and_rows_of_tables_stay_whole() -> None:
    table = "| 部材 | かぶり |\n|---|---|\n| 水中で施工する部材 | 100mm以上 |"
    answer = "土に接する部材の鉄筋のかぶりは70mm以上です。(解説)\n\n" + table
    assert source_citations.add_marks(answer, grounded(answer)) == answer


def test_claims_of_another_text_change_nothing() -> None:
    kept = Grounding("answered", SOURCES, (Claim("別の文。", 0, 4, (1,), is_supported=True),))
    assert source_citations.add_marks("この文。", kept) == "この文。"


def test_the_sources_of_an_answer_are_those_it_cites_or_was_tied_to() -> None:
    answer = "土に接する部材の鉄筋のかぶりは70mm以上です。詳しくは維持編にあります[2]。"
    assert source_citations.used_sources(answer, grounded(answer)) == (1, 2)
    assert source_citations.used_sources("はい。", grounded("はい。")) == (1, 2, 3)
    assert source_citations.used_sources("ない[9]。", Grounding("not_in_documents", SOURCES[:2])) == (1, 2)


def test_the_sentence_that_a_claim_is_from_is_found() -> None:
    kept = grounded("土に接する部材のかぶりは70mm以上です[1]。除草は年2回が基本です[2]。")
    assert (quoted(kept, 1), quoted(kept, 2), quoted(kept, 3)) == ([COVER], [WEED], [])


def test_what_is_nearest_to_a_doubtful_sentence_is_found_too() -> None:
    kept = grounded("土に接する部材の鉄筋のかぶりは50mm以上です[1]。")
    assert not kept.claims[0].is_supported
    assert quoted(kept, 1) == [COVER]


def test_two_sentences_that_a_claim_needs_are_both_found() -> None:
    kept = grounded("鉄筋のかぶりは、土に接する部材で70mm以上、水中で施工する部材で100mm以上です[1]。")
    assert quoted(kept, 1) == [COVER, WATER]


def test_a_quotation_is_found_however_it_was_broken() -> None:
    broken = CitedSource("基準", "internal", "設計編.pdf", "/x", "前の文。土に接する部材の\n鉄筋 のかぶりは70mm。")
    quote = Claim("「土に接する部材の 鉄筋 のかぶりは70mm。」[1]", 0, 30, (1,), is_supported=True)
    kept = Grounding("answered", (broken,), (quote,), is_excerpt=True)
    assert quoted(kept, 1) == ["土に接する部材の\n鉄筋 のかぶりは70mm。"]


def test_a_quotation_is_found_behind_a_heading() -> None:
    source = CitedSource("基準", "internal", "設計編.pdf", "/x", "径は66mmとする。掘削孔は横とする。延長は50mとする。")
    quote = Claim("「横」ボーリングの掘削孔：「延長は50mとする。」[1]", 0, 28, (1,), is_supported=True)
    assert quoted(Grounding("answered", (source,), (quote,), is_excerpt=True), 1) == ["延長は50mとする。"]


def test_paragraphs_keep_their_lines_in_a_quotation_and_what_is_left_out_is_marked() -> None:
    clauses = ("1 出張の旅費は実費とする。", "2 前項の旅費は、翌月の 25 日までに支払う。", "3 領収書を添える。")
    text = f"{clauses[0]}\n{clauses[1]}別に定めるものを除く。{clauses[2]}"
    told = tuple(Claim(f"「{clause}」[1]", 0, 9, (1,), is_supported=True) for clause in clauses)
    kept = Grounding("answered", (CitedSource("規程", "internal", "旅費.md", "/x", text),), told, is_excerpt=True)
    assert source_citations.quote_source(kept, 1) == f"「{clauses[0]}\n{clauses[1]}…{clauses[2]}」\n旅費.md"


def test_an_answer_taken_along_says_where_it_is_from() -> None:
    answer = "土に接する部材の鉄筋のかぶりは70mm以上です。"
    assert source_citations.append_sources(answer, grounded(answer)) == (
        "土に接する部材の鉄筋のかぶりは70mm以上です。[1]\n\n[1] 設計編.pdf　第2章 材料 2.2 かぶり（標準）　p.14"
    )
    assert source_citations.describe_place(SOURCES[2]) == "覚え書き.md"
