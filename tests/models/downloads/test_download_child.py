"""The downloading child as the program speaks to it: commands, events, and what must never be told or written."""

import dataclasses
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.models.downloads.byte_transfer import TransferControl, TransferStopped
from app.models.downloads.file_download import fetch_file
from app.models.downloads.messages import (
    Done,
    Failed,
    Fetch,
    FetchPaused,
    FileOrigin,
    FilesListed,
    ListFiles,
    NetworkAccess,
    Pause,
    Progress,
    SetLimit,
    TransferPolicy,
    WaitingToRetry,
)
from app.models.downloads.part_file import ByteRanges, read_checkpoint
from tests.models.downloads.fetching import QUICK, Child, command, is_end, run
from tests.models.downloads.hub import COMMIT, FILE, REPOSITORY, Content, Fault, Hub

CONTENT = Content(20_000_000)
SLOW = Fault("slow", bytes_per_s=8 << 20)
TOKEN = "hf_geheimgeheimgeheim"


def _has_begun(event: object) -> bool:
    return isinstance(event, Progress) and event.done_bytes > 1_000_000


# ----------------------------------------------------------------------------------------------------- commands


def test_a_repository_is_listed_with_sizes_and_checksums(tmp_path: Path) -> None:
    with Hub(CONTENT) as hub, Child(tmp_path / "log") as child:
        child.send(ListFiles("1", hub.place, REPOSITORY, COMMIT))
        listed = child.answer()
        assert isinstance(listed, FilesListed)
        assert listed.commit == COMMIT
        assert [(file.name, file.size_bytes, file.sha256) for file in listed.files] == [
            ("README.md", 12, ""),
            (FILE, CONTENT.size, hub.sha256),
        ]


@pytest.mark.parametrize(
    ("fault", "repository", "code"),
    [
        (Fault("status", status=401, error_code="GatedRepo"), REPOSITORY, "download_gated"),
        (Fault("status", status=403, error_code="GatedRepo"), REPOSITORY, "download_gated"),
        (Fault("status", status=401, error_code="RepoNotFound"), REPOSITORY, "download_not_found"),
        (Fault("status", status=418), REPOSITORY, "download_refused"),
        (Fault(), "kotae/none", "download_not_found"),
        (Fault(), "../../etc", "download_not_found"),
    ],
)
def test_a_listing_that_is_refused_says_why(fault: Fault, repository: str, code: str, tmp_path: Path) -> None:
    with Hub(CONTENT, fault) as hub, Child(tmp_path / "log") as child:
        child.send(ListFiles("1", hub.place, repository))
        failed = child.answer()
        assert isinstance(failed, Failed)
        assert failed.code == code


@pytest.mark.parametrize(("status", "reason"), [(429, "busy"), (503, "busy"), (500, "server")])
@pytest.mark.fault("F1")
def test_a_listing_is_asked_for_again_where_that_may_help(status: int, reason: str, tmp_path: Path) -> None:
    fault = Fault("status", times=1, status=status, retry_after="1" if status == 503 else "")
    with Hub(CONTENT, fault) as hub, Child(tmp_path / "log") as child:
        child.send(ListFiles("1", hub.place, REPOSITORY))
        waiting = child.answer()
        assert isinstance(waiting, WaitingToRetry)
        assert waiting.reason == reason
        assert waiting.wait_s >= (1 if status == 503 else 0.4)
        assert isinstance(child.answer(), FilesListed)


@pytest.mark.fault("F1")
def test_a_listing_that_nobody_answers_fails_after_some_tries(tmp_path: Path) -> None:
    with Child(tmp_path / "log") as child:
        child.send(ListFiles("1", "http://127.0.0.1:9", REPOSITORY))
        failed = child.read_until(is_end)
        assert isinstance(failed, Failed)
        assert failed.code == "download_unreachable"


