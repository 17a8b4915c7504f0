"""Define the exception for expected failures, such as bad input, a full disk or a file of the wrong format."""

from typing import Any


class AppError(Exception):
    """An expected failure: the `code` of a text in errors.toml, and `facts`, the values of its placeholders."""

    def __init__(self, code: str, **facts: Any) -> None:
        super().__init__(f"{code}: {facts}" if facts else code)
        self.code = code
        self.facts = facts
