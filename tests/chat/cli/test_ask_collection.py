"""`kotae ask --collection`: whole processes with the trial model, which quotes the documents instead of answering."""

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from app.documents.library import Library
from app.documents.records import DocumentSection
from app.models import starter
from tests.permits import permit_to_lower

ROOT = Path(__file__).parents[3]
COVER = "土に接する部材の鉄筋のかぶりは70mm以上とする。"
Run = Callable[..., "subprocess.CompletedProcess[str]"]

pytestmark = [
    pytest.mark.model,
    pytest.mark.skipif(not starter.is_available(), reason="the starter's package is not installed"),
]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("データ")


@pytest.fixture(scope="module")
def kotae(data: Path) -> Run:
    """Runs `kotae ARGUMENTS` with the trial model and one collection of one document."""
    folder = data

    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "app", *arguments],
            env=os.environ | {"KOTAE_DATA_DIR": str(folder)},
            cwd=ROOT,
            capture_output=True,
            encoding="utf-8",
            timeout=120,
        )

    assert run("models", "add", "starter").returncode == 0
    library = Library.open(folder / "documents.sqlite")
    (document_id,) = library.add_documents(library.add_collection("基準"), [folder / "基準.pdf"])
    document = library.document(document_id)
    assert document is not None
    sections = [
        DocumentSection(("第2章 材料", "2.2 鉄筋のかぶり"), COVER, "標準", 14),
        DocumentSection(("第4章 ポンプ", "4.2 点検"), "主ポンプの軸受温度は75℃を超えてはならない。", "", 31),
    ]
    library.put(dataclasses.replace(document, state="done"), sections)
    library.close()
    return run


def as_json(done: "subprocess.CompletedProcess[str]") -> dict[str, Any]:
    (line,) = done.stdout.splitlines()
    data: dict[str, Any] = json.loads(line)
    return data


def test_the_answer_is_one_json_object_with_sources_and_claims(kotae: Run) -> None:
    done = kotae("ask", "土に接する部材の鉄筋のかぶりは何mmですか", "--collection", "基準", "--json")
    assert done.returncode == 0, done.stderr
    answer = as_json(done)
    assert (answer["answer"], answer["verdict"]) == (f"- 「{COVER}」[1]", "answered")
    (source,) = answer["sources"]
    assert source["score"] > 0
    assert {key: source[key] for key in ("n", "collection", "document", "heading", "page", "quote")} == {
        "n": 1,
        "collection": "基準",
        "document": "基準.pdf",
        "heading": ["第2章 材料", "2.2 鉄筋のかぶり"],
        "page": 14,
        "quote": COVER,
    }
    assert answer["claims"] == [
        {"sentence": f"「{COVER}」[1]", "sources": [1], "supported": True, "numbers_missing": []}
    ]
    assert answer["timings"]["retrieval_s"] > 0
    assert answer["label"] == "internal"


def test_the_answer_says_the_label_that_its_collection_has_now(kotae: Run, data: Path) -> None:
    with closing(Library.beside(data / "documents.sqlite")) as library:
        collection = library.collection("基準").id
        library.set_label(collection, "secret")
        try:
            done = kotae("ask", "土に接する部材の鉄筋のかぶりは何mmですか", "--collection", "基準", "--json")
        finally:
            library.set_label(collection, "internal", permit_to_lower("基準"))
    assert as_json(done)["label"] == "secret"


def test_people_read_the_answer_and_below_it_the_sources(kotae: Run) -> None:
    done = kotae("ask", "土に接する部材の鉄筋のかぶりは何mmですか", "--collection", "基準")
    lines = done.stdout.splitlines()
    assert lines[0] == f"- 「{COVER}」[1]"
    assert lines[lines.index("出典") + 1] == "[1] 基準  基準.pdf  第2章 材料 > 2.2 鉄筋のかぶり  標準  14ページ"
    assert "抜粋表示" in done.stdout


def test_what_is_not_in_the_documents_is_said_and_the_nearest_passages_are_named(kotae: Run) -> None:
    done = kotae("ask", "航空法で定めるポンプの飛行高度の上限は？", "--collection", "基準", "--json")
    answer = as_json(done)
    assert (done.returncode, answer["verdict"], answer["claims"]) == (0, "not_in_documents", [])
    assert answer["answer"] == "資料にありません。"
    assert answer["sources"][0]["heading"][-1] == "4.2 点検"
    said = kotae("ask", "航空法で定めるポンプの飛行高度の上限は？", "--collection", "基準").stdout
    assert said.startswith("資料にありません。\n\n近い箇所\n[1] ")


def test_a_collection_that_is_not_there_is_named(kotae: Run) -> None:
    done = kotae("ask", "質問", "--collection", "要領", "--json")
    assert (done.returncode, as_json(done)["error"]["code"]) == (3, "unknown_collection")
    assert "要領" in done.stderr


def test_the_manual_answers_a_first_question_with_nothing_prepared(kotae: Run) -> None:
    done = kotae("ask", "モデルを追加するには？", "--collection", "Kotae の使い方", "--json")
    assert done.returncode == 0, done.stderr
    answer = as_json(done)
    assert answer["verdict"] == "answered"
    assert "GGUF ファイルを取り込む" in answer["answer"]
    assert answer["sources"][0]["heading"][-1] == "モデルを追加するには"


def test_an_answer_that_was_cut_off_is_named_as_such_wherever_the_sentence_stands(kotae: Run) -> None:
    done = kotae("ask", "かぶりとは何ですか", "--max-tokens", "3", "--adapter", "none")
    assert done.returncode == 0, done.stderr
    assert "回答は、長さの上限に達して途中で切れています。" in done.stderr.splitlines()
    english = kotae("--lang", "en", "ask", "かぶりとは何ですか", "--max-tokens", "3", "--adapter", "none").stderr
    assert "The answer was cut off at its length limit." in english.splitlines()
