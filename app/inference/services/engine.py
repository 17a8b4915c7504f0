"""Supervise the engine child: start it when needed, watch its heartbeat, restart it once when it dies.

`EngineReservation` frees the engine's memory for long tasks once no answer is being written. The file is over 450 lines
because every way in which a child can end is judged by the state that one class holds.
"""

import contextlib
import dataclasses
import functools
import itertools
import time
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QEventLoop, QObject, QTimer, Signal, SignalInstance

from app.base import json_lines, programs
from app.base.errors import AppError
from app.base.services.child_process import ChildExit, ChildProcess
from app.inference import crashes, local_model
from app.inference.engine import messages
from app.inference.engine.messages import Ask, Command, EngineFacts, Load
from app.inference.services.events import EngineStatus, NetworkContact
from app.inference.services.keychain import RemoteKeys

HEARTBEAT_LIMIT_S = 30.0  # the child sends a heartbeat each second; a swapping machine can lose many
STALL_LIMIT_S = 600.0  # the longest time for one batch, while a slow disk pages an 8B model in
CANCEL_LIMIT_S = 30.0  # likewise once it is cancelled, which ends all but a grammar with too many choices


def exit_error(child_exit: ChildExit) -> AppError:
    """Return the error for a request that was running when the child ended."""
    code = {"hung": "engine_hung", "not_started": "engine_missing"}.get(child_exit.cause, "engine_died")
    return AppError(code, cause=child_exit.reason)


