"""What the blind comparison says of votes, of its result and of the judge."""

from PySide6.QtCore import QCoreApplication

from app.evaluation.judge.comparing import LEAST_DECIDED
from app.evaluation.report.blind import LEAST_ANSWERS, Agreement, Outcome, Pairing
from app.evaluation.report.blind_file import Vote
from app.uikit.characters import harmless

translate = QCoreApplication.translate


def vote(kind: Vote) -> str:
    return {
        "a_better": translate("Blind", "A が良い"),
        "b_better": translate("Blind", "B が良い"),
        "same": translate("Blind", "同じくらい"),
        "both_wrong": translate("Blind", "どちらも誤り"),
    }[kind]


def progress(done: int, count: int) -> str:
    return translate("Blind", "{a}／{b} 問").format(a=f"{done:,}", b=f"{count:,}")


def questions(pairing: Pairing) -> str:
    count, equal = f"{len(pairing.pairs):,}", f"{pairing.equal:,}"
    if not pairing.equal:
        return translate("Blind", "比べる問いは {n} 問です。").format(n=count)
    told = translate("Blind", "比べる問いは {n} 問です。回答が同じ {equal} 問は除きます。")
    return told.format(n=count, equal=equal)


def standing(done: int, count: int, *, is_revealed: bool) -> str:
    """Nothing where nothing was chosen yet."""
    if not done:
        return ""
    told = translate("Blind", "{a}／{b} 問を選び終えています。")
    if is_revealed and done < count:
        told = translate("Blind", "{a}／{b} 問を選び終え、結果を表示済みです。")
    return told.format(a=f"{done:,}", b=f"{count:,}")


def name(text: str) -> str:
    """Of a system: people give it."""
    return harmless(text).replace("\n", " ")


# ------------------------------------------------------------------------- result


def verdict(found: Outcome) -> str:
    names = {"first": name(found.first.name), "second": name(found.second.name)}
    match found.verdict:
        case "few":
            told = translate(
                "Blind", "名前を見る前にどちらかを選んだのが {n} 問なので、判断できません（{least} 問以上が必要です）。"
            )
            return told.format(n=f"{found.decided:,}", least=LEAST_DECIDED)
        case "unclear":
            return translate("Blind", "どちらが良いとは言い切れません。差は誤差の範囲です。")
        case _:
            return translate("Blind", "「{name}」のほうが多く選ばれました。").format(name=names[found.verdict])


def difference(found: Outcome) -> str:
    """Nothing of too few votes, nor of an interval that would say more than the verdict."""
    is_surer = found.difference is not None and found.verdict == "unclear" and not found.difference.holds_zero
    if found.difference is None or found.verdict == "few" or is_surer:
        return ""
    mean, low, high = (_signed(value) for value in (found.difference.mean, found.difference.low, found.difference.high))
    told = translate(
        "Blind",
        "選ばれ方の差 {d}、95\u00a0% 区間 {lo} 〜 {hi}。"
        "+1 は毎回「{second}」、−1 は毎回「{first}」が選ばれたことを表します。",
    )
    names = {"first": name(found.first.name), "second": name(found.second.name)}
    return told.format(d=mean, lo=low, hi=high, **names)


def when_open(count: int) -> str:
    told = translate("Blind", "このうち {n} 問は、構成の名前を表示したあとに選んだので、判断に入れていません。")
    return told.format(n=f"{count:,}")


def left(count: int) -> str:
    return translate("Blind", "まだ {n} 問残っています。").format(n=f"{count:,}") if count else ""


# -------------------------------------------------------------------------- judge


def agreement(found: Agreement) -> str:
    if not found.has_judge:
        return translate("Blind", "採点モデルがないので、一致（κ）は計算できません。")
    if found.most < LEAST_ANSWERS:
        told = translate(
            "Blind",
            "名前を見る前に選べて、採点モデルの点もある問いが {n} 問しかなく、30 問に満たないため、"
            "一致（κ）は計算できません。",
        )
        return told.format(n=f"{found.most:,}")
    if found.wanting:
        told = translate("Blind", "採点モデルとの一致（κ）は 30 問から表示します。あと {n} 問です。")
        return told.format(n=found.wanting)
    facts = {"n": f"{found.n:,}", "same": f"{found.same:,}"}
    if found.kappa is None:
        told = translate(
            "Blind", "採点モデルとは {n} 問すべてで同じ選び方でした。選び方が 1 通りなので、κ は計算できません。"
        )
        return told.format(**facts)
    told = translate(
        "Blind",
        "採点モデルとの一致（κ）は {k} です（1 は完全な一致、0 は偶然と同じ程度）。"
        "{n} 問中 {same} 問で同じ選び方でした。",
    )
    return told.format(k=_plain(found.kappa), **facts)


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "\u2212")


def _plain(value: float) -> str:
    return f"{value:.2f}".replace("-", "\u2212")
