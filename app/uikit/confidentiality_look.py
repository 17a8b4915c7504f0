"""How confidentiality labels look wherever they stand."""

from PySide6.QtCore import QRect
from PySide6.QtGui import QPainter

from app.base import confidentiality
from app.base.confidentiality import LABELS, Label
from app.uikit import phrases
from app.uikit.theme import Theme
from app.uikit.widgets import rows

# Icon and tone. The highest is seen at a glance, and is no failure, which would be red.
LOOKS: dict[Label, tuple[str, str]] = {
    "public": ("", "muted"),
    "internal": ("lock", "text2"),
    "secret": ("lock", "warning"),
}


def told(label: Label) -> str:
    """Its words among other facts; "" for the lowest, which keeps nothing from anybody."""
    return "" if label == LABELS[0] else phrases.label(label)


def draw(painter: QPainter, theme: Theme, area: QRect, label: Label, tone: str) -> int:
    """In a row of a list whose other facts have `tone`: most have the middle label, so only the highest has its sign.
    Returns the width it took."""
    if label != confidentiality.HIGHEST:
        return rows.draw_text(painter, theme, area, phrases.label(label), "caption", tone)
    return rows.draw_sign(painter, theme, area, *LOOKS[label], phrases.label(label), weight=600)
