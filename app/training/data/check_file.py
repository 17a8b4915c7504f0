"""What a check has found, for people and programs: one object, or a table with a line for each finding."""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from app.base.confidentiality import Permit
from app.base.files.output_file import check_new_target
from app.base.tables import table_writer
from app.base.wording import phrase
from app.training.data.check import CheckReport, Place
from app.training.data.reading import Imported
from app.training.data.records import BadRow

SUFFIXES = (".json", ".csv", ".xlsx")
PREVIEW_ROWS = 2
HEAD = ("line", "found", "detail", "text")
WIDTHS = (8, 36, 30, 90)
# Of the reasons why a row cannot be used, those with a detail; the others have the row's text.
DETAILED = ("not_text", "too_long", "not_characters", "cell_error", "unknown_role", "wrong_order")


def check_target(out: Path) -> None:
    """Before anything is read. Raises AppError("data_out_format" | "export_folder_gone" | "export_exists")."""
    check_new_target(out, SUFFIXES, "data_out_format")


def save(out: Path, imported: Imported, found: CheckReport, *, permit: Permit) -> None:
    """Raises AppError as `whole_file`."""
    with permit.open_atomically(out) as file:
        head = [phrase(f"training.data_column.{name}") for name in HEAD]
        if out.suffix.lower() == ".csv":
            table_writer.write_csv(file, head, _lines(imported, found))
        elif out.suffix.lower() == ".xlsx":
            label = phrase(f"common.label.{permit.label}")
            book = table_writer.WorkbookWriter(phrase("common.batch_cut"), label)
            book.add(
                phrase("training.data_sheet"),
                WIDTHS,
                _lines(imported, found),
                head,
                [phrase("common.export_label", label=label)],
            )
            book.save(file)
        else:
            file.write(json.dumps(as_object(imported, found), ensure_ascii=False, indent=1).encode("utf-8", "replace"))


def as_object(imported: Imported, found: CheckReport) -> dict[str, Any]:
    """Everything."""
    bad = [
        {"line": row.line, "code": row.code, "message": phrase(f"common.data_bad.{row.code}"), "detail": row.detail}
        for row in imported.bad
    ]
    findings = [
        {
            "code": finding.code,
            "message": phrase(f"training.data_found.{finding.code}"),
            "count": len(finding.places),
            "places": [dataclasses.asdict(place) for place in finding.places],
        }
        for finding in found.findings
    ]
    lengths = {"characters": found.characters, "tokens": found.tokens}
    return {
        "file": imported.name,
        "sha256": imported.sha256,
        "encoding": imported.encoding,
        "sheet": imported.sheet,
        "other_sheets": imported.other_sheets,
        "shape": imported.shape,
        "mapping": imported.mapping.as_dict(),
        "columns": imported.columns,
        "rows": found.rows,
        "blank_rows": imported.blank,
        "rows_with_turns": found.turns,
        "rows_with_system": found.systems,
        "groups": found.groups,
        "preview": [row.as_json() for row in imported.rows[:PREVIEW_ROWS]],
        "bad": bad,
        "findings": findings,
        "lengths": {
            unit: {part: dataclasses.asdict(measured) for part, measured in parts.items()}
            for unit, parts in lengths.items()
        },
    }


def detail(code: str, place: Place) -> str:
    """What is to be said of the place besides its text."""
    if not place.like:
        return place.detail
    return phrase(f"training.data_like.{code}", line=place.like, percent=f"{100 * place.similarity:.0f}")


def _lines(imported: Imported, found: CheckReport) -> Iterator[tuple[int, str, str, str]]:
    """In the order of the file: row, what was found, detail, text."""
    bad = [(row.line, phrase(f"common.data_bad.{row.code}"), *_told(row)) for row in imported.bad]
    places = [
        (place.line, phrase(f"training.data_found.{finding.code}"), detail(finding.code, place), place.text)
        for finding in found.findings
        for place in finding.places
    ]
    yield from sorted([*bad, *places], key=lambda line: line[0])


def _told(row: BadRow) -> tuple[str, str]:
    """The detail and the text: what stands in the row is no reason."""
    return (row.detail, "") if row.code in DETAILED else ("", row.detail)
