"""What the styles and the numbering of a Word file say of a paragraph: heading level, caption, its number."""

import re
import zipfile
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

from app.documents.reading.docx_text import vanishes
from app.documents.reading.office_xml import attribute, child, children_of, name_of, whole

LEVELS = 9
LEVEL_TEXT_LONGEST = 100  # characters around a paragraph's number; each paragraph of the list has them
_HEADING = re.compile(r"(?:heading|見出し)\s*([1-9])", re.IGNORECASE)
_CONTENTS = re.compile(r"(?:toc|目次)\s*(?:[1-9]|heading|の見出し)", re.IGNORECASE)
_AIUEO = "アイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワヲン"
_IROHA = "イロハニホヘトチリヌルヲワカヨタレソツネナラムウヰノオクヤマケフコエテアサキユメミシヱヒモセス"
_KANJI = "〇一二三四五六七八九"


@dataclass(frozen=True, slots=True)
class Style:
    """`level`: of a heading, 0: none. `numbering`: (list, level) that its paragraphs have."""

    name: str = ""
    level: int = 0
    numbering: tuple[str, int] | None = None
    based_on: str = ""
    is_unseen: bool | None = None  # whether its text is hidden; None: as what it is based on

    @property
    def is_contents(self) -> bool:
        return _CONTENTS.fullmatch(self.name) is not None

    @property
    def is_caption(self) -> bool:
        return self.name.lower() in ("caption", "図表番号", "キャプション")

    @property
    def is_title(self) -> bool:
        return self.name.lower() in ("title", "表題", "標題")


@dataclass(slots=True)
class Styles:
    by_id: dict[str, Style] = field(default_factory=dict)
    unseen: set[str] = field(default_factory=set)  # ids of those whose text is hidden

    @classmethod
    def of(cls, archive: zipfile.ZipFile, part: str | None) -> "Styles":
        styles = cls()
        for element in children_of(archive, part, "") if part else ():
            if name_of(element) == "style":
                styles.by_id[attribute(element, "styleId")] = _style(element)
        styles.unseen = {style_id for style_id in styles.by_id if styles._is_unseen(style_id)}
        return styles

    def _is_unseen(self, style_id: str) -> bool:
        for _ in range(10):
            style = self.by_id.get(style_id, Style())
            if style.is_unseen is not None:
                return style.is_unseen
            style_id = style.based_on
        return False

    def style(self, style_id: str) -> Style:
        """With what it inherits."""
        found = self.by_id.get(style_id, Style())
        level, numbering, ancestor = found.level, found.numbering, found
        for _ in range(10):
            if (level and numbering) or ancestor.based_on not in self.by_id:
                break
            ancestor = self.by_id[ancestor.based_on]
            level = level or ancestor.level
            numbering = numbering or ancestor.numbering
        return Style(found.name, level, numbering)


def _style(element: Element) -> Style:
    name = attribute(child(element, "name"), "val")
    properties = child(element, "pPr")
    match = _HEADING.fullmatch(name.strip())
    level = int(match[1]) if match else outline_level(properties)
    is_unseen = vanishes(child(element, "rPr"))
    based_on = attribute(child(element, "basedOn"), "val")
    return Style(name.strip(), level, numbering_of(properties), based_on, is_unseen)


def outline_level(properties: Element | None) -> int:
    """1 to 9; 0: the text is no heading."""
    level = whole(attribute(child(properties, "outlineLvl"), "val"), LEVELS)
    return level + 1 if level < LEVELS else 0


def numbering_of(properties: Element | None) -> tuple[str, int] | None:
    numbers = child(properties, "numPr")
    if numbers is None:
        return None
    level = whole(attribute(child(numbers, "ilvl"), "val"))
    return attribute(child(numbers, "numId"), "val"), min(LEVELS - 1, level)


@dataclass(frozen=True, slots=True)
class _Level:
    kind: str = "decimal"
    text: str = ""
    start: int = 1
    is_legal: bool = False


