"""A value is the same however it is written, never the same as another, and what an answer says of it is compared."""

import itertools
from fractions import Fraction

import pytest

from app.documents.records import Passage
from app.documents.values import notation, quantities, spans
from tests.documents.driver import is_marked, make_passage

KANJI = "〇一二三四五六七八九"


def plain(number: float) -> str:
    return f"{number:.9f}".rstrip("0").rstrip(".")


def kanji(number: int) -> str:
    tens, ones = divmod(number, 10)
    return ("" if tens < 2 else KANJI[tens]) + ("十" if tens else "") + (KANJI[ones] if ones or not tens else "")


def durations(minutes: int) -> list[str]:
    hours, rest = divmod(minutes, 60)
    found = [f"{minutes}分", f"{minutes}分間", f"{minutes * 60:,}秒", f"{minutes / 60:.10g}時間"]
    if hours:
        found += [f"{hours}時間{rest}分", f"{kanji(hours)}時間{kanji(rest)}分"] if rest else [f"{hours}時間"]
        found += [f"{hours}時間半", f"{kanji(hours)}時間半"] if rest == 30 else []
    return found


def months(count: int) -> list[str]:
    years, rest = divmod(count, 12)
    found = [f"{count}か月", f"{count}ヶ月間", f"{count}カ月", f"{kanji(count)}箇月"]
    return found + ([f"{years}年{rest}か月" if rest else f"{years}年間"] if years else [])


def clocks(minutes: int) -> list[str]:
    hour, minute = divmod(minutes, 60)
    half = "午前" if hour < 12 else "午後"
    found = [
        f"{hour}時{minute:02}分" if minute else f"{hour}時",
        f"{half}{hour % 12}時{minute}分",
        f"{hour:02}:{minute:02}",
    ]
    found += [f"{hour}時半", f"{half}{hour % 12}時半"] if minute == 30 else []
    return found + (["正午"] if minutes == 720 else [])


def shares(percent: int) -> list[str]:
    part = Fraction(percent, 100)
    found = [f"{percent}%", f"{percent}パーセント", f"{percent / 100:g}倍", f"{percent / 10:g}割"]
    found += [f"{part.denominator}分の{part.numerator}", f"{percent / 100:g}"] if percent < 100 else []
    found += [f"{percent // 10}割{percent % 10}分"] if percent < 100 and percent % 10 and percent > 10 else []
    return found + (["半分", "半額", "2分の1", "二分の一"] if percent == 50 else [])


def lengths(millimetres: int) -> list[str]:
    metres, rest = divmod(millimetres, 1000)
    found = [
        f"{millimetres}mm",
        f"{millimetres}ミリメートル",
        f"{millimetres / 10:g}cm",
        f"{millimetres / 1000:g}m",
        f"{plain(millimetres / 1e6)}km",
    ]
    return found + ([f"{metres}m{rest / 10:g}cm"] if metres and rest else [])


def rates(litres: int) -> list[str]:
    return [
        f"1m²当たり{litres}L", f"1平方メートルにつき{litres}リットル", f"1㎡あたり{litres * 1000:,}mL", f"{litres}L/m2",
        f"{litres * 1000}mL／㎡", f"{litres}リットル毎平方メートル", f"100m2につき散布量{litres * 100}L",
    ]  # fmt: skip


def speeds(metres: int) -> list[str]:
    return [
        f"毎秒{metres}m", f"秒速{metres}メートル", f"{metres}m/s", f"{metres}メートル毎秒",
        f"時速{metres * 3.6:.10g}km", f"{metres * 3.6:.10g}km/h", f"毎分{metres * 60}m", f"秒速{kanji(metres)}メートル",
    ]  # fmt: skip


def colds(degrees: int) -> list[str]:
    return [f"マイナス{degrees}℃", f"-{degrees}℃", f"−{degrees}度", f"氷点下{degrees}度", f"零下{degrees}℃"]


def sums(yen: int) -> list[str]:
    found = [f"{yen}円", f"{yen:,}円", f"¥{yen:,}", f"￥{yen}"]
    return found + ([f"{yen // 10_000}万円"] if yen % 10_000 == 0 else [])


def scaled(kilo: int) -> list[str]:
    return [f"{kilo}kbps", f"{kilo * 1000}bps", f"{kilo / 1000:g}Mbps", f"{plain(kilo / 1e6)}Gbps"]


KINDS = {
    "durations": (durations, (30, 45, 60, 75, 90, 150, 600)),
    "months": (months, (1, 6, 12, 13, 18, 24, 36)),
    "clocks": (clocks, (0, 510, 540, 720, 1035, 1050, 1410)),
    "shares": (shares, (5, 10, 20, 25, 50, 55, 80, 150, 200)),
    "lengths": (lengths, (5, 150, 1000, 1500, 2340, 15_000)),
    "rates": (rates, (1, 2, 4, 10)),
    "speeds": (speeds, (2, 5, 10, 15)),
    "colds": (colds, (2, 15, 20)),
    "sums": (sums, (500, 600, 5000, 50_000, 120_000)),
    "scaled": (scaled, (64, 200, 1000, 200_000)),
}


def read(written: str) -> quantities.Quantity:
    """The value that a text is about: the last, after what it is for each of."""
    return quantities.parse(written)[-1]


@pytest.mark.parametrize("kind", KINDS)
def test_a_value_is_the_same_in_every_way_of_writing_it(kind: str) -> None:
    ways, numbers = KINDS[kind]
    for number in numbers:
        for one, other in itertools.product(ways(number), repeat=2):
            assert read(one).is_same(read(other)), (one, other)


