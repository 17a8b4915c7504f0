"""Presets and settings in words: what each is, in one sentence for somebody who has never trained a model."""

from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QCoreApplication

from app.training import problems
from trainer import spec

translate = QCoreApplication.translate

CARDS = ("light", "standard", "thorough")
PAPER = "paper-2603.18037"


@dataclass(frozen=True, slots=True)
class Number:
    """How a field of `trainer.spec.RunSpec` is typed; its limits are the spec's."""

    key: str
    step: float
    decimals: int = 0


NUMBERS = (
    Number("rank", 8), Number("alpha", 8), Number("dropout", 0.05, 2), Number("learning_rate", 0.00005, 6),
    Number("epochs", 0.5, 2), Number("micro_batch", 1), Number("accumulation", 1), Number("context_tokens", 128),
    Number("evaluations_per_epoch", 1), Number("patience", 1), Number("seed", 1),
)  # fmt: skip
CHOICES: dict[str, tuple[Any, ...]] = {
    "over_length": spec.OVER_LENGTH,
    "loss": spec.LOSSES,
    "precision": spec.PRECISIONS,
    "gradient_checkpointing": (True, False),
}
ORDER = (
    "rank", "alpha", "dropout", "learning_rate", "epochs", "micro_batch", "accumulation", "context_tokens",
    "over_length", "loss", "precision", "gradient_checkpointing", "evaluations_per_epoch", "patience", "seed",
    "samples",
)  # fmt: skip


def preset_sentence(name: str) -> str:
    return {
        "light": translate("TrainingModel", "データに効き目があるかを、短い時間で確かめます。"),
        "standard": translate("TrainingModel", "たいていのデータは、これで足ります。"),
        "thorough": translate("TrainingModel", "大きめの設定で、時間をかけて繰り返し学びます。"),
        PAPER: translate(
            "TrainingModel", "論文の学習をそのまま繰り返すための設定です。答えだけでなく、質問の文も学びます。"
        ),
    }[name]


def term(key: str) -> str:
    """What a setting is called."""
    names = {
        "rank": translate("TrainingModel", "LoRA のランク"),
        "alpha": translate("TrainingModel", "LoRA の alpha"),
        "dropout": translate("TrainingModel", "ドロップアウト"),
        "learning_rate": translate("TrainingModel", "学習率"),
        "epochs": translate("TrainingModel", "周回数の上限"),
        "micro_batch": translate("TrainingModel", "一度に計算する例"),
        "accumulation": translate("TrainingModel", "1 ステップの計算回数"),
        "context_tokens": translate("TrainingModel", "例の長さの上限"),
        "over_length": translate("TrainingModel", "長すぎる例"),
        "loss": translate("TrainingModel", "学習する範囲"),
        "precision": translate("TrainingModel", "土台の精度"),
        "gradient_checkpointing": translate("TrainingModel", "途中の値の再計算"),
        "evaluations_per_epoch": translate("TrainingModel", "1 周の検証回数"),
        "patience": translate("TrainingModel", "見切る回数"),
        "seed": translate("TrainingModel", "乱数の種"),
        "samples": translate("TrainingModel", "試しの質問"),
    }
    return names[key] if key in names else problems.setting_name(key)


