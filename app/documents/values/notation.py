"""Parse numbers, units and dates as Japanese technical text writes them, each in one comparable form.

Numbers may be full width, grouped by commas, in kanji, or with 万 and 億; units of one quantity are converted to one of
them and flattened: ㎥ is m3, ² is ^2. Rounded conversions (kgf to N, `is_rounded`) are equal up to 1 %. Dates are
Western or by era: 2025年3月31日, 令和7年度, 昭和三十三年, R7.3.31, 2025/3/31, 6月. 100年 is a quantity, no date.
"""

import re
import unicodedata
from collections.abc import Callable, Collection

from msgspec import Struct, structs

from app.base.lazy_pattern import lazy_pattern

KANJI_NUMERALS = "〇一二三四五六七八九十百千零"
_DIGITS = {character: value for value, character in enumerate("〇一二三四五六七八九")} | {"零": 0}
_STEPS = {"十": 10, "百": 100, "千": 1000}
_MYRIADS = {"万": 10**4, "億": 10**8, "兆": 10**12}
_PART = lazy_pattern(
    r"(?P<digits>\d[\d,]*(?:\.\d+)?)|(?P<kanji>[〇零一二三四五六七八九]+)|(?P<step>[十百千])|(?P<myriad>[万億兆])"
)


class _Flat(dict[int, str]):
    """A table for str.translate: NFKC, raised digits as ^2, dashes of one kind as one character."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        flat = unicodedata.normalize("NFKC", character)
        decomposition = unicodedata.decomposition(character)
        if decomposition.startswith("<circle>"):  # ① numbers items
            flat = character
        elif decomposition.startswith("<super>"):
            flat = "^" + flat.replace("\u2212", "-")
        elif character in "\u301c\u2013\u2014\u2015\u2053\u223c\u223e":  # wave and long dashes
            flat = "~"
        elif character in "\u2010\u2011\u2012\u2212\ufe63\uff0d":
            flat = "-"
        self[code] = flat
        return flat


_FLAT = _Flat()


def flatten(text: str) -> tuple[str, Callable[[int], int]]:
    """Return a text with one spelling for each character, and a function from its offsets to the original's."""
    flat = text.translate(_FLAT)
    if len(flat) == len(text):
        return flat, int
    origin = [at for at, character in enumerate(text) for _ in _FLAT[ord(character)]]
    origin.append(len(text))
    return flat, origin.__getitem__


_WRITTEN_NUMBER = lazy_pattern(r"[0-9]+(?:[.,][0-9]+)*")
_NARROW = str.maketrans("０１２３４５６７８９．，", "0123456789.,")


def numbers_in(text: str) -> list[tuple[str, int, int]]:
    """Return (number, start, end) of each number in digits, as 3.2.1 or 24: narrow and without grouping commas."""
    found = _WRITTEN_NUMBER.finditer(text.translate(_NARROW))
    return [(one[0].replace(",", ""), one.start(), one.end()) for one in found]


def parse_numeral(notation: str) -> float:
    """Return the value of a flattened numeral: 1,000 1.5 三十三 2千 1万2千 3億5,000万 二〇二五. Raises ValueError."""
    if notation.isdecimal():
        return float(notation)
    total = block = 0.0  # value up to the last 万 or 億, and after it
    pending: float | None = None  # digits before a possible 十, 百 or 千
    at = 0
    while at < len(notation):
        part = _PART.match(notation, at)
        if part is None:
            raise ValueError(notation)
        at = part.end()
        if part["digits"]:
            pending = float(part["digits"].replace(",", ""))
        elif part["kanji"]:
            pending = float("".join(str(_DIGITS[character]) for character in part["kanji"]))
        elif part["step"]:
            block += (1 if pending is None else pending) * _STEPS[part["step"]]
            pending = None
        else:
            total += (block + (pending or 0.0) or 1) * _MYRIADS[part["myriad"]]
            block, pending = 0.0, None
    return total + block + (pending or 0.0)


