"""Load the model catalogue: `resources/models.toml` or a newer edition of it, and the user's own cards.

A card states how a model is prompted, what it is good for and what its licence demands. The content of a file is read
from the file itself (`app.inference.gguf`). Reading is strict: an unknown, missing or malformed field is
reported by name, and the card is left out.

A newer edition is a file like `resources/models.toml`, with a list of SHA-256 beside it. The list proves that the file
is complete, not who made it: whoever brings it in knows where it comes from. Nothing is brought in without being asked.

The module is long because cards, their strict reading and the choice of what is in force change together.
"""

import dataclasses
import functools
import hashlib
import json
import re
import tomllib
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar

from app.base import invisible_characters, wording
from app.base.errors import AppError
from app.base.files.input_file import read_regular
from app.base.files.output_file import write_atomically
from app.base.paths import resources
from app.inference.gguf import tables
from app.inference.prompts import PromptForm

FILE = "models.toml"
MAX_FILE_BYTES = 1 << 20
MAX_FILES = 200
TEXT_MAX = 4000  # characters of any one value

_SHIPPED_ONLY = frozenset(("package", "licence_text", "is_trial", "adapter", "adapter_form", "is_own"))
_MULTI_LINE = frozenset(("system_prompt", "query_prefix", "document_prefix"))
_CHOICES = {"kind": ("chat", "embedding", "reranker"), "pooling": ("", "mean", "cls", "last")}
_PATTERNS = {
    "id": r"[a-z0-9][a-z0-9._-]{0,79}",
    "sha256": r"([0-9a-f]{64})?",
    "revision": r"([0-9a-f]{40})?",
    "repository": r"([\w-][\w.-]*/[\w-][\w.-]*)?",
    "file": r"([\w-][\w.-]*/)*[\w-][\w.-]*\.gguf|",
    "projector": r"([\w-][\w.-]*/)*[\w-][\w.-]*\.gguf|",
    "licence_url": r"https://[!-~]+",
}

Built = TypeVar("Built")


@dataclass(frozen=True, slots=True)
class CardSampling:
    """Holds the sampling parameters that a model's authors recommend."""

    temperature: float = 0.6
    top_k: int = 40
    top_p: float = 0.95
    min_p: float = 0.05
    repeat_penalty: float = 1.0


@dataclass(frozen=True, slots=True)
class ModelShape:
    """Holds a model's dimensions, named as in the headers of GGUF files.

    `ties_embedding`: the token table is also the last layer and is stored once.
    """

    architecture: str
    block_count: int
    embedding_length: int
    feed_forward_length: int
    head_count: int
    head_count_kv: int
    key_length: int  # elements in the key of one head, and in its value
    vocab_size: int
    merges: int = 0  # number of merges in a byte-pair vocabulary
    ties_embedding: bool = False
    verified: bool = True


@dataclass(frozen=True, slots=True)
class ModelFile:
    """Describes one published quantization of a model."""

    quantization: str
    size_bytes: int
    verified: bool = True  # False: size_bytes is computed or approximate, and the repository's listing decides
    sha256: str = ""  # "": unknown
    repository: str = ""  # "owner/name" at huggingface.co; "": cannot be downloaded
    revision: str = ""  # a commit; "": not pinned
    file: str = ""  # path in the repository
    package: str = ""  # the Python package that contains the file
    is_newest: bool = False  # `revision` is the one that the repository's main branch was just found to have
    projector: str = ""  # path in the repository of the part that reads pictures (mmproj); "": none


