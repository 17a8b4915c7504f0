"""Whatever a server does, a download ends with the right file or says why not; never with a wrong file."""

import dataclasses
import email.utils
import hashlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from msgspec import structs

from app.base import wording
from app.base.errors import AppError
from app.models.downloads.byte_transfer import TransferControl, TransferStopped
from app.models.downloads.file_download import fetch_file
from app.models.downloads.messages import Done, Event, Fetch, NetworkAccess, Repairing, Restarted, WaitingToRetry
from app.models.downloads.part_file import PartPaths, boot_id
from tests.models.downloads.fetching import QUICK, command, fetched, half_done, run
from tests.models.downloads.hub import FILE, Content, Fault, Hub

CONTENT = Content((4 << 20) + 12_345)
MIB = 1 << 20


@dataclass(frozen=True)
class Case:
    fault: Fault
    code: str = ""  # of the error that is right; "": the right file is
    saying: type[Event] | None = None  # an event that has to tell of it
    changes: Callable[[Hub], dict[str, object]] = lambda hub: {}
    is_verified: bool = True
    patience: int = QUICK.patience


def _from(place: str = "", file: str = FILE, proxy: str = "") -> Callable[[Hub], dict[str, object]]:
    """The file from another place; `proxy`: a user at the hub, which answers for every host then."""

    def changes(hub: Hub) -> dict[str, object]:
        origin = command(hub, Path()).origin
        access = NetworkAccess(proxy=hub.place.replace("//", f"//{proxy}")) if "invalid" in place else NetworkAccess()
        return {"origin": dataclasses.replace(origin, place=place or origin.place, file=file), "access": access}

    return changes


def _pinned(hub: Hub) -> dict[str, object]:
    return {"sha256": hub.sha256, "size_bytes": CONTENT.size}


_BASIC = "Basic dXNlcjpwYXNz"  # user:pass
_LAST = CONTENT.size - 500  # missing in every state of the file
CASES = {
    "nothing is wrong": Case(Fault()),
    "nothing is wrong with a pinned file": Case(Fault(), changes=_pinned),
    "it is slow": Case(Fault("slow", bytes_per_s=20 << 20)),
    "every answer is cut": Case(Fault("cut", at=300_000)),
    "three answers are cut": Case(Fault("cut", times=3, at=400), saying=WaitingToRetry),
    "every answer stalls at first": Case(Fault("stall", times=2, at=400), saying=WaitingToRetry),
    "every answer stalls at once": Case(Fault("stall", at=0), "download_stalled", patience=1),
    "one byte is flipped once": Case(Fault("corrupt", times=1, at=_LAST), saying=Repairing),
    "one byte is always flipped": Case(Fault("corrupt", at=_LAST), "download_damaged", saying=Repairing),
    "one byte is flipped and nobody says the checksum": Case(
        Fault("corrupt", times=1, at=_LAST, says_sha256=False), changes=_pinned, saying=Repairing
    ),
    "ranges are ignored": Case(Fault(knows_ranges=False)),
    "ranges are ignored and answers are cut": Case(
        Fault("cut", times=5, at=2 * MIB, knows_ranges=False), saying=WaitingToRetry
    ),
    "ranges are ignored and a byte is flipped once": Case(
        Fault("corrupt", times=1, at=_LAST, knows_ranges=False), saying=Repairing
    ),
    "another range comes": Case(Fault("wrong_206")),
    "more comes than was asked for": Case(Fault("longer_206")),
    "no range can be satisfied": Case(Fault("unsatisfiable")),
    "one range cannot be satisfied": Case(Fault("unsatisfiable", times=1)),
    "it asks to wait": Case(Fault("status", times=2, status=429, retry_after="0"), saying=WaitingToRetry),
    "it is always busy": Case(Fault("status", status=429), "download_busy", saying=WaitingToRetry),
    "it fails three times": Case(Fault("status", times=3, status=500), saying=WaitingToRetry),
    "it always fails": Case(Fault("status", status=502), "download_server", saying=WaitingToRetry),
    "it redirects to another host": Case(Fault("redirect")),
    "it redirects in a circle": Case(Fault("loop"), "download_redirects"),
    "the file changes meanwhile": Case(Fault("changed", times=1), saying=Restarted),
    "the file changes and the checksum is unknown": Case(
        Fault("changed", times=1, says_sha256=False), saying=Restarted, is_verified=False
    ),
    "a pinned file changes": Case(Fault("changed", times=1), "download_other_file", changes=_pinned, saying=Restarted),
    "it has another size": Case(Fault(), "download_wrong_size", changes=lambda _hub: {"size_bytes": CONTENT.size + 1}),
    "it has another checksum": Case(Fault(), "download_other_file", changes=lambda _hub: {"sha256": "0" * 64}),
    "answers are shorter than the range": Case(Fault("truncated", times=3, at=400), saying=WaitingToRetry),
    "answers are packed": Case(Fault("packed"), "download_server"),
    "it asks to sign in": Case(Fault("status", status=401, error_code="GatedRepo"), "download_gated"),
    "it asks to accept the licence": Case(Fault("status", status=403, error_code="GatedRepo"), "download_gated"),
    "the file is not there": Case(Fault(), "download_not_found", changes=_from(file="other.gguf")),
    "nobody says the checksum": Case(Fault(says_sha256=False), is_verified=False),
    "it is reached through a proxy": Case(
        Fault(proxy_authorization=_BASIC), changes=_from("http://hub.invalid", proxy="user:pass@")
    ),
    "the proxy asks for a password": Case(
        Fault(proxy_authorization=_BASIC), "download_proxy", changes=_from("http://hub.invalid")
    ),
    "nobody answers": Case(Fault(), "download_unreachable", changes=_from("http://127.0.0.1:9"), saying=WaitingToRetry),
}
STATES = {
    "fresh": (),
    "half done": ((0, 2 * MIB - 100), (3 * MIB, 3 * MIB + 50_000)),
    "nearly done": ((0, MIB), (MIB + 3000, CONTENT.size - 1000)),
}


