"""Format the values of spreadsheet cells as Excel displays them: dates of both calendars, percentages, thousands."""

import datetime
import functools
import math
import re
import zipfile
from dataclasses import dataclass
from typing import Any

from app.base.lazy_pattern import lazy_pattern
from app.documents.reading.office_xml import attribute, children_of, whole_number

# Formats that a file names by number only. Those from 27 on have these meanings in Japanese Excel.
_BUILTIN = {
    1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 5: '"¥"#,##0', 6: '"¥"#,##0', 7: '"¥"#,##0.00', 8: '"¥"#,##0.00',
    9: "0%", 10: "0.00%", 11: "0.00E+00", 12: "# ?/?", 13: "# ??/??", 14: "yyyy/m/d", 15: "d-mmm-yy", 16: "d-mmm",
    17: "mmm-yy", 18: "h:mm AM/PM", 19: "h:mm:ss AM/PM", 20: "h:mm", 21: "h:mm:ss", 22: "yyyy/m/d h:mm", 37: "#,##0",
    38: "#,##0", 39: "#,##0.00", 40: "#,##0.00", 45: "mm:ss", 46: "[h]:mm:ss", 47: "mm:ss.0", 48: "##0.0E+0",
    **dict.fromkeys((27, 36, 50, 57), "ge.m.d"), **dict.fromkeys((28, 29, 51, 54, 58), 'ggge"年"m"月"d"日"'),
    30: "m/d/yy", 31: 'yyyy"年"m"月"d"日"', 32: 'h"時"mm"分"', 33: 'h"時"mm"分"ss"秒"',
    **dict.fromkeys((34, 52, 55), 'yyyy"年"m"月"'), **dict.fromkeys((35, 53, 56), 'm"月"d"日"'),
}  # fmt: skip
_STYLES_MOST = 65_535  # Excel's limit is 65,490


def read_number_formats(archive: zipfile.ZipFile, part: str) -> list[str]:
    """Return the number format of each cell style, "" for General. Raises the errors of `children_of`."""
    named = {
        whole_number(attribute(one, "numFmtId")): attribute(one, "formatCode")
        for one in children_of(archive, part, "numFmts")
    }
    formats: list[str] = []
    for style in children_of(archive, part, "cellXfs"):
        number = whole_number(attribute(style, "numFmtId"))
        code = named.get(number) or _BUILTIN.get(number, "")
        formats.append("" if code.lower() in ("general", "@", "標準") else code)
    return formats[:_STYLES_MOST]


_ERAS = (
    (datetime.date(2019, 5, 1), "令和", "R"),
    (datetime.date(1989, 1, 8), "平成", "H"),
    (datetime.date(1926, 12, 25), "昭和", "S"),
    (datetime.date(1912, 7, 30), "大正", "T"),
    (datetime.date(1868, 1, 25), "明治", "M"),
)
_DAYS = "月火水木金土日"
_ENGLISH_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_PARTS = lazy_pattern(
    r'"([^"]*)"|\\(.)|_.|\*.|\[[^\]]*\]'
    r"|(g{1,3}|yyyy|yy|e{1,2}|m{1,5}|d{1,4}|a{3,4}|h{1,2}|s{1,2}|AM/PM|\.0+)|(.)",
    re.IGNORECASE | re.DOTALL,
)
_SCALE = lazy_pattern(r"(?<=[0#?])(,+)(?![0#?,])")  # a comma after the last digit divides by 1,000
_CONDITION = lazy_pattern(r"\[[<>=]")
_FRACTION = lazy_pattern(r"[0#?]\s*/\s*[0-9#?]")
_DATE_PARTS = lazy_pattern(r"g+|y+|e+|m+|d+|a{3,4}|h+|s+", re.IGNORECASE)


def format_value(value: Any, number_format: str) -> str:
    """Return a value as Excel displays it by the first section of a number format; "": General."""
    match value:
        case str():
            return value
        case bool():
            return "TRUE" if value else "FALSE"
        case datetime.datetime() | datetime.date() | datetime.time():
            return _date(value, number_format)
        case datetime.timedelta():
            return _span(value)
        case float() if not math.isfinite(value):
            return str(value)
        case int() | float():
            layout = _number_layout(number_format) if number_format else None
            return layout.format(value) if layout else _plain(value)
    return str(value)


@dataclass(frozen=True, slots=True)
class _NumberLayout:
    """How a number format displays numbers. `divisor`: 1,000 for each comma after the last digit."""

    digits: int
    is_percent: bool
    divisor: int
    zeros: int
    has_separators: bool
    drops_zeros: bool
    before: str
    after: str

    def format(self, value: float) -> str:
        if self.is_percent:
            return f"{value * 100:.{self.digits}f}%"
        value /= self.divisor
        zeros = self.zeros + (value < 0)
        text = f"{value:,.{self.digits}f}" if self.has_separators else f"{value:0{zeros}.{self.digits}f}"
        if self.drops_zeros:
            text = text.rstrip("0").rstrip(".")
        return (self.before + text + self.after).strip()


