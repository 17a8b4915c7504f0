"""`kotae licences`: the list, one text, and the list as a file for inventories."""

import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.base.paths import Paths
from app.cli import main
from app.compliance import components


@pytest.fixture(scope="module", autouse=True)
def installed_once() -> Iterator[None]:
    """What is installed here stays the same; collecting it takes a quarter of a second for each command."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(components, "collect", functools.cache(components.collect))
        yield


@pytest.fixture
def run(where: Paths, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs a command in this process; returns its exit status, and what it printed on both streams."""

    def call(*arguments: str) -> tuple[int, str, str]:
        status = main(["--data-dir", str(where.data), "licences", *arguments], lambda *_opened: 0)
        out, err = capsys.readouterr()
        return status, out, err

    return call


def test_the_list_begins_with_kotae_and_names_each_part_with_its_licence(run: Any) -> None:
    status, out, _ = run()
    rows = [line.split("\t") for line in out.splitlines()]
    assert status == 0
    assert rows[0][0] == "Kotae"
    assert [name for name in ("numpy", "Qt") if name in {row[0] for row in rows}] == ["numpy", "Qt"]
    assert all(len(row) == 4 and row[2] for row in rows)


def test_one_part_is_shown_whole(run: Any) -> None:
    status, out, _ = run("pyside6-essentials")
    assert status == 0
    assert out.startswith("PySide6_Essentials ")
    assert "GNU LESSER GENERAL PUBLIC LICENSE" in out


def test_json_has_the_list_without_texts_and_a_part_with_its_own(run: Any) -> None:
    _, out, _ = run("--json")
    listed = json.loads(out)["components"]
    assert {"name", "version", "licence", "kind", "homepage", "copyright", "sha256"} == set(listed[0])
    _, out, _ = run("numpy", "--json")
    assert "Redistribution and use" in json.loads(out)["notice"]


@pytest.mark.parametrize("name", [" ", "そんな部品", "../numpy"])
def test_an_unknown_part_is_said_to_be_none(run: Any, name: str) -> None:
    status, out, err = run(name, "--json")
    assert status == 3
    assert json.loads(out)["error"]["code"] == "component_unknown"
    assert "kotae licences" in err


def test_the_list_is_written_as_cyclonedx(run: Any, tmp_path: Path) -> None:
    file = tmp_path / "部品.json"
    status, out, _ = run("--sbom", str(file), "--json")
    bill = json.loads(file.read_text("utf-8"))
    assert status == 0
    assert bill["bomFormat"] == "CycloneDX"
    assert json.loads(out) == {"path": str(file), "components": len(bill["components"])}


def test_a_file_that_cannot_be_written_is_said(run: Any, tmp_path: Path) -> None:
    status, _, err = run("--sbom", str(tmp_path / "absent" / "x.json"))
    assert status == 3
    assert str(tmp_path / "absent") in err


def test_a_file_that_exists_is_not_replaced(run: Any, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("mine", "utf-8")
    status, _, err = run("--sbom", str(tmp_path / "x.json"))
    assert status == 3
    assert "x.json" in err
    assert (tmp_path / "x.json").read_text("utf-8") == "mine"


def test_a_name_and_a_list_at_once_are_refused(run: Any, tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as caught:
        run("numpy", "--sbom", str(tmp_path / "x.json"))
    assert caught.value.code == 2
    assert not (tmp_path / "x.json").exists()
