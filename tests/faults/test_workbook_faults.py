"""Workbooks of data that cost far more than their size: refused in words, by every door, in little time and memory."""

import contextlib
import io
import json
import os
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from openpyxl import Workbook

from app.base.errors import AppError
from app.base.tables import table_reader, workbook_child
from app.chat.batch import question_table
from app.evaluation import question_files
from app.training.data import file_import
from tests.faults.ledger import Tally
from tests.faults.window_process import kotae

MEGABYTE = 1_000_000
TREE_BYTES = 300 * MEGABYTE  # of whoever reads, beside what it had before, with its children
LIMIT_S = 20.0  # seconds of processor time; 3 are usual
_MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'


_TEXTS = '<Override PartName="/xl/sharedStrings.xml" ContentType="{}"/></Types>'.format(
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
)


def workbook(sheet: str, strings: str = "", *, also: int = 0, merged: str = "") -> bytes:
    """A sound workbook whose sheets, one and `also` more, have these rows and merged cells, and with these texts."""
    book = Workbook()
    for number in range(also):
        book.create_sheet(f"S{number}")
    plain = io.BytesIO()
    book.save(plain)
    packed = io.BytesIO()
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as made:
        for name in source.namelist():
            content = source.read(name)
            if name.startswith("xl/worksheets/sheet"):
                content = f"<worksheet {_MAIN}><sheetData>{sheet}</sheetData>{merged}</worksheet>".encode()
            elif name == "[Content_Types].xml":
                content = content.replace(b"</Types>", _TEXTS.encode())
            made.writestr(name, content)
        made.writestr("xl/sharedStrings.xml", f"<sst {_MAIN}>{strings}</sst>")
    return packed.getvalue()


_ROW = '<row><c t="inlineStr"><is><t>q</t></is></c><c t="inlineStr"><is><t>a</t></is></c></row>'
_BOMBS: dict[str, Callable[[], bytes]] = {
    "millions of texts": lambda: workbook(_ROW, "<si><t>ab</t></si>" * 2_000_000),
    "texts just below the ratio's beginning": lambda: workbook(_ROW, "<si><t>ab</t></si>" * 500_000),
    "rows of thousands of cells": lambda: workbook(f"<row>{'<c><v>1</v></c>' * 16_000}</row>" * 100),
    "cells just below the ratio's beginning": lambda: workbook(f"<row>{'<c><v>1</v></c>' * 200}</row>" * 3_000),
    "many sheets, each just below it": lambda: workbook(f"<row>{'<c><v>1</v></c>' * 100}</row>" * 6_000, also=20),
    "a long text named again and again": lambda: workbook(
        '<row><c t="s"><v>0</v></c></row>' * 50_000, f"<si><t>{'あ' * 30_000}</t></si>"
    ),
    "a cell at the far end of each row": lambda: workbook(
        "".join(f'<row r="{n}"><c r="XFD{n}"><v>1</v></c></row>' for n in range(1, 50_000))
    ),
    "a row beyond all numbers": lambda: workbook(f'{_ROW}<row r="99999999999"><c><v>1</v></c></row>'),
    "elements in one another": lambda: workbook("<row>" * 200_000),
}


STARTED = ("env",)  # a forked program has what all programs load in its memory


def processor_s() -> float:
    """Of this process and of its children that have ended."""
    return sum(os.times()[:4])


def descendants(pid: int) -> list[int]:
    """Ask the kernel, in a tenth of a millisecond; psutil looks at every process of the machine for them."""
    if not Path("/proc/self/task").exists():
        return [child.pid for child in psutil.Process(pid).children(recursive=True)]
    listed: list[int] = []
    with contextlib.suppress(OSError):  # it or a thread of it has just ended
        for file in Path(f"/proc/{pid}/task").glob("*/children"):
            listed += map(int, file.read_bytes().split())
    return [*listed, *(found for child in listed for found in descendants(child))]


@pytest.fixture
def peak() -> Iterator[list[int]]:
    """The most memory that this process and its children took together, beside what it had before.

    Of children only what is no file's counts. Between vfork and exec a child still is this process, with its command
    line and all its memory, and does not count.
    """
    process = psutil.Process()
    before, most, over = process.memory_info().rss, [0], threading.Event()
    own_command = process.cmdline()

    def look() -> None:
        while not over.wait(0.05):
            total = process.memory_info().rss
            for pid in descendants(process.pid):
                with contextlib.suppress(psutil.Error):
                    child = psutil.Process(pid)
                    if child.cmdline() != own_command:
                        taken = child.memory_info()
                        total += taken.rss - getattr(taken, "shared", 0)
            most[0] = max(most[0], total - before)

    thread = threading.Thread(target=look)
    thread.start()
    yield most
    over.set()
    thread.join()


