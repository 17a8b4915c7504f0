"""Training runs for tests: a tiny base, a few dozen rows, and the real process, whose events are read as they come."""

import atexit
import contextlib
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from app.base import json_lines
from app.models.training_environment import TrainingEnvironment
from tests.convert.proof import Case
from tests.shared_files import made_once, shared_folder
from tests.trainer.card_forms import CARD_FORMS, as_json, form_of
from trainer import events, start
from trainer.events import TERMINAL, Checkpoint, EvaluationStep, Event, Phase, Started, TrainingStep

SERVER = Path(__file__).with_name("run_server.py")
LONGEST_S = 240.0
ONE_THREAD = {**os.environ, "OMP_NUM_THREADS": "1"}  # of models this small, more of them only get in each other's way

FORMS = {"llama": "llama3", "qwen2": "chatml", "gemma3": "gemma"}
SETTINGS: dict[str, Any] = {
    "device": "cpu",
    "precision": "f32",
    "context_tokens": 256,
    "rank": 4,
    "alpha": 8,
    "dropout": 0.1,
    "learning_rate": 3e-3,
    "micro_batch": 2,
    "accumulation": 2,
    "epochs": 2.0,
    "evaluations_per_epoch": 2,
    "patience": 100,
    "samples": ["いつ点検しますか？"],
    "sample_tokens": 2,
}
ROWS = {"train": 24, "validation": 4, "holdout": 3}
STEPS = 12  # of a run with these settings
PLACES = ("橋", "堰堤", "擁壁", "水路", "トンネル")


# ------------------------------------------------------------- bases and rows


def tiny_folder(python: Path, factory: pytest.TempPathFactory, case: Case) -> Path:
    """A case's `base/` with config, weights and tokenizer, and what else tiny_hf.py makes; made once, not changed."""

    def make(folder: Path) -> None:
        plan = folder.with_suffix(".json")
        plan.write_text(json.dumps({**case.as_plan(), "folder": str(folder)}), encoding="utf-8")
        shared_server(python, factory).call("tiny_hf", plan)

    return made_once(shared_folder(factory) / "土台" / case.name, make)


def row(number: int) -> dict[str, Any]:
    """Of its own length, and never twice the same; every fifth has two turns."""
    place = PLACES[number % len(PLACES)]
    question = f"{place}{number}の点検は何年ごとですか？" + "理由も答えてください。" * (number % 4)
    turns = [question, f"{place}{number}は{number % 7 + 1}年ごとです。" + "決まりです。" * (number % 3)]
    turns += ["なぜですか？", f"{number}番の決まりだからです。"] * (number % 5 == 0)
    roles = ("user", "assistant") * 2
    return {"messages": [{"role": role, "content": text} for role, text in zip(roles, turns, strict=False)]}


