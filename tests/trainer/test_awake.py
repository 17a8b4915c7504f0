"""The machine stays awake while a run goes: with a systemd-inhibit that notes what it was started with."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.waiting import wait_until
from trainer import sleep_inhibitor

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="systemd is of Linux")

INHIBIT = """\
#!/bin/sh
echo "$@" > "{folder}/arguments.part"
echo $$ > "{folder}/pid"
mv "{folder}/arguments.part" "{folder}/arguments"
while [ "$1" != cat ]; do shift; done
"$@"
echo > "{folder}/ended"
"""

KEPT = """\
import sys
from trainer import sleep_inhibitor as awake
with awake.keep_awake("fine-tuning"):
    print("awake", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def inhibit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the fake one writes into."""
    program = tmp_path / "bin" / "systemd-inhibit"
    program.parent.mkdir()
    program.write_text(INHIBIT.format(folder=tmp_path), encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


def test_sleep_is_inhibited_as_long_as_the_block_lasts(inhibit: Path) -> None:
    with sleep_inhibitor.keep_awake("fine-tuning: 橋梁"):
        wait_until((inhibit / "arguments").is_file)
        said = (inhibit / "arguments").read_text("utf-8")
        assert "--what=sleep:idle" in said
        assert "fine-tuning: 橋梁" in said
        pid = int((inhibit / "pid").read_text("utf-8"))
        assert psutil.pid_exists(pid)
        assert os.getpgid(pid) != os.getpgid(0)  # an interruption of the terminal does not reach it
    assert not psutil.pid_exists(pid)


def test_it_ends_with_a_process_that_was_killed(inhibit: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", KEPT], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
    )
    assert process.stdout is not None
    assert process.stdin is not None
    assert process.stdout.readline() == "awake\n"
    wait_until((inhibit / "arguments").is_file)
    assert not (inhibit / "ended").exists()
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdin.close()
    process.stdout.close()
    wait_until((inhibit / "ended").is_file)


def test_a_machine_without_it_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with sleep_inhibitor.keep_awake("fine-tuning"):
        pass
    assert capfd.readouterr() == ("", "")


def test_an_error_in_the_block_is_not_hidden(inhibit: Path) -> None:
    with pytest.raises(ValueError, match="of the run"), sleep_inhibitor.keep_awake("fine-tuning"):
        raise ValueError("of the run")


def test_whether_the_machine_can_be_kept_awake_is_tried_and_not_guessed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container has systemd-inhibit and no systemd; a policy may refuse it; some systems do not have it."""
    program = tmp_path / "systemd-inhibit"
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/usr/bin{os.pathsep}/bin")
    found = []
    for script in ("#!/bin/sh\nexit 1\n", '#!/bin/sh\nwhile [ "$1" != true ]; do shift; done\n"$@"\n'):
        program.write_text(script, encoding="utf-8")
        program.chmod(0o755)
        sleep_inhibitor.can_keep_awake.cache_clear()
        found.append(sleep_inhibitor.can_keep_awake())
    program.unlink()
    monkeypatch.setenv("PATH", str(tmp_path))
    sleep_inhibitor.can_keep_awake.cache_clear()
    found.append(sleep_inhibitor.can_keep_awake())
    sleep_inhibitor.can_keep_awake.cache_clear()
    assert found == [False, True, False]
