"""Plan the study of a request: its systems, how they are asked, and which files are made.

For a study of quantizations, the quantized files of one model are compared: those of the base and, with an adapter, the
merged ones and one with the unmerged adapter. All are made from one F16 file, which comes from a publisher's folder or
a GGUF that is converted back to one. The first system of each family is F16; the divergence of the others is measured
from it.
"""

import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.base.errors import AppError
from app.base.files import work_folder
from app.base.files.output_file import require_space
from app.base.paths import Paths
from app.base.wording import phrase
from app.chat import presets
from app.chat.presets import Choices
from app.documents import collection_lookup
from app.documents.retrieval import excerpts
from app.evaluation.records import QuestionSet
from app.evaluation.study import compared_systems, studies, study_preflight, study_steps
from app.evaluation.study import request as study_request
from app.evaluation.study.compared_systems import AdapterInUse, DocumentScope
from app.evaluation.study.request import PAPER_FORMS, AnswerParameters, RequestedModel, StudyRequest
from app.evaluation.study.studies import MODELS, ComparedSystem, MadeModel, Study
from app.inference import gguf, quantizations
from app.inference.local_model import LocalModel
from app.inference.quantizations import QUANTIZATIONS, Quantization
from app.models import base_models, catalogue, hf_folders

UNQUANTIZED = ("F16", "BF16", "F32")  # formats from which the others are made
BASE, TUNED = "base", "tuned"  # names of families


@dataclass(frozen=True, slots=True)
class QuantizationSource:
    """The source of the quantizations: a GGUF file (`model`), or a publisher's folder."""

    model: LocalModel  # gives the prompt format; for a folder a model without a file
    folder: Path | None = None
    parameters: int = 0


@dataclass(frozen=True, slots=True)
class QuantizationPlan:
    contenders: tuple[ComparedSystem, ...]
    made_models: tuple[MadeModel, ...]


def plan(request: StudyRequest, where: Paths, models: Sequence[LocalModel]) -> tuple[Study, QuestionSet]:
    """Return the study of any request but "scale", and its questions, without writing anything.

    `models`: all models of the list. Raises AppError: wish_*, model_missing, pairs_without_judge,
    judge_without_references, build_unknown_quant, and as `questions_of`.
    """
    study_request.require_complete(request)
    questions = study_request.questions_of(request, where)
    assert questions is not None
    asking, evaluations = request.asking, where.evaluations
    asking = dataclasses.replace(asking, name=asking.name or studies.free_name(evaluations, questions.name))
    id = work_folder.timestamped_path(evaluations, asking.name, time.time()).name
    others: dict[str, Any] = {}
    contenders: tuple[ComparedSystem, ...] = ()
    if request.compares == "judge":
        require_right_answers(questions)
    elif request.compares == "documents":
        contenders = _documents_systems(request, where, models)
    elif request.compares == "models":
        contenders = _model_systems(request, where, models)
    elif request.compares == "thinking":
        contenders = compared_systems.without_and_with_thoughts(_model_systems(request, where, models)[0])
    else:
        found = _quantization_plan(request, evaluations / id, where, models)
        contenders = found.contenders
        others |= {
            "made": found.made_models,
            "has_likelihoods": any(question.reference for question in questions.questions),
        }
    study = plan_study(id, request.kind(models), questions, contenders, asking, **others)
    if repeats_itself(study):
        raise AppError("wish_repeats_of_card", count=asking.seeds)
    return study, questions


def plan_study(
    id: str,
    kind: str,
    questions: QuestionSet,
    contenders: tuple[ComparedSystem, ...],
    asking: AnswerParameters,
    **others: Any,
) -> Study:
    """Return a new study without writing anything. `id`: the name of its folder. `others`: further fields of Study.

    Raises AppError("pairs_without_judge").
    """
    if asking.has_pairs and (asking.judge is None or len(contenders) == 1):
        raise AppError("pairs_without_judge")
    temperature = asking.temperature
    if temperature is None and asking.seeds == 1:
        temperature = 0.0  # greedy; with several seeds the model card decides
    own = Choices(temperature=temperature, max_tokens=asking.max_tokens)
    fields: dict[str, Any] = {
        "id": id,
        "name": asking.name,
        "kind": kind,
        "set_name": questions.name,
        "set_version": questions.version,
        "set_sha256": questions.sha256,
        "label": compared_systems.highest_label(contenders, (questions.label,)),
        "contenders": contenders,
        "seeds": tuple(range(asking.seeds)),
        "choices": own.with_defaults(asking.preset),
        "created_at": time.time(),
    }
    same = ("context_tokens", "judge", "judge_preset", "rated", "has_pairs")
    return Study(**(fields | {name: getattr(asking, name) for name in same} | others))


