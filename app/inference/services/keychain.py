"""The hub's token, and keys of servers, in the system's own store of passwords, only when the user asks for it.

Needs the optional package `keyring`; Kotae itself never writes a token anywhere.

Keys of model servers elsewhere: in memory, or in the system's own store of passwords where the user asks for it.
"""

import importlib
from typing import Any

from app.base.addresses import origin_of
from app.base.errors import AppError

SERVICE = "Kotae"
USER = "huggingface.co"
PLACE = f"https://{USER}"  # what is stored is for this hub and no other


def stored_token(user: str = USER) -> str:
    """ "" where none is stored, or nothing could be. May ask the user to open the store. `user`: whom it is for."""
    try:
        return str(_keyring().get_password(SERVICE, user) or "")
    except AppError:
        return ""


def store_token(token: str, user: str = USER) -> None:
    """Raises AppError("keychain_unavailable")."""
    _told(lambda keyring: keyring.set_password(SERVICE, user, token))


def forget_token(user: str = USER) -> None:
    """Raises AppError("keychain_unavailable")."""
    if stored_token(user):
        _told(lambda keyring: keyring.delete_password(SERVICE, user))


def is_available() -> bool:
    try:
        _keyring()
    except AppError:
        return False
    return True


def _told(change: Any) -> None:
    keyring = _keyring()
    try:
        change(keyring)
    except keyring.errors.KeyringError as error:
        raise AppError("keychain_unavailable", reason=type(error).__name__) from error


def _keyring() -> Any:
    """The package, if it has a store to speak to: on a machine without one it only pretends."""
    try:
        keyring = importlib.import_module("keyring")
        importlib.import_module("keyring.errors")
    except ImportError as error:
        raise AppError("keychain_unavailable", reason="keyring") from error
    if keyring.get_keyring().priority < 1:  # its `fail` and `null` stores, and plain text on the disk
        raise AppError("keychain_unavailable", reason=keyring.get_keyring().name)
    return keyring


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
            self._keys[origin] = stored_token(origin)

    def known(self, address: str) -> str:
        """ "" where none is."""
        return self._keys.get(origin_of(address), "")
