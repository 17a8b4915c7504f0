"""`kotae ask --batch`: whole processes with the trial model, killed and interrupted at their work."""

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from app.base import paths
from app.chat.batch.journal import journal_path
from app.chat.store import Store
from app.documents.library import Library
from app.documents.records import DocumentSection
from app.models import local_models, starter
from app.training.runs import lineage

ROOT = Path(__file__).parents[3]
COVER = "土に接する部材の鉄筋のかぶりは70mm以上とする。"
QUESTION = "土に接する部材の鉄筋のかぶりは何mmですか"
COUNT = 8

pytestmark = [
    pytest.mark.model,
    pytest.mark.skipif(not starter.is_available(), reason="the starter's package is not installed"),
]

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the trial model and two collections, one of them 機密."""
    folder = tmp_path_factory.mktemp("データ")
    added = subprocess.run(
        [sys.executable, "-m", "app", "models", "add", "starter"],
        env=os.environ | {"KOTAE_DATA_DIR": str(folder)},
        cwd=ROOT,
        capture_output=True,
        timeout=120,
    )
    assert added.returncode == 0
    library = Library.open(folder / "documents.sqlite")
    for name, label in (("基準", "internal"), ("内規", "secret")):
        (document_id,) = library.add_documents(library.add_collection(name, label), [folder / f"{name}.pdf"])
        document = library.document(document_id)
        assert document is not None
        section = DocumentSection(("第2章 材料", "2.2 鉄筋のかぶり"), COVER, "標準", 14)
        library.put(dataclasses.replace(document, state="done"), [section])
    library.close()
    return folder


@pytest.fixture
def start(data: Path) -> Start:
    def start(*arguments: str | Path) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "app", "ask", *map(str, arguments)],
            env=os.environ | {"KOTAE_DATA_DIR": str(data)},
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )

    return start


def ended(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    said, told = process.communicate(timeout=240)
    assert "Traceback" not in told
    return process.returncode, said, told


def write_questions(path: Path, count: int = COUNT) -> Path:
    """Each takes the model some tenths of a second when no documents are asked."""
    lines = [
        json.dumps({"id": n, "question": f"{n} 番目の質問です。橋の点検の手順を教えてください。"}) for n in range(count)
    ]
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


def test_a_workbook_is_answered_with_its_sources_and_a_second_run_is_refused(start: Start, tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for row in (["番号", "質問"], [1, QUESTION], [2, None], [3, "航空法で定めるポンプの飛行高度の上限は？"]):
        book.active.append(row)
    book.save(tmp_path / "質問.xlsx")
    out = tmp_path / "回答.xlsx"
    command = ("--batch", tmp_path / "質問.xlsx", "--out", out, "--collection", "基準", "--json")
    status, said, told = ended(start(*command))
    assert status == 1, told  # one row has no answer
    result = json.loads(said)
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
    status, said, told = ended(start(*command))
    assert (status, json.loads(said)["error"]["code"], out.read_bytes()) == (3, "export_exists", before)


def test_killed_again_and_again_it_goes_on_and_asks_nothing_twice(start: Start, tmp_path: Path) -> None:
    out = tmp_path / "a.jsonl"
    command = (
        "--batch",
        write_questions(tmp_path / "q.jsonl"),
        "--out",
        out,
        "--max-tokens",
        "24",
        "--temperature",
        "0",
    )
    kept: list[dict[str, Any]] = []
    for count in (1, 3, 5):
        process = start(*command)
        wait_for(out, count, process)
        process.kill()
        process.communicate()
        lines = journal_lines(out)
        assert lines[: len(kept)] == kept  # what was answered is as it was
        kept = lines
        assert not out.exists()
    status, _, told = ended(start(*command))
    assert status == 0, told
    assert f"続きから始めます（{len(kept)}／{COUNT} 件は回答済み）。" in told
    found = answers(out)
    assert [answer["line"] for answer in found] == list(range(1, COUNT + 1))
    assert all(answer["verdict"] in ("answered", "length") and answer["answer"] for answer in found)
    assert [(answer["line"], answer["answer"]) for answer in found[: len(kept)]] == [
        (line["line"], line["answer"]) for line in kept
    ]
    assert not journal_path(out).exists()


@pytest.mark.skipif(sys.platform == "win32", reason="a console event goes to the whole group")
def test_ctrl_c_keeps_what_is_answered_and_the_same_command_goes_on(start: Start, tmp_path: Path) -> None:
    out = tmp_path / "a.csv"
    path = write_questions(tmp_path / "q.jsonl")
    command = ("--batch", path, "--out", out, "--max-tokens", "24")
    process = start(*command)
    wait_for(out, 2, process)
    process.send_signal(signal.SIGINT)
    status, _, told = ended(process)
    count = len(journal_lines(out))
    assert (status, count >= 2) == (130, True)
    assert f"{count}／{COUNT} 件を保存済み" in told
    assert out.read_text("utf-8-sig").count("未回答") == COUNT - count  # what there is can be read already

    other = write_questions(tmp_path / "other.jsonl", 3)
    for options, code in (
        (("--batch", other, "--out", out, "--max-tokens", "24"), "batch_other_questions"),
        (("--batch", path, "--out", out, "--max-tokens", "25"), "batch_other_choices"),
        (("--batch", path, "--out", out, "--max-tokens", "24", "--collection", "基準"), "batch_other_scope"),
    ):
        status, said, _ = ended(start(*options, "--json"))
        assert (status, json.loads(said)["error"]["code"]) == (3, code)
    assert len(journal_lines(out)) == count

    assert ended(start(*command))[0] == 0
    assert "未回答" not in out.read_text("utf-8-sig")


def test_two_do_not_write_the_same_answers(start: Start, tmp_path: Path) -> None:
    out = tmp_path / "a.jsonl"
    command = ("--batch", write_questions(tmp_path / "q.jsonl", 40), "--out", out, "--max-tokens", "24")
    process = start(*command)
    wait_for(out, 1, process)
    status, said, _ = ended(start(*command, "--json"))
    assert (status, json.loads(said)["error"]["code"]) == (3, "batch_running")
    assert process.poll() is None
    process.kill()
    process.communicate()


def test_confidential_documents_are_answered_from_with_a_yes_only_and_it_is_put_on_record(
    start: Start, data: Path, tmp_path: Path
) -> None:
    path, out, log = tmp_path / "q.csv", tmp_path / "a.jsonl", data / "exports.log"
    path.write_text(f"質問\n{QUESTION}\n", "utf-8")
    command = ("--batch", path, "--out", out, "--collection", "内規", "--json")
    status, said, _ = ended(start(*command))
    assert (status, json.loads(said)["error"]["code"]) == (3, "secret_export")
    assert not out.exists()
    assert not journal_path(out).exists()
    assert not log.exists()
    status, said, _ = ended(start(*command, "--allow-secret"))
    assert (status, json.loads(said)["label"]) == (0, "secret")
    assert answers(out)[0]["label"] == "secret"
    (noted,) = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    assert {key: noted[key] for key in ("what", "label", "target")} == {
        "what": "answers", "label": "secret", "target": str(out)
    }  # fmt: skip
    assert "かぶり" not in log.read_text("utf-8")
    before = log.read_text("utf-8")
    status, said, _ = ended(start(*command, "--allow-secret"))
    assert (status, json.loads(said)["error"]["code"]) == (3, "export_exists")
    assert log.read_text("utf-8") == before  # what was refused has not left


@pytest.mark.fault("S16")
@pytest.mark.parametrize("by", ["the model", "an adapter"])
def test_a_model_or_adapter_that_was_trained_on_confidential_rows_answers_with_a_yes_only(
    start: Start, data: Path, tmp_path: Path, by: str
) -> None:
    path, out = write_questions(tmp_path / "q.jsonl", 1), tmp_path / "a.jsonl"
    with contextlib.closing(Store.open(paths.locate(str(data)).database, None)) as store:
        (model,) = store.local_models()
    adapter = tmp_path / "社内.gguf"
    adapter.write_bytes(Path(local_models.adapter_of(model).path).read_bytes())  # type: ignore[union-attr]
    note = (Path(model.path) if by == "the model" else adapter).with_suffix(f".{lineage.LINEAGE_FILE}")
    note.write_text(json.dumps({"label": "secret"}), "utf-8")
    try:
        status, said, _ = ended(start("--batch", path, "--out", out, "--adapter", adapter, "--json"))
    finally:
        note.unlink()
    assert (status, json.loads(said)["error"]["code"]) == (3, "secret_export")
    assert not journal_path(out).exists()


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
def test_what_cannot_be_is_said_in_words(start: Start, options: tuple[str, ...], status: int, code: str) -> None:
    found, said, told = ended(start(*options, "--json"))
    assert (found, json.loads(said)["error"]["code"]) == (status, code)
    assert told.count("。") >= 2
