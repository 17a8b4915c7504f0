"""The file of answers, in the form that its name says. Written whole or not at all."""

import os
from pathlib import Path

from app.base.confidentiality import Permit
from app.base.errors import AppError
from app.chat.batch import text_files
from app.chat.batch.report import Report

SUFFIXES = (".xlsx", ".csv", ".jsonl")


def check_target(out: Path, questions: Path) -> None:
    """Before anything is asked. Raises AppError("batch_out_format" | "batch_same_file" | "export_folder_gone")."""
    if out.suffix.lower() not in SUFFIXES:
        raise AppError("batch_out_format", name=out.name)
    if not out.parent.is_dir():
        raise AppError("export_folder_gone", path=str(out.parent))
    if out.exists() and questions.exists() and out.samefile(questions):
        raise AppError("batch_same_file", path=str(out))


def save(report: Report, out: Path, *, permit: Permit) -> None:
    """Raises AppError as `Permit.whole_file`, and "batch_out_open"."""
    try:
        _save(report, out, permit)
    except AppError as error:
        # Windows replaces no file that Excel holds open; its folder is not to blame.
        if error.code == "export_forbidden" and out.exists() and os.access(out.parent, os.W_OK):
            raise AppError("batch_out_open", path=str(out)) from error
        raise


def _save(report: Report, out: Path, permit: Permit) -> None:
    with permit.open_atomically(out) as file:
        if out.suffix.lower() == ".xlsx":
            from app.chat.batch import excel_file  # a fifth of a second of imports

            excel_file.write(report, file)
        elif out.suffix.lower() == ".csv":
            text_files.write_csv(report, file)
        else:
            text_files.write_json(report, file)
