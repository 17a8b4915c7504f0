"""How large a JSON schema may be before a grammar is made of it.

The grammar's parser writes each repetition out as many times as it says and calls itself for each level: a schema of a
hundred bytes could fill the memory or end the process.
"""

import re
from collections.abc import Iterator
from typing import Any

from app.base.files import strict_json

SCHEMA_BYTES = 100_000
VALUES_MOST = 5_000
DEPTH_MOST = 32
REPEATS_MOST = 2_000  # all of them together; llama.cpp itself refuses more in one
PATTERN_CHARACTERS = 300
GRAMMAR_CHARACTERS = 200_000
_COUNTS = ("minItems", "maxItems", "minLength", "maxLength")
# Of a pattern, as llama-cpp-python divides it (llama_grammar.SchemaConverter): a text that ends in an escaped character
# is repeated whole, any other sign by itself.
_PART = re.compile(r"(?:\\.|[^\\()\[\]{}|.*+?])*\\.|\[(?:\\.|[^\\\]])*\]?|\{[^}]*\}?|.", re.DOTALL)


def problem_of(schema: str) -> str:
    """Return what is too large, in English for the details; "" for nothing. Takes time linear in its length."""
    if len(schema) > SCHEMA_BYTES:
        return f"a schema of more than {SCHEMA_BYTES:,} characters"
    try:
        values = list(_values(strict_json.loads(schema), 0))
    except ValueError:
        return f"a schema that is nested deeper than {DEPTH_MOST}, or is no JSON"
    if len(values) > VALUES_MOST:
        return f"a schema of more than {VALUES_MOST:,} values"
    repeats = 0
    for key, value in values:
        if key in _COUNTS and isinstance(value, int | float):
            repeats += int(value) if 0 <= value <= REPEATS_MOST else 0 if value < 0 else REPEATS_MOST + 1
        elif key == "pattern" and isinstance(value, str):
            if len(value) > PATTERN_CHARACTERS:
                return f"a pattern of more than {PATTERN_CHARACTERS} characters"
            repeats += _repeats(value)
    return f"more than {REPEATS_MOST:,} repetitions" if repeats > REPEATS_MOST else ""


def _values(value: Any, depth: int, key: str = "") -> Iterator[tuple[str, Any]]:
    """Each value with the key that it stands under. Raises ValueError where they are nested too deeply."""
    if depth > DEPTH_MOST:
        raise ValueError("depth")
    yield key, value
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _values(inner, depth + 1, name)
    elif isinstance(value, list):
        for inner in value:
            yield from _values(inner, depth + 1)


def _repeats(pattern: str) -> int:
    """Return how many parts are added when each repetition is written out: those side by side add up, those of a group
    multiply with its own."""
    groups, written = [[0]], 0  # the sizes of the parts of each group that is open; of all as they stand
    for part in _PART.findall(pattern):
        if part == "(":
            groups.append([0])
        elif part == ")" and len(groups) > 1:
            groups[-2].append(sum(groups.pop()))
        elif part[0] == "{":
            groups[-1][-1] *= _most(part)
        else:
            size = 1 if part[0] == "[" else len(part)
            groups[-1].append(size)
            written += size
    return sum(map(sum, groups)) - written


def _most(quantifier: str) -> int:
    """Return how often a part is written out, read as the converter reads it; what is no number there it refuses."""
    try:
        return max([1, *(int(number) for number in quantifier.strip("{}").split(",") if number.strip())])
    except ValueError:
        return 1
