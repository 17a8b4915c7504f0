"""Tokenize pieces of text like llama.cpp, and derive a prompt form from the base's chat template.

The engine must prompt with exactly the token ids that were trained. Each piece is tokenized on its own, and control
tokens are recognized only in markup.

A chat template is a program; a form is a few strings. The template is rendered with markers in place of the texts and
cut at the markers. The resulting form is used only if it gives the same token ids for another conversation.
"""

import dataclasses
import importlib
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer import prompt_form as forms
from trainer.events import RunError
from trainer.prompt_form import FormPiece, Messages, TrainingPromptForm

UNTRAINED = -100  # the label that torch's cross entropy ignores

# llama.cpp ends an answer at these tokens, whatever the model's files say.
_ENDS = (
    "<|eot_id|>", "<|eom_id|>", "<|im_end|>", "<|end|>", "<|return|>", "<|call|>", "<|flush|>", "<|calls|>",
    "<end_of_turn>", "<turn|>", "<|tool_response>", "<|endoftext|>", "<|end_of_text|>", "<end_of_utterance>", "<eos>",
    "</s>", "<EOT>", "_<EOT>", "[EOT]", "[EOS]", "<｜end▁of▁sentence｜>", "<|fim_pad|>", "<|file_sep|>",
)  # fmt: skip
# It does not end at a key whose values are all in the vocabulary: there the key only ends a part of an answer.
_PARTS = {"<|end|>": ("<|return|>", "<|call|>"), "</s>": ("<|tool_response>",)}

# Texts that llama.cpp's converter treats as control tokens, whatever the tokenizer's own flags say.
_CONTROL = re.compile(r"<\|.*\|>|<｜.*｜>|<unused.*>|<pad>|<mask>|<2mass>|\[@BOS@\]", re.DOTALL)

_TAIL_BYTES = 64
_LONE_BYTE = re.compile("[\udc80-\udcff]")  # as surrogateescape decodes one
_BYTE_TOKEN = re.compile(r"<0x([0-9A-F]{2})>")


@dataclass(frozen=True, slots=True)
class EncodedExample:
    """One encoded example.

    `labels`: as many as `ids` and not shifted; UNTRAINED for tokens that are not trained. `line`: its line in the data
    file, from 1. `rejected`: of a pair, the same prompt with the answer that is liked less.
    """

    ids: list[int]
    labels: list[int]
    line: int = 0
    rejected: "EncodedExample | None" = None

    @property
    def sequences(self) -> "tuple[EncodedExample, ...]":
        """Return the example, or the two of a pair, each as an example of its own."""
        return (self,) if self.rejected is None else (dataclasses.replace(self, rejected=None), self.rejected)

    @property
    def longest(self) -> int:
        """Return the tokens of the longest sequence."""
        return max(len(one.ids) for one in self.sequences)

    @property
    def tokens(self) -> int:
        """Return the tokens of all sequences."""
        return sum(len(one.ids) for one in self.sequences)


class BaseTokenizer:
    """The tokenizer of a base. `tokenizer`: the object of transformers, for saving and rendering."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self._backend = tokenizer.backend_tokenizer
        if type(self._backend.normalizer).__name__ == "NFC":
            self._backend.normalizer = None  # NFC of Qwen: llama.cpp normalizes nothing
        self.bos_id: int | None = _bos_id(tokenizer)
        self.eos_id: int | None = tokenizer.eos_token_id
        self.end_ids: tuple[int, ...] = self._find_end_ids()
        self.pad_id: int = next(id for id in (tokenizer.pad_token_id, self.eos_id, 0) if id is not None)
        self.size = int(self._backend.get_vocab_size(with_added_tokens=True))
        added = _mark_control_tokens(self._backend)
        _prepend_spaces(self._backend)
        self._added: dict[int, str] = {id: token.content for id, token in added.items()}
        self.added_texts = tuple(sorted(self._added.values(), key=len, reverse=True))  # longest first
        self.control_ids = frozenset(id for id, token in added.items() if token.special)
        self._is_byte_level = "ByteLevel" in str(type(self._backend.decoder).__name__)

    def encode(self, pieces: Iterable[FormPiece]) -> EncodedExample:
        """Encode pieces. They begin with a BOS token only if the tokenizer itself adds one; it is never trained."""
        ids = [] if self.bos_id is None else [self.bos_id]
        labels = [UNTRAINED] * len(ids)
        for piece in pieces:
            found = self.ids(piece.text, has_markup=piece.markup)
            if piece.is_end and not piece.text:
                found = [] if self.eos_id is None else [self.eos_id]
            ids += found
            labels += found if piece.is_trained else [UNTRAINED] * len(found)
        return EncodedExample(ids, labels)

    def ids(self, text: str, *, has_markup: bool = False) -> list[int]:
        """Return the ids of a text without BOS. `has_markup`: recognize control tokens in `text`."""
        self._backend.encode_special_tokens = not has_markup
        ids: list[int] = self._backend.encode(text, add_special_tokens=False).ids
        return ids

    def bytes_of(self, id: int) -> bytes:
        """Return the UTF-8 bytes of a token; for a control token the bytes of its name."""
        if id in self._added:
            return self._added[id].encode()
        token: str = self._backend.id_to_token(id) or ""
        if self._is_byte_level:
            return bytes(_BYTES.get(character, ord("?")) for character in token)
        if byte := _BYTE_TOKEN.fullmatch(token):
            return bytes([int(byte[1], 16)])
        return token.replace("▁", " ").encode()

    def text_of(self, id: int) -> str:
        """Return a token's text for display; a byte that is not part of a complete character becomes <0xE3>."""
        text = self.bytes_of(id).decode("utf-8", "surrogateescape")
        return _LONE_BYTE.sub(lambda byte: f"<0x{ord(byte[0]) - 0xDC00:02X}>", text)

    def _find_end_ids(self) -> tuple[int, ...]:
        """Return the token ids at which llama.cpp ends an answer."""
        vocabulary = self._backend.get_vocab(with_added_tokens=True)
        known = {text for text in _ENDS if text in vocabulary}
        parts = {text for text, ends in _PARTS.items() if known.issuperset(ends)}
        found = {vocabulary[text] for text in known - parts}
        return tuple(sorted(found if self.eos_id is None else found | {self.eos_id}))


