"""What `kotae ask --collection` says of an answer's sources: which collections are asked, and how they are shown."""

from typing import Any

from app.base.cli.output import Output
from app.documents.grounding import checked, contract
from app.documents.grounding.grounding import Grounding, Source

QUOTED_CHARACTERS = 120  # of a source on the terminal; JSON has all of it


def as_dicts(grounding: Grounding | None) -> dict[str, list[dict[str, Any]]]:
    """`sources` and `claims` of the JSON object."""
    kept = grounding or Grounding()
    return {"sources": contract.sources(kept), "claims": contract.claims(kept)}


def as_text(grounding: Grounding, output: Output) -> str:
    """Below an answer: which sentences are to be checked, then the sources that it cites, or the nearest passages."""
    is_there = grounding.verdict == "answered"
    cited = {number for claim in grounding.claims for number in claim.sources}
    lines = checked.lines(grounding)
    if grounding.sources:
        lines += ["", output.phrase("sources" if is_there else "nearest")]
    for number, source in enumerate(grounding.sources, start=1):
        if not is_there or number in cited:
            lines += [f"[{number}] {_place(source, output)}", f"    {_quote(source)}"]
    return "\n" + "\n".join(lines).lstrip("\n")


def _place(source: Source, output: Output) -> str:
    page = output.phrase("page", page=source.page) if source.page else ""
    parts = (source.collection, source.document, " > ".join(source.heading), source.tag, page)
    return "  ".join(part for part in parts if part)


def _quote(source: Source) -> str:
    line = " ".join(source.text.split())
    return line if len(line) <= QUOTED_CHARACTERS else line[: QUOTED_CHARACTERS - 1] + "…"
