"""What a running job tells its parent."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trainer.convert_job import Event, Phase, Progress, event_to_json
from trainer.wire import EventWriter

INTERVAL_S = 0.2


class Report:
    """Sends events. Progress at most every INTERVAL_S, except the last."""

    def __init__(self, writer: EventWriter) -> None:
        self._writer = writer
        self._sent_at = 0.0

    def send(self, event: Event) -> None:
        """Raises BrokenPipeError when the parent is gone."""
        self._writer.send(event_to_json(event))

    def phase(self, name: str) -> None:
        self.send(Phase(name))

    def progress(self, done_bytes: int, total_bytes: int) -> None:
        if done_bytes >= total_bytes or time.monotonic() - self._sent_at >= INTERVAL_S:
            self._sent_at = time.monotonic()
            self.send(Progress(min(done_bytes, total_bytes), total_bytes))

    @contextmanager
    def watching(self, file: Path, total_bytes: int) -> Iterator[None]:
        """While somebody else writes `file`: its growth."""
        ended = threading.Event()

        def watch() -> None:
            while not ended.wait(INTERVAL_S):
                done_bytes = file.stat().st_size if file.exists() else 0
                self.progress(min(done_bytes, total_bytes - 1), total_bytes)

        self.progress(0, total_bytes)
        watcher = threading.Thread(target=watch, name="progress", daemon=True)
        watcher.start()
        try:
            yield
        finally:
            ended.set()
            watcher.join()
        self.progress(total_bytes, total_bytes)


def peak_rss_bytes() -> int:
    """The most memory this process has ever held, mapped files included.

    Not getrusage on Linux: it counts what the parent held before this program replaced it.
    """
    if sys.platform == "linux":
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM:"))
    if sys.platform == "win32":
        import psutil

        return int(psutil.Process().memory_info().peak_wset)
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
