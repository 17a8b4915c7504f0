"""A split as files: whole or not at all, never overwritten, and known again."""

import hashlib
import json
import os
import subprocess
from pathlib import Path

import pytest

from app.base.errors import AppError
from app.training.data import data_split
from app.training.data.data_split import PARTS, SplitSettings
from tests.training.data.split_rows import troubled

SOURCE = {"name": "質問.xlsx", "sha256": "0" * 64}


def saved(folder: Path, seed: int = 0) -> dict[str, object]:
    made = data_split.split_rows(troubled(5), SplitSettings(seed=seed))
    return data_split.write_split(made, folder, SOURCE, data_split.report_leakage(made).as_json())


def test_a_folder_holds_rows_and_what_they_come_from(tmp_path: Path) -> None:
    manifest = saved(tmp_path / "新しい" / "分割")
    folder = tmp_path / "新しい" / "分割"
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        [*(f"{name}.jsonl" for name in PARTS), "split.json"]
    )
    assert [path.name for path in folder.parent.iterdir()] == ["分割"]
    assert data_split.verify_split(folder) == manifest == json.loads((folder / "split.json").read_text("utf-8"))
    made = data_split.split_rows(troubled(5))
    for name in PARTS:
        raw = (folder / f"{name}.jsonl").read_bytes()
        assert manifest["files"][name] == {
            "file": f"{name}.jsonl",
            "rows": len(made.part(name)),
            "sha256": hashlib.sha256(raw).hexdigest(),
        }
        assert [json.loads(line) for line in raw.splitlines()] == [one.as_json() for one in made.part(name)]
    assert manifest["source"] == SOURCE
    assert len(manifest["removed"]) == len(made.removed) > 0
    assert manifest["leakage"]["near"] == 0


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        saved(tmp_path / name, seed)

    def contents(name: str) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}

    assert contents("a") == contents("b")
    assert contents("a")["train.jsonl"] != contents("c")["train.jsonl"]


def test_an_empty_folder_is_taken_and_a_split_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "空").mkdir()
    saved(tmp_path / "空")
    before = (tmp_path / "空" / "train.jsonl").read_bytes()
    with pytest.raises(AppError) as refused:
        saved(tmp_path / "空", seed=1)
    assert refused.value.code == "split_exists"
    assert (tmp_path / "空" / "train.jsonl").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["空"]


def test_a_file_in_the_place_of_the_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "分割").write_text("")
    with pytest.raises(AppError) as refused:
        saved(tmp_path / "分割")
    assert refused.value.code == "export_not_folder"
    with pytest.raises(AppError):
        saved(tmp_path / "分割" / "下")


@pytest.mark.parametrize("name", [f"{part}.jsonl" for part in PARTS])
@pytest.mark.parametrize("how", ["change", "remove"])
def test_a_changed_or_missing_file_is_noticed(tmp_path: Path, name: str, how: str) -> None:
    saved(tmp_path / "x")
    file = tmp_path / "x" / name
    if how == "change":
        file.write_bytes(file.read_bytes().replace("。".encode(), "、".encode(), 1))
    else:
        file.unlink()
    with pytest.raises(AppError) as refused:
        data_split.verify_split(tmp_path / "x")
    assert (refused.value.code, refused.value.facts["file"]) == ("split_changed", name)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (None, "split_unusable"),
        (b"{", "split_changed"),
        (b"[]", "split_changed"),
        (b'{"version": 1, "files": {"train": {}}}', "split_changed"),
        (b"\xff", "split_changed"),
    ],
)
def test_a_folder_that_is_no_split_is_told(tmp_path: Path, content: bytes | None, code: str) -> None:
    if content is not None:
        (tmp_path / "split.json").write_bytes(content)
    with pytest.raises(AppError) as refused:
        data_split.verify_split(tmp_path)
    assert refused.value.code == code


def test_a_split_of_a_later_version_is_told(tmp_path: Path) -> None:
    manifest = saved(tmp_path / "x")
    (tmp_path / "x" / "split.json").write_text(json.dumps({**manifest, "version": 2}), "utf-8")
    with pytest.raises(AppError) as refused:
        data_split.verify_split(tmp_path / "x")
    assert refused.value.code == "newer_data"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="mounting a small disk needs root")
@pytest.mark.fault("F2")
def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40k", "tmpfs", str(disk)], check=False).returncode:
        pytest.skip("mounting is not permitted here")
    try:
        with pytest.raises(AppError) as refused:
            saved(disk / "分割")
        assert refused.value.code == "disk_full"
        assert list(disk.iterdir()) == []
    finally:
        subprocess.run(["umount", str(disk)], check=True)
