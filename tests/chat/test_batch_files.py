"""Files of questions are read whatever they are, and files of answers hold every row of them and no formula."""

import csv
import dataclasses
import datetime
import errno
import io
import json
import os
from pathlib import Path

import openpyxl
import pytest

from app.base.authenticity import Signer
from app.base.errors import AppError
from app.base.wording import describe_error, phrase
from app.chat.batch import answer_file, question_table
from app.chat.batch.answer_file import BatchReport
from app.chat.batch.journal import BatchAnswer, BatchJournal, JournalHeader, interrupted_batch, journal_path
from app.chat.batch.question_table import BatchFile
from app.chat.presets import PROGRAM_DEFAULTS
from app.documents.grounding.grounding_record import CitedSource, Claim, CollectionRef, Grounding
from tests.permits import PERMIT

ROWS = [["番号", "質問", "分野"], ["1", "門の鍵はどこですか", "庁舎"], ["2", "受付は何時までですか", "窓口"]]
TEXTS = ["門の鍵はどこですか", "受付は何時までですか"]
EVIL = ("=1+1", "+81", "-cmd|' /C calc'!A0", "@SUM(A1)", "\t=1", '=HYPERLINK("http://127.0.0.1")')


def as_csv(rows: list[list[str]], separator: str = ",") -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=separator).writerows(rows)
    return text.getvalue()


def read(folder: Path, rows: list[list[str]], column: int | None = None) -> BatchFile:
    path = folder / "q.csv"
    path.write_text(as_csv(rows), "utf-8")
    return question_table.read_batch_file(path, column)


def texts(found: BatchFile) -> list[str]:
    return [question.text for question in found.questions]


def workbook(path: Path, rows: list[list[object]]) -> Path:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.save(path)
    return path


# ---------------------------------------------------------------------- questions


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "cp932", "euc_jp", "iso2022_jp", "utf-16"])
@pytest.mark.parametrize("separator", [",", "\t", ";"])
def test_a_csv_in_any_japanese_encoding_gives_its_questions(tmp_path, codec, separator):
    path = tmp_path / "質問.csv"
    path.write_bytes(as_csv(ROWS, separator).encode(codec))
    found = question_table.read_batch_file(path)
    assert (texts(found), found.column, found.columns) == (TEXTS, 1, ("番号", "質問", "分野"))
    assert [question.line for question in found.questions] == [2, 3]
    assert found.questions[0].others == ("1", "庁舎")


def test_a_workbook_gives_numbers_and_dates_as_such(tmp_path):
    day = datetime.datetime(2026, 4, 1)
    path = workbook(tmp_path / "q.xlsx", [["質問", "日付", "数"], [TEXTS[0], day, 3.5], [], [TEXTS[1]], [], []])
    found = question_table.read_batch_file(path)
    assert (texts(found), found.sheet, found.blank_lines) == (TEXTS, "Sheet", 1)  # those at the end do not count
    assert [question.line for question in found.questions] == [2, 4]
    assert found.questions[0].others == (day, 3.5)


def test_json_lines_give_questions_and_bad_lines_their_reasons(tmp_path):
    path = tmp_path / "q.jsonl"
    lines = ['{"id": 7, "question": "門の鍵はどこですか"}', "{", "[1]", '{"id": 8}', '{"question": 5}', "",
             json.dumps({"question": "あ" * 20_001}), '{"question": "\\ud800受付は何時までですか\\u0000"}']  # fmt: skip
    path.write_text("\n".join(lines), "utf-8")
    found = question_table.read_batch_file(path)
    assert texts(found) == [TEXTS[0], "?" + TEXTS[1]]
    reasons = {row.line: row.reason for row in found.skipped}
    assert reasons == {2: "not_json", 3: "not_object", 4: "empty", 5: "not_text", 7: "long"}


