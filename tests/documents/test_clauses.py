"""The clause and page of the part of a passage that an answer rests on."""

from app.documents.grounding import claims, source_citations
from app.documents.grounding.grounding_record import Grounding, source_of
from app.documents.records import Passage, Section
from app.documents.retrieval import excerpts

HEIGHT = Section(("第4章 擁壁", "4.1 高さ"), "擁壁の高さは5m以下とする。", "標準", 12, 12)
DEPTH = Section(
    ("第4章 擁壁", "4.2 根入れ"), "擁壁の根入れ深さは0.5m以上とする。ただし、岩盤では0.3mとする。", "推奨", 13, 14
)
TEXT = f"4.1 高さ\n{HEIGHT.text}\n4.2 根入れ\n＜推奨＞\n{DEPTH.text}"
WHOLE = Section(HEIGHT.heading, TEXT, HEIGHT.tag, 12, 14)
PASSAGE = Passage(1, WHOLE, 1, "a.pdf", "/a.pdf", "基準", "public", 1.0, 1, (HEIGHT, DEPTH))


def placed(answer: str, passage: Passage = PASSAGE) -> tuple[tuple[str, ...], str, int]:
    kept = Grounding(sources=(source_of(passage),), claims=claims.check(answer, [passage]))
    (source,) = source_citations.locate_sources(kept, [passage]).sources
    assert source.text == passage.section.text
    return source.heading, source.tag, source.page


def test_a_source_names_the_clause_that_the_answer_uses():
    assert placed("擁壁の高さは5m以下です[1]。") == (HEIGHT.heading, "標準", 12)
    assert placed("擁壁の根入れ深さは0.5m以上です[1]。") == (DEPTH.heading, "推奨", 13)


def test_what_uses_nothing_names_the_clause_that_was_found():
    assert placed("景観への配慮として植栽や塗装の色彩を検討します。") == (HEIGHT.heading, "標準", 12)


def test_a_passage_that_was_cut_still_has_its_last_clause():
    cut = Section(WHOLE.heading, TEXT[: TEXT.index("ただし")], WHOLE.tag, 12, 14)
    passage = Passage(1, cut, 1, "a.pdf", "/a.pdf", "基準", "public", 1.0, 1, (HEIGHT, DEPTH))
    assert placed("擁壁の根入れ深さは0.5m以上です[1]。", passage) == (DEPTH.heading, "推奨", 13)


def test_a_passage_without_parts_is_its_own_clause():
    passage = Passage(1, HEIGHT, 1, "a.pdf", "/a.pdf", "基準", "public", 1.0, 1)
    assert source_citations.part_at(passage, 3) == HEIGHT
    assert placed("擁壁の高さは5m以下です[1]。", passage) == (HEIGHT.heading, "標準", 12)


def test_an_excerpt_is_from_the_clause_it_stands_in_and_the_best_clause_comes_first():
    picked = excerpts.pick_excerpts("擁壁の根入れの深さは何mですか", [PASSAGE])
    assert picked[0].text.startswith("擁壁の根入れ深さは0.5m以上とする。")
    assert source_citations.part_at(PASSAGE, picked[0].start) == DEPTH


def test_what_a_search_found_is_told_from_what_stands_beside_it():
    found = Section(DEPTH.heading, TEXT, DEPTH.tag, 13, 14)
    passage = Passage(1, found, 1, "a.pdf", "/a.pdf", "基準", "public", 1.0, 1, (HEIGHT, DEPTH))
    assert source_citations.found_part(passage) == DEPTH
    alone = source_citations.source_of_part(source_of(passage, "f" * 64), DEPTH)
    assert (alone.text, alone.heading, alone.page, alone.sha256) == (DEPTH.text, DEPTH.heading, 13, "f" * 64)
