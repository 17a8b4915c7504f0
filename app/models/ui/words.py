"""Facts about models in words: sizes, contexts, what fits."""

from datetime import datetime

from PySide6.QtCore import QCoreApplication

from app.base.wording import describe_error, size
from app.inference.engine.messages import EngineFacts
from app.inference.fit import MemoryEstimate
from app.inference.local_model import LocalModel, Tuned
from app.inference.speed import Speed
from app.models.catalogue import ModelCard
from app.models.ui.fits import Judged
from app.models.verify_log import LastVerified
from app.uikit.language import day_of_year, joined, noted
from app.uikit.phrases import is_japanese

translate = QCoreApplication.translate

FIT_BADGES = {
    "comfortable": ("success", "circle-check"),
    "tight": ("warning", "triangle-alert"),
    "insufficient": ("danger", "circle-x"),
}


def gigabytes(size_bytes: int) -> str:
    """In 10^9 bytes, as drives and download pages count; what is smaller in 10^6."""
    return size(size_bytes)


def _gb(size_bytes: float) -> str:
    """One decimal, or two where that would say nothing."""
    return f"{size_bytes / 1e9:.1f}" if size_bytes >= 1e8 else f"{size_bytes / 1e9:.2f}"


def tokens(count: int) -> str:
    return translate("Models", "{n} トークン").format(n=f"{count:,}")


def fit_word(judged: Judged) -> str:
    if is_slow(judged):
        return translate("Models", "動くが遅い")
    return {
        "comfortable": translate("Models", "快適"),
        "tight": translate("Models", "動作可"),
        "insufficient": translate("Models", "メモリ不足"),
    }[judged.verdict]


def is_slow(judged: Judged) -> bool:
    """It fits with room to spare, and yet nobody would call it comfortable."""
    return judged.verdict == "comfortable" and judged.predicted is not None and judged.predicted.is_slow


def fit_badge(judged: Judged) -> tuple[str, str]:
    """Tone and icon."""
    return FIT_BADGES["tight" if is_slow(judged) else judged.verdict]


def verdict(judged: Judged) -> str:
    """With its sign: colour is never the only mark."""
    sign = {"success": "✓", "warning": "▲", "danger": "×"}[fit_badge(judged)[0]]
    return f"{sign} {fit_word(judged)}"


def reason(judged: Judged) -> str:
    """The verdict in a sentence: how much is needed, how much there is, and who has the rest."""
    judgement = judged.fit.judgement
    needed, there = judged.fit.needed.total_bytes, judgement.available_bytes
    sentences = {
        "comfortable": translate("Models", "必要 {need} GB、空き {free} GB で、余裕があります。"),
        "tight": translate("Models", "必要 {need} GB に対して空きは {free} GB で、余裕がわずかです。"),
        "insufficient": translate("Models", "空きメモリが約 {short} GB 足りません（必要 {need} GB、空き {free} GB）。"),
    }
    sentence = sentences[judgement.verdict]
    if judgement.verdict == "tight" and judgement.place == "both":
        sentence = translate("Models", "必要 {need} GB の一部を CPU で計算するため、遅くなります。")
    text = sentence.format(need=_gb(needed), free=_gb(there), short=_gb(judgement.short_bytes))
    if is_slow(judged):
        return _sentences(
            text,
            translate("Models", "ただし遅く、待たされます（予測：{speed}）。").format(speed=speed(judged.predicted)),
        )
    if judgement.verdict == "comfortable":
        return text
    others = translate("Models", "ほかのプログラムが {n} GB 使用中です。").format(n=_gb(judged.fit.room.others_bytes))
    return _sentences(text, others)


def advice(judged: Judged) -> str:
    """What would fit instead; "" where nothing would, or the model fits."""
    found, ways = judged.advice, []
    if found.context_tokens:
        ways.append(
            translate("Models", "文脈を {n} トークンにすると収まります。").format(n=f"{found.context_tokens:,}")
        )
    if found.quantization:
        ways.append(translate("Models", "{name} なら収まります。").format(name=found.quantization))
    if found.card is not None:
        ways.append(translate("Models", "{name} なら快適に動きます。").format(name=found.card.title))
    return _sentences(*ways)


def other_way(judged: Judged) -> str:
    """The shortage and one way out, in one line of the list; "" where there is none."""
    ways = advice(judged)
    if not ways:
        return ""
    short = translate("Models", "空きメモリが約 {short} GB 足りません。").format(
        short=_gb(judged.fit.judgement.short_bytes)
    )
    return _sentences(short, ways)


