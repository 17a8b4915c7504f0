"""Make, inspect and delete the training environment of this machine; a child process does the work."""

import contextlib
import functools
import logging
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, SignalInstance

from app.base import json_lines
from app.base.errors import AppError
from app.base.services import background
from app.base.services.child_process import ChildExit, ChildProcess
from app.base.services.preferences import Preferences
from app.models import training_environment
from app.models.services.package_setup import PackageSetup
from app.training.environment.messages import EVENTS, ContactedHost, Done, Event, Failed, InstallJob, KitJob, Phase

if TYPE_CHECKING:  # imported when used, because most starts of the program never need them
    from app.training.environment.folders import EnvironmentReport
    from app.training.environment.install_plan import InstallNeed


log = logging.getLogger(__name__)


class EnvironmentSetup(PackageSetup):
    """Makes or changes the training environment, with one piece of work at a time.

    `start` ends with exactly one of `finished`, `failed` and `cancelled`; `write_kit` ends likewise, but with
    `kit_written` instead of `finished`.
    """

    place = "training"
    progressed = Signal(object)  # Phase
    kit_written = Signal(str)  # the kit's folder
    previous_restored = Signal()
    removed = Signal()

    def __init__(
        self,
        preferences: Preferences,
        command: list[str],
        data: Path,
        logs: Path,
        proxy: Callable[[], str],
        parent: QObject | None = None,
    ) -> None:
        """Create the setup; `command` starts the child process.

        `data`, `logs`: the data folder and the folder of log files. `proxy`: as for `PackageSetup`.
        """
        child = ChildProcess(
            command, logs / "training-setup.log", functools.partial(json_lines.decode, kinds=EVENTS), parent
        )
        super().__init__(preferences, child, proxy, "training_network_forbidden", parent)
        child.event_received.connect(self._on_event)
        child.exited.connect(self._on_exited)
        self._data = data
        self._logs = logs
        self.phase = Phase("prepare")  # the last phase
        self.is_in_use: Callable[[], bool] = lambda: False  # whether other work uses the environment
        self._is_busy = self._is_kit = False
        self._group = 0  # process group of the child and all its processes; 0: none

    # ------------------------------------------------------------------- state

    @property
    def is_running(self) -> bool:
        """Return whether the environment is being made or deleted, or a cancelled attempt is being deleted."""
        return self._child.is_running or self._is_busy

    @property
    def is_making(self) -> bool:
        return self._child.is_running

    @property
    def child_pid(self) -> int:
        """Return the child's process id; 0 if there is no child."""
        return self._child.pid

    def propose(self, on_done: Callable[[Path], None]) -> None:
        """Determine in the background the default folder for the environment, and pass it to `on_done`."""
        from app.training.environment import folders

        background.run(lambda: folders.proposed_base(self._data), on_done, _ignore_error)

    def look(self, on_done: "Callable[[EnvironmentReport], None]") -> None:
        """Pass the state of the environment to `on_done`. This takes seconds in the background: torch is imported."""
        from app.training.environment.folders import report_environment

        background.run(lambda: report_environment(self._data), on_done, _ignore_error)

    def estimate(
        self,
        wheels: Path | None,
        on_done: "Callable[[InstallNeed], None]",
        failed: Callable[[AppError], None],
        base: Path | None = None,
        variant: str = "",
    ) -> None:
        """Estimate in the background what an installation needs.

        `wheels`: a folder of wheels or a kit; None for the package indexes. `base`: the folder to contain the
        environment; None for the default (`propose`). `variant`: one of `locks.VARIANTS`; "" for the one that suits
        this machine. `failed` gets the errors of `require_usable_base`, `require_free_base` and `estimate_need`, with
        `base` added to the facts.
        """
        from app.training.environment import folders, install_plan

        def work() -> "InstallNeed":
            where = base or folders.proposed_base(self._data)
            try:
                folders.require_usable_base(where)
                folders.require_free_base(where, self._data)
                return install_plan.estimate_need(where, self._data, wheels, variant)
            except AppError as error:
                raise AppError(error.code, **error.facts, base=str(where)) from error

        background.run(work, on_done, failed)

    # ------------------------------------------------------------------- actions

    def start(self, wheels: Path | None = None, base: Path | None = None, variant: str = "") -> None:
        """Make a new environment. `wheels`: a folder of wheels or a kit; None for the package indexes.

        `base`: the folder to contain it; None for the default (`propose`). A current environment in another folder
        keeps working until the new one does, and is then deleted; one in the same folder is kept as the previous one.
        `variant`: one of `locks.VARIANTS`; "" for the one that suits this machine.
        """
        if not self._is_taken():
            self._begin(wheels, str(base or ""), variant, None)

    def write_kit(self, kit: KitJob, wheels: Path | None = None, variant: str = "") -> None:
        """Write a kit. `wheels`: a folder with the kit's files; None to download them. `variant`: as for `start`."""
        if self.is_running:
            self.failed.emit(AppError("training_setup_running"))
        else:
            self._begin(wheels, "", variant, kit)

    def _begin(self, wheels: Path | None, base: str, variant: str, kit: KitJob | None) -> None:
        self._is_kit = kit is not None
        self.phase = Phase("prepare")
        self._start_child(
            lambda proxy: InstallJob(str(self._data), str(self._logs), base, str(wheels or ""), proxy, variant, kit),
            is_online=wheels is None,
        )
        self._group = self._child.pid

    def cancel(self) -> None:
        """Stop the child, which blocks for a moment, and then delete the files of its attempt."""
        from app.training.environment import folders

        if self._child.is_running:
            self._child.stop()
            forget = (lambda: None) if self._is_kit else (lambda: folders.forget_attempts(self._data))
            self._clear(forget, self.cancelled)  # a kit's files are kept: they are in the user's folder

    def remove(self) -> None:
        """Delete the environment that Kotae made and the files of attempts; ends with `removed` or `failed`."""
        from app.training.environment import folders

        if not self._is_taken():
            self._started_at = time.monotonic()
            self._clear(lambda: folders.remove_environment_and_attempts(self._data), self.removed)

    def go_back(self) -> None:
        """Restore the previous environment; ends with `previous_restored` or `failed`."""
        from app.training.environment import folders

        if not self._is_taken():
            self._started_at = time.monotonic()
            self._clear(
                lambda: folders.restore_previous(training_environment.base_folder(self._data)), self.previous_restored
            )

    # ------------------------------------------------------------- private methods

    def _is_taken(self) -> bool:
        """Return whether other work prevents a change of the environment; if so, emit `failed`."""
        code = "training_setup_running" if self.is_running else "training_environment_used" if self.is_in_use() else ""
        if code:
            self.failed.emit(AppError(code))
        return bool(code)

    def _use_new_environment(self, base: Path) -> None:
        """Use the new environment inside `base` from now on, delete one in another folder, and emit `finished`."""
        from app.training.environment import folders

        earlier = training_environment.base_folder(self._data)
        if base != earlier:
            problems: list[AppError] = []
            self._preferences.failed.connect(problems.append)
            self._preferences.change(training_folder="" if base == self._data else str(base))
            self._preferences.failed.disconnect(problems.append)
            if problems:
                self.failed.emit(problems[0])
                return

        def clear() -> None:
            with contextlib.suppress(AppError):  # a file in use or a missing drive does not affect the new one
                folders.forget_attempts(self._data)
                if not folders.is_same(base, earlier):
                    folders.remove_environment(earlier)

        self._clear(clear, self.finished)

    def _clear(self, work: Callable[[], None], signal_when_done: SignalInstance) -> None:
        self._is_busy = True

        def done(_nothing: None) -> None:
            self._is_busy = False
            signal_when_done.emit()

        def failed(error: AppError) -> None:
            self._is_busy = False
            self.failed.emit(error)

        background.run(work, done, failed)

    def _end_group(self) -> None:
        """Kill the processes that the killed child could not end itself."""
        if os.name == "posix" and self._group:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._group, signal.SIGKILL)
        self._group = 0

    def _on_event(self, event: Event) -> None:
        match event:
            case Phase():
                self.phase = event
                self.progressed.emit(event)
            case ContactedHost():
                self._note_contact(event.name)

    def _on_exited(self, child_exit: ChildExit) -> None:
        self._end_group()
        if child_exit.cause == "stopped":
            return
        match child_exit.last_event:
            case Done(base=folder) if self._is_kit:
                self.kit_written.emit(folder)
            case Done(base=folder):
                self._use_new_environment(Path(folder))
            case Failed() as failure:
                self.failed.emit(failure.as_error())
            case _:
                log.warning("the training environment's child has ended: %s", child_exit.reason)
                self.failed.emit(AppError("training_setup_died", cause=child_exit.reason))


def _ignore_error(error: AppError) -> None:
    raise error  # unexpected: a report contains its problem instead of raising it