ROUNDED_TOLERANCE = 0.01
_GRAVITY = 9.80665  # m/s2, the conventional value (BIPM, The International System of Units, 9th edition)


class Unit(Struct, frozen=True):
    """A unit of measurement. `name`: the unit in which values are compared. `factor` converts a value to that unit."""

    name: str
    factor: float = 1.0
    is_rounded: bool = False


# SI prefixes in symbols and kana (BIPM, 9th edition, table 7).
_PREFIXES = {
    "p": ("ピコ", 1e-12),
    "n": ("ナノ", 1e-9),
    "μ": ("マイクロ", 1e-6),
    "m": ("ミリ", 1e-3),
    "c": ("センチ", 1e-2),
    "d": ("デシ", 1e-1),
    "h": ("ヘクト", 1e2),
    "k": ("キロ", 1e3),
    "K": ("キロ", 1e3),
    "M": ("メガ", 1e6),
    "G": ("ギガ", 1e9),
    "T": ("テラ", 1e12),
}
# symbol, kana, name, factor, common prefixes
_PREFIXED = (
    ("m", "メートル", "m", 1, "nμmck"),
    ("L", "リットル", "m3", 1e-3, "μmdk"),
    ("l", "リットル", "m3", 1e-3, "μmdk"),
    ("g", "グラム", "kg", 1e-3, "nμmk"),
    ("t", "トン", "kg", 1e3, "k"),
    ("s", "秒", "s", 1, "nμm"),
    ("Pa", "パスカル", "N/mm2", 1e-6, "mhkMG"),
    ("N", "ニュートン", "kN", 1e-3, "mkM"),
    ("W", "ワット", "kW", 1e-3, "μmkMG"),
    ("Wh", "ワット時", "kWh", 1e-3, "mkMG"),
    ("VA", "ボルトアンペア", "VA", 1, "kM"),
    ("J", "ジュール", "J", 1, "mkMG"),
    ("cal", "カロリー", "cal", 1, "k"),
    ("V", "ボルト", "V", 1, "μmkM"),
    ("A", "アンペア", "A", 1, "μmk"),
    ("Ah", "アンペア時", "Ah", 1, "mk"),
    ("Ω", "オーム", "Ω", 1, "mkM"),
    ("Hz", "ヘルツ", "Hz", 1, "kMGT"),
    ("B", "バイト", "B", 1, "kKMGT"),
    ("bps", "ビット毎秒", "bps", 1, "kKMGT"),
    ("b/s", "bit/s", "bps", 1, "kKMGT"),
    ("Bq", "ベクレル", "Bq", 1, "mkMGT"),
    ("Sv", "シーベルト", "Sv", 1, "nμm"),
    ("Gy", "グレイ", "Gy", 1, "μm"),
    ("lx", "ルクス", "lx", 1, "k"),
    ("lm", "ルーメン", "lm", 1, "k"),
    ("cd", "カンデラ", "cd", 1, "m"),
    ("mol", "モル", "mol", 1, "nμm"),
    ("eV", "電子ボルト", "eV", 1, "kMG"),
)
# name -> (factor, spellings separated by spaces)…; a raised digit may also be written ^2, ^2^ or ^{2}.
_SCALES: dict[str, tuple[tuple[float, str], ...]] = {
    "m": ((1e-3, "ミリ"), (1e-2, "センチ")),
    "m2": (
        (1e-6, "mm2 平方ミリメートル"),
        (1e-4, "cm2 平方センチメートル"),
        (1, "m2 平方メートル 平米"),
        (1e2, "a アール"),
        (1e4, "ha ヘクタール"),
        (1e6, "km2 平方キロメートル"),
    ),
    "m3": (
        (1e-9, "mm3"),
        (1e-6, "cm3 cc 立方センチメートル"),
        (1, "m3 立方メートル 立米"),
        (1e9, "km3"),
    ),
    "m3/s": (
        (1, "m3/s m3/sec m3/秒 トン/秒 立方メートル毎秒"),
        (1 / 60, "m3/min m3/分"),
        (1 / 3600, "m3/h m3/時"),
        (1e-3, "L/s l/s L/秒"),
    ),
    "m/s": (
        (1e-2, "cm/s cm/sec cm/秒"),
        (1, "m/s m/sec m/秒 メートル毎秒"),
        (1 / 3.6, "km/h キロメートル毎時"),
        (1e-3 / 3600, "mm/h mm/hr mm/時 mm/時間"),
        (1e-3 / 86_400, "mm/日 mm/day"),
    ),
    "m/s2": ((1, "m/s2"), (1e-2, "gal Gal ガル")),
    "N/mm2": ((1e-6, "N/m2"), (1e-3, "kN/m2"), (1, "N/mm2"), (1e3, "kN/mm2"), (0.1, "bar バール")),
    "kN/m": ((1e-3, "N/m"), (1, "kN/m")),
    "kN/m3": ((1e-3, "N/m3"), (1, "kN/m3")),
    "kN·m": ((1e-3, "N·m N・m Nm"), (1, "kN·m kN・m kNm")),
    "キロ": ((1, "キロ"),),  # kilograms or kilometres: compatible with both
    "kg/m3": (
        (1e-9, "μg/m3 ng/L"),
        (1e-6, "μg/L mg/m3 ppb"),
        (1e-3, "mg/L mg/l ppm g/m3 μg/mL"),
        (1e-2, "mg/dL"),
        (1, "kg/m3 g/L mg/mL"),
        (1e3, "t/m3 g/cm3 g/mL"),
    ),
    "%": ((1, "% パーセント"), (10, "割"), (0.1, "‰ パーミル"), (100, "倍")),
    "°": ((1, "° deg"),),
    "°C": ((1, "°C 度C"),),
    "度": ((1, "度"),),  # an angle or a temperature: compatible with both
    "s": (
        (1, "秒間 sec"),
        (60, "分 分間 min"),
        (3600, "時間 h"),
        (86_400, "日 日間 日分"),
        (604_800, "週間 週 週間分"),
    ),
    "か月": (
        (1, "か月 ヶ月 ケ月 カ月 ヵ月 箇月 か月分 ヶ月分 カ月分 月間 か月間 ヶ月間 カ月間 ヵ月間 箇月間"),
        (12, "年 年間 か年 ヶ年 カ年 箇年 か年間"),
    ),
    "B": ((1024, "KiB"), (1024**2, "MiB"), (1024**3, "GiB"), (1024**4, "TiB")),
    "dB": ((1, "dB デシベル"),),
    "円": ((0.01, "銭"), (1, "円"), (1e3, "千円"), (1e4, "万円"), (1e6, "百万円"), (1e8, "億円")),
    "人": ((1, "人 名"),),
    "か所": ((1, "か所 箇所 ヶ所 カ所 ヵ所 ケ所"),),
    **{f"{day}曜": ((1, f"{day}曜日 {day}曜"),) for day in "日月火水木金土"},
    "か国": ((1, "か国 ヶ国 カ国 箇国"),),
}
_ROUNDED: dict[str, tuple[tuple[float, str], ...]] = {
    "N/mm2": ((_GRAVITY / 100, "kgf/cm2"), (_GRAVITY, "kgf/mm2"), (_GRAVITY / 1000, "tf/m2")),
    "kN": ((_GRAVITY / 1000, "kgf"), (_GRAVITY, "tf")),
    "kN/m": ((_GRAVITY, "tf/m"),),
    "kN/m3": ((_GRAVITY, "tf/m3"),),
    "kN·m": ((_GRAVITY, "tf·m tf・m"),),
}
# Counters that are not converted.
_COUNTERS = """回 個 件 本 枚 台 基 門 戸 棟 社 校 種類 種 段階 段 層 階建て 階 等級 級 点 次 巻 冊 字 文字 行 列 語
    項目 つ ページ 頁 歳 才 班 組 世帯 集落 地点 測点 断面 スパン ケース ブロック パターン サイクル ステップ 錠
    包 粒 滴 カプセル 匹 頭 羽 尾 株 輪 杯 皿 膳 切れ 束 袋 箱 缶 瓶 樽 玉 丁 足 着 双 対 脚 面 体 隻 艘 両 便
    機 席 名分 人分 回分 人前 通 部 票 口 筆 軒 床 泊 泊分 時限 単位 学期 講 問 曲 球 試合 周 桁 画素 例
    坪 畳 食 食分 年生 年次 条件 要件 工程 箇条 歩 区画 か条 パーセントポイント
    ダース rpm ドル 米ドル ユーロ ポンド"""
