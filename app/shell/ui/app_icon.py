"""The icon of the program: 答 on indigo."""

from PySide6.QtGui import QIcon

from app.uikit.theme import render_svg

SIZES_PX = (16, 24, 32, 48, 64, 128, 256)


def icon() -> QIcon:
    icon = QIcon()
    for size in SIZES_PX:
        icon.addPixmap(render_svg("kotae", "", size))
    return icon
