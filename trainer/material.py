"""What a run works on: the base as it lies on the disk, the effective spec, and the examples as tokens."""

import dataclasses
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer import estimate
from trainer.convert import hf_folder
from trainer.convert.failure import JobError
from trainer.events import RunError
from trainer.form import Form, Messages
from trainer.spec import RunSpec
from trainer.tokens import Encoded, Tokens

# Settings by which the steps of a run are what they are, from the first to the last.
_OF_A_RUN = (
    "seed", "rank", "alpha", "dropout", "precision", "loss", "optimizer", "context_tokens", "over_length", "epochs",
    "max_steps", "warmup_share", "final_rate_share", "evaluations_per_epoch",
)  # fmt: skip
TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")  # of the base, which get LoRA


@dataclass(frozen=True, slots=True)
class Base:
    """The facts of a base that can be read before it is loaded."""

    folder: Path
    model_type: str
    vocab_size: int
    parameters: int
    config: dict[str, Any]


def look_at(folder: Path) -> Base:
    """Read config.json and the headers of the weights, and check that they give all that is needed later.

    Raises RunError("base_missing" | "base_unreadable").
    """
    if not (folder / "config.json").is_file():
        raise RunError("base_missing", path=str(folder))
    try:
        hf_folder.check(folder)
        config = hf_folder.read_config(folder)
        tensors = {
            name: tensor
            for file in sorted(folder.glob("model*.safetensors"))
            for name, tensor in hf_folder.tensors_of(file).items()
        }
        count = sum(math.prod(tensor.shape) for tensor in tensors.values())
        if not config.get("vision_config"):  # such a one says less, and the checks refuse it
            estimate.shape_of(config, count)
        text = config.get("text_config") or config
        return Base(folder, str(text.get("model_type", "")), int(text.get("vocab_size", 0)), count, config)
    except JobError as error:
        raise RunError("base_unreadable", path=str(folder), reason=str(error)) from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:  # a damaged file, or another kind
        raise RunError("base_unreadable", path=str(folder), reason=repr(error)[:300]) from error


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
    base_mark: str = ""  # tells the base's weights from others

    @property
    def conditions(self) -> dict[str, Any]:
        """What a run that is resumed must have in common with its beginning: with another order of examples, length of
        an epoch or base its checkpoint would belong to no run at all.

        The micro batch may have been halved on the way, and the rate: neither is among them.
        """
        own = {name: getattr(self.spec, name) for name in _OF_A_RUN}
        return own | {
            "processes": processes(),
            "step_examples": self.step_examples,
            "examples": len(self.train),
            "base": self.base_mark,
        }

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
