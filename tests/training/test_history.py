"""What a run has told, with what was done again left out once."""

from app.training.runs.run_journal import RunHistory
from trainer.events import PROTOCOL, Adjusted, EvaluationStep, Sample, Started, TrainingStep


def step(number: int, loss: float = 1.0) -> TrainingStep:
    return TrainingStep(number, 9, number / 9, loss, 1e-4, 0.5, 100.0, 1 << 30, 1.0)


def told(*events: object) -> RunHistory:
    history = RunHistory()
    for event in events:
        history.take(event)
    return history


def test_steps_after_a_rollback_replace_those_before_it() -> None:
    before = [step(1), step(2, 5.0), EvaluationStep(2, 0.2, 5.0, 10, False), Sample(2, "問", "答", True), step(3, 9.0)]
    found = told(Started(PROTOCOL, 1, 0.0), *before, Adjusted("not_finite", 4, {}), step(2, 0.5), step(3, 0.4))
    assert [(one.step, one.loss) for one in found.steps] == [(1, 1.0), (2, 0.5), (3, 0.4)]
    assert found.evaluations == []
    assert found.samples == []
    assert len(found.adjusted) == 1


def test_the_base_s_evaluation_counts_once_after_a_rollback_to_the_beginning() -> None:
    base = [EvaluationStep(0, 0.0, 3.0, 10, True), Sample(0, "問", "答", True)]
    found = told(*base, step(1), Adjusted("not_finite", 2, {}), *base, step(1, 0.9))
    assert (found.evaluations, found.samples) == ([base[0]], [base[1]])
    assert [one.loss for one in found.steps] == [0.9]


def test_a_resumed_run_goes_on_from_its_checkpoint() -> None:
    base, first = EvaluationStep(0, 0.0, 3.0, 10, True), EvaluationStep(1, 0.1, 2.0, 10, True)
    found = told(
        Started(PROTOCOL, 1, 0.0), base, step(1), first, step(2, 7.0), Started(PROTOCOL, 2, 1.0, 1), step(2, 0.6)
    )
    assert [(one.step, one.loss) for one in found.steps] == [(1, 1.0), (2, 0.6)]
    assert found.evaluations == [base, first]


def test_two_samples_of_one_step_both_stay() -> None:
    samples = [Sample(1, "甲", "一", True), Sample(1, "乙", "二", False)]
    assert told(step(1), *samples).samples == samples
