"""Decide whether the program has checked a stored answer against documents, and what it may therefore state about it.

Everything that shows, exports or copies an answer uses this module. An answer that was written in this installation was
checked here. An imported answer counts as unchecked, whatever its file claims, until `exchange.answer_recheck` has
found its sources in the user's own documents and compared the answer with them. An answer that somebody edited by hand
keeps the sources that it cites, but nothing is claimed of its sentences any more.

`check_facts` is the JSON form of a check for other programs: `kotae ask`, answer files and `kotae serve`.
`AnswerRecord` is one answer for export, with its model, settings and sources.
"""

import dataclasses
import time
from dataclasses import dataclass
from typing import Any, Literal

from app import __version__
from app.base.confidentiality import Label, highest_label
from app.base.wording import format_time, phrase
from app.chat.records import AnswerDetails, Message
from app.documents.grounding import grounding_record, source_citations
from app.documents.grounding.grounding_record import Grounding
from app.inference.local_model import LocalModel

CheckStatus = Literal["own", "checked", "unchecked"]


def check_status(message: Message) -> CheckStatus:
    """Return "own" for an answer that was written in this installation, "checked" for an imported one that was compared
    with the user's documents, and "unchecked" for any other imported one."""
    details = message.details
    if details is None or not details.is_imported:
        return "own"
    return "checked" if details.grounding is not None else "unchecked"


def grounding_of(message: Message) -> Grounding | None:
    """Return the sources and claims that this program has checked for an answer, or None without such a check.

    An edited answer has no claims, and its sources only as long as it cites them.
    """
    found = message.details.grounding if message.details is not None else None
    if found is None or not message.is_edited:
        return found
    bare = dataclasses.replace(found, claims=(), is_excerpt=False, unchecked=0, follow_ups=())
    return bare if found.has_answer and source_citations.cited_sources(message.text, bare) else None


def imported_mark(message: Message) -> str:
    """Return the text that marks an imported answer, such as 取り込んだ会話（未照合）, or "" for an own answer."""
    found = check_status(message)
    return "" if found == "own" else phrase(f"chat.imported_check.{found}")


def edited_mark(message: Message) -> str:
    """Return the text that marks an answer that somebody edited by hand, with the time, or ""."""
    if not message.is_edited or message.details is None:
        return ""
    return phrase("chat.edited_at", at=format_time(message.details.edited_at))


def origin_marks(message: Message) -> list[str]:
    """Return the marks of an answer that is not, or not any more, as a model wrote it here."""
    return [mark for mark in (imported_mark(message), edited_mark(message)) if mark]


def check_lines(message: Message) -> list[str]:
    """Return the lines below an exported answer: marks, result of the check, sources that an imported file names."""
    quoted = quoted_places(message)
    if message.is_edited:
        result = [phrase("chat.edited_is_not_checked")]
    else:
        result = source_citations.check_messages(grounding_of(message))
    return [*origin_marks(message), *result, *([phrase("chat.imported_sources"), *quoted] if quoted else ())]


def quoted_places(message: Message) -> list[str]:
    """Return the places (document, heading, page) of the sources that an imported file names and nobody has checked."""
    return [source_citations.describe_place(source) for source in (message.details or AnswerDetails()).quoted]


def model_text(details: AnswerDetails) -> str:
    """Return the name of the model that answered. For an imported answer return the model and machine that the file
    names, in a phrase that marks them as the file's claim, or "" if it names none."""
    if not details.is_imported:
        return details.model_name
    name = " @ ".join(filter(None, (details.model_name, details.remote)))
    return phrase("chat.imported_model", name=name) if name else ""


def remote_machine(details: AnswerDetails) -> str:
    """Return the remote machine that the question was sent to; "" for this one, and if only a file names it."""
    return "" if details.is_imported else details.remote


def with_origin_marks(message: Message, text: str) -> str:
    """Return `text`, copied from a message, with the marks of an imported or edited answer below it."""
    marks = origin_marks(message)
    return "\n\n".join([text.rstrip(), *marks]) if marks else text


def check_facts(grounding: Grounding | None) -> dict[str, Any]:
    """Return the JSON form of a check: sources, claims, the number of sentences that could not be compared, and whether
    the answer consists of quotations only. All are empty for None, an answer without documents."""
    grounding = grounding or Grounding()
    return {
        "sources": grounding_record.sources_to_json(grounding),
        "claims": grounding_record.claims_to_json(grounding),
        "unchecked": grounding.unchecked,
        "is_excerpt": grounding.is_excerpt,
    }


@dataclass(frozen=True, slots=True)
class AnswerRecord:
    """An answer to export, its question and its label. `model` is None when it is not installed any more."""

    question: Message
    answer: Message
    label: Label
    model: LocalModel | None = None

    @property
    def highest_label(self) -> Label:
        """Return the highest label of the conversation and the answer's sources."""
        return highest_label((self.label, *(source.label for source in self._details.named_sources)))

    @property
    def _details(self) -> AnswerDetails:
        return self.answer.details or AnswerDetails()

    @property
    def grounding(self) -> Grounding | None:
        return grounding_of(self.answer)

    def facts(self) -> list[tuple[str, str]]:
        """Return the model, settings and sources of the answer as pairs (name, value), without empty values."""
        details, choices = self._details, self._details.choices
        is_imported = details.is_imported  # the installed model of that name may be another one
        sources = self.grounding.sources if self.grounding else ()
        hashes = dict.fromkeys(f"{source.document}  {source.sha256}" for source in sources if source.sha256)
        marks = self.model.files if self.model and not is_imported else ()
        sha256 = "\n".join(mark.sha256 for mark in marks if mark.sha256)
        adapter = f"{details.adapter_sha256} ×{details.adapter_strength:g}" if details.adapter_sha256 else ""
        settled = [
            ("label", phrase(f"common.label.{self.highest_label}")),
            ("origin", " / ".join(origin_marks(self.answer))),
            ("model", model_text(details)),
            ("remote", remote_machine(details)),
            ("model_sha256", sha256 or (phrase("chat.answer_hash_unknown") if self.model and not is_imported else "")),
            ("adapter_sha256", adapter),
            ("scope", " / ".join(ref.title for ref in details.scope)),
            ("documents_sha256", "\n".join(hashes)),
            ("temperature", f"{choices.temperature}" if choices else ""),
            ("max_tokens", f"{choices.max_tokens}" if choices else ""),
            ("seed", "" if details.seed is None else str(details.seed)),
            ("context_tokens", f"{details.context_tokens}" if details.context_tokens else ""),
            ("system_prompt", choices.system_prompt or "" if choices else ""),
            ("answered", format_time(self.answer.created_at)),
            ("seconds", f"{details.total_s:.1f}" if details.total_s else ""),
            ("written", format_time(time.time())),
            ("version", f"Kotae {__version__}"),
        ]
        return [(phrase(f"chat.batch_fact.{key}"), value) for key, value in settled if value]
