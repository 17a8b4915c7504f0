"""Parse questions and answers from plain text: after signs (Q: and A:, 問 and 答 in many forms) or below headings."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from app.base.tables.table_reader import TableRow
from app.training.data import records
from app.training.data.records import BadRow, shorten
from app.training.data.rows import TrainingRow

_WORDS = {
    "question": "question|ご質問|質問|問い|問題|設問|問|[QqＱｑ]",
    "answer": "answer|模範解答|ご回答|回答例|回答|解答|答え|答|[AaＡａ]",
}
_BULLETS = r"(?:(?:[-+・]|\*(?!\*)|\d+[.)])[ \t\u3000]+|>[ \t]?)*"
_BEFORE = rf"(?P<hash>\#{{1,6}}[ \t]*)?{_BULLETS}(?P<bold>\*\*|__)?[【〔［\[（(《〈<＜]?"
_NUMBER = r"(?P<number>\d+(?:[-－]\d+)*)?"
_AFTER = r"(?P<sign>[】〕］\]）)》〉>＞]?(?:[ \t]?[:：.．、。])?)(?P<closed>\*\*|__)?(?P<gap>[ \t\u3000]*)(?P<text>.*)"
_MARKS = {
    kind: re.compile(rf"[ \t\u3000]*{_BEFORE}(?:{words}){_NUMBER}{_AFTER}", re.IGNORECASE)
    for kind, words in _WORDS.items()
}
_HEADING = re.compile(r"(#{1,6})[ \t]+(.*)")
_BOLD_LINE = re.compile(r"(?:\*\*|__)([^*_].*?)(?:\*\*|__)[ \t]*$")
_BOLD_LEVEL = 7  # the level of a bold line, below all six heading levels
_ASKS = re.compile(r"[?？]\s*$|(?:です|ます|でしょう|のです)か。?\s*$")
_SECTION = re.compile(
    r"(?:\d+(?:[-.．－]\d+)*[.．、)）]?|[(（]\d+[)）])[ \t\u3000]+"
)  # matches the section number before a question
_CELLS = re.compile(r"(?<!\\)\|")
_TABLE_RULE = re.compile(r"[ \t]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$")
_FENCE = re.compile(r"[ \t]{0,3}(```|~~~)")
_RULE = re.compile(r"[ \t]*(?:-[ \t]*){3,}$|[ \t]*(?:\*[ \t]*){3,}$|[ \t]*(?:_[ \t]*){3,}$")
_COMMENT = re.compile(r"[ \t]*<!--.*-->[ \t]*$")


@dataclass(slots=True)
class _Entry:
    """A question and the lines below it. `level`: its heading level, from 1; 0 if the question is not a heading."""

    line: int
    level: int
    question: str
    group: str
    body: list[str] = field(default_factory=list)
    answer_at: int | None = None  # index of the body line that begins the answer
    answer: str = ""  # text of the line `answer_at`, without its sign


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    text: str
    is_code: bool
    question: str | None = None  # text after a question sign; None: no sign
    answer: str | None = None
    level: int = 0
    title: str = ""


def read_pairs(text: str) -> tuple[list[TrainingRow], list[BadRow]]:
    """Return the rows of a text, and a bad row for each piece of text that belongs to no question.

    If any question has a sign (Q:, 問), only questions with a sign count; otherwise headings and bold lines that ask a
    question do. A row's group is the path of headings above it.
    """
    lines = list(_lines(text))
    has_signs = any(line.question is not None for line in lines)
    rows: list[TrainingRow] = []
    bad: list[BadRow] = []
    for entry in _entries(lines, has_signs=has_signs):
        made = _row(entry) if isinstance(entry, _Entry) else entry
        if isinstance(made, TrainingRow):
            rows.append(made)
        else:
            bad.append(made)
    return rows, bad


def read_table(text: str) -> list[TableRow]:
    """Return the rows of the text's tables without the rules below their headings; <br> becomes a line break."""
    found = []
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text), start=1):
        if line.count("|") and not _TABLE_RULE.match(line):
            cells = _CELLS.split(line.strip().removeprefix("|").removesuffix("|"))
            plain = (re.sub(r"<br */?>", "\n", cell.replace("\\|", "|")).strip() for cell in cells)
            found.append(TableRow(number, tuple(plain)))
    return found


def _lines(text: str) -> Iterator[_Line]:
    fence, all_lines = "", re.split(r"\r\n|\r|\n", text)
    for number, line in enumerate(all_lines[_front_matter(all_lines) :], start=_front_matter(all_lines) + 1):
        mark = _FENCE.match(line)
        if fence or mark:
            yield _Line(number, line, is_code=True)
            fence = "" if fence and mark and mark[1] == fence else fence or (mark[1] if mark else "")
            continue
        heading, bold = _HEADING.match(line), _BOLD_LINE.match(line)
        level = len(heading[1]) if heading else _BOLD_LEVEL if bold else 0
        title = heading[2].rstrip().rstrip("#").rstrip() if heading else bold[1] if bold else ""
        question = _text_after_sign("question", line)
        answer = _text_after_sign("answer", line) if question is None else None
        yield _Line(number, line, False, question, answer, level, title)


