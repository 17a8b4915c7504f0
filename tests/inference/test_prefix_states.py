"""The files with evaluated beginnings of prompts: which are made, believed, deleted and counted."""

import os
import time
from pathlib import Path

import pytest

from app.inference import prefix_states
from app.inference.prefix_states import PrefixStates

NOW = time.time()


@pytest.fixture
def states(tmp_path: Path) -> PrefixStates:
    return PrefixStates(tmp_path)


def kept(
    states: PrefixStates, *collections: int, tokens: int = 1, content: bytes = b"state", since: float = NOW
) -> Path:
    """Keep a state of `tokens` tokens; the file exists unless it was refused."""
    file = states.file_of(collections, "model", range(tokens))
    states.keep(file, len(content), since, lambda part: bool(part.write_bytes(content)))
    return file


def test_a_state_is_written_when_its_beginning_is_asked_the_second_time(states):
    file = states.file_of([1], "model", [1, 2])
    assert [states.is_wanted(file), states.is_wanted(file)] == [False, True]
    assert not states.is_wanted(states.file_of([1], "model", [1, 3]))
    kept(states, 1)
    assert not states.is_wanted(kept(states, 1))


def test_another_model_or_other_tokens_have_another_file(states):
    files = [
        states.file_of([1], "model", [1, 2]),
        states.file_of([1], "model", [12]),
        states.file_of([1], "other", [1, 2]),
    ]
    assert len(set(files)) == 3
    assert states.file_of([7, 3], "model", [1]) == states.file_of([3, 7, 3], "model", [1])


@pytest.mark.parametrize("change", ["shorter", "longer", "other byte", "empty", "renamed"])
def test_a_file_that_is_not_as_it_was_written_is_deleted_and_not_read(states, change):
    file = kept(states, 1)
    assert states.is_own(file)
    whole = file.read_bytes()
    if change == "renamed":
        file = file.rename(states.file_of([1], "model", [5]))
    else:
        changed = {"shorter": whole[:-1], "longer": whole + b"0", "other byte": b"S" + whole[1:], "empty": b""}
        file.write_bytes(changed[change])
    assert not states.is_own(file)
    assert not file.exists()


def test_a_file_of_another_machine_is_not_read(states, monkeypatch):
    file = kept(states, 1)
    monkeypatch.setattr("app.base.authenticity._machine_id", lambda: b"another machine")
    assert not states.is_own(file)


def test_those_used_least_recently_make_room(states, tmp_path, monkeypatch):
    size = len(b"state") + 64
    monkeypatch.setattr(prefix_states, "MOST_BYTES", 3 * size)
    files = [kept(states, 1, tokens=count) for count in (1, 2, 3)]
    for age, file in enumerate(reversed(files)):
        os.utime(file, (NOW - age, NOW - age))
    assert states.is_own(files[0])  # this one is used again
    latest = kept(states, 1, tokens=4)
    assert [file.exists() for file in (*files, latest)] == [True, False, True, True]
    assert prefix_states.used_bytes(tmp_path) == 3 * size
    assert not kept(states, 1, tokens=5, content=b"too large" * 100).exists()


def test_one_that_nobody_used_for_a_month_goes(states):
    file = kept(states, 1)
    os.utime(file, (NOW - 31 * 24 * 3600,) * 2)
    kept(states, 1, tokens=2)
    assert not file.exists()


def test_a_wiped_collection_leaves_no_state_and_an_answer_begun_before_keeps_none(states, tmp_path):
    alone, together, other, none = kept(states, 1), kept(states, 1, 2), kept(states, 2), kept(states)
    assert not states.is_wanted(alone.with_stem("1.seen"))
    prefix_states.wipe(tmp_path, [1])
    assert [file.exists() for file in (alone, together, other, none)] == [False, False, True, True]
    assert not list(tmp_path.glob("1*.seen"))
    assert not kept(states, 1, since=time.time() - 10).exists()
    assert kept(states, 12, since=time.time() - 10).exists()
    assert kept(states, 1, since=time.time() + 10).exists()
    prefix_states.wipe(tmp_path)
    assert not prefix_states.used_bytes(tmp_path)


def test_a_state_that_is_wiped_while_it_is_written_is_not_kept(states, tmp_path):
    file = states.file_of([1], "model", [1])

    def write(part: Path) -> bool:
        part.write_bytes(b"state")
        prefix_states.wipe(tmp_path, [1])
        return True

    assert not states.keep(file, 5, NOW, write)
    assert [one.suffix for one in tmp_path.iterdir()] == [".wiped"]


def test_a_state_that_cannot_be_written_leaves_nothing_behind(states, tmp_path):
    def fail(part: Path) -> bool:
        part.write_bytes(b"half")
        raise OSError("full")

    assert not states.keep(states.file_of([1], "model", [1]), 5, NOW, fail)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("tokens", "megabytes", "tokens_per_s", "expected"),
    [
        pytest.param(1500, 197, 20, True, id="8B on two cores: 75 s against 2 s"),
        pytest.param(1500, 197, 3000, False, id="8B on a graphics card: 0.5 s"),
        pytest.param(100, 2, 500, False, id="0.2 s"),
        pytest.param(1500, 27, 500, True, id="the trial model: 3 s against 0.3 s"),
    ],
)
def test_a_state_is_worth_a_file_if_evaluating_takes_much_longer_than_reading(
    tokens, megabytes, tokens_per_s, expected
):
    assert prefix_states.is_worth(tokens, megabytes * 1_000_000, tokens_per_s) is expected


def test_a_folder_into_which_nobody_may_look_is_as_good_as_none(tmp_path):
    states = PrefixStates(tmp_path / ("x" * 300))  # the system refuses it even to root, as that of another user
    file = states.file_of([1], "model", [1])
    assert [states.is_wanted(file), states.is_wanted(file), states.is_own(file)] == [False, False, False]
    assert not states.keep(file, 1, NOW, lambda part: bool(part.write_bytes(b"x")))
