"""Markdown into blocks, above all as pandoc writes it from word processors."""

import pytest

from app.documents.reading import markdown
from app.documents.reading.text_blocks import Block


def blocks(text: str) -> list[Block]:
    return markdown.read(text, lambda _done, _total: None).blocks


def texts(text: str) -> list[str]:
    return [block.text for block in blocks(text)]


def test_a_frame_around_text_is_no_table_and_its_broken_lines_are_joined() -> None:
    framed = """
+----------------------------------+
| 余裕高は計画高水位に0.95～1.     |
| 00を乗じた値を下回らないものとす |
| る。                             |
|                                  |
| ただし、Darcy則に基づく場合は    |
| この限りでない。                 |
+----------------------------------+
"""
    found = blocks(framed)
    assert [block.kind for block in found] == ["paragraph", "paragraph"]
    assert found[0].text == "余裕高は計画高水位に0.95～1.00を乗じた値を下回らないものとする。"
    assert found[1].text == "ただし、Darcy則に基づく場合はこの限りでない。"


def test_a_grid_of_several_cells_is_rows_with_its_head() -> None:
    grid = """
+----------+----------+
| 区分     | 頻度     |
+==========+==========+
| 一次点検 | 地震の直 |
|          | 後       |
+----------+----------+
"""
    found = blocks(grid)
    assert [(block.kind, block.text, block.is_head) for block in found] == [
        ("row", "区分 | 頻度", True),
        ("row", "一次点検 | 地震の直後", False),
    ]


def test_columns_of_a_table_with_dashes_are_cut_where_wide_characters_end() -> None:
    table = """
  区分     頻度
  -------- ------
  月点検   毎月
  年点検   年1回

つぎの段落。
"""
    assert texts(table) == ["区分 | 頻度", "月点検 | 毎月", "年点検 | 年1回", "つぎの段落。"]


def test_a_table_with_pipes_is_rows() -> None:
    assert texts("| 材料 | 強度 |\n|---|---|\n| 鋼 | 400 |\n") == ["材料 | 強度", "鋼 | 400"]


def test_numbers_of_headings_that_stand_only_in_the_contents_come_back() -> None:
    document = """
目　次
======

[第2節 流量観測 4](#_Toc1)

> [2．1
> 観測回数 5](#_Toc2)

1.  []{#_Toc1 .anchor}流量観測

    1.  []{#_Toc2
        > .anchor}観測回数

水位流量曲線を作る。
"""
    found = blocks(document)
    assert [(block.kind, block.text) for block in found] == [
        ("heading", "第2節 流量観測"),
        ("heading", "2．1 観測回数"),
        ("paragraph", "水位流量曲線を作る。"),
    ]


def test_two_headings_on_one_line_are_two() -> None:
    found = blocks("第2章　水文観測　第8節　水循環の観測 {#a .TOC-Heading}\n=====\n")
    assert [block.text for block in found] == ["第2章　水文観測", "第8節　水循環の観測"]


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("面積は50km^2^である", "面積は50km²である"),
        ("H~2~Oを測る", "H₂Oを測る"),
        ("~~旧~~新しい", "新しい"),
        ("**強い**言葉と`符号`", "強い言葉と符号"),
        ("[本文](https://example.com)を見る", "本文を見る"),
        (r"\(1\) 括弧と 5 \* 3", "(1) 括弧と 5 * 3"),
        ("A&amp;B", "A&B"),
        ('![図](media/image1.emf){width="3in"}説明', "説明"),
    ],
)
def test_signs_of_markdown_go_and_what_a_reader_sees_stays(written: str, shown: str) -> None:
    assert texts(written) == [shown]


def test_a_backslash_that_breaks_a_line_goes_and_one_at_the_end_of_a_paragraph_stays() -> None:
    assert texts("1)点検要領：平成29年3月.\\\n（最新版）点検要領：令和6年3月.") == [
        "1)点検要領：平成29年3月.（最新版）点検要領：令和6年3月."
    ]
    assert texts("保存先は D:\\work\\") == ["保存先は D:\\work\\"]


