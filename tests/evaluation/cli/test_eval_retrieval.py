"""`kotae eval retrieval`: figures for one's own questions, and bad files in words."""

import dataclasses
import json
import re
from pathlib import Path

import pytest

from app.base.paths import Paths
from app.cli import main
from app.documents.library import Library
from app.documents.records import Section
from app.evaluation import question_files, question_sets


@pytest.fixture
def data(tmp_path: Path) -> Path:
    library = Library.open(tmp_path / "documents.sqlite")
    (document_id,) = library.add_documents(library.add_collection("基準"), [Path("/a.md")])
    document = library.document(document_id)
    assert document is not None
    sections = [Section((f"第{at}章 章{at}",), f"装置{at}の点検は{at + 1}年に1回行う。") for at in range(60)]
    library.put(dataclasses.replace(document, state="done"), sections)
    library.close()
    return tmp_path


def run(data: Path, *arguments: str) -> int:
    return main(["--data-dir", str(data), "--json", "eval", "retrieval", *arguments], lambda *_: 0)


def test_recall_and_abstention_are_reported(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        {"id": "a", "type": "number", "question": "装置7は何年に1回", "gold": [{"quote": "装置7の点検は8年に1回"}]},
        {"id": "b", "type": "lookup", "question": "装置8の点検", "gold": [{"quote": "この文はどこにもない文である。"}]},
        {"id": "c", "question": "火星の大気圧はいくらか", "answerable": False},
    ]  # fmt: skip
    file = data / "questions.jsonl"
    file.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), "utf-8")
    assert run(data, str(file), "--collection", "基準", "--misses") == 0
    figures = json.loads(capsys.readouterr().out)
    question_sets.store(Paths(data).questions, "点検", question_files.read(file).questions)
    assert run(data, "点検@1", "--collection", "基準", "--misses") == 0
    kept = json.loads(capsys.readouterr().out)  # the same of a kept set by its name
    assert [kept[key] for key in ("questions", "recall_at_1", "mrr", "misses")] == [
        figures[key] for key in ("questions", "recall_at_1", "mrr", "misses")
    ]
    assert (figures["questions"], figures["recall_at_1"], figures["recall_at_20"], figures["mrr"]) == (2, 0.5, 0.5, 0.5)
    assert figures["by_type"]["number"]["recall_at_1"] == 1.0
    assert figures["abstained"]["of_unanswerable"] == [1, 1]
    assert [miss["id"] for miss in figures["misses"]] == ["b"]


@pytest.mark.parametrize("written", ["", '{"question": "a", "gold": [{}]}'])
def test_a_file_that_is_no_list_of_questions_is_refused_in_words(
    data: Path, written: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = data / "質問.jsonl"
    file.write_text(written, "utf-8")
    assert run(data, str(file), "--collection", "基準") == 3
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["code"] == "questions_unreadable"
    reason = error["message"].removeprefix(f"質問のファイル {file} を読めません")
    assert not re.search("[a-z]{3}", reason), reason  # said in Japanese
    assert "quote" in error["next"]


def test_rows_that_are_no_question_are_told_and_the_others_asked(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = data / "questions.jsonl"
    file.write_text(
        '{"question": "装置7", "gold": [{}]}\n{"question": "装置8の点検", "gold": ["装置8の点検"]}', "utf-8"
    )
    assert run(data, str(file), "--collection", "基準") == 0
    said = capsys.readouterr()
    assert "1 行目は質問にできません：根拠の文がありません" in said.err
    assert json.loads(said.out)["questions"] == 1


def test_a_question_without_a_quote_is_none_that_has_no_answer(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = data / "questions.jsonl"
    file.write_text('{"question": "装置7は何年に1回"}', "utf-8")
    assert run(data, str(file), "--collection", "基準") == 0
    figures = json.loads(capsys.readouterr().out)
    assert (figures["questions"], figures["recall_at_1"], figures["mrr"]) == (0, None, None)
    assert figures["abstained"] == {"of_answerable": [0, 1], "of_unanswerable": [0, 0]}
    assert main(["--data-dir", str(data), "eval", "retrieval", str(file), "--collection", "基準"], lambda *_: 0) == 0
    assert "@1 -" in capsys.readouterr().out


def test_an_unknown_collection_or_file_is_refused(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = data / "questions.jsonl"
    file.write_text('{"question": "装置7", "gold": []}', "utf-8")
    assert run(data, str(file), "--collection", "別") == 3
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "unknown_collection"
    assert run(data, str(data / "missing.jsonl"), "--collection", "基準") == 3
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "question_file_missing"