class EngineClient(QObject):
    """Sends commands to the engine child and emits its events, all but heartbeats, through `event_received`."""

    event_received = Signal(object)  # app.inference.engine.messages.Event
    died = Signal(object)  # ChildExit; the child restarts by itself once, afterwards at the next request
    exited = Signal()  # the child is gone, its memory is free, and it does not restart
    status_changed = Signal(object)  # EngineStatus
    refusal_changed = Signal()
    released = Signal()  # an answer that held the engine has ended
    contacted = Signal(str)  # host and port of another machine that prompts are sent to, as the user chose

    def __init__(
        self,
        command: list[str],
        log: Path,
        parent: QObject | None = None,
        *,
        niceness: int = 0,
        heartbeat_limit_s: float = HEARTBEAT_LIMIT_S,
        stall_limit_s: float = STALL_LIMIT_S,
        cancel_limit_s: float = CANCEL_LIMIT_S,
    ) -> None:
        """`niceness`: of the child once it loads a model, from 0 to 19, for work that others go before."""
        super().__init__(parent)
        self._niceness = niceness
        self.remote_keys = RemoteKeys()
        self.contacts: list[NetworkContact] = []  # contacts with other machines, oldest first
        decode = functools.partial(json_lines.decode, kinds=messages.EVENTS)
        self._child = ChildProcess(command, log, decode, self, silence_limit_s=heartbeat_limit_s)
        self._local_command = command
        self._address = ""  # of the server that the child may contact; "": none, the child runs models itself
        self._is_network_allowed = True
        self._child.event_received.connect(self._on_event)
        self._child.checked.connect(self._check_progress)
        self._child.exited.connect(self._on_exited)
        self._stall_limit_s, self._cancel_limit_s = stall_limit_s, cancel_limit_s
        self._ids = itertools.count(1)
        self._last_load: Load | None = None
        self._packs: tuple[str, ...] = ()  # the GPU packs of the latest load that had some
        self._suspected: Load | None = None  # a load that has ended a child and is repeated without its projector
        self._running: set[str] = set()  # ids of the Ask, Embed, Rank and Load commands without an answer
        self._reading: set[str] = set()  # ids of the commands whose pictures may still be read
        self.loading: Load | None = None  # a Load that was sent and is neither answered nor cancelled
        self.loaded: Load | None = None  # the command that loaded the present model
        self._cancelled: dict[str, float] = {}  # the time at which commands of `_running` were cancelled
        self._refusal: AppError | None = None
        self._waiting: list[Command] = []  # commands for the next child, while the present one ends
        self._answering: set[object] = set()
        self._users: set[object] = set()  # those of them that rely on the model that was loaded or sent last
        self._may_restart = True
        self._last_progress_at = 0.0
        self._progress = -1
        self.status = EngineStatus()

    # ------------------------------------------------------------------ requests

    def new_id(self) -> str:
        return str(next(self._ids))

    def start(self) -> None:
        """Start the child unless it runs, so that it is ready sooner for the first command."""
        if not self._child.is_running:
            self._start_child()

    def send(self, command: Command) -> None:
        """Send a command, starting the child if necessary; while a child ends, the command waits for the next one."""
        if isinstance(command, Load):
            command = _without_crashed(command)
            if command.remote is not None and not self._is_network_allowed:
                QTimer.singleShot(0, self, lambda: self._refuse_network(command.id))  # once the caller has the id
                return
            self._choose_child(command.remote.address if command.remote else "")
            if command.packs and self._packs not in ((), command.packs) and self._child.is_running:
                self.end()  # a child keeps the first pack that it has loaded
            self._packs = command.packs or self._packs
        is_ending = self._child.is_stopping  # it reads no more commands
        if is_ending and self._address and not isinstance(command, Load):
            return  # it was meant for the ending child; the next child may contact another server
        if not self._child.is_running:
            self._start_child()
            if not self._child.is_running:  # the child could not be started, and `died` has reported that
                return
        if isinstance(command, Load):
            self._last_load = self.loading = command
            self.loaded = None
            self._set_status(EngineStatus("loading", model_name=self.status.model_name))
        if isinstance(command, Load | Ask | messages.Embed | messages.Rank):
            self._running.add(command.id)
            self._last_progress_at = time.monotonic()
        if isinstance(command, Ask | messages.Tokenize) and command.pictures:
            self._reading.add(command.id)
        if isinstance(command, messages.Unload):
            self._last_load = None
        if is_ending:
            self._waiting.append(command)
        else:
            self._send_with_key(command)

    def _send_with_key(self, command: Command) -> None:
        """Send a command to the child. A server's key is added only here, so that no stored command contains it."""
        if isinstance(command, Load) and command.remote is not None:
            command = dataclasses.replace(command, key=self.remote_keys.key_of(command.remote.address))
        if isinstance(command, Load) and self._niceness and self.pid:
            import psutil  # here, because commands wait for this module

            with contextlib.suppress(psutil.Error):  # it has just ended, or the system forbids the change
                psutil.Process(self.pid).nice(_priority(self._niceness))
        self._child.send(json_lines.encode_line(command))
        if isinstance(command, Load | Ask) and self._address:
            place = local_model.address_label(self._address)
            self.contacts.append(NetworkContact(place, time.time(), self.status.model_name, place="ask"))
            self.contacted.emit(place)

    def allow_network(self, is_allowed: bool) -> None:
        """Allow or forbid remote models.

        Forbidding ends a remote computation, even one begun under earlier settings.
        """
        self._is_network_allowed = is_allowed
        if not is_allowed and self._address:
            for command_id in sorted(self._running):
                self._refuse_network(command_id)
            self.end()

    def _refuse_network(self, command_id: str) -> None:
        facts = {"name": self.status.model_name}
        self.event_received.emit(messages.Failed(command_id, "remote_no_network", facts))

    def _choose_child(self, address: str) -> None:
        """Select the child's command line: one child contacts only the server at `address`; "" runs local models."""
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
            self._running.discard(command_id)
            self._reading.discard(command_id)
        else:
            if command_id in self._running:
                self._cancelled.setdefault(command_id, time.monotonic())
            self._child.send(json_lines.encode_line(messages.Cancel(command_id)))

    def hold(self, owner: object) -> None:
        """Count the engine as computing until `release`, since some steps of an answer run outside of it."""
        self._answering.add(owner)

    def release(self, owner: object) -> None:
        self._answering.discard(owner)
        self._users.discard(owner)
        self.released.emit()

    def use_model(self, owner: object) -> None:
        """Rely on the model that was loaded or sent last, until `release`: others do not replace it."""
        self._users.add(owner)

    def may_replace_model(self, owner: object) -> bool:
        return not self._users - {owner}

    def awaits(self, load_id: str) -> bool:
        """Return whether the Load with this id still waits for the previous child to end."""
        return any(command.id == load_id for command in self._waiting)

    @property
    def refusal(self) -> AppError | None:
        """Return why requests are refused now; None if they are not. Callers must check it."""
        return self._refusal

    @refusal.setter
    def refusal(self, refusal: AppError | None) -> None:
        self._refusal = refusal
        self.refusal_changed.emit()

    def name_model(self, name: str) -> None:
        """Set the name that the status shows for the model being loaded."""
        self.status = dataclasses.replace(self.status, model_name=name)

    def forget_usage(self) -> None:
        """Reset the usage in the status, because another conversation is shown."""
        self._set_status(dataclasses.replace(self.status, used_tokens=0, tokens_per_s=0.0, first_token_s=0.0))

    @property
    def facts(self) -> EngineFacts | None:
        """Return the facts of the loaded model; None without one."""
        return self.status.facts

    @property
    def is_computing(self) -> bool:
        """Return whether an answer, an embedding or a load is running."""
        return bool(self._answering) or (bool(self._running) and self._child.is_running)

    @property
    def is_sending(self) -> bool:
        """Return whether another machine is running a request."""
        return bool(self._address) and bool(self._running) and self._child.is_running

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def is_up(self) -> bool:
        """Return whether the child runs and holds its memory."""
        return self._child.is_running

    def shut_down(self) -> None:
        """End the child and free its memory. Blocks for a moment."""
        self._forget_all()
        self._child.stop()

    def end(self) -> int:
        """End the child without waiting; `exited` follows. Return its process id; 0 if none runs."""
        self._forget_all()
        if not self.is_up:
            return 0
        pid = self.pid
        self._set_status(EngineStatus())
        self._child.end()
        return pid

    def _forget_all(self) -> None:
        for kept in (self._waiting, self._running, self._reading, self._cancelled):
            kept.clear()
        self._last_load = self.loading = self.loaded = None

    # -------------------------------------------------------------------- events

    def _start_child(self) -> None:
        self._child.start()
        self._set_status(EngineStatus("starting", model_name=self.status.model_name))

    def _on_event(self, event: messages.Event) -> None:
        if self._child.is_stopping:
            return
        if isinstance(event, messages.Heartbeat):
            if event.progress != self._progress:
                self._progress = event.progress
                self._last_progress_at = time.monotonic()
            return
        self._last_progress_at = time.monotonic()
        if not isinstance(event, messages.Hello | messages.PromptProgress):
            self._reading.discard(event.id)
        self._update_status(event)
        self.event_received.emit(event)

    def _update_status(self, event: messages.Event) -> None:
        status = self.status
        match event:
            case messages.Hello() if not self._running:
                self._set_status(dataclasses.replace(status, state="off"))
            case messages.LoadProgress():
                self._set_status(dataclasses.replace(status, state="loading", load_fraction=event.fraction))
            case messages.Ready():
                self._clear_running(event.id)
                self._judge_suspected(event.id)
                self.loaded = self._last_load
                self._set_status(EngineStatus("ready", status.model_name, event.facts))
            case messages.PromptProgress():
                self._set_status(dataclasses.replace(status, state="reading"))
            case messages.Token() | messages.Thought() if status.state != "answering":
                self._set_status(dataclasses.replace(status, state="answering"))
            case messages.Done():
                self._clear_running(event.id)
                self._may_restart = True
                self._set_status(_after_answer(status, event))
            case messages.Embedded() | messages.Ranked():
                self._clear_running(event.id)
            case messages.Failed():
                self._clear_running(event.id)
                state = "ready" if status.facts else "off" if event.code == "cancelled" else "failed"
                self._set_status(dataclasses.replace(status, state=state, load_fraction=None))
            case messages.Unloaded():
                self.loaded = None
                self._set_status(EngineStatus())

    def _clear_running(self, command_id: str) -> None:
        self._running.discard(command_id)
        self._cancelled.pop(command_id, None)
        if self.loading is not None and self.loading.id == command_id:
            self.loading = None

    def _set_status(self, status: EngineStatus) -> None:
        self.status = status
        self.status_changed.emit(status)

    def _check_progress(self) -> None:
        """Kill the child if its computation has reported no progress for `stall_limit_s` seconds.

        If the computation was cancelled, for `cancel_limit_s` since then.
        """
        now, since = time.monotonic(), max(self._last_progress_at, self._child.watched_since)
        cancelled_at = min(self._cancelled.values(), default=now)
        is_stalled = now - since > self._stall_limit_s or now - max(since, cancelled_at) > self._cancel_limit_s
        if self._running and is_stalled:
            self._child.kill("hung")

    def _leave_out_suspect(self, child_exit: ChildExit) -> Load | None:
        """Return the load that was not finished, to be repeated without the part that may have ended the child.

        Graphics cards, also while a loaded model used them, are not used any more; if loading ends a child without them
        too, it is tried without the projector, which is remembered at once if it was reading a picture. No part is to
        blame if the system has killed the child, which it does if memory is short.
        """
        load, facts = self.loading or self.loaded, self.status.facts
        is_on_cards = self.loading is not None or (facts is not None and facts.gpu_layers > 0)
        if load is None or child_exit.cause in ("stopped", "not_started", "killed"):
            return None
        if load.packs and is_on_cards:
            crashes.crashed_packs.add(load.packs)
            return self.loading
        is_reading = bool(self._reading) and self._running <= self._reading  # and nothing else that may be at fault
        if self.loading is None and is_reading and child_exit.cause == "crashed":
            crashes.note_projector(load.projector)
        if self.loading is None or not load.projector:
            return None
        self._suspected = load if child_exit.cause == "crashed" else None  # a machine that swaps looks like a hang
        return dataclasses.replace(load, projector="")

    def _judge_suspected(self, load_id: str) -> None:
        """Remember the projector without which a load has succeeded; then the cards need not be at fault."""
        suspected, self._suspected = self._suspected, None
        if suspected is not None and suspected.id == load_id:
            crashes.note_projector(suspected.projector)
            crashes.crashed_packs.discard(self._packs)

    def _on_exited(self, child_exit: ChildExit) -> None:
        repeated = self._leave_out_suspect(child_exit)
        for kept in (self._running, self._reading, self._cancelled):
            kept.clear()
        self.loading = self.loaded = None
        if child_exit.cause == "stopped":
            self._set_status(EngineStatus(model_name=self.status.model_name if self._waiting else ""))
            self.exited.emit()
            waiting, self._waiting = self._waiting, []
            for command in waiting:
                self.send(command)
            return
        if repeated is not None:
            self.send(repeated)
            return
        load, self._may_restart, may_restart = self._last_load, False, self._may_restart
        is_restarting = may_restart and load is not None and child_exit.cause != "not_started"
        name = self.status.model_name
        self._set_status(EngineStatus("failed", name))
        self.died.emit(child_exit)
        # A slot of `died` may have shut the child down, or loaded another model.
        if is_restarting and self._last_load is not None and not self._child.is_running:
            self.send(dataclasses.replace(self._last_load, id=self.new_id()))
        elif not self._child.is_running:
            self.exited.emit()


