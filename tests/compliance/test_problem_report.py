"""A report on a problem tells of the program and nothing of its user."""

import json
import logging
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from app.base import settings, wording
from app.base.paths import Paths
from app.base.settings import Settings
from app.chat.records import AnswerDetails
from app.chat.store import Store
from app.compliance import components, problem_report
from app.documents.library import Library
from app.inference.local_model import LocalModel, RemoteModel
from app.models import model_registry

NOW = 1_795_000_000.0
CANARY = "bluebird"  # in all that is the user's, in letters that no other rule takes out
QUESTION = f"What is the {CANARY} clearance of pier 7?"


@pytest.fixture
def filled(where: Paths, store: Store, tmp_path: Path) -> Paths:
    """A conversation, a document, a collection and a model, each called after the canary."""
    question = store.add_question(QUESTION)
    answer = store.add_answer(question.id, AnswerDetails())
    store.finish_answer(answer.id, f"It is {CANARY} metres.", "done", AnswerDetails())
    path = str(tmp_path / f"{CANARY} model.gguf")
    store.put_local_model(LocalModel("m", f"{CANARY} model", path, 1, "llama", "Q4_K_M", 4096, 1.0))
    library = Library.open(where.documents)
    collection = library.add_collection(f"{CANARY} standards")
    library.add_documents(collection, [tmp_path / "files" / f"{CANARY} drawing.pdf"])
    library.close()
    return where


def composed(where: Paths) -> str:
    return problem_report.compose(where, NOW, {"Qt": "6.11.0", "PySide6": "6.11.1"}, {"standard"})


def logged(where: Paths, *lines: str) -> str:
    (where.logs / "kotae.log").write_text("\n".join(lines), "utf-8")
    return composed(where).partition("kotae.log")[2]


def test_it_tells_of_program_machine_settings_data_and_starts(where: Paths) -> None:
    text = composed(where)
    for word in (
        "Kotae",
        "Python",
        "Qt: 6.11.0",
        "PySide6: 6.11.1",
        "開発版",
        "メモリ",
        "text_scale_percent: 100",
        "kotae.sqlite",
        "state",
    ):
        assert word in text
    assert text.startswith("Kotae 0.1.0 の報告\n")
    assert text.endswith("\n")


def test_versions_come_from_the_list_of_parts_where_no_distribution_tells_them() -> None:
    """As in a bundle; no distribution is called after Qt or a font."""
    parts = components.load()
    for name in ("llama.cpp", "BIZ UDPGothic"):
        part = components.find(parts, name)
        assert part is not None
        assert problem_report._version(name) == part.version
    assert problem_report._version("no part of Kotae") == "-"
    for name in problem_report._LIBRARIES:
        assert problem_report._version(name)[0].isdigit()


def test_the_journal_mode_of_each_database_is_told(filled: Paths) -> None:
    said = composed(filled)
    for file in (filled.database, filled.documents):
        assert re.search(rf"^{file.name}: .*, journal_mode=wal$", said, re.MULTILINE)


def test_a_database_without_a_write_ahead_log_is_told_from_one_and_from_no_database(where: Paths) -> None:
    with closing(sqlite3.connect(where.database)) as db:
        db.execute("CREATE TABLE conversation (subject TEXT)")
    assert "journal_mode=delete\n" in composed(where)
    where.database.write_bytes(b"not a database" * 100)
    assert "journal_mode=?\n" in composed(where)
    where.database.unlink()
    assert composed(where).count("journal_mode=-\n") == 2


def test_in_english_no_japanese_is_left(where: Paths) -> None:
    wording.use_language("en")
    assert composed(where).isascii()


