"""Provide the colours, sizes, fonts and icons of the window, from `resources/themes/kotae.toml` and `kotae.qss`.

Widgets get them from a `Theme` and repaint on its signal `changed`. The style sheet styles widgets by these properties:

    QLabel       type = caption | ui | reading | heading1 … | mono      tone = text2 | muted | accent | success | …
    QPushButton  kind = primary | quiet | danger | danger_fill          compact = true (26 px high)
    QWidget      surface = base | side | raised | sunken | card | success | warning | danger
"""

import functools
import itertools
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import shiboken6
from PySide6.QtCore import QEvent, QObject, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QFont, QFontDatabase, QIcon, QImage, QPainter, QPalette, QPixmap
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QApplication, QWidget

from app.base.paths import resources
from app.base.settings import Settings

PIXEL_RATIOS = (1.0, 2.0)  # device pixel ratios at which icons are rendered; Qt scales down for ratios in between


class Theme(QObject):
    """The theme of all windows. Until `apply` is called it is the light theme at 100 %."""

    changed = Signal()  # the theme, text size or font has changed, and all values from before are outdated

    def __init__(self) -> None:
        super().__init__()
        self._data = _theme_data()
        self._settings = Settings()
        self._is_dark = False
        self._icons: dict[tuple[str, str, str, int, int], QIcon] = {}
        self._app: QApplication | None = None
        self._applied: tuple[str, int] | None = None
        self._later = _LaterStyling(self)
        self._strong = 600  # weight of emphasized text; 700 for the shipped font, which Qt must embolden

    def color(self, token: str) -> QColor:
        """Return a colour. `token`: its name in kotae.toml. Raises KeyError for an unknown name."""
        return QColor(self._hex(token))

    def light_color(self, token: str) -> QColor:
        """Return a colour of the light theme, for content on white paper in either theme."""
        return QColor(self._data["colors"][token]["light"])

    def px(self, n: float) -> int:
        """Scale a length from pixels at 100 % to the user's text size."""
        return round(n * self._settings.text_scale_percent / 100)

    def metric(self, name: str) -> int:
        """Return a length of [metrics] in kotae.toml, in pixels scaled to the user's text size."""
        return self.px(self._data["metrics"][name])

    def font(self, role: str, weight: int | None = None) -> QFont:
        """Return a font. `role`: caption, ui, reading, reading_table, heading1 to 3, mono. `weight`: 400 or 600."""
        kind = self._data["type"][role]
        font = QFont()
        font.setFamilies(self._families(kind.get("family", "ui")))
        font.setPixelSize(self.px(kind["px"]))
        font.setWeight(QFont.Weight(self._weight(weight or kind.get("weight", 400))))
        if kind.get("proportional_kana"):
            font.setFeature(QFont.Tag("palt"), 1)
        return font

    def line_height(self, role: str) -> int:
        """Return the distance of base lines in pixels. `role`: as for `font`."""
        return self.px(self._data["type"][role]["line"])

    def icon(self, name: str, token: str = "text2", size: int = 16, gap: int = 0) -> QIcon:  # noqa: S107 (a colour)
        """Return an icon of `resources/icons` in a colour. `size`: in pixels at 100 %. Outdated after `changed`.

        `gap`: empty pixels at its right, as Qt's buttons leave too little space before the text.
        """
        key = (name, self._hex(token), self._hex("control"), self.px(size), self.px(gap))
        if key not in self._icons:
            self._icons[key] = self._render(*key)
        return self._icons[key]

    def apply(self, app: QApplication, settings: Settings) -> None:
        """Apply the theme and text size of `settings` to the whole application. Theme "system" follows the system."""
        if self._app is None:
            self._app = app
            app.setStyle("Fusion")
            if register_fonts():
                self._strong = 700
            app.styleHints().colorSchemeChanged.connect(self._on_system_changed)
        self._settings = settings
        if self._applied == (settings.theme, settings.text_scale_percent):
            return  # only other settings have changed, and setting a style sheet takes long
        has_new_sizes = self._applied is None or self._applied[1] != settings.text_scale_percent
        self._applied = (settings.theme, settings.text_scale_percent)
        scheme = {"light": Qt.ColorScheme.Light, "dark": Qt.ColorScheme.Dark}.get(settings.theme)
        if scheme is None:
            app.styleHints().unsetColorScheme()
        else:
            app.styleHints().setColorScheme(scheme)
        self._refresh(app, has_new_sizes=has_new_sizes)

    def palette(self) -> QPalette:
        """Return the palette, in which inactive windows look like the active one."""
        palette = QPalette()
        for role, token in self._data["palette"].items():
            palette.setColor(QPalette.ColorGroup.All, QPalette.ColorRole[role], self.color(token))
        for role in (QPalette.ColorRole.Text, QPalette.ColorRole.WindowText, QPalette.ColorRole.ButtonText):
            palette.setColor(QPalette.ColorGroup.Disabled, role, self.color("control"))
        palette.setColor(QPalette.ColorGroup.Disabled, QPalette.ColorRole.Highlight, self.color("sunken"))
        return palette

    def style_sheet(self) -> str:
        """Return kotae.qss with its placeholders ($token, $px(n), $circle(n), $size(role), …) replaced."""
        return re.sub(r"\$([a-z]\w*)(?:\((\w+)\))?", self._filled, _style_template())

    def _filled(self, match: re.Match[str]) -> str:
        name, argument = match.groups()
        if argument is None:
            if name == "icons":
                return (resources() / "icons" / ("dark" if self._is_dark else "light")).as_posix()
            return str(self._strong) if name == "strong" else self._hex(name)
        if name == "px":
            return f"{self.px(int(argument))}px"
        if name == "circle":  # the radius of a circle with a border of 1 px; with a larger radius Qt draws a square
            return f"{(self.px(int(argument)) + 2) // 2}px"
        if name == "size":
            return f"{self.px(self._data['type'][argument]['px'])}px"
        if name == "weight":
            return str(self._weight(self._data["type"][argument].get("weight", 400)))
        return ", ".join(f'"{family}"' for family in self._families(argument))

    def _weight(self, weight: int) -> int:
        return max(weight, self._strong) if weight >= 600 else weight

    def _hex(self, token: str) -> str:
        value: str = self._data["colors"][token]["dark" if self._is_dark else "light"]
        return value

    def _families(self, use: str) -> list[str]:
        platform = {"win32": "windows", "darwin": "macos"}.get(sys.platform, "linux")
        return [*self._data["families"][use][platform], "BIZ UDPGothic"]

    def _render(self, name: str, color: str, disabled_color: str, size: int, gap: int) -> QIcon:
        icon = QIcon()
        for mode, shade in ((QIcon.Mode.Normal, color), (QIcon.Mode.Disabled, disabled_color)):
            for ratio in PIXEL_RATIOS:
                icon.addPixmap(render_svg(name, shade, size, ratio, gap), mode)
        return icon

    def _refresh(self, app: QApplication, *, has_new_sizes: bool) -> None:
        # `setColorScheme` has no effect on platforms without colour schemes (offscreen, bare X11).
        is_system_dark = app.styleHints().colorScheme() == Qt.ColorScheme.Dark
        self._is_dark = is_system_dark if self._settings.theme == "system" else self._settings.theme == "dark"
        self._later.finish()
        widgets = [] if has_new_sizes else app.allWidgets()
        with self._later.spared(widgets), _without_new_layout(widgets):
            app.setStyleSheet("")  # Qt takes five times as long to replace a sheet as to remove it and set another
            app.setPalette(self.palette())
            app.setFont(self.font("ui"))
            app.setStyleSheet(self.style_sheet())
        self.changed.emit()

    def _on_system_changed(self, scheme: Qt.ColorScheme) -> None:
        follows = self._settings.theme == "system" and (scheme == Qt.ColorScheme.Dark) != self._is_dark
        if follows and self._app is not None:
            self._refresh(self._app, has_new_sizes=False)


