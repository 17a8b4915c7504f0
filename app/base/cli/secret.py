"""What is confidential leaves the program with a yes only, and is put on record."""

from pathlib import Path

from app.base import confidentiality, export_log
from app.base.confidentiality import Label
from app.base.errors import AppError
from app.base.export_log import What
from app.base.paths import Paths


def permit(label: Label, named: str, what: What, out: Path, where: Paths, *, is_allowed: bool) -> None:
    """`named`: what is confidential, for the message. Raises AppError("secret_export" | "export_log_unwritable")."""
    if label == confidentiality.HIGHEST:
        if not is_allowed:
            raise AppError("secret_export", what=named)
        export_log.note(where.exports_log, what, label, str(out.absolute()))
