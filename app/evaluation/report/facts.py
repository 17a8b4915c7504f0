"""How an evaluation came about, as pairs of a name and a value: for the report and for a sheet."""

import time
from pathlib import Path

from app import __version__
from app.base import html_report
from app.base.wording import phrase
from app.evaluation.report.grids import NONE, WORDS
from app.evaluation.results import Evaluation, Judge, System


def of(evaluation: Evaluation) -> list[tuple[str, str]]:
    """All of them, in the language in use."""
    word = html_report.load_words(WORDS)
    found = [
        (word["fact_name"], evaluation.name),
        *of_questions(evaluation),
        (word["fact_seeds"], ", ".join(map(str, evaluation.seeds)) if evaluation.systems else ""),
        *(_trust(evaluation.judge) if evaluation.judge else ()),
        (word["fact_made"], moment(evaluation.made_at)),
        (word["fact_version"], f"Kotae {__version__}"),
    ]
    for number, result in enumerate(evaluation.systems, start=1):
        found.append((word["fact_system"].format(number=number), _of_system(result.system)))
    return [(name, value) for name, value in found if value]


def of_questions(evaluation: Evaluation) -> list[tuple[str, str]]:
    """What was asked, and who judged."""
    word, questions, judge = html_report.load_words(WORDS), evaluation.questions, evaluation.judge
    named = word["set_version"].format(name=questions.name, version=questions.version)
    found = [
        (word["fact_set"], named if questions.version else questions.name),
        (word["fact_count"], _count(evaluation)),
        (word["fact_sha256"], questions.sha256),
        (word["fact_label"], phrase(f"common.label.{questions.label}")),
    ]
    if judge is not None:
        found.append((word["fact_judge"], judge.model_name))
        found.append((word["fact_preset"], word["preset_kotae" if judge.preset == "kotae" else "preset_paper"]))
    return found


def moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds)) if seconds else ""


def kappa(judge: Judge) -> str:
    return NONE if judge.kappa is None else f"{judge.kappa:.2f}"


def _count(evaluation: Evaluation) -> str:
    word, asked = html_report.load_words(WORDS), evaluation.questions.questions
    unanswerable = sum(not question.is_answerable for question in asked)
    form = word["count_unanswerable" if unanswerable else "count_all"]
    return form.format(count=f"{len(asked):,}", unanswerable=f"{unanswerable:,}")


def _trust(judge: Judge) -> list[tuple[str, str]]:
    word = html_report.load_words(WORDS)
    said = {True: "yes", False: "no", None: "not_known"}[judge.is_trusted]
    return [(word["fact_kappa"], kappa(judge)), (word["fact_trusted"], word[said])]


def _of_system(system: System) -> str:
    """Names of files, not where they are: whoever reads the report has them elsewhere."""
    word = html_report.load_words(WORDS)
    is_named = system.quantization in system.model_name
    model = system.model_name if is_named else f"{system.model_name} {system.quantization}"
    found = [system.name, word["system_model"].format(model=model)]
    if system.adapter:
        found.append(word["system_adapter"].format(name=Path(system.adapter).name, strength=f"{system.strength:g}"))
    if system.collections:
        found.append(word["system_collections"].format(names=", ".join(system.collections)))
    if system.model_sha256:
        found.append(word["system_sha256"].format(sha256=system.model_sha256))
    return " / ".join(found)
