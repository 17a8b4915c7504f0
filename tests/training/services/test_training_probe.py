"""What a draft's check asks of the trainer: three steps that are measured, cancelled, or die."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from app.base import paths
from app.base.errors import AppError
from app.base.services import background
from app.inference import child_commands
from app.inference.engine.messages import Tokenize
from app.inference.services.engine import EngineClient
from app.training.services.draft_editor import DraftEditor
from tests import scripted_trainer
from tests.training.services import draft_desk
from trainer.events import Event, Failed, Phase, Preview, PreviewToken, RunForecast

GB = 1_000_000_000
COMPUTED = RunForecast(3 * GB, 60 * GB, 1.0, 90.0, GB, is_measured=False)
MEASURED = dataclasses.replace(COMPUTED, peak_bytes=2 * GB, total_s=77.0, is_measured=True)
EFFECTIVE = scripted_trainer.effective()
PREVIEW = Preview(1, (PreviewToken(1, "橋", True),))


class Desk(draft_desk.Desk):
    """A draft with an engine beside it, and a trainer that says what it was told to say."""

    def __init__(self, folder: Path, qtbot: QtBot) -> None:
        super().__init__(paths.locate(str(folder / "データ")), qtbot)
        self.scripts, self.qtbot = folder / "学習環境", qtbot
        self.engine = EngineClient(child_commands.engine(), self.where.logs / "engine.log")
        self.ends: list[object] = []
        self.engine.exited.connect(lambda *end: self.ends.append(end))
        self.phases: list[Phase | None] = []

    def planned(self, *probe: Event | str) -> DraftEditor:
        """Return a draft with rows that are split, and a base."""
        trainer = scripted_trainer.made(self.scripts, [EFFECTIVE, PREVIEW, COMPUTED], list(probe))
        self.trainer = lambda: trainer
        self.draft = self.reopened()
        self.draft.progressed.connect(lambda *_: self.phases.append(self.draft.phase))
        self.ready()
        return self.draft

    def measure(self) -> None:
        self.draft.check(measures=True)
        self.wait()

    def start_engine(self) -> None:
        self.engine.send(Tokenize("1", ()))


@pytest.fixture
def desk(tmp_path: Path, qtbot: QtBot) -> Iterator[Desk]:
    made = Desk(tmp_path, qtbot)
    yield made
    made.engine.shut_down()
    background.shut_down()


def test_three_steps_take_the_place_of_what_was_computed(desk: Desk) -> None:
    draft = desk.planned(EFFECTIVE, PREVIEW, COMPUTED, Phase("probing"), MEASURED)
    desk.start_engine()
    desk.checked()
    computed = draft.draft.forecast
    assert (computed.is_exact, computed.is_measured) == (True, False)
    desk.start_engine()
    desk.measure()
    measured = draft.draft.forecast
    assert (measured.seconds, measured.memory_bytes, measured.is_measured) == (77.0, 2 * GB, True)
    assert draft.draft.problems("check") == ()
    assert desk.phases[-1] == Phase("probing")
    assert len(desk.ends) == 2  # the model that answers has no memory meanwhile
    assert draft.plan.previews == (PREVIEW,)


def test_nothing_is_checked_while_an_answer_is_given_which_goes_on(desk: Desk) -> None:
    draft = desk.planned(COMPUTED)
    desk.checked()
    before = draft.draft
    desk.start_engine()
    desk.engine.hold(desk)
    desk.checked()
    assert (desk.codes, draft.draft, desk.engine.is_up) == (["check_engine_busy"], before, True)
    desk.engine.release(desk)
    desk.checked()
    assert desk.codes == ["check_engine_busy"]


def test_beside_a_training_or_a_study_it_is_only_planned_and_no_run_is_made_of_a_draft(desk: Desk) -> None:
    draft = desk.planned(COMPUTED, MEASURED)
    desk.engine.refusal = AppError("study_has_memory")
    desk.measure()
    assert desk.codes == ["check_memory_taken"]
    assert desk.checked() == []
    draft.begin()
    desk.wait()
    assert (desk.codes, draft.draft.run) == (["check_memory_taken", "begin_memory_taken"], "")


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (Failed("out_of_memory", {"device": "cpu", "micro_batch": 1}), "run_out_of_memory"),
        (Phase("probing"), "probe_died"),
    ],
)
def test_after_a_trial_that_failed_what_was_found_before_counts_no_more(desk: Desk, end: Event, code: str) -> None:
    draft = desk.planned(EFFECTIVE, COMPUTED, end)
    assert desk.checked() == []
    desk.measure()
    assert desk.codes == [code]
    assert [problem.code for problem in draft.draft.problems("check")] == ["not_checked"]


def test_a_trainer_that_is_gone_is_said(desk: Desk) -> None:
    desk.planned()
    desk.measure()
    assert desk.codes == ["training_environment_broken"]