@dataclass(frozen=True, slots=True)
class ModelCard:
    """Describes one published model.

    `title`, `summary` and `licence_notice` are in the language of the interface.
    """

    id: str
    name: str
    summary_ja: str
    summary_en: str
    licence: str
    licence_url: str
    context_tokens: int
    kind: str = "chat"  # chat | embedding | reranker
    form: str = ""  # id of its prompt form; "" for a model for search
    name_en: str = ""  # "": the same name in both languages
    size_label: str = ""  # number of parameters, such as "8B"
    base_model: str = ""  # the repository with the weights to fine-tune
    names: tuple[str, ...] = ()  # `general.name` of known files, to recognize an imported one
    licence_notice_ja: str = ""
    licence_notice_en: str = ""
    licence_text: str = ""  # a file in resources/licences/notices that must accompany the model
    is_trial: bool = False
    adapter: str = ""  # a LoRA to answer with: a file beside models.toml, for any of `files`
    adapter_form: str = ""  # the prompt form to use with that adapter
    system_prompt: str = ""
    thought_tokens: int | None = None  # to think with before an answer; 0: answer at once; None: as the form says
    pooling: str = ""  # embedding models: mean | cls | last
    dimensions: int = 0  # length of an embedding vector
    query_prefix: str = ""  # text before each query
    document_prefix: str = ""  # text before each document
    # Embedding models: the measured cosine of a question and a passage about its subject that may or may not answer it.
    neutral_cosine: float = 0.0  # 0: not measured
    japanese_score: float = 0.0  # published, of 1 (see models.toml); 0: not measured
    scored_with_thoughts: bool = False  # the score is that of the model when it thinks before it answers
    active_share: float = 1.0  # share of the weights that one token uses; below 1 in a mixture of experts
    unverified: tuple[str, ...] = ()  # fields filled from memory or from a single host
    sampling: CardSampling = CardSampling()
    shape: ModelShape | None = None  # None: not known
    files: tuple[ModelFile, ...] = ()
    is_own: bool = False  # True: a card that the user has written
    # Cards of repositories found at a hub (`hub_models`): their files know their prompt form, and nobody verified them.
    is_found: bool = False
    is_gated: bool = False  # the repository asks for an account and consent
    architecture: str = ""  # as the hub states it

    @property
    def is_for_search(self) -> bool:
        """Whether the model helps to find passages and cannot answer."""
        return self.kind != "chat"

    @property
    def title(self) -> str:
        return self.name_en if self.name_en and wording.current_language() == "en" else self.name

    @property
    def package(self) -> str:
        """Return the Python package that contains the model; "" if none does."""
        return self.files[0].package if self.files else ""

    @property
    def is_runnable(self) -> bool:
        """Return whether llama.cpp of this version knows the model's kind, as far as it is stated."""
        stated = self.architecture or (self.shape.architecture if self.shape else "")
        return stated in ("", *tables.ARCHITECTURES)

    @property
    def summary(self) -> str:
        if self.is_found:
            key = ("gated" if self.is_gated else "open") if self.is_runnable else "unknown"
            place = self.files[0].repository if self.files else self.name
            return wording.phrase(f"models.found_model.{key}", repository=place, architecture=self.architecture)
        return self.summary_en if wording.current_language() == "en" else self.summary_ja

    @property
    def licence_notice(self) -> str:
        return self.licence_notice_en if wording.current_language() == "en" else self.licence_notice_ja

    def file_of(self, quantization: str) -> ModelFile | None:
        wanted = quantization.casefold()
        return next((file for file in self.files if file.quantization.casefold() == wanted), None)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Holds the model cards and prompt forms, shipped and written by the user."""

    cards: tuple[ModelCard, ...]
    forms: dict[str, PromptForm]
    problems: tuple[AppError, ...] = ()  # mistakes in the user's cards; such cards are left out
    version: int = 0  # grows with each edition
    date: str = ""  # of the edition, such as "2026-12-01"
    is_brought_in: bool = False  # an edition of its own, not the program's (`bring_in_edition`)

    def card(self, card_id: str | None) -> ModelCard | None:
        return next((card for card in self.cards if card.id == card_id), None)

    @property
    def trial(self) -> ModelCard:
        """Return the card of the trial model."""
        return next(card for card in self.cards if card.is_trial)

    def find(self, reference: str) -> ModelCard | None:
        """Return the card with this id, else the only one whose id or name contains it."""
        exact = self.card(reference)
        if exact is not None:
            return exact
        partial = [card for card in self.cards if reference.casefold() in f"{card.id} {card.name}".casefold()]
        return partial[0] if len(partial) == 1 else None

    def recognize(self, name: str, *, is_reranker: bool = False) -> ModelCard | None:
        """Return the card that claims a file's `general.name`; None if none does.

        `is_reranker`: the file is one, so that only cards of rerankers count: the file of bge-reranker-v2-m3 is named
        after the embedding model that it was trained from.
        """
        wanted = _normalized(name)
        named = [card for card in self.cards if wanted and wanted in map(_normalized, card.names)]
        suited = (card for card in named if (card.kind == "reranker") == is_reranker)
        return next(suited, None if is_reranker else next(iter(named), None))

    def form_of_template(self, template: str | None) -> PromptForm | None:
        """Return the prompt form whose marker occurs in a file's chat template; None if it is unknown."""
        if not template:
            return None
        return next((form for form in self.forms.values() if form.marker and form.marker in template), None)


