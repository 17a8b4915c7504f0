"""Plan a run before it starts: its memory, disk and time, from the trainer if possible, otherwise estimated.

The trainer's `--plan` reads data and tokenizer, decides all settings and exits; this module computes the cost for the
device that the trainer reports. `--probe` also loads the model and measures three steps. Without a training environment
the token counts are estimated from character counts.

The module also joins the tokens of a training example into readable pieces for its preview. It is long because the
trainer's answer, the estimate that replaces it and the device belong to one plan.
"""

import contextlib
import dataclasses
import itertools
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.base.errors import AppError
from app.base.files import strict_json
from app.base.files.input_file import lines_of
from app.inference import gguf, machine, memory_estimate, processor_cores, speed
from app.models import hf_folders
from app.training import training_errors
from app.training.runs import run_clock, run_folders, run_journal
from trainer import estimate, recipe, spec
from trainer.estimate import EpochWorkload, TrainedShape, TrainingDisk, TrainingMemory, TrainingTime
from trainer.events import (
    Event,
    Failed,
    PreflightFinding,
    PreflightFindings,
    Preview,
    PreviewToken,
    ResolvedRecipe,
    RunForecast,
)
from trainer.recipe import RecipeFacts
from trainer.spec import RunSpec

TrainerProcess = subprocess.Popen[bytes]


@dataclass(frozen=True, slots=True)
class ProcessWatch:
    """Callbacks for a trainer process; an exception from either ends the process.

    `began` receives the process, which any thread may kill; `on_event` receives each of its events.
    """

    began: Callable[[TrainerProcess], None] = lambda _process: None
    on_event: Callable[[Event], None] = lambda _event: None


def trainer_events(
    requested: RunSpec, command: Callable[..., list[str]], mode: str, watch: ProcessWatch
) -> Iterator[Event]:
    """Run the trainer with the option `mode` and yield its events. Only a converted base remains afterwards.

    `command` returns the command line for the spec's path and the option. Raises
    AppError("training_environment_broken").
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / run_folders.SPEC
        written = spec.to_json(dataclasses.replace(requested, folder=str(Path(folder) / "run")))
        path.write_text(json.dumps(written, ensure_ascii=False), encoding="utf-8")
        with (Path(folder) / run_folders.LOG).open("wb") as log:
            argv = command(str(path), mode, *card_arguments())
            try:
                child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log)
            except OSError as error:
                reason = error.strerror or str(error)
                raise AppError("training_environment_broken", path=argv[0], reason=reason) from error
            with child:
                assert child.stdout is not None
                try:
                    watch.began(child)
                    for line in child.stdout:
                        event = run_journal.read_event(line)
                        watch.on_event(event)
                        yield event
                except ValueError as error:  # the process was killed while writing a line
                    raise AppError("training_environment_broken", path=argv[0], reason=mode) from error
                finally:
                    child.kill()  # it still runs if the caller stopped early


TOKENS_PER_CHARACTER = 0.8  # Japanese: 0.6 with Gemma 3, 0.7 with Qwen 2.5, 0.8 with Llama 3
MARKUP_TOKENS = 8  # tokens around each message
TRAINED_MULTIPLICATIONS = 0.5  # share of a processor's speed at matrix products that training reaches
CONVERTED_BYTES = 1 << 30  # a larger GGUF base is not converted just to count tokens
_LENGTHS = (4096, 3072, 2048, 1536, 1024, 768, 512, 384, 256)


@dataclass(frozen=True, slots=True)
class PlannedDevice:
    """The device to train on.

    `kind`: "cuda" | "cpu". `free_bytes`: memory that is free while no trainer runs. `flops_per_s`: assumed for a card,
    derived from a measurement for a processor.
    """

    kind: str
    name: str
    memory_bytes: int
    free_bytes: int
    flops_per_s: float


@dataclass(frozen=True, slots=True)
class TokenCounts:
    """Token counts of one epoch of the training rows. `trained`: those that count for the loss; `longest`: per row."""

    rows: int
    validation_rows: int
    tokens: int
    trained: int
    longest: int
    is_exact: bool


@dataclass(frozen=True, slots=True)
class RunPlan:
    """The plan of a run.

    `spec`: the spec with all settings decided. `changes`: settings with which the run would fit, the least costly
    first. `problem`: why the trainer would refuse to run; `findings` give details. `measured`: None if nothing was
    measured. `previews`: the first training rows as tokens.
    """

    spec: RunSpec
    counts: TokenCounts
    device: PlannedDevice
    memory: TrainingMemory
    disk: TrainingDisk
    time: TrainingTime
    free_disk_bytes: int
    findings: tuple[PreflightFinding, ...] = ()
    previews: tuple[Preview, ...] = ()
    problem: AppError | None = None
    changes: tuple[tuple[str, Any], ...] = ()
    measured: RunForecast | None = None
    before_s: float = 0.0  # seconds from the start of the run to that of its training
    verdict_s: float = 0.0  # seconds from the end of the training to its verdict; 0: there is none

    @property
    def preview(self) -> Preview | None:
        return next(iter(self.previews), None)

    @property
    def needed_bytes(self) -> int:
        """Return the memory that the run needs; a measurement lacks a card's context, which is added here."""
        if self.measured is None:
            return self.memory.total
        return self.measured.peak_bytes + (self.memory.libraries if self.device.kind == "cuda" else 0)

    @property
    def allowed_bytes(self) -> int:
        """Return the memory that the run may use: after a measurement all of the allowed share, otherwise less."""
        share = estimate.REFUSED_SHARE if self.measured is None else 1.0
        return round(self.device.free_bytes * self.spec.memory_share * share)

    @property
    def total_s(self) -> float:
        return self.time.total_s if self.measured is None else self.measured.total_s

    @property
    def has_memory(self) -> bool:
        return self.needed_bytes <= self.allowed_bytes

    @property
    def has_disk(self) -> bool:
        return self.disk.training <= self.free_disk_bytes

    @property
    def fits(self) -> bool:
        return self.has_memory and self.has_disk and self.problem is None


