"""Run the engine child: read commands, write events, compute one thing at a time.

Three threads: the reader takes commands from standard input, so that a cancel works during a computation, and ends the
process when the parent is gone. The heartbeat thread reports once a second that the process runs. The main thread
computes.
"""

import os
import queue
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from app.base import invisible_characters, json_lines
from app.base.errors import AppError
from app.base.isolation import sandbox
from app.inference import gguf
from app.inference.engine import messages
from app.inference.engine.backend import Backend, Cancellation
from app.inference.engine.messages import Ask, Failed, Thought, Token
from trainer.wire import EventWriter, claim_stdout, ends_process, read_lines

HEARTBEAT_S = 1.0
PAUSE_S = 1.5  # without a command after an answer, before the backend settles


@ends_process
def main(backend_name: str, states: str = "") -> None:
    """Run until standard input closes, then end the process at once.

    `backend_name`: llama | echo. `states`: the folder of `app.inference.prefix_states`; "": none are kept.
    """
    writer = claim_stdout()
    os.environ.setdefault("GGML_NO_BACKTRACE", "1")
    folder = _make_folder(states)
    sandbox.confine([*sandbox.graphics_paths(), *folder])
    EngineWorker(_make_backend(backend_name, folder), writer, folder).run()


def _make_folder(states: str) -> list[Path]:
    """Create the folder of prefix states, and return it in a list; [] if there is none or it cannot be created."""
    try:
        if states:
            Path(states).mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        print(f"engine: no prefix states: {error}", file=sys.stderr)  # noqa: T201  stderr is the log
        return []
    return [Path(states)] if states else []


def _make_backend(name: str, states: list[Path]) -> Backend:
    # Imported late: llama_cpp must not load before standard output is claimed, and the fake never needs it.
    if name == "echo":
        from app.inference.engine.echo import EchoBackend

        return EchoBackend()
    from app.inference.engine.llama_backend import LlamaBackend

    return LlamaBackend(*states)


def _files_of(command: messages.Command) -> list[Path]:
    """Return the files that a command reads: a model with its parts, projector and packs, or an answer's adapters."""
    match command:
        case messages.Load():
            projector = [Path(command.projector)] if command.projector else []
            return [*gguf.parts_of(Path(command.path)), *projector, *map(Path, command.packs)]
        case Ask():
            return [Path(adapter.path) for adapter in command.adapters]
    return []


class EngineWorker:
    """Answers the commands of the parent with a backend."""

    def __init__(self, backend: Backend, writer: EventWriter, folders: Sequence[Path] = ()) -> None:
        """`folders`: those that the backend may read besides the files of each command."""
        self._backend = backend
        self._readable = [*folders, *sandbox.graphics_paths()]
        self._writer = writer
        self._commands: queue.SimpleQueue[messages.Command] = queue.SimpleQueue()
        self._next: messages.Command | None = None  # taken from the queue, not begun
        self._cancellation = Cancellation()

    def run(self) -> NoReturn:
        self._send(messages.Hello(messages.PROTOCOL, os.getpid(), self._backend.name))
        threading.Thread(target=self._read, name="reader", daemon=True).start()
        threading.Thread(target=self._send_heartbeats, name="heart", daemon=True).start()
        pause_s = None
        while True:
            try:
                command, self._next = self._next or self._commands.get(timeout=pause_s), None
            except queue.Empty:
                pause_s = None
                sandbox.run_confined(self._backend.settle, self._readable)
                continue
            self._execute(command)
            pause_s = PAUSE_S if isinstance(command, Ask) else pause_s

    def _send(self, event: messages.Event) -> None:
        try:
            self._writer.write(json_lines.encode_line(event))
        except BrokenPipeError:
            os._exit(0)  # the parent is gone

    def _read(self) -> None:
        try:
            for line in read_lines(sys.stdin.buffer):
                command = json_lines.convert_message(line, messages.COMMANDS)
                if isinstance(command, messages.Cancel):
                    self._cancellation.cancel(command.id)
                else:
                    self._commands.put(command)
        except ValueError as error:
            print(f"engine: unreadable command: {error}", file=sys.stderr)  # noqa: T201  stderr is the log
            os._exit(2)
        os._exit(0)

    def _send_heartbeats(self) -> None:
        pause = threading.Event()
        while not pause.wait(HEARTBEAT_S):
            self._send(messages.Heartbeat(self._backend.progress))

    def _execute(self, command: messages.Command) -> None:
        readable = [*_files_of(command), *self._readable]
        if isinstance(command, Ask):
            sandbox.run_confined(lambda: self._answer(command), readable)
            return
        self._cancellation.begin(command.id)
        try:
            self._send(sandbox.run_confined(lambda: self._result(command), readable))
        except (AppError, MemoryError) as error:
            self._send(_failed(command.id, error))
        finally:
            self._cancellation.end(command.id)

    def _result(self, command: messages.Command) -> Any:
        backend = self._backend
        match command:
            case messages.Load():
                return messages.Ready(command.id, backend.load(command, self._cancellation, self._send))
            case messages.Unload():
                backend.unload()
                return messages.Unloaded(command.id)
            case messages.Embed():
                return messages.Embedded(command.id, backend.embed(command))
            case messages.Rank():
                return backend.rank(command)
            case messages.Tokenize():
                return messages.Tokenized(command.id, backend.tokenize(command))
        raise AssertionError(f"no answer for {command!r}")

    def _answer(self, first: Ask) -> None:
        """Let the backend answer, and remove invisible characters from the texts that are sent.

        Characters that belong together are recognized even if the model or the server sends them in several pieces.
        """
        # Of the answers that are being written, and of their thoughts.
        streams: dict[tuple[str, type[Token | Thought]], invisible_characters.StreamFilter] = {}

        def begin(ask: Ask) -> None:
            self._cancellation.begin(ask.id)
            for kind in (Thought, Token):
                streams[ask.id, kind] = invisible_characters.StreamFilter()

        def next_ask() -> Ask | None:
            ask = self._next_ask(first)
            if ask is not None:
                begin(ask)
            return ask

        def emit(event: messages.Event) -> None:
            if isinstance(event, Token | Thought):
                event = type(event)(event.id, streams[event.id, type(event)].push(event.text))
                if not event.text:
                    return
            elif isinstance(event, messages.Done | Failed):
                for kind in (Thought, Token):
                    if rest := streams.pop((event.id, kind)).flush():
                        self._send(kind(event.id, rest))
                self._cancellation.end(event.id)
            self._send(event)

        begin(first)
        try:
            self._backend.answer(first, next_ask, self._cancellation, emit)
        except (AppError, MemoryError) as error:
            for command_id in {command_id for command_id, _ in streams}:
                emit(_failed(command_id, error))

    def _next_ask(self, first: Ask) -> Ask | None:
        """Return the next command if it can be answered beside `first`, after tokens that were to be counted."""
        while True:
            try:
                command = self._next or self._commands.get_nowait()
            except queue.Empty:
                return None
            self._next = None
            if isinstance(command, messages.Tokenize):
                self._execute(command)
            elif isinstance(command, Ask) and command.adapters == first.adapters:
                return command
            else:
                self._next = command
                return None


def _failed(command_id: str, error: AppError | MemoryError) -> Failed:
    if isinstance(error, AppError):
        return Failed(command_id, error.code, error.facts)
    return Failed(command_id, "out_of_memory")