def test_bold_lines_are_headings_unless_they_are_sentences_or_captions() -> None:
    found = blocks("**第1章 総説**\n\n**必ず点検を行うこと。**\n\n**表1-4-5　作用の例**\n")
    assert [(block.kind, block.text) for block in found] == [
        ("heading", "第1章 総説"),
        ("paragraph", "必ず点検を行うこと。"),
        ("caption", "表1-4-5　作用の例"),
    ]


@pytest.mark.parametrize(
    "lines",
    [
        ("1 旅費は実費とする。", "2 前項の旅費は、翌月に支払う。"),
        ("第5条（旅費）", "１　旅費は実費とする。", "２　前項の旅費は、翌月に支払う。"),
        ("手当は、次のとおりとする。", "一　家族手当", "二　通勤手当"),
        ("２　次の手当を支給する。", "一　家族手当", "二　通勤手当", "３　前項の額は、別表による。"),
        ("（１）次の書類", "1 領収書", "2 報告書", "（２）その写し"),
        ("次の書類を添える：", "（１）領収書", "（２）報告書"),
        ("１．基本給", "２．家族手当"),
        ("① 領収書", "② 報告書", "③ 地図"),
        ("一 契約保証金", "二 銀行の保証", "２ 前項の保証に係る額は、別に定める。"),
        ("人数は 3 人", "イ 試験", "ロ 検査"),
        ("２　用語の意義は、次による", "一　道路", "イ　車道", "ロ　歩道", "二　河川"),
        (
            "本文が句点なしで終わる",
            "（契約の保証）",
            "第４条　受注者は、保証を付さなければならない。",
            "２　保証の額は、別に定める。",
        ),
        ("第１章　総則", "（目的）", "第１条　この規則は、旅費を定める。", "第２条（用語）　用語は、次による。"),
        ("第1条 甲は、代金を支払う。", "第2条 乙は、物品を納める。"),
        ("（契約の変更）", "第5条", "甲及び乙は、協議する。", "附　則", "この規則は、公布の日から施行する。"),
    ],
)
def test_numbered_clauses_are_paragraphs_also_without_a_blank_line(lines: tuple[str, ...]) -> None:
    assert texts("\n".join(lines)) == list(lines)
    assert texts("\n".join(f"> {line}" for line in lines)) == list(lines)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("点検は、毎月\n2 回行う。", "点検は、毎月2 回行う。"),
        ("幅は、外側で\n1.5 m とする。", "幅は、外側で1.5 m とする。"),
        ("法（平成五年法律）\n5 条の規定による。", "法（平成五年法律）5 条の規定による。"),
        ("The room has\n12 seats.", "The room has 12 seats."),
        ("これは\n2026 年からの決まりである。", "これは2026 年からの決まりである。"),
        ("費用は、別に定める\n第5条の規定により支払う。", "費用は、別に定める第5条の規定により支払う。"),
        ("費用は、別に定める\n第5条（旅費）の規定による。", "費用は、別に定める第5条（旅費）の規定による。"),
        ("費用は、契約書の\n第5条 第2項の規定による。", "費用は、契約書の第5条 第2項の規定による。"),
        ("国土保全局，\n第3章 水文解析 第2節 流出解析", "国土保全局，第3章 水文解析 第2節 流出解析"),
        ("一、二の例と\n三、四の例", "一、二の例と三、四の例"),
    ],
)
def test_a_number_inside_a_sentence_begins_no_clause(written: str, shown: str) -> None:
    assert texts(written) == [shown]


def test_items_that_a_wide_space_indents_are_paragraphs_of_their_own() -> None:
    found = texts("保証は、次による\n　一　契約保証金\n　　イ　現金\n　２　前項の額は、別に定める。")
    assert found == ["保証は、次による", "一　契約保証金", "イ　現金", "２　前項の額は、別に定める。"]


def test_a_title_in_brackets_can_be_underlined_as_a_heading() -> None:
    assert [(block.kind, block.text) for block in blocks("（総則）\n====\n本文")] == [
        ("heading", "（総則）"),
        ("paragraph", "本文"),
    ]


