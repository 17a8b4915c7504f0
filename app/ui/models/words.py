"""Facts about models in words: sizes, contexts, what fits."""

from PySide6.QtCore import QCoreApplication

from app.core.catalogue import ModelCard
from app.core.records import LocalModel
from app.engine.messages import EngineFacts
from app.ui.language import joined, noted

translate = QCoreApplication.translate

FIT_BADGES = {
    "comfortable": ("success", "circle-check"),
    "tight": ("warning", "triangle-alert"),
    "insufficient": ("danger", "circle-x"),
}


def gigabytes(size_bytes: int) -> str:
    """In 10^9 bytes, as drives and download pages count."""
    return f"{size_bytes / 1e9:.2f} GB"


def tokens(count: int) -> str:
    return translate("Models", "{n} トークン").format(n=f"{count:,}")


def fit_word(fit: str) -> str:
    return {
        "comfortable": translate("Models", "快適"),
        "tight": translate("Models", "動作可"),
        "insufficient": translate("Models", "メモリ不足"),
    }[fit]


def model_facts(model: LocalModel) -> str:
    parts = [gigabytes(model.size_bytes), model.quantization]
    if model.context_tokens:
        parts.append(translate("Models", "文脈 {n}").format(n=f"{model.context_tokens:,}"))
    return joined(*parts)


def card_facts(card: ModelCard) -> str:
    parts = [card.licence, translate("Models", "文脈 {n}").format(n=f"{card.context_tokens:,}")]
    if card.files:
        smallest = min(file.size_bytes for file in card.files)
        size = gigabytes(smallest)
        parts.append(translate("Models", "{size} から").format(size=size) if len(card.files) > 1 else size)
    return joined(*parts)


def engine_facts(facts: EngineFacts) -> list[tuple[str, str]]:
    """What is in force, for the list 詳細: read back from the engine after the load."""
    return [
        (translate("Models", "計算の場所"), _device(facts)),
        (translate("Models", "文脈の長さ"), tokens(facts.context_tokens)),
        (translate("Models", "スレッド数"), f"{facts.threads}"),
        (translate("Models", "まとめて読む量"), tokens(facts.batch_tokens)),
        (translate("Models", "重みの並べ替え"), _done(facts.repack)),
        (translate("Models", "KV の精度"), facts.kv_type),
        (translate("Models", "Flash Attention"), _done(facts.flash_attention)),
        (translate("Models", "重み"), gigabytes(facts.weights_bytes)),
        (translate("Models", "KV キャッシュ"), gigabytes(facts.kv_bytes)),
        (translate("Models", "計算用"), gigabytes(facts.compute_bytes)),
        (translate("Models", "実際のメモリ"), gigabytes(facts.resident_bytes)),
        (translate("Models", "読み込み"), _seconds(facts.load_s)),
        (translate("Models", "ならし"), _seconds(facts.warm_up_s)),
    ]


def speeds(model: LocalModel) -> str:
    """The measured speeds, "" before the first measurement."""
    names = {"plain": translate("Models", "そのまま"), "repacked": translate("Models", "並べ替え")}
    words = translate("Models", "{how}：読み {p}、回答 {a} tok/s")
    return joined(
        *(
            words.format(how=names.get(key, key), p=f"{speed['prompt']:.0f}", a=f"{speed['answer']:.1f}")
            for key, speed in (model.speeds or {}).items()
        )
    )


def _device(facts: EngineFacts) -> str:
    if facts.gpu_layers > 0:
        layers = translate("Models", "GPU {a}／{b} 層").format(a=facts.gpu_layers, b=facts.total_layers)
        return noted(layers, facts.backend)
    reasons = {
        "no_backend": translate("Models", "この版は GPU に対応していません"),
        "no_device": translate("Models", "使える GPU がありません"),
        "not_requested": translate("Models", "設定で使わないことになっています"),
        "offload_failed": translate("Models", "GPU への読み込みに失敗しました"),
    }
    return noted("CPU", reasons.get(facts.gpu_reason, ""))


def _done(is_done: bool) -> str:
    return translate("Models", "あり") if is_done else translate("Models", "なし")


def _seconds(seconds: float) -> str:
    return translate("Models", "{s} 秒").format(s=f"{seconds:.1f}")
