"""Fixtures of every test of this kind."""

from tests.service_fixtures import (  # noqa: F401
    garbage_goes_between_tests,
)
