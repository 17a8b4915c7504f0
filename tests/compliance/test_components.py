"""The parts of Kotae: all that is installed is listed, each with its licence and its text."""

import lzma
from importlib import metadata
from pathlib import Path

import pytest

from app.base.paths import resources
from app.compliance import components
from app.compliance.components import Component


@pytest.fixture(scope="module")
def found() -> tuple[Component, ...]:
    return components.load()


def part(found: tuple[Component, ...], name: str) -> Component:
    component = components.find(found, name)
    assert component is not None, name
    return component


def test_each_part_has_a_licence_a_kind_and_a_text(found):
    for component in found:
        assert component.licence != components.UNKNOWN, component.name
        assert component.kind in components.KINDS
        assert len(component.notice) > 100, component.name
        assert component.homepage.startswith(("http://", "https://")), component.name


def test_no_part_is_listed_twice_and_they_are_in_order(found):
    names = [components.comparable_name(component.name) for component in found]
    assert len(set(names)) == len(names)
    assert found == components.sort_components(found)


def test_what_kotae_requires_is_listed_with_what_that_requires_and_nothing_of_the_developers(found):
    names = {components.comparable_name(component.name) for component in found}
    assert {"pyside6-essentials", "numpy", "markupsafe", "h11"} <= names
    assert not {"pytest", "ruff", "mypy", "kotae", "pyinstaller"} & names


def test_versions_are_those_that_are_installed(found):
    assert part(found, "numpy").version == metadata.version("numpy")
    assert part(found, "Qt").version == metadata.version("PySide6-Essentials")
    assert part(found, "ggml").version.count(".") == 2
    assert part(found, "libxml2").version.count(".") == 2
    assert part(found, "PDFium").version.isdigit()


def test_qt_is_under_the_lgpl_and_says_how_it_is_exchanged(found):
    for name in ("Qt", "PySide6_Essentials", "shiboken6"):
        qt = part(found, name)
        assert qt.licence == "LGPL-3.0-only"
        for said in (
            "入れ替えるには",
            "To exchange them",
            "GNU LESSER GENERAL PUBLIC LICENSE",
            "GNU GENERAL PUBLIC LICENSE",
            "https://download.qt.io/archive/qt/",
        ):
            assert said in qt.notice


def test_the_adapter_carries_the_terms_of_gemma_and_says_that_it_is_modified(found):
    adapter = part(found, "Kotae adapter for Gemma 3 270M")
    assert "modified form" in adapter.notice
    assert (
        "Gemma is provided under and subject to the Gemma Terms of Use found at ai.google.dev/gemma/terms"
        in adapter.notice
    )
    assert "Section 3: DISTRIBUTION AND RESTRICTIONS" in adapter.notice
    assert "prohibited_use_policy" in adapter.notice
    assert adapter.sha256 is not None


def test_font_and_icons_come_with_their_texts(found):
    assert "SIL OPEN FONT LICENSE" in part(found, "BIZ UDPGothic").notice.upper()
    assert "Cole Bemis" in part(found, "Lucide").notice
    marks = {file.read_text("utf-8").split("\n", 1)[0] for file in (resources() / "icons").glob("*.svg")}
    versions = {mark.partition("lucide-static v")[2].partition(" ")[0] for mark in marks if "lucide-static" in mark}
    assert versions == {part(found, "Lucide").version}


def test_every_text_of_the_table_is_there():
    table = components.read_table()
    entries = [*table["component"], *table["distribution"].values()]
    named = {file for entry in entries for file in entry.get("texts", ())}
    assert {file for file in named if not (components.folder() / file).is_file()} == set()
    kept = {f"notices/{file.name}" for file in (components.folder() / "notices").iterdir()}
    assert kept <= named


def test_what_a_bundle_carries_is_read_back_as_it_was(found):
    assert components.from_json(components.to_json(found)) == found


def test_a_bundle_reads_its_list_and_gathers_nothing(tmp_path, monkeypatch):
    only = (Component("一つ", "1", "MIT", "native", "https://example.invalid/", "", "text"),)
    (tmp_path / components.LISTED).write_bytes(lzma.compress(components.to_json(only).encode()))
    monkeypatch.setattr(components, "folder", lambda: tmp_path)
    assert components.load() == only


@pytest.mark.parametrize("name", ["pyside6-essentials", "PySide6_Essentials", "PYSIDE6.ESSENTIALS"])
def test_a_name_is_found_in_each_of_its_spellings(found, name):
    assert part(found, name).name == "PySide6_Essentials"


class TestInstalled:
    """Distributions as pip leaves them, in a folder of their own."""

    @pytest.fixture
    def make(self, tmp_path: Path) -> object:
        def made(*lines: str, licence: str = "") -> metadata.Distribution:
            folder = tmp_path / "part-1.0.dist-info"
            folder.mkdir()
            text = "\n".join(["Metadata-Version: 2.4", "Name: part", "Version: 1.0", *lines])
            (folder / "METADATA").write_text(text + "\n", "utf-8")
            record = ["part-1.0.dist-info/METADATA,,"]
            if licence:
                (folder / "LICENSE").write_text(licence, "utf-8")
                record.append("part-1.0.dist-info/LICENSE,,")
            (folder / "RECORD").write_text("\n".join(record) + "\n", "utf-8")
            return metadata.PathDistribution(folder)

        return made

    @pytest.mark.parametrize(
        ("line", "licence"),
        [
            ("License-Expression: mit or apache-2.0", "MIT OR Apache-2.0"),
            ("License: BSD-3-Clause", "BSD-3-Clause"),
            ("License: Apache 2.0", "Apache-2.0"),
            ("Classifier: License :: OSI Approved :: MIT License", "MIT"),
            ("Classifier: License :: OSI Approved :: BSD License", components.UNKNOWN),  # which of them?
            ("License: see the file", components.UNKNOWN),
        ],
    )
    def test_a_licence_is_read_from_what_the_metadata_says(self, make, line, licence):  # type: ignore[no-untyped-def]
        assert components.licence_of(make(line).metadata) == licence

    def test_the_text_that_came_with_it_is_kept_with_its_copyright(self, make):  # type: ignore[no-untyped-def]
        text = "MIT License\n\nCopyright (c) 2026 <copyright holders>\nCopyright (c) 2024 Yamada\n\nPermission …"
        component = components.distribution_component(make("License: MIT", licence=text), {"distribution": {}})
        assert component is not None
        assert component.notice == text
        assert component.copyright == "Copyright (c) 2024 Yamada"

    def test_without_a_text_of_its_own_it_gets_the_licence_from_the_resources(self, make):  # type: ignore[no-untyped-def]
        lines = ("License: Apache-2.0", "Author: Yamada")
        component = components.distribution_component(make(*lines), {"distribution": {}})
        assert component is not None
        assert component.notice.startswith("Copyright (c) Yamada")
        assert "Apache License" in component.notice
