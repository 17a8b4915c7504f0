"""Limits of numeric command-line options."""

from app.base.errors import AppError
from app.base.wording import phrase


def check(option: str, value: float | None, low: int, high: int) -> None:
    """Raises AppError("bad_option"); None is no value."""
    if value is not None and not low <= value <= high:
        raise AppError("bad_option", option=option, value=value, expected=phrase("common.range", low=low, high=high))