def _without_crashed(load: Load) -> Load:
    """Return a load without the parts that have ended a child."""
    if load.packs in crashes.crashed_packs:
        load = dataclasses.replace(load, packs=(), cpu_reason="crashed")
    return dataclasses.replace(load, projector="") if crashes.has_projector_crashed(load.projector) else load


def _after_answer(status: EngineStatus, event: messages.Done) -> EngineStatus:
    facts = status.facts
    if facts is not None and event.timings.threads:  # they change while the model is loaded
        facts = dataclasses.replace(facts, threads=event.timings.threads)
    return dataclasses.replace(
        status,
        state="ready",
        facts=facts,
        used_tokens=event.usage.prompt_tokens + event.usage.answer_tokens,
        tokens_per_s=event.tokens_per_s,
        first_token_s=event.timings.first_token_s,
    )


def reclaimable_bytes(engine: EngineClient) -> int:
    """Return the bytes of main memory that unloading the model frees.

    Weights mapped from its file count as free already, and layers on graphics cards have their cache there.
    """
    facts = engine.facts
    if facts is None:
        return 0
    here = 1 - facts.gpu_layers / facts.total_layers if facts.total_layers else 1
    return int(here * (facts.kv_bytes + facts.compute_bytes)) + (facts.weights_bytes if facts.repack else 0)


