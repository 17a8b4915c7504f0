"""What the training environment says of itself, asked for real."""

import json
import subprocess

import pytest

from app.models import training_environment
from app.models.training_environment import TrainingEnvironment
from trainer import doctor

# Wrong products and failing ones in place of the library's, then all as it is.
_SCRIPT = """\
import sys
sys.path.insert(0, sys.argv[1])
import bitsandbytes
from trainer import doctor
right = bitsandbytes.matmul_4bit
def half(*arguments, **named):
    return right(*arguments, **named) * 0.5
def none(*arguments, **named):
    raise RuntimeError("no kernel image\\nmore")
for bitsandbytes.matmul_4bit in (half, none, right):
    print(*doctor.measure_product_error("cpu"), sep="|", flush=True)
doctor.main(["torch", "no-such-library"])
"""


def test_products_in_four_bits_are_made_and_wrong_ones_are_seen(environment: TrainingEnvironment) -> None:
    argv = [str(environment.python), "-c", _SCRIPT, str(training_environment._ROOT)]
    half, none, right, told = subprocess.run(
        argv, capture_output=True, encoding="utf-8", check=True
    ).stdout.splitlines()
    limit = training_environment.PRODUCT_LIMIT
    assert float(half.rstrip("|")) > limit
    assert none == "None|no kernel image"
    assert 0.01 < float(right.rstrip("|")) < limit
    report = json.loads(told)
    assert all(0.01 < difference < limit and reason == "" for difference, reason in report["products"].values())
    assert report["versions"]["no-such-library"] is None
    assert report["versions"]["torch"]


@pytest.mark.parametrize(
    ("architectures", "least"),
    [([], (0, 0)), (["sm_75", "sm_80", "sm_120", "compute_120"], (7, 5)), (["sm_90a"], (9, 0))],
)
def test_the_oldest_card_is_read_from_what_torch_was_compiled_for(
    architectures: list[str], least: tuple[int, int]
) -> None:
    assert doctor.least_capability(architectures) == least
