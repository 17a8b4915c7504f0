"""What is wrong with a SPEC, and how a run failed, as errors with a sentence for people."""

import dataclasses
import difflib
import re
from collections.abc import Mapping
from typing import Any

from app.core import wording
from app.core.errors import AppError
from trainer.events import Finding
from trainer.spec import RunSpec, SpecError

FIELDS = (*(field.name for field in dataclasses.fields(RunSpec)), "data")
_VALUE_LETTERS = 80
# What `trainer.spec` expects, in its English; ranges and choices are the same in every language.
_EXPECTED = {
    "a path": "spec_path",
    "a text": "spec_text",
    "an object": "spec_object",
    "fields of Form": "spec_form",
    "a text with {text} once": "spec_pattern",
}
_SAME_CODE = ("spec_invalid", "training_environment_broken")


def of_spec(error: SpecError) -> AppError:
    """spec_unknown_field | spec_missing | spec_unreadable | spec_invalid, with the field's name in it."""
    if error.field == "file":
        return AppError("spec_unreadable", path=error.value, reason=error.expected)
    if error.expected == "a field of RunSpec":
        near = difflib.get_close_matches(error.field, FIELDS, n=3)
        return AppError("spec_unknown_field", field=error.field, near=" / ".join(near or FIELDS))
    if error.value is None and error.expected == "a value":
        return AppError("spec_missing", field=error.field)
    return _invalid(error.field, error.value, error.expected)


def of_run(code: str, facts: Mapping[str, Any], run: str) -> AppError:
    """An error for what a run (`run`: its id) has said it failed by: `code` is a key of `trainer.events.FAILURES`."""
    if code == "spec_invalid":
        return _invalid(str(facts.get("field")), facts.get("value"), str(facts.get("expected")))
    if code in _SAME_CODE:
        return AppError(code, **facts)
    shown = {name: " / ".join(map(str, value)) if isinstance(value, list) else value for name, value in facts.items()}
    return AppError(f"run_{code.removeprefix('run_')}", **shown, id=run)


def of_finding(finding: Finding) -> str:
    """What a check before training has found, in words; its code where this version has none for it."""
    try:
        return wording.phrase(f"finding_{finding.code}", **finding.facts)
    except KeyError:
        facts = ", ".join(f"{name}={value}" for name, value in finding.facts.items())
        return f"{finding.code} ({facts})" if facts else finding.code


def _invalid(field: str, value: object, expected: str) -> AppError:
    text = str(value).encode("utf-8", "replace").decode()
    shown = text if len(text) <= _VALUE_LETTERS else f"{text[:_VALUE_LETTERS]}…"
    return AppError("spec_invalid", field=field, value=shown, expected=_in_words(expected))


def _in_words(expected: str) -> str:
    span = re.fullmatch(r"a number from (\S+) to (\S+)", expected)
    if span:
        return wording.phrase("range", low=span[1], high=span[2])
    key = _EXPECTED.get(expected)
    if key is not None:
        return wording.phrase(key)
    return wording.phrase("spec_choices", choices=expected.replace(" | ", " / ")) if "|" in expected else expected
