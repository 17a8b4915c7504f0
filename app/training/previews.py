"""An example of the training data as people can read it: its tokens, joined where they are alike."""

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

from trainer.events import PreviewToken

_BYTES = re.compile(r"(?:<0x[89A-F][0-9A-F]>)+")


@dataclass(frozen=True, slots=True)
class Piece:
    """`kind`: as of its tokens; a control token stands alone."""

    text: str
    is_trained: bool
    kind: str = ""


def pieces(tokens: Sequence[PreviewToken]) -> list[Piece]:
    """All of the text in its order. Tokens that each hold a part of a character are shown as that character."""
    found = list[Piece]()
    for (is_trained, kind), group in itertools.groupby(tokens, lambda token: (token.is_trained, token.kind)):
        texts = [token.text for token in group]
        found += [Piece(text, is_trained, kind) for text in (texts if kind else [_joined(texts)])]
    return found


def _joined(texts: Sequence[str]) -> str:
    return _BYTES.sub(lambda found: _character(found[0]), "".join(texts))


def _character(named: str) -> str:
    """Of bytes that are named <0xE6><0xA9><0x8B>; as they are named where they are none."""
    try:
        return bytes.fromhex(named.replace("<0x", "").replace(">", "")).decode("utf-8")
    except UnicodeDecodeError:
        return named