COUNTED = frozenset([*_COUNTERS.split(), "人", "か所", "か国"]) - {"坪", "rpm", "ドル", "米ドル", "ユーロ", "ポンド"}
# Counters that may replace each other: 三度洗う, 3地点, 三つの項目.
_ALIKE = {
    "つ": "か所 点 個 種類 種 項目 件 条件 要件 段階 班 組 社 校 区画 地点 工程 単位 部 棟 室 例 問 箇条",
    "点": "か所 地点 測点 個", "か所": "地点 測点", "回": "度 回分", "人": "人分 人前", "部": "枚 通", "匹": "頭 羽",
    "戸": "世帯 軒", "歳": "才", "階": "階建て", "字": "文字", "ページ": "頁",
}  # fmt: skip
COUNTED_ALIKE = frozenset(frozenset([one, other]) for one, others in _ALIKE.items() for other in others.split())
REFERENCES = ("条", "章", "節", "項", "号", "編", "款", "附則", "版")  # parts of a document; with or without 第

_PERIODS = {
    "年": ("か月", 12.0), "半期": ("か月", 6.0), "四半期": ("か月", 3.0), "月": ("か月", 1.0),
    "週": ("s", 604_800.0), "日": ("s", 86_400.0), "朝": ("s", 86_400.0), "夕": ("s", 86_400.0), "晩": ("s", 86_400.0),
}  # fmt: skip


