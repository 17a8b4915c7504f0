"""Which files a folder is searched for. What a file really is, the reading child tells from its content."""

import re
from pathlib import PurePath

# In lower case, in the order of a file dialog: PDF, Word, Excel, CSV, HTML, Markdown, plain text.
SUFFIXES = (
    *(".pdf", ".docx", ".docm", ".xlsx", ".xlsm", ".csv", ".tsv"),
    *(".html", ".htm", ".xhtml", ".md", ".markdown", ".txt", ".text"),
)
# Line feeds and other controls, marks without width, and those that turn the direction of what follows: a name must
# not be read backwards (exe.txt for txt.exe), nor look like two lines of the program's own.
_UNSEEN = re.compile("[\0-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")


def shown_name(path: PurePath) -> str:
    """The file's name as it is shown and given to models; what cannot be seen in it is U+FFFD."""
    return shown_path(path.name)


def shown_path(path: str) -> str:
    """As `shown_name`, with the folders."""
    return _UNSEEN.sub("\ufffd", path)