_user_cards_folder: Path | None = None


def set_user_cards_folder(folder: Path) -> None:
    """Set the folder of the user's own cards. Call once at startup; the folder need not exist."""
    global _user_cards_folder
    _user_cards_folder = folder
    load.cache_clear()


@functools.cache
def load() -> Catalogue:
    """Return the catalogue of the shipped cards, or those of a newer edition, followed by the user's.

    A mistake in the edition or in a card of the user is added to `problems` and not raised.
    """
    book = _shipped()
    if _user_cards_folder is not None and edition_path().is_file():
        try:
            book = _with_edition(book, _load_toml(edition_path()), FILE)
        except AppError as error:
            book = dataclasses.replace(book, problems=(error,))
    return add_own_cards(book, _user_cards_folder) if _user_cards_folder is not None else book


def card(card_id: str | None) -> ModelCard | None:
    """Return a card of the catalogue in force; without an id None, for which the catalogue is not read."""
    return load().card(card_id) if card_id else None


def edition_path() -> Path:
    """Return the place of an edition that was brought in; there need not be one."""
    assert _user_cards_folder is not None
    return _user_cards_folder.with_name("catalogue") / FILE


def check_edition(content: bytes, file: str) -> None:
    """Raise AppError if the content of an edition is wrong, or if the edition is not newer than the one in force."""
    book = _with_edition(_shipped(), _parse_toml(content, file), file)
    if book.version <= load().version:
        raise AppError("catalogue_not_newer", date=book.date or "-", in_force=load().date)


def _with_edition(shipped: Catalogue, document: dict[str, Any], file: str) -> Catalogue:
    """Return the catalogue of an edition; the shipped one if that is newer. Raises AppError.

    Cards that speak of files of this program, such as the trial model's, are the shipped ones in either case.
    """
    reader = _FileReader(file, document, {}, {}, is_own=False)
    cards = [reader.card(entry) for entry in reader.entries()]
    bound = {card.id: card for card in shipped.cards if _names_own_files(card)}
    free = [card for card in cards if not _names_own_files(card)]
    if reader.version <= shipped.version:
        return shipped
    forms = reader.forms | {key: form for key, form in shipped.forms.items() if key not in reader.forms}
    joined = (*bound.values(), *(card for card in free if card.id not in bound))
    return Catalogue(joined, forms, (), reader.version, reader.date, is_brought_in=True)


def _names_own_files(card: ModelCard) -> bool:
    packages = any(file.package for file in card.files)
    return packages or card.is_trial or card.adapter != "" or card.licence_text != ""


@functools.cache
def _shipped() -> Catalogue:
    return load_shipped(resources() / FILE)


def may_name(field: str, text: str) -> bool:
    """Return whether a card may have this text in its field `repository` or `file`."""
    return len(text) <= TEXT_MAX and re.fullmatch(_PATTERNS[field], text) is not None


