"""Describe a GGUF file as a local model: recognize it, name it, and find its prompt form."""

import contextlib
import dataclasses
import functools
import re
import time
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable
from pathlib import Path

from msgspec import Struct

from app.base import invisible_characters
from app.base.errors import AppError
from app.base.paths import resources
from app.inference import crashes, gguf, prompts, thoughts
from app.inference.engine.messages import AdapterUse
from app.inference.gguf import GgufHeader
from app.inference.local_model import FileFingerprint, LocalModel
from app.inference.prompts import PromptForm
from app.models import catalogue
from app.models.model_store import ModelStore

FALLBACK_FORM = "question_answer"
RANK_FORM = "rank"  # `form_id` of a file that scores pairs of a question and a passage
# Architectures of encoders, which compute embeddings or scores and cannot write text.
_ENCODERS = frozenset(
    (
        "bert", "nomic-bert", "nomic-bert-moe", "modern-bert", "neo-bert", "eurobert", "jina-bert-v2", "jina-bert-v3",
        "gemma-embedding", "t5encoder",
    )
)  # fmt: skip


def describe(path: Path) -> LocalModel:
    """Check a GGUF file and describe it as a local model.

    Its id is made from the file's name; `merged_with_known` makes it unique. Raises AppError as `gguf.check_model`
    does.
    """
    try:
        path = path.expanduser().absolute()
    except RuntimeError as error:  # `~` of an unknown user
        raise AppError("model_missing", path=str(path)) from error
    if str(path) != str(path).encode("utf-8", "replace").decode("utf-8"):  # SQLite and JSON cannot hold such a path
        raise AppError("model_unreadable", reason="the file's name is not UTF-8")
    from app.models import found_models  # only for a file that is added, which a question never does

    header = gguf.check_model(path)
    book = catalogue.load()
    card = book.recognize(header.name, is_reranker=header.is_reranker)
    stored = found_models.ollama_entry_of(path)  # Ollama names its files by their hashes
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
        form_id=RANK_FORM if header.is_reranker else form.id if form else None,
        projector=_projector_beside(path, header),
        files=tuple(_fingerprint(file) for file in (path, *header.parts)),
    )


def with_projector(model: LocalModel, path: Path) -> LocalModel:
    """Return the model with a projector that reads pictures for it, which is tried although it has ended an engine.

    Raises AppError as `gguf.check_projector` does.
    """
    gguf.check_projector(path, gguf.read_header(Path(model.path)))
    crashes.forget_projector(str(path))
    return dataclasses.replace(model, projector=str(path))


def _projector_beside(path: Path, model: GgufHeader) -> str:
    """Return the projector in a model's folder that has its name, or none where all models there have one; else "".

    Of several, F16 is preferred to other types, then the smallest.
    """
    files = [file for file in path.parent.glob("*.gguf") if file != path]
    projectors = [file for file in files if "mmproj" in file.name.casefold()]
    is_alone = {_bare_name(file) for file in files if file not in projectors} <= {_bare_name(path)}
    found = []
    for file in projectors:
        if _bare_name(file) == _bare_name(path) or (is_alone and _bare_name(file) in ("", "model")):
            with contextlib.suppress(AppError):
                header = gguf.check_projector(file, model)
                found.append((header.quantization != "F16", header.file_bytes, str(file)))
    return min(found, default=(False, 0, ""))[2]


def _bare_name(file: Path) -> str:
    """Return a file's name without mmproj, quantization, part number and punctuation."""
    name = re.sub(r"mmproj|-\d{5}-of-\d{5}$", "", file.stem.casefold())
    name = re.sub(r"(?:^|[-_.])(?:ud-)?(?:i?q\d(?:_[a-z\d]+)*|bf16|f16|f32|mxfp4)(?=$|[-_.])", "", name)
    return name.strip("-_.")


class CardAdapter(Struct, frozen=True):
    """Holds a LoRA that comes with the program, and the prompt form that it was trained with."""

    path: Path
    form_id: str


def adapter_of(model: LocalModel) -> CardAdapter | None:
    """Return the adapter of the model's card if the model is the file that the adapter was trained on; else None.

    Also None for a model with another form than the card's, and for a tuned model, which has its own adapter.
    """
    if model.tuned is not None:
        return None
    card = catalogue.card(model.card_id)
    if card is None or not card.adapter or model.form_id != card.form:
        return None
    # A file that is not hashed yet is accepted by quantization and size, because hashing would delay the answer.
    alike = {(file.quantization, file.size_bytes) for file in card.files if file.sha256}
    is_unread = bool(model.files) and not model.files[0].sha256
    is_same = is_published(model) or (is_unread and (model.quantization, model.size_bytes) in alike)
    return CardAdapter(resources() / card.adapter, card.adapter_form) if is_same else None


