"""Dates in Japanese text, Western or by era: what two texts have in common when they mean the same day.

Only what is written as a date is read: 2025年3月31日, 令和7年度, 昭和三十三年, R7.3.31, 2025/3/31, 6月, 9月30日.
A number of years (100年) is a quantity and none of these.
"""

import re
from dataclasses import dataclass

from app.documents.values import numerals

_ERAS = {"明治": 1867, "大正": 1911, "昭和": 1925, "平成": 1988, "令和": 2018}
_LETTERS = {"M": "明治", "T": "大正", "S": "昭和", "H": "平成", "R": "令和"}
_N = rf"(?:\d{{1,2}}|[{numerals.KANJI}]{{1,4}})"
_BEHIND_YEAR = "年(?!間|以[上内下]|確)度?"  # otherwise it is how many years
_LONG = "以[内上]|未満|を超え|を経過"  # 三月以内 is how many months
_YEAR = rf"(?:(?P<era>{'|'.join(_ERAS)})\s?(?P<era_year>元|{_N})|(?P<year>(?:1[6-9]|20)\d\d))\s?{_BEHIND_YEAR}"
_DATE = re.compile(
    rf"{_YEAR}(?:\s?(?P<month>{_N})\s?月(?!間)(?:\s?(?P<day>{_N})\s?日(?!間))?)?"
    rf"|(?<![\d.])(?P<month_alone>{_N})\s?月(?!間|額|{_LONG})(?:\s?(?P<day_alone>{_N})\s?日(?!間))?"
    rf"|同月\s?(?P<same_month_day>{_N})\s?日(?!間)"
    r"|(?<![A-Za-z\d])(?P<letter>[MTSHR])\s?(?P<letter_year>\d{1,2})\.(?P<letter_month>\d{1,2})(?:\.(?P<letter_day>\d{1,2}))?(?![\d.])"
    r"|(?<![\d./-])(?P<plain_year>(?:1[6-9]|20)\d\d)(?P<sign>[./-])(?P<plain_month>\d{1,2})(?P=sign)(?P<plain_day>\d{1,2})(?![\d./-])"
)


@dataclass(frozen=True, slots=True)
class Date:
    """`year` is Western, 0 where it is not written; so are `month` and `day`. `start`, `end`: places in the text."""

    year: int
    month: int
    day: int
    start: int
    end: int

    def is_in(self, other: "Date") -> bool:
        """Whether `other` says at least all that this one says."""
        parts = ((self.year, other.year), (self.month, other.month), (self.day, other.day))
        return all(own in (0, others) for own, others in parts)


def parse(text: str) -> list[Date]:
    """The dates of a text, in order; 同月29日 is of the month before it. Days that no calendar has are left out."""
    flat, origin = numerals.flatten(text)
    dates: list[Date] = []
    for found in _DATE.finditer(flat):
        parts = _parts(found)
        if found["same_month_day"]:
            day = _number(found["same_month_day"])
            parts = (dates[-1].year, dates[-1].month, day) if dates and dates[-1].month and day <= 31 else (0, 0, day)
        if parts is not None:
            dates.append(Date(*parts, origin(found.start()), origin(found.end())))
    return dates


def with_years(dates: list[Date]) -> list[Date]:
    """And those without a year again, in the year of the date before: 2025年6月1日から9月30日まで."""
    completed, year = list(dates), 0
    for date in dates:
        year = date.year or year
        if year and not date.year:
            completed.append(Date(year, date.month, date.day, date.start, date.end))
    return completed


def _parts(found: re.Match[str]) -> tuple[int, int, int] | None:
    groups = found.groupdict()
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


def _number(written: str | None) -> int:
    return int(numerals.value(written)) if written else 0
