"""Run builds of models for the window, one at a time, while it is open."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from PySide6.QtCore import QObject, Signal, SignalInstance

from app.base.errors import AppError
from app.inference.local_model import LocalModel
from app.uikit.desktop import Pickers
from app.uikit.theme import Theme

if TYPE_CHECKING:  # most sessions build nothing
    from app.models.gguf_build import BuildPlan
    from app.models.services.build_runner import BuildRunner


class EnvironmentInstaller(Protocol):
    """Defines a widget that installs the training environment, which conversion needs, and shows the progress."""

    @property
    def changed(self) -> SignalInstance:
        """Return the signal that the installation has begun or ended."""

    @property
    def is_shown(self) -> bool:
        """Return whether the installation is running and shows its progress."""

    def ask(self, *_key: object) -> object:
        """Ask the user whether and how to install."""


class BuildController(QObject):
    """Starts the builds that the dialog has planned and reports them to the page.

    The training environment is searched until one is found, and again after `forget_environment`.
    """

    began = Signal(object)  # BuildPlan
    progressed = Signal(object)  # StepProgress
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
        """Prepare the controller. `make_builds` raises AppError("no_training_environment") if there is none."""
        super().__init__(parent)
        self.make_installer = make_installer
        self._make_builds = make_builds
        self._models_folder = models_folder
        self._runner: BuildRunner | None = None
        self._plan: BuildPlan | None = None  # the last plan started; None after it has succeeded

    @property
    def is_running(self) -> bool:
        return self._runner is not None and self._runner.is_running

    @property
    def models_folder(self) -> Path:
        return self._models_folder()

    def obstacle(self) -> AppError | None:
        """Return why this machine cannot build models; None if it can."""
        try:
            self._runner = self._runner or self._make_connected()
        except AppError as error:
            return error
        return None

    def start(self, plan: "BuildPlan") -> None:
        """Build the plan. Ends with exactly one of `finished`, `failed` and `cancelled`."""
        if self.is_running:
            self.failed.emit(AppError("build_running"))
            return
        self._plan = plan
        try:
            self._runner = self._runner or self._make_connected()
            self.began.emit(plan)
            self._runner.start(plan)
        except AppError as error:
            self.failed.emit(error)

    def start_again(self) -> None:
        """Build the last plan again; it resumes from its finished steps."""
        if self._plan is not None:
            self.start(self._plan)

    def cancel(self) -> None:
        if self._runner is not None:
            self._runner.cancel()

    def kept_bytes(self) -> int:
        """Return the bytes that unfinished builds occupy."""
        from app.models import gguf_build

        return gguf_build.unfinished_build_bytes(self.models_folder)

    def clean(self) -> int:
        """Delete unfinished builds; return the bytes freed."""
        from app.models import gguf_build

        return gguf_build.delete_unfinished_builds(self.models_folder)

    def forget_environment(self) -> None:
        """Look for the training environment again at the next start, because it was installed or removed."""
        if self._runner is not None and not self._runner.is_running:
            self._runner.deleteLater()
            self._runner = None

    def _make_connected(self) -> "BuildRunner":
        runner = self._make_builds()
        runner.setParent(self)
        runner.progressed.connect(self.progressed)
        runner.finished.connect(self._on_finished)
        runner.failed.connect(self.failed)
        runner.stopped.connect(self.cancelled)
        return runner

    def _on_finished(self, models: list[LocalModel]) -> None:
        self._plan = None
        self.finished.emit(models)
