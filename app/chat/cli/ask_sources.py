"""What `kotae ask --collection` says of an answer's sources: which collections are asked, and how they are shown."""

from app.base.cli.commands import Output
from app.documents.grounding import checked, citing
from app.documents.grounding.grounding import Grounding, Source

QUOTED_CHARACTERS = 120  # of a source on the terminal; JSON has all of it


def as_text(answer: str, grounding: Grounding, output: Output) -> str:
    """Below an answer: which sentences are to be checked, then the sources that it uses, or the nearest passages."""
    lines = checked.lines(grounding)
    if grounding.sources:
        lines += ["", output.phrase("common.sources" if grounding.verdict == "answered" else "common.nearest")]
    for number in citing.used(answer, grounding):
        source = grounding.sources[number - 1]
        lines += [f"[{number}] {_place(source, output)}", f"    {_quote(source)}"]
    return "\n" + "\n".join(lines).lstrip("\n")


def _place(source: Source, output: Output) -> str:
    page = output.phrase("common.page", page=source.page) if source.page else ""
    parts = (source.collection, source.document, " > ".join(source.heading), source.tag, page)
    return "  ".join(part for part in parts if part)


def _quote(source: Source) -> str:
    line = " ".join(source.text.split())
    return line if len(line) <= QUOTED_CHARACTERS else line[: QUOTED_CHARACTERS - 1] + "…"
