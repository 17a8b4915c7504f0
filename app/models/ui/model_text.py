"""Format facts about models as text: sizes, contexts, fits, the actual values after a load, remote models."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from app.base.wording import describe_error, format_size, phrase
from app.inference import crashes, load_plan, speed
from app.inference.engine.messages import EngineFacts
from app.inference.local_model import LocalModel, TuningRecord
from app.inference.memory_estimate import MemoryEstimate
from app.inference.speed import PredictedSpeed
from app.models import local_models, model_registry
from app.models.catalogue import ModelCard
from app.models.model_fit import FitResult
from app.models.verification import LastVerified
from app.uikit.localization import format_about_time, format_day, join_facts, join_sentences, sending_note, with_note

_FIT_BADGES = {
    "comfortable": ("success", "circle-check"),
    "enough": ("success", "circle-check"),
    "unmeasured": ("accent", "info"),
    "slow": ("warning", "triangle-alert"),
    "tight": ("warning", "triangle-alert"),
    "insufficient": ("danger", "circle-x"),
}
FIT_ORDER = tuple(_FIT_BADGES)  # from the best


def _gb(size_bytes: float) -> str:
    """Return the number of GB with one decimal, or two below 0.1 GB."""
    return f"{size_bytes / 1e9:.1f}" if size_bytes >= 1e8 else f"{size_bytes / 1e9:.2f}"


def tokens(count: int) -> str:
    return phrase("common.n_tokens", n=f"{count:,}")


def fit_word(judged: FitResult) -> str:
    return phrase(f"models.fit.{judged.word}")


def fit_badge_word(judged: FitResult) -> str:
    """Return `fit_word`, or a shorter form that leaves room for the model's name."""
    return phrase("models.speed_not_measured") if judged.word == "unmeasured" else fit_word(judged)


def fit_badge(judged: FitResult) -> tuple[str, str]:
    """Return the tone (a colour name) and the icon for a verdict."""
    return _FIT_BADGES[judged.word]


def fit_verdict(judged: FitResult, word: Callable[[FitResult], str] = fit_word) -> str:
    """Return the verdict, or its badge's word, with a sign, because colour must not be the only distinction."""
    sign = {"success": "✓ ", "warning": "▲ ", "danger": "× "}.get(fit_badge(judged)[0], "")
    return f"{sign}{word(judged)}"


def fit_reason(judged: FitResult) -> str:
    """Return the verdict as a sentence with the memory needed, free, and used by other programs."""
    judgement = judged.fit.judgement
    needed, free = judged.fit.memory_estimate.total_bytes, judgement.available_bytes
    key = "tight_in_both" if judgement.verdict == "tight" and judgement.memory_kind == "both" else judgement.verdict
    text = phrase(f"models.fit_reason.{key}", need=_gb(needed), free=_gb(free), short=_gb(judgement.short_bytes))
    if judgement.verdict == "comfortable":
        return join_sentences(text, felt_speed(judged.speed, is_recorded=judged.recorded is not None))
    others = phrase("models.other_programs_are_using_n", n=_gb(judged.fit.budget.others_bytes))
    return join_sentences(text, others)


def fit_advice(judged: FitResult) -> str:
    """Return suggestions that would fit, as a sentence; "" if there are none, or the model fits."""
    found, ways = judged.advice, []
    if found.context_tokens:
        ways.append(phrase("models.it_would_fit_with_a", n=f"{found.context_tokens:,}"))
    if found.quantization:
        ways.append(phrase("models.name_would_fit", name=found.quantization))
    if found.card is not None:
        ways.append(phrase("models.name_would_fit_with_room", name=found.card.title))
    return join_sentences(*ways)


def fit_alternative(judged: FitResult) -> str:
    """Return the shortage and a remedy in one line for the list; "" if there is no remedy."""
    ways = fit_advice(judged)
    if not ways:
        return ""
    short = phrase("models.about_short_gb_of_free_memory_are", short=_gb(judged.fit.judgement.short_bytes))
    return join_sentences(short, ways)


