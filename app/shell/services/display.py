"""What Qt says while the window's application is made: into the log, and that there can be no window in our words.

Where Qt reaches no display, it says so in English and aborts. What else it says then (of a locale that is not
installed, of a plugin that was tried in vain) is nothing that the user has to mend.
"""

import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from PySide6.QtCore import QMessageLogContext, QtMsgType, qFormatLogMessage, qInstallMessageHandler

from app.base.errors import AppError
from app.base.wording import describe_error

_DISPLAY = "qt.qpa.xcb"  # the category of a plugin, which has been loaded when it speaks
_VARIABLES = ("QT_QPA_PLATFORM", "WAYLAND_DISPLAY", "DISPLAY")

log = logging.getLogger("kotae")


@contextmanager
def failing_in_words(on_refused: Callable[[], None]) -> Iterator[None]:
    """`on_refused`: what is to be done before this process ends, with exit status 3."""
    is_plugin_loaded = False

    def note(kind: QtMsgType, context: QMessageLogContext, text: str) -> None:
        nonlocal is_plugin_loaded
        if kind == QtMsgType.QtDebugMsg:  # somebody has asked for it
            print(qFormatLogMessage(kind, context, text), file=sys.stderr)  # noqa: T201
            return
        log.warning("Qt: %s", text)
        is_plugin_loaded = is_plugin_loaded or context.category == _DISPLAY
        if kind == QtMsgType.QtFatalMsg:
            on_refused()
            _end(_refusal(is_plugin_loaded))

    before = qInstallMessageHandler(note)
    try:
        yield
    finally:
        qInstallMessageHandler(before)


def _refusal(is_plugin_loaded: bool) -> AppError:
    wished = " ".join(f"{name}={os.environ[name]}" for name in _VARIABLES if os.environ.get(name)) or sys.platform
    if is_plugin_loaded:
        return AppError("display_unreachable", display=wished)
    return AppError("display_part_missing", display=wished)


def _end(error: AppError) -> None:
    """At once: Qt aborts when its message has been heard."""
    print(describe_error(error), file=sys.stderr, flush=True)  # noqa: T201
    logging.shutdown()
    os._exit(3)
