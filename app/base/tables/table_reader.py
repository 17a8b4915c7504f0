"""Read rows of Excel and CSV files, without interpreting cells; a limited child, not trusted, opens workbooks."""

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

import msgspec

from app.base import json_lines, programs
from app.base.errors import AppError
from app.base.files.input_file import open_regular
from app.base.tables import workbook_child
from app.base.wording import phrase

WORKBOOKS = (".xlsx", ".xlsm")
COLUMNAR = (".parquet", ".arrow")
COLUMNS = workbook_child.COLUMNS
SEPARATORS = ",\t;"
SAMPLE_CHARACTERS, SAMPLE_ROWS = 200_000, 50  # the part of a file from which the separator is guessed
WATCH_INTERVAL_S = 0.1
OWN_S, OWN_BYTES = 15.0, 150_000_000  # needed by the child in addition to its budget for the workbook
LINE_BYTES = 48 << 20  # a row in which each cell is as long as Excel allows
SLOWNESS = 6  # elapsed time allowed, as a multiple of the budget of processor time, for a busy machine
CELL_CHARACTERS = 1_000_000  # a longer cell results from a quote that is never closed

# Limits of `check_text`: the number of lines and cells that is always allowed, the number that never is, and in between
# the least average length of a line and of a cell.
PARTS_FREE, PARTS_MOST, CHARACTERS_A_LINE, CHARACTERS_A_CELL = 1_000_000, 6_000_000, 8, 3
CELL_ENDS = f"{SEPARATORS}|"

Cell = str | int | float | bool | datetime.date | datetime.time | None

_Problem = Literal["", "damaged", "locked", "crowded", "unknown"]
_END = "\x1e\x1f"


@dataclass(frozen=True, slots=True)
class TableRow:
    """A row of a table, `line` from 1, or the `problem` why it could not be read; "" for none."""

    line: int
    cells: tuple[Cell, ...] = ()
    problem: str = ""