def _normalized(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "", name.casefold())


# -------------------------------------------------------------------------- files


def load_shipped(path: Path) -> Catalogue:
    """Read the shipped catalogue. Raises AppError on any mistake, because it would be our bug."""
    reader = _FileReader(path.name, _load_toml(path), {}, {}, is_own=False)
    cards = tuple(reader.card(entry) for entry in reader.entries())
    return Catalogue(cards, reader.forms, (), reader.version, reader.date)


def add_own_cards(catalogue: Catalogue, folder: Path) -> Catalogue:
    """Return `catalogue` with the cards of every `*.toml` in `folder` added."""
    cards, forms, problems = list(catalogue.cards), dict(catalogue.forms), list(catalogue.problems)
    shapes = {card.id: card.shape for card in catalogue.cards if card.shape is not None}  # by the id of their card
    for path in _card_files(folder):
        try:
            reader = _FileReader(path.name, _load_toml(path), forms, shapes, is_own=True)
            entries = list(reader.entries())
        except AppError as error:
            problems.append(error)
            continue
        forms = reader.forms
        for entry in entries:
            try:
                card = reader.card(entry)
                if any(card.id == other.id for other in cards):
                    raise AppError("card_taken", file=path.name, card=card.id)
                cards.append(card)
            except AppError as error:
                problems.append(error)
    return dataclasses.replace(catalogue, cards=tuple(cards), forms=forms, problems=tuple(problems))


def keep_found(card: ModelCard) -> None:
    """Write a found card among the user's own, so that its download can be resumed and its licence stays known.

    Raises OSError.
    """
    assert _user_cards_folder is not None
    fields = {
        field.name: getattr(card, field.name)
        for field in dataclasses.fields(card)
        if field.name not in ("is_own", "files", "sampling", "shape")
        and (field.default is dataclasses.MISSING or getattr(card, field.name) != field.default)
    }
    lines = [f"{name} = {_toml(value)}" for name, value in fields.items()]
    files = [
        ", ".join(
            f"{name} = {_toml(value)}"
            for name, value in dataclasses.asdict(file).items()
            if value != "" and name != "is_newest"  # which it will not be for long
        )
        for file in card.files
    ]
    text = "\n".join(("[[model]]", *lines, "files = [", *(f"    {{ {file} }}," for file in files), "]", ""))
    _user_cards_folder.mkdir(parents=True, exist_ok=True)
    write_atomically(_user_cards_folder / f"{card.id}.toml", text.encode("utf-8"))
    load.cache_clear()


def _toml(value: Any) -> str:
    """Return a value of a card in TOML, whose strings, numbers and lists are written as in JSON."""
    return json.dumps(value, ensure_ascii=False)


def _card_files(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.suffix.lower() == ".toml")[:MAX_FILES]
    except OSError:  # the folder does not exist
        return []