def plan_run(
    requested: RunSpec,
    command: Callable[..., list[str]] | None,
    find_device: Callable[[str | None], PlannedDevice],
    *,
    measures: bool = False,
    watch: ProcessWatch = ProcessWatch(),
) -> RunPlan:
    """Plan a run.

    `command`: returns the trainer's command line with the given arguments; None without an environment. `find_device`:
    returns the device of a kind, like `find_device` below. `measures`: use `--probe`, which may first write a converted
    base. Raises AppError for everything that makes a run fail before its checks (run_data_missing, run_base_…), and
    base_*.
    """
    base = _base(requested)
    answer = None
    if command is not None and (measures or _is_planning_quick(requested)):
        answer = _ask_trainer(requested, command, "--probe" if measures else "--plan", watch)
    device = find_device(answer.spec.device if answer else requested.device)
    found = answer or _estimate(requested, base, device)
    shape, effective, forecast = base.shape, found.spec, found.forecast
    memory = estimate.estimate_memory(shape, effective, _longest_sequence(effective, found.counts))
    workload = {"parameters": shape.parameters, "examples": found.counts.rows, "tokens": found.counts.tokens}
    before_s, verdict_s = run_clock.stages_around(effective, workload)
    if forecast:
        device = _with_measured_memory(device, forecast, effective, memory)
    plan = RunPlan(
        spec=effective,
        counts=found.counts,
        device=device,
        memory=memory,
        disk=estimate.estimate_disk(shape, effective),
        time=estimate.estimate_time(shape, effective, _load(found.counts), device.flops_per_s),
        free_disk_bytes=_free_disk(Path(requested.folder)),
        findings=found.findings,
        previews=found.previews,
        problem=found.problem,
        measured=forecast if forecast and forecast.is_measured else None,
        before_s=before_s,
        verdict_s=verdict_s,
    )
    return plan if plan.has_memory else dataclasses.replace(plan, changes=suggest_changes(shape, plan))


