"""Define the one exception for expected failures: bad input, full disks, files that are not what they claim."""

from typing import Any


class AppError(Exception):
    """An expected failure, in English and without wording.

    `code` names an entry of `resources/wording/errors.toml`; `facts` fill its placeholders (units in their names).
    Only `app.base.wording` turns it into a sentence for people.
    """

    def __init__(self, code: str, **facts: Any) -> None:
        super().__init__(f"{code}: {facts}" if facts else code)
        self.code = code
        self.facts = facts
