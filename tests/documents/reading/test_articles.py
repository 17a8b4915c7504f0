"""Articles whose sentence stands on the same line, in whatever format: each is a section under its number."""

from pathlib import Path

import pytest

from app.documents.reading import headings, html, markdown, sections, text_files
from app.documents.reading.text_blocks import Block, ReadDocument
from tests.documents.driver import silent, written

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


def sections_of(read: ReadDocument) -> list[tuple[tuple[str, ...], str]]:
    return [(one.heading, one.text) for one in sections.Splitter(read).cut()]


def cut_paragraphs(*texts: str) -> list[tuple[tuple[str, ...], str]]:
    return sections_of(ReadDocument([Block("paragraph", text) for text in texts]))


def cut(*texts: str) -> list[tuple[str, ...]]:
    return [heading for heading, _ in cut_paragraphs(*texts)]


def test_each_article_of_a_file_is_a_section_with_and_without_blank_lines_and_loses_no_word(tmp_path: Path) -> None:
    assert sections_of(text_files.read_plain_text(written(tmp_path, "契約書.txt", CONTRACT), silent)) == FOUND
    for between in ("\n", "\n\n"):
        text = CONTRACT.replace("\n", between).replace("契約書\n", "契約書\n\n", 1)
        assert sections_of(markdown.read(text, silent)) == FOUND


@pytest.mark.parametrize(
    "text",
    [
        "第1条の規定により、支払う。", "第1条及び第2条は、準用する。", "第1条 及び第2条は、準用する。",
        "第1条（総則）の規定は、準用する。", "第5条 第2項の規定により、支払う。", "第1条（総則）", "第1条　総則 ……… 3",
        "第９条　の規定により、支払う。", "第3条　から第5条までは、準用する。", "第1条　及び第2条の額とする。",
        "第９条（解除）中「甲」を「乙」に改める。", "第4条（契約の保証）各号に掲げるものとする。",
        "第5条　第2項の額は、別に定める。",
        "第5条 違反の場合は、解除する。", "第5条 関係の書類は、別に定める。", "第5条 ただし書は、準用しない。",
        "第5条 本文は、準用する。", "第5条 前段は、準用する。", "第5条 後段は、準用する。", "第5条 柱書は、準用する。",
    ],
)  # fmt: skip
def test_references_and_bare_headings_are_no_running_articles(text: str) -> None:
    assert headings.running_article(text) == ""
    assert text.startswith("第1条　総則") or text == "第1条（総則）" or not headings.begins_article(text)


@pytest.mark.parametrize(
    ("text", "article"),
    [
        ("第十二条の二　受注者は、届け出る。", "第十二条の二"),
        ("第1条(目的) この契約は、工事を定める。", "第1条(目的)"),
        ("第６条　第３条の規定は、準用する。", "第６条"),
        ("第7条 受注者は届け出なければならない", "第7条"),
        ("第8条 関係法令を、守る。", "第8条"),
        ("第８条　のり面は、乙が直す。", "第８条"),
        ("第百六十七条の十の二　契約は、入札による。", "第百六十七条の十の二"),
        ("第一〇条　乙は、届け出る。", "第一〇条"),
        ("第千条　乙は、届け出る。", "第千条"),
        ("第４条（契約不適合（瑕疵）責任）　乙は、直す。", "第４条（契約不適合（瑕疵）責任）"),
    ],
)
def test_an_article_ends_before_its_sentence(text: str, article: str) -> None:
    assert headings.running_article(text) == article


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
    assert [heading for heading, _ in sections_of(read)] == [("契約", "第1条"), ("契約", "備考")]


@pytest.mark.parametrize(
    "line",
    [
        "（略）", "（以下略）", "（１）", "（ア）", "（甲という。）", "（一部", "（平19規則5・一部改正）",
        "（以下余白）", "（平成20年3月31日規則第5号）", "（昭五三規則五・追加）",
        "（単位：円）", "（単位千円）", "（注）", "（印）", "（案）",
        "（一）", "（続き）", "（第２条関係）", "（図１参照）", "（旧第3条繰下）",
    ],
)  # fmt: skip
def test_lines_in_brackets_that_title_nothing(line: str) -> None:
    assert not headings.is_article_title(line)


