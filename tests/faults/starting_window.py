"""The real window with a start that goes wrong: `python -m tests.faults.starting_window HOW ARGUMENTS…`. A script.

HOW: segv | raise | exit | hang end it while it is built; refused: somebody confirms what it says instead of opening;
well: it tells what it looks like once it is up, and is closed; stay: as well, and waits; restart: as well, and starts
anew.
"""

import faulthandler
import json
import os
import sys
import time
from typing import Any

from app import __main__ as program

UP_AFTER_MS = 50


def main() -> int:
    how = sys.argv.pop(1)

    def open_window(*options: Any) -> int:
        from app import application
        from app.shell.services import lifecycle

        lifecycle.UP_AFTER_MS = UP_AFTER_MS
        build, open_store = application.build, application.open_store

        def build_wrongly(*arguments: Any) -> Any:
            _end(how)
            parts = build(*arguments)
            _attend(parts, how)
            return parts

        def open_and_confirm(*arguments: Any) -> Any:
            _confirm()
            return open_store(*arguments)

        application.build = build_wrongly
        application.open_store = open_and_confirm if how == "refused" else open_store
        return application.run(*options)

    program._open_window = open_window
    return program.main()


def _end(how: str) -> None:
    if how == "segv":
        faulthandler._sigsegv()
    elif how == "exit":
        os._exit(7)
    elif how == "hang":
        print("building", flush=True)
        time.sleep(600)
    elif how == "raise":
        _confirm()
        raise RuntimeError("a bug while the window is built")


def _confirm() -> None:
    """What a dialog that is about to open says is read, and closed."""
    from PySide6.QtCore import QTimer
    from PySide6.QtWidgets import QApplication

    def close() -> None:
        dialog = QApplication.activeModalWidget()
        if dialog is None:
            QTimer.singleShot(10, close)
            return
        print(json.dumps({"dialog": dialog.accessibleName()}), flush=True)
        dialog.reject()

    QTimer.singleShot(0, close)


def _attend(parts: Any, how: str) -> None:
    from PySide6.QtCore import QTimer

    from app.base import diagnostics
    from app.shell.ui.start_notice import StartNotice

    parts.preferences.change(first_run_done=True)
    file = parts.paths.data / "start.json"

    def look() -> None:
        if diagnostics.read_start_record(file).state != diagnostics.UP:
            QTimer.singleShot(10, parts.window, look)
            return
        (notice,) = parts.window.findChildren(StartNotice)
        settings = parts.preferences.value
        facts = {
            "notice": notice.banner.accessibleName() if notice.isVisible() else "",
            "theme": settings.theme,
            "text_scale_percent": settings.text_scale_percent,
            "repack": settings.repack,
            "loads_ahead": parts.preload.is_on,
            "drawing": os.environ.get("QT_OPENGL", ""),
            "size": [parts.window.width(), parts.window.height()],
        }
        print(json.dumps(facts, ensure_ascii=False), flush=True)
        if how == "well":
            parts.window.close()
        elif how == "restart":
            notice.banner.action_requested.emit("restart")

    QTimer.singleShot(0, parts.window, look)


if __name__ == "__main__":
    sys.exit(main())
