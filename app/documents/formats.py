"""Which files a folder is searched for. What a file really is, the reading child tells from its content."""

import re
from pathlib import PurePath

from app.base import invisible_characters

# In lower case, in the order of a file dialog: PDF, Word, Excel, CSV, HTML, Markdown, plain text.
SUFFIXES = (
    *(".pdf", ".docx", ".docm", ".xlsx", ".xlsm", ".csv", ".tsv"),
    *(".html", ".htm", ".xhtml", ".md", ".markdown", ".txt", ".text"),
)
_BREAKS = re.compile("[\t\n]")


def shown_name(path: PurePath) -> str:
    """The file's name as it is shown and given to models; what cannot be seen in it is U+FFFD.

    A name must not be read backwards (exe.txt for txt.exe), nor look like two lines of the program's own.
    """
    return shown_path(path.name)


def shown_path(path: str) -> str:
    """As `shown_name`, with the folders."""
    return _BREAKS.sub("\ufffd", invisible_characters.replace_with_mark(path))
