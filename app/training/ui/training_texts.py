"""Provide texts that several parts of the fine-tuning page share, and the lines of the check step.

A check line has a level, a topic, a sentence, and the step in which the user can fix the problem.
"""

import datetime
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from app.base import wording
from app.base.errors import AppError
from app.base.wording import phrase
from app.models.artifact_steps import StepProgress
from app.training import training_errors
from app.training.drafts import DraftProblem, TrainingDraft
from app.training.runs.training_list import DAMAGED, TrainingEntry, TrainingsOverview
from app.uikit.localization import format_day, join_facts
from app.uikit.page import EntryKey
from app.uikit.widgets.list_rows import EntryRow, group_rows
from trainer import sleep_inhibitor
from trainer.events import PreflightFinding, TrainingStep

_SIZES = frozenset(("need", "allowed", "free"))


def step_name(step: str) -> str:
    """Return the displayed name of a step, which is one of `app.training.drafts.STEPS`."""
    return {
        "goal": phrase("training.goal"),
        "data": phrase("common.data"),
        "model": phrase("training.model_and_settings"),
        "check": phrase("training.check"),
        "run": phrase("training.training_2"),
        "result": phrase("training.result"),
    }[step]


def problem_text(problem: DraftProblem) -> str:
    """Return a sentence that describes a draft's problem."""
    facts = problem.facts
    if problem.code == "setting_wrong":
        return str(wording.describe_error(AppError(facts["code"], **facts["facts"])))
    if problem.code == "finding":
        return finding_text(PreflightFinding(facts["code"], "", facts["facts"]))
    shown = {name: wording.format_size(value) if name in _SIZES else value for name, value in facts.items()}
    return wording.phrase(f"training.draft_problem.{problem.code}", **shown)


def entry_key(entry: TrainingEntry) -> EntryKey:
    return entry.kind, entry.id


def list_rows(overview: TrainingsOverview, live: Mapping[EntryKey, str]) -> list[EntryRow]:
    """Return the rows of the list, ended trainings last. `live`: progress texts of running trainings by their keys."""

    def rows(entries: Iterable[TrainingEntry]) -> Iterable[EntryRow]:
        return (_list_row(entry, live.get(entry_key(entry), "")) for entry in entries)

    return [
        *group_rows(phrase("training.in_progress"), rows(overview.in_progress)),
        *group_rows(phrase("training.history"), rows(overview.history)),
    ]


def _list_row(entry: TrainingEntry, progress: str) -> EntryRow:
    if entry.is_open:
        description = progress or entry_state(entry)
    else:
        day = format_day(datetime.datetime.fromtimestamp(entry.when).astimezone().date())
        description = join_facts(day, entry_state(entry))
    about = join_facts(entry.base, entry.data, entry.note)
    return EntryRow(entry_name(entry), entry_key(entry), entry, description, about, entry_sign(entry))


def entry_name(entry: TrainingEntry) -> str:
    """Return the name of a training; a placeholder if it has none."""
    return entry.name or phrase("common.unnamed_training")


def entry_state(entry: TrainingEntry) -> str:
    if entry.kind == "draft" and entry.state != DAMAGED:
        return phrase("training.draft_step", step=step_name(entry.state))
    if entry.state == "finished":
        return verdict_name(entry.verdict) if entry.verdict else phrase("training.finished_not_judged")
    return phrase("training.unreadable") if entry.state == DAMAGED else run_state_name(entry.state)


def run_state_name(state: str) -> str:
    """Return the displayed name of a run's state (`TrainingRunFolder.state`)."""
    return capitalized(phrase(f"training.run_state.{state}"))


def capitalized(words: str) -> str:
    """Return words that are also used within sentences as a text of their own."""
    return words[:1].upper() + words[1:]


def format_size(size_bytes: int) -> str:
    """Return a size as `wording.format_size` does, on one line."""
    return wording.format_size(size_bytes).replace(" ", "\u00a0")


