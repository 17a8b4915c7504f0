"""Separate what a reasoning model thinks from what it answers.

Models write their thoughts before the answer, between marks that are text (`<think>` of Qwen3, DeepSeek-R1 and
Nemotron) or control tokens (the channels of gpt-oss and llm-jp-4, called harmony; Gemma 4; Magistral). Some chat
templates open the thoughts at the end of the prompt. The marks count only before the answer has begun, so that an
answer may speak of them.
"""

from collections.abc import Iterator, Sequence

from app.inference.prompts import Segment

_ENDS = {"<think>": "</think>", "[THINK]": "[/THINK]", "<|channel>thought": "<channel|>"}
_CHANNEL, _MESSAGE, _END_OF_MESSAGE = "<|channel|>", "<|message|>", "<|end|>"
_REPLY = "<|start|>assistant"
_FINAL = "final"  # the channel of the answer; all others are thoughts
_OPENINGS = (*_ENDS, _CHANNEL)
_HEADER_MOST = 200  # characters of the name of a channel; more is text


def begins_open(prompt: Sequence[Segment]) -> str:
    """Return the mark that will end the thoughts which this prompt has opened; "" if it has opened none."""
    tail = prompt[-1].text.rstrip() if prompt and prompt[-1].markup else ""
    if tail.endswith(_MESSAGE) and not tail.endswith(_FINAL + _MESSAGE) and _CHANNEL in tail:
        return _END_OF_MESSAGE
    return next((end for begin, end in _ENDS.items() if tail.endswith(begin)), "")


def without_thoughts(prompt: Sequence[Segment]) -> tuple[Segment, ...]:
    """Return a prompt of a foreign template with its thoughts ended, or left out, so that the answer comes at once."""
    end = begins_open(prompt)
    answer = ""
    if end:
        answer = f"{end}{_REPLY}{_CHANNEL}{_FINAL}{_MESSAGE}" if end == _END_OF_MESSAGE else f"\n{end}\n\n"
    elif prompt and prompt[-1].markup and prompt[-1].text.endswith(_REPLY):
        answer = f"{_CHANNEL}{_FINAL}{_MESSAGE}"
    return (*prompt[:-1], Segment(prompt[-1].text + answer, markup=True)) if answer else tuple(prompt)


_SWITCHES = ("enable_thinking", "/no_think")


def thinking_of_template(template: str | None) -> str:
    """Return what a chat template says of thoughts: "always" | "on_request" (with a switch) | "" (none).

    Templates of models without thoughts may know `</think>`, in order to leave the thoughts of others out.
    """
    text = template or ""
    if any(switch in text for switch in _SWITCHES):
        return "on_request"
    return "always" if "<think>" in text or (_CHANNEL in text and "analysis" in text) else ""


class ThoughtStream:
    """Separates the pieces of one answer as they come, each of which may end in the middle of a mark."""

    def __init__(self, end: str = "") -> None:
        """Prepare for an answer. `end`: the mark that ends thoughts which the prompt has opened; "": none."""
        self._pending = ""
        self._state = "thought" if end else "start"  # start | header (the name of a channel) | thought | answer
        self._end = end
        self._trims = bool(end)  # white space is left out until there is text

    @property
    def is_thinking(self) -> bool:
        return self._state in ("thought", "header")

    @property
    def has_answer(self) -> bool:
        """Return whether the answer has begun: from here on nothing is a mark."""
        return self._state == "answer"

    def push(self, text: str, *, is_control: bool = False) -> Iterator[tuple[str, bool]]:
        """Yield the text to show now, each piece with whether it is a thought.

        `is_control`: the text is the name of a control token, which is a mark or left out.
        """
        if is_control and not self._is_mark(text):
            return
        self._pending += text
        state = ""
        while state != self._state:
            state = self._state
            if state == "start":
                self._read_start()
            elif state == "header":
                self._read_header()
            elif state == "thought":
                yield from self._read_thought()
        if self._state == "answer":
            yield from self.flush()

    def flush(self) -> Iterator[tuple[str, bool]]:
        """Yield what was held back as a possible mark."""
        text, self._pending = self._pending, ""
        if self._state != "header":
            yield from self._shown(text)

    def _is_mark(self, name: str) -> bool:
        text = (self._pending + name).lstrip().removeprefix(_REPLY)
        return {
            "start": any(mark.startswith(text) or text.startswith(mark) for mark in (*_OPENINGS, _REPLY)),
            "header": name == _MESSAGE,
            "thought": name == self._end,
            "answer": False,
        }[self._state]

    def _read_start(self) -> None:
        text = self._pending.lstrip().removeprefix(_REPLY)
        opening = next((opening for opening in _OPENINGS if text.startswith(opening)), None)
        if opening is not None:
            self._pending = text[len(opening) :]
            self._state = "header" if opening == _CHANNEL else "thought"
            self._end = _ENDS.get(opening, _END_OF_MESSAGE)
            self._trims = True
        elif not any(mark.startswith(text) for mark in (*_OPENINGS, _REPLY)):
            self._state = "answer"

    def _read_header(self) -> None:
        name, mark, rest = self._pending.partition(_MESSAGE)
        if mark:
            self._pending = rest
            self._state = "answer" if name.startswith(_FINAL) else "thought"
        elif len(name) > _HEADER_MOST:
            self._state = "answer"

    def _read_thought(self) -> Iterator[tuple[str, bool]]:
        text, mark, rest = self._pending.partition(self._end)
        kept = 0 if mark else overlap(text, self._end)
        yield from self._shown(text[: len(text) - kept])
        self._pending = rest if mark else text[len(text) - kept :]
        if mark:
            self._state = "start" if self._end == _END_OF_MESSAGE else "answer"
            self._trims = True

    def _shown(self, text: str) -> Iterator[tuple[str, bool]]:
        text = text.lstrip() if self._trims else text
        if text:
            self._trims = False
            yield text, self._state == "thought"


def overlap(text: str, mark: str) -> int:
    """Return how many characters at the end of a text may begin a mark that is not complete."""
    lengths = range(min(len(mark) - 1, len(text)), 0, -1)
    return next((length for length in lengths if mark.startswith(text[len(text) - length :])), 0)
