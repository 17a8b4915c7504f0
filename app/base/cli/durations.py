"""Durations as the command line prints them."""

import math

from app.base import wording


def duration(seconds: float) -> str:
    if not math.isfinite(seconds):
        return "-"
    minutes, rest = divmod(max(0, round(seconds)), 60)
    if minutes >= 60:
        return wording.phrase("base.time_hours", h=minutes // 60, m=minutes % 60)
    return (
        wording.phrase("base.time_minutes", m=minutes, s=rest)
        if minutes
        else wording.phrase("base.time_seconds", s=rest)
    )
