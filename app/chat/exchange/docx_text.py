"""Text that a Word document can hold."""

import re

_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")  # in XML


def legal(text: str) -> str:
    """Without the characters that XML cannot hold; a file with one of them would not open."""
    return _ILLEGAL.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