@pytest.mark.parametrize(
    ("rows", "column", "expected"),
    [
        ([["No", "設問", "質問"], ["1", "x", TEXTS[0]]], 2, [TEXTS[0]]),  # the better known heading
        ([["ＱＵＥＳＴＩＯＮ"], [TEXTS[0]]], 0, [TEXTS[0]]),
        ([[TEXTS[0]], [TEXTS[1]]], 0, TEXTS),  # no heading at all
        ([["堤防とは"], ["樋門とは"]], 0, ["堤防とは", "樋門とは"]),  # and none is taken for one
        ([["番号", "内容"], ["1", TEXTS[0]], ["2", TEXTS[1]]], 1, TEXTS),  # the first column of text
        ([["1", TEXTS[0]], ["2", TEXTS[1]]], 1, TEXTS),
        ([["質問（必須）"], ["堤防とは"]], 0, ["堤防とは"]),
        ([["担当部署", "想定質問案"], ["河川管理課", "堤防の幅"]], 1, ["堤防の幅"]),  # a heading that ends so
        ([["担当部署", "内容"], ["河川管理課", TEXTS[0]], ["道路管理課", TEXTS[1]]], 1, TEXTS),  # the one that asks
        ([["用件", "返し方"], ["鍵の紛失", "窓口へお越しください。"]], 0, ["鍵の紛失"]),  # which asks, but answers
    ],
)
def test_the_column_of_questions_is_found(tmp_path, rows, column, expected):
    found = read(tmp_path, rows)
    assert (found.column, texts(found)) == (column, expected)


@pytest.mark.parametrize(
    ("heading", "is_guessed"), [("質問", False), ("ＱＵＥＲＹ", False), ("内容", True), ("想定質問案", True)]
)
def test_a_column_without_a_sure_heading_is_a_guess(tmp_path, heading, is_guessed):
    rows = [["番号", heading], ["1", TEXTS[0]], ["2", TEXTS[1]]]
    found = read(tmp_path, rows)
    assert (found.column, found.is_guessed) == (1, is_guessed)
    assert not read(tmp_path, rows, 1).is_guessed
    assert not read(tmp_path, [[TEXTS[0]], [TEXTS[1]]]).is_guessed  # no other column to take


def test_another_column_can_be_chosen(tmp_path):
    assert texts(read(tmp_path, ROWS, 2)) == ["庁舎", "窓口"]
    assert question_table.column_name(("a",) * 30, 27) == "AB「a」"


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("q.pdf", b"%PDF-1.7", "batch_format"),
        ("q.xlsx", b"PK\x03\x04 no archive", "table_unreadable"),
        ("q.xlsx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "table_locked"),
        ("q.csv", b" \r\n", "batch_empty"),
        ("q.csv", bytes(range(256)) * 4, "table_unreadable"),
        ("q.csv", b"1,2\r\n3,4\r\n", "batch_no_questions"),
        ("q.jsonl", b"{}\n{}\n", "batch_no_questions"),
    ],
)
def test_what_is_no_file_of_questions_is_refused_in_words(tmp_path, name, content, code):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(AppError) as caught:
        question_table.read_batch_file(path)
    assert caught.value.code == code
    assert name in str(describe_error(caught.value))
    with pytest.raises(AppError, match="question_file_missing"):
        question_table.read_batch_file(tmp_path / "missing" / name)


# ------------------------------------------------------------------------ answers


