"""Models being built from publishers' folders: one at a time, for as long as the window is open."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from PySide6.QtCore import QObject, Signal, SignalInstance

from app.base.errors import AppError
from app.inference.local_model import LocalModel
from app.uikit.desktop import Pickers
from app.uikit.theme import Theme

if TYPE_CHECKING:  # most starts build nothing
    from app.models.gguf_build import BuildPlan
    from app.models.services.build_runner import BuildProgress, BuildRunner


class EnvironmentInstaller(Protocol):
    """A widget that makes the training environment, which a build converts with, and shows its progress."""

    @property
    def changed(self) -> SignalInstance:
        """The signal that it has begun, or has ended in some way."""

    @property
    def is_shown(self) -> bool:
        """Return whether it is being made."""

    def ask(self, *_key: object) -> object:
        """Ask the user whether and how it is made."""


class BuildController(QObject):
    """What is asked by the dialog and shown by the page. The training environment is looked for at each start."""

    began = Signal(object)  # BuildPlan
    progressed = Signal(object)  # Progress
    finished = Signal(object)  # list[LocalModel]
    failed = Signal(object)  # AppError
    cancelled = Signal()

    def __init__(
        self,
        make_builds: "Callable[[], BuildRunner]",
        models_folder: Callable[[], Path],
        make_installer: Callable[[Theme, Pickers], EnvironmentInstaller],
        parent: QObject,
    ) -> None:
        """`make_builds` raises AppError("no_training_environment") where there is none."""
        super().__init__(parent)
        self.make_installer = make_installer
        self._make_builds = make_builds
        self._models_folder = models_folder
        self._builds: BuildRunner | None = None
        self._plan: BuildPlan | None = None  # the last one

    @property
    def is_running(self) -> bool:
        return self._builds is not None and self._builds.is_running

    @property
    def models_folder(self) -> Path:
        return self._models_folder()

    def obstacle(self) -> AppError | None:
        """Why nothing can be built on this machine; None where it can."""
        try:
            self._builds = self._builds or self._connected()
        except AppError as error:
            return error
        return None

    def start(self, plan: "BuildPlan") -> None:
        """Ends with exactly one of `finished`, `failed` and `cancelled`."""
        if self.is_running:
            self.failed.emit(AppError("build_running"))
            return
        self._plan = plan
        try:
            self._builds = self._builds or self._connected()
            self.began.emit(plan)
            self._builds.start(plan)
        except AppError as error:
            self.failed.emit(error)

    def start_again(self) -> None:
        """The same once more: it goes on from what is finished."""
        if self._plan is not None:
            self.start(self._plan)

    def cancel(self) -> None:
        if self._builds is not None:
            self._builds.cancel()

    def kept_bytes(self) -> int:
        """What unfinished builds have left on the drive."""
        from app.models import gguf_build

        return gguf_build.unfinished_build_bytes(self.models_folder)

    def clean(self) -> int:
        """Deletes that. Gives the bytes."""
        from app.models import gguf_build

        return gguf_build.delete_unfinished_builds(self.models_folder)

    def forget_environment(self) -> None:
        """Look for the training environment again at the next start: it was made or removed."""
        if self._builds is not None and not self._builds.is_running:
            self._builds.deleteLater()
            self._builds = None

    def _connected(self) -> "BuildRunner":
        builds = self._make_builds()
        builds.setParent(self)
        builds.progressed.connect(self._on_progressed)
        builds.finished.connect(self._on_finished)
        builds.failed.connect(self.failed)
        builds.cancelled.connect(self.cancelled)
        return builds

    def _on_progressed(self, progress: "BuildProgress") -> None:
        self.progressed.emit(progress)

    def _on_finished(self, models: list[LocalModel]) -> None:
        self._plan = None
        self.finished.emit(models)
