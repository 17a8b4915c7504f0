"""What may be said of the check of a stored answer. Everything that shows, exports or copies one asks here.

An answer that was given here was checked here. One that came in a file is hearsay until its sources were found in the
user's own documents and it was compared with these (`exchange.rechecking`); nothing that the file said counts.

What other programs get of an answer's check: one JSON form for `kotae ask`, files of answers and `kotae serve`.
"""

from typing import Any, Literal

from app.base.wording import phrase
from app.chat.records import AnswerDetails, Message
from app.documents.grounding import grounding_record, source_citations
from app.documents.grounding.grounding_record import Grounding

CheckStatus = Literal["own", "checked", "unchecked"]


def check_status(message: Message) -> CheckStatus:
    """own: given here. checked: imported, and compared with the user's documents. unchecked: imported."""
    details = message.details
    if details is None or not details.is_imported:
        return "own"
    return "checked" if details.grounding is not None else "unchecked"


def grounding_of(message: Message) -> Grounding | None:
    """What the program itself has found of its sources and sentences; None: nothing."""
    return message.details.grounding if message.details is not None else None


def imported_mark(message: Message) -> str:
    """取り込んだ会話（未照合） and the like; "" of an answer that was given here."""
    found = check_status(message)
    return "" if found == "own" else phrase(f"chat.imported_{found}")


def check_lines(message: Message) -> list[str]:
    """The mark, then how the check came out, in sentences for files."""
    kept = grounding_of(message)
    return [
        *filter(None, [imported_mark(message)]),
        *(source_citations.check_messages(kept) if kept is not None else ()),
    ]


def quoted_places(message: Message) -> list[str]:
    """The places that the file names as its sources, which nobody has checked."""
    return (
        [source_citations.describe_place(source) for source in message.details.quoted]
        if message.details is not None
        else []
    )


def model_text(details: AnswerDetails) -> str:
    """Name of the model; of an imported answer that and the machine, as the file says, with a word that it does."""
    if not details.is_imported:
        return details.model_name
    name = " @ ".join(filter(None, (details.model_name, details.remote)))
    return phrase("chat.imported_model", name=name) if name else ""


def remote_machine(details: AnswerDetails) -> str:
    """The machine that question and passages were sent to; "" where they stayed here, or only a file speaks of it."""
    return "" if details.is_imported else details.remote


def with_imported_mark(message: Message, text: str) -> str:
    """A text of the message to be taken along, with the mark of an imported answer below it."""
    return f"{text.rstrip()}\n\n{imported_mark(message)}" if imported_mark(message) else text


def check_facts(grounding: Grounding | None) -> dict[str, Any]:
    """Return the sources, the claims, how many sentences could not be compared, and whether the answer is made of
    quotations alone; all empty of an answer that was asked of no documents."""
    kept = grounding or Grounding()
    return {
        "sources": grounding_record.sources_to_json(kept),
        "claims": grounding_record.claims_to_json(kept),
        "unchecked": kept.unchecked,
        "is_excerpt": kept.is_excerpt,
    }