@pytest.fixture
def made(tmp_path: Path) -> BatchReport:
    """Three questions of which one waits, one row that is none, and everything evil that a cell can hold."""
    path = tmp_path / "q.csv"
    rows = [["質問", *["列"] * len(EVIL)], [TEXTS[0], *EVIL], ["", *EVIL], [f"={TEXTS[1]}", *EVIL], ["未だ？", *EVIL]]
    path.write_text(as_csv(rows), "utf-8")
    source = CitedSource(
        "規程", "secret", "=規程.pdf", "/home/yamada/規程.pdf", "鍵は守衛室にある。", ("第2章", "2.1 鍵"), "必須", 4
    )
    claims = (Claim("=鍵は守衛室です[1]", 0, 11, (1,), True), Claim("3 本あります。", 11, 20, (), False, ("3 本",)))
    grounding = Grounding("answered", (source,), claims)
    answer = "=鍵は守衛室です[1]3 本あります。\x0b\ufffe"
    results = {
        2: BatchAnswer(2, "answered", answer, model="m", label="secret", total_s=1.234, grounding=grounding),
        4: BatchAnswer(4, "failed", error_code="context_full", error="長すぎます。", model="m"),
    }
    head = JournalHeader(str(path), "", 0, "m", "モデル", (CollectionRef(1, "規程"),), PROGRAM_DEFAULTS, 4096, 1.0)
    return BatchReport(question_table.read_batch_file(path), head, results, "f" * 64)


def test_a_workbook_of_answers_holds_every_row_and_no_formula(made, tmp_path):
    out = tmp_path / "回答.xlsx"
    answer_file.save_answers(made, out, permit=PERMIT)
    book = openpyxl.load_workbook(out)
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row if cell.value is not None]
    assert len(cells) > 60
    assert {cell.data_type for cell in cells} == {"s", "n"}
    for cell in cells:
        if isinstance(cell.value, str) and cell.value.startswith(("=", "+", "-", "@", "\t")):
            assert cell.quotePrefix, cell.value
    rows = list(book["回答"].iter_rows(values_only=True))
    assert [row[0] for row in rows] == ["行", 2, 3, 4, 5]
    assert all(row[1 : 1 + len(EVIL)] == EVIL for row in rows[1:])
    verdicts = rows[0].index("判定")
    assert [row[verdicts] for row in rows[1:]] == ["回答", "質問ではありません", "回答できません", "未回答"]
    assert rows[1][verdicts + 1] == "=鍵は守衛室です[1]3 本あります。\n"
    assert rows[1][verdicts + 2] == "3 本あります。（出典にないもの：3 本）"
    assert rows[1][verdicts + 3] == "[1] =規程.pdf　第2章 2.1 鍵（必須）　p.4"
    assert rows[3][rows[0].index("備考")] == "長すぎます。"
    sources = list(book["出典"].iter_rows(values_only=True))
    assert sources[1][:7] == (2, 1, "規程", "=規程.pdf", "第2章 > 2.1 鍵", "必須", 4)
    about = dict(book["この表について"].iter_rows(values_only=True))
    assert (about["ラベル"], about[phrase("chat.batch_fact.model_sha256")]) == ("機密", "f" * 64)
    assert "/home" not in str([[cell.value for cell in row] for sheet in book for row in sheet.iter_rows()])


def test_a_cell_longer_than_excel_takes_is_cut_and_says_so(made, tmp_path):
    long = dataclasses.replace(made.results[2], answer="𠮷" * 40_000)
    answer_file.save_answers(dataclasses.replace(made, results={2: long}), tmp_path / "a.xlsx", permit=PERMIT)
    cell = openpyxl.load_workbook(tmp_path / "a.xlsx")["回答"].cell(2, 2 + len(EVIL) + 2).value
    assert len(str(cell).encode("utf-16-le")) // 2 <= 32_767
    assert str(cell).startswith("𠮷" * 1000)
    assert str(cell).endswith("JSON Lines にあります）")


def test_a_csv_of_answers_opens_in_excel_and_holds_no_formula(made, tmp_path):
    answer_file.save_answers(made, tmp_path / "a.csv", permit=PERMIT)
    raw = (tmp_path / "a.csv").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(io.StringIO(raw.decode("utf-8-sig"), newline="")))
    assert [row[0] for row in rows] == ["行", "2", "3", "4", "5"]
    starts = [cell[0] for row in rows for cell in row if cell]
    assert starts.count("'") == 4 * len(EVIL) + 2  # and a question and an answer
    assert not {"=", "+", "-", "@", "\t"}.intersection(starts)


