"""What a draft's check asks of the trainer: three steps that are measured, cancelled, or die."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from app.base import paths
from app.base.errors import AppError
from app.base.paths import Paths
from app.base.services import background
from app.inference import child_commands, speed
from app.inference.engine.messages import Tokenize
from app.inference.services.engine import EngineClient
from app.inference.speed import MachineSpeed
from app.training import drafts
from app.training.services.draft_editor import DraftEditor
from tests import model_files as models
from tests import scripted_trainer
from trainer.events import Event, Failed, Phase, Preview, PreviewToken, RunForecast

GB = 1_000_000_000
COMPUTED = RunForecast(3 * GB, 60 * GB, 1.0, 90.0, GB, is_measured=False)
MEASURED = dataclasses.replace(COMPUTED, peak_bytes=2 * GB, total_s=77.0, is_measured=True)
EFFECTIVE = scripted_trainer.effective()
PREVIEW = Preview(1, (PreviewToken(1, "橋", True),))
PLAN: list[Event | str] = [EFFECTIVE, PREVIEW, COMPUTED]


class Desk:
    def __init__(self, where: Paths, folder: Path, qtbot: QtBot) -> None:
        self.where, self.folder, self.qtbot = where, folder, qtbot
        self.engine = EngineClient(child_commands.engine(), where.logs / "engine.log")
        self.unloaded = 0
        self.engine.exited.connect(self._note_end)
        self.errors: list[str] = []
        self.phases: list[Phase | None] = []
        where.data.mkdir(parents=True, exist_ok=True)
        speed.save(where.data / speed.FILE_NAME, MachineSpeed(1e10, 1e11, 2, 1.0))  # measuring takes seconds

    def draft(self, *probe: Event | str) -> DraftEditor:
        """With rows that are split, and a base."""
        trainer = scripted_trainer.made(self.folder, PLAN, list(probe))
        one = DraftEditor(drafts.create(self.where.drafts, 1.0), self.where, tuple, lambda: trainer, self.engine)
        file = self.folder / "行.csv"
        rows = (f"{n * 7919 % 10_007:x} の点検は,{n * 104_729 % 99_991:x} 年ごと\n" for n in range(60))
        file.write_text("質問,回答\n" + "".join(rows), "utf-8")
        one.failed.connect(lambda error: self.errors.append(error.code))
        one.progressed.connect(lambda *_: self.phases.append(one.phase))
        one.import_file(file)
        self.wait(one)
        one.freeze()
        self.wait(one)
        one.change(goal="style", base=str(models.tiny_llama(self.folder / "小.gguf")))
        return one

    def wait(self, one: DraftEditor) -> None:
        self.qtbot.waitUntil(lambda: not one.is_busy)

    def start_engine(self) -> None:
        self.engine.send(Tokenize("1", ()))

    def _note_end(self) -> None:
        self.unloaded += 1


@pytest.fixture
def desk(tmp_path: Path, qtbot: QtBot) -> Iterator[Desk]:
    made = Desk(paths.locate(str(tmp_path / "データ")), tmp_path / "学習環境", qtbot)
    yield made
    made.engine.shut_down()
    background.shut_down()


def test_three_steps_take_the_place_of_what_was_computed(desk: Desk) -> None:
    draft = desk.draft(EFFECTIVE, PREVIEW, COMPUTED, Phase("probing"), MEASURED)
    desk.start_engine()
    draft.check()
    desk.wait(draft)
    computed = draft.draft.forecast
    assert computed is not None
    assert (computed.is_exact, computed.is_measured) == (True, False)
    desk.start_engine()
    draft.check(measures=True)
    desk.wait(draft)
    measured = draft.draft.forecast
    assert measured is not None
    assert (measured.seconds, measured.memory_bytes, measured.is_measured) == (77.0, 2 * GB, True)
    assert draft.draft.problems("check") == ()
    assert desk.phases[-1] == Phase("probing")
    assert desk.unloaded == 2  # the model that answers has no memory meanwhile
    assert draft.plan is not None
    assert draft.plan.previews == (PREVIEW,)


def test_nothing_is_checked_while_an_answer_is_given_which_goes_on(desk: Desk) -> None:
    draft = desk.draft(COMPUTED)
    draft.check()
    desk.wait(draft)
    before = draft.draft
    desk.start_engine()
    desk.engine.hold(desk)
    draft.check()
    desk.wait(draft)
    assert (desk.errors, draft.draft, desk.engine.is_up) == (["check_engine_busy"], before, True)
    desk.engine.release(desk)
    draft.check()
    desk.wait(draft)
    assert desk.errors == ["check_engine_busy"]


def test_nothing_is_tried_beside_a_training_or_a_study_but_it_can_be_planned(desk: Desk) -> None:
    draft = desk.draft(COMPUTED, MEASURED)
    desk.engine.refusal = AppError("study_has_memory")
    draft.check(measures=True)
    desk.wait(draft)
    assert desk.errors == ["check_memory_taken"]
    draft.check()
    desk.wait(draft)
    assert desk.errors == ["check_memory_taken"]
    assert draft.draft.is_complete("check")


def test_beside_a_training_or_a_study_no_run_is_made_of_a_draft(desk: Desk) -> None:
    draft = desk.draft(COMPUTED)
    desk.engine.refusal = AppError("study_has_memory")
    draft.begin()
    desk.wait(draft)
    assert desk.errors == ["begin_memory_taken"]
    assert draft.draft.run == ""


def test_a_trial_that_nobody_wants_any_more_is_killed_and_what_was_found_stands(desk: Desk) -> None:
    draft = desk.draft(EFFECTIVE, Phase("loading"), scripted_trainer.WAIT)
    draft.check()
    desk.wait(draft)
    before = draft.draft
    draft.check(measures=True)
    desk.qtbot.waitUntil(lambda: draft.phase == Phase("loading"))
    draft.cancel()
    desk.wait(draft)
    assert (draft.draft, desk.errors) == (before, [])


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (Failed("out_of_memory", {"device": "cpu", "micro_batch": 1}), "run_out_of_memory"),
        (Phase("probing"), "probe_died"),
    ],
)
def test_after_a_trial_that_failed_what_was_found_before_counts_no_more(desk: Desk, end: Event, code: str) -> None:
    draft = desk.draft(EFFECTIVE, COMPUTED, end)
    draft.check()
    desk.wait(draft)
    assert draft.draft.is_complete("check")
    draft.check(measures=True)
    desk.wait(draft)
    assert desk.errors == [code]
    assert [problem.code for problem in draft.draft.problems("check")] == ["not_checked"]


def test_a_trainer_that_is_gone_is_said(desk: Desk) -> None:
    draft = desk.draft()
    draft.check(measures=True)
    desk.wait(draft)
    assert desk.errors == ["training_environment_broken"]
