"""Read a document from its file, cut it into sections and store them.

Its content tells the format, and the suffix only which of Markdown, CSV and plain text it is.
"""

import dataclasses
import functools
import hashlib
import os
import re
import stat
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from msgspec import structs

from app.base import invisible_characters, programs
from app.base.errors import AppError
from app.base.files.input_file import open_regular
from app.base.isolation import sandbox
from app.documents import records
from app.documents.document_tables import batches_of, index_batch
from app.documents.library import Library
from app.documents.reading import limits, office_conversion, sections, text_blocks
from app.documents.reading.helpers import NO_HELPERS, Helpers
from app.documents.reading.pdf import ocr as recognition
from app.documents.reading.pdf.ocr import Recognizer
from app.documents.reading.text_blocks import Block, ProgressCallback, ReadDocument
from app.documents.records import Document, ReadingReport, Section

Format = Literal[
    "pdf", "docx", "xlsx", "xlsb", "xls", "ods", "pptx", "html", "csv", "markdown", "text", "picture",
    "doc", "rtf", "odt", "ppt", "odp",
]  # fmt: skip
# Formats that LibreOffice converts, and into which.
CONVERTED: dict[Format, Format] = {"doc": "docx", "rtf": "docx", "odt": "docx", "ppt": "pptx", "odp": "pptx"}

HEAD_BYTES = 4096
PDF_START_BYTES = 1024  # like PDF readers: mail and scanners put lines before the signature

# Atomic groups, so that many comments do not cause exponential backtracking.
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
# Binary formats by suffix.
_NAMED: dict[str, Format] = {
    ".pdf": "pdf", ".docx": "docx", ".docm": "docx", ".xlsx": "xlsx", ".xlsm": "xlsx", ".xlsb": "xlsb", ".xls": "xls",
    ".ods": "ods", ".pptx": "pptx", ".pptm": "pptx", ".doc": "doc", ".rtf": "rtf", ".odt": "odt", ".ppt": "ppt",
    ".odp": "odp", **dict.fromkeys(records.PICTURE_SUFFIXES, "picture"),
}  # fmt: skip
# Streams in OLE containers, which old Office files and encrypted new ones share. Their names are UTF-16.
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_STREAMS: tuple[tuple[str, Format], ...] = (
    ("WordDocument", "doc"),
    ("Workbook", "xls"),
    ("PowerPoint Document", "ppt"),
)
_OPEN_DOCUMENTS: dict[str, Format] = {"text": "odt", "spreadsheet": "ods", "presentation": "odp"}
# Formats that are recognized but not read: first bytes, name, and error code, whose text suggests another format.
_OTHERS: tuple[tuple[bytes, str, str], ...] = (
    (b"GIF8", "GIF", "document_is_picture"),
    (b"BM", "BMP", "document_is_picture"),
    (b"%!PS", "PostScript", "document_unknown_format"),
    (b"\x7fELF", "ELF", "document_unknown_format"),
    (b"MZ\x90\0", "EXE", "document_unknown_format"),
    (b"\x1f\x8b", "gzip", "document_is_archive"),
    (b"7z\xbc\xaf\x27\x1c", "7z", "document_is_archive"),
    (b"Rar!", "RAR", "document_is_archive"),
    *((start, "Excel 4.0", "document_old_format") for start in (b"\t\0\x04\0", b"\t\x02\x06\0", b"\t\x04\x06\0")),
    (b"SQLite format 3\0", "SQLite", "document_unknown_format"),
    (b"GGUF", "GGUF", "document_unknown_format"),
)
_PICTURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\0", b"MM\0*")  # PNG, JPEG, TIFF
_STARTS_OF_PROSE = ("GIF", "BMP", "RAR", "GGUF")  # signatures of ASCII letters, with which a text may also begin


