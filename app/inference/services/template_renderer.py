"""Render a foreign chat template in a child process, which is killed if it takes too long."""

import json
from collections.abc import Callable, Iterable

from msgspec import Struct
from PySide6.QtCore import QObject

from app.base import invisible_characters, json_lines
from app.base.errors import AppError
from app.base.services.child_process import ChildExit, ChildProcess
from app.inference import child_commands
from app.inference.prompts import Segment, Turn

DEADLINE_S = 2.0
REASON_MOST = 300  # characters

Done = Callable[[tuple[Segment, ...]], None]
Failed = Callable[[AppError], None]


def request(
    template: str | None, turns: Iterable[Turn], system: str = "", end: str = "", *, thinks: bool = False
) -> dict[str, object]:
    """Return the request to the renderer's child, with a file's chat template and the conversation to render.

    `end`: the text of the model's end-of-text token. `thinks`: the model shall think before it answers.
    """
    if "/no_think" in (template or ""):  # Nemotron Nano 2 and SmolLM3 look for it in the text, and take it out
        system = f"{system}\n{'/think' if thinks else '/no_think'}".strip()
    messages = [{"role": "system", "content": system}] if system else []
    for turn in turns:
        messages.append({"role": "user", "content": turn.question})
        if turn.answer is not None:
            messages.append({"role": "assistant", "content": turn.answer})
    return {"template": template, "messages": messages, "end": end, "thinks": thinks}


class RenderedTemplate(Struct, frozen=True):
    """Holds the child's result. `segments`: texts and whether each is markup; None if it failed with `error`."""

    segments: tuple[tuple[str, bool], ...] | None = None
    error: str = ""


class TemplateRenderer(QObject):
    """Renders one template, then calls `event`, or `failed` with AppError("template_failed")."""

    def __init__(self, request: dict[str, object], event: Done, failed: Failed) -> None:
        super().__init__()
        self._done_event: Done = event
        self._failed: Failed = failed
        self._child = ChildProcess(child_commands.template(), None, _decode, self)
        self._child.exited.connect(self._on_exited)
        self._child.ask(json.dumps(request).encode("ascii") + b"\n", DEADLINE_S)

    def cancel(self) -> None:
        """Stop rendering; neither callback is called any more."""
        self._child.kill()
        self._child.stop()

    def _on_exited(self, child_exit: ChildExit) -> None:
        answer: RenderedTemplate | None = child_exit.last_event
        if child_exit.cause == "stopped":
            return
        if child_exit.cause == "not_started":
            self._fail("the child did not start")
        elif answer is None:
            self._fail(f"no result within {DEADLINE_S:.0f} s and 512 MB")
        elif answer.segments is None:
            self._fail(invisible_characters.to_single_line(answer.error)[:REASON_MOST])
        else:
            self._done_event(tuple(Segment(text, markup) for text, markup in answer.segments))

    def _fail(self, reason: str) -> None:
        self._failed(AppError("template_failed", reason=reason))


def _decode(line: bytes) -> RenderedTemplate:
    return json_lines.convert(json_lines.decode_object(line), RenderedTemplate)
