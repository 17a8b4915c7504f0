"""Words and signs of the review queue."""

import math
from collections.abc import Sequence

from app.base.wording import phrase
from app.training.data.curation import Item, State
from app.training.data.rows import Row
from app.uikit.localization import join_facts

# Icon and colour of each state; "": an outline is drawn.
SIGNS: dict[State, tuple[str, str]] = {
    "used": ("", "control"),
    "undecided": ("", "control"),
    "left_out": ("triangle-alert", "warning"),
    "accepted": ("check", "success"),
    "edited": ("pencil", "accent"),
    "rejected": ("x", "danger"),
}

_LINE_CHARACTERS = 200  # of a text that is shown in one line
_BEFORE_CHARACTERS = 2000  # of what was said before the last question


def state(found: State) -> str:
    return {
        "used": phrase("training.not_reviewed_used_as_it"),
        "undecided": phrase("training.not_reviewed"),
        "left_out": phrase("training.left_out"),
        "accepted": phrase("training.accepted_2"),
        "edited": phrase("training.edited"),
        "rejected": phrase("training.rejected_2"),
    }[found]


def filter_name(key: str) -> str:
    """`key`: of `items.FILTERS`."""
    return {
        "all": phrase("common.all"),
        "undecided": phrase("training.not_reviewed"),
        "left_out": phrase("training.left_out"),
        "decided": phrase("training.decided"),
    }[key]


def nothing(key: str) -> str:
    """What a filter says that lets nothing through."""
    return {
        "all": phrase("training.there_is_nothing_to_review"),
        "undecided": phrase("training.nothing_is_left_to_review"),
        "left_out": phrase("training.nothing_is_left_out"),
        "decided": phrase("training.nothing_has_been_decided_yet"),
    }[key]


def source(item: Item) -> str:
    """Where it is from, in one line."""
    found = item.evidence
    if found is None:
        place = phrase("training.row_n", n=f"{item.row.line:,}")
        return join_facts(place, one_line(item.row.group))
    if not found.quote:
        return join_facts(phrase("training.not_in_the_documents"), one_line(found.document))
    return join_facts(one_line(found.document), one_line(found.heading[-1] if found.heading else ""))


def place(item: Item) -> str:
    """A row of a file by its line, a pair by its number."""
    if item.evidence is None:
        return phrase("training.row_n", n=f"{item.row.line:,}")
    return phrase("training.pair_n", n=f"{item.number:,}")


def one_line(text: str) -> str:
    line = " ".join(text[: 2 * _LINE_CHARACTERS].split())
    return line if len(line) <= _LINE_CHARACTERS else line[: _LINE_CHARACTERS - 1] + "…"


def earlier(row: Row) -> str:
    """What was said before the last question; "" where it is the first."""
    names = {role: phrase(f"training.data_role.{role}") for role in ("system", "user", "assistant")}
    said = "\n".join(
        phrase("training.who_text", who=names[message.role], text=message.text) for message in row.messages[:-2]
    )
    return said if len(said) <= _BEFORE_CHARACTERS else said[: _BEFORE_CHARACTERS - 1] + "…"


def time_left(seconds: float) -> str:
    minutes = max(1, math.ceil(seconds / 60))
    if minutes < 60:
        return phrase("training.about_m_min_left", m=minutes)
    words = phrase("training.about_h_h_m_min")
    return words.format(h=minutes // 60, m=minutes % 60)


def flaw(code: str) -> str:
    """`code`: of `quality.CODES`, or of a likeness."""
    words = phrase(f"training.data_found.{code}")
    return words[:1].upper() + words[1:]


def personal(kinds: Sequence[str]) -> str:
    """`kinds`: of `personal.KINDS`."""
    names = {
        "name": phrase("training.name"),
        "birthday": phrase("training.date_of_birth"),
        "postal_code": phrase("training.postal_code"),
        "address": phrase("training.address"),
        "phone": phrase("training.telephone_number"),
        "mail": phrase("training.mail_address"),
        "my_number": phrase("training.my_number"),
        "card": phrase("training.card_number"),
        "account": phrase("training.account_number"),
    }
    what = phrase("common.data_gap").join(names[kind] for kind in kinds)
    return phrase("training.may_be_personal_data_what", what=what)
