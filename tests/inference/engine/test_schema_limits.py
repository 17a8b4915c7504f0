"""Schemas from outside: what would fill the engine's memory or end it is refused before a grammar is made."""

import json
import time
from typing import Any

import pytest

from app.inference.engine import llama


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
    "a pattern whose groups multiply behind blanks": {"type": "string", "pattern": "^((a{ 99}){+99}){99 }$"},
    "counts in full width and with underscores": {"type": "string", "pattern": "^(a{９９}){9_9}$"},
    "a group of many repetitions": {"type": "string", "pattern": "^([0-9]{50}-){50}$"},
    "a long text that is repeated": {"type": "string", "pattern": rf"^{'a' * 100}\.{{30}}$"},
    "an open group": {"type": "string", "pattern": "^((a{99}){99"},
    "a count of many digits": {"type": "string", "pattern": f"a{{{'9' * 290}}}"},
    "many repetitions side by side": {"type": "string", "pattern": "[a-z]{700}[0-9]{700}[A-Z]{700}"},
    "many patterns that grow a little": {
        "properties": {f"p{n}": {"type": "string", "pattern": f"[{'a' * 200}]{{90}}"} for n in range(30)}
    },
    "a long pattern": {"type": "string", "pattern": f"^{'a?' * 200}$"},
}


@pytest.mark.fault("S19")
@pytest.mark.parametrize("what", _HARMFUL)
def test_a_schema_that_would_grow_is_refused_soon(what: str) -> None:
    begun = time.process_time()
    assert llama.schema_problem(json.dumps(_HARMFUL[what]))
    assert time.process_time() - begun < 0.5


@pytest.mark.fault("S19")
@pytest.mark.parametrize("count", ["1e999", "Infinity", "NaN"])
def test_a_count_that_is_no_number_is_refused(count: str) -> None:
    assert llama.schema_problem(f'{{"type": "array", "items": {{}}, "maxItems": {count}}}')
    assert llama.schema_problem('{"type": "array", "items": {}, "minItems": -1e999}') == ""


def test_schemas_as_programs_write_them_pass() -> None:
    row = {"type": "object", "properties": {"name": {"type": "string", "maxLength": 200}, "n": {"type": "integer"}}}
    assert llama.schema_problem(json.dumps({"type": "array", "items": row, "minItems": 1, "maxItems": 50})) == ""
    assert llama.schema_problem(json.dumps({"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}$"})) == ""
    assert llama.schema_problem(json.dumps(nested(10))) == ""


@pytest.mark.parametrize(
    "pattern",
    [
        "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
        "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$",
        "^[A-Fa-f0-9]{64}$",
        r"^([0-9]{1,3}\.){3}[0-9]{1,3}$",
        r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})$",
        "^([0-9A-F]{2}:){5}[0-9A-F]{2}$",
        r"^[{8}]{1000}\{9999\}$",  # braces that are signs
        "^0[0-9]{1,4}-[0-9]{1,4}-[0-9]{4}$",
    ],
)
def test_patterns_of_what_everybody_writes_pass(pattern: str) -> None:
    row = {"properties": {f"p{n}": {"type": "string", "pattern": pattern} for n in range(2)}}
    assert llama.schema_problem(json.dumps(row)) == ""


def test_a_plain_object_passes() -> None:
    assert llama.schema_problem('{"type": "object"}') == ""
