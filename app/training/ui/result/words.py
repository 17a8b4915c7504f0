"""What the gate has measured, in words."""

from typing import Any

from PySide6.QtCore import QCoreApplication

from app.base import wording
from app.base.bootstrap import Interval
from app.training.gate import BASE_ADAPTER
from app.training.result_view import LENGTHS, OTHER, Categories, Condition, Flaw, Kind
from app.uikit.language import noted
from app.uikit.phrases import percent

translate = QCoreApplication.translate

LEVELS = {
    "passed": ("circle-check", "success"),
    "check": ("triangle-alert", "warning"),
    "reject": ("circle-x", "danger"),
}
KINDS: dict[Kind, tuple[str, str]] = {
    "worse": ("triangle-alert", "warning"),
    "same": ("info", "text2"),
    "better": ("circle-check", "success"),
}


def signed(value: float) -> str:
    """Nats a token; less is better."""
    return f"{value:+.3f}".replace("-", "\u2212")


def interval(change: Interval) -> str:
    low, high = signed(change.low), signed(change.high)
    return translate("Result", "差 {d}、95\u00a0% 区間 {lo} 〜 {hi}").format(d=signed(change.mean), lo=low, hi=high)


def between(low: str, high: str) -> str:
    return translate("Result", "{lo} 〜 {hi}").format(lo=low, hi=high)


def size(size_bytes: int) -> str:
    return wording.size(size_bytes).replace(" ", "\u00a0")


def verdict(kind: str) -> str:
    """`kind`: adopt | check | reject."""
    return {
        "adopt": translate("Result", "採用"),
        "check": translate("Result", "要確認"),
        "reject": translate("Result", "不採用"),
    }[kind]


def level(kind: str) -> str:
    """Of one condition."""
    return {
        "passed": translate("Result", "合格"),
        "check": translate("Result", "要確認"),
        "reject": translate("Result", "不合格"),
    }[kind]


def form(name: str) -> str:
    if name == BASE_ADAPTER:
        return translate("Result", "元のモデル＋アダプター")
    return translate("Result", "組み込み済み {form}").format(form=name)


def change_kind(kind: Kind) -> str:
    return {
        "worse": translate("Result", "悪くなった"),
        "same": translate("Result", "変わらない"),
        "better": translate("Result", "良くなった"),
    }[kind]


def flaw(kind: Flaw) -> str:
    """Of an answer."""
    return {
        "": "",
        "limit": translate("Result", "途中で打ち切り"),
        "empty": translate("Result", "回答なし"),
        "looping": translate("Result", "同じ文の繰り返し"),
    }[kind]


def category_title(found: Categories) -> str:
    return {
        "category": translate("Result", "分野別の損失（小さいほど良い）"),
        "group": translate("Result", "グループ別の損失（小さいほど良い）"),
        "length": translate("Result", "回答の長さ別の損失（小さいほど良い）"),
    }.get(found.by, "")


def category(name: str) -> str:
    if name not in (OTHER, *LENGTHS):
        return name
    return {
        OTHER: translate("Result", "その他"),
        "short": translate("Result", "短い回答"),
        "middle": translate("Result", "中くらいの回答"),
        "long": translate("Result", "長い回答"),
    }[name]


# --------------------------------------------------------------------- conditions


def condition(found: Condition) -> tuple[str, str, str]:
    """What it is about, what is asked of it, and what was found."""
    facts = found.facts
    return _name(found.code, facts), _wanted(found.code, facts), _found(found.code, facts)


def _name(code: str, facts: dict[str, Any]) -> str:
    named = {
        "training": translate("Result", "正解文の損失（学習の効果）"),
        "form": translate("Result", "正解文の損失（使う形）"),
        "shipped": translate("Result", "正解文の損失（付属のアダプターと比べて）"),
        "examples": translate("Result", "判定に使った件数"),
        "ended": translate("Result", "自分で書き終えた回答"),
        "looping": translate("Result", "同じ文を繰り返す回答"),
        "japanese": translate("Result", "日本語の割合"),
        "ids": translate("Result", "書式の一致（トークン列）"),
        "export": translate("Result", "書き出しによる損失の増加"),
        "merge": translate("Result", "組み込みによる損失の変化"),
        "loss": translate("Result", "使う形にしたときの損失の増加"),
        "memory": translate("Result", "必要なメモリ"),
    }[code]
    return noted(named, facts["form"]) if code == "loss" else named


def _wanted(code: str, facts: dict[str, Any]) -> str:
    most = f"{facts.get('most', 0):.3f}"
    limit = percent(facts.get("limit", 0))
    match code:
        case "training" | "form" | "shipped":
            return translate("Result", "下がる（区間の上限が 0 未満）")
        case "examples":
            return translate("Result", "{n} 件以上").format(n=facts["least"])
        case "ended":
            return translate("Result", "{p} 以上").format(p=limit)
        case "looping":
            return translate("Result", "{p} 以下").format(p=limit)
        case "japanese" if facts["reference"] is not None:
            told = translate("Result", "お手本（{p}）との差が {n} ポイント以内")
            return told.format(p=percent(facts["reference"]), n=round(facts["limit"] * 100))
        case "japanese":
            return translate("Result", "お手本より大きく下がらない")
        case "ids":
            return translate("Result", "すべて一致")
        case "merge":
            return translate("Result", "±{most} 以内").format(most=most)
        case "memory":
            return translate("Result", "空き {size} 以内").format(size=size(facts["available_bytes"]))
        case _:
            return translate("Result", "{most} 以下").format(most=most)


def _found(code: str, facts: dict[str, Any]) -> str:
    match code:
        case "training" | "form":
            return f"{facts['before']:.3f} → {facts['after']:.3f}\n{interval(facts['change'])}"
        case "shipped":
            return interval(facts["change"])
        case "examples":
            return translate("Result", "{n} 件").format(n=f"{facts['count']:,}")
        case "ended" | "looping" | "japanese":
            return percent(facts["share"]) if facts["share"] is not None else translate("Result", "未測定")
        case "ids" if facts["total"]:
            return translate("Result", "{a}／{b}").format(a=facts["equal"], b=facts["total"])
        case "ids":
            return translate("Result", "未測定")
        case "memory":
            return size(facts["need_bytes"])
        case _:
            return signed(facts["loss_nats"])