def trained_on(tuned: Tuned) -> str:
    """The base of a tuned model and, where it is not as it was trained, the strength."""
    base = translate("Models", "元のモデル：{name}").format(name=tuned.base_name)
    strength = translate("Models", "強さ {n}").format(n=f"{tuned.strength:g}")
    return base if tuned.strength == 1 else joined(base, strength)


def speed(predicted: Speed | None) -> str:
    if predicted is None:
        return ""
    return translate("Models", "読み {p}、回答 {a} tok/s").format(
        p=f"{predicted.prompt:.0f}", a=f"{predicted.answer:.1f}"
    )


def verified(last: LastVerified) -> tuple[str, str]:
    """How a verification ended, with its sign and day, and the tone that goes with it."""
    sound = (translate("Models", "✓ 無傷"), "success")
    words, tone = {
        "sound": sound,
        "first": sound,
        "changed": (translate("Models", "▲ 変更あり"), "warning"),
        "damaged": (translate("Models", "× 壊れています"), "danger"),
        "missing": (translate("Models", "× 見つかりません"), "danger"),
    }[last.state]
    return noted(words, moment(last.at)), tone


def verified_next(last: LastVerified) -> str:
    """What follows from it: the next step, or what the verification was good for."""
    if last.problem is not None:
        return str(describe_error(last.problem))
    if last.state == "first":
        return translate("Models", "中身の値を覚えました。次からは、壊れたことも入れ替わったことも分かります。")
    return translate("Models", "取り込んだときと同じ中身です。")


def moment(at: float) -> str:
    """Day and time."""
    when = datetime.fromtimestamp(at)
    return f"{day_of_year(when.date())} {when:%H:%M}"


def _sentences(*parts: str) -> str:
    return ("" if is_japanese() else " ").join(part for part in parts if part)


def model_facts(model: LocalModel) -> str:
    parts = [gigabytes(model.size_bytes), model.quantization]
    if model.context_tokens:
        parts.append(translate("Models", "文脈 {n}").format(n=f"{model.context_tokens:,}"))
    return joined(*parts)


def card_facts(card: ModelCard) -> str:
    """The licence last: it is the longest, and stands in full beside."""
    smallest = min((file.size_bytes for file in card.files), default=0)
    size = gigabytes(smallest) if smallest else ""
    if len(card.files) > 1:
        size = translate("Models", "{size} から").format(size=size)
    context = translate("Models", "文脈 {n}").format(n=f"{card.context_tokens:,}")
    return joined(card.size_label, size, context, card.licence)


def engine_facts(facts: EngineFacts, predicted: MemoryEstimate | None = None) -> list[tuple[str, str]]:
    """What is in force, for the list 詳細: read back from the engine after the load, beside what was predicted."""
    expected = predicted or MemoryEstimate(0, 0, 0, 0)
    return [
        (translate("Models", "計算の場所"), _device(facts)),
        (translate("Models", "文脈の長さ"), tokens(facts.context_tokens)),
        (translate("Models", "スレッド数"), f"{facts.threads}"),
        (translate("Models", "まとめて読む量"), tokens(facts.batch_tokens)),
        (translate("Models", "重みの並べ替え"), _done(facts.repack)),
        (translate("Models", "KV の精度"), facts.kv_type),
        (translate("Models", "Flash Attention"), _done(facts.flash_attention)),
        (translate("Models", "重み"), _beside(facts.weights_bytes, expected.weights_bytes)),
        (translate("Models", "KV キャッシュ"), _beside(facts.kv_bytes, expected.kv_bytes)),
        _rest(facts, expected),
        (translate("Models", "実際のメモリ"), _beside(facts.resident_bytes, expected.total_bytes)),
        (translate("Models", "読み込み"), _seconds(facts.load_s)),
        (translate("Models", "ならし"), _seconds(facts.warm_up_s)),
    ]


def _rest(facts: EngineFacts, expected: MemoryEstimate) -> tuple[str, str]:
    """What is predicted beside weights and cache is more than the engine's buffers: vocabulary and process too."""
    rest = facts.resident_bytes - facts.weights_bytes - facts.kv_bytes
    if rest < facts.compute_bytes:  # the model is elsewhere: on a graphics processor
        return translate("Models", "計算用"), gigabytes(facts.compute_bytes)
    return translate("Models", "計算用とそのほか"), _beside(rest, expected.compute_bytes)


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


def _beside(measured_bytes: int, predicted_bytes: int) -> str:
    if not predicted_bytes:
        return gigabytes(measured_bytes)
    predicted = translate("Models", "予測 {size}").format(size=gigabytes(predicted_bytes))
    return noted(gigabytes(measured_bytes), predicted)


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
