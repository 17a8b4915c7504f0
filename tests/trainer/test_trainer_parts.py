"""What parts of the trainer make of several cards and processes, of too little memory, and of damaged bases."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.trainer.training_runs import RunServer


@pytest.fixture(scope="module")
def found(server: RunServer, tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("trainer_parts")
    server.call("trainer_parts", tiny_base, folder)
    answers: dict[str, Any] = json.loads((folder / "found.json").read_text("utf-8"))
    return answers


EXPECTED = {
    "saving": True,  # each process has a clock of its own; who saves alone waits for the others for ever
    "cards": [1, 4],
    "coarse clock": 192.0,  # 48 products in a quarter of a second
    "words": [True, True, True, False],
    "measured": {
        "448": {"cuts": [], "ended": 4},
        "250": {"cuts": [2], "ended": 2},
        "100": {"cuts": [2, 1], "ended": ["out_of_memory", {"device": "cuda", "micro_batch": 1}]},
    },
    "named card": "GPU-1",
    "forgotten": True,  # a loop that is over leaves no memory behind
    "warm_up": {"0.0": 0, "0.05": 4, "0.8": 79},
    "no scaler": 5,  # a gradient that is none ends it where no scaler skips the step
    "evaluations left": [36.0, 36.0, 35.0, 22.0, 11.0, 11.0],
    "clock": [[10.0, 2.0], [1002.0, 520]],  # one that goes on counts seconds a step of its own
    "answer": [["a", True], {"do_sample": False, "repetition_penalty": 1.0}],  # whatever the base prefers
    "short memory": ["memory_short", {"device": "cpu", "needed_bytes": 9, "available_bytes": 1}],
    "session": "True",  # the converter does not hear the terminal
}


@pytest.mark.parametrize("part", EXPECTED)
def test_a_part_of_the_trainer_makes_of_it_what_was_reckoned(part: str, found: dict[str, Any]) -> None:
    assert found[part] == EXPECTED[part]


def test_a_damaged_base_is_told(found: dict[str, Any]) -> None:
    for name in ("width", "other json", "header", "entries"):
        code, facts = found["damaged"][name]
        assert (code, bool(facts["reason"])) == ("base_unreadable", True), name


# ---------------------------------------------------------------- several processes


def test_what_several_processes_take_is_told_for_all(found: dict[str, Any]) -> None:
    distributed = found["distributed"]
    assert distributed["step_examples"] == 4
    for alone, shared in distributed["forecast"].values():  # the same examples in twice as many hands
        assert shared == pytest.approx(alone / 2, abs=0.1)
    assert distributed["smaller"] == ["out_of_memory", {"device": "cpu", "micro_batch": 4}]  # none cuts its batch alone
    assert distributed["samples_s"] == 10.0  # before the first step, and at the end of the epoch


# ------------------------------------------------------------------------- memory


def test_a_card_with_memory_to_spare_is_used(found: dict[str, Any]) -> None:
    """Computed, one example at a time fits without checkpointing; if the activations take less, more of them do."""
    expected, spare = found["searched"]["1.0"], found["searched"]["0.45"]
    assert expected["tried"] == [[1, 0]]
    assert expected["told"] == []
    assert spare["tried"][0] == [1, 0]
    assert spare["ended"] in spare["tried"][1:]
    assert spare["ended"][0] > 1
    assert spare["told"] == ["faster"]
    assert expected["step"] == spare["step"] == 8
    slower = found["searched"]["2.0"]
    assert (slower["tried"], slower["ended"], slower["told"]) == ([[1, 0], [1, 4]], [1, 0], [])
    assert found["as asked"]["tried"] == [[2, 1]]  # what was asked for is not searched for


def test_a_card_that_needs_more_than_computed_gets_less(found: dict[str, Any]) -> None:
    tight = found["searched"]["2.5"]
    assert tight["tried"][:2] == [[1, 0], [1, 1]]
    assert tight["ended"] in tight["tried"][1:]
    assert tight["ended"][1] > 0
    assert tight["told"][0] == "out_of_memory"


# ------------------------------------------------------------ the base and its words


def test_a_loss_that_is_not_ours_is_in_the_log(found: dict[str, Any]) -> None:
    difference, lines = found["own loss"]
    assert difference is None
    assert [line.partition(",")[0] for line in lines] == ["the base's own loss is kept"]
