"""Detect personal details in Japanese texts by their form: names, phone numbers, addresses, mail, personal numbers.

A name is detected if a title follows it, a label precedes it, or it consists of a frequent surname
(`resources/datasets/surnames.txt`) and a usual given name; other names in running text are missed. Names of rivers,
offices and chapters do not count. The text is not changed.
"""

import datetime
import functools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from app.base.paths import resources

KINDS = ("name", "birthday", "postal_code", "address", "phone", "mail", "my_number", "card", "account")

_Match = re.Match[str]
_Finder = Callable[[str], Iterator["PersonalDetail"]]


@dataclass(frozen=True, slots=True)
class PersonalDetail:
    kind: str  # one of KINDS
    start: int  # position of the first character
    end: int


# Maps full-width forms and every kind of hyphen to one ASCII character each, so that positions stay the same.
_NARROW = {0xFF01 + at: 0x21 + at for at in range(94)} | dict.fromkeys(map(ord, "−‐‑‒–—―ｰ"), "-") | {0x3000: " "}
_LONG_MARK = re.compile(r"(?<=\d)ー(?=\d)")  # as in 1ー2, typed with the long vowel mark instead of a hyphen

_KANJI = "\u3400-\u9fff々ヶ"
_KANA = "\u3041-\u3096\u30a1-\u30fa\u30fc"
_BEFORE = rf"(?<![{_KANJI}\u30a1-\u30fc])"

_TITLES = (
    "(?:様|さま|さん|氏|殿|君|くん|ちゃん|先生|教授|博士|医師|弁護士"
    "|社長|部長|課長|係長|主任|主査|議員|選手|容疑者|被告)"
)
# Endings of words before a title that are not names: in 関係者様, 関 is not a surname; 森林組合様 is not a person.
_NO_NAME = re.compile("[者長員社客課局官位方家族体店会各皆両同御仕多模異奥何摂諸合業院所構団署室庁府]$")
_NO_BODY = re.compile(  # more such endings; after a frequent surname they can end a given name
    f"{_NO_NAME.pattern}|[部行学園校省民主師臣神王源有殿貴町村市県区]$|(?:[法本個友知成老職名住夫故役]人|[均画唯]一)$"
)
_GIVEN_END = "[郎子美恵代雄夫男介助哉斗翔奈香織彦之樹也輔]"
_NO_GIVEN = re.compile(
    "(?:.*(?:[電原分粒女男種因素端振障親双王息長次]子|[様調菓帽硝格]子|[長次]男|[時年近現世交古]代)|[子美代男夫之也樹香恵])$"
)
_LABELS = "(?:氏 ?名|お名前|姓 ?名|患者名|被保険者名|世帯主|(?:契約|申請|担当)者名?|フリガナ|ふりがな)"
_NO_VALUE = re.compile("(?:[者課部局係室所省庁社名欄]|記入|記載|入力|必須|任意|未定|不明|なし|以下|同上|省略|匿名)$")

_LABELLED = rf"""(?mx) {_LABELS.replace(" ", "[ ]")} [ ]*[:：][ ]*
    (?P<value> [{_KANJI}]{{1,4}}[ ]?[{_KANJI}{_KANA}]{{1,5}} | [{_KANA}]{{2,6}}[ ][{_KANA}]{{2,6}}
        | [A-Z][a-z]+[ ][A-Z][a-z]+ )
    (?= $ | [\s,、。;/|()（）「」] | {_TITLES} )"""
_OTHER = rf"{_BEFORE}(?P<name>[{_KANJI}]{{2,5}}|[{_KANJI}]{{1,3}} [{_KANJI}]{{1,3}}) ?(?:様|氏)(?![{_KANJI}])"

# A place name (but not that in table 4-2-2 of a 区間), followed by 1丁目2番3号, 1-2-3 or 12番地の3.
_PLACE = rf"(?:(?![図表式第域編章節項])[{_KANJI}{_KANA}])"
_ADDRESS = rf"""(?x) (?: (?:北海道|東京都|(?:京都|大阪)府|[{_KANJI}]{{2,3}}県)[ ]?{_PLACE}{{1,7}}?
        | [{_KANJI}\u30a1-\u30fa\u30fc]{{1,7}}? | (?<![\u3041-\u3096{_KANJI}])[\u3041-\u3096]{{2,6}} )
    (?:(?<!都)市(?![町街])|区(?![間分域画市])|(?<!市)町|(?<!町)村|郡) {_PLACE}{{0,12}}?[ ]?(?:\d{{1,2}}条[東西]?)?
    [\d一二三四五六七八九十]{{1,4}} (?:丁目|番地?|号|-\d{{1,4}}) (?:[ ]?[の-]?\d{{1,4}}(?:番地?|号)?){{0,3}}"""

_MAIL = r"(?<![\w.%+-])[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,5}[A-Za-z]{2,24}(?![A-Za-z0-9-])"
_PHONE = r"""(?x) (?<![\d.-]) (?:\+81[ -]?(?:\(0\))?\d{1,4}[ ]?[-(] | \(0\d{1,4}\)[ -]? | 0\d{1,4}[ ]?[-(])
    [ ]?\d{1,4}[ ]?[-)][ ]?\d{3,4} (?![\d-]|\.\d)"""
