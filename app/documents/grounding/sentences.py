"""Split Japanese and English text into sentences, lines of lists and rows of tables, and sentences into clauses.

Also find the items of an introducing sentence (次のとおりとする。), and header rows, which only name the columns.
"""

import itertools
import re
import unicodedata

from msgspec import Struct

from app.base.lazy_pattern import lazy_pattern
from app.documents import lexicon
from app.documents.grounding import answer_markup

_OPEN, _CLOSE = "「『（(【〔〈《［[", "」』）)】〕〉》］]"
_END = lazy_pattern(r"[。．！？!?]+|\.(?=\s|$)")
_NUMBER_BEFORE = lazy_pattern(r"(?:\d|\b(?:No|Fig|Eq|vs|e\.g|i\.e|cf|etc|Dr|Mr|Ms|Vol|p|pp|[A-Z]))$", re.IGNORECASE)
_FENCE = lazy_pattern(r"\s*(?:```|~~~)")
_RULE = lazy_pattern(r"[\s|:+=*_-]*$")  # the rule of a table, or a horizontal rule
_MARKER = lazy_pattern(r"\s*(?:[-*+•・>]\s+|・|#{1,6}\s+|\(?\d{1,2}[.)．）](?!\d)\s*|[①-⑳]\s*)+")
_COMPARED_MAX = 1500  # characters; the time to compare grows with their square
_PARTS = lazy_pattern("[、，,;；　 ]")
_BRACKET_REACH = 200  # characters; a bracket that is still open there is a typing error


class Sentence(Struct, frozen=True):
    """A sentence of a text. `start`, `end`: offsets without list markers. `kind`: text | heading | row (of a table)."""

    start: int
    end: int
    kind: str = "text"


def split_sentences(text: str) -> list[Sentence]:
    """Return the sentences of a text in order, each with the marks of sources ([1]) after its full stop."""
    found: list[Sentence] = []
    at = 0
    for line in text.split("\n"):
        if not _RULE.match(line) and not _FENCE.match(line):
            found += _in_line(text, at, at + len(line))
        at += len(line) + 1
    return found


def split_for_comparison(text: str) -> list[Sentence]:
    """Return the sentences like `split_sentences`, but cut those over 1,500 characters, at commas if possible."""
    found: list[Sentence] = []
    for one in split_sentences(text):
        at = one.start
        while one.end - at > _COMPARED_MAX:
            last = at + _COMPARED_MAX
            end = max((sign.end() for sign in _PARTS.finditer(text, at, last)), default=last)
            found.append(Sentence(at, end, one.kind))
            at = end
        found.append(Sentence(at, one.end, one.kind))
    return found


def _in_line(text: str, start: int, end: int) -> list[Sentence]:
    marker = _MARKER.match(text, start, end)
    begins = marker.end() if marker else start
    if text[begins:end].lstrip().startswith("|"):
        return [_trimmed(text, start, end, "row")]
    if marker and "#" in marker.group():
        return [_trimmed(text, begins, end, "heading")]
    found: list[Sentence] = []
    at = begins
    for stop in _stops(text, begins, end):
        found.append(_trimmed(text, at, stop, "text"))
        at = stop
    found.append(_trimmed(text, at, end, "text"))
    return [sentence for sentence in found if sentence.end > sentence.start]


def _stops(text: str, start: int, end: int) -> list[int]:
    """Return where sentences of a line end: at full stops outside brackets."""
    stops: list[int] = []
    closed = start  # everything before it is outside of brackets
    for match in _END.finditer(text, start, end):
        if match.start() < closed:
            continue
        opened = _open_bracket(text, closed, match.start())
        if opened is not None:
            closing = _closing(text, opened, end)
            if closing is not None:
                closed = closing
                continue
        if match.group() in (".", "．") and _is_abbreviation(text, start, match):
            continue
        cited = answer_markup.MARKS_AT_END.match(text, match.end(), end)
        closed = cited.end() if cited else match.end()
        stops.append(closed)
    return stops