def sentence(key: str) -> str:
    return {
        "rank": translate(
            "TrainingModel",
            "学習で書き足す部分の大きさです。大きいほど多くを覚えられますが、データが少ないと丸暗記になります。",
        ),
        "alpha": translate(
            "TrainingModel", "学習した分をどれだけ強く効かせるかです。ランクを変えるときも、そのままで構いません。"
        ),
        "dropout": translate(
            "TrainingModel", "わざと一部を休ませながら学び、丸暗記を防ぎます。データが少ないときに効きます。"
        ),
        "learning_rate": translate(
            "TrainingModel", "1 ステップで動かす大きさです。大きすぎると壊れ、小さすぎると身につきません。"
        ),
        "epochs": translate(
            "TrainingModel", "同じデータを何周まで学ぶかです。良くならなくなれば、その前に終わります。"
        ),
        "micro_batch": translate(
            "TrainingModel", "まとめて計算する例の数です。減らすと、必要なメモリが減って時間が延びます。"
        ),
        "accumulation": translate(
            "TrainingModel",
            "何回分の計算で 1 ステップ進むかです。一度に計算する例を半分にしたら、こちらを倍にします。",
        ),
        "context_tokens": translate(
            "TrainingModel", "学習に使う例の長さの上限です。1 トークンはおよそ 1〜2 文字で、長いほどメモリが要ります。"
        ),
        "over_length": translate(
            "TrainingModel", "上限より長い例をどうするかです。どれを選んでも、答えが途中で切れることはありません。"
        ),
        "loss": translate("TrainingModel", "どの語を覚えるかです。ふつうは、質問は読むだけにして、答えを学びます。"),
        "precision": translate(
            "TrainingModel", "土台のモデルを何ビットで読み込むかです。4 ビットなら、メモリが少なくて済みます。"
        ),
        "gradient_checkpointing": translate(
            "TrainingModel", "途中の値を取っておかず、要るときに計算し直します。メモリが減り、時間が延びます。"
        ),
        "evaluations_per_epoch": translate(
            "TrainingModel",
            "データを 1 周する間に、検証用のデータで確かめる回数です。0 にすると、いちばん良い時点を選べません。",
        ),
        "patience": translate("TrainingModel", "検証の結果が続けてこの回数だけ良くならなければ、そこで終えます。"),
        "seed": translate("TrainingModel", "例の並べ方などを決める番号です。同じ番号なら、同じ学習を繰り返せます。"),
        "samples": translate(
            "TrainingModel",
            "学習の途中で試しに答えさせる質問です。1 行に 1 つ書きます。空なら、検証用のデータから 2 つ選びます。",
        ),
    }[key]


def unit(key: str) -> str:
    """Behind a number, with the space before it."""
    return {
        "epochs": translate("TrainingModel", " 周"),
        "micro_batch": translate("TrainingModel", " 件"),
        "accumulation": translate("TrainingModel", " 回"),
        "context_tokens": translate("TrainingModel", " トークン"),
        "evaluations_per_epoch": translate("TrainingModel", " 回"),
        "patience": translate("TrainingModel", " 回"),
    }.get(key, "")


def value(key: str, what: Any) -> str:
    """A setting's value, with its unit."""
    named = {
        ("over_length", "refuse"): translate("TrainingModel", "学習を始めない"),
        ("over_length", "drop"): translate("TrainingModel", "その例を使わない"),
        ("over_length", "split"): translate("TrainingModel", "会話の区切りで分ける"),
        ("loss", "answers"): translate("TrainingModel", "答えだけ"),
        ("loss", "all"): translate("TrainingModel", "質問と答え"),
        ("precision", "nf4"): translate("TrainingModel", "4 ビット（nf4）"),
        ("precision", "bf16"): translate("TrainingModel", "16 ビット（bf16）"),
        ("precision", "f16"): translate("TrainingModel", "16 ビット（f16）"),
        ("precision", "f32"): translate("TrainingModel", "32 ビット（f32）"),
    }
    if isinstance(what, bool):
        return translate("TrainingModel", "する") if what else translate("TrainingModel", "しない")
    if isinstance(what, int | float):
        return f"{problems.number(what)}{unit(key)}"
    return named.get((key, what)) or str(what)


def changes(settings: dict[str, Any]) -> str:
    """Settings and their values on one line."""
    between = translate("TrainingModel", "、")
    pair = translate("TrainingModel", "{name}：{value}")
    return between.join(pair.format(name=term(key), value=value(key, what)) for key, what in settings.items())


def memory_name(device: str) -> str:
    """`device`: "cuda", "cpu" or "" where it is not known."""
    return translate("TrainingModel", "GPU メモリ") if device == "cuda" else translate("TrainingModel", "メモリ")