def load_tokenizer(folder: Path) -> BaseTokenizer:
    """Load the tokenizer from the base's files without running code in them.

    Raises RunError("base_missing" | "base_unreadable").
    """
    import transformers

    if not folder.is_dir():
        raise RunError("base_missing", path=str(folder))
    try:
        _check_files(folder)
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunError("base_unreadable", path=str(folder), reason=f"tokenizer: {error}"[:300]) from error
    if not tokenizer.is_fast:
        raise RunError("base_unreadable", path=str(folder), reason="tokenizer: no fast one")
    return BaseTokenizer(tokenizer)


def _check_files(folder: Path) -> None:
    """Raise ValueError if a file is cut off or missing, for which the library raises a bare Exception or nothing."""
    file = folder / "tokenizer.json"
    if not file.is_file():
        if not (folder / "tokenizer.model").is_file():
            raise ValueError("no tokenizer.json and no tokenizer.model")
        return
    with file.open("rb") as stream:  # only the end, because parsing tens of megabytes twice takes long
        stream.seek(-min(_TAIL_BYTES, file.stat().st_size), os.SEEK_END)
        if not stream.read().rstrip().endswith(b"}"):
            raise ValueError("tokenizer.json is cut off")


def _mark_control_tokens(backend: Any) -> dict[int, Any]:
    """Mark the tokens that llama.cpp treats as control tokens as special, and return the added tokens.

    A few published tokenizers do not mark all of theirs, so a control token in a user's text would be recognized.
    """
    kept = ("content", "single_word", "lstrip", "rstrip", "normalized")
    plain = [token for token in backend.get_added_tokens_decoder().values() if not token.special]
    controls = [token for token in plain if token.content in _ENDS or _CONTROL.fullmatch(token.content)]
    backend.add_special_tokens(
        [type(token)(**{name: getattr(token, name) for name in kept}, special=True) for token in controls]
    )
    added: dict[int, Any] = backend.get_added_tokens_decoder()
    return added


