"""The table of values that documents require: what is in it, and what is left out."""

import pytest

from app.documents import whole_document
from app.documents.overview.required_values import find_values, list_values
from app.documents.whole_document import WholeSection


def found(text: str, tag: str = "", title: str = "管理") -> list[tuple[str, str, str]]:
    """Return what, the value as written, and its bound."""
    return [(one.requirement, one.written, one.bound) for one in find_values(text, tag, title)]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("鉄筋のかぶりは70mm以上とする。", [("鉄筋のかぶり", "70mm以上", ">=")]),
        ("使用者は、四十時間を超えて労働させてはならない。", [("使用者", "四十時間を超え", ">")]),
        ("設計かぶりは60～70mmを標準とする。", [("設計かぶり", "60～70mm", "range")]),
        ("水温は5℃以上、塩分は3.5%未満とする。", [("水温", "5℃以上", ">="), ("塩分", "3.5%未満", "<")]),
        ("安全率は1.2以上とする。", [("安全率", "1.2以上", ">=")]),
        ("政令で定める額は、一億円とする。", [("管理：額", "一億円", "")]),
        ("減少額は、資産の百分の三十に相当する額未満であること。", [("減少額", "百分の三十に相当する額未満", "<")]),
    ],
)
def test_a_required_value_has_its_subject_and_bound(text: str, values: list[tuple[str, str, str]]) -> None:
    assert found(text) == values


@pytest.mark.parametrize(
    "text",
    [
        "次の3つの条件を満たすものとする。",
        "第24条第2項によるものとする。",
        "令和5年3月31日までの間とする。",
        "この橋は、長さが120mであった。",
        "山田太郎：砂防ダム，土木学会誌，Vol.3，pp.12-20，1998．",
        "「四十時間」とあるのは、「四十二時間以内」とする。",
        "2以上の河川を結ぶ。",
        "数百m以上離れた例が多い。",
    ],
)
def test_what_is_no_required_value_is_left_out(text: str) -> None:
    assert found(text) == []


def test_an_explanation_is_left_out_and_a_duty_in_it_is_not() -> None:
    assert found("天端幅は3mである。", "標準") == [("天端幅", "3m", "")]
    assert found("天端幅は3m以上になる。", "考え方") == []
    assert found("天端幅は3m以上としなければならない。", "考え方") == [("天端幅", "3m以上", ">=")]


def test_a_rate_has_its_base_and_a_condition_its_words() -> None:
    (yearly,) = find_values("ポンプの点検は年2回とする。")
    assert (yearly.numbers, yearly.unit) == ((2.0,), "回/年")
    (seldom,) = find_values("高い堤防の場合には、3年に1回調べるものとする。")
    assert (seldom.unit, seldom.condition) == ("回/3年", "高い堤防の場合")


def test_shares_are_numbers_in_per_cent() -> None:
    (share,) = find_values("議決権の百分の五十を超えてはならない。")
    assert (share.numbers, share.unit, share.bound) == ((50.0,), "%", "<=")


def test_a_number_of_two_units_is_told_in_one() -> None:
    found = find_values("二割五分以上の率で計算した賃金を支払い、一年六箇月以内に届け出なければならない。")
    assert [(one.numbers, one.unit) for one in found] == [((25.0,), "%"), ((1.5,), "年")]


def test_a_column_of_a_table_names_what_its_cells_require() -> None:
    table = "部材 | 最小かぶり(mm) | 備考\n--- | --- | ---\n床版 | 40 | 屋内\n橋脚 | 70以上 | 土中"
    rows = find_values(table)
    assert [(one.requirement, one.condition, one.numbers, one.unit) for one in rows] == [
        ("最小かぶり(mm)", "床版", (40.0,), "mm"),
        ("最小かぶり(mm)", "橋脚", (70.0,), "mm"),
    ]


def test_rows_name_clause_and_page_and_open_there() -> None:
    section = WholeSection(7, ("第3章 構造", "3.1 かぶり"), (), "かぶりは70mm以上とする。", "標準", 12)
    table = list_values([whole_document.assemble("基準.pdf", [section])], 1, "基準")
    (row,) = table.rows
    assert [row.cells[at] for at in (0, 1, 2, 3, 6, 8)] == ["かぶり", "70mm以上", 70.0, "mm", "基準.pdf", 12]
    assert row.cells[7] == "第3章 構造 > 3.1 かぶり（標準）"
    assert row.place == (0, 7)
