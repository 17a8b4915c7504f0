"""What the machine offers, and which sizes of model that is enough for."""

import os
from pathlib import Path

import psutil
import pytest

from app.inference import machine
from app.inference.machine import Gpu
from app.inference.speed import MachineSpeed
from app.models import catalogue, model_fit

GB = 10**9
# Rows of 640 numbers, as the trial model has, do not fit into blocks of 256: its file mixes other types. Most layers of
# Qwen3.5 have no attention, and other weights in its place.
SHAPED = [
    card
    for card in catalogue.load().cards
    if card.shape
    and card.shape.embedding_length % 256 == 0
    and card.shape.architecture != "qwen35"
    and card.file_of("Q4_K_M")
]


def card(folder: Path, name: str, vendor: str) -> None:
    device = folder / name / "device"
    device.mkdir(parents=True)
    (device / "vendor").write_text(vendor + "\n", "ascii")


def tool(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Puts a program called nvidia-smi, and nothing else, into the search path."""
    file = folder / "nvidia-smi"
    file.write_text(f"#!/bin/sh\n{script}\n", "utf-8")
    file.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


def test_this_machine_is_measured(tmp_path):
    here = machine.measure_machine(tmp_path)
    assert here.memory_bytes == psutil.virtual_memory().total
    assert 0 < here.available_bytes <= here.memory_bytes
    assert 1 <= here.cores <= (os.cpu_count() or 1)
    assert here.free_disk_bytes > 0


def test_a_folder_that_is_gone_is_an_error(tmp_path):
    with pytest.raises(OSError, match="gone"):
        machine.measure_machine(tmp_path / "gone")


def test_graphics_processors_are_read_from_the_drivers_list():
    text = (
        "NVIDIA GeForce RTX 4060 Ti, 16380, 14200, 580.95.05, 8.9, GPU-6a1f\nNVIDIA GB10, [N/A], [N/A], [N/A], 12.1\n"
    )
    assert machine.read_nvidia_list(text) == (
        Gpu("NVIDIA GeForce RTX 4060 Ti", 16380 << 20, 14200 << 20, "580.95.05", (8, 9), "GPU-6a1f"),
        Gpu("NVIDIA GB10", None, None, "", (12, 1)),
    )
    assert machine.read_nvidia_list("No devices were found\n") == ()


H100 = Gpu("NVIDIA H100 80GB HBM3", 81559 << 20, 81000 << 20, "580.95.05", (9, 0))
K80 = Gpu("Tesla K80", 11441 << 20, 11200 << 20, "470.256.02")
TOO_OLD = 'case "$1" in *compute_cap*) echo \'Field "compute_cap" is not a valid field to query.\'; exit 2;; esac'


@pytest.mark.skipif(os.name != "posix", reason="a shell script stands for the driver's tool")
@pytest.mark.parametrize(
    ("script", "vendors", "found"),
    [
        ("echo 'NVIDIA H100 80GB HBM3, 81559, 81000, 580.95.05, 9.0'", ["0x10de"], (H100,)),
        # A driver that is too old to tell the compute capability still names its card.
        (f"{TOO_OLD}\necho 'Tesla K80, 11441, 11200, 470.256.02'", [], (K80,)),
        # Cards without a working driver are named by their makers.
        ("echo 'NVIDIA-SMI has failed' >&2; exit 9", ["0x10de", "0x1002"], (Gpu("NVIDIA"), Gpu("AMD"))),
        ("exec /bin/sleep 60", [], ()),  # it is not waited for
    ],
)
def test_the_drivers_tool_is_asked(tmp_path, monkeypatch, script, vendors, found):
    monkeypatch.setattr(machine, "NVIDIA_TIMEOUT_S", 0.5 if "sleep" in script else machine.NVIDIA_TIMEOUT_S)
    tool(tmp_path, monkeypatch, script)
    for number, vendor in enumerate(vendors):
        card(tmp_path / "drm", f"card{number}", vendor)
    assert machine.list_gpus(tmp_path / "drm") == found


def test_the_picture_chips_of_servers_and_connectors_are_no_graphics_processors(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    card(tmp_path, "card0", "0x1a03")
    card(tmp_path, "card1-HDMI-A-1", "0x8086")
    (tmp_path / "card2").mkdir()
    assert machine.list_gpus(tmp_path) == ()


# ------------------------------------------------------------ sizes of models


@pytest.mark.parametrize("card", SHAPED, ids=lambda card: card.id)
def test_the_size_computed_from_a_cards_numbers_is_that_of_the_published_file(card):
    """So a slip in a card's numbers is found. The files carry a vocabulary of some MB besides."""
    published = card.file_of("Q4_K_M")
    assert card.shape is not None
    assert model_fit.shape_weights_bytes(card.shape) == pytest.approx(published.size_bytes, rel=0.01)


def sizes(available_gb: float, context_tokens: int = 4096) -> list[model_fit.SizeFit]:
    return model_fit.fit_sizes(int(available_gb * GB), context_tokens)


def verdicts(available_gb: float) -> dict[str, str]:
    return {size.name: size.verdict for size in sizes(available_gb)}


def test_what_has_a_tenth_to_spare_is_comfortable_and_less_is_tight():
    assert verdicts(16) == {
        "1B": "comfortable", "3B": "comfortable", "8B": "comfortable", "14B": "comfortable",
        "32B": "insufficient", "70B": "insufficient",
    }  # fmt: skip
    assert verdicts(5.8)["8B"] == "tight"


@pytest.mark.parametrize(
    ("available_gb", "recommended", "largest"),
    [(0.5, None, None), (2, "1B", "1B"), (4, "3B", "3B"), (5.8, "3B", "3B"), (8, "8B", "8B"), (64, "8B", "70B")],
)
def test_the_recommended_size_is_the_largest_comfortable_one_up_to_8b(available_gb, recommended, largest):
    found = (model_fit.recommended_size(sizes(available_gb)), model_fit.largest_size(sizes(available_gb)))
    assert tuple(size.name if size else None for size in found) == (recommended, largest)


def test_the_recommended_size_is_the_largest_that_is_not_slow_or_else_the_smallest():
    def recommended(answer_bytes_per_s: float, prompt_weights_per_s: float) -> str | None:
        here = MachineSpeed(answer_bytes_per_s, prompt_weights_per_s, 1e12, 2, 1.0)
        best = model_fit.recommended_size(model_fit.fit_sizes(24 * GB, 4096, "f16", here))
        return best.name if best else None

    assert recommended(106e9, 6.2e12) == "8B"
    assert recommended(15e9, 6.2e12) == "3B", "its answers would come slowly"
    assert recommended(106e9, 12e10) == "3B", "its first word would come late"
    assert recommended(5e8, 3e9) == "1B"


def test_a_longer_context_needs_more_memory():
    assert all(one.need_bytes < other.need_bytes for one, other in zip(sizes(64), sizes(64, 32_768), strict=True))
