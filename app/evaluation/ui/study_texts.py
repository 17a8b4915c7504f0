"""Build the texts on studies: the current step, the progress of each system, the state, and why a study stopped."""

from collections.abc import Sequence
from pathlib import Path

from app.base import wording
from app.base.errors import AppError
from app.base.wording import ErrorMessage, phrase
from app.evaluation.question_sets import StoredQuestionSet
from app.evaluation.services.evaluations import Evaluations
from app.evaluation.study.studies import Study, StudyEntry, Training
from app.evaluation.study.study_steps import StudyStatus
from app.models.artifact_steps import StepProgress
from app.training import training_errors
from app.uikit import confidentiality_guard
from app.uikit.localization import format_gigabytes, format_past_day, join_facts, join_sentences


def set_summary(stored_set: StoredQuestionSet) -> str:
    """Return the second line of a question set in the list."""
    if not stored_set.versions:
        return phrase("evaluation.cannot_be_read")
    count = phrase("evaluation.n_questions", n=f"{stored_set.newest.count:,}")
    return join_facts(count, confidentiality_guard.label_text(stored_set.label))


def study_name(entry: StudyEntry) -> str:
    return entry.study.name if entry.study else entry.id


def study_summary(entry: StudyEntry, live: str = "") -> str:
    """Return the second line of a study in the list. `live`: its progress if this process runs it, else ""."""
    study = entry.study
    if study is None:
        return phrase("evaluation.cannot_be_read")
    if entry.state == "running" or live:
        return live or phrase("evaluation.running")
    day = format_past_day(study.created_at) if study.created_at else ""
    if entry.state == "waiting":
        return join_facts(day, phrase("evaluation.can_be_continued"))
    if study.kind == "scale":
        return join_facts(day, phrase("evaluation.n_runs", n=len(study.trainings)))
    return join_facts(day, phrase("evaluation.n_systems", n=len(study.contenders)))


def study_icon(entry: StudyEntry, *, is_live: bool) -> tuple[str, str]:
    """Return an icon and its tone for a study in the list; ("", ""): no icon."""
    if entry.study is None:
        return "circle-x", "danger"
    if is_live or entry.state == "running":
        return "play", "accent"
    return ("pause", "text2") if entry.state == "waiting" else ("", "")


def progress_summary(progress: StepProgress) -> str:
    """Return the progress of a study, short enough for the list."""
    return join_facts(amount_text(progress.number, progress.steps), phrase(f"evaluation.study_doing.{progress.kind}"))


# errors of a study's training after which it resumes from its last checkpoint, and those after which it starts again
_RUNS_TO_GO_ON = (
    "run_unresponsive", "run_killed", "run_crashed", "run_memory_short", "run_out_of_memory", "run_disk_full",
    "run_base_missing", "run_exists", "run_export_failed",
)  # fmt: skip
_RUNS_LOST = (
    "run_data_missing", "run_data_changed", "run_data_invalid", "run_base_unreadable", "run_not_finite",
    "run_preflight_blocked", "run_checkpoint_damaged", "run_nothing_to_resume",
    "run_resume_differs",
)  # fmt: skip


def step_description(progress: StepProgress, study: Study) -> str:
    """Describe a step. Files and runs are described by their purpose, because their names mean nothing to the user."""
    name = progress.name
    if progress.kind == "make":
        made = next((one for one in study.made if Path(one.path).name == name), None)
        return _making(made.form) if made else phrase("evaluation.making_name", name=name)
    if progress.kind == "train":
        one = next((one for one in study.trainings if Path(one.folder).name == name), None)
        name = _training(one, study.trainings) if one else name
    return phrase(f"evaluation.step_description.{progress.kind}", name=name)


def _making(form: str) -> str:
    if form == "folder":
        return phrase("evaluation.turning_the_model_back_into")
    return phrase("evaluation.making_the_form_form", form=form)


