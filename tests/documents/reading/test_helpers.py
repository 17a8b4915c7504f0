"""Helpers of the reading child change when a part is done, and nothing else."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import psutil
import pytest

from app.base.isolation import sandbox
from app.documents.reading import helpers
from tests.waiting import wait_for_ends

ROOT = Path(__file__).parents[3]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="helpers are forks")


def run(body: str) -> str:
    """Run a program with the functions below in a process without threads, of which helpers are forks."""
    text = "import os, signal, sys, time\nfrom app.documents.reading import helpers\n" + textwrap.dedent(WORK)
    done = subprocess.run(
        [sys.executable, "-c", text + textwrap.dedent(body)], capture_output=True, text=True, cwd=ROOT, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


WORK = """
OWN = os.getpid()

def square(number):
    return number * number, os.getpid() != OWN

def fails(number):
    if os.getpid() != OWN and number == 3:
        raise ValueError(number)
    return square(number)

def dies(number):
    if os.getpid() != OWN and number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return square(number)

def sleeps(number):
    if os.getpid() != OWN and number == 3:
        time.sleep(60)
    return square(number)

def writes(path):
    try:
        open(path, "w").close()
    except PermissionError:
        return "refused"
    return "written"

def is_slow(path):
    time.sleep(0.05)
    return "own"

def slow_here(number):
    time.sleep(0.05)
    return square(number)
"""


def test_the_results_come_in_order_and_from_both_sides() -> None:
    assert (
        run(
            """
        made = list(helpers.Helpers(2).map(slow_here, list(range(40)), square))
        print([one for one, _ in made] == [number * number for number in range(40)], {there for _, there in made})
        """
        )
        == "True {False, True}"
    )


def test_helpers_begin_while_the_next_parts_are_made() -> None:
    assert (
        run(
            """
        def numbers():
            for number in range(12):
                time.sleep(0.05)
                yield number
        print(sum(there for _, there in helpers.Helpers(1).map(square, numbers(), square)) >= 7)
        """
        )
        == "True"
    ), "a helper has two parts at a time, and gets two or three of twelve that are all there at once"


@pytest.mark.skipif(sandbox.landlock_version() == 0, reason="Landlock is missing")
def test_parts_of_markdown_are_read_by_helpers_as_here() -> None:
    assert (
        run(
            """
        from app.documents.reading import markdown
        markdown.PART_CHARACTERS = 1000
        text = "".join(f"# {number} 章\\n\\n本文{number}を置く。\\n\\n- 項目\\n" * 9 for number in range(900))
        told = []
        here = markdown.read(text, lambda line, _total: told.append(line))
        alone, told = len(told), []
        there = markdown.read(text, lambda line, _total: told.append(line), helpers.Helpers(2))
        print(here == there, len(here.blocks) > 9000, alone > 50, len(told) < alone)
        """
        )
        == "True True True True"
    )


@pytest.mark.parametrize("work", ["fails", "dies", "sleeps"])
def test_what_a_helper_does_not_return_is_done_here(work: str) -> None:
    assert (
        run(
            f"""
        helpers.PATIENCE_S = 0.5
        made = list(helpers.Helpers(1).map({work}, list(range(8)), slow_here))
        print([one for one, _ in made] == [number * number for number in range(8)], made[3])
        """
        )
        == "True (9, False)"
    )


def test_an_error_of_a_part_is_raised_here_and_the_next_parts_are_not_mixed_up() -> None:
    assert run(
        """
        def raises(number):
            raise OSError("here")
        group = helpers.Helpers(1)
        try:
            list(group.map(square, list(range(3000)), raises))
        except OSError as error:
            print(error)
        print([one for one, _ in group.map(square, [10, 20, 30], square)])
        """
    ).splitlines() == ["here", "[100, 400, 900]"]


def test_a_part_too_long_for_the_pipe_is_done_here() -> None:
    assert run("print([len(one) for one in helpers.Helpers(1).map(str.upper, ['a' * 2_000_000] * 3, str.upper)])") == (
        "[2000000, 2000000, 2000000]"
    )


@pytest.mark.skipif(sandbox.landlock_version() == 0, reason="Landlock is missing")
def test_a_helper_can_write_no_file(tmp_path: Path) -> None:
    places = [str(tmp_path / str(number)) for number in range(4)]
    assert run(f"print(set(helpers.Helpers(1).map(writes, {places}, is_slow)) - {{'own'}})") == "{'refused'}"
    assert list(tmp_path.iterdir()) == []


def test_helpers_end_with_their_process() -> None:
    program = "import sys\nfrom app.documents.reading import helpers\nhelpers.Helpers(2)\nprint(1, flush=True)\ninput()"
    process = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT)
    process.stdout.readline()
    forked = psutil.Process(process.pid).children()
    assert len(forked) == 2
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    wait_for_ends(forked)


def test_one_core_has_no_helper(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: {0})
    assert helpers.helper_count() == 0
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: set(range(64)))
    assert helpers.helper_count() <= helpers.HELPERS_MOST
