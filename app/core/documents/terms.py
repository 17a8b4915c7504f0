"""Terms of the documents' index: what a question and a document have in common when they mean the same.

For matching only; what is shown stays the original. Terms hold letters and digits, so that sqlite's tokenizer leaves
them whole. Whatever changes them needs a migration that makes the index anew: a contentless index forgets a section
only when it is told the very terms that were put into it.
"""

from app.core import text
from app.core.documents.records import Section


def of_text(written: str) -> list[str]:
    """Terms of a text, in order."""
    return text.terms(written)


def of_section(section: Section) -> tuple[str, str]:
    """Terms of the heading path with the tag, and of the text; each separated by spaces."""
    heading = " ".join((*section.heading, section.tag))
    return " ".join(of_text(heading)), " ".join(of_text(section.text))
