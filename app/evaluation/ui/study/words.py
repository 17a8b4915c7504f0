"""A study in words: what is done now, how far each of its systems is, what its state means, and what has stopped it."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from app.base import wording
from app.base.errors import AppError
from app.base.wording import ErrorMessage, phrase
from app.evaluation.services.evaluations import Evaluations
from app.evaluation.study.headway import Standing
from app.evaluation.study.study import Entry, Study, Training
from app.uikit.localization import format_gigabytes, join_sentences

if TYPE_CHECKING:
    from app.evaluation.services.study_run import StudyProgress  # numpy, which most starts never need

# What has stopped a training of the study: whether it goes on from its last checkpoint or can only be done again.
_RUNS_TO_GO_ON = (
    "run_unresponsive", "run_killed", "run_crashed", "run_memory_short", "run_out_of_memory", "run_disk_full",
    "run_base_missing", "run_exists", "run_export_failed",
)  # fmt: skip
_RUNS_LOST = (
    "run_data_missing", "run_data_changed", "run_data_invalid", "run_base_unreadable", "run_not_finite",
    "run_preflight_blocked", "run_checkpoint_damaged", "run_nothing_to_resume",
    "run_resume_differs",
)  # fmt: skip


def kind(key: str) -> str:
    """One of `study.KINDS`."""
    return {
        "documents": phrase("evaluation.documents_and_fine_tuning"),
        "questions": phrase("evaluation.models"),
        "bases": phrase("evaluation.models"),
        "quantizations": phrase("evaluation.quantizations"),
        "scale": phrase("evaluation.amounts_of_training_data"),
        "judge": phrase("evaluation.check_of_the_judge"),
    }.get(key, "")


def doing(progress: "StudyProgress", study: Study) -> str:
    """Files and runs are called by what they are: their names mean nothing to anybody."""
    name = progress.name
    if progress.kind == "make":
        made = next((one for one in study.made if Path(one.path).name == name), None)
        return _making(made.form) if made else phrase("evaluation.making_name", name=name)
    if progress.kind == "train":
        one = next((one for one in study.trainings if Path(one.folder).name == name), None)
        name = _training(one, study.trainings) if one else name
    return {
        "train": phrase("evaluation.training_name"),
        "likelihood": phrase("evaluation.measuring_the_loss_of_name"),
        "answers": phrase("evaluation.asking_name"),
        "judge": phrase("evaluation.name_is_judging"),
        "conclude": phrase("evaluation.putting_the_results_together"),
    }[progress.kind].format(name=name)


def _making(form: str) -> str:
    if form == "folder":
        return phrase("evaluation.turning_the_model_back_into")
    return phrase("evaluation.making_the_form_form", form=form)


def _training(one: Training, among: Sequence[Training]) -> str:
    if one.is_control:
        return phrase("evaluation.control_of_n_rows", n=f"{one.rows:,}")
    seeds = sorted({other.seed for other in among})
    number = seeds.index(one.seed) + 1
    return phrase("evaluation.n_rows_run_a", n=f"{one.rows:,}", a=number)


def step(number: int, steps: int, what: str) -> str:
    return phrase("evaluation.a_b_what", a=number, b=steps, what=what)


def part(kind: str) -> str:
    """What a step's own progress counts."""
    return {
        "make": phrase("evaluation.file"),
        "train": phrase("evaluation.training_steps"),
        "likelihood": phrase("evaluation.measured_tokens"),
        "answers": phrase("evaluation.answers"),
        "judge": phrase("evaluation.rating_sheet"),
    }.get(kind, phrase("evaluation.preparation"))


def amount(done: int, total: int) -> str:
    return phrase("common.a_b", a=f"{done:,}", b=f"{total:,}")


def answered(done: int, total: int) -> str:
    return phrase("evaluation.a_b_answers", a=f"{done:,}", b=f"{total:,}")


