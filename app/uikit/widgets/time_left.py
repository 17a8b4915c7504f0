"""The time that something still takes, in words."""

import math

from PySide6.QtCore import QCoreApplication

from app.base import time_left

translate = QCoreApplication.translate


class TimeLeft(time_left.TimeLeft):
    """Takes the fraction that is done, and says how long the rest takes."""

    @property
    def words(self) -> str:
        """ "" while it is not known."""
        return in_words(self.seconds) if self.seconds is not None else ""


def in_words(seconds: int) -> str:
    """Exact below a minute, rounded up to minutes above."""
    if seconds < 60:
        return translate("TimeLeft", "残り {s} 秒").format(s=seconds)
    minutes = math.ceil(seconds / 60)
    if minutes < 60:
        return translate("TimeLeft", "残り 約 {m} 分").format(m=minutes)
    return translate("TimeLeft", "残り 約 {h} 時間 {m} 分").format(h=minutes // 60, m=minutes % 60)
