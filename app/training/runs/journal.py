"""The journal of a run: what its training has told, one event a line. It may have come with a folder from elsewhere.

The trainer's own `events.from_json` looks at names alone, as the trainer has nothing but the standard library; whatever
this program draws, words and compares went through `event_of`, and has the types that it says.
"""

import contextlib
import dataclasses
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from app.base import json_lines
from app.base.files import strict_json
from trainer import events, spec
from trainer.events import Event

_LEVELS = {"block", "warn", "note"}
_REASONS = {
    events.Adjusted: ("out_of_memory", "not_finite", "slow"),
    events.Finished: ("early_stopping", "epochs", "steps", "stopped"),
}
_MAY_BE_INFINITE = ("loss", "gradient_norm", "left_s", "total_s")  # training goes wrong, or has not been measured


def event_of(data: Mapping[str, Any]) -> Event:
    """Return the event that an object stands for. Raises ValueError for whatever is none, or has a wrong value."""
    kind = events.KINDS.get(str(data.get("event")))
    if kind is None:
        raise ValueError("unknown event")
    event: Event = json_lines.convert_value(kind, {key: value for key, value in data.items() if key != "event"})
    for field in dataclasses.fields(event):
        value = getattr(event, field.name)
        if isinstance(value, float) and field.name not in _MAY_BE_INFINITE and not math.isfinite(value):
            raise ValueError(f"{field.name}: no finite number")
    if isinstance(event, events.ResolvedRecipe):
        spec.from_json(event.spec)
    if isinstance(event, events.PreflightFindings) and not {one.level for one in event.found} <= _LEVELS:
        raise ValueError("unknown level")
    if isinstance(event, events.Adjusted | events.Finished) and event.reason not in _REASONS[type(event)]:
        raise ValueError("unknown reason")
    return event


def read_line(line: bytes) -> Event:
    """Raises ValueError."""
    return event_of(json_lines.decode_object(line))


def read(path: Path) -> Iterator[Event]:
    """All events of a file, none where there is no file. Lines that are torn, or of a newer protocol, are left out."""
    try:
        written = strict_json.read_bytes(path).splitlines()
    except OSError:  # the run has not begun
        return
    for line in written:
        with contextlib.suppress(ValueError):
            yield read_line(line)
