"""What children send that a foreign file has taken over: a death in words, never a bug of whoever started them."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from PySide6.QtCore import QCoreApplication

from app.base import programs
from app.base.errors import AppError
from app.base.services.child_process import ChildExit, ChildProcess
from app.base.tables import table_reader
from app.inference import child_commands
from app.inference.engine.messages import Tokenize
from app.inference.services.engine import EngineClient
from app.inference.services.template_renderer import TemplateRenderer
from app.models.artifact_steps import ArtifactStep
from app.models.services.artifact_runner import JobTask, Workplace
from tests.faults.ledger import Tally

LIMIT_S = 45.0  # the children live for a minute
GROWTH_BYTES = 200_000_000
NONSENSE = {
    "brackets without end": "'[' * 200_000",
    "a list": "'[1]'",
    "a number": "'1e999'",
    "none": "'NaN'",
    "an unknown object": '\'{"event": 1, "type": []}\'',
    "half a text": '\'{"event": "\'',
}
ROWS = {
    "a row before any sheet": '{"row":1,"cells":[1]}',
    "a row far away": '{"sheet":"a"}\\n{"row":2000000000,"cells":[1]}',
    "a row twice": '{"sheet":"a"}\\n{"row":1,"cells":[1]}\\n{"row":1,"cells":[1]}',
    "too many cells": '{"sheet":"a"}\\n{"row":1,"cells":[' + "1," * 300 + "1]}",
    "cells that are none": '{"sheet":"a"}\\n{"row":1,"cells":[[[1]],{"date":5},{}]}',
    "no cells": '{"sheet":"a"}\\n{"row":1}',
    "a title that is none": '{"sheet":{}}',
    "an end of its own": '{"end":"\\u202edisk_full"}',
    "nothing at all": "{}",
}


def child(folder: Path, code: str) -> list[str]:
    script = folder / "child.py"
    script.write_text(f"import os, time\n{code}\n", "utf-8")
    return [sys.executable, str(script)]


def wait(qapp: QCoreApplication, is_over: Callable[[], bool]) -> None:
    until = time.monotonic() + LIMIT_S
    while not is_over() and time.monotonic() < until:
        qapp.processEvents()
        time.sleep(0.005)
    assert is_over()


@pytest.fixture
def bugs(monkeypatch: pytest.MonkeyPatch) -> list[type[BaseException]]:
    """What rises out of a slot."""
    found: list[type[BaseException]] = []
    monkeypatch.setattr(sys, "excepthook", lambda kind, _error, _trace: found.append(kind))
    return found


@pytest.mark.fault("F4")
@pytest.mark.parametrize("nonsense", NONSENSE)
def test_nonsense_ends_a_child_at_once(
    nonsense: str,
    tmp_path: Path,
    qapp: QCoreApplication,
    bugs: list[Any],
    tally: Tally,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    command = child(tmp_path, f"print({NONSENSE[nonsense]}, flush=True)\ntime.sleep(60)")
    ended: list[str] = []
    monkeypatch.setattr(JobTask, "_write_job", lambda _task: command)
    step = ArtifactStep("quantize", tmp_path / "made.gguf", None)
    place = Workplace(tmp_path / "job", f"{tmp_path}/", "")
    job = JobTask(step, AppError("no_training_environment"), place, qapp)
    job.ended.connect(lambda error: ended.append(error.code))
    job.start()
    engine = EngineClient(command, tmp_path / "engine.log")
    engine.died.connect(lambda death: ended.append(death.cause))
    engine.send(Tokenize("1", ()))
    wait(qapp, lambda: len(ended) == 2)
    tally.tried(2)
    assert sorted(ended) == ["build_died", "garbled"]
    assert bugs == []


@pytest.mark.fault("F4")
@pytest.mark.parametrize("rows", ROWS)
def test_rows_that_no_workbook_has_are_refused(rows: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = child(tmp_path, f"print('{ROWS[rows]}', flush=True)\ntime.sleep(60)")
    monkeypatch.setattr(programs, "own_program", lambda: command)
    began = time.monotonic()
    with pytest.raises(AppError) as caught:
        list(table_reader.read_sheets(b"PK", "表.xlsx", 1000))
    assert caught.value.code == "table_crowded"
    assert time.monotonic() - began < LIMIT_S


@pytest.mark.fault("F4")
def test_lines_and_answers_without_end_fill_nobodys_memory(
    tmp_path: Path, qapp: QCoreApplication, monkeypatch: pytest.MonkeyPatch, tally: Tally
) -> None:
    command = child(tmp_path, "while True: os.write(1, b'x' * 65536)")
    before = psutil.Process().memory_info().rss
    monkeypatch.setattr(programs, "own_program", lambda: command)
    with pytest.raises(AppError, match="table_crowded"):
        list(table_reader.read_sheets(b"PK", "表.xlsx", 1000))
    ended: list[ChildExit] = []
    asked = ChildProcess(command, None, json.loads, qapp)
    asked.exited.connect(ended.append)
    began = time.monotonic()
    asked.ask(b"{}\n", 60)
    wait(qapp, lambda: bool(ended))
    tally.tried(2)
    assert time.monotonic() - began < LIMIT_S
    assert psutil.Process().memory_info().rss - before < GROWTH_BYTES


@pytest.mark.fault("F4")
@pytest.mark.parametrize("answer", ['{"segments": 5}', '{"segments": [["a", 1]]}', '{"segments": [[]]}', "{}", "[]"])
def test_a_template_that_answers_nonsense_has_failed(
    answer: str, tmp_path: Path, qapp: QCoreApplication, bugs: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[str] = []
    monkeypatch.setattr(child_commands, "own_program", lambda: child(tmp_path, f"print('{answer}')"))
    renderer = TemplateRenderer({}, lambda _made: ended.append("done"), lambda e: ended.append(e.code))
    wait(qapp, lambda: bool(ended))
    renderer.cancel()
    assert (ended, bugs) == (["template_failed"], [])
