"""The memory of the model that answers, for long work that needs it, taken when nobody is answered."""

from collections.abc import Callable

from PySide6.QtCore import QEventLoop, QObject, QTimer, SignalInstance

from app.base.errors import AppError
from app.inference.services.engine import EngineClient

LOOK_EVERY_MS = 100  # whether the answer that is waited for has been given
CLOSE_LIMIT_S = 20.0  # then a trainer is left to itself: it saves and ends when the program has gone


class EngineMemory(QObject):
    """Between `take` and `give_back` nothing new can be asked of the engine. With the next question afterwards the
    model is loaded again."""

    def __init__(self, engine: EngineClient, is_answering: Callable[[], bool]) -> None:
        super().__init__()
        self._engine = engine
        self._is_answering = is_answering
        self._then: Callable[[], None] | None = None
        self._look = QTimer(self, interval=LOOK_EVERY_MS)
        self._look.timeout.connect(self._end_when_free)
        engine.exited.connect(self._go_on)

    @property
    def is_waiting(self) -> bool:
        """Whether an answer is being given, which is waited for."""
        return self._look.isActive()

    def take(self, refusal: AppError, then: Callable[[], None]) -> None:
        """`refusal`: what whoever asks is told. `then` is called when the engine has gone: only then anybody may
        measure the memory."""
        self._engine.refusal, self._then = refusal, then
        if self._is_busy():
            self._look.start()
        else:
            self._end()

    def give_back(self) -> None:
        self._look.stop()
        self._engine.refusal = self._then = None

    # ------------------------------------------------------------------- private

    def _is_busy(self) -> bool:
        return self._is_answering() or self._engine.is_computing

    def _end_when_free(self) -> None:
        if not self._is_busy():
            self._look.stop()
            self._end()

    def _end(self) -> None:
        if not self._engine.end():
            self._go_on()

    def _go_on(self) -> None:
        if not self._look.isActive():
            then, self._then = self._then, None
            if then is not None:
                then()


def end_within(limit_s: float, end: Callable[[], None], ended: SignalInstance, is_over: Callable[[], bool]) -> None:
    """Calls `end` and waits for `ended`, for the end of the program."""
    loop = QEventLoop()
    ended.connect(loop.quit)
    QTimer.singleShot(int(limit_s * 1000), loop, loop.quit)
    end()
    if not is_over():  # what has not begun ends at once
        loop.exec()
