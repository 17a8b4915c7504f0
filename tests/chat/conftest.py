"""Fixtures of every test of conversations."""

from tests.chat.driver import library, other  # noqa: F401
