"""What of the offline check's page is on the first sheet when it is printed, and what comes in annexes."""

import dataclasses
import html
from pathlib import Path

from app.base import wording
from app.compliance.components import Component
from app.compliance.offline_check import report_page
from app.compliance.offline_check.records import CheckFact, CheckResult, HashedFile, MeasuredTraffic

DONE = MeasuredTraffic("unsupported", (5, 5), None, None, (), (), 40)
RESULT = CheckResult("1.0", 1.8e9, "Linux", "Swallow", "on", "nobody", "", DONE, (CheckFact("swap", "note"),), ())


def test_what_matters_stands_on_the_first_sheet_and_the_long_lists_in_annexes(tmp_path: Path) -> None:
    asked = HashedFile("model", "Swallow", "/a", 1, "1" * 64, "stored")
    other = HashedFile("model", "Crane", "/b", 1, "2" * 64, "stored")
    bad = HashedFile("model", "Heron", "/c", 1, "3" * 64, "changed")
    program = HashedFile("program", "kotae", "/k", 1, "4" * 64, "measured")
    for language in wording.LANGUAGES:
        wording.use_language(language)
        report_page.write_page(
            dataclasses.replace(RESULT, files=(program, asked, other, bad)), tmp_path / "report.html"
        )
        text = html.unescape((tmp_path / "report.html").read_text("utf-8"))
        first, machine, lists = text.split('<section class="annex">')
        assert ".annex { break-before: page; }" in text.partition("@media print")[2]
        for digit in "134":
            assert digit * 64 in first
            assert digit * 64 in lists
        assert "2" * 64 not in first
        assert "2" * 64 in lists
        assert "LGPL-3.0-only (" in first
        assert wording.phrase("compliance.page.annexes") in first
        assert wording.phrase("compliance.page.annex_machine") in machine
        assert wording.phrase("compliance.page.annex_parts") in lists
        assert "llama_cpp_python" not in first
        assert "llama_cpp_python" in lists


def test_a_licence_is_counted_once_for_each_part_that_names_it() -> None:
    licences = ("MIT", "MIT AND (Zlib OR MIT)", "GPL-3.0-only WITH GCC-exception-3.1", "Zlib")
    parts = [Component(f"part {n}", "1", licence, "python", "", "", "") for n, licence in enumerate(licences)]
    assert report_page._licences(parts) == "MIT (2), Zlib (2), GPL-3.0-only WITH GCC-exception-3.1 (1)"


def test_warnings_of_this_machine_are_counted_on_the_first_sheet() -> None:
    facts = (CheckFact("swap", "note"), CheckFact("dumps_on", "warning"), CheckFact("preloaded", "warning", "x"))
    told = report_page.render_page(dataclasses.replace(RESULT, facts=facts), (), "{}", "x").split(
        '<section class="annex">'
    )[0]
    assert "▲ が 2 件あります（別紙 1）" in told
    assert "▲ はありません（別紙 1）" in report_page.render_page(RESULT, (), "{}", "x")
