"""Articles whose sentence stands on the same line, in whatever format: each is a section under its number."""

from pathlib import Path

import pytest

from app.documents import articles, markdown, plain, sections
from app.documents.blocks import Block, Reading

CONTRACT = """工事請負契約書
第１章　総則
第１条　発注者は、この契約を履行しなければならない。
第2条 受注者は、仕様書に従う。
第3条（用語）　用語の意義は、次のとおりとする。
一　工事　契約書に定めるもの
（契約の保証）
第４条　受注者は、保証を付さなければならない。
２　前項の保証の額は、別に定める。
（契約の変更）
第５条
発注者及び受注者は、協議する。
附　則
第１条　この契約は、四月一日から効力を生ずる。
"""
FOUND = [
    ((), "工事請負契約書"),
    (("第１章　総則", "第１条"), "第１条　発注者は、この契約を履行しなければならない。"),
    (("第１章　総則", "第2条"), "第2条 受注者は、仕様書に従う。"),
    (
        ("第１章　総則", "第3条（用語）"),
        "第3条（用語）　用語の意義は、次のとおりとする。\n一　工事　契約書に定めるもの",
    ),
    (
        ("第１章　総則", "第４条（契約の保証）"),
        "第４条　受注者は、保証を付さなければならない。\n２　前項の保証の額は、別に定める。",
    ),
    (("第１章　総則", "第５条（契約の変更）"), "発注者及び受注者は、協議する。"),
    (("附　則", "第１条"), "第１条　この契約は、四月一日から効力を生ずる。"),
]


def silent(_done: int, _total: int) -> None:
    """A reader's sign of life that nobody needs."""


def cut(*texts: str) -> list[tuple[str, ...]]:
    return [one.heading for one in sections.split(Reading([Block("paragraph", text) for text in texts]))]


def test_each_article_of_a_text_file_is_a_section_and_loses_no_word(tmp_path: Path) -> None:
    path = tmp_path / "契約書.txt"
    path.write_text(CONTRACT, "utf-8")
    assert [(one.heading, one.text) for one in sections.split(plain.read(path, silent))] == FOUND


@pytest.mark.parametrize("between", ["\n", "\n\n"])
def test_each_article_of_a_markdown_file_is_a_section_with_and_without_blank_lines(between: str) -> None:
    read = markdown.read(CONTRACT.replace("\n", between).replace("契約書\n", "契約書\n\n", 1), silent)
    assert [(one.heading, one.text) for one in sections.split(read)] == FOUND


@pytest.mark.parametrize(
    "text",
    [
        "第1条の規定により、支払う。", "第1条及び第2条は、準用する。", "第1条 及び第2条は、準用する。",
        "第1条（総則）の規定は、準用する。", "第5条 第2項の規定により、支払う。", "第1条（総則）", "第1条　総則 ……… 3",
    ],
)  # fmt: skip
def test_references_and_bare_headings_are_no_running_articles(text: str) -> None:
    assert articles.running(text) == ""


@pytest.mark.parametrize(
    ("text", "article"),
    [
        ("第十二条の二　受注者は、届け出る。", "第十二条の二"),
        ("第1条(目的) この契約は、工事を定める。", "第1条(目的)"),
        ("第６条　第３条の規定は、準用する。", "第６条"),
        ("第7条 受注者は届け出なければならない", "第7条"),
    ],
)
def test_an_article_ends_before_its_sentence(text: str, article: str) -> None:
    assert articles.running(text) == article


def test_articles_of_a_law_that_clauses_quote_make_no_section() -> None:
    quoted = "第5条　堤体の高さは、省令で定める。"
    found = cut("2.1 ダムの形状", "構造令では、次のように定められている。", quoted, "2.2 位置", "位置を決める。")
    assert found == [("2.1 ダムの形状",), ("2.2 位置",)]
    assert cut("第2節 ダム", "構造令による。", "第5条　高さは、省令で定める。") == [("第2節 ダム",)]


def test_numbers_that_count_back_are_references_and_one_that_was_skipped_is_an_article() -> None:
    found = cut(
        "第1条 甲は、支払う。", "第2条 乙は、納める。", "第20条 引用は、これによる。", "第3条 丙は、立ち会う。",
        "第3条の2 丁は、記録する。", "第2条 乙は、前と同じとする。",
    )  # fmt: skip
    assert found == [("第1条",), ("第2条",), ("第20条",), ("第3条",), ("第3条の2",)]


def test_a_heading_with_a_level_does_not_stand_under_an_article() -> None:
    read = markdown.read("# 契約\n\n第1条　甲は、支払う。\n\n## 備考\n\n写しを残す。\n", silent)
    assert [one.heading for one in sections.split(read)] == [("契約", "第1条"), ("契約", "備考")]


@pytest.mark.parametrize("line", ["（略）", "（以下略）", "（１）", "（ア）", "（甲という。）", "（一部"])
def test_lines_in_brackets_that_title_nothing(line: str) -> None:
    assert not articles.is_title(line)
