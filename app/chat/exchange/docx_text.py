"""Text that a Word document can hold."""

from app.base import invisible_characters


def legal(text: str) -> str:
    """Without what nobody sees, the characters that XML cannot hold among them: a file with one would not open."""
    return invisible_characters.remove(text)
