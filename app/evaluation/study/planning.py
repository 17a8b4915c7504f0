"""Plan a study, for the command line and the window alike: how the systems are asked, and which files are made.

For a study of quantizations, the quantized files of one model are compared: those of the base and, with an adapter, the
merged ones and one with the unmerged adapter. All are made from one F16 file, which comes from a publisher's folder or
a GGUF that is converted back to one. The first system of each family is F16; the divergence of the others is measured
from it.
The least sizes of a scale study are here so that a caller who only needs them does not import numpy.
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

LEAST_SCALE_ROWS = 10  # in a subset
LEAST_SCALE_SIZES = 2


MAX_TOKENS = 512  # default length of an answer; shorter than the program's 1,024, so that a loop ends sooner


@dataclass(frozen=True, slots=True)
class AnswerParameters:
    """How all systems are asked, and the judge. `name` "": the name of the question set.

    `temperature` None: greedy decoding; with several seeds the temperature of the preset or of the model's card.
    """

    name: str = ""
    seeds: int = 1  # number of answers to each question, 1 to 100
    temperature: float | None = None  # 0 to 5
    max_tokens: int = MAX_TOKENS
    context_tokens: int = 4096
    preset: Choices = field(default_factory=Choices)
    judge: LocalModel | None = None
    judge_preset: str = "kotae"
    rated: tuple[RatedAnswer, ...] = ()
    has_pairs: bool = False  # the judge is also shown pairs of answers

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
    """Return a new study without writing anything. `evaluations`: the folder of all studies. `others`: further fields
    of Study.

    Raises AppError("pairs_without_judge").
    """
    if asking.has_pairs and (asking.judge is None or len(contenders) == 1):
        raise AppError("pairs_without_judge")
    temperature = asking.temperature
    if temperature is None and asking.seeds == 1:
        temperature = 0.0  # greedy; with several seeds the model card decides
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


def repeats_itself(study: Study) -> bool:
    """Return whether some system would give the same answer with every seed, which would look like certainty."""
    cards = (catalogue.load().card(one.model.card_id) for one in study.contenders)
    return len(study.seeds) > 1 and any(presets.in_force(card, study.choices).temperature == 0 for card in cards)


def require_right_answers(questions: QuestionSet) -> None:
    """Check that there are right answers to measure a judge by. Raises AppError("judge_without_references")."""
    from app.evaluation.judge import judge_calibration  # numpy

    if not any(judge_calibration.has_right_answer(one) for one in questions.questions):
        raise AppError("judge_without_references", name=questions.name)


# ------------------------------------------------------------------- quantizations


def existing_systems(models: Sequence[LocalModel]) -> tuple[ComparedSystem, ...]:
    """Return existing files as systems. Files of the same model are one family; the first is what the others are
    compared with.

    Raises AppError as `gguf.read_header`.
    """
    found = []
    for model in models:
        header = gguf.read_header(Path(model.path))
        family = f"{header.architecture} {header.vocab_size} {header.parameters}"
        found.append(dataclasses.replace(compared_systems.compared_system(model, None), family=family))
    return compared_systems.assign_ids(found)


def has_likelihoods(questions: QuestionSet) -> bool:
    return any(one.reference for one in questions.questions)


def require_room(study: Study, data: Path) -> int:
    """Check the space for the files to make; return its upper limit in bytes. `data`: the data folder.

    Raises AppError("drive_space").
    """
    most = study_steps.peak_bytes(study)
    if most:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        require_space(data, most)
    return most


PAPER_FORMS = "F16,Q8_0,Q6_K,Q5_K_M,Q4_K_M"
UNQUANTIZED = ("F16", "BF16", "F32")  # formats from which the others are made
BASE, TUNED = "base", "tuned"  # names of families


@dataclass(frozen=True, slots=True)
class QuantizationSource:
    """What the quantizations are made of: a GGUF file (`model`), or a publisher's folder."""

    model: LocalModel  # how it is prompted; for a folder a model without a file
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
    """Raises AppError as `hf_folders.read_hf_model`."""
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
    """Plan the files to make and the systems that use them.

    `forms`: F16 is put first even if it is not among them. `tuned`: the model in the prompt format of its training, and
    the adapter. `study`: the study's folder. `cache`: the folder for unpacked bases. Raises
    AppError("file_unreadable").
    """
    folder = study / MODELS
    forms = [QUANTIZATIONS["F16"], *(form for form in forms if form.name not in UNQUANTIZED)]
    made: dict[str, MadeModel] = {}
    f16_file = _f16_source(source, folder, cache, made)
    contenders = _family(source, forms, source.model, None, f16_file, folder, made)
    if tuned is not None:
        model, tuning = tuned
        merged = folder / "tuned-F16.gguf"
        size = _size(source, QUANTIZATIONS["F16"])
        made[str(merged)] = MadeModel(
            str(merged), "F16", f16_file, tuning.path, size_bytes=size, strength=tuning.strength,
            adapter_sha256=compared_systems.adapter_sha256(tuning.path),
        )  # fmt: skip
        contenders += _family(source, forms, model, tuning, str(merged), folder, made)
        _form, smallest = min(zip(forms, contenders, strict=False), key=lambda pair: pair[0].bits)
        contenders.append(_unmerged(smallest, model, tuning))
    return QuantizationPlan(compared_systems.assign_ids(contenders), tuple(made.values()))


