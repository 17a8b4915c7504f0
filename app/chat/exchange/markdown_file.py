"""Write a conversation as a Markdown file: the branch that is shown, with one heading for each turn."""

import time
from collections.abc import Sequence

from app import __version__
from app.base import invisible_characters
from app.base.files.inert_markdown import escape_line, make_inert, quote_lines
from app.base.wording import format_time, phrase
from app.chat import answer_check
from app.chat.exchange.conversation_bundle import Bundle
from app.chat.records import Message
from app.documents.grounding import source_citations
from app.inference.engine.messages import CUT_OFF

TURN_DEPTH = 2  # heading level of the turns; headings in answers begin one level below


def conversation_markdown(bundle: Bundle) -> str:
    lines = [
        f"# {escape_line(bundle.conversation.title)}",
        "",
        *(f"- {escape_line(fact)}" for fact in conversation_facts(bundle)),
    ]
    number = 0
    for message in shown_branch(bundle):
        number += message.role == "question" and not message.is_action
        lines += ["", f"## {escape_line(turn_heading(message, number))}", ""]
        if message.is_action:
            continue
        grounding = answer_check.grounding_of(message)
        text = source_citations.add_marks(message.text, grounding)
        written = make_inert(text, TURN_DEPTH, phrase("common.export_address", address="{}"))
        lines.append(quote_lines(written.split("\n")) if message.role == "question" else written)
        below = [*answer_check.check_lines(message), *source_citations.used_places(message.text, grounding)]
        if below:
            lines += ["", *(f"- {escape_line(line)}" for line in below)]
        lines += [f"\n*{escape_line(note)}*" for note in [ending_remark(message)] if note]
    return invisible_characters.remove("\n".join(lines) + "\n")


def shown_branch(bundle: Bundle) -> list[Message]:
    """Return the messages of the branch that is shown, beginning with its first question."""
    by_id = {message.id: message for message in bundle.messages}
    found: list[Message] = []
    here = by_id.get(bundle.conversation.leaf_id or 0)
    while here is not None:
        found.append(here)
        here = by_id.get(here.parent_id or 0)
    return found[::-1]


def conversation_facts(bundle: Bundle) -> Sequence[str]:
    """Return the lines below the title: when the conversation was written, exported and imported, its label, and the
    number of messages in other branches."""
    conversation = bundle.conversation
    found = [
        phrase(
            "common.export_dates",
            first=format_time(conversation.created_at),
            last=format_time(conversation.updated_at),
        ),
        phrase("common.export_made", at=format_time(time.time()), version=__version__),
    ]
    if conversation.imported_at is not None:
        found.append(phrase("chat.imported_at", at=format_time(conversation.imported_at)))
    found.append(phrase("common.export_label", label=phrase(f"common.label.{conversation.label}")))
    others = len(bundle.messages) - len(shown_branch(bundle))
    return [*found, phrase("common.export_branches", count=others)] if others else found


def turn_heading(message: Message, number: int) -> str:
    name = phrase(f"common.export_turn.{message.role}", number=number)
    parts = [phrase("chat.action_on_answer", name=message.text) if message.is_action else name]
    parts.append(format_time(message.created_at))
    if message.details is not None:
        model, machine = answer_check.model_text(message.details), answer_check.remote_machine(message.details)
        parts += [*answer_check.origin_marks(message), " @ ".join(filter(None, (model, machine)))]
    return phrase("common.export_gap").join(part for part in parts if part)


def ending_remark(message: Message) -> str:
    """Return a remark on an answer that was stopped, failed or was cut off, else ""."""
    if message.role == "question":
        return ""
    if message.status != "done":
        return phrase(f"common.export_turn.{message.status}")
    is_cut = message.details is not None and message.details.stop_reason in CUT_OFF
    return phrase("chat.answer_cut") if is_cut else ""
