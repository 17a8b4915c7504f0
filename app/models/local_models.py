"""A GGUF file as a local model: recognized, named, and given the prompt form it was trained with."""

import dataclasses
import re
import time
import unicodedata
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from app.base import invisible_characters
from app.base.errors import AppError
from app.base.paths import resources
from app.inference import gguf, prompts
from app.inference.engine.messages import AdapterUse
from app.inference.gguf import GgufHeader
from app.inference.local_model import FileFingerprint, LocalModel
from app.inference.prompts import PromptForm
from app.models import catalogue, found_models
from app.models.model_store import ModelStore

FALLBACK_FORM = "question_answer"
# Encoders: they give vectors, and write nothing.
_ENCODERS = frozenset(
    (
        "bert", "nomic-bert", "nomic-bert-moe", "modern-bert", "neo-bert", "eurobert", "jina-bert-v2", "jina-bert-v3",
        "gemma-embedding", "t5encoder",
    )
)  # fmt: skip


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
    stored = found_models.ollama_entry_of(path)  # its files are called by their hash
    template = header.chat_template or (found_models.ollama_template(stored) if stored else None)
    form = book.forms.get(card.form) if card else book.form_of_template(template)
    return LocalModel(
        id=free_id(stored.name if stored else path.stem, ()),
        name=f"{card.title} {header.quantization}".strip() if card else stored.name if stored else _name(header, path),
        path=str(path),
        size_bytes=header.file_bytes,
        architecture=header.architecture,
        quantization=header.quantization,
        context_tokens=header.context_length,
        added_at=time.time(),
        card_id=card.id if card else None,
        form_id=form.id if form else None,
        files=tuple(_mark(file) for file in (path, *header.parts)),
    )


@dataclass(frozen=True, slots=True)
class CardAdapter:
    """A LoRA that comes with the program, and the form that it was trained in."""

    path: Path
    form_id: str


def adapter_of(model: LocalModel) -> CardAdapter | None:
    """The one of the model's card, for exactly the file that it was trained on and the card's own form.

    A tuned model answers as it was tuned.
    """
    if model.tuned is not None:
        return None
    card = catalogue.load().card(model.card_id)
    if card is None or not card.adapter or model.form_id != card.form:
        return None
    # A file whose hash nobody has computed yet: at worst its answers are odd, and reading it would take longer.
    alike = {(file.quantization, file.size_bytes) for file in card.files if file.sha256}
    is_unread = bool(model.files) and not model.files[0].sha256
    is_same = is_published(model) or (is_unread and (model.quantization, model.size_bytes) in alike)
    return CardAdapter(resources() / card.adapter, card.adapter_form) if is_same else None


def is_published(model: LocalModel) -> bool:
    """Whether all of its files are, by their hashes, those that the catalogue knows of its card.

    A card is found by a name inside the file, which anybody can write there.
    """
    card = catalogue.load().card(model.card_id)
    published = {file.sha256 for file in card.files if file.sha256} if card else set()
    return bool(model.files) and all(mark.sha256 in published for mark in model.files)


def with_adapters(
    model: LocalModel, adapters: tuple[AdapterUse, ...] | None
) -> tuple[LocalModel, tuple[AdapterUse, ...]]:
    """Return the model as it is prompted, and its adapters.

    `adapters`: those that were asked for; None: the model's own or that of its card, if it has one.
    """
    if adapters is None and model.adapter and model.tuned is not None:
        return model, (AdapterUse(model.adapter, model.tuned.strength),)
    shipped = adapter_of(model) if adapters is None else None
    if shipped is None:
        return model, adapters or ()
    return dataclasses.replace(model, form_id=shipped.form_id), (AdapterUse(str(shipped.path)),)


def is_embedding_model(model: LocalModel) -> bool:
    """Whether it is an embedding model, by its card or its architecture: it finds passages and answers nothing."""
    card = catalogue.load().card(model.card_id)
    return card.kind == "embedding" if card is not None else model.architecture in _ENCODERS


def files_of(model: LocalModel) -> list[Path]:
    """All files of the model, the first part first; the path alone where the list is older than its marks."""
    first = Path(model.path)
    return [first, *(first.with_name(mark.name) for mark in model.files[1:])]


