"""A study of the command line killed with SIGKILL at random moments, or interrupted in every phase, and gone on with.

In the end it is the study that nobody has disturbed: no answer is lost, none is asked twice. A kill leaves the page
cache of the operating system as it is, so this says nothing about power cuts.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from app.base.paths import locate
from app.evaluation.study import studies
from tests import fake_trainer
from tests import model_files as models
from tests.base.cli.processes import Start, ended, programs
from tests.waiting import wait_for_ends, wait_until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")

NAME, COUNT = "試験", 5
PHASES = {
    "make": "を作成",
    "likelihood": "の損失を測定",
    "answers": "に質問",
    "judge": "が採点",
    "conclude": "まとめる",
}


class Desk:
    """A study of two forms of one model: one is made; both are measured, asked and judged."""

    def __init__(self, folder: Path, start: Start) -> None:
        self._start = start
        self.evaluations = locate(str(folder / "データ")).evaluations
        self.model = models.tiny_llama(folder / "モデル.gguf", metadata={"llama.context_length": 4096})
        self.questions = folder / "質問.jsonl"
        told = '!say {"reason": "", "score": %d}'  # so the judge's replies are short
        rows = [{"question": told % (number % 4), "answer": f"答え {number}"} for number in range(COUNT)]
        self.questions.write_text("\n".join(json.dumps(row) for row in rows), "utf-8")

    @property
    def folder(self) -> Path | None:
        return next((path.parent for path in self.evaluations.glob(f"*/{studies.STUDY}")), None)

    def begin(self) -> "subprocess.Popen[str]":
        """Begins the study, or goes on with it."""
        asked = ["eval", "resume", NAME]
        if self.folder is None:
            model = str(self.model)
            asked = ["eval", "quant", model, "--questions", str(self.questions), "--quant", "Q8_0", "--name", NAME]
            asked += ["--judge", model, "--max-tokens", "40"]
        variables = {"KOTAE_ENGINE": "echo"} | fake_trainer.variables("good")
        return self._start(*asked, "--json", variables=variables, start_new_session=True)

    def journals(self) -> dict[str, bytes]:
        """The whole lines of each."""
        found = [*self.evaluations.glob("*/answers/*.kotae-batch"), *self.evaluations.glob(f"*/{studies.JUDGED}")]
        kept = {path.name: path.read_bytes() for path in found}
        return {name: raw[: raw.rfind(b"\n") + 1] for name, raw in kept.items()}

    def standing(self) -> tuple[Any, ...]:
        """Changes with whatever the study writes."""
        files = self.folder.rglob("*") if self.folder is not None else ()
        return tuple(sorted((path.name, path.stat().st_size) for path in files if path.is_file() and exists(path)))

    def result(self) -> list[Any]:
        """All of it but when and how fast."""
        assert self.folder is not None
        found, sections = studies.read_results(self.folder)
        systems = [
            (
                one.system.name, one.system.size_bytes, one.likelihoods,
                [(row.question_id, row.seed, row.answer, row.verdict, row.marks, row.judgement) for row in one.rows],
            )
            for one in found.systems
        ]  # fmt: skip
        return [systems, found.judge, [section.title for section in sections]]

    def require_each_once(self) -> None:
        kept = self.journals()
        assert sorted(kept) == [studies.JUDGED, "s1-0.kotae-batch", "s2-0.kotae-batch"]
        for name, raw in kept.items():
            key = "key" if name == studies.JUDGED else "line"
            lines = [json.loads(line) for line in raw.splitlines()]
            counted = Counter(line[key] for line in lines if key in line)
            assert set(counted.values()) == {1}, name
            assert key == "key" or len(counted) == COUNT


def exists(path: Path) -> bool:
    """A file that was renamed since it was listed is gone."""
    return path.exists()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with programs(tmp_path / "データ") as start:
        yield Desk(tmp_path, start)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    folder = tmp_path_factory.mktemp("undisturbed")
    with programs(folder / "データ") as start:
        desk = Desk(folder, start)
        status, _, told = ended(desk.begin())
        assert status == 0, told
        desk.require_each_once()
        return desk.result()


def children(process: "subprocess.Popen[str]") -> list[psutil.Process]:
    try:
        return psutil.Process(process.pid).children()
    except psutil.Error:
        return []


def kill(desk: Desk, process: "subprocess.Popen[str]", victim: str, delay_s: float) -> bool:
    """Kills program | child | both once the study moves, after a moment more; False: there was nothing to kill."""
    before = desk.standing()
    wait_until(lambda: desk.standing() != before or process.poll() is not None)
    time.sleep(delay_s)
    there = children(process)
    if process.poll() is not None or (victim != "program" and not there):
        return False
    kept, before = desk.journals(), desk.standing()
    for child in there if victim != "program" else ():
        child.kill()
    if victim == "child":  # two deaths at one question are its own fault
        wait_until(lambda: desk.standing() != before or process.poll() is not None)
    else:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        wait_for_ends(there)
    assert all(desk.journals()[name].startswith(raw) for name, raw in kept.items())
    return True


@pytest.mark.parametrize(("kills", "seed"), [(2, 1), pytest.param(60, 2, marks=pytest.mark.slow)])
@pytest.mark.fault("F3")
def test_a_study_that_is_killed_ends_as_one_that_is_not(kills, seed, desk, undisturbed, tally):
    chance, counts = random.Random(seed), Counter[str]()
    process = desk.begin()
    while counts.total() < kills:
        if process.poll() == 0:
            desk.require_each_once()
            assert desk.result() == undisturbed
            assert desk.folder is not None
            shutil.rmtree(desk.folder)  # another one, to be killed
        if process.poll() is not None:
            process = desk.begin()
        victim = ("program", "child", "both")[counts.total() % 3]
        counts[victim] += kill(desk, process, victim, chance.uniform(0.0, 0.4))
    while ended(process)[0] != 0:
        process = desk.begin()
    tally.tried(counts.total())
    desk.require_each_once()
    assert desk.result() == undisturbed


@pytest.mark.slow
@pytest.mark.fault("F3")
def test_ctrl_c_in_any_phase_leaves_no_child_and_a_study_that_goes_on(desk, undisturbed):
    interrupted = set[str]()
    while True:
        process = desk.begin()
        assert process.stderr is not None
        phase = next((one for one in map(phase_of, process.stderr) if one not in (*interrupted, "")), "")
        there = children(process)
        os.killpg(process.pid, signal.SIGINT) if phase else None  # as a terminal does
        status, told, log = ended(process)
        wait_for_ends(there)
        if status == 0:
            break
        assert (status, told["state"]) == (130, "waiting"), log
        interrupted.add(phase)
    assert interrupted >= {"make", "likelihood", "answers", "judge"}
    desk.require_each_once()
    assert desk.result() == undisturbed


def phase_of(line: str) -> str:
    """Which of PHASES a line on stderr begins; "": none."""
    return next((one for one, words in PHASES.items() if line.startswith("評価して") and words in line), "")