def repeats_itself(study: Study) -> bool:
    """Return whether a system would give the same answer with every seed, which would look like certainty."""
    cards = (catalogue.card(one.model.card_id) for one in study.contenders)
    return len(study.seeds) > 1 and any(presets.in_force(card, study.choices).temperature == 0 for card in cards)


def require_right_answers(questions: QuestionSet) -> None:
    """Check that there are right answers to measure a judge by. Raises AppError("judge_without_references")."""
    from app.evaluation.judge import judge_calibration  # imports numpy

    if not any(judge_calibration.has_right_answer(one) for one in questions.questions):
        raise AppError("judge_without_references", name=questions.name)


# ------------------------------------------------------------------------- systems


def _scope(request: StudyRequest, documents: Path) -> DocumentScope:
    """Return the requested documents with their current label and the hash by which a later change is noticed."""
    return DocumentScope(
        request.scope,
        collection_lookup.current_label_of_scope(documents, request.scope),
        sha256=study_preflight.documents_sha256(documents, request.scope),
    )


def _model_systems(request: StudyRequest, where: Paths, models: Sequence[LocalModel]) -> tuple[ComparedSystem, ...]:
    """Return each model as a system. The models are compared, so none is replaced by quotes of the documents."""
    documents = None
    if request.scope:
        documents = dataclasses.replace(_scope(request, where.documents), may_quote=False)
    asked = (study_request.with_adapter(one, models, where.documents) for one in request.models)
    return compared_systems.assign_ids([compared_systems.compared_system(*one, documents) for one in asked])


def _documents_systems(request: StudyRequest, where: Paths, models: Sequence[LocalModel]) -> tuple[ComparedSystem, ...]:
    """Return the base and the tuned model as systems, each with and without documents.

    Without a tuned model the base is asked as it answers every day: with the adapter that comes with it, if one does.
    """
    base, wanted = study_request.base_and_tuned(request, models)
    use: tuple[LocalModel, AdapterInUse | None] = (base, None)
    tuned = study_request.with_adapter(wanted, models, where.documents) if wanted is not None else None
    if tuned is None:
        use = study_request.with_adapter(request.models[0], models, where.documents)
    documents = _scope(request, where.documents)
    return compared_systems.four_ways(use, tuned, documents, quotes=excerpts.is_too_small(base))


def _quantization_plan(
    request: StudyRequest, folder: Path, where: Paths, models: Sequence[LocalModel]
) -> QuantizationPlan:
    """Plan the systems and files of a study of quantizations.

    Raises AppError: wish_other_base, wish_merged, build_unknown_quant.
    """
    if len(request.models) > 1:
        return QuantizationPlan(existing_systems([study_request.model_of(one) for one in request.models]), ())
    forms = quantizations.parse_quantizations(",".join(request.forms) or PAPER_FORMS)
    wanted: RequestedModel | None = request.tuned
    if request.base:
        source = source_of_folder(Path(request.base))
    else:
        base, wanted = study_request.base_and_tuned(request, models)
        source = source_of_model(base)
    tuned = None
    if wanted is not None:
        model, tuning = study_request.with_adapter(wanted, models, where.documents)
        if tuning is None:
            raise AppError("wish_merged", name=model.name)
        tuned = (model, tuning)
    return plan_quantizations(source, forms, tuned, folder, where.bases)


# ------------------------------------------------------------------- quantizations