def is_published(model: LocalModel) -> bool:
    """Return whether all files of the model have hashes that the catalogue lists for its card.

    The card alone is no proof: it is found by a name in the file's metadata, which anyone can write there.
    """
    card = catalogue.card(model.card_id)
    published = {file.sha256 for file in card.files if file.sha256} if card else set()
    return bool(model.files) and all(fingerprint.sha256 in published for fingerprint in model.files)


# Stands for no model: a question to documents is answered by quoting them.
NO_MODEL = LocalModel("", "", "", 0, "", "", 0, 0.0)


def with_adapters(
    model: LocalModel, adapters: tuple[AdapterUse, ...] | None
) -> tuple[LocalModel, tuple[AdapterUse, ...]]:
    """Return the model with the prompt form to use (how messages become its prompt), and the adapters to answer with.

    `adapters`: those requested; None: the model's own, or that of its card in the catalogue if there is one.
    """
    if adapters is None and model.adapter and model.tuned is not None:
        return model, (AdapterUse(model.adapter, model.tuned.strength),)
    shipped = adapter_of(model) if adapters is None else None
    if shipped is None:
        return model, adapters or ()
    return dataclasses.replace(model, form_id=shipped.form_id), (AdapterUse(str(shipped.path)),)


def is_for_search(model: LocalModel) -> bool:
    """Return whether the model, by its file, card or architecture, helps to find passages and cannot answer."""
    card = catalogue.card(model.card_id)
    is_known = card.is_for_search if card is not None and not card.is_found else model.architecture in _ENCODERS
    return is_known or is_reranker(model)


def is_reranker(model: LocalModel) -> bool:
    """Return whether the model's file scores pairs of a question and a passage."""
    return model.form_id == RANK_FORM


def rerank_s(model: LocalModel) -> float:
    """Return the measured seconds that a reranker takes for a question; 0 before the first."""
    return float((model.speeds or {}).get(RANK_FORM, {}).get("question_s", 0.0))


def is_embedding_model(model: LocalModel) -> bool:
    """Return whether the model computes embeddings; not so one whose card says reranker but whose file cannot score."""
    card = catalogue.card(model.card_id)
    is_embedding = card is None or card.is_found or card.kind == "embedding"
    return is_for_search(model) and not is_reranker(model) and is_embedding


def answering(models: Iterable[LocalModel]) -> list[LocalModel]:
    """Return the models that can write an answer."""
    return [model for model in models if not is_for_search(model)]


def answering_model(models: Iterable[LocalModel], chosen_id: str | None) -> LocalModel | None:
    """Return the model with the id `chosen_id` if it can answer, else the first that can; None if none can."""
    able = answering(models)
    return next((model for model in able if model.id == chosen_id), next(iter(able), None))


def merged_with_known(model: LocalModel, listed_models: Collection[LocalModel]) -> LocalModel:
    """Return a newly described model with a free id, or with id and history of the listed one at the same path."""
    old = next((other for other in listed_models if other.path == model.path), None)
    if old is None:
        return dataclasses.replace(model, id=free_id(model.id, {other.id for other in listed_models}))
    if old.tuned is not None:  # name and form come from the training
        model = dataclasses.replace(model, name=old.name, form_id=old.form_id, tuned=old.tuned)
    allowed = old.template_allowed or model.template_allowed
    known_hashes = {dataclasses.replace(fingerprint, sha256=""): fingerprint.sha256 for fingerprint in old.files}
    files = tuple(  # an unchanged file keeps its hash
        dataclasses.replace(fingerprint, sha256=fingerprint.sha256 or known_hashes.get(fingerprint, ""))
        for fingerprint in model.files
    )
    projector = model.projector or old.projector
    return dataclasses.replace(
        model,
        id=old.id,
        added_at=old.added_at,
        speeds=old.speeds,
        template_allowed=allowed,
        files=files,
        projector=projector,
    )


def distinct_names(models: Collection[LocalModel]) -> dict[str, str]:
    """Return a distinct name of each model by id.

    Models with the same name get their file's name added, and its folder's if that is the same too.
    """
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
    """Add a model to the list and return the listed one; one with the same path keeps its id and measurements."""
    model = merged_with_known(model, store.local_models())
    store.put_local_model(model)
    return model


