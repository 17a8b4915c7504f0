"""Python's collector of reference cycles, kept on the thread of the window and out of Qt's work."""

import gc

from PySide6.QtCore import QObject, QTimer

INTERVAL_MS = 1000


class GarbageCollector(QObject):
    """Collects from a timer, as generations fill up. While one is there, Python does not collect by itself.

    Left to itself, Python collects in whichever thread allocates, in the middle of whatever Qt is doing. A widget in
    a cycle would then be destroyed by a thread of the pool, or while an event is delivered to it, and Qt would crash.
    """

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        gc.disable()
        timer = QTimer(self, interval=INTERVAL_MS)
        timer.timeout.connect(self._collect)
        timer.start()
        self.destroyed.connect(gc.enable)

    def _collect(self) -> None:
        full = [
            generation
            for generation, (count, most) in enumerate(zip(gc.get_count(), gc.get_threshold(), strict=True))
            if count > most
        ]
        if full:
            gc.collect(max(full))
