"""Runs a command of a job and says in words how far it is: `watch.py ja|en setup|train COMMAND...`.

What a training run tells (trainer/events.py) becomes lines; all else that COMMAND writes goes to a log. A signal that
asks it to stop becomes a pause: the run saves where it is and ends. The exit status is COMMAND's. Standard library
only; the words are those of words/.
"""

import json
import math
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import Any, BinaryIO

LOGS = {"setup": Path("setup.log"), "train": Path("run", "log.txt")}
QUIET_S = 30.0  # after so long without a line, one says what is still going on; steps are not told more often either
SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGBREAK")
MEASURED = ("converting_base", "reading", "exporting")  # phases that tell how far they are; others tell the step
PAUSE = b'{"command":"pause"}\n'


class _Facts(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "?"


class Words:
    """The files of words/: errors by their code, and the texts of three rooms under one roof."""

    def __init__(self, folder: Path, language: str) -> None:
        self._errors = tomllib.loads((folder / "errors.toml").read_text(encoding="utf-8"))
        self._texts: dict[str, Any] = {}
        for name in ("base.toml", "common.toml", "training.toml"):
            self._texts |= tomllib.loads((folder / name).read_text(encoding="utf-8"))
        self._language = language

    def text(self, key: str, /, **facts: Any) -> str:
        return self._filled(self._entry(key)[self._language], facts)

    def has(self, key: str) -> bool:
        try:
            return self._language in self._entry(key)
        except KeyError:
            return False

    def _entry(self, key: str) -> dict[str, str]:
        """Find "key", or "group.member" in a table of entries of one kind."""
        group, _, member = key.partition(".")
        entry: dict[str, Any] = self._texts[group]
        return entry[member] if member else entry

    def error(self, code: str, facts: Mapping[str, Any]) -> str:
        """What happened. The next step is not the one that is given where Kotae is at hand."""
        entry = self._errors.get(f"run_{code.removeprefix('run_')}") or self._errors.get(code)
        field = f"setting_{facts.get('field')}"
        facts = {**facts, "field": self.text(field)} if self.has(field) else facts
        return self._filled(entry[self._language], facts) if entry else f"{code} {dict(facts)}"

    def duration(self, seconds: float) -> str:
        if not math.isfinite(seconds):
            return "-"
        minutes, rest = divmod(max(0, round(seconds)), 60)
        if minutes >= 60:
            return self.text("time_hours", h=minutes // 60, m=minutes % 60)
        return self.text("time_minutes", m=minutes, s=rest) if minutes else self.text("time_seconds", s=rest)

    def left(self, seconds: float) -> str:
        if not math.isfinite(seconds):
            return ""
        hours, minutes = divmod(math.ceil(seconds / 60), 60)
        left = self.text("left_hours", h=hours, m=minutes) if hours else self.text("left_minutes", m=minutes)
        left = left if seconds >= 60 else self.text("left_seconds", s=math.ceil(seconds))
        return self.text("run_left", left=self.text("and_left", left=left))

    def _filled(self, template: str, facts: Mapping[str, Any]) -> str:
        shown = {key: ", ".join(map(str, value)) if isinstance(value, list) else value for key, value in facts.items()}
        for key, value in facts.items():
            if key.endswith("_bytes") and isinstance(value, int | float):
                shown[f"{key.removesuffix('_bytes')}_gb"] = f"{value / 1e9:.1f}"
        return template.format_map(_Facts(shown))


class Watch:
    """What is said while a command runs."""

    def __init__(self, words: Words) -> None:
        self._words = words
        self._phase, self._shown_phase = "", ""
        self._share = ""  # of the phase that is done
        self._phase_began = self._said_at = time.monotonic()
        self._best: float | None = None
        self.end: Mapping[str, Any] | None = None  # the event that has ended the run

    def say(self, text: str) -> None:
        """Silent where nobody can read any more: the terminal was closed."""
        shown = "".join(letter for letter in " ".join(text.split()) if letter.isprintable())
        self._said_at = time.monotonic()
        try:
            sys.stdout.write(f"{shown}\n")
            sys.stdout.flush()
        except OSError:
            sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115

    def begin(self, phase: str) -> None:
        """`phase`: in words."""
        self._enter(phase)
        self.say(f"{phase}…")

    def say_still(self) -> None:
        """After a while without a line, what is going on."""
        if self._phase and time.monotonic() - self._said_at >= QUIET_S:
            elapsed = self._words.duration(time.monotonic() - self._phase_began)
            self.say(self._words.text("job_still", phase=self._phase, percent=self._share, time=elapsed))

    def tell(self, event: Mapping[str, Any]) -> None:
        match event:
            case {"event": "started", "resumed_step": int(step)} if step:
                self.say(self._words.text("job_resumed", step=step))
            case {"event": "phase"}:
                self._tell_phase(event)
            case {"event": "findings", "found": found}:
                for finding in found:
                    self._tell_finding(finding)
            case {"event": "effective", "spec": {"device": "cpu"}}:
                self.say(self._words.text("job_no_card"))
            case {"event": "forecast"}:
                key = "run_forecast_measured" if event.get("is_measured") else "run_forecast"
                self.say(self._words.text(key, time=self._words.duration(event["total_s"]), **event))
            case {"event": "step"}:
                self._tell_step(event)
            case {"event": "evaluation"}:
                self._tell_evaluation(event)
            case {"event": "adjusted", "reason": reason, "step": step}:
                self.say(self._words.text(f"run_adjusted.{reason}", step=step))
            case {"event": "finished" | "paused" | "cancelled" | "failed"}:
                self.end = event

    def tell_end(self, status: int) -> None:
        """`status`: of the process; below 0 it was ended by that signal."""
        text, end = self._words.text, self.end or {}
        match end:
            case {"event": "finished"}:
                took = self._words.duration(end["seconds"])
                self.say(text(f"run_finished.{end['reason']}", step=end["step"], time=took))
                if end.get("best_loss") is not None:
                    losses = {"base_loss": _loss(end["base_loss"]), "best_loss": _loss(end["best_loss"])}
                    self.say(text("run_losses", best_step=end["best_step"], **losses))
                self.say(text("job_finished"))
            case {"event": "paused" | "cancelled"}:
                self.say(text("job_paused", step=end["step"]))
            case {"event": "failed"}:
                self.say(self._words.error(end["code"], end.get("facts", {})))
                self.say(text("job_failed"))
            case _:
                self.say(text("job_died", status=status))

    def _enter(self, phase: str) -> None:
        if phase != self._phase:
            self._phase, self._phase_began = phase, time.monotonic()

    def _tell_phase(self, event: Mapping[str, Any]) -> None:
        """Each once: evaluations come again and again, and what they find is told anyway."""
        name, total = str(event.get("name")), event.get("total")
        known = self._words.has(f"run_phase.{name}")
        self._enter(self._words.text(f"run_phase.{name}" if known else "run_phase.other", name=name))
        self._share = f" {100 * event['done'] // total} %" if total and name in MEASURED else ""
        if name not in (self._shown_phase, "training", "saving"):
            self._shown_phase = name
            self.say(f"{self._phase}…")

    def _tell_finding(self, finding: Mapping[str, Any]) -> None:
        key, facts = f"finding.{finding['code']}", finding.get("facts", {})
        said = self._words.text(key, **facts) if self._words.has(key) else finding["code"]
        self.say(self._words.text(f"run_finding.{finding['level']}", text=said))

    def _tell_step(self, event: Mapping[str, Any]) -> None:
        self._enter(self._words.text("run_phase.training"))
        is_edge = event["step"] in (1, event["total"])
        if is_edge or time.monotonic() - self._said_at >= QUIET_S:
            shown = {
                "loss": _loss(event["loss"]),
                "validation": _loss(self._best),
                "tokens_per_s": round(event["tokens_per_s"]),
                "left": self._words.left(event["left_s"]),
            }
            self.say(self._words.text("run_step", **{**event, **shown}))

    def _tell_evaluation(self, event: Mapping[str, Any]) -> None:
        step = event["step"]
        key = "run_base_loss" if step == 0 else "run_evaluation_best" if event["is_best"] else "run_evaluation"
        if event["is_best"]:
            self._best = event["loss"]
        self.say(self._words.text(key, step=step, loss=_loss(event["loss"])))


def _loss(value: float | None) -> str:
    """Nats a trained token."""
    return f"{value:.3f}" if value is not None and math.isfinite(value) else "-"


class Command:
    """The process, out of reach of the terminal's signals: they arrive here alone."""

    def __init__(self, command: list[str], log: BinaryIO) -> None:
        self.asked: list[int] = []  # signals, as they came
        for name in SIGNALS:
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) != signal.SIG_IGN:  # as nohup has it
                signal.signal(number, self._on_signal)
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,  # its end is a pause, too
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=os.name == "posix",
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
        self._lines: queue.Queue[bytes] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def line(self) -> bytes | None:
        """The next one, b"" after the last; None: none within a moment."""
        try:
            return self._lines.get(timeout=0.5)
        except queue.Empty:
            return None

    def pause(self) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(PAUSE)
            self._process.stdin.flush()
        except OSError:  # it has ended
            return

    def kill(self) -> None:
        self._process.kill()

    def wait(self) -> int:
        return self._process.wait()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put(b"")

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        self.asked.append(number)


def follow(command: Command, watch: Watch, words: Words, log: BinaryIO, *, can_pause: bool) -> int:
    """To its end. The exit status."""
    obeyed = 0
    while (line := command.line()) != b"":
        if line is None:
            watch.say_still()
        else:
            event = _event(line)
            if event is None:
                log.write(line)
            else:
                watch.tell(event)
        for number in command.asked[obeyed:]:
            if not can_pause or (obeyed and number == signal.SIGINT):
                command.kill()
            elif not obeyed:
                watch.say(words.text("job_pausing"))
                command.pause()
            obeyed += 1
    return command.wait()


def _event(line: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) and "event" in found else None


def main(language: str, what: str, command: list[str]) -> int:
    folder = Path(__file__).resolve().parent
    words = Words(folder / "words", language)
    watch = Watch(words)
    if sys.stdout is not None and hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")
    path = folder / LOGS[what]
    path.parent.mkdir(exist_ok=True)
    with path.open("ab", buffering=0) as log:
        watch.begin(words.text(f"job_{what}"))
        status = follow(Command(command, log), watch, words, log, can_pause=what == "train")
    if what == "train":
        watch.tell_end(status)
        status = status or int(watch.end is None)
    elif status:
        watch.say(words.text("job_setup_failed"))
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
