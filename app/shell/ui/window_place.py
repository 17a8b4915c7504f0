"""Where the window stood, how large it was, and which folders were folded: a small file beside the settings."""

import base64
import contextlib
import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from PySide6.QtCore import QByteArray, QRect, QSize, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QWidget

from app.base.files import strict_json
from app.base.paths import write_atomically

FRAME_PX = (2, 40)  # kept free for the frame, whose size is known only when the window is on the screen


class WindowPlace:
    """What cannot be read is as if it were not there: the window then opens at its default place."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def restore(self, window: QWidget) -> bool:
        try:
            geometry = base64.b64decode(self._stored()["geometry"], validate=True)
        except (ValueError, KeyError, TypeError):
            return False
        return window.restoreGeometry(QByteArray(geometry))

    def folded(self) -> frozenset[int]:
        """Ids of the folders that were folded."""
        ids = self._stored().get("folded")
        return frozenset(number for number in ids if isinstance(number, int)) if isinstance(ids, list) else frozenset()

    def save(self, window: QWidget, folded: Collection[int] = ()) -> None:
        geometry = base64.b64encode(window.saveGeometry().data()).decode("ascii")
        stored = {"geometry": geometry, "folded": sorted(folded)}
        # A full disk must not keep the window from closing; it then opens at its default place.
        with contextlib.suppress(OSError):
            write_atomically(self._path, json.dumps(stored).encode("ascii"))

    def _stored(self) -> dict[str, Any]:
        try:
            stored = strict_json.load_file(self._path)
        except (OSError, ValueError):
            return {}
        return stored if isinstance(stored, dict) else {}


def room(window: QWidget) -> QRect:
    """Of the screen that it stands on, or will: without its taskbar."""
    place = window.geometry().center()
    there = QGuiApplication.screenAt(place) if window.testAttribute(Qt.WidgetAttribute.WA_Moved) else None
    return (there or window.screen()).availableGeometry()


def fit(window: QWidget, available: QRect) -> None:
    """Before it is shown: no larger than the room there is, and in its middle where the window has no place yet.

    A place that was restored is one inside the screen: Qt sees to that.
    """
    if window.isMaximized() or window.isFullScreen():
        return
    frame = QSize(*FRAME_PX)
    window.resize(window.size().boundedTo(available.size() - frame))
    if not window.testAttribute(Qt.WidgetAttribute.WA_Moved):
        taken = QRect(available.topLeft(), window.size() + frame)
        taken.moveCenter(available.center())
        window.move(max(taken.left(), available.left()), max(taken.top(), available.top()))