class Numbering:
    """Counts the lists of a document; call `number` once for each paragraph, in order."""

    def __init__(self, archive: zipfile.ZipFile, part: str | None) -> None:
        self._abstract: dict[str, dict[int, _Level]] = {}
        self._lists: dict[str, str] = {}  # list -> its abstract list
        self._starts: dict[tuple[str, int], int] = {}
        self._counts: dict[str, dict[int, int]] = {}  # abstract list -> level -> number so far
        self._begun: set[tuple[str, int]] = set()
        for element in children_of(archive, part, "") if part else ():
            if name_of(element) == "abstractNum":
                levels = [one for one in element if name_of(one) == "lvl"]
                self._abstract[attribute(element, "abstractNumId")] = {_index(one): _level(one) for one in levels}
            elif name_of(element) == "num":
                self._take_list(element)

    def _take_list(self, element: Element) -> None:
        list_id = attribute(element, "numId")
        self._lists[list_id] = attribute(child(element, "abstractNumId"), "val")
        for override in element:
            start = whole(attribute(child(override, "startOverride"), "val"), -1)
            if start >= 0:
                self._starts[list_id, _index(override)] = start

    def number(self, numbering: tuple[str, int]) -> str:
        """What stands before the paragraph: 第3章, 1.2, (1), ア; ・ for a bullet; "" when it has none."""
        list_id, level = numbering
        abstract = self._lists.get(list_id)
        levels = self._abstract.get(abstract or "", {})
        if abstract is None or level not in levels:
            return ""
        counts = self._counts.setdefault(abstract, {})
        start = levels[level].start
        if (list_id, level) in self._starts and (list_id, level) not in self._begun:
            counts.pop(level, None)
            start = self._starts[list_id, level]
        self._begun.add((list_id, level))
        counts[level] = counts[level] + 1 if level in counts else start
        for deeper in [one for one in counts if one > level]:
            del counts[deeper]
        return self._text(levels, level, counts)

    def _text(self, levels: dict[int, _Level], level: int, counts: dict[int, int]) -> str:
        if levels[level].kind == "bullet":
            return "・"

        def fill(match: re.Match[str]) -> str:
            wanted = int(match[1]) - 1
            one = levels.get(wanted, _Level())
            return written(counts.get(wanted, one.start), "decimal" if levels[level].is_legal else one.kind)

        return re.sub(r"%([1-9])", fill, levels[level].text)


def _index(element: Element) -> int:
    return whole(attribute(element, "ilvl"))


def _level(element: Element) -> _Level:
    return _Level(
        kind=attribute(child(element, "numFmt"), "val") or "decimal",
        text=attribute(child(element, "lvlText"), "val")[:LEVEL_TEXT_LONGEST],
        start=whole(attribute(child(element, "start"), "val"), 1),
        is_legal=child(element, "isLgl") is not None,
    )


def written(number: int, kind: str) -> str:
    """A number in one of Word's ways; those that Japanese documents do not use are written as digits."""
    lower = kind.lower()
    match lower:
        case "none":
            return ""
        case "decimalfullwidth" | "decimalfullwidth2":
            return str(number).translate({ord("0") + digit: ord("０") + digit for digit in range(10)})
        case "decimalenclosedcircle" if 1 <= number <= 20:
            return chr(0x245F + number)
        case "upperletter" | "lowerletter" if 1 <= number <= 26:
            return chr((65 if lower == "upperletter" else 97) + number - 1)
        case "upperroman" | "lowerroman" if 1 <= number < 4000:
            return _roman(number) if lower == "upperroman" else _roman(number).lower()
        case "aiueo" | "aiueofullwidth" if 1 <= number <= len(_AIUEO):
            return _AIUEO[number - 1]
        case "iroha" | "irohafullwidth" if 1 <= number <= len(_IROHA):
            return _IROHA[number - 1]
        case "japanesecounting" | "ideographdigital" | "japanesedigitaltenthousand" | "chinesecounting" if number < 100:
            return _counted(number)
        case "decimalzero":
            return f"{number:02}"
    return str(number)


def _roman(number: int) -> str:
    values = (1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1)
    letters = ("M", "CM", "D", "CD", "C", "XC", "L", "XL", "X", "IX", "V", "IV", "I")
    found = ""
    for value, letter in zip(values, letters, strict=True):
        found += letter * (number // value)
        number %= value
    return found


def _counted(number: int) -> str:
    tens, ones = divmod(number, 10)
    return ("十" if tens == 1 else _KANJI[tens] + "十" if tens else "") + (_KANJI[ones] if ones or not tens else "")
