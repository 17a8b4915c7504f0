"""Files of training data as people have them: each gives its rows, and each row that is none its place and reason."""

import json
from pathlib import Path

import openpyxl
import pytest

from app.base.tables.column_mapping import ColumnMapping
from app.base.wording import describe_error, phrase
from app.training.data import file_import
from app.training.data.file_import import ImportedRows
from tests.training.data.odd_files import A1, ALPACA, ODD, PAIRS, Q1, Q2, TABLE, Content, Odd, as_csv, lines, write
from tests.training.driver import code_of, refused


def pairs(found: ImportedRows) -> list[tuple[str, str]]:
    return [(row.question, row.answer) for row in found.rows]


@pytest.mark.parametrize("odd", ODD, ids=[odd.title for odd in ODD])
@pytest.mark.fault("S11")
def test_an_odd_file_gives_its_rows_and_names_those_that_are_none(tmp_path: Path, odd: Odd) -> None:
    found = file_import.import_file(write(tmp_path / odd.name, odd.content), odd.wanted)
    assert [(row.line, row.code) for row in found.bad_rows] == list(odd.bad)
    assert pairs(found) == list(odd.pairs)
    assert found.shape == odd.shape
    assert found.encoding == ("" if isinstance(odd.content, list) else odd.encoding)
    assert not odd.where or [row.line for row in found.rows] == odd.where
    assert odd.mapping is None or found.mapping.as_dict() == {name: at for name, at in odd.mapping.items() if at}
    assert odd.check(found)
    for row in found.bad_rows:
        assert phrase(f"common.data_bad.{row.code}", detail=row.detail)
        assert len(row.detail) <= 100
        assert "\n" not in row.detail
    for made in found.rows:
        made.id  # noqa: B018  (it can be written)


@pytest.mark.parametrize(
    ("name", "content", "wanted", "code"),
    [
        ("q.pdf", b"%PDF-1.7", None, "data_format"),
        ("q", b"x", None, "data_format"),
        ("q.csv", b"", None, "data_empty"),
        ("q.csv", "\ufeff \r\n".encode(), None, "data_empty"),
        ("q.jsonl", "\ufeff".encode("utf-16"), None, "data_empty"),
        ("q.xlsx", [[]], None, "data_empty"),
        ("q.csv", bytes(range(256)) * 40, None, "table_unreadable"),
        ("q.xlsx", b"PK\x03\x04 no archive", None, "table_unreadable"),
        ("q.xls.xlsx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", None, "table_locked"),
        ("q.csv", as_csv([["番号", "分野", "内容"], ["1", "庁舎", A1]]).encode(), None, "data_no_columns"),
        ("q.xlsx", [["想定"], ["番号", "項目", "説明"], [1, "庁舎", A1 * 3]], None, "data_no_columns"),
        ("q.csv", as_csv([["表", "裏"], [Q1, A1 * 3]]).encode(), None, "data_no_columns"),
        ("q.csv", as_csv([[Q1], [Q2]]).encode(), None, "data_no_columns"),
        ("q.csv", as_csv(TABLE).encode(), ColumnMapping(answer="答弁"), "data_column_missing"),
        ("q.csv", as_csv(TABLE).encode(), ColumnMapping(question="回答", answer="回答"), "data_column_twice"),
        ("q.csv", as_csv(TABLE).encode() + b'"' + b"x" * 1_000_001, None, "table_unreadable"),
        ("q.json", b'{"a": [}', None, "data_not_json"),
        ("q.json", b"[]", None, "data_no_rows"),
        ("q.csv", "質問,回答\r\n".encode(), None, "data_only_heading"),
        ("q.json", json.dumps({"train": ALPACA, "test": ALPACA}).encode(), None, "data_several_lists"),
        ("q.md", "# 資料\n\n文章だけです。\n".encode(), None, "data_no_rows"),
        ("q.md", b"Q: a\nA: b\n", ColumnMapping(question="Q"), "data_without_columns"),
    ],
)  # fmt: skip
@pytest.mark.fault("S11")
def test_what_is_no_training_data_is_refused_in_words(
    tmp_path: Path, name: str, content: Content, wanted: ColumnMapping | None, code: str
) -> None:
    path = write(tmp_path / name, content)
    error = refused(file_import.import_file, path, wanted)
    assert error.code == code
    assert "?" not in str(describe_error(error))


@pytest.mark.parametrize("name", ["nothing.csv", "~nobody-of-this-name/q.csv", "a\0b.csv", "あ" * 300 + ".csv"])
@pytest.mark.fault("S11")
def test_a_file_that_is_not_there_is_said_to_be_that(tmp_path: Path, name: str) -> None:
    assert code_of(file_import.import_file, tmp_path / name if name[0] != "~" else Path(name)) in (
        "file_missing",
        "table_unreadable",
    )


@pytest.mark.fault("S11")
def test_a_folder_is_no_file(tmp_path: Path) -> None:
    assert code_of(file_import.import_file, tmp_path) == "data_is_folder"


def test_the_sheet_with_questions_is_found_and_the_others_are_named(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.title = "表紙"
    book.active.append(["よくある質問集"])
    for title, rows in (("空", []), ("一覧", TABLE), ("旧版", TABLE)):
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    book.save(tmp_path / "q.xlsx")
    found = file_import.import_file(tmp_path / "q.xlsx")
    assert (pairs(found), found.sheet, found.other_sheets) == (list(PAIRS), "一覧", ("表紙", "旧版"))


def test_a_row_has_the_same_id_whatever_file_it_comes_from(tmp_path: Path) -> None:
    table = file_import.import_file(write(tmp_path / "a.csv", as_csv(TABLE).encode("cp932")))
    alpaca = file_import.import_file(write(tmp_path / "b.jsonl", lines(*ALPACA)))
    assert [row.id for row in table.rows] == [row.id for row in alpaca.rows]
    assert len(table.sha256) == 64
    assert table.sha256 != alpaca.sha256


def test_groups_that_differ_only_at_their_end_are_different(tmp_path: Path) -> None:
    place = "https://example.co.jp/" + "documents/" * 60
    table = [("質問", "回答", "資料"), *((f"問{at}？", f"答{at}。", f"{place}{at}.pdf") for at in range(3))]
    found = file_import.import_file(write(tmp_path / "a.csv", as_csv(table).encode()), ColumnMapping(group="資料"))
    assert [row.group for row in found.rows] == [f"{place}{at}.pdf" for at in range(3)]


@pytest.mark.fault("S11")
def test_a_large_file_is_refused_by_its_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_import, "FILE_BYTES", 1000)
    monkeypatch.setattr(file_import, "ROWS", 3)
    assert code_of(file_import.import_file, write(tmp_path / "a.jsonl", b"x" * 1001)) == "table_large"
    assert code_of(file_import.import_file, write(tmp_path / "b.jsonl", b'{"q": "x", "a": "y"}\n' * 4)) == "table_long"


@pytest.mark.fault("S11")
def test_values_as_deep_as_can_be_read_are_named_too(tmp_path: Path) -> None:
    for depth in range(900, 1000):
        deep = "[" * depth + "]" * depth
        found = file_import.import_file(
            write(tmp_path / "a.jsonl", f'{deep}\n{{"question": {deep}, "answer": "x"}}'.encode())
        )
        assert [row.line for row in found.bad_rows] == [1, 2]
