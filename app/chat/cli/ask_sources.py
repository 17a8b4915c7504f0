"""What `kotae ask --collection` says of an answer's sources: which collections are asked, and how they are shown."""

from app.base.cli.commands import Output
from app.documents.grounding import source_citations
from app.documents.grounding.grounding_record import CitedSource, Grounding

QUOTED_CHARACTERS = 120  # of a source on the terminal; JSON has all of it


def as_text(answer: str, grounding: Grounding, output: Output) -> str:
    """Below an answer: which sentences are to be checked, then the sources that it uses, or the nearest passages."""
    lines = source_citations.check_messages(grounding)
    if grounding.sources:
        lines += ["", output.phrase("common.sources" if grounding.verdict == "answered" else "common.nearest")]
    for number in source_citations.used_sources(answer, grounding):
        source = grounding.sources[number - 1]
        lines += [f"[{number}] {_place(source, output)}", f"    {_quote(source)}"]
    return "\n" + "\n".join(lines).lstrip("\n")


def _place(source: CitedSource, output: Output) -> str:
    page = output.phrase("common.page", page=source.page) if source.page else ""
    parts = (source.collection, source.document, " > ".join(source.heading), source.tag, page)
    return "  ".join(part for part in parts if part)


def _quote(source: CitedSource) -> str:
    line = " ".join(source.text.split())
    return line if len(line) <= QUOTED_CHARACTERS else line[: QUOTED_CHARACTERS - 1] + "…"
