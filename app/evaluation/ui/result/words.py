"""Numbers and names of the results of an evaluation."""

from PySide6.QtCore import QCoreApplication

from app.evaluation.report.result_shown import ResultShown, Span

translate = QCoreApplication.translate

NONE = "—"
# Of a verdict: icon and tone. "" has a sign of its own.
VERDICTS = {
    "better": ("circle-check", "success"),
    "worse": ("circle-x", "danger"),
    "unclear": ("", "text2"),
    "few": ("info", "text2"),
}


def tab(kind: str) -> str:
    """`kind`: of a study."""
    return {
        "documents": translate("EvaluationResult", "資料と学習の比較"),
        "questions": translate("EvaluationResult", "モデルの比較"),
        "bases": translate("EvaluationResult", "土台のモデル"),
        "quantizations": translate("EvaluationResult", "量子化"),
        "scale": translate("EvaluationResult", "学習量"),
        "judge": translate("EvaluationResult", "採点モデル"),
    }[kind]


def number(value: float | None, digits: int) -> str:
    return NONE if value is None else f"{value:,.{digits}f}"


def points_of(value: float | None) -> str:
    """Of one question: mostly a whole number."""
    return NONE if value is None else f"{value:.2f}".rstrip("0").rstrip(".")


def signed(value: float, digits: int) -> str:
    text = f"{value:+,.{digits}f}".replace("-", "\u2212")
    return text if text.strip("+\u22120.,") else text.lstrip("+\u2212")  # no +0.00


def between(low: str, high: str) -> str:
    return translate("EvaluationResult", "{low}〜{high}").format(low=low, high=high)


def span(found: Span | None, digits: int) -> str:
    return between(number(found.low, digits), number(found.high, digits)) if found is not None else NONE


def signed_span(found: Span | None, digits: int) -> str:
    if found is None:
        return NONE
    return translate("EvaluationResult", "{low} 〜 {high}").format(
        low=signed(found.low, digits), high=signed(found.high, digits)
    )


def percent(share: float | None) -> str:
    return NONE if share is None else f"{100 * share:.0f}\u00a0%"


def gigabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e9:.2f}\u00a0GB" if size_bytes else NONE


def share(found: tuple[int, int] | None) -> str:
    if found is None:
        return NONE
    return translate("EvaluationResult", "{a}／{b}").format(a=f"{found[0]:,}", b=f"{found[1]:,}")


def interval() -> str:
    return translate("EvaluationResult", "95\u00a0% 区間")


def verdict(key: str) -> str:
    return {
        "better": translate("EvaluationResult", "良い"),
        "worse": translate("EvaluationResult", "悪い"),
        "unclear": translate("EvaluationResult", "誤差の範囲"),
        "few": translate("EvaluationResult", "問数不足"),
    }[key]


def measured_by(found: ResultShown) -> str:
    """How the means come about, and how their lines are to be read, where there are any."""
    if found.measure == "judge":
        scale = translate("EvaluationResult", "採点 0〜3。")
    else:
        scale = translate("EvaluationResult", "得点 0〜1：必ず含む語が入っていた割合。なければ模範解答との近さ。")
    if any(one.span for one in found.systems):
        said = translate("EvaluationResult", "横線は 95\u00a0% 区間（ブートストラップ {n} 回、問いを単位）")
        lines = said.format(n=f"{found.resamples:,}")
    else:
        said = translate("EvaluationResult", "{n} 問に満たないので、95\u00a0% 区間は示しません。")
        lines = said.format(n=found.least_units)
    return translate("EvaluationResult", "{scale}{lines}").format(scale=scale, lines=lines)


def use() -> str:
    return translate("EvaluationResult", "この組み合わせを質問で使う")


def points(found: ResultShown) -> tuple[str, ...]:
    """Of the parts of a bar, from the left."""
    if found.has_judged_counts:
        return tuple(translate("EvaluationResult", "{n} 点").format(n=score) for score in range(4))
    return (
        "0",
        translate("EvaluationResult", "0.5 未満"),
        translate("EvaluationResult", "1 未満"),
        translate("EvaluationResult", "1（満点）"),
    )