class _LaterStyling(QObject):
    """Styles the widgets that were hidden during a change of the sheet: in idle moments, or when they are shown.

    A window with every page built has a thousand widgets, of which seventy are visible.
    """

    _BATCH = 20  # widgets between two looks at events: 4 ms

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._hidden: dict[QWidget, None] = {}
        self._roots: list[QWidget] = []  # those of which one must be shown before any of `_hidden` is seen
        self._timer = QTimer(self, interval=1)  # one of 0 would fire before all others
        self._timer.timeout.connect(lambda: self._style(list(self._hidden)[: self._BATCH]))

    @contextmanager
    def spared(self, widgets: Sequence[QWidget]) -> Iterator[None]:
        """Leave the hidden ones of `widgets` as they are during the block, and style them later."""
        polished = Qt.WidgetAttribute.WA_WState_Polished  # QApplication.setStyle passes over those without it
        hidden = itertools.filterfalse(QWidget.isVisible, widgets)
        self._hidden = {one: None for one in hidden if QWidget.testAttribute(one, polished)}
        _set_attribute(self._hidden, polished, False)
        try:
            yield
        finally:
            if self._hidden:
                # A filter of the application would look at every object of Qt's own too.
                self._roots = list(filter(QWidget.isHidden, widgets))
                for root in self._roots:
                    root.installEventFilter(self)
                self._timer.start()

    def finish(self) -> None:
        """Style all that wait."""
        self._style(list(self._hidden))

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        """Style what has become visible before it is seen."""
        if event.type() == QEvent.Type.Show:
            self._style(list(filter(QWidget.isVisible, filter(shiboken6.isValid, self._hidden))))
        return False

    def _style(self, widgets: Sequence[QWidget]) -> None:
        for widget in widgets:
            del self._hidden[widget]
            if shiboken6.isValid(widget):
                widget.setAttribute(Qt.WidgetAttribute.WA_WState_Polished, True)
                widget.style().unpolish(widget)
                widget.style().polish(widget)
        if not self._hidden:
            self._timer.stop()
            for root in filter(shiboken6.isValid, self._roots):
                root.removeEventFilter(self)
            self._roots = []


