"""Days of use for tests: as if the machine had been running on for so long."""

import json
from pathlib import Path

from app.base.files.day_record import NAME, DayRecord


def pass_days(folder: Path, count: int) -> DayRecord:
    """`folder`: the data folder. What has been noted in it is so many days older by its record."""
    record = DayRecord(folder)
    record.track("nothing", {}, 0.0)
    state = json.loads((folder / NAME).read_bytes())
    state["days"] += count
    (folder / NAME).write_text(json.dumps(state))
    return record
