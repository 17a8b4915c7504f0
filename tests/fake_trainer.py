"""Imitate a trainer without torch, for tests of the code around it.

It is a real process that uses the protocol, writes a run's folder, and misbehaves on request. Its losses and samples
are invented.

`FAKE_TRAINER=BEHAVIOUR python trainer/start.py tests/fake_trainer.py RUN.json [--resume] [--commands]`.
BEHAVIOUR: good; slow (0.1 s per step); oom; crash (aborts); killed; truncated (ends within a line); silent (sends
nothing more and ignores commands); garbled (sends a line that is not an event); fail:CODE.
"""

import contextlib
import dataclasses
import hashlib
import json
import math
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainer import adapter as adapters
from trainer import events, storage, wire
from trainer import spec as specs
from trainer.channel import EVENTS_FILE, RunControl, TrainerJournal
from trainer.events import EvaluationStep, Event, Phase, ResolvedRecipe, Started, TrainingStep
from trainer.spec import RunSpec
from trainer.wire import EventWriter

if TYPE_CHECKING:
    import pytest

VARIABLE = "FAKE_TRAINER"  # its behaviour
FAKE = str(Path(__file__).absolute())
STEPS = 12
EVALUATED_EVERY = 4
RANK, ALPHA, WIDTH = 16, 32, 64
TURN = 3  # the step after which it misbehaves
SILENT_S = 60.0  # longer than any test waits

_FACTS: dict[str, Any] = {
    "base": "/models/x.gguf", "field": "rank", "value": 0, "expected": "a number from 1 to 1024", "path": "/runs/x",
    "line": 3, "reason": "no text",
    "codes": ["no_end"], "needed_bytes": 9_000_000_000, "available_bytes": 8_000_000_000, "device": "cuda",
    "micro_batch": 1, "before": 2, "now": 1, "step": TURN, "learning_rate": 2e-4,
}  # fmt: skip


def variables(behaviour: str) -> dict[str, str]:
    """Return the environment variables that let Kotae start this trainer."""
    return {"KOTAE_TRAINER": FAKE, VARIABLE: behaviour}


def use(monkeypatch: "pytest.MonkeyPatch", behaviour: str) -> None:
    """Let this process and its children start this trainer."""
    for name, value in variables(behaviour).items():
        monkeypatch.setenv(name, value)


class _Writer(EventWriter):
    """A writer that ignores a closed pipe, so that the journal in the folder grows even without a parent."""

    def __init__(self, claimed: EventWriter) -> None:
        self._claimed = claimed

    def write(self, line: bytes) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._claimed.write(line)


