"""A split as files: whole or not at all, never overwritten, and known again."""

import dataclasses
import hashlib
import json
from pathlib import Path

import pytest

from app.training.data import data_split, split_record
from app.training.data.data_split import Split
from app.training.data.rows import PARTS, TrainingRow
from app.training.data.split_record import SplitFile, SplitManifest, SplitSettings
from tests.training.data import split_rows
from tests.training.data.split_rows import troubled
from tests.training.driver import code_of, refused, small_drive

SOURCE = {"name": "質問.xlsx", "sha256": "0" * 64}


def saved(folder: Path, seed: int = 0) -> SplitManifest:
    made = data_split.split_rows(troubled(5), SplitSettings(seed=seed))
    return data_split.write_split(made, folder, SOURCE, data_split.report_leakage(made))


def test_a_folder_holds_rows_and_what_they_come_from(tmp_path: Path) -> None:
    manifest = saved(tmp_path / "新しい" / "分割")
    folder = tmp_path / "新しい" / "分割"
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        [*(f"{name}.jsonl" for name in PARTS), "split.json"]
    )
    assert [path.name for path in folder.parent.iterdir()] == ["分割"]
    assert split_record.verify_split(folder) == manifest
    made = data_split.split_rows(troubled(5))
    for name in PARTS:
        raw = (folder / f"{name}.jsonl").read_bytes()
        assert manifest.files[name] == SplitFile(
            f"{name}.jsonl", len(made.rows_of(name)), hashlib.sha256(raw).hexdigest()
        )
        assert [json.loads(line) for line in raw.splitlines()] == [one.as_json() for one in made.rows_of(name)]
    assert manifest.source == SOURCE
    assert len(manifest.removed) == len(made.removed) > 0
    assert (manifest.leakage.near, manifest.leaking_lines(troubled(5))) == (0, [])


def test_an_empty_folder_is_taken_and_a_split_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "空").mkdir()
    saved(tmp_path / "空")
    before = (tmp_path / "空" / "train.jsonl").read_bytes()
    assert code_of(saved, tmp_path / "空", seed=1) == "split_exists"
    assert (tmp_path / "空" / "train.jsonl").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["空"]


def test_a_file_in_the_place_of_the_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "分割").write_text("")
    assert code_of(saved, tmp_path / "分割") == "export_not_folder"
    refused(saved, tmp_path / "分割" / "下")


@pytest.mark.parametrize("name", [f"{part}.jsonl" for part in PARTS])
@pytest.mark.parametrize("how", ["change", "remove"])
def test_a_changed_or_missing_file_is_noticed(tmp_path: Path, name: str, how: str) -> None:
    saved(tmp_path / "x")
    file = tmp_path / "x" / name
    if how == "change":
        file.write_bytes(file.read_bytes().replace("。".encode(), "、".encode(), 1))
    else:
        file.unlink()
    error = refused(split_record.verify_split, tmp_path / "x")
    assert (error.code, error.facts["file"]) == ("split_changed", name)


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
    assert code_of(split_record.verify_split, tmp_path) == code


def test_a_split_of_a_later_version_is_told(tmp_path: Path) -> None:
    manifest = saved(tmp_path / "x")
    (tmp_path / "x" / "split.json").write_text(json.dumps(dataclasses.asdict(manifest) | {"version": 2}), "utf-8")
    assert code_of(split_record.verify_split, tmp_path / "x") == "newer_data"


@pytest.mark.fault("F2")
def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    with small_drive(tmp_path / "disk", "size=40k") as disk:
        assert code_of(saved, disk / "分割") == "disk_full"
        assert list(disk.iterdir()) == []


def written(folder: Path, made: Split) -> SplitManifest:
    data_split.write_split(made, folder, {"name": "行"}, data_split.report_leakage(made))
    return split_record.verify_split(folder)


def test_rows_that_training_knows_are_named(tmp_path: Path) -> None:
    rows = split_rows.distinct(12)
    copy: TrainingRow = split_rows.row(13, rows[0].question, rows[0].answer + "！")
    leaking = Split(split_record.SplitSettings(), (copy, *rows[3:]), tuple(rows[1:2]), (rows[0], rows[2]), ())
    found = written(tmp_path / "分割", leaking)
    assert not found.leakage.is_sound
    assert found.leaking_lines([*rows, copy]) == [1]


def test_a_record_of_another_form_is_said_to_be_changed(tmp_path: Path) -> None:
    written(tmp_path / "分割", data_split.split_rows(split_rows.distinct(20)))
    path = tmp_path / "分割" / split_record.MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | {"leakage": None}), "utf-8")
    assert code_of(split_record.verify_split, tmp_path / "分割") == "split_changed"
