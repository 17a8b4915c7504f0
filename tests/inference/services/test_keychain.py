"""The hub's token in the system's store of passwords: kept where there is one, and said to be impossible elsewhere."""

import sys
from collections.abc import Iterator

import pytest

from app.base.errors import AppError
from app.inference.services import keychain

keyring = pytest.importorskip("keyring")
backend = pytest.importorskip("keyring.backend")


class _Memory(backend.KeyringBackend):  # type: ignore[misc,name-defined]
    """A store as a desktop has one."""

    priority = 5
    kept: dict[tuple[str, str], str]

    def __init__(self) -> None:
        super().__init__()
        self.kept = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.kept[service, username]


class _Locked(_Memory):
    def set_password(self, service: str, username: str, password: str) -> None:
        raise keyring.errors.KeyringLocked("the user has closed the question")


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    before = keyring.get_keyring()
    yield
    keyring.set_keyring(before)


def test_a_token_is_kept_until_it_is_forgotten() -> None:
    keyring.set_keyring(_Memory())
    assert keychain.is_available()
    assert keychain.stored_credential() == ""
    keychain.forget_credential()  # nothing to forget
    keychain.store_credential("hf_token")
    assert keychain.stored_credential() == "hf_token"
    keychain.forget_credential()
    assert keychain.stored_credential() == ""


def test_without_a_store_it_is_said() -> None:
    from keyring.backends import fail

    keyring.set_keyring(fail.Keyring())
    assert not keychain.is_available()
    assert keychain.stored_credential() == ""
    with pytest.raises(AppError, match="keychain_unavailable"):
        keychain.store_credential("hf_token")


def test_a_store_that_stays_locked_is_said() -> None:
    keyring.set_keyring(_Locked())
    with pytest.raises(AppError, match="KeyringLocked"):
        keychain.store_credential("hf_token")


def test_without_the_package_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    assert not keychain.is_available()
    with pytest.raises(AppError, match="keychain_unavailable"):
        keychain.store_credential("hf_token")
