"""`kotae report`, and the options of the window beside it."""

from pathlib import Path

import pytest


def test_a_report_is_written_and_told(kotae, tmp_path):
    target = tmp_path / "報告.txt"
    status, told, _ = kotae("report", "--out", str(target))
    assert status == 0
    assert told == {"path": str(target), "size_bytes": target.stat().st_size}
    assert target.read_text("utf-8").startswith("Kotae ")


def test_what_exists_is_not_replaced(kotae, tmp_path):
    target = tmp_path / "mine.txt"
    target.write_text("mine", "utf-8")
    status, told, said = kotae("report", "--out", str(target))
    assert (status, told["error"]["code"]) == (3, "export_exists")
    assert str(target) in said
    assert target.read_text("utf-8") == "mine"


def test_a_folder_is_said_to_be_one(kotae, tmp_path):
    status, told, said = kotae("report", "--out", str(tmp_path))
    assert (status, told["error"]["code"]) == (3, "export_is_folder")
    assert "フォルダです" in said


@pytest.mark.parametrize(
    ("place", "code"), [("no/such/folder/report.txt", "export_folder_gone"), ("file/report.txt", "export_folder_gone")]
)
def test_a_place_that_is_none_is_said(kotae, tmp_path, place, code):
    (tmp_path / "file").write_bytes(b"")
    status, told, _ = kotae("report", "--out", str(tmp_path / place))
    assert (status, told["error"]["code"]) == (3, code)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("report",), "--out"),
        (("report", "--out"), "--out"),
        (("report", "--out", "x", "y"), "y"),
        (("--safe-mode", "report", "--out", "x"), "--safe-mode"),
        (("report", "--out", "x", "--safe-mode"), "--safe-mode"),
    ],
)
def test_wrong_usage_is_said_in_a_sentence(kotae, arguments, words):
    status, told, said = kotae(*arguments)
    assert (status, told["error"]["code"]) == (2, "usage")
    assert words in said
    assert not Path("x").exists()
