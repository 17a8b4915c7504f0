"""Values with units, and dates, in the ways Japanese documents write them."""

import pytest

from app.documents.values import notation, quantities


def values(text: str) -> list[tuple[float, str, str]]:
    return [(round(one.value, 10), one.unit, one.bound) for one in quantities.parse(text)]


def days(text: str) -> list[tuple[int, int, int]]:
    return [(one.year, one.month, one.day) for one in notation.parse_dates(text)]


@pytest.mark.parametrize(
    ("written", "same"),
    [
        ("24N/mm²", "24 MPa"),
        ("24N/mm^2^", "２４Ｎ／ｍｍ２"),
        ("1,500m³/s", "1500㎥／ｓ"),
        ("1,500m3/sec", "1500 m^{3}/s"),
        ("三箇所", "3か所"),
        ("三十年", "30年間"),
        ("二千五百人", "2,500名"),
        ("3億5,000万円", "350,000,000円"),
        ("1.0×10⁻⁵cm/s", "1×10-5 cm/s"),
        ("10tf", "98kN"),
        ("18kN/m^3^", "18 kN/m³"),
        ("3分の1", "三分の一"),
        ("50km²", "5,000ha"),
        ("第十二条", "12条"),
        ("5千万円", "5,000万円"),
        ("3億5千万円", "350,000,000円"),
        ("5mm/年", "0.5 cm／年"),
        ("5千円/月", "5,000円/か月"),
        ("10t/m²", "10,000 kg/m^2"),
        ("±5mm", "プラスマイナス5ミリ"),
        ("0.05mg/L", "50µg/L"),
        ("三度", "3回"),
        ("五人目", "第5の"),
        ("3 日目", "第3の"),
        ("三 日目", "第3の"),
        ("1時間半歩く", "90分"),
        ("三年半", "3年半"),
        ("1 kgf/cm^{2}", "1kgf/cm2"),
        ("2 kN · m", "2kN·m"),
        ("半ダース", "0.5ダース"),
        ("4つ", "4項目"),
        ("半年", "6か月"),
        ("24時間", "1日"),
        ("2週間", "14日"),
        ("午後5時半", "17時30分"),
        ("5割増し", "1.5倍"),
        ("20％引き", "0.8倍"),
        ("大さじ2", "30mL"),
        ("半錠", "0.5錠"),
        ("4℃", "4度"),
        ("pH7.4", "pH 7.4"),
        ("点検は、年2回", "半年に1回"),
        ("巡回は週に一度", "1週間に1回"),
        ("会費は月額500円", "6,000円/年"),
        ("1L当たり20µg", "0.02mg/L"),
        ("秒速20cm以上80cm以下", "0.8m/s"),
        ("1人1日2L", "1日に1人2L"),
    ],
)
def test_the_same_value_is_found_however_it_is_written(written, same):
    first, second = quantities.parse(written)[-1], quantities.parse(same)[-1]
    assert first.is_same(second)
    assert second.is_same(first)


@pytest.mark.parametrize(
    ("written", "other"),
    [
        ("24N/mm²", "24kN/mm²"),
        ("24N/mm²", "24N/m²"),
        ("1.5", "15"),
        ("10tf", "100kN"),
        ("2割", "2%"),
        ("3日", "3年"),
        ("1:0.5", "1:0.6"),
        ("第3章", "第3節"),
        ("5mm", "5mm/年"),
        ("5mm/年", "5mm/月"),
        ("5人/km", "5人/km²"),
        ("3つ", "2つ"),
        ("4点", "3点"),
        ("2錠", "1錠"),
        ("20分", "20時間"),
        ("5時", "5時間"),
        ("点検は、年1回", "点検は、月1回"),
        ("3年に1回", "2年に1回"),
        ("1人1日2L", "1人1週間2L"),
    ],
)
def test_another_value_or_unit_is_not_the_same(written, other):
    first, second = quantities.parse(written)[-1], quantities.parse(other)[-1]
    assert not first.is_same(second)
    assert not second.is_same(first)


def test_a_range_has_one_unit_and_the_bound_of_its_end():
    found = quantities.parse("10～20 m以下")
    assert [(one.value, one.unit, one.bound, one.is_range_start) for one in found] == [
        (10, "m", "", True),
        (20, "m", "<=", False),
    ]
    assert values("幅は3、5mとする") == [(3, "m", ""), (5, "m", "")]
    assert values("10-20m") == [(10, "m", ""), (20, "m", "")]
    assert values("12-34 mm") == [(0.012, "m", ""), (0.034, "m", "")]


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("500-1,500m", [(500, "m", ""), (1500, "m", "")]),
        ("一億二千三百四十五万六千七百八十九円", [(123_456_789, "円", "")]),
        ("幅は1m半とする", [(1.5, "m", "")]),
        ("厚さ2mm半透明", [(0.002, "m", "")]),
        ("3点半田付け", [(3, "点", "")]),
        ("12時間半減期", [(43_200, "s", "")]),
        ("5個半日", [(5, "個", ""), (43_200, "s", "")]),
        ("2日半分", [(172_800, "s", ""), (50, "%", "")]),
        ("直径1m半円形水路", [(1, "m", "")]),
        ("φ600mm半割管", [(0.6, "m", "")]),
        ("400A半自動溶接", [(400, "A", "")]),
        ("厚さ5mm半月切り", [(0.005, "m", "")]),
        ("3日目標", [(259_200, "s", "")]),
        ("三日半目", [(302_400, "s", "")]),
        ("-3日目", [(-259_200, "s", "")]),
        ("1,000日目", [(86_400_000, "s", "")]),
        ("5分割", [(5, "", "")]),
        ("3分の零", [(0, "%", "")]),
        ("5mを", [(5, "m", "")]),
        ("5man", [(5, "", "")]),
        ("5AB", [(5, "", "")]),
        ("第3回", [(3, "第回", "")]),
    ],
)
def test_what_stands_behind_a_unit_belongs_to_it_or_not(written, found):
    assert values(written) == found


