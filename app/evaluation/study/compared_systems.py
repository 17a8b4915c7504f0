"""Describe the systems of a comparison: models with and without adapters and documents, each under a distinct name."""

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.base import confidentiality
from app.base.confidentiality import Label
from app.base.errors import AppError
from app.base.files import input_file
from app.base.wording import phrase, unique_name
from app.documents.grounding.grounding_record import CollectionRef
from app.evaluation.records import System
from app.evaluation.study.studies import ComparedSystem
from app.inference.engine.messages import THOUGHT_TOKENS
from app.inference.local_model import LocalModel
from app.models import base_models, local_models
from app.training.runs import lineage, run_folders


@dataclass(frozen=True, slots=True)
class AdapterInUse:
    """An adapter file (GGUF) with which a model is asked. `label`: confidentiality label of its training data.

    `name`: name to show; "": the adapter is that of the model card.
    """

    path: str
    strength: float = 1.0
    name: str = ""
    label: Label = confidentiality.DEFAULT_LABEL


@dataclass(frozen=True, slots=True)
class DocumentScope:
    """The documents that a system is asked with. `may_quote`: see ComparedSystem."""

    scope: tuple[CollectionRef, ...]
    label: Label = confidentiality.DEFAULT_LABEL
    may_quote: bool = True
    sha256: str = ""  # see `documents_sha256` of ComparedSystem


def compared_system(
    model: LocalModel, tuning: AdapterInUse | None, documents: DocumentScope | None = None
) -> ComparedSystem:
    """Return a system without an id.

    `tuning` None: the model alone, even without the adapter of its model card. Reads the whole model file if its hash
    is not known. Raises AppError("file_unreadable").
    """
    scope = documents.scope if documents else ()
    system = System(
        id="",
        name=_name(model, tuning, documents),
        model=model.path,
        model_name=model.name,
        model_sha256=base_models.sha256_of_model(model) if Path(model.path).exists() else "",
        quantization=model.quantization,
        size_bytes=model.size_bytes,
        adapter=tuning.path if tuning else "",
        strength=tuning.strength if tuning else 1.0,
        collections=tuple(ref.name for ref in scope),
        adapter_sha256=adapter_sha256(tuning.path) if tuning else "",
    )
    return ComparedSystem(
        system,
        model,
        scope,
        may_quote=documents.may_quote if documents else True,
        label=confidentiality.highest_label(
            (documents.label if documents else confidentiality.DEFAULT_LABEL, trained_on(model, tuning))
        ),
        documents_sha256=documents.sha256 if documents else "",
    )


def trained_on(model: LocalModel, tuning: AdapterInUse | None = None) -> Label:
    """Return the highest label of the data that the model and the adapter were trained on."""
    own = lineage.lineage_of_model(model).label or confidentiality.DEFAULT_LABEL
    return confidentiality.highest_label((own, tuning.label if tuning is not None else confidentiality.DEFAULT_LABEL))


def with_card_adapter(model: LocalModel) -> tuple[LocalModel, AdapterInUse | None]:
    """Return the model with the adapter of its model card and its prompt format, as the app answers by default.

    If the card has no adapter, the model is returned unchanged with None.
    """
    shipped = local_models.adapter_of(model)
    if shipped is None:
        return model, None
    return dataclasses.replace(model, form_id=shipped.form_id), AdapterInUse(str(shipped.path))


def assign_ids(contenders: Iterable[ComparedSystem]) -> tuple[ComparedSystem, ...]:
    """Give the systems the ids s1, s2, … and distinct names."""
    found: list[ComparedSystem] = []
    for number, one in enumerate(contenders, start=1):
        name = unique_name(one.system.name, [other.system.name for other in found])
        found.append(dataclasses.replace(one, system=dataclasses.replace(one.system, id=f"s{number}", name=name)))
    return tuple(found)


def four_ways(
    model: tuple[LocalModel, AdapterInUse | None],
    tuned: tuple[LocalModel, AdapterInUse | None] | None,
    documents: DocumentScope,
    *,
    quotes: bool,
) -> tuple[ComparedSystem, ...]:
    """Return the systems of a study of documents: base, base with documents, tuned, and tuned with documents.

    `model`: the base, with the adapter that comes with it if no other is compared. `tuned`: the model in the prompt
    format of its training; without an AdapterInUse the adapter is merged into the file. `quotes`: add a system that
    quotes the documents, as the app does with a model that is too small to answer from them.
    """
    asked = dataclasses.replace(documents, may_quote=False)
    base, after, read = (phrase(f"evaluation.system_way.{way}") for way in ("base", "tuned", "documents"))
    found = [
        renamed(compared_system(*model), base),
        renamed(compared_system(*model, asked), phrase("evaluation.system_with", name=base, other=read)),
    ]
    if tuned is not None:
        found += [
            renamed(compared_system(*tuned), after),
            renamed(compared_system(*tuned, asked), phrase("evaluation.system_with", name=after, other=read)),
        ]
    if quotes:
        quoted = renamed(compared_system(*model, documents), phrase("evaluation.system_way.quotes"))
        found.append(dataclasses.replace(quoted, system=dataclasses.replace(quoted.system, is_quoted=True)))
    return assign_ids(found)


def without_and_with_thoughts(system: ComparedSystem) -> tuple[ComparedSystem, ...]:
    """Return a system twice: answering at once, and thinking before it answers."""
    ways = (("at_once", 0), ("thinking", THOUGHT_TOKENS))
    return assign_ids(
        dataclasses.replace(renamed(system, phrase(f"evaluation.system_way.{way}")), thought_tokens=tokens)
        for way, tokens in ways
    )


def adapter_sha256(path: str) -> str:
    """Return the hash of an adapter; "" if the file does not exist yet, as before a training.

    Raises AppError("file_unreadable").
    """
    try:
        return input_file.sha256_of(Path(path))
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise AppError("file_unreadable", path=path, reason=error.strerror or str(error)) from error


def adapter_name(path: str) -> str:
    """Return a name for an adapter file: the name of its run's folder, else that of the file."""
    file = Path(path)
    return file.parent.name if file.name == run_folders.ADAPTER else file.stem


def _name(model: LocalModel, tuning: AdapterInUse | None, documents: DocumentScope | None) -> str:
    name = model.name
    if tuning is not None:
        adapter = tuning.name or phrase("evaluation.system_card_adapter")
        strength = "" if tuning.strength == 1 else f" x{tuning.strength:g}"
        name = phrase("evaluation.system_with", name=name, other=f"{adapter}{strength}")
    elif local_models.adapter_of(model) is not None:
        name = phrase("evaluation.system_alone", name=name)
    return (
        phrase("evaluation.system_with", name=name, other=phrase("evaluation.system_way.documents"))
        if documents
        else name
    )


def renamed(system: ComparedSystem, name: str) -> ComparedSystem:
    return dataclasses.replace(system, system=dataclasses.replace(system.system, name=name))


def highest_label(contenders: Sequence[ComparedSystem], others: Sequence[Label] = ()) -> Label:
    """Return the strictest confidentiality label of the systems and `others`: the last of these in LABELS."""
    return confidentiality.highest_label((*(one.label for one in contenders), *others), confidentiality.DEFAULT_LABEL)