def _f16_source(source: QuantizationSource, folder: Path, cache: Path, made: dict[str, MadeModel]) -> str:
    """Return the F16 file from which all others are made, and plan to make it if necessary."""
    model = source.model
    if source.folder is None and model.quantization.upper() in UNQUANTIZED:
        return model.path
    unpacked = source.folder
    if unpacked is None:
        sha256 = base_models.sha256_of_model(model)
        unpacked = cache / sha256[:16]
        made[str(unpacked)] = MadeModel(
            str(unpacked), "folder", model.path, is_shared=True, size_bytes=_size(source, QUANTIZATIONS["F16"]),
            source_form=model.quantization, source_sha256=sha256,
        )  # fmt: skip
    f16_file = folder / "base-F16.gguf"
    made[str(f16_file)] = MadeModel(str(f16_file), "F16", str(unpacked), size_bytes=_size(source, QUANTIZATIONS["F16"]))
    return str(f16_file)


def _family(
    source: QuantizationSource,
    forms: Sequence[Quantization],
    model: LocalModel,
    tuning: Tuning | None,
    f16_file: str,
    folder: Path,
    made: dict[str, MadeModel],
) -> list[ComparedSystem]:
    found = []
    family = TUNED if tuning else BASE
    for form in forms:
        path, name = f16_file, form.name
        if form is not forms[0]:
            path = str(folder / f"{family}-{name}.gguf")
            made[path] = MadeModel(path, name, f16_file, size_bytes=_size(source, form))
        elif f16_file == source.model.path:
            name = source.model.quantization  # BF16 and F32 are used as they are
        if tuning is None and source.folder is None and name == source.model.quantization:
            path = source.model.path  # the existing file, because quantizing it again would give another one
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
    """Return the base's smallest file with the adapter applied at run time: quantizing after a merge can undo a
    training.
    """
    file = dataclasses.replace(base.model, form_id=model.form_id, template_allowed=model.template_allowed)
    name = phrase(
        "evaluation.quant_unmerged", family=phrase(f"evaluation.system_way.{TUNED}"), form=base.system.quantization
    )
    return dataclasses.replace(
        compared_systems.renamed(compared_systems.compared_system(file, tuning), name), family=TUNED
    )


def _stem(model: LocalModel) -> str:
    """Return the model's name without its current quantization."""
    return model.name.removesuffix(model.quantization).strip() or model.name


def _size(source: QuantizationSource, form: Quantization) -> int:
    return round(source.parameters * form.table_bits / 8)
