"""What a machine can train: each thing that decides it, and each that is only told."""

import re
from dataclasses import replace

import pytest

from app.base import wording
from app.base.paths import resources
from app.inference.machine import Gpu
from app.models.training_environment import EnvironmentProbe, TrainingDevice
from app.training import capability
from app.training.capability import MachineMeasurements, assess

GB = 10**9
CARD = Gpu("NVIDIA GeForce RTX 4060 Ti", 17 * GB, 16 * GB, "580.95.05", (8, 9))
HERE = MachineMeasurements((CARD,), 128 * GB, 100 * GB, 1000 * GB)
CUDA = EnvironmentProbe("3.11", {"torch": "2.13.0"}, "13.0", (TrainingDevice(CARD.name, 17 * GB),), "0.3.36", (7, 5))
CPU = EnvironmentProbe("3.11", {"torch": "2.13.0+cpu"}, None, (), "0.3.36")


def on(card: Gpu, **changes: int) -> MachineMeasurements:
    return replace(HERE, gpus=(card,), **changes)


def codes(found: capability.TrainingCapability) -> list[str]:
    return [remark.code for remark in found.remarks]


NO_CARD = replace(HERE, gpus=())
USUAL = on(replace(CARD, memory_bytes=12 * GB, free_bytes=11 * GB))
UNTOLD = Gpu("NVIDIA GB10", None, None, "580.1", (12, 1))


