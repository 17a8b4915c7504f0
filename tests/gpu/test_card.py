"""What only a card can show: a tiny base in 4 bits, and memory as it was computed."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from app.models.training_environment import PRODUCT_LIMIT, TrainingEnvironment
from tests.trainer.conftest import environment  # noqa: F401
from tests.trainer.training_runs import complete, tiny_base, write_spec  # noqa: F401
from trainer.events import Finished, ResolvedRecipe, RunForecast

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(shutil.which("nvidia-smi") is None, reason="no card that CUDA can use"),
]


def test_a_run_in_four_bits_ends_and_stays_within_what_was_computed(
    environment: TrainingEnvironment, tiny_base: Path, tmp_path: Path  # noqa: F811
) -> None:  # fmt: skip
    spec = write_spec(
        tmp_path / "run", tiny_base, device="cuda", precision="nf4", optimizer="paged_adamw_8bit", max_steps=4
    )
    told = complete(environment.python, spec)
    assert isinstance(told[-1], Finished)
    decided = next(event for event in told if isinstance(event, ResolvedRecipe))
    assert (decided.spec["device"], decided.spec["precision"]) == ("cuda", "nf4")
    computed, measured = (event.peak_bytes for event in told if isinstance(event, RunForecast))
    assert measured < computed


def test_a_card_that_is_too_small_is_told_before_anything_is_loaded(
    environment: TrainingEnvironment, tiny_base: Path, tmp_path: Path  # noqa: F811
) -> None:  # fmt: skip
    path = write_spec(tmp_path / "run", tiny_base, device="cuda", precision="nf4", micro_batch=1024, memory_share=0.01)
    command = environment.command("trainer", str(path))
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    last: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    assert (ended.returncode, last["event"], last["code"]) == (1, "failed", "memory_short")


def test_the_card_multiplies_rightly_in_four_bits(environment: TrainingEnvironment) -> None:  # noqa: F811
    command = environment.command("trainer.doctor")
    told = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    difference, reason = told["products"]["cuda"]
    assert reason == ""
    assert 0.01 < difference < PRODUCT_LIMIT
