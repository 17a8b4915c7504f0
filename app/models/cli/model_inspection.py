"""Define `kotae models show` (all facts of a model) and `kotae models fit` (whether it fits into this machine)."""

import argparse
import dataclasses
from pathlib import Path
from typing import Any

from app.base import settings
from app.base.cli.commands import Output, add_command, check_limit
from app.base.errors import AppError
from app.base.paths import Paths
from app.base.wording import field_name, format_size, help_text, phrase
from app.inference import gguf, load_plan, speed
from app.inference.local_model import LocalModel
from app.inference.speed import MachineSpeed
from app.models import catalogue, model_fit
from app.models.catalogue import ModelCard
from app.models.model_fit import FitConditions, FitResult
from app.models.model_registry import choose_model


@dataclasses.dataclass(frozen=True, slots=True)
class _JudgedModel:
    """Holds the result of `kotae models fit`, for a model of the list, a file, or a published file of a card."""

    id: str
    quantization: str
    result: FitResult
    speeds: dict[str, Any] | None = None  # measured (`LocalModel.speeds`); None: not yet


def add_parsers(actions: Any, shared: argparse.ArgumentParser) -> None:
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
    """Return the fields that the commands print about a model of this machine with `--json`."""
    card = catalogue.card(model.card_id)
    names = ("id", "name", "path", "size_bytes", "architecture", "quantization", "context_tokens")
    return {name: getattr(model, name) for name in names} | {
        "licence": card.licence if card else None,
        "is_trial": card.is_trial if card else False,
        "is_present": model.remote is not None or _has_files(model),
        "remote": dataclasses.asdict(model.remote) if model.remote else None,
        "tuned": dataclasses.asdict(model.tuned) if model.tuned else None,
    }


def print_model(output: Output, model: LocalModel, key: str, **facts: Any) -> int:
    """Print a model after a command has changed the list; return the exit status 0. `key`: the message."""
    output.result(model_data(model), output.phrase(key, name=model.name, id=model.id, **facts))
    return 0


def _has_files(model: LocalModel) -> bool:
    return all(Path(path).is_file() for path in (model.path, model.adapter) if path)


def card_data(card: ModelCard) -> dict[str, Any]:
    """Return the fields that the commands print about a catalogue card, in the current language."""
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
        "japanese_score": card.japanese_score or None,
        "unverified": list(card.unverified),
        "files": [dataclasses.asdict(file) for file in card.files],
    }


def _fit(options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Print whether a model fits; return exit status 1 if it does not, else 0."""
    chosen = settings.load(where.settings)
    context = options.context or chosen.context_tokens
    check_limit("--context", context, 256, 1 << 20)
    chosen = dataclasses.replace(chosen, context_tokens=context)
    here = FitConditions.of_settings(chosen, _machine_speed(options.measure, where, output))
    judged = _judge(options.model, options.quant, where, here)
    output.result(_fit_data(judged), "\n".join(_fit_lines(output, judged)))
    return 1 if judged.result.verdict == "insufficient" else 0


def _find(reference: str, where: Paths) -> LocalModel | ModelCard:
    """Return the model of this machine that `reference` names, else the card. Raises AppError("unknown_model")."""
    try:
        return choose_model(reference, where)
    except AppError as error:
        card = catalogue.load().find(reference) if error.code == "unknown_model" else None
        if card is None:
            raise
        return card


def _judge(reference: str, quantization: str | None, where: Paths, conditions: FitConditions) -> _JudgedModel:
    """Judge the model that `reference` names. With a `quantization`, judge the published file of it."""
    found = _find(reference, where)
    if isinstance(found, LocalModel):
        card = catalogue.card(found.card_id)
        if quantization is None or quantization.casefold() == found.quantization.casefold():
            recorded = load_plan.recorded_speed(found.speeds)
            result = conditions.judge_file(gguf.check_model(Path(found.path)), card, recorded)
            return _JudgedModel(found.id, found.quantization, result, found.speeds)
    else:
        card = found
    file = (card.file_of(quantization) if quantization else model_fit.usual_file(card)) if card else None
    if card is None or file is None:
        known = " / ".join(file.quantization for file in card.files) if card else ""
        raise AppError("no_such_file", model=reference, wanted=quantization or "-", known=known or "-")
    return _JudgedModel(card.id, file.quantization, conditions.judge_card(card, file))


def _machine_speed(is_measuring: bool, where: Paths, output: Output) -> MachineSpeed | None:
    """Return this machine's speed, measured now with `is_measuring`, else as stored; None if never measured."""
    path = where.data / speed.FILE_NAME
    if not is_measuring:
        return speed.load(path)
    output.progress("models.measuring_speed")
    measured = speed.measure()
    speed.save(path, measured)
    output.end_progress()
    return measured


def _fit_data(judged: _JudgedModel) -> dict[str, Any]:
    found, advice = judged.result.fit, judged.result.advice
    judgement = found.judgement
    return dataclasses.asdict(found.memory_estimate) | {
        "available_bytes": judgement.available_bytes,
        "verdict": judgement.verdict,
        "model": judged.id,
        "quantization": judged.quantization,
        "context_tokens": found.context_tokens,
        "place": judgement.memory_kind,
        "short_bytes": judgement.short_bytes,
        "memory_bytes": found.budget.total_bytes,
        "others_bytes": found.budget.others_bytes,
        "is_rough": found.is_rough,
        "would_fit": {
            "context_tokens": advice.context_tokens,
            "quantization": advice.quantization or None,
            "model": advice.card.id if advice.card else None,
        },
        "predicted": speed.as_dict(judged.result.predicted),
        "measured": judged.speeds,
    }


def _fit_lines(output: Output, judged: _JudgedModel) -> list[str]:
    found, advice, predicted = judged.result.fit, judged.result.advice, judged.result.predicted
    needed, judgement = found.memory_estimate, found.judgement
    sizes = {"total_bytes": needed.total_bytes, "available_bytes": judgement.available_bytes}
    word = judged.result.word
    verdict = "both" if judgement.memory_kind == "both" and word == "tight" else word
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
    if predicted and judged.result.recorded is None:
        lines.append(
            output.phrase("models.fit_speed", prompt=f"{predicted.prompt:.0f}", answer=f"{predicted.answer:.1f}")
        )
    for measured in (one for one in load_plan.speeds_here(judged.speeds).values() if "prompt" in one):
        facts = {"prompt": f"{measured['prompt']:.0f}", "answer": f"{measured['answer']:.1f}"}
        lines.append(output.phrase("models.fit_measured", **facts))
    return lines


def _format_value(key: str, value: Any) -> str:
    """Return a value of `model_data` or `card_data` as text for a terminal."""
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
