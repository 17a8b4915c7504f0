"""Question sets are read from what people have, written to what people use, and the same again when read back."""

import csv
import dataclasses
import json
import random
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from app.base import wording
from app.base.errors import AppError
from app.evaluation import question_files, question_rows
from app.evaluation.question_files import QuestionFile
from app.evaluation.records import Gold, Question
from tests.permits import PERMIT

FULL = Question(
    "q1",
    "堤防の点検は年に何回か。",
    reference="年に2回。\n出水期の前と台風の後。",
    must_include=("2回", "出水期の前|梅雨の前"),
    gold=(Gold("点検は年2回行う。", "基準.md", ("第2章 維持", "第1節 点検"), 12), Gold("台風の後にも行う。")),
    category="数値",
    group="維持管理編",
    origin="written",
)
BARE = Question("q2", "火星の気圧はいくらか", is_answerable=False)


def lines(folder: Path, *rows: object, name: str = "q.jsonl") -> QuestionFile:
    path = folder / name
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows), "utf-8")
    return question_files.read(path)


def table(folder: Path, *rows: Sequence[object], name: str = "q.csv", codec: str = "utf-8") -> QuestionFile:
    path = folder / name
    with path.open("w", encoding=codec, newline="") as file:
        csv.writer(file).writerows(rows)
    return question_files.read(path)


@pytest.fixture
def english() -> Iterator[None]:
    wording.use_language("en")
    yield
    wording.use_language("ja")


# --------------------------------------------------------------------------- JSON


def test_an_object_is_read_whatever_its_keys_are_called(tmp_path: Path) -> None:
    gold = [
        {"quote": "点検は年2回行う。", "file": "基準.md", "heading": "第2章 維持 > 第1節 点検", "page": "12 頁"},
        "台風の後にも行う。",
    ]
    row = {
        "id": "q1", "question": FULL.text, "answer": FULL.reference, "must_include": list(FULL.must_include),
        "gold": gold, "type": "数値", "volume": "維持管理編", "origin": "written",
    }  # fmt: skip
    found = lines(tmp_path, row, {"id": "q2", "question": BARE.text, "why_unanswerable": "惑星の資料ではない"})
    assert found.questions == (FULL, BARE)
    assert found.skipped == ()


def test_the_surest_column_with_something_in_it_counts(tmp_path: Path) -> None:
    first = {"question": "橋はどこか", "answer": "モデルの答え", "reference": "正しい答え", "origin": "from.csv"}
    found = lines(tmp_path, first, {"question": "高さは", "answer": 5.0, "metadata": {"source": "x"}})
    assert [one.reference for one in found.questions] == ["正しい答え", "5"]
    (question,) = lines(tmp_path, {"instruction": "橋はどこか", "output": "東"}).questions  # training data
    assert (question.text, question.reference) == ("橋はどこか", "東")
    assert [one.origin for one in found.questions] == ["", ""]
    assert found.columns.unused == ("metadata",)


def test_the_document_of_a_row_is_its_group_and_that_of_quotes_that_name_none(tmp_path: Path) -> None:
    row = {
        "question": "橋はどこか",
        "document": "橋の本",
        "gold": [{"quote": "東"}, {"quote": "西", "document": "川の本"}],
    }
    (question,) = lines(tmp_path, row).questions
    assert question.group == "橋の本"
    assert [gold.document for gold in question.gold] == ["橋の本", "川の本"]