@contextmanager
def _without_new_layout(widgets: Sequence[QWidget]) -> Iterator[None]:
    """Exchange sheets of other colours: widgets that seem to have a style of their own are not measured anew."""
    has_own = Qt.WidgetAttribute.WA_SetStyle
    spared = [widget for widget in widgets if not QWidget.testAttribute(widget, has_own)]
    _set_attribute(spared, has_own, True)
    try:
        yield
    finally:
        _set_attribute(spared, has_own, False)
        for widget in filter(QWidget.isVisible, spared):
            widget.update()


def _set_attribute(widgets: Iterable[QWidget], attribute: Qt.WidgetAttribute, is_set: bool) -> None:
    for widget in widgets:
        QWidget.setAttribute(widget, attribute, is_set)  # twice as fast as widget.setAttribute


def application() -> QApplication:
    """Return the program's QApplication, which must exist."""
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    return app


@contextmanager
def unstyled() -> Iterator[None]:
    """Create widgets without style sheet, in half the time, as Qt styles each again whenever its parent changes."""
    app = application()
    sheet = app.styleSheet()
    app.setStyleSheet("")
    try:
        yield
    finally:
        app.setStyleSheet(sheet)


def register_fonts() -> bool:
    """Add the shipped Japanese font if the system has none. Return whether it was added."""
    if QFontDatabase.families(QFontDatabase.WritingSystem.Japanese):
        return False
    for file in sorted((resources() / "fonts").glob("*.ttf")):
        QFontDatabase.addApplicationFont(str(file))
    return True


def render_svg(name: str, color: str, size: int, ratio: float = 1.0, gap: int = 0) -> QPixmap:
    """Render an icon, a square of `size` device-independent pixels with `gap` empty ones at its right.

    `color`: of all its lines; "": those of the file.
    """
    image = _drawn_icon(name, size, ratio, gap).copy()
    if color:
        painter = QPainter(image)
        painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_SourceIn)
        painter.fillRect(image.rect(), QColor(color))
        painter.end()
    pixmap = QPixmap.fromImage(image)
    pixmap.setDevicePixelRatio(ratio)
    return pixmap


@functools.cache  # colouring a drawn icon takes a tenth of drawing it, and each theme colours all
def _drawn_icon(name: str, size: int, ratio: float, gap: int) -> QImage:
    image = QImage(QSize(size + gap, size) * ratio, QImage.Format.Format_ARGB32_Premultiplied)
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    QSvgRenderer((resources() / "icons" / f"{name}.svg").as_posix()).render(
        painter, QRectF(0, 0, size * ratio, size * ratio)
    )
    painter.end()
    return image


@functools.cache
def _theme_data() -> dict[str, Any]:
    return tomllib.loads((resources() / "themes" / "kotae.toml").read_text("utf-8"))


@functools.cache
def _style_template() -> str:
    text = (resources() / "themes" / "kotae.qss").read_text("utf-8")
    return re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
