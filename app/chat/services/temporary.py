"""Where a temporary conversation waits after it was left: in memory, as long as somebody may want it back."""

from app.chat.store import Store


class LeftStore:
    """Each temporary conversation has a store of its own. The last that was left is here; earlier ones are closed."""

    def __init__(self) -> None:
        self._store: Store | None = None

    def put(self, store: Store) -> None:
        self.close()
        self._store = store

    def take(self) -> Store | None:
        store, self._store = self._store, None
        return store

    def close(self) -> None:
        if (store := self.take()) is not None:
            store.close()
