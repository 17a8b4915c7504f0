"""The model catalogue: `resources/models.toml` and the user's own cards, as frozen model cards.

A card says how a model is prompted, what it is good for and what its licence asks. What a *file* really holds is
read from the file (`app.inference.gguf`), not from here. Cards are read strictly: what a card cannot have or lacks is
named, and the card left out.
"""

import dataclasses
import functools
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
from app.base.paths import resources
from app.inference.prompts import PromptForm

MAX_FILE_BYTES = 1 << 20
MAX_FILES = 200
TEXT_MAX = 4000  # characters of any one value

_SHIPPED_ONLY = frozenset(("package", "is_trial", "adapter", "adapter_form", "is_own"))
_MULTI_LINE = frozenset(("system_prompt", "query_prefix", "document_prefix"))
_CHOICES = {"kind": ("chat", "embedding"), "pooling": ("", "mean", "cls", "last")}
_PATTERNS = {
    "id": r"[a-z0-9][a-z0-9._-]{0,79}",
    "sha256": r"([0-9a-f]{64})?",
    "revision": r"([0-9a-f]{40})?",
    "repository": r"([\w-][\w.-]*/[\w-][\w.-]*)?",
    "file": r"([\w-][\w.-]*/)*[\w-][\w.-]*\.gguf|",
    "licence_url": r"https://[!-~]+",
}

Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class CardSampling:
    """The sampling a model's authors recommend."""

    temperature: float = 0.6
    top_k: int = 40
    top_p: float = 0.95
    min_p: float = 0.05
    repeat_penalty: float = 1.0


@dataclass(frozen=True, slots=True)
class ModelShape:
    """A model's dimensions, named as in the headers of GGUF files.

    `ties_embedding`: the table of tokens is also the last layer, and stored once.
    """

    architecture: str
    block_count: int
    embedding_length: int
    feed_forward_length: int
    head_count: int
    head_count_kv: int
    key_length: int  # elements of one head's key, and of its value
    vocab_size: int
    merges: int = 0  # of a byte-pair vocabulary
    ties_embedding: bool = False
    verified: bool = True


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One quantization of a model, as published."""

    quantization: str
    size_bytes: int
    verified: bool = True  # False: the size is computed or about; the repository's listing decides
    sha256: str = ""  # "": not known
    repository: str = ""  # "owner/name" at huggingface.co; "": not to be downloaded
    revision: str = ""  # a commit; "": nobody has pinned one
    file: str = ""  # path in the repository
    package: str = ""  # Python package that carries it


@dataclass(frozen=True, slots=True)
class ModelCard:
    """`title`, `summary` and `licence_notice` are in the language in use."""

    id: str
    name: str
    summary_ja: str
    summary_en: str
    licence: str
    licence_url: str
    context_tokens: int
    kind: str = "chat"  # chat | embedding
    form: str = ""  # "": an embedding model
    name_en: str = ""  # "": the same name in both languages
    size_label: str = ""  # "8B"
    base_model: str = ""  # the repository whose weights are fine-tuned
    names: tuple[str, ...] = ()  # `general.name` of known files, for recognizing an imported one
    licence_notice_ja: str = ""
    licence_notice_en: str = ""
    is_trial: bool = False
    adapter: str = ""  # a LoRA that answers are given with: a file beside models.toml, for any of `files`
    adapter_form: str = ""  # what the model is prompted with then
    system_prompt: str = ""
    pooling: str = ""  # of an embedding model: mean | cls | last
    dimensions: int = 0  # of its vectors
    query_prefix: str = ""  # put before what is looked for
    document_prefix: str = ""  # put before what is found
    active_share: float = 1.0  # of the weights that one token uses; less than 1 in a mixture of experts
    unverified: tuple[str, ...] = ()  # fields that come from memory or a single host
    sampling: CardSampling = CardSampling()
    shape: ModelShape | None = None  # None: not known
    files: tuple[ModelFile, ...] = ()
    is_own: bool = False  # the user's

    @property
    def title(self) -> str:
        return self.name_en if self.name_en and wording.current_language() == "en" else self.name

    @property
    def summary(self) -> str:
        return self.summary_en if wording.current_language() == "en" else self.summary_ja

    @property
    def licence_notice(self) -> str:
        return self.licence_notice_en if wording.current_language() == "en" else self.licence_notice_ja

    def file_of(self, quantization: str) -> ModelFile | None:
        wanted = quantization.casefold()
        return next((file for file in self.files if file.quantization.casefold() == wanted), None)


@dataclass(frozen=True, slots=True)
class Catalogue:
    cards: tuple[ModelCard, ...]
    forms: dict[str, PromptForm]
    problems: tuple[AppError, ...] = ()  # what is wrong with cards of the user; they are left out

    def card(self, card_id: str | None) -> ModelCard | None:
        return next((card for card in self.cards if card.id == card_id), None)

    def find(self, wanted: str) -> ModelCard | None:
        """By id, or by a part of id or name that only one card has."""
        exact = self.card(wanted)
        if exact is not None:
            return exact
        partial = [card for card in self.cards if wanted.casefold() in f"{card.id} {card.name}".casefold()]
        return partial[0] if len(partial) == 1 else None

    def recognize(self, name: str) -> ModelCard | None:
        """The card of a file by its `general.name`; None when no card claims it."""
        wanted = _normalized(name)
        if not wanted:
            return None
        return next((card for card in self.cards if wanted in map(_normalized, card.names)), None)

    def form_of_template(self, template: str | None) -> PromptForm | None:
        """Our own form for a file's chat template, by its control tokens; None when it is none of those we know."""
        if not template:
            return None
        return next((form for form in self.forms.values() if form.marker and form.marker in template), None)


