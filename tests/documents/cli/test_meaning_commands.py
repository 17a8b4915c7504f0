"""`kotae docs`, `kotae eval retrieval` and `kotae ask` with an embedding model that is installed, and without one."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.base import paths, settings
from app.chat.store import Store
from app.documents.retrieval import semantic_index
from app.models import local_models
from tests import model_files as models
from tests.documents.cli.conftest import Run
from tests.embedding_model import tiny_bert, tiny_reranker

PAY = "給与は月末に払う。"
Told = Callable[..., tuple[int, dict[str, Any], str]]


@pytest.fixture
def told(kotae: Run) -> Told:
    """Runs `kotae ARGUMENTS --json` and gives the exit status, the JSON object and what was noted."""

    def run(*arguments: str) -> tuple[int, dict[str, Any], str]:
        done = kotae("--json", *arguments)
        return done.returncode, done.data, done.stderr

    return run


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "規程"
    folder.mkdir()
    others = "".join(f"## 第{number}節 雑則\n\n番号{number}の雑則を定める。\n\n" for number in range(12))
    (folder / "規程.md").write_text(f"# 第1章 支払い\n\n{PAY}\n\n# 第2章 雑則\n\n{others}", "utf-8")
    return folder


def install(data: Path, path: Path) -> None:
    where = paths.locate(str(data))
    store = Store.open(where.database, where.backups)
    local_models.add(store, local_models.describe(tiny_bert(path, {"賃": "給", "金": "与"})))
    store.close()


def texts(found: dict[str, Any]) -> list[str]:
    return [passage["text"] for passage in found["passages"]]


def test_what_was_added_is_found_by_its_meaning(told, data, files, tmp_path):
    (data / "documents.sqlite").unlink()  # with the manual, which has sections of its own
    install(data, tmp_path / "encoder.gguf")
    status, added, noted = told("docs", "add", "規程", str(files))
    assert (status, "kotae docs embed" in noted) == (0, True)
    assert not semantic_index.vectors_folder(paths.locate(str(data)).documents).exists()  # reading waits for no vectors
    status, embedded, _noted = told("docs", "embed")
    assert (status, embedded["embedded"], embedded["sections"]) == (0, added["sections"], added["sections"])
    (vectors,) = semantic_index.vectors_folder(paths.locate(str(data)).documents).iterdir()
    size = vectors.stat().st_size
    assert size > 0
    status, found, noted = told("docs", "search", "規程", "賃金")
    assert (status, noted) == (0, "")
    assert PAY in texts(found)[0]
    assert told("docs", "refresh")[0] == told("docs", "embed")[0] == 0
    assert vectors.stat().st_size == size
    assert added["documents"] == 1


def test_without_a_model_nothing_is_written_and_words_decide(told, data, files):
    assert told("docs", "add", "規程", str(files))[0] == 0
    status, found, noted = told("docs", "search", "規程", "賃金")
    assert (status, texts(found), noted) == (0, [], "")
    status, found, _noted = told("docs", "embed")
    assert (status, found["error"]["code"]) == (3, "embedding_model_absent")
    assert not semantic_index.vectors_folder(paths.locate(str(data)).documents).exists()


def test_retrieval_is_measured_with_meaning_once_all_sections_have_vectors(told, data, files, tmp_path):
    assert told("docs", "add", "規程", str(files))[0] == 0
    questions = tmp_path / "questions.jsonl"
    questions.write_text(json.dumps({"question": "賃金", "gold": [{"quote": PAY}]}, ensure_ascii=False), "utf-8")
    _, before, _ = told("eval", "retrieval", str(questions), "--collection", "規程")
    install(data, tmp_path / "encoder.gguf")
    status, after, noted = told("eval", "retrieval", str(questions), "--collection", "規程")
    assert (status, "言葉だけ" in noted) == (0, False)
    assert (before["recall_at_1"], before["by_meaning"]) == (0.0, 0)
    assert (after["recall_at_1"], after["by_meaning"]) == (1.0, 1)


def test_a_study_asks_when_all_sections_have_vectors(told, data, files, tmp_path):
    assert told("docs", "add", "規程", str(files))[0] == 0
    install(data, tmp_path / "encoder.gguf")
    questions = tmp_path / "questions.jsonl"
    questions.write_text(json.dumps({"question": "賃金", "answer": PAY}, ensure_ascii=False), "utf-8")
    model = str(models.tiny_llama(tmp_path / "モデル.gguf", metadata={"llama.context_length": 4096}))
    assert told("eval", "questions", str(questions), "--model", model, "--collection", "規程")[0] == 0
    (record,) = paths.locate(str(data)).evaluations.glob("*/answers/*")
    assert json.loads(record.read_text("utf-8").splitlines()[1])["grounding"]["by_meaning"] == "used"


def test_a_model_that_has_left_is_said_and_words_go_on(told, data, files, tmp_path):
    install(data, tmp_path / "encoder.gguf")
    assert told("docs", "add", "規程", str(files))[0] == told("docs", "embed")[0] == 0
    (tmp_path / "encoder.gguf").unlink()
    status, found, noted = told("docs", "search", "規程", "給与")
    assert status == 0
    assert PAY in texts(found)[0]
    assert "言葉だけで検索します" in noted


def test_an_answer_rests_on_what_is_near_in_meaning(told, data, files, tmp_path, tiny_model):
    install(data, tmp_path / "encoder.gguf")
    assert told("docs", "add", "規程", str(files))[0] == told("docs", "embed")[0] == 0
    status, answer, _ = told("ask", "賃金は？", "--collection", "規程", "--model", str(tiny_model))
    assert status == 0
    assert PAY in answer["sources"][0]["quote"]


def test_a_reranker_orders_what_is_shown_unless_it_is_switched_off(told, data, tmp_path, tiny_model):
    folder = tmp_path / "規程"
    folder.mkdir()
    body = "".join(f"# 第{n}章 橋\n\n橋{'犬' * dogs}{'川' * (5 - dogs)}\n\n" for n, dogs in enumerate((1, 0, 4, 2), 1))
    (folder / "規程.md").write_text(body, "utf-8")
    assert told("docs", "add", "規程", str(folder))[0] == 0
    _, before, _ = told("docs", "search", "規程", "橋", "-k", "2")
    assert (before["reranked"], before["rerank_seconds"]) == (False, 0.0)
    where = paths.locate(str(data))
    store = Store.open(where.database, where.backups)
    path = tiny_reranker(tmp_path / "ranker.gguf", "犬")
    local_models.add(store, local_models.describe(path))
    store.close()
    status, found, noted = told("docs", "search", "規程", "橋", "-k", "2")
    assert (status, found["reranked"], noted) == (0, True, "")
    assert [(one["rank"], one["text"].count("犬")) for one in found["passages"]] == [(1, 4), (2, 2)]
    assert told("docs", "embed")[1]["error"]["code"] == "embedding_model_absent"
    status, answer, _ = told("ask", "橋は？", "--collection", "規程", "--model", str(tiny_model))
    assert (status, answer["sources"][0]["quote"].count("犬")) == (0, 4)
    questions = tmp_path / "questions.jsonl"
    questions.write_text(json.dumps({"question": "橋", "gold": [{"quote": "犬犬犬犬"}]}, ensure_ascii=False), "utf-8")
    measured = [told("eval", "retrieval", str(questions), "--collection", "規程")[1]["recall_at_1"]]
    settings.save(where.settings, settings.Settings(reranks=False))
    measured.append(told("eval", "retrieval", str(questions), "--collection", "規程")[1]["recall_at_1"])
    assert measured == [1.0, 0.0]
    _, off, _ = told("docs", "search", "規程", "橋", "-k", "2")
    assert (off["passages"], off["reranked"]) == (before["passages"], False)
    settings.save(where.settings, settings.Settings())
    path.unlink()
    _, gone, noted = told("docs", "search", "規程", "橋", "-k", "2")
    assert (gone["passages"], gone["reranked"], "検索の順のまま" in noted) == (before["passages"], False, True)
