"""A conversation as Markdown, to be read anywhere: the branch that is shown, one heading for each turn."""

import re
import time
from collections.abc import Sequence

from app import __version__
from app.base.confidentiality import DEFAULT
from app.base.wording import phrase
from app.chat.exchange.answer_markdown import contained
from app.chat.exchange.bundle import Bundle
from app.chat.records import Message
from app.documents.grounding import checked, citing
from app.documents.grounding.grounding import Grounding

TURN_DEPTH = 2  # headings of answers begin one below those of the turns

_SPECIAL = re.compile(r"([\\`*_\[\]<>#|~])")


def content(bundle: Bundle) -> str:
    lines = [f"# {escaped(bundle.conversation.title)}", "", *(f"- {escaped(fact)}" for fact in facts(bundle))]
    number = 0
    for message in shown(bundle):
        number += message.role == "question"
        lines += ["", f"## {escaped(heading(message, number))}", ""]
        grounding = message.details.grounding if message.details else None
        text = citing.marked(message.text, grounding) if grounding else message.text
        written = contained(text, TURN_DEPTH)
        lines.append(_quoted(written) if message.role == "question" else written)
        if grounding is not None:
            lines += ["", *_grounds(message.text, grounding)]
        lines += [f"\n*{escaped(note)}*" for note in [remark(message)] if note]
    return "\n".join(lines) + "\n"


def _grounds(answer: str, grounding: Grounding) -> list[str]:
    """The result of the check, and the sources that the answer uses."""
    lines = [f"- {escaped(line)}" for line in checked.lines(grounding)]
    places = (f"[{n}] {citing.place(grounding.sources[n - 1])}" for n in citing.used(answer, grounding))
    return [*lines, *(f"- {escaped(place)}" for place in places)]


def shown(bundle: Bundle) -> list[Message]:
    """The branch that is shown, from its first question."""
    by_id = {message.id: message for message in bundle.messages}
    found: list[Message] = []
    here = by_id.get(bundle.conversation.leaf_id or 0)
    while here is not None:
        found.append(here)
        here = by_id.get(here.parent_id or 0)
    return found[::-1]


def facts(bundle: Bundle) -> Sequence[str]:
    """What the head of a document says: when it was written and exported, and what is not in it."""
    conversation = bundle.conversation
    found = [
        phrase("export_dates", first=moment(conversation.created_at), last=moment(conversation.updated_at)),
        phrase("export_made", at=moment(time.time()), version=__version__),
    ]
    if conversation.label != DEFAULT:
        found.append(phrase("export_label", label=phrase(f"label_{conversation.label}")))
    others = len(bundle.messages) - len(shown(bundle))
    return [*found, phrase("export_branches", count=others)] if others else found


def heading(message: Message, number: int) -> str:
    parts = [phrase(f"export_{message.role}", number=number), moment(message.created_at)]
    if message.details is not None:
        parts.append(" @ ".join(filter(None, (message.details.model_name, message.details.remote))))
    return phrase("export_gap").join(part for part in parts if part)


def remark(message: Message) -> str:
    """That an answer has no proper end; "" where it has."""
    is_whole = message.role == "question" or message.status == "done"
    return "" if is_whole else phrase(f"export_{message.status}")


def moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))


def escaped(text: str) -> str:
    """One line that means nothing to Markdown."""
    return _SPECIAL.sub(r"\\\1", re.sub(r"[\0\r\n]", "", text))


def _quoted(text: str) -> str:
    """Two spaces at a line's end keep the lines of a question apart; in code they change nothing that is seen."""
    return "\n".join(f"> {line}  " if line.strip() else ">" for line in text.split("\n"))