def setting_label(key: str) -> str:
    """Return the displayed name of a setting."""
    named = capitalized(training_errors.setting_name(key))
    return wording.phrase_or(f"training.setting_name.{key}", named)  # shorter than within a sentence


def verdict_name(verdict: str) -> str:
    """Return the displayed name of a verdict. `verdict`: "adopt" | "check" | "reject"."""
    return phrase(f"training.gate.{verdict}")


def gate_step_text(progress: StepProgress) -> str:
    """Return what a step of the gate does, such as "measuring Q8_0"."""
    what = phrase(f"training.run_gating.{progress.kind}", form=training_errors.form_name(progress.name))
    return _JAPANESE_GAP.sub("", what)  # the space after {form} is only for a Latin name


def run_progress_text(step: TrainingStep) -> str:
    """Return a text with the steps of a run. Its page alone says how long the whole will take."""
    return phrase("training.step_a_of_b", a=f"{step.step:,}", b=f"{step.total:,}")


_SIGNS = {
    DAMAGED: ("circle-x", "danger"),
    "waiting": ("square", "text2"),
    "running": ("play", "accent"),
    "judging": ("play", "accent"),
    "paused": ("pause", "text2"),
    "crashed": ("triangle-alert", "warning"),
    "failed": ("circle-x", "danger"),
    "cancelled": ("x", "text2"),
    "finished": ("check", "text2"),
    "exported": ("file-up", "text2"),
    "adopt": ("circle-check", "success"),
    "check": ("triangle-alert", "warning"),
    "reject": ("circle-x", "danger"),
}


def entry_sign(entry: TrainingEntry) -> tuple[str, str]:
    """Return the icon of a training and the icon's tone."""
    if entry.kind == "draft" and entry.state != DAMAGED:
        return "pencil", "text2"
    return _SIGNS[entry.verdict if entry.state == "finished" and entry.verdict else entry.state]


OK, NOTE, WARN, BLOCK = "ok", "note", "warn", "block"  # levels of PreflightFinding; "ok": nothing was found

_DATA = {  # topics by code, all other than that of the line about the split
    "no_rows": "amount", "few_rows": "amount", "some_rows": "amount", "too_long": "length", "rows_dropped": "length",
    "rows_split": "length", "lengths": "length", "validation_empty": "validation", "validation_shared": "repeats",
    "holdout_shared": "repeats", "holdout_known": "repeats", "data_unfrozen": "hash", "stop_in_answer": "content",
}  # fmt: skip
_FORM = (
    "end_unknown", "end_not_stopping", "end_masked", "nothing_trained", "prompts_trained", "prompts_wanted",
    "double_bos", "pad_is_end", "template_differs",
)  # fmt: skip
_BASE = (
    "token_outside", "vocabulary_larger", "vocabulary_padded", "pre_tokenizer_unknown", "base_quantized", "base_sees",
    "targets_missing", "targets_few", "f16_overflows", "f16_narrow",
)  # fmt: skip
_MACHINE = ("disk_short", "network_open", "shared_memory")
_JAPANESE_GAP = re.compile(r"(?<=[^\x00-\x7f]) (?=[^\x00-\x7f])")  # Japanese has no spaces between words
_BY_SETTINGS = ("too_long", "rows_dropped", "validation_empty")  # problems of the data that a setting can fix


@dataclass(frozen=True, slots=True)
class CheckLine:
    """A line of the check step. `step`: the step in which the user can fix the problem; "" if there is none."""

    level: str
    topic: str
    text: str
    step: str = ""


def check_lines(draft: TrainingDraft, *, has_preview: bool) -> list[CheckLine]:
    """Return the lines for the last check, the gravest first. `has_preview`: the trainer has examined the data."""
    forecast = draft.forecast
    found = [_line(finding) for finding in (forecast.findings if forecast else ())]
    made = [_environment(draft), _data(draft), *_form(draft, found, has_preview=has_preview), _sleep()]
    lines = [*(line for line in made if line is not None), *found]
    order = (BLOCK, WARN, OK, NOTE)
    return sorted(lines, key=lambda line: order.index(line.level))


