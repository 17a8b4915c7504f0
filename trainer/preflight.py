"""Check before training for each known cause of a useless model.

The checks examine the encoded data token by token, not the code that made it.
"""

import contextlib
import io
import json
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from trainer import adapter, data, estimate, tokenization
from trainer.channel import TrainerJournal
from trainer.convert import converter, hf_folder
from trainer.data import TARGETS, BaseFacts, EncodedRows, SplitRows, TrainingConversation, TrainingInputs
from trainer.events import PreflightFinding, PreflightFindings, Preview, PreviewToken, RunError
from trainer.offline import NetworkRefusedError
from trainer.prompt_form import TrainingPromptForm
from trainer.spec import RunSpec
from trainer.tokenization import UNTRAINED, BaseTokenizer, EncodedExample

# Code -> level and names of facts. `lines`: the first LINES of `count` line numbers in the data file named `file`.
CODES: dict[str, tuple[str, tuple[str, ...]]] = {
    # Codes about the data.
    "no_rows": ("block", ("file",)),
    "few_rows": ("warn", ("rows", "wanted")),  # fewer rows than FEW
    "some_rows": ("note", ("rows", "wanted")),  # fewer rows than ENOUGH
    "too_long": ("block", ("file", "lines", "count", "context_tokens", "longest")),
    "rows_dropped": ("warn", ("file", "lines", "count", "context_tokens")),
    "rows_split": ("note", ("file", "lines", "count", "context_tokens")),
    "lengths": ("note", ("count", "p50", "p90", "p99", "longest", "tokens", "trained", "bins")),  # of all examples
    "validation_empty": ("block", ()),  # it is needed to choose the best checkpoint
    "validation_shared": ("warn", ("file", "lines", "count")),  # validation rows that are also training rows
    "holdout_shared": ("block", ("file", "lines", "count")),  # held-out rows that are also training or validation rows
    "holdout_known": ("block", ("file", "lines", "count")),  # the adapter to train further was trained on these rows
    "data_unfrozen": ("note", ("files",)),  # `files`: those without a hash in the spec
    # Codes about the encoded examples and the form.
    "end_unknown": ("block", ("text",)),  # the form's end is not a token of this base
    "end_not_stopping": ("block", ("text",)),  # llama.cpp does not stop at the form's end
    "end_masked": ("block", ("file", "lines", "count")),  # an answer's end is not trained: the model never stops
    "nothing_trained": ("block", ("file", "lines", "count")),
    "prompts_trained": ("block", ("file", "lines", "count")),
    "prompts_wanted": ("note", ()),
    "stop_in_answer": ("warn", ("file", "lines", "count", "text")),  # answers will be cut short at this text
    "double_bos": ("block", ("file", "lines", "count")),
    "pad_is_end": ("note", ("text",)),
    "template_differs": ("warn", ("cases",)),
    # Codes about the base.
    "token_outside": ("block", ("file", "lines", "count", "vocabulary")),
    "vocabulary_larger": ("warn", ("tokens", "vocabulary")),
    "vocabulary_padded": ("note", ("tokens", "vocabulary")),
    "pre_tokenizer_unknown": ("warn", ()),
    "base_quantized": ("block", ("method",)),
    "base_sees": ("block", ()),  # it reads images: the adapter's names do not match, and GGUF conversion fails
    "targets_missing": ("block", ("targets",)),
    "targets_few": ("warn", ("targets",)),
    "f16_overflows": ("block", ("model_type",)),
    "f16_narrow": ("warn", ()),
    # Codes about the machine.
    "disk_short": ("block", ("path", "needed_bytes", "free_bytes")),
    "network_open": ("block", ()),
    "shared_memory": ("note", ()),
}

# Model types whose activations exceed 65,504, the largest 16-bit float (QwenLM/Qwen3#670, unslothai/unsloth#4014).
_TOO_LARGE_FOR_F16 = ("qwen2", "gemma")

FEW, ENOUGH = 50, 500  # numbers of rows
LINES = 10
PREVIEWS, PLANNED_PREVIEWS = 3, 20  # examples stored in a run's journal; examples shown for a plan
PREVIEW_TOKENS = 4096


