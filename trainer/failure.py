"""Expected failures of a run."""

from typing import Any

from trainer.events import FAILURES


class RunError(Exception):
    """`code`: a key of `events.FAILURES`, with its facts."""

    def __init__(self, code: str, **facts: Any) -> None:
        assert set(facts) <= set(FAILURES[code]), (code, facts)
        super().__init__(f"{code}: {facts}")
        self.code = code
        self.facts = facts
