"""Read one Excel workbook in a child process, from standard input, and write each row as a line of JSON.

Files of columns (Parquet, and Arrow's, of which Hugging Face's datasets consist) are read here too, by pyarrow where it
is installed; their rows are objects.

openpyxl keeps all texts of a workbook in memory, and a file of some kilobytes can make it work for a long time. So
memory, processor time, cells and characters are limited in proportion to the size of the file, and the process ends
when a limit is exceeded.
"""

import datetime
import io
import json
import os
import sys
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from app.base.isolation import sandbox
from trainer.wire import EventWriter, claim_stdout

COLUMNS = 200
_PARQUET, _ARROW = b"PAR1", (b"ARROW1", b"\xff\xff\xff\xff")  # beginnings: Arrow's files, and its streams
_BATCH_ROWS = 100
_PACKED_TIMES = {datetime.datetime: "datetime", datetime.date: "date", datetime.time: "time"}


@dataclass(frozen=True, slots=True)
class WorkbookBudget:
    """The limits for reading a workbook, which `for_file_size` computes from the size of its file.

    A cell takes about 5 bytes in the zipped file, and openpyxl reads it in 5 microseconds.
    """

    memory_bytes: int  # in addition to the memory of the process without the workbook
    processor_s: float
    cells: int
    characters: int

    @classmethod
    def for_file_size(cls, size_bytes: int) -> "WorkbookBudget":
        return cls(
            memory_bytes=min(100_000_000 + 12 * size_bytes, 2_000_000_000),
            processor_s=1.5 + size_bytes / 200_000,
            cells=500_000 + size_bytes // 2,
            characters=20_000_000 + 10 * size_bytes,
        )


class _CrowdedError(Exception):
    """The workbook has more cells or characters than its `WorkbookBudget` allows."""


def main(arguments: Sequence[str]) -> NoReturn:
    """Read the workbook and exit. `arguments`: one number, the most rows to read of each sheet.

    The process exits without returning, because freeing all objects would take time.
    """
    writer = claim_stdout()
    raw = sys.stdin.buffer.read()
    allowed = WorkbookBudget.for_file_size(len(raw))
    is_columnar = raw.startswith((_PARQUET, *_ARROW))
    try:
        _import_columnar() if is_columnar else _import()
        sandbox.confine(reads=())
        sandbox.limit_memory((sandbox.address_space_bytes() or 1_000_000_000) + allowed.memory_bytes)
        sandbox.limit_processor_time(allowed.processor_s)
        (_read_columnar if is_columnar else _read)(raw, int(arguments[0]), allowed, writer)
        _send_end_and_exit(writer, "")
    except ModuleNotFoundError:
        _send_end_and_exit(writer, "unknown")
    except (MemoryError, RecursionError, _CrowdedError):
        _send_end_and_exit(writer, "crowded")
    except Exception:  # noqa: BLE001  openpyxl raises any exception for a damaged file
        _send_end_and_exit(writer, "damaged")


def _import() -> None:
    """Import openpyxl without numpy, which only takes memory, and without lxml, which expands XML entities."""
    os.environ["OPENPYXL_LXML"] = "False"
    sys.modules["numpy"] = None  # type: ignore[assignment]
    import openpyxl  # noqa: F401


def _import_columnar() -> None:
    os.environ["ARROW_DEFAULT_MEMORY_POOL"] = "system"  # another one reserves more addresses than it uses
    import pyarrow.ipc
    import pyarrow.parquet  # noqa: F401  where it is missing, the rows are not read


def _send_end_and_exit(writer: EventWriter, problem: str) -> NoReturn:
    """Send the last event and exit.

    `problem`: locked (by a password, or an old .xls file) | crowded (more cells, characters, memory or time than
    `WorkbookBudget` allows) | damaged | unknown (its reader is not installed) | "" (none: the file was read).
    """
    writer.send({"end": problem})
    os._exit(0)


def _read(raw: bytes, max_rows: int, budget: WorkbookBudget, writer: EventWriter) -> None:
    from openpyxl import load_workbook

    if raw.startswith(b"\xd0\xcf\x11\xe0"):  # an old .xls, or a workbook with a password
        _send_end_and_exit(writer, "locked")
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        problem = sandbox.archive_problem(archive)
    if problem:
        _send_end_and_exit(writer, {"protected": "locked", "bomb": "crowded"}.get(problem, "damaged"))
    cells, characters = budget.cells, budget.characters
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # warnings about features that are not read
        book = load_workbook(io.BytesIO(raw), read_only=True, data_only=True, keep_links=False)
        for sheet in book.worksheets:
            writer.send({"sheet": str(sheet.title)})
            sheet.reset_dimensions()  # the size that the file declares may be wrong
            rows = sheet.iter_rows(values_only=True, max_row=max_rows, max_col=COLUMNS)
            for line, values in _filled(rows):
                cells -= len(values)
                characters -= sum(len(value) for value in values if isinstance(value, str))
                if cells < 0 or characters < 0:
                    raise _CrowdedError
                writer.send({"row": line, "cells": [_packed(value) for value in values]})


def _read_columnar(raw: bytes, max_rows: int, budget: WorkbookBudget, writer: EventWriter) -> None:
    import pyarrow
    from pyarrow import ipc, parquet

    source = pyarrow.BufferReader(raw)
    if raw.startswith(_PARQUET):
        batches: Iterator[Any] = parquet.ParquetFile(source).iter_batches(_BATCH_ROWS, use_threads=False)
    elif raw.startswith(_ARROW[0]):
        reader = ipc.open_file(source)
        batches = (reader.get_batch(at) for at in range(reader.num_record_batches))
    else:
        batches = iter(ipc.open_stream(source))
    rows, characters = max_rows, budget.characters
    for batch in batches:
        for start in range(0, batch.num_rows, _BATCH_ROWS):
            for values in batch.slice(start, _BATCH_ROWS).to_pylist():
                text = json.dumps(values, ensure_ascii=False, default=str)
                rows, characters = rows - 1, characters - len(text)
                if rows < 0 or characters < 0:
                    raise _CrowdedError
                writer.send({"record": text})


def _filled(rows: Iterator[Sequence[Any]]) -> Iterator[tuple[int, Sequence[Any]]]:
    """Yield the number (from 1) and the cells of each row that is not empty, without empty cells at its end."""
    for line, values in enumerate(rows, start=1):
        last = len(values)
        while last and values[last - 1] in (None, ""):
            last -= 1
        if last:
            yield line, values[:last]


def _packed(value: object) -> Any:
    """Return the value of a cell in a form that JSON can encode; `unpacked` is the inverse."""
    kind = _PACKED_TIMES.get(type(value))
    if kind is not None:
        return {kind: value.isoformat()}  # type: ignore[attr-defined]
    return value if isinstance(value, str | int | float) or value is None else str(value)


def unpacked(value: Any) -> Any:
    """Return the cell value that `_packed` has encoded. Raises ValueError for any other value."""
    if isinstance(value, str | int | float) or value is None:
        return value
    kinds: dict[str, Any] = {"datetime": datetime.datetime, "date": datetime.date, "time": datetime.time}
    kind, text = next(iter(value.items()), ("", "")) if isinstance(value, dict) else ("", "")
    if kind not in kinds or not isinstance(text, str):
        raise ValueError("no cell")
    return kinds[kind].fromisoformat(text)
