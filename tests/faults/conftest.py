"""Windows and commands of these tests are forked from a process that has loaded them."""

from collections.abc import Iterator

import pytest

from tests import forked_program


@pytest.fixture(scope="session", autouse=True)
def loaded_program() -> Iterator[None]:
    with forked_program.server():
        yield
