"""What the loop works on: the effective spec, examples, and how conversations become tokens."""

import dataclasses
import os
from collections.abc import Sequence
from dataclasses import dataclass

from trainer.form import Form, Messages
from trainer.spec import RunSpec
from trainer.tokens import Encoded, Tokens


def processes() -> int:
    """Of a distributed run, as its launcher says."""
    return int(os.environ.get("WORLD_SIZE", "1"))


@dataclass(frozen=True, slots=True)
class Material:
    """`questions`: asked at each evaluation."""

    spec: RunSpec  # effective
    form: Form
    tokens: Tokens
    train: Sequence[Encoded]
    validation: Sequence[Encoded]
    questions: Sequence[Messages]

    @property
    def micro_batch(self) -> int:
        return self.spec.micro_batch or 1

    @property
    def batch(self) -> int:
        """Examples a step, of one process."""
        return self.micro_batch * (self.spec.accumulation or 1)

    @property
    def step_examples(self) -> int:
        """Of all processes."""
        return self.batch * processes()

    def with_half_the_micro_batch(self) -> "Material":
        """The same examples a step in more, smaller pieces: less memory, the same gradient. Not below one."""
        micro = max(1, self.micro_batch // 2)
        while self.batch % micro:
            micro -= 1
        return self.with_spec(micro_batch=micro, accumulation=self.batch // micro)

    def with_half_the_rate(self) -> "Material":
        return self.with_spec(learning_rate=(self.spec.learning_rate or 0.0) / 2)

    def with_spec(self, **changes: object) -> "Material":
        return dataclasses.replace(self, spec=dataclasses.replace(self.spec, **changes))  # type: ignore[arg-type]
