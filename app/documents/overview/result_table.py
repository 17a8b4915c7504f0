"""Define the result of work on whole documents as a table, whose rows name a place; write it as Excel, CSV or HTML."""

import json
import re
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from app.base.confidentiality import HIGHEST_LABEL, LABELS, ExportRequest, Label, Permit, highest_label
from app.base.errors import AppError
from app.base.lazy_pattern import lazy_pattern
from app.base.wording import phrase
from app.documents.library import Library
from app.documents.whole_document import WholeDocument

Kind = Literal["summary", "comparison", "values"]
Mark = Literal["", "changed", "number"]
Piece = tuple[str, Mark]
CLAUSE_GAP = " > "
SUFFIXES = (".xlsx", ".csv", ".html")
_WIDTHS = {"text": 60, "clause": 36, "word": 14, "number": 10}  # characters in Excel, by the kind of a column


@dataclass(frozen=True, slots=True)
class OverviewRequest:
    """Work that a widget requests: of one document (summary), of two, the older first (comparison), or of any number.

    `title`: names the documents. `chapter`: the title of a heading below which a summary stays; "": all.
    """

    kind: Kind
    document_ids: tuple[int, ...]
    title: str
    chapter: str = ""


# Questions that whole documents answer better than a few passages.
_ASKS: dict[Kind, re.Pattern[str]] = {
    "summary": lazy_pattern(
        "(?:資料|文書|規程|規定|基準|ファイル|本書|全体|全文|内容|これ)[^。]{0,12}(?:を|の)?(?:要約|概要を(?:まとめ|教え|示し)|まとめて(?:ください|下さい|$))"
        "|^要約(?:して|を)|(?i:summari[sz]e|summary of)(?i:.*(?:document|whole|file|all))?"
    ),
    "comparison": lazy_pattern(
        "新旧対照|(?:新旧|改正前後|改訂前後|旧版|前の版|版)[^。]{0,16}(?:比べ|比較|違い|差分|変わっ|変更点)"
        "|(?i:compare .*edition|differences? between .*(?:edition|version))"
    ),
    "values": lazy_pattern(
        "(?:すべて|全て|全部|一覧|網羅)[^。]{0,10}(?:数値|基準値|規定値|数字)|(?:数値|基準値|規定値)[^。]{0,12}(?:一覧|リスト|表に|表で|列挙|洗い出|抜き出)"
        "|(?i:(?:list|table) .*(?:all|every|required) .*(?:values|numbers|limits))"
    ),
}


def kind_of_question(question: str) -> Kind | None:
    """Return the work on whole documents that a question asks for, if any."""
    return next((kind for kind, pattern in _ASKS.items() if pattern.search(question)), None)


def edition_order(name: str) -> tuple[bool, str]:
    """Return the key that sorts documents by name, but 旧 before 新."""
    return "新" in name, name


@dataclass(frozen=True, slots=True)
class Column:
    """A column. `name`: the key of its title in the wording. `kind`: text | clause | word | number.

    `share`: of the width of the window's list; 0: it is in exports and below the list only.
    """

    name: str
    kind: str = "word"
    share: int = 0

    @property
    def title(self) -> str:
        return phrase(f"documents.result_column.{self.name}")


@dataclass(frozen=True, slots=True)
class LinePair:
    """Two lines side by side; () where one side has none."""

    old: tuple[Piece, ...] = ()
    new: tuple[Piece, ...] = ()


@dataclass(frozen=True, slots=True)
class ResultRow:
    """A row. `group`: by which rows are counted and filtered. `place`: ids of document and section; 0: none.

    `old_place`: the same in the other document of a comparison. `lines`: what the window shows of the row.
    """

    cells: tuple[str | float, ...]
    group: str = ""
    place: tuple[int, int] = (0, 0)
    old_place: tuple[int, int] = (0, 0)
    lines: tuple[LinePair, ...] = ()


@dataclass(frozen=True, slots=True)
class ResultTable:
    """A result. `facts`: sentences about the whole, such as what was read. `document_ids`: what it was made of."""

    kind: Kind
    title: str
    columns: tuple[Column, ...]
    rows: tuple[ResultRow, ...]
    facts: tuple[str, ...] = ()
    document_ids: tuple[int, ...] = ()
    groups: tuple[str, ...] = ()  # of the rows, in the order of a choice; (): rows are not filtered
    coverage: tuple[int, int] = (0, 0)  # sections read, and all; (0, 0): every section is looked at
    least_label: Label = LABELS[0]  # of what the model was trained on that wrote it


def clause_of(document: WholeDocument, row: int) -> str:
    """Return the clause of a section as citations name it, with the mark of obligation."""
    section = document.sections[row]
    clause = CLAUSE_GAP.join(section.heading) or phrase("documents.docs_no_heading")
    return phrase("documents.clause_tagged", clause=clause, tag=section.tag) if section.tag else clause


def place_of(document: WholeDocument, row: int) -> tuple[int, int]:
    """Return where a section is opened, as `ResultRow.place`."""
    return document.document.id if document.document else 0, document.sections[row].id


def plain(pieces: Sequence[Piece]) -> str:
    return "".join(text for text, _ in pieces)


def label_now(documents: Path, table: ResultTable) -> Label:
    """Return the highest label of a table's documents in the library's database; one that is gone counts as secret."""
    with closing(Library.open_second(documents)) as library:
        labels = {one.id: one.label for one in library.collections(has_attached=True)}
        found = library.database.read(
            "SELECT DISTINCT d.collection_id FROM json_each(?) AS one LEFT JOIN document d ON d.id = one.value",
            json.dumps(table.document_ids),
        )
    return highest_label((table.least_label, *(labels.get(row[0], HIGHEST_LABEL) for row in found)))


def export_request(documents: Path, table: ResultTable, target: Path) -> ExportRequest:
    """Return the request to write a table to a file. `documents`: as for `label_now`."""
    return ExportRequest("overview", str(target.absolute()), lambda: label_now(documents, table), table.title)


def check_suffix(path: Path) -> None:
    """Raise AppError("bad_result_suffix") for a file whose suffix names no format of a table."""
    if path.suffix.lower() not in SUFFIXES:
        raise AppError("bad_result_suffix", path=path.name, formats=" ".join(SUFFIXES))


def save(table: ResultTable, path: Path, permit: Permit) -> None:
    """Write a table with its label by the suffix. Raises AppError("bad_result_suffix"), and as
    `Permit.open_atomically`."""
    from app.base import html_report  # what the window does not need to start
    from app.base.tables import table_writer

    label = phrase(f"common.label.{permit.label}")
    names = [column.title for column in table.columns]
    check_suffix(path)
    suffix = path.suffix.lower()
    with permit.open_atomically(path) as file:
        if suffix == ".csv":
            table_writer.write_csv(file, names, (row.cells for row in table.rows))
        elif suffix == ".xlsx":
            book = table_writer.WorkbookWriter(phrase("common.batch_cut"), label)
            widths = [_WIDTHS[column.kind] for column in table.columns]
            book.add(table.title, widths, (row.cells for row in table.rows), names, (*table.facts, label))
            book.save(file)
        else:
            title = phrase(f"documents.result_kind.{table.kind}")
            page = html_report.render("overview.html", title, name=table.title, id=label, made_at="", table=table)
            file.write(page.encode("utf-8", "replace"))
