"""A split is told from its own record, also after a restart."""

import json
from pathlib import Path

import pytest

from app.base.errors import AppError
from app.training.data import data_split
from app.training.data.data_split import Split
from app.training.data.rows import TrainingRow
from tests.training.data import split_rows


def written(folder: Path, made: Split) -> data_split.SplitSummary:
    data_split.write_split(made, folder, {"name": "行"}, data_split.report_leakage(made).as_json())
    return data_split.read_split(folder)


def test_a_sound_split_tells_its_numbers_and_what_was_removed(tmp_path: Path) -> None:
    rows = split_rows.distinct(40)
    twin = split_rows.row(41, rows[2].question, rows[2].answer)
    found = written(tmp_path / "分割", data_split.split_rows([*rows, twin]))
    assert (sum(found.counts.values()), found.is_sound, found.seed, len(found.sha256)) == (40, True, 0, 64)
    assert [(one.line, one.reason, one.other_line) for one in found.removed] == [(41, "same", 3)]
    assert 0 <= found.median <= found.most < found.threshold
    assert data_split.leaking_lines(found, rows) == []


def test_rows_that_training_knows_are_named(tmp_path: Path) -> None:
    rows = split_rows.distinct(12)
    copy: TrainingRow = split_rows.row(13, rows[0].question, rows[0].answer + "！")
    leaking = Split(data_split.SplitSettings(), (copy, *rows[3:]), tuple(rows[1:2]), (rows[0], rows[2]), ())
    found = written(tmp_path / "分割", leaking)
    assert not found.is_sound
    assert data_split.leaking_lines(found, [*rows, copy]) == [1]


def test_a_record_of_another_form_is_said_to_be_changed(tmp_path: Path) -> None:
    written(tmp_path / "分割", data_split.split_rows(split_rows.distinct(20)))
    path = tmp_path / "分割" / data_split.MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | {"leakage": None}), "utf-8")
    with pytest.raises(AppError) as caught:
        data_split.read_split(tmp_path / "分割")
    assert caught.value.code == "split_changed"