POLL_MS = 100  # between two checks whether the current answer is finished
CLOSE_LIMIT_S = 20.0  # wait for a trainer at most; it then saves and ends after the program


class EngineReservation(QObject):
    """Keeps the engine free between `take` and `give_back`; new requests are refused meanwhile.

    The next question after `give_back` loads the model again.
    """

    def __init__(self, engine: EngineClient, is_answering: Callable[[], bool]) -> None:
        super().__init__()
        self._engine = engine
        self._is_answering = is_answering
        self._go_on: Callable[[], None] | None = None
        self._poll = QTimer(self, interval=POLL_MS)
        self._poll.timeout.connect(self._end_when_free)
        engine.exited.connect(self._run_then)

    @property
    def is_waiting(self) -> bool:
        """Return whether the reservation waits for an answer to finish."""
        return self._poll.isActive()

    def take(self, refusal: AppError, go_on: Callable[[], None]) -> None:
        """Wait until the engine computes no answer, end its process, which frees its memory, and then call `go_on`.

        `refusal`: the error that requests get until `give_back`.
        """
        self._engine.refusal, self._go_on = refusal, go_on
        if self._is_busy():
            self._poll.start()
        else:
            self._end_engine()

    def give_back(self) -> None:
        self._poll.stop()
        self._engine.refusal = self._go_on = None

    def _is_busy(self) -> bool:
        return self._is_answering() or self._engine.is_computing

    def _end_when_free(self) -> None:
        if not self._is_busy():
            self._poll.stop()
            self._end_engine()

    def _end_engine(self) -> None:
        if not self._engine.end():
            self._run_then()

    def _run_then(self) -> None:
        if not self._poll.isActive():
            then, self._go_on = self._go_on, None
            if then is not None:
                then()


def end_within(limit_s: float, end: Callable[[], None], ended: SignalInstance, is_over: Callable[[], bool]) -> None:
    """Call `end` and wait up to `limit_s` seconds for the signal `ended`, when the program exits."""
    loop = QEventLoop()
    ended.connect(loop.quit)
    QTimer.singleShot(int(limit_s * 1000), loop, loop.quit)
    end()
    if not is_over():  # it may have ended at once
        loop.exec()


def _priority(niceness: int) -> int:
    """Return what psutil takes: the niceness itself; on Windows, which has none, one of two classes."""
    import psutil

    if psutil.POSIX:
        return niceness
    return int(psutil.IDLE_PRIORITY_CLASS if niceness > 10 else psutil.BELOW_NORMAL_PRIORITY_CLASS)
