"""Locks of two processes, and of one that ended before it wrote whose lock it is."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.base.services import process_lock
from app.base.services.process_lock import ProcessLock

HOLD = """
import sys
from pathlib import Path
from app.base.services.process_lock import ProcessLock
lock = ProcessLock(Path(sys.argv[1]))
print(lock.take(), flush=True)
input()
"""


@pytest.mark.parametrize("made_at_s", [1.0, 4e9])  # long ago, or before the clock was set back
@pytest.mark.parametrize("content", [b"", bytes(4096)])
@pytest.mark.fault("F7")
def test_a_file_without_an_id_is_taken_over_unless_it_is_being_made(
    tmp_path: Path, content: bytes, made_at_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_lock, "_BEGUN_S", 600.0)  # however slow the machine is
    path = tmp_path / "lock"
    path.write_bytes(content)
    lock = ProcessLock(path)
    assert not lock.take()
    os.utime(path, (made_at_s, made_at_s))
    assert lock.take()
    assert lock.take()  # its own
    lock.unlock()


@pytest.mark.fault("F7")
def test_what_a_living_process_holds_stays_its_own(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdin=-1, stdout=-1, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "True\n"
        os.utime(path, (0, 0))
        before = path.stat()
        assert not ProcessLock(path).take()
        assert (path.stat().st_ino, path.stat().st_size) == (before.st_ino, before.st_size)
        holder.kill()
    assert ProcessLock(path).take()


@pytest.mark.skipif(sys.platform == "win32", reason="a lock in the kernel")
@pytest.mark.fault("F7")
def test_an_old_file_without_an_id_that_is_locked_stays(tmp_path: Path) -> None:
    import fcntl

    path = tmp_path / "lock"
    with path.open("wb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        os.utime(path, (0, 0))
        assert not ProcessLock(path).take()
        assert path.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="a lock in the kernel")
@pytest.mark.fault("F7")
def test_a_file_that_another_process_makes_meanwhile_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "lock"
    path.touch()
    os.utime(path, (1.0, 1.0))

    def replaced(_file: object, _how: int) -> None:
        path.unlink()
        path.write_text("1\n", "utf-8")

    monkeypatch.setattr(process_lock.fcntl, "flock", replaced)
    assert not ProcessLock(path).take()
    assert path.read_text("utf-8") == "1\n"
