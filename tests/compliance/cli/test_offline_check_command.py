"""`kotae offline-check` as a program: its exit status, its one object, its page, and an interrupted check."""

import dataclasses
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from app.cli import main
from app.compliance.offline_check.check_run import OfflineCheckRun
from tests.base.cli.processes import Start, ended, programs
from tests.compliance.check_results import DONE, of
from tests.html_page import Page
from tests.waiting import wait_until

LIMIT_S = 300


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    with programs(tmp_path / "データ") as begin:

        def run(*arguments: str, **options: object) -> object:
            variables = {"QT_QPA_PLATFORM": "offscreen"} | dict(options.pop("variables", {}))
            return begin("offline-check", *arguments, variables=variables, **options)

        yield run


@pytest.fixture
def refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], qapp: object) -> Callable[[Path], tuple[int, str, str]]:
    """Runs the command with a report in this process; returns its exit status, its code, and what stood on stderr."""

    def run(report: Path) -> tuple[int, str, str]:
        arguments = ["offline-check", "--data-dir", str(tmp_path / "データ"), "--report", str(report), "--json"]
        status = main(arguments, lambda *_: 99)
        said = capsys.readouterr()
        return status, json.loads(said.out)["error"]["code"], said.err

    return run


def test_nothing_is_found_and_the_page_says_so(start: Start, tmp_path: Path) -> None:
    report = tmp_path / "報告 1.html"
    status, told, log = ended(start("--report", str(report), "--json"), LIMIT_S)
    assert status == 0, log
    assert told["verdict"] in ("clean", "limited")
    assert (told["report"], told["sbom"]) == (str(report), str(report.with_suffix(".cdx.json")))
    assert told["measured"]["guard"][0] == told["measured"]["guard"][1] > 0
    assert json.loads(Path(told["sbom"]).read_text("utf-8"))["bomFormat"] == "CycloneDX"
    assert "送信は" in report.read_text("utf-8")


def test_what_was_found_is_said_in_the_language_that_is_asked_for_and_the_exit_status_is_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], qapp: object
) -> None:
    found = of(dataclasses.replace(DONE, sockets=("0.0.0.0:5000 → LISTEN",)))
    monkeypatch.setattr(OfflineCheckRun, "run", lambda _run: found)
    report = tmp_path / "report.html"
    asked = ["offline-check", "--data-dir", str(tmp_path / "データ"), "--lang", "en", "--report", str(report)]
    assert main(asked, lambda *_: 99) == 1
    said, *files = capsys.readouterr().out.splitlines()
    assert said.startswith("An attempt to communicate was found: ")
    assert [line.partition(": ")[0] for line in files] == ["Report", "Components"]
    assert "LISTEN" in Page(report.read_text("utf-8")).text


@pytest.mark.parametrize("place", ["nowhere/x.html", "x.txt", ".", "x"])
def test_a_page_that_cannot_be_is_refused_before_the_check(refused, tmp_path: Path, place: str) -> None:
    assert refused(tmp_path / place)[:2] == ((3, "export_folder_gone") if "/" in place else (2, "bad_option"))


def test_a_page_whose_name_is_too_long_is_refused_in_words(refused, tmp_path: Path) -> None:
    status, code, log = refused(tmp_path / f"{'報' * 200}.html")
    assert (status, code) == (3, "offline_check_unwritable")
    assert "Traceback" not in log


@pytest.mark.parametrize("taken", ["報告.html", "報告.cdx.json"])
def test_a_report_that_exists_is_not_replaced(refused, tmp_path: Path, taken: str) -> None:
    (tmp_path / taken).write_text("前の報告書", "utf-8")
    status, code, log = refused(tmp_path / "報告.html")
    assert (status, code) == (3, "export_exists")
    assert taken in log
    assert (tmp_path / taken).read_text("utf-8") == "前の報告書"


@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal")
def test_interrupted_it_leaves_no_process_and_no_file(start: Start, tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    process = start("--json", start_new_session=True, variables={"TMPDIR": str(temporary)})
    wait_until(lambda: list(temporary.iterdir()) != [])
    family = psutil.Process(process.pid).children(recursive=True)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does it
    process.communicate(timeout=LIMIT_S)
    assert process.returncode == 130
    _, alive = psutil.wait_procs(family, timeout=60)
    assert alive == []
    wait_until(lambda: list(temporary.iterdir()) == [])
