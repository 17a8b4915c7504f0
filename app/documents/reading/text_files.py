"""Read plain text, CSV and TSV files in any encoding that Japanese files have.

Lines of plain text that were only broken at a fixed width are joined. The separator of CSV and TSV files is detected
from the rows.
"""

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
from app.documents.reading import limits, text_blocks
from app.documents.reading.text_blocks import Block, ProgressCallback, ReadDocument, count_letters, join_lines
from app.documents.records import ReadingReport

WIDTH_LONGEST = 100  # columns: mail and manuals are broken at 60 to 80; longer lines are separate paragraphs
PARAGRAPH_LONGEST = 10_000  # characters up to which lines are joined; longer text is not prose
PROGRESS_EVERY_LINES = 5_000  # lines between two reports of progress

_NEWLINES = lazy_pattern("\r\n|[\r\u0085\u2028\x0b\x0c]")
_STARTS = lazy_pattern(
    r"[\s　]|[-*・●○■□◆◇※▼▲→>|#+]|[(（]?[0-9０-９a-zA-Zア-ン①-⑳]{1,3}[)）.．、:：]"
    r"|第[0-9０-９〇一二三四五六七八九十百千]+|[<＜【《「]"
    r"|(?:[ア-ヲ]|[一二三四五六七八九十]{1,3}|[０-９]{1,2})[ 　]|[0-9]{1,2}　|（[^（）。]{1,40}）$"
)
_RULE = lazy_pattern(r"[-=*_~─━―=＝\s]{4,}")


def read_plain_text(path: Path, on_progress: ProgressCallback, chosen_encoding: str = "") -> ReadDocument:
    """Read a plain text file.

    Raises AppError("document_not_text" | "document_encoding_unknown" | "document_too_long"), OSError.
    """
    text, codec = read_decoded(path, chosen_encoding)
    report = ReadingReport(encoding=codec)
    return ReadDocument(list(_blocks(text, on_progress)), report=report, source_letters=count_letters(text))


def read_decoded(path: Path, chosen_encoding: str = "") -> tuple[str, str]:
    """Return the text of a file, with line feeds only, and its codec.

    Raises AppError("document_not_text" | "document_encoding_unknown" | "document_too_long"), OSError.
    """
    limits.check_size(path.stat().st_size, limits.TEXT_BYTES)
    data = read_regular(path, limits.TEXT_BYTES)
    codec = chosen_encoding or encodings.detect(data)
    text = encodings.decode_as(data, codec)
    limits.CharacterBudget().add(len(text))
    return _NEWLINES.sub("\n", text), codec


def _blocks(text: str, on_progress: ProgressCallback) -> list[Block]:
    lines = text.split("\n")
    width = _broken_at(lines)
    blocks: list[Block] = []
    paragraph, was_full = "", False
    for number, line in enumerate(lines):
        if number % PROGRESS_EVERY_LINES == 0:
            on_progress(number, len(lines))
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
    """Read a CSV or TSV file.

    Raises AppError("document_not_text" | "document_encoding_unknown" | "document_too_long" | "document_wide_table" |
    "document_damaged"), OSError.
    """
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