def _training(training: Training, among: Sequence[Training]) -> str:
    if training.is_control:
        return phrase("evaluation.control_of_n_rows", n=f"{training.rows:,}")
    seeds = sorted({other.seed for other in among})
    number = seeds.index(training.seed) + 1
    return phrase("evaluation.n_rows_run_a", n=f"{training.rows:,}", a=number)


def amount_text(done: int, total: int) -> str:
    return phrase("common.a_b", a=f"{done:,}", b=f"{total:,}")


def memory_warning(name: str, need_bytes: int, *, is_judge: bool) -> str:
    """Return a warning that a model needs more memory than there is. `need_bytes`: estimated need."""
    need = format_gigabytes(need_bytes)
    if is_judge:
        return phrase("evaluation.the_judge_name_needs_more", name=name, need=need)
    return phrase("evaluation.name_needs_more_memory_about", name=name, need=need)


def with_study_name(error: AppError, entries: Sequence[StudyEntry]) -> AppError:
    """Replace the study's id in an error by its name, because the id means nothing to the user."""
    found = next((one.study for one in entries if one.study is not None and one.id == error.facts.get("id")), None)
    return AppError(error.code, **(error.facts | {"id": found.name})) if found is not None else error


def failure_message(error: AppError) -> ErrorMessage:
    """Return the message of an error with the advice for the window.

    In the window the next step is a button and not a command.
    """
    message = wording.describe_error(error)
    if error.code == "evaluation_unanswered":
        return ErrorMessage(message.message, phrase("evaluation.free_some_memory_and_press"))
    if error.code == "evaluation_damaged" or error.code in _RUNS_LOST:
        return ErrorMessage(message.message, phrase("evaluation.do_the_evaluation_again"))
    if error.code in _RUNS_TO_GO_ON:
        return ErrorMessage(message.message, join_sentences(training_errors.remedy_text(error.code), _going_on(error)))
    return message


def _going_on(error: AppError) -> str:
    """Return the advice to resume; after a crash add the path of the log, because the window does not show the run."""
    on = phrase("evaluation.continue_goes_on_from_what")
    if error.code != "run_crashed":
        return on
    facts = {name: error.facts[name] for name in ("log", "cause")}
    return join_sentences(on, phrase("evaluation.where_it_happens_again_look", **facts))


def state_sentence(entry: StudyEntry, standing: StudyStatus | None, evaluations: Evaluations) -> str:
    """Return a text on a study's state, which also says why a button is disabled. `standing` None: not yet read."""
    if evaluations.folder == entry.folder:
        return _stopping(evaluations) if evaluations.is_stopping else ""
    if entry.state == "running":
        return phrase("evaluation.this_evaluation_runs_outside_this")
    if entry.state == "finished":
        return phrase("evaluation.the_evaluation_has_finished")
    if evaluations.is_running:
        return phrase("evaluation.another_evaluation_is_running_this")
    return _waiting(standing) if standing is not None else ""


def running_notes(study: Study) -> str:
    """Return the notes for the user while a study runs in this window."""
    kept = phrase("evaluation.pausing_keeps_what_was_measured")
    if study.trainings:
        kept = phrase("evaluation.pausing_keeps_what_was_measured_a_training")
    rests = phrase("evaluation.the_model_that_answers_you")
    return "\n".join((rests, kept, phrase("evaluation.closing_kotae_pauses_the_evaluation")))


def _stopping(evaluations: Evaluations) -> str:
    if evaluations.progress is not None and evaluations.progress.kind == "train":
        return phrase("evaluation.stopping_a_training_saves_where")
    return phrase("common.stopping")


def _waiting(standing: StudyStatus) -> str:
    if standing.answered:
        return phrase("evaluation.a_of_n_answers_are", a=f"{standing.answered:,}", n=f"{standing.answers:,}")
    if standing.done:
        return phrase("evaluation.a_of_n_steps_are", a=f"{standing.done:,}", n=f"{standing.steps:,}")
    return phrase("evaluation.there_is_no_answer_yet")
