"""The rows of Excel and CSV files, whatever they hold; what they mean is up to those who read them."""

import contextlib
import csv
import datetime
import functools
import io
import itertools
import stat
import subprocess
import threading
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import psutil

from app.base import json_lines, programs
from app.base.errors import AppError
from app.base.files.input_file import open_regular
from app.base.tables import workbook_child
from app.base.wording import phrase

WORKBOOKS = (".xlsx", ".xlsm")
COLUMNS = workbook_child.COLUMNS
SEPARATORS = ",\t;"
SAMPLE_CHARACTERS, SAMPLE_ROWS = 200_000, 50  # looked at for the separator
LOOK_S, OWN_S, OWN_BYTES = 0.1, 15.0, 150_000_000  # of the child, for itself
LINE_BYTES = 48 << 20  # a row of cells that are all as long as Excel lets them be
SLOWNESS = 6  # how much longer than the processor's time it may take on a machine that does other things
CELL_CHARACTERS = 1_000_000  # a longer one is a quote that was never closed

# Of a text: lines and cells that are always allowed, that are never, and what they have on average at least.
PARTS_FREE, PARTS_MOST, CHARACTERS_A_LINE, CHARACTERS_A_CELL = 1_000_000, 6_000_000, 8, 3
CELL_ENDS = f"{SEPARATORS}|"

Cell = str | int | float | bool | datetime.date | datetime.time | None

_Problem = Literal["", "damaged", "locked", "crowded"]
_END = "\x1e\x1f"


@dataclass(frozen=True, slots=True)
class TableRow:
    """`line`: of the file, or row of the sheet, from 1. `problem`: why it could not be read; then it has no cells."""

    line: int
    cells: tuple[Cell, ...] = ()
    problem: str = ""


def read_bytes(path: Path, limit_bytes: int, suffixes: Collection[str], missing: str, other: str) -> bytes:
    """Return what is in a file that a person has named. `missing`, `other`: the errors of a path where nothing is, and
    of a file that ends otherwise.

    Raises AppError(`missing` | `other` | "data_is_folder" | "table_not_file" | "table_unreadable" | "table_large").
    """
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise AppError("data_is_folder", path=str(path))
        if not stat.S_ISREG(mode):
            raise AppError("table_not_file", path=str(path))
        if path.suffix.lower() not in suffixes:
            raise AppError(other, name=path.name)
        with open_regular(path) as file:
            raw = file.read(limit_bytes + 1)
    except (FileNotFoundError, ValueError) as error:  # the latter: a name with a zero in it
        raise AppError(missing, path=str(path)) from error
    except OSError as error:  # a name that is too long, a folder that nobody may look into
        raise AppError("table_unreadable", name=path.name, reason=error.strerror or str(error)) from error
    if len(raw) > limit_bytes:
        raise AppError("table_large", name=path.name, limit=f"{limit_bytes // 1_000_000} MB")
    return raw


def trim_cells(cells: tuple[Cell, ...]) -> tuple[Cell, ...]:
    """Without the empty cells at the end, which formatting leaves."""
    last = len(cells)
    while last and (cells[last - 1] is None or cells[last - 1] == ""):
        last -= 1
    return cells[: min(last, COLUMNS)]


def column_letter(column: int) -> str:
    """As spreadsheets call it. `column`: from 0."""
    letters, rest = "", column + 1
    while rest:
        rest, digit = divmod(rest - 1, 26)
        letters = chr(ord("A") + digit) + letters
    return letters


def read_sheets(raw: bytes, name: str, max_rows: int) -> Iterator[tuple[str, list[TableRow]]]:
    """Title and rows of each sheet with anything in it; formulas are what Excel has last computed.

    A limited child reads it (`workbook_child`), and is waited for: not to be called where a window is drawn.
    `name`: of the file, for errors. Raises AppError("table_unreadable" | "table_locked" | "table_crowded").
    """
    found: list[tuple[str, list[TableRow]]] = []
    allowed = workbook_child.WorkbookBudget.of(len(raw))
    known: dict[str, str] = {}  # each text once: a sheet names the same one thousands of times
    with _child(raw, max_rows, allowed) as events:
        for event in _believable(events, max_rows, allowed):
            match event:
                case str():
                    if found and found[-1][1]:
                        yield found.pop()
                    found = [(event, [])]
                case TableRow():
                    rows = found[-1][1]
                    rows.extend(TableRow(gap) for gap in range(len(rows) + 1, event.line))
                    rows.append(TableRow(event.line, tuple(_shared(known, cell) for cell in event.cells)))
                case _Ended() if event.problem:
                    raise _refused(event.problem, name)
                case _Ended():
                    break
        else:  # it has died without a word: out of memory, or it was ended
            raise _refused("crowded", name)
    if found and found[-1][1]:
        yield found.pop()


@dataclass(frozen=True, slots=True)
class _Ended:
    problem: str