def test_stubs_of_html_and_comments_are_left_out_and_code_stays() -> None:
    assert texts("```{=html}\n<!-- -->\n```\n\n```\nif a:\n    b\n```\n") == ["if a:\n    b"]


def test_lines_of_indented_code_stay_lines_and_what_goes_on_with_a_list_does_not() -> None:
    read = texts(
        '# 使い方\n\n    kotae ask "質問"\n      --json\n    kotae docs list\n\n- 項目\n\n    続きの\n    文。\n'
    )
    assert 'kotae ask "質問"\n  --json\nkotae docs list' in read
    assert "続きの文。" in read


def test_brackets_without_end_are_read_in_one_go() -> None:
    """Backtracking over them would take longer than the universe has."""
    hostile = "[" * 2000 + "(#a)" + "[(x)" * 2000 + "](#b"
    assert "".join(texts(hostile))


def test_quotes_in_quotes_without_end_do_not_end_the_reader() -> None:
    assert texts(">" * 3000 + " 深い\n") != []


@pytest.mark.parametrize(
    ("line", "title"),
    [
        ("# 総則", "総則"),
        ("## 総則 ##  ", "総則"),
        ("# a # #", "a #"),
        ("#\t一  二 #", "一 二"),
        ("# C# の章", "C# の章"),
    ],
)
def test_the_signs_around_a_heading_are_none_of_it(line: str, title: str) -> None:
    (found,) = blocks(f"{line}\n")
    assert (found.kind, found.text.split()) == ("heading", title.split())


def test_lines_of_spaces_are_read_in_no_time() -> None:
    spaces = " " * 100_000
    (heading,) = blocks(f"# 甲{spaces}乙\n")
    assert (heading.kind, heading.text.split()) == ("heading", ["甲", "乙"])
    assert [block.kind for block in blocks(f"甲|乙\n{spaces}|丙\n")] == ["paragraph"]
    assert [block.kind for block in blocks("甲|乙\n|" + "---|" * 20_000 + "丙\n")] == ["paragraph"]


TRICKY = """\
# 総則

目次

[第1章 総則 [3](#a)](#a)

目的を示す。

```
見本の文。

囲みの中の文。
```

本文を置く。

# 目次

[第2章 設計 [5](#b)](#b)

これで終わる。

  ------ ------
  区分   頻度

  表の文。

  ------ ------

> 引用の文。
続きの文。

- 項目の文。

    項目の続きの文。

[]{#b}設計

一　条の文。
二　次の文。

第3条　甲は、払う。

終わりの文。
"""


@pytest.mark.parametrize(
    "text",
    [
        TRICKY,
        "例:\n\n    $ cat x\n    ```\n\n本文。\n\n```\n説明。\n\n# x\n```\n\n# 見出し\n\n終わり。\n\n次。",
        "  --- ------\n  ```npm i```  導入\n  --- ------\n\n文。\n\n```\n例。\n\n次。\n```\n\n終わり。\n\n次。",
        "> 例:\n```\na\n\nb。\n\nc\n```\n\n本文。\n\n# 次\n",
        "設定は{\n```\ncode。\n\n次。\n```\n本文。\n\n# 次の文",
        "# 目次\n\n章 | 頁\n--- | ---\n第1章 | 3。\n\n第2章 12",
        "[目次](#toc)\n\n[]{#toc}目次は次のとおり。\n\n第1章 12\n\nx。",
        "  --- ---\n  甲  乙\n  --- ---\n文。\n\n次\n  --- ---\n\n本文。\n\n次。",
    ],
)
def test_a_text_that_is_read_in_parts_gives_what_it_gives_in_one(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = markdown.read(text, lambda _done, _total: None)
    monkeypatch.setattr(markdown, "PART_CHARACTERS", 1)
    lines: list[int] = []
    assert markdown.read(text, lambda line, _total: lines.append(line)) == whole
    assert lines == sorted(set(lines)), "the parts, of which each tells its first line"
    assert text != TRICKY or len(lines) >= 3