def read_bytes(path: Path, limit_bytes: int, suffixes: Collection[str], missing: str, other: str) -> bytes:
    """Return the content of a file that the user has chosen.

    `limit_bytes`: its maximum size. `suffixes`: those allowed, in lower case. `missing`, `other`: the error codes for a
    path that does not exist and for another suffix. Raises
    AppError(`missing` | `other` | "data_is_folder" | "table_not_file" | "table_unreadable" | "table_large").
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
    except (FileNotFoundError, ValueError) as error:  # ValueError: a null character in the name
        raise AppError(missing, path=str(path)) from error
    except OSError as error:  # a name that is too long, a folder without access
        raise AppError("table_unreadable", name=path.name, reason=error.strerror or str(error)) from error
    if len(raw) > limit_bytes:
        raise AppError("table_large", name=path.name, limit=f"{limit_bytes // 1_000_000} MB")
    return raw


def trim_cells(cells: tuple[Cell, ...]) -> tuple[Cell, ...]:
    """Return the cells without empty ones at the end, which cell formats may leave, and at most `COLUMNS` of them."""
    last = len(cells)
    while last and (cells[last - 1] is None or cells[last - 1] == ""):
        last -= 1
    return cells[: min(last, COLUMNS)]


def column_letter(column: int) -> str:
    """Return the letters of a column in spreadsheets: 0 is A, 26 is AA."""
    letters, rest = "", column + 1
    while rest:
        rest, digit = divmod(rest - 1, 26)
        letters = chr(ord("A") + digit) + letters
    return letters


def read_sheets(raw: bytes, name: str, max_rows: int) -> Iterator[tuple[str, list[TableRow]]]:
    """Yield the title and rows of each sheet that is not empty, formulas by their stored values; not in the GUI thread.

    `raw`: the content of the file, which a child reads. `name`: for errors. `max_rows`: of each sheet. Raises
    AppError("table_unreadable" | "table_locked" | "table_crowded").
    """
    sheets: list[tuple[str, list[TableRow]]] = []
    allowed = workbook_child.WorkbookBudget.for_file_size(len(raw))
    known: dict[str, str] = {}  # each text is kept once, because a sheet repeats the same ones thousands of times
    with _child(raw, max_rows, allowed) as events:
        for event in _checked_events(events, max_rows, allowed):
            match event:
                case str():
                    if sheets and sheets[-1][1]:
                        yield sheets.pop()
                    sheets = [(event, [])]
                case TableRow():
                    rows = sheets[-1][1]
                    rows.extend(TableRow(gap) for gap in range(len(rows) + 1, event.line))
                    rows.append(TableRow(event.line, tuple(_shared(known, cell) for cell in event.cells)))
                case _EndEvent() if event.problem:
                    raise _refused(event.problem, name)
                case _EndEvent():
                    break
        else:  # the child died without an end event: out of memory, or killed
            raise _refused("crowded", name)
    if sheets and sheets[-1][1]:
        yield sheets.pop()


def read_columnar(raw: bytes, name: str, max_rows: int) -> str:
    """Return the rows of a Parquet or Arrow file as JSON Lines, read in a child process.

    Raises AppError("table_unreadable" | "table_crowded" | "table_unknown"), the last if pyarrow is not installed.
    """
    allowed = workbook_child.WorkbookBudget.for_file_size(len(raw))
    characters, found, problem = allowed.characters, list[str](), "crowded"  # so it is if the child dies without an end
    with _child(raw, max_rows, allowed) as lines, contextlib.suppress(ValueError):
        for line in lines:
            event = json_lines.decode_object(line)
            if "end" in event:
                problem = msgspec.convert(event["end"], _Problem)
                break
            found.append(text := msgspec.convert(event.get("record"), str))
            characters -= len(text)
            if characters < 0 or len(found) > max_rows or "\n" in text:
                break
    if problem:
        raise _refused(problem, name)
    return "".join(f"{text}\n" for text in found)


@dataclass(frozen=True, slots=True)
class _EndEvent:
    """The last event of the workbook child. `problem`: why reading failed; "": it succeeded."""

    problem: str


def _checked_events(
    lines_of_child: Iterator[bytes], max_rows: int, allowed: workbook_child.WorkbookBudget
) -> Iterator[str | TableRow | _EndEvent]:
    """Yield a sheet's title, rows and end from a child's lines; at one that is invalid or over the limits "crowded"."""
    cells, characters, last = allowed.cells, allowed.characters, -1  # no sheet yet
    for sent_line in lines_of_child:
        try:
            event = json_lines.decode_object(sent_line)
            if "sheet" in event:
                last = 0
                yield msgspec.convert(event["sheet"], str)
                continue
            if "end" in event:
                yield _EndEvent(msgspec.convert(event["end"], _Problem))
                return
            line = msgspec.convert(event.get("row"), int)
            row = TableRow(line, tuple(map(workbook_child.unpacked, msgspec.convert(event.get("cells"), list[Any]))))
        except ValueError:
            break
        cells -= len(row.cells) + max(0, line - last - 1)  # each skipped row costs as much as a cell
        characters -= sum(len(cell) for cell in row.cells if isinstance(cell, str))
        if not 0 <= last < line <= max_rows or len(row.cells) > COLUMNS or min(cells, characters) < 0:
            break
        last = line
        yield row
    yield _EndEvent("crowded")


def _refused(problem: str, name: str) -> AppError:
    if problem == "damaged":
        return AppError("table_unreadable", name=name, reason=phrase("common.questions_damaged"))
    return AppError(f"table_{problem}", name=name)


def _shared(known: dict[str, str], cell: Cell) -> Cell:
    """Return the one stored copy of a text; other cells unchanged."""
    return known.setdefault(cell, cell) if isinstance(cell, str) else cell


@contextlib.contextmanager
def _child(raw: bytes, max_rows: int, allowed: workbook_child.WorkbookBudget) -> Iterator[Iterator[bytes]]:
    """Start the child, send it the workbook, and yield the lines that it writes. Kill it when the block ends."""
    command = [*programs.own_program(), "--read-workbook", str(max_rows)]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        creationflags=programs.NO_WINDOW,
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


def _watch(
    process: "subprocess.Popen[bytes]", allowed: workbook_child.WorkbookBudget, is_over: threading.Event
) -> None:
    """Kill a child that exceeds its time or memory, as its own limits miss both on Windows. `is_over`: it has ended."""
    import psutil  # here, because commands wait for this module

    until = time.monotonic() + OWN_S + SLOWNESS * allowed.processor_s
    while not is_over.wait(WATCH_INTERVAL_S):
        try:
            taken_bytes = psutil.Process(process.pid).memory_info().rss
        except psutil.Error:  # the child has just ended
            return
        if time.monotonic() > until or taken_bytes > OWN_BYTES + allowed.memory_bytes:
            process.kill()
            return


def check_text(text: str, name: str) -> None:
    """Raise AppError("table_crowded") if a CSV text has too many lines or cells, of 100 bytes each, for its length."""
    lines, cells = text.count("\n") + text.count("\r"), sum(map(text.count, CELL_ENDS))
    most_lines = min(PARTS_MOST, PARTS_FREE + len(text) // CHARACTERS_A_LINE)
    most_cells = min(PARTS_MOST, PARTS_FREE + len(text) // CHARACTERS_A_CELL)
    if lines > most_lines or cells > most_cells:
        raise AppError("table_crowded", name=name)


def find_separator(text: str, candidates: str) -> str:
    """Return the candidate that splits the first rows most evenly, and into the most cells; else the first one."""
    sample = text[:SAMPLE_CHARACTERS]

    def rate_separator(separator: str) -> tuple[float, int]:
        """Return the share of rows that have the most frequent number of cells, and that number; 0.0 for one cell."""
        try:
            reader = csv.reader(io.StringIO(sample, newline=""), delimiter=separator)
            counts = [len(row) for _, row in zip(range(SAMPLE_ROWS), reader, strict=False) if row]
        except csv.Error:
            return 0.0, 0
        usual = max(set(counts), key=counts.count, default=0)
        return (counts.count(usual) / len(counts) if usual > 1 else 0.0), usual

    return max(candidates, key=rate_separator)


def read_delimited(text: str, name: str) -> Iterator[TableRow]:
    """Yield the rows of a CSV with any of `SEPARATORS`, up to `COLUMNS` cells each. `name`: the file's, for errors.

    A quote that is never closed makes the rest of the file one row with the problem "open_quote". Raises
    AppError("table_unreadable").
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
