"""What is confidential leaves the program with a yes only, and is put on record."""

from pathlib import Path

from app.core import export_log
from app.core.documents import labels
from app.core.documents.records import Label
from app.core.errors import AppError
from app.core.export_log import What
from app.core.paths import Paths


def permit(label: Label, named: str, what: What, out: Path, where: Paths, *, is_allowed: bool) -> None:
    """`named`: what is confidential, for the message. Raises AppError("secret_export" | "export_log_unwritable")."""
    if label == labels.HIGHEST:
        if not is_allowed:
            raise AppError("secret_export", what=named)
        export_log.note(where.exports_log, what, label, str(out.absolute()))