@pytest.mark.parametrize(
    ("here", "probe", "size", "verdict", "expected", "can_practise"),
    [
        (USUAL, CUDA, "8B", "card", [], True),
        (replace(HERE, available_bytes=16 * GB), CUDA, "14B", "card", [], True),
        (HERE, None, "", "unverified", ["unverified"], True),  # nothing is promised before the card has computed
        (NO_CARD, None, "", "no_cuda", ["no_gpu"], True),
        (NO_CARD, CPU, "", "no_cuda", ["no_gpu"], True),
        (replace(NO_CARD, available_bytes=2 * GB), None, "", "no_cuda", ["no_gpu", "practice_memory"], False),
        (replace(NO_CARD, disk_bytes=GB // 10), None, "", "no_cuda", ["no_gpu", "practice_disk"], False),
        (replace(HERE, gpus=(Gpu("NVIDIA"),)), None, "", "driver_silent", ["driver_silent"], True),
        (HERE, replace(CUDA, devices=()), "", "card_unseen", ["card_unseen"], True),
        (on(UNTOLD), CUDA, "", "no_cuda", ["memory_untold"], True),  # it is not guessed at
        (on(replace(CARD, free_bytes=None)), CUDA, "", "no_cuda", ["memory_untold"], True),
        (on(replace(CARD, capability=(7, 0))), None, "", "no_cuda", ["card_old"], True),  # for the published torch
        (on(replace(CARD, capability=(7, 5))), None, "", "unverified", ["unverified", "no_bf16"], True),
    ],
)
def test_what_a_machine_can_train_and_what_is_told(
    here: MachineMeasurements,
    probe: EnvironmentProbe | None,
    size: str,
    verdict: str,
    expected: list[str],
    can_practise: bool,
) -> None:
    found = assess(here, probe)
    assert (found.size, found.verdict.code, codes(found)) == (size, verdict, expected)
    assert found.can_practise is can_practise


@pytest.mark.parametrize(("gigabytes", "size"), [(1, ""), (3, "1B"), (7, "3B"), (12, "8B"), (17, "14B"), (80, "70B")])
def test_the_size_is_the_largest_whose_computed_memory_is_free(gigabytes: int, size: str) -> None:
    card = replace(CARD, memory_bytes=gigabytes * GB, free_bytes=gigabytes * GB)
    assert capability.largest_size(card, gigabytes * GB) == size
    if size:
        need = capability.needed_bytes(size, card)
        assert capability.largest_size(card, round(need / 0.92) + 2) == size
        assert capability.largest_size(card, round(need / 0.93)) != size


def test_the_largest_card_of_nvidia_is_taken_and_one_of_another_maker_is_of_no_use() -> None:
    (remark,) = assess(replace(HERE, gpus=(Gpu("AMD"),))).remarks
    assert (remark.code, remark.facts) == ("other_gpu", {"card": "AMD"})
    gpus = (Gpu("AMD"), replace(CARD, memory_bytes=8 * GB), CARD, replace(CARD, name="other"))
    assert assess(replace(HERE, gpus=gpus), CUDA).card == CARD


@pytest.mark.parametrize(
    ("driver", "cuda", "expected"),
    [
        ("575.64", None, ["driver_old"]),  # what would be installed needs CUDA 13
        ("580.65", None, ["unverified"]),
        ("575.64", "13.0", ["driver_old"]),
        ("575.64", "12.8", []),
        ("520.61", "12.8", ["driver_old"]),
        ("520.61", "11.8", []),
        ("", "13.0", []),
    ],
)
def test_the_driver_must_be_new_enough_for_the_cuda_of_torch(
    driver: str, cuda: str | None, expected: list[str]
) -> None:
    found = assess(on(replace(CARD, driver=driver)), replace(CUDA, cuda=cuda) if cuda else None)
    assert codes(found) == expected
    assert bool(found.size) is not bool(expected)


def test_what_is_installed_without_being_asked_is_what_the_lock_holds() -> None:
    for lock in (resources() / "training_environment" / "locked").glob("cuda-*.txt"):
        (major,) = re.findall(r"^(?:cuda-toolkit==|torch==\S+\+cu)(\d\d)", lock.read_text("ascii"), re.MULTILINE)
        assert int(major) == capability.PUBLISHED_CUDA


@pytest.mark.parametrize(
    ("capability", "least", "expected"),
    [
        ((6, 1), (7, 5), ["card_old"]),
        ((7, 0), (7, 5), ["card_old"]),
        ((6, 1), (5, 0), ["card_slow", "no_bf16"]),
        ((7, 0), (7, 0), ["no_bf16"]),
        ((7, 5), (7, 5), ["no_bf16"]),
        ((8, 0), (7, 5), []),
        (None, (7, 5), []),
    ],
)
def test_the_compute_capability_decides_whether_and_in_what_numbers(
    capability: tuple[int, int] | None, least: tuple[int, int], expected: list[str]
) -> None:
    found = assess(on(replace(CARD, capability=capability)), replace(CUDA, least_capability=least))
    assert codes(found) == expected
    assert bool(found.size) is ("card_old" not in expected)


def test_a_torch_for_processors_beside_a_card_is_said() -> None:
    found = assess(HERE, CPU)
    assert (found.size, found.verdict.code, codes(found)) == ("", "cpu_torch", ["cpu_torch"])
    assert [note.code for note in found.notes] == ["no_cuda"]  # until it is mended
    assert found.card == CARD
    assert codes(assess(replace(HERE, gpus=()), CPU)) == ["no_gpu"]


def test_a_card_that_others_fill_is_told_with_what_closing_them_brings() -> None:
    (remark,) = assess(on(replace(CARD, free_bytes=5 * GB)), CUDA).remarks
    assert (remark.code, remark.facts, remark.is_grave) == (
        "memory_taken", {"taken_bytes": 12 * GB, "size": "14B"}, False,
    )  # fmt: skip
    full = assess(on(replace(CARD, free_bytes=GB)), CUDA)
    assert (full.size, full.verdict.code, full.verdict.is_grave) == ("", "memory_taken", True)


def test_too_small_a_card_names_the_smallest_base_and_little_disk_is_told() -> None:
    found = assess(on(replace(CARD, memory_bytes=2 * GB, free_bytes=2 * GB - 1)), CUDA)
    (remark,) = found.remarks
    assert (remark.code, remark.facts["size"]) == ("memory_small", "1B")
    assert remark.facts["need_bytes"] > 2 * GB * 0.92
    assert found.verdict.code == "no_cuda"
    (remark,) = assess(replace(HERE, disk_bytes=20 * GB), CUDA).remarks
    assert (remark.code, remark.is_grave) == ("disk_short", False)
    (remark,) = assess(replace(HERE, disk_bytes=GB), CUDA).remarks
    assert (remark.code, remark.is_grave) == ("disk_short", True)


def test_all_that_is_found_has_words() -> None:
    cases = [
        assess(replace(HERE, gpus=(), available_bytes=GB, disk_bytes=0)),
        assess(replace(HERE, gpus=(Gpu("AMD"),))),
        assess(replace(HERE, gpus=(Gpu("NVIDIA"),))),
        assess(HERE),
        assess(HERE, CPU),
        assess(HERE, replace(CUDA, devices=())),
        assess(replace(HERE, disk_bytes=0, available_bytes=0), CUDA),
        assess(on(replace(CARD, driver="400.1")), CUDA),
        assess(on(replace(CARD, free_bytes=GB)), CUDA),
        assess(on(replace(CARD, memory_bytes=GB, free_bytes=GB)), CUDA),
        assess(on(replace(CARD, memory_bytes=None)), CUDA),
        assess(on(replace(CARD, capability=(6, 0))), CUDA),
        assess(on(replace(CARD, capability=(6, 0))), replace(CUDA, least_capability=(5, 0))),
    ]
    told = {remark.code: remark for found in cases for remark in (found.verdict, *found.notes)}
    assert len(told) >= 17
    for remark in told.values():
        assert "?" not in wording.phrase(f"training.ability.{remark.code}", **remark.facts)
