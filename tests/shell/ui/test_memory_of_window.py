"""What a day of use leaves behind: nothing that grows with the number of times that something is opened."""

import gc
from collections.abc import Callable

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QApplication

from app.application import AppContext
from app.shell.ui.help_windows import ManualWindow
from tests.window_fixtures import settle

PAGES = ("ask", "documents", "models", "training", "evaluation", "settings", "search", "reader", "bin", "batch")


def use(parts: AppContext) -> None:
    window = parts.window
    for key in PAGES:
        window.show_page(key)
        settle()
    window.show_answer_settings().reject()
    window.show_manual()
    next(one for one in QApplication.topLevelWidgets() if isinstance(one, ManualWindow) and one.isVisible()).close()
    for button in (window.page("ask").header.menu_button, window.sidebar.menu_button):  # type: ignore[attr-defined]
        window.show_page("ask")
        button.click()
        menu = QApplication.activePopupWidget()
        assert menu is not None
        menu.close()
    for theme in ("dark", "light"):
        parts.preferences.change(theme=theme)
        settle()


def objects_by_type() -> dict[str, int]:
    for _ in range(2):
        settle()
        gc.collect()
    found: dict[str, int] = {}
    for root in QApplication.topLevelWidgets():
        for one in (root, *root.findChildren(QObject)):
            found[type(one).__name__] = found.get(type(one).__name__, 0) + 1
    return found


def test_pages_dialogs_menus_and_themes_leave_no_widget_or_object_behind(
    open_window: Callable[..., AppContext],
) -> None:
    parts = open_window()
    use(parts)
    before, connected = objects_by_type(), parts.theme.receivers("2changed()")
    for _ in range(2):
        use(parts)
    after = objects_by_type()
    assert {name: (before.get(name, 0), count) for name, count in after.items() if count > before.get(name, 0)} == {}
    assert parts.theme.receivers("2changed()") == connected