@pytest.mark.parametrize("token", ["hf_全角", "hf_two words", "hf_line\nfeed"])
@pytest.mark.parametrize("kind", [Fetch, ListFiles])
@pytest.mark.fault("S13")
def test_a_token_that_no_header_can_carry_is_said(kind: type, token: str, tmp_path: Path) -> None:
    with Hub(CONTENT) as hub, Child(tmp_path / "log") as child:
        access = NetworkAccess(token)
        child.send(
            command(hub, tmp_path, access=access)
            if kind is Fetch
            else ListFiles("1", hub.place, REPOSITORY, access=access)
        )
        failed = child.read_until(is_end)
        assert isinstance(failed, Failed)
        assert failed.code == "download_bad_token"
        assert hub.requests == []


@pytest.mark.fault("F1")
def test_a_paused_download_goes_on_without_sending_anything_twice(tmp_path: Path) -> None:
    with Hub(CONTENT, SLOW) as hub, Child(tmp_path / "log") as child:
        wanted = command(hub, tmp_path, pace=TransferPolicy())
        child.send(wanted)
        child.read_until(_has_begun)
        child.send(Pause("1"))
        paused = child.read_until(is_end)
        assert isinstance(paused, FetchPaused)
        assert not (tmp_path / FILE).exists()
        done = child.end(dataclasses.replace(wanted, id="2"))
        assert isinstance(done, Done)
        assert done.sha256 == hub.sha256
        assert hub.sent_bytes - CONTENT.size < 2_000_000  # what was on the way when it was paused


@pytest.mark.fault("F1")
def test_a_stalled_download_is_paused_at_once(tmp_path: Path) -> None:
    with Hub(CONTENT, Fault("stall", at=2_000_000)) as hub, Child(tmp_path / "log") as child:
        child.send(command(hub, tmp_path, pace=TransferPolicy(stall_s=300)))
        child.read_until(_has_begun)
        child.send(Pause("1"))
        assert isinstance(child.read_until(is_end), FetchPaused)


def test_the_speed_can_be_limited_and_set_free_again(tmp_path: Path) -> None:
    with Hub(CONTENT) as hub, Child(tmp_path / "log") as child:
        child.send(command(hub, tmp_path, pace=TransferPolicy(), bytes_per_s=2_000_000))
        child.read_until(_has_begun)
        slow = child.read()
        assert isinstance(slow, Progress)
        assert slow.bytes_per_s < 4_000_000
        child.send(SetLimit("1", 0))
        assert isinstance(child.read_until(is_end), Done)


def test_a_file_is_not_fetched_twice_at_the_same_time(tmp_path: Path) -> None:
    with Hub(CONTENT, SLOW) as hub, Child(tmp_path / "log") as child:
        child.send(command(hub, tmp_path, pace=TransferPolicy()))
        child.read_until(_has_begun)
        error, _ = run(command(hub, tmp_path))
        assert getattr(error, "code", "") == "download_running"
        assert isinstance(child.read_until(is_end), Done)


@pytest.mark.fault("F1")
def test_the_child_ends_with_its_parent(tmp_path: Path) -> None:
    with Hub(CONTENT, SLOW) as hub, Child(tmp_path / "log") as child:
        child.send(command(hub, tmp_path, pace=TransferPolicy()))
        child.read_until(_has_begun)
        assert child.process.stdin is not None
        child.process.stdin.close()
        assert child.process.wait(10) == 0


# -------------------------------------------------------------------------------------------------------- token


@pytest.mark.fault("S13")
def test_the_token_goes_to_the_hub_and_not_where_it_redirects(tmp_path: Path) -> None:
    with Hub(CONTENT, Fault("redirect", token=TOKEN)) as hub, Child(tmp_path / "log") as child:
        done = child.end(command(hub, tmp_path, access=NetworkAccess(TOKEN)))
        assert isinstance(done, Done)
        _assert_only_the_hub_got_it(hub)


@pytest.mark.fault("S13")
def test_the_token_of_a_listing_stays_with_the_hub(tmp_path: Path) -> None:
    with Hub(CONTENT, Fault("redirect", token=TOKEN)) as hub, Child(tmp_path / "log") as child:
        child.send(ListFiles("1", hub.place, REPOSITORY, access=NetworkAccess(TOKEN)))
        assert isinstance(child.answer(), FilesListed)
        _assert_only_the_hub_got_it(hub)