class FakeTrainer:
    def __init__(self, spec: RunSpec, behaviour: str, writer: EventWriter, control: RunControl) -> None:
        self.spec = spec
        self.folder = Path(spec.folder)
        self.behaviour = behaviour
        self.control = control
        self.total = spec.max_steps or STEPS
        self._writer = writer
        self._journal = TrainerJournal(writer)
        self._began_at = time.monotonic()

    def run(self, *, is_resumed: bool) -> int:
        """Run the imitated training and return the process's exit status."""
        saved = storage.complete_checkpoints(self.folder / "checkpoints")
        if saved and not is_resumed:
            return self._fail("run_exists", path=str(self.folder))
        self.folder.mkdir(parents=True, exist_ok=True)
        self._journal.keep_in(self.folder)
        steps_done = saved[0].step if saved and is_resumed else 0
        self._send(Started(events.PROTOCOL, os.getpid(), time.time(), steps_done, {"fake": "1"}, self._data()))
        if is_resumed and not saved:
            return self._fail("nothing_to_resume", path=str(self.folder))
        problem = self._problem()
        if problem is not None:
            return self._fail(problem[0], path=problem[1])
        if not steps_done:
            self._prepare()
        return self._train(steps_done)

    def _prepare(self) -> None:
        for name in ("loading", "reading", "checking", "probing"):
            self._send(Phase(name))
        effective = dataclasses.replace(
            self.spec, precision="f32", device="cpu", rank=self.spec.rank or RANK, alpha=self.spec.alpha or ALPHA,
            learning_rate=2e-4, micro_batch=1, accumulation=8, max_steps=self.total, context_tokens=512,
        )  # fmt: skip
        made = json.dumps(specs.to_json(effective), ensure_ascii=False, indent=1)
        (self.folder / "effective.json").write_text(made, encoding="utf-8")
        self._send(events.PreflightFindings((events.PreflightFinding("few_rows", "warn", {"rows": 4, "wanted": 50}),)))
        facts = {"device": "cpu", "parameters": 268_098_176, "trained_parameters": 3_796_992, "steps": self.total}
        self._send(ResolvedRecipe(specs.to_json(effective), facts))
        self._send(
            events.RunForecast(2_000_000_000, 8_000_000_000, 0.1, 0.1 * self.total, 600_000_000, is_measured=True)
        )
        self._evaluate(0)

    def _train(self, steps_done: int) -> int:
        self._send(Phase("training", steps_done, self.total))
        for step in range(steps_done + 1, self.total + 1):
            if self.behaviour == "slow":
                time.sleep(0.1)
            self._step(step)
            if step == TURN:
                self._misbehave()
            if step % EVALUATED_EVERY == 0:
                self._evaluate(step)
                self._save(step)
            if self.control.requested_command is not None:
                return self._obey(self.control.requested_command, step)
        return self._finish("steps", self.total)

    def _step(self, step: int) -> None:
        left_s = 0.1 * (self.total - step)
        rate = 2e-4 * (1 - step / self.total)
        memory = 1_900_000_000
        self._send(TrainingStep(step, self.total, step / 4, _loss(step), rate, 0.8, 812.5, memory, left_s))

    def _evaluate(self, step: int) -> None:
        self._send(Phase("evaluating", step, self.total))
        self._send(EvaluationStep(step, step / 4, _loss(step) + 0.1, 640, is_best=True))
        self._send(events.Sample(step, "What is the capital of Japan?", "Tokyo." if step else "What is", step > 0))

    def _save(self, step: int) -> None:
        part = storage.begin_checkpoint(self.folder / "checkpoints", step)
        (part / "weights").write_bytes(bytes(1000))
        made = storage.publish_checkpoint(part, step)
        self._send(events.Checkpoint(step, str(made.path), storage.checkpoint_size_bytes(made), 0.01))

    def _obey(self, command: str, step: int) -> int:
        if command == "finish":
            return self._finish("stopped", step)
        if command == "cancel":
            self._send(events.Cancelled(step))
        else:
            self._save(step)
            self._send(events.Paused(step))
        return 0

    def _finish(self, reason: str, step: int) -> int:
        self._send(Phase("exporting"))
        adapter = self.folder / "adapter"
        adapter.mkdir(exist_ok=True)
        record = {"base_sha256": self.spec.base_sha256, "base": self.spec.base, "name": self.spec.name}
        config = {"peft_type": "LORA", "r": self.spec.rank or RANK, "lora_alpha": self.spec.alpha or ALPHA}
        (adapter / adapters.RECORD).write_text(json.dumps(record, ensure_ascii=False), encoding="utf-8")
        (adapter / adapters.CONFIG).write_text(json.dumps(config), encoding="utf-8")
        (adapter / adapters.WEIGHTS).write_bytes(_weights(self.spec.rank or RANK))
        adapters.write_rows(adapter, self._known_rows())
        gguf = self.folder / "adapter.gguf"
        gguf.write_bytes(b"GGUF\x03\x00\x00\x00" + bytes(16))
        self._write_holdout()
        seconds = time.monotonic() - self._began_at
        best = step // EVALUATED_EVERY * EVALUATED_EVERY
        loss, base_loss = _loss(best) + 0.1, _loss(0) + 0.1
        self._send(
            events.Finished(reason, step, best, base_loss, loss, str(adapter), str(gguf), seconds, 812.5, 1_900_000_000)
        )
        return 0

    def _known_rows(self) -> set[str]:
        known = set(adapters.trained_row_ids(Path(self.spec.adapter))) if self.spec.adapter else set()
        for file in (self.spec.train, self.spec.validation):
            lines = Path(file).read_text("utf-8").splitlines() if Path(file).is_file() else []
            known |= {adapters.row_id(json.loads(line)["messages"]) for line in lines if '"messages"' in line}
        return known

    def _write_holdout(self) -> None:
        """Write the hold-out with code points instead of token ids; more training rows give a smaller loss."""
        if not self.spec.holdout:
            return
        loss = 1.5 + 1 / (1 + Path(self.spec.train).read_bytes().count(b"\n"))
        rows = [json.loads(line) for line in Path(self.spec.holdout).read_text("utf-8").splitlines()]
        examples = []
        for line, row in enumerate(rows, start=1):
            prompt, answer = "".join(m["content"] for m in row["messages"][:-1]), row["messages"][-1]["content"]
            ids, labels = [ord(character) for character in answer], [-100] * len(prompt)
            nll = {"base_nll": 3.0 * len(answer), "adapter_nll": loss * len(answer)}
            examples.append({"line": line, "ids": [*map(ord, prompt), *ids], "labels": labels + ids, **nll})
        chats = [{"messages": row["messages"][:-1], "ids": [1]} for row in rows]
        made = {"version": 1, "precision": "f32", "end_ids": [1], "examples": examples, "chats": chats}
        (self.folder / "holdout.json").write_text(json.dumps(made, ensure_ascii=False), encoding="utf-8")

    # ---------------------------------------------------------------- misbehaviour

    def _misbehave(self) -> None:
        behaviour = self.behaviour
        if behaviour == "oom":
            self._send(events.Adjusted("out_of_memory", TURN, {"micro_batch": 1, "accumulation": 16}))
            sys.exit(self._fail("out_of_memory", device="cuda", micro_batch=1))
        if behaviour.startswith("fail:"):
            code = behaviour.removeprefix("fail:")
            sys.exit(self._fail(code, **{name: _FACTS[name] for name in events.FAILURES[code]}))
        if behaviour == "crash":
            print("CUDA error: an illegal memory access was encountered", file=sys.stderr, flush=True)
            os.abort()
        if behaviour == "killed":
            os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
        if behaviour == "truncated":
            self._write(b'{"event":"step","step":4,"to')
            os._exit(0)
        if behaviour == "garbled":
            self._write(b"Segmentation fault\n")
        if behaviour in ("silent", "garbled"):
            threading.Event().wait(SILENT_S)

    def _write(self, line: bytes) -> None:
        with (self.folder / EVENTS_FILE).open("ab") as file:
            file.write(line)
        self._writer.write(line)

    def _problem(self) -> tuple[str, str] | None:
        """Return the code and path of a problem that a real trainer detects at the start; None if there is none."""
        if not Path(self.spec.base).exists():
            return "base_missing", self.spec.base
        for name in ("train", "validation", "holdout"):
            path = Path(getattr(self.spec, name) or self.spec.train)
            if not path.is_file():
                return "data_missing", str(path)
            if name in self.spec.hashes and _sha256(path) != self.spec.hashes[name]:
                return "data_changed", str(path)
        return None

    def _data(self) -> dict[str, Any]:
        paths = {name: Path(getattr(self.spec, name)) for name in ("train", "validation", "holdout")}
        return {name: {"sha256": _sha256(path)} for name, path in paths.items() if path.is_file()}

    def _fail(self, code: str, **facts: Any) -> int:
        self._send(events.Failed(code, facts))
        return 1

    def _send(self, event: Event) -> None:
        self._journal.send(event)