@pytest.mark.parametrize(
    ("answer", "cell"),
    [
        ("- 「鍵は守衛室にある。」", "「鍵は守衛室にある。」"),
        ("- 一つ\n- 二つ", "・一つ\n・二つ"),
        ("-5 度です。", "'-5 度です。"),
        ("- =1+1", "'=1+1"),
    ],
)
def test_a_list_in_a_csv_needs_no_apostrophe(made, tmp_path, answer, cell):
    result = dataclasses.replace(made.results[2], answer=answer, grounding=None)
    answer_file.save_answers(dataclasses.replace(made, results={2: result}), tmp_path / "a.csv", permit=PERMIT)
    rows = list(csv.reader(io.StringIO((tmp_path / "a.csv").read_text("utf-8-sig"), newline="")))
    assert rows[1][rows[0].index("回答")] == cell


def test_json_lines_of_answers_are_as_the_command_prints_them(made, tmp_path):
    answer_file.save_answers(made, tmp_path / "a.jsonl", permit=PERMIT)
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text("utf-8").splitlines()]
    assert [(line["line"], line["verdict"]) for line in lines] == [
        (2, "answered"), (3, "skipped"), (4, "failed"), (5, "waiting")
    ]  # fmt: skip
    assert lines[0]["sources"][0]["heading"] == ["第2章", "2.1 鍵"]
    assert [claim["supported"] for claim in lines[0]["claims"]] == [True, False]
    assert lines[0]["claims"][1]["numbers_missing"] == ["3 本"]
    assert len(lines[0]["original"]) == len(EVIL)  # although they have one name
    assert lines[2]["error"]["code"] == "context_full"
    assert "/home" not in json.dumps(lines)


def test_a_file_that_excel_holds_open_is_said_to_be_open(made, tmp_path, monkeypatch):
    out = tmp_path / "a.csv"
    answer_file.save_answers(made, out, permit=PERMIT)
    before = out.read_bytes()

    def held(self: Path, _target: Path) -> Path:
        raise PermissionError(errno.EACCES, "in use", str(self))

    monkeypatch.setattr(Path, "replace", held)  # as Windows does
    with pytest.raises(AppError) as caught:
        answer_file.save_answers(made, out, permit=PERMIT)
    assert caught.value.code == "batch_out_open"
    assert "Excel" in str(describe_error(caught.value))
    assert (out.read_bytes(), set(tmp_path.iterdir())) == (before, {out, tmp_path / "q.csv"})


def test_a_target_that_cannot_be_is_told_before_anything_is_asked(tmp_path):
    path = tmp_path / "q.csv"
    path.write_text("質問\n", "utf-8")
    for out, code in (
        (tmp_path / "a.pdf", "batch_out_format"),
        (tmp_path / "fehlt" / "a.csv", "export_folder_gone"),
        (path, "batch_same_file"),
    ):
        with pytest.raises(AppError, match=code):
            answer_file.check_target(out, path)


# ------------------------------------------------------------------------ journal


def head(path: str = "/q.csv", **changes: object) -> JournalHeader:
    return dataclasses.replace(JournalHeader(path, "abc", 0, "m", "モデル", (), PROGRAM_DEFAULTS, 4096, 1.0), **changes)


def test_the_journal_keeps_each_answer_and_drops_half_a_line(tmp_path, made):
    out = tmp_path / "a.xlsx"
    journal = BatchJournal.open(out, head())
    for result in made.results.values():
        journal.add(result)
    path = journal_path(out)
    whole = path.read_bytes()
    for cut in (1, 30, len(whole.splitlines()[-1])):
        path.write_bytes(whole[:-cut])
        again = BatchJournal.open(out, head())
        assert again.results == {2: made.results[2]}
        again.add(made.results[4])
        assert path.read_bytes() == whole
    last = BatchJournal.open(out, head())
    assert last.results == made.results
    assert interrupted_batch(out) == (head(), 1)  # the other one has failed