def _assert_only_the_hub_got_it(hub: Hub) -> None:
    got = {(request.host, request.headers.get("Authorization")) for request in hub.requests}
    assert got == {("127.0.0.1", f"Bearer {TOKEN}"), ("127.0.0.2", None)}


@pytest.mark.fault("S13")
def test_the_token_is_written_nowhere(tmp_path: Path) -> None:
    """Not in the mark, not in the log, not in an event, also where things go wrong."""
    with Hub(CONTENT, dataclasses.replace(SLOW, token=TOKEN)) as hub, Child(tmp_path / "log") as child:
        origin = dataclasses.replace(command(hub, tmp_path).origin, place=hub.place.replace("//", f"//me:{TOKEN}@"))
        wanted = command(hub, tmp_path, pace=TransferPolicy(), origin=origin, access=NetworkAccess(TOKEN))
        told = []
        child.send(wanted)
        told.append(child.read_until(_has_begun))
        child.send(Pause("1"))
        told.append(child.read_until(is_end))
        told.append(child.end(dataclasses.replace(wanted, id="2", access=NetworkAccess("hf_wrong"))))
        assert isinstance(told[-1], Failed)
        assert child.process.stdin is not None
        child.process.stdin.write(b'{"type":"Fetch","access":{"token":"%s"}}\n' % TOKEN.encode())
        child.process.stdin.flush()
        assert child.process.wait(10) == 2  # not a command: said, but not repeated
        written = b"".join(path.read_bytes() for path in tmp_path.iterdir())
        assert (tmp_path / f"{FILE}.part.json").is_file()
        assert TOKEN.encode() not in written
        assert TOKEN not in repr(told)
        assert TOKEN not in repr(wanted.access)


@pytest.mark.fault("S13")
def test_a_token_that_lies_around_is_not_used(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "token").write_text(TOKEN)
    with Hub(CONTENT) as hub, Child(tmp_path / "log", HF_TOKEN=TOKEN, HF_HOME=str(home)) as child:
        child.send(ListFiles("1", hub.place, REPOSITORY))
        assert isinstance(child.answer(), FilesListed)
        assert isinstance(child.end(command(hub, tmp_path)), Done)
        assert [
            request.headers.get("Authorization") for request in hub.requests if "Authorization" in request.headers
        ] == []


# ------------------------------------------------------------------------------------------- disks and names


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 48 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mounting, capture_output=True, check=False).returncode != 0:
        pytest.skip("this user cannot mount a small disk")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.fault("F2")
def test_a_file_too_large_for_the_disk_is_not_begun(small_disk: Path) -> None:
    with Hub(Content(60_000_000)) as hub:
        error, _ = run(command(hub, small_disk))
        assert getattr(error, "code", "") == "download_disk_full"
        assert error.facts["need_bytes"] == 60_000_000
        assert 0 < error.facts["free_bytes"] <= 48 << 20
        assert hub.sent_bytes <= 1
        assert list(small_disk.iterdir()) == []


@pytest.mark.fault("F2")
def test_a_disk_that_others_fill_ends_the_download_and_it_goes_on_later(small_disk: Path) -> None:
    with Hub(CONTENT, SLOW) as hub, Child(small_disk.parent / "log") as child:
        wanted = command(hub, small_disk, pace=TransferPolicy())
        child.send(wanted)
        child.read_until(_has_begun)
        other = small_disk / "other"
        with other.open("wb", buffering=0) as file:
            free = shutil.disk_usage(small_disk).free
            os.posix_fallocate(file.fileno(), 0, free - (6 << 20))
        failed = child.read_until(is_end)
        assert isinstance(failed, Failed)
        assert failed.code == "download_disk_full"
        other.unlink()
        done = child.end(dataclasses.replace(wanted, id="2"))
        assert isinstance(done, Done)
        assert done.sha256 == hub.sha256
        assert hub.sent_bytes - CONTENT.size < 4_000_000


