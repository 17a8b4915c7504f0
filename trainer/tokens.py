"""Pieces of text into token ids: the same that llama.cpp makes of the same pieces, so that answers are asked for with
exactly the ids that were trained. Each piece is tokenized on its own, and control tokens are read in markup alone.
"""

import importlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer.events import RunError
from trainer.form import Piece

UNTRAINED = -100  # the label that torch's cross entropy passes over

# After these llama.cpp ends an answer, whatever a model's files say of them.
_ENDS = (
    "<|eot_id|>", "<|eom_id|>", "<|im_end|>", "<|end|>", "<|return|>", "<|call|>", "<|flush|>", "<|calls|>",
    "<end_of_turn>", "<turn|>", "<|tool_response>", "<|endoftext|>", "<|end_of_text|>", "<end_of_utterance>", "<eos>",
    "</s>", "<EOT>", "_<EOT>", "[EOT]", "[EOS]", "<｜end▁of▁sentence｜>", "<|fim_pad|>", "<|file_sep|>",
)  # fmt: skip
# But not after a key, where all of its values are in the vocabulary: it then ends a part of an answer.
_PARTS = {"<|end|>": ("<|return|>", "<|call|>"), "</s>": ("<|tool_response>",)}

# Names that its converter takes for control tokens, whatever the tokenizer calls them.
_CONTROL = re.compile(r"<\|.*\|>|<｜.*｜>|<unused.*>|<pad>|<mask>|<2mass>|\[@BOS@\]", re.DOTALL)

_TAIL_BYTES = 64
_BYTE_TOKEN = re.compile(r"<0x([0-9A-F]{2})>")


@dataclass(frozen=True, slots=True)
class Encoded:
    """One example. `labels`: as long as `ids` and not shifted, UNTRAINED where nothing is to be learned.

    `line`: of the data file, from 1.
    """

    ids: list[int]
    labels: list[int]
    line: int = 0


class Tokens:
    """A base's tokenizer. `tokenizer`: the one of transformers, for whoever saves or renders with it."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self._backend = tokenizer.backend_tokenizer
        if type(self._backend.normalizer).__name__ == "NFC":
            self._backend.normalizer = None  # Qwen's: llama.cpp normalizes nothing
        self.bos_id: int | None = _first_token(tokenizer)
        self.eos_id: int | None = tokenizer.eos_token_id
        self.end_ids: tuple[int, ...] = self._ends()
        self.pad_id: int = next(id for id in (tokenizer.pad_token_id, self.eos_id, 0) if id is not None)
        self.size = int(self._backend.get_vocab_size(with_added_tokens=True))
        added = _with_controls(self._backend)
        _put_spaces_before(self._backend)
        self._added: dict[int, str] = {id: token.content for id, token in added.items()}
        self.added_texts = tuple(sorted(self._added.values(), key=len, reverse=True))  # the longest first
        self.control_ids = frozenset(id for id, token in added.items() if token.special)
        self._is_byte_level = "ByteLevel" in str(type(self._backend.decoder).__name__)

    def encode(self, pieces: Iterable[Piece]) -> Encoded:
        """With a first token exactly where the tokenizer itself adds one; it is never trained."""
        ids = [] if self.bos_id is None else [self.bos_id]
        labels = [UNTRAINED] * len(ids)
        for piece in pieces:
            found = self.ids(piece.text, has_markup=piece.markup)
            if piece.is_end and not piece.text:
                found = [] if self.eos_id is None else [self.eos_id]
            ids += found
            labels += found if piece.is_trained else [UNTRAINED] * len(found)
        return Encoded(ids, labels)

    def ids(self, text: str, *, has_markup: bool = False) -> list[int]:
        """Without a first token. `has_markup`: control tokens in `text` are read as such."""
        self._backend.encode_special_tokens = not has_markup
        ids: list[int] = self._backend.encode(text, add_special_tokens=False).ids
        return ids

    def bytes_of(self, id: int) -> bytes:
        """What a token stands for in UTF-8; of a control token its name."""
        if id in self._added:
            return self._added[id].encode()
        token: str = self._backend.id_to_token(id) or ""
        if self._is_byte_level:
            return bytes(_BYTES.get(letter, ord("?")) for letter in token)
        if byte := _BYTE_TOKEN.fullmatch(token):
            return bytes([int(byte[1], 16)])
        return token.replace("▁", " ").encode()

    def text_of(self, id: int) -> str:
        """For people: bytes that are no whole character stand as <0xE3>."""
        text = self.bytes_of(id).decode("utf-8", "surrogateescape")
        return "".join(f"<0x{ord(letter) - 0xDC00:02X}>" if _is_byte(letter) else letter for letter in text)

    def _ends(self) -> tuple[int, ...]:
        """As llama.cpp decides it."""
        vocabulary = self._backend.get_vocab(with_added_tokens=True)
        known = {text for text in _ENDS if text in vocabulary}
        parts = {text for text, ends in _PARTS.items() if known.issuperset(ends)}
        found = {vocabulary[text] for text in known - parts}
        return tuple(sorted(found if self.eos_id is None else found | {self.eos_id}))


def load(folder: Path) -> Tokens:
    """From the base's own files, and never its code. Raises RunError: base_missing, base_unreadable."""
    import transformers

    if not folder.is_dir():
        raise RunError("base_missing", path=str(folder))
    try:
        _check(folder)
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunError("base_unreadable", path=str(folder), reason=f"tokenizer: {error}"[:300]) from error
    if not tokenizer.is_fast:
        raise RunError("base_unreadable", path=str(folder), reason="tokenizer: no fast one")
    return Tokens(tokenizer)


