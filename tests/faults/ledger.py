"""Counts what the fault suite tried, by the rows of the table of faults that a test's marker names.

`@pytest.mark.fault("S2")` names the row; a test is one case, unless it says through the fixture `tally` how many it
went through. With `--fault-table=FILE` the outcome of every such test is written to FILE (JSON), also when the tests
ran in several processes. `packaging/fault_table.py` makes a table of it.
"""

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

# Cases to reach, and what is done to the program.
ROWS = {
    "S1": (30, "chat template inside a model file that never ends, fills the memory or reaches out"),
    "S2": (150, "damaged or hostile GGUF header, for the check and for the engine"),
    "S3": (12, "something else under the name of a model: cut, web page, pointer, archive"),
    "S4": (15, "pickle among or in place of weights"),
    "S5": (20, "hostile configuration, tokenizer or checkpoint"),
    "S6": (60, "answer that would load or open something, or looks like something else"),
    "S7": (20, "orders to the model or the program in documents"),
    "S8": (40, "PDF that loops, grows, is encrypted or broken"),
    "S9": (25, "Word, Excel or archive: bombs, entities, ways out"),
    "S10": (30, "names and links that lead elsewhere or deceive"),
    "S11": (50, "tables and texts in odd encodings, without end or sense"),
    "S12": (20, "a sentence looked for in the whole home folder and all temporary files"),
    "S13": (4, "token asked for by another host"),
    "S14": (25, "kit, pack, job or update that brings a program or vouches for itself"),
    "S15": (25, "conversation, set, rating or run from elsewhere with verdicts of its own"),
    "S16": (30, "way out for what is secret, labelled before or after"),
    "S17": (30, "invisible, reordering and control characters at each border"),
    "S18": (30, "documents that forge the mark of a source"),
    "S19": (20, "workbook, header or JSON that fills memory or time, outside the documents too"),
    "S20": (12, "another process of the same user reached from a child without a window"),
    "F1": (90, "download cut, stalled, damaged, answered wrongly, killed"),
    "F2": (24, "disk that is or gets full"),
    "F3": (300, "kill -9 of the window, of what reads, evaluates or moves"),
    "F4": (50, "engine or another child that dies, hangs or talks nonsense"),
    "F5": (20, "memory estimated before a load, against what the load takes"),
    "F6": (40, "training killed, out of memory, out of numbers"),
    "F7": (8, "two instances at a time, locks left behind"),
    "F8": (20, "odd paths, locales, homes, fonts, screens"),
    "F9": (10, "database of another version, damaged, half migrated"),
    "F10": (20, "clock ahead, behind, in another zone, beyond 2038"),
}
COUNTS = ("tried", "lost", "died", "leaked")
_PREFIX = "fault:"


class Tally:
    """Kept with the test, so that it reaches the process that writes the table. May be told in pieces."""

    def __init__(self, item: pytest.Item) -> None:
        self._properties = item.user_properties

    def tried(self, count: int) -> None:
        self._properties.append((f"{_PREFIX}tried", int(count)))

    def lost(self, count: int) -> None:
        """Of what had been acknowledged."""
        self._properties.append((f"{_PREFIX}lost", int(count)))

    def died(self, count: int) -> None:
        """Deaths of the window, or of the process that was to survive."""
        self._properties.append((f"{_PREFIX}died", int(count)))

    def leaked(self, count: int) -> None:
        """Packets, or places outside the database that hold what was said."""
        self._properties.append((f"{_PREFIX}leaked", int(count)))


@dataclass
class Record:
    """The outcome of one test."""

    row: str
    is_slow: bool  # runs with --all only
    outcome: str = "passed"
    seconds: float = 0.0
    tried: int = 0
    lost: int = 0
    died: int = 0
    leaked: int = 0


class Ledger:
    """Hears of every test in the process that was started, whichever process ran it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._records: dict[str, Record] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        told = list(report.user_properties)
        row = dict(told).get(f"{_PREFIX}row")
        if row is None:
            return
        slow = bool(dict(told)[f"{_PREFIX}slow"])
        record = self._records.setdefault(report.nodeid, Record(str(row), slow))
        record.seconds += report.duration
        if report.outcome != "passed":
            record.outcome = report.outcome
        if report.when == "teardown":
            for count in COUNTS:
                setattr(record, count, sum(int(str(told_count)) for key, told_count in told if key == _PREFIX + count))
            if not any(key == f"{_PREFIX}tried" for key, _ in told) and record.outcome != "skipped":
                record.tried = 1

    def pytest_sessionfinish(self) -> None:
        tests = {name: asdict(record) for name, record in sorted(self._records.items())}
        written = {"version": 1, "day": time.strftime("%Y-%m-%d"), "rows": ROWS, "tests": tests}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_text(json.dumps(written, ensure_ascii=False, indent=1), encoding="utf-8")


# -------------------------------------------------------------------------------------- hooks, for conftest.py


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fault-table", metavar="FILE", help="write what the fault suite tried to FILE (JSON)")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "fault(row): a case of this row of the table of faults (tests/faults/ledger.py)")
    path = config.getoption("--fault-table", default=None)
    if path and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Ledger(Path(path).absolute()), "fault-ledger")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        marker = item.get_closest_marker("fault")
        if marker is None:
            continue
        (row,) = marker.args
        assert row in ROWS, f"{item.nodeid}: no row {row}"
        item.user_properties.append((f"{_PREFIX}row", row))
        item.user_properties.append((f"{_PREFIX}slow", item.get_closest_marker("slow") is not None))


@pytest.fixture
def tally(request: pytest.FixtureRequest) -> Tally:
    return Tally(request.node)