def _loss(step: int) -> float:
    return round(1.2 + 1.8 * math.exp(-step / 8), 4)


def _weights(rank: int) -> bytes:
    """Return one LoRA matrix pair as safetensors, as wide as the tiny models in the tests."""
    name, size = "base_model.model.model.layers.0.self_attn.q_proj", 4 * rank * WIDTH
    header = {
        f"{name}.lora_A.weight": {"dtype": "F32", "shape": [rank, WIDTH], "data_offsets": [0, size]},
        f"{name}.lora_B.weight": {"dtype": "F32", "shape": [WIDTH, rank], "data_offsets": [size, 2 * size]},
    }
    raw = json.dumps(header).encode()
    return len(raw).to_bytes(8, "little") + raw + bytes(2 * size)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main() -> int:
    writer = _Writer(wire.claim_stdout())
    try:
        spec = specs.read(Path(sys.argv[1]))
    except (OSError, specs.SpecError) as error:
        print(error, file=sys.stderr)
        return events.EXIT_UNREADABLE_SPEC
    control = RunControl()
    control.listen_to_signals()
    if "--commands" in sys.argv:
        control.listen_to_input()
    behaviour = os.environ.get(VARIABLE, "good")
    return FakeTrainer(spec, behaviour, writer, control).run(is_resumed="--resume" in sys.argv)


if __name__ == "__main__":
    sys.exit(main())