def report_findings(
    material: TrainingInputs,
    base: BaseFacts,
    rows: SplitRows,
    encodings: Mapping[str, EncodedRows],
    journal: TrainerJournal,
    previews: int = PREVIEWS,
) -> None:
    """Send the findings and the first `previews` examples token by token. Raises RunError("preflight_blocked")."""
    findings = collect_findings(material, base, rows, encodings)
    journal.send(PreflightFindings(tuple(findings)))
    for example in material.train[:previews]:
        journal.send(preview_example(material.tokens, example, PREVIEW_TOKENS))
    blocking = [finding.code for finding in findings if finding.level == "block"]
    if blocking:
        raise RunError("preflight_blocked", codes=blocking)


def collect_findings(
    material: TrainingInputs,
    base: BaseFacts,
    rows: SplitRows,
    encodings: Mapping[str, EncodedRows],
    platform: str = sys.platform,
) -> list[PreflightFinding]:
    """Return all findings in the order of CODES.

    `encodings`: the encoded rows "train" and "validation", as the run will use them.
    """
    found = [
        *_check_rows(material, rows, encodings),
        *_check_examples(material, base, encodings),
        *_check_form(material.form, material.tokens, str(material.spec.loss)),
        *_check_vocabulary(material.tokens, base),
        *_check_base(material, base),
        *_check_machine(material, base, platform),
    ]
    order = list(CODES)
    return sorted(found, key=lambda finding: order.index(finding.code))


def preview_example(tokens: BaseTokenizer, example: EncodedExample, count: int) -> Preview:
    """Return a preview of the first `count` tokens of an example."""
    ends = set(tokens.end_ids)

    def token_kind(index: int, token_id: int) -> str:
        if index == 0 and token_id == tokens.bos_id:
            return "bos"
        return "end" if token_id in ends else "control" if token_id in tokens.control_ids else ""

    pairs = zip(example.ids[:count], example.labels[:count], strict=True)
    shown = (
        PreviewToken(id, tokens.text_of(id), label != UNTRAINED, token_kind(at, id))
        for at, (id, label) in enumerate(pairs)
    )
    return Preview(example.line, tuple(shown))


def _finding(code: str, **facts: Any) -> PreflightFinding:
    level, names = CODES[code]
    assert set(facts) == set(names), (code, facts)
    return PreflightFinding(code, level, facts)


def _line_findings(code: str, path: str, lines: Sequence[int], **facts: Any) -> list[PreflightFinding]:
    """Return a finding for the lines; [] if there are no lines."""
    if not lines:
        return []
    return [_finding(code, file=Path(path).name, lines=list(lines[:LINES]), count=len(lines), **facts)]


# ----------------------------------------------------------------- the data


def _check_rows(
    material: TrainingInputs, rows: SplitRows, encodings: Mapping[str, EncodedRows]
) -> Iterator[PreflightFinding]:
    spec = material.spec
    yield from _check_count(spec.train, encodings["train"].examples)
    for name, encoding in encodings.items():
        path, context = getattr(spec, name), spec.context_tokens
        yield from _line_findings("too_long", path, encoding.too_long, context_tokens=context, longest=encoding.longest)
        yield from _line_findings("rows_dropped", path, encoding.dropped, context_tokens=context)
        yield from _line_findings("rows_split", path, encoding.split, context_tokens=context)
    if not encodings["validation"].examples and spec.evaluations_per_epoch:
        yield _finding("validation_empty")
    yield from _check_stops(material.form.stop, spec.train, rows.train)
    yield from _line_findings("validation_shared", spec.validation, _shared_lines(rows.validation, rows.train))
    used_rows = [*rows.train, *rows.validation]
    yield from _line_findings("holdout_shared", spec.holdout, _shared_lines(rows.holdout, used_rows))
    known = adapter.trained_row_ids(Path(spec.adapter)) if spec.adapter else frozenset()
    lines = [row.line for row in rows.holdout if known and adapter.row_id(row.messages) in known]
    yield from _line_findings("holdout_known", spec.holdout, lines)
    files = {name: getattr(spec, name) for name in ("train", "validation", "holdout")}
    unfrozen = [Path(path).name for name, path in files.items() if path and not spec.hashes.get(name)]
    if unfrozen:
        yield _finding("data_unfrozen", files=unfrozen)


def _check_stops(stops: Sequence[str], path: str, rows: Sequence[TrainingConversation]) -> Iterator[PreflightFinding]:
    """Yield findings for answers with a stop text: generation ends there, so the full answer can never be given."""
    for stop in stops:
        answers = ((row.line, one["content"]) for row in rows for one in row.messages if one["role"] == "assistant")
        lines = list(dict.fromkeys(line for line, text in answers if stop in text))
        yield from _line_findings("stop_in_answer", path, lines, text=stop)


