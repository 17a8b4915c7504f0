"""How long the GUI thread is held up on the page 学習: `python -m tests.benchmarks.run_page [STEPS]`.

In the real window, started anew: the page is shown, each step of a plan is opened, a run is begun while the engine is
up, the fake trainer (a real process) tells STEPS steps as fast as it can with an evaluation every fourth, and a run of
10,000 steps is opened. A timer of 5 ms in the GUI thread notes how much later than due it comes, and how much of a
processor that thread has taken between two beats. The first is what people feel; on a machine that does other work,
too, only the second is the program's own. Without a screen: what a graphics driver takes is not in it.
"""

import dataclasses
import gc
import json
import math
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tests import fake_trainer

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ |= fake_trainer.variables("good")
os.environ["KOTAE_ENGINE"] = "echo"

from PySide6.QtCore import QEventLoop, QObject, Qt, QTimer

from app import application
from app.application import AppContext
from app.base import paths
from app.base.paths import Paths
from app.base.services import background
from app.base.services.preferences import Preferences
from app.base.settings import Settings
from app.chat.store import Store
from app.inference import speed
from app.inference.engine.messages import Load
from app.inference.speed import MachineSpeed
from app.models import local_models, training_environment
from app.shell.services.housekeeping import GarbageCollector
from app.training import drafts
from app.training.drafts import PLANNED_STEPS, TrainingDraft
from app.training.runs import run_folders
from app.training.services import training_run
from app.training.services.draft_editor import DraftEditor
from app.training.ui.page import TrainingPage
from app.training.ui.run_step import RunStep
from app.training.ui.wizard import DraftWizard, RunWizard
from app.uikit import desktop
from app.uikit.theme import Theme
from tests import model_files as models
from trainer.events import PROTOCOL, EvaluationStep, Event, Paused, Sample, Started, TrainingStep, to_json
from trainer.spec import RunSpec

BEAT_MS = 5
HISTORY_STEPS = 10_000
ROWS = 60
QUIET_S = 0.5  # a part is over when nothing was late for so long


class Beat(NamedTuple):
    late_ms: float
    worked_ms: float  # of a processor, by the GUI thread


class Heart(QObject):
    """Beats in the GUI thread."""

    def __init__(self) -> None:
        super().__init__()
        self.beats: list[Beat] = []
        self._at, self._worked_s = time.perf_counter(), time.thread_time()
        self._timer = QTimer(self, interval=BEAT_MS, timerType=Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self.beat)
        self._timer.start()

    def beat(self) -> None:
        now, worked_s = time.perf_counter(), time.thread_time()
        self.beats.append(Beat(1000 * (now - self._at) - BEAT_MS, 1000 * (worked_s - self._worked_s)))
        self._at, self._worked_s = now, worked_s

    def forget(self) -> None:
        """What was done until now is not measured."""
        self.beat()
        self.beats.clear()

    def tell(self, name: str) -> None:
        self.beat()
        late = sorted(beat.late_ms for beat in self.beats)
        worked = max(beat.worked_ms for beat in self.beats)
        over = sum(one > 100 for one in late)
        print(
            f"{name:<34} longest gap {late[-1]:5.0f} ms, of a processor {worked:5.0f} ms, "
            f"99 % under {late[len(late) * 99 // 100]:4.0f} ms, over 100 ms: {over}",
            flush=True,
        )
        self.beats.clear()


def wait(until: Callable[[], object], least_s: float = QUIET_S, limit_s: float = 120.0) -> float:
    """In the event loop. Gives the seconds until `until`, after which it waits `least_s` more."""
    began, loop = time.perf_counter(), QEventLoop()
    met: list[float] = []

    def look() -> None:
        now = time.perf_counter()
        if not met and until():
            met.append(now)
        if (met and now - met[0] >= least_s) or now - began > limit_s:
            loop.quit()

    looking = QTimer(interval=20)
    looking.timeout.connect(look)
    looking.start()
    loop.exec()
    assert met
    return met[0] - began


# ------------------------------------------------------------------ what is shown


def make_draft(where: Paths, store: Store, folder: Path) -> TrainingDraft:
    """Planned to its end, and checked."""
    found = local_models.describe(models.tiny_llama(folder / "small.gguf"))
    store.put_local_model(dataclasses.replace(found, id="small", name="small"))
    rows = (f"{n * 7919 % 10_007:x} の点検は何年ごとか,{n * 104_729 % 99_991:x} 年ごとに行う。\n" for n in range(ROWS))
    file = folder / "rows.csv"
    file.write_text("質問,回答\n" + "".join(rows), "utf-8")
    draft, trainer = drafts.create(where.drafts, time.time()), lambda: training_run.locate_trainer(where.data)
    work = DraftEditor(draft, where, store.local_models, trainer)
    work.change(goal="style")
    for do in (lambda: work.import_file(file), work.freeze, lambda: work.change(base="small"), work.check):
        do()
        wait(lambda: not work.is_busy, 0)
    return work.draft


