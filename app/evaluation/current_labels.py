"""Return the label that question sets and results have now: by their documents, and never below what is kept."""

from collections.abc import Iterable
from pathlib import Path

from app.base.confidentiality import LABELS, Label, highest_label
from app.documents import collection_lookup
from app.documents.collection_lookup import Origin
from app.evaluation.records import Evaluation, QuestionSet, System
from app.evaluation.study.studies import Study
from app.training.runs import lineage
from app.training.runs.lineage import Lineage


def label_of_set(found: QuestionSet, documents: Path) -> Label:
    """`documents`: the database."""
    return collection_lookup.label_of_origins(documents, origins_of_set(found), found.label)


def origins_of_set(found: QuestionSet) -> frozenset[Origin]:
    """Return the documents that its questions are answered in, and the collections that they ask."""
    golds = {("", gold.document) for question in found.questions for gold in question.gold if gold.document}
    return frozenset(golds | {(name, "") for question in found.questions for name in question.collections})


def label_of_evaluation(found: Evaluation, documents: Path) -> Label:
    """Of its questions, the collections that were asked, and what the models were trained on."""
    asked = {(name, "") for system in found.systems for name in system.system.collections}
    trained = _trained_on(one.system for one in found.systems)
    known = highest_label((label_of_set(found.questions, documents), trained.label or LABELS[0]))
    return collection_lookup.label_of_origins(documents, asked | set(trained.origins), known)


def label_of_study(study: Study, documents: Path) -> Label:
    """What it was labelled when it was made, the collections that it asks, and what its models were trained on."""
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