def detect_format(path: Path) -> Format:
    """Return the format of a file by its content. Raises AppError for what is not read, damaged or protected,
    OSError."""
    with open_regular(path) as file:
        head = file.read(HEAD_BYTES)
    if b"%PDF-" in head[:PDF_START_BYTES]:
        return "pdf"
    if head.startswith(_PICTURES):
        return "picture"
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _office_format(path)
    if head.startswith(_OLE):
        return _compound_format(path)
    if head.startswith(b"{\\rtf"):
        return "rtf"
    for start, name, code in _OTHERS:
        is_prose = name in _STARTS_OF_PROSE and _is_plain(head)
        if head.startswith(start) and not is_prose:
            raise AppError(code, format=name)
    if _MARKUP.match(head.removeprefix(b"\xef\xbb\xbf")):
        return "html"
    return _BY_SUFFIX.get(path.suffix.lower(), "text")


def differs_from_name(path: Path, file_format: Format) -> bool:
    """Whether the suffix names another format than the detected one."""
    named = _NAMED.get(path.suffix.lower())
    return named is not None and named != file_format


def not_text_error(path: Path) -> AppError:
    """Return the error for content that is not text: damaged if the suffix is of a known format, else unknown."""
    suffix = path.suffix.lower()
    if suffix in _NAMED:
        return AppError("document_damaged", detail=_NAMED[suffix])
    if suffix and suffix not in records.DOCUMENT_SUFFIXES:
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
    if "xl/workbook.bin" in names:
        return "xlsb"
    if any(name.startswith("ppt/") for name in names):
        return "pptx"
    if kind.startswith("application/vnd.oasis.opendocument."):
        found = _OPEN_DOCUMENTS.get(kind.removeprefix("application/vnd.oasis.opendocument.").partition("-")[0])
        if found is None:
            raise AppError("document_old_format", format="OpenDocument")
        return found
    if any(name.startswith("word/") for name in names):
        return "docx"  # its main part has another name, which the relations contain
    raise AppError("document_is_archive", format="ZIP")


def _mimetype(archive: zipfile.ZipFile) -> str:
    try:
        with archive.open("mimetype") as entry:
            return entry.read(100).decode("ascii", "replace")
    except (KeyError, zipfile.BadZipFile, zlib.error, EOFError):
        return ""


def _compound_format(path: Path) -> Format:
    """Return the format of an OLE container. Raises AppError("document_protected" | "document_old_format")."""
    with open_regular(path) as file:
        start = file.read(4_000_000)
        file.seek(max(0, path.stat().st_size - 4_000_000))
        content = start + file.read()
    if "EncryptedPackage".encode("utf-16-le") in content:
        raise AppError("document_protected")
    named = _NAMED.get(path.suffix.lower())
    formats = [found for stream, found in _STREAMS if stream.encode("utf-16-le") in content]
    if formats:  # several, if a document of another kind is embedded
        return named if named in formats else formats[0]
    if "DocumentText".encode("utf-16-le") in content or path.suffix.lower() == ".jtd":
        raise AppError("document_old_format", format="一太郎")
    if named not in ("doc", "xls", "ppt"):
        raise AppError("document_old_format", format="Office 97-2003")
    return named


LOST_SHARE, LOST_LEAST = 0.05, 100  # share and number of lost letters from which a person should look
GARBLED_LEAST = 0.01  # share of garbled characters from which they are counted exactly
ATTEMPTS = 50  # attempts to read one document, including those that ended because the parent ended


