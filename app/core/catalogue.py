"""The model catalogue: `resources/models.toml` as frozen model cards.

A card says how a model is prompted, what it is good for and what its licence asks. What a *file* really holds is
read from the file (`app.core.gguf`), not from here.
"""

import functools
import re
import tomllib
from dataclasses import dataclass, field
from typing import Any

from app.core import wording
from app.core.paths import resources


@dataclass(frozen=True, slots=True)
class PromptForm:
    """How turns become one prompt. `{text}` stands for what a person or the model wrote; the rest is markup."""

    id: str
    question: str
    answer: str
    answer_start: str
    system: str = ""  # "": no system turn; the text is put before the first question
    stop: tuple[str, ...] = ()
    marker: str = ""  # occurs in chat templates of this form and in no other
    is_completion: bool = False  # the model continues text and knows no turns


@dataclass(frozen=True, slots=True)
class CardSampling:
    """The sampling a model's authors recommend."""

    temperature: float = 0.6
    top_k: int = 40
    top_p: float = 0.95
    min_p: float = 0.05
    repeat_penalty: float = 1.0


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One quantization of a model, as published."""

    quantization: str
    size_bytes: int
    sha256: str = ""  # "": not known
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
    form: str
    context_tokens: int
    name_en: str = ""  # "": the same name in both languages
    base_model: str = ""
    names: tuple[str, ...] = ()  # `general.name` of known files, for recognizing an imported one
    licence_notice_ja: str = ""
    licence_notice_en: str = ""
    is_trial: bool = False
    system_prompt: str = ""
    sampling: CardSampling = CardSampling()
    files: tuple[ModelFile, ...] = field(default_factory=tuple)

    @property
    def title(self) -> str:
        return self.name_en if self.name_en and wording.current_language() == "en" else self.name

    @property
    def summary(self) -> str:
        return self.summary_en if wording.current_language() == "en" else self.summary_ja

    @property
    def licence_notice(self) -> str:
        return self.licence_notice_en if wording.current_language() == "en" else self.licence_notice_ja


@dataclass(frozen=True, slots=True)
class Catalogue:
    cards: tuple[ModelCard, ...]
    forms: dict[str, PromptForm]

    def card(self, card_id: str | None) -> ModelCard | None:
        return next((card for card in self.cards if card.id == card_id), None)

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


@functools.cache
def load() -> Catalogue:
    document = tomllib.loads((resources() / "models.toml").read_text("utf-8"))
    forms = {key: PromptForm(id=key, **_tuples(value)) for key, value in document["form"].items()}
    cards = tuple(_card(entry) for entry in document["model"])
    for card in cards:
        if card.form not in forms:
            raise ValueError(f"models.toml: {card.id} names the form {card.form!r}, which is not there")
    return Catalogue(cards, forms)


def _card(entry: dict[str, Any]) -> ModelCard:
    entry = _tuples(entry)
    entry["sampling"] = CardSampling(**entry.get("sampling", {}))
    entry["files"] = tuple(ModelFile(**file) for file in entry.get("files", ()))
    return ModelCard(**entry)


def _tuples(entry: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()}


def _normalized(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "", name.casefold())
