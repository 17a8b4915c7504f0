"""Read plain text, CSV and TSV files in any Japanese encoding; broken lines are joined, tables of contents dropped."""

import bisect
import csv
import io
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from app.base.errors import AppError
from app.base.files.input_file import read_regular
from app.base.lazy_pattern import lazy_pattern
from app.base.tables.table_reader import find_separator
from app.documents import encodings
from app.documents.reading import headings, limits, text_blocks
from app.documents.reading.text_blocks import Block, ProgressCallback, ReadDocument, count_letters, join_lines
from app.documents.records import ReadingReport

WIDTH_LONGEST = 100  # columns: mail and manuals are broken at 60 to 80; longer lines are separate paragraphs
PARAGRAPH_LONGEST = 10_000  # characters up to which lines are joined; longer text is not prose
PROGRESS_EVERY_LINES = 5_000  # lines between two reports of progress

CONTENTS_LEAST = 4  # smallest number of entries of a table of contents
_CONTENTS_SHARE = 0.6  # share of them that stand below it again, as headings
_ENTRY_LINES = 4  # lines of one entry, which may be broken like prose
_SPREAD = 3  # times as far as in the table of contents
_ENTRY = lazy_pattern(r"[\s　]*(?:[-*・]\s+)?(?:[図表]\s?)?(?=[0-9０-９第])")
_PAGE = lazy_pattern(r"\s*[.．・…‥\s]{2,}\d*$")  # leaders and a page number
_ORDINAL = lazy_pattern(r"第\s*(\d+)\s*\S$")  # 第1章, which a table of contents may call 1
_TITLE_COMPARED = 8  # characters of a title; a heading may be broken where its entry is not

_NEWLINES = lazy_pattern("\r\n|[\r\u0085\u2028\x0b\x0c]")
_STARTS = lazy_pattern(
    r"[\s　]|[-*・●○■□◆◇※▼▲→>|#+]|[(（]?[0-9０-９a-zA-Zア-ン①-⑳]{1,3}[)）.．、:：]"
    r"|第[0-9０-９〇一二三四五六七八九十百千]+|[<＜【《「]"
    r"|(?:[ア-ヲ]|[一二三四五六七八九十]{1,3}|[０-９]{1,2})[ 　]|[0-9]{1,2}　|（[^（）。]{1,40}）$"
)
_SPACES = " \xa0"  # but not the one with which a Japanese paragraph begins
_HANGING = lazy_pattern(r"(?P<indent>[ \xa0]*)(?:(?:[-*•・○●]|[(（]?\w{1,3}[)）.．:]) *)?")
_RULE = lazy_pattern(r"[-=*_~─━―=＝\s]{4,}")


def read_plain_text(path: Path, on_progress: ProgressCallback, chosen_encoding: str = "") -> ReadDocument:
    """Read a plain text file. Raises as `read_decoded`."""
    text, codec = read_decoded(path, chosen_encoding)
    lines = _without_contents(text.split("\n"))
    letters = count_letters("\n".join(lines))
    return ReadDocument(list(_blocks(lines, on_progress)), report=ReadingReport(encoding=codec), source_letters=letters)


def read_decoded(path: Path, chosen_encoding: str = "") -> tuple[str, str]:
    """Return a text with line feeds, and its codec. Raises AppError if it is none, too long or in no such code,
    OSError."""
    limits.check_size(path.stat().st_size, limits.TEXT_BYTES)
    data = read_regular(path, limits.TEXT_BYTES)
    codec = chosen_encoding or encodings.detect(data)
    text = encodings.decode_as(data, codec)
    limits.CharacterBudget().add(len(text))
    return _NEWLINES.sub("\n", text), codec


def _without_contents(lines: list[str]) -> list[str]:
    """Drop tables of contents: numbered lines most of which follow again, further apart than a procedure's steps."""
    numbered = [(at, key) for at, line in enumerate(lines) if (key := _entry(line))]
    places: dict[tuple[str, str], list[int]] = {}
    for at, key in numbered:
        places.setdefault(key, []).append(at)
    dropped: set[int] = set()
    begin = 0
    while begin < len(numbered):
        first, end = numbered[begin][0], begin + 1
        seen = {numbered[begin][1]}
        while (
            end < len(numbered)
            and numbered[end][1] not in seen
            and _is_next(lines, *(numbered[at][0] for at in (end - 1, end)))
        ):
            seen.add(numbered[end][1])
            end += 1
        tail = numbered[end - 1][0]
        found = [(at, bisect.bisect(places[key], tail), key) for at, key in numbered[begin:end]]
        again = [(at, places[key][place]) for at, place, key in found if place < len(places[key])]
        last = again[-1][0] if again else first
        headings_at = sorted(at for _, at in again)
        if len(again) >= max(CONTENTS_LEAST, (end - begin) * _CONTENTS_SHARE) and (
            headings_at[-1] - headings_at[0] > _SPREAD * (last - first)
        ):
            following = (at for at in range(last + 1, len(lines)) if not lines[at].strip() or _entry(lines[at]))
            ends = next(following, len(lines))
            dropped.update(range(first, ends if _is_next(lines, last, ends) else last + 1))
        begin = end
    return [line for at, line in enumerate(lines) if at not in dropped]


