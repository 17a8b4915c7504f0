"""One document from its file into the database: read by what its content is, cut into sections and put."""

import dataclasses
import hashlib
import os
import stat
from pathlib import Path

from app.base import invisible_characters, programs
from app.base.errors import AppError
from app.base.files.input_file import open_regular
from app.base.isolation import sandbox
from app.documents.library import Library
from app.documents.reading import detect, hygiene, limits, sections
from app.documents.reading.blocks import Block, Reading, Tell
from app.documents.reading.pdf import ocr as recognition
from app.documents.records import Document, Report, Section

ATTEMPTS = 50  # what so often ended child and parent together is not tried again: hardly ever the document's fault


def index(library: Library, document: Document, *, ocr: bool, tell: Tell, indexing: Tell) -> int:
    """Gives the number of sections. `indexing`: as `tell`, while they are written.

    Raises AppError for what the user can mend; the document's row then says nothing yet.
    """
    path = Path(document.path)
    status = _status(path)
    if library.begin_reading(document.id, status) > ATTEMPTS:
        raise AppError("document_crashed")
    limits.check_size(status.st_size)
    found = dataclasses.replace(
        document, size_bytes=status.st_size, modified_ns=status.st_mtime_ns, sha256=_digest(path, tell)
    )
    read = sandbox.run_confined(lambda: _read(path, document.wished_encoding, ocr, tell), [path, *_recognizing(ocr)])
    reading = cleaned(read)
    cut = sections.split(reading)
    indexing(0, len(cut))
    report = _report(reading, cut)
    library.put(
        dataclasses.replace(
            found, state="doubtful" if report.is_doubtful else "done", report=report, error_code="", error_facts={}
        ),
        cut,
        lambda done: indexing(done, len(cut)),
    )
    return len(cut)


def _recognizing(is_wanted: bool) -> list[Path]:
    """What Tesseract is made of, and its data, if they are not among the system's programs (Conda, Homebrew)."""
    program = programs.find_program(recognition.PROGRAM) if is_wanted else None
    if program is None:
        return []
    found = Path(program).resolve()
    around = found.parents[1]
    data = [Path(place)] if (place := os.environ.get("TESSDATA_PREFIX")) else []
    return [found, around / "lib", around / "share" / "tessdata", *data]


def _status(path: Path) -> os.stat_result:
    try:
        status = path.stat()
    except FileNotFoundError as error:
        raise AppError("document_missing", path=str(path)) from error
    if not stat.S_ISREG(status.st_mode):  # a pipe or a device would be waited for
        raise AppError("document_not_a_file", path=str(path))
    return status


def _digest(path: Path, tell: Tell) -> str:
    digest = hashlib.sha256()
    with open_regular(path) as file:
        while block := file.read(8_000_000):
            digest.update(block)
            tell(0, 0)
    return digest.hexdigest()


def _read(path: Path, wished_encoding: str, ocr: bool, tell: Tell) -> Reading:
    """What is no text is said to be what its name says; what is another format than that is noted."""
    found = detect.format_of(path)
    try:
        reading = _read_as(found, path, wished_encoding, ocr, tell)
    except AppError as error:
        if error.code == "document_not_text":
            raise detect.not_text(path) from error
        raise
    if not detect.is_other_than_named(path, found):
        return reading
    notes = (*reading.report.notes, "other_format")
    return dataclasses.replace(reading, report=dataclasses.replace(reading.report, notes=notes))


def _read_as(found: detect.Format, path: Path, wished_encoding: str, ocr: bool, tell: Tell) -> Reading:
    """Each reader loads its libraries when the first document of its kind comes."""
    match found:
        case "pdf":
            from app.documents.reading.pdf import pdf

            return pdf.read(path, tell, ocr=ocr)
        case "docx":
            from app.documents.reading import docx

            return docx.read(path, tell)
        case "xlsx":
            from app.documents.reading import spreadsheet

            return spreadsheet.read(path, tell)
        case "csv":
            from app.documents.reading import delimited

            return delimited.read(path, tell, wished_encoding)
        case "html":
            from app.documents.reading import html

            return html.read(path, tell, wished_encoding)
        case "markdown":
            from app.documents.reading import markdown, plain

            text, codec = plain.text_of(path, wished_encoding)
            reading = markdown.read(text, tell)
            return dataclasses.replace(reading, report=dataclasses.replace(reading.report, encoding=codec))
        case "text":
            from app.documents.reading import plain

            return plain.read(path, tell, wished_encoding)


def cleaned(reading: Reading) -> Reading:
    """Return the reading without what nobody sees, which the report counts.

    Selectors that only choose the form of an ideograph are left out too, and hide nothing.
    """
    blocks: list[Block] = []
    count = garbled = 0
    for block in reading.blocks:
        garbled += hygiene.garbled(block.text)
        text, removed = invisible_characters.remove_and_count(block.text)
        count += removed
        text = invisible_characters.without_variants(text)
        if block.kind != "paragraph" and "\n" not in block.text:
            text = text.replace("\n", " ")  # a separator of lines inside a cell or a title
        if text.strip():
            blocks.append(block if text == block.text else dataclasses.replace(block, text=text))
    # What is taken out cannot be counted later.
    share = garbled / max(1, sum(len(block.text) for block in reading.blocks))
    share = max(reading.report.garbled_share, share)
    report = dataclasses.replace(reading.report, invisible=count, garbled_share=share)
    return dataclasses.replace(
        reading, blocks=blocks, title=invisible_characters.to_plain_text(reading.title), report=report
    )


def _report(reading: Reading, cut: list[Section]) -> Report:
    characters = sum(len(section.text) for section in cut)
    garbled = sum(hygiene.garbled(section.text) for section in cut)
    notes = reading.report.notes if cut else (*reading.report.notes, "no_text")
    return dataclasses.replace(
        reading.report,
        garbled_share=max(reading.report.garbled_share, garbled / max(1, characters)),
        headings=sum(1 for block in reading.blocks if block.kind == "heading")
        or len({section.heading for section in cut if section.heading}),
        sections=len(cut),
        characters=characters,
        notes=tuple(dict.fromkeys(notes)),
    )
