"""The modules of the steps are there before a step is opened."""

import os
import subprocess
import sys

LOADED = """
import sys
from PySide6.QtCore import QObject, QTimer
from PySide6.QtWidgets import QApplication
app = QApplication([])
from app.training.ui import step_factory
before = "app.training.ui.data.data_step" in sys.modules
beats, owner = [], QObject()
step_factory.ModulePreloader(owner)
look = QTimer(interval=5)
look.timeout.connect(lambda: beats.append(len(sys.modules)))
names = ("data.data_step", "model_step", "check_step", "run.run_step", "result.result_step")
wanted = [f"app.training.ui.{name}" for name in names]
look.timeout.connect(lambda: app.quit() if all(name in sys.modules for name in wanted) else None)
look.start()
QTimer.singleShot(60_000, app.quit)
app.exec()
print(before, all(name in sys.modules for name in wanted), len(set(beats)) > 10)
"""


def test_they_are_loaded_one_after_another() -> None:
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    command = [sys.executable, "-c", LOADED]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.split() == ["False", "True", "True"]