def index_document(
    library: Library,
    document: Document,
    *,
    ocr: bool,
    on_progress: ProgressCallback,
    on_written: ProgressCallback,
    ocr_part: Path | None = None,
    conversion_folder: Path | None = None,
    helpers: Helpers = NO_HELPERS,
) -> int:
    """Read a document and store its sections; return their number. Raises AppError, which its row does not have yet.

    `ocr`: recognize pages that are images. `ocr_part`: the folder of RapidOCR, or None. `on_progress`, `on_written`:
    while the file is read, and sections written. `conversion_folder`: see `office_conversion`. `helpers`: share the
    work.
    """
    path = Path(document.path)
    status = _status(path)
    if library.begin_reading(document.id, status) > ATTEMPTS:
        raise AppError("document_crashed")
    limits.check_size(status.st_size)
    found = dataclasses.replace(
        document, size_bytes=status.st_size, modified_ns=status.st_mtime_ns, sha256=_digest(path, on_progress)
    )
    recognizer = functools.partial(recognition.make_recognizer, ocr_part, on_progress)

    def read_as(file_format: Format, source: Path) -> ReadDocument:
        as_format, encoding = CONVERTED.get(file_format, file_format), document.chosen_encoding
        read = functools.partial(_read_as, as_format, source, encoding, recognizer, ocr, on_progress, helpers)
        return _noted(path, file_format, source, read)

    def read_unless_converted() -> tuple[Format, ReadDocument | None]:
        file_format = detect_format(path)
        return file_format, None if file_format in CONVERTED else read_as(file_format, path)

    readable = [*_recognizing(), *([ocr_part] if ocr_part else [])]
    file_format, read = sandbox.run_confined(read_unless_converted, [path, *readable], ())
    if read is None:
        source = office_conversion.convert(path, file_format, CONVERTED[file_format], conversion_folder, on_progress)
        read = sandbox.run_confined(lambda: read_as(file_format, source), [source, *readable], ())
    reading = clean_document(read)
    splitter = sections.Splitter(reading)
    batches = helpers.map(index_batch, batches_of(splitter.cut()), index_batch)
    cut = splitter.sections
    on_written(0, len(cut))
    report = _complete_report(reading, cut, _lost_letters(reading, cut, splitter.heading_letters))
    library.put(
        dataclasses.replace(
            found, state="doubtful" if report.is_doubtful else "done", report=report, error_code="", error_facts={}
        ),
        cut,
        lambda done: on_written(done, len(cut)),
        batches,
    )
    return len(cut)


@functools.cache
def _recognizing() -> list[Path]:
    """Return the paths of Tesseract and its data, which the sandbox must allow; [] if it is not installed."""
    program = programs.find_program(recognition.PROGRAM)
    if program is None:
        return []
    found = Path(program).resolve()
    around = found.parents[1]
    data = [Path(place)] if (place := os.environ.get("TESSDATA_PREFIX")) else []
    return [found, around / "lib", around / "share" / "tessdata", *data]


def _status(path: Path) -> os.stat_result:
    """Return the status of a regular file. Raises AppError("document_missing" | "document_not_a_file")."""
    try:
        status = path.stat()
    except FileNotFoundError as error:
        raise AppError("document_missing", path=str(path)) from error
    if not stat.S_ISREG(status.st_mode):  # opening a pipe or a device could block
        raise AppError("document_not_a_file", path=str(path))
    return status


def _digest(path: Path, on_progress: ProgressCallback) -> str:
    digest = hashlib.sha256()
    with open_regular(path) as file:
        while block := file.read(8_000_000):
            digest.update(block)
            on_progress(0, 0)
    return digest.hexdigest()


def _noted(path: Path, file_format: Format, source: Path, read: Callable[[], ReadDocument]) -> ReadDocument:
    """Read a file (`source`: itself or converted), and note a suffix of another format. Raises AppError."""
    try:
        reading = read()
    except AppError as error:
        if error.code == "document_not_text":
            raise not_text_error(path) from error
        raise
    notes = reading.report.notes
    if source != path:
        notes += ("converted",)
    if differs_from_name(path, file_format):
        notes += ("other_format",)
    return dataclasses.replace(reading, report=dataclasses.replace(reading.report, notes=notes))


