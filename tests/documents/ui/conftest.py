"""Fixtures of every test of this kind."""

from tests.window_fixtures import (  # noqa: F401
    garbage_goes_between_tests,
    library,
    open_window,
    quick_pause,
    theme,
)
