"""A newer Kotae that was carried here is compared with its sum."""

import hashlib
import os
from pathlib import Path

import pytest

from app import __version__
from app.base import wording
from app.base.errors import AppError
from app.shell import update_file

NAME = "kotae-9.1.0-linux-x86_64.tar.zst"
SUM = hashlib.sha256(b"new").hexdigest()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / NAME
    path.write_bytes(b"new")
    return path


@pytest.mark.parametrize("line", [f"{SUM}  {NAME}", f"{SUM.upper()} *{NAME}", f"{'0' * 64}  other\r\n{SUM}  {NAME}\r"])
def test_the_list_of_sums_beside_it_is_looked_into(file: Path, line: str) -> None:
    file.with_name("SHA256SUMS").write_text(f"{line}\n", "utf-8")
    found = update_file.inspect_update_file(file)
    assert (found.sha256, found.listed_sha256, found.matches_listed_checksum) == (SUM, SUM, True)


def test_a_sum_in_a_file_of_its_own_name_is_looked_into(file: Path) -> None:
    file.with_name(f"{NAME}.sha256").write_text(f"{SUM}  {NAME}", "utf-8")
    assert update_file.inspect_update_file(file).matches_listed_checksum is True


def test_a_changed_byte_is_seen(file: Path) -> None:
    file.with_name("SHA256SUMS").write_text(f"{SUM}  {NAME}\n", "utf-8")
    file.write_bytes(b"neW")
    assert update_file.inspect_update_file(file).matches_listed_checksum is False


@pytest.mark.parametrize("sums", [None, "", f"{SUM}  other", f"{SUM[:-1]}  {NAME}", f"  {NAME}", "\x00" * 99])
def test_without_a_sum_nothing_is_claimed_until_one_is_pasted(file: Path, sums: str | None) -> None:
    if sums is not None:
        file.with_name("SHA256SUMS").write_text(sums, "utf-8")
    found = update_file.inspect_update_file(file)
    assert found.matches_listed_checksum is None
    assert found.matches_checksum(f" sha256: {SUM.upper()} ") is True
    assert found.matches_checksum("f" * 64) is False
    assert found.matches_checksum("f" * 63) is None


@pytest.mark.fault("S14")
def test_a_list_beside_the_file_does_not_say_that_it_is_from_its_makers(file: Path) -> None:
    file.with_name("SHA256SUMS").write_text(f"{SUM}  {NAME}\n", "utf-8")
    found = update_file.inspect_update_file(file)
    assert found.matches_checksum("") is None
    assert found.matches_checksum("e" * 64) is False


@pytest.mark.parametrize(
    ("name", "version", "is_newer", "is_this"),
    [
        (NAME, "9.1.0", True, False),
        ("kotae_9.1.0_amd64.deb", "9.1.0", True, False),
        (f"kotae-{__version__}-linux-x86_64.tar.zst", __version__, False, True),
        ("kotae-0.0.1.tar.zst", "0.0.1", False, False),
        ("holiday.zip", "", False, False),
    ],
)
def test_the_version_is_in_the_name(tmp_path: Path, name: str, version: str, is_newer: bool, is_this: bool) -> None:
    (tmp_path / name).write_bytes(b"")
    found = update_file.inspect_update_file(tmp_path / name)
    assert (found.version, found.is_newer, found.is_running_version) == (version, is_newer, is_this)


@pytest.mark.parametrize(
    ("name", "table", "other"),
    [
        ("kotae-vulkan-0.3.36-linux-x86_64.zip", "", "engine_pack"),
        ("kotae-starter-kit.zip", "", "model_kit"),
        ("manifest.json", "kotae-model-kit", "model_kit"),
        ("001-0001.kotae-part", "kotae-model-kit", "model_kit"),
        ("training-kit.json", "kotae-training-kit", "training_kit"),
        ("001-0001.kotae-part", "kotae-training-kit", "training_kit"),
        ("torch-2.9.1-cp312-cp312-win_amd64.whl", "kotae-training-kit", "training_kit"),
        (NAME, "kotae-model-kit", ""),
        ("kotae_9.1.0_amd64.deb", "", ""),
        ("holiday.zip", "kotae-model-kit", ""),
        ("manifest.json", "", ""),
        ("001-0001.kotae-part", "", ""),
    ],
)
def test_what_is_given_out_beside_it_is_told_apart(tmp_path: Path, name: str, table: str, other: str) -> None:
    (tmp_path / name).write_bytes(b"{}")
    for kit, format_name in (("manifest.json", "kotae-model-kit"), ("training-kit.json", "kotae-training-kit")):
        if table == format_name:
            (tmp_path / kit).write_text(f'{{\n "format": "{table}",\n "version": 1\n}}', "utf-8")
    found = update_file.inspect_update_file(tmp_path / name)
    assert found.add_on == other
    assert not (found.add_on and found.version)


def test_how_far_it_is_is_told_and_can_be_stopped(file: Path) -> None:
    told: list[tuple[int, int]] = []
    update_file.inspect_update_file(file, lambda done, total: told.append((done, total)))
    assert told == [(3, 3)]

    class StoppedError(Exception):
        pass

    def stop(_done: int, _total: int) -> None:
        raise StoppedError

    with pytest.raises(StoppedError):
        update_file.inspect_update_file(file, stop)


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(AppError, match="file_unreadable"):
        update_file.inspect_update_file(tmp_path)


@pytest.mark.parametrize(("language", "reason"), [("ja", "大きすぎて読めません"), ("en", "too large to be read")])
def test_of_a_file_without_end_it_is_said_that_it_is_too_large_to_be_read(
    tmp_path: Path, language: str, reason: str
) -> None:
    path = tmp_path / NAME
    with path.open("wb") as file:
        file.truncate(1 << 34)  # it takes no room on the drive
    with pytest.raises(AppError) as caught:
        update_file.inspect_update_file(path)
    assert reason in wording.describe_error(caught.value, language).message


@pytest.mark.skipif(os.name == "nt", reason="no pipes among files")
def test_of_a_pipe_it_is_said_in_japanese_that_it_is_no_file(tmp_path: Path) -> None:
    path = tmp_path / NAME
    os.mkfifo(path)
    with pytest.raises(AppError) as caught:
        update_file.inspect_update_file(path)
    assert "通常のファイルではありません" in wording.describe_error(caught.value, "ja").message