@functools.lru_cache(maxsize=1000)
def _number_layout(number_format: str) -> _NumberLayout | None:
    """Return the layout of a number format; None if numbers are displayed as in the format General."""
    if _CONDITION.search(number_format):  # which part applies depends on the value
        return None
    chosen = number_format.split(";")[0]
    bare = re.sub(r'"[^"]*"|\\.|\[[^\]]*\]|_.|\*.', "", chosen)
    places = re.search(r"\.([0#?]+)", bare)
    digits = len(places[1]) if places else 0
    is_percent = "%" in bare
    if not is_percent and (not re.search(r"[0#?]", bare) or "e" in bare.lower() or _FRACTION.search(bare)):
        return None
    whole = bare.split(".")[0]
    around = [re.sub(r"\\(.)|\"([^\"]*)\"|\[[^\]]*\]|_.|\*.", r"\1\2", part) for part in re.split(r"[0#?,.]+", chosen)]
    return _NumberLayout(
        digits,
        is_percent,
        1000 ** len("".join(_SCALE.findall(bare))),
        whole.count("0") + (digits + 1 if digits else 0),
        re.search(r",[0#?]", whole) is not None,
        places is not None and "#" in places[1],
        around[0] if len(around) >= 2 else "",
        around[-1] if len(around) >= 2 else "",
    )


def _plain(value: float) -> str:
    """Return a number in Excel's General format: 11 digits, without binary rounding errors (0.1 + 0.2)."""
    if isinstance(value, int) or (value == int(value) if abs(value) < 1e15 else False):
        return str(int(value))
    return f"{value:.15g}" if abs(value) >= 1e15 or 0 < abs(value) < 1e-4 else f"{value:.11g}"


def _span(value: datetime.timedelta) -> str:
    minutes, seconds = divmod(int(value.total_seconds()), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"


def _date(value: datetime.date | datetime.time, number_format: str) -> str:
    found, codes = _date_parts(number_format)
    if not codes:
        return value.isoformat().replace("T00:00:00", "").replace("T", " ")
    return "".join(_format_part(value, match, codes, place) for place, match in enumerate(found)).strip()


@functools.lru_cache(maxsize=1000)
def _date_parts(number_format: str) -> tuple[list[re.Match[str]], list[str]]:
    """Return the parts of a date format, and the code of each ("" for text between); no codes: it is none."""
    chosen = number_format.split(";")[0]
    bare = re.sub(r'\[[^\]]*\]|"[^"]*"', "", chosen)
    if bare.lower() == "general" or not _DATE_PARTS.search(bare):
        return [], []
    found = [match for match in _PARTS.finditer(chosen) if match[0]]
    return found, [(match[3] or "").lower() for match in found]


def _format_part(value: Any, match: re.Match[str], codes: list[str], index: int) -> str:
    code = codes[index]
    if not code:
        return match[1] or match[2] or match[4] or ""
    has_half = "am/pm" in codes
    if code.startswith("m"):
        around = [one for one in codes[:index] if one][-1:] + [one for one in codes[index + 1 :] if one][:1]
        is_minute = any(one.startswith("h") for one in around[:1]) or any(one.startswith("s") for one in around[-1:])
        if is_minute:
            return _two_digits(getattr(value, "minute", 0), code)
    if code[0] in "hs" or code in ("am/pm",) or code[0] == ".":
        return _time(value, code, has_half)
    return _day(value, code) if isinstance(value, datetime.date) else ""


def _time(value: Any, code: str, has_half: bool) -> str:
    hour = getattr(value, "hour", 0)
    if code == "am/pm":
        return "AM" if hour < 12 else "PM"
    if code.startswith("h"):
        return _two_digits((hour % 12 or 12) if has_half else hour, code)
    if code.startswith("s"):
        return _two_digits(getattr(value, "second", 0), code)
    return "." + f"{getattr(value, 'microsecond', 0):06}"[: len(code) - 1]


def _day(value: datetime.date, code: str) -> str:
    day = value.date() if isinstance(value, datetime.datetime) else value
    begin, era, letter = next((one for one in _ERAS if day >= one[0]), (datetime.date(1, 1, 1), "", ""))
    year = day.year - begin.year + 1
    texts = {
        "yyyy": f"{day.year:04}",
        "yy": f"{day.year % 100:02}",
        "e": str(year),
        "ee": f"{year:02}",
        "ggg": era,
        "gg": era[:1],
        "g": letter,
        "aaa": _DAYS[day.weekday()],
        "aaaa": _DAYS[day.weekday()] + "曜日",
        "ddd": _ENGLISH_DAYS[day.weekday()],
    }
    if code.startswith("d"):
        return texts["ddd"] if len(code) > 2 else _two_digits(day.day, code)
    if code.startswith("m"):
        return day.strftime("%b") if len(code) > 2 else _two_digits(day.month, code)
    return texts.get(code, str(day.year))


def _two_digits(number: int, code: str) -> str:
    return f"{number:02}" if len(code) > 1 else str(number)