def _read_as(
    file_format: Format,
    path: Path,
    chosen_encoding: str,
    make_recognizer: Callable[[], Recognizer],
    ocr: bool,
    on_progress: ProgressCallback,
    helpers: Helpers,
) -> ReadDocument:
    """Read a file in this format, whose libraries are loaded with the first document that has it."""
    match file_format:
        case "pdf":
            from app.documents.reading.pdf import pdf_reader

            return pdf_reader.read(path, on_progress, make_recognizer() if ocr else None, helpers)
        case "picture":
            from app.documents.reading import pictures

            return pictures.read(path, on_progress, make_recognizer)
        case "docx":
            from app.documents.reading import docx

            return docx.read(path, on_progress)
        case "pptx":
            from app.documents.reading import pptx

            return pptx.read(path, on_progress)
        case "xlsx" | "xlsb" | "xls" | "ods":
            from app.documents.reading import spreadsheet

            return spreadsheet.read(path, on_progress, file_format)
        case "csv":
            from app.documents.reading import text_files

            return text_files.read_delimited(path, on_progress, chosen_encoding)
        case "html":
            from app.documents.reading import html

            return html.read(path, on_progress, chosen_encoding)
        case "markdown":
            from app.documents.reading import markdown, text_files

            text, codec = text_files.read_decoded(path, chosen_encoding)
            reading = markdown.read(text, on_progress, helpers)
            return dataclasses.replace(reading, report=dataclasses.replace(reading.report, encoding=codec))
        case "text":
            from app.documents.reading import text_files

            return text_files.read_plain_text(path, on_progress, chosen_encoding)
    raise ValueError(f"{file_format} is converted first")


def clean_document(reading: ReadDocument) -> ReadDocument:
    """Return the document without invisible characters, whose number (but for harmless selectors) is reported."""
    blocks: list[Block] = []
    count = garbled = 0
    for block in reading.blocks:
        garbled += text_blocks.count_garbled(block.text)
        text, removed = invisible_characters.remove_and_count(block.text)
        count += removed
        text = invisible_characters.without_variants(text)
        if block.kind != "paragraph" and "\n" not in block.text:
            text = text.replace("\n", " ")  # a line separator inside a cell or a title
        if text.strip():
            blocks.append(block if text == block.text else structs.replace(block, text=text))
    # Counted here, because the removed characters cannot be counted later.
    share = garbled / max(1, sum(len(block.text) for block in reading.blocks))
    share = max(reading.report.garbled_share, share)
    report = dataclasses.replace(reading.report, invisible=count, garbled_share=share)
    return dataclasses.replace(
        reading, blocks=blocks, title=invisible_characters.to_plain_text(reading.title), report=report
    )


def _complete_report(reading: ReadDocument, cut: list[Section], lost_letters: int) -> ReadingReport:
    """Return the reader's report, completed with the numbers of headings, sections and characters."""
    characters = sum(len(section.text) for section in cut)
    garbled_share = reading.report.garbled_share
    if garbled_share > GARBLED_LEAST:  # in the sections alone, without headings, it may be more
        garbled = sum(text_blocks.count_garbled(section.text) for section in cut)
        garbled_share = max(garbled_share, garbled / max(1, characters))
    lost_share = lost_letters / max(1, reading.source_letters)
    notes = reading.report.notes
    if not cut:
        notes += ("no_text",)
    elif lost_letters >= LOST_LEAST and lost_share > LOST_SHARE:
        notes += ("lost_text",)
    return dataclasses.replace(
        reading.report,
        garbled_share=garbled_share,
        lost_share=lost_share,
        headings=sum(1 for block in reading.blocks if block.kind == "heading")
        or len({section.heading for section in cut if section.heading}),
        sections=len(cut),
        characters=characters,
        notes=tuple(dict.fromkeys(notes)),
    )


def _lost_letters(reading: ReadDocument, cut: list[Section], heading_letters: int) -> int:
    """Return how many letters came into no section or heading, or 0; repeated ones, as in rows, can hide some."""
    kept = heading_letters + sum(text_blocks.count_letters(section.text) for section in cut)
    return max(0, reading.source_letters - kept) if reading.source_letters else 0
