"""公開, 社外秘, 機密: what an answer inherits of the documents behind it. The highest label wins."""

import contextlib
from collections.abc import Collection as Names
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from app.base.confidentiality import DEFAULT_LABEL, HIGHEST_LABEL, LABELS, Label, highest_label
from app.base.errors import AppError
from app.documents.grounding.grounding import CollectionRef
from app.documents.library import Library
from app.documents.records import Collection

Origin = tuple[str, str]  # names of the collection and of the document that a text was made of


def asked(there: Sequence[Collection], scope: Iterable[CollectionRef]) -> list[tuple[Collection | None, CollectionRef]]:
    """Return what a search takes: the collection that has the name; one that was renamed by its id. None: it was
    removed."""
    by_name = {one.name: one for one in reversed(there)}  # names of now stand before those that were (`labelled`)
    # Ids begin anew in a new database, with the manual.
    by_id = {one.id: one for one in reversed(there) if not one.is_builtin}
    return [(by_name.get(ref.name) or by_id.get(ref.id), ref) for ref in scope]


def meant(there: Sequence[Collection], ref: CollectionRef) -> list[Collection]:
    """Return what a record refers to, of `Library.labelled`: the collection of its id where that has or had the name,
    which another may have by now. Else all that it may be: ids begin anew with a new database, and sources have a name
    alone, with 0 for an id."""
    by_id = [one for one in there if one.id == ref.id != 0 and not one.is_builtin]
    if any(one.name == ref.name for one in by_id):
        return by_id
    named = [one for one in there if one.name == ref.name]
    return [*by_id, *(named or (one for one in there if not one.name))]  # `Library.remember`


def of_scope(there: Sequence[Collection], scope: Sequence[CollectionRef]) -> Label:
    """Return the highest label of the collections that the scope names.

    Both count: the collection that a search would take now, and the one that was meant when the scope was chosen. A
    collection of which no trace is left counts as DEFAULT, and so does an empty scope. `there`: of `Library.labelled`.
    """
    taken = [one.label if one else DEFAULT_LABEL for one, _ in asked(there, scope)]
    return highest_label((*taken, *(one.label for ref in scope for one in meant(there, ref))), DEFAULT_LABEL)


def of_scope_now(documents: Path, scope: Sequence[CollectionRef]) -> Label:
    """As `of_scope`, by the documents' database of now. Raises AppError as that does."""
    if not scope:
        return DEFAULT_LABEL
    with contextlib.closing(Library.beside(documents)) as library:
        return of_scope(library.labelled(), scope)


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
    if not origins or known == HIGHEST_LABEL or not documents.is_file():
        return known
    collections, names = ({one[at] for one in origins if one[at]} for at in (0, 1))
    try:
        with contextlib.closing(Library.beside(documents)) as library:
            return highest_label((known, *library.labels_of(collections, names)))
    except AppError:
        return HIGHEST_LABEL
