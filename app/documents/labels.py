"""公開, 社外秘, 機密: what an answer inherits of the documents behind it. The highest label wins."""

import contextlib
from collections.abc import Collection as Names
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from app.base.confidentiality import DEFAULT, HIGHEST, LABELS, Label, highest, of_told
from app.base.errors import AppError
from app.documents.grounding.grounding import CollectionRef
from app.documents.library import Library
from app.documents.records import Collection
from app.inference.local_model import LocalModel

Origin = tuple[str, str]  # names of the collection and of the document that a text was made of


def asked(there: Sequence[Collection], scope: Iterable[CollectionRef]) -> list[tuple[Collection | None, CollectionRef]]:
    """By name, as the search does it; one that was renamed by its id. None: it was removed."""
    by_name = {one.name: one for one in there}
    by_id = {one.id: one for one in there if not one.is_builtin}  # ids begin anew in a new database, with the manual
    return [(by_name.get(ref.name) or by_id.get(ref.id), ref) for ref in scope]


def of_scope(collections: Sequence[Collection], scope: Sequence[CollectionRef]) -> Label:
    """Of the collections that are asked; DEFAULT where none is. A collection that is gone counts as DEFAULT."""
    return highest((one.label if one else DEFAULT for one, _ in asked(collections, scope)), DEFAULT)


def origins_of(rows: Iterable[Mapping[str, Any]]) -> tuple[Origin, ...]:
    """Return what rows of training data say in their provenance that they were made of, each once."""
    told = (row.get("provenance") for row in rows)
    found = {
        (str(one.get("collection") or ""), str(one.get("document") or "")) for one in told if isinstance(one, Mapping)
    }
    return tuple(sorted(found - {("", "")}))


def now(documents: Path, origins: Names[Origin], known: Label = LABELS[0]) -> Label:
    """Return the highest label that the origins have by now, and never less than `known`.

    `documents`: the database. Where it cannot be read, what was made of any document counts as confidential.
    """
    if not origins or known == HIGHEST or not documents.is_file():
        return known
    collections, names = ({one[at] for one in origins if one[at]} for at in (0, 1))
    try:
        with contextlib.closing(Library.beside(documents)) as library:
            return highest((known, *library.labels_of(collections, names)))
    except AppError:
        return HIGHEST


def of_model(documents: Path, model: LocalModel) -> Label:
    """Return the label of what a tuned model was trained on, as it is now; the lowest for any other model."""
    tuned = model.tuned
    if tuned is None:
        return LABELS[0]
    return now(documents, tuned.origins, of_told(tuned.label) if tuned.label else LABELS[0])
