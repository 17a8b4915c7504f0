"""A study, planned, the same for a command and for the window: what is asked in which way, and what is made for it.

What the sizes of a scale study must be at the least, for whoever only asks for them: no numpy.

Which forms of one model are made and compared: the base's, and with an adapter the merged ones and the unmerged one.

Everything is made of one F16 file: of a publisher's folder, or of a GGUF that is turned back into one. The first system
of each family is F16, from which the divergence of the others is measured.
"""

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
from app.base.wording import phrase
from app.chat import presets
from app.chat.presets import Choices
from app.evaluation.records import QuestionSet
from app.evaluation.study import compared_systems, studies, study_steps
from app.evaluation.study.compared_systems import Tuning
from app.evaluation.study.studies import MODELS, ComparedSystem, MadeModel, RatedAnswer, Study
from app.inference import gguf
from app.inference.local_model import LocalModel
from app.inference.quantizations import QUANTIZATIONS, Quantization
from app.models import base_models, catalogue, hf_folders

LEAST_SCALE_ROWS = 10  # of a subset
LEAST_SCALE_SIZES = 2


MAX_TOKENS = 512  # of an answer where nothing else is asked for: a loop ends sooner than the program's own 1,024


@dataclass(frozen=True, slots=True)
class AnswerParameters:
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
    rated: tuple[RatedAnswer, ...] = ()
    has_pairs: bool = False  # the judge is also shown two answers at a time

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", invisible_characters.to_single_line(self.name))  # lists show it


