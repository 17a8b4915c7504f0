"""What is said to the program stays in its databases: after each flow the whole home and temporary files are searched.

A sentence that nobody has said before is asked, typed, read, exported, evaluated, crashed on and deleted; afterwards it
is found where it must be and nowhere else, however it may be written there; and where it was erased, nowhere at all.
"""

import json
import resource
from collections.abc import Sequence
from pathlib import Path

import openpyxl
import pytest
from docx import Document

from tests.documents.reading.pdf_maker import Pdf, text
from tests.faults.canary_home import Home, holds, new_sentence, spellings
from tests.faults.ledger import Tally
from tests.faults.window_process import wait_until

pytestmark = pytest.mark.fault("S12")
SLOW = pytest.mark.slow  # what differs little from what is in each run


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def is_only_in_databases(home: Home, tally: Tally, *allowed: Path) -> None:
    """`allowed`: files and folders besides that the user has asked for."""
    astray = home.astray(*allowed)
    tally.tried(1)
    tally.leaked(len(astray))
    assert astray == []


def is_nowhere(home: Home, tally: Tally) -> None:
    found = home.holders()
    tally.tried(1)
    tally.leaked(len(found))
    assert found == []


# ---------------------------------------------------------------------------------------- the search itself


def test_the_search_finds_the_sentence_however_it_is_written(home: Home, tally: Tally) -> None:
    tally.tried(0)
    left = home.folder / "tmp" / "left"
    for spelling, written in spellings(home.sentence).items():
        left.write_bytes(b"\x00\x81" * 9 + written + b"\xff")
        assert home.holders() == [left], spelling


def test_the_search_looks_into_archives_and_at_names(home: Home, tally: Tally) -> None:
    tally.tried(0)
    document = Document()
    document.add_paragraph(home.sentence)
    document.save(str(home.work / "a.docx"))
    (home.folder / "tmp" / f"{home.sentence}.txt").touch()
    assert len(home.holders()) == 2
    assert holds((home.work / "a.docx").read_bytes(), new_sentence()) == []


# ------------------------------------------------------------------------------------------------- conversations


def test_a_question_and_its_answer(home: Home, tally: Tally) -> None:
    with home.window(KOTAE_ENGINE=None) as window:
        window.tell("answer_by", {"max_tokens": 8})
        assert window.ask(home.sentence)["status"] == "done"
    assert home.is_in([home.where.database])
    is_only_in_databases(home, tally)


def test_a_question_whose_window_was_killed_while_it_answered(home: Home, tally: Tally) -> None:
    with home.window() as window:
        window.tell("ask", f"!slow {home.sentence}" + "。" * 40)
        window.wait_for("first_text")
        window.kill()
        assert wait_until(lambda: not window.orphans())
    assert home.is_in([home.where.database])
    is_only_in_databases(home, tally)


def test_a_question_at_which_the_engine_talked_nonsense_and_crashed(home: Home, tally: Tally) -> None:
    """A crash dump would hold it, and the folder it would be written to is searched."""
    before = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (before[1], before[1]))
    try:
        with home.window() as window:
            assert window.ask(f"{home.sentence} !garbage")["status"] == "failed"
            assert window.ask(f"{home.sentence} !crash")["status"] == "failed"
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, before)
    assert home.is_in([home.where.database])
    is_only_in_databases(home, tally)
    assert list(home.work.iterdir()) == []


def test_a_question_that_was_changed_and_answered_again(home: Home, tally: Tally) -> None:
    with home.window() as window:
        window.ask(home.sentence)
        window.wait_for("finished", window.tell("edit", "別の質問"))
    assert home.is_in([home.where.database])
    is_only_in_databases(home, tally)


def test_what_was_typed_and_never_sent(home: Home, tally: Tally) -> None:
    with home.window() as window:
        window.tell("type", home.sentence)
        window.wait_for("draft", text=home.sentence)
        window.kill()
    assert home.is_in([home.where.database])
    is_only_in_databases(home, tally)


@pytest.mark.parametrize("is_killed", [False, True], ids=["closed", "killed"])
def test_a_temporary_conversation_leaves_nothing_at_all(home: Home, tally: Tally, is_killed: bool) -> None:
    with home.window() as window:
        window.tell("temporary")
        window.wait_for("answered", window.tell("ask", home.sentence))
        if is_killed:
            window.kill()
    is_nowhere(home, tally)


def test_a_conversation_that_was_deleted_for_good_leaves_nothing_at_all(home: Home, tally: Tally) -> None:
    """Neither in the database's free pages, nor in its log, nor in the index."""
    with home.window() as window:
        window.wait_for("finished", window.tell("ask", home.sentence))
        window.wait_for("erased", window.tell("erase_all"))
    is_nowhere(home, tally)


def test_a_conversation_in_a_backup_is_only_there(home: Home, tally: Tally) -> None:
    with home.window() as window:
        window.ask(home.sentence)
    for backup in home.where.backups.glob("*.sqlite"):
        backup.unlink()
    with home.window(KOTAE_TEST_HOUSEKEEPING_MS="0"):  # makes one, since there is none of today
        assert wait_until(lambda: any(home.where.backups.glob("*.sqlite")))
    assert home.is_in(list(home.where.backups.glob("*.sqlite")))
    is_only_in_databases(home, tally)


# ---------------------------------------------------------------------------------------------------- command line


def test_what_the_command_line_is_asked(home: Home, tally: Tally) -> None:
    home.kotae("ask", home.sentence, "--max-tokens", "8", KOTAE_ENGINE=None)
    is_nowhere(home, tally)


