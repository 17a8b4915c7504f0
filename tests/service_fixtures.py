"""Services have Qt objects in cycles, too: none may be destroyed by a thread of the pool."""

from tests.garbage import garbage_goes_between_tests, modules_are_not_looked_through  # noqa: F401
