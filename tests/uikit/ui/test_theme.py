"""Colours that can be read, and a theme that changes everywhere at once."""

import tomllib

import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QObject, QRect, Qt
from PySide6.QtGui import QColor, QImage, QPalette
from PySide6.QtWidgets import QApplication, QCheckBox, QRadioButton, QStyle, QStyleOptionButton, QWidget

from app.base.paths import resources
from app.base.services import background
from app.base.settings import TEXT_SCALES, Settings
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import make_box
from app.uikit.widgets.labels import Label

DATA = tomllib.loads((resources() / "themes" / "kotae.toml").read_text("utf-8"))


def luminance(color: str) -> float:
    """WCAG 2 relative luminance of #RRGGBB."""
    parts = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme_name", ["light", "dark"])
@pytest.mark.parametrize("kind", ["text", "ui"])
def test_every_pair_of_colours_reaches_its_contrast(kind, theme_name):
    rules = DATA["contrast"][kind]
    colors = {name: color[theme_name] for name, color in DATA["colors"].items()}
    too_low = {
        f"{front} on {back}": round(contrast(colors[front], colors[back]), 2)
        for front, backs in rules["pairs"].items()
        for back in backs
        if contrast(colors[front], colors[back]) < rules["minimum"]
    }
    assert too_low == {}


def test_the_contrasts_asked_for_are_those_of_the_guidelines():
    assert DATA["contrast"]["text"]["minimum"] >= 4.5
    assert DATA["contrast"]["ui"]["minimum"] >= 3.0


@pytest.mark.parametrize("theme_name", ["light", "dark"])
def test_the_pictures_of_the_style_sheet_have_the_colours_of_their_theme(theme_name):
    files = list((resources() / "icons" / theme_name).glob("*.svg"))
    assert files
    for file in files:
        token = "on_accent" if file.stem == "check" else "text2"
        assert DATA["colors"][token][theme_name] in file.read_text("utf-8"), file.name


def test_the_style_sheet_has_no_empty_places(theme):
    assert "$" not in theme.style_sheet()


def test_every_palette_group_is_set(theme):
    palette = theme.palette()
    active, inactive, disabled = (
        palette.color(group, QPalette.ColorRole.WindowText)
        for group in (QPalette.ColorGroup.Active, QPalette.ColorGroup.Inactive, QPalette.ColorGroup.Disabled)
    )
    assert active == inactive == theme.color("text")
    assert disabled == theme.color("control")


def test_a_change_of_theme_repaints_what_is_shown(qapp, qtbot, theme):
    label = Label("答え", "heading1")
    qtbot.addWidget(label)
    label.show()
    before = label.grab().toImage()
    with qtbot.waitSignal(theme.changed):
        theme.apply(qapp, Settings(theme="dark"))
    assert label.grab().toImage() != before


class Paints(QObject):
    """Notes which widgets are painted."""

    def __init__(self, app: QApplication) -> None:
        super().__init__(app)
        self.painted: set[QObject] = set()
        app.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Paint:
            self.painted.add(watched)
        return False


def test_every_page_looks_after_a_change_of_theme_as_if_it_had_been_built_in_it(open_window, store, qapp, qtbot):
    store.add_question("点検の記録は何年残しますか。")
    parts = open_window(1280, 800)
    window = parts.window
    pages = ("documents", "training", "evaluation", "settings", "bin", "search", "ask")  # モデル tells the free memory

    def pictures() -> dict[str, QImage]:
        found = {}
        for key in pages:
            window.show_page(key)
            window.setFocus()  # a caret may be shown or not
            qtbot.waitUntil(lambda: not background._running)  # what the page has begun to read
            qtbot.wait(200)
            found[key] = window.grab().toImage()
        return found

    window.show_page("documents")
    qtbot.waitUntil(lambda: parts.documents.is_open)
    light = pictures()
    paints = Paints(qapp)
    parts.preferences.change(theme="dark")
    QCoreApplication.processEvents()
    qapp.removeEventFilter(paints)
    shown = {one for one in window.findChildren(QWidget) if one.isVisible() and not one.visibleRegion().isEmpty()}
    assert shown - paints.painted == set()
    dark = pictures()
    parts.preferences.change(text_scale_percent=115)
    parts.preferences.change(text_scale_percent=100)  # new sizes style every widget anew
    expected = pictures()
    parts.preferences.change(theme="light")
    assert [key for key in pages if dark[key] != expected[key] or dark[key] == light[key]] == []
    again = pictures()
    assert [key for key in pages if again[key] != light[key]] == []


