"""Schemas from outside: what would fill the engine's memory or end it is refused before a grammar is made."""

import json
import time
from typing import Any

import pytest

from app.inference.engine import schema_limits


def nested(depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "integer"}
    for _ in range(depth):
        schema = {"type": "array", "items": schema}
    return schema


_HARMFUL = {
    "a long array": {"type": "array", "items": {"type": "integer"}, "minItems": 100_000, "maxItems": 200_000},
    "a number beyond all": {"type": "array", "items": {}, "minItems": 10**300},
    "a number with a fraction": {"type": "string", "maxLength": 1e300},
    "many arrays of some length": {
        "properties": {f"p{n}": {"type": "array", "items": {}, "maxItems": 500} for n in range(5)}
    },
    "depth": nested(40),
    "more depth than Python reads": nested(400),
    "many values": {"enum": list(range(6_000))},
    "a long text": {"const": "x" * 200_000},
    "a pattern that multiplies": {"type": "string", "pattern": "^((a{99}){99}){99}$"},
    "a long pattern": {"type": "string", "pattern": f"^{'a?' * 200}$"},
}


@pytest.mark.fault("S19")
@pytest.mark.parametrize("what", _HARMFUL)
def test_a_schema_that_would_grow_is_refused_soon(what: str) -> None:
    begun = time.perf_counter()
    assert schema_limits.problem_of(json.dumps(_HARMFUL[what]))
    assert time.perf_counter() - begun < 0.5


def test_schemas_as_programs_write_them_pass() -> None:
    row = {"type": "object", "properties": {"name": {"type": "string", "maxLength": 200}, "n": {"type": "integer"}}}
    assert schema_limits.problem_of(json.dumps({"type": "array", "items": row, "minItems": 1, "maxItems": 50})) == ""
    assert schema_limits.problem_of(json.dumps({"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}$"})) == ""
    assert schema_limits.problem_of(json.dumps(nested(10))) == ""
    assert schema_limits.problem_of('{"type": "object"}') == ""