def needs_template_consent(model: LocalModel) -> bool:
    """Return whether the file has an unknown chat template that the user has not allowed to run."""
    if model.form_id is not None or model.template_allowed or model.remote is not None:
        return False
    return gguf.read_header(Path(model.path)).chat_template is not None


def form_of(model: LocalModel) -> PromptForm | None:
    """Return the prompt form to use; None if the file's own template is to be rendered.

    Without a known form and a permitted template, it is the plain question-and-answer form. A remote model gets
    messages, which its server formats.
    """
    if model.remote is not None:
        return prompts.MESSAGES_FORM
    forms = catalogue.load().forms
    if model.form_id is not None and model.form_id in forms:
        return forms[model.form_id]
    return None if model.template_allowed else forms[FALLBACK_FORM]


def thinking_of(model: LocalModel) -> str:
    """Return whether a local model thinks before it answers: "always", unless told not to | "on_request" | ""."""
    form = form_of(model)
    if form is None:
        return _thinking_of_file(model.path, model.files)
    return "" if not form.thinking_start else "always" if form.thinks else "on_request"


@functools.lru_cache(maxsize=32)
def _thinking_of_file(path: str, _files: tuple[FileFingerprint, ...]) -> str:
    """Return what a file's own template says of thoughts; "" if it cannot be read. `_files`: as it was then."""
    try:
        return thoughts.thinking_of_template(gguf.read_header(Path(path)).chat_template)
    except AppError:
        return ""


def thinks(model: LocalModel, thought_tokens: int | None) -> bool:
    """Return whether a local model shall think. `thought_tokens`: the budget, 0 for no thoughts; None: as it does."""
    how = thinking_of(model)
    return how == "always" if thought_tokens is None else bool(how) and thought_tokens > 0


def find(models: Collection[LocalModel], reference: str) -> LocalModel | None:
    """Return the model with this id, path, name or card, else the only one whose id or name contains the text.

    A tuned model is not found by its card.
    """
    exact = [model for model in models if reference == model.id or (reference == model.path and not model.adapter)]
    exact += [model for model in models if reference == model.name]
    exact += [model for model in models if reference == model.card_id and model.tuned is None]
    if exact:
        return exact[0]
    partial = [model for model in models if reference.casefold() in f"{model.id} {model.name}".casefold()]
    return partial[0] if len(partial) == 1 else None


def free_id(stem: str, used_names: Collection[str]) -> str:
    base = re.sub(r"[^\w.-]+", "-", unicodedata.normalize("NFKC", stem).casefold()).strip("-.") or "model"
    candidate, number = base, 2
    while candidate in used_names:
        candidate, number = f"{base}-{number}", number + 1
    return candidate


def _name(header: GgufHeader, path: Path) -> str:
    name = invisible_characters.to_single_line(header.text("general.name") or "")[:80]
    return f"{name} {header.quantization}".strip() if name else invisible_characters.to_single_line(path.stem)


def _fingerprint(path: Path) -> FileFingerprint:
    """Return the file's name, size and time as a fingerprint without a hash. Raises OSError."""
    status = path.stat()
    return FileFingerprint(path.name, status.st_size, status.st_mtime_ns)


def recorded_sha256(path: Path, fingerprints: tuple[FileFingerprint, ...]) -> str:
    """Return the SHA-256 recorded for a model's first file; "" if none or the file has changed. Raises OSError."""
    now = dataclasses.replace(_fingerprint(path), name="")
    return next((one.sha256 for one in fingerprints[:1] if dataclasses.replace(one, name="", sha256="") == now), "")


def promised_sha256(model: LocalModel, path: Path) -> str:
    """Return the SHA-256 that the catalogue or the file's name in another program's store states; "" if unknown.

    Use it only to compare: anyone can give a file the name and size by which it is found here.
    """
    card = catalogue.card(model.card_id)
    published = [file for file in card.files if file.quantization == model.quantization] if card else []
    size_bytes = path.stat().st_size
    sha256 = next((file.sha256 for file in published if file.size_bytes == size_bytes), "")
    return sha256 or _sha256_in_store_name(path)


def _sha256_in_store_name(path: Path) -> str:
    """Return the hash in the name of a file of Ollama's store or, behind a link, of the Hugging Face cache; else ""."""
    from app.models import found_models

    target = path.resolve()
    is_hub_blob = target.parent.name == "blobs" and re.fullmatch(r"[0-9a-f]{64}", target.name) is not None
    return target.name if is_hub_blob else found_models.ollama_sha256(target)
