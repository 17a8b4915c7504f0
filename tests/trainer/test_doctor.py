"""What the training environment says of itself, asked for real."""

import json
from pathlib import Path

import pytest

from app.models import training_environment
from tests.trainer import trainer_side
from tests.trainer.training_runs import RunServer
from trainer import doctor


def test_products_in_four_bits_are_made_and_wrong_ones_are_seen(server: RunServer, tmp_path: Path) -> None:
    asked = {
        "products": {"call": "products"},
        "told": {"call": "told_by_the_doctor", "libraries": ["torch", "no-such-library"]},
    }
    answers = trainer_side.ask(server, asked, tmp_path)
    half, none, right = answers["products"]
    limit = training_environment.PRODUCT_LIMIT
    assert half[0] > limit
    assert none == [None, "no kernel image"]
    assert 0.01 < right[0] < limit
    report = json.loads(server.events.read_text("utf-8"))
    assert all(0.01 < difference < limit and reason == "" for difference, reason in report["products"].values())
    assert report["versions"]["no-such-library"] is None
    assert report["versions"]["torch"]
    assert report.keys() == {"python", "versions", "cuda", "least_capability", "devices", "products"}  # as in windows


@pytest.mark.parametrize(
    ("architectures", "least"),
    [([], (0, 0)), (["sm_75", "sm_80", "sm_120", "compute_120"], (7, 5)), (["sm_90a"], (9, 0))],
)
def test_the_oldest_card_is_read_from_what_torch_was_compiled_for(
    architectures: list[str], least: tuple[int, int]
) -> None:
    assert doctor.least_capability(architectures) == least
