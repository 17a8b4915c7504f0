"""Define the interface between the engine worker and a backend, and the cancellation of commands."""

import ctypes
import threading
from collections.abc import Callable
from typing import Protocol

from app.inference.engine.messages import Ask, Embed, EngineFacts, Event, Load, Rank, Ranked, Tokenize

Emit = Callable[[Event], None]
NextAsk = Callable[[], Ask | None]  # returns another prompt to answer with the same adapters; None: there is none now


class Cancellation:
    """Keeps the set of cancelled commands. `cancel` may be called from another thread, even before the command begins.

    `native` is a C string that is empty until all running commands are cancelled, so that native code can check it
    without taking the interpreter's lock (see `app.inference.engine.llama`).
    """

    def __init__(self) -> None:
        self.native = ctypes.create_string_buffer(2)
        self._lock = threading.Lock()
        self._cancelled: set[str] = set()
        self._running: set[str] = set()

    def begin(self, command_id: str) -> None:
        with self._lock:
            self._running.add(command_id)
            self._update()

    def end(self, command_id: str) -> None:
        with self._lock:
            self._running.discard(command_id)
            self._cancelled.discard(command_id)
            self._update()

    def cancel(self, command_id: str) -> None:
        with self._lock:
            self._cancelled.add(command_id)
            self._update()

    def _update(self) -> None:
        self.native[0] = b"\x01" if self._running and self._running <= self._cancelled else b"\x00"

    @property
    def is_set(self) -> bool:
        """Return whether all running commands are cancelled."""
        return self.native[0] != b"\x00"

    def has(self, command_id: str) -> bool:
        return command_id in self._cancelled


class Backend(Protocol):
    """Runs models for the worker. Its methods block; only one thread calls them.

    Expected failures raise AppError; a cancelled load raises AppError("cancelled").
    """

    name: str
    progress: int  # grows with every batch and token; heartbeats report it

    def load(self, command: Load, cancellation: Cancellation, emit: Emit) -> EngineFacts: ...
    def unload(self) -> None: ...

    def answer(self, first: Ask, next_ask: NextAsk, cancellation: Cancellation, emit: Emit) -> None:
        """Answer a prompt, and others beside it if the model was loaded so; emit Done or Failed for each.

        An AppError that it raises concerns all answers that are not done.
        """

    def embed(self, command: Embed) -> tuple[tuple[float, ...], ...]: ...
    def rank(self, command: Rank) -> Ranked: ...
    def tokenize(self, command: Tokenize) -> tuple[int, ...]: ...
    def settle(self) -> None: ...  # do what waits for a pause after an answer
