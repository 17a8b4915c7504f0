"""Keep the hub's token and keys of model servers in the system's password store, only at the user's request.

Both are called credentials. Needs the optional package `keyring`; Kotae itself never writes a credential to a file.
`RemoteKeys` keeps keys in memory.
"""

import importlib
from typing import Any

from app.base.addresses import origin_of
from app.base.errors import AppError

SERVICE = "Kotae"
USER = "huggingface.co"
PLACE = f"https://{USER}"  # the token is sent to this hub only


def stored_credential(user: str = USER) -> str:
    """Return the stored token or key; "" if there is none or no password store.

    The system may ask the user to unlock the store. `user`: the host of the hub, or the origin of a model server.
    """
    try:
        return str(_keyring().get_password(SERVICE, user) or "")
    except AppError:
        return ""


def store_credential(token: str, user: str = USER) -> None:
    """Store a token or key; `user` as for `stored_credential`. Raises AppError("keychain_unavailable")."""
    _change_store(lambda keyring: keyring.set_password(SERVICE, user, token))


def forget_credential(user: str = USER) -> None:
    """Delete a token or key; `user` as for `stored_credential`. Raises AppError("keychain_unavailable")."""
    if stored_credential(user):
        _change_store(lambda keyring: keyring.delete_password(SERVICE, user))


def is_available() -> bool:
    try:
        _keyring()
    except AppError:
        return False
    return True


def _change_store(change: Any) -> None:
    keyring = _keyring()
    try:
        change(keyring)
    except keyring.errors.KeyringError as error:
        raise AppError("keychain_unavailable", reason=type(error).__name__) from error


def _keyring() -> Any:
    """Return the package `keyring` if it has a real store. Raises AppError("keychain_unavailable")."""
    try:
        keyring = importlib.import_module("keyring")
        importlib.import_module("keyring.errors")
    except ImportError as error:
        raise AppError("keychain_unavailable", reason="keyring") from error
    if keyring.get_keyring().priority < 1:  # its `fail` and `null` stores, and plain text on disk
        raise AppError("keychain_unavailable", reason=keyring.get_keyring().name)
    return keyring


class RemoteKeys:
    """Keeps the keys of model servers. A key is used for its own server only, by scheme, host and port."""

    def __init__(self) -> None:
        self._keys: dict[str, str] = {}

    def give(self, address: str, key: str) -> None:
        """Keep a key until the program ends. With "", forget it, so that `fetch` reads the stored one."""
        if key:
            self._keys[origin_of(address)] = key
        else:
            self._keys.pop(origin_of(address), None)

    def fetch(self, address: str) -> None:
        """Read the stored key. Do not call it in the window's thread: the system may ask to unlock the store."""
        origin = origin_of(address)
        if origin not in self._keys:
            self._keys[origin] = stored_credential(origin)

    def key_of(self, address: str) -> str:
        """Return the key; "" if there is none."""
        return self._keys.get(origin_of(address), "")