def _entry(line: str) -> tuple[str, str] | None:
    """Return the number of a line that may be a heading or its entry in a table of contents, and its title."""
    if len(line) > headings.LONGEST * 2 or (start := _ENTRY.match(line)) is None:
        return None
    folded = headings.fold(line[start.end() :])
    number = headings.parse_number(folded)
    title = _PAGE.sub("", folded[number.length :]).strip(" .") if number else ""
    if number is None or not title:
        return None
    digits = _ORDINAL.sub(r"\1", folded[: number.length].strip(" ."))
    return digits, title[:_TITLE_COMPARED]


def _is_next(lines: list[str], at: int, following: int) -> bool:
    """Whether the lines between two numbered ones are blank, or continue the first, which is no sentence."""
    texts = [line.strip() for line in lines[at + 1 : following]]
    written = [text for text in texts if text]
    is_text = any(text.endswith("。") for text in written)
    return not is_text and len(written) < _ENTRY_LINES and written == texts[: len(written)]


def _blocks(lines: list[str], on_progress: ProgressCallback) -> list[Block]:
    width = _broken_at(lines)
    blocks: list[Block] = []
    paragraph, was_full = "", False
    before = ""
    for number, line in enumerate(lines):
        if number % PROGRESS_EVERY_LINES == 0:
            on_progress(number, len(lines))
        stripped = line.strip()
        is_open = 0 < len(paragraph) < PARAGRAPH_LONGEST
        if is_open and was_full and stripped and not _begins(line, before):
            paragraph = join_lines(paragraph, stripped)
        else:
            blocks += [Block("paragraph", paragraph)] if paragraph else []
            paragraph = "" if _RULE.fullmatch(line) else stripped
        before = line
        was_full = width > 0 and _columns(line.rstrip()) >= width * 0.9 and not stripped.endswith(("。", "：", ":"))
    return [*blocks, Block("paragraph", paragraph)] if paragraph else blocks


def _begins(line: str, before: str) -> bool:
    """Whether a line begins a paragraph or an item: it has a sign of its own, or another indentation than its text."""
    indented = len(line) - len(line.lstrip(_SPACES))
    hanging = _HANGING.match(before)
    is_aligned = hanging is not None and indented in (len(hanging["indent"]), hanging.end())
    return _STARTS.match(line[indented:] if is_aligned else line) is not None


def _broken_at(lines: list[str]) -> int:
    """Return the width in columns at which a program has broken the lines; 0 if the author broke them."""
    widths = sorted(_columns(line.rstrip()) for line in lines[:5_000] if line.strip())
    if len(widths) < 4:
        return 0
    usual = widths[len(widths) * 95 // 100]
    full = sum(1 for width in widths if usual * 0.9 <= width <= usual * 1.05)
    return usual if 40 <= usual <= WIDTH_LONGEST and full >= len(widths) * 0.25 else 0


def _columns(line: str) -> int:
    """Return the width of a line in columns; full-width characters have two."""
    return len(line) + sum(1 for character in line[:400] if unicodedata.east_asian_width(character) in "WF")


SEPARATORS = ",\t;|"
CELL_CHARACTERS = 1_000_000  # a longer one is an unclosed quotation
PROGRESS_EVERY_ROWS = 2_000  # rows between two reports of progress


def read_delimited(path: Path, on_progress: ProgressCallback, chosen_encoding: str = "") -> ReadDocument:
    """Read a CSV or TSV file. Raises as `read_decoded`, and AppError("document_wide_table" | "document_damaged")."""
    text, codec = read_decoded(path, chosen_encoding)
    csv.field_size_limit(CELL_CHARACTERS)
    separator = find_separator(text, SEPARATORS)
    widths: set[int] = set()
    characters = limits.CharacterBudget()  # counted here, because each row repeats the column names
    blocks: list[Block] = []
    try:
        for block in text_blocks.table_blocks(_rows(text, separator, on_progress, widths)):
            characters.add(len(block.text))
            blocks.append(block)
    except csv.Error as error:
        raise AppError("document_damaged", detail=str(error)) from error
    notes = ("uneven_rows",) if len(widths) > 1 else ()
    report = ReadingReport(encoding=codec, tables=1 if blocks else 0, notes=notes)
    return ReadDocument(blocks, report=report, source_letters=count_letters(text))


def _rows(text: str, separator: str, on_progress: ProgressCallback, widths: set[int]) -> Iterator[list[str]]:
    """Yield the rows of a CSV file, and add the number of cells of each to `widths`."""
    total = text.count("\n") + 1
    for number, row in enumerate(csv.reader(io.StringIO(text, newline=""), delimiter=separator)):
        if number % PROGRESS_EVERY_ROWS == 0:
            on_progress(number, total)
        if len(row) > limits.TABLE_COLUMNS:
            raise AppError("document_wide_table", limit=f"{limits.TABLE_COLUMNS:,}")
        if row:
            widths.add(len(row))
        yield row