def _units_by_notation() -> dict[str, Unit]:
    units = {counter: Unit(counter) for counter in (*_COUNTERS.split(), *REFERENCES)}
    for symbol, kana, name, factor, prefixes in _PREFIXED:
        units |= {symbol: Unit(name, factor), kana: Unit(name, factor)}
        for prefix in prefixes:
            in_kana, scale = _PREFIXES[prefix]
            written = in_kana if kana[0] >= "ァ" else prefix  # bit/s
            units |= {prefix + symbol: Unit(name, scale * factor), written + kana: Unit(name, scale * factor)}
    for scales, is_rounded in ((_SCALES, False), (_ROUNDED, True)):
        for name, sizes in scales.items():
            for factor, spellings in sizes:
                units |= {spelling: Unit(name, factor, is_rounded) for spelling in spellings.split()}
    return units


_BY_SPELLING = _units_by_notation()

# Words that begin like a unit.
_NOT_UNITS = (
    "部分|部品|部署|部門|部長|体積|体制|体温|面積|機械|機器|機関|両側|両方|両端|対象|対策|株式|玉石|着手|着工"
    "|口径|口座|室内|室温|床版|床面|限度|限界|歩道|歩行|着用|講習|問題|例外|周辺|周囲|周期|束縛|足場|通り|通知"
    "|通行|点灯|本文|本店|本社|本人|本契約|台帳|台風|基準|基礎|門扉|種別|組織|戸建|件名|件数|枚数|本数|個数|席上"
    "|便所|羽根|頭部|段取|条例|分割|分類|分布|分岐|度目|回目|回り|本化|本来|食品|食堂|食器|食材|食事|食料|食費"
    "|点検|点群|次元|段落|級河川|日本|時点|年度|年代|人工|項目に|名称|行為|列車"
)
# The base of a rate: 5 mm/年 is neither 5 mm nor 5 mm/月.
_EACH = (
    r"(?:\s?[/毎]\s?(?:年|か月|ヶ月|月|週|日|時間|時|分|秒|回|本|台|基|枚|個|人|戸|(?:平方|立方)?メートル|リットル"
    r"|(?:s|min|h|ha|k?m(?:\^?\{?[23]\}?\^?)?|k?g|t|m?L)(?![A-Za-z\d^])))?"
)


