"""Record each start of the window, decide on safe mode, log Qt's messages, and end the window on a signal.

Safe mode disables what may crash a start (appearance, GPU, preloading, reading, resuming) but changes no setting. Qt
without a display aborts: Kotae shows its own message. SIGTERM and SIGHUP close the window as the user would.
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

from app.base import database, diagnostics, paths, programs
from app.base.diagnostics import StartRecord
from app.base.errors import AppError
from app.base.paths import Paths
from app.base.services.preferences import Preferences
from app.base.services.single_instance import SingleInstance
from app.base.wording import describe_error
from app.inference import crashes, engine_packs

_DISPLAY = "qt.qpa.xcb"  # category of the display plugin's messages; a message proves that the plugin was loaded
_VARIABLES = ("QT_QPA_PLATFORM", "WAYLAND_DISPLAY", "DISPLAY")

log = logging.getLogger("kotae")


@contextmanager
def report_display_errors(on_refused: Callable[[], None]) -> Iterator[None]:
    """Log Qt's messages; without a display call `on_refused` and end with status 3 and Kotae's message."""
    is_display_plugin_loaded = False

    def note(kind: QtMsgType, context: QMessageLogContext, text: str) -> None:
        nonlocal is_display_plugin_loaded
        if kind == QtMsgType.QtDebugMsg:  # Qt prints these only on request
            print(qFormatLogMessage(kind, context, text), file=sys.stderr)  # noqa: T201
            return
        log.warning("Qt: %s", text)
        is_display_plugin_loaded = is_display_plugin_loaded or context.category == _DISPLAY
        if kind == QtMsgType.QtFatalMsg:
            on_refused()
            _print_and_exit(_make_display_error(is_display_plugin_loaded))

    before = qInstallMessageHandler(note)
    try:
        yield
    finally:
        qInstallMessageHandler(before)


def _make_display_error(is_display_plugin_loaded: bool) -> AppError:
    requested = " ".join(f"{name}={os.environ[name]}" for name in _VARIABLES if os.environ.get(name)) or sys.platform
    if is_display_plugin_loaded:
        return AppError("display_unreachable", display=requested)
    return AppError("display_part_missing", display=requested)


def _print_and_exit(error: AppError) -> None:
    """Print the error and end the process at once, because Qt aborts when its message handler returns."""
    print(describe_error(error), file=sys.stderr, flush=True)  # noqa: T201
    logging.shutdown()
    os._exit(3)


_SIGNALS = ("SIGTERM", "SIGHUP")


class SignalHandlers(QObject):
    """Emits `requested` on SIGTERM or SIGHUP, by a pipe that wakes Qt's loop up for Python; not on Windows."""

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
        # An ignored signal stays ignored: started with nohup, Kotae must outlive its terminal.
        self._handled = {number for number in numbers if signal.getsignal(number) != signal.SIG_IGN}
        for number in self._handled:
            signal.signal(number, lambda _number, _frame: None)
        self._notifier = QSocketNotifier(self._read, QSocketNotifier.Type.Read, self)
        self._notifier.activated.connect(self._on_readable)

    def _on_readable(self) -> None:
        if self._handled & set(os.read(self._read, 64)):
            self.requested.emit()


UP_AFTER_MS = 3000  # ms after which a start counts as successful

SAFE_FLAG = "--safe"  # beginning of the option --safe-mode
# Settings that safe mode overrides: appearance, memory layout of weights, and threads.
_HELD = {"theme": "system", "text_scale_percent": 100, "repack": "off", "kv_type": "f16", "threads": None}
# Variables that make Qt draw by software.
_SOFTWARE = {"QT_OPENGL": "software", "QT_XCB_GL_INTEGRATION": "none", "QT_WIDGETS_RHI": "0"}
# Variables that safe mode removes, so that Qt chooses scale and style itself.
_APPEARANCE_VARIABLES = (
    "QT_SCALE_FACTOR", "QT_SCREEN_SCALE_FACTORS", "QT_AUTO_SCREEN_SCALE_FACTOR", "QT_FONT_DPI", "QT_STYLE_OVERRIDE",
    "QT_QPA_PLATFORMTHEME",
)  # fmt: skip


