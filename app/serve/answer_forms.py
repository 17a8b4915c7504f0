"""Give an answer the form of one of OpenAI's three protocols, whole or as the events of a stream.

Beside the fields of the protocol, each has "kotae": sources, claims and verdict, in the form of `kotae ask --json`.
"""

import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from app.chat import answer_check
from app.chat.services.answer_run import AnswerOutcome
from app.documents.grounding import source_citations
from app.documents.grounding.grounding_record import Grounding
from app.inference.engine.messages import CUT_OFF, Usage
from app.serve.completion_request import CompletionRequest, HttpError
from app.serve.tool_calls import ToolCall, read_answer

Json = dict[str, Any]
Event = Json | str  # of a stream: an object, or a word such as [DONE]


@dataclass(frozen=True, slots=True)
class FinishedAnswer:
    """An answer that has ended. `rest`: what a stream has not sent of `content`."""

    content: str
    rest: str
    call: ToolCall | None
    outcome: AnswerOutcome

    @property
    def is_cut(self) -> bool:
        return self.outcome.done.stop_reason in CUT_OFF

    @property
    def status(self) -> str:
        return "incomplete" if self.is_cut else "completed"

    @property
    def finish_reason(self) -> str:
        return "length" if self.is_cut else "tool_calls" if self.call else "stop"


def finish(request: CompletionRequest, text: str, outcome: AnswerOutcome) -> FinishedAnswer:
    """Return the answer with what is said below its text; `text` is what the model has written."""
    if request.is_text:
        return FinishedAnswer(text, "", None, outcome)
    if request.tools:
        content, call = read_answer(text)
        return FinishedAnswer(content, content, call, outcome)
    text = text.strip()
    below = _lines_below(text, outcome.grounding)
    return FinishedAnswer(text + below, below, None, outcome)


def grounding_fields(outcome: AnswerOutcome) -> Json:
    """Return the field "kotae" of a response."""
    kept, reason = outcome.grounding or Grounding(), outcome.done.stop_reason
    verdict = "length" if reason in CUT_OFF else "stopped" if reason == "cancelled" else kept.verdict
    return {**answer_check.check_facts(kept), "verdict": verdict}


def _lines_below(text: str, grounding: Grounding | None) -> str:
    """Return the result of the check and the places of the cited sources, to add below an answer."""
    if grounding is None:
        return ""
    lines = source_citations.check_messages(grounding)
    if places := source_citations.used_places(text, grounding):
        lines = [*lines, *([""] if lines else []), source_citations.sources_heading(grounding), *places]
    return "\n\n" + "\n".join(lines) if lines else ""


def _usage(usage: Usage, asked: str = "prompt", answered: str = "completion") -> Json:
    """Return the token counts. `asked`, `answered`: how the protocol calls the two sides."""
    return {
        f"{asked}_tokens": usage.prompt_tokens,
        f"{answered}_tokens": usage.answer_tokens,
        "total_tokens": usage.prompt_tokens + usage.answer_tokens,
        f"{asked}_tokens_details": {"cached_tokens": usage.cached_tokens},
        f"{answered}_tokens_details": {"reasoning_tokens": usage.thought_tokens},
    }


class _Form:
    """Builds the objects of one answer. `begin`, `text`, `thought` and `end` yield the events of a stream in order."""

    prefix = ""  # of the id

    def __init__(self, request: CompletionRequest) -> None:
        self.request = request
        self.id = self.prefix + secrets.token_hex(12)
        self.created = int(time.time())

    def failure(self, error: HttpError) -> Event:
        """Return the event of a stream that ends with an error."""
        return error.body()


class ChatCompletion(_Form):
    prefix = "chatcmpl-"
    kind, piece_kind = "chat.completion", "chat.completion.chunk"

    def begin(self) -> Iterator[Event]:
        yield self._piece({"role": "assistant", "content": ""})

    def text(self, text: str) -> Iterator[Event]:
        yield self._piece({"content": text})

    def thought(self, text: str) -> Iterator[Event]:
        yield self._piece({"reasoning_content": text})

    def end(self, answer: FinishedAnswer) -> Iterator[Event]:
        if answer.rest:
            yield from self.text(answer.rest)
        if answer.call:
            yield self._piece({"tool_calls": [{"index": 0, **_call(answer.call)}]})
        yield {**self._piece({}, answer.finish_reason), "kotae": grounding_fields(answer.outcome)}
        if self.request.includes_usage:
            yield {**self._object(self.piece_kind, []), "usage": _usage(answer.outcome.done.usage)}
        yield "[DONE]"

    def whole(self, answer: FinishedAnswer) -> Json:
        choice = {"index": 0, **self._message(answer), "logprobs": None, "finish_reason": answer.finish_reason}
        return {
            **self._object(self.kind, [choice]),
            "usage": _usage(answer.outcome.done.usage),
            "kotae": grounding_fields(answer.outcome),
        }

    def _message(self, answer: FinishedAnswer) -> Json:
        message: Json = {"role": "assistant", "content": None if answer.call else answer.content, "refusal": None}
        if answer.call:
            message["tool_calls"] = [_call(answer.call)]
        if answer.outcome.thoughts:
            message["reasoning_content"] = answer.outcome.thoughts
        return {"message": message}

    def _piece(self, delta: Json, reason: str | None = None) -> Json:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return self._object(self.piece_kind, [choice])

    def _object(self, kind: str, choices: list[Json]) -> Json:
        model = self.request.model
        return {"id": self.id, "object": kind, "created": self.created, "model": model, "choices": choices}


