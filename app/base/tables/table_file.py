"""The rows of Excel and CSV files, whatever they hold; what they mean is up to those who read them."""

import contextlib
import csv
import datetime
import io
import itertools
import json
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from app.base import children
from app.base.errors import AppError
from app.base.tables import workbook_child
from app.base.wording import phrase

WORKBOOKS = (".xlsx", ".xlsm")
COLUMNS = workbook_child.COLUMNS
SEPARATORS = ",\t;"
SAMPLE_CHARACTERS, SAMPLE_ROWS = 200_000, 50  # looked at for the separator
LOOK_S, OWN_S, OWN_BYTES = 0.1, 15.0, 150_000_000  # of the child, for itself
SLOWNESS = 6  # how much longer than the processor's time it may take on a machine that does other things
CELL_CHARACTERS = 1_000_000  # a longer one is a quote that was never closed

# Of a text: lines and cells that are always allowed, that are never, and what they have on average at least.
PARTS_FREE, PARTS_MOST, CHARACTERS_A_LINE, CHARACTERS_A_CELL = 1_000_000, 6_000_000, 8, 3
CELL_ENDS = f"{SEPARATORS}|"

Cell = str | int | float | bool | datetime.date | datetime.time | None

_END = "\x1e\x1f"


@dataclass(frozen=True, slots=True)
class Row:
    """`line`: of the file, or row of the sheet, from 1. `problem`: why it could not be read; then it has no cells."""

    line: int
    cells: tuple[Cell, ...] = ()
    problem: str = ""


def read_bytes(path: Path, limit_bytes: int) -> bytes:
    """Raises FileNotFoundError, AppError("table_unreadable" | "table_large")."""
    try:
        with path.open("rb") as file:
            raw = file.read(limit_bytes + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise AppError("table_unreadable", name=path.name, reason=error.strerror or str(error)) from error
    if len(raw) > limit_bytes:
        raise AppError("table_large", name=path.name, limit=f"{limit_bytes // 1_000_000} MB")
    return raw


def trimmed(cells: tuple[Cell, ...]) -> tuple[Cell, ...]:
    """Without the empty cells at the end, which formatting leaves."""
    last = len(cells)
    while last and (cells[last - 1] is None or cells[last - 1] == ""):
        last -= 1
    return cells[: min(last, COLUMNS)]


def letter(column: int) -> str:
    """As spreadsheets call it. `column`: from 0."""
    letters, rest = "", column + 1
    while rest:
        rest, digit = divmod(rest - 1, 26)
        letters = chr(ord("A") + digit) + letters
    return letters


def sheets(raw: bytes, name: str, max_rows: int) -> Iterator[tuple[str, list[Row]]]:
    """Title and rows of each sheet with anything in it; formulas are what Excel has last computed.

    A limited child reads it (`workbook_child`), and is waited for: not to be called where a window is drawn.
    `name`: of the file, for errors. Raises AppError("table_unreadable" | "table_locked" | "table_crowded").
    """
    found: list[tuple[str, list[Row]]] = []
    allowed = workbook_child.Budget.of(len(raw))
    known: dict[str, str] = {}  # each text once: a sheet names the same one thousands of times
    with _child(raw, max_rows, allowed) as lines:
        for event in lines:
            if "sheet" in event:
                if found and found[-1][1]:
                    yield found.pop()
                found = [(str(event["sheet"]), [])]
            elif "row" in event:
                rows, line = found[-1][1], int(event["row"])
                rows.extend(Row(gap) for gap in range(len(rows) + 1, line))
                rows.append(Row(line, tuple(_shared(known, workbook_child.unpacked(cell)) for cell in event["cells"])))
            elif event["end"]:
                raise _refused(event["end"], name)
            else:
                break
        else:  # it has died without a word: out of memory, or it was ended
            raise _refused("crowded", name)
    if found and found[-1][1]:
        yield found.pop()


def _refused(problem: str, name: str) -> AppError:
    if problem == "damaged":
        return AppError("table_unreadable", name=name, reason=phrase("questions_damaged"))
    return AppError(f"table_{problem}", name=name)


def _shared(known: dict[str, str], cell: Cell) -> Cell:
    return known.setdefault(cell, cell) if isinstance(cell, str) else cell


@contextlib.contextmanager
def _child(raw: bytes, max_rows: int, allowed: workbook_child.Budget) -> Iterator[Iterator[dict[str, Any]]]:
    """What the child says of a workbook, line by line; it is gone afterwards, also where nobody listens any more."""
    command = [*children.program(), "--read-workbook", str(max_rows)]
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
            yield (json.loads(line) for line in process.stdout)
        finally:
            over.set()
            process.kill()
            watch.join()


def _watch(process: "subprocess.Popen[bytes]", allowed: workbook_child.Budget, over: threading.Event) -> None:
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


def separator_of(text: str, candidates: str) -> str:
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


def delimited(text: str, name: str) -> Iterator[Row]:
    """The rows of a CSV, whatever separates its cells. `name`: of the file, for errors.

    A quote that is never closed makes the rest of the file one row, whose problem is "open_quote".
    Raises AppError("table_unreadable").
    """
    csv.field_size_limit(CELL_CHARACTERS)
    lines = itertools.chain(io.StringIO(text, newline=""), [_END])
    reader = csv.reader(lines, delimiter=separator_of(text, SEPARATORS))
    line = 1
    try:
        for cells in reader:
            if cells and cells[-1].endswith(_END):
                if cells != [_END]:
                    yield Row(line, problem="open_quote")
                return
            yield Row(line, tuple(cells))
            line = reader.line_num + 1  # a cell may hold several lines
    except csv.Error as error:
        raise AppError("table_unreadable", name=name, reason=phrase("table_quote", line=line)) from error
