"""Compile regular expressions when they are first used: a command uses few of the hundreds that its modules define."""

import re
from typing import Any, cast


class _LazyPattern:
    """Has the methods of a compiled pattern, and compiles it when one of them is first called."""

    def __init__(self, pattern: str, flags: int) -> None:
        self.pattern, self.flags = pattern, flags

    def __getattr__(self, name: str) -> Any:
        method = getattr(re.compile(self.pattern, self.flags), name)  # `re` keeps the compiled pattern for the others
        setattr(self, name, method)
        return method


def lazy_pattern(pattern: str, flags: int = 0) -> re.Pattern[str]:
    """Return a pattern that is compiled at its first use. Call its methods: the functions of `re` do not take it."""
    return cast("re.Pattern[str]", _LazyPattern(pattern, flags))