def _check(folder: Path) -> None:
    """The library raises a bare Exception for a cut-off file, and makes an empty vocabulary of a missing one."""
    file = folder / "tokenizer.json"
    if not file.is_file():
        if not (folder / "tokenizer.model").is_file():
            raise ValueError("no tokenizer.json and no tokenizer.model")
        return
    with file.open("rb") as stream:  # tens of megabytes: not parsed twice
        stream.seek(-min(_TAIL_BYTES, file.stat().st_size), os.SEEK_END)
        if not stream.read().rstrip().endswith(b"}"):
            raise ValueError("tokenizer.json is cut off")


def _with_controls(backend: Any) -> dict[int, Any]:
    """The added tokens, after those that llama.cpp takes for control tokens are so here: a few published tokenizers do
    not call all of theirs special, and what people write would become one.
    """
    kept = ("content", "single_word", "lstrip", "rstrip", "normalized")
    plain = [token for token in backend.get_added_tokens_decoder().values() if not token.special]
    controls = [token for token in plain if token.content in _ENDS or _CONTROL.fullmatch(token.content)]
    backend.add_special_tokens(
        [type(token)(**{name: getattr(token, name) for name in kept}, special=True) for token in controls]
    )
    added: dict[int, Any] = backend.get_added_tokens_decoder()
    return added


def _put_spaces_before(backend: Any) -> None:
    """Where a vocabulary wants a space before each text, llama.cpp puts it before every one, also where there is one
    and after each control token.
    """
    words = backend.pre_tokenizer
    added = backend.get_added_tokens_decoder().values()
    if type(words).__name__ != "Metaspace" or words.prepend_scheme == "never" or any(one.normalized for one in added):
        return
    normalizers = importlib.import_module("tokenizers.normalizers")
    before = [] if backend.normalizer is None else [backend.normalizer]
    backend.normalizer = normalizers.Sequence([*before, normalizers.Prepend(words.replacement)])
    words.prepend_scheme = "never"
    backend.pre_tokenizer = words


def _first_token(tokenizer: Any) -> int | None:
    """What the tokenizer itself puts before every text."""
    first: list[int] = tokenizer("")["input_ids"]
    return first[0] if first and first[0] == tokenizer.bos_token_id else None


def _is_byte(letter: str) -> bool:
    return "\udc80" <= letter <= "\udcff"


def _byte_letters() -> dict[str, int]:
    """The letter by which a byte-level vocabulary writes each byte: itself where it can be seen, else one after 255."""
    seen = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    hidden = [byte for byte in range(256) if byte not in seen]
    return {chr(byte): byte for byte in seen} | {chr(256 + place): byte for place, byte in enumerate(hidden)}


_BYTES = _byte_letters()