def trained_on(tuned: TuningRecord) -> str:
    """Return the name of a tuned model's base, and the strength of its adapter unless that is 1."""
    base = phrase("common.base_name", name=tuned.base_name)
    strength = phrase("models.strength_n", n=f"{tuned.strength:g}")
    return base if tuned.strength == 1 else join_facts(base, strength)


def predicted_speed(judged: FitResult | None) -> str:
    """Return the predicted speed; "" if there is none, or the model has been used here, which is more certain."""
    if judged is None or judged.predicted is None or judged.recorded is not None:
        return ""
    found = judged.predicted
    return phrase("models.reading_p_answering_a_tok", p=f"{found.prompt:.0f}", a=f"{found.answer:.1f}")


def felt_speed(found: PredictedSpeed | None, *, is_recorded: bool = False) -> str:
    """Return in two sentences what a person notices of a model's speed; "" if it is not known."""
    if found is None:
        return ""
    return phrase(
        "models.felt_speed_recorded" if is_recorded else "models.felt_speed",
        question=about_wait(found.first_word_s(speed.QUESTION_TOKENS)),
        documents=about_wait(found.first_word_s(speed.DOCUMENTS_TOKENS)),
        n=max(1, round(found.characters_per_s)),
    )


def about_wait(seconds: float) -> str:
    """Return a predicted wait as text: in seconds below a minute and a half, in steps of 5 from 10, else in minutes."""
    if seconds >= 90:
        return format_about_time(seconds)
    shown = round(seconds) if seconds < 10 else round(seconds / 5) * 5
    return phrase("models.about_n_s", n=max(1, shown))


def verify_state(last_verified: LastVerified) -> tuple[str, str]:
    """Return the result of a verification with its date and time, and its colour: success | warning | danger."""
    state = "sound" if last_verified.state == "first" else last_verified.state
    when = datetime.fromtimestamp(last_verified.at)
    words = with_note(phrase(f"models.verify_state.{state}"), f"{format_day(when.date())} {when:%H:%M}")
    return words, {"sound": "success", "changed": "warning"}.get(state, "danger")


def verify_next_step(last_verified: LastVerified) -> str:
    """Return the sentence after a verification's result: the next step, or the meaning of the result."""
    if last_verified.problem is not None:
        return str(describe_error(last_verified.problem))
    if last_verified.state == "first":
        return phrase("models.its_content_was_noted_from")
    return phrase("models.its_content_is_the_same")


def model_facts(model: LocalModel) -> str:
    parts = [format_size(model.size_bytes), model.quantization]
    if model.context_tokens:
        parts.append(phrase("models.context_n", n=f"{model.context_tokens:,}"))
    return join_facts(*parts)


def card_facts(card: ModelCard) -> str:
    """Return a card's facts, the licence last: it is the longest, and the detail shows it in full."""
    smallest = min((file.size_bytes for file in card.files), default=0)
    size = format_size(smallest) if smallest else ""
    if len(card.files) > 1:
        size = phrase("models.from_size", size=size)
    context = phrase("models.context_n", n=f"{card.context_tokens:,}")
    return join_facts(card.size_label, size, context, card.licence)


def engine_facts(facts: EngineFacts, predicted: MemoryEstimate | None = None) -> list[tuple[str, str]]:
    """Return the actual values after a load as (name, text), with the predicted ones, for the section 詳細."""
    expected = predicted or MemoryEstimate(0, 0, 0, 0)
    return [
        (phrase("models.runs_on"), _device_text(facts)),
        (phrase("common.context_length"), tokens(facts.context_tokens)),
        (phrase("common.threads"), f"{facts.threads}"),
        (phrase("models.batch"), tokens(facts.batch_tokens)),
        (phrase("common.repacking_of_weights"), _done_text(facts.repack)),
        (phrase("common.kv_precision"), facts.kv_type),
        (phrase("models.flash_attention"), _done_text(facts.flash_attention)),
        (phrase("models.weights"), _size_with_prediction(facts.weights_bytes, expected.weights_bytes)),
        (phrase("models.kv_cache"), _size_with_prediction(facts.kv_bytes, expected.kv_bytes)),
        _other_memory_row(facts, expected),
        (phrase("models.memory_in_use"), _size_with_prediction(facts.resident_bytes, expected.total_bytes)),
        (phrase("models.loading"), _seconds(facts.load_s)),
        (phrase("models.warm_up"), _seconds(facts.warm_up_s)),
    ]