def existing_systems(models: Sequence[LocalModel]) -> tuple[ComparedSystem, ...]:
    """Return existing files as systems; those of one model are a family that is compared with its first file.

    Raises AppError as `gguf.read_header`.
    """
    found = []
    for model in models:
        header = gguf.read_header(Path(model.path))
        family = f"{header.architecture} {header.vocab_size} {header.parameters}"
        found.append(dataclasses.replace(compared_systems.compared_system(model, None), family=family))
    return compared_systems.assign_ids(found)


def require_room(study: Study, data: Path) -> int:
    """Check that there is space for the files to make, and return their largest total size in bytes.

    `data`: the data folder. Raises AppError("drive_space").
    """
    most = study_steps.peak_bytes(study)
    if most:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        require_space(data, most)
    return most


def source_of_model(model: LocalModel) -> QuantizationSource:
    """Return the source of quantizations for a GGUF file. Raises AppError for a damaged file."""
    return QuantizationSource(model, None, gguf.read_header(Path(model.path)).parameters)


def source_of_folder(folder: Path) -> QuantizationSource:
    """Return the source of quantizations for a publisher's folder. Raises AppError as `hf_folders.read_hf_model`."""
    read = hf_folders.read_hf_model(folder)
    model = LocalModel("", read.name, "", 0, "", "", 0, 0.0, template_allowed=True)
    return QuantizationSource(model, folder, read.parameters)


def plan_quantizations(
    source: QuantizationSource,
    forms: Sequence[Quantization],
    tuned: tuple[LocalModel, AdapterInUse] | None,
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


def _f16_source(source: QuantizationSource, folder: Path, cache: Path, made_models: dict[str, MadeModel]) -> str:
    """Return the F16 file from which all others are made, and plan to make it if necessary."""
    model = source.model
    if source.folder is None and model.quantization.upper() in UNQUANTIZED:
        return model.path
    unpacked = source.folder
    if unpacked is None:
        sha256 = base_models.sha256_of_model(model)
        unpacked = cache / sha256[:16]
        made_models[str(unpacked)] = MadeModel(
            str(unpacked), "folder", model.path, is_shared=True, size_bytes=_size(source, QUANTIZATIONS["F16"]),
            source_form=model.quantization, source_sha256=sha256,
        )  # fmt: skip
    f16_file = folder / "base-F16.gguf"
    made_models[str(f16_file)] = MadeModel(
        str(f16_file), "F16", str(unpacked), size_bytes=_size(source, QUANTIZATIONS["F16"])
    )
    return str(f16_file)


def _family(
    source: QuantizationSource,
    forms: Sequence[Quantization],
    model: LocalModel,
    tuning: AdapterInUse | None,
    f16_file: str,
    folder: Path,
    made_models: dict[str, MadeModel],
) -> list[ComparedSystem]:
    found = []
    family = TUNED if tuning else BASE
    for form in forms:
        path, name = f16_file, form.name
        if form is not forms[0]:
            path = str(folder / f"{family}-{name}.gguf")
            made_models[path] = MadeModel(path, name, f16_file, size_bytes=_size(source, form))
        elif f16_file == source.model.path:
            name = source.model.quantization  # BF16 and F32 are used as they are
        if tuning is None and source.folder is None and name == source.model.quantization:
            path = source.model.path  # the existing file, because quantizing it again would give another one
            made_models.pop(str(folder / f"{family}-{name}.gguf"), None)
        file = dataclasses.replace(
            model, id=f"{family}-{name}", name=f"{_stem(model)} {name}", path=path, quantization=name,
            files=model.files if path == model.path else (), size_bytes=_size(source, form),
        )  # fmt: skip
        named = phrase("evaluation.quant_named", family=phrase(f"evaluation.system_way.{family}"), form=name)
        system = compared_systems.renamed(compared_systems.compared_system(file, None), named)
        found.append(dataclasses.replace(system, family=family, label=compared_systems.trained_on(file, tuning)))
    return found


def _unmerged(base: ComparedSystem, model: LocalModel, tuning: AdapterInUse) -> ComparedSystem:
    """Return the smallest quantized base with the adapter applied at run time.

    Quantizing a merged model can undo its training.
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
