"""How well the time of a training is forecast: `python -m tests.benchmarks.forecast DATA SPLIT`.

DATA is a data folder with the trial model, which keeps the measured rates from run to run as a person's does; SPLIT is
a folder made by `kotae data split`. It trains the trial model in the settings "標準" and is judged, by the
window's own runner. Printed: seconds from the start to the verdict, what the clock showed when the probe had
measured and later (at a quarter, half and three quarters of the time), and the share by which elapsed time and shown
time left together differ from what the run took. A second clock says what stages took and what they should have cost.
"""

import argparse
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QCoreApplication, QEventLoop, QTimer

from app.base import paths
from app.base.paths import Paths
from app.base.services import background
from app.chat.store import Store
from app.inference import child_commands
from app.inference.services.engine import EngineClient
from app.training import spec_builder
from app.training.runs import run_clock, run_folders
from app.training.runs.run_clock import RunClock
from app.training.services import training_run
from app.training.services.training_runner import TrainingRunner
from trainer.events import Event, RunForecast


def forecast(where: Paths, split: Path) -> None:
    """Train and judge once, and print what was shown."""
    trainer = training_run.locate_trainer(where.data)
    store = Store.open(where.database, where.backups)
    models = store.local_models()
    store.close()
    fields = {"data": str(split), "base": "starter", "preset": "standard"}
    requested = spec_builder.build_spec(fields, where, models, trainer.converter)
    folder = run_folders.create(requested)
    engine = EngineClient(child_commands.engine(where.prefix_states), where.logs / "engine.log")
    runner = TrainingRunner(engine, lambda: trainer, where.bases)
    clock = RunClock(requested, run_clock.read_rates(folder))
    shown: list[tuple[float, float, float]] = []  # elapsed, left, upper end of the range or 0
    measured: list[tuple[float, str]] = []  # elapsed when the probe had measured, and the costs expected then
    began = time.time()

    def take(event: Event) -> None:
        clock.take(time.time(), event)
        if isinstance(event, RunForecast) and event.is_measured:
            measured.append((time.time() - began, _rounded(clock._costs)))

    def look() -> None:
        reading = clock.look(time.time())
        if reading.left_s is not None:
            shown.append((time.time() - began, reading.left_s, reading.most_s or 0.0))

    runner.event_received.connect(take)
    runner.judging.connect(lambda progress: clock.take_judging(time.time(), progress))
    loop, errors = QEventLoop(), []
    runner.ended.connect(lambda _folder, error: (errors.append(error), loop.quit()))
    timer = QTimer(interval=500)
    timer.timeout.connect(look)
    timer.start()
    runner.start(folder)
    loop.exec()
    took = time.time() - began
    clock.end_judging(time.time(), has_verdict=True)
    timer.stop()
    if errors[0] is not None:
        raise errors[0]
    first, expected = measured[0]
    print(f"{folder.name}: {took:.0f} s; costs expected: {expected}; taken: {_rounded(clock.took_s)}")
    for name, at in (("start", 0.0), ("probe", first + 1), ("1/4", took / 4), ("1/2", took / 2), ("3/4", 3 * took / 4)):
        later = [one for one in shown if one[0] >= at]
        if later:
            elapsed, left, most = later[0]
            span = f"-{most:.0f}" if most else ""
            print(f"  {name:6} {elapsed:5.0f} s: left {left:.0f}{span} s, off by {(elapsed + left) / took - 1:+.0%}")


def _rounded(costs: dict[str, float]) -> str:
    return ", ".join(f"{name} {one:.0f}" for name, one in costs.items())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("split", type=Path)
    options = parser.parse_args()
    app = QCoreApplication(sys.argv[:1])
    try:
        forecast(paths.locate(str(options.data)), options.split.absolute())
    finally:
        background.shut_down()
    del app


if __name__ == "__main__":
    main()
