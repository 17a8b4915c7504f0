"""The modules of the steps are there before a step is opened."""

import os
import subprocess
import sys

LOADED = """
import sys
from PySide6.QtCore import QObject, QTimer
from PySide6.QtWidgets import QApplication
app = QApplication([])
from app.training.ui import step_factory as ahead
before = "app.training.ui.data.data_step" in sys.modules
beats, owner = [], QObject()
ahead.ModulePreloader(owner)
look = QTimer(interval=5)
look.timeout.connect(lambda: beats.append(len(sys.modules)))
look.timeout.connect(lambda: app.quit() if ahead.DRAWN in sys.modules else None)
look.start()
QTimer.singleShot(60_000, app.quit)
app.exec()
wanted = [f"app.training.ui.{name}.step" for name in ("data", "model", "check", "run", "result")]
print(before, all(name in sys.modules for name in wanted), "pyqtgraph" in sys.modules, len(set(beats)) > 10)
"""


def test_they_are_loaded_one_after_another_and_what_draws_curves_last() -> None:
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    command = [sys.executable, "-c", LOADED]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.split() == ["False", "True", "True", "True"]
