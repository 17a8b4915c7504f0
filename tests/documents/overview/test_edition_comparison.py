"""Two editions of a document: clauses that belong together, and the values that differ between them."""

import random
import re

import pytest

from app.documents import whole_document
from app.documents.overview import edition_comparison
from app.documents.overview.edition_comparison import NumberChange, compare
from app.documents.overview.result_table import ResultRow, edition_order, plain
from app.documents.whole_document import WholeDocument, WholeSection

Clause = tuple[str, str]  # heading and text


def edition(*clauses: Clause, name: str = "基準") -> WholeDocument:
    sections = (WholeSection(at, (heading,), (), text) for at, (heading, text) in enumerate(clauses, start=1))
    return whole_document.assemble(name, sections)


def rows(old: WholeDocument, new: WholeDocument) -> list[tuple[str, str, str, str]]:
    """Return of each row its group, both clauses and the values."""
    return [(row.group, *(str(row.cells[at]) for at in (1, 3, 5))) for row in compare(old, new).rows]


def changes(old: str, new: str) -> list[tuple[str, str]]:
    lines = edition_comparison.compare_texts(old, new)
    return [(change.old, change.new) for line in lines for change in line.numbers]


COVER = ("3.1 かぶり", "鉄筋のかぶりは70mm以上とする。施工の誤差は、10mmまで認める。")
DUTY = ("3.2 点検", "ポンプは、毎月1回、運転して確かめる。記録は5年間保存しなければならない。")
LOAD = ("3.3 荷重", "床の積載荷重は、3.5kN/m2を標準とする。")


def test_equal_editions_have_no_rows():
    table = compare(edition(COVER, DUTY), edition(COVER, DUTY))
    assert table.rows == ()
    assert len(table.facts) == 1


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("かぶりは70mm以上とする。", "かぶりは75mm以上とする。", [("70mm以上", "75mm以上")]),
        ("かぶりは70mm以上とする。", "かぶりは70mm未満とする。", [("70mm以上", "70mm未満")]),
        ("かぶりは70mmとする。", "かぶりは70cmとする。", [("70mm", "70cm")]),
        ("令和5年4月1日から行う。", "令和6年4月1日から行う。", [("令和5年4月1日", "令和6年4月1日")]),
        ("温度は20℃とする。", "温度は20℃とし、湿度は60%とする。", [("", "60%")]),
        ("三十日以内に届け出る。", "二十日以内に届け出る。", [("三十日以内", "二十日以内")]),
        ("勾配は1:0.5とする。", "勾配は1:0.6とする。", [("1:0.5", "1:0.6")]),
        ("鉄筋はSD345とする。", "鉄筋はSD390とする。", [("345", "390")]),
        ("| 橋脚 | 70 |", "| 橋脚 | 80 |", [("70", "80")]),
        ("かぶりは70mmとする。", "かぶりは７０ｍｍとする。", []),
        ("幅は1,000mmとする。", "幅は1000mmとする。", []),
        ("幅は300mmとする。", "幅は30cmとする。", []),
        ("二年ごとに調べる。", "2年ごとに調べる。", []),
    ],
)
def test_a_value_that_differs_is_listed_and_another_notation_is_not(old, new, found):
    assert changes(old, new) == found


def test_a_number_that_names_a_clause_is_told_from_a_value():
    (line,) = edition_comparison.compare_texts("第3条により、5m離す。", "第4条により、6m離す。")
    assert line.numbers == (NumberChange("第3条", "第4条", names_part=True), NumberChange("5m", "6m"))
    assert rows(edition(("1", "第3条による。")), edition(("1", "第4条による。")))[0][0] == "changed"


def test_clauses_are_added_removed_and_renumbered():
    added = ("3.2 材料", "コンクリートの設計基準強度は、24N/mm2を標準とする。")
    new = edition(COVER, added, ("3.3 点検", DUTY[1]))
    found = rows(edition(COVER, DUTY, LOAD), new)
    assert found == [
        ("added", "", "3.2 材料", ""),
        ("moved", "3.2 点検", "3.3 点検", ""),
        ("removed", "3.3 荷重", "", ""),
    ]


def test_a_clause_that_was_moved_and_changed_is_one_row_with_its_value():
    moved = ("1.1 荷重", LOAD[1].replace("3.5", "5.0"))
    (found,) = (row for row in compare(edition(COVER, DUTY, LOAD), edition(moved, COVER, DUTY)).rows)
    assert (found.group, found.cells[1], found.cells[3]) == ("number", "3.3 荷重", "1.1 荷重")
    assert "3.5kN/m2" in str(found.cells[5])


def test_articles_are_the_same_in_kanji_and_in_digits():
    old, new = (
        edition(("第三条の二（期間）", "期間は三十年とする。")),
        edition(("第3条の2（期間）", "期間は三十年とする。")),
    )
    assert rows(old, new) == []


def test_the_sentences_that_differ_stand_side_by_side_with_marks():
    new = ("3.1 かぶり", "鉄筋のかぶりは75mm以上とする。施工の誤差は、10mmまで認める。")
    (row,) = compare(edition(COVER), edition(new)).rows
    first, rest = row.lines
    assert (plain(first.old), plain(first.new)) == (COVER[1].split("。")[0] + "。", "鉄筋のかぶりは75mm以上とする。")
    assert [piece for piece in first.new if piece[1]] == [("75mm以上", "number")]
    assert plain(rest.new) == "…"


def test_what_is_no_sentence_is_compared_beside_sentences_that_differ():
    lines = edition_comparison.compare_texts("①\n本文は70mmとする。", "②\n本文は75mmとする。")
    sides = [plain(side) for line in lines for side in (line.pair.old, line.pair.new)]
    assert list(filter(None, sides)) == ["①", "②", "本文は70mmとする。", "本文は75mmとする。"]


def test_every_changed_number_of_many_is_found_and_no_other():
    rnd = random.Random(3)
    kinds = (
        "厚さは{}mm以上とする。",
        "間隔は{}cmを標準とする。",
        "{}日以内に届け出なければならない。",
        "温度は{}℃を超えてはならない。",
    )
    texts = [
        (f"{chapter}.{at} 項目{chapter}{at}", "".join(kind.format(rnd.randint(10, 99)) for kind in kinds))
        for chapter in range(1, 21)
        for at in range(1, 11)
    ]
    edited, known = list(texts), {}
    for at in rnd.sample(range(len(texts)), 40):
        heading, text = texts[at]
        number = rnd.choice(list(re.finditer(r"\d+", text)))
        edited[at] = heading, f"{text[: number.start()]}{int(number[0]) + 100}{text[number.end() :]}"
        known[heading] = (number[0], str(int(number[0]) + 100))
    shift = edited[50:] + edited[:50]  # and chapters change places
    found: dict[str, ResultRow] = {str(row.cells[1]): row for row in compare(edition(*texts), edition(*shift)).rows}
    assert {heading for heading, row in found.items() if row.group == "number"} == set(known)
    for heading, (old, new) in known.items():
        marked = [
            [text for text, mark in side if mark] for line in found[heading].lines for side in (line.old, line.new)
        ]
        assert [re.sub(r"\D", "", one) for side in marked for one in side] == [old, new]


def test_of_two_editions_the_one_named_old_or_with_the_earlier_year_is_the_older():
    for older, newer in (("共通仕様書（旧）.docx", "共通仕様書（新）.docx"), ("新基準2019.pdf", "新基準2024.pdf")):
        assert sorted([newer, older], key=edition_order) == [older, newer]
