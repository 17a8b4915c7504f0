"""What text may be stored: its length limit, and no broken surrogate pairs."""

import re
from typing import Any

TEXT_MAX = 20_000  # characters of a system prompt or a request: more than the small models can follow


def is_text(value: Any, longest: int = TEXT_MAX) -> bool:
    """Whether `value` is text that can be stored: not endless, and without halves of surrogate pairs."""
    return isinstance(value, str) and len(value) <= longest and not re.search("[\ud800-\udfff]", value)
