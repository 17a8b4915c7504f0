"""Where temporary conversations live: in memory, and no longer than somebody may want them back."""

from app.core.store import Store


class TemporaryStores:
    """One store a conversation. Of those that were left only the last can be taken back; the others are closed."""

    def __init__(self) -> None:
        self._alive: list[Store] = []
        self._left: Store | None = None

    def add(self) -> Store:
        store = Store.in_memory()
        self._alive.append(store)
        return store

    def leave(self, store: Store) -> None:
        """What `take_back` gives from now on."""
        if self._left is not None:
            self.drop(self._left)
        self._left = store

    def take_back(self) -> Store | None:
        store, self._left = self._left, None
        return store

    def drop(self, store: Store) -> None:
        self._alive.remove(store)
        store.close()

    def close(self) -> None:
        self._left = None
        for store in list(self._alive):
            self.drop(store)
