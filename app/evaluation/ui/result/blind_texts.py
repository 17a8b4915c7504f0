"""Build the texts of the blind comparison: votes, its result and the agreement with the judge."""

from app.base.wording import phrase
from app.evaluation.judge.paired_statistics import LEAST_DECIDED
from app.evaluation.report.blind import LEAST_ANSWERS, BlindOutcome, BlindPairing, JudgeAgreement, Vote, rate_text
from app.uikit.untrusted_text import make_harmless


def vote(kind: Vote) -> str:
    return {
        "a_better": phrase("evaluation.blind_vote.a_better"),
        "b_better": phrase("evaluation.blind_vote.b_better"),
        "same": phrase("evaluation.about_equal"),
        "both_wrong": phrase("evaluation.both_wrong"),
    }[kind]


def progress(done: int, count: int) -> str:
    return phrase("evaluation.a_of_b", a=f"{done:,}", b=f"{count:,}")


def questions(pairing: BlindPairing) -> str:
    count, equal = f"{len(pairing.pairs):,}", f"{pairing.equal:,}"
    if not pairing.equal:
        return phrase("evaluation.questions_to_compare_n", n=count)
    text = phrase("evaluation.questions_to_compare_n_left")
    return text.format(n=count, equal=equal)


def status(done: int, count: int, *, is_revealed: bool) -> str:
    """Return a text on the progress; "" before the first vote."""
    if not done:
        return ""
    text = phrase("evaluation.decided_a_of_b")
    if is_revealed and done < count:
        text = phrase("evaluation.decided_a_of_b_the")
    return text.format(a=f"{done:,}", b=f"{count:,}")


def name(text: str) -> str:
    """Return a system's name on one line without harmful characters, because users choose it."""
    return make_harmless(text).replace("\n", " ")


# ------------------------------------------------------------------------- result


def verdict(outcome: BlindOutcome) -> str:
    names = {"first": name(outcome.first.name), "second": name(outcome.second.name)}
    match outcome.verdict:
        case "few":
            text = phrase("evaluation.one_of_both_was_chosen")
            return text.format(n=f"{outcome.decided:,}", least=LEAST_DECIDED)
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
    mean, low, high = (
        _signed(value) for value in (outcome.difference.mean, outcome.difference.low, outcome.difference.high)
    )
    text = phrase("evaluation.difference_of_preference_d_95")
    names = {"first": name(outcome.first.name), "second": name(outcome.second.name)}
    told = text.format(d=mean, lo=low, hi=high, **names)
    if outcome.second_rate is None:
        return told
    rate = phrase(
        "common.name_value",
        name=phrase("evaluation.win_rate_of", name=names["second"]),
        value=rate_text(outcome.second_rate),
    )
    return f"{told}\n{rate}"


def when_open(count: int) -> str:
    text = phrase("evaluation.n_of_them_were_chosen")
    return text.format(n=f"{count:,}")


def votes_left_text(count: int) -> str:
    return phrase("evaluation.left_to_decide_n", n=f"{count:,}") if count else ""


# -------------------------------------------------------------------------- judge


def agreement(judge_agreement: JudgeAgreement) -> str:
    if not judge_agreement.has_judge:
        return phrase("evaluation.there_is_no_judge_so")
    if judge_agreement.most < LEAST_ANSWERS:
        text = phrase("evaluation.there_is_no_agreement_only")
        return text.format(n=f"{judge_agreement.most:,}")
    if judge_agreement.missing_votes:
        text = phrase("evaluation.agreement_with_the_judge_appears")
        return text.format(n=judge_agreement.missing_votes)
    facts = {"n": f"{judge_agreement.n:,}", "same": f"{judge_agreement.same_votes:,}"}
    if judge_agreement.kappa is None:
        text = phrase("evaluation.you_and_the_judge_chose")
        return text.format(**facts)
    text = phrase("evaluation.agreement_with_the_judge_is")
    return text.format(k=_plain(judge_agreement.kappa), **facts)


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "\u2212")


def _plain(value: float) -> str:
    return f"{value:.2f}".replace("-", "\u2212")