def _prepend_spaces(backend: Any) -> None:
    """Make the tokenizer prepend a space to every text if the vocabulary requires one, as llama.cpp does.

    llama.cpp does so even before a space and after each control token.
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


def _bos_id(tokenizer: Any) -> int | None:
    """Return the id of the BOS token that the tokenizer puts before every text; None if it adds none."""
    first: list[int] = tokenizer("")["input_ids"]
    return first[0] if first and first[0] == tokenizer.bos_token_id else None


def _byte_characters() -> dict[str, int]:
    """Return the byte for each character with which a byte-level vocabulary represents bytes.

    A visible byte is represented by its own character; the others by characters from 256 upwards.
    """
    seen = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    hidden = [byte for byte in range(256) if byte not in seen]
    return {chr(byte): byte for byte in seen} | {chr(256 + place): byte for place, byte in enumerate(hidden)}


_BYTES = _byte_characters()


_MARKERS = ("KqSystemZ", "KqFirstZ", "KqReplyZ", "KqSecondZ", "KqAnswerZ")
_MARKER_ROLES = ("system", "user", "assistant", "user", "assistant")
_OTHER_TEXTS = ("Be brief.\nNo lists.", "What is 12 + 30?", "42", "Why?\n\n(2 lines)", "Because 1 < 2; see <b>.\n- so")


def form_from_template(tokenizer: Any) -> TrainingPromptForm | None:
    """Return a form derived from the chat template; None if there is no template or no equivalent form."""
    if not tokenizer.chat_template:
        return None
    tokens = BaseTokenizer(tokenizer)
    for has_system in (True, False):
        found = _derive_form(tokens, _messages_of(_MARKERS, has_system))
        if found is not None:
            other = _messages_of(_OTHER_TEXTS, has_system)
            is_prompt_same = _renders_prompt_like_template(found, tokens, other[:-1])
            return found if is_prompt_same and _renders_end_like_template(found, tokens, other) else None
    return None


def template_differences(form: TrainingPromptForm, tokenizer: Any) -> list[str]:
    """Return the parts where the form gives other token ids than the template: "question", "system", "turns", "end".

    The list is empty if there is no template.
    """
    if not tokenizer.chat_template:
        return []
    tokens = BaseTokenizer(tokenizer)
    whole = _messages_of(_OTHER_TEXTS, has_system=True)
    system, *turns = whole
    prompts = {"question": turns[:1], "system": [system, *turns[:1]]}
    if _render(tokens, whole) is None:  # the template accepts no system message
        whole = turns
    prompts["turns"] = whole[:-1]
    found = [name for name, messages in prompts.items() if not _renders_prompt_like_template(form, tokens, messages)]
    return found if _renders_end_like_template(form, tokens, whole) else [*found, "end"]


# ------------------------------------------------------------------- cutting


def _derive_form(tokens: BaseTokenizer, messages: Messages) -> TrainingPromptForm | None:
    """Derive a form from the texts between the markers; None if they do not fit a form."""
    marks = [message["content"] for message in messages]
    whole, asked = _render(tokens, messages), _render(tokens, messages[:-1])
    prompt = _render(tokens, messages[:-1], with_start=True)
    between = _texts_between(whole, marks)
    if between is None or asked is None or prompt is None:
        return None
    *beginning, before_reply, after_reply, before_answer, ending = between
    question_end = asked.rpartition(marks[-2])[2]
    starts = (prompt.rpartition(marks[-2])[2], before_reply, before_answer)
    if not after_reply.startswith(ending) or not all(text.startswith(question_end) for text in starts):
        return None
    start, reply_start, answer_start = (text.removeprefix(question_end) for text in starts)
    question_start = after_reply.removeprefix(ending)
    system = _system_pattern(beginning, question_start)
    end = next((text for text in tokens.added_texts if ending.startswith(text)), "")
    if system is None or not end or not answer_start.startswith(start):
        return None
    return TrainingPromptForm(
        question=f"{question_start}{{text}}{question_end}",
        answer=f"{reply_start}{{text}}{ending}",
        answer_start=answer_start,
        system=system,
        end=end,
        stop=(end,),
    )


def _system_pattern(beginning: Sequence[str], question_start: str) -> str | None:
    """Return the form's `system` from the text before the first question; None if no form is equivalent."""
    *before, opening = beginning
    if not before:
        return "" if opening == question_start else None
    if before[0] == question_start and opening == "\n\n":
        return ""  # the template puts the system text where a form without a system turn does
    if question_start and opening.endswith(question_start):
        return f"{before[0]}{{text}}{opening.removesuffix(question_start)}"
    return None


def _texts_between(text: str | None, marks: Sequence[str]) -> list[str] | None:
    """Return the texts before, between and after the marks; None if a mark is missing, repeated or out of order."""
    if text is None or any(text.count(mark) != 1 for mark in marks):
        return None
    found = []
    for mark in marks:
        before, is_here, text = text.partition(mark)
        if not is_here:
            return None
        found.append(before)
    return [*found, text]


# ----------------------------------------------------------------- rendering


def _messages_of(texts: Sequence[str], has_system: bool) -> list[dict[str, str]]:
    turns = [{"role": role, "content": text} for role, text in zip(_MARKER_ROLES, texts, strict=True)]
    return turns if has_system else turns[1:]


def _render(tokens: BaseTokenizer, messages: Messages, *, with_start: bool = False) -> str | None:
    """Render messages with the template, without the tokenizer's BOS; None if the template refuses them."""
    import jinja2

    try:
        text: str = tokens.tokenizer.apply_chat_template(
            [dict(message) for message in messages],
            tokenize=False,
            add_generation_prompt=with_start,
            enable_thinking=False,  # Qwen's switch: answers without a reasoning part
        )
    except (jinja2.TemplateError, ValueError, TypeError, KeyError):
        return None
    return text.removeprefix(tokens.tokenizer.bos_token or "") if tokens.bos_id is not None else text


# ----------------------------------------------------------------- comparing


def _renders_prompt_like_template(form: TrainingPromptForm, tokens: BaseTokenizer, messages: Messages) -> bool:
    return _has_ids_of(forms.prompt_pieces(form, messages), _render(tokens, messages, with_start=True), tokens)


def _renders_end_like_template(form: TrainingPromptForm, tokens: BaseTokenizer, messages: Messages) -> bool:
    """Return whether form and template give the same last answer and end; the template's final line feed is ignored."""
    rendered = _render(tokens, messages)
    pieces = forms.example_pieces(form, messages)[-1]
    return rendered is not None and _has_ids_of(pieces, rendered.removesuffix("\n"), tokens)


def _has_ids_of(pieces: Sequence[FormPiece], rendered: str | None, tokens: BaseTokenizer) -> bool:
    """Return whether the token ids are equal: `rendered` is tokenized as a whole, our text piece by piece."""
    if rendered is None:
        return False
    ids = tokens.encode(pieces).ids[tokens.bos_id is not None :]
    return ids == tokens.ids(rendered, has_markup=True)
