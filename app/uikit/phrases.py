"""Short phrases that several pages share: sizes, durations, shares, labels."""

import math
from collections.abc import Sequence

from PySide6.QtCore import QCoreApplication

from app.base import wording
from app.base.confidentiality import Label
from app.base.wording import current_language

translate = QCoreApplication.translate


def label(key: Label) -> str:
    return {
        "public": translate("Documents", "公開"),
        "internal": translate("Documents", "社外秘"),
        "secret": translate("Documents", "機密"),
    }[key]


def about_time(seconds: float) -> str:
    """Rounded: a forecast."""
    minutes = max(1, round(seconds / 60))
    if minutes < 100:
        return translate("TrainingModel", "約 {n} 分").format(n=minutes)
    hours = round(minutes / 60)
    if hours < 48:
        return translate("TrainingModel", "約 {n} 時間").format(n=hours)
    return translate("TrainingModel", "約 {n} 日").format(n=f"{round(hours / 24):,}")


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
        return translate("TrainingRun", "{h} 時間 {m} 分").format(h=minutes // 60, m=f"{minutes % 60:02}")
    if minutes:
        return translate("TrainingRun", "{m} 分 {s} 秒").format(m=minutes, s=f"{rest:02}")
    return translate("TrainingRun", "{s} 秒").format(s=rest)


def percent(share: float) -> str:
    return f"{share * 100:.1f}".removesuffix(".0") + "\u00a0%"


def quality(quantization: str) -> str:
    """What a form is for."""
    return {
        "Q4_K_M": translate("Models", "標準。まずはこれ"),
        "UD-Q4_K_M": translate("Models", "標準。まずはこれ"),
        "Q5_K_M": translate("Models", "品質を少し優先"),
        "Q6_K": translate("Models", "品質を優先"),
        "Q8_0": translate("Models", "元とほぼ同じ"),
    }.get(quantization, "")


def is_japanese() -> bool:
    return current_language() == "ja"


def enumerated(names: Sequence[str]) -> str:
    return ("、" if is_japanese() else ", ").join(names)


def sends_to(place: str) -> str:
    """The mark of everything that leaves this machine. `place`: host and port."""
    return translate("Remote", "外部へ送ります：{place}").format(place=place)


def breakable(path: str) -> str:
    """With places where a line may end: a long path has no spaces."""
    return path.replace("/", "/\u200b").replace("\\", "\\\u200b")
