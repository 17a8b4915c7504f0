"""A training makes way for a question and goes on afterwards, by a button or by itself."""

import pytest
from PySide6.QtCore import QObject, Signal

from app.base.errors import AppError
from app.base.paths import Paths
from app.evaluation.services.evaluations import Evaluations
from app.shell.services.pause_for_questions import PauseForQuestions
from app.training.runs import run_folders
from tests import fake_trainer
from tests.training.services import test_trainings
from tests.training.services.test_trainings import Scene

scene = test_trainings.scene  # a fixture
SOON_MS = 300


class Session(QObject):
    """The part of the conversation that tells of answers."""

    answer_finished = Signal(object)
    answer_finished_elsewhere = Signal(object)
    is_busy = False


class Machine:
    """A training at work, and a person who wants to ask."""

    def __init__(self, scene: Scene, idle_ms: int) -> None:
        self.scene, self.trainings, self.session = scene, scene.trainings, Session(scene.trainings)
        where = Paths(scene.folder)
        evaluations = Evaluations(scene.engine, where, lambda: None, None, scene.trainings, lambda: False)
        self.pause = PauseForQuestions(self.session, self.trainings, evaluations, self.trainings, idle_ms)
        self.states: list[str] = []
        self.pause.changed.connect(lambda: self.states.append(self.pause.state))
        self.run = scene.run(max_steps=500)
        self.trainings.start(self.run)
        scene.until_step(1)

    def make_way(self) -> None:
        self.pause.pause()
        self.scene.until(lambda: self.pause.state == "paused")

    def is_training_on(self) -> bool:
        return self.trainings.folder == self.run and self.scene.engine.refusal is not None


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_trainer.use(monkeypatch, "slow")


def test_a_training_is_saved_and_the_memory_is_free_until_the_user_goes_on(slow, scene):
    machine = Machine(scene, 600_000)
    assert machine.pause.can_pause
    machine.make_way()
    assert machine.states == ["pausing", "paused"]
    assert (scene.engine.refusal, run_folders.read(machine.run).state) == (None, "paused")
    machine.pause.go_on()
    assert machine.is_training_on()
    assert machine.pause.state == ""
    machine.trainings.finish()
    scene.until(lambda: not machine.trainings.is_training)
    assert run_folders.read(machine.run).state == "finished"


def test_it_goes_on_by_itself_when_nobody_asks_any_more(slow, scene):
    machine = Machine(scene, SOON_MS)
    machine.make_way()
    scene.until(machine.is_training_on)
    machine.trainings.cancel()
    scene.until(lambda: not machine.trainings.is_training)


def test_it_goes_on_after_other_work_that_has_taken_the_machine_meanwhile(slow, scene, qtbot):
    machine, told = Machine(scene, SOON_MS), []
    machine.pause.failed.connect(told.append)
    machine.make_way()
    scene.engine.refusal = AppError("study_has_memory")
    qtbot.wait(3 * SOON_MS)
    assert (machine.pause.state, told) == ("paused", [])
    scene.engine.refusal = None
    scene.until(machine.is_training_on)
    machine.trainings.cancel()
    scene.until(lambda: not machine.trainings.is_training)


def test_it_does_not_go_on_while_an_answer_is_being_written(slow, scene, qtbot):
    machine = Machine(scene, SOON_MS)
    machine.session.is_busy = True
    machine.make_way()
    qtbot.wait(3 * SOON_MS)
    assert machine.pause.state == "paused"
    machine.session.is_busy = False
    machine.session.answer_finished.emit(None)
    scene.until(machine.is_training_on)
    machine.trainings.cancel()
    scene.until(lambda: not machine.trainings.is_training)


def test_what_the_user_starts_instead_is_not_interrupted_by_the_paused_one(slow, scene, qtbot):
    machine = Machine(scene, SOON_MS)
    machine.make_way()
    machine.trainings.start(machine.run)
    assert machine.pause.state == ""
    machine.trainings.cancel()
    scene.until(lambda: not machine.trainings.is_training)
    qtbot.wait(3 * SOON_MS)
    assert not machine.trainings.is_training


def test_a_training_that_fails_while_it_is_paused_is_not_started_again(scene, monkeypatch, qtbot):
    fake_trainer.use(monkeypatch, "slow")
    machine = Machine(scene, SOON_MS)
    machine.pause._set_state("pausing")  # between the command and the trainer's end
    scene.trainings.run.kill()
    scene.until(lambda: not machine.trainings.is_training)
    assert machine.pause.state == ""
    qtbot.wait(3 * SOON_MS)
    assert not machine.trainings.is_training
