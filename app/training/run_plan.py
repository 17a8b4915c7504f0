"""What a run will take and whether it fits, before it begins: exact where the trainer can be asked, else estimated.

The trainer's `--plan` reads data and tokenizer, decides all settings and ends; what they cost is computed here, for the
device that it has found. Its `--probe` also loads the model and measures three steps. Without a training environment
tokens are estimated from letters.

The trainer asked for less than a run (`--plan`, `--probe`): its process, and what it tells until it ends.

An example of the training data as people can read it: its tokens, joined where they are alike.
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

import psutil

from app.base.errors import AppError
from app.base.files import strict_json
from app.base.files.input_file import lines_of
from app.inference import gguf, machine, memory_estimate, speed
from app.models import hf_folders
from app.training import training_errors
from app.training.runs import run_folders, run_journal
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
    """`began` is given the process, which any thread may kill; `heard` each of its events. What they raise ends it."""

    began: Callable[[TrainerProcess], None] = lambda _process: None
    heard: Callable[[Event], None] = lambda _event: None


def trainer_events(asked: RunSpec, command: Callable[..., list[str]], how: str, watch: ProcessWatch) -> Iterator[Event]:
    """In a folder of its own: nothing is left behind but a converted base. `how`: the option.

    Raises AppError("training_environment_broken").
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / run_folders.SPEC
        written = spec.to_json(dataclasses.replace(asked, folder=str(Path(folder) / "run")))
        path.write_text(json.dumps(written, ensure_ascii=False), encoding="utf-8")
        with (Path(folder) / run_folders.LOG).open("wb") as log:
            argv = command(str(path), how)
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
                        watch.heard(event)
                        yield event
                except ValueError as error:  # killed in the middle of a line
                    raise AppError("training_environment_broken", path=argv[0], reason=how) from error
                finally:
                    child.kill()  # where it has not ended by itself: interrupted


TOKENS_PER_CHARACTER = 0.8  # Japanese: 0.6 with Gemma 3, 0.7 with Qwen 2.5, 0.8 with Llama 3
MARKUP_TOKENS = 8  # around each message
TRAINED_MULTIPLICATIONS = 0.5  # of what matrices alone reach on a processor
CONVERTED_BYTES = 1 << 30  # a larger GGUF base is not turned into a folder only to count tokens
_LENGTHS = (4096, 3072, 2048, 1536, 1024, 768, 512, 384, 256)


@dataclass(frozen=True, slots=True)
class PlannedDevice:
    """`kind`: "cuda" | "cpu". `free_bytes`: while no trainer runs. `flops_per_s`: assumed for a card, derived from a
    measurement for a processor."""

    kind: str
    name: str
    memory_bytes: int
    free_bytes: int
    flops_per_s: float


@dataclass(frozen=True, slots=True)
class TokenCounts:
    """Of the training rows; tokens of an epoch. `trained`: those that the loss counts."""

    rows: int
    validation_rows: int
    tokens: int
    trained: int
    longest: int
    is_exact: bool


@dataclass(frozen=True, slots=True)
class RunPlan:
    """`spec`: effective. `changes`: settings with which it would fit, in the order in which they cost least.

    `problem`: why the trainer would not begin; its findings say more. `measured`: None where nothing was measured.
    `previews`: the first of the training rows, as they are trained.
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

    @property
    def preview(self) -> Preview | None:
        return next(iter(self.previews), None)

    @property
    def needed_bytes(self) -> int:
        """Of memory. A card's context is no part of what was measured."""
        if self.measured is None:
            return self.memory.total
        return self.measured.peak_bytes + (self.memory.libraries if self.device.kind == "cuda" else 0)

    @property
    def allowed_bytes(self) -> int:
        """Of memory: with spare as long as nothing was measured."""
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
    asked: RunSpec,
    command: Callable[..., list[str]] | None,
    find_device: Callable[[str | None], PlannedDevice],
    *,
    measures: bool = False,
    watch: ProcessWatch | None = None,
) -> RunPlan:
    """`command`: starts the trainer with arguments; None: there is none. `find_device`: of a kind, as `device_of`.

    `measures`: the model is loaded and three steps are tried, whatever has to be written for that.
    Raises AppError: what a run of this spec would fail by before it is checked (run_data_missing, run_base_…), base_*.
    """
    base = _base(asked)
    can_ask = command is not None and (measures or _is_quick(asked))
    told = (
        _ask_trainer(asked, command, "--probe" if measures else "--plan", watch or ProcessWatch())
        if command and can_ask
        else None
    )
    device = find_device(told.spec.device if told else asked.device)
    counts, effective = (told.counts, told.spec) if told else _estimate_counts(asked, base, device)
    shape = base.shape
    memory = estimate.estimate_memory(shape, effective, _length(effective, counts))
    if told and told.forecast:
        device = _with_measured_memory(device, told.forecast, effective, memory)
    measured = told.forecast if told and told.forecast and told.forecast.is_measured else None
    found = RunPlan(
        spec=effective,
        counts=counts,
        device=device,
        memory=memory,
        disk=estimate.estimate_disk(shape, effective),
        time=estimate.estimate_time(shape, effective, _load(counts), device.flops_per_s),
        free_disk_bytes=_free_disk(Path(asked.folder)),
        findings=told.findings if told else (),
        previews=told.previews if told else (),
        problem=told.problem if told else None,
        measured=measured,
    )
    return found if found.has_memory else dataclasses.replace(found, changes=suggest_changes(shape, found))


