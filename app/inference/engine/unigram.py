"""Split texts into the pieces of a SentencePiece unigram vocabulary, with the result of llama.cpp.

llama.cpp takes a second to build its own table of the 250,000 pieces of XLM-RoBERTa, twice as long as all else until a
question has its vector. The method is that of llm_tokenizer_ugm in llama-vocab.cpp.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from app.inference import gguf

PIECE_BYTES = 128  # of the longest piece; those of XLM-RoBERTa have up to 48
_NORMAL = 1
_KINDS = {_NORMAL, 2, 3}  # of tokens; 2: unknown, 3: control
_UNKNOWN_PENALTY = 10.0  # by which a character without a piece scores less than any piece
_SPACE = "\u2581"  # stands for a space in pieces
_FLAGS = ("add_space_prefix", "remove_extra_whitespaces", "add_bos_token", "add_eos_token")


class UnigramVocabulary:
    """The pieces of a model with their scores, by token id."""

    def __init__(
        self,
        pieces: Sequence[bytes],
        scores: npt.NDArray[np.float32],
        kinds: npt.NDArray[np.int32],
        ends: tuple[int, int],
        unknown: int,
    ) -> None:
        """Create a vocabulary of at least one piece.

        `ends`: the tokens that begin and end each text; `unknown`: that of characters without a piece.
        """
        self._scores: list[float] = scores.tolist()
        self._ends, self._unknown = ends, unknown
        self.longest_bytes = max(map(len, pieces))
        self._tokens = dict(zip(pieces, range(len(pieces)), strict=True))
        for token in np.flatnonzero(kinds != _NORMAL).tolist():
            self._tokens.pop(pieces[token], None)
        self._unknown_score = float(scores[kinds == _NORMAL].min()) - _UNKNOWN_PENALTY

    def __len__(self) -> int:
        return len(self._scores)

    def tokens_of(self, text: str) -> list[int]:
        """Return the tokens of a text, which is NFKC and has single spaces as its only white space."""
        encoded = (_SPACE + text.replace(" ", _SPACE)).encode("utf-8", "replace") if text else b""
        borders = [at for at, byte in enumerate(encoded) if byte & 0xC0 != 0x80] + [len(encoded)]  # of characters
        scores = [float("-inf")] * len(borders)  # the best one for the characters before each border
        lasts = [(0, self._unknown)] * len(borders)  # the last token on the way to it, and the border before that token
        scores[0] = 0.0
        for begin, start in enumerate(borders[:-1]):
            has_piece = False
            for end in range(begin + 1, len(borders)):
                if borders[end] - start > self.longest_bytes:
                    break
                token = self._tokens.get(encoded[start : borders[end]])
                if token is not None:
                    has_piece = has_piece or end == begin + 1
                    if (score := scores[begin] + self._scores[token]) > scores[end]:
                        scores[end], lasts[end] = score, (begin, token)
            if not has_piece and (score := scores[begin] + self._unknown_score) > scores[begin + 1]:
                scores[begin + 1], lasts[begin + 1] = score, (begin, self._unknown)
        return [self._ends[0], *self._way(lasts), self._ends[1]]

    def _way(self, lasts: list[tuple[int, int]]) -> list[int]:
        """Return the tokens of the best way, with a single unknown token for several unknown characters in a row."""
        found: list[int] = []
        at = len(lasts) - 1
        while at:
            at, token = lasts[at]
            if found[-1:] != [token] or token != self._unknown:
                found.append(token)
        return found[::-1]


def read_vocabulary(path: Path, header: gguf.GgufHeader) -> UnigramVocabulary | None:
    """Return the vocabulary of a checked file whose texts the caller normalizes; None for other kinds of models."""
    ids = [header.integer(f"tokenizer.ggml.{name}_token_id") for name in ("bos", "eos", "unknown")]
    begin, end, unknown = (-1 if token is None else token for token in ids)
    are_flags_set = all(header.metadata.get(f"tokenizer.ggml.{name}") is True for name in _FLAGS)
    if not header.lacks_normalization or not are_flags_set or min(begin, end, unknown) < 0:
        return None
    scores = _values(path, header.array("tokenizer.ggml.scores"), "f32")
    kinds = _values(path, header.array("tokenizer.ggml.token_type"), "i32")
    pieces: list[bytes] = []
    gguf.read_header(path, tokens=pieces)
    is_known = len(pieces) == len(scores) == len(kinds) > 0 and set(np.unique(kinds)) == _KINDS
    vocabulary = UnigramVocabulary(pieces, scores, kinds, (begin, end), unknown) if is_known else None
    return vocabulary if vocabulary and vocabulary.longest_bytes <= PIECE_BYTES else None


def _values(path: Path, array: gguf.GgufArray | None, kind: str) -> npt.NDArray[Any]:
    """Return the values of a long list in the metadata; none if it is short or of another kind."""
    if array is None or array.element_type != kind or not array.position:
        return np.empty(0)
    return np.fromfile(path, kind[0] + "4", array.length, offset=array.position)
