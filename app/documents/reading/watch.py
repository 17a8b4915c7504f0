"""Ends the process when a page takes too long: native code that loops hears nothing else."""

import threading
import time
from collections.abc import Callable


class Watch:
    """One thread that looks once a second. `on_late` is called in it with an error code, and ends the process."""

    def __init__(self, on_late: Callable[[str], None], page_s: float, document_s: float) -> None:
        self._on_late = on_late
        self._page_s, self._document_s = page_s, document_s
        self._lock = threading.RLock()  # also for the one that `on_late` calls
        self._began = self._beaten = 0.0
        self._is_on = False

    def start(self) -> None:
        threading.Thread(target=self._look, name="watch", daemon=True).start()

    def begin(self) -> None:
        with self._lock:
            self._began = self._beaten = time.monotonic()
            self._is_on = True

    def beat(self) -> None:
        """A sign of life: a page is done."""
        with self._lock:
            self._beaten = time.monotonic()

    def end(self) -> None:
        with self._lock:
            self._is_on = False

    def _look(self) -> None:
        while True:
            time.sleep(1.0)
            with self._lock:
                now = time.monotonic()
                is_page_late = now - self._beaten > self._page_s
                if self._is_on and (is_page_late or now - self._began > self._document_s):
                    self._on_late("document_page_slow" if is_page_late else "document_slow")