def _load_toml(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise AppError("card_unreadable", file=path.name, reason="> 1 MB")
        return _parse_toml(read_regular(path, MAX_FILE_BYTES), path.name)
    except OSError as error:
        raise AppError("card_unreadable", file=path.name, reason=error.strerror or str(error)) from error


def _parse_toml(content: bytes, file: str) -> dict[str, Any]:
    try:
        return tomllib.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:  # not TOML, or not UTF-8
        raise AppError("card_unreadable", file=file, reason=str(error)) from error


class _FileReader:
    """Reads one catalogue file into forms, shapes and cards. `forms` and `shapes`: those of earlier files."""

    def __init__(
        self,
        file: str,
        document: dict[str, Any],
        forms: dict[str, PromptForm],
        shapes: dict[str, ModelShape],
        *,
        is_own: bool,
    ) -> None:
        self._file, self._document, self._is_own = file, document, is_own
        for key in document.keys() - {"form", "shape", "model", "version", "date"}:
            raise AppError("card_field_unknown", file=file, card="-", field=key)
        self.version, self.date = document.get("version", 0), document.get("date", "")
        is_dated = type(self.date) is str and re.fullmatch(r"(\d{4}-\d\d-\d\d)?", self.date) is not None
        if type(self.version) is not int or not is_dated:
            shown = _shorten((self.version, self.date))
            raise AppError("card_field_bad", file=file, card="-", field="version / date", value=shown)
        self.forms = dict(forms)
        for key, entry in self._table("form").items():
            if key in forms:
                raise AppError("card_taken", file=file, card=f"form.{key}")
            self.forms[key] = self._build(PromptForm, {**self._require_table(entry, key), "id": key}, f"form.{key}")
        self._shapes = dict(shapes)
        for key, entry in self._table("shape").items():
            self._shapes[key] = self._build(ModelShape, self._require_table(entry, key), f"shape.{key}")

    def entries(self) -> Iterator[dict[str, Any]]:
        entries = self._document.get("model", [])
        if not isinstance(entries, list):
            raise AppError("card_field_bad", file=self._file, card="-", field="model", value=_shorten(entries))
        for entry in entries:
            yield self._require_table(entry, "model")

    def card(self, entry: dict[str, Any]) -> ModelCard:
        named = entry.get("id")
        card_id = named if isinstance(named, str) else "-"
        entry = dict(entry)
        if isinstance(entry.get("shape"), str):
            known = self._shapes.get(entry["shape"])
            if known is None:
                raise AppError("card_field_bad", file=self._file, card=card_id, field="shape", value=entry["shape"])
            entry["shape"] = known
        card = self._build(ModelCard, entry, card_id)
        self._check_combinations(card)
        return dataclasses.replace(card, is_own=self._is_own)

    def _check_combinations(self, card: ModelCard) -> None:
        """Raise AppError("card_field_bad") for values that are only wrong in combination with others."""
        known_fields = {field.name for field in dataclasses.fields(ModelCard)}
        bad = {
            "form": card.form not in self.forms if card.kind == "chat" and not card.is_found else card.form != "",
            "adapter_form": bool(card.adapter) != (card.adapter_form in self.forms),
            "pooling": card.kind == "embedding" and not card.pooling,
            "dimensions": card.kind == "embedding" and not 0 < card.dimensions <= 1 << 16,
            "active_share": not 0 < card.active_share <= 1,
            "japanese_score": not 0 <= card.japanese_score <= 1,
            "unverified": not set(card.unverified) <= known_fields,
            "files": any(bool(file.repository) != bool(file.file) for file in card.files)
            or len({file.quantization for file in card.files}) < len(card.files),
        }
        for field, is_bad in bad.items():
            if is_bad:
                shown = _shorten(getattr(card, field))
                raise AppError("card_field_bad", file=self._file, card=card.id, field=field, value=shown)

    def _table(self, key: str) -> dict[str, Any]:
        return self._require_table(self._document.get(key, {}), key)

    def _require_table(self, value: Any, field: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise AppError("card_field_bad", file=self._file, card="-", field=field, value=_shorten(value))
        return value

    def _build(self, kind: type[Built], entry: dict[str, Any], card: str) -> Built:
        """Return a dataclass with the values of a TOML table. Raises AppError for an unknown, missing or bad field."""
        types, fields = _fields_of(kind)  # type: ignore[arg-type]
        for name in entry:
            if name not in fields or (self._is_own and name in _SHIPPED_ONLY):
                raise AppError("card_field_unknown", file=self._file, card=card, field=name)
        for name, field in fields.items():
            if field.default is dataclasses.MISSING and name not in entry:
                raise AppError("card_field_missing", file=self._file, card=card, field=name)
        return kind(**{name: self._value(types[name], name, value, card, kind) for name, value in entry.items()})

    def _value(self, raw: Any, name: str, value: Any, card: str, owner: type[Any]) -> Any:
        inner = typing.get_args(raw)
        if isinstance(raw, UnionType):  # ModelShape | None
            raw = inner[0]
        if dataclasses.is_dataclass(raw) and isinstance(raw, type):
            return value if isinstance(value, raw) else self._build(raw, self._require_table(value, name), card)
        if typing.get_origin(raw) is tuple and isinstance(value, list):
            return tuple(self._value(inner[0], name, item, card, owner) for item in value)
        if raw is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if type(value) is not raw or not _is_allowed(name, value, owner):
            raise AppError("card_field_bad", file=self._file, card=card, field=name, value=_shorten(value))
        return value


@functools.cache
def _fields_of(kind: type[Any]) -> tuple[dict[str, Any], dict[str, dataclasses.Field[Any]]]:
    return typing.get_type_hints(kind), {field.name: field for field in dataclasses.fields(kind)}


def _is_allowed(name: str, value: Any, owner: type[Any]) -> bool:
    if isinstance(value, str):
        return _is_allowed_text(name, value, owner)
    if isinstance(value, bool):
        return True
    limit = 1 << 50 if owner is ModelFile else 1 << 30
    lowest = 1 if owner is ModelFile or name == "context_tokens" else 0
    return bool(lowest <= value <= limit)  # false for NaN


def _is_allowed_text(name: str, value: str, owner: type[Any]) -> bool:
    if len(value) > TEXT_MAX:
        return False
    if owner is not PromptForm:
        kept = value.replace("\n", "") if name in _MULTI_LINE else value
        if not invisible_characters.is_single_line(kept):
            return False
        if name in _PATTERNS and re.fullmatch(_PATTERNS[name], value) is None:
            return False
        return name not in _CHOICES or value in _CHOICES[name]
    return name not in ("question", "answer") or value.count("{text}") == 1


def _shorten(value: Any) -> str:
    return " ".join(str(value).split())[:80]


SUMS = "SHA256SUMS"


def edition_addresses(place: str) -> tuple[str, str]:
    """Return the addresses of an edition and of its list. `place`: that of the file or of the folder it is in."""
    file = place if place.partition("?")[0].casefold().endswith(".toml") else f"{place.rstrip('/')}/{FILE}"
    return file, f"{file.partition('?')[0].rpartition('/')[0]}/{SUMS}"


def bring_in_edition(place: Path) -> Catalogue:
    """Put an edition from a file, or from a folder that has it, in force; return the catalogue with it.

    Raises AppError: catalogue_unreadable, catalogue_no_sum, catalogue_damaged, catalogue_not_newer, and the codes of
    cards that are wrong. The edition in force stays then.
    """
    file = place / FILE if place.is_dir() else place
    content = _read_edition(file)
    sums = _read_edition(file.with_name(SUMS)).decode("utf-8", "replace")
    listed = re.search(rf"^([0-9a-fA-F]{{64}}) [ *](?:\./)?{re.escape(file.name)}\s*$", sums, re.MULTILINE)
    if listed is None:
        raise AppError("catalogue_no_sum", file=file.name, path=str(file.with_name(SUMS)))
    if hashlib.sha256(content).hexdigest() != listed[1].lower():
        raise AppError("catalogue_damaged", file=file.name)
    check_edition(content, file.name)
    target = edition_path()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(target, content)
    except OSError as error:
        raise AppError("catalogue_unwritable", path=str(target), reason=error.strerror or str(error)) from error
    load.cache_clear()
    return load()


def drop_edition() -> Catalogue:
    """Delete the edition that was brought in; return the program's own catalogue. Raises AppError."""
    target = edition_path()
    try:
        target.unlink(missing_ok=True)
    except OSError as error:
        raise AppError("catalogue_unwritable", path=str(target), reason=error.strerror or str(error)) from error
    load.cache_clear()
    return load()


def _read_edition(path: Path) -> bytes:
    try:
        return read_regular(path, MAX_FILE_BYTES)
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise AppError("catalogue_unreadable", path=str(path), reason=reason) from error
