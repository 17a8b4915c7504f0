"""Find the label that question sets, studies and results have now, from the labels of their documents today.

The current label is never lower than the label that was stored with the set, study or results.
"""

from collections.abc import Iterable
from pathlib import Path

from app.base.confidentiality import LABELS, Label, highest_label
from app.documents import collection_lookup
from app.documents.collection_lookup import Origin
from app.evaluation.records import Evaluation, QuestionSet, System
from app.evaluation.study.studies import Study
from app.training.runs import lineage
from app.training.runs.lineage import Lineage


def label_of_set(question_set: QuestionSet, documents: Path) -> Label:
    """Return the current label of a question set. `documents`: path of the documents database."""
    return collection_lookup.label_of_origins(documents, origins_of_set(question_set), question_set.label)


def origins_of_set(question_set: QuestionSet) -> frozenset[Origin]:
    """Return the documents that the gold passages of a set quote, and the collections that its questions are about."""
    golds = {("", gold.document) for question in question_set.questions for gold in question.gold if gold.document}
    return frozenset(golds | {(name, "") for question in question_set.questions for name in question.collections})


def label_of_evaluation(evaluation: Evaluation, documents: Path) -> Label:
    """Return the highest current label of the questions, the systems' collections and the models' training data."""
    known = highest_label((evaluation.questions.label, _trained_on_by(evaluation).label or LABELS[0]))
    return collection_lookup.label_of_origins(documents, origins_of_evaluation(evaluation), known)


def origins_of_evaluation(evaluation: Evaluation) -> frozenset[Origin]:
    """Return what the questions are about, what was asked, and what the models were trained on."""
    asked = {(name, "") for system in evaluation.systems for name in system.system.collections}
    return origins_of_set(evaluation.questions) | asked | set(_trained_on_by(evaluation).origins)


def _trained_on_by(evaluation: Evaluation) -> Lineage:
    return _trained_on(one.system for one in evaluation.systems)


def label_of_study(study: Study, documents: Path) -> Label:
    """Return the highest of the study's stored label and the current labels of its collections and training data."""
    asked = {(ref.name, "") for one in study.contenders for ref in one.scope}
    trained = Lineage().joined(
        _trained_on(one.system for one in study.contenders),
        *(lineage.lineage_of_model(one.model) for one in study.contenders),
    )
    known = highest_label((study.label, trained.label or LABELS[0]))
    return collection_lookup.label_of_origins(documents, asked | set(trained.origins), known)


def _trained_on(systems: Iterable[System]) -> Lineage:
    places = {place for one in systems for place in (one.adapter, one.model) if place}
    return Lineage().joined(*(lineage.lineage_of_adapter(Path(place)) for place in places))