def _with_measured_memory(
    device: PlannedDevice, forecast: RunForecast, effective: RunSpec, memory: TrainingMemory
) -> PlannedDevice:
    """Return the device with the free memory that the trainer reported.

    On a processor the smaller figure counts, because the trainer does not know a container's limit.
    """
    free = round(forecast.available_bytes / effective.memory_share) + memory.libraries
    return dataclasses.replace(device, free_bytes=free if device.kind == "cuda" else min(free, device.free_bytes))


def suggest_changes(shape: TrainedShape, plan: RunPlan) -> tuple[tuple[str, Any], ...]:
    """Return settings to change so that the memory suffices; () if nothing does. Shorter examples come last."""
    effective, made = plan.spec, dict[str, Any]()
    length = _longest_sequence(effective, plan.counts)
    batch = (effective.micro_batch or 1) * (effective.accumulation or 1)
    candidates: list[dict[str, Any]] = [{"gradient_checkpointing": True}]
    candidates += [{"micro_batch": size, "accumulation": -(-batch // size)} for size in (4, 2, 1)]
    candidates.append({"precision": "nf4"})
    candidates += [{"context_tokens": size} for size in _LENGTHS if size < length]
    for candidate in candidates:
        if "micro_batch" in candidate and candidate["micro_batch"] >= (effective.micro_batch or 1):
            continue
        if all(getattr(effective, name) == value for name, value in candidate.items()):
            continue
        effective = dataclasses.replace(effective, **candidate)
        made |= candidate
        needed = estimate.estimate_memory(shape, effective, min(length, effective.context_tokens or length))
        if needed.total <= plan.allowed_bytes:
            return tuple(made.items())
    return ()


# --------------------------------------------------------------------- the base


@dataclass(frozen=True, slots=True)
class PlannedBase:
    shape: TrainedShape
    model_type: str


def _base(requested: RunSpec) -> PlannedBase:
    """Return the shape of the base model and its architecture. Raises AppError as the readers of models do."""
    path = Path(requested.base)
    if path.is_dir():
        model = hf_folders.read_hf_model(path)
        config = strict_json.read_object(hf_folders.regular_file(path, "config.json"))
        try:
            shape = estimate.shape_from_config(config, model.parameters)
        except KeyError as error:  # the file omits a default of transformers, which is not installed here
            raise AppError("hf_file_unreadable", file="config.json", reason=str(error)) from error
        return PlannedBase(shape, str(config.get("model_type", "")))
    header = gguf.read_header(path)
    config = {
        "model_type": header.architecture,
        "num_hidden_layers": header.block_count,
        "hidden_size": header.embedding_length,
        "intermediate_size": max(header.per_layer("feed_forward_length"), default=0),
        "num_attention_heads": max(header.head_counts, default=1),
        "num_key_value_heads": max(header.head_counts_kv, default=1),
        "head_dim": header.key_length,
        "vocab_size": header.vocab_size,
        "tie_word_embeddings": "output.weight" not in header.tensors,
    }
    return PlannedBase(estimate.shape_from_config(config, header.parameters), header.architecture)


# ------------------------------------------------------------------ the trainer


@dataclass(frozen=True, slots=True)
class TrainerPlan:
    """The trainer's decisions, counts and findings, or estimates of the decisions and counts."""

    spec: RunSpec
    counts: TokenCounts
    findings: tuple[PreflightFinding, ...] = ()
    previews: tuple[Preview, ...] = ()
    problem: AppError | None = None
    forecast: RunForecast | None = None


def _is_planning_quick(requested: RunSpec) -> bool:
    """Return whether the trainer can plan without first converting a large base."""
    base = Path(requested.base)
    converted = (
        Path(requested.bases) / requested.base_sha256[:16] if requested.bases and requested.base_sha256 else None
    )
    return base.is_dir() or (converted is not None and converted.is_dir()) or base.stat().st_size <= CONVERTED_BYTES


def _ask_trainer(requested: RunSpec, command: Callable[..., list[str]], mode: str, watch: ProcessWatch) -> TrainerPlan:
    """Run the trainer with `mode` ("--plan" | "--probe") and return its answer.

    Raises AppError: run_* for failures before the settings are decided; training_environment_broken.
    """
    effective: ResolvedRecipe | None = None
    findings: tuple[PreflightFinding, ...] = ()
    previews: list[Preview] = []
    problem: AppError | None = None
    forecast: RunForecast | None = None
    for event in trainer_events(requested, command, mode, watch):
        match event:
            case ResolvedRecipe():
                effective = event
            case PreflightFindings():
                findings = event.found
            case Preview():
                previews.append(event)
            case RunForecast():
                forecast = event
            case Failed() if event.code != "memory_short":  # RunPlan.has_memory decides about memory
                problem = training_errors.error_from_run(event.code, event.facts, requested.name)
    if effective is None:
        raise problem or AppError("training_environment_broken", path=command()[0], reason=mode)
    facts = effective.facts
    counts = TokenCounts(
        rows=facts["examples"],
        validation_rows=_rows(Path(requested.validation)),
        tokens=facts["tokens"],
        trained=facts["trained_tokens"],
        longest=facts["longest"],
        is_exact=True,
    )
    decided = dataclasses.replace(spec.from_json(effective.spec), folder=requested.folder)
    return TrainerPlan(decided, counts, findings, tuple(previews), problem, forecast)


# ----------------------------------------------------------- without the trainer


def _estimate(requested: RunSpec, base: PlannedBase, device: PlannedDevice) -> TrainerPlan:
    """Estimate the token counts from the rows' characters, and decide the settings from these counts.

    Raises AppError("run_data_missing" | "run_data_invalid").
    """
    rows = list(read_rows(Path(requested.train)))
    sequences = [_character_counts(one) for row in rows for one in _sequences(row, requested)]
    tokens = [round(TOKENS_PER_CHARACTER * letters) + MARKUP_TOKENS * messages for letters, _, messages in sequences]
    trained = sum(round(TOKENS_PER_CHARACTER * answers) for _, answers, _ in sequences)
    longest = max(tokens, default=0)
    counts = TokenCounts(len(rows), _rows(Path(requested.validation)), sum(tokens), trained, longest, is_exact=False)
    facts = RecipeFacts(
        rows=len(rows),
        tokens_longest=longest,
        device=requested.device or device.kind,
        memory_bytes=device.memory_bytes,
        has_bf16=device.kind == "cuda",
        parameters=base.shape.parameters,
        model_type=base.model_type,
        platform=sys.platform,
    )
    effective = recipe.resolve(requested, facts)
    if effective.device == "cuda" and tokens:
        cut, each = [min(length, effective.context_tokens or length) for length in tokens], requested.sequences
        lengths = [max(pair) for pair in zip(cut[::each], cut[each - 1 :: each], strict=True)]
        load = EpochWorkload(len(rows), sum(cut), trained, lengths=lengths)
        available = device.free_bytes * effective.memory_share - estimate.CONTEXT_BYTES / estimate.REFUSED_SHARE
        effective = estimate.fit_card(base.shape, effective, requested, load, round(available))
    return TrainerPlan(effective, counts)


def read_rows(path: Path) -> Iterator[Mapping[str, Any]]:
    """Yield the rows of a file. Raises AppError("run_data_missing" | "run_data_invalid")."""
    try:
        for number, line in enumerate(lines_of(path), 1):
            if line.strip():
                yield _row_of(line, path, number)
    except OSError as error:
        raise AppError("run_data_missing", path=str(path)) from error


def _row_of(line: bytes, path: Path, number: int) -> Mapping[str, Any]:
    try:
        row = strict_json.loads(line)
        if not isinstance(row, dict) or not isinstance(row.get("messages"), list):
            raise ValueError('no {"messages": [...]}')
    except ValueError as error:
        raise AppError("run_data_invalid", path=str(path), line=number, reason=str(error)[:80]) from error
    return row


def _sequences(row: Mapping[str, Any], requested: RunSpec) -> list[Mapping[str, Any]]:
    """Return the row; in preference tuning also the row with its rejected answer."""
    if not requested.is_preference:
        return [row]
    rejected = {"role": "assistant", "content": row.get("rejected", "")}
    return [row, {"messages": [*row["messages"][:-1], rejected]}]


def _character_counts(row: Mapping[str, Any]) -> tuple[int, int, int]:
    """Return the characters of all messages, the characters of the answers, and the number of messages."""
    messages = [message for message in row["messages"] if isinstance(message, dict)]
    lengths = [(len(str(message.get("content", ""))), message.get("role") == "assistant") for message in messages]
    return sum(length for length, _ in lengths), sum(length for length, is_answer in lengths if is_answer), len(lengths)


def _rows(path: Path) -> int:
    return sum(1 for _ in read_rows(path))


# ------------------------------------------------------------------ the machine


def find_device(kind: str | None, speed_file: Path) -> PlannedDevice:
    """Return the best card, or the processor. `kind`: "cuda" | "cpu"; None for the best that exists.

    This takes seconds: a driver starts, or an unmeasured processor is measured and the speed stored in `speed_file`.
    """
    card = best_card() if kind != "cpu" else None
    if card is not None:
        flops = estimate.card_flops_per_s(card.name)
        return PlannedDevice("cuda", card.name, card.memory_bytes or 0, card.free_bytes or 0, flops)
    here = speed.load(speed_file)
    if here is None:
        here = speed.measure()
        with contextlib.suppress(OSError):  # without the file it is measured again next time
            speed.save(speed_file, here)
    flops = (
        2 * here.multiplications_per_s / here.threads * processor_cores.usable_cores().every * TRAINED_MULTIPLICATIONS
    )
    return PlannedDevice("cpu", "", memory_estimate.memory_bytes(), memory_estimate.available_memory_bytes(), flops)


def best_card() -> machine.Gpu | None:
    """Return the card to train on: the one with the most memory, the first of equals."""
    cards = [gpu for gpu in machine.list_gpus() if gpu.memory_bytes and gpu.free_bytes]
    return max(cards, key=lambda gpu: gpu.memory_bytes or 0, default=None)


def card_arguments() -> list[str]:
    """Return the trainer's arguments that name the card to train on; [] if there is none. This can take seconds."""
    card = best_card()
    return ["--card", card.uuid] if card is not None and card.uuid else []


def _longest_sequence(effective: RunSpec, counts: TokenCounts) -> int:
    return min(counts.longest, effective.context_tokens or counts.longest)


def _load(counts: TokenCounts) -> EpochWorkload:
    mean = counts.tokens / max(counts.rows, 1)
    return EpochWorkload(counts.rows, counts.tokens, counts.trained, round(mean * counts.validation_rows))


def _free_disk(folder: Path) -> int:
    place = next(path for path in (folder, *folder.parents) if path.exists())
    return shutil.disk_usage(place).free


_BYTES = re.compile(r"(?:<0x[89A-F][0-9A-F]>)+")


@dataclass(frozen=True, slots=True)
class PreviewPiece:
    """A piece of a previewed example. `kind`: as in `PreviewToken`; a token with a kind is a piece of its own."""

    text: str
    is_trained: bool
    kind: str = ""


def preview_pieces(tokens: Sequence[PreviewToken]) -> list[PreviewPiece]:
    """Join the tokens into pieces, in order; tokens of single bytes that together encode a character are decoded."""
    found = list[PreviewPiece]()
    for (is_trained, kind), group in itertools.groupby(tokens, lambda token: (token.is_trained, token.kind)):
        texts = [token.text for token in group]
        found += [PreviewPiece(text, is_trained, kind) for text in (texts if kind else [_joined(texts)])]
    return found


def _joined(texts: Sequence[str]) -> str:
    return _BYTES.sub(lambda found: _character(found[0]), "".join(texts))


def _character(text: str) -> str:
    """Return the text of bytes written like <0xE6><0xA9><0x8B>; return `text` unchanged if they are not UTF-8."""
    try:
        return bytes.fromhex(text.replace("<0x", "").replace(">", "")).decode("utf-8")
    except UnicodeDecodeError:
        return text
