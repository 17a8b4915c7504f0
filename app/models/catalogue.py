"""The model catalogue: `resources/models.toml` and the user's own cards, as frozen model cards.

A card says how a model is prompted, what it is good for and what its licence asks. What a *file* really holds is
read from the file (`app.inference.gguf`), not from here.
"""

import functools
import re
from dataclasses import dataclass
from pathlib import Path

from app.base import wording
from app.base.errors import AppError
from app.base.paths import resources
from app.inference.prompt_form import PromptForm


@dataclass(frozen=True, slots=True)
class CardSampling:
    """The sampling a model's authors recommend."""

    temperature: float = 0.6
    top_k: int = 40
    top_p: float = 0.95
    min_p: float = 0.05
    repeat_penalty: float = 1.0


@dataclass(frozen=True, slots=True)
class Shape:
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
    shape: Shape | None = None  # None: not known
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


def use_folder(folder: Path) -> None:
    """Where the user's own cards are. Called once, when the program starts; the folder need not exist."""
    global _own_cards
    _own_cards = folder
    load.cache_clear()


@functools.cache
def load() -> Catalogue:
    """The shipped cards, then the user's. Never fails for a card of the user: `problems` says what is wrong with it."""
    from app.models import card_files  # it makes what is declared here

    shipped = card_files.shipped(resources() / "models.toml")
    return card_files.with_own(shipped, _own_cards) if _own_cards is not None else shipped


def _normalized(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "", name.casefold())
