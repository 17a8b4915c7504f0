"""Facts about models in words: sizes, contexts, what fits.

Describe a model that another machine computes.
"""

from datetime import datetime

from app.base.wording import describe_error, format_size, phrase
from app.inference.engine.messages import EngineFacts
from app.inference.local_model import LocalModel, TuningRecord
from app.inference.memory_estimate import MemoryEstimate
from app.inference.speed import PredictedSpeed
from app.models import model_registry
from app.models.catalogue import ModelCard
from app.models.services.model_fits import FitResult
from app.models.verification import LastVerified
from app.uikit.localization import format_day, is_japanese, join_facts, sends_to_text, with_note

FIT_BADGES = {
    "comfortable": ("success", "circle-check"),
    "tight": ("warning", "triangle-alert"),
    "insufficient": ("danger", "circle-x"),
}


def gigabytes(size_bytes: int) -> str:
    """In 10^9 bytes, as drives and download pages count; what is smaller in 10^6."""
    return format_size(size_bytes)


def _gb(size_bytes: float) -> str:
    """One decimal, or two where that would say nothing."""
    return f"{size_bytes / 1e9:.1f}" if size_bytes >= 1e8 else f"{size_bytes / 1e9:.2f}"


def tokens(count: int) -> str:
    return phrase("common.n_tokens", n=f"{count:,}")


def fit_word(judged: FitResult) -> str:
    if is_slow(judged):
        return phrase("models.works_slowly")
    return {
        "comfortable": phrase("models.comfortable"),
        "tight": phrase("models.runs"),
        "insufficient": phrase("common.not_enough_memory"),
    }[judged.verdict]


def is_slow(judged: FitResult) -> bool:
    """It fits with room to spare, and yet nobody would call it comfortable."""
    return judged.verdict == "comfortable" and judged.predicted is not None and judged.predicted.is_slow


def fit_badge(judged: FitResult) -> tuple[str, str]:
    """Tone and icon."""
    return FIT_BADGES["tight" if is_slow(judged) else judged.verdict]


def fit_verdict(judged: FitResult) -> str:
    """With its sign: colour is never the only mark."""
    sign = {"success": "✓", "warning": "▲", "danger": "×"}[fit_badge(judged)[0]]
    return f"{sign} {fit_word(judged)}"


def fit_reason(judged: FitResult) -> str:
    """The verdict in a sentence: how much is needed, how much there is, and who has the rest."""
    judgement = judged.fit.judgement
    needed, there = judged.fit.needed.total_bytes, judgement.available_bytes
    sentences = {
        "comfortable": phrase("models.needs_need_gb_free_gb"),
        "tight": phrase("models.needs_need_gb_free_gb_are_free"),
        "insufficient": phrase("models.about_short_gb_of_free"),
    }
    sentence = sentences[judgement.verdict]
    if judgement.verdict == "tight" and judgement.place == "both":
        sentence = phrase("models.part_of_the_need_gb")
    text = sentence.format(need=_gb(needed), free=_gb(there), short=_gb(judgement.short_bytes))
    if is_slow(judged):
        return _sentences(
            text,
            phrase("models.it_is_slow_though_and", speed=predicted_speed(judged.predicted)),
        )
    if judgement.verdict == "comfortable":
        return text
    others = phrase("models.other_programs_are_using_n", n=_gb(judged.fit.room.others_bytes))
    return _sentences(text, others)


def fit_advice(judged: FitResult) -> str:
    """What would fit instead; "" where nothing would, or the model fits."""
    found, ways = judged.advice, []
    if found.context_tokens:
        ways.append(phrase("models.it_would_fit_with_a", n=f"{found.context_tokens:,}"))
    if found.quantization:
        ways.append(phrase("models.name_would_fit", name=found.quantization))
    if found.card is not None:
        ways.append(phrase("models.name_would_run_comfortably", name=found.card.title))
    return _sentences(*ways)


def fit_alternative(judged: FitResult) -> str:
    """The shortage and one way out, in one line of the list; "" where there is none."""
    ways = fit_advice(judged)
    if not ways:
        return ""
    short = phrase("models.about_short_gb_of_free_memory_are", short=_gb(judged.fit.judgement.short_bytes))
    return _sentences(short, ways)


def trained_on(tuned: TuningRecord) -> str:
    """The base of a tuned model and, where it is not as it was trained, the strength."""
    base = phrase("common.base_name", name=tuned.base_name)
    strength = phrase("models.strength_n", n=f"{tuned.strength:g}")
    return base if tuned.strength == 1 else join_facts(base, strength)


def predicted_speed(predicted: PredictedSpeed | None) -> str:
    if predicted is None:
        return ""
    return phrase("models.reading_p_answering_a_tok", p=f"{predicted.prompt:.0f}", a=f"{predicted.answer:.1f}")


def verify_state(last: LastVerified) -> tuple[str, str]:
    """How a verification ended, with its sign and day, and the tone that goes with it."""
    sound = (phrase("models.sound"), "success")
    words, tone = {
        "sound": sound,
        "first": sound,
        "changed": (phrase("models.changed"), "warning"),
        "damaged": (phrase("models.damaged"), "danger"),
        "missing": (phrase("models.not_found"), "danger"),
    }[last.state]
    return with_note(words, moment(last.at)), tone


def verify_next_step(last: LastVerified) -> str:
    """What follows from it: the next step, or what the verification was good for."""
    if last.problem is not None:
        return str(describe_error(last.problem))
    if last.state == "first":
        return phrase("models.its_content_was_noted_from")
    return phrase("models.its_content_is_the_same")