_own_cards: Path | None = None


def use_own_cards(folder: Path) -> None:
    """Where the user's own cards are. Called once, when the program starts; the folder need not exist."""
    global _own_cards
    _own_cards = folder
    load.cache_clear()


@functools.cache
def load() -> Catalogue:
    """The shipped cards, then the user's. Never fails for a card of the user: `problems` says what is wrong with it."""
    book = shipped(resources() / "models.toml")
    return with_own(book, _own_cards) if _own_cards is not None else book


def _normalized(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "", name.casefold())


# -------------------------------------------------------------------------- files


def shipped(path: Path) -> Catalogue:
    """Raises AppError: a mistake in it is a bug of ours."""
    reading = _Reading(path.name, _parsed(path), {}, {}, is_own=False)
    cards = tuple(reading.card(entry) for entry in reading.entries())
    return Catalogue(cards, reading.forms)


def with_own(catalogue: Catalogue, folder: Path) -> Catalogue:
    """`catalogue` and the cards of every `*.toml` in `folder`."""
    cards, forms, problems = list(catalogue.cards), dict(catalogue.forms), list(catalogue.problems)
    for path in _card_files(folder):
        try:
            reading = _Reading(path.name, _parsed(path), forms, _shapes_of(catalogue), is_own=True)
            entries = list(reading.entries())
        except AppError as error:
            problems.append(error)
            continue
        forms = reading.forms
        for entry in entries:
            try:
                card = reading.card(entry)
                if any(card.id == other.id for other in cards):
                    raise AppError("card_taken", file=path.name, card=card.id)
                cards.append(card)
            except AppError as error:
                problems.append(error)
    return Catalogue(tuple(cards), forms, tuple(problems))


def _card_files(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.suffix.lower() == ".toml")[:MAX_FILES]
    except OSError:  # nobody has made one
        return []