def _any_of(words: Collection[str], before: str = "") -> str:
    """Return a pattern for any of these words that follow the character `before`, the longest first.

    It is a tree of characters: an alternation of all words takes much longer to compile. A raised digit is optionally
    marked, and spaces may surround a sign.
    """
    rests: dict[str, list[str]] = {}
    for word in words:
        if word:
            rests.setdefault(word[0], []).append(word[1:])
    if not rests:
        return ""
    branches = "|".join(_written(first, before) + _any_of(rest, first) for first, rest in rests.items())
    return f"(?:{branches})?" if "" in words else f"(?:{branches})" if len(rests) > 1 else branches


def _written(character: str, before: str) -> str:
    """Return a pattern for one character of a unit."""
    if character in "·/":
        return rf"\s?{character}\s?"
    is_raised = character in "23" and before.isascii() and before.isalpha()
    return rf"\^?\{{?{character}\}}?\^?" if is_raised else re.escape(character)


# A unit that ends in a Latin letter or a digit ends the word; 分 begins words such as 分割.
_ENDS = r"(?!(?<=[A-Za-z])[A-Za-z]|(?<=[23}^])[A-Za-z\d]|(?<=分)[割類布岐析離納解担配])"
_IS_WORD = rf"{_any_of(_NOT_UNITS.split('|'))}|分の[\d{KANJI_NUMERALS}]|A[A-Z]"
_SOME_MONTHS = "月(?=以[内上]|未満|を超え|を経過)"
UNIT_PATTERN = rf"(?!{_IS_WORD})(?:{_any_of(_BY_SPELLING)}{_ENDS}|{_SOME_MONTHS}){_EACH}"

_HEAD = lazy_pattern(rf"[(\[]\s?(?:単位\s?:\s?)?(?P<unit>{UNIT_PATTERN})\s?[)\]]|単位\s?:\s?(?P<named>{UNIT_PATTERN})")


def unit_of(notation: str) -> Unit:
    """Return the unit for a match of `UNIT_PATTERN`."""
    spelling = re.sub(r"[\s^{}]", "", notation)
    spelling = "か月" if spelling == "月" else spelling
    if spelling in _BY_SPELLING:
        return _BY_SPELLING[spelling]
    whole, each = re.split("[/毎](?=[^/毎]*$)", spelling)
    unit, part = unit_of(whole), _BY_SPELLING.get({"時": "時間", "月": "か月"}.get(each, each), Unit(each))
    return Unit(f"{unit.name}/{part.name}", unit.factor / part.factor, unit.is_rounded)


def units_of_heads(flat: str) -> list[Unit]:
    """Return the units that a flattened text declares for bare numbers: 幅員(m), 単位：mm; for kg/m3 also kg."""
    written = [found["unit"] or found["named"] for found in _HEAD.finditer(flat)]
    return [unit_of(part) for one in written for part in dict.fromkeys((one, one.partition("/")[0].strip())) if part]


def period_unit(every: str, *, is_every_other: bool) -> tuple[str, float]:
    """Return the unit and length of the period that follows 毎 or 隔: two weeks for 隔週."""
    unit, size = _PERIODS[every]
    return unit, size * 2 if is_every_other else size