@pytest.fixture(scope="session")
def tiny_base(environment: TrainingEnvironment, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of half a million parameters, the same for all files of tests."""
    return tiny_folder(environment.python, tmp_path_factory, Case("llama", tied=True)) / "base"


class Undisturbed(NamedTuple):
    spec: Path
    folder: Path
    told: list[Event]


@pytest.fixture(scope="session")
def undisturbed(server: "RunServer", tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """A run with SETTINGS that ends by itself, for all files of tests; not to be changed."""
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    spec = write_spec(folder, tiny_base)
    (folder / "checkpoints/checkpoint-0.part").mkdir(parents=True)  # begun once, and ended before it could save
    return Undisturbed(spec, folder, server.run(spec))


def write_rows(folder: Path, counts: dict[str, int] | None = None, *, are_pairs: bool = False) -> dict[str, str]:
    """Field of the spec -> file. `are_pairs`: each row has an answer that is liked less, too."""
    folder.mkdir(parents=True, exist_ok=True)
    first, paths = 0, {}
    for name, count in (counts or ROWS).items():
        rows = [
            row(number) | ({"rejected": f"{number}番はわかりません。" * (number % 3 + 1)} if are_pairs else {})
            for number in range(first, first + count)
        ]
        lines = [json.dumps(one, ensure_ascii=False) for one in rows]
        paths[name] = str(folder / f"{name}.jsonl")
        Path(paths[name]).write_text("\n".join(lines) + "\n", encoding="utf-8")
        first += count
    return paths


def write_spec(folder: Path, base: Path, family: str = "llama", **changes: Any) -> Path:
    """`folder`: the run's; the spec and the rows are written beside it."""
    data = write_rows(folder.parent / "rows") if "train" not in changes else {}
    form = as_json(form_of(CARD_FORMS[FORMS[family]]))
    spec = {"folder": str(folder), "base": str(base), "form": form, **SETTINGS, **data, **changes}
    path = folder.parent / f"{folder.name}.json"
    path.write_text(json.dumps(spec, ensure_ascii=False), encoding="utf-8")
    return path


# --------------------------------------------------------------------- events


def events_in(file: Path) -> list[Event]:
    """Every line must be one."""
    return [event_in(line) for line in file.read_bytes().splitlines()]


def event_in(line: bytes) -> Event:
    """Read a line strictly, which has the time at which it was sent besides the event."""
    told = json_lines.decode_object(line)
    assert told.pop("at") > 0
    event: Event = json_lines.convert_message(told, events.KINDS, "event")
    return event


@dataclass(frozen=True)
class Curve:
    """What counts of a run in the end: a start takes back what came after the step that it goes on from."""

    losses: dict[int, float]
    rates: dict[int, float]
    norms: dict[int, float]
    evaluations: dict[int, float]


def curve(told: Iterable[Event]) -> Curve:
    found = Curve({}, {}, {}, {})
    for event in told:
        if isinstance(event, Started):
            for values in (found.losses, found.rates, found.norms, found.evaluations):
                for step in [step for step in values if step > event.resumed_step]:
                    del values[step]
        elif isinstance(event, TrainingStep):
            assert event.step == len(found.losses) + 1  # none is left out, none comes twice
            found.losses[event.step] = event.loss
            found.rates[event.step] = event.learning_rate
            found.norms[event.step] = event.gradient_norm
        elif isinstance(event, EvaluationStep):
            found.evaluations[event.step] = event.loss
    return found


def largest_difference(one: Curve, other: Curve) -> float:
    """Relative; both must have the same steps and evaluations."""
    pairs = []
    for name in ("losses", "rates", "norms", "evaluations"):
        ours, theirs = getattr(one, name), getattr(other, name)
        assert ours.keys() == theirs.keys(), name
        pairs += [(ours[step], theirs[step]) for step in ours]
    return max(abs(ours - theirs) / max(abs(theirs), 1e-12) for ours, theirs in pairs)


def weights_of(file: Path) -> dict[str, Any]:
    """The arrays of a safetensors file in float32."""
    data = file.read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    header.pop("__metadata__", None)
    found = {}
    for name, fact in header.items():
        assert fact["dtype"] == "F32"
        begin, end = (8 + size + offset for offset in fact["data_offsets"])
        found[name] = np.frombuffer(data[begin:end], np.float32)
    return found


def adapter_difference(one: Path, other: Path) -> float:
    """Of two runs' adapters: the norm of the difference, relative to the second."""
    ours, theirs = (weights_of(folder / "adapter" / "adapter_model.safetensors") for folder in (one, other))
    assert ours.keys() == theirs.keys()
    difference = sum(float(((ours[name] - theirs[name]) ** 2).sum()) for name in ours)
    return (difference / sum(float((theirs[name] ** 2).sum()) for name in theirs)) ** 0.5


def left_over(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.part"))


def phases(told: Iterable[Event]) -> list[str]:
    return [event.name for event in told if isinstance(event, Phase)]


# ----------------------------------------------------------------- one process


class Run:
    """`with Run(python, spec, "--commands") as run:`, as the program starts it. Its log is beside the spec."""

    def __init__(self, python: Path, spec: Path, *flags: str, command: list[str] | None = None, **others: Any) -> None:
        argv = command or start.command(str(python), "trainer", str(spec), *flags)
        self.log = spec.with_suffix(".log")
        self.told: list[Event] = []
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=ONE_THREAD, **others
            )

    def __enter__(self) -> "Run":
        return self

    def __exit__(self, _kind: object, error: object, _where: object) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        if error is not None:
            self.process.kill()
        self.process.stdin.close()
        self.process.wait(LONGEST_S)
        self.process.stdout.close()

    def read(self) -> Event | None:
        """The next event; None when the process has ended."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line.endswith(b"\n"):  # a kill tears it
            return None
        self.told.append(event_in(line))
        return self.told[-1]

    def read_until(self, wanted: Callable[[Event], bool]) -> Event:
        while (event := self.read()) is not None:
            if wanted(event):
                return event
        raise AssertionError(f"it ended with {self.told[-1:]}\n{self.log.read_text('utf-8')[-3000:]}")

    def read_to_step(self, step: int) -> None:
        self.read_until(lambda event: isinstance(event, TrainingStep) and event.step >= step)

    def ask(self, command: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"command": command}).encode() + b"\n")
        self.process.stdin.flush()

    def end(self) -> Event:
        """The last event. The process has to end as that one says."""
        while self.read() is not None:
            pass
        status = self.process.wait(LONGEST_S)
        last = self.told[-1] if self.told else None
        assert isinstance(last, TERMINAL), (last, self.log.read_text("utf-8")[-3000:])
        assert [event for event in self.told if isinstance(event, TERMINAL)] == [last]
        assert status == (1 if isinstance(last, events.Failed) else 0)
        return last


def complete(python: Path, spec: Path, *flags: str) -> list[Event]:
    with Run(python, spec, *flags) as run:
        run.end()
        return run.told


# --------------------------------------------------- many, of libraries loaded once


class RunServer:
    """Runs that are forked from a process in which the libraries are loaded: a second each instead of seven.

    Each is a process of its own, with the trainer's own main, or what else run_server.py calls, with one of its
    faults. The server is no child of the tests, which look for children that are left: it ends with its input.
    """

    def __init__(self, python: Path, folder: Path) -> None:
        self._folder = folder
        self._count = 0
        self.log = folder / "server.log"
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [str(python), "-X", "utf8", str(SERVER)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=ONE_THREAD,
            )
        assert self._process.wait() == 0, self.said()

    def __enter__(self) -> "RunServer":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.read()  # until it has ended
        self._process.stdout.close()

    def start(self, *arguments: object, call: str = "train", fault: str = "", **options: Any) -> int:
        """Its process id. What it says on standard output comes into `events`."""
        self._count += 1
        self.events = self._folder / f"events-{self._count}.jsonl"
        self.events.touch()
        argv = [str(argument) for argument in arguments]
        self._send({"call": call, "argv": argv, "events": str(self.events), "fault": fault, **options})
        return int(self._answer())

    def call(self, module: str, *arguments: object) -> None:
        """To its end, which must be a good one."""
        self.start(*arguments, call=module)
        assert self.wait() == 0, self.said()

    def wait(self) -> int:
        """Its exit status; of a killed one, the negative number of the signal."""
        return int(self._answer())

    def told(self) -> list[Event]:
        """What the one that was started last has told; a kill may tear the last line."""
        whole = self.events.read_bytes()
        lines = whole[: whole.rfind(b"\n") + 1].splitlines()
        return [event_in(line) for line in lines]

    def run(self, spec: Path, *flags: str, fault: str = "", **options: Any) -> list[Event]:
        """To its end, which must be one that it tells."""
        self.start(spec, *flags, fault=fault, **options)
        status, told = self.wait(), self.told()
        assert told, self.said()
        assert [event for event in told if isinstance(event, TERMINAL)] == told[-1:], self.said()
        assert status == (1 if isinstance(told[-1], events.Failed) else 0)
        return told

    def said(self) -> str:
        return self.log.read_text("utf-8", errors="replace")[-5000:]

    def _send(self, request: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        self._process.stdin.flush()

    def _answer(self) -> bytes:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, self.said()
        return line


_servers: list[RunServer] = []


def shared_server(python: Path, factory: pytest.TempPathFactory) -> RunServer:
    """One for all tests of this process."""
    if not _servers:
        _servers.append(RunServer(python, factory.mktemp("server")))
        atexit.register(_servers[0].close)
    return _servers[0]


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LONGEST_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def checkpoints_told(told: Iterable[Event]) -> list[int]:
    return [event.step for event in told if isinstance(event, Checkpoint)]


@contextlib.contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path | None]:
    """A file system of its own; None where that needs more rights. `size`: as tmpfs takes it, "8m"."""
    folder.mkdir(parents=True)
    mounting = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if subprocess.run(mounting, check=False, capture_output=True).returncode:
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)
