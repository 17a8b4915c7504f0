"""What a preset says in one line, and what each number does: for people who never heard of sampling."""

from dataclasses import dataclass

from PySide6.QtCore import QCoreApplication

from app.chat.presets import Choices, Preset
from app.uikit.language import joined

translate = QCoreApplication.translate


@dataclass(frozen=True, slots=True)
class Number:
    """A number of `Choices`: how its field steps, and whether it shows in 詳細 only."""

    key: str
    step: float
    decimals: int
    is_detail: bool = True


NUMBERS = (
    Number("temperature", 0.1, 2, is_detail=False),
    Number("max_tokens", 128, 0, is_detail=False),
    Number("top_k", 10, 0),
    Number("top_p", 0.05, 3),
    Number("min_p", 0.01, 3),
    Number("repeat_penalty", 0.05, 2),
    Number("seed", 1, 0),
)


def label(key: str) -> str:
    return {
        "system_prompt": translate("Presets", "システムプロンプト"),
        "temperature": translate("Presets", "温度"),
        "max_tokens": translate("Presets", "回答の最大の長さ"),
        "top_k": translate("Presets", "候補の数（top_k）"),
        "top_p": translate("Presets", "候補の範囲（top_p）"),
        "min_p": translate("Presets", "候補の下限（min_p）"),
        "repeat_penalty": translate("Presets", "繰り返しの抑制"),
        "seed": translate("Presets", "乱数の種"),
    }[key]


def help_sentence(key: str) -> str:
    """What the setting does and when to change it."""
    return {
        "system_prompt": translate(
            "Presets", "質問の前に、いつもモデルに渡す指示です。立場、文体、書式などを決めておきたいときに書きます。"
        ),
        "temperature": translate(
            "Presets",
            "言葉の選び方の幅です。事実や数値を尋ねるときは 0〜0.3 に下げると、毎回ほぼ同じ堅実な回答になります。"
            "案を多く出したいときは 0.8〜1 に上げます。",
        ),
        "max_tokens": translate(
            "Presets",
            "回答をここで打ち切ります。単位のトークンは、日本語ではおよそ 1 文字です。"
            "回答が途中で切れるときは増やし、短くて足りるときは減らします。",
        ),
        "top_k": translate(
            "Presets",
            "次の言葉を、有力な順に何個の候補から選ぶかです。ふつうは変えません。"
            "話がそれやすいときに 10〜20 に減らします。0 では制限しません。",
        ),
        "top_p": translate(
            "Presets",
            "有力な候補から順に、確率の合計がこの値になるまでを選ぶ対象にします。ふつうは変えません。"
            "話がそれやすいときに 0.7〜0.8 に下げます。1 では制限しません。",
        ),
        "min_p": translate(
            "Presets",
            "いちばん有力な候補と比べて、確率がこの割合に満たないものを捨てます。"
            "おかしな言葉が混ざるときに 0.1 ほどに上げます。0 では捨てません。",
        ),
        "repeat_penalty": translate(
            "Presets",
            "すでに書いた言葉を、どれだけ選びにくくするかです。同じ文を繰り返すときに 1.05〜1.15 に上げます。"
            "上げすぎると言葉が不自然になります。1 では何もしません。",
        ),
        "seed": translate(
            "Presets",
            "言葉を選ぶときのくじの番号です。番号を決めると、同じ質問、同じ設定で同じ回答になります。"
            "比べて試すときに使います。",
        ),
    }[key]


def unit(key: str) -> str:
    return translate("Presets", " トークン") if key == "max_tokens" else ""


def shown(number: float | None) -> str:
    """A number as its field shows it."""
    if number is None:
        return translate("Presets", "毎回変わる")
    return f"{round(number, 3):g}" if isinstance(number, float) else str(number)


def summary(preset: Preset) -> str:
    """One line: the numbers that are chosen, then the beginning of what the model is told."""
    told = preset.request if preset.kind == "action" else (preset.choices.system_prompt or "")
    facts = [_fact(number.key, getattr(preset.choices, number.key)) for number in NUMBERS]
    if preset.choices.system_prompt == "":
        facts.insert(0, translate("Presets", "指示なし"))
    words = joined(*facts, " ".join(told.split()))
    return words or translate("Presets", "すべてモデルの推奨どおり")


def names(choices: Choices) -> str:
    """The settings that are chosen, in words."""
    return translate("Presets", "、").join(label(key) for key in choices.as_dict())


def _fact(key: str, number: float | None) -> str:
    if number is None:
        return ""
    if key == "max_tokens":
        return translate("Presets", "最大 {n} トークン").format(n=f"{number:,}")
    return f"{label(key)} {shown(number)}"