def _parsed(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise AppError("card_unreadable", file=path.name, reason="> 1 MB")
        return tomllib.loads(read_regular(path, MAX_FILE_BYTES).decode("utf-8"))
    except OSError as error:
        raise AppError("card_unreadable", file=path.name, reason=error.strerror or str(error)) from error
    except (ValueError, RecursionError) as error:  # no TOML, or not UTF-8
        raise AppError("card_unreadable", file=path.name, reason=str(error)) from error


def _shapes_of(catalogue: Catalogue) -> dict[str, ModelShape]:
    """A card of the user may name the shape of a shipped card, by that card's id."""
    return {card.id: card.shape for card in catalogue.cards if card.shape is not None}


class _Reading:
    """One file. `forms` and `shapes`: those that are known before it."""

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
        for key in document.keys() - {"form", "shape", "model"}:
            raise AppError("card_field_unknown", file=file, card="-", field=key)
        self.forms = dict(forms)
        for key, entry in self._table("form").items():
            if key in forms:
                raise AppError("card_taken", file=file, card=f"form.{key}")
            self.forms[key] = self._made(PromptForm, {**self._of_table(entry, key), "id": key}, f"form.{key}")
        self._shapes = dict(shapes)
        for key, entry in self._table("shape").items():
            self._shapes[key] = self._made(ModelShape, self._of_table(entry, key), f"shape.{key}")

    def entries(self) -> Iterator[dict[str, Any]]:
        entries = self._document.get("model", [])
        if not isinstance(entries, list):
            raise AppError("card_field_bad", file=self._file, card="-", field="model", value=_shown(entries))
        for entry in entries:
            yield self._of_table(entry, "model")

    def card(self, entry: dict[str, Any]) -> ModelCard:
        named = entry.get("id")
        card_id = named if isinstance(named, str) else "-"
        entry = dict(entry)
        if isinstance(entry.get("shape"), str):
            known = self._shapes.get(entry["shape"])
            if known is None:
                raise AppError("card_field_bad", file=self._file, card=card_id, field="shape", value=entry["shape"])
            entry["shape"] = known
        card = self._made(ModelCard, entry, card_id)
        self._check_whole(card)
        return dataclasses.replace(card, is_own=self._is_own)

    def _check_whole(self, card: ModelCard) -> None:
        """What no field shows alone."""
        known_fields = {field.name for field in dataclasses.fields(ModelCard)}
        bad = {
            "form": card.form not in self.forms if card.kind == "chat" else card.form != "",
            "adapter_form": bool(card.adapter) != (card.adapter_form in self.forms),
            "pooling": card.kind == "embedding" and not card.pooling,
            "dimensions": card.kind == "embedding" and not 0 < card.dimensions <= 1 << 16,
            "active_share": not 0 < card.active_share <= 1,
            "unverified": not set(card.unverified) <= known_fields,
            "files": any(bool(file.repository) != bool(file.file) for file in card.files)
            or len({file.quantization for file in card.files}) < len(card.files),
        }
        for field, is_bad in bad.items():
            if is_bad:
                shown = _shown(getattr(card, field))
                raise AppError("card_field_bad", file=self._file, card=card.id, field=field, value=shown)

    def _table(self, key: str) -> dict[str, Any]:
        return self._of_table(self._document.get(key, {}), key)

    def _of_table(self, value: Any, field: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise AppError("card_field_bad", file=self._file, card="-", field=field, value=_shown(value))
        return value

    def _made(self, kind: type[Made], entry: dict[str, Any], card: str) -> Made:
        """One dataclass out of one table: nothing unknown, nothing missing, every value of its type."""
        types = typing.get_type_hints(kind)
        fields = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
        for name in entry:
            if name not in fields or (self._is_own and name in _SHIPPED_ONLY):
                raise AppError("card_field_unknown", file=self._file, card=card, field=name)
        for name, field in fields.items():
            if field.default is dataclasses.MISSING and name not in entry:
                raise AppError("card_field_missing", file=self._file, card=card, field=name)
        return kind(**{name: self._value(types[name], name, value, card, kind) for name, value in entry.items()})

    def _value(self, wanted: Any, name: str, value: Any, card: str, owner: type[Any]) -> Any:
        inner = typing.get_args(wanted)
        if isinstance(wanted, UnionType):  # Shape | None
            wanted = inner[0]
        if dataclasses.is_dataclass(wanted) and isinstance(wanted, type):
            return value if isinstance(value, wanted) else self._made(wanted, self._of_table(value, name), card)
        if typing.get_origin(wanted) is tuple and isinstance(value, list):
            return tuple(self._value(inner[0], name, item, card, owner) for item in value)
        if wanted is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if type(value) is not wanted or not _is_allowed(name, value, owner):
            raise AppError("card_field_bad", file=self._file, card=card, field=name, value=_shown(value))
        return value


def _is_allowed(name: str, value: Any, owner: type[Any]) -> bool:
    if isinstance(value, str):
        return _is_allowed_text(name, value, owner)
    if isinstance(value, bool):
        return True
    limit = 1 << 50 if owner is ModelFile else 1 << 30
    lowest = 1 if owner is ModelFile or name == "context_tokens" else 0
    return bool(lowest <= value <= limit)  # NaN is not


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


def _shown(value: Any) -> str:
    return " ".join(str(value).split())[:80]