def _check_count(path: str, examples: Sequence[EncodedExample]) -> Iterator[PreflightFinding]:
    rows = len({example.line for example in examples})
    if not rows:
        yield _finding("no_rows", file=Path(path).name)
        return
    if rows < FEW:
        yield _finding("few_rows", rows=rows, wanted=FEW)
    elif rows < ENOUGH:
        yield _finding("some_rows", rows=rows, wanted=ENOUGH)
    yield _lengths(examples)


def _lengths(examples: Sequence[EncodedExample]) -> PreflightFinding:
    """Return a finding with the distribution of lengths in tokens.

    `bins` has pairs [upper length, number of examples]; each upper length doubles the one before.
    """
    lengths = sorted(example.longest for example in examples)
    bins: dict[int, int] = {}
    for length in lengths:
        upper = 1 << max(5, (length - 1).bit_length())
        bins[upper] = bins.get(upper, 0) + 1
    return _finding(
        "lengths",
        count=len(lengths),
        **{f"p{share}": lengths[(len(lengths) - 1) * share // 100] for share in (50, 90, 99)},
        longest=lengths[-1],
        tokens=sum(example.tokens for example in examples),
        trained=data.count_trained_tokens(examples),
        bins=[list(pair) for pair in bins.items()],
    )


def _shared_lines(rows: Sequence[TrainingConversation], others: Sequence[TrainingConversation]) -> list[int]:
    """Return the line numbers of the rows whose messages equal those of a row in `others`."""
    known = {json.dumps(row.messages) for row in others}
    return [row.line for row in rows if json.dumps(row.messages) in known]


# ---------------------------------------------------------- what is trained


def _check_examples(
    material: TrainingInputs, base: BaseFacts, encodings: Mapping[str, EncodedRows]
) -> Iterator[PreflightFinding]:
    tokens, loss = material.tokens, str(material.spec.loss)
    end = _end_ids(material.form, tokens)
    for name, encoding in encodings.items():
        path = getattr(material.spec, name)

        def lines(is_wrong: Callable[[EncodedExample], bool], encoding: EncodedRows = encoding) -> list[int]:
            found = (one.line for one in encoding.examples if any(map(is_wrong, one.sequences)))
            return list(dict.fromkeys(found))

        yield from _line_findings("nothing_trained", path, lines(lambda one: not _trained_spans(one)))
        yield from _line_findings("end_masked", path, lines(lambda one: not _learns_every_end(one, end)))
        yield from _line_findings("double_bos", path, lines(lambda one: not _has_one_bos(one, tokens)))
        if name == "validation" or loss != "all":
            yield from _line_findings("prompts_trained", path, lines(lambda one: _trains_first_token(one, tokens)))
        if base.vocab_size:
            outside = lines(lambda one: max(one.ids) >= base.vocab_size)
            yield from _line_findings("token_outside", path, outside, vocabulary=base.vocab_size)


def _end_ids(form: TrainingPromptForm, tokens: BaseTokenizer) -> list[int]:
    if form.end:
        return tokens.ids(form.end, has_markup=True)
    return [] if tokens.eos_id is None else [tokens.eos_id]


def _trained_spans(example: EncodedExample) -> list[tuple[int, int]]:
    """Return for each span of trained tokens its first position and the position after its last token."""
    places = [at for at, label in enumerate(example.labels) if at and label != UNTRAINED]
    begins = [at for at in places if at == 1 or example.labels[at - 1] == UNTRAINED]
    ends = [at + 1 for at in places if at + 1 == len(example.labels) or example.labels[at + 1] == UNTRAINED]
    return list(zip(begins, ends, strict=True))


def _learns_every_end(example: EncodedExample, end: Sequence[int]) -> bool:
    """Return whether the end of every answer is trained.

    An example without answers passes, because `nothing_trained` reports it.
    """
    return all(
        example.ids[max(begin, after - len(end)) : after] == list(end) for begin, after in _trained_spans(example)
    )


def _has_one_bos(example: EncodedExample, tokens: BaseTokenizer) -> bool:
    """Return whether the example begins with one BOS token if the tokenizer adds one; two never pass."""
    bos = tokens.tokenizer.bos_token_id
    leading = next((at for at, id in enumerate(example.ids) if id != bos), len(example.ids))
    return leading == 1 if tokens.bos_id is not None else bos is None or leading <= 1


def _trains_first_token(example: EncodedExample, tokens: BaseTokenizer) -> bool:
    """Return whether the example's first token is trained, which is wrong: a question comes before every answer."""
    first = 0 if tokens.bos_id is None else 1
    return any(label != UNTRAINED for label in example.labels[: first + 1])


def _check_form(form: TrainingPromptForm, tokens: BaseTokenizer, loss: str) -> Iterator[PreflightFinding]:
    end = _end_ids(form, tokens)
    if len(end) != 1:
        yield _finding("end_unknown", text=form.end)
    # llama.cpp also ends at the form's stop texts, unless these are control tokens.
    elif end[0] not in tokens.end_ids and (end[0] in tokens.control_ids or tokens.text_of(end[0]) not in form.stop):
        yield _finding("end_not_stopping", text=form.end)
    if tokens.pad_id in end:
        yield _finding("pad_is_end", text=tokens.text_of(tokens.pad_id))
    if loss == "all":
        yield _finding("prompts_wanted")
    cases = tokenization.template_differences(form, tokens.tokenizer)
    if cases:
        yield _finding("template_differs", cases=cases)


# ----------------------------------------------------------------- the base


def _check_vocabulary(tokens: BaseTokenizer, base: BaseFacts) -> Iterator[PreflightFinding]:
    if base.vocab_size and tokens.size != base.vocab_size:
        code = "vocabulary_larger" if tokens.size > base.vocab_size else "vocabulary_padded"
        yield _finding(code, tokens=tokens.size, vocabulary=base.vocab_size)
    file = base.folder / "tokenizer.json"
    is_split_by_rules = file.is_file() and not (base.folder / "tokenizer.model").is_file()
    if is_split_by_rules and converter.known_pre_tokenizer(json.loads(file.read_bytes())) is None:
        yield _finding("pre_tokenizer_unknown")


def _check_base(material: TrainingInputs, base: BaseFacts) -> Iterator[PreflightFinding]:
    text = base.config.get("text_config") or base.config
    if base.config.get("vision_config"):
        yield _finding("base_sees")
    quantization = base.config.get("quantization_config") or text.get("quantization_config")
    if quantization:
        yield _finding("base_quantized", method=str(quantization.get("quant_method", "")))
    else:
        names = (name for file in base.folder.glob("model*.safetensors") for name in hf_folder.tensors_of(file))
        found = {name.removesuffix(".weight").rpartition(".")[2] for name in names if "vision" not in name}
        missing = [target for target in TARGETS if target not in found]
        if missing:
            yield _finding("targets_missing" if len(missing) == len(TARGETS) else "targets_few", targets=missing)
    if material.spec.compute == "f16":
        if base.model_type.startswith(_TOO_LARGE_FOR_F16):
            yield _finding("f16_overflows", model_type=base.model_type)
        else:
            yield _finding("f16_narrow")


# -------------------------------------------------------------- the machine


def _check_machine(material: TrainingInputs, base: BaseFacts, platform: str) -> Iterator[PreflightFinding]:
    spec = material.spec
    if not base.config.get("vision_config"):  # an image model is refused, and its config may lack sizes
        yield from _check_disk(spec, estimate.shape_from_config(base.config, base.parameters))
    if not _is_network_refused():
        yield _finding("network_open")
    if platform == "win32" and spec.device == "cuda":
        yield _finding("shared_memory")


def _check_disk(spec: RunSpec, shape: estimate.TrainedShape) -> Iterator[PreflightFinding]:
    folder, disk = Path(spec.folder), estimate.estimate_disk(shape, spec)
    place = next(path for path in (folder, *folder.parents) if path.exists())
    needed, free = disk.checkpoints + disk.adapter + disk.logs, shutil.disk_usage(place).free
    if free < needed:
        yield _finding("disk_short", path=str(folder), needed_bytes=needed, free_bytes=free)


def _is_network_refused() -> bool:
    """Return whether the network guard refuses a look-up; nothing is really looked up, connected or logged."""
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            sys.audit("socket.getaddrinfo", "network.invalid", 443, 0, 0, 0)
    except NetworkRefusedError:
        return True
    return False
