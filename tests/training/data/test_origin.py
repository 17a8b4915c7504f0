"""What is kept of a file beside its rows, and what of them can be told without reading it again."""

import datetime
from pathlib import Path

import openpyxl

from app.training.data import check, curation, data_overview, file_import
from app.training.data.curation import Curation, Decision
from app.training.data.data_overview import DataOverview
from app.training.data.file_import import ImportOrigin
from app.training.data.rows import RowMessage, TrainingRow

CSV = "質問,回答,章\n" + "".join(
    f"{n * 7919 % 10_007:x} の点検は,{n * 104_729 % 99_991:x} 年ごとに行う。,{n % 3} 章\n" for n in range(20)
)
TROUBLED = (
    '担当は？,"連絡先は 03-1234-5678 です。",1 章\n'
    '残りは？,"{""answer"": ""あ。""}",1 章\n,空の質問,1 章\n0 の点検は,0 年ごとに行う。,0 章\n'
)


def kept(folder: Path, text: str = CSV + TROUBLED) -> tuple[Path, Curation, ImportOrigin]:
    path = folder / "行.csv"
    path.write_bytes(text.encode("cp932"))
    found = file_import.import_file(path)
    curation.create(folder / "下書き", curation.items_from_rows(found.rows, check.check_rows(found)))
    file_import.write_origin(folder / "下書き", file_import.origin_of(path, found))
    read = file_import.read_origin(folder / "下書き")
    return path, Curation(folder / "下書き"), read


def test_what_a_file_was_is_told_without_its_rows(tmp_path: Path) -> None:
    path, _, read = kept(tmp_path)
    assert (read.imported.columns, read.imported.encoding) == (("質問", "回答", "章"), "cp932")
    assert [(row.line, row.code) for row in read.imported.bad_rows] == [(24, "empty_question")]
    assert read.imported.samples[0].values["回答"] == "0 年ごとに行う。"
    assert (read.imported.rows, read.standing(path)) == ((), "same")
    path.write_text("質問,回答\n", "utf-8")
    assert read.standing(path) == "changed"
    path.unlink()
    assert read.standing(path) == "gone"


def test_rows_without_a_file_or_with_a_damaged_record_have_no_origin(tmp_path: Path) -> None:
    assert file_import.read_origin(tmp_path) is None
    (tmp_path / file_import.ORIGIN_FILE).write_text('{"type": "Origin", "imported": 1}')
    assert file_import.read_origin(tmp_path) is None


def test_dates_and_long_texts_of_a_sheet_become_samples_that_can_be_kept(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for row in (["質問", "回答", "日付"], ["いつですか。", "あ" * 9000, datetime.date(2026, 4, 1)]):
        book.active.append(row)
    book.active.merge_cells("D1:F1")
    book.save(tmp_path / "表.xlsx")
    (sample,) = file_import.import_file(tmp_path / "表.xlsx").samples
    assert (len(sample.values["回答"]), sample.values["日付"][:10]) == (file_import.SAMPLE_CHARACTERS, "2026-04-01")


def test_the_columns_of_a_file_are_told_where_nobody_knows_what_they_mean(tmp_path: Path) -> None:
    path = tmp_path / "表.csv"
    path.write_text("甲,乙,丙\n鍵はどこか,守衛室です。,1\n", "utf-8")
    columns, samples = file_import.read_outline(path)
    assert (len(columns), len(samples)) == (3, 2)
    assert samples[1].values[columns[1]] == "守衛室です。"


def test_what_became_of_all_rows_adds_up(tmp_path: Path) -> None:
    _, rows, read = kept(tmp_path)
    bad = read.imported.bad_rows
    assert data_overview.count_rows(rows, len(bad)) == DataOverview(24, used=20, duplicates=1, flawed=2, unusable=1)
    rows.decide(Decision(21, "accepted"))
    rows.decide(Decision(1, "rejected"))
    assert data_overview.count_rows(rows, len(bad)) == DataOverview(
        24, used=20, duplicates=1, flawed=1, rejected=1, unusable=1
    )


def test_what_may_be_personal_is_quoted(tmp_path: Path) -> None:
    _, rows, _ = kept(tmp_path)
    (phone,) = (item for item in rows.items if "personal_phone" in item.flags)
    assert data_overview.personal_texts(phone.row, "personal_phone") == ["03-1234-5678"]
    assert data_overview.personal_texts(phone.row, "unfinished") == []


def test_lengths_and_groups_are_of_the_rows_that_count(tmp_path: Path) -> None:
    long = "".join(f"{n * 104_729 % 99_991:05x}" for n in range(120))
    _, rows, _ = kept(tmp_path, f"{CSV}長い答えは,{long}。,9 章\n")
    found = data_overview.measure_distribution(rows)
    assert ([bound for bound, _ in found.bins], sum(count for _, count in found.bins)) == (list(range(1, 14)), 20)
    assert found.beyond == 1
    assert {share.name: share.rows for share in found.groups} == {"0 章": 7, "1 章": 7, "2 章": 6, "9 章": 1}
    assert found.categories == ()
    rows.decide(Decision(21, "rejected"))
    after = data_overview.measure_distribution(rows)
    assert (after.rows, after.beyond) == (20, 0)


def test_where_nothing_counts_nothing_is_measured(tmp_path: Path) -> None:
    messages = (RowMessage("user", "あ？"), RowMessage("assistant", "い。"))
    curation.create(tmp_path, [curation.CurationItem(1, TrainingRow(1, messages), ("mojibake",))])
    assert data_overview.measure_distribution(Curation(tmp_path)) is None
