"""What parts of the trainer make of several cards and processes, of too little memory, and of damaged bases."""

import json
import sys
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


# ---------------------------------------------------------------- several processes


def test_processes_save_together(found: dict[str, Any]) -> None:
    """Each has a clock of its own; who saves alone waits for the others for ever."""
    assert found["saving"] is True


def test_one_process_uses_one_card(found: dict[str, Any]) -> None:
    assert found["cards"] == [1, 4]


def test_what_several_processes_take_is_told_for_all(found: dict[str, Any]) -> None:
    distributed = found["distributed"]
    assert distributed["step_examples"] == 4
    for alone, shared in distributed["forecast"].values():  # the same examples in twice as many hands
        assert shared == pytest.approx(alone / 2, abs=0.1)


def test_no_process_of_several_cuts_its_batch_alone(found: dict[str, Any]) -> None:
    assert found["distributed"]["smaller"] == ["out_of_memory", {"device": "cpu", "micro_batch": 4}]


# ------------------------------------------------------------------------- memory


def test_a_card_out_of_memory_is_known_by_its_words(found: dict[str, Any]) -> None:
    assert found["words"] == [True, True, True, False]


def test_what_was_measured_is_held_against_what_there_is(found: dict[str, Any]) -> None:
    assert found["measured"]["448"] == {"cuts": [], "ended": 4}
    assert found["measured"]["250"] == {"cuts": [2], "ended": 2}
    none = ["out_of_memory", {"device": "cuda", "micro_batch": 1}]
    assert found["measured"]["100"] == {"cuts": [2, 1], "ended": none}


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


def test_what_is_slower_is_not_kept(found: dict[str, Any]) -> None:
    assert found["searched"]["2.0"]["tried"] == [[1, 0], [1, 4]]
    assert found["searched"]["2.0"]["ended"] == [1, 0]
    assert found["searched"]["2.0"]["told"] == []


def test_a_card_that_needs_more_than_computed_gets_less(found: dict[str, Any]) -> None:
    tight = found["searched"]["2.5"]
    assert tight["tried"][:2] == [[1, 0], [1, 1]]
    assert tight["ended"] in tight["tried"][1:]
    assert tight["ended"][1] > 0
    assert tight["told"][0] == "out_of_memory"


def test_what_was_asked_for_is_not_searched_for(found: dict[str, Any]) -> None:
    assert found["as asked"]["tried"] == [[2, 1]]


def test_the_chosen_card_is_the_one_that_is_used(found: dict[str, Any]) -> None:
    assert found["named card"] == "GPU-1"


def test_the_forecast_counts_the_sample_answers_of_each_epoch(found: dict[str, Any]) -> None:
    assert found["distributed"]["samples_s"] == 10.0  # before the first step, and at the end of the epoch


def test_a_loop_that_is_over_leaves_no_memory_behind(found: dict[str, Any]) -> None:
    assert found["forgotten"] is True


# ---------------------------------------------------------------------- the loop


def test_the_warm_up_is_as_long_as_the_spec_says(found: dict[str, Any]) -> None:
    assert found["warm_up"] == {"0.0": 0, "0.05": 4, "0.8": 79}


def test_a_gradient_that_is_none_ends_it_where_no_scaler_skips_the_step(found: dict[str, Any]) -> None:
    assert found["no scaler"] == 5


def test_evaluations_to_come_are_counted(found: dict[str, Any]) -> None:
    assert found["evaluations left"] == [36.0, 36.0, 35.0, 22.0, 11.0, 11.0]


def test_a_clock_that_goes_on_counts_seconds_a_step_of_its_own(found: dict[str, Any]) -> None:
    assert found["clock"] == [[10.0, 2.0], [1002.0, 520]]


# ------------------------------------------------------------ the base and its words


@pytest.mark.parametrize("name", ["width", "other json", "header", "entries"])
def test_a_damaged_base_is_told(name: str, found: dict[str, Any]) -> None:
    code, facts = found["damaged"][name]
    assert code == "base_unreadable"
    assert facts["reason"]


def test_a_loss_that_is_not_ours_is_in_the_log(found: dict[str, Any]) -> None:
    difference, lines = found["own loss"]
    assert difference is None
    assert [line.partition(",")[0] for line in lines] == ["the base's own loss is kept"]


def test_a_sample_is_greedy_whatever_the_base_prefers(found: dict[str, Any]) -> None:
    assert found["answer"] == [["a", True], {"do_sample": False, "repetition_penalty": 1.0}]


def test_a_base_that_cannot_be_converted_in_the_memory_says_what_is_short(found: dict[str, Any]) -> None:
    assert found["short memory"] == ["memory_short", {"device": "cpu", "needed_bytes": 9, "available_bytes": 1}]


@pytest.mark.skipif(sys.platform == "win32", reason="sessions of a terminal")
def test_the_converter_does_not_hear_the_terminal(found: dict[str, Any]) -> None:
    assert found["session"] == "True"
