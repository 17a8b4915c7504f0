"""What is read from the lines of pip: packages, machines, and the reason of a failure."""

from pathlib import Path

import pytest

from app.core.errors import AppError
from app.core.training_setup.pip_output import PipOutput

REQUIREMENTS = Path("/kotae/requirements.txt")


def fed(text: str, wheels: Path | None = None) -> PipOutput:
    output = PipOutput(REQUIREMENTS, wheels)
    for line in text.splitlines():
        output.note(line)
    return output


def failure(text: str, wheels: Path | None = None) -> AppError:
    return fed(text, wheels).failure(Path("/logs/pip.log"), Path("/data"))


@pytest.mark.parametrize(
    ("line", "package"),
    [
        ("Collecting torch<2.14,>=2.10 (from -r requirements.txt (line 5))", "torch"),
        ("  Downloading charset_normalizer-3.5.2-cp311-cp311-manylinux_2_17_x86_64.whl (153 kB)", "charset-normalizer"),
        ("Processing /wheels/torch-2.13.0+cpu-cp311-cp311-linux_x86_64.whl (from -r x)", "torch"),
        (r"Processing c:\wheels\MarkupSafe-3.0.4-cp311-cp311-win_amd64.whl", "markupsafe"),
        ("  Using cached numpy-2.4.6-cp311-cp311-manylinux_2_27_x86_64.whl (16.9 MB)", "numpy"),
        ("Looking in links: /wheels", ""),
    ],
)
def test_the_package_is_named_as_the_index_names_it(line: str, package: str) -> None:
    assert fed(line).package == package


def test_unpacking_begins_when_everything_is_here() -> None:
    assert not fed("Collecting torch").is_unpacking
    assert fed("Installing collected packages: mpmath, torch").is_unpacking


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("Collecting torch", ["pypi.org"]),
        ("Collecting torch\n  Downloading torch-2.13.0-cp311.whl (900 MB)", ["pypi.org", "files.pythonhosted.org"]),
        ("Looking in indexes: https://mirror.example:8443/simple, https://b.example/x\nCollecting torch",
         ["mirror.example", "b.example"]),
        ("Looking in indexes: https://user:****@mirror.example/simple\nCollecting torch\n"
         "  Downloading https://files.example/torch-2.13.0-cp311.whl (900 MB)", ["mirror.example", "files.example"]),
        ("WARNING: Retrying (Retry(total=4)) after connection broken by 'NewConnectionError(…)': /simple/torch/",
         ["pypi.org"]),
        ("ERROR: No matching distribution found for torch", ["pypi.org"]),
        ("Processing /wheels/torch-2.13.0-cp311.whl", []),
    ],
)  # fmt: skip
def test_the_machines_are_named_once_each_in_order(text: str, hosts: list[str]) -> None:
    assert fed(text).hosts == hosts
    assert fed(text, Path("/wheels")).hosts == []


BROKEN = "WARNING: Retrying (Retry(total=0)) after connection broken by 'ProxyError('Cannot connect')': /simple/torch/"
MISSING = "ERROR: No matching distribution found for torch<2.14,>=2.10"


@pytest.mark.parametrize(
    ("text", "code", "facts"),
    [
        (f"{BROKEN}\n{MISSING}", "training_index_unreachable", {"host": "pypi.org", "reason": "ProxyError"}),
        (MISSING, "training_package_missing", {"package": "torch<2.14,>=2.10", "host": "pypi.org"}),
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device",
         "training_disk_full", {"path": "/data"}),
        ("ERROR: torch-2.13.0-cp311.whl is not a valid wheel filename.\n",
         "training_setup_failed", {"reason": "torch-2.13.0-cp311.whl is not a valid wheel filename.",
                                   "log": "/logs/pip.log"}),
        ("/usr/bin/python3: No module named venv", "training_setup_failed",
         {"reason": "/usr/bin/python3: No module named venv", "log": "/logs/pip.log"}),
    ],
)  # fmt: skip
def test_a_failure_has_its_reason(text: str, code: str, facts: dict[str, str]) -> None:
    error = failure(text)
    assert (error.code, error.facts) == (code, facts)


def test_in_a_folder_what_is_missing_is_a_wheel() -> None:
    error = failure(MISSING, Path("/wheels"))
    assert error.code == "training_wheel_missing"
    assert error.facts == {"package": "torch<2.14,>=2.10", "path": "/wheels", "requirements": str(REQUIREMENTS)}
