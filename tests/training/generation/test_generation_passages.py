"""Which passages are asked about, and what of them may be quoted."""

from collections import Counter
from pathlib import Path

import pytest

from app.documents.library import Library
from app.documents.records import Section
from app.training.generation import generation_plan, prompts
from tests.training.generation.collection import COVER, SECTION, TEXT, library_of, passage


def selected(library: Library, seed: int = 0, limit: int = 100) -> generation_plan.SelectedPassages:
    try:
        return generation_plan.select_passages(library, library.collection("基準"), seed, limit)
    finally:
        library.close()


def numbered(name: str, count: int) -> list[Section]:
    """Sections that say different things under two headings."""
    return [
        Section(
            (f"第{1 + number % 2}章",),
            f"{name}の部材{number}のかぶりは{50 + number}mm以上とする。" + "点検は毎年行う。" * 8,
        )
        for number in range(count)
    ]


@pytest.mark.parametrize(
    "section",
    [
        Section(("第1章",), COVER),  # too short to ask anything else than its own sentence
        Section(("目次",), TEXT),
        Section(("第1章", "参考文献"), TEXT),
        Section(("第1章",), "\n".join(f"第{n}章 鉄筋のかぶりと継手の位置 ……… {n}" for n in range(1, 9))),
        Section(("第1章",), "Cover of reinforcement shall be at least 70 mm where a member touches the ground. " * 3),
        Section(("第1章",), "1. 河川砂防太郎：土砂の流出に関する研究, 土木学会論文集, Vol.12, pp.3-9, 2004.\n" * 3),
        Section(("様式",), "かぶり 継手 定着\n" * 9),  # words without a sentence of any length
    ],
)
def test_what_nobody_would_ask_about_is_left_out(section: Section, tmp_path: Path) -> None:
    found = selected(library_of(tmp_path / "d.sqlite", {"a.md": [section, SECTION]}))
    assert [one.section.text for one in found.passages] == [TEXT]
    assert found.sections == 2


def test_what_stands_in_many_places_is_a_form_and_what_stands_in_two_is_taken_once(tmp_path: Path) -> None:
    form = Section(("様式",), "この様式は、工事の完成後に監督職員へ提出するものとする。" * 4)
    found = selected(
        library_of(tmp_path / "d.sqlite", {"a.md": [form, SECTION], "b.md": [form, SECTION], "c.md": [form]})
    )
    assert [one.section.text for one in found.passages] == [TEXT]


def test_documents_and_headings_take_turns(tmp_path: Path) -> None:
    found = selected(
        library_of(tmp_path / "d.sqlite", {"large.md": numbered("橋脚", 30), "small.md": numbered("水門", 4)})
    )
    first = found.passages[:8]
    assert Counter(one.document for one in first) == {"large.md": 4, "small.md": 4}
    assert Counter(one.section.heading for one in first) == {("第1章",): 4, ("第2章",): 4}
    assert len(found.passages) == 34


def test_the_same_seed_gives_the_same_passages_wherever_the_documents_stand(tmp_path: Path) -> None:
    one, other = numbered("橋脚", 9), numbered("水門", 9)
    before = selected(library_of(tmp_path / "1.sqlite", {"a.md": one, "b.md": other}), seed=3, limit=6)
    after = selected(library_of(tmp_path / "2.sqlite", {"b.md": other, "a.md": one}), seed=3, limit=6)
    texts = [one.section.text for one in before.passages]
    assert texts == [one.section.text for one in after.passages]
    assert len(texts) == 6
    assert texts != [
        one.section.text
        for one in selected(library_of(tmp_path / "3.sqlite", {"a.md": one, "b.md": other}), 4, 6).passages
    ]


def test_a_passage_is_cut_after_a_sentence(tmp_path: Path) -> None:
    long = Section(("第1章",), "".join(f"部材{number}のかぶりは{number}mm以上とする。" for number in range(200)))
    (found,) = selected(library_of(tmp_path / "d.sqlite", {"a.md": [long]})).passages
    assert 1000 < len(found.section.text) <= generation_plan.LONGEST
    assert found.section.text.endswith("。")


def test_quotes_are_sentences_alone_and_two_on_a_line() -> None:
    text = "図 1 の　見 出 し 、 全 体\n一つ目の文は、かぶりについて述べる。二つ目の文は、継手について述べる。\n"
    text += "三つ目の文は、定着について述べる。\n図3-6　かぶりと継手と定着の位置の関係"
    assert prompts.quotable_pieces(passage(text)) == [
        "一つ目の文は、かぶりについて述べる。",
        "一つ目の文は、かぶりについて述べる。二つ目の文は、継手について述べる。",
        "二つ目の文は、継手について述べる。",
        "三つ目の文は、定着について述べる。",
    ]


def test_a_row_may_be_quoted_and_the_names_of_columns_may_not() -> None:
    text = "| 部材の種類と位置 | かぶりの最小値 |\n|---|---|\n| 土に接する部材の底面 | 70mm以上とする |"
    assert prompts.quotable_pieces(passage(text)) == ["| 土に接する部材の底面 | 70mm以上とする |"]


def test_every_quote_stands_in_the_passage() -> None:
    text = TEXT + "\n- 箇条の中の文は、行頭の印を除いて引用する。\n「引用符のある文は、そのまま引用するものとする。」"
    found = prompts.quotable_pieces(passage(text))
    assert len(found) >= 6
    assert all(one in text for one in found)