@pytest.mark.parametrize("kind", KINDS)
def test_other_values_are_never_the_same(kind: str) -> None:
    ways, numbers = KINDS[kind]
    for number, another in itertools.permutations(numbers, 2):
        for one, other in itertools.product(ways(number), ways(another)):
            assert not read(one).is_same(read(other)), (one, other)


def test_values_of_two_kinds_are_never_the_same() -> None:
    kinds = [kind for kind in KINDS if kind != "shares"]  # 0.5 alone has no kind
    for first, second in itertools.combinations(kinds, 2):
        (one_ways, ones), (other_ways, others) = KINDS[first], KINDS[second]
        for one, other in itertools.product(one_ways(ones[1]), other_ways(others[1])):
            assert not read(one).is_same(read(other)), (one, other)


@pytest.mark.parametrize(
    ("written", "count"),
    [("1日8時間", 2), ("1週40時間", 2), ("90分", 1), ("1分30秒", 1), ("(1) 5m", 1), ("25時70分", 0)],
)
def test_only_the_parts_of_one_value_are_joined(written: str, count: int) -> None:
    assert len(quantities.parse(written)) == count


def test_an_afternoon_lasts_to_the_end_of_its_range() -> None:
    assert [one.value for one in quantities.parse("午後1時から5時まで")] == [780, 1020]
    assert [one.value for one in quantities.parse("午前9時から5時まで")] == [540, 1020]
    assert [one.value for one in quantities.parse("22時から5時まで")] == [1320, 300]


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("令和9年10月1日から令和11年9月30日まで", "2年間"), ("2025年4月1日から6月30日まで", "3か月"),
        ("2027年10月1日（金）から10月14日まで", "14日間"), ("2025年4月から2026年3月まで", "1年間"),
        ("9時から17時まで", "8時間"), ("午後10時から午前6時まで", "8時間"), ("(1) 旗 (2) 笛 (3) 灯", "3つ"),
    ],
)  # fmt: skip
def test_a_length_follows_from_its_ends(text: str, length: str) -> None:
    found = [one for one in spans.derive_values(text) if isinstance(one, quantities.Quantity)]
    assert any(one.is_same(read(length)) for one in found)
    other = length.replace(length[0], "7")
    assert not any(one.is_same(read(other)) for one in found)


def test_a_term_gives_its_last_day() -> None:
    ends = [one for one in spans.derive_values("2027年10月1日から2年間") if isinstance(one, notation.Date)]
    assert (2029, 9, 30) in [(one.year, one.month, one.day) for one in ends]
    assert not spans.derive_values("2027年13月41日から2027年2月30日まで")


HALL = make_passage(
    "区分 | 平日 | 土曜日\n大ホール | 4,500円 | 5,500円\n卓球室 | 600円 | 800円\n"
    "12歳以下の使用料は、上の額の半額とする。暖房を使うときは、1時間につき500円を加える。使用時間は9時から17時までとする。"
    "回線の速さは200Mbpsとする。定員は50人以上100人以下とする。予約は、使用日の30日前までとし、1人3件を超えてはならない。",
    "体育館", "使用料",
)  # fmt: skip
MIX = make_passage(
    "| 配合 | 水(kg) | セメント (kg/m3) | 水セメント比 |\n|---|---|---|---|\n"
    "| A-1 | 165 | 300 | 55% |\n| A-2 | 170 | 340 | 50% |\n\n"
    "養生の温度は10℃から30℃とし、風速が毎秒5mを超えるときは打ち込まない。",
    "配合",
)  # fmt: skip


@pytest.mark.parametrize(
    ("source", "answer"),
    [
        (HALL, "暖房を使うときは、1時間につき500円を加えます。"),
        (HALL, "12歳以下の使用料は、50%です。"),
        (HALL, "使用時間は午前9時から午後5時までの8時間です。"),
        (HALL, "回線の速さは0.2Gbpsです。"),
        (MIX, "A-1の水は165kgです。"),
        (MIX, "A-2では、1m³につきセメントを340kg使います。"),
        (MIX, "A-1の水セメント比は0.55です。"),
        (MIX, "養生の温度は10〜30℃とします。"),
        (MIX, "養生の温度は10℃以上30℃以下とします。"),
        (MIX, "風速が秒速5mを超えるときは打ち込みません。"),
    ],
)  # fmt: skip
def test_the_same_value_in_other_words_is_not_marked(source: Passage, answer: str) -> None:
    assert not is_marked(answer, [source])


@pytest.mark.parametrize(
    ("source", "answer"),
    [
        (HALL, "暖房を使うときは、1時間につき600円を加えます。"),
        (HALL, "12歳以下の使用料は、40%です。"),
        (HALL, "使用時間は午前9時から午後5時までの9時間です。"),
        (HALL, "回線の速さは200Gbpsです。"),
        (HALL, "定員は50人以下です。"),
        (HALL, "暖房を使うときは、1日につき500円を加えます。"),
        (MIX, "A-1の水は165gです。"),
        (MIX, "A-2では、1m³につきセメントを300kg使います。"),
        (MIX, "A-1の水セメント比は0.50です。"),
        (MIX, "養生の温度は30℃以上とします。"),
        (MIX, "風速が毎分5mを超えるときは打ち込みません。"),
    ],
)  # fmt: skip
def test_another_value_bound_or_unit_is_marked_although_it_stands_elsewhere(source: Passage, answer: str) -> None:
    assert is_marked(answer, [source])


@pytest.mark.parametrize("text", ["8時70分に始まる。", "受付は30時までです。"])
def test_a_time_that_no_clock_shows_is_read_past(text: str) -> None:
    assert quantities.parse(text) == []
