"""What people need who do not see the window, do not use a mouse, or do not tell colours apart."""

import pytest
from PySide6.QtWidgets import QApplication, QWidget

from app.application import Parts
from app.ui.widgets.icon import Icon
from tests import screenshots
from tests.ui import accessible

SIGNS = "✓▲×●○◐…%"  # what says in a line itself what its colour says


@pytest.fixture(params=sorted(screenshots.SHOTS))
def place(request: pytest.FixtureRequest, qapp: QApplication, tmp_path, monkeypatch: pytest.MonkeyPatch):
    """The window with one page or dialog open, as in the pictures."""
    monkeypatch.setenv("KOTAE_ENGINE", "echo")
    with screenshots.opened(qapp, str(tmp_path / "data"), request.param, "light", "wide") as parts:
        yield parts


def test_every_interactive_object_has_a_name(place: Parts) -> None:
    nodes = [node for widget in shown_windows() for node in accessible.walk(widget)]
    assert len(nodes) > 20
    assert [str(node) for node in nodes if node.is_interactive and not node.name.strip()] == []


def test_no_state_is_told_by_colour_alone(place: Parts) -> None:
    toned = [
        widget
        for window in shown_windows()
        for widget in window.findChildren(QWidget)
        if widget.isVisible() and widget.property("tone") in ("warning", "danger", "success")
    ]
    assert [widget.text() for widget in toned if not has_sign(widget)] == []


def has_sign(label: QWidget) -> bool:
    """A sign in the text, or an icon beside it."""
    if any(sign in label.text() for sign in SIGNS):
        return True
    beside = label.parentWidget().findChildren(Icon) if label.parentWidget() else []
    return any(icon.isVisible() for icon in beside)


def shown_windows() -> list[QWidget]:
    return [widget for widget in QApplication.topLevelWidgets() if widget.isVisible()]
