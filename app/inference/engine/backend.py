"""Define the interface between the engine worker and a backend, and the cancellation of commands."""

import ctypes
import threading
from collections.abc import Callable
from typing import Protocol

from app.base.errors import AppError
from app.inference.engine.messages import Ask, Done, Embed, EngineFacts, Event, Load, Rank, Ranked, Tokenize

Emit = Callable[[Event], None]


class Cancellation:
    """Keeps the set of cancelled commands. `cancel` may be called from another thread, even before the command begins.

    `native` is a C string that is empty until the running command is cancelled, so that native code can check it
    without taking the interpreter's lock (see `app.inference.engine.llama`).
    """

    def __init__(self) -> None:
        self.native = ctypes.create_string_buffer(2)
        self._lock = threading.Lock()
        self._cancelled: set[str] = set()
        self._current: str | None = None

    def begin(self, command_id: str) -> None:
        with self._lock:
            self._current = command_id
            self.native[0] = b"\x01" if command_id in self._cancelled else b"\x00"

    def end(self) -> None:
        with self._lock:
            if self._current is not None:
                self._cancelled.discard(self._current)
            self._current = None
            self.native[0] = b"\x00"

    def cancel(self, command_id: str) -> None:
        with self._lock:
            self._cancelled.add(command_id)
            if command_id == self._current:
                self.native[0] = b"\x01"

    @property
    def is_set(self) -> bool:
        return self.native[0] != b"\x00"


class Backend(Protocol):
    """Runs models for the worker. Its methods block; only one thread calls them.

    Expected failures raise AppError; a cancelled load raises AppError("cancelled").
    """

    name: str
    progress: int  # grows with every batch and token; heartbeats report it

    def load(self, command: Load, cancellation: Cancellation, emit: Emit) -> EngineFacts: ...
    def unload(self) -> None: ...
    def ask(self, command: Ask, cancellation: Cancellation, emit: Emit) -> Done: ...
    def embed(self, command: Embed) -> tuple[tuple[float, ...], ...]: ...
    def rank(self, command: Rank) -> Ranked: ...
    def tokenize(self, command: Tokenize) -> tuple[int, ...]: ...
    def settle(self) -> None: ...  # do what waits for a pause after an answer


def no_model() -> AppError:
    return AppError("no_model_loaded")
