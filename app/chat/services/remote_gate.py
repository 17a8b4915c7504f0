"""What is looked at before a question leaves for a model elsewhere. Nothing has left when one of these refuses."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from app.base import confidentiality
from app.base.confidentiality import Label
from app.base.errors import AppError
from app.chat import conversation_labels
from app.chat.records import Message
from app.chat.services.grounding import Found
from app.documents import labels
from app.documents.library import Library, collections_now
from app.inference import remote_access
from app.inference.local_model import LocalModel
from app.inference.services.remote_keys import RemoteKeys
from app.models import remote_models

if TYPE_CHECKING:
    from app.chat.services.answer_run import AnswerRequest


def label_of(documents: Path, own: Label, messages: Iterable[Message]) -> Label:
    """Of a conversation that is to be sent, with what the collections that it asked are labelled by now.

    `own`: its own, which holds what they were labelled then.
    """
    return confidentiality.highest((own, *conversation_labels.of_collections(collections_now(documents), (), messages)))


def check(request: "AnswerRequest", keys: RemoteKeys) -> None:
    """Before anything is searched. Not for the window's thread.

    Raises AppError: "remote_no_network", "remote_secret" for the conversation or a collection that is asked,
    "remote_not_agreed".
    """
    model, wanted = request.model, request.wanted
    assert model.remote is not None
    remote_access.require_network(model, request.settings)
    remote_models.require_sendable(model, request.label)
    if wanted is not None and wanted.scope:
        library = Library.beside(wanted.documents)
        try:
            remote_models.require_sendable(model, labels.of_scope(library.collections(), wanted.scope))
        finally:
            library.close()
    if not request.is_agreed:
        raise AppError("remote_not_agreed", address=remote_models.shown(model))
    keys.fetch(model.remote.address)


def checked(model: LocalModel, found: Found) -> Found:
    """What was found, before it is sent; also what was found earlier. Raises AppError("remote_secret")."""
    remote_models.require_sendable(model, confidentiality.highest(source.label for source in found.sources))
    return found