def check_level_name(level: str) -> str:
    return {
        OK: phrase("training.fine"),
        NOTE: phrase("training.note"),
        WARN: phrase("training.note_2"),
        BLOCK: phrase("training.cannot_start"),
    }[level]


def fix_button_text(step: str) -> str:
    """Return the text of the button that shows a step."""
    return {
        "goal": phrase("common.make_the_training_environment"),
        "data": phrase("training.back_to_data"),
        "model": phrase("training.back_to_the_settings"),
    }[step]


def _environment(draft: TrainingDraft) -> CheckLine | None:
    if draft.has_environment:
        return None
    text = phrase("training.there_is_no_training_environment")
    return CheckLine(BLOCK, phrase("common.training_environment"), text, "goal")


def _data(draft: TrainingDraft) -> CheckLine | None:
    findings = draft.forecast.findings if draft.forecast else ()
    if draft.frozen is None or any(one.code in _DATA and one.level == BLOCK for one in findings):
        return None
    counts = (
        (phrase("training.n_for_training"), draft.frozen.train),
        (phrase("training.n_for_validation"), draft.frozen.validation),
        (phrase("training.n_for_the_test_never"), draft.frozen.holdout),
    )
    topic = phrase("training.data_topic.split")
    return CheckLine(OK, topic, join_facts(*(words.format(n=f"{count:,}") for words, count in counts)))


def _form(draft: TrainingDraft, lines: list[CheckLine], *, has_preview: bool) -> list[CheckLine]:
    if any(line.topic == _form_name() and line.level in (WARN, BLOCK) for line in lines):
        return []
    if has_preview:
        text = phrase("training.the_chat_format_fits_the")
        return [CheckLine(OK, _form_name(), text)]
    if not draft.has_environment or (draft.forecast is not None and draft.forecast.is_exact):
        return []
    text = phrase("training.this_base_is_not_converted")
    return [CheckLine(NOTE, _form_name(), text)]


def _sleep() -> CheckLine:
    topic = phrase("training.sleep")
    if sleep_inhibitor.can_keep_awake():
        text = phrase("training.the_pc_is_kept_awake")
        return CheckLine(OK, topic, text)
    text = phrase("training.this_pc_cannot_be_kept")
    return CheckLine(WARN, topic, text)


def _line(finding: PreflightFinding) -> CheckLine:
    code = finding.code
    if code in _DATA:
        topic, step = phrase(f"training.data_topic.{_DATA[code]}"), "model" if code in _BY_SETTINGS else "data"
    elif code in _FORM:
        topic, step = _form_name(), "model"
    elif code in _MACHINE:
        topic, step = phrase("common.this_pc"), ""
    else:  # codes of _BASE
        topic, step = phrase("training.base_model"), "model"
    is_fixable = finding.level in (WARN, BLOCK)
    return CheckLine(finding.level, topic, finding_text(finding), step if is_fixable else "")


def finding_text(finding: PreflightFinding) -> str:
    """Return a finding as a sentence.

    Where the usual sentence contains a setting's name in the spec, another with its name in the settings form is used.
    """
    files = {
        "train.jsonl": phrase("training.training_data"),
        "validation.jsonl": phrase("training.validation_data"),
        "holdout.jsonl": phrase("training.test_data"),
    }
    file = files.get(str(finding.facts.get("file")), finding.facts.get("file"))
    facts = finding.facts | {"file": file}
    key = f"training.window_finding.{finding.code}"
    try:
        text = phrase(key, **{name: _formatted(value) for name, value in facts.items()})
    except KeyError:  # its usual sentence mentions no setting
        text = training_errors.finding_text(PreflightFinding(finding.code, finding.level, facts))
    return _JAPANESE_GAP.sub("", text)  # the spaces around {file} are only for a Latin name


def _formatted(value: object) -> object:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return f"{value:,}" if type(value) is int else value


def _form_name() -> str:
    return phrase("training.chat_format")
