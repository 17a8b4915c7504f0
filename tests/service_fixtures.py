"""Services have Qt objects in cycles, too: none may be destroyed by a thread of the pool."""

from tests.garbage import garbage_goes_between_tests  # noqa: F401
