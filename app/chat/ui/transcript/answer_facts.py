"""How an answer came about, in words: for everybody the time it took, for those who want it all of it."""

from app.base.wording import phrase
from app.chat import answer_origin
from app.chat.records import AnswerDetails
from app.uikit.localization import join_facts


def brief(details: AnswerDetails) -> str:
    """「8.2 秒」, or nothing before it is known; and where it was computed, if that was not here."""
    return join_facts(_seconds(details) if details.total_s > 0 else "", _remote(details))


def lines(details: AnswerDetails) -> list[str]:
    """Every known fact, one each."""
    seconds = _seconds(details) if details.total_s > 0 else ""
    facts = [seconds, _speed(details), answer_origin.model(details), _remote(details)]
    if details.answer_tokens:
        facts.append(phrase("common.n_tokens", n=f"{details.answer_tokens:,}"))
    if details.stop_reason:
        facts.append(phrase("chat.ended_reason", reason=stop_words(details.stop_reason)))
    if details.grounding is not None and details.grounding.by_meaning:
        facts.append(searched_words(details.grounding.by_meaning))
    if details.seed is not None:
        facts.append(phrase("chat.seed_seed", seed=details.seed))
    return [fact for fact in facts if fact]


def line(details: AnswerDetails) -> str:
    return phrase("chat.symbol_3").join(lines(details))


def comparison(details: AnswerDetails) -> str:
    """What a repetition has shown."""
    if details.is_same and details.is_part:
        return phrase("chat.the_same_text_as_before")
    if details.is_same:
        return phrase("chat.the_text_is_the_same")
    return phrase("chat.the_text_differs_from_before")


def stop_words(reason: str) -> str:
    """Why the text ends where it ends. An unknown reason (a newer program's) is given as it is."""
    return {
        "end": phrase("chat.by_itself"),
        "stop": phrase("chat.by_itself"),
        "length": phrase("chat.length_limit"),
        "context": phrase("chat.context_limit"),
        "cancelled": phrase("chat.stopped"),
        "interrupted": phrase("chat.kotae_ended"),
        "failed": phrase("chat.an_error"),
    }.get(reason, reason)


def searched_words(by_meaning: str) -> str:
    """How documents were searched, where an embedding model is installed."""
    if by_meaning == "used":
        return phrase("chat.searched_by_words_and_meaning")
    return phrase("chat.searched_by_words_alone_meaning")


# What ended an answer before anything was sent (`app.chat.services.answer_run`).
_REFUSED_HERE = frozenset(("remote_secret", "remote_not_agreed"))


def _remote(details: AnswerDetails) -> str:
    """Whom question and passages were sent to; "" where they stayed here."""
    place = "" if details.error_code in _REFUSED_HERE else answer_origin.machine(details)
    return phrase("chat.sent_to_place", place=place) if place else ""


def _seconds(details: AnswerDetails) -> str:
    return phrase("common.s_s", s=f"{details.total_s:.1f}")


def _speed(details: AnswerDetails) -> str:
    """Of an answer with several tokens: the time of one alone says nothing."""
    return f"{details.tokens_per_s:.1f} tok/s" if details.tokens_per_s > 0 and details.answer_tokens > 1 else ""
