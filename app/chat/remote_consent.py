"""Which conversations may be sent to which server."""

from app.base.addresses import origin_of
from app.chat.store import Store
from app.inference.local_model import LocalModel


def has_consent(store: Store, conversation_id: int | None, model: LocalModel) -> bool:
    """Whether the user has said that this conversation may be sent there. True for a model of this machine."""
    if model.remote is None:
        return True
    sql = "SELECT 1 FROM remote_consent WHERE conversation_id = ? AND origin = ?"
    return bool(store.database.read(sql, conversation_id, origin_of(model.remote.address)))


def consent(store: Store, conversation_id: int, model: LocalModel) -> None:
    """The user has said so: to this server, whichever of its models."""
    assert model.remote is not None
    with store.database.transaction():
        store.database.write(
            "INSERT OR IGNORE INTO remote_consent(conversation_id, origin) VALUES (?, ?)",
            conversation_id,
            origin_of(model.remote.address),
        )
