"""The English of the window: `resources/translations/kotae_en.ts` from the sources, and the .qm that Qt reads.

Both are committed: the .qm so that neither a user nor the wheel's build needs the compiler. Standard library only.
"""

import subprocess
from collections.abc import Iterator
from pathlib import Path

from steps import SetupError

SOURCES = ("app/*/ui", "app/uikit")  # folders
COMPOSITION = "app/application.py"
FOLDER = "resources/translations"
CATALOGUE = "kotae_en.ts"
QT_CATALOGUE = "qt_rest_ja.ts"  # Japanese for words of Qt that its own catalogue lacks; written by hand


def update(root: Path, programs: Path) -> int:
    """Brings the .ts up to date with the sources and compiles both. Returns how many messages wait for their English.

    `programs`: the folder of pyside6-lupdate and pyside6-lrelease.
    """
    folder = root / FOLDER
    extract(root, programs, folder / CATALOGUE)
    for name in (CATALOGUE, QT_CATALOGUE):
        compile_catalogue(programs, folder / name, (folder / name).with_suffix(".qm"))
    return (folder / CATALOGUE).read_text("utf-8").count('type="unfinished"')


def extract(root: Path, programs: Path, catalogue: Path, *, keeps_vanished: bool = False) -> None:
    """Merges the strings of the sources into `catalogue`. Sorted and without line numbers, so that diffs stay small."""
    options = ["-locations", "none", "-sort-messages", "-disable-heuristic", "similartext"]
    if not keeps_vanished:
        options.append("-no-obsolete")
    languages = ["-source-language", "ja_JP", "-target-language", "en_US"]
    files = [path.relative_to(root).as_posix() for path in sources(root)]
    _run([programs / "pyside6-lupdate", *options, *languages, *files, "-ts", catalogue], root)


def compile_catalogue(programs: Path, catalogue: Path, target: Path) -> None:
    _run([programs / "pyside6-lrelease", "-silent", catalogue, "-qm", target], catalogue.parent)


def sources(root: Path) -> Iterator[Path]:
    """The files that hold words of the window; lupdate does not look for Python files in folders by itself."""
    for pattern in SOURCES:
        for folder in sorted(root.glob(pattern)):
            yield from sorted(folder.rglob("*.py"))
    yield root / COMPOSITION


def _run(argv: list[str | Path], folder: Path) -> None:
    run = subprocess.run(argv, cwd=folder, capture_output=True, encoding="utf-8", check=False)
    if run.returncode != 0:
        raise SetupError(f"{Path(argv[0]).name}: {run.stdout}{run.stderr}")
