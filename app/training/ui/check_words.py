"""What was found before a training, in words: of what it is, how grave, and where it can be mended."""

import re
from dataclasses import dataclass

from app.base.wording import phrase
from app.training import problems
from app.training.plan import Draft
from app.uikit.localization import join_facts
from trainer import sleep_inhibitor
from trainer.events import PreflightFinding

OK, NOTE, WARN, BLOCK = "ok", "note", "warn", "block"  # as of Finding; "ok": nothing was found

_DATA = (
    "no_rows", "few_rows", "some_rows", "too_long", "rows_dropped", "rows_split", "lengths", "validation_empty",
    "validation_shared", "holdout_shared", "holdout_known", "data_unfrozen", "stop_in_answer",
)  # fmt: skip
_FORM = (
    "end_unknown", "end_not_stopping", "end_masked", "nothing_trained", "prompts_trained", "prompts_wanted",
    "double_bos", "pad_is_end", "template_differs",
)  # fmt: skip
_BASE = (
    "token_outside", "vocabulary_larger", "vocabulary_padded", "pre_tokenizer_unknown", "base_quantized", "base_sees",
    "targets_missing", "targets_few", "f16_overflows", "f16_narrow",
)  # fmt: skip
_MACHINE = ("disk_short", "network_open", "shared_memory")
_JAPANESE_GAP = re.compile(r"(?<=[^\x00-\x7f]) (?=[^\x00-\x7f])")  # there are no spaces between Japanese words
_BY_SETTINGS = ("too_long", "rows_dropped", "validation_empty")  # of the data, and mended there all the same


@dataclass(frozen=True, slots=True)
class Line:
    """`topic`: what it is about. `step`: where it can be mended; ""."""

    level: str
    topic: str
    text: str
    step: str = ""


def lines(draft: Draft, *, has_preview: bool) -> list[Line]:
    """What the last check has found, the gravest first. `has_preview`: the trainer has looked at the data."""
    forecast = draft.forecast
    found = [_line(finding) for finding in (forecast.findings if forecast else ())]
    made = [_environment(draft), _data(draft, found), *_form(draft, found, has_preview=has_preview), _sleep()]
    all_of_them = [*(line for line in made if line is not None), *found]
    order = (BLOCK, WARN, OK, NOTE)
    return sorted(all_of_them, key=lambda line: order.index(line.level))


def state(level: str) -> str:
    return {
        OK: phrase("training.fine"),
        NOTE: phrase("training.note"),
        WARN: phrase("training.note_2"),
        BLOCK: phrase("training.cannot_start"),
    }[level]


def back_to(step: str) -> str:
    """On the button that leads there."""
    return {
        "goal": phrase("common.make_the_training_environment"),
        "data": phrase("training.back_to_data"),
        "model": phrase("training.back_to_the_settings"),
    }[step]


def _environment(draft: Draft) -> Line | None:
    if draft.has_environment:
        return None
    text = phrase("training.there_is_no_training_environment")
    return Line(BLOCK, phrase("common.training_environment"), text, "goal")


def _data(draft: Draft, found: list[Line]) -> Line | None:
    if draft.frozen is None or any(line.topic == _data_name() and line.level == BLOCK for line in found):
        return None
    counts = (
        (phrase("training.n_for_training"), draft.frozen.train),
        (phrase("training.n_for_validation"), draft.frozen.validation),
        (phrase("training.n_for_the_test_never"), draft.frozen.holdout),
    )
    return Line(OK, _data_name(), join_facts(*(words.format(n=f"{count:,}") for words, count in counts)))


def _form(draft: Draft, found: list[Line], *, has_preview: bool) -> list[Line]:
    if any(line.topic == _form_name() and line.level in (WARN, BLOCK) for line in found):
        return []
    if has_preview:
        text = phrase("training.the_chat_format_fits_the")
        return [Line(OK, _form_name(), text)]
    if not draft.has_environment or (draft.forecast is not None and draft.forecast.is_exact):
        return []
    text = phrase("training.this_base_is_not_converted")
    return [Line(NOTE, _form_name(), text)]


def _sleep() -> Line:
    topic = phrase("training.sleep")
    if sleep_inhibitor.can_keep_awake():
        text = phrase("training.the_pc_is_kept_awake")
        return Line(OK, topic, text)
    text = phrase("training.this_pc_cannot_be_kept")
    return Line(WARN, topic, text)


def _line(finding: PreflightFinding) -> Line:
    code = finding.code
    if code in _DATA:
        topic, step = _data_name(), "model" if code in _BY_SETTINGS else "data"
    elif code in _FORM:
        topic, step = _form_name(), "model"
    elif code in _MACHINE:
        topic, step = phrase("common.this_pc"), ""
    else:  # of _BASE
        topic, step = phrase("training.base_model"), "model"
    is_to_be_mended = finding.level in (WARN, BLOCK)
    return Line(finding.level, topic, sentence(finding), step if is_to_be_mended else "")


def sentence(finding: PreflightFinding) -> str:
    """Where the shared words name a setting as SPEC has it, the name that the page 詳しい設定 has."""
    own = {
        "too_long": phrase("training.count_rows_of_the_file"),
        "validation_empty": phrase("training.without_validation_rows_the_best"),
        "validation_shared": phrase("training.count_rows_for_validation_are"),
        "holdout_shared": phrase("training.count_test_rows_are_the"),
        "holdout_known": phrase("training.the_adapter_that_is_gone"),
        "data_unfrozen": phrase("training.there_is_no_record_of"),
        "prompts_wanted": phrase("training.as_chosen_questions_are_learned"),
        "f16_overflows": phrase("training.numbers_overflow_in_f16_and"),
        "f16_narrow": phrase("training.numbers_may_overflow_in_f16"),
        "pre_tokenizer_unknown": phrase("training.the_converter_may_not_know"),
    }
    files = {
        "train.jsonl": phrase("training.training_data"),
        "validation.jsonl": phrase("training.validation_data"),
        "holdout.jsonl": phrase("training.test_data"),
    }
    file = files.get(str(finding.facts.get("file")), finding.facts.get("file"))
    facts = finding.facts | {"file": file}
    if finding.code in own:
        told = own[finding.code].format_map({name: _told(what) for name, what in facts.items()})
    else:
        told = problems.of_finding(PreflightFinding(finding.code, finding.level, facts))
    return _JAPANESE_GAP.sub("", told)  # which a file's name in Latin letters would need


def _told(what: object) -> object:
    if isinstance(what, list | tuple):
        return ", ".join(map(str, what))
    return f"{what:,}" if type(what) is int else what


def _data_name() -> str:
    return phrase("common.data")


def _form_name() -> str:
    return phrase("training.chat_format")
