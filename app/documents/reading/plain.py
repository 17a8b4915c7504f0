"""Text files: any encoding that Japanese ones have, and lines that only a fixed width has broken joined again."""

import re
import unicodedata
from pathlib import Path

from app.base.files.input_file import read_regular
from app.documents import encodings
from app.documents.reading import limits
from app.documents.reading.blocks import Block, Reading, Tell
from app.documents.reading.hygiene import join
from app.documents.records import Report

WIDTH_LONGEST = 100  # columns: mail and manuals are broken at 60 to 80; longer lines are paragraphs of their own
PARAGRAPH_LONGEST = 10_000  # characters that lines are joined to; what goes on beyond is no prose
TELL_EVERY = 5_000  # lines

_NEWLINES = re.compile("\r\n|[\r\u0085\u2028\x0b\x0c]")
_STARTS = re.compile(
    r"[\s　]|[-*・●○■□◆◇※▼▲→>|#+]|[(（]?[0-9０-９a-zA-Zア-ン①-⑳]{1,3}[)）.．、:：]"
    r"|第[0-9０-９〇一二三四五六七八九十百千]+|[<＜【《「]"
    r"|(?:[ア-ヲ]|[一二三四五六七八九十]{1,3}|[０-９]{1,2})[ 　]|[0-9]{1,2}　|（[^（）。]{1,40}）$"
)
_RULE = re.compile(r"[-=*_~─━―=＝\s]{4,}")


def read(path: Path, tell: Tell, wished_encoding: str = "") -> Reading:
    """Raises AppError("document_not_text" | "document_encoding_unknown" | "document_too_long"), OSError."""
    text, codec = text_of(path, wished_encoding)
    return Reading(list(_blocks(text, tell)), report=Report(encoding=codec))


def text_of(path: Path, wished_encoding: str = "") -> tuple[str, str]:
    """The text, with line feeds only, and its codec."""
    limits.check_size(path.stat().st_size, limits.TEXT_BYTES)
    data = read_regular(path, limits.TEXT_BYTES)
    codec = wished_encoding or encodings.detect(data)
    text = encodings.decode_wished(data, codec)
    limits.Characters().add(len(text))
    return _NEWLINES.sub("\n", text), codec


def _blocks(text: str, tell: Tell) -> list[Block]:
    lines = text.split("\n")
    width = _broken_at(lines)
    blocks: list[Block] = []
    paragraph, was_full = "", False
    for number, line in enumerate(lines):
        if number % TELL_EVERY == 0:
            tell(number, len(lines))
        stripped = line.strip()
        is_open = 0 < len(paragraph) < PARAGRAPH_LONGEST
        if is_open and was_full and stripped and not _STARTS.match(line):
            paragraph = join(paragraph, stripped)
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
