"""Say which models other programs may ask now: the loaded model alone, and with each collection."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from app.base.confidentiality import HIGHEST_LABEL, ExportRequest, Label, Permit, highest_label, permit_export
from app.base.errors import AppError
from app.documents import collection_lookup
from app.documents.grounding.grounding_record import CollectionRef
from app.documents.library import Library
from app.inference.local_model import LocalModel
from app.training.runs import lineage

MODEL_ID = "kotae"


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model as clients see it. `id`: its name in requests. `scope`: the collections to answer from; (): none."""

    id: str
    scope: tuple[CollectionRef, ...] = ()


class ServedModels:
    """The models that clients can request: the loaded model alone, and with each collection.

    `named_collections`: the collections to offer, each and all together; (): each one that is not 機密 (secret).
    Labels are looked up for each request. A secret collection is offered only if it is in `named_collections` and the
    user has consented (`is_agreed`, --allow-secret), and each answer from it is recorded. Methods may be called from
    any thread.
    """

    def __init__(
        self,
        documents: Path,
        exports_log: Path,
        model: LocalModel,
        named_collections: Sequence[CollectionRef] = (),
        *,
        is_agreed: bool = False,
    ) -> None:
        """`model`: the loaded model, which may have been trained on secret data, and so may be secret itself.

        `documents`: the documents' database. `exports_log`: the file that records answers from secret content.
        """
        self._documents = documents
        self._exports_log = exports_log
        self._model = model
        self._named_collections = tuple(named_collections)
        self._is_agreed = is_agreed

    def offered_models(self) -> list[ServedModel]:
        """Return the models that clients may use now. Raises the AppErrors of reading the documents' database."""
        return [one for one in self._candidates() if self._is_offered(one)]

    def find(self, name: str) -> ServedModel | None:
        """Return the model with this id; None if clients may not use it now. Raises as `offered_models`."""
        return next((one for one in self._candidates() if one.id == name and self._is_offered(one)), None)

    def collections(self) -> list[CollectionRef]:
        """Return the collections that clients may ask now. Raises as `offered_models`."""
        return list(dict.fromkeys(one.scope[0] for one in self.offered_models() if len(one.scope) == 1))

    def with_collection(self, name: str) -> ServedModel:
        """Return the model with the collection of this name; "": with all that clients may ask now.

        Raises AppError("unknown_collection" | "no_collection_offered"), and as `offered_models`.
        """
        offered = self.collections()
        scope = tuple(one for one in offered if name in ("", one.name))
        if not offered:
            raise AppError("no_collection_offered")
        if not scope:
            raise AppError("unknown_collection", name=name)
        return _model_of(scope)

    def export_request_for(self, served: ServedModel, address: str) -> ExportRequest:
        """Return the request to send a model's answers to a client, HOST:PORT; "": not known yet."""
        return ExportRequest("served", address, lambda: self._label_now(served), served.id)

    def permit_answer(self, served: ServedModel, address: str) -> Permit:
        """Return the permission to send one answer to a client, and record it if the content is secret.

        `address`: that of the client, as HOST:PORT. Raises AppError("secret_export" | "export_log_unwritable"), and
        those of reading the documents' database.
        """
        return permit_export(self.export_request_for(served, address), self._exports_log, is_agreed=self._is_agreed)

    def _candidates(self) -> list[ServedModel]:
        collections = self._named_collections or unrestricted_collections(self._documents)
        scopes = [(), *((one,) for one in collections)]
        if len(self._named_collections) > 1:
            scopes.append(self._named_collections)
        return [_model_of(scope) for scope in scopes]

    def _is_offered(self, served: ServedModel) -> bool:
        return self._is_agreed or self._label_now(served) != HIGHEST_LABEL

    def _label_now(self, served: ServedModel) -> Label:
        """Return the confidentiality label of a model's answers: that of its training data and of its collections."""
        label = lineage.label_of_model(self._documents, self._model)
        if served.scope:
            asked = collection_lookup.current_label_of_scope(self._documents, served.scope)
            label = highest_label((label, asked))
        return label


def _model_of(scope: tuple[CollectionRef, ...]) -> ServedModel:
    return ServedModel(f"{MODEL_ID}/{'+'.join(one.name for one in scope)}" if scope else MODEL_ID, scope)


def unrestricted_collections(documents: Path) -> tuple[CollectionRef, ...]:
    """Return the user's collections that are not 機密 (secret) and have documents."""
    if not documents.is_file():
        return ()
    with closing(Library.open_second(documents)) as library:
        return tuple(
            CollectionRef(one.id, one.name)
            for one in library.collections()
            if one.label != HIGHEST_LABEL and one.documents and not one.is_builtin
        )
