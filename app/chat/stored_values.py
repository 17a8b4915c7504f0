"""Values as the database keeps them: choices, the scope of a conversation and details of an answer as JSON in one
column; and all of them as they are read, since sqlite takes a value of any type in most columns, and other programs
can write them. One that is of another type costs only itself.
"""

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

from app.base import invisible_characters
from app.chat.presets import Choices
from app.chat.records import AnswerDetails
from app.documents.grounding import grounding_record
from app.documents.grounding.grounding_record import CollectionRef, Grounding

LATEST_S = 253_402_128_000  # of the year 9999, in any time zone


def text(value: object) -> str:
    """Return a text of the database; other values as a text, what is bytes decoded."""
    if isinstance(value, str):
        return value
    return invisible_characters.to_single_line(
        value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    )


def moment(value: object) -> float:
    """Return a time of the database, in seconds since 1970 (UTC); 0 for what no clock says."""
    return value if isinstance(value, int | float) and 0 <= value < LATEST_S else 0.0


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


def details(stored: str | None) -> AnswerDetails | None:
    """Unknown keys (a newer program's) are left out."""
    if stored is None:
        return None
    values = {key: value for key, value in json.loads(stored).items() if _fits(key, value)}
    if values.get("choices") is not None:
        values["choices"] = Choices.from_dict(values["choices"])
    learned = values.get("learned")
    values["learned"] = tuple(map(str, learned)) if isinstance(learned, list) else ()
    values["scope"] = _scope(values.get("scope") or [])
    values["grounding"] = _grounding(values.get("grounding"))
    values["quoted"] = (_grounding({"sources": values.get("quoted") or []}) or Grounding()).sources
    return AnswerDetails(**values)


_FIELDS = {field.name: type(field.default) for field in dataclasses.fields(AnswerDetails)}
_KINDS = {name: kind for name, kind in _FIELDS.items() if kind in (str, int, float, bool)}
_KINDS |= {"seed": int, "reproduces_id": int, "is_same": bool}  # or None, as they are without a value


def _fits(key: str, value: object) -> bool:
    """Whether it is known, and of the kind that it should be. Those of no plain kind are looked at by themselves."""
    kind = _KINDS.get(key, object)
    is_of_kind = kind is object or type(value) is kind or (kind is float and type(value) is int)
    return key in _FIELDS and is_of_kind


def _scope(data: Any) -> tuple[CollectionRef, ...]:
    try:
        return grounding_record.references(data)
    except ValueError:
        return ()


def _grounding(data: Any) -> Grounding | None:
    """What a newer program has written otherwise costs the sources, and not the answer."""
    try:
        return None if data is None else grounding_record.from_dict(data)
    except ValueError:
        return None
