"""Where the window stood and how large it was, in a small file of its own beside the settings."""

import base64
import contextlib
import json
from pathlib import Path

from PySide6.QtCore import QByteArray
from PySide6.QtWidgets import QWidget

from app.core.paths import write_atomically


class WindowPlace:
    """What cannot be read is as if it were not there: the window then opens at its default place."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def restore(self, window: QWidget) -> bool:
        try:
            stored = json.loads(self._path.read_text("utf-8"))["geometry"]
            geometry = base64.b64decode(stored, validate=True)
        except (OSError, ValueError, KeyError, TypeError):
            return False
        return window.restoreGeometry(QByteArray(geometry))

    def save(self, window: QWidget) -> None:
        geometry = base64.b64encode(window.saveGeometry().data()).decode("ascii")
        # A full disk must not keep the window from closing; it then opens at its default place.
        with contextlib.suppress(OSError):
            write_atomically(self._path, json.dumps({"geometry": geometry}).encode("ascii"))
