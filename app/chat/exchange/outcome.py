"""What became of an imported file, in sentences for people."""

from app.base.wording import current_language, phrase
from app.chat.exchange.importing import Imported
from app.chat.exchange.json_file import Refusal


def headline(result: Imported) -> str:
    return phrase("chat.import_new", count=result.imported) if result.imported else phrase("chat.import_none")


def remarks(result: Imported) -> str:
    """What else there is to say; "" when nothing. Copies come first: they are among those of the headline."""
    counts = (
        ("chat.import_copies", result.copies),
        ("chat.import_checked", result.checked),
        ("chat.import_unchecked", result.unchecked),
        ("chat.import_ratings", result.ratings),
        ("chat.import_refused", len(result.refused)),
        ("chat.import_there", result.already_there),
        ("chat.import_binned", result.in_bin),
    )
    sentences = [phrase(key, count=count) for key, count in counts if count]
    return ("" if current_language() == "ja" else " ").join(sentences)


def refusal(refused: Refusal) -> str:
    """Which conversation was refused, and why, in one line."""
    reason = phrase(f"common.refused_{refused.reason}")
    if refused.at:
        reason = phrase("common.refused_at", at=refused.at, reason=reason)
    key = "common.refused_line" if refused.title else "common.refused_line_untitled"
    return phrase(key, number=refused.number, title=refused.title, reason=reason)
