"""Where a file comes from or goes to, asked by the desktop's own windows."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from PySide6.QtWidgets import QFileDialog, QWidget

_SUFFIX = re.compile(r"\*(\.\w+)")  # in QFileDialog's filters


class PickFile(Protocol):
    def __call__(self, parent: QWidget, title: str, start: str, kinds: str) -> str:
        """The path; "" when the user has chosen none. `kinds` as QFileDialog's filters."""


class PickFolder(Protocol):
    def __call__(self, parent: QWidget, title: str, start: str) -> str: ...


def _save(parent: QWidget, title: str, start: str, kinds: str) -> str:
    path, kind = QFileDialog.getSaveFileName(parent, title, start, kinds)
    suffixes = _SUFFIX.findall(kind) + _SUFFIX.findall(kinds)
    return str(completed(Path(path), *suffixes)) if path and suffixes else path


def _open(parent: QWidget, title: str, start: str, kinds: str) -> str:
    return QFileDialog.getOpenFileName(parent, title, start, kinds)[0]


def _folder(parent: QWidget, title: str, start: str) -> str:
    return QFileDialog.getExistingDirectory(parent, title, start)


@dataclass(frozen=True)
class Pickers:
    save: PickFile = _save
    open: PickFile = _open
    folder: PickFolder = _folder


def completed(path: Path, suffix: str, *others: str) -> Path:
    """With `suffix`, or one of the others that it has. The desktop asked about the name as typed, so with the suffix it
    must not replace anything."""
    if not path.name or path.suffix.lower() in (suffix, *others):
        return path
    found, number = path.with_name(path.name + suffix), 2
    while found.exists():
        found = path.with_name(f"{path.name} ({number}){suffix}")
        number += 1
    return found