def test_what_the_command_line_could_not_answer(home: Home, tally: Tally) -> None:
    home.kotae("ask", f"{home.sentence} !crash", status=3)
    is_nowhere(home, tally)


def test_a_file_of_questions_and_its_answers_that_the_user_deletes(home: Home, tally: Tally) -> None:
    questions, answers = home.write("質問.csv", f"質問\n{home.sentence}\n"), home.work / "回答.xlsx"
    home.kotae("ask", "--batch", questions, "--out", answers)
    assert home.is_in([answers])
    for path in (questions, answers):
        path.unlink()
    is_nowhere(home, tally)


@pytest.mark.parametrize("form", ["docx", pytest.param("markdown", marks=SLOW)])
def test_exports_that_the_user_deletes_and_an_import(home: Home, tally: Tally, form: str) -> None:
    with home.window() as window:
        window.ask(home.sentence)
    file, folder = home.work / "会話.json", home.work / "会話"
    folder.mkdir()
    home.kotae("chats", "export", "--to", file)
    home.kotae("chats", "export", "--format", form, "--to", folder)
    other = home.folder / "home" / "別のデータ"
    home.kotae("chats", "import", file, data=other)
    written = [file, *(path for path in folder.rglob("*") if path.is_file())]
    for path in written:
        assert home.is_in([path])
        path.unlink()
    assert home.is_in([other / "kotae.sqlite"])
    is_only_in_databases(home, tally, *other.glob("kotae.sqlite*"))
    tally.tried(len(written))


# ------------------------------------------------------------------------------------------------------- documents


def document(home: Home, kind: str) -> Path:
    path = home.work / f"資料.{kind}"
    match kind:
        case "docx":
            made = Document()
            made.add_paragraph(home.sentence)
            made.save(str(path))
        case "xlsx":
            book = openpyxl.Workbook()
            book.active["A1"] = home.sentence
            book.save(path)
        case "pdf":
            pdf = Pdf()
            pdf.page(text(60, 700, home.sentence))
            path.write_bytes(pdf.bytes())
        case _:
            path.write_text(f"名称,備考\n一つ目,{home.sentence}\n", "cp932" if kind == "csv" else "utf-8")
    return path


@pytest.mark.parametrize(
    "kinds", [("csv", "docx", "pdf"), pytest.param(("txt", "xlsx", "html"), marks=SLOW)], ids="-".join
)
def test_documents_that_were_read(home: Home, tally: Tally, kinds: Sequence[str]) -> None:
    paths = [document(home, kind) for kind in kinds]
    home.kotae("docs", "add", "基準", *paths)  # all of them, else its status is 1
    assert home.sentence in home.kotae("docs", "search", "基準", home.sentence[4:10])
    for path in paths:
        path.unlink()
    assert home.is_in([home.where.documents])
    is_only_in_databases(home, tally)
    tally.tried(len(kinds) - 1)


def test_a_document_that_was_read_and_removed(home: Home, tally: Tally) -> None:
    path = document(home, "txt")
    home.kotae("docs", "add", "基準", path)
    home.kotae("docs", "remove", "基準")
    path.unlink()
    is_nowhere(home, tally)


def test_a_document_at_which_the_reading_breaks_off(home: Home, tally: Tally) -> None:
    path = document(home, "pdf")
    path.write_bytes(path.read_bytes()[:-200])
    home.kotae("docs", "add", "基準", path, status=1)
    path.unlink()
    is_only_in_databases(home, tally)


def test_what_is_looked_for_in_documents(home: Home, tally: Tally) -> None:
    path = home.write("資料.txt", "橋脚のかぶりは 70 mm とする。\n")
    home.kotae("docs", "add", "基準", path)
    home.kotae("docs", "search", "基準", home.sentence)
    is_nowhere(home, tally)


def test_an_answer_from_documents(home: Home, tally: Tally) -> None:
    path = document(home, "txt")
    home.kotae("docs", "add", "基準", path)
    assert home.sentence in home.kotae("ask", home.sentence, "--collection", "基準")
    path.unlink()
    is_only_in_databases(home, tally)


# --------------------------------------------------------------------------------------- training data, evaluation


def rows(home: Home) -> Path:
    pairs = [(f"{home.sentence} {number}", f"答え {number * 7919} です。") for number in range(60)]
    lines = [json.dumps({"question": question, "answer": answer}, ensure_ascii=False) for question, answer in pairs]
    return home.write("組.jsonl", "\n".join(lines))


def test_training_data_that_is_checked(home: Home, tally: Tally) -> None:
    file, report = rows(home), home.work / "検査.csv"
    home.kotae("data", "check", file, "--out", report)
    file.unlink()
    report.unlink()
    is_nowhere(home, tally)


def test_training_data_that_is_split(home: Home, tally: Tally) -> None:
    file, folder = rows(home), home.work / "分割"
    home.kotae("data", "split", file, "--out", folder)
    file.unlink()
    is_only_in_databases(home, tally, folder)
    assert any(folder.iterdir())


def test_a_set_of_questions(home: Home, tally: Tally) -> None:
    file = rows(home)
    home.kotae("eval", "sets", "add", "点検", file)
    file.unlink()
    assert any(path.is_relative_to(home.where.questions) for path in home.holders())
    is_only_in_databases(home, tally, home.where.questions)


def test_an_evaluation(home: Home, tally: Tally) -> None:
    """What it asks and hears lies in its folder, which the page 評価 shows and deletes."""
    file = rows(home)
    home.kotae("eval", "questions", file, "--model", "tiny", "--limit", "2", "--max-tokens", "8")
    file.unlink()
    assert any(path.is_relative_to(home.where.evaluations) for path in home.holders())
    is_only_in_databases(home, tally, home.where.evaluations)
