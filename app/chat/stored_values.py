"""Values that the database keeps as JSON in one column: choices, the scope of a conversation, details of an answer."""

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

from app.chat.presets import Choices
from app.chat.records import AnswerDetails
from app.documents.grounding import grounding
from app.documents.grounding.grounding import CollectionRef, Grounding


def choices_json(choices: Choices) -> str | None:
    chosen = choices.as_dict()
    return json.dumps(chosen, ensure_ascii=False) if chosen else None


def scope_json(scope: Sequence[CollectionRef]) -> str | None:
    return json.dumps([dataclasses.asdict(one) for one in scope], ensure_ascii=False) if scope else None


def scope(text: str) -> tuple[CollectionRef, ...]:
    return _scope(json.loads(text))


def details_json(details: AnswerDetails) -> str:
    values = dataclasses.asdict(details)
    values["choices"] = details.choices.as_dict() if details.choices else None
    return json.dumps(values, ensure_ascii=False)


def details(text: str | None) -> AnswerDetails | None:
    """Unknown keys (a newer program's) are left out."""
    if text is None:
        return None
    known = {field.name for field in dataclasses.fields(AnswerDetails)}
    values = {key: value for key, value in json.loads(text).items() if key in known}
    if values.get("choices") is not None:
        values["choices"] = Choices.from_dict(values["choices"])
    values["learned"] = tuple(map(str, values.get("learned") or ()))
    values["scope"] = _scope(values.get("scope") or [])
    values["grounding"] = _grounding(values.get("grounding"))
    values["quoted"] = (_grounding({"sources": values.get("quoted") or []}) or Grounding()).sources
    return AnswerDetails(**values)


def _scope(data: Any) -> tuple[CollectionRef, ...]:
    try:
        return grounding.references(data)
    except ValueError:
        return ()


def _grounding(data: Any) -> Grounding | None:
    """What a newer program has written otherwise costs the sources, and not the answer."""
    try:
        return None if data is None else grounding.from_dict(data)
    except ValueError:
        return None