def moment(at: float) -> str:
    """Day and time."""
    when = datetime.fromtimestamp(at)
    return f"{format_day(when.date())} {when:%H:%M}"


def _sentences(*parts: str) -> str:
    return ("" if is_japanese() else " ").join(part for part in parts if part)


def model_facts(model: LocalModel) -> str:
    parts = [gigabytes(model.size_bytes), model.quantization]
    if model.context_tokens:
        parts.append(phrase("models.context_n", n=f"{model.context_tokens:,}"))
    return join_facts(*parts)


def card_facts(card: ModelCard) -> str:
    """The licence last: it is the longest, and stands in full beside."""
    smallest = min((file.size_bytes for file in card.files), default=0)
    size = gigabytes(smallest) if smallest else ""
    if len(card.files) > 1:
        size = phrase("models.from_size", size=size)
    context = phrase("models.context_n", n=f"{card.context_tokens:,}")
    return join_facts(card.size_label, size, context, card.licence)


def engine_facts(facts: EngineFacts, predicted: MemoryEstimate | None = None) -> list[tuple[str, str]]:
    """What is in force, for the list 詳細: read back from the engine after the load, beside what was predicted."""
    expected = predicted or MemoryEstimate(0, 0, 0, 0)
    return [
        (phrase("models.runs_on"), _device(facts)),
        (phrase("common.context_length"), tokens(facts.context_tokens)),
        (phrase("common.threads"), f"{facts.threads}"),
        (phrase("models.batch"), tokens(facts.batch_tokens)),
        (phrase("common.repacking_of_weights"), _done(facts.repack)),
        (phrase("common.kv_precision"), facts.kv_type),
        (phrase("models.flash_attention"), _done(facts.flash_attention)),
        (phrase("models.weights"), _beside(facts.weights_bytes, expected.weights_bytes)),
        (phrase("models.kv_cache"), _beside(facts.kv_bytes, expected.kv_bytes)),
        _rest(facts, expected),
        (phrase("models.memory_in_use"), _beside(facts.resident_bytes, expected.total_bytes)),
        (phrase("models.loading"), _seconds(facts.load_s)),
        (phrase("models.warm_up"), _seconds(facts.warm_up_s)),
    ]


def _rest(facts: EngineFacts, expected: MemoryEstimate) -> tuple[str, str]:
    """What is predicted beside weights and cache is more than the engine's buffers: vocabulary and process too."""
    rest = facts.resident_bytes - facts.weights_bytes - facts.kv_bytes
    if rest < facts.compute_bytes:  # the model is elsewhere: on a graphics processor
        return phrase("models.compute_buffers"), gigabytes(facts.compute_bytes)
    return phrase("models.compute_and_the_rest"), _beside(rest, expected.compute_bytes)


def measured_speeds(model: LocalModel) -> str:
    """The measured speeds, "" before the first measurement."""
    names = {"plain": phrase("models.as_it_is"), "repacked": phrase("models.repacked")}
    words = phrase("models.how_reading_p_answering_a")
    return join_facts(
        *(
            words.format(how=names.get(key, key), p=f"{speed['prompt']:.0f}", a=f"{speed['answer']:.1f}")
            for key, speed in (model.speeds or {}).items()
        )
    )


def _beside(measured_bytes: int, predicted_bytes: int) -> str:
    if not predicted_bytes:
        return gigabytes(measured_bytes)
    predicted = phrase("models.predicted_size", size=gigabytes(predicted_bytes))
    return with_note(gigabytes(measured_bytes), predicted)


def _device(facts: EngineFacts) -> str:
    if facts.gpu_layers > 0:
        layers = phrase("common.gpu_a_b_layers", a=facts.gpu_layers, b=facts.total_layers)
        return with_note(layers, facts.backend)
    reasons = {
        "no_backend": phrase("models.this_version_does_not_support"),
        "no_device": phrase("models.no_usable_gpu"),
        "not_requested": phrase("models.switched_off_in_the_settings"),
        "offload_failed": phrase("models.loading_onto_the_gpu_failed"),
    }
    return with_note("CPU", reasons.get(facts.gpu_reason, ""))


def _done(is_done: bool) -> str:
    return phrase("models.yes_2") if is_done else phrase("models.no_2")


def _seconds(seconds: float) -> str:
    return phrase("common.s_s", s=f"{seconds:.1f}")


def remote_summary(model: LocalModel) -> str:
    text = phrase("models.a_model_of_a_server")
    return text.format(place=model_registry.server_address(model))


def remote_facts(model: LocalModel) -> str:
    """For the list: whom it is sent to, and what the server calls it."""
    assert model.remote is not None
    return join_facts(sends_to_text(model_registry.server_address(model)), model.remote.model)


def remote_details(model: LocalModel) -> list[tuple[str, str]]:
    assert model.remote is not None
    given = model.remote.context_tokens
    context = phrase("models.up_to_tokens_2", tokens=tokens(given)) if given else ""
    return [
        (phrase("models.address"), model.remote.address),
        (phrase("models.name_on_the_server"), model.remote.model),
        (phrase("common.context_length"), context or phrase("models.as_the_server_says")),
        (phrase("models.licence_2"), phrase("models.ask_the_servers_administrator")),
    ]


def remote_engine_facts(facts: EngineFacts) -> list[tuple[str, str]]:
    """After the connection was made."""
    return [
        (phrase("models.computed_on"), facts.remote),
        (phrase("common.context_length"), tokens(facts.context_tokens)),
    ]
