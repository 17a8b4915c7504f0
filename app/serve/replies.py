"""Answers in the shapes of OpenAI's protocol, with a field `kotae` of our own: sources, claims, verdict."""

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from app.base.wording import phrase
from app.chat.services.answer_run import Outcome
from app.documents.claims import checked, citing, contract
from app.documents.claims.grounding import Grounding
from app.inference.engine.messages import Usage
from app.serve.offers import Offer

_FINISHED = {"length": "length", "context": "length"}  # otherwise stop
_CUT = ("length", "context")


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer's envelope. `model`: as it was asked for."""

    model: str
    id: str = field(default_factory=lambda: f"chatcmpl-{secrets.token_hex(12)}")
    created: int = field(default_factory=lambda: int(time.time()))

    def whole(self, text: str, outcome: Outcome) -> dict[str, Any]:
        text = text.strip()
        content = text + below(text, outcome.grounding)
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": content, "refusal": None},
            "logprobs": None,
            "finish_reason": finish_reason(outcome),
        }
        return {**self._head("chat.completion", [choice]), "usage": usage(outcome.done.usage), "kotae": facts(outcome)}

    def piece(self, text: str, *, is_first: bool = False) -> dict[str, Any]:
        delta = {"role": "assistant", "content": text} if is_first else {"content": text}
        return self._chunk(delta, None)

    def last(self, outcome: Outcome) -> dict[str, Any]:
        return {**self._chunk({}, finish_reason(outcome)), "kotae": facts(outcome)}

    def used(self, outcome: Outcome) -> dict[str, Any]:
        return {**self._head("chat.completion.chunk", []), "usage": usage(outcome.done.usage)}

    def _chunk(self, delta: dict[str, str], reason: str | None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return self._head("chat.completion.chunk", [choice])

    def _head(self, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model, "choices": choices}


def models(offers: Sequence[Offer], created: int) -> dict[str, Any]:
    entries = [{"id": one.id, "object": "model", "created": created, "owned_by": "kotae"} for one in offers]
    return {"object": "list", "data": entries}


def facts(outcome: Outcome) -> dict[str, Any]:
    """Sources, claims and verdict as `kotae ask --json` gives them."""
    kept, reason = outcome.grounding or Grounding(), outcome.done.stop_reason
    verdict = "length" if reason in _CUT else "stopped" if reason == "cancelled" else kept.verdict
    return {"sources": contract.sources(kept), "claims": contract.claims(kept), "verdict": verdict}


def below(text: str, grounding: Grounding | None) -> str:
    """What stands below a grounded answer: what its check has found, and where the sources that it uses are from."""
    if grounding is None:
        return ""
    lines = checked.lines(grounding)
    numbers = citing.used(text, grounding)
    if numbers:
        title = phrase("sources" if grounding.verdict == "answered" else "nearest")
        places = [f"[{number}] {citing.place(grounding.sources[number - 1])}" for number in numbers]
        lines = [*lines, *([""] if lines else []), title, *places]
    return "\n\n" + "\n".join(lines) if lines else ""


def finish_reason(outcome: Outcome) -> str:
    return _FINISHED.get(outcome.done.stop_reason, "stop")


def usage(used: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": used.prompt_tokens,
        "completion_tokens": used.answer_tokens,
        "total_tokens": used.prompt_tokens + used.answer_tokens,
        "prompt_tokens_details": {"cached_tokens": used.cached_tokens},
    }
