"""Blocks into sections: the document's own structure, and nothing cut where it would hurt."""

import pytest

from app.documents.reading import headings, sections
from app.documents.reading.text_blocks import Block, ReadDocument
from app.documents.records import PageBox, Section


def cut(*found: Block) -> list[Section]:
    return list(sections.Splitter(ReadDocument(list(found))).cut())


def heading(text: str, level: int = 0) -> Block:
    return Block("heading", text, level)


def paragraph(text: str, page: int = 0) -> Block:
    return Block("paragraph", text, page=page)


def test_numbers_decide_what_stands_under_what() -> None:
    found = cut(
        heading("設計編"),
        heading("第1章　総説", 1),
        heading("第2節　堤防", 1),
        heading("2．1　設計の基本"),
        paragraph("一。"),
        heading("2．1．1　高さ"),
        paragraph("二。"),
        heading("2．2　材質"),
        paragraph("三。"),
        heading("第2章　ダム", 1),
        paragraph("四。"),
    )
    assert [section.heading for section in found] == [
        ("設計編", "第1章　総説", "第2節　堤防", "2．1　設計の基本"),
        ("設計編", "第1章　総説", "第2節　堤防", "2．1　設計の基本", "2．1．1　高さ"),
        ("設計編", "第1章　総説", "第2節　堤防", "2．2　材質"),
        ("設計編", "第2章　ダム"),
    ]


def test_levels_decide_where_there_are_no_numbers() -> None:
    found = cut(
        heading("手引き", 1), heading("準備", 2), paragraph("一。"), heading("部品", 3), paragraph("二。"),
        heading("使い方", 2), paragraph("三。"),
    )  # fmt: skip
    assert [section.heading for section in found] == [
        ("手引き", "準備"),
        ("手引き", "準備", "部品"),
        ("手引き", "使い方"),
    ]


def test_numbers_that_begin_anew_stand_under_the_heading_whose_number_was_lost() -> None:
    found = cut(
        heading("調査編"), heading("総論"), heading("第1節 総説"), paragraph("一。"), heading("第2節 目的"),
        paragraph("二。"),
        heading("水文観測"), heading("第1節 総説"), paragraph("三。"),
    )  # fmt: skip
    assert found[-1].heading == ("調査編", "水文観測", "第1節 総説")


@pytest.mark.parametrize(
    "line",
    ["第3章　砂防施設の設計", "第 2 節 水制工", "3.2.1 観測施設", "４．１　一般", "第12条の2（届出）", "2-1 適用範囲"],
)
def test_lines_of_plain_text_that_are_headings(line: str) -> None:
    assert headings.is_certain_heading(headings.fold(line))


@pytest.mark.parametrize(
    "line",
    [
        "第3章を参照", "第1章の規定による。", "2.5 倍とする", "3.2 メートル以上", "1.5", "2連以上の函渠端部",
        "第2章から第4章までの規定は、次の場合に準用する", "10 年に1回", "令和5年5月",
        "127.0.1.1 host_name",
    ],
)  # fmt: skip
def test_lines_of_plain_text_that_are_none(line: str) -> None:
    assert not headings.is_certain_heading(headings.fold(line))


def test_plain_text_gets_its_structure_from_its_numbers() -> None:
    found = cut(paragraph("第1章　総則"), paragraph("1.1 目的"), paragraph("この要領は点検の方法を定める。"))
    assert [(section.heading, section.text) for section in found] == [
        (("第1章　総則", "1.1 目的"), "この要領は点検の方法を定める。")
    ]


def test_tags_say_how_binding_the_text_is_and_never_mix() -> None:
    found = cut(
        heading("2．1 観測"), paragraph("＜考え方＞"), paragraph("理由。"), paragraph("＜標　準＞"),
        paragraph("基本とする。"), heading("2．2 記録"), paragraph("残す。"),
    )  # fmt: skip
    assert [(section.tag, section.text) for section in found] == [
        ("考え方", "理由。"),
        ("標準", "基本とする。"),
        ("", "残す。"),
    ]


def test_headings_without_text_make_no_section() -> None:
    assert cut(heading("第5章 急傾斜地"), heading("1 枠の間隔"), heading("2 吹付け")) == []


