"""Version, day and news, as a bundle has them written down."""

import json
import re
from datetime import date
from pathlib import Path

import pytest

from app import __version__
from app.base import diagnostics, wording
from app.base.diagnostics import BuildFacts
from app.base.paths import resources


def written(tmp_path: Path, **values: object) -> Path:
    file = tmp_path / "build.json"
    told = {"version": __version__, "date": "2026-11-26", "commit": "0123456789abcdef"}
    file.write_text(json.dumps(told | values), "utf-8")
    return file


def test_a_checkout_has_a_version_and_no_day() -> None:
    facts = diagnostics.read_build_facts()
    assert (facts.version, facts.built_on, facts.is_bundle) == (__version__, None, False)
    assert not facts.is_old(date(2099, 1, 1))


def test_a_bundle_says_when_it_was_built_and_from_what(tmp_path: Path) -> None:
    facts = diagnostics.read_build_facts(written(tmp_path))
    assert (facts.built_on, facts.commit, facts.is_bundle) == (date(2026, 11, 26), "0123456789ab", True)


def test_a_year_makes_a_version_old_whatever_the_clock_says_before(tmp_path: Path) -> None:
    facts = diagnostics.read_build_facts(written(tmp_path))
    assert [facts.is_old(date(*day)) for day in ((2020, 1, 1), (2027, 11, 25), (2027, 11, 26))] == [False, False, True]
    assert facts.age_days(date(2020, 1, 1)) == 0


@pytest.mark.parametrize("day", [None, 20261126, "20261126", "26.11.2026", "2026-13-40", "2026-11-26T00:00"])
def test_a_day_that_is_none_is_left_out(tmp_path: Path, day: object) -> None:
    assert diagnostics.read_build_facts(written(tmp_path, date=day)).built_on is None


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"\xff", b'{"date": ["2026"], "commit": 3, "home": {}}'])
def test_a_damaged_file_leaves_the_version(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "build.json"
    file.write_bytes(content)
    assert diagnostics.read_build_facts(file) == BuildFacts()


def test_an_address_of_several_lines_is_none(tmp_path: Path) -> None:
    assert diagnostics.read_build_facts(written(tmp_path, home="https://a.example\nhttps://b.example")).home == ""
    assert (
        diagnostics.read_build_facts(written(tmp_path, home="https://a.example/kotae")).home
        == "https://a.example/kotae"
    )


def test_versions_are_compared_as_numbers() -> None:
    ordered = ["", "0.9", "0.10.1", "1.0", "1.0.1", "10.0"]
    assert sorted(["1.0", "10.0", "", "0.10.1", "1.0.1", "0.9"], key=diagnostics.version_key) == ordered


@pytest.mark.parametrize("language", wording.LANGUAGES)
def test_this_version_has_news_in_both_languages(language: str) -> None:
    wording.use_language(language)
    lines = diagnostics.release_notes().splitlines()
    assert lines
    assert all(line.startswith("- ") for line in lines)
    assert diagnostics.release_notes("99.0") == ""


def test_the_news_tell_of_the_same_versions_and_as_much() -> None:
    texts = [(resources() / "news" / f"news.{language}.md").read_text("utf-8") for language in wording.LANGUAGES]
    shapes = [re.findall(r"^(## .*|- )", text, re.MULTILINE) for text in texts]
    assert shapes[0] == shapes[1]
    assert f"## {__version__}" in shapes[0]