def test_nothing_of_a_conversation_a_document_or_a_model_is_in_it(filled: Paths, tmp_path: Path) -> None:
    """Also where each log, and each setting, holds all of it."""
    told = [
        QUESTION,
        f"2026-11-26 18:00:00,000 WARNING no room for {CANARY} drawing.pdf in {CANARY} standards",
        f"2026-11-26 18:00:00,000 WARNING file_missing: {{'path': '{tmp_path}/files/{CANARY} drawing.pdf'}}",
        f"2026-11-26 18:00:00,000 ERROR engine: cannot open {tmp_path}/{CANARY} model.gguf (it is gone)",
        f"ValueError: {QUESTION}",
        f"the {CANARY} in a second line of a message",
        f"llama_model_loader: - kv   1: general.name str = {CANARY}",
        f"llama_model_loader: loaded meta data from {tmp_path}/{CANARY} model.gguf (version GGUF V3)",
        f"https://hub.example/{CANARY}/model",
        f"{CANARY} standards",
    ]
    for name, has_tracebacks in problem_report.LOGS:
        lines = [line for line in told if has_tracebacks or " in a second line " not in line]
        (filled.logs / name).write_text("\n".join(lines), "utf-8")
    for name in ("documents.log", "documents-pages.log", "build-trial.log"):
        (filled.logs / name).write_text(QUESTION, "utf-8")
    chosen = Settings(
        model_id=CANARY, scope=(CANARY,), preset_id=CANARY, models_folder=f"/{CANARY}", training_folder=f"/{CANARY}",
        hub_endpoint=f"https://{CANARY}.example", proxy=f"http://{CANARY}.example:8080",
    )  # fmt: skip
    settings.save(filled.settings, chosen)
    text = composed(filled)
    assert CANARY not in text.lower()
    assert "pier 7" not in text
    assert "hub.example" not in text
    assert str(tmp_path) not in text
    for field in ("model_id", "scope", "models_folder", "hub_endpoint", "proxy"):
        assert f"{field}: 設定あり" in text


def test_japanese_in_a_log_is_taken_out_whatever_it_says(where: Paths) -> None:
    said = logged(where, "2026-11-26 18:00:00,000 ERROR cannot read 橋脚の図面.pdf at 3")
    assert "橋脚" not in said
    assert "ERROR cannot read" in said
    assert "at 3" in said


def test_a_traceback_keeps_its_frames_and_its_kind_but_no_message(where: Paths) -> None:
    def fail() -> None:
        raise KeyError("a secret word")

    logger, file = logging.Logger("x"), where.logs / "kotae.log"
    handler = logging.FileHandler(file, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger.addHandler(handler)
    try:
        fail()
    except KeyError:
        logger.exception("bug")
    handler.close()
    said = composed(where)
    assert "a secret word" not in said.replace('raise KeyError("a secret word")', "")  # that is our own code
    assert "ERROR bug" in said
    assert "Traceback (most recent call last)" in said
    assert 'File "<Kotae>/tests/compliance/test_problem_report.py", line' in said
    assert "\nKeyError\n" in said


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("WARNING refused: {'code': 'x', 'name': 'my plan', 'reason': 'No space left'}", "'reason': 'No space left'"),
        ("WARNING at C:\\Users\\taro\\plan.docx", "WARNING at <path>"),
        ("WARNING '\\\\\\\\server\\\\share\\\\plan.docx' is gone", "'<path>' is gone"),
        ("WARNING ~/plans/secret plan.txt is gone", "WARNING <path>"),
        ("INFO read 12 tok/s and/or 3 / 4", "INFO read 12 tok/s and/or 3 / 4"),
        ("INFO asked http://192.168.1.20:8080/v1?key=1", "INFO asked <address>"),
        ("INFO taro@server.jp, 192.168.1.20:8080 and hf_tarotaro", "INFO <address>, <address>:8080 and <address>"),
        ("INFO torch 2.13.0 on 6.11.3", "INFO torch 2.13.0 on 6.11.3"),
        ("WARNING '/home/taro's/my plan.gguf' is gone", "'<path>.gguf' is gone"),
        ('WARNING cannot open "/home/taro/my plan', 'WARNING cannot open "<path>'),
        ("WARNING x: {'names': ['my plan', 'taro'], 'state': 'new'}", "{'names': '<…>', 'state': 'new'}"),
        ("WARNING x: {'name': 'taro\\'s \"my plan\"', 'state': 'new'}", "{'name': '<…>', 'state': 'new'}"),
    ],
)
def test_places_lose_their_names_and_the_rest_stays(where: Paths, line: str, kept: str) -> None:
    said = logged(where, f"2026-11-26 18:00:00,000 {line}")
    assert kept in said
    for word in ("taro", "server", "plan.", "my plan", "192.168", "key="):
        assert word not in said


def test_the_data_folder_and_the_user_are_not_named(where: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "yamada_taro")
    said = logged(where, f"2026-11-26 18:00:00,000 INFO backup: {where.backups}/x.sqlite of yamada_taro")
    assert "yamada_taro" not in said
    assert str(where.data) not in said


