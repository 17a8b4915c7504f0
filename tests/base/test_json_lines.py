"""Lines and records: what is written is what is read, and a value of another type is refused."""

import json
import math
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pytest

from app.base import json_lines


@dataclass(frozen=True, slots=True)
class _Part:
    name: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class _Record:
    seeds: tuple[int, ...]
    label: Literal["open", "closed"] = "open"
    parts: tuple[_Part, ...] = ()
    part: _Part | None = None
    facts: dict[str, Any] = field(default_factory=dict)


KINDS = {"Stored": _Record}
WHOLE = _Record(
    (1, -(2**63), 2**63 - 1), "closed", (_Part("改行\n\u2028"), _Part("b", math.inf)), _Part(""), {"a": [1]}
)


def test_a_record_is_read_as_it_was_written_under_the_name_of_the_file() -> None:
    line = json_lines.encode_line(WHOLE, "Stored")
    assert line.startswith(b'{"type":"Stored","seeds":[1,')
    assert line.count(b"\n") == 1
    assert json_lines.decode(line, KINDS) == WHOLE


def test_numbers_of_numpy_and_half_a_character_are_written() -> None:
    part = _Part("bad\udcff", np.float64(0.1))
    assert json_lines.encode_line(part) == b'{"type":"_Part","name":"bad?","weight":0.1}\n'


def test_numbers_that_no_measure_has_pass_where_a_training_writes_them() -> None:
    line = json_lines.encode_line(_Part("loss", math.nan))
    assert math.isnan(json_lines.decode(line, {"_Part": _Part}).weight)


@pytest.mark.parametrize(
    "change",
    [
        {"seeds": "abc"}, {"seeds": [True]}, {"seeds": [0.5]}, {"seeds": [1.0]}, {"seeds": None}, {"seeds": [2**63]},
        {"seeds": [-(2**63) - 1]}, {"seeds": [10**400]}, {"label": "half"}, {"label": 1}, {"parts": {}},
        {"parts": [1]}, {"parts": [{}]}, {"parts": [{"name": "a", "more": 1}]}, {"part": {"name": "a", "more": 1}},
         {"parts": [{"name": "a", "weight": True}]}, {"part": {"name": 3}},
        {"part": []}, {"facts": []}, {"more": 1}, {"type": "Other"}, {"type": None}, {"type": ["Stored"]},
    ],
)  # fmt: skip
def test_a_value_of_another_type_or_name_is_refused(change: dict[str, Any]) -> None:
    raw = json.dumps({"type": "Stored", "seeds": [1], **change}).encode()
    with pytest.raises(ValueError):
        json_lines.decode(raw, KINDS)


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b"3", b'"Stored"', b"{", b"\xff", b'{"seeds": [1]}', b'{"type": "Stored"}']
)
def test_what_is_no_record_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError):
        json_lines.decode(raw, KINDS)


def test_a_whole_number_may_stand_for_a_float() -> None:
    assert json_lines.decode(b'{"type": "_Part", "name": "a", "weight": 2}', {"_Part": _Part}) == _Part("a", 2.0)
