"""The process that does everything once, watched: in an empty network where the system has one, else as it is.

Told its job by one line on standard input; ends with what it has started when that is closed. Prints a line
{"stage": …} before each piece of work, then {"measured": …}.
"""

import dataclasses
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import psutil

from app.base import children, no_network
from app.compliance.offline_check import counters
from app.compliance.offline_check.records import FLOWS, Attempts, Flow, Measured

LIMIT_S = 900.0  # of one flow: a large model on a slow machine
_SAMPLE_S = 0.25
_REFUSED = "network refused: "
_COLLECTION = "offline-check"
_REASON_CHARACTERS = 400
_TEMPLATE = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"


@dataclass(frozen=True, slots=True)
class Job:
    """`folder`: empty, deleted afterwards. `model`: a file, "" for none. `text`, `question`: in the user's language."""

    folder: str
    model: str
    text: str
    question: str


@dataclass
class _Watch:
    """Samples the open sockets of everything below this process while it is running."""

    sockets: set[str] = field(default_factory=set)
    samples: int = 0
    _over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        while not self._over.wait(_SAMPLE_S):
            self.look()

    def look(self) -> None:
        has_looked = False
        for process in psutil.Process().children(recursive=True):
            try:
                self.sockets |= {_told(one) for one in process.net_connections(kind="inet")}
            except psutil.Error:  # it has ended, or the system does not tell
                continue
            has_looked = True
        self.samples += has_looked  # what could not be looked at is no sample without a socket

    def end(self) -> None:
        self._over.set()


def main() -> NoReturn:
    is_filtered = no_network.is_supported() and not no_network.gives_a_socket(2)  # AF_INET
    isolation = counters.isolate()
    if is_filtered:
        isolation = "filtered"
    elif isolation == "namespace":
        os.environ[no_network.COUNTED_VARIABLE] = "1"
    job = Job(**json.loads(sys.stdin.readline()))
    threading.Thread(target=_end_with_input, args=(job.folder,), daemon=True).start()
    _say(measured=dataclasses.asdict(measure(job, isolation)))
    os._exit(0)


def measure(job: Job, isolation: str) -> Measured:
    is_counted = isolation == "namespace"
    _say(stage="self_test")
    leak = _leak() if is_counted else None
    guard = _guard()
    before = counters.read() if is_counted else {}
    watch = _Watch()
    watcher = threading.Thread(target=watch.run)
    watcher.start()
    try:
        flows = tuple(_flow(name, job) for name in FLOWS)
    finally:
        watch.end()
        watcher.join()
    kernel = counters.difference(before, counters.read()) if is_counted else None
    refusals = _refusals(Path(job.folder))
    return Measured(isolation, guard, leak, kernel, flows, tuple(sorted(watch.sockets)), watch.samples, refusals)


# ------------------------------------------------------------------------- self-test


def _leak() -> Attempts:
    before = counters.read()
    _probe("leak")
    return counters.difference(before, counters.read())


def _guard() -> tuple[int, int]:
    told = _probe("guard")
    return int(told.get("refused", 0)), int(told.get("tried", 0))


def _probe(name: str) -> dict[str, Any]:
    command = [*children.program(), "--offline-check", name]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", timeout=LIMIT_S, check=False
    )
    try:
        told = json.loads(done.stdout)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


# ----------------------------------------------------------------------------- flows


def _flow(name: str, job: Job) -> Flow:
    if name == "answer" and not job.model:
        return Flow(name, "not_tried", reason="no_model")
    _say(stage=name)
    command, told, extra = _command(name, job)
    errors = Path(job.folder) / f"{name}.stderr.log"
    began = time.monotonic()
    with errors.open("wb") as log:
        try:
            done = subprocess.run(
                [*children.program(), *command], input=told.encode("utf-8"), stdout=subprocess.PIPE, stderr=log,
                env=os.environ | extra, timeout=LIMIT_S, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return Flow(name, "failed", time.monotonic() - began, f"> {LIMIT_S:.0f} s")
    seconds = time.monotonic() - began
    if done.returncode == 0 and not (name == "template" and b'"segments"' not in done.stdout):
        return Flow(name, "passed", seconds)
    said = errors.read_text("utf-8", "replace").strip() or done.stdout.decode("utf-8", "replace")
    return Flow(name, "failed", seconds, f"{done.returncode}: {said[-_REASON_CHARACTERS:]}")


def _command(name: str, job: Job) -> tuple[list[str], str, dict[str, str]]:
    """What to start, what it is told, and what is in its environment besides."""
    data = ["--data-dir", str(Path(job.folder) / "data")]
    if name == "documents":
        document = Path(job.folder) / "check.md"
        document.write_text(job.text, "utf-8")
        return ["docs", "add", _COLLECTION, str(document), *data, "--json"], "", {}
    if name == "search":
        return ["docs", "search", _COLLECTION, job.question, *data, "--json"], "", {}
    if name == "models":
        return ["models", "list", "--catalogue", *data, "--json"], "", {}
    if name == "template":
        request = {"template": _TEMPLATE, "messages": [{"role": "user", "content": job.question}], "end": "</s>"}
        return ["--render-template"], json.dumps(request) + "\n", {}
    if name == "answer":
        asked = ["ask", job.question, "--model", job.model, "--collection", _COLLECTION, "--max-tokens", "8"]
        return [*asked, *data, "--json"], "", {}
    return data, "", {"QT_QPA_PLATFORM": "offscreen", children.REPORT_START_VARIABLE: "1"}


def _refusals(folder: Path) -> tuple[str, ...]:
    """From what the processes wrote as their logs."""
    logs = sorted([*folder.glob("*.log"), *(folder / "data" / "logs").glob("*.log")])
    lines = (line for log in logs for line in log.read_text("utf-8", "replace").splitlines())
    return tuple(line.partition(_REFUSED)[2] for line in lines if _REFUSED in line)


def _told(connection: Any) -> str:
    ends = [f"{end.ip}:{end.port}" for end in (connection.laddr, connection.raddr) if end]
    return " → ".join([*ends, connection.status] if connection.status != "NONE" else ends) or "socket"


def _say(**event: Any) -> None:
    os.write(1, json.dumps(event, ensure_ascii=False).encode("utf-8") + b"\n")


def _end_with_input(folder: str) -> None:
    """Whoever asked has gone: nothing of the check stays behind."""
    sys.stdin.read()
    for process in psutil.Process().children(recursive=True):
        try:
            process.kill()
        except psutil.Error:
            continue
    shutil.rmtree(folder, ignore_errors=True)  # whoever has made it may have been killed
    os._exit(1)
