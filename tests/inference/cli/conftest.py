"""Fixtures of every test of this kind."""

from tests.command_fixtures import (  # noqa: F401
    base,
    data,
    kotae,
    start,
    trained,
)
