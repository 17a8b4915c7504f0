"""The engine child, supervised: started when needed, watched by its heartbeat, restarted once when it dies.

Memory that unloading the current model gives back.

The memory of the model that answers, for long work that needs it, taken when nobody is answered.
"""

import dataclasses
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QEventLoop, QObject, QTimer, Signal, SignalInstance

from app.base import json_lines, programs
from app.base.errors import AppError
from app.base.services.child_process import ChildExit, ChildProcess
from app.inference import local_model
from app.inference.engine import messages
from app.inference.engine.messages import (
    Ask,
    Cancel,
    Command,
    Done,
    Embed,
    Embedded,
    EngineFacts,
    Failed,
    Heartbeat,
    Hello,
    Load,
    LoadProgress,
    PromptProgress,
    Ready,
    Token,
    Unload,
    Unloaded,
)
from app.inference.services.events import EngineStatus, NetworkContact
from app.inference.services.keychain import RemoteKeys

HEARTBEAT_LIMIT_S = 30.0  # the child beats once a second; a machine that swaps can miss many
WATCH_LATE_S = 4.0  # the watch looks every second
STALL_LIMIT_S = 600.0  # the longest a single batch may take; a slow disk pages an 8B model in


@dataclass(frozen=True, slots=True)
class EngineExit:
    """The child is gone. `cause`: killed | crashed | finished | not_started | hung | garbled.

    `is_restarting`: it comes back by itself with the same model; otherwise the next request starts it.
    """

    cause: str
    detail: str
    log_tail: str
    is_restarting: bool

    def as_error(self) -> AppError:
        """Return the error that an answer under way ends with."""
        code = {"hung": "engine_hung", "not_started": "engine_missing"}.get(self.cause, "engine_died")
        return AppError(code, cause=self.detail or self.cause)


