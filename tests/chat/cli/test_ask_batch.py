"""`kotae ask --batch`: with the trial model, and whole processes with a fake engine killed and interrupted."""

import contextlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from app.base import paths
from app.chat.batch.journal import journal_path
from app.chat.store import Store
from app.inference.local_model import LocalModel
from app.models import local_models, starter
from app.training.runs import lineage
from tests.base.cli.processes import Start, programs
from tests.chat.cli.conftest import COVER, QUESTION

Run = Callable[..., tuple[int, dict[str, Any], str]]
COUNT = 5
LIMIT_S = 240

needs_trial = pytest.mark.skipif(not starter.is_available(), reason="the starter's package is not installed")


@pytest.fixture
def start(tmp_path: Path, model: LocalModel) -> Iterator[Start]:
    """Starts `kotae ask ARGUMENTS` with the fake engine, which takes some tenths of a second for each answer."""
    where = paths.locate(str(tmp_path / "データ"))
    with contextlib.closing(Store.open(where.database, where.backups)) as store:
        store.put_local_model(model)
    with programs(where.data) as begin:
        yield lambda *arguments: begin("ask", *map(str, arguments), variables={"KOTAE_ENGINE": "echo"})


@pytest.fixture
def beside(run_at: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `kotae ask ARGUMENTS --json` with the fake engine on the same data folder in this process."""
    monkeypatch.setenv("KOTAE_ENGINE", "echo")

    def run(*arguments: object) -> tuple[int, dict[str, Any], str]:
        status, said, told = run_at("データ", "ask", *arguments, "--json")
        return status, json.loads(said), told

    return run


def refused(done: tuple[int, dict[str, Any], str]) -> tuple[int, str]:
    """Exit status and code of the error."""
    status, said, _ = done
    return status, said["error"]["code"]


def text_of(process: "subprocess.Popen[str]") -> tuple[int, str]:
    """Exit status and what stood on stderr."""
    _, told = process.communicate(timeout=LIMIT_S)
    assert "Traceback" not in told
    return process.returncode, told


def write_questions(path: Path, count: int = COUNT, text: str = "!slow{}") -> Path:
    lines = [json.dumps({"id": n, "question": text.format(n)}) for n in range(count)]
    path.write_text("\n".join(lines), "utf-8")
    return path


def journal_lines(out: Path) -> list[dict[str, Any]]:
    path = journal_path(out)
    raw = path.read_bytes() if path.exists() else b""
    lines = raw[: raw.rfind(b"\n") + 1].splitlines()
    return [json.loads(line.partition(b"\t")[0]) for line in lines][1:]


def wait_for(out: Path, count: int, process: "subprocess.Popen[str]") -> None:
    until = time.monotonic() + 120
    while len(journal_lines(out)) < count:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.02)


def answers(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.read_text("utf-8").splitlines()]


# -------------------------------------------------------------- the trial model


@pytest.mark.model
@needs_trial
def test_a_workbook_is_answered_with_its_sources_and_a_second_run_is_refused(ask_json, tmp_path):
    book = openpyxl.Workbook()
    for row in (["番号", "質問"], [1, QUESTION], [2, None], [3, "航空法で定めるポンプの飛行高度の上限は？"]):
        book.active.append(row)
    book.save(tmp_path / "質問.xlsx")
    out = tmp_path / "回答.xlsx"
    command = ("--batch", tmp_path / "質問.xlsx", "--out", out, "--collection", "基準")
    status, result, told = ask_json(*command)
    assert status == 1, told  # one row has no answer
    assert (result["answered"], result["not_found"], result["failed"]) == (2, 1, 0)
    assert result["skipped"] == [{"line": 3, "reason": "empty"}]
    assert "質問 2 件（列 B「質問」" in told
    assert "3 行目は質問にできません：質問が空です" in told
    rows = list(openpyxl.load_workbook(out)["回答"].iter_rows(values_only=True))
    assert [row[0] for row in rows] == ["行", 2, 3, 4]
    assert rows[1][3:5] == ("回答", f"「{COVER}」[1]")
    assert "2.2 鉄筋のかぶり（標準）　p.14" in str(rows[1][6])
    assert [row[3] for row in rows[2:]] == ["質問ではありません", "資料にありません"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["回答.xlsx", "質問.xlsx"]
    before = out.read_bytes()
    assert refused(ask_json(*command)) == (3, "export_exists")
    assert out.read_bytes() == before


@pytest.mark.model
@needs_trial
def test_confidential_documents_are_answered_from_with_a_yes_only_and_it_is_put_on_record(
    ask_json, trial_data, tmp_path
):
    path, out, log = tmp_path / "q.csv", tmp_path / "a.jsonl", trial_data / "exports.log"
    path.write_text(f"質問\n{QUESTION}\n", "utf-8")
    command = ("--batch", path, "--out", out, "--collection", "内規")
    assert refused(ask_json(*command)) == (3, "secret_export")
    assert not any(file.exists() for file in (out, journal_path(out), log))
    status, said, _ = ask_json(*command, "--allow-secret")
    assert (status, said["label"], answers(out)[0]["label"]) == (0, "secret", "secret")
    before = log.read_text("utf-8")
    (noted,) = [json.loads(line) for line in before.splitlines()]
    assert (noted["what"], noted["label"], noted["target"]) == ("answers", "secret", str(out))
    assert "かぶり" not in before
    assert refused(ask_json(*command, "--allow-secret")) == (3, "export_exists")
    assert log.read_text("utf-8") == before  # what was refused has not left


@pytest.mark.model
@needs_trial
@pytest.mark.fault("S16")
@pytest.mark.parametrize("by", ["the model", "an adapter"])
def test_a_model_or_adapter_that_was_trained_on_confidential_rows_answers_with_a_yes_only(
    ask_json, trial_data, tmp_path, by
):
    path, out = write_questions(tmp_path / "q.jsonl", 1), tmp_path / "a.jsonl"
    with contextlib.closing(Store.open(paths.locate(str(trial_data)).database, None)) as store:
        model = next(one for one in store.local_models() if not local_models.is_embedding_model(one))
    adapter = tmp_path / "社内.gguf"
    adapter.write_bytes(Path(local_models.adapter_of(model).path).read_bytes())
    note = (Path(model.path) if by == "the model" else adapter).with_suffix(f".{lineage.LINEAGE_FILE}")
    note.write_text(json.dumps({"label": "secret"}), "utf-8")
    try:
        found = refused(ask_json("--batch", path, "--out", out, "--adapter", adapter))
    finally:
        note.unlink()
    assert found == (3, "secret_export")
    assert not journal_path(out).exists()


# -------------------------------------------------------------- the fake engine


def test_killed_again_and_again_it_goes_on_and_asks_nothing_twice(start, beside, tmp_path):
    out = tmp_path / "a.jsonl"
    command = ("--batch", write_questions(tmp_path / "q.jsonl"), "--out", out)
    kept: list[dict[str, Any]] = []
    for count in (1, 3):
        process = start(*command)
        wait_for(out, count, process)
        process.kill()
        process.communicate()
        lines = journal_lines(out)
        assert lines[: len(kept)] == kept  # what was answered is as it was
        kept = lines
        assert not out.exists()
    status, _, told = beside(*command)
    assert status == 0, told
    assert f"続きから始めます（{len(kept)}／{COUNT} 件は回答済み）。" in told
    found = answers(out)
    assert [(one["line"], one["answer"], one["verdict"]) for one in found] == [
        (n + 1, f"!slow{n}", "answered") for n in range(COUNT)
    ]
    assert not journal_path(out).exists()


@pytest.mark.skipif(sys.platform == "win32", reason="a console event goes to the whole group")
def test_ctrl_c_keeps_what_is_answered_and_the_same_command_goes_on(start, beside, tmp_path):
    out = tmp_path / "a.csv"
    path, other = write_questions(tmp_path / "q.jsonl"), write_questions(tmp_path / "other.jsonl", 3)
    command = ("--batch", path, "--out", out, "--max-tokens", "24")
    process = start(*command)
    wait_for(out, 2, process)
    process.send_signal(signal.SIGINT)
    status, told = text_of(process)
    count = len(journal_lines(out))
    assert (status, count >= 2) == (130, True)
    assert f"{count}／{COUNT} 件は保存済み" in told
    assert out.read_text("utf-8-sig").count("未回答") == COUNT - count  # what there is can be read already
    for options, code in (
        (("--batch", other, "--out", out, "--max-tokens", "24"), "batch_other_questions"),
        (("--batch", path, "--out", out, "--max-tokens", "25"), "batch_other_choices"),
        ((*command, "--collection", "Kotae の使い方"), "batch_other_scope"),
    ):
        assert refused(beside(*options)) == (3, code)
    assert len(journal_lines(out)) == count
    assert beside(*command)[0] == 0
    assert "未回答" not in out.read_text("utf-8-sig")


@pytest.mark.parametrize(
    ("options", "status", "code"),
    [
        (("--batch", "q.csv"), 3, "batch_no_out"),
        (("質問", "--batch", "q.csv", "--out", "a.csv"), 2, "usage"),
        (("--batch", "", "--out", "a.csv"), 2, "usage"),
        (("--batch", "q.csv", "--out", "a.csv"), 3, "question_file_missing"),
        (("--batch", ".", "--out", "a.csv"), 3, "data_is_folder"),
        ((), 2, "usage"),
    ],
)
def test_what_cannot_be_is_said_in_words(beside, options, status, code):
    found, said, told = beside(*options)
    assert (found, said["error"]["code"]) == (status, code)
    assert told.count("。") >= 2