def test_a_long_clause_is_cut_between_sentences_and_loses_nothing() -> None:
    sentence = "堤防の高さは、計画高水位に余裕高を加えたもの以上とする（「参考」を除く。）。"
    text = "".join(f"{number}、{sentence}" for number in range(120))
    found = cut(heading("3．1 高さ"), paragraph(text))
    assert len(found) > 3
    assert "".join(section.text for section in found) == text
    assert all(len(section.text) <= sections.LONGEST for section in found)
    assert all(section.text.endswith("。") for section in found)


def test_a_cut_clause_says_under_which_item_it_goes_on() -> None:
    filler = paragraph("点検の結果は記録して保存し、次の点検に役立てる。" * 20)
    found = cut(
        heading("5．1 点検"), paragraph("（１）定期点検"), filler, filler, paragraph("（２）臨時点検"), filler, filler
    )
    assert found[0].heading == ("5．1 点検", "（１）定期点検")
    assert found[-1].heading == ("5．1 点検", "（２）臨時点検")


@pytest.mark.parametrize(
    "lines",
    [
        ("イ　破産者で復権を得ない者", "ロ　{}", "ハ　{}", "ニ　{}"),
        ("（１）　大臣が指定する者", "ロ　{}", "ハ　{}", "ニ　{}"),
        ("イ　破産者で復権を得ない者", "三　{}", "四　{}", "五　{}"),
        ("イ　破産者で復権を得ない者", "２　{}", "３　{}", "４　{}"),
    ],
)
def test_a_line_of_a_list_is_no_heading_of_what_follows_the_list(lines: tuple[str, ...]) -> None:
    long = "次の書類を添えて届け出なければならない。" * 25
    found = cut(heading("第四条（欠格）"), *(paragraph(line.format(long)) for line in lines))
    assert len(found) > 1
    assert {one.heading for one in found} == {("第四条（欠格）",)}


def test_an_item_with_a_list_below_it_is_a_heading_of_the_list() -> None:
    long = "確認する。" * 60
    below = [paragraph(f"{sign}{long}") for sign in ("ア　", "イ　", "ウ　", "エ　", "オ　")]
    found = cut(heading("3．1　調査"), paragraph("（２）　現地の調査"), *below)
    assert {one.heading for one in found} == {("3．1　調査", "（２）　現地の調査")}


def test_a_table_that_goes_on_has_its_head_again_and_whole_rows() -> None:
    rows = [
        Block("row", f"材料{number} | {number * 10} N/mm² | 備考は別に定める基準による", is_head=False)
        for number in range(90)
    ]
    found = cut(heading("表の章"), Block("row", "材料 | 強度 | 備考", is_head=True), *rows)
    assert len(found) > 2
    assert all(section.text.startswith("材料 | 強度 | 備考") for section in found)
    assert [line for section in found for line in section.text.splitlines() if line.startswith("材料 ") is False] == [
        row.text for row in rows
    ]


def test_equal_rows_are_all_kept_wherever_a_table_is_cut() -> None:
    for number in range(40, 400, 9):
        rows = [Block("row", f"{'舗装の点検と補修の記録' * (1 + at % 4)} | 0") for at in range(number)]
        found = cut(heading("表の章"), *rows)
        assert [line for section in found for line in section.text.splitlines()] == [row.text for row in rows]


def test_a_heading_without_end_is_said_shortly_and_kept_as_text() -> None:
    long = "堤防の高さと余裕高の定めについて、" * 500
    found = cut(heading(long, 1), paragraph("本文。"), heading("次", 2), paragraph("次の本文。"))
    assert len(found) > 2
    assert all(len("".join(section.heading)) < 210 for section in found)
    assert "".join(section.text for section in found[:-1]) == f"{long}\n本文。"
    assert found[-1].heading == (f"{long[:200]}…", "次")


def test_pages_boxes_and_captions_are_of_the_pieces_that_a_section_has() -> None:
    first = Block("paragraph", "一。", page=4, boxes=(PageBox(4, 10, 20, 30, 40),))
    second = Block("caption", "図7-3　堰の阻害率", page=5, boxes=(PageBox(5, 1, 2, 3, 4),))
    (found,) = cut(heading("7．3 設計の基本"), first, second)
    assert (found.page, found.page_last) == (4, 5)
    assert found.boxes == (*first.boxes, *second.boxes)
    assert found.captions == ("図7-3",)
