"""Build the texts of the blind comparison: votes, its result and the agreement with the judge."""

from app.base.wording import phrase
from app.evaluation.judge.paired_statistics import LEAST_DECIDED
from app.evaluation.report.blind import LEAST_ANSWERS, BlindOutcome, BlindPairing, JudgeAgreement, rate_text
from app.evaluation.ui import result_texts
from app.uikit.untrusted_text import make_harmless


def progress(done: int, count: int) -> str:
    return phrase("evaluation.a_of_b", a=f"{done:,}", b=f"{count:,}")


def questions(pairing: BlindPairing) -> str:
    count, equal = f"{len(pairing.pairs):,}", f"{pairing.equal:,}"
    if not pairing.equal:
        return phrase("evaluation.questions_to_compare_n", n=count)
    return phrase("evaluation.questions_to_compare_n_left", n=count, equal=equal)


def status(done: int, count: int, *, is_revealed: bool) -> str:
    """Return a text on the progress; "" before the first vote."""
    if not done:
        return ""
    key = "evaluation.decided_a_of_b_the" if is_revealed and done < count else "evaluation.decided_a_of_b"
    return phrase(key, a=f"{done:,}", b=f"{count:,}")


def name(text: str) -> str:
    """Return a system's name on one line without harmful characters, because users choose it."""
    return make_harmless(text).replace("\n", " ")


# ------------------------------------------------------------------------- result


def verdict(outcome: BlindOutcome) -> str:
    names = {"first": name(outcome.first.name), "second": name(outcome.second.name)}
    match outcome.verdict:
        case "few":
            return phrase("evaluation.one_of_both_was_chosen", n=f"{outcome.decided:,}", least=LEAST_DECIDED)
        case "unclear":
            return phrase("evaluation.neither_is_clearly_better_the")
        case _:
            return phrase("evaluation.name_was_chosen_more_often", name=names[outcome.verdict])


def difference(outcome: BlindOutcome) -> str:
    """Return a text on the difference with its interval; "" if the text would mislead.

    It would mislead with too few votes, or if the interval excludes 0 although the verdict is unclear.
    """
    is_surer = outcome.difference is not None and outcome.verdict == "unclear" and not outcome.difference.holds_zero
    if outcome.difference is None or outcome.verdict == "few" or is_surer:
        return ""
    ends = (outcome.difference.mean, outcome.difference.low, outcome.difference.high)
    mean, low, high = (result_texts.signed(value, 2) for value in ends)
    names = {"first": name(outcome.first.name), "second": name(outcome.second.name)}
    told = phrase("evaluation.difference_of_preference_d_95", d=mean, lo=low, hi=high, **names)
    if outcome.second_rate is None:
        return told
    rate = phrase(
        "common.name_value",
        name=phrase("evaluation.win_rate_of", name=names["second"]),
        value=rate_text(outcome.second_rate),
    )
    return f"{told}\n{rate}"


def when_open(count: int) -> str:
    return phrase("evaluation.n_of_them_were_chosen", n=f"{count:,}")


def votes_left_text(count: int) -> str:
    return phrase("evaluation.left_to_decide_n", n=f"{count:,}") if count else ""


# -------------------------------------------------------------------------- judge


def agreement(judge_agreement: JudgeAgreement) -> str:
    if not judge_agreement.has_judge:
        return phrase("evaluation.there_is_no_judge_so")
    if judge_agreement.most < LEAST_ANSWERS:
        return phrase("evaluation.there_is_no_agreement_only", n=f"{judge_agreement.most:,}")
    if judge_agreement.missing_votes:
        return phrase("evaluation.agreement_with_the_judge_appears", n=judge_agreement.missing_votes)
    facts = {"n": f"{judge_agreement.n:,}", "same": f"{judge_agreement.same_votes:,}"}
    if judge_agreement.kappa is None:
        return phrase("evaluation.you_and_the_judge_chose", **facts)
    return phrase("evaluation.agreement_with_the_judge_is", k=_plain(judge_agreement.kappa), **facts)


def _plain(value: float) -> str:
    return f"{value:.2f}".replace("-", "\u2212")
