"""Keys of model servers elsewhere: in memory, or in the system's own store of passwords where the user asks for it."""

from app.base.addresses import origin_of
from app.inference.services import keychain


class RemoteKeys:
    """A key goes to the server that it is for and to no other: scheme, host and port count."""

    def __init__(self) -> None:
        self._keys: dict[str, str] = {}

    def give(self, address: str, key: str) -> None:
        """Until the end of the program. "": the server wants none, or the one that is stored."""
        if key:
            self._keys[origin_of(address)] = key
        else:
            self._keys.pop(origin_of(address), None)

    def fetch(self, address: str) -> None:
        """Takes up what is stored. May ask the user to open the store: not for the window's thread."""
        origin = origin_of(address)
        if origin not in self._keys:
            self._keys[origin] = keychain.stored_token(origin)

    def known(self, address: str) -> str:
        """ "" where none is."""
        return self._keys.get(origin_of(address), "")