def merged_with_known(model: LocalModel, known: Collection[LocalModel]) -> LocalModel:
    """A freshly described file beside those in the list: one that is there already keeps its id and its history."""
    old = next((other for other in known if other.path == model.path), None)
    if old is None:
        return dataclasses.replace(model, id=free_id(model.id, {other.id for other in known}))
    if old.tuned is not None:  # its name and its form come from the training
        model = dataclasses.replace(model, name=old.name, form_id=old.form_id, tuned=old.tuned)
    allowed = old.template_allowed or model.template_allowed
    known_hashes = {dataclasses.replace(mark, sha256=""): mark.sha256 for mark in old.files}
    files = tuple(  # a file that is as it was needs no second hashing
        dataclasses.replace(mark, sha256=mark.sha256 or known_hashes.get(mark, "")) for mark in model.files
    )
    return dataclasses.replace(
        model, id=old.id, added_at=old.added_at, speeds=old.speeds, template_allowed=allowed, files=files
    )


def distinct_names(models: Collection[LocalModel]) -> dict[str, str]:
    """By id: what each is called, with its file's name where another is called the same; also its folder where that
    is the same too."""
    counts = Counter(model.name for model in models)
    files = Counter((model.name, Path(model.path).name) for model in models)
    names = {}
    for model in models:
        path, name = Path(model.path), model.name
        if counts[name] > 1:
            name = f"{name} ({path.name if files[name, path.name] == 1 else path.parent.name + '/' + path.name})"
        names[model.id] = name
    return names


def add(store: ModelStore, model: LocalModel) -> LocalModel:
    """Puts the model into the list; one with the same file keeps its id and what was measured with it."""
    model = merged_with_known(model, store.local_models())
    store.put_local_model(model)
    return model


def needs_template_consent(model: LocalModel) -> bool:
    """Whether the file brings a chat template that is none of ours, and the user has not let it run."""
    if model.form_id is not None or model.template_allowed or model.remote is not None:
        return False
    return gguf.read_header(Path(model.path)).chat_template is not None


def form_of(model: LocalModel) -> PromptForm | None:
    """Our own form, or None when the file's template is to be rendered. Without either: plain question and answer.

    A model elsewhere gets messages, whose form is its server's affair.
    """
    if model.remote is not None:
        return prompts.MESSAGES_FORM
    forms = catalogue.load().forms
    if model.form_id is not None and model.form_id in forms:
        return forms[model.form_id]
    return None if model.template_allowed else forms[FALLBACK_FORM]


def find(models: Collection[LocalModel], wanted: str) -> LocalModel | None:
    """By id, path or name, by card id (of a model that is not tuned), or by a part of the name that only one has."""
    exact = [model for model in models if wanted == model.id or (wanted == model.path and not model.adapter)]
    exact += [model for model in models if wanted == model.name]
    exact += [model for model in models if wanted == model.card_id and model.tuned is None]
    if exact:
        return exact[0]
    partial = [model for model in models if wanted.casefold() in f"{model.id} {model.name}".casefold()]
    return partial[0] if len(partial) == 1 else None


def free_id(stem: str, taken: Collection[str]) -> str:
    base = re.sub(r"[^\w.-]+", "-", unicodedata.normalize("NFKC", stem).casefold()).strip("-.") or "model"
    candidate, number = base, 2
    while candidate in taken:
        candidate, number = f"{base}-{number}", number + 1
    return candidate


def _name(header: GgufHeader, path: Path) -> str:
    name = invisible_characters.to_single_line(header.text("general.name") or "")[:80]
    return f"{name} {header.quantization}".strip() if name else invisible_characters.to_single_line(path.stem)


def _mark(path: Path) -> FileFingerprint:
    """Without a hash: only what was computed from the content stands there, never what a name or a size promises."""
    status = path.stat()
    return FileFingerprint(path.name, status.st_size, status.st_mtime_ns)


def promised_sha256(model: LocalModel, path: Path) -> str:
    """What a file of the model should have, by the catalogue or by the store that it lies in; "": nobody says.

    For a comparison: the name and the size that it is found by may be anybody's.
    """
    card = catalogue.load().card(model.card_id)
    published = [file for file in card.files if file.quantization == model.quantization] if card else []
    size_bytes = path.stat().st_size
    sha256 = next((file.sha256 for file in published if file.size_bytes == size_bytes), "")
    return sha256 or _origin_sha256(path)


def _origin_sha256(path: Path) -> str:
    """Ollama and the Hugging Face cache name the files of weights by their hash, the latter behind a link."""
    target = path.resolve()
    is_hub_blob = target.parent.name == "blobs" and re.fullmatch(r"[0-9a-f]{64}", target.name) is not None
    return target.name if is_hub_blob else found_models.ollama_sha256(target)