@pytest.mark.parametrize(
    "name",
    ["..", ".", "", "a/..", "..\\..\\x/..", "CON.gguf", "nul", "x\u202egguf.exe", "a\0b.gguf", "x.gguf.", " x.gguf",
     "a:b.gguf", "x" * 300, ".gguf"],
)  # fmt: skip
@pytest.mark.fault("S10")
def test_a_name_that_deceives_is_refused(name: str, tmp_path: Path) -> None:
    with Hub(CONTENT) as hub:
        error, _ = run(command(hub, tmp_path, name=name))
        assert getattr(error, "code", "") == "download_bad_name"
        assert hub.requests == []
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["../../outside.gguf", "/etc/outside.gguf", "a\\b\\outside.gguf", "sub/outside.gguf"])
@pytest.mark.fault("S10")
def test_only_the_last_part_of_a_name_counts(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    with Hub(Content(1_000_000)) as hub:
        done, _ = run(command(hub, folder, name=name))
        assert isinstance(done, Done)
        assert Path(done.path) == folder / "outside.gguf"
        assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "b", "outside.gguf"]


@pytest.mark.fault("S10")
def test_a_link_in_the_way_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / f"{FILE}.part").symlink_to(victim)
    (folder / FILE).symlink_to(victim)
    with Hub(Content(1_000_000)) as hub:
        assert isinstance(run(command(hub, folder))[0], Done)
    assert victim.read_text() == "mine"
    assert not (folder / FILE).is_symlink()


# ------------------------------------------------------------------------------------------------------ folders


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    folder = tmp_path / "スティック"
    folder.mkdir()
    (folder / FILE).write_bytes(CONTENT.read(0, CONTENT.size))
    return folder


def _from_stick(stick: Path, folder: Path, sha256: str = "") -> Fetch:
    folder.mkdir(exist_ok=True)
    return Fetch("1", FileOrigin(str(stick), file=FILE), str(folder), FILE, sha256=sha256, pace=QUICK)


def test_a_file_is_copied_from_a_folder_and_verified(stick: Path, tmp_path: Path) -> None:
    with Child(tmp_path / "log") as child:
        child.send(ListFiles("0", str(stick), ""))
        listed = child.answer()
        assert isinstance(listed, FilesListed)
        assert [(file.name, file.size_bytes) for file in listed.files] == [(FILE, CONTENT.size)]
        done = child.end(_from_stick(stick, tmp_path / "models", CONTENT.sha256()))
        assert isinstance(done, Done)
        assert done.is_verified
        assert hashlib.sha256((tmp_path / "models" / FILE).read_bytes()).hexdigest() == CONTENT.sha256()


@pytest.mark.fault("F1")
def test_a_damaged_file_in_a_folder_is_found_out(stick: Path, tmp_path: Path) -> None:
    with (stick / FILE).open("r+b") as file:
        file.seek(5_000_000)
        file.write(b"damage")
    error, _ = run(_from_stick(stick, tmp_path / "models", CONTENT.sha256()))
    assert getattr(error, "code", "") == "download_damaged"
    assert not (tmp_path / "models" / FILE).exists()


@pytest.mark.fault("F1")
def test_a_copy_goes_on_where_it_was(stick: Path, tmp_path: Path) -> None:
    wanted = _from_stick(stick, tmp_path / "models", CONTENT.sha256())
    control, events = TransferControl(20_000_000), []

    def stop_soon(event: object) -> None:
        events.append(event)
        control.stop()

    with pytest.raises(TransferStopped):
        fetch_file(wanted, control, stop_soon)
    mark = read_checkpoint(tmp_path / "models" / f"{FILE}.part.json")
    assert mark is not None
    done, events = run(wanted)
    assert isinstance(done, Done)
    first = next(event for event in events if isinstance(event, Progress))
    assert first.done_bytes >= ByteRanges(mark.ranges).total > 0


def test_a_missing_file_in_a_folder_is_named(stick: Path, tmp_path: Path) -> None:
    wanted = dataclasses.replace(
        _from_stick(stick, tmp_path / "models"), origin=FileOrigin(str(stick), file="none.gguf")
    )
    error, _ = run(wanted)
    assert getattr(error, "code", "") == "download_not_in_folder"
