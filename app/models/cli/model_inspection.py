"""Define `kotae models show` and `kotae models fit`: one model in full, and whether it fits into this machine."""

import argparse
import dataclasses
from pathlib import Path
from typing import Any

from app.base import settings
from app.base.cli.commands import Output
from app.base.errors import AppError
from app.base.paths import Paths
from app.base.wording import field_name, format_size, help_text, phrase
from app.inference import gguf, machine, speed
from app.inference.gguf import GgufHeader
from app.inference.local_model import LocalModel
from app.inference.memory_estimate import MemoryEstimate, estimate_memory
from app.inference.speed import PredictedSpeed
from app.models import catalogue, model_fit
from app.models.catalogue import ModelCard, ModelFile
from app.models.model_fit import FitAdvice, ModelFit
from app.models.model_registry import choose_model


@dataclasses.dataclass(frozen=True, slots=True)
class _Subject:
    """What `fit` judges: a local file with its header, or a published file of a card."""

    card: ModelCard | None
    model: LocalModel | None = None
    header: GgufHeader | None = None
    file: ModelFile | None = None

    @property
    def name(self) -> str:
        return self.model.id if self.model else self.card.id if self.card else ""

    @property
    def quantization(self) -> str:
        return self.file.quantization if self.file else self.model.quantization if self.model else ""

    def fit(self, context: int, budget: machine.MemoryBudget, kv_type: str) -> ModelFit:
        if self.header is not None:
            return model_fit.fit_of_file(self.header, context, budget, kv_type)
        assert self.card is not None
        assert self.file is not None
        return model_fit.fit_of_card(self.card, self.file, context, budget, kv_type)

    def estimate(self, context: int, kv_type: str) -> MemoryEstimate:
        if self.header is not None:
            return estimate_memory(self.header, context, kv_type=kv_type)
        assert self.card is not None
        assert self.file is not None
        return model_fit.estimate_card(self.card, self.file, context, kv_type)


def add_parsers(actions: Any, shared: argparse.ArgumentParser) -> None:
    from app.base.cli.commands import add_command

    show = add_command(actions, shared, "show", help_text("models show"), _show)
    show.add_argument("model", metavar="ID|FILE")
    fitting = add_command(actions, shared, "fit", help_text("models fit"), _fit)
    fitting.add_argument("model", metavar="ID|FILE")
    fitting.add_argument("--context", metavar="N", type=int, help=help_text("models fit --context"))
    fitting.add_argument("--quant", metavar="Q4_K_M", help=help_text("models fit --quant"))
    fitting.add_argument("--measure", action="store_true", help=help_text("models fit --measure"))


def _show(options: argparse.Namespace, where: Paths, output: Output) -> int:
    found = _find(options.model, where)
    if isinstance(found, ModelCard):
        data = card_data(found)
    else:
        header = gguf.check_model(Path(found.path))
        data = model_data(found) | {
            "parameters": header.parameters,
            "layers": header.block_count,
            "vocabulary": header.vocab_size,
            "has_chat_template": header.chat_template is not None,
            "form": found.form_id,
            "speeds": found.speeds,
        }
    lines = [
        f"{field_name(key)}\t{_format_value(key, value)}"
        for key, value in data.items()
        if value not in (None, "", [], {})
    ]
    output.result(data, "\n".join(lines))
    return 0


def model_data(model: LocalModel) -> dict[str, Any]:
    """Return what the commands print about a model of this machine with `--json`."""
    card = catalogue.load().card(model.card_id)
    return {
        "id": model.id,
        "name": model.name,
        "path": model.path,
        "size_bytes": model.size_bytes,
        "architecture": model.architecture,
        "quantization": model.quantization,
        "context_tokens": model.context_tokens,
        "licence": card.licence if card else None,
        "is_trial": card.is_trial if card else False,
        "is_present": model.remote is not None or _has_files(model),
        "remote": dataclasses.asdict(model.remote) if model.remote else None,
        "tuned": dataclasses.asdict(model.tuned) if model.tuned else None,
    }


def _has_files(model: LocalModel) -> bool:
    return all(Path(path).is_file() for path in (model.path, model.adapter) if path)


def card_data(card: ModelCard) -> dict[str, Any]:
    """Return what the commands print about a catalogue card: in the current language, without prompt markup."""
    return {
        "id": card.id,
        "name": card.title,
        "kind": card.kind,
        "summary": card.summary,
        "licence": card.licence,
        "licence_url": card.licence_url,
        "licence_notice": card.licence_notice,
        "context_tokens": card.context_tokens,
        "base_model": card.base_model,
        "form": card.form,
        "is_trial": card.is_trial,
        "is_own": card.is_own,
        "unverified": list(card.unverified),
        "files": [dataclasses.asdict(file) for file in card.files],
    }


