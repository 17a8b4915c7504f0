"""A cell's value as its number format shows it: dates of both calendars, percentages, separated thousands."""

import datetime
import math
import re
from typing import Any

_ERAS = (
    (datetime.date(2019, 5, 1), "令和", "R"),
    (datetime.date(1989, 1, 8), "平成", "H"),
    (datetime.date(1926, 12, 25), "昭和", "S"),
    (datetime.date(1912, 7, 30), "大正", "T"),
    (datetime.date(1868, 1, 25), "明治", "M"),
)
_DAYS = "月火水木金土日"
_ENGLISH_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_PARTS = re.compile(
    r'"([^"]*)"|\\(.)|_.|\*.|\[[^\]]*\]'
    r"|(g{1,3}|yyyy|yy|e{1,2}|m{1,5}|d{1,4}|a{3,4}|h{1,2}|s{1,2}|AM/PM|\.0+)|(.)",
    re.IGNORECASE | re.DOTALL,
)
_SCALE = re.compile(r"(?<=[0#?])(,+)(?![0#?,])")  # a comma behind the last digit: in thousands
_FRACTION = re.compile(r"[0#?]\s*/\s*[0-9#?]")
_DATE_PARTS = re.compile(r"g+|y+|e+|m+|d+|a{3,4}|h+|s+", re.IGNORECASE)


def shown(value: Any, number_format: str) -> str:
    """`value`: what openpyxl gives; `number_format`: as Excel writes it, the first of its parts counts."""
    match value:
        case bool():
            return "TRUE" if value else "FALSE"
        case datetime.datetime() | datetime.date() | datetime.time():
            return _date(value, number_format)
        case datetime.timedelta():
            return _span(value)
        case float() if not math.isfinite(value):
            return str(value)
        case int() | float():
            return _number(value, number_format)
    return str(value)


def _number(value: float, number_format: str) -> str:
    chosen = number_format.split(";")[0]
    bare = re.sub(r'"[^"]*"|\\.|\[[^\]]*\]|_.|\*.', "", chosen)
    places = re.search(r"\.([0#?]+)", bare)
    digits = len(places[1]) if places else 0
    if "%" in bare:
        return f"{value * 100:.{digits}f}%"
    if not re.search(r"[0#?]", bare) or "e" in bare.lower() or _FRACTION.search(bare):
        return _plain(value)
    whole = re.split(r"[.]", bare)[0]
    value /= 1000 ** len("".join(_SCALE.findall(bare)))
    zeros = whole.count("0") + (digits + 1 if digits else 0) + (value < 0)
    text = f"{value:,.{digits}f}" if re.search(r",[0#?]", whole) else f"{value:0{zeros}.{digits}f}"
    if places and "#" in places[1]:
        text = text.rstrip("0").rstrip(".")
    around = [re.sub(r"\\(.)|\"([^\"]*)\"|\[[^\]]*\]|_.|\*.", r"\1\2", part) for part in re.split(r"[0#?,.]+", chosen)]
    return (around[0] + text + around[-1]).strip() if len(around) >= 2 else text


def _plain(value: float) -> str:
    """As Excel's General: 11 digits, no error of the binary form (0.1 + 0.2)."""
    if isinstance(value, int) or (value == int(value) if abs(value) < 1e15 else False):
        return str(int(value))
    return f"{value:.15g}" if abs(value) >= 1e15 or 0 < abs(value) < 1e-4 else f"{value:.11g}"


def _span(value: datetime.timedelta) -> str:
    minutes, seconds = divmod(int(value.total_seconds()), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"


def _date(value: datetime.date | datetime.time, number_format: str) -> str:
    chosen = number_format.split(";")[0]
    bare = re.sub(r'\[[^\]]*\]|"[^"]*"', "", chosen)
    if bare.lower() == "general" or not _DATE_PARTS.search(bare):
        return value.isoformat().replace("T00:00:00", "").replace("T", " ")
    found = [match for match in _PARTS.finditer(chosen) if match[0]]
    codes = [(match[3] or "").lower() for match in found]
    return "".join(_part(value, match, codes, place) for place, match in enumerate(found)).strip()


def _part(value: Any, match: re.Match[str], codes: list[str], place: int) -> str:
    code = codes[place]
    if not code:
        return match[1] or match[2] or match[4] or ""
    has_half = "am/pm" in codes
    if code.startswith("m"):
        around = [one for one in codes[:place] if one][-1:] + [one for one in codes[place + 1 :] if one][:1]
        is_minute = any(one.startswith("h") for one in around[:1]) or any(one.startswith("s") for one in around[-1:])
        if is_minute:
            return _two(getattr(value, "minute", 0), code)
    if code[0] in "hs" or code in ("am/pm",) or code[0] == ".":
        return _time(value, code, has_half)
    return _day(value, code) if isinstance(value, datetime.date) else ""


def _time(value: Any, code: str, has_half: bool) -> str:
    hour = getattr(value, "hour", 0)
    if code == "am/pm":
        return "AM" if hour < 12 else "PM"
    if code.startswith("h"):
        return _two((hour % 12 or 12) if has_half else hour, code)
    if code.startswith("s"):
        return _two(getattr(value, "second", 0), code)
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
        return texts["ddd"] if len(code) > 2 else _two(day.day, code)
    if code.startswith("m"):
        return day.strftime("%b") if len(code) > 2 else _two(day.month, code)
    return texts.get(code, str(day.year))


def _two(number: int, code: str) -> str:
    return f"{number:02}" if len(code) > 1 else str(number)