_ERAS = {"明治": 1867, "大正": 1911, "昭和": 1925, "平成": 1988, "令和": 2018}
_LETTERS = {"M": "明治", "T": "大正", "S": "昭和", "H": "平成", "R": "令和"}
_N = rf"(?:\d{{1,2}}|[{KANJI_NUMERALS}]{{1,4}})"
_BEHIND_YEAR = "年(?!間|以[上内下]|確)度?"  # otherwise it is a number of years
_LONG = "以[内上]|未満|を超え|を経過"  # 三月以内 is a number of months
_YEAR = rf"(?:(?P<era>{'|'.join(_ERAS)})\s?(?P<era_year>元|{_N})|(?P<year>(?:1[6-9]|20)\d\d))\s?{_BEHIND_YEAR}"
NUMERIC = lazy_pattern(rf"[\d{KANJI_NUMERALS}万億兆半倍元]|正午")  # is in every flattened text with a value or a date
_DATE = lazy_pattern(
    rf"(?=[\d{KANJI_NUMERALS}明大昭平令同MTSHR])(?:"  # a quick look at the first character
    rf"{_YEAR}(?:\s?(?P<month>{_N})\s?月(?!間)(?:\s?(?P<day>{_N})\s?日(?!間))?)?"
    rf"|(?<![\d.])(?P<month_alone>{_N})\s?月(?!間|額|{_LONG})(?:\s?(?P<day_alone>{_N})\s?日(?!間))?"
    rf"|同月\s?(?P<same_month_day>{_N})\s?日(?!間)"
    r"|(?<![A-Za-z\d])(?P<letter>[MTSHR])\s?(?P<letter_year>\d{1,2})\.(?P<letter_month>\d{1,2})(?:\.(?P<letter_day>\d{1,2}))?(?![\d.])"
    r"|(?<![\d./-])(?P<plain_year>(?:1[6-9]|20)\d\d)(?P<sign>[./-])(?P<plain_month>\d{1,2})(?P=sign)(?P<plain_day>\d{1,2})(?![\d./-]))"
)


class Date(Struct, frozen=True):
    """A date in a text at `start` to `end`: Western year; year, month, day are 0 where the text has none."""

    year: int
    month: int
    day: int
    start: int
    end: int

    def is_in(self, other: "Date") -> bool:
        """Whether `other` has the year, month and day that this date has written."""
        parts = ((self.year, other.year), (self.month, other.month), (self.day, other.day))
        return all(own in (0, others) for own, others in parts)


def parse_dates(text: str) -> list[Date]:
    """Return the dates of a text, in order, without impossible days. 同月29日 gets the month of the date before it."""
    flat, origin = flatten(text)
    return [structs.replace(one, start=origin(one.start), end=origin(one.end)) for one in dates_in_flat(flat)]


def dates_in_flat(flat: str) -> list[Date]:
    """Return the dates of a flattened text, with offsets in it."""
    dates: list[Date] = []
    if not NUMERIC.search(flat):
        return dates
    for found in _DATE.finditer(flat):
        parts = _parts(found)
        if found["same_month_day"]:
            day = _number(found["same_month_day"])
            parts = (dates[-1].year, dates[-1].month, day) if dates and dates[-1].month and day <= 31 else (0, 0, day)
        if parts is not None:
            dates.append(Date(*parts, *found.span()))
    return dates


def with_years_filled(dates: list[Date]) -> list[Date]:
    """Return the dates, then copies of those without a year, with that before: 2025年6月1日から9月30日まで."""
    completed, year = list(dates), 0
    for date in dates:
        year = date.year or year
        if year and not date.year:
            completed.append(Date(year, date.month, date.day, date.start, date.end))
    return completed


def _parts(match: re.Match[str]) -> tuple[int, int, int] | None:
    groups = match.groupdict()
    year = _year(groups)
    month = _number(groups["month"] or groups["month_alone"] or groups["letter_month"] or groups["plain_month"])
    day = _number(groups["day"] or groups["day_alone"] or groups["letter_day"] or groups["plain_day"])
    is_possible = month <= 12 and day <= 31 and (year or month)
    return (year, month, day) if is_possible else None


def _year(groups: dict[str, str | None]) -> int:
    era = groups["era"] or _LETTERS.get(groups["letter"] or "")
    if era:
        written = groups["era_year"] or groups["letter_year"]
        return _ERAS[era] + (1 if written == "元" else _number(written))
    return _number(groups["year"] or groups["plain_year"])


def _number(numeral: str | None) -> int:
    return int(parse_numeral(numeral)) if numeral else 0
