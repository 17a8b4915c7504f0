"""Scripts for the fixture `install`, which puts one in Tesseract's place: they answer with a table of words."""

LANGUAGES = '[ "$1" = --list-langs ] && printf "List of available languages:\\neng\\n{more}" && exit 0\n'
ROW = "5\\t1\\t{block}\\t1\\t1\\t{word}\\t{left}\\t{top}\\t{width}\\t42\\t{certain}\\t{text}\\n"


def row(text: str, certain: float, *, block: int = 1, word: int = 1, left: int = 250) -> str:
    """A word in Tesseract's table, on the line of its block."""
    place = {"block": block, "word": word, "left": left, "top": 300 + 200 * block, "width": 42 * len(text)}
    return ROW.format(certain=certain, text=text, **place)


def answering(rows: str, before: str = "cat > /dev/null\n") -> str:
    """The script that answers with these rows to any picture. `before`: what it does with the picture."""
    return LANGUAGES.format(more="jpn\\n") + before + f'printf "{rows}"\n'
