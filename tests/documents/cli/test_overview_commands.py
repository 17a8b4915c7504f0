"""`kotae docs summarize`, `compare` and `list-values` over real files, as text, JSON and files of each format."""

from pathlib import Path

import openpyxl
import pytest

from tests.documents.cli.conftest import Run

OLD = """# 第3章 構造

## 3.1 かぶり

鉄筋のかぶりは70mm以上とする。

## 3.2 点検

ポンプは年2回点検しなければならない。
"""
NEW = OLD.replace("70mm", "75mm").replace("3.2 点検", "3.3 点検") + "\n## 3.4 塗装\n\n=塗膜は、二層とする。\n"


@pytest.fixture
def docs(kotae: Run, tmp_path: Path) -> Run:
    """Runs `kotae docs ARGUMENTS` with two editions in 基準."""
    for name, text in (("基準2020.md", OLD), ("基準2025.md", NEW)):
        (tmp_path / name).write_text(text, "utf-8")
    added = kotae(
        "docs", "add", "基準", str(tmp_path / "基準2020.md"), str(tmp_path / "基準2025.md"), "--label", "機密"
    )
    assert added.returncode == 0
    return lambda *arguments: kotae("docs", *arguments)


def test_two_editions_are_compared(docs: Run) -> None:
    done = docs("compare", "基準", "基準2020.md", "基準2025.md", "--json")
    assert done.returncode == 0
    assert [(row["group"], row["numbers"]) for row in done.data["rows"]] == [
        ("number", "70mm以上 → 75mm以上"),
        ("moved", ""),
        ("added", ""),
    ]


def test_required_values_of_a_collection_are_listed(docs: Run) -> None:
    rows = docs("list-values", "基準", "--json").data["rows"]
    assert [(row["requirement"], row["value"], row["document"]) for row in rows] == [
        ("鉄筋のかぶり", "70mm以上", "基準2020.md"),
        ("ポンプ", "2回", "基準2020.md"),
        ("鉄筋のかぶり", "75mm以上", "基準2025.md"),
        ("ポンプ", "2回", "基準2025.md"),
    ]
    assert len(docs("list-values", "基準", "基準2020.md", "--json").data["rows"]) == 2


def test_a_chapter_is_summarized_without_a_model(docs: Run) -> None:
    done = docs("summarize", "基準", "基準2020.md", "--chapter", "3.2 点検", "--model", "none", "--json")
    assert [row["summary"] for row in done.data["rows"]] == ["ポンプは年2回点検しなければならない。"]
    assert done.data["coverage"] == [1, 1]


@pytest.mark.parametrize("suffix", [".xlsx", ".csv", ".html"])
def test_a_secret_result_is_written_after_consent_only(docs: Run, tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"対照{suffix}"
    arguments = ("compare", "基準", "基準2020.md", "基準2025.md", "--out", str(out))
    assert docs(*arguments, "--json").error == "secret_export"
    assert not out.exists()
    assert docs(*arguments, "--allow-secret").returncode == 0
    if suffix == ".xlsx":
        (sheet,) = openpyxl.load_workbook(out).worksheets
        assert [cell.value for cell in sheet[2]][5] == "70mm以上 → 75mm以上"
        assert sheet.oddHeader.right.text == "機密"
        assert not any(cell.data_type == "f" for row in sheet for cell in row)
        return
    text = out.read_text("utf-8-sig")
    assert "70mm以上 → 75mm以上" in text
    assert suffix == ".csv" or "機密" in text
    assert suffix != ".html" or '<ins class="number">75mm以上</ins>' in text


def test_what_cannot_be_done_is_said(docs: Run, tmp_path: Path) -> None:
    assert docs("list-values", "基準", "--out", str(tmp_path / "a.txt"), "--json").error == "bad_result_suffix"
    assert docs("summarize", "基準", "基準2020.md", "--chapter", "第9章", "--json").error == "chapter_unknown"
    assert docs("compare", "基準", "基準2020.md", "ない.md", "--json").error.startswith("unknown_document")
