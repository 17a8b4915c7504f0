"""Define the exception for expected failures, such as bad input, a full disk or a file of the wrong format."""

from typing import Any


class AppError(Exception):
    """An expected failure, without a text for the user.

    `code`: the key of an entry in `resources/wording/errors.toml`. `facts`: the values of its placeholders, with their
    units in the names. `app.base.wording` makes the translated message from both.
    """

    def __init__(self, code: str, **facts: Any) -> None:
        super().__init__(f"{code}: {facts}" if facts else code)
        self.code = code
        self.facts = facts
