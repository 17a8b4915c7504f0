"""Numbers as Japanese documents write them: full width, grouped by commas, in kanji, with 万 and 億."""

import re
import unicodedata
from collections.abc import Callable

KANJI = "〇一二三四五六七八九十百千零"
_DIGITS = {character: value for value, character in enumerate("〇一二三四五六七八九")} | {"零": 0}
_STEPS = {"十": 10, "百": 100, "千": 1000}
_MYRIADS = {"万": 10**4, "億": 10**8, "兆": 10**12}
_PART = re.compile(
    r"(?P<digits>\d[\d,]*(?:\.\d+)?)|(?P<kanji>[〇零一二三四五六七八九]+)|(?P<step>[十百千])|(?P<myriad>[万億兆])"
)


class _Flat(dict[int, str]):
    """For str.translate: NFKC of each character by itself, raised digits as ^2, and one sign for each kind of dash."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        flat = unicodedata.normalize("NFKC", character)
        decomposition = unicodedata.decomposition(character)
        if decomposition.startswith("<circle>"):  # ① counts items
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
    """The text with one spelling for each sign, and what gives the original's place of a place in it."""
    flat = text.translate(_FLAT)
    if len(flat) == len(text):
        return flat, int
    origin = [at for at, character in enumerate(text) for _ in _FLAT[ord(character)]]
    origin.append(len(text))
    return flat, origin.__getitem__


def value(written: str) -> float:
    """Of a flattened numeral: 1,000 1.5 三十三 2千 1万2千 3億5,000万 二〇二五.

    Raises ValueError where it is none.
    """
    total = block = 0.0  # of what is before the last 万 or 億; since then
    pending: float | None = None  # digits that wait for their 十, 百, 千 or the end
    at = 0
    while at < len(written):
        part = _PART.match(written, at)
        if part is None:
            raise ValueError(written)
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
