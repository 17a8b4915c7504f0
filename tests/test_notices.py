"""What may ship: licences by expression, and a folder of PyInstaller file by file."""

import functools
import json
import lzma
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.compliance import components
from app.compliance.components import Component
from tests.dev_scripts import load_scripts

steps, notices, bundle_parts = load_scripts("steps", "notices", "bundle_parts")
ALLOWED = frozenset(("MIT", "Apache-2.0", "GPL-3.0-or-later WITH GCC-exception-3.1"))


@pytest.fixture(scope="module", autouse=True)
def installed_once() -> Iterator[None]:
    """What is installed here stays the same; looking for it takes half a second for each bundle."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(components, "collect", functools.cache(components.collect))
        patch.setattr(bundle_parts, "_owners", functools.cache(bundle_parts._owners))
        yield


def tree_with(tmp_path: Path, *files: str) -> Path:
    tree = tmp_path / "Kotae"
    for name in files:
        path = tree / "_internal" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return tree


def test_what_is_installed_may_ship() -> None:
    assert notices.check(components.load()) == []


@pytest.mark.parametrize(
    ("expression", "may"),
    [
        ("MIT", True),
        ("GPL-3.0-only", False),
        ("AGPL-3.0-or-later", False),
        ("MIT OR GPL-3.0-only", True),
        ("GPL-3.0-only OR MIT", True),
        ("MIT AND GPL-3.0-only", False),
        ("GPL-3.0-only AND MIT", False),
        ("MIT AND (GPL-2.0-only OR Apache-2.0)", True),
        ("(MIT OR Apache-2.0) AND GPL-2.0-only", False),
        ("GPL-3.0-or-later WITH GCC-exception-3.1", True),
        ("GPL-3.0-or-later", False),
        ("MIT WITH GCC-exception-3.1", False),
        ("", False),
        ("MIT AND", False),
        ("(MIT", False),
        ("MIT MIT", False),
    ],
)
def test_an_expression_is_allowed_by_its_parts(expression: str, may: bool) -> None:
    assert notices.is_allowed(expression, ALLOWED) is may


def test_a_part_under_the_gpl_or_without_a_text_stops_a_bundle() -> None:
    bad = Component("readline", "8", "GPL-3.0-or-later", "native", "", "", "text")
    silent = Component("quiet", "1", "MIT", "native", "", "", " ")
    assert [line.partition(":")[0] for line in notices.check([bad, silent])] == ["readline 8", "quiet 1"]


def test_both_files_are_written_and_each_text_stands_once(tmp_path: Path) -> None:
    written = notices.write(tmp_path / "licences", None)
    listed = lzma.decompress((tmp_path / "licences" / components.LISTED).read_bytes()).decode()
    assert components.from_json(listed) == written
    text = (tmp_path / "licences" / "THIRD_PARTY_NOTICES.txt").read_text("utf-8")
    for component in written:
        assert component.name in text
    assert text.count("To exchange them") == 1  # of Qt, PySide6 and shiboken6 together


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        ("libmystery.so.1", "nobody's"),
        ("libreadline.so.8", "GPL"),
        ("PySide6/Qt/plugins/platforminputcontexts/libqtvirtualkeyboardplugin.so", "GPL"),
        ("PySide6/Qt/lib/libQt6VirtualKeyboard.so.6", "GPL"),
        ("PySide6/Qt/lib/libQt6Charts.so.6", "not among the modules of Qt"),
        ("PySide6/Qt6Graphs.dll", "not among the modules of Qt"),
    ],
)
def test_a_library_that_may_not_ship_or_that_nobody_knows_stops_the_bundle(
    tmp_path: Path, file: str, reason: str
) -> None:
    with pytest.raises(steps.SetupError) as caught:
        notices.write(tmp_path / "licences", tree_with(tmp_path, file))
    assert Path(file).name in str(caught.value)
    assert reason in str(caught.value)
    assert not (tmp_path / "licences").exists()


def test_libraries_of_the_system_are_listed_with_their_texts(tmp_path: Path) -> None:
    tree = tree_with(tmp_path, "libssl.so.3", "libcrypto.so.3", "libz.so.1", "PySide6/Qt/lib/libQt6Core.so.6")
    kept, problems = bundle_parts.of_tree(tree, components.load())
    assert problems == []
    openssl, zlib = components.find(kept, "OpenSSL"), components.find(kept, "zlib")
    assert openssl is not None
    assert zlib is not None
    assert openssl.sha256 is None  # two files
    assert zlib.sha256 is not None
    assert "Apache" in openssl.notice
    assert notices.check(kept) == []
    qt = components.find(kept, "Qt")
    assert qt is not None
    assert qt.notice.startswith("Qt libraries in this folder: QtCore\n")


def test_pythons_own_modules_and_libraries_of_wheels_need_no_name(tmp_path: Path) -> None:
    files = (
        "python3.11/lib-dynload/_ssl.so",
        "libpython3.11.so.1.0",
        "llama_cpp/lib/libllama.so",
        "libggml-cpu-zen4.so",
    )
    _kept, problems = bundle_parts.of_tree(tree_with(tmp_path, *files), components.load())
    assert problems == []


def test_a_program_of_others_is_listed_with_the_distribution_that_brought_it(tmp_path: Path) -> None:
    pytest.importorskip("uv")
    kept, problems = bundle_parts.of_tree(tree_with(tmp_path, "uv"), components.load())
    assert problems == []
    uv = components.find(kept, "uv")
    assert uv is not None
    assert uv.licence in ("MIT OR Apache-2.0", "Apache-2.0 OR MIT")
    assert "Compiled into it:" in uv.notice


def test_a_module_that_no_distribution_has_brought_is_told(tmp_path: Path) -> None:
    kept, problems = bundle_parts._distributions(frozenset(("numpy", "json", "app", "mystery")), components.load())
    assert problems == ["Python module mystery: belongs to no installed distribution"]
    assert components.find(kept, "numpy") is not None
    assert components.find(kept, "lxml") is None  # no module of it ships
    assert components.find(kept, "BIZ UDPGothic") is not None


def test_what_came_inside_a_distribution_goes_with_it() -> None:
    kept, _problems = bundle_parts._distributions(frozenset(("numpy",)), components.load())
    kept = bundle_parts._with_their_distribution(kept, frozenset(("numpy",)))
    names = {component.name for component in kept}
    assert "OpenBLAS and LAPACK" in names
    assert not {"libxml2", "PDFium", "Gemma 3 270M (Q4_K_M)"} & names


def test_each_library_of_the_table_may_ship_and_is_named_once() -> None:
    table = bundle_parts.read_table()
    libraries = [entry for entry in table["library"] if "licence" in entry]
    allowed = frozenset(table["allowed"])
    assert [entry["name"] for entry in libraries if not notices.is_allowed(entry["licence"], allowed)] == []
    patterns = [pattern for entry in [*table["library"], *table["refused"]] for pattern in entry["files"]]
    assert len(set(patterns)) == len(patterns)


def test_the_script_says_how_it_is_used_and_what_stops_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert notices.main([]) == 2
    assert notices.main([str(tmp_path / "a"), str(tree_with(tmp_path, "libmystery.so"))]) == 1
    assert "libmystery.so" in capsys.readouterr().err
    assert notices.main([str(tmp_path / "b")]) == 0
    assert json.loads(lzma.decompress((tmp_path / "b" / components.LISTED).read_bytes()))["components"]
