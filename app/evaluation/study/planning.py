"""A study, planned, the same for a command and for the window: what is asked in which way, and what is made for it."""

import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.base import invisible_characters
from app.base.errors import AppError
from app.base.files import work_folder
from app.base.files.output_file import require_space
from app.chat import presets
from app.chat.presets import Choices
from app.evaluation.records import QuestionSet
from app.evaluation.study import contending, steps
from app.evaluation.study import study as studies
from app.evaluation.study.study import Contender, Rated, Study
from app.inference import gguf
from app.inference.local_model import LocalModel
from app.models import catalogue

MAX_TOKENS = 512  # of an answer where nothing else is asked for: a loop ends sooner than the program's own 1,024


@dataclass(frozen=True, slots=True)
class Asking:
    """How all systems are asked, and who judges. `name` "": the one of the questions.

    `temperature` None: the likeliest answer; with several seeds that of the preset or of the model's card.
    """

    name: str = ""
    seeds: int = 1  # how often each question is asked, 1 to 100
    temperature: float | None = None  # 0 to 5
    max_tokens: int = MAX_TOKENS
    context_tokens: int = 4096
    preset: Choices = field(default_factory=Choices)
    judge: LocalModel | None = None
    judge_preset: str = "kotae"
    rated: tuple[Rated, ...] = ()
    has_pairs: bool = False  # the judge is also shown two answers at a time

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", invisible_characters.to_single_line(self.name))  # lists show it


def study(
    evaluations: Path,
    kind: str,
    questions: QuestionSet,
    contenders: tuple[Contender, ...],
    asking: Asking,
    **others: Any,
) -> Study:
    """`evaluations`: the folder of all. `others`: further fields, or other values. Nothing is written.

    Raises AppError("pairs_without_judge").
    """
    if asking.has_pairs and (asking.judge is None or len(contenders) == 1):
        raise AppError("pairs_without_judge")
    temperature = asking.temperature
    if temperature is None and asking.seeds == 1:
        temperature = 0.0  # the likeliest answer; with several seeds that of the model's card
    own = Choices(temperature=temperature, max_tokens=asking.max_tokens)
    now, name = time.time(), asking.name or studies.free_name(evaluations, questions.name)
    fields: dict[str, Any] = {
        "id": work_folder.timestamped_path(evaluations, name, now).name,
        "name": name,
        "kind": kind,
        "set_name": questions.name,
        "set_version": questions.version,
        "set_sha256": questions.sha256,
        "label": contending.label_of(contenders, (questions.label,)),
        "contenders": contenders,
        "seeds": tuple(range(asking.seeds)),
        "choices": own.over(asking.preset),
        "context_tokens": asking.context_tokens,
        "judge": asking.judge,
        "judge_preset": asking.judge_preset,
        "rated": asking.rated,
        "has_pairs": asking.has_pairs,
        "created_at": now,
    }
    return Study(**(fields | others))


def repeats_itself(asked: Study) -> bool:
    """Whether a system would give the same answer with every seed, which would look like certainty."""
    cards = (catalogue.load().card(one.model.card_id) for one in asked.contenders)
    return len(asked.seeds) > 1 and any(presets.in_force(card, asked.choices).temperature == 0 for card in cards)


def require_right_answers(questions: QuestionSet) -> None:
    """By which a judge can be measured. Raises AppError("judge_without_references")."""
    from app.evaluation.judge import seeding  # numpy

    if not any(seeding.has_right_answer(one) for one in questions.questions):
        raise AppError("judge_without_references", name=questions.name)


# ------------------------------------------------------------------- quantizations


def as_they_are(models: Sequence[LocalModel]) -> tuple[Contender, ...]:
    """Nothing is made of them. Forms of the same model are one family; the first is what the others are compared with.

    Raises AppError as `gguf.read_header`.
    """
    found = []
    for model in models:
        header = gguf.read_header(Path(model.path))
        family = f"{header.architecture} {header.vocab_size} {header.parameters}"
        found.append(dataclasses.replace(contending.contender(model, None), family=family))
    return contending.numbered(found)


def has_likelihoods(questions: QuestionSet) -> bool:
    return any(one.reference for one in questions.questions)


def require_room(asked: Study, data: Path) -> int:
    """What the files that are made take of the disk at most, in bytes. `data`: the data folder.

    Raises AppError("drive_space").
    """
    most = steps.peak_bytes(asked)
    if most:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        require_space(data, most)
    return most