def _believable(
    lines_of_child: Iterator[bytes], max_rows: int, allowed: workbook_child.WorkbookBudget
) -> Iterator[str | TableRow | _Ended]:
    """Titles of sheets, rows and the end. What no sound child sends is its end, too: a file may have taken it over."""
    cells, characters, last = allowed.cells, allowed.characters, -1  # no sheet yet
    for sent in lines_of_child:
        try:
            event = json_lines.decode_object(sent)
            if "sheet" in event:
                last = 0
                yield json_lines.convert_value(str, event["sheet"])
                continue
            if "end" in event:
                yield _Ended(json_lines.convert_value(_Problem, event["end"]))
                return
            line = json_lines.convert_value(int, event.get("row"))
            row = TableRow(
                line, tuple(map(workbook_child.unpacked, json_lines.convert_value(list[Any], event.get("cells"))))
            )
        except ValueError:
            break
        cells -= len(row.cells) + max(0, line - last - 1)  # rows without anything cost as much
        characters -= sum(len(cell) for cell in row.cells if isinstance(cell, str))
        if not 0 <= last < line <= max_rows or len(row.cells) > COLUMNS or min(cells, characters) < 0:
            break
        last = line
        yield row
    yield _Ended("crowded")


def _refused(problem: str, name: str) -> AppError:
    if problem == "damaged":
        return AppError("table_unreadable", name=name, reason=phrase("common.questions_damaged"))
    return AppError(f"table_{problem}", name=name)


def _shared(known: dict[str, str], cell: Cell) -> Cell:
    return known.setdefault(cell, cell) if isinstance(cell, str) else cell


@contextlib.contextmanager
def _child(raw: bytes, max_rows: int, allowed: workbook_child.WorkbookBudget) -> Iterator[Iterator[bytes]]:
    """What the child says of a workbook, line by line; it is gone afterwards, also where nobody listens any more."""
    command = [*programs.own_program(), "--read-workbook", str(max_rows)]
    hidden = getattr(subprocess, "CREATE_NO_WINDOW", 0)  # Windows would flash a console
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, creationflags=hidden
    ) as process:
        over = threading.Event()
        watch = threading.Thread(target=_watch, args=(process, allowed, over), daemon=True)
        watch.start()
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(raw)
                process.stdin.close()
            yield iter(functools.partial(process.stdout.readline, LINE_BYTES), b"")
        finally:
            over.set()
            process.kill()
            watch.join()


def _watch(process: "subprocess.Popen[bytes]", allowed: workbook_child.WorkbookBudget, over: threading.Event) -> None:
    """Ends a child that keeps to none of its limits: native code can hold up its own watch, and Windows has no limit
    of memory for it."""
    until = time.monotonic() + OWN_S + SLOWNESS * allowed.processor_s
    while not over.wait(LOOK_S):
        try:
            taken_bytes = psutil.Process(process.pid).memory_info().rss
        except psutil.Error:  # it has just ended
            return
        if time.monotonic() > until or taken_bytes > OWN_BYTES + allowed.memory_bytes:
            process.kill()
            return


def check_text(text: str, name: str) -> None:
    """Refuse a text of far more lines or cells than its length gives reason to expect: each costs up to 100 bytes.

    Raises AppError("table_crowded").
    """
    lines, cells = text.count("\n") + text.count("\r"), sum(map(text.count, CELL_ENDS))
    most_lines = min(PARTS_MOST, PARTS_FREE + len(text) // CHARACTERS_A_LINE)
    most_cells = min(PARTS_MOST, PARTS_FREE + len(text) // CHARACTERS_A_CELL)
    if lines > most_lines or cells > most_cells:
        raise AppError("table_crowded", name=name)


def find_separator(text: str, candidates: str) -> str:
    """Return the one that cuts the first rows into the same number of cells, the more the better; else the first."""
    sample = text[:SAMPLE_CHARACTERS]

    def evenness(separator: str) -> tuple[float, int]:
        try:
            reader = csv.reader(io.StringIO(sample, newline=""), delimiter=separator)
            counts = [len(row) for _, row in zip(range(SAMPLE_ROWS), reader, strict=False) if row]
        except csv.Error:
            return 0.0, 0
        usual = max(set(counts), key=counts.count, default=0)
        return (counts.count(usual) / len(counts) if usual > 1 else 0.0), usual

    return max(candidates, key=evenness)


def read_delimited(text: str, name: str) -> Iterator[TableRow]:
    """The rows of a CSV, whatever separates its cells, up to `COLUMNS` cells each. `name`: of the file, for errors.

    A quote that is never closed makes the rest of the file one row, whose problem is "open_quote".
    Raises AppError("table_unreadable").
    """
    csv.field_size_limit(CELL_CHARACTERS)
    lines = itertools.chain(io.StringIO(text, newline=""), [_END])
    reader = csv.reader(lines, delimiter=find_separator(text, SEPARATORS))
    line = 1
    try:
        for cells in reader:
            if cells and cells[-1].endswith(_END):
                if cells != [_END]:
                    yield TableRow(line, problem="open_quote")
                return
            yield TableRow(line, tuple(cells[:COLUMNS]))
            line = reader.line_num + 1  # a cell may hold several lines
    except csv.Error as error:
        raise AppError("table_unreadable", name=name, reason=phrase("base.table_quote", line=line)) from error