def _call(call: ToolCall) -> Json:
    return {"id": call.id, "type": "function", "function": call.function}


class TextCompletion(ChatCompletion):
    prefix = "cmpl-"
    kind = piece_kind = "text_completion"

    def begin(self) -> Iterator[Event]:
        yield from ()

    def thought(self, text: str) -> Iterator[Event]:  # noqa: ARG002  the protocol has no place for it
        yield from ()

    def _message(self, answer: FinishedAnswer) -> Json:
        return {"text": answer.content}

    def _piece(self, delta: Json, reason: str | None = None) -> Json:
        choice = {"index": 0, "text": delta.get("content", ""), "logprobs": None, "finish_reason": reason}
        return self._object(self.piece_kind, [choice])


class ResponseForm(_Form):
    """Of /v1/responses, whose stream tells of each item of the output when it begins and when it ends."""

    prefix = "resp_"

    def __init__(self, request: CompletionRequest) -> None:
        super().__init__(request)
        self._output: list[Json] = []
        self._number = 0

    def begin(self) -> Iterator[Event]:
        for state in ("created", "in_progress"):
            yield self._event(state, response=self._response("in_progress", []))

    def text(self, text: str) -> Iterator[Event]:
        yield from self._add("message", text)

    def thought(self, text: str) -> Iterator[Event]:
        yield from self._add("reasoning", text)

    def end(self, answer: FinishedAnswer) -> Iterator[Event]:
        if answer.rest:
            yield from self.text(answer.rest)
        yield from self._close(answer.status)
        if answer.call:
            yield from self._begin_item(_call_item(answer.call, "in_progress", ""))
            place = {"item_id": answer.call.id, "output_index": len(self._output) - 1}
            yield self._event("function_call_arguments.delta", **place, delta=answer.call.arguments)
            yield self._event("function_call_arguments.done", **place, **answer.call.function)
            self._output[-1] = _call_item(answer.call, "completed", answer.call.arguments)
            yield self._item_event("done")
        yield self._event(answer.status, response=self._response(answer.status, self._output, answer.outcome))

    def whole(self, answer: FinishedAnswer) -> Json:
        for text, act in ((answer.outcome.thoughts, self.thought), (answer.content, self.text)):
            if text:
                list(act(text))
        list(self._close(answer.status))
        if answer.call:
            self._output.append(_call_item(answer.call, "completed", answer.call.arguments))
        return self._response(answer.status, self._output, answer.outcome)

    def failure(self, error: HttpError) -> Event:
        body = error.body()
        return {**body["error"], **body, "type": "error", "sequence_number": self._number}

    def _add(self, kind: str, text: str) -> Iterator[Event]:
        """Add a text to the item of this kind, and begin it if another one is open."""
        name = "output_text" if kind == "message" else "reasoning_text"
        if not self._output or self._output[-1]["type"] != kind:
            yield from self._close()
            item: Json = {"id": f"{kind[:3]}_{secrets.token_hex(12)}", "type": kind, "status": "in_progress"}
            own: Json = {"role": "assistant"} if kind == "message" else {"summary": []}
            yield from self._begin_item(item | own | {"content": []})
            part: Json = {"type": name, "text": ""} | ({"annotations": []} if kind == "message" else {})
            yield self._event("content_part.added", **self._place(), part=dict(part))
            self._output[-1]["content"].append(part)
        self._output[-1]["content"][0]["text"] += text
        yield self._event(f"{name}.delta", **self._place(), delta=text, logprobs=[])

    def _close(self, status: str = "completed") -> Iterator[Event]:
        if not self._output or self._output[-1]["status"] != "in_progress":
            return
        item = self._output[-1]
        (part,) = item["content"]
        yield self._event(f"{part['type']}.done", **self._place(), text=part["text"], logprobs=[])
        yield self._event("content_part.done", **self._place(), part=part)
        item["status"] = status
        yield self._item_event("done")

    def _begin_item(self, item: Json) -> Iterator[Event]:
        self._output.append(item)
        yield self._item_event("added")

    def _item_event(self, what: str) -> Event:
        return self._event(f"output_item.{what}", output_index=len(self._output) - 1, item=dict(self._output[-1]))

    def _place(self) -> Json:
        return {"item_id": self._output[-1]["id"], "output_index": len(self._output) - 1, "content_index": 0}

    def _event(self, kind: str, **fields: Any) -> Event:
        self._number += 1
        return {"type": f"response.{kind}", "sequence_number": self._number - 1, **fields}

    def _response(self, status: str, output: list[Json], outcome: AnswerOutcome | None = None) -> Json:
        return {
            "id": self.id,
            "object": "response",
            "created_at": self.created,
            "status": status,
            "model": self.request.model,
            "output": list(output),
            "error": None,
            "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
            "instructions": None,
            "metadata": {},
            "parallel_tool_calls": False,
            "temperature": self.request.choices.temperature,
            "top_p": self.request.choices.top_p,
            "tool_choice": "auto",
            "tools": [{"type": "function", "name": one.name, "parameters": one.parameters, "strict": True}
                      for one in self.request.tools],
            "store": False,
            "usage": _usage(outcome.done.usage, "input", "output") if outcome else None,
            **({"kotae": grounding_fields(outcome)} if outcome else {}),
        }  # fmt: skip


AnswerForm = ChatCompletion | ResponseForm


def _call_item(call: ToolCall, status: str, arguments: str) -> Json:
    facts = {"id": call.id, "call_id": call.id, "name": call.name, "arguments": arguments}
    return {"type": "function_call", "status": status, **facts}