def _other_memory_row(facts: EngineFacts, expected: MemoryEstimate) -> tuple[str, str]:
    """Return the row for the memory besides weights and cache; the prediction includes vocabulary and process."""
    rest = facts.resident_bytes - facts.weights_bytes - facts.kv_bytes
    if rest < facts.compute_bytes:  # the weights are in a graphics processor's memory
        return phrase("models.compute_buffers"), format_size(facts.compute_bytes)
    return phrase("models.compute_and_the_rest"), _size_with_prediction(rest, expected.compute_bytes)


def measured_speeds(model: LocalModel) -> str:
    """Return the measured speeds; "" before the first measurement."""
    facts = []
    speeds = load_plan.speeds_here(model.speeds) if not local_models.is_reranker(model) else {}
    for key, found in speeds.items():
        prompt, answer = f"{found['prompt']:.0f}", f"{found['answer']:.1f}"
        how = phrase(f"models.speed_layout.{key}")
        facts.append(phrase("models.how_reading_p_answering_a", how=how, p=prompt, a=answer))
    if {"plain", "repacked"} <= speeds.keys():
        chosen = "repacked" if load_plan.choose_repack("auto", fits_twice=True, speeds=speeds) else "plain"
        facts.append(phrase("models.layout_chosen", how=phrase(f"models.speed_layout.{chosen}")))
    return join_facts(*facts)


def _size_with_prediction(measured_bytes: int, predicted_bytes: int) -> str:
    if not predicted_bytes:
        return format_size(measured_bytes)
    predicted = phrase("models.predicted_size", size=format_size(predicted_bytes))
    return with_note(format_size(measured_bytes), predicted)


def _device_text(facts: EngineFacts) -> str:
    """Return the device that a model runs on: its layers on the GPU and the backend, or CPU with the reason."""
    if facts.gpu_layers > 0:
        layers = phrase("common.gpu_a_b_layers", a=facts.gpu_layers, b=facts.total_layers)
        return with_note(layers, facts.backend)
    return with_note("CPU", phrase(f"models.gpu_reason.{facts.gpu_reason}") if facts.gpu_reason else "")


def _done_text(is_done: bool) -> str:
    return phrase("models.yes_2") if is_done else phrase("models.no_2")


def _seconds(seconds: float) -> str:
    return phrase("common.s_s", s=f"{seconds:.1f}")


def reads_pictures(model: LocalModel) -> str:
    """Return how the model reads pictures, with its projector's file; "" if it has none."""
    if model.remote is not None:
        return phrase("models.server_sees") if model.remote.sees_pictures else ""
    if not model.projector:
        return ""
    file = Path(model.projector)
    if load_plan.reads_pictures(model):
        return phrase("models.reads_pictures_with", file=file.name)
    if not file.is_file():
        return phrase("models.projector_is_gone", file=file.name)
    has_crashed = crashes.has_projector_crashed(model.projector)
    return phrase("models.projector_crashed" if has_crashed else "models.projector_not_built", file=file.name)


def remote_summary(model: LocalModel) -> str:
    return phrase("models.a_model_of_a_server", place=model_registry.server_address(model))


def remote_facts(model: LocalModel) -> str:
    """Return a remote model's facts for the list: the server that gets the prompts, and the model's name there."""
    assert model.remote is not None
    return join_facts(sending_note(model_registry.server_address(model)), model.remote.model)


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
    """Return the actual values after connecting to a remote model, as (name, text)."""
    return [
        (phrase("models.computed_on"), facts.remote),
        (phrase("common.context_length"), tokens(facts.context_tokens)),
    ]
