"""What lies in a PyInstaller folder, part by part: libraries from wheels, from the system, and Python modules.

A file that nobody can be named for is told as a problem, so that nothing ships without its licence.
"""

import dataclasses
import fnmatch
import hashlib
import importlib
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from importlib import metadata
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from app.compliance import components
from app.compliance.components import Component

TABLE = Path(__file__).with_name("native_libraries.toml")
DEBIAN_TEXTS = Path("/usr/share/doc")
OURS = frozenset(("app", "trainer", "__main__"))
_NATIVE = re.compile(r"(\.so(\.[\w.]+)?|\.dll|\.pyd|\.dylib)$", re.IGNORECASE)
_PYTHON_ITSELF = re.compile(r"^(libpython3[\w.]*|python3\d*\.dll|Python)$")
_QT = re.compile(r"^(?:lib)?Qt6(\w+?)(?:\.so[\d.]*|\.dll)$")


def read_table() -> dict[str, Any]:
    return tomllib.loads(TABLE.read_text("utf-8"))


def native_files(tree: Path) -> Iterator[Path]:
    """Libraries of a bundle, and programs of others in it. Links stand for the files that they point to."""
    programs = {
        name for entry in read_table()["library"] for name in entry["files"] if "." not in name or "*" not in name
    }
    for path in sorted(tree.rglob("*")):
        if path.is_file() and not path.is_symlink() and (_NATIVE.search(path.name) or path.name in programs):
            yield path


def qt_modules(tree: Path) -> list[str]:
    """The Qt libraries that ship, without lib and version: Core, Gui, …"""
    found = (_QT.match(path.name) for path in native_files(tree))
    return sorted({match[1] for match in found if match})


def modules(tree: Path) -> frozenset[str] | None:
    """Top-level Python modules in a bundle: of its archive and of its folders. None: there is no archive to read."""
    try:
        readers = importlib.import_module("PyInstaller.archive.readers")
    except ModuleNotFoundError:
        return None
    names: set[str] = set()
    for program in (path for path in tree.iterdir() if path.is_file()):
        try:
            archive = readers.CArchiveReader(str(program))
        except readers.ArchiveReadError:
            continue
        for name in archive.toc:
            if name.endswith(".pyz"):
                names |= {module.partition(".")[0] for module in archive.open_embedded_archive(name).toc}
    return frozenset(names) or None


def of_tree(tree: Path, listed: Iterable[Component]) -> tuple[list[Component], list[str]]:
    """Of `listed` (everything installed) what ships, with what the folder has besides; and the problems."""
    contained = modules(tree)
    kept, problems = _distributions(contained, tuple(listed))
    kept = _with_their_distribution(kept, contained)
    table = read_table()
    owners = _owners()
    found: dict[str, list[Path]] = {}
    for path in native_files(tree):
        owner, problem = _owner(path, tree, table, owners)
        if problem:
            problems.append(f"{path.relative_to(tree)}: {problem}")
        elif owner.startswith("library:"):
            found.setdefault(owner.removeprefix("library:"), []).append(path)
        elif owner and components.find(kept, owner) is None:
            kept.append(_distribution(owner))
    entries = {entry["name"]: entry for entry in table["library"]}
    kept += [_library(entries[name], paths) for name, paths in found.items()]
    shipped = qt_modules(tree)
    return [_with_qt_modules(each, shipped) for each in kept], problems


def _distributions(
    contained: frozenset[str] | None, listed: tuple[Component, ...]
) -> tuple[list[Component], list[str]]:
    """Without the distributions of which no module ships, with those that ship though nothing requires them."""
    if contained is None:
        return list(listed), []
    providers = metadata.packages_distributions()
    shipped = {canonicalize_name(name) for module in contained for name in providers.get(module, ())}
    known = {canonicalize_name(each.name) for each in listed}
    importable = {canonicalize_name(name) for names in providers.values() for name in names}
    kept = [
        each
        for each in listed
        if each.kind != "python"
        or canonicalize_name(each.name) in shipped
        or canonicalize_name(each.name) not in importable
    ]
    more = sorted(shipped - known - {components.ROOT} - _vessels())
    kept += [_distribution(name) for name in more]
    foreign = contained - set(providers) - sys.stdlib_module_names - OURS
    unknown = sorted(name for name in foreign if not re.match(r"_?pyi|_sysconfigdata|_distutils_hack", name))
    return kept, [f"Python module {name}: belongs to no installed distribution" for name in unknown]


def _with_their_distribution(listed: list[Component], contained: frozenset[str] | None) -> list[Component]:
    """Without what came inside a distribution that does not ship."""
    inside = {entry["name"]: entry["in"] for entry in components.read_table()["component"] if "in" in entry}
    return [each for each in listed if each.name not in inside or _ships(inside[each.name], listed, contained)]


