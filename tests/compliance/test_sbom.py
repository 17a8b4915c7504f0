"""The list of parts as CycloneDX: what its schema asks, and what an inventory of software reads from it."""

import json
import re
from datetime import UTC, datetime, timedelta, timezone

import pytest

from app.compliance import components
from app.compliance.components import Component

AT = datetime(2026, 11, 26, 9, 0, 0, tzinfo=UTC)
TYPES = {"application", "library", "data", "machine-learning-model"}  # of those that the schema knows


def component(
    name: str = "part", version: str = "1.0", licence: str = "MIT", kind: str = "python", **facts: str
) -> Component:
    return Component(name, version, licence, kind, facts.get("homepage", ""), "", "text", facts.get("sha256"))


def test_the_document_has_what_the_schema_asks_for() -> None:
    bill = components.make_cyclonedx(components.load(), "0.1.0", AT)
    assert (bill["bomFormat"], bill["specVersion"], bill["version"]) == ("CycloneDX", "1.6", 1)
    assert re.fullmatch(
        r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", bill["serialNumber"]
    )
    assert bill["metadata"]["timestamp"] == "2026-11-26T09:00:00Z"
    assert bill["metadata"]["component"]["name"] == "kotae"
    for part in bill["components"]:
        assert part["type"] in TYPES
        assert part["name"]
        assert len(part["licenses"]) == 1
        assert re.fullmatch(r"pkg:(pypi|generic)/[a-z0-9.+%-]+(@[^@/ ]+)?", part["purl"]), part["purl"]
        for made in part.get("hashes", ()):
            assert re.fullmatch(r"[0-9a-f]{64}", made["content"])
    json.dumps(bill)


def test_each_part_has_a_reference_of_its_own_and_kotae_depends_on_all() -> None:
    bill = components.make_cyclonedx(components.load(), "0.1.0", AT)
    references = [part["bom-ref"] for part in bill["components"]]
    assert len(set(references)) == len(references)
    assert bill["dependencies"] == [{"ref": bill["metadata"]["component"]["bom-ref"], "dependsOn": references}]


@pytest.mark.parametrize(
    ("licence", "told"),
    [
        ("MIT", {"license": {"id": "MIT"}}),
        ("MIT OR Apache-2.0", {"expression": "MIT OR Apache-2.0"}),
        ("GPL-2.0-or-later WITH Bootloader-exception", {"expression": "GPL-2.0-or-later WITH Bootloader-exception"}),
        ("LicenseRef-Gemma", {"license": {"name": "Gemma"}}),
    ],
)
def test_a_licence_is_an_identifier_an_expression_or_a_name(licence: str, told: dict[str, object]) -> None:
    bill = components.make_cyclonedx([component(licence=licence)], "0.1.0", AT)
    assert bill["components"][0]["licenses"] == [told]


@pytest.mark.parametrize(
    ("name", "kind", "purl"),
    [
        ("PySide6_Essentials", "python", "pkg:pypi/pyside6-essentials@1.0"),
        ("et_xmlfile", "python", "pkg:pypi/et-xmlfile@1.0"),
        ("llama.cpp converter", "python", "pkg:generic/llama.cpp-converter@1.0"),
        ("GCC runtime (libgfortran, libquadmath)", "native", "pkg:generic/gcc-runtime-libgfortran-libquadmath@1.0"),
    ],
)
def test_an_address_of_a_package_has_the_form_of_its_registry(name: str, kind: str, purl: str) -> None:
    assert components.purl(component(name, kind=kind)) == purl


def test_what_a_part_does_not_tell_is_left_out() -> None:
    part = components.make_cyclonedx([component(version="")], "0.1.0", AT)["components"][0]
    assert not {"version", "hashes", "copyright", "externalReferences"} & set(part)
    assert part["purl"] == "pkg:pypi/part"


def test_the_same_parts_at_the_same_time_make_the_same_document() -> None:
    there = AT.astimezone(timezone(timedelta(hours=9)))
    assert components.make_cyclonedx([component()], "0.1.0", AT) == components.make_cyclonedx(
        [component()], "0.1.0", there
    )
    other = components.make_cyclonedx([component(version="1.1")], "0.1.0", AT)
    assert other["serialNumber"] != components.make_cyclonedx([component()], "0.1.0", AT)["serialNumber"]
