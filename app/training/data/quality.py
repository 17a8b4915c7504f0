"""Flag flaws in one text of training data: JSON debris, cut ends, wrongly decoded characters, loops.

The module looks at a single text and changes nothing. It cannot judge whether a statement is true.
"""

import re
from collections import Counter

from app.base import invisible_characters
from app.base.files import strict_json

CODES = ("json_debris", "unfinished", "mojibake", "repetition", "control_characters")

_Patterns = tuple[re.Pattern[str], ...]

# Code and formulas may look like JSON debris, so they are removed before the search.
_CODE = re.compile(
    r"```(?P<language>\w{0,20})[^\n]{0,80}\n(?P<body>.*?)\n?```|`[^`\n]+`|「\\n」|[\"']\\n[\"']", re.DOTALL
)
_FORMULA = re.compile(r"\\{1,2}\(.{1,400}?\\{1,2}\)|\\{1,2}\[.{1,800}?\\{1,2}\]|\${1,2}[^$]{1,800}\${1,2}", re.DOTALL)
_KEYS = r"question|answer|instruction|input|output|response|prompt|completion|content|role|messages|質問|回答|答え|出力"
_FIELD = re.compile(rf"[\"'“”]\s*(?:{_KEYS})\s*[\"'“”]\s*[:：]", re.IGNORECASE)
_BLANKS = re.compile(r"\s+")
_SENTENCE_END = "。．！？"
_DEBRIS: _Patterns = (
    _FIELD,
    re.compile(r"```\s*json", re.IGNORECASE),  # a code block that is never closed or holds no JSON
    # A literal \n (two characters), but not \nu of a formula, a folder C:\new, or a sentence about \n itself.
    re.compile(r"(?<![A-Za-z]:)(?<![A-Za-z0-9_\\])\\{1,2}n(?![a-z]|[ \u3000]*[はをがでとのにもや])"),
    re.compile(
        r"(?<=[\u3040-\u30ff\u4e00-\u9fff。．）」』])\\{1,2}n(?!u\b|e\b|eq\b)(?![ \u3000]*[はをがでとのにもや])"
    ),
    re.compile(r"\\\"|\\u[0-9a-fA-F]{4}"),
    re.compile(r"[\"”」』|。．\n]\s?[}\]]\s?,"),  # the end of one JSON object before the next
    re.compile(r"[\"”」』|。．\n]\s?\}(?:\s?[}\]])*$"),
    re.compile(rf"[\"”」』|。．）]\s?,$|[{_SENTENCE_END}][\"”」』]\s?[，、]$"),
    re.compile(r"(?:^|\n)[{\[]$|[},]\s?\{$|^[{\[]\s?[\"“]"),
)
_QUOTES = {"」": "「", "』": "『", "”": "“", '"': '"', "'": "'"}
_CLOSED = re.compile(rf"[{_SENTENCE_END}]([」』”\"'])(?:[,，、\s]|（約?\s?\d+\s?字）)*$")

_ENDS = tuple("。．.！!？?」』）)】〕］]〉》”\"'’…‥♪）")
_OPEN_ENDS = tuple("、，,：:；;・=＝＋+／/「『（(【")
_PARTICLES = re.compile(r"(?:[をがはにへの]|から|ので|ため|および|及び|または|又は)$")
_ITEM = re.compile(r"\s*(?:[-*+・•●○◯■□▪◆◇※→]|[(（]?\d{1,3}[.)．）:：、]|[①-⑳]|[(（]?[a-zａ-ｚア-ン][.)）]|#{1,6}\s)")
_MARKS = "*_~` \t\u3000"  # emphasis marks that may follow the last letter
_SHORT = 40  # characters; so short an answer (24 N/mm², 東京都千代田区) needs no full stop
_SENTENCE = re.compile(r"(?:です|ます|ました|である|ません|する|した|った|ている|れる|せる)$")

# Text decoded with a wrong encoding. Bytes 80 to 9f are control characters in Latin-1, other characters in CP1252.
_BYTE = "[\u0080-\u00bf\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192\u02c6\u02dc\u2013-\u2122]"
_MISREAD: _Patterns = (
    re.compile("[\ufffd〓\ud800-\udfff]"),
    re.compile(r"(?:[縺繧繝][^ぁ-ゖァ-ヺ\s。、].{0,6}){2}"),  # UTF-8 read as CP932; 縺れる is a real word
    re.compile(
        f"\u00e3{_BYTE}{{2}}|(?:[\u00e2-\u00e9]{_BYTE}{{2}}){{2}}|[\u00c2\u00c3][\u0080-\u00bf]"
    ),  # UTF-8 read as CP1252 or Latin-1
    re.compile("(?:[\u0082\u0083\u201a\u0192][!-\u00ff\u0152-\u0192\u02c6-\u2122]){3}"),  # CP932 as CP1252 or Latin-1
    re.compile("(?:[､･][｡-ﾟ].?){3}|(?:[､･]+[｡-ﾟ].{0,2}){4}"),  # EUC-JP read as CP932
)

# An encoder writes ? for a character that it lacks: a run of ? before other text, or a text of nothing else.
_LOST = re.compile(r"(?<![?？])[?？]{4,}+(?=\w)")
_MARKS_LEFT = "?？。、．，., \t\n\u3000"

