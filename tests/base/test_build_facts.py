"""Version and day, as a bundle has them written down."""

import json
from datetime import date
from pathlib import Path

import pytest

from app import __version__
from app.base import diagnostics
from app.base.diagnostics import BuildFacts


def written(tmp_path: Path, **values: object) -> Path:
    file = tmp_path / "build.json"
    told = {"version": __version__, "date": "2026-11-26", "commit": "0123456789abcdef"}
    file.write_text(json.dumps(told | values), "utf-8")
    return file


def test_a_checkout_has_a_version_and_no_day() -> None:
    facts = diagnostics.read_build_facts()
    assert (facts.version, facts.built_on, facts.is_bundle) == (__version__, None, False)


def test_a_bundle_says_when_it_was_built_and_from_what(tmp_path: Path) -> None:
    facts = diagnostics.read_build_facts(written(tmp_path))
    assert (facts.built_on, facts.commit, facts.is_bundle) == (date(2026, 11, 26), "0123456789ab", True)


@pytest.mark.parametrize("day", [None, 20261126, "20261126", "26.11.2026", "2026-13-40", "2026-11-26T00:00"])
def test_a_day_that_is_none_is_left_out(tmp_path: Path, day: object) -> None:
    assert diagnostics.read_build_facts(written(tmp_path, date=day)).built_on is None


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"\xff", b'{"date": ["2026"], "commit": 3}'])
def test_a_damaged_file_leaves_the_version(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "build.json"
    file.write_bytes(content)
    assert diagnostics.read_build_facts(file) == BuildFacts()
