"""Words of the page 評価 that several of its parts say."""

import datetime

from app.base.wording import phrase
from app.evaluation.question_sets import KeptSet
from app.evaluation.services.study_run import StudyProgress
from app.evaluation.study.study import Entry
from app.evaluation.ui.study import words as study_words
from app.uikit import confidentiality_guard
from app.uikit.localization import format_date, format_day, join_facts


def set_said(kept: KeptSet) -> str:
    """The second line of a set in the list."""
    if not kept.versions:
        return phrase("evaluation.cannot_be_read")
    count = phrase("evaluation.n_questions", n=f"{kept.newest.count:,}")
    return join_facts(count, confidentiality_guard.label_text(kept.label))


def study_name(entry: Entry) -> str:
    return entry.study.name if entry.study else entry.id


def study_said(entry: Entry, live: str = "") -> str:
    """The second line of a study in the list. `live`: how far it is, where this program runs it."""
    study = entry.study
    if study is None:
        return phrase("evaluation.cannot_be_read")
    if entry.state == "running" or live:
        return live or phrase("evaluation.running")
    day = _day(study.created_at) if study.created_at else ""
    if entry.state == "waiting":
        return join_facts(day, phrase("evaluation.can_be_continued"))
    if study.kind == "scale":
        return join_facts(day, phrase("evaluation.n_runs", n=len(study.trainings)))
    return join_facts(day, phrase("evaluation.n_systems", n=len(study.contenders)))


def _day(time_s: float) -> str:
    day = datetime.datetime.fromtimestamp(time_s).astimezone().date()
    return format_day(day) if day.year == datetime.datetime.now().astimezone().year else format_date(day)


def study_sign(entry: Entry, *, is_live: bool) -> tuple[str, str]:
    """An icon and its tone; "": none, as of most."""
    if entry.study is None:
        return "circle-x", "danger"
    if is_live or entry.state == "running":
        return "play", "accent"
    return ("pause", "text2") if entry.state == "waiting" else ("", "")


def progress(told: StudyProgress) -> str:
    """How far a study is, in the width of the list."""
    doing = {
        "make": phrase("evaluation.making_a_model"),
        "train": phrase("common.training"),
        "likelihood": phrase("evaluation.measuring"),
        "answers": phrase("evaluation.answering"),
        "judge": phrase("evaluation.judging"),
        "conclude": phrase("evaluation.summing_up"),
    }[told.kind]
    return join_facts(study_words.amount(told.number, told.steps), doing)
