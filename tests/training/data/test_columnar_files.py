"""Parquet and Arrow files, and the folders of datasets, as training data; read in a child by pyarrow, where it is."""

from pathlib import Path
from typing import Any

import pytest

from app.base.errors import AppError
from app.training.data import file_import

ROWS = [
    {
        "messages": [
            {"role": "user", "content": f"橋{n}の点検は？"},
            {"role": "assistant", "content": f"{n}年ごとです。"},
        ]
    }
    for n in range(250)
]


def refusal(path: Path) -> str:
    with pytest.raises(AppError) as caught:
        file_import.import_file(path)
    return caught.value.code


def table(rows: list[dict[str, Any]]) -> Any:
    return pytest.importorskip("pyarrow").Table.from_pylist(rows)


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    """As a hub or `save_to_disk` has them: .parquet, or .arrow as a stream (a file with `file` in its name)."""
    found = table(rows)
    from pyarrow import ipc, parquet

    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        parquet.write_table(found, path, compression="zstd")
    else:
        with (ipc.new_file if "file" in path.name else ipc.new_stream)(str(path), found.schema) as writer:
            writer.write_table(found)
    return path


@pytest.mark.parametrize("name", ["a.parquet", "stream.arrow", "file.arrow"])
def test_a_file_gives_its_rows(name: str, tmp_path: Path) -> None:
    imported = file_import.import_file(write(tmp_path / name, ROWS))
    assert [row.messages[-1].text for row in imported.rows] == [row["messages"][1]["content"] for row in ROWS]
    assert imported.bad_rows == ()
    assert file_import.read_outline(tmp_path / name)[0] == ("messages",)


def test_columns_are_found_as_in_other_files(tmp_path: Path) -> None:
    rows = [{"question": f"問い{n}", "answer": f"答え{n}", "score": 0.5, "raw": b"\xff"} for n in range(3)]
    imported = file_import.import_file(write(tmp_path / "a.parquet", rows))
    assert [row.messages[-1].text for row in imported.rows] == ["答え0", "答え1", "答え2"]


@pytest.mark.parametrize(("name", "places"), [
    ("データ", ("data/train-0.parquet", "data/train-1.parquet", "data/test-0.parquet")),
    ("表.csv", ("train/data-0.arrow", "train/data-1.arrow", "test/data-0.arrow")),
    ("文.md", ("train/data-0.arrow", "train/data-1.arrow", "train/cache-6f.arrow")),
    ("本.xlsx", ("data-0.arrow", "data-1.arrow")),
])  # fmt: skip
def test_the_folder_of_a_dataset_gives_the_rows_of_its_training_part(
    name: str, places: tuple[str, ...], tmp_path: Path
) -> None:
    for at, place in enumerate(places):
        write(tmp_path / name / place, ROWS[100 * at : 100 * at + 100])
    imported = file_import.import_file(tmp_path / name)
    assert file_import.read_outline(tmp_path / name)[0] == imported.columns
    assert len(imported.rows) == 200
    assert imported.rows[150].messages[0].text == "橋150の点検は？"


def test_a_folder_of_many_files_can_be_cancelled_between_two(tmp_path: Path) -> None:
    for at in range(3):
        write(tmp_path / f"train-{at}.parquet", ROWS[:2])
    beats = iter((None,))
    with pytest.raises(StopIteration):
        file_import.import_file(tmp_path, check=lambda: next(beats))


def test_a_damaged_one_or_a_bomb_is_refused(tmp_path: Path) -> None:
    whole = write(tmp_path / "a.parquet", ROWS)
    whole.write_bytes(whole.read_bytes()[:-200])
    assert refusal(whole) == "table_unreadable"
    bomb = write(tmp_path / "b.parquet", [{"question": "同じ" * 500_000, "answer": "x"}] * 30)
    assert bomb.stat().st_size < 1_000_000
    assert refusal(bomb) == "table_crowded"


def test_a_folder_of_many_small_bombs_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_import, "FILE_BYTES", 10_000_000)
    for at in range(3):
        write(tmp_path / f"train-{at}.parquet", [{"question": "同じ" * 250_000, "answer": "x"}] * 10)
    assert refusal(tmp_path) == "table_large"


def test_without_pyarrow_the_next_step_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pyarrow.py").write_text("raise ModuleNotFoundError('pyarrow')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{Path(__file__).parents[3]}")
    (tmp_path / "a.parquet").write_bytes(b"PAR1 and so on")
    with pytest.raises(AppError) as caught:
        file_import.import_file(tmp_path / "a.parquet")
    assert caught.value.code == "table_unknown"


def test_a_folder_without_data_is_none(tmp_path: Path) -> None:
    assert refusal(tmp_path) == "data_is_folder"
