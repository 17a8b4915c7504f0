"""Absolute paths of what a user has typed."""

from pathlib import Path

from app.base.errors import AppError


def absolute(path: Path) -> Path:
    """Raises AppError("hf_folder_unreadable") for the home folder of nobody."""
    try:
        return path.expanduser().absolute()
    except RuntimeError as error:
        raise AppError("hf_folder_unreadable", path=str(path), reason=str(error)) from error
