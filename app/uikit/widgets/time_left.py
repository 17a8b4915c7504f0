"""The time that something still takes, in words."""

import math

from app.base import time_left
from app.base.wording import phrase


class TimeLeft(time_left.TimeLeft):
    """Takes the fraction that is done, and says how long the rest takes."""

    @property
    def words(self) -> str:
        """ "" while it is not known."""
        return in_words(self.seconds) if self.seconds is not None else ""


def in_words(seconds: int) -> str:
    """Exact below a minute, rounded up to minutes above."""
    if seconds < 60:
        return phrase("uikit.s_s_left", s=seconds)
    minutes = math.ceil(seconds / 60)
    if minutes < 60:
        return phrase("uikit.about_m_min_left", m=minutes)
    return phrase("uikit.about_h_h_m_min", h=minutes // 60, m=minutes % 60)