def _with_measured_memory(
    device: PlannedDevice, forecast: RunForecast, effective: RunSpec, memory: TrainingMemory
) -> PlannedDevice:
    """With what the trainer finds free: on its own card, or on a processor, where it cannot see a container's limit."""
    free = round(forecast.available_bytes / effective.memory_share) + memory.libraries
    return dataclasses.replace(device, free_bytes=free if device.kind == "cuda" else min(free, device.free_bytes))


def suggest_changes(shape: TrainedShape, plan: RunPlan) -> tuple[tuple[str, Any], ...]:
    """What must be changed for the memory to suffice; () where nothing does. Shorter examples come last."""
    effective, made = plan.spec, dict[str, Any]()
    length = _length(effective, plan.counts)
    batch = (effective.micro_batch or 1) * (effective.accumulation or 1)
    wishes: list[dict[str, Any]] = [{"gradient_checkpointing": True}]
    wishes += [{"micro_batch": size, "accumulation": -(-batch // size)} for size in (4, 2, 1)]
    wishes.append({"precision": "nf4"})
    wishes += [{"context_tokens": size} for size in _LENGTHS if size < length]
    for wish in wishes:
        if "micro_batch" in wish and wish["micro_batch"] >= (effective.micro_batch or 1):
            continue
        if all(getattr(effective, name) == value for name, value in wish.items()):
            continue
        effective = dataclasses.replace(effective, **wish)
        made |= wish
        needed = estimate.estimate_memory(shape, effective, min(length, effective.context_tokens or length))
        if needed.total <= plan.allowed_bytes:
            return tuple(made.items())
    return ()


# --------------------------------------------------------------------- the base


@dataclass(frozen=True, slots=True)
class PlannedBase:
    shape: TrainedShape
    model_type: str


def _base(asked: RunSpec) -> PlannedBase:
    """Raises AppError as the readers of models do."""
    path = Path(asked.base)
    if path.is_dir():
        model = hf_folders.read_hf_model(path)
        config = strict_json.read_object(hf_folders.regular_file(path, "config.json"))
        try:
            shape = estimate.shape_from_config(config, model.parameters)
        except KeyError as error:  # left to the defaults of its library, which this process does not have
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
    spec: RunSpec
    counts: TokenCounts
    findings: tuple[PreflightFinding, ...]
    previews: tuple[Preview, ...]
    problem: AppError | None
    forecast: RunForecast | None


def _is_quick(asked: RunSpec) -> bool:
    """Whether the trainer can say it without gigabytes being written."""
    base = Path(asked.base)
    converted = Path(asked.bases) / asked.base_sha256[:16] if asked.bases and asked.base_sha256 else None
    return base.is_dir() or (converted is not None and converted.is_dir()) or base.stat().st_size <= CONVERTED_BYTES


def _ask_trainer(asked: RunSpec, command: Callable[..., list[str]], how: str, watch: ProcessWatch) -> TrainerPlan:
    """`how`: "--plan" | "--probe".

    Raises AppError: run_* for what fails before settings are decided, training_environment_broken.
    """
    effective: ResolvedRecipe | None = None
    findings: tuple[PreflightFinding, ...] = ()
    previews: list[Preview] = []
    problem: AppError | None = None
    forecast: RunForecast | None = None
    for event in trainer_events(asked, command, how, watch):
        match event:
            case ResolvedRecipe():
                effective = event
            case PreflightFindings():
                findings = event.found
            case Preview():
                previews.append(event)
            case RunForecast():
                forecast = event
            case Failed() if event.code != "memory_short":  # which is judged here, too
                problem = training_errors.error_from_run(event.code, event.facts, asked.name)
    if effective is None:
        raise problem or AppError("training_environment_broken", path=command()[0], reason=how)
    facts = effective.facts
    counts = TokenCounts(
        rows=facts["examples"],
        validation_rows=_rows(Path(asked.validation)),
        tokens=facts["tokens"],
        trained=facts["trained_tokens"],
        longest=facts["longest"],
        is_exact=True,
    )
    decided = dataclasses.replace(spec.from_json(effective.spec), folder=asked.folder)
    return TrainerPlan(decided, counts, findings, tuple(previews), problem, forecast)


# ----------------------------------------------------------- without the trainer


def _estimate_counts(asked: RunSpec, base: PlannedBase, device: PlannedDevice) -> tuple[TokenCounts, RunSpec]:
    """Raises AppError("run_data_missing" | "run_data_invalid")."""
    rows = [_character_counts(row) for row in read_rows(Path(asked.train))]
    tokens = [round(TOKENS_PER_CHARACTER * letters) + MARKUP_TOKENS * messages for letters, _, messages in rows]
    trained = sum(round(TOKENS_PER_CHARACTER * answers) for _, answers, _ in rows)
    longest = max(tokens, default=0)
    counts = TokenCounts(len(rows), _rows(Path(asked.validation)), sum(tokens), trained, longest, is_exact=False)
    facts = RecipeFacts(
        rows=len(rows),
        tokens_longest=longest,
        device=asked.device or device.kind,
        memory_bytes=device.memory_bytes,
        has_bf16=device.kind == "cuda",
        parameters=base.shape.parameters,
        model_type=base.model_type,
        platform=sys.platform,
    )
    return counts, recipe.resolve(asked, facts)


def read_rows(path: Path) -> Iterator[Mapping[str, Any]]:
    """Raises AppError: run_data_missing, run_data_invalid."""
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


def _character_counts(row: Mapping[str, Any]) -> tuple[int, int, int]:
    """Of all messages, of the answers; and how many messages."""
    messages = [message for message in row["messages"] if isinstance(message, dict)]
    lengths = [(len(str(message.get("content", ""))), message.get("role") == "assistant") for message in messages]
    return sum(length for length, _ in lengths), sum(length for length, is_answer in lengths if is_answer), len(lengths)


def _rows(path: Path) -> int:
    return sum(1 for _ in read_rows(path))


# ------------------------------------------------------------------ the machine


def find_device(kind: str | None, speed_file: Path) -> PlannedDevice:
    """The card that CUDA counts first, or the processor. `kind`: "cuda" | "cpu", or what there is.

    Seconds: a driver wakes up, or a processor that nobody has measured yet is measured.
    """
    card = best_card() if kind != "cpu" else None
    if card is not None:
        flops = estimate.card_flops_per_s(card.name)
        return PlannedDevice("cuda", card.name, card.memory_bytes or 0, card.free_bytes or 0, flops)
    here = speed.load(speed_file)
    if here is None:
        here = speed.measure()
        with contextlib.suppress(OSError):  # then it is measured again the next time
            speed.save(speed_file, here)
    cores = psutil.cpu_count(logical=False) or psutil.cpu_count() or 1
    flops = 2 * here.multiplications_per_s / here.threads * cores * TRAINED_MULTIPLICATIONS
    return PlannedDevice("cpu", "", memory_estimate.memory_bytes(), memory_estimate.available_memory_bytes(), flops)


def best_card() -> machine.Gpu | None:
    """The one to train on: the fastest, told by its memory; of equals the first."""
    cards = [gpu for gpu in machine.list_gpus() if gpu.memory_bytes and gpu.free_bytes]
    return max(cards, key=lambda gpu: gpu.memory_bytes or 0, default=None)


def _length(effective: RunSpec, counts: TokenCounts) -> int:
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
    """`kind`: as of its tokens; a control token stands alone."""

    text: str
    is_trained: bool
    kind: str = ""


def preview_pieces(tokens: Sequence[PreviewToken]) -> list[PreviewPiece]:
    """All of the text in its order. Tokens that each hold a part of a character are shown as that character."""
    found = list[PreviewPiece]()
    for (is_trained, kind), group in itertools.groupby(tokens, lambda token: (token.is_trained, token.kind)):
        texts = [token.text for token in group]
        found += [PreviewPiece(text, is_trained, kind) for text in (texts if kind else [_joined(texts)])]
    return found


def _joined(texts: Sequence[str]) -> str:
    return _BYTES.sub(lambda found: _character(found[0]), "".join(texts))


def _character(named: str) -> str:
    """Of bytes that are named <0xE6><0xA9><0x8B>; as they are named where they are none."""
    try:
        return bytes.fromhex(named.replace("<0x", "").replace(">", "")).decode("utf-8")
    except UnicodeDecodeError:
        return named