SETTINGS = [("fresh", 4), ("fresh", 1), ("half done", 4), ("nearly done", 1)]


def _tried() -> Iterator[object]:
    """Every fault in every state; of the states after the first, one for each fault in turn is part of each run."""
    for number, name in enumerate(CASES):
        for place, setting in enumerate(SETTINGS):
            is_slow = place not in (0, 1 + number % 3)
            yield pytest.param(name, *setting, marks=[pytest.mark.slow] if is_slow else [])


@pytest.mark.parametrize(("name", "state", "connections"), list(_tried()))
@pytest.mark.fault("F1")
def test_the_right_file_or_the_right_reason(name, state, connections, tmp_path):
    case = CASES[name]
    with Hub(dataclasses.replace(CONTENT), case.fault) as hub:
        wanted = command(hub, tmp_path, pace=structs.replace(QUICK, connections=connections, patience=case.patience))
        wanted = structs.replace(wanted, **case.changes(hub))
        if STATES[state]:
            half_done(wanted, CONTENT, hub, *STATES[state])
        result, events = run(wanted)
        _check(result, events, case, hub, wanted, tmp_path)


def _check(result: Done | AppError, events: list[Event], case: Case, hub: Hub, wanted: Fetch, folder: Path) -> None:
    target = folder / FILE
    if case.code:
        assert isinstance(result, AppError), result
        assert result.code == case.code, result
        assert result.code in wording.error_codes()
        assert not target.exists()
    else:
        assert isinstance(result, Done), result
        assert hashlib.sha256(target.read_bytes()).hexdigest() == hub.sha256 == result.sha256
        assert result.is_verified == case.is_verified
        assert [path.name for path in folder.iterdir()] == [FILE]
    if case.saying is not None:
        assert any(isinstance(event, case.saying) for event in events)
    if case.code == "download_damaged":
        assert PartPaths(target).bad_path.stat().st_size == CONTENT.size


@pytest.mark.parametrize("state", ["half done", "nearly done"])
@pytest.mark.fault("F1")
def test_what_is_there_is_not_sent_again(state, tmp_path):
    with Hub(CONTENT) as hub:
        wanted = command(hub, tmp_path)
        half_done(wanted, CONTENT, hub, *STATES[state])
        fetched(wanted)
        there = sum(end - start for start, end in STATES[state])
        assert hub.sent_bytes == CONTENT.size - there + 1  # one byte to ask what the file is


@pytest.mark.fault("F1")
def test_a_repair_replaces_only_what_differs(tmp_path):
    with Hub(CONTENT, Fault("corrupt", times=1, at=_LAST)) as hub:
        assert 0 < fetched(command(hub, tmp_path))[0].repaired_bytes <= 64 << 10


@pytest.mark.fault("F1")
def test_two_bad_copies_make_a_good_one(tmp_path):
    """The second answer is flipped elsewhere: only where both differ is it asked a third time."""
    with Hub(CONTENT, Fault("corrupt", times=1, at=_LAST)) as hub:
        sent: list[int] = []

        def watch(event: Event) -> None:
            if isinstance(event, Repairing) and event.attempt == 1:
                hub.change(times=1, at=1000)
            if isinstance(event, Repairing) and event.attempt == 2:
                sent.append(hub.sent_bytes)

        fetch_file(command(hub, tmp_path), TransferControl(), watch)
        assert hashlib.sha256((tmp_path / FILE).read_bytes()).hexdigest() == hub.sha256
        assert hub.sent_bytes - sent[0] < 200_000