def _ships(distribution: str, listed: list[Component], contained: frozenset[str] | None) -> bool:
    if contained is None or canonicalize_name(distribution) not in _vessels():
        return components.find(listed, distribution) is not None or contained is None
    return canonicalize_name(distribution) in {canonicalize_name(name) for name in contained}


def _vessels() -> set[str]:
    table = components.read_table()["distribution"]
    return {name for name, facts in table.items() if "part_of" in facts}


def _distribution(name: str) -> Component:
    found = components.distribution_component(metadata.distribution(name), components.read_table())
    assert found is not None
    return found


def _owners() -> dict[str, str]:
    """The distribution that brought a library, by the library's name. Names with a hash in them are unique."""
    owners: dict[str, str] = {}
    for distribution in metadata.distributions():
        name = distribution.metadata["Name"]
        owners |= {file.name: name for file in distribution.files or () if _NATIVE.search(file.name)}
    return owners


def _owner(path: Path, tree: Path, table: dict[str, Any], owners: dict[str, str]) -> tuple[str, str]:
    """The distribution, `library:NAME` of the table, or "" for Python itself; and what is wrong with the file."""
    for entry in table["refused"]:
        if _is_named(path.name, entry["files"]):
            return "", entry["reason"]
    qt = _QT.match(path.name)
    if qt and qt[1] not in table["qt_modules"]:
        return "", "not among the modules of Qt that are known to be under the LGPL"
    if "lib-dynload" in path.relative_to(tree).parts or _PYTHON_ITSELF.match(path.name):
        return "", ""
    entry = next((entry for entry in table["library"] if _is_named(path.name, entry["files"])), None)
    if path.name in owners and (entry is None or "distribution" not in entry):
        return owners[path.name], ""
    if entry is None:
        return "", "nobody's: name its project and licence in native_libraries.toml"
    return entry.get("distribution") or f"library:{entry['name']}", ""


def _is_named(name: str, patterns: list[str]) -> bool:
    return any(fnmatch.fnmatch(name, pattern) for pattern in patterns)


def _library(entry: dict[str, Any], paths: list[Path]) -> Component:
    """One library from the system, with the text that the system's package has of it."""
    packages = sorted({package for path in paths if (package := _debian_package(path.name))})
    texts = [_debian_text(package) for package in packages]
    texts.append(components.make_fallback_notice(entry["licence"], entry["copyright"]))
    versions = {_debian_version(package) for package in packages}
    version = versions.pop() if len(versions) == 1 else ""
    sha256 = hashlib.sha256(paths[0].read_bytes()).hexdigest() if len(paths) == 1 else None
    notice = components.join_texts(texts)
    facts = entry["name"], version, entry["licence"], "native", entry["homepage"], entry["copyright"]
    return Component(*facts, notice, sha256)


def _dpkg(*arguments: str) -> str:
    """ "" where the system has no such package, or is none of Debian's."""
    try:
        done = subprocess.run(["dpkg-query", *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _debian_package(file: str) -> str:
    return _dpkg("--search", f"*/{file}").partition(":")[0]


def _debian_version(package: str) -> str:
    return _dpkg("--show", "--showformat=${Version}\n", package).partition("\n")[0]


def _debian_text(package: str) -> str:
    copyright_file = DEBIAN_TEXTS / package / "copyright"
    source = _dpkg("--show", "--showformat=${source:Package} ${source:Version}\n", package).partition("\n")[0]
    where = f"Debian package {package}; source: https://snapshot.debian.org/package/{source.replace(' ', '/')}/"
    text = copyright_file.read_text("utf-8", errors="replace").strip() if copyright_file.is_file() else ""
    return components.join_texts([where, text])


def _with_qt_modules(component: Component, names: list[str]) -> Component:
    if component.name != "Qt" or not names:
        return component
    shipped = "Qt libraries in this folder: " + ", ".join(f"Qt{name}" for name in names)
    return dataclasses.replace(component, notice=components.join_texts([shipped, component.notice]))


def bootloader(distribution: Distribution) -> Component:
    """PyInstaller's program that starts a bundle. The rest of PyInstaller does not ship."""
    texts = components.licence_texts(distribution.files or ())
    licence, home = "GPL-2.0-or-later WITH Bootloader-exception", "https://pyinstaller.org/"
    holder = "Copyright (c) 2010-2023 PyInstaller Development Team; 2005-2009 Giovanni Bajo; McMillan Enterprises, Inc."
    notice = components.join_texts(texts)
    return Component("PyInstaller bootloader", distribution.version, licence, "native", home, holder, notice)