def _fit(options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Return exit status 1 if the model does not fit."""
    chosen = settings.load(where.settings)
    context = options.context or chosen.context_tokens
    if not 256 <= context <= 1 << 20:
        limits = phrase("common.range", low=256, high=1 << 20)
        raise AppError("bad_option", option="--context", value=context, expected=limits)
    subject = _subject(options.model, options.quant, where)
    budget = machine.measure_memory()
    found = subject.fit(context, budget, chosen.kv_type)
    advice = FitAdvice()
    if found.judgement.verdict == "insufficient":
        advice = model_fit.advise(
            lambda tokens: subject.estimate(tokens, chosen.kv_type),
            found.context_tokens,
            budget,
            subject.card,
            found.needed.weights_bytes,
            catalogue.load(),
        )
    predicted = _predict_speed(found, subject.card, options.measure, where, output)
    output.result(
        _fit_data(subject, found, advice, predicted), "\n".join(_fit_lines(output, subject, found, advice, predicted))
    )
    return 1 if found.judgement.verdict == "insufficient" else 0


def _find(wanted: str, where: Paths) -> LocalModel | ModelCard:
    """Return a model of this machine, else one of the catalogue."""
    try:
        return choose_model(wanted, where)
    except AppError as error:
        card = catalogue.load().find(wanted) if error.code == "unknown_model" else None
        if card is None:
            raise
        return card


def _subject(wanted: str, quantization: str | None, where: Paths) -> _Subject:
    """Return what to judge; with a quantization the published file, even if another one is here."""
    found = _find(wanted, where)
    if isinstance(found, LocalModel):
        card = catalogue.load().card(found.card_id)
        if quantization is None or quantization.casefold() == found.quantization.casefold():
            return _Subject(card, found, gguf.check_model(Path(found.path)))
    else:
        card = found
    file = (card.file_of(quantization) if quantization else model_fit.usual_file(card)) if card else None
    if file is None:
        known = " / ".join(file.quantization for file in card.files) if card else ""
        raise AppError("no_such_file", model=wanted, wanted=quantization or "-", known=known or "-")
    return _Subject(card, file=file)


def _predict_speed(
    found: ModelFit, card: ModelCard | None, is_measuring: bool, where: Paths, output: Output
) -> PredictedSpeed | None:
    """Return the predicted speed; None before this machine is measured, and for a model that is no chat model."""
    path = where.data / speed.FILE_NAME
    machine_speed = speed.load(path)
    if is_measuring:
        output.progress("models.measuring_speed")
        machine_speed = speed.measure()
        speed.save(path, machine_speed)
        output.end_progress()
    if machine_speed is None or (card is not None and card.kind != "chat"):
        return None
    return speed.predict(machine_speed, found.needed, found.parameters, card.active_share if card else 1.0)


def _fit_data(
    subject: _Subject, found: ModelFit, advice: FitAdvice, predicted: PredictedSpeed | None
) -> dict[str, Any]:
    judgement = found.judgement
    return dataclasses.asdict(found.needed) | {
        "available_bytes": judgement.available_bytes,
        "verdict": judgement.verdict,
        "model": subject.name,
        "quantization": subject.quantization,
        "context_tokens": found.context_tokens,
        "place": judgement.place,
        "short_bytes": judgement.short_bytes,
        "memory_bytes": found.budget.total_bytes,
        "others_bytes": found.budget.others_bytes,
        "is_rough": found.is_rough,
        "would_fit": {
            "context_tokens": advice.context_tokens,
            "quantization": advice.quantization or None,
            "model": advice.card.id if advice.card else None,
        },
        "predicted": speed.as_dict(predicted),
        "measured": subject.model.speeds if subject.model else None,
    }


def _fit_lines(
    output: Output, subject: _Subject, found: ModelFit, advice: FitAdvice, predicted: PredictedSpeed | None
) -> list[str]:
    needed, judgement = found.needed, found.judgement
    sizes = {"total_bytes": needed.total_bytes, "available_bytes": judgement.available_bytes}
    verdict = "both" if judgement.place == "both" and judgement.verdict == "tight" else judgement.verdict
    if verdict == "comfortable" and predicted is not None and predicted.is_slow:
        verdict = "slow"
    parts = output.phrase("models.fit_rough" if found.is_rough else "models.fit_parts", **dataclasses.asdict(needed))
    lines = [output.phrase(f"models.fit_verdict.{verdict}", **sizes), parts]
    if judgement.verdict != "comfortable":
        lines.append(output.phrase("models.fit_others", others_bytes=found.budget.others_bytes))
    if advice.context_tokens:
        lines.append(output.phrase("models.fit_shorter", tokens=f"{advice.context_tokens:,}"))
    if advice.quantization:
        lines.append(output.phrase("models.fit_lighter", quantization=advice.quantization))
    if advice.card:
        lines.append(output.phrase("models.fit_other", name=advice.card.title, id=advice.card.id))
    if predicted:
        lines.append(
            output.phrase("models.fit_speed", prompt=f"{predicted.prompt:.0f}", answer=f"{predicted.answer:.1f}")
        )
    for measured in ((subject.model.speeds or {}) if subject.model else {}).values():
        facts = {"prompt": f"{measured['prompt']:.0f}", "answer": f"{measured['answer']:.1f}"}
        lines.append(output.phrase("models.fit_measured", **facts))
    return lines


def _format_value(key: str, value: Any) -> str:
    """Format a value for a terminal."""
    match key, value:
        case _, bool():
            return phrase("models.yes" if value else "models.no")
        case "size_bytes", int():
            return format_size(value)
        case _, int():
            return f"{value:,}"
        case "kind", _:
            return phrase(f"models.model_kind.{value}")
        case "unverified", list():
            return ", ".join(map(field_name, value))
        case "files", list():
            return ", ".join(f"{file['quantization']} {format_size(file['size_bytes'])}" for file in value)
        case "speeds", dict():
            facts = {how: {name: f"{number:.1f}" for name, number in speed.items()} for how, speed in value.items()}
            return ", ".join(phrase(f"models.speed_basis.{how}", **speed) for how, speed in facts.items())
    return str(value)
