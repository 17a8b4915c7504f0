"""Questions and answers in a text are told apart however people mark them."""

from pathlib import Path

import pytest

from app.base.tables import column_mapping
from app.training.data import file_import, markdown_pairs
from app.training.data.rows import TrainingRow

KEY = ("門の鍵はどこですか。", "守衛室です。")
DESK = ("受付は何時までですか。", "17 時までです。")
PAIRS = [KEY, DESK]


def pairs(rows: list[TrainingRow]) -> list[tuple[str, str]]:
    return [(row.question, row.answer) for row in rows]


FORMS = {
    "Q and A": "Q: {0}\nA: {1}\n\n",
    "full width": "Ｑ１．{0}\nＡ１．{1}\n\n",
    "numbers": "Q1-2. {0}\n\nA1-2. {1}\n\n",
    "問 and 答": "問：{0}\n答：{1}\n\n",
    "質問 and 回答 in brackets": "【質問】{0}\n【回答】{1}\n\n",
    "brackets of full width": "［Q］{0}\n［A］{1}\n\n",
    "bold signs": "**Q.** {0}\n\n**A.** {1}\n\n",
    "bold questions": "**Q: {0}**\n\nA: {1}\n\n",
    "headings with a sign": "## Q: {0}\n\n{1}\n\n",
    "headings with a number": "### 問1　{0}\n\n{1}\n\n",
    "headings for both": "### 質問\n\n{0}\n\n### 回答\n\n{1}\n\n",
    "numbered headings and answers with a sign": "## Q1 {0}\n\nA1 {1}\n\n---\n\n",
    "lists": "- Q: {0}\n- A: {1}\n\n",
    "quotes": "> Q: {0}\n\nA: {1}\n\n",
    "headings that ask": "## {0}\n\n{1}\n\n",
    "numbered headings that ask": "### 1-2. {0}\n\n{1}\n\n",
    "bold lines that ask": "**{0}**\n\n{1}\n\n",
    "an answer below a blank line": "Q: {0}\n\n{1}\n\n",
    "Windows": "Q: {0}\r\nA: {1}\r\n\r\n",
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_every_form_gives_the_same_pairs(form: str) -> None:
    rows, bad = markdown_pairs.read_pairs("".join(form.format(*pair) for pair in PAIRS))
    assert (pairs(rows), bad) == (PAIRS, [])


def test_headings_above_are_the_group_and_lines_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "faq.md"
    path.write_text(
        "---\ntitle: FAQ\n---\n# 庁舎\n## 門\n### Q: 鍵は？\n守衛室です。\n## 窓口\n### Q: 受付は？\n17 時までです。\n",
        "utf-8",
    )
    found = file_import.import_file(path)
    assert [(row.line, row.group) for row in found.rows] == [(6, "庁舎 > 門"), (9, "庁舎 > 窓口")]
    assert (found.shape, found.mapping.as_dict(), found.bad_rows) == ("markdown", {}, ())


def test_one_title_above_all_is_no_group(tmp_path: Path) -> None:
    path = tmp_path / "faq.txt"
    path.write_text("# よくある質問\nQ: 鍵は？\nA: 守衛室です。\nQ: 受付は？\nA: 17 時までです。\n", "cp932")
    found = file_import.import_file(path)
    assert [row.group for row in found.rows] == ["", ""]
    assert found.encoding == "cp932"


def test_an_answer_keeps_its_paragraphs_lists_code_and_headings() -> None:
    code = "```\nQ: これは例です\n# 題\n```"
    answer = f"手順です。\n\n1. 開ける\n2. 閉める\n\n### 注意\n\nA. 門は重い。\n\n{code}\n\n以上です。"
    rows, bad = markdown_pairs.read_pairs(f"## Q: 門の開け方は？\n\n{answer}\n\n## Q: 次は？\n\nA: ありません。\n")
    assert (rows[0].answer.splitlines()[0], bad) == ("門は重い。", [])  # what has a sign is the answer
    rows, bad = markdown_pairs.read_pairs(f"## 門の開け方は？\n\n{answer}\n\n## 次は？\n\nA: ありません。\n")
    assert pairs(rows) == [("門の開け方は？", answer), ("次は？", "ありません。")]
    assert bad == []


def test_a_question_of_several_lines_ends_where_the_answer_begins() -> None:
    rows, _ = markdown_pairs.read_pairs("問：次のどれですか。\n\n- 門\n- 窓\n\n答：門です。\n")
    assert pairs(rows) == [("次のどれですか。\n\n- 門\n- 窓", "門です。")]


def test_what_belongs_to_nothing_and_what_is_empty_is_named() -> None:
    begin, middle = "# 題\n\nまえがきです。\n二行目です。\n\n", "Q: 鍵は？\n\nQ:\nA: 守衛室です。\n\n"
    rows, bad = markdown_pairs.read_pairs(f"{begin}{middle}Q: 受付は？\nA: 17 時です。\n\n## 付録\nあとがき\n")
    assert pairs(rows) == [("受付は？", "17 時です。")]
    assert [(row.line, row.code) for row in bad] == [(3, "outside"), (6, "empty_answer"), (8, "empty_question"),
                                                     (15, "outside")]  # fmt: skip


@pytest.mark.parametrize(
    "line",
    [
        "Q&A 集",
        "質問です。",
        "A 社は門です。",
        "問い合わせ先：庁舎",
        "A4判の紙",
        "Question time",
        "回答者：山田",
        "Q.E.D.",
        "答えは門です。",
        "「回答」は次のとおり。",
    ],
)
def test_a_word_that_only_begins_like_a_sign_is_none(line: str) -> None:
    rows, bad = markdown_pairs.read_pairs(f"{line}\n")
    assert rows == []
    assert [row.code for row in bad] == ["outside"]


@pytest.mark.parametrize(
    "line",
    ["*" * 100_000, "# " + "#" * 100_000 + "x", "> " * 50_000, "- " * 50_000, "| " * 50_000, "**a" + "** " * 50_000,
     "?" + " " * 100_000 + "x", "<!--" + "--> " * 50_000 + "x", "| " + "-" * 100_000 + "x", "(" * 100_000],
    ids=lambda line: line[:6],
)  # fmt: skip
def test_long_lines_of_signs_hold_nothing_up(line: str) -> None:
    rows, bad = markdown_pairs.read_pairs(f"{line}\nQ: 鍵は？\nA: {line}守衛室です。\n# {line}\n")
    markdown_pairs.read_table(line)
    assert len(rows) + len(bad) >= 1
    assert column_mapping.normalize_name(line) == column_mapping.normalize_name(line[:100])


def test_tildes_and_unclosed_code_hold_nothing_up() -> None:
    rows, _ = markdown_pairs.read_pairs("Q: 例は？\nA: 次です。\n~~~\nQ: これは例です\n```\nA: 例\n")
    assert pairs(rows) == [("例は？", "次です。\n~~~\nQ: これは例です\n```\nA: 例")]