def make_history(where: Paths) -> Path:
    """A run as the fake would tell it, which needs a flush of the drive for each of its checkpoints."""
    rows = where.data / "rows.jsonl"
    rows.write_text('{"messages": [{"role": "user", "content": "?"}, {"role": "assistant", "content": "!"}]}\n')
    run = run_folders.create(
        RunSpec(*map(str, (where.runs / "history", where.data, rows, rows)), max_steps=HISTORY_STEPS)
    )
    told: list[Event] = [Started(PROTOCOL, 0, time.time())]
    for step in range(1, HISTORY_STEPS + 1):
        loss = 1.2 + math.exp(-step / 2000) + 0.1 * math.sin(step)
        told.append(TrainingStep(step, HISTORY_STEPS, step / 1000, loss, 2e-4, 0.8, 812.5, 1_900_000_000, 60.0))
        if step % 50 == 0:
            told.append(EvaluationStep(step, step / 1000, loss + 0.1, 640, is_best=False))
            told.append(Sample(step, "What is the capital of Japan?", f"Tokyo {step}.", has_ended=True))
    lines = (json.dumps(to_json(event)) + "\n" for event in (*told, Paused(HISTORY_STEPS)))
    (run / "events.jsonl").write_text("".join(lines), encoding="utf-8")
    return run


# ---------------------------------------------------------------------- measuring


def main() -> None:
    steps = int(sys.argv[1]) if sys.argv[1:] else 1000
    training_environment.DEVELOPMENT_FOLDER = "none"  # looking at it imports torch
    app = desktop.make_application("ja")
    theme = Theme()
    theme.apply(app, Settings(theme="light"))
    with tempfile.TemporaryDirectory() as name:
        where = paths.locate(str(Path(name) / "data"))
        where.data.mkdir(parents=True, exist_ok=True)
        speed.save(where.data / speed.FILE_NAME, MachineSpeed(5.3e9, 3.1e11, 1e11, 2, 1.0))
        store = Store.open(where.database, where.backups)
        draft, history = make_draft(where, store, Path(name)), make_history(where)
        preferences = Preferences(where.settings)
        preferences.change(theme="light")
        parts = application.build(where, theme, preferences, store)
        gc.freeze()
        GarbageCollector(app)
        parts.window.resize(1440, 900)
        parts.window.show()
        wait(lambda: True)
        measure(parts, draft, history, steps)
        parts.trainings.close()
        background.shut_down()
        parts.engine.shut_down()


def measure(parts: AppContext, draft: TrainingDraft, history: Path, steps: int) -> None:
    heart = Heart()
    parts.window.show_page("training")
    page = parts.window.page("training")
    assert isinstance(page, TrainingPage)
    wait(lambda: True)
    heart.tell("the page")
    measure_plan(heart, page, draft, steps)
    measure_run(heart, parts, page)
    page.close_content()
    wait(lambda: True)
    heart.forget()
    page.show_run(history)
    shown = _run_step(page)
    wait(lambda: shown.loss.plot is not None and shown.loss.plot.accessibleDescription())
    heart.tell(f"a run of {HISTORY_STEPS:,} steps opened")
    shown.loss.table_button.click()
    wait(lambda: True)
    heart.tell("its table")


def measure_plan(heart: Heart, page: TrainingPage, draft: TrainingDraft, steps: int) -> None:
    page.open(("draft", draft.id))
    planning = page.content
    assert isinstance(planning, DraftWizard)
    wait(lambda: not planning.work.is_busy)
    heart.tell(f"a draft opened at its step {planning.key}")
    for key in PLANNED_STEPS:
        planning.show_step(key)
        wait(lambda: not planning.work.is_busy)
        heart.tell(f"its step {key}")
    planning.work.choose(max_steps=steps)
    planning.work.check()
    wait(lambda: not planning.work.is_busy)
    heart.tell("its check")


def measure_run(heart: Heart, parts: AppContext, page: TrainingPage) -> None:
    planning, trainings = page.content, parts.trainings
    assert isinstance(planning, DraftWizard)
    model = Path(planning.work.draft.base and parts.library.models()[0].path)
    parts.engine.send(Load(parts.engine.new_id(), str(model)))
    wait(lambda: parts.engine.facts is not None)
    heart.forget()
    planning.work.begin()
    wait(lambda: trainings.run is not None and trainings.run.standing.started_at, least_s=0.0)
    heart.tell("a run begun")
    shown = _run_step(page)
    took = wait(lambda: not trainings.is_training)
    wait(lambda: shown.follower.course and shown.follower.course.state == "finished")
    running = page.content
    assert isinstance(running, RunWizard)
    events = len((running.folder / "events.jsonl").read_bytes().splitlines())
    heart.tell(f"{events:,} events, {events / took:,.0f} a second")


def _run_step(page: TrainingPage) -> RunStep:
    assert isinstance(page.content, RunWizard)
    assert isinstance(page.content.step, RunStep)
    return page.content.step


if __name__ == "__main__":
    main()
    os._exit(0)
