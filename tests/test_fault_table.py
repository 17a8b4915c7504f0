"""The ledger of the fault suite and the table that is made of it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.dev_scripts import ROOT, fault_table

SUITE = """
import pytest

@pytest.mark.fault("S2")
@pytest.mark.parametrize("number", range(3))
def test_plain(number):
    pass

@pytest.mark.fault("F3")
def test_many(tally):
    tally.tried(40)
    tally.tried(20)
    tally.lost(1)
    tally.died(2)
    tally.leaked(3)

@pytest.mark.fault("F3")
def test_that_fails():
    assert False

@pytest.mark.fault("F3")
@pytest.mark.slow
def test_that_takes_long(tally):
    tally.tried(300)

@pytest.mark.fault("S1")
def test_that_cannot_be_run_here():
    pytest.skip("no")

def test_of_something_else():
    pass
"""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("suite")
    (folder / "test_suite.py").write_text(SUITE, "utf-8")
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = slow: x\naddopts = --strict-markers\n", "utf-8")
    plugins = ("-p", "xdist", "-p", "tests.faults.ledger", "-p", "no:cacheprovider")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *plugins, "-n", "2", "--basetemp=made", "--fault-table=report.json"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},  # the others load Qt
        capture_output=True,
        encoding="utf-8",
        timeout=180,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    return folder / "report.json"


def test_cases_are_counted_whichever_process_ran_them(report: Path) -> None:
    tests: dict[str, dict[str, Any]] = json.loads(report.read_text("utf-8"))["tests"]
    told = {name.partition("::test_")[2]: test for name, test in tests.items()}
    assert sorted(told) == [
        "many", "plain[0]", "plain[1]", "plain[2]", "that_cannot_be_run_here", "that_fails", "that_takes_long",
    ]  # fmt: skip
    assert [told[f"plain[{number}]"]["tried"] for number in range(3)] == [1, 1, 1]
    many = told["many"]
    assert [many[name] for name in ("tried", "lost", "died", "leaked")] == [60, 1, 2, 3]
    assert (told["that_fails"]["outcome"], told["that_fails"]["tried"]) == ("failed", 1)
    assert (told["that_cannot_be_run_here"]["outcome"], told["that_cannot_be_run_here"]["tried"]) == ("skipped", 0)
    assert [name for name, test in told.items() if test["is_slow"]] == ["that_takes_long"]


def test_the_table_adds_them_up_by_row(report: Path) -> None:
    lines = fault_table.table([report]).splitlines()
    assert "6 tests in each run, 7 with `--all`" in lines[0]
    assert lines[0].endswith("1 could not be run on this machine.")
    rows = {line.split(" | ")[0].strip("| "): line.split(" | ")[2:] for line in lines[4:]}
    assert rows["S2"] == ["150", "3", "3", "0", "0", "0", "0 |"]
    assert rows["F3"] == ["300", "61", "361", "1", "2", "3", "1 |"]
    assert rows["S1"][1:3] == ["0", "0"]


def test_a_later_report_counts_where_a_test_is_in_both(report: Path, tmp_path: Path) -> None:
    later = json.loads(report.read_text("utf-8"))
    later["tests"] = {
        name: test | {"outcome": "passed"} for name, test in later["tests"].items() if test["outcome"] == "failed"
    }
    (tmp_path / "later.json").write_text(json.dumps(later), "utf-8")
    (row,) = [line for line in fault_table.table([report, tmp_path / "later.json"]).splitlines() if "| F3 |" in line]
    assert row.endswith("| 61 | 361 | 1 | 2 | 3 | 0 |")


def test_the_table_stands_between_its_marks(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("前\n<!-- faults -->\n古い\n<!-- /faults -->\n後\n", "utf-8")
    fault_table.write(readme, "新しい \\1")
    assert readme.read_text("utf-8") == "前\n<!-- faults -->\n新しい \\1\n<!-- /faults -->\n後\n"
    readme.write_text("前\n", "utf-8")
    with pytest.raises(SystemExit, match="README"):
        fault_table.write(readme, "x")


def test_the_run_writes_into_a_file_that_has_the_marks() -> None:
    text = (ROOT / fault_table.README).read_text("utf-8")
    assert 0 < text.index(fault_table.BEGIN) < text.index(fault_table.END)
