"""Run the offline check in a child process of the window: it starts others, reads gigabytes and takes minutes."""

import json
import time
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QObject, Signal

from app.base import programs, wording
from app.base.errors import AppError
from app.base.files.output_file import free_path
from app.base.paths import Paths
from app.base.services.child_process import ChildExit, ChildProcess


@dataclass(frozen=True, slots=True)
class CheckOutcome:
    """The outcome to show.

    `verdict`: clean | limited | incomplete | leak. `title`, `about`: its text. `report`: the page.
    """

    verdict: str
    title: str
    about: str
    report: Path


class OfflineCheck(QObject):
    """The check. `start` leads to exactly one of `finished`, `failed` and `cancelled`."""

    stage_changed = Signal(str, float)  # one of `app.compliance.offline_check.records.STAGES`, its done fraction
    finished = Signal(object)  # CheckOutcome
    failed = Signal(object)  # AppError
    cancelled = Signal()

    def __init__(self, paths: Paths, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._paths = paths
        self._result: CheckOutcome | AppError | None = None
        command = [*programs.own_program(), "--offline-check", "run"]
        self._child = ChildProcess(command, paths.logs / "offline-check.log", self)
        self._child.line_received.connect(self._on_line)
        self._child.exited.connect(self._on_exited)
        application = QCoreApplication.instance()
        if application is not None:
            application.aboutToQuit.connect(self._child.stop)

    @property
    def is_running(self) -> bool:
        return self._child.is_running

    @property
    def report(self) -> Path:
        """Return the path of the last check's page, or of the first one's.

        The names have their times, so all pages are kept.
        """
        if isinstance(self._result, CheckOutcome):  # a wrong clock may have given other pages later names
            return self._result.report
        place = self._new_report()
        return max(place.parent.glob("kotae-offline-check-*.html"), default=place)

    def start(self) -> None:
        self._result = None
        self._child.start()
        job = {"data": str(self._paths.data), "report": str(self._new_report()), "language": wording.current_language()}
        self._child.send(json.dumps(job).encode("ascii") + b"\n")

    def _new_report(self) -> Path:
        name = time.strftime("kotae-offline-check-%Y%m%d-%H%M%S.html", time.localtime())
        return free_path(self._paths.data / "offline-check" / name)

    def cancel(self) -> None:
        self._child.end()

    def _on_line(self, line: bytes) -> None:
        event = json.loads(line)
        if "stage" in event:
            self.stage_changed.emit(event["stage"], event["done"])
        elif "result" in event:
            self._result = CheckOutcome(**event["result"], report=Path(event["report"]))
        else:
            self._result = AppError(event["error"]["code"], **event["error"]["facts"])

    def _on_exited(self, how: ChildExit) -> None:
        if how.cause == "stopped":
            self.cancelled.emit()
        elif isinstance(self._result, CheckOutcome):
            self.finished.emit(self._result)
        elif isinstance(self._result, AppError):
            self.failed.emit(self._result)
        else:
            self.failed.emit(AppError("offline_check_broke", detail=how.detail or how.cause))