def _is_abbreviation(text: str, start: int, match: re.Match[str]) -> bool:
    before = text[max(start, match.start() - 8) : match.start()]
    follows_digit = text[match.end() : match.end() + 1].isdigit()
    return follows_digit or (bool(_NUMBER_BEFORE.search(before)) and not before[-1:].isdigit())


def _open_bracket(text: str, start: int, end: int) -> int | None:
    """Return the position of the outermost bracket that is open at `end`, or None."""
    opened: list[int] = []
    for at in range(start, end):
        if text[at] in _OPEN:
            opened.append(at)
        elif text[at] in _CLOSE and opened:
            opened.pop()
    return opened[0] if opened else None


def _closing(text: str, opened: int, end: int) -> int | None:
    """Return the position after the closing bracket; None if there is none within reach."""
    depth = 0
    for at in range(opened, min(end, opened + _BRACKET_REACH)):
        depth += (text[at] in _OPEN) - (text[at] in _CLOSE)
        if depth == 0:
            return at + 1
    return None


def _trimmed(text: str, start: int, end: int, kind: str) -> Sentence:
    piece = text[start:end]
    return Sentence(start + len(piece) - len(piece.lstrip()), end - len(piece) + len(piece.rstrip()), kind)


_ENDS_CLAUSE = lazy_pattern(
    "(?:動詞|形容詞|助動詞|助詞-接続助詞)(?!.* ば$)|名詞.* (?:ため|結果|一方|ほか|上|うえ|後|のち)$"
)  # not of a condition, which belongs to what follows
_STANDS_FOR_PARTICLE = lazy_pattern(  # a verb that only says how the noun before it belongs to the rest
    ".*(?:に(?:おい|つい|つき|対し|より|よっ|関し|際し|応じ|伴い|基づき|従い|沿[っい]|[あ当]た[っり]|加え|とっ)て?"
    "|として|を[も以]って|を通じて?)$"
)
_ADDS_ALIKE = lazy_pattern("又は|または|若しくは|もしくは|あるいは|或いは|及び|および|並びに|ならびに|かつ")


def split_clauses(sentence: str) -> list[str]:
    """Return the clauses of a sentence: the parts that end at a comma behind a predicate, outside of brackets."""
    found: list[str] = []
    depth = at = 0
    words = lexicon.tokenize(sentence)
    for last, word in itertools.pairwise(words):
        depth += (last.text in _OPEN) - (last.text in _CLOSE)
        if word.text not in "、，" or depth > 0 or _ADDS_ALIKE.match(sentence, word.end):
            continue
        is_end = _ENDS_CLAUSE.match(f"{last.kind} {last.text}") is not None
        if is_end and not _STANDS_FOR_PARTICLE.match(sentence, at, last.end):
            found.append(sentence[at : word.end])
            at = word.end
    return [*found, sentence[at:]] if at < len(sentence) else found


LIST_ITEMS_MAX = 8
_LONGEST_LIST = 800  # characters, including the sentence

_ANNOUNCES = lazy_pattern(
    r"(?<![目年順逐])[次左]の(?!日(?!程)|会(?![社員場計])|[回月年])"
    r"|[次左]に(?:掲|示|定|よ|該当)|(?<![^、。はを])以下[のに]|下記|(?<!前項)(?<!前条)各号|[：:]$"
)
_LIST_SIGN = lazy_pattern(
    r"[\s　]*(?:[-*•・●○■]\s*|(?P<open>[（(]?)(?P<number>\d{1,2}|[①-⑳]|[一二三四五六七八九十]{1,3}|[ア-ヲ]|[a-z])"
    r"(?P<close>[）)．.、](?!\d)|(?=[\s　])|(?<=[①-⑳])))[\s　]*(?=\S)"
)
_FIRST_NUMBERS = frozenset("1一アイai")  # イ: of イロハ


