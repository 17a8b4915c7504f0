"""Care of the models as somebody has begun it here: how far it is, how to stop it, and why it could not be done."""

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, Signal, SignalInstance

from app.base.errors import AppError
from app.base.wording import describe_error, phrase
from app.models.services.upkeep import ModelUpkeep
from app.uikit.widgets.banner import Banner
from app.uikit.widgets.progress_row import ProgressRow


class Work(QObject):
    """The service does one thing at a time for everybody; this shows what was begun here, and nothing else."""

    ended = Signal()

    def __init__(self, upkeep: ModelUpkeep, progress: ProgressRow, banner: Banner | None, parent: QObject) -> None:
        """Without a banner, only `failed` hears of a failure."""
        super().__init__(parent)
        self._upkeep = upkeep
        self._progress = progress
        self._banner = banner
        self._signal: SignalInstance | None = None  # None: nothing that was begun here is going on
        self._done: Callable[..., None] = self.ended.emit
        self._failed: Callable[[AppError], None] = self._explain
        self._is_bytes = True
        upkeep.progressed.connect(self._on_progressed)
        upkeep.failed.connect(self._on_failed)
        progress.cancelled.connect(self._on_cancelled)

    @property
    def is_mine(self) -> bool:
        return self._signal is not None

    def begin(
        self,
        what: str,
        start: Callable[[], None],
        signal: SignalInstance,
        done: Callable[..., None],
        *,
        failed: Callable[[AppError], None] | None = None,
        is_bytes: bool = True,
    ) -> bool:
        """`signal` ends the work, and `done` is given what it says. False: something else is going on."""
        if self._upkeep.is_working:
            if self._banner is not None and not self.is_mine:
                sentence = phrase("common.choose_again_when_it_has")
                self._banner.show_message("warning", phrase("models.other_work_on_the_models"), sentence)
            return False
        if self._banner is not None:
            self._banner.hide()
        self._signal, self._done, self._is_bytes = signal, done, is_bytes
        self._failed = failed or self._explain
        signal.connect(self._on_done)
        self._progress.start(what)
        start()
        return True

    def _end(self) -> None:
        if self._signal is not None:
            self._signal.disconnect(self._on_done)
        self._signal = None
        self._progress.finish()

    def _on_progressed(self, done: int, total: int) -> None:
        if self.is_mine:
            self._progress.set_progress(done, total, is_bytes=self._is_bytes)

    def _on_done(self, *result: Any) -> None:
        self._end()
        self._done(*result)
        self.ended.emit()

    def _on_failed(self, error: AppError) -> None:
        if self.is_mine:
            self._end()
            if error.code != "cancelled":
                self._failed(error)
            self.ended.emit()

    def _on_cancelled(self) -> None:
        if self.is_mine:
            self._upkeep.cancel()

    def _explain(self, error: AppError) -> None:
        if self._banner is not None:
            sentence = describe_error(error)
            self._banner.show_message("danger", sentence.message, sentence.next)
