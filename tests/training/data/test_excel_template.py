"""The workbook to fill in: saved, filled in as a person does with a spreadsheet program, and imported."""

from pathlib import Path

import openpyxl
import pytest

from app.base.errors import AppError
from app.base.wording import use_language
from app.training.data import file_import


@pytest.mark.parametrize("language", ["ja", "en"])
def test_a_template_that_was_filled_in_is_read_without_a_question(tmp_path: Path, language: str) -> None:
    path = tmp_path / "行.xlsx"
    use_language(language)
    try:
        file_import.write_template(path)
    finally:
        use_language("ja")
    book = openpyxl.load_workbook(path)
    sheet = book.worksheets[0]
    for n in range(1, 13):
        sheet.append([f"問い {n}", f"答え {n}", "一課" if n % 2 else "二課"])
    book.save(path)
    found = file_import.import_file(path)
    assert not found.bad_rows
    assert [(row.question, row.group) for row in found.rows[:2]] == [("問い 1", "一課"), ("問い 2", "二課")]
    assert len(found.rows) == 12


def test_an_empty_template_gives_no_rows_from_its_notes(tmp_path: Path) -> None:
    file_import.write_template(tmp_path / "空.xlsx")
    with pytest.raises(AppError) as raised:
        file_import.import_file(tmp_path / "空.xlsx")
    assert raised.value.code == "data_only_heading"


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(AppError) as raised:
        file_import.write_template(tmp_path / "ない" / "行.xlsx")
    assert raised.value.code == "export_folder_gone"