def plan_study(
    evaluations: Path,
    kind: str,
    questions: QuestionSet,
    contenders: tuple[ComparedSystem, ...],
    asking: AnswerParameters,
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
        "label": compared_systems.highest_label(contenders, (questions.label,)),
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
    from app.evaluation.judge import judge_calibration  # numpy

    if not any(judge_calibration.has_right_answer(one) for one in questions.questions):
        raise AppError("judge_without_references", name=questions.name)


# ------------------------------------------------------------------- quantizations


def as_they_are(models: Sequence[LocalModel]) -> tuple[ComparedSystem, ...]:
    """Nothing is made of them. Forms of the same model are one family; the first is what the others are compared with.

    Raises AppError as `gguf.read_header`.
    """
    found = []
    for model in models:
        header = gguf.read_header(Path(model.path))
        family = f"{header.architecture} {header.vocab_size} {header.parameters}"
        found.append(dataclasses.replace(compared_systems.compared_system(model, None), family=family))
    return compared_systems.numbered(found)


def has_likelihoods(questions: QuestionSet) -> bool:
    return any(one.reference for one in questions.questions)


def require_room(asked: Study, data: Path) -> int:
    """What the files that are made take of the disk at most, in bytes. `data`: the data folder.

    Raises AppError("drive_space").
    """
    most = study_steps.peak_bytes(asked)
    if most:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        require_space(data, most)
    return most


PAPER_FORMS = "F16,Q8_0,Q6_K,Q5_K_M,Q4_K_M"
_WHOLE = ("F16", "BF16", "F32")  # forms that others are made of
BASE, TUNED = "base", "tuned"  # families


@dataclass(frozen=True, slots=True)
class QuantizationSource:
    """What the forms are made of: a GGUF file (`model`), or a publisher's folder."""

    model: LocalModel  # how it is prompted; of a folder without a file yet
    folder: Path | None = None
    parameters: int = 0


@dataclass(frozen=True, slots=True)
class QuantizationPlan:
    contenders: tuple[ComparedSystem, ...]
    made: tuple[MadeModel, ...]


def source_of_model(model: LocalModel) -> QuantizationSource:
    """Raises AppError for a damaged file."""
    return QuantizationSource(model, None, gguf.read_header(Path(model.path)).parameters)


def source_of_folder(folder: Path) -> QuantizationSource:
    """Raises AppError as `hf_folder.read`."""
    read = hf_folders.read_hf_model(folder)
    model = LocalModel("", read.name, "", 0, "", "", 0, 0.0, template_allowed=True)
    return QuantizationSource(model, folder, read.parameters)


def plan_quantizations(
    source: QuantizationSource,
    forms: Sequence[Quantization],
    tuned: tuple[LocalModel, Tuning] | None,
    study: Path,
    cache: Path,
) -> QuantizationPlan:
    """`forms`: F16 stands first, named or not. `tuned`: the model in the form of its training, and the adapter.
    `study`: its folder. `cache`: of bases.

    Raises AppError("file_unreadable").
    """
    folder = study / MODELS
    forms = [QUANTIZATIONS["F16"], *(form for form in forms if form.name not in _WHOLE)]
    made: dict[str, MadeModel] = {}
    whole = _whole(source, folder, cache, made)
    contenders = _family(source, forms, source.model, None, whole, folder, made)
    if tuned is not None:
        model, tuning = tuned
        merged = folder / "tuned-F16.gguf"
        size = _size(source, QUANTIZATIONS["F16"])
        made[str(merged)] = MadeModel(
            str(merged), "F16", whole, tuning.path, size_bytes=size, strength=tuning.strength,
            adapter_sha256=compared_systems.adapter_sha256(tuning.path),
        )  # fmt: skip
        contenders += _family(source, forms, model, tuning, str(merged), folder, made)
        _form, smallest = min(zip(forms, contenders, strict=False), key=lambda pair: pair[0].bits)
        contenders.append(_unmerged(smallest, model, tuning))
    return QuantizationPlan(compared_systems.numbered(contenders), tuple(made.values()))


def _whole(source: QuantizationSource, folder: Path, cache: Path, made: dict[str, MadeModel]) -> str:
    """The F16 file that all is made of."""
    model = source.model
    if source.folder is None and model.quantization.upper() in _WHOLE:
        return model.path
    unpacked = source.folder
    if unpacked is None:
        sha256 = base_models.sha256_of_model(model)
        unpacked = cache / sha256[:16]
        made[str(unpacked)] = MadeModel(
            str(unpacked), "folder", model.path, is_shared=True, size_bytes=_size(source, QUANTIZATIONS["F16"]),
            source_form=model.quantization, source_sha256=sha256,
        )  # fmt: skip
    whole = folder / "base-F16.gguf"
    made[str(whole)] = MadeModel(str(whole), "F16", str(unpacked), size_bytes=_size(source, QUANTIZATIONS["F16"]))
    return str(whole)


def _family(
    source: QuantizationSource,
    forms: Sequence[Quantization],
    model: LocalModel,
    tuning: Tuning | None,
    whole: str,
    folder: Path,
    made: dict[str, MadeModel],
) -> list[ComparedSystem]:
    found = []
    family = TUNED if tuning else BASE
    for form in forms:
        path, name = whole, form.name
        if form is not forms[0]:
            path = str(folder / f"{family}-{name}.gguf")
            made[path] = MadeModel(path, name, whole, size_bytes=_size(source, form))
        elif whole == source.model.path:
            name = source.model.quantization  # BF16 and F32 are taken as they are
        if tuning is None and source.folder is None and name == source.model.quantization:
            path = source.model.path  # it is there, and not what would come of quantizing it twice
            made.pop(str(folder / f"{family}-{name}.gguf"), None)
        file = dataclasses.replace(
            model, id=f"{family}-{name}", name=f"{_stem(model)} {name}", path=path, quantization=name,
            files=model.files if path == model.path else (), size_bytes=_size(source, form),
        )  # fmt: skip
        named = phrase("evaluation.quant_named", family=phrase(f"evaluation.system_way.{family}"), form=name)
        one = compared_systems.renamed(compared_systems.compared_system(file, None), named)
        found.append(dataclasses.replace(one, family=family, label=compared_systems.trained_on(file, tuning)))
    return found


def _unmerged(base: ComparedSystem, model: LocalModel, tuning: Tuning) -> ComparedSystem:
    """The base in its smallest form with the adapter beside it: quantizing after a merge can undo a training."""
    file = dataclasses.replace(base.model, form_id=model.form_id, template_allowed=model.template_allowed)
    name = phrase(
        "evaluation.quant_unmerged", family=phrase(f"evaluation.system_way.{TUNED}"), form=base.system.quantization
    )
    return dataclasses.replace(
        compared_systems.renamed(compared_systems.compared_system(file, tuning), name), family=TUNED
    )


def _stem(model: LocalModel) -> str:
    """Its name without the form that it has now."""
    return model.name.removesuffix(model.quantization).strip() or model.name


def _size(source: QuantizationSource, form: Quantization) -> int:
    return round(source.parameters * form.table_bits / 8)