def beyond(name: str, need_bytes: int, *, is_judge: bool) -> str:
    """A model that needs more memory than there is."""
    need = format_gigabytes(need_bytes)
    if is_judge:
        return phrase("evaluation.the_judge_name_needs_more", name=name, need=need)
    return phrase("evaluation.name_needs_more_memory_about", name=name, need=need)


def named(error: AppError, entries: Sequence[Entry]) -> AppError:
    """With the name of the study in place of its id, which means nothing to anybody."""
    found = next((one.study for one in entries if one.study is not None and one.id == error.facts.get("id")), None)
    return AppError(error.code, **(error.facts | {"id": found.name})) if found is not None else error


def failure(error: AppError) -> ErrorMessage:
    """In the window the next step is a button, and not a command."""
    told = wording.describe_error(error)
    if error.code == "evaluation_unanswered":
        return ErrorMessage(
            told.message,
            phrase("evaluation.free_some_memory_and_press"),
        )
    if error.code == "evaluation_damaged" or error.code in _RUNS_LOST:
        return ErrorMessage(told.message, phrase("evaluation.do_the_evaluation_again"))
    if error.code in _RUNS_TO_GO_ON:
        return ErrorMessage(told.message, join_sentences(_before(error.code), _going_on(error)))
    return told


def _before(code: str) -> str:
    """What is to be done before a training goes on; "": nothing is known."""
    return {
        "run_killed": phrase("common.close_other_programs"),
        "run_memory_short": phrase("common.close_other_programs"),
        "run_out_of_memory": phrase("common.close_other_programs"),
        "run_disk_full": phrase("evaluation.delete_files_that_are_not"),
        "run_base_missing": phrase("common.put_the_model_back_where"),
    }.get(code, "")


def _going_on(error: AppError) -> str:
    """The run itself is known only to the study."""
    on = phrase("evaluation.continue_goes_on_from_what")
    if error.code != "run_crashed":
        return on
    log = phrase("evaluation.where_it_happens_again_look")
    return join_sentences(on, log.format(log=error.facts["log"], cause=error.facts["cause"]))


def elapsed(time: str) -> str:
    return phrase("evaluation.time_so_far_this_time", time=time)


def state_sentence(entry: Entry, standing: Standing | None, evaluations: Evaluations) -> str:
    """Return what a study's state means, and why a button cannot be pressed. `standing` None: not known yet."""
    if evaluations.folder == entry.folder:
        return _stopping(evaluations) if evaluations.is_stopping else ""
    if entry.state == "running":
        return phrase("evaluation.this_evaluation_runs_outside_this")
    if entry.state == "finished":
        return phrase("evaluation.the_evaluation_has_finished")
    if evaluations.is_running:
        return phrase("evaluation.another_evaluation_is_running_this")
    return _waiting(standing) if standing is not None else ""


def notes(study: Study) -> str:
    """Return what is to be known of a study while it goes on here."""
    kept = phrase("evaluation.pausing_keeps_what_was_measured")
    if study.trainings:
        kept = phrase("evaluation.pausing_keeps_what_was_measured_a_training")
    rests = phrase("evaluation.the_model_that_answers_you")
    return "\n".join((rests, kept, phrase("evaluation.closing_kotae_pauses_the_evaluation")))


def _stopping(evaluations: Evaluations) -> str:
    if evaluations.progress is not None and evaluations.progress.kind == "train":
        return phrase("evaluation.stopping_a_training_saves_where")
    return phrase("common.stopping")


def _waiting(standing: Standing) -> str:
    if standing.answered:
        told = phrase("evaluation.a_of_n_answers_are")
        return told.format(a=f"{standing.answered:,}", n=f"{standing.answers:,}")
    if standing.done:
        told = phrase("evaluation.a_of_n_steps_are")
        return told.format(a=f"{standing.done:,}", n=f"{standing.steps:,}")
    return phrase("evaluation.there_is_no_answer_yet")