class ProgramStart:
    """Records this start, before Qt's application, so that the next one learns of any crash."""

    def __init__(self, data_dir: str | None, is_safe_requested: bool) -> None:
        """Record the start. `data_dir`: as in `paths.locate`. `is_safe_requested`: by --safe-mode."""
        self._where: Paths | AppError
        self._environment = dict(os.environ)
        self._is_on_record = False
        self._wants_restart = False
        self.last_start = StartRecord()
        self.is_safe = is_safe_requested
        self.is_after_kill = False  # a kill or a power cut may have ended whoever had the databases open last
        try:
            self._where = paths.locate(data_dir)
        except AppError as error:
            self._where = error
            return
        self.instance = SingleInstance(self._where.lock, self._where.raise_request)
        if self.instance.take():  # a second window ends at once, and does not count as a start
            self._begin(self._where)
        diagnostics.set_up_logging(self._where.logs)
        if self.last_start.state != diagnostics.CLOSED:
            log.warning("the last window did not end properly: %s, safe mode: %s", self.last_start, self.is_safe)
        if self.is_safe:
            draw_by_software(os.environ)

    def where(self) -> Paths:
        """Return the paths of the data folder. Raises AppError("data_dir_unusable")."""
        if isinstance(self._where, AppError):
            raise self._where
        return self._where

    def preferences(self) -> Preferences:
        """Return the user's preferences. Safe mode overrides some of them, without storing the change."""
        return Preferences(self.where().settings, overrides=_HELD if self.is_safe else None)

    def choose_packs(self) -> None:
        """Set the folder from which all child processes load the engine's GPU parts; none in safe mode."""
        engine_packs.use_folder(None if self.is_safe else self.where().engine_packs)
        crashes.use_file(self.where().crashes)

    def record_success_later(self, window: QObject) -> None:
        """Record the start as successful after UP_AFTER_MS, unless `window` is destroyed before."""
        QTimer.singleShot(UP_AFTER_MS, window, self._on_up)

    def end(self) -> None:
        """Record a proper end, and start another window if `restart` was called."""
        if not self._is_on_record:
            return
        self._is_on_record = False
        self._change_start_record(diagnostics.record_end)
        self.instance.release()
        if self._wants_restart:
            arguments = [argument for argument in sys.argv[1:] if not argument.startswith(SAFE_FLAG)]
            nowhere = subprocess.DEVNULL  # otherwise the starter of this window waits for the end of the output
            subprocess.Popen(
                [*programs.own_program(), *arguments],
                env=self._environment,
                start_new_session=True,
                stdin=nowhere,
                stdout=nowhere,
                stderr=nowhere,
            )

    def restart(self) -> None:
        """Start another window, without safe mode, after this one ends."""
        self._wants_restart = True

    # ------------------------------------------------------------------- private

    def _begin(self, where: Paths) -> None:
        self.last_start = diagnostics.read_start_record(diagnostics.start_record_file(where))
        self.is_safe = self.is_safe or self.last_start.is_safe_mode_due
        self.is_after_kill = self.last_start.state != diagnostics.CLOSED or any(
            database.has_open_log(path) for path in (where.database, where.documents)
        )
        self._is_on_record = True
        self._change_start_record(diagnostics.record_program_start)

    def _on_up(self) -> None:
        if self._is_on_record:
            self._change_start_record(diagnostics.record_window_up)

    def _change_start_record(self, change: Callable[[Path], None]) -> None:
        try:
            change(diagnostics.start_record_file(self.where()))
        except OSError as error:  # a full disk must not prevent the window from opening
            log.warning("record of starts: %s", error.strerror)


def draw_by_software(environment: MutableMapping[str, str]) -> None:
    """Set variables in `environment` so that Qt draws by software. Call it before Qt starts."""
    for name in _APPEARANCE_VARIABLES:
        environment.pop(name, None)
    environment.update(_SOFTWARE)
