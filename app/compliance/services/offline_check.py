"""Run the offline check in a child process of the window, because it reads gigabytes and takes minutes."""

import functools
import time
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QObject, Signal

from app.base import json_lines, programs, wording
from app.base.errors import AppError
from app.base.files.output_file import free_path
from app.base.paths import Paths
from app.base.services.child_process import ChildExit, ChildProcess
from app.compliance.offline_check.records import MESSAGES, CheckFailure, CheckOutcome, CheckRequest, CheckStage


class OfflineCheck(QObject):
    """Runs the offline check. After `start`, exactly one of `finished`, `failed` and `cancelled` is emitted."""

    stage_changed = Signal(str, float)  # one of `records.STAGES`, and the fraction done of it
    finished = Signal(object)  # CheckOutcome
    failed = Signal(object)  # AppError
    cancelled = Signal()

    def __init__(self, paths: Paths, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._paths = paths
        self._outcome: CheckOutcome | None = None
        command = [*programs.own_program(), "--offline-check", "run"]
        decode = functools.partial(json_lines.decode, kinds=MESSAGES)
        self._child = ChildProcess(command, paths.logs / "offline-check.log", decode, self)
        self._child.event_received.connect(self._on_event)
        self._child.exited.connect(self._on_exited)
        application = QCoreApplication.instance()
        if application is not None:
            application.aboutToQuit.connect(self._child.stop)

    @property
    def is_running(self) -> bool:
        return self._child.is_running

    @property
    def report_path(self) -> Path:
        """Return the page of the last check, or that of a first one, named by time so that none is overwritten."""
        if self._outcome is not None:  # with a wrong clock, older pages may have later names
            return Path(self._outcome.report)
        place = self._new_report()
        return max(place.parent.glob("kotae-offline-check-*.html"), default=place)

    def start(self) -> None:
        self._outcome = None
        self._child.start()
        request = CheckRequest(str(self._paths.data), str(self._new_report()), wording.current_language())
        self._child.send(json_lines.encode_line(request))

    def _new_report(self) -> Path:
        name = time.strftime("kotae-offline-check-%Y%m%d-%H%M%S.html", time.localtime())
        return free_path(self._paths.data / "offline-check" / name)

    def cancel(self) -> None:
        self._child.end()

    def _on_event(self, event: object) -> None:
        if isinstance(event, CheckStage):
            self.stage_changed.emit(event.name, event.done)

    def _on_exited(self, child_exit: ChildExit) -> None:
        if child_exit.cause == "stopped":
            self.cancelled.emit()
            return
        match child_exit.last_event:
            case CheckOutcome() as outcome:
                self._outcome = outcome
                self.finished.emit(outcome)
            case CheckFailure(code=code, facts=facts):
                self.failed.emit(AppError(code, **facts))
            case _:
                self.failed.emit(AppError("offline_check_broke", detail=child_exit.reason))
