"""What a file is, told from its content: a name may say anything.

Markdown, CSV and plain text look alike; only among those the suffix decides.
"""

import re
import zipfile
import zlib
from pathlib import Path
from typing import Literal

from app.base.errors import AppError
from app.base.files.input_file import open_regular
from app.documents import formats
from app.documents.reading import limits

Format = Literal["pdf", "docx", "xlsx", "html", "csv", "markdown", "text"]

HEAD_BYTES = 4096
PDF_START_BYTES = 1024  # as PDF readers do: mail and scanners put lines before the mark

# Atomic: many comments must not be tried in every combination.
_MARKUP = re.compile(
    rb"\s*+(?:<\?xml[^>]*+>\s*+)?(?><!--.*?-->\s*+)*+<(?:!doctype\s+html|html|head|body)\b", re.I | re.S
)
_BY_SUFFIX: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".md": "markdown",
    ".markdown": "markdown",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
}
# Formats that are no text, and what they are called.
_NAMED: dict[str, tuple[Format, str]] = {
    ".pdf": ("pdf", "PDF"),
    ".docx": ("docx", "Word"),
    ".docm": ("docx", "Word"),
    ".xlsx": ("xlsx", "Excel"),
    ".xlsm": ("xlsx", "Excel"),
}
# What is recognized and cannot be read: how it begins, what it is called, and the error, which says what to save it as.
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_OLD_BY_SUFFIX = {".xls": "Excel 97-2003", ".ppt": "PowerPoint 97-2003", ".doc": "Word 97-2003", ".jtd": "一太郎"}
_OTHERS: tuple[tuple[bytes, str, str], ...] = (
    (b"{\\rtf", "RTF", "document_old_format"),
    (b"\x89PNG\r\n\x1a\n", "PNG", "document_is_picture"),
    (b"\xff\xd8\xff", "JPEG", "document_is_picture"),
    (b"GIF8", "GIF", "document_is_picture"),
    (b"II*\0", "TIFF", "document_is_picture"),
    (b"MM\0*", "TIFF", "document_is_picture"),
    (b"BM", "BMP", "document_is_picture"),
    (b"%!PS", "PostScript", "document_unknown_format"),
    (b"\x7fELF", "ELF", "document_unknown_format"),
    (b"MZ\x90\0", "EXE", "document_unknown_format"),
    (b"\x1f\x8b", "gzip", "document_is_archive"),
    (b"7z\xbc\xaf\x27\x1c", "7z", "document_is_archive"),
    (b"Rar!", "RAR", "document_is_archive"),
    (b"SQLite format 3\0", "SQLite", "document_unknown_format"),
    (b"GGUF", "GGUF", "document_unknown_format"),
)
_STARTS_OF_PROSE = ("GIF", "BMP", "RAR", "GGUF")  # letters: a text may begin with them too


def format_of(path: Path) -> Format:
    """Raises AppError("document_old_format" | "document_protected" | "document_is_picture" | "document_is_archive" |
    "document_unknown_format" | "document_damaged" | "document_bomb") for what cannot be read, OSError."""
    with open_regular(path) as file:
        head = file.read(HEAD_BYTES)
    if b"%PDF-" in head[:PDF_START_BYTES]:
        return "pdf"
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _office_format(path)
    if head.startswith(_OLE):
        raise _compound_error(path)
    for start, name, code in _OTHERS:
        is_prose = name in _STARTS_OF_PROSE and _is_plain(head)
        if head.startswith(start) and not is_prose:
            raise AppError(code, format=name)
    if _MARKUP.match(head.removeprefix(b"\xef\xbb\xbf")):
        return "html"
    return _BY_SUFFIX.get(path.suffix.lower(), "text")


def is_other_than_named(path: Path, found: Format) -> bool:
    """Whether the name says that it is a format that it is not."""
    named = _NAMED.get(path.suffix.lower())
    return named is not None and named[0] != found


def not_text(path: Path) -> AppError:
    """What nothing is known of but that it is no text: what its name says may be damaged, or never was a document."""
    suffix = path.suffix.lower()
    if suffix in _NAMED:
        return AppError("document_damaged", detail=_NAMED[suffix][1])
    if suffix and suffix not in formats.SUFFIXES:
        return AppError("document_unknown_format", format=suffix.removeprefix(".").upper())
    return AppError("document_not_text")


def _is_plain(head: bytes) -> bool:
    return all(byte >= 32 or byte in b"\t\r\n\f\x1b" for byte in head)


def _office_format(path: Path) -> Format:
    with limits.open_archive(path) as archive:
        names = {name.lower() for name in archive.namelist()}
        kind = _mimetype(archive)
    if "word/document.xml" in names:
        return "docx"
    if "xl/workbook.xml" in names:
        return "xlsx"
    if any(name.startswith("xl/") and name.endswith(".bin") for name in names):
        raise AppError("document_old_format", format="Excel Binary")
    if any(name.startswith("ppt/") for name in names):
        raise AppError("document_presentation", format="PowerPoint")
    if kind.startswith("application/vnd.oasis.opendocument"):
        raise AppError("document_old_format", format="OpenDocument")
    if any(name.startswith("word/") for name in names):
        return "docx"  # its main part has another name, which its relations tell
    raise AppError("document_is_archive", format="ZIP")


def _mimetype(archive: zipfile.ZipFile) -> str:
    try:
        with archive.open("mimetype") as entry:
            return entry.read(100).decode("ascii", "replace")
    except (KeyError, zipfile.BadZipFile, zlib.error, EOFError):
        return ""


def _compound_error(path: Path) -> AppError:
    """Old Office files and encrypted new ones are the same kind of container. Stream names in it are UTF-16."""
    with open_regular(path) as file:
        start = file.read(4_000_000)
        file.seek(max(0, path.stat().st_size - 4_000_000))
        content = start + file.read()
    if "EncryptedPackage".encode("utf-16-le") in content:
        return AppError("document_protected")
    for stream, name in (
        ("WordDocument", "Word 97-2003"),
        ("Workbook", "Excel 97-2003"),
        ("PowerPoint Document", "PowerPoint 97-2003"),
        ("DocumentText", "一太郎"),
    ):
        if stream.encode("utf-16-le") in content:
            return AppError("document_old_format", format=name)
    return AppError("document_old_format", format=_OLD_BY_SUFFIX.get(path.suffix.lower(), "Office 97-2003"))
