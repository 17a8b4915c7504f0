"""Text files: any encoding that Japanese ones have, and lines that only a fixed width has broken joined again.

CSV and TSV files: the separator is told from the rows, the encoding as for any text.
"""

import csv
import io
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from app.base.errors import AppError
from app.base.files.input_file import read_regular
from app.base.tables.table_reader import find_separator
from app.documents import encodings
from app.documents.reading import limits, text_blocks
from app.documents.reading.text_blocks import Block, ProgressCallback, ReadDocument, join_lines
from app.documents.records import ReadingReport

WIDTH_LONGEST = 100  # columns: mail and manuals are broken at 60 to 80; longer lines are paragraphs of their own
PARAGRAPH_LONGEST = 10_000  # characters that lines are joined to; what goes on beyond is no prose
TELL_EVERY_LINES = 5_000  # lines

_NEWLINES = re.compile("\r\n|[\r\u0085\u2028\x0b\x0c]")
_STARTS = re.compile(
    r"[\s　]|[-*・●○■□◆◇※▼▲→>|#+]|[(（]?[0-9０-９a-zA-Zア-ン①-⑳]{1,3}[)）.．、:：]"
    r"|第[0-9０-９〇一二三四五六七八九十百千]+|[<＜【《「]"
    r"|(?:[ア-ヲ]|[一二三四五六七八九十]{1,3}|[０-９]{1,2})[ 　]|[0-9]{1,2}　|（[^（）。]{1,40}）$"
)
_RULE = re.compile(r"[-=*_~─━―=＝\s]{4,}")


def read_plain_text(path: Path, tell: ProgressCallback, wished_encoding: str = "") -> ReadDocument:
    """Raises AppError("document_not_text" | "document_encoding_unknown" | "document_too_long"), OSError."""
    text, codec = read_decoded(path, wished_encoding)
    return ReadDocument(list(_blocks(text, tell)), report=ReadingReport(encoding=codec))


def read_decoded(path: Path, wished_encoding: str = "") -> tuple[str, str]:
    """The text, with line feeds only, and its codec."""
    limits.check_size(path.stat().st_size, limits.TEXT_BYTES)
    data = read_regular(path, limits.TEXT_BYTES)
    codec = wished_encoding or encodings.detect(data)
    text = encodings.decode_as(data, codec)
    limits.CharacterBudget().add(len(text))
    return _NEWLINES.sub("\n", text), codec


def _blocks(text: str, tell: ProgressCallback) -> list[Block]:
    lines = text.split("\n")
    width = _broken_at(lines)
    blocks: list[Block] = []
    paragraph, was_full = "", False
    for number, line in enumerate(lines):
        if number % TELL_EVERY_LINES == 0:
            tell(number, len(lines))
        stripped = line.strip()
        is_open = 0 < len(paragraph) < PARAGRAPH_LONGEST
        if is_open and was_full and stripped and not _STARTS.match(line):
            paragraph = join_lines(paragraph, stripped)
        else:
            blocks += [Block("paragraph", paragraph)] if paragraph else []
            paragraph = "" if _RULE.fullmatch(line) else stripped
        was_full = width > 0 and _columns(line.rstrip()) >= width * 0.9 and not stripped.endswith(("。", "：", ":"))
    return [*blocks, Block("paragraph", paragraph)] if paragraph else blocks


def _broken_at(lines: list[str]) -> int:
    """The width in columns at which a program has broken the lines; 0: each line is as its author ended it."""
    widths = sorted(_columns(line.rstrip()) for line in lines[:5_000] if line.strip())
    if len(widths) < 4:
        return 0
    usual = widths[len(widths) * 95 // 100]
    full = sum(1 for width in widths if usual * 0.9 <= width <= usual * 1.05)
    return usual if 40 <= usual <= WIDTH_LONGEST and full >= len(widths) * 0.25 else 0


def _columns(line: str) -> int:
    return len(line) + sum(1 for character in line[:400] if unicodedata.east_asian_width(character) in "WF")


SEPARATORS = ",\t;|"
CELL_CHARACTERS = 1_000_000  # a longer one is a quote that was never closed
TELL_EVERY_ROWS = 2_000  # rows


def read_delimited(path: Path, tell: ProgressCallback, wished_encoding: str = "") -> ReadDocument:
    """Raises AppError("document_not_text" | "document_encoding_unknown" | "document_too_long" |
    "document_wide_table" | "document_damaged"), OSError."""
    text, codec = read_decoded(path, wished_encoding)
    csv.field_size_limit(CELL_CHARACTERS)
    separator = find_separator(text, SEPARATORS)
    widths: set[int] = set()
    characters = limits.CharacterBudget()  # the names of the columns are said in each row
    blocks: list[Block] = []
    try:
        for block in text_blocks.table_blocks(_rows(text, separator, tell, widths)):
            characters.add(len(block.text))
            blocks.append(block)
    except csv.Error as error:
        raise AppError("document_damaged", detail=str(error)) from error
    notes = ("uneven_rows",) if len(widths) > 1 else ()
    return ReadDocument(blocks, report=ReadingReport(encoding=codec, tables=1 if blocks else 0, notes=notes))


def _rows(text: str, separator: str, tell: ProgressCallback, widths: set[int]) -> Iterator[list[str]]:
    total = text.count("\n") + 1
    for number, row in enumerate(csv.reader(io.StringIO(text, newline=""), delimiter=separator)):
        if number % TELL_EVERY_ROWS == 0:
            tell(number, total)
        if len(row) > limits.TABLE_COLUMNS:
            raise AppError("document_wide_table", limit=f"{limits.TABLE_COLUMNS:,}")
        if row:
            widths.add(len(row))
        yield row
