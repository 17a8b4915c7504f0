"""Translate invalid SPECs and failed runs into AppErrors, and settings and forms of models into text."""

import dataclasses
import difflib
import json
import re
import typing
from collections.abc import Mapping
from typing import Any

from app.base import wording
from app.base.errors import AppError
from trainer.events import PreflightFinding
from trainer.spec import RunSpec, SpecError

# Paths on this machine and facts about them, which the author of a SPEC must not set.
MACHINE_FIELDS = ("folder", "bases", "converter", "base_sha256", "base_weights")
_OURS = ("version", "hashes", "form", *MACHINE_FIELDS)  # fields that the program fills in
FIELDS = ("data", *(field.name for field in dataclasses.fields(RunSpec) if field.name not in _OURS))
_TYPES = typing.get_type_hints(RunSpec)
RECOMMENDED_PRESET = "standard"  # one of `trainer.spec.PRESETS`
OF_THIS_MACHINE = "nothing: Kotae knows the places of this machine"  # `SpecError.expected` for MACHINE_FIELDS
_VALUE_LETTERS = 80
# Keys of texts for the English `SpecError.expected`; ranges and choices need no translation.
_EXPECTED = {
    "a path": "training.spec_path",
    "a text": "training.spec_text",
    "an object": "training.spec_object",
    "fields of TrainingPromptForm": "training.spec_form",
    "a text with {text} once": "training.spec_pattern",
    "an object of texts": "training.spec_object",
    "a list of questions": "training.spec_questions",
    "cpu: no card": "training.spec_cpu_no_card",
    "cpu: built without CUDA": "training.spec_cpu_no_cuda",
}
_UNREADABLE = {  # keys: messages of `strict_json`
    "not a JSON object": "training.spec_not_object",
    "a key occurs twice": "training.spec_key_twice",
    "too deeply nested": "training.spec_nested",
}
_SAME_CODE = ("spec_invalid", "training_environment_broken")


def error_from_spec(error: SpecError) -> AppError:
    """Return the AppError for an invalid field of a SPEC.

    It is spec_unknown_field, spec_place_refused, spec_missing, spec_unreadable or spec_invalid.
    """
    if error.field == "file":
        return AppError("spec_unreadable", path=error.value, reason=error.expected)
    if error.expected == OF_THIS_MACHINE:
        return AppError("spec_place_refused", field=error.field)
    if error.expected == "a field of RunSpec":
        words = {name: name for name in FIELDS} | {setting_name(name): name for name in FIELDS}
        near = [words[word] for word in difflib.get_close_matches(error.field, words, n=3)]
        return AppError("spec_unknown_field", field=error.field, near=" / ".join(dict.fromkeys(near) or FIELDS))
    if error.value is None and error.expected == "a value":
        return AppError("spec_missing", field=error.field)
    return _invalid(error.field, error.value, error.expected)


def error_from_file(path: str, error: Exception) -> AppError:
    """Return spec_not_found, spec_not_utf8 or spec_unreadable for an exception that occurred while reading a SPEC."""
    if isinstance(error, FileNotFoundError):
        return AppError("spec_not_found", path=path)
    if isinstance(error, UnicodeDecodeError):
        return AppError("spec_not_utf8", path=path)
    if isinstance(error, json.JSONDecodeError):
        reason = wording.phrase("training.spec_json_line", line=error.lineno, column=error.colno)
    elif isinstance(error, IsADirectoryError):
        reason = wording.phrase("training.spec_is_folder")
    elif isinstance(error, OSError):
        reason = error.strerror or str(error)
    elif match := re.fullmatch(r"(\S+) is no JSON", str(error)):
        reason = wording.phrase("training.spec_no_number", text=match[1])
    else:
        key = _UNREADABLE.get(str(error))
        reason = wording.phrase(key) if key else str(error)
    return AppError("spec_unreadable", path=path, reason=reason)


def setting_name(field: str) -> str:
    """Return the displayed name of a setting; the field's own name if there is none."""
    return wording.phrase_or(f"common.setting.{field}", field)


def preset_name(preset: str) -> str:
    """Return the displayed name of a preset (`trainer.spec.PRESETS`)."""
    return wording.phrase(f"training.training_preset.{preset}")


def form_name(form: str) -> str:
    """Return the name of a model form (`app.training.quality_gate.FormRow`), to use within a sentence."""
    merged = wording.phrase("training.run_form.merged", form=form)
    return wording.phrase_or(f"training.run_form.{form.replace('+', '_')}", merged)


def setting_text(field: str, value: object) -> str:
    """Return the displayed name and value of a setting."""
    if isinstance(value, bool):
        shown = wording.phrase("common.setting_on" if value else "common.setting_off")
    elif isinstance(value, int | float):
        shown = number_text(value)
    else:
        shown = wording.phrase_or(f"common.setting.{field}_{value}", str(value))
    return f"{setting_name(field)} {shown}"


def number_text(value: float) -> str:
    """Return a number like 1,650 or 0.0002, never in scientific notation."""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.10f}".rstrip("0").rstrip(".")


def error_from_run(code: str, facts: Mapping[str, Any], run: str) -> AppError:
    """Return the error for a failed run. `code`: one of `trainer.events.FAILURES`; `run`: the run's id."""
    if code == "spec_invalid" and facts.get("field") == "form" and facts.get("value") is None:
        return AppError("base_form_unreadable")  # the form comes from the base, not from the user
    if code == "spec_invalid":
        return _invalid(str(facts.get("field")), facts.get("value"), str(facts.get("expected")))
    if code in _SAME_CODE:
        return AppError(code, **facts)
    if code == "resume_differs":
        facts = {**facts, "field": setting_name(str(facts.get("field")))}
    shown = {name: " / ".join(map(str, value)) if isinstance(value, list) else value for name, value in facts.items()}
    return AppError(f"run_{code.removeprefix('run_')}", **shown, id=run)


def remedy_text(code: str) -> str:
    """Return what the user must do before a run that failed can continue; "" if nothing is known."""
    return wording.phrase_or(f"common.run_remedy.{code}", "")


def finding_text(finding: PreflightFinding) -> str:
    """Return the text of a preflight finding; its code and facts if this version has no text for the code."""
    shown = {
        name: number_text(value) if type(value) is int and not name.endswith("_bytes") else value
        for name, value in finding.facts.items()
    }
    try:
        return wording.phrase(f"training.finding.{finding.code}", **shown)
    except KeyError:
        facts = ", ".join(f"{name}={value}" for name, value in finding.facts.items())
        return f"{finding.code} ({facts})" if facts else finding.code


def _invalid(field: str, value: object, expected: str) -> AppError:
    text = str(value).encode("utf-8", "replace").decode()
    shown = text if len(text) <= _VALUE_LETTERS else f"{text[:_VALUE_LETTERS]}…"
    return AppError("spec_invalid", field=field, value=shown, expected=_expected_text(field, expected))


def _expected_text(field: str, expected: str) -> str:
    span = re.fullmatch(r"a number from (\S+) to (\S+)", expected)
    if span:
        is_whole = float not in typing.get_args(_TYPES.get(field)) and _TYPES.get(field) is not float
        low, high = (number_text(int(end) if is_whole else float(end)).replace(",", "") for end in span.groups())
        return wording.phrase("training.range_whole" if is_whole else "common.range", low=low, high=high)
    key = _EXPECTED.get(expected)
    if key is not None:
        return wording.phrase(key)
    return (
        wording.phrase("training.spec_choices", choices=expected.replace(" | ", " / ")) if "|" in expected else expected
    )