@pytest.mark.parametrize("is_date", [False, True])
@pytest.mark.fault("F1")
def test_the_server_s_wait_is_kept_as_a_number_or_a_date(is_date, tmp_path):
    value = email.utils.formatdate(time.time() + 60, usegmt=True) if is_date else "60"
    control, waits_s = TransferControl(), []

    def stop_waiting(event: Event) -> None:
        if isinstance(event, WaitingToRetry):
            waits_s.append(event.wait_s)
            control.stop()

    with Hub(CONTENT, Fault("status", status=503, retry_after=value)) as hub:
        with pytest.raises(TransferStopped):
            fetch_file(command(hub, tmp_path), control, stop_waiting)
        assert len(hub.requests) == 1
    assert [40 < wait_s <= 60 for wait_s in waits_s] == [True]


@pytest.mark.fault("F1")
def test_the_same_file_behind_another_etag_goes_on(tmp_path):
    """Storage servers behind one hub disagree about etags; the checksum says that the file is the same."""
    with Hub(CONTENT) as hub:
        wanted = command(hub, tmp_path, sha256=hub.sha256)
        half_done(wanted, CONTENT, hub, (0, 4 * MIB))
        mark = tmp_path / f"{FILE}.part.json"
        mark.write_text(mark.read_text().replace(f'\\"{hub.sha256}\\"', '\\"elsewhere\\"'))
        _, events = fetched(wanted)
        assert not any(isinstance(event, Restarted) for event in events)
        assert hub.sent_bytes < MIB


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"version": 99}', '{"version": 1, "ranges": [[5, 1]]}'])
@pytest.mark.fault("F1")
def test_a_damaged_mark_means_from_the_beginning(damage, tmp_path):
    with Hub(CONTENT) as hub:
        wanted = command(hub, tmp_path)
        half_done(wanted, Content(CONTENT.size, seed=99), hub, (0, 4 * MIB))
        (tmp_path / f"{FILE}.part.json").write_text(damage)
        assert fetched(wanted)[0].sha256 == hub.sha256


@pytest.mark.fault("F1")
def test_a_part_that_is_not_what_its_mark_says_is_found_out(tmp_path):
    with Hub(CONTENT) as hub:
        wanted = command(hub, tmp_path)
        half_done(wanted, CONTENT, hub, (0, 3 * MIB))
        with (tmp_path / f"{FILE}.part").open("r+b") as file:
            file.seek(MIB)
            file.write(b"not what was received")
        done, events = fetched(wanted)
        assert any(isinstance(event, Repairing) for event in events)
        assert done.sha256 == hub.sha256


@pytest.mark.parametrize(("is_same_boot", "sent"), [(True, CONTENT.size - 3 * MIB), (False, CONTENT.size - MIB)])
@pytest.mark.fault("F1")
def test_what_was_not_synced_counts_until_the_machine_is_started_anew(is_same_boot, sent, tmp_path):
    with Hub(CONTENT) as hub:
        wanted = command(hub, tmp_path)
        half_done(wanted, CONTENT, hub, (0, MIB))
        with (tmp_path / f"{FILE}.part").open("r+b") as file:
            file.seek(MIB)
            file.write(CONTENT.read(MIB, 3 * MIB))
        now = {
            "boot": boot_id() if is_same_boot else "another",
            "attempt": 0,
            "ranges": [[0, 3 * MIB]],
            "differing": [],
        }
        (tmp_path / f"{FILE}.part.now").write_text(json.dumps(now))
        fetched(wanted)
        assert hub.sent_bytes == sent + 1
        assert [path.name for path in tmp_path.iterdir()] == [FILE]


@pytest.mark.parametrize("damage", ["", "{", "[]", "5", '{"boot": "x"}', '{"attempt": 0, "ranges": 7}'])
@pytest.mark.fault("F1")
def test_a_damaged_note_is_no_note(damage, tmp_path):
    with Hub(CONTENT) as hub:
        wanted = command(hub, tmp_path)
        half_done(wanted, CONTENT, hub, (0, MIB))
        (tmp_path / f"{FILE}.part.now").write_text(damage)
        fetched(wanted)
        assert hub.sent_bytes == CONTENT.size - MIB + 1