_PRIVATE = re.compile("[\ue000-\uf8ff]")

_LOOP = re.compile(r"(\w[^|\t]{0,79}?)\1{3,}", re.DOTALL)
_LOOP_LETTERS = 24  # least characters of a loop: はははははは is a laugh
_SENTENCES = re.compile(r"[^。．！？!?\n]{10,}[。．！？!?\n]?")
_SAME_SENTENCES = 3


def text_flags(text: str) -> tuple[str, ...]:
    """Return the `CODES` of the flaws in the text, in their order."""
    found = (_has_debris(text), _is_unfinished(text), _is_misread(text), _loops(text), _has_controls(text))
    return tuple(code for code, holds in zip(CODES, found, strict=True) if holds)


def _has_controls(text: str) -> bool:
    return invisible_characters.find_places(text.replace("\r", "")) != [] or _PRIVATE.search(text) is not None


# ------------------------------------------------------------------ remains of JSON


def _has_debris(text: str) -> bool:
    """Return whether the text has JSON debris.

    A text that is valid JSON has none, unless it is an object with the fields of a question and its answer.
    """
    if _is_json(text):
        return bool(_FIELD.search(text))
    rest = _FORMULA.sub(" x ", _CODE.sub(_left_of_code, text))
    rest = _BLANKS.sub(lambda blanks: "\n" if "\n" in blanks[0] else " ", rest).strip()
    return any(pattern.search(rest) for pattern in _DEBRIS) or _closes_unopened(rest)


def _left_of_code(block: re.Match[str]) -> str:
    body = block["body"] or ""
    is_debris = _FIELD.search(body) or ((block["language"] or "").lower() == "json" and not _is_json(body))
    return block[0] if is_debris else " x "


def _is_json(text: str) -> bool:
    if not text.lstrip().startswith(("{", "[")):
        return False
    try:
        strict_json.loads(text)
    except ValueError:
        return False
    return True


def _closes_unopened(text: str) -> bool:
    """Return whether the text ends in an unopened quotation mark, as the cut end of a JSON string does."""
    closed = _CLOSED.search(text)
    if closed is None:
        return False
    mark, opened = closed[1], _QUOTES[closed[1]]
    return text.count(mark) % 2 == 1 if mark == opened else text.count(mark) > text.count(opened)


# ------------------------------------------------------------------ ends


def _is_unfinished(text: str) -> bool:
    """Return whether the end of the text is missing.

    Lists, tables, headings, code and short answers may end without a full stop; a comma never ends a text.
    """
    stripped = text.rstrip()
    end = stripped.rstrip(_MARKS)
    if not end or end.endswith(_ENDS):
        return False
    if end.endswith(_OPEN_ENDS) or _PARTICLES.search(end):
        return not _is_code_end(stripped)
    lines = [line for line in stripped.splitlines() if line.strip()]
    return not (_is_code_end(stripped) or _is_short(stripped, end) or _is_list_end(lines))


def _is_code_end(text: str) -> bool:
    last = text[text.rfind("\n") + 1 :]
    is_formula = text.endswith(("$", r"\]", r"\)", ">"))
    return is_formula or text.endswith("```") or "://" in last.rsplit(maxsplit=1)[-1]


def _is_short(text: str, end: str) -> bool:
    is_phrase = "\n" not in text.strip() and len(end) <= _SHORT and not any(sign in text for sign in _SENTENCE_END)
    is_open = any(end.count(opened) > end.count(closed) for opened, closed in ("「」", "『』", "（）", "()"))
    return is_phrase and not is_open and not _SENTENCE.search(end)


def _is_list_end(lines: list[str]) -> bool:
    """Return whether the text ends as a list or table does.

    The last line must be a table row below another, or a list item; the item above must not end with a full stop.
    """
    last, above = lines[-1], lines[-2] if len(lines) > 1 else ""
    if last.strip().startswith("|") and last.strip().endswith("|"):
        return above.strip().startswith("|")
    return bool(_ITEM.match(last) and above) and not (_ITEM.match(above) and above.rstrip(_MARKS).endswith(_ENDS[:1]))


# ------------------------------------------------------------------ characters


def _is_misread(text: str) -> bool:
    if not text.strip(_MARKS_LEFT):
        return "?" in text or "？" in text
    return bool(_LOST.search(text)) or (not text.isascii() and any(pattern.search(text) for pattern in _MISREAD))


# ------------------------------------------------------------------ loops


def _loops(text: str) -> bool:
    """Return whether a sentence occurs three times, or a piece four times in a row, outside code and tables."""
    text = _CODE.sub("\n", text)
    sentences = Counter(sentence.strip() for sentence in _SENTENCES.findall(text) if "|" not in sentence)
    if max(sentences.values(), default=0) >= _SAME_SENTENCES:
        return True
    # A loop of _LOOP_LETTERS repeats at least 7 pieces of 12 characters: this test makes the slow search rare.
    pieces = max(0, len(text) - 11)
    if pieces - len({text[at : at + 12] for at in range(pieces)}) < 7:
        return False
    return any(len(loop[0]) >= _LOOP_LETTERS for loop in _LOOP.finditer(text))
