"""What is to be said of a run besides its numbers: one sentence, and what asks for a decision."""

from app.base import wording
from app.base.errors import AppError
from app.base.wording import ErrorMessage, phrase
from app.training import problems
from app.training.runs import watching
from app.training.runs.course import Course
from app.training.services.trainings import Trainings
from app.training.ui.run import words
from app.uikit import localization
from app.uikit.localization import join_facts
from trainer.events import Failed, Finished


def sentence(course: Course, trainings: Trainings, *, is_ours: bool) -> str:
    """ "": the numbers say it all."""
    if is_ours and trainings.is_asked:
        return phrase("training.it_ends_as_soon_as")
    if is_ours and not course.is_live:
        return ""  # it has just begun, and nothing is told yet
    match course.state:
        case "running" if not is_ours:
            return localization.join_sentences(
                phrase("training.this_run_goes_on_outside"),
                phrase("training.to_stop_it_press_ctrl"),
            )
        case "judging" if is_ours and trainings.progress is not None:
            return words.judging(trainings.progress)
        case "judging":
            return phrase("training.the_result_is_being_judged")
        case "ending":
            return phrase("training.the_training_process_is_saving")
        case "waiting":
            return phrase("training.it_has_not_started_yet")
        case "paused":
            return phrase("training.paused_at_step_n_resume", n=f"{course.standing.last_step:,}")
        case "cancelled":
            return _kept(course, phrase("training.this_run_was_aborted"))
        case "exported":
            return phrase("training.this_run_was_exported_to")
        case "finished":
            origin = wording.phrase("common.run_trained_elsewhere") if course.is_from_elsewhere else ""
            return localization.join_sentences(origin, _finished(course)) if origin else _finished(course)
    return ""


def failure(course: Course) -> ErrorMessage | None:
    """Of a run that nobody is at work on: why it did not come to its end, and the next step."""
    end = course.standing.end
    if course.state == "crashed":
        what = phrase("training.the_training_process_stopped_on")
        return ErrorMessage(what, _kept(course, ""))
    if course.state == "failed" and isinstance(end, Failed):
        return of_error(problems.of_run(end.code, end.facts, ""), course)
    return None


def of_error(error: AppError, course: Course | None) -> ErrorMessage:
    """In the window the next step is a button, or a new training, and not a command."""
    told = wording.describe_error(error)
    if course is not None and course.can_go_on and error.code.startswith("run_"):
        return ErrorMessage(told.message, _kept(course, _before(error.code)))
    if error.code == "run_preflight_blocked":
        return ErrorMessage(told.message, phrase("training.mend_what_the_step_check"))
    if error.code == "run_not_finite":
        return ErrorMessage(told.message, phrase("training.start_a_new_run_with"))
    if error.code.startswith("run_"):
        return ErrorMessage(told.message, phrase("training.start_a_new_run"))
    return told


def alarm(course: Course) -> str:
    """ "": validation goes as it should, or it is too late to do something."""
    evaluations, best = course.standing.evaluations, course.standing.best
    if course.state != "running" or best is None or not watching.is_overfitting(evaluations):
        return ""
    return phrase("training.validation_loss_rose_n_times", n=watching.rises(evaluations), s=f"{best.step:,}")


def abort_body(course: Course) -> str:
    saved = course.standing.saved
    if saved is None or not saved.step:
        return phrase("training.nothing_is_saved_yet_you")
    return phrase("training.progress_up_to_step_n", n=f"{saved.step:,}")


def _before(code: str) -> str:
    """What is to be done before it goes on; "": nothing is known."""
    return {
        "run_out_of_memory": phrase("common.close_other_programs"),
        "run_memory_short": phrase("common.close_other_programs"),
        "run_killed": phrase("common.close_other_programs"),
        "run_disk_full": phrase("training.delete_files_that_you_do"),
        "run_base_missing": phrase("common.put_the_model_back_where"),
        "run_data_missing": phrase("training.put_the_training_data_back"),
    }.get(code, "")


def _kept(course: Course, before: str) -> str:
    """What is safe, and how it goes on."""
    saved = course.standing.saved
    if saved is None or not saved.step:
        return localization.join_sentences(before, phrase("training.resume_starts_it_from_the"))
    told = phrase("training.all_up_to_step_n")
    return localization.join_sentences(before, told.format(n=f"{saved.step:,}"))


def _finished(course: Course) -> str:
    end = course.standing.end
    told = words.finished(end) if isinstance(end, Finished) else ""
    if course.can_go_on:
        return join_facts(told, phrase("training.it_has_not_been_judged"))
    return told