def test_what_was_hidden_during_a_change_of_theme_is_styled_when_it_is_shown_or_soon(qapp, qtbot, theme):
    made = [Button(theme, "削除", "danger_fill") for _ in range(3)]
    hidden = [make_box(made[0]), *made[1:]]  # a page, of which the button is a part, and two alone
    for widget in hidden:
        qtbot.addWidget(widget)
        widget.show()
        widget.hide()
    theme.apply(qapp, Settings(theme="dark"))
    fills = []
    for button, widget, is_awaited in zip(made, hidden, (False, False, True), strict=True):
        qtbot.wait(100 if is_awaited else 0)
        widget.show()
        fills.append(button.grab().toImage().pixelColor(button.rect().center().x(), 5).name())
    assert fills == [theme.color("danger").name()] * 3


def test_icons_follow_the_theme(qapp, qtbot, theme):
    button = Button(theme, "追加", icon="plus")
    qtbot.addWidget(button)
    before = button.icon().pixmap(16, 16).toImage()
    theme.apply(qapp, Settings(theme="dark"))
    assert button.icon().pixmap(16, 16).toImage() != before


def test_the_text_size_changes_fonts_and_measures(qapp, theme):
    before = theme.font("reading").pixelSize(), theme.line_height("reading"), theme.metric("header_height")
    theme.apply(qapp, Settings(theme="light", text_scale_percent=150))
    after = theme.font("reading").pixelSize(), theme.line_height("reading"), theme.metric("header_height")
    assert before == (15, 26, 48)
    assert after == (22, 39, 72)
    assert qapp.font().pixelSize() == 20


@pytest.mark.parametrize("kind", ["", "primary", "quiet", "danger", "danger_fill", "link"])
def test_a_button_that_tab_has_reached_has_its_border_and_no_frame_of_the_system_inside(kind, qtbot, theme):
    button = Button(theme, "ダウンロード", kind)
    qtbot.addWidget(button)
    button.show()
    button.activateWindow()
    button.setFocus()
    qtbot.waitUntil(button.hasFocus)
    by_mouse = button.grab().toImage()
    button.setAttribute(Qt.WidgetAttribute.WA_KeyboardFocusChange)
    assert button.grab().toImage() == by_mouse


@pytest.mark.parametrize("kind", [QRadioButton, QCheckBox])
def test_a_choice_that_tab_has_reached_has_a_ring_and_no_frame_of_the_system(kind, qapp, qtbot, theme):
    for name in ("light", "dark"):
        theme.apply(qapp, Settings(theme=name))
        for is_checked in (False, True):
            button = kind("答え")
            qtbot.addWidget(button)
            button.setChecked(is_checked)
            button.show()
            rest = button.grab().toImage()
            button.activateWindow()
            button.setFocus()
            qtbot.waitUntil(button.hasFocus)
            by_mouse = button.grab().toImage()
            button.setAttribute(Qt.WidgetAttribute.WA_KeyboardFocusChange)
            assert button.grab().toImage() == by_mouse != rest


@pytest.mark.parametrize("scale", TEXT_SCALES)
@pytest.mark.parametrize("name", ["light", "dark"])
def test_the_marks_of_radio_buttons_are_round(name, scale, qapp, qtbot, theme):
    theme.apply(qapp, Settings(theme=name, text_scale_percent=scale))
    for is_checked in (True, False):
        button = QRadioButton("答え")
        qtbot.addWidget(button)
        button.setChecked(is_checked)
        button.show()
        option = QStyleOptionButton()
        button.initStyleOption(option)
        mark = button.style().subElementRect(QStyle.SubElement.SE_RadioButtonIndicator, option, button)
        image = button.grab().toImage()
        edge, ground = (theme.color(token) for token in ("accent" if is_checked else "control", "side"))
        spans = [span(image, mark, line, edge, ground) for line in range(mark.top(), mark.bottom() + 1)]
        # A circle is 0.79 of its box, less a soft edge; a square with round corners was more than 0.82.
        assert 0.65 < sum(spans) / (mark.width() * mark.height()) < 0.81


def span(image: QImage, mark: QRect, line: int, edge: QColor, ground: QColor) -> int:
    """From the first to the last pixel of a line that is rather edge than ground."""
    pixels = range(mark.left(), mark.right() + 1)
    painted = [x for x in pixels if far(image.pixelColor(x, line), edge) < far(image.pixelColor(x, line), ground)]
    return painted[-1] - painted[0] + 1 if painted else 0


def far(one: QColor, other: QColor) -> int:
    return sum(abs(a - b) for a, b in zip(one.getRgb(), other.getRgb(), strict=True))


def test_other_settings_do_not_cost_a_new_style_sheet(qapp, qtbot, theme):
    with qtbot.assertNotEmitted(theme.changed):
        theme.apply(qapp, Settings(theme="light", context_tokens=8192))


def test_every_family_list_ends_with_the_font_that_is_shipped(theme):
    for role in ("ui", "reading", "mono"):
        assert theme.font(role).families()[-1] == "BIZ UDPGothic"
    assert (resources() / "fonts" / "BIZUDPGothic-Regular.ttf").is_file()
    assert "SIL OPEN FONT LICENSE" in (resources() / "fonts" / "OFL.txt").read_text("utf-8").upper()
