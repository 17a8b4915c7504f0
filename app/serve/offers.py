"""What can be asked under which name: the model alone, and the model on a collection."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.base import confidentiality
from app.documents.claims.grounding import CollectionRef
from app.documents.library import Library

ALONE = "kotae"


@dataclass(frozen=True, slots=True)
class Offer:
    """`id`: what the protocol calls a model. `scope`: the collections that are asked; (): the model alone."""

    id: str
    scope: tuple[CollectionRef, ...] = ()


class Offers:
    """`named`: the collections to offer, one by one and all together; none: all that are not 機密 when somebody asks.

    May be asked from any thread.
    """

    def __init__(self, documents: Path, named: Sequence[CollectionRef] = ()) -> None:
        self._documents = documents
        self._named = tuple(named)

    def all(self) -> list[Offer]:
        """Raises AppError as the database does."""
        collections = self._named or self._open_to_all()
        found = [Offer(f"{ALONE}/{one.name}", (one,)) for one in collections]
        if len(self._named) > 1:
            found.append(Offer(f"{ALONE}/{'+'.join(one.name for one in self._named)}", self._named))
        return [Offer(ALONE), *found]

    def find(self, name: str) -> Offer | None:
        """Raises AppError as `all`."""
        return next((one for one in self.all() if one.id == name), None)

    def _open_to_all(self) -> tuple[CollectionRef, ...]:
        if not self._documents.is_file():
            return ()
        library = Library.beside(self._documents)
        try:
            return tuple(
                CollectionRef(one.id, one.name)
                for one in library.collections()
                if one.label != confidentiality.HIGHEST and one.documents and not one.is_builtin
            )
        finally:
            library.close()
