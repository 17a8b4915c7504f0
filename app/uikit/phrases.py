"""Short phrases that several pages share: sizes, durations, shares, labels."""

import math
from collections.abc import Sequence

from app.base import wording
from app.base.confidentiality import Label
from app.base.wording import current_language, phrase


def label(key: Label) -> str:
    return {
        "public": phrase("uikit.public"),
        "internal": phrase("uikit.internal"),
        "secret": phrase("uikit.confidential"),
    }[key]


def about_time(seconds: float) -> str:
    """Rounded: a forecast."""
    minutes = max(1, round(seconds / 60))
    if minutes < 100:
        return phrase("uikit.about_n_min", n=minutes)
    hours = round(minutes / 60)
    if hours < 48:
        return phrase("uikit.about_n_h", n=hours)
    return phrase("uikit.about_n_days", n=f"{round(hours / 24):,}")


def gigabytes(size_bytes: int) -> str:
    if size_bytes < 5e7:
        return f"{size_bytes / 1e6:,.1f}\u00a0MB"
    return f"{size_bytes / 1e9:,.1f}\u00a0GB"


def sentences(*parts: str) -> str:
    """One after another; empty ones are left out."""
    return ("" if wording.current_language() == "ja" else " ").join(part for part in parts if part)


def duration(seconds: float) -> str:
    """ "" for what is not known."""
    if not math.isfinite(seconds):
        return ""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    if minutes >= 60:
        return phrase("uikit.h_h_m_min", h=minutes // 60, m=f"{minutes % 60:02}")
    if minutes:
        return phrase("uikit.m_min_s_s", m=minutes, s=f"{rest:02}")
    return phrase("common.s_s", s=rest)


def percent(share: float) -> str:
    return f"{share * 100:.1f}".removesuffix(".0") + "\u00a0%"


def quality(quantization: str) -> str:
    """What a form is for."""
    return {
        "Q4_K_M": phrase("uikit.standard_start_with_this"),
        "UD-Q4_K_M": phrase("uikit.standard_start_with_this"),
        "Q5_K_M": phrase("uikit.favours_quality_slightly"),
        "Q6_K": phrase("uikit.favours_quality"),
        "Q8_0": phrase("uikit.almost_like_the_original"),
    }.get(quantization, "")


def is_japanese() -> bool:
    return current_language() == "ja"


def enumerated(names: Sequence[str]) -> str:
    return ("、" if is_japanese() else ", ").join(names)


def sends_to(place: str) -> str:
    """The mark of everything that leaves this machine. `place`: host and port."""
    return phrase("uikit.leaves_this_pc_for_place", place=place)


def breakable(path: str) -> str:
    """With places where a line may end: a long path has no spaces."""
    return path.replace("/", "/\u200b").replace("\\", "\\\u200b")
