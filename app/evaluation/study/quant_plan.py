"""Which forms of one model are made and compared: the base's, and with an adapter the merged ones and the unmerged one.

Everything is made of one F16 file: of a publisher's folder, or of a GGUF that is turned back into one. The first system
of each family is F16, from which the divergence of the others is measured.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.base.wording import phrase
from app.evaluation.study import contending
from app.evaluation.study.contending import Tuning
from app.evaluation.study.study import MODELS, Contender, Made
from app.inference import gguf
from app.inference.local_model import LocalModel
from app.inference.quantizations import QUANTIZATIONS, Quantization
from app.models import base_models, hf_folders

PAPER_FORMS = "F16,Q8_0,Q6_K,Q5_K_M,Q4_K_M"
_WHOLE = ("F16", "BF16", "F32")  # forms that others are made of
BASE, TUNED = "base", "tuned"  # families


@dataclass(frozen=True, slots=True)
class Source:
    """What the forms are made of: a GGUF file (`model`), or a publisher's folder."""

    model: LocalModel  # how it is prompted; of a folder without a file yet
    folder: Path | None = None
    parameters: int = 0


@dataclass(frozen=True, slots=True)
class QuantPlan:
    contenders: tuple[Contender, ...]
    made: tuple[Made, ...]


def of_model(model: LocalModel) -> Source:
    """Raises AppError for a damaged file."""
    return Source(model, None, gguf.read_header(Path(model.path)).parameters)


def of_folder(folder: Path) -> Source:
    """Raises AppError as `hf_folder.read`."""
    read = hf_folders.read_hf_model(folder)
    model = LocalModel("", read.name, "", 0, "", "", 0, 0.0, template_allowed=True)
    return Source(model, folder, read.parameters)


def plan(
    source: Source, forms: Sequence[Quantization], tuned: tuple[LocalModel, Tuning] | None, study: Path, cache: Path
) -> QuantPlan:
    """`forms`: F16 stands first, named or not. `tuned`: the model in the form of its training, and the adapter.
    `study`: its folder. `cache`: of bases.

    Raises AppError("file_unreadable").
    """
    folder = study / MODELS
    forms = [QUANTIZATIONS["F16"], *(form for form in forms if form.name not in _WHOLE)]
    made: dict[str, Made] = {}
    whole = _whole(source, folder, cache, made)
    contenders = _family(source, forms, source.model, None, whole, folder, made)
    if tuned is not None:
        model, tuning = tuned
        merged = folder / "tuned-F16.gguf"
        size = _size(source, QUANTIZATIONS["F16"])
        made[str(merged)] = Made(
            str(merged), "F16", whole, tuning.path, size_bytes=size, strength=tuning.strength,
            adapter_sha256=contending.adapter_sha256(tuning.path),
        )  # fmt: skip
        contenders += _family(source, forms, model, tuning, str(merged), folder, made)
        _form, smallest = min(zip(forms, contenders, strict=False), key=lambda pair: pair[0].bits)
        contenders.append(_unmerged(smallest, model, tuning))
    return QuantPlan(contending.numbered(contenders), tuple(made.values()))


def _whole(source: Source, folder: Path, cache: Path, made: dict[str, Made]) -> str:
    """The F16 file that all is made of."""
    model = source.model
    if source.folder is None and model.quantization.upper() in _WHOLE:
        return model.path
    unpacked = source.folder
    if unpacked is None:
        sha256 = base_models.sha256_of_model(model)
        unpacked = cache / sha256[:16]
        made[str(unpacked)] = Made(
            str(unpacked), "folder", model.path, is_shared=True, size_bytes=_size(source, QUANTIZATIONS["F16"]),
            source_form=model.quantization, source_sha256=sha256,
        )  # fmt: skip
    whole = folder / "base-F16.gguf"
    made[str(whole)] = Made(str(whole), "F16", str(unpacked), size_bytes=_size(source, QUANTIZATIONS["F16"]))
    return str(whole)


def _family(
    source: Source,
    forms: Sequence[Quantization],
    model: LocalModel,
    tuning: Tuning | None,
    whole: str,
    folder: Path,
    made: dict[str, Made],
) -> list[Contender]:
    found = []
    family = TUNED if tuning else BASE
    for form in forms:
        path, name = whole, form.name
        if form is not forms[0]:
            path = str(folder / f"{family}-{name}.gguf")
            made[path] = Made(path, name, whole, size_bytes=_size(source, form))
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
        one = contending.renamed(contending.contender(file, None), named)
        found.append(dataclasses.replace(one, family=family, label=contending.trained_on(file, tuning)))
    return found


def _unmerged(base: Contender, model: LocalModel, tuning: Tuning) -> Contender:
    """The base in its smallest form with the adapter beside it: quantizing after a merge can undo a training."""
    file = dataclasses.replace(base.model, form_id=model.form_id, template_allowed=model.template_allowed)
    name = phrase(
        "evaluation.quant_unmerged", family=phrase(f"evaluation.system_way.{TUNED}"), form=base.system.quantization
    )
    return dataclasses.replace(contending.renamed(contending.contender(file, tuning), name), family=TUNED)


def _stem(model: LocalModel) -> str:
    """Its name without the form that it has now."""
    return model.name.removesuffix(model.quantization).strip() or model.name


def _size(source: Source, form: Quantization) -> int:
    return round(source.parameters * form.table_bits / 8)
