"""The real engine child for tests, spoken to line by line."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from app.base import json_lines
from app.inference.engine import messages
from app.inference.engine.messages import Command, Done, Event, Failed, Heartbeat, Hello, Load, Ready, Token
from tests.line_child import LineChild


class Child(LineChild):
    """`with Child("llama") as child:` … The log of its standard error is in `child.log`."""

    def __init__(self, backend: str, log: Path, *folders: str, program: Sequence[str] = ("-m", "app")) -> None:
        log.unlink(missing_ok=True)
        super().__init__([sys.executable, *program, "--engine", backend, *folders], log)

    def __enter__(self) -> Self:
        assert isinstance(self.read(), Hello)
        return self

    def read(self) -> Event:
        """The next event. Raises EOFError when the child has ended."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise EOFError(f"the child ended: {self.process.wait()}\n{self.log.read_text('utf-8', 'replace')[-2000:]}")
        return json_lines.decode(line, messages.EVENTS)

    def events_until(self, *kinds: type) -> list[Event]:
        """Everything up to the first event of one of these kinds, heartbeats left out."""
        events: list[Event] = []
        while not events or not isinstance(events[-1], kinds):
            event = self.read()
            if not isinstance(event, Heartbeat):
                events.append(event)
        return events

    def load(self, path: Path, **fields: Any) -> messages.EngineFacts:
        self.send(Load("load", str(path), **fields))
        last = self.events_until(Ready, Failed)[-1]
        assert isinstance(last, Ready), last
        return last.facts

    def ask(self, text: str, **fields: Any) -> tuple[str, Done]:
        fields.setdefault("sampling", messages.Sampling(temperature=0))
        return self.answer(messages.Ask("ask", (messages.Segment(text),), **fields))

    def answer(self, command: messages.Ask | None = None) -> tuple[str, Done]:
        """The text and the end of an answer, which was begun already if there is no command."""
        if command is not None:
            self.send(command)
        events = self.events_until(Done, Failed)
        assert isinstance(events[-1], Done), events[-1]
        return "".join(event.text for event in events if isinstance(event, Token)), events[-1]

    def failure_of(self, command: Command) -> Failed:
        self.send(command)
        last = self.events_until(Done, Failed, Ready)[-1]
        assert isinstance(last, Failed), last
        return last