class EngineClient(QObject):
    """Commands down, events up. Every event of the protocol but the heartbeat is passed on by `event_received`."""

    event_received = Signal(object)  # app.inference.engine.messages.Event
    died = Signal(object)  # EngineDeath
    exited = Signal()  # the child is gone, has given its memory back, and does not come back by itself
    status_changed = Signal(object)  # EngineStatus
    contacted = Signal(str)  # host and port of another machine that something is sent to, as the user chose

    def __init__(
        self,
        command: list[str],
        log: Path,
        parent: QObject | None = None,
        *,
        heartbeat_limit_s: float = HEARTBEAT_LIMIT_S,
        stall_limit_s: float = STALL_LIMIT_S,
    ) -> None:
        super().__init__(parent)
        self.remote_keys = RemoteKeys()
        self.contacts: list[NetworkContact] = []  # with other machines, the oldest first
        self._child = ChildProcess(command, log, self)
        self._local_command = command
        self._address = ""  # that the child may speak to; "": none, it computes itself
        self._is_network_allowed = True
        self._child.line_received.connect(self._on_line)
        self._child.exited.connect(self._on_exited)
        self._heartbeat_limit_s = heartbeat_limit_s
        self._stall_limit_s = stall_limit_s
        self._ids = itertools.count(1)
        self._last_load: Load | None = None
        self._running: str | None = None  # the id of the Ask, Embed or Load that is being computed
        self.loading: Load | None = None  # sent, and neither answered nor cancelled
        self.loaded: Load | None = None  # what the model that is there was loaded with
        self.refusal: AppError | None = None  # why nothing is to be asked now; whoever asks looks at it
        self._is_ending = False  # whatever it still says counts no more
        self._waiting: list[Command] = []  # for a child that is ending to be gone
        self._answering: set[object] = set()
        self._may_restart = True
        self._verdict = ""  # why we killed the child ourselves
        self._heard_at = self._moved_at = self._checked_at = time.monotonic()
        self._progress = -1
        self._watch = QTimer(self, interval=1000)
        self._watch.timeout.connect(self._check_life)
        self.status = EngineStatus()

    # ------------------------------------------------------------------ requests

    def new_id(self) -> str:
        return str(next(self._ids))

    def send(self, command: Command) -> None:
        """Sends a command, starting the child first if need be: after the end of one that is ending."""
        if isinstance(command, Load):
            if command.remote is not None and not self._is_network_allowed:
                QTimer.singleShot(0, self, lambda: self._refuse_network(command.id))  # whoever asks knows its id then
                return
            self._choose_child(command.remote.address if command.remote else "")
        is_ending = self._child.is_stopping  # it hears nothing any more
        if is_ending and self._address and not isinstance(command, Load):
            return  # meant for the child that is ending: the one after it is another machine's
        if not self._child.is_running:
            self._start()
            if not self._child.is_running:  # it could not be started; `died` has told so
                return
        if isinstance(command, Load):
            self._last_load = self.loading = command
            self.loaded = None
            self._set_status(EngineStatus("loading", model_name=self.status.model_name))
        if isinstance(command, Load | Ask | Embed):
            self._running = command.id
            self._moved_at = time.monotonic()
        if isinstance(command, Unload):
            self._last_load = None
        if is_ending:
            self._waiting.append(command)
        else:
            self._tell(command)

    def _tell(self, command: Command) -> None:
        """A key goes to the server that it is for, and is kept in no command."""
        if isinstance(command, Load) and command.remote is not None:
            command = dataclasses.replace(command, key=self.remote_keys.known(command.remote.address))
        self._child.send(messages.to_line(command))
        if isinstance(command, Load | Ask) and self._address:
            place = local_model.address_label(self._address)
            self.contacts.append(NetworkContact(place, time.time(), self.status.model_name, is_answering=True))
            self.contacted.emit(place)

    def allow_network(self, is_allowed: bool) -> None:
        """Where it is not, what another machine computes ends, and nothing more is sent to one: whoever asks may have
        begun with the settings of before."""
        self._is_network_allowed = is_allowed
        if not is_allowed and self._address:
            if self._running is not None:
                self._refuse_network(self._running)
            self.end()

    def _refuse_network(self, command_id: str) -> None:
        facts = {"name": self.status.model_name}
        self.event_received.emit(Failed(command_id, "remote_no_network", facts))

    def _choose_child(self, address: str) -> None:
        """A child that may speak to one address speaks to no other, and computes nothing itself."""
        if address == self._address:
            return
        if self._child.is_running:
            self.end()
        self._address = address
        self._child.use_command(programs.remote_engine_command(address) if address else self._local_command)

    def cancel(self, command_id: str) -> None:
        if self.loading is not None and self.loading.id == command_id:
            self.loading = self._last_load = None
        if self._waiting:
            self._waiting = [command for command in self._waiting if command.id != command_id]
        else:
            self._child.send(messages.to_line(Cancel(command_id)))

    def hold(self, by: object) -> None:
        """An answer has begun, of which not every step is computed here. Until `release` the engine is computing."""
        self._answering.add(by)

    def release(self, by: object) -> None:
        self._answering.discard(by)

    def awaits(self, load_id: str) -> bool:
        """Whether this load is still to come, once a child that is ending has gone."""
        return any(command.id == load_id for command in self._waiting)

    def name_model(self, name: str) -> None:
        """The name that the status shows for the model being loaded."""
        self.status = dataclasses.replace(self.status, model_name=name)

    def forget_usage(self) -> None:
        """Another conversation is shown: what the last answer used says nothing about it."""
        self._set_status(dataclasses.replace(self.status, used_tokens=0, tokens_per_s=0.0, first_token_s=0.0))

    @property
    def facts(self) -> EngineFacts | None:
        """Of the loaded model; None while none is."""
        return self.status.facts

    @property
    def is_computing(self) -> bool:
        """Whether somebody waits for an answer, a vector or a model."""
        return bool(self._answering) or (self._running is not None and self._child.is_running)

    @property
    def is_sending(self) -> bool:
        """Whether something is being computed elsewhere."""
        return bool(self._address) and self._running is not None and self._child.is_running

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def is_up(self) -> bool:
        """Whether the child is there, and has its memory."""
        return self._child.is_running

    def shut_down(self) -> None:
        """Ends the child and gives its memory back. Blocks for a moment."""
        self._forget_all()
        self._child.stop()

    def end(self) -> int:
        """As `shut_down`, without waiting: `exited` tells that it is gone. Gives the process's number; 0: none runs."""
        self._forget_all()
        if not self.is_up:
            return 0
        pid, self._is_ending = self.pid, True
        self._set_status(EngineStatus())
        self._child.end()
        return pid

    def _forget_all(self) -> None:
        self._watch.stop()
        self._waiting.clear()
        self._last_load = self._running = self.loading = self.loaded = None

    # -------------------------------------------------------------------- events

    def _start(self) -> None:
        self._verdict = ""
        self._heard_at = self._moved_at = self._checked_at = time.monotonic()
        self._child.start()
        self._watch.start()
        self._set_status(EngineStatus("starting", model_name=self.status.model_name))

    def _on_line(self, line: bytes) -> None:
        if self._is_ending:
            return
        self._heard_at = time.monotonic()
        try:
            event = messages.event_from_json(json_lines.decode_object(line))
        except ValueError:
            self._kill("garbled")
            return
        if isinstance(event, Heartbeat):
            if event.progress != self._progress:
                self._progress = event.progress
                self._moved_at = self._heard_at
            return
        self._moved_at = self._heard_at
        self._update_status(event)
        self.event_received.emit(event)

    def _update_status(self, event: messages.Event) -> None:
        status = self.status
        match event:
            case Hello(protocol=protocol) if protocol != messages.PROTOCOL:
                self._kill("garbled")
            case Hello() if self._running is None:
                self._set_status(dataclasses.replace(status, state="off"))
            case LoadProgress():
                self._set_status(dataclasses.replace(status, state="loading", load_fraction=event.fraction))
            case Ready():
                self._forget_running(event.id)
                self.loaded = self._last_load
                self._set_status(EngineStatus("ready", status.model_name, event.facts))
            case PromptProgress():
                self._set_status(dataclasses.replace(status, state="reading"))
            case Token() if status.state != "answering":
                self._set_status(dataclasses.replace(status, state="answering"))
            case Done():
                self._forget_running(event.id)
                self._may_restart = True
                self._set_status(_after_answer(status, event))
            case Embedded():
                self._forget_running(event.id)
            case Failed():
                self._forget_running(event.id)
                state = "ready" if status.facts else "off" if event.code == "cancelled" else "failed"
                self._set_status(dataclasses.replace(status, state=state, load_fraction=None))
            case Unloaded():
                self.loaded = None
                self._set_status(EngineStatus())

    def _forget_running(self, command_id: str) -> None:
        if self._running == command_id:
            self._running = None
        if self.loading is not None and self.loading.id == command_id:
            self.loading = None

    def _set_status(self, status: EngineStatus) -> None:
        self.status = status
        self.status_changed.emit(status)

    def _check_life(self) -> None:
        now = time.monotonic()
        if now - self._checked_at > WATCH_LATE_S:  # it is us who slept: a suspended machine, a stopped process
            self._heard_at = self._moved_at = now
        self._checked_at = now
        is_silent = now - self._heard_at > self._heartbeat_limit_s
        is_stalled = self._running is not None and now - self._moved_at > self._stall_limit_s
        if self._child.is_running and (is_silent or is_stalled):
            self._kill("hung")

    def _kill(self, verdict: str) -> None:
        self._verdict = verdict
        self._child.kill()

    def _on_exited(self, how: ChildExit) -> None:
        self._watch.stop()
        self._is_ending = False
        self._running = self.loading = self.loaded = None
        if how.cause == "stopped":
            self._set_status(EngineStatus(model_name=self.status.model_name if self._waiting else ""))
            self.exited.emit()
            waiting, self._waiting = self._waiting, []
            for command in waiting:
                self.send(command)
            return
        load, self._may_restart, may_restart = self._last_load, False, self._may_restart
        is_restarting = may_restart and load is not None and how.cause != "not_started"
        name = self.status.model_name
        self._set_status(EngineStatus("failed", name))
        self.died.emit(EngineExit(self._verdict or how.cause, how.detail, how.log_tail, is_restarting))
        # Whoever heard of it may have shut it down, or loaded something else.
        if is_restarting and self._last_load is not None and not self._child.is_running:
            self.send(dataclasses.replace(self._last_load, id=self.new_id()))
        elif not self._child.is_running:
            self.exited.emit()


def _after_answer(status: EngineStatus, done: Done) -> EngineStatus:
    usage, timings = done.usage, done.timings
    return dataclasses.replace(
        status,
        state="ready",
        used_tokens=usage.prompt_tokens + usage.answer_tokens,
        tokens_per_s=usage.answer_tokens / timings.answer_s if timings.answer_s > 0 else 0.0,
        first_token_s=timings.first_token_s,
    )


def reclaimable_bytes(engine: EngineClient) -> int:
    """What unloading gives back. Weights that are mapped from the file count as free memory already."""
    facts = engine.facts
    if facts is None:
        return 0
    return facts.kv_bytes + facts.compute_bytes + (facts.weights_bytes if facts.repack else 0)


LOOK_EVERY_MS = 100  # whether the answer that is waited for has been given
CLOSE_LIMIT_S = 20.0  # then a trainer is left to itself: it saves and ends when the program has gone


class EngineReservation(QObject):
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