def test_a_folder_whose_name_begins_like_a_known_one_is_not_named(
    where: Paths, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "ken"))
    for folder in (f"{where.data}-bluebird", f"{where.data} bluebird", tmp_path / "kenbluebird"):
        said = logged(where, f"2026-11-26 18:00:00,000 WARNING no room in {folder}/models")
        assert "bluebird" not in said
        assert "no room in <path>" in said


def test_the_user_and_the_machine_are_found_within_longer_words(where: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "yamada")
    monkeypatch.setattr(problem_report.platform, "node", lambda: "pc-7")
    said = logged(where, "2026-11-26 18:00:00,000 INFO Yamada_plans on PC-7.example.jp and yamadas")
    assert "INFO <user> on <user> and yamadas" in said


def test_servers_of_the_user_are_not_named(where: Paths, store: Store) -> None:
    remote = RemoteModel("http://llm.bluebird.example:8080", "bluebird-30b")
    model_registry.put_remote_model(store, model_registry.describe_remote_model("Bluebird", remote))
    settings.save(where.settings, Settings(proxy="http://proxy.bluebird.example:3128"))
    said = logged(
        where, "2026-11-26 18:00:00,000 INFO llm.bluebird.example has bluebird-30b, proxy.bluebird.example has none"
    )
    assert "bluebird" not in said
    assert "INFO <…> has <…>, <…> has none" in said


def test_an_error_of_a_child_and_what_looks_like_code_in_a_message_are_not_told(where: Paths) -> None:
    trace = f'Traceback (most recent call last):\n  File "app/x.py", line 1, in f\n    f()\nValueError: {QUESTION}\n'
    for name in ("kotae.log", "engine.log"):
        (where.logs / name).write_text(trace, "utf-8")
    (where.logs / "kotae.log").write_text(f"{trace}    {QUESTION}\n", "utf-8")
    said = composed(where)
    assert CANARY not in said
    assert said.count("\n    f()\nValueError\n") == 2


def test_of_a_line_that_is_cut_at_its_beginning_nothing_is_told(where: Paths) -> None:
    line = f"cannot open /home/taro/{'my plan' * problem_report.TAIL_BYTES}"
    (where.logs / "engine.log").write_text(f"{line}\nthe end\n", "utf-8")
    said = composed(where)
    assert "my plan" not in said
    assert "the end" in said


@pytest.mark.parametrize("content", [b"", b"not a database" * 100, None])
def test_a_damaged_or_missing_database_does_not_keep_a_report_from_being_made(
    where: Paths, content: bytes | None
) -> None:
    for file in (where.database, where.documents):
        if content is not None:
            file.write_bytes(content)
    (where.settings).write_bytes(b"{")
    assert "kotae.sqlite" in composed(where)


def test_a_report_changes_nothing(filled: Paths) -> None:
    before = {path: path.stat().st_mtime_ns for path in filled.data.rglob("*") if path.is_file()}
    composed(filled)
    after = {path: path.stat().st_mtime_ns for path in before}
    assert after == before


def test_of_a_long_log_the_end_is_told(where: Paths) -> None:
    said = logged(where, *(f"2026-11-26 18:00:00,000 INFO number {n}." for n in range(10_000)))
    assert "number 9999." in said
    assert "number 9000." not in said
    assert len(said) < problem_report.TAIL_BYTES + 2000


def test_names_of_two_letters_are_not_looked_for(where: Paths, store: Store) -> None:
    store.add_question("of")
    store.add_question("nebula")
    assert problem_report.find_user_names(where) == ["nebula"]


def test_a_database_of_another_version_gives_no_names_and_no_error(where: Paths) -> None:
    with sqlite3.connect(where.database) as db:
        db.execute("CREATE TABLE conversation (subject TEXT)")
    db.close()
    assert problem_report.find_user_names(where) == []


def test_it_is_saved_as_it_was_shown(where: Paths, tmp_path: Path) -> None:
    text = composed(where) + json.dumps("\ud800")
    target = tmp_path / problem_report.file_name(NOW)
    problem_report.save(text, target)
    assert target.read_text("utf-8") == text
    assert target.name.startswith("kotae-report-2026")
