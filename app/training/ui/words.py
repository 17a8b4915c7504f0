"""Words of the page 学習 that several of its parts say."""

from app.base import wording
from app.base.errors import AppError
from app.base.wording import phrase
from app.training.plan import Problem
from app.training.runs.overview import DAMAGED, Entry
from app.uikit.localization import join_facts
from trainer.events import PreflightFinding, TrainingStep

_SIZES = frozenset(("need", "allowed", "free"))


def step_name(step: str) -> str:
    """`step`: one of `app.training.plan.STEPS`."""
    return {
        "goal": phrase("training.goal"),
        "data": phrase("common.data"),
        "model": phrase("training.model_and_settings"),
        "check": phrase("training.check"),
        "run": phrase("training.training_2"),
        "result": phrase("training.result"),
    }[step]


def problem(found: Problem) -> str:
    """One sentence."""
    facts = found.facts
    if found.code == "setting_wrong":
        return str(wording.describe_error(AppError(facts["code"], **facts["facts"])))
    if found.code == "finding":
        from app.training.ui.check_words import sentence  # which most steps never need

        return sentence(PreflightFinding(facts["code"], "", facts["facts"]))
    shown = {name: wording.format_size(value) if name in _SIZES else value for name, value in facts.items()}
    return wording.phrase(f"training.draft_{found.code}", **shown)


def entry_name(entry: Entry) -> str:
    """What it is called in the list; one that nobody has named yet by what it is."""
    return entry.name or phrase("common.unnamed_training")


def entry_state(entry: Entry) -> str:
    if entry.kind == "draft" and entry.state != DAMAGED:
        return phrase("training.draft_step", step=step_name(entry.state))
    if entry.state == "finished" and entry.verdict:
        return {
            "adopt": phrase("training.gate_adopt"),
            "check": phrase("training.needs_review"),
            "reject": phrase("training.do_not_adopt"),
        }[entry.verdict]
    return {
        DAMAGED: phrase("training.unreadable"),
        "waiting": phrase("training.not_started"),
        "running": phrase("common.training"),
        "judging": phrase("training.being_judged_2"),
        "paused": phrase("training.paused"),
        "crashed": phrase("training.stopped_midway"),
        "failed": phrase("common.failed"),
        "cancelled": phrase("training.aborted"),
        "finished": phrase("training.finished_not_judged"),
        "exported": phrase("training.trained_on_another_pc"),
    }[entry.state]


def progress(step: TrainingStep) -> str:
    """How far a run is, and how long still where that is known."""
    from app.training.ui.run import words  # with what only a run needs

    percent = f"{100 * step.step // step.total}\u00a0%" if step.total else ""
    left = words.left(step.left_s)
    return join_facts(percent, phrase("training.time_left", time=left) if left else "")


_SIGNS = {
    DAMAGED: ("circle-x", "danger"),
    "waiting": ("square", "text2"),
    "running": ("play", "accent"),
    "judging": ("play", "accent"),
    "paused": ("pause", "text2"),
    "crashed": ("triangle-alert", "warning"),
    "failed": ("circle-x", "danger"),
    "cancelled": ("x", "text2"),
    "finished": ("check", "text2"),
    "exported": ("file-up", "text2"),
    "adopt": ("circle-check", "success"),
    "check": ("triangle-alert", "warning"),
    "reject": ("circle-x", "danger"),
}


def entry_sign(entry: Entry) -> tuple[str, str]:
    """An icon and its tone."""
    if entry.kind == "draft" and entry.state != DAMAGED:
        return "pencil", "text2"
    return _SIGNS[entry.verdict if entry.state == "finished" and entry.verdict else entry.state]
