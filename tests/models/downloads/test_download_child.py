"""The downloading child as the program speaks to it: commands, events, and what must never be told or written."""

import dataclasses
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from msgspec import structs

from app.base.errors import AppError
from app.models.downloads import hub_listing
from app.models.downloads.byte_transfer import TransferControl, TransferStopped
from app.models.downloads.file_download import fetch_file
from app.models.downloads.messages import (
    Done,
    Failed,
    Fetch,
    FetchPaused,
    FileOrigin,
    ListFiles,
    NetworkAccess,
    NetworkContacted,
    Pause,
    Progress,
    SetLimit,
    TransferPolicy,
    WaitingToRetry,
)
from app.models.downloads.part_file import ByteRanges, read_checkpoint
from tests.models.downloads.fetching import QUICK, Child, command, fetched, is_end, refused
from tests.models.downloads.hub import COMMIT, FILE, REPOSITORY, Content, Fault, Hub

CONTENT = Content(20_000_000)
SMALL = Content(1_000_000)
SLOW = Fault("slow", bytes_per_s=8 << 20)
PATIENT = TransferPolicy()
TOKEN = "hf_geheimgeheimgeheim"


@pytest.fixture
def no_waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that a listing would wait before it is asked for again; it waits for none of them."""
    waits_s: list[float] = []
    monkeypatch.setattr(hub_listing, "time", SimpleNamespace(sleep=waits_s.append))
    return waits_s


def _begin(child: Child, wanted: Fetch) -> Progress:
    """Sends the command and waits until something has come."""
    child.send(wanted)
    begun = child.read_until(lambda event: isinstance(event, Progress) and event.done_bytes > 1_000_000)
    assert isinstance(begun, Progress)
    return begun


# ----------------------------------------------------------------------------------------------------- commands


def test_a_repository_is_listed_with_sizes_and_checksums(tmp_path):
    with Hub(CONTENT) as hub, Child(tmp_path / "log") as child:
        listed = child.listed(ListFiles("1", hub.place, REPOSITORY, COMMIT))
        assert listed.commit == COMMIT
        assert [(file.name, file.size_bytes, file.sha256) for file in listed.files] == [
            ("README.md", 12, ""),
            (FILE, CONTENT.size, hub.sha256),
        ]


@pytest.mark.fault("F1")
def test_a_listing_that_is_refused_says_why(no_waits):
    with Hub(SMALL) as hub:
        for status, error_code, repository, code in (
            (401, "GatedRepo", REPOSITORY, "download_gated"),
            (403, "GatedRepo", REPOSITORY, "download_gated"),
            (401, "RepoNotFound", REPOSITORY, "download_not_found"),
            (418, "", REPOSITORY, "download_refused"),
            (0, "", "kotae/none", "download_not_found"),
            (0, "", "../../etc", "download_not_found"),
        ):
            hub.change(kind="status" if status else "ok", status=status, error_code=error_code)
            with pytest.raises(AppError, match=code):
                hub_listing.list_repository(ListFiles("1", hub.place, repository), lambda _event: None)
    assert no_waits == []
    with pytest.raises(AppError, match="download_unreachable"):
        hub_listing.list_repository(ListFiles("1", "http://127.0.0.1:9", REPOSITORY), lambda _event: None)
    assert len(no_waits) == 3


@pytest.mark.fault("F1")
def test_a_listing_is_asked_for_again_where_that_may_help(no_waits):
    with Hub(SMALL) as hub:
        for status, retry_after, reason, wait_s in (
            (429, "", "busy", 0.4),
            (503, "30", "busy", 30),
            (500, "", "server", 0.4),
        ):
            hub.change(kind="status", times=1, status=status, retry_after=retry_after)
            told: list[NetworkContacted | WaitingToRetry] = []
            assert len(hub_listing.list_repository(ListFiles("1", hub.place, REPOSITORY), told.append).files) == 2
            (waiting,) = [event for event in told if isinstance(event, WaitingToRetry)]
            assert (waiting.reason, waiting.wait_s >= wait_s) == (reason, True)
            assert no_waits.pop() == waiting.wait_s


@pytest.mark.fault("S13")
def test_a_token_that_no_header_can_carry_is_said(tmp_path):
    with Hub(CONTENT) as hub, Child(tmp_path / "log") as child:
        for token in ("hf_全角", "hf_two words", "hf_line\nfeed"):
            access = NetworkAccess(token)
            for wanted in (command(hub, tmp_path, access=access), ListFiles("1", hub.place, REPOSITORY, access=access)):
                assert child.refused(wanted) == "download_bad_token"
        assert hub.requests == []


@pytest.mark.fault("F1")
def test_a_paused_download_goes_on_without_sending_anything_twice(tmp_path):
    with Hub(CONTENT, SLOW) as hub, Child(tmp_path / "log") as child:
        wanted = command(hub, tmp_path, pace=PATIENT)
        _begin(child, wanted)
        child.send(Pause("1"))
        assert isinstance(child.read_until(is_end), FetchPaused)
        assert not (tmp_path / FILE).exists()
        hub.change(bytes_per_s=0)
        assert child.done(structs.replace(wanted, id="2")).sha256 == hub.sha256
        assert hub.sent_bytes - CONTENT.size < 2_000_000  # what was on the way when it was paused


@pytest.mark.fault("F1")
def test_a_stalled_download_is_paused_at_once(tmp_path):
    with Hub(CONTENT, Fault("stall", at=2_000_000)) as hub, Child(tmp_path / "log") as child:
        _begin(child, command(hub, tmp_path, pace=TransferPolicy(stall_s=300)))
        child.send(Pause("1"))
        assert isinstance(child.read_until(is_end), FetchPaused)


def test_the_speed_can_be_limited_and_set_free_again(tmp_path):
    with Hub(CONTENT) as hub, Child(tmp_path / "log") as child:
        _begin(child, command(hub, tmp_path, pace=PATIENT, bytes_per_s=2_000_000))
        slow = child.read()
        assert isinstance(slow, Progress)
        assert slow.bytes_per_s < 4_000_000
        child.send(SetLimit("1", 0))
        assert isinstance(child.read_until(is_end), Done)


def test_a_file_is_not_fetched_twice_at_the_same_time(tmp_path):
    with Hub(CONTENT, SLOW) as hub, Child(tmp_path / "log") as child:
        _begin(child, command(hub, tmp_path, pace=PATIENT))
        assert refused(command(hub, tmp_path)).code == "download_running"
        hub.change(bytes_per_s=0)
        assert isinstance(child.read_until(is_end), Done)


@pytest.mark.fault("F1")
def test_the_child_ends_with_its_parent_and_marks_what_it_has(tmp_path):
    with Hub(CONTENT, SLOW) as hub, Child(tmp_path / "log") as child:
        begun = _begin(child, command(hub, tmp_path, pace=PATIENT))
        assert child.leave() == 0
        mark = read_checkpoint(tmp_path / f"{FILE}.part.json")
        assert ByteRanges(mark.ranges).total >= begun.done_bytes


# -------------------------------------------------------------------------------------------------------- token


@pytest.mark.fault("S13")
def test_the_token_goes_to_the_hub_and_not_where_it_redirects(tmp_path):
    with Hub(CONTENT, Fault("redirect", token=TOKEN)) as hub, Child(tmp_path / "log") as child:
        access = NetworkAccess(TOKEN)
        for ask in (
            lambda: child.done(command(hub, tmp_path, access=access)),
            lambda: child.listed(ListFiles("1", hub.place, REPOSITORY, access=access)),
        ):
            hub.requests.clear()
            ask()
            got = {(request.host, request.headers.get("Authorization")) for request in hub.requests}
            assert got == {("127.0.0.1", f"Bearer {TOKEN}"), ("127.0.0.2", None)}


@pytest.mark.fault("S13")
def test_the_token_is_written_nowhere(tmp_path):
    """Not in the mark, not in the log, not in an event, also where things go wrong."""
    with Hub(CONTENT, dataclasses.replace(SLOW, token=TOKEN)) as hub, Child(tmp_path / "log") as child:
        origin = dataclasses.replace(command(hub, tmp_path).origin, place=hub.place.replace("//", f"//me:{TOKEN}@"))
        wanted = command(hub, tmp_path, pace=PATIENT, origin=origin, access=NetworkAccess(TOKEN))
        told = [_begin(child, wanted)]
        child.send(Pause("1"))
        told.append(child.read_until(is_end))
        told.append(child.end(structs.replace(wanted, id="2", access=NetworkAccess("hf_wrong"))))
        assert isinstance(told[-1], Failed)
        child.process.stdin.write(b'{"type":"Fetch","access":{"token":"%s"}}\n' % TOKEN.encode())
        child.process.stdin.flush()
        assert child.process.wait(60) == 2  # not a command: said, but not repeated
        written = b"".join(path.read_bytes() for path in tmp_path.iterdir())
        assert (tmp_path / f"{FILE}.part.json").is_file()
        assert TOKEN.encode() not in written
        assert TOKEN not in repr(told)
        assert TOKEN not in repr(wanted.access)


@pytest.mark.fault("S13")
def test_a_token_that_lies_around_is_not_used(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    (home / "token").write_text(TOKEN)
    with Hub(CONTENT) as hub, Child(tmp_path / "log", HF_TOKEN=TOKEN, HF_HOME=str(home)) as child:
        child.listed(ListFiles("1", hub.place, REPOSITORY))
        child.done(command(hub, tmp_path))
        assert not [request for request in hub.requests if "Authorization" in request.headers]


# ------------------------------------------------------------------------------------------- disks and names


@pytest.mark.fault("F2")
def test_a_file_too_large_for_the_disk_is_not_begun(small_disk):
    disk = small_disk(48)
    with Hub(Content(60_000_000)) as hub:
        error = refused(command(hub, disk))
        assert (error.code, error.facts["need_bytes"]) == ("download_disk_full", 60_000_000)
        assert 0 < error.facts["free_bytes"] <= 48 << 20
        assert hub.sent_bytes <= 1
        assert list(disk.iterdir()) == []


@pytest.mark.fault("F2")
def test_a_disk_that_others_fill_ends_the_download_and_it_goes_on_later(small_disk, tmp_path):
    disk = small_disk(48)
    with Hub(CONTENT, SLOW) as hub, Child(tmp_path / "log") as child:
        wanted = command(hub, disk, pace=PATIENT)
        _begin(child, wanted)
        with (disk / "other").open("wb", buffering=0) as file:
            os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(disk).free - (6 << 20))
        assert child.refused() == "download_disk_full"
        (disk / "other").unlink()
        hub.change(bytes_per_s=0)
        assert child.done(structs.replace(wanted, id="2")).sha256 == hub.sha256
        assert hub.sent_bytes - CONTENT.size < 4_000_000


@pytest.mark.parametrize(
    "name",
    ["..", ".", "", "a/..", "..\\..\\x/..", "CON.gguf", "nul", "x\u202egguf.exe", "a\0b.gguf", "x.gguf.", " x.gguf",
     "a:b.gguf", "x" * 300, ".gguf"],
)  # fmt: skip
@pytest.mark.fault("S10")
def test_a_name_that_deceives_is_refused(name, tmp_path):
    with Hub(CONTENT) as hub:
        assert refused(command(hub, tmp_path, name=name)).code == "download_bad_name"
        assert hub.requests == []
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["../../outside.gguf", "/etc/outside.gguf", "a\\b\\outside.gguf", "sub/outside.gguf"])
@pytest.mark.fault("S10")
def test_only_the_last_part_of_a_name_counts(name, tmp_path):
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    with Hub(Content(1_000_000)) as hub:
        assert Path(fetched(command(hub, folder, name=name))[0].path) == folder / "outside.gguf"
        assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "b", "outside.gguf"]


@pytest.mark.fault("S10")
def test_a_link_in_the_way_is_not_followed(tmp_path):
    victim, folder = tmp_path / "victim", tmp_path / "models"
    victim.write_text("mine")
    folder.mkdir()
    (folder / f"{FILE}.part").symlink_to(victim)
    (folder / FILE).symlink_to(victim)
    with Hub(Content(1_000_000)) as hub:
        fetched(command(hub, folder))
    assert victim.read_text() == "mine"
    assert not (folder / FILE).is_symlink()


# ------------------------------------------------------------------------------------------------------ folders


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    folder = tmp_path / "スティック"
    folder.mkdir()
    (folder / FILE).write_bytes(CONTENT.read(0, CONTENT.size))
    return folder


def _from_stick(stick: Path, folder: Path, file: str = FILE) -> Fetch:
    folder.mkdir(exist_ok=True)
    return Fetch("1", FileOrigin(str(stick), file=file), str(folder), FILE, sha256=CONTENT.sha256(), pace=QUICK)


def test_a_file_is_copied_from_a_folder_and_verified(stick, tmp_path):
    with Child(tmp_path / "log") as child:
        listed = child.listed(ListFiles("0", str(stick), ""))
        assert [(file.name, file.size_bytes) for file in listed.files] == [(FILE, CONTENT.size)]
        done = child.done(_from_stick(stick, tmp_path / "models"))
        assert done.is_verified
        assert done.sha256 == CONTENT.sha256()
        assert (tmp_path / "models" / FILE).read_bytes() == (stick / FILE).read_bytes()


@pytest.mark.fault("F1")
def test_a_damaged_or_missing_file_in_a_folder_is_found_out(stick, tmp_path):
    assert refused(_from_stick(stick, tmp_path / "models", "none.gguf")).code == "download_not_in_folder"
    with (stick / FILE).open("r+b") as file:
        file.seek(5_000_000)
        file.write(b"damage")
    assert refused(_from_stick(stick, tmp_path / "models")).code == "download_damaged"
    assert not (tmp_path / "models" / FILE).exists()


@pytest.mark.fault("F1")
def test_a_copy_goes_on_where_it_was(stick, tmp_path):
    wanted, control = _from_stick(stick, tmp_path / "models"), TransferControl(20_000_000)
    with pytest.raises(TransferStopped):
        fetch_file(wanted, control, lambda _event: control.stop())
    mark = read_checkpoint(tmp_path / "models" / f"{FILE}.part.json")
    assert mark is not None
    _, events = fetched(wanted)
    first = next(event for event in events if isinstance(event, Progress))
    assert first.done_bytes >= ByteRanges(mark.ranges).total > 0