def announces_items(text: str, start: int, end: int) -> bool:
    """Whether the sentence text[start:end] announces what follows it: 次のとおりとする。"""
    return _ANNOUNCES.search(text, start, end) is not None


def end_of_list(text: str, start: int, end: int, last: int) -> tuple[int, bool]:
    """Return the end of the list that text[start:end] introduces, up to `last`, and whether the list goes on.

    Without a list it is (`end`, False); with a first item that is too long (`end`, True).
    """
    if not announces_items(text, start, end):
        return end, False
    line_end = _line_end(text, end, last)
    own, _ = _list_sign(text[text.rfind("\n", 0, start) + 1 : end])
    seen: set[str] = set()
    at, count = line_end, 0
    while at < last:
        following = _line_end(text, at + 1, last)
        kind, number = _list_sign(text[at + 1 : following])
        is_first = kind == "bullet" or (
            number in _FIRST_NUMBERS and not (kind == "digits" and any(")" in one for one in seen))
        )
        is_item = bool(kind) and kind != own and (kind in seen or is_first)
        if not is_item:
            break
        if count == LIST_ITEMS_MAX or following - start > _LONGEST_LIST:
            return (at if count else end), True
        seen.add(kind)
        at, count = following, count + 1
    return (at, False) if count else (end, False)


def _line_end(text: str, at: int, last: int) -> int:
    found = text.find("\n", at, last)
    return last if found < 0 else found


def _list_sign(line: str) -> tuple[str, str]:
    """Return the kind of list marker at the beginning of a line and its number; ("", "") if there is none."""
    found = _LIST_SIGN.match(line)
    if found is None:
        return "", ""
    if not found["number"]:
        return "bullet", ""
    number = unicodedata.normalize("NFKC", found["number"])
    if number.isdecimal():
        kind = "digits" if found["number"].isdecimal() else "circled"
    else:
        kind = "kana" if "ァ" <= number[0] <= "ヺ" else "letters" if number.isascii() else "kanji"
    signs = unicodedata.normalize("NFKC", f"{found['open']}{found['close']}")
    return f"{kind}{signs}", number


_HEADER_RULE = lazy_pattern(r"[\s|:+=]*-[\s|:+=-]*$")  # the line below a header, in Markdown
_NAMED_CELL = lazy_pattern(r"\S[:：]\s")  # 列名: 値, which needs no header
_COLUMNS_MIN = 3  # smallest number in a header without a rule, as two columns are often names and values


class TableHeader(Struct, frozen=True):
    """The header row of a table. `start`, `end`: offsets of the row in the text. `last_line`: the end of the table."""

    start: int
    end: int
    last_line: int


def find_table_headers(text: str) -> list[TableHeader]:
    """Return the header of each table that has one, in order."""
    table_headers: list[TableHeader] = []
    rows: list[tuple[int, int]] = []
    has_rule = False
    at = 0
    for line in [*text.split("\n"), ""]:
        if is_table_row(line):
            if _HEADER_RULE.match(line):
                has_rule |= len(rows) == 1
            else:
                rows.append((at, at + len(line)))
        else:
            if len(rows) > 1 and _is_header(text[slice(*rows[0])], has_rule=has_rule):
                table_headers.append(TableHeader(*rows[0], rows[-1][1]))
            rows, has_rule = [], False
        at += len(line) + 1
    return table_headers


def is_table_row(line: str) -> bool:
    return " | " in line or line.lstrip().startswith("|")


def _is_header(row: str, *, has_rule: bool) -> bool:
    cells = [cell.strip() for cell in row.split("|") if cell.strip()]
    if has_rule or len(cells) < _COLUMNS_MIN:
        return has_rule
    return len(set(cells)) == len(cells) and not any(
        re.search(r"\d", cell) or _NAMED_CELL.search(cell) for cell in cells
    )
