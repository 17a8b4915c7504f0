"""How long the GUI thread is held up while a run is shown: `python -m tests.benchmarks.run_page [STEPS]`.

A timer of 5 ms in the GUI thread notes how late it comes. The fake trainer (a real process) tells STEPS steps as fast
as it can, with an evaluation every fourth; then a run of 10,000 steps is opened; then the table is shown, and the theme
is changed. Without a screen: what a graphics driver takes is not in it.
"""

import gc
import json
import math
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ["KOTAE_TRAINER"] = "fake:good"

from PySide6.QtCore import QEventLoop, QObject, Qt, QTimer
from PySide6.QtWidgets import QApplication

from app.core import children
from app.core.settings import Settings
from app.core.training import runs
from app.services import background, training
from app.services.engine import EngineClient
from app.services.garbage import GarbageCollector
from app.services.trainings import Trainings
from app.ui import desktop
from app.ui.theme import Theme
from app.ui.training.run.step import RunStep
from app.ui.widgets.scroll import scrolled
from trainer.events import PROTOCOL, Evaluation, Event, Paused, Sample, Started, Step, to_json
from trainer.spec import RunSpec

BEAT_MS = 5
HISTORY_STEPS = 10_000
ROW = '{"messages": [{"role": "user", "content": "?"}, {"role": "assistant", "content": "!"}]}\n'


class Heart(QObject):
    """How much later than due each beat has come, in milliseconds."""

    def __init__(self) -> None:
        super().__init__()
        self.late_ms: list[float] = []
        self._at = time.perf_counter()
        self._timer = QTimer(self, interval=BEAT_MS, timerType=Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._beat)
        self._timer.start()

    def _beat(self) -> None:
        now = time.perf_counter()
        self.late_ms.append(1000 * (now - self._at) - BEAT_MS)
        self._at = now

    def told(self) -> str:
        found, self.late_ms = sorted(self.late_ms), []
        over = sum(late > 50 for late in found)
        return f"longest {found[-1]:.0f} ms, 99 % under {found[len(found) * 99 // 100]:.0f} ms, over 50 ms: {over}"


def wait(until: Callable[[], bool], least_s: float = 0.0) -> float:
    """In the event loop. Gives the seconds it took."""
    began, loop = time.perf_counter(), QEventLoop()
    look = QTimer(interval=20)
    look.timeout.connect(lambda: loop.quit() if until() and time.perf_counter() - began >= least_s else None)
    look.start()
    loop.exec()
    return time.perf_counter() - began


def make_run(folder: Path, steps: int) -> Path:
    (folder / "rows.jsonl").write_text(ROW, encoding="utf-8")
    paths = (folder / f"run {steps}", folder, folder / "rows.jsonl", folder / "rows.jsonl")
    return runs.create(RunSpec(*map(str, paths), max_steps=steps))


def with_history(run: Path) -> Path:
    """As the fake would tell it, which needs a flush of the drive for each of its checkpoints."""
    told: list[Event] = [Started(PROTOCOL, 0, time.time())]
    for step in range(1, HISTORY_STEPS + 1):
        loss = 1.2 + math.exp(-step / 2000) + 0.1 * math.sin(step)
        told.append(Step(step, HISTORY_STEPS, step / 1000, loss, 2e-4, 0.8, 812.5, 1_900_000_000, 60.0))
        if step % 50 == 0:
            told.append(Evaluation(step, step / 1000, loss + 0.1, 640, is_best=False))
            told.append(Sample(step, "What is the capital of Japan?", f"Tokyo {step}.", has_ended=True))
    lines = (json.dumps(to_json(event)) + "\n" for event in (*told, Paused(HISTORY_STEPS)))
    (run / "events.jsonl").write_text("".join(lines), encoding="utf-8")
    return run


def main() -> None:
    steps = int(sys.argv[1]) if sys.argv[1:] else 400
    app = desktop.make_application("ja")
    theme = Theme()
    theme.apply(app, Settings(theme="light"))
    with tempfile.TemporaryDirectory() as name:
        measure(app, theme, Path(name), steps)
    background.shut_down()


def measure(app: QApplication, theme: Theme, folder: Path, steps: int) -> None:
    engine = EngineClient(children.engine(), folder / "engine.log")
    scorers = (children.quantizer, children.scorer)
    trainings = Trainings(engine, lambda: training.locate(folder), folder / "bases", scorers)
    gc.freeze()
    GarbageCollector(app)

    areas = []

    def show(run: Path) -> RunStep:
        step = RunStep(theme, trainings, run)
        area = scrolled(step)
        area.resize(1168, 820)
        area.show()
        areas.append(area)
        return step

    run = make_run(folder, steps)
    step = show(run)
    heart = Heart()
    wait(lambda: step.follower.course is not None, 0.5)
    print(f"shown: {heart.told()}")
    trainings.start(run)
    took = wait(lambda: not trainings.is_training)
    wait(lambda: bool(step.follower.course and step.follower.course.state == "finished"))
    events = len((run / "events.jsonl").read_bytes().splitlines())
    print(f"{events:,} events in {took:.1f} s ({events / took:,.0f} a second): {heart.told()}")
    long = with_history(make_run(folder, HISTORY_STEPS))
    wait(lambda: True, 0.2)
    heart.late_ms.clear()  # writing it is not measured
    shown = show(long)
    took = wait(lambda: shown.loss.plot is not None and bool(shown.loss.plot.accessibleDescription()), 0.5)
    print(f"a run of {HISTORY_STEPS:,} steps opened: {heart.told()}")
    shown.loss.table_button.click()
    wait(lambda: True, 0.5)
    print(f"its table: {heart.told()}")
    shown.loss.table_button.click()
    theme.apply(app, Settings(theme="dark"))
    wait(lambda: True, 0.5)
    print(f"another theme: {heart.told()}")


if __name__ == "__main__":
    main()
    os._exit(0)