def test_a_journal_whose_head_is_half_written_begins_anew(tmp_path):
    journal_path(tmp_path / "a.csv").write_bytes(b'{"kotae_ba')
    journal = BatchJournal.open(tmp_path / "a.csv", head())
    assert journal.results == {}
    assert interrupted_batch(tmp_path / "a.csv") == (head(), 0)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"sha256": "other"}, "batch_other_questions"),
        ({"column": 1}, "batch_other_questions"),
        ({"model_id": "other", "model_name": "別のモデル"}, "batch_other_model"),
        ({"scope": (CollectionRef(1, "規程"),)}, "batch_other_scope"),
        ({"context_tokens": 8192}, "batch_other_choices"),
        ({"choices": dataclasses.replace(PROGRAM_DEFAULTS, temperature=0.9)}, "batch_other_choices"),
    ],
)
def test_answers_to_something_else_are_not_mixed_in(tmp_path, changes, code):
    out = tmp_path / "a.csv"
    BatchJournal.open(out, head())
    with pytest.raises(AppError) as caught:
        BatchJournal.open(out, head(**changes))
    assert caught.value.code == code
    assert "?" not in str(describe_error(caught.value))


def test_a_file_of_answers_without_a_journal_is_never_replaced(tmp_path):
    (tmp_path / "a.csv").write_text("mine", "utf-8")
    with pytest.raises(AppError, match="export_exists"):
        BatchJournal.open(tmp_path / "a.csv", head())
    assert not journal_path(tmp_path / "a.csv").exists()


@pytest.mark.fault("S15")
def test_a_record_of_answers_that_somebody_else_has_put_there_is_refused(tmp_path, made):
    """Beside the questions lies a record that the program would go on with: written without marks, by another
    installation, changed in a word, or with a line of another record of this one."""
    own, other = Signer(tmp_path / "data"), Signer(tmp_path / "other")
    out = tmp_path / "a.xlsx"
    results = list(made.results.values())

    def written(seal: Signer | None, *, model: str = "モデル") -> bytes:
        journal = BatchJournal.open(out, head(model_name=model), seal)
        for result in results:
            journal.add(result)
        raw = journal_path(out).read_bytes()
        journal_path(out).unlink()
        return raw

    whole, of_another = written(own), written(own, model="別")
    lines = whole.splitlines(keepends=True)
    forged = [
        written(None),
        written(other),
        whole.replace("モデル".encode(), "検証済".encode(), 1),
        whole.replace(b'"is_supported": false', b'"is_supported": true', 1).replace(b"mm", b"km", 1),
        lines[0] + of_another.splitlines(keepends=True)[1],
        lines[0] + lines[1].rpartition(b"\t")[0] + b"\n",
        lines[0] + lines[1][:-10] + b"0000000000\n",
    ]
    for raw in forged:
        journal_path(out).write_bytes(raw)
        for act in (lambda: BatchJournal.open(out, head(), own), lambda: interrupted_batch(out, own)):
            with pytest.raises(AppError) as caught:
                act()
            assert caught.value.code == "batch_journal_foreign"
            assert "?" not in str(describe_error(caught.value))
        assert journal_path(out).read_bytes() == raw
    journal_path(out).write_bytes(whole)
    journal = BatchJournal.open(out, head(), own)
    assert journal.results == made.results
    journal.add(results[0])
    assert interrupted_batch(out, Signer(tmp_path / "data")) == (head(), 1)
    if os.name != "nt":
        assert (tmp_path / "data" / "seal.key").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("line", [b"[]", b'{"line": 1}', b"\xff", b'{"verdict": "answered", "label": "internal"}'])
def test_a_damaged_journal_is_refused_and_left_as_it_is(tmp_path, line):
    out = tmp_path / "a.csv"
    BatchJournal.open(out, head())
    damaged = journal_path(out).read_bytes() + line + b"\n"
    journal_path(out).write_bytes(damaged)
    with pytest.raises(AppError, match="batch_journal_damaged"):
        BatchJournal.open(out, head())
    assert journal_path(out).read_bytes() == damaged
