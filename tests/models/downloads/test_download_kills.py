"""A download that is killed goes on where it was: at most one hundredth is sent again."""

import hashlib
import random
from pathlib import Path

import pytest
from msgspec import structs

from app.models.downloads.messages import Done, Fetch, Progress, TransferPolicy
from tests.faults.ledger import Tally
from tests.models.downloads.fetching import Child, command
from tests.models.downloads.hub import FILE, Content, Fault, Hub

CONTENT = Content(200_000_000)
LINE_BYTES_PER_S = 40 << 20  # slower than these machines, as lines are: what is in flight then is little


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 5))])
@pytest.mark.fault("F1")
def test_kills_at_random_moments_send_less_than_a_hundredth_again(seed: int, tmp_path: Path, tally: Tally) -> None:
    moments = sorted(random.Random(seed).sample(range(5, 95), 2))  # percent
    with Hub(CONTENT, Fault("slow", bytes_per_s=LINE_BYTES_PER_S)) as hub:
        wanted = command(hub, tmp_path, pace=TransferPolicy())
        for percent in moments:
            _kill_at(percent, wanted, tmp_path)
            tally.tried(1)
        with Child(tmp_path / "log") as child:
            done = child.end(wanted)
        assert isinstance(done, Done), done
        assert done.sha256 == hub.sha256
        with (tmp_path / FILE).open("rb") as file:
            assert hashlib.file_digest(file, "sha256").hexdigest() == hub.sha256
        again = (hub.sent_bytes - CONTENT.size) / len(moments)
        print(f"sent again after a kill: {again / CONTENT.size:.2%}")
        assert again <= CONTENT.size / 100
        assert {path.name for path in tmp_path.iterdir()} == {FILE, "log"}


def _kill_at(percent: int, wanted: Fetch, folder: Path) -> None:
    with Child(folder / "log") as child:
        child.send(wanted)
        child.read_until(
            lambda event: isinstance(event, Progress) and event.done_bytes >= CONTENT.size * percent // 100
        )
        child.process.kill()


@pytest.mark.fault("F1")
def test_a_kill_during_a_repair_goes_on_with_the_repair(tmp_path: Path) -> None:
    content = Content(40_000_000)
    with Hub(content, Fault("corrupt", times=1, at=39_000_000, bytes_per_s=LINE_BYTES_PER_S)) as hub:
        wanted = command(hub, tmp_path, pace=TransferPolicy())
        with Child(tmp_path / "log") as child:
            child.send(wanted)
            child.read_until(lambda event: type(event).__name__ == "Repairing")
            child.read_until(lambda event: isinstance(event, Progress) and event.done_bytes > 10_000_000)
            child.process.kill()
        before = hub.sent_bytes
        with Child(tmp_path / "log") as child:
            done = child.end(structs.replace(wanted, id="2"))
        assert isinstance(done, Done), done
        assert done.sha256 == hub.sha256
        assert done.repaired_bytes > 0
        assert hub.sent_bytes - before < 31_000_000
        assert (tmp_path / FILE).stat().st_size == content.size