@pytest.mark.parametrize(
    ("row", "is_answerable"),
    [
        ({}, True),
        ({"answerable": True}, True),
        ({"answerable": False}, False),
        ({"answerable": None, "why_unanswerable": ""}, True),
        ({"answerable": "はい"}, True),
        ({"answerable": "No"}, False),
        ({"answerable": "×"}, False),
        ({"answerable": 0}, False),
        ({"why_unanswerable": "見出ししかない"}, False),
        ({"reference": "資料にありません。"}, False),
        ({"reference": "記載なし"}, False),
        ({"reference": "資料には記載がありませんが、一般には100mmです。"}, True),
        ({"reference": "上限は定められていません。"}, True),
        ({"reference": "この基準書には記載されていません。", "gold": [{"quote": "別の基準による。"}]}, True),
    ],
)
def test_whether_a_question_can_be_answered_is_told_or_seen_from_a_reference_that_abstains(
    tmp_path: Path, row: dict[str, Any], is_answerable: bool
) -> None:
    (question,) = lines(tmp_path, {"question": "橋の長さはいくらか"} | row).questions
    assert question.is_answerable is is_answerable


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ({"question": ""}, "empty_question"),
        ({"question": " \u3000\n"}, "empty_question"),
        ({"id": 4}, "empty_question"),
        ({"question": 5}, "not_text"),
        ({"question": "12 + 3 ?"}, "not_text"),
        ({"question": "あ" * 20_001}, "too_long"),
        ({"question": "橋", "id": "x" * 201}, "too_long"),
        ({"question": "橋", "gold": [{}]}, "no_quote"),
        ({"question": "橋", "gold": [{"quote": " "}]}, "no_quote"),
        ({"question": "橋", "gold": [5]}, "not_text"),
        ({"question": "橋", "must_include": [{"a": 1}]}, "not_text"),
        ({"question": "橋", "answer": ["東"]}, "not_text"),
        ({"question": "橋", "answerable": "たぶん"}, "not_yes_or_no"),
        ('{"question": "橋", "question": "川"}', "key_twice"),
        ('{"question": "\\ud800橋"}', "not_characters"),
        ('{"question": "橋\\u0000"}', "not_characters"),
        ('{"question": "橋は', "not_json"),
        ("[1]", "not_object"),
    ],
)
def test_a_row_that_is_no_question_is_named_with_the_reason(tmp_path: Path, row: object, code: str) -> None:
    found = lines(tmp_path, {"question": "川はどこか"}, "", row, {"question": "山はどこか"})
    assert [question.text for question in found.questions] == ["川はどこか", "山はどこか"]
    assert [(one.line, one.code) for one in found.skipped] == [(3, code)]
    assert wording.phrase(f"common.data_bad.{code}")


def test_a_list_of_objects_is_read_and_half_of_one_as_far_as_it_goes(tmp_path: Path) -> None:
    text = json.dumps([{"question": "橋はどこか"}, {"question": "川はどこか"}], ensure_ascii=False)
    assert len(lines(tmp_path, text, name="q.json").questions) == 2
    half = lines(tmp_path, text[:-5], name="half.json")
    assert (len(half.questions), [one.code for one in half.skipped]) == (1, ["rest_damaged"])


def test_the_questions_about_real_standards_are_read_whole(kasensabo: Path) -> None:
    grounded = question_files.read(kasensabo / "eval" / "grounded_dev.jsonl")
    rows = [json.loads(line) for line in (kasensabo / "eval" / "grounded_dev.jsonl").read_text("utf-8").splitlines()]
    assert (len(grounded.questions), grounded.skipped) == (76, ())
    assert [one.id for one in grounded.questions] == [row["id"] for row in rows]
    assert [(one.category, one.group) for one in grounded.questions] == [(row["type"], row["volume"]) for row in rows]
    assert [len(one.gold) for one in grounded.questions] == [len(row["gold"]) for row in rows]
    assert all(one.reference and one.must_include and one.gold[0].document for one in grounded.questions)
    unanswerable = question_files.read(kasensabo / "eval" / "unanswerable_dev.jsonl")
    assert [one.is_answerable for one in unanswerable.questions] == [False] * 20
    hundred = question_files.read(kasensabo / "test_questions_100.json")
    assert [one.id for one in hundred.questions] == [str(number) for number in range(1, 101)]
    assert len({one.category for one in hundred.questions}) > 3


# ------------------------------------------------------------------------- tables


