"""How an answer came about, in words: for everybody the time it took, for those who want it all of it."""

from PySide6.QtCore import QCoreApplication

from app.chat import answer_origin
from app.chat.records import AnswerDetails
from app.uikit.language import joined

translate = QCoreApplication.translate


def brief(details: AnswerDetails) -> str:
    """「8.2 秒」, or nothing before it is known; and where it was computed, if that was not here."""
    return joined(_seconds(details) if details.total_s > 0 else "", _remote(details))


def lines(details: AnswerDetails) -> list[str]:
    """Every known fact, one each."""
    seconds = _seconds(details) if details.total_s > 0 else ""
    facts = [seconds, _speed(details), answer_origin.model(details), _remote(details)]
    if details.answer_tokens:
        facts.append(translate("AnswerFacts", "{n} トークン").format(n=f"{details.answer_tokens:,}"))
    if details.stop_reason:
        facts.append(translate("AnswerFacts", "終わり：{reason}").format(reason=stop_words(details.stop_reason)))
    if details.grounding is not None and details.grounding.by_meaning:
        facts.append(searched_words(details.grounding.by_meaning))
    if details.seed is not None:
        facts.append(translate("AnswerFacts", "乱数 {seed}").format(seed=details.seed))
    return [fact for fact in facts if fact]


def line(details: AnswerDetails) -> str:
    return translate("AnswerFacts", "・").join(lines(details))


def comparison(details: AnswerDetails) -> str:
    """What a repetition has shown."""
    if details.is_same and details.is_part:
        return translate("AnswerFacts", "前の回答が止まったところまでは、同じ文章です。")
    if details.is_same:
        return translate("AnswerFacts", "前の回答と同じ文章です。")
    return translate(
        "AnswerFacts",
        "前の回答と違う文章です。モデルや設定が同じでも、PC の状態で計算の順序が変わることがあります。"
        "下の ‹ › で見比べられます。",
    )


def stop_words(reason: str) -> str:
    """Why the text ends where it ends. An unknown reason (a newer program's) is given as it is."""
    return {
        "end": translate("AnswerFacts", "自然な終わり"),
        "stop": translate("AnswerFacts", "自然な終わり"),
        "length": translate("AnswerFacts", "長さの上限"),
        "context": translate("AnswerFacts", "文脈の上限"),
        "cancelled": translate("AnswerFacts", "途中で停止"),
        "interrupted": translate("AnswerFacts", "Kotae の終了"),
        "failed": translate("AnswerFacts", "エラー"),
    }.get(reason, reason)


def searched_words(by_meaning: str) -> str:
    """How documents were searched, where an embedding model is installed."""
    if by_meaning == "used":
        return translate("AnswerFacts", "言葉と意味で検索")
    return translate("AnswerFacts", "言葉だけで検索（意味検索が間に合わず）")


# What ended an answer before anything was sent (`app.chat.services.answer_run`).
_REFUSED_HERE = frozenset(("remote_secret", "remote_not_agreed"))


def _remote(details: AnswerDetails) -> str:
    """Whom question and passages were sent to; "" where they stayed here."""
    place = "" if details.error_code in _REFUSED_HERE else answer_origin.machine(details)
    return translate("AnswerFacts", "外部へ送信：{place}").format(place=place) if place else ""


def _seconds(details: AnswerDetails) -> str:
    return translate("AnswerFacts", "{s} 秒").format(s=f"{details.total_s:.1f}")


def _speed(details: AnswerDetails) -> str:
    """Of an answer with several tokens: the time of one alone says nothing."""
    return f"{details.tokens_per_s:.1f} tok/s" if details.tokens_per_s > 0 and details.answer_tokens > 1 else ""
