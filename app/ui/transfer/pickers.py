"""Where a file comes from or goes to, asked by the desktop's own windows."""

from dataclasses import dataclass
from typing import Protocol

from PySide6.QtWidgets import QFileDialog, QWidget


class PickFile(Protocol):
    def __call__(self, parent: QWidget, title: str, start: str, kinds: str) -> str:
        """The path; "" when the user has chosen none. `kinds` as QFileDialog's filters."""


class PickFolder(Protocol):
    def __call__(self, parent: QWidget, title: str, start: str) -> str: ...


def _save(parent: QWidget, title: str, start: str, kinds: str) -> str:
    return QFileDialog.getSaveFileName(parent, title, start, kinds)[0]


def _open(parent: QWidget, title: str, start: str, kinds: str) -> str:
    return QFileDialog.getOpenFileName(parent, title, start, kinds)[0]


def _folder(parent: QWidget, title: str, start: str) -> str:
    return QFileDialog.getExistingDirectory(parent, title, start)


@dataclass(frozen=True)
class Pickers:
    save: PickFile = _save
    open: PickFile = _open
    folder: PickFolder = _folder
