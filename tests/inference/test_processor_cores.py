"""Cores of the processors that people have, from what their systems state about them."""

import struct
from pathlib import Path

import psutil
import pytest

from app.inference import processor_cores
from app.inference.processor_cores import ProcessorCores


def recorded(
    folder: Path, siblings: list[str], capacities: list[int] | None = None, slow: str = ""
) -> tuple[set[int], Path]:
    """Write what Linux states about logical processors 0, 1, …: those that share a core, and the core's capacity."""
    for number, listed in enumerate(siblings):
        place = folder / "system" / "cpu" / f"cpu{number}"
        (place / "topology").mkdir(parents=True)
        (place / "topology" / "thread_siblings_list").write_text(f"{listed}\n")
        if capacities:
            (place / "cpu_capacity").write_text(f"{capacities[number]}\n")
    if slow:
        (folder / "cpu_atom").mkdir()
        (folder / "cpu_atom" / "cpus").write_text(f"{slow}\n")
    return set(range(len(siblings))), folder


PAIRS = [f"{number - number % 2}-{number - number % 2 + 1}" for number in range(16)]


@pytest.mark.parametrize(
    ("siblings", "capacities", "slow", "expected"),
    [
        (["0", "1"], [1024, 1024], "", ProcessorCores(2, 2)),  # a virtual machine
        (PAIRS, None, "", ProcessorCores(8, 8)),  # Ryzen 7 5800X: 8 cores, 16 threads
        ([*PAIRS, "16", "17", "18", "19"], None, "16-19", ProcessorCores(8, 12)),  # Core i7-12700
        ([*PAIRS[:4], *map(str, range(4, 14))], None, "4-13", ProcessorCores(2, 12)),  # Core Ultra 5 125U
        ([*PAIRS[:4], "4", "5"], [1024, 1024, 1009, 1009, 608, 608], "", ProcessorCores(2, 4)),  # Linux 6.12 and later
        (list(map(str, range(8))), [446] * 4 + [871] * 3 + [1024], "", ProcessorCores(4, 8)),  # Snapdragon: 1 + 3 + 4
        (["0,4", "1,5", "2,6", "3,7"] * 2, None, "", ProcessorCores(4, 4)),
    ],
)
def test_physical_cores_count_and_fast_ones_are_told_from_slow_ones(tmp_path, siblings, capacities, slow, expected):
    processors, devices = recorded(tmp_path, siblings, capacities, slow)
    assert processor_cores.cores_of_linux(processors, devices, tmp_path / "none") == expected


def test_only_processors_that_the_process_may_use_count(tmp_path):
    _, devices = recorded(tmp_path, [*PAIRS, "16", "17", "18", "19"], None, "16-19")
    assert processor_cores.cores_of_linux({0, 1, 2}, devices, tmp_path / "none") == ProcessorCores(2, 2)
    assert processor_cores.cores_of_linux({16, 17}, devices, tmp_path / "none") == ProcessorCores(2, 2)
    assert processor_cores.cores_of_linux({3}, tmp_path / "nothing", tmp_path / "none") == ProcessorCores(1, 1)


@pytest.mark.parametrize(
    ("limit", "cores"), [("200000 100000", 2), ("50000 100000", 1), ("max 100000", 8), ("nonsense", 8), ("1 0", 8)]
)
def test_a_containers_limit_of_processor_time_counts(tmp_path, limit, cores):
    processors, devices = recorded(tmp_path, PAIRS)
    (tmp_path / "cpu.max").write_text(f"{limit}\n")
    found = processor_cores.cores_of_linux(processors, devices, tmp_path / "cpu.max")
    assert found == ProcessorCores(cores, cores)


def test_windows_states_a_class_of_each_core():
    def entry(relation: int, efficiency_class: int) -> bytes:
        return struct.pack("<IIBB38x", relation, 48, 1, efficiency_class)

    hybrid = entry(0, 1) * 6 + entry(0, 0) * 8 + entry(3, 0)  # 3: a package
    assert processor_cores.cores_of_windows(hybrid) == ProcessorCores(6, 14)
    assert processor_cores.cores_of_windows(entry(0, 0) * 4) == ProcessorCores(4, 4)
    assert processor_cores.cores_of_windows(hybrid[:100]) == ProcessorCores(2, 2)
    assert processor_cores.cores_of_windows(b"").every >= 1


def test_this_machine_has_cores():
    found = processor_cores.usable_cores()
    assert 1 <= found.fast <= found.every <= (psutil.cpu_count() or 1)


def test_linux_states_the_name_and_the_matrix_unit_of_the_first_processor(tmp_path):
    file = tmp_path / "cpuinfo"
    file.write_text(
        "processor\t: 0\nmodel name\t: Some CPU @ 3GHz\nflags\t\t: fpu amx_int8\n\nprocessor\t: 1\nmodel name\t: B\n"
    )
    assert processor_cores.processor_name(file) == "Some CPU @ 3GHz"
    assert processor_cores.has_matrix_unit(file)
    assert not processor_cores.has_matrix_unit(tmp_path / "none")
    assert processor_cores.processor_name(tmp_path / "none") != "Some CPU @ 3GHz"
