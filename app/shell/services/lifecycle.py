"""One start of the window, on record before anything of it is built: whether it is in safe mode, and what it says.

Safe mode leaves out what may end a start: the user's look, drawing by the graphics processor, loading ahead, reading
documents, GPU parts of the engine, work that is to go on. No setting is changed.

What Qt says while the window's application is made: into the log, and that there can be no window in our words.

Where Qt reaches no display, it says so in English and aborts. What else it says then (of a locale that is not
installed, of a plugin that was tried in vain) is nothing that the user has to mend.

SIGTERM and SIGHUP (the session ends, a terminal is closed) end the window as its user would: all is kept.
"""

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path

from PySide6.QtCore import (
    QMessageLogContext,
    QObject,
    QSocketNotifier,
    QTimer,
    QtMsgType,
    Signal,
    qFormatLogMessage,
    qInstallMessageHandler,
)

from app.base import diagnostics, paths, programs
from app.base.diagnostics import StartRecord
from app.base.errors import AppError
from app.base.paths import Paths
from app.base.services.preferences import Preferences
from app.base.services.single_instance import SingleInstance
from app.base.wording import describe_error
from app.inference import engine_packs

_DISPLAY = "qt.qpa.xcb"  # the category of a plugin, which has been loaded when it speaks
_VARIABLES = ("QT_QPA_PLATFORM", "WAYLAND_DISPLAY", "DISPLAY")

log = logging.getLogger("kotae")


@contextmanager
def report_display_errors(on_refused: Callable[[], None]) -> Iterator[None]:
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


_SIGNALS = ("SIGTERM", "SIGHUP")


class SignalHandlers(QObject):
    """Python hears of a signal only between two steps of its own; a pipe wakes Qt up for it. Windows has neither."""

    requested = Signal()

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        if sys.platform == "win32":
            return
        self._read, write = os.pipe()
        for end in (self._read, write):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        numbers = [getattr(signal, name) for name in _SIGNALS]
        # Whoever started us may want us to outlive a terminal (nohup).
        self._heard = {number for number in numbers if signal.getsignal(number) != signal.SIG_IGN}
        for number in self._heard:
            signal.signal(number, lambda _number, _frame: None)
        self._notifier = QSocketNotifier(self._read, QSocketNotifier.Type.Read, self)
        self._notifier.activated.connect(self._on_readable)

    def _on_readable(self) -> None:
        if self._heard & set(os.read(self._read, 64)):
            self.requested.emit()


UP_AFTER_MS = 3000  # from here on a window that ends is not a start that has failed

SAFE_FLAG = "--safe"  # or the whole of it
# In safe mode, whatever is stored: how it looks and how weights are laid out.
_HELD = {"theme": "system", "text_scale_percent": 100, "repack": "off", "kv_type": "f16", "threads": None}
# What makes Qt draw by itself, and at the size that it finds.
_SOFTWARE = {"QT_OPENGL": "software", "QT_XCB_GL_INTEGRATION": "none", "QT_WIDGETS_RHI": "0"}
_LOOKS = (
    "QT_SCALE_FACTOR", "QT_SCREEN_SCALE_FACTORS", "QT_AUTO_SCREEN_SCALE_FACTOR", "QT_FONT_DPI", "QT_STYLE_OVERRIDE",
    "QT_QPA_PLATFORMTHEME",
)  # fmt: skip


class ProgramStart:
    """Made before Qt's application: what dies in a plugin of Qt has been counted by then."""

    def __init__(self, data_dir: str | None, is_wished_safe: bool) -> None:
        """`is_wished_safe`: the user has asked for safe mode."""
        self._where: Paths | AppError
        self._environment = dict(os.environ)
        self._is_on_record = False
        self._wants_restart = False
        self.last = StartRecord()
        self.is_safe = is_wished_safe
        try:
            self._where = paths.locate(data_dir)
        except AppError as error:
            self._where = error
            return
        self.instance = SingleInstance(self._where.lock, self._where.raise_request)
        if self.instance.take():  # a second window ends at once, and is no start
            self._begin(self._where)
        diagnostics.set_up_logging(self._where.logs)
        if self.last.state != diagnostics.CLOSED:
            log.warning("the last window did not end properly: %s, safe mode: %s", self.last, self.is_safe)
        if self.is_safe:
            draw_by_software(os.environ)

    def where(self) -> Paths:
        """Raises AppError("data_dir_unusable")."""
        if isinstance(self._where, AppError):
            raise self._where
        return self._where

    def preferences(self) -> Preferences:
        """The user's, except for what safe mode holds back."""
        return Preferences(self.where().settings, held=_HELD if self.is_safe else None)

    def choose_packs(self) -> None:
        """GPU parts of the engine, for all children; none in safe mode."""
        engine_packs.use_folder(None if self.is_safe else self.where().engine_packs)

    def watch(self, window: QObject) -> None:
        """The window is shown: soon this start is one that has succeeded."""
        QTimer.singleShot(UP_AFTER_MS, window, self._on_up)

    def end(self) -> None:
        """It ends as somebody wanted, or was refused in words. Starts another window where `restart` was asked for."""
        if not self._is_on_record:
            return
        self._is_on_record = False
        self._note(diagnostics.record_end)
        self.instance.release()
        if self._wants_restart:
            command = [*programs.own_program(), *(word for word in sys.argv[1:] if not word.startswith(SAFE_FLAG))]
            nowhere = subprocess.DEVNULL  # who has started this window waits for its output to end
            subprocess.Popen(
                command,
                env=self._environment,
                start_new_session=True,
                stdin=nowhere,
                stdout=nowhere,
                stderr=nowhere,
            )

    def restart(self) -> None:
        """Another window, in the usual way, follows the end of this one."""
        self._wants_restart = True

    # ------------------------------------------------------------------- private

    def _begin(self, where: Paths) -> None:
        self.last = diagnostics.read_start_record(diagnostics.start_record_file(where))
        self.is_safe = self.is_safe or self.last.is_safe_mode_due
        self._is_on_record = True
        self._note(diagnostics.record_start)

    def _on_up(self) -> None:
        if self._is_on_record:
            self._note(diagnostics.record_window_up)

    def _note(self, change: Callable[[Path], None]) -> None:
        try:
            change(diagnostics.start_record_file(self.where()))
        except OSError as error:  # a full disk must not keep the window shut
            log.warning("record of starts: %s", error.strerror)


def draw_by_software(environment: MutableMapping[str, str]) -> None:
    """Before Qt is started."""
    for name in _LOOKS:
        environment.pop(name, None)
    environment.update(_SOFTWARE)
