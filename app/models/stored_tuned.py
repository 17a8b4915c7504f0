"""The provenance of a tuned model as JSON in one database column."""

import dataclasses
import json

from app.inference.local_model import TuningRecord


def tuned_json(tuned: TuningRecord) -> str:
    return json.dumps(dataclasses.asdict(tuned), ensure_ascii=False)


def tuned(text: str | None) -> TuningRecord | None:
    """Unknown keys (a newer program's) are left out."""
    if text is None:
        return None
    known = {field.name for field in dataclasses.fields(TuningRecord)}
    values = {key: value for key, value in json.loads(text).items() if key in known}
    return TuningRecord(**values | {"origins": tuple(map(tuple, values.get("origins") or ()))})
