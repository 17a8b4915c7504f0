"""What became of an imported file, in sentences for people."""

from app.base.wording import current_language, phrase
from app.chat.exchange.importing import Imported
from app.chat.exchange.json_file import Refusal


def headline(result: Imported) -> str:
    return phrase("import_new", count=result.imported) if result.imported else phrase("import_none")


def remarks(result: Imported) -> str:
    """What else there is to say; "" when nothing. Copies come first: they are among those of the headline."""
    counts = (
        ("import_copies", result.copies),
        ("import_checked", result.checked),
        ("import_unchecked", result.unchecked),
        ("import_ratings", result.ratings),
        ("import_refused", len(result.refused)),
        ("import_there", result.already_there),
        ("import_binned", result.in_bin),
    )
    sentences = [phrase(key, count=count) for key, count in counts if count]
    return ("" if current_language() == "ja" else " ").join(sentences)


def refusal(refused: Refusal) -> str:
    """Which conversation was refused, and why, in one line."""
    reason = phrase(f"refused_{refused.reason}")
    if refused.at:
        reason = phrase("refused_at", at=refused.at, reason=reason)
    key = "refused_line" if refused.title else "refused_line_untitled"
    return phrase(key, number=refused.number, title=refused.title, reason=reason)