@pytest.mark.fault("S19")
@pytest.mark.parametrize("what", _BOMBS)
def test_a_workbook_that_unpacks_to_too_much_is_refused_in_time(what: str, tmp_path: Path, peak: list[int]) -> None:
    raw = _BOMBS[what]()
    begun = processor_s()
    with contextlib.suppress(AppError):  # or it is read, in so much time and memory
        assert sum(len(rows) for _, rows in table_reader.read_sheets(raw, "b.xlsx", 20_000)) <= 20_000
    assert processor_s() - begun < LIMIT_S
    assert peak[0] < TREE_BYTES


@pytest.mark.fault("S19")
def test_every_door_has_the_same_limits(tmp_path: Path, tally: Tally) -> None:
    path = tmp_path / "b.xlsx"
    path.write_bytes(_BOMBS["millions of texts"]())
    doors: list[Callable[[Path], object]] = [
        file_import.import_file,
        file_import.read_outline,
        question_files.read,
        question_table.read_question_table,
    ]
    for door in doors:
        with pytest.raises(AppError) as caught:
            door(path)
        assert caught.value.code == "table_crowded"
    tally.tried(len(doors))


@pytest.mark.fault("S19")
def test_documents_read_no_workbook_that_takes_far_more_than_its_size(tmp_path: Path, peak: list[int]) -> None:
    path = tmp_path / "結合.xlsx"
    merges = "".join(f'<mergeCell ref="A{n % 9 + 1}:XFD{n % 97 + 11}"/>' for n in range(9 * 97)) * 1_031
    path.write_bytes(workbook(_ROW, merged=f"<mergeCells>{merges}</mergeCells>"))
    done = kotae("docs", "add", "資料", str(path), "--json", data=tmp_path / "data", before=STARTED)
    assert done.returncode == 0
    assert peak[0] < 1.5 * TREE_BYTES  # a document's text is kept until all of it is read


_CROWDED = {
    "empty lines": ("questions.jsonl", '{"question": "q", "answer": "a"}\n' + "\n" * 3_000_000),
    "empty cells": ("questions.csv", "question,answer\n" + "," * 3_000_000 + "\n"),
    "rows of empty cells": ("questions.csv", "question,answer\n" + ",\n" * 2_000_000),
    "cells of a letter": ("questions.tsv", "question\tanswer\n" + "a\tb\tc\td\n" * 2_000_000),
    "cells of a Markdown question_table": ("questions.md", "|question|answer|\n|-|-|\n" + "|" * 3_000_000),
}


@pytest.mark.fault("S19")
@pytest.mark.parametrize("what", _CROWDED)
def test_a_text_of_almost_nothing_but_ends_is_refused(what: str, tmp_path: Path, peak: list[int]) -> None:
    name, text = _CROWDED[what]
    path = tmp_path / name
    path.write_text(text)
    doors: list[Callable[[Path], object]] = [
        file_import.import_file,
        file_import.read_outline,
        question_files.read,
        question_table.read_question_table,
    ]
    begun = processor_s()
    for door in doors[: 2 if name.endswith(".md") else None]:
        with pytest.raises(AppError) as caught:
            door(path)
        assert caught.value.code == "table_crowded"
    assert processor_s() - begun < LIMIT_S
    assert peak[0] < TREE_BYTES


@pytest.mark.fault("S19")
def test_the_command_says_it_in_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "爆弾.xlsx"
    path.write_bytes(_BOMBS["millions of texts"]())
    done = kotae("data", "check", str(path), "--json", data=tmp_path / "data", before=STARTED)
    assert json.loads(done.stdout)["error"]["code"] == "table_crowded"
    assert done.returncode == 3


def test_a_child_that_is_killed_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    before = psutil.Process().children()
    found = table_reader.read_sheets(_sound(3), "x.xlsx", 100)
    title, rows = next(found)
    assert (title, len(rows)) == ("Sheet", 4)
    found.close()
    assert set(psutil.Process().children()) <= set(before)


def test_a_large_sound_workbook_is_read_whole(peak: list[int]) -> None:
    ((_, rows),) = table_reader.read_sheets(_sound(5_000), "x.xlsx", 300_000)
    assert len(rows) == 5_001
    assert rows[-1].cells == ("質問 4999", "答え。" * 20 + "4999", 4999, 0.5)


@pytest.mark.fault("S19")
def test_of_a_row_of_a_million_cells_only_the_first_are_kept() -> None:
    (row,) = table_reader.read_delimited(",".join(["列"] * 1_000_000) + "\n", "w.csv")
    assert len(row.cells) == table_reader.COLUMNS


def test_a_budget_grows_with_the_file() -> None:
    small, large = (
        workbook_child.WorkbookBudget.for_file_size(10_000),
        workbook_child.WorkbookBudget.for_file_size(100 * MEGABYTE),
    )
    assert small.memory_bytes < 110 * MEGABYTE
    assert small.processor_s < 2
    assert large.cells > 20 * small.cells
    assert large.memory_bytes <= 2_000 * MEGABYTE


def _sound(count: int) -> bytes:
    book = Workbook(write_only=True)
    sheet = book.create_sheet("Sheet")
    sheet.append(["質問", "回答", "番号", "重み"])
    for number in range(count):
        sheet.append([f"質問 {number}", "答え。" * 20 + str(number), number, 0.5])
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()