@pytest.mark.parametrize("codec", ["utf-8-sig", "cp932"])
def test_a_table_is_read_by_its_headings(tmp_path: Path, codec: str) -> None:
    head = ["No", "質問（必須）", "正解", "必ず含む語", "根拠", "資料名", "ページ", "分野", "回答できるか", "担当"]
    first = [1, "堤防の高さは", "5m", "5m、堤防", "高さは5mとする。", "基準書", "p.12", "数値", "○", "山田"]
    found = table(tmp_path, ["質問の一覧"], head, first, [2, "火星の気圧は", "", "", "", "", "", "", "×"], codec=codec)
    gold = Gold("高さは5mとする。", "基準書", page=12)
    assert found.questions == (
        Question("1", "堤防の高さは", "5m", ("5m", "堤防"), (gold,), "数値", "基準書"),
        Question("2", "火星の気圧は", is_answerable=False),
    )
    assert found.columns.unused == ("担当",)
    assert [(one.line, one.code) for one in found.skipped] == [(1, "above_heading")]


def test_a_sheet_is_read_with_numbers_as_answers(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for row in (["ID", "質問", "回答"], [7, "何年に1回か", 5.0], [], [8.0, "何%か", 2.5], [9, None, "答"]):
        book.active.append(row)
    book.create_sheet("メモ").append(["x"])
    book.save(tmp_path / "q.xlsx")
    found = question_files.read(tmp_path / "q.xlsx")
    assert [(one.id, one.reference) for one in found.questions] == [("7", "5"), ("8", "2.5")]
    assert [(one.line, one.code) for one in found.skipped] == [(5, "empty_question")]
    assert (found.blank, found.sheet, found.other_sheets) == (1, "Sheet", ("メモ",))


def test_a_list_without_a_heading_is_a_list_of_questions(tmp_path: Path) -> None:
    found = table(tmp_path, ["橋はどこか"], ["川はどこか"], ["123"])
    assert [one.text for one in found.questions] == ["橋はどこか", "川はどこか"]
    assert [one.line for one in found.skipped] == [3]


@pytest.mark.parametrize("between", ["、", ";", "；", "\n"])
def test_words_in_a_cell_come_apart_at_the_usual_signs(tmp_path: Path, between: str) -> None:
    found = table(tmp_path, ["質問", "必須語"], ["橋はどこか", between.join(["1,000 m", "東|ひがし", ""])])
    assert found.questions[0].must_include == ("1,000 m", "東|ひがし")


@pytest.mark.parametrize(
    ("word", "is_doubted"),
    [
        ("東,西", True), ("東，西", True), ("5m, 堤防", True), ("東　西", True),
        ("1,000 m", False), ("1,000円", False), ("東 西", False), ("東、西", False), ("a,b", False),
    ],
)  # fmt: skip
def test_a_word_that_looks_like_several_is_kept_and_doubted(tmp_path: Path, word: str, is_doubted: bool) -> None:
    found = table(tmp_path, ["質問", "必須語"], ["橋はどこか", word])
    assert [one.code for one in found.doubts] == ["one_word"] * is_doubted


# ---------------------------------------------------------------------------- ids


def test_ids_are_kept_made_unique_and_where_one_is_missing_made_of_the_text(tmp_path: Path) -> None:
    rows = [{"id": id, "question": f"{number} 番目は"} for number, id in enumerate(["a", "a", "a-2", "a", 7])]
    found = lines(tmp_path, *rows)
    assert [one.id for one in found.questions] == ["a", "a-3", "a-2", "a-4", "7"]
    assert found.renamed == (("a", "a-3"), ("a", "a-4"))
    rows = [{"question": text} for text in ("橋はどこか", "川はどこか", "橋はどこか")]
    first, second, third = (one.id for one in lines(tmp_path, *rows).questions)
    assert re.fullmatch("q[0-9a-f]{12}", first)  # 1234567890e1 would be a number to a spreadsheet
    assert third == f"{first}-2"
    assert [one.id for one in lines(tmp_path, rows[1], rows[0]).questions] == [second, first]
    named, _ = question_files.with_ids([Question("x" * 200, "橋")] * 20_000)
    assert len({one.id for one in named}) == 20_000
    assert max(len(one.id) for one in named) <= question_rows.NAME_CHARACTERS


# ----------------------------------------------------------------- canonical form


def test_the_canonical_form_has_sorted_keys_stays_the_same_and_takes_no_other_line() -> None:
    first, second = question_files.to_lines([FULL, BARE]).decode().splitlines()
    assert list(json.loads(first)) == sorted(json.loads(first))
    assert json.loads(first)["gold"][1] == {"quote": "台風の後にも行う。"}
    assert json.loads(second) == {"answerable": False, "id": "q2", "question": BARE.text}
    assert question_files.sha256([FULL, BARE]) != question_files.sha256([BARE, FULL])
    untidy = [Question(" a  b ", " 橋\r\nはどこか \n", "x\r", (" 東 ", " "), (Gold(" q ", " d\n"),), " c ", "\tg")]
    once = question_files.from_lines(question_files.to_lines(untidy), "x")
    assert once == (Question("a b", "橋\nはどこか", "x", ("東",), (Gold("q", "d"),), "c", "g"),)
    assert question_files.from_lines(question_files.to_lines(once), "x") == once
    for raw in (b"", b"\xff", question_files.to_lines([FULL])[:-9], question_files.to_lines([FULL]) + b"{}\n"):
        with pytest.raises(AppError, match="questions_unreadable"):
            question_files.from_lines(raw, "x")


ODD = [
    *("あ", "東", "A", "1", " ", "　", "\n", "\t", '"', "\\", "'", "=", "[", "]", "{", ",", "、", ";", "|", "null"),
    *("\u2028", "\u0085", "\ufeff", "\x1b$B", "\x7f", "\u202e", "\u200b", "\uffff", "か\u3099", "\u334d", "\\ud800"),
    *("\U00020bb7", "\U0001f468\u200d\U0001f467", "#N/A", "%s", "_x0041_"),
]


def odd(chance: random.Random, *, is_name: bool = False) -> str:
    text = "".join(chance.choices(ODD, k=chance.randrange(1, 12)))
    if is_name:
        return " ".join(text.split())
    return f"あ{text}い" if chance.random() < 0.8 else "あ"


def odd_question(chance: random.Random, number: int) -> Question:
    def some() -> range:
        return range(chance.choice([0, 0, 1, 3]))

    headings = tuple(f"節 {odd(chance, is_name=True)}".strip() for _ in some())
    return Question(
        id=f"{number} {odd(chance, is_name=True)}".strip(),
        text=odd(chance),
        reference=chance.choice(["", odd(chance)]),
        must_include=tuple(odd(chance) for _ in some()),
        gold=tuple(Gold(odd(chance), f"資料{number}", headings, chance.choice([0, 12])) for _ in some()),
        category=chance.choice(["", f"種{number}"]),
        group=chance.choice(["", f"群{number}"]),
        is_answerable=chance.random() < 0.5,
        origin=chance.choice(["", *question_rows.ORIGINS]),
    )


@pytest.mark.parametrize("seed", range(20))
def test_the_canonical_form_gives_the_same_questions_whatever_they_say(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    questions = tuple(odd_question(chance, number) for number in range(30))
    raw = question_files.to_lines(questions)
    assert question_files.from_lines(raw, "x") == questions
    (tmp_path / "q.jsonl").write_bytes(raw)
    found = question_files.read(tmp_path / "q.jsonl")
    assert (found.questions, found.skipped, found.renamed) == (questions, (), ())


# ------------------------------------------------------------------------ writing


EVIL = ("=1+1", "+81", "-cmd|' /C calc'!A0", "@SUM(A1)", "'=A1", "''＝A1", "＝1+1", "＋81", "－5", "＠SUM(A1)")


@pytest.mark.parametrize("suffix", question_files.WRITTEN)
def test_what_is_written_is_read_back(tmp_path: Path, suffix: str) -> None:
    formulas = [Question(f"e{n}", f"{text} とは", text, (text,), (Gold(text),)) for n, text in enumerate(EVIL)]
    signs = Question("s", "橋はどこか", must_include=("東、西", "[1]"), gold=(Gold("一行目\n二行目"),))
    questions = (FULL, BARE, signs, *formulas)
    question_files.write(tmp_path / f"q{suffix}", questions, permit=PERMIT)
    found = question_files.read(tmp_path / f"q{suffix}")
    assert found.questions == questions
    assert (found.skipped, found.columns.unused) == ((), ())


def test_what_a_question_does_not_have_is_an_empty_cell() -> None:
    written = [cell for cell in question_rows.cells(BARE) if cell != ""]
    assert written == [BARE.id, BARE.text, wording.phrase("evaluation.question_no")]


@pytest.mark.usefixtures("english")
def test_english_tables_are_read_back_too(tmp_path: Path) -> None:
    question_files.write(tmp_path / "q.csv", [FULL, BARE], permit=PERMIT)
    assert (tmp_path / "q.csv").read_text("utf-8-sig").startswith('"ID","Question","Reference answer"')
    assert question_files.read(tmp_path / "q.csv").questions == (FULL, BARE)


@pytest.mark.parametrize("language", wording.LANGUAGES)
def test_every_heading_that_is_written_is_known(language: str) -> None:
    wording.use_language(language)
    head = question_rows.table_head(2)
    wording.use_language("ja")
    found = question_rows.find_columns(head)
    assert tuple(found.fields) == (
        "id",
        "question",
        "reference",
        "must_include",
        "category",
        "group",
        "answerable",
        "origin",
    )
    assert [tuple(gold) for gold in found.golds] == [question_rows.PARTS] * 2
    assert found.unused == ()


def test_a_target_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    (tmp_path / "q.csv").touch()
    for name, code in (
        ("q.csv", "export_exists"),
        ("q.txt", "questions_out_format"),
        ("x/q.csv", "export_folder_gone"),
    ):
        with pytest.raises(AppError, match=code):
            question_files.check_target(tmp_path / name)


# ------------------------------------------------------------------------ refusing


@pytest.mark.parametrize(
    ("name", "raw", "code"),
    [
        ("q.csv", None, "question_file_missing"),
        ("q\0.csv", None, "question_file_missing"),
        ("あ" * 300 + ".csv", None, "table_unreadable"),
        ("q.txt", b"a", "batch_format"),
        ("q.csv", b"", "questions_table_unreadable"),
        ("q.jsonl", b"\n \n", "questions_unreadable"),
        ("q.csv", bytes(range(256)) * 9, "questions_no_text"),
        ("q.xlsx", b"PK\x03\x04", "table_unreadable"),
        ("q.xlsx", b"\xd0\xcf\x11\xe0", "table_locked"),
        ("q.csv", "氏名,年齢\n山田,30\n".encode(), "questions_table_unreadable"),
        ("q.csv", "質問,回答\n".encode(), "questions_table_unreadable"),
        ("q.csv", "質問\n".encode(), "questions_table_unreadable"),
        ("q.csv", b'"' + b"a" * 1_100_000, "table_unreadable"),
        ("q.json", b'{"question": "a', "data_not_json"),
        ("q.json", b'{"a": [{"question": "x"}], "b": [{"question": "y"}]}', "data_several_lists"),
    ],
)
def test_a_bad_file_is_one_error_with_a_next_step(tmp_path: Path, name: str, raw: bytes | None, code: str) -> None:
    if raw is not None:
        (tmp_path / name).write_bytes(raw)
    with pytest.raises(AppError, match=code) as raised:
        question_files.read(tmp_path / name)
    sentence = wording.describe_error(raised.value)
    assert sentence.next
    assert "?" not in sentence.message


def test_a_folder_and_a_table_without_questions_are_refused_the_latter_with_its_columns(tmp_path: Path) -> None:
    with pytest.raises(AppError, match="data_is_folder"):
        question_files.read(tmp_path)
    for head in (["氏名", "年齢"], ["氏名", "長い見出しなので、ふつうは見出しと見なされない列の名前"]):
        with pytest.raises(AppError) as raised:
            table(tmp_path, head, ["山田", "30"])
        assert "列：氏名" in wording.describe_error(raised.value).message


def test_every_field_of_a_passage_is_written() -> None:
    gold = Gold("引用", "文書", ("章",), 3)
    assert question_rows.as_object(Question("q", "質問", gold=(gold,)))["gold"] == [dataclasses.asdict(gold)]
