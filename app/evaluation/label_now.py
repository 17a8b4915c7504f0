"""Return the label that question sets and results have now: by their documents, and never below what is kept."""

from pathlib import Path

from app.base.confidentiality import Label
from app.documents import labels
from app.evaluation.records import QuestionSet
from app.evaluation.results import Evaluation
from app.evaluation.study.study import Study
from app.training.runs import lineage


def of_set(found: QuestionSet, documents: Path) -> Label:
    """`documents`: the database."""
    golds = {("", gold.document) for question in found.questions for gold in question.gold if gold.document}
    return labels.now(documents, golds, found.label)


def of_evaluation(found: Evaluation, documents: Path) -> Label:
    """Of its questions, the collections that were asked, and what models in the folder of a run were trained on."""
    asked = {(name, "") for system in found.systems for name in system.system.collections}
    trained = {
        origin
        for system in found.systems
        for place in (system.system.adapter, system.system.model)
        if place
        for origin in lineage.of_adapter(Path(place)).origins
    }
    return labels.now(documents, asked | trained, of_set(found.questions, documents))


def of_study(study: Study, documents: Path) -> Label:
    """What it was labelled when it was made, and the collections that it asks."""
    return labels.now(documents, {(ref.name, "") for one in study.contenders for ref in one.scope}, study.label)
