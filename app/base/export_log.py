"""What confidential content has left the program, and where to: one line each, without any of the content.

Written before the export, so that there is none without its line.
"""

import datetime
import json
import os
from pathlib import Path
from typing import Literal

from app.base.confidentiality import Label
from app.base.errors import AppError

What = Literal["conversations", "conversation", "answer", "answers", "pairs", "questions", "copy"]
CLIPBOARD = "clipboard"


def note(log: Path, what: What, label: Label, target: str) -> None:
    """`target`: the file or folder, or CLIPBOARD. Raises AppError("export_log_unwritable")."""
    at = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
    line = json.dumps({"at": at, "what": what, "label": label, "target": target}, ensure_ascii=False)
    try:
        with log.open("ab") as file:
            file.write(line.encode("utf-8", "replace") + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise AppError("export_log_unwritable", path=str(log)) from error
