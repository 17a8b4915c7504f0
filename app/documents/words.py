"""The words of Japanese text, with what a dictionary knows of each: base form, part of speech, synonyms.

SudachiPy reads them with SudachiDict (Works Applications). Its dictionary is a file that is mapped into memory: it
opens in under a tenth of a second, and a sentence takes some fifty microseconds.
"""

import functools
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import sudachipy

_LONGEST = 10_000  # characters at once; Sudachi refuses more than some 49,000 bytes
_tokenizers = threading.local()  # a tokenizer belongs to one thread


@dataclass(frozen=True, slots=True)
class Word:
    """The shortest unit of the dictionary (総務 and 課). `start`, `end`: places in the text.

    `base`: one spelling for all of a word (取消し: 取り消し). `kind`: its part of speech, parts joined by "-".
    `synonyms`: numbers of the groups of the Sudachi synonym dictionary that have it.
    """

    text: str
    start: int
    end: int
    base: str
    form: str  # as a dictionary lists it: 使える, whose base is 使う
    kind: str
    synonyms: frozenset[int] = frozenset()

    @property
    def is_noun(self) -> bool:
        return self.kind.startswith(("名詞-普通名詞", "名詞-固有名詞", "形状詞"))

    @property
    def is_suffix(self) -> bool:
        return self.kind.startswith("接尾辞")

    @property
    def is_affix(self) -> bool:
        """Whether it is no word by itself: お, さん."""
        return self.is_suffix or self.kind.startswith("接頭辞")

    @property
    def is_verbal_noun(self) -> bool:
        """Whether する makes a verb of it: 提出."""
        return "サ変" in self.kind and self.kind.startswith("名詞")


@functools.cache
def _dictionary() -> sudachipy.Dictionary:
    return sudachipy.Dictionary(dict="small")


def of(text: str) -> list[Word]:
    """The words of a text, in order, blanks left out."""
    tokenizer = getattr(_tokenizers, "one", None)
    if tokenizer is None:
        tokenizer = _tokenizers.one = _dictionary().tokenizer(mode=sudachipy.SplitMode.A)
    return [
        Word(
            found.surface(), at + found.begin(), at + found.end(), found.normalized_form(), found.dictionary_form(),
            "-".join(part for part in found.part_of_speech() if part != "*"), frozenset(found.synonym_group_ids()),
        )
        for at, piece in _pieces(text)
        for found in tokenizer.tokenize(piece)
        if not found.surface().isspace()
    ]  # fmt: skip


def _pieces(text: str) -> Iterator[tuple[int, str]]:
    """The text in lengths that the tokenizer takes, parted at the end of a line or sentence where there is one."""
    at = 0
    while at < len(text):
        end = at + _LONGEST
        if end < len(text):
            end = max(text.rfind("\n", at, end), text.rfind("。", at, end)) + 1 or end
        yield at, text[at:end]
        at = end