def _front_matter(lines: list[str]) -> int:
    """Return the number of lines at the beginning that are YAML front matter."""
    if lines[0].strip("\ufeff \t") != "---":
        return 0
    return next((at + 1 for at, line in enumerate(lines[1:40], start=1) if line.strip() in ("---", "...")), 0)


def _text_after_sign(kind: str, line: str) -> str | None:
    """Return the text after the question or answer sign that `kind` names; None if the line does not begin with one."""
    found = _MARKS[kind].match(line)
    if found is None or (found["sign"] == "." and found["text"] and not (found["gap"] or found["closed"])):
        return None  # an abbreviation such as Q.E.D.
    is_alone = not found["text"] and bool(found["hash"] or found["bold"])
    is_numbered = bool(found["number"]) and bool(found["gap"] or not found["text"])
    if not (found["sign"].strip() or found["closed"] or is_alone or is_numbered):
        return None
    text = found["text"].rstrip().rstrip("#").rstrip() if found["hash"] else found["text"].rstrip()
    return text.replace(found["bold"], "", 1) if found["bold"] and not found["closed"] else text


def _entries(lines: list[_Line], *, has_signs: bool) -> Iterator[_Entry | BadRow]:
    path: list[tuple[int, str]] = []
    entry: _Entry | None = None
    stray: list[_Line] = []
    for line in lines:
        question = line.question if has_signs else _question_text(line)
        ends = line.level in range(1, _BOLD_LEVEL) and line.answer is None and (entry is None or _ends(entry, line))
        if question is not None or ends:
            yield from [entry] if entry else []
            yield from _outside(stray)
            entry, stray = None, []
        if question is not None:
            level = line.level if line.level < _BOLD_LEVEL or not has_signs else 0
            entry = _Entry(line.number, level, question, " > ".join(title for _, title in path))
        elif ends:
            path = [above for above in path if above[0] < line.level] + [(line.level, line.title)]
        elif entry is not None:
            _add_line(entry, line, has_signs=has_signs)
        elif line.text.strip() and not _RULE.match(line.text) and not _COMMENT.match(line.text):
            stray.append(line)
    yield from [entry] if entry else []
    yield from _outside(stray)


def _question_text(line: _Line) -> str | None:
    return _SECTION.sub("", line.title, count=1) if line.level and _ASKS.search(line.title) else None


def _ends(entry: _Entry, line: _Line) -> bool:
    return not entry.level or line.level <= entry.level


def _add_line(entry: _Entry, line: _Line, *, has_signs: bool) -> None:
    """Add a line to the question's body. `has_signs`: the questions of this text have signs (Q:, 問).

    The first answer sign begins the answer. Without question signs it does so only if no text precedes it.
    """
    is_first = not any(text.strip() for text in entry.body)
    if line.answer is not None and entry.answer_at is None and (has_signs or is_first):
        entry.answer_at, entry.answer = len(entry.body), line.answer
    entry.body.append(line.text)


def _outside(stray: list[_Line]) -> list[BadRow]:
    if not stray:
        return []
    return [BadRow(stray[0].number, "outside", shorten(" ".join(line.text for line in stray[:5])))]


def _row(entry: _Entry) -> TrainingRow | BadRow:
    """Return the row of an entry, or a bad row if its question or answer is unusable.

    Without an answer sign, the answer is the text below the heading, or the text after the first blank line.
    """
    body, at = entry.body, entry.answer_at
    if at is not None:
        question, answer = [entry.question, *body[:at]], [entry.answer, *body[at + 1 :]]
    elif entry.level:
        question, answer = [entry.question], body
    else:
        blank = next((at for at, line in enumerate(body) if not line.strip()), len(body))
        question, answer = [entry.question, *body[:blank]], body[blank:]
    try:
        asked, answered = records.text_from_value(_joined(question)), records.text_from_value(_joined(answer))
        return TrainingRow(entry.line, records.question_answer_messages(asked, answered), entry.group)
    except records.RowRefusedError as error:
        return BadRow(entry.line, error.code, error.detail)


def _joined(lines: list[str]) -> str:
    """Join the lines without trailing blank lines and rules, which only separate questions."""
    kept = list(lines)
    while kept and (not kept[-1].strip() or _RULE.match(kept[-1])):
        kept.pop()
    return "\n".join(kept)