@pytest.mark.parametrize(
    "written", [f"約1{'0' * 400}m", f"1{'0' * 330}円前後", f"{'9' * 400}歳未満", f"大さじ{'9' * 400}", "千" * 60 + "円"]
)
def test_numbers_that_mean_nothing_are_no_values(written):
    assert quantities.parse(written) == []


@pytest.mark.parametrize(
    ("written", "bound"),
    [
        ("2m以上", ">="),
        ("2m程度以上", ">="),
        ("2mを下回らない", ">="),
        ("5年以内", "<="),
        ("2mを超えない", "<="),
        ("5m未満", "<"),
        ("3mを超える", ">"),
        ("3mより大きい", ">"),
        ("3mとする", ""),
        ("10冊まで", "<="),
        ("最大10冊", "<="),
        ("少なくとも10冊", ">="),
        ("500mに満たない", "<"),
        ("10kgを限度とする", "<="),
        ("10kgより重い", ">"),
        ("17時以降", ">="),
    ],
)
def test_bounds_are_told_apart(written, bound):
    assert [one.bound for one in quantities.parse(written)] == [bound]


@pytest.mark.parametrize(
    "written",
    [
        "SD345",
        "D13",
        "T-25",
        "12-34",
        "3.2.1",
        "3．2．1",
        "表2-1-1",
        "図7-3",
        "JIS-A5308",
        "一般に",
        "三角",
        "十分な",
        "一つ",
        "二級河川",
    ],
)
def test_codes_and_words_are_no_quantities(written):
    assert quantities.parse(written) == []


@pytest.mark.parametrize("written", ["令和7年6月1日", "平成三年", "R7.3.31", "2025/3/31", "6月から", "9月30日"])
def test_dates_are_no_quantities(written):
    assert notation.parse_dates(written)
    assert quantities.parse(written) == []


@pytest.mark.parametrize(
    ("written", "date"),
    [
        ("令和7年3月31日", (2025, 3, 31)),
        ("令和元年", (2019, 0, 0)),
        ("昭和三十三年", (1958, 0, 0)),
        ("平成9年度", (1997, 0, 0)),
        ("２０２５年３月", (2025, 3, 0)),
        ("R7.3.31", (2025, 3, 31)),
        ("2025-03-31", (2025, 3, 31)),
        ("十二月三十一日", (0, 12, 31)),
        ("1995年以降", (1995, 0, 0)),
        ("昭和56年以前", (1981, 0, 0)),
    ],
)
def test_dates_are_read_by_era_and_by_year(written, date):
    assert days(written) == [date]


@pytest.mark.parametrize("written", ["100年確率", "2000年以上", "10年間", "3か月間", "2.5.1", "13月", "6月間"])
def test_what_only_looks_like_a_date_is_none(written):
    assert days(written) == []


def test_a_date_without_a_year_takes_the_one_before():
    found = notation.with_years_filled(notation.parse_dates("令和7年6月1日から9月30日まで"))
    assert (2025, 9, 30) in [(one.year, one.month, one.day) for one in found]


def test_places_are_those_of_the_original():
    text = "流量は１，５００㎥／ｓ、工期は㋿令和７年３月３１日まで"
    (flow,), (day,) = quantities.parse(text), notation.parse_dates(text)
    assert text[flow.start : flow.end] == "１，５００㎥／ｓ"
    assert text[day.start : day.end] == "令和７年３月３１日"


def test_the_words_of_a_bound_can_be_quoted():
    text = "高さは２ｍ 以上とする"
    (one,) = quantities.parse(text)
    assert (text[one.start : one.end], text[one.start : one.bound_end]) == ("２ｍ", "２ｍ 以上")


def test_circled_numbers_are_marks_of_items():
    assert quantities.parse("①幅 ②高さ") == []


@pytest.mark.parametrize(
    "hostile",
    ["10^9999 m", "9" * 5000 + "^9999", "一" * 20000, "1/0", "0分の1", "1" + ",000" * 5000, "a" + "1" * 50_000],
)
def test_numbers_without_end_are_left_out_in_no_time(hostile):
    assert all(one.value < 10**15 or one.value == float("inf") for one in quantities.parse(hostile))
