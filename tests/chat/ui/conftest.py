"""Fixtures of every test of this kind."""

from tests.chat.ui.driver import double, page, read_once, time_enough, transcript, with_document  # noqa: F401
from tests.documents.conftest import install  # noqa: F401
from tests.window_fixtures import (  # noqa: F401
    garbage_goes_between_tests,
    library,
    open_window,
    quick_pause,
    theme,
)
