"""What a run tells comes through JSON unchanged, and what is no event is refused."""

import dataclasses
import json
import math
from typing import Any

import pytest

from app.base import json_lines
from trainer import events
from trainer.events import Event, PreflightFinding, PreflightFindings, Preview, PreviewToken

TEXTS = {"name": "training", "reason": "epochs", "path": "/橋/run", "code": "data_missing", "question": "「橋」は？\n"}


def made(kind: Any) -> Event:
    """One of each kind, with a value in every field."""
    values: dict[str, Any] = {}
    for at, field in enumerate(dataclasses.fields(kind)):
        known = {
            "int": at + 1,
            "float": at + 0.5,
            "float | None": at + 0.5,
            "bool": True,
            "str": TEXTS.get(field.name, "文字"),
        }
        kind_of = getattr(field.type, "__name__", str(field.type))
        values[field.name] = known.get(kind_of, {"a": "二"} if field.name == "versions" else {"a": [1, "二"]})
    if kind is PreflightFindings:
        values["found"] = (
            PreflightFinding("few_rows", "warn", {"rows": 3}),
            PreflightFinding("lengths", "note", {"bins": [[64, 2]]}),
        )
    if kind is Preview:
        values["tokens"] = (PreviewToken(2, "<bos>", False, "bos"), PreviewToken(99, "<0xE3>", True))
    event: Event = kind(**values)
    return event


KINDS = Event.__args__


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_an_event_comes_back_as_it_was(kind: Any) -> None:
    event = made(kind)
    line = json.dumps(events.to_json(event), ensure_ascii=False)
    assert "\n" not in line
    assert json_lines.decode(line.encode(), events.KINDS, "event") == event


def test_each_event_has_a_name_of_its_own_and_terminal_ones_can_be_told_apart() -> None:
    names = [events.to_json(made(kind))["event"] for kind in KINDS]
    assert len(set(names)) == len(KINDS)
    assert {"started", "step", "finished", "failed"} < set(names)
    assert {kind.__name__ for kind in events.TERMINAL} == {"Finished", "Paused", "Cancelled", "Failed"}
    assert set(events.TERMINAL) < set(KINDS)
    finished = dataclasses.replace(made(events.Finished), base_loss=math.nan)
    read = json_lines.decode(json.dumps(events.to_json(finished)).encode(), events.KINDS, "event")
    assert isinstance(read, events.Finished)
    assert math.isnan(read.base_loss)


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"event": "other"},
        {"event": None, "step": 3},
        {"event": "paused"},
        {"event": "paused", "step": 3, "more": 1},
        {"event": "findings"},
        {"event": "findings", "found": [{"code": "x"}]},
        {"event": "findings", "found": 3},
        {"event": "preview", "line": 1},
        {"event": "preview", "line": 1, "tokens": [{"id": 1}]},
        {"event": "event", "name": "x"},
    ],
)
def test_what_is_no_event_is_refused(data: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        json_lines.convert_message(data, events.KINDS, "event")