_MOBILE = r"(?<![\d.,-])(?:0[5789]0\d{8}|\+81[ -]?[5789]0\d{8})(?!\d|\.\d)"
_CALLED = r"""(?x) (?:電話(?:番号)?|TEL|Tel|tel|FAX|Fax|ファックス|携帯)[ .]*[:：]?[ ]*
    (?P<value>\+?\d[\d() -]{7,14}\d)(?!\d)"""
_POSTAL = r"(?:〒|郵便番号 ?[:：]?) ?(?P<value>\d{3}-?\d{4})(?!\d)"
_TWELVE = r"(?<![\d.,-])(?:\d{12}|\d{4}[ -]\d{4}[ -]\d{4})(?![\dA-Za-z,-]|\.\d| \d)"
_SIXTEEN = r"(?<![\d.,-])\d{4}([ -]?)\d{4}\1\d{4}\1\d{4}(?![\dA-Za-z,-]|\.\d)"
_BIRTHDAY = r"""(?x) (?:生年月日|誕生日)[ ]*[:：は]?[ ]*
    (?P<value> (?:(?:明治|大正|昭和|平成|令和)[ ]?(?:\d{1,2}|元)|\d{4})年[ ]?\d{1,2}月[ ]?\d{1,2}日
        | \d{4}([-/.])\d{1,2}\2\d{1,2} )"""
_ACCOUNT = r"(?:口座番号|普通(?:預金)?|当座(?:預金)?) ?[:：]? ?(?:No\.? ?)?(?P<value>\d{7})(?!\d)"


def find_personal(text: str) -> tuple[PersonalDetail, ...]:
    """Return all details in order; of overlapping ones the one that begins first, or else the longest."""
    narrow = _LONG_MARK.sub("-", text.translate(_NARROW))
    hits = sorted((hit for find in _finders() for hit in find(narrow)), key=lambda hit: (hit.start, -hit.end))
    apart: list[PersonalDetail] = []
    for hit in hits:
        if not apart or hit.start >= apart[-1].end:
            apart.append(hit)
    return tuple(apart)


@functools.cache
def _finders() -> tuple[_Finder, ...]:
    listed = (resources() / "datasets" / "surnames.txt").read_text("utf-8").split()
    surnames = "|".join(sorted(map(re.escape, listed), key=len, reverse=True))
    # Checking the first character first saves trying 400 names at most places of a text.
    surname = f"(?=[{''.join(sorted({name[0] for name in listed}))}]){_BEFORE}(?:{surnames})"
    given = rf"(?: ?[{_KANJI}]{{1,3}}| [{_KANA}]{{1,5}})"
    titled = rf"{surname}(?P<name>{given}??) ?{_TITLES}(?![{_KANJI}])"
    full = rf"{surname} ?(?P<name>[{_KANJI}]{{0,2}}{_GIVEN_END})(?![{_KANJI}])"
    return (
        _finder("name", titled, lambda match: not _NO_NAME.search(match["name"])),
        _finder("name", _OTHER, lambda match: not _NO_BODY.search(match["name"])),
        _finder("name", full, lambda match: not _NO_GIVEN.match(match["name"])),
        _finder("name", _LABELLED, lambda match: not _NO_VALUE.search(match["value"])),
        _finder("birthday", _BIRTHDAY),
        _finder("postal_code", _POSTAL),
        _finder("address", _ADDRESS),
        _finder("phone", _PHONE, _has_phone_length),
        _finder("phone", _MOBILE),
        _finder("phone", _CALLED, _has_phone_length),
        _finder("mail", _MAIL),
        _finder("my_number", _TWELVE, _is_personal_number),
        _finder("card", _SIXTEEN, _is_card),
        _finder("account", _ACCOUNT),
    )


def _finder(kind: str, expression: str, accept: Callable[[_Match], bool] = bool) -> _Finder:
    """Return a function that yields a detail for each accepted match: its group `value`, or else the whole match."""
    pattern = re.compile(expression)
    group = "value" if "value" in pattern.groupindex else 0

    def find(text: str) -> Iterator[PersonalDetail]:
        for match in pattern.finditer(text):
            if accept(match):
                yield PersonalDetail(kind, match.start(group), match.end(group))

    return find


def _digits(match: _Match) -> str:
    return "".join(letter for letter in match[0] if letter.isdecimal())


def _has_phone_length(match: _Match) -> bool:
    """Return whether the match has ten or eleven digits, counting the leading 0 that +81 replaces."""
    digits = _digits(match)
    return len(digits) in (10, 11) if digits.startswith("0") else digits.startswith("81") and 11 <= len(digits) <= 13


def _is_personal_number(match: _Match) -> bool:
    """Return whether the twelve digits are neither a round number nor a time like 202611251825."""
    digits = _digits(match)
    if digits.endswith("000"):
        return False
    try:
        time = datetime.datetime.strptime(digits, "%Y%m%d%H%M")
    except ValueError:
        return True
    return not 1900 <= time.year <= 2100


def _is_card(match: _Match) -> bool:
    """Return whether the check digit (Luhn, ISO/IEC 7812) is correct."""
    digits = [int(digit) for digit in _digits(match)]
    return any(digits) and (sum(digits[-1::-2]) + sum(sum(divmod(2 * digit, 10)) for digit in digits[-2::-2])) % 10 == 0
