"""Which files a folder is searched for. What a file really is, the reading child tells from its content."""

import re
from dataclasses import dataclass
from pathlib import PurePath


@dataclass(frozen=True, slots=True)
class Format:
    """`name`: as people call it, the same in every language. `suffixes`: in lower case, the usual one first."""

    name: str
    suffixes: tuple[str, ...]


FORMATS: tuple[Format, ...] = (
    Format("PDF", (".pdf",)),
    Format("Word", (".docx", ".docm")),
    Format("Excel", (".xlsx", ".xlsm")),
    Format("CSV", (".csv", ".tsv")),
    Format("HTML", (".html", ".htm", ".xhtml")),
    Format("Markdown", (".md", ".markdown")),
    Format("TXT", (".txt", ".text")),
)
# Line feeds and other controls, marks without width, and those that turn the direction of what follows: a name must
# not be read backwards (exe.txt for txt.exe), nor look like two lines of the program's own.
_UNSEEN = re.compile("[\0-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
SUFFIXES: frozenset[str] = frozenset(suffix for one in FORMATS for suffix in one.suffixes)


def is_taken(path: PurePath) -> bool:
    """Whether a search through a folder takes the file.

    Hidden files and the locks of office programs are left out, and names that are no text: no database takes them.
    """
    is_known = path.suffix.lower() in SUFFIXES and not path.name.startswith((".", "~$"))
    return is_known and str(path).encode("utf-8", "replace").decode() == str(path)


def shown_name(path: PurePath) -> str:
    """The file's name as it is shown and given to models; what cannot be seen in it is U+FFFD."""
    return _UNSEEN.sub("\ufffd", path.name)


def name_of(path: PurePath) -> str:
    """PDF, Word, …; "" for a suffix that says nothing."""
    suffix = path.suffix.lower()
    return next((one.name for one in FORMATS if suffix in one.suffixes), "")
