"""A GGUF file as a local model: recognized, named, and given the prompt form it was trained with."""

import dataclasses
import re
import time
import unicodedata
from collections.abc import Collection
from pathlib import Path

from app.core import catalogue, gguf
from app.core.catalogue import PromptForm
from app.core.errors import AppError
from app.core.records import LocalModel

FALLBACK_FORM = "question_answer"


def describe(path: Path) -> LocalModel:
    """Checks the file and describes it. The id is made from the file's name; `merged` makes it unique.

    Raises AppError, as `gguf.check_model` does.
    """
    try:
        path = path.expanduser().absolute()
    except RuntimeError as error:  # `~` of nobody
        raise AppError("model_missing", path=str(path)) from error
    if str(path) != str(path).encode("utf-8", "replace").decode("utf-8"):  # neither sqlite nor the wire can carry it
        raise AppError("model_unreadable", reason="the file's name is not UTF-8")
    header = gguf.check_model(path)
    book = catalogue.load()
    card = book.recognize(header.name)
    form = book.forms.get(card.form) if card else book.form_of_template(header.chat_template)
    return LocalModel(
        id=_free_id(path.stem, ()),
        name=_name(header.name, header.quantization, path)
        if card is None
        else f"{card.title} {header.quantization}".strip(),
        path=str(path),
        size_bytes=path.stat().st_size,
        architecture=header.architecture,
        quantization=header.quantization,
        context_tokens=header.context_length,
        added_at=time.time(),
        card_id=card.id if card else None,
        form_id=form.id if form else None,
    )


def merged(model: LocalModel, known: Collection[LocalModel]) -> LocalModel:
    """A freshly described file beside those in the list: one that is there already keeps its id and its history."""
    old = next((other for other in known if other.path == model.path), None)
    if old is None:
        return dataclasses.replace(model, id=_free_id(model.id, {other.id for other in known}))
    allowed = old.template_allowed or model.template_allowed
    return dataclasses.replace(model, id=old.id, added_at=old.added_at, speeds=old.speeds, template_allowed=allowed)


def needs_template_consent(model: LocalModel) -> bool:
    """Whether the file brings a chat template that is none of ours, and the user has not let it run."""
    if model.form_id is not None or model.template_allowed:
        return False
    return gguf.read_header(Path(model.path)).chat_template is not None


def form_of(model: LocalModel) -> PromptForm | None:
    """Our own form, or None when the file's template is to be rendered. Without either: plain question and answer."""
    forms = catalogue.load().forms
    if model.form_id is not None and model.form_id in forms:
        return forms[model.form_id]
    return None if model.template_allowed else forms[FALLBACK_FORM]


def find(models: Collection[LocalModel], wanted: str) -> LocalModel | None:
    """By id, by card id, or by a part of the name that only one model has."""
    exact = [model for model in models if wanted in (model.id, model.card_id, model.path)]
    if exact:
        return exact[0]
    partial = [model for model in models if wanted.casefold() in f"{model.id} {model.name}".casefold()]
    return partial[0] if len(partial) == 1 else None


def _free_id(stem: str, taken: Collection[str]) -> str:
    base = re.sub(r"[^\w.-]+", "-", unicodedata.normalize("NFKC", stem).casefold()).strip("-.") or "model"
    candidate, number = base, 2
    while candidate in taken:
        candidate, number = f"{base}-{number}", number + 1
    return candidate


def _name(general_name: str, quantization: str, path: Path) -> str:
    name = " ".join(general_name.split())[:80]
    return f"{name} {quantization}".strip() if name else path.stem