@pytest.mark.parametrize(
    "line",
    [
        "（契約の保証）", "（関係法令の遵守）", "（追加工事）", "（単位の認定）", "（１年単位の変形労働時間制）",
        "（瑕疵（欠陥）責任）",
    ],
)  # fmt: skip
def test_lines_in_brackets_that_title_an_article(line: str) -> None:
    assert headings.is_article_title(line)


@pytest.mark.parametrize(
    "line",
    [
        "附則", "附　則　（平成二三年法律第六一号）　抄", "附　則　抄", "附則（令和２年規則第10号）",
        "別表第１（第２条関係）", "別表第１の２（第３条関係）", "別表　料金", "別記　個人情報取扱特記事項",
        "別記個人情報取扱特記事項",
        "別記様式第１号（第３条関係）", "様式第1号（第5条関係）", "第１号様式（第３条関係）", "別紙",
    ],
)  # fmt: skip
def test_what_is_below_the_last_article_is_no_part_of_it(line: str) -> None:
    articles = ("第１章　総則", "第１条　甲は、支払う。", "第２条　乙は、納める。")
    found = cut(*articles, line, "料金は、千円とする。", "第５条　引用は、これによる。")
    assert found == [("第１章　総則", "第１条"), ("第１章　総則", "第２条"), (line,)]


@pytest.mark.parametrize(
    "line",
    ["別表第１のとおり", "別表第1及び別表第2", "別紙の書類", "別記のとおり", "別表第１に定める額", "附則第2条の規定"],
)
def test_a_line_that_names_an_appendix_does_not_end_an_article(line: str) -> None:
    assert cut("第１条　甲は、次による。", line, "額は、千円とする。") == [("第１条",)]


@pytest.mark.parametrize(
    ("text", "heading"),
    [
        ("附則　この規程は、四月一日から施行する。", "附則"),
        ("附　則　１　この規程は、四月一日から施行する。", "附　則"),
        ("附則（令和２年規則第10号）　この規則は、公布の日から施行する。", "附則（令和２年規則第10号）"),
        ("附則　第2条の規定により、支払う。", "第１条"),
        ("附則　の規定により、支払う。", "第１条"),
    ],
)
def test_a_supplement_may_have_its_sentence_on_the_same_line(text: str, heading: str) -> None:
    found = cut("第１条　甲は、支払う。", text)
    assert found[-1] == (heading,)
    assert cut("2.1 形状", "省令による。", text) == [("2.1 形状",)]


def test_articles_are_counted_anew_below_an_appendix() -> None:
    found = cut(
        "第１条　甲は、支払う。", "第２条　乙は、納める。", "別記　特記事項", "第１条　乙は、守る。", "別表", "一円"
    )
    assert found == [("第１条",), ("第２条",), ("別記　特記事項", "第１条"), ("別表",)]


def test_each_article_of_a_paragraph_with_several_lines_is_a_section_and_loses_no_word() -> None:
    assert cut_paragraphs(CONTRACT.split("\n", 1)[1].strip()) == FOUND[1:]
    appended = cut_paragraphs("第１条　甲は、支払う。\n別表第１（第１条関係）\n一円")
    assert appended[1:] == [(("別表第１（第１条関係）",), "一円")]
    quoted = "第１条　甲は、前条と\n第3章 水文解析とによる。\n（注）\n第2条の規定による。"
    assert cut_paragraphs(quoted) == [(("第１条",), quoted)]


def test_articles_that_only_a_break_or_a_fence_holds_together_are_sections(tmp_path: Path) -> None:
    first, second = "第１条　甲は、支払う。", "第２条　乙は、納める。"
    page = written(tmp_path, "契約書.html", f"<html><body><p>{first}<br>{second}</p></body></html>")
    fence = markdown.read(f"```\n{first}\n{second}\n```\n", silent)
    for read in (html.read(page, silent), fence):
        assert [text for _, text in sections_of(read)] == [first, second]


def test_an_article_without_a_number_of_its_own_is_none() -> None:
    assert cut("第１条　甲は、支払う。", "第〇条　乙は、納める。") == [("第１条",)]


def test_a_number_of_both_scripts_is_a_number():
    number = headings.parse_number("第2十条（目的）")
    assert number is not None
    assert number.ordinal == 20
