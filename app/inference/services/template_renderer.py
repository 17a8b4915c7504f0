"""Render a foreign chat template in a child process, which is killed if it takes too long."""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from PySide6.QtCore import QObject

from app.base import invisible_characters
from app.base.errors import AppError
from app.base.services.child_process import OneShotProcess
from app.inference.prompts import Segment, Turn

DEADLINE_MS = 2000
REASON_MOST = 300  # characters

Done = Callable[[tuple[Segment, ...]], None]
Failed = Callable[[AppError], None]


def request(template: str | None, turns: Iterable[Turn], system: str = "", end: str = "") -> dict[str, object]:
    """Return the request to a renderer: a file's chat template and the conversation to render.

    `end`: the text of the model's end-of-text token.
    """
    messages = [{"role": "system", "content": system}] if system else []
    for turn in turns:
        messages.append({"role": "user", "content": turn.question})
        if turn.answer is not None:
            messages.append({"role": "assistant", "content": turn.answer})
    return {"template": template, "messages": messages, "end": end}


class TemplateRenderer(QObject):
    """Renders one template. Calls exactly one of `done` and `failed`, the latter with AppError("template_failed")."""

    def __init__(self, command: list[str], request: dict[str, object], done: Done, failed: Failed) -> None:
        super().__init__()
        self._done: Done = done
        self._failed: Failed = failed
        self._child = OneShotProcess(command, request, DEADLINE_MS, self)
        self._child.answered.connect(self._on_answered)
        self._child.ended.connect(self._on_ended)
        self._child.start()

    def cancel(self) -> None:
        """Stop; neither callback is called any more."""
        self._child.cancel()

    def _on_answered(self, answer: dict[str, Any]) -> None:
        if "segments" not in answer:
            self._fail(invisible_characters.to_single_line(str(answer.get("error", "")))[:REASON_MOST])
            return
        try:
            found = msgspec.convert(answer["segments"], tuple[tuple[str, bool], ...])
        except ValueError as error:
            self._fail(str(error))
            return
        self._done(tuple(Segment(text, markup) for text, markup in found))

    def _on_ended(self, is_started: bool) -> None:
        late = f"no result within {DEADLINE_MS / 1000:.0f} s and 512 MB"
        self._fail(late if is_started else "the child did not start")

    def _fail(self, reason: str) -> None:
        self._failed(AppError("template_failed", reason=reason))
