"""`kotae ask --collection` with the trial model, which quotes the documents instead of answering."""

import subprocess
import sys
from contextlib import closing

import pytest

from app.documents.library import Library
from app.models import starter
from tests.base.cli.processes import ROOT
from tests.chat.cli.conftest import COVER, QUESTION
from tests.permits import permit_to_lower

pytestmark = [
    pytest.mark.model,
    pytest.mark.skipif(not starter.is_available(), reason="the starter's package is not installed"),
]
ELSEWHERE = "航空法で定めるポンプの飛行高度の上限は？"


def test_the_answer_is_one_json_object_with_sources_and_claims(ask_json):
    status, answer, told = ask_json(QUESTION, "--collection", "基準")
    assert status == 0, told
    assert (answer["answer"], answer["verdict"]) == (f"**「{COVER}」[1]**", "answered")
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


def test_the_answer_says_the_label_that_its_collection_has_now(ask_json, trial_data):
    with closing(Library.open_second(trial_data / "documents.sqlite")) as library:
        collection = library.collection("基準").id
        library.set_label(collection, "secret")
        try:
            _, answer, _ = ask_json(QUESTION, "--collection", "基準")
        finally:
            library.set_label(collection, "internal", permit_to_lower("基準"))
    assert answer["label"] == "secret"


def test_people_read_the_answer_and_below_it_the_sources(ask):
    _, said, _ = ask(QUESTION, "--collection", "基準")
    lines = said.splitlines()
    assert lines[0] == f"**「{COVER}」[1]**"
    assert lines[lines.index("出典") + 1] == "[1] 基準  基準.pdf  第2章 材料 > 2.2 鉄筋のかぶり  標準  14 ページ"
    assert "抜粋表示" in said


def test_what_is_not_in_the_documents_is_said_and_the_nearest_passages_are_named(ask, ask_json):
    status, answer, _ = ask_json(ELSEWHERE, "--collection", "基準")
    assert (status, answer["verdict"], answer["claims"]) == (0, "not_in_documents", [])
    assert answer["answer"] == "資料にありません。"
    assert answer["sources"][0]["heading"][-1] == "4.2 点検"
    _, said, _ = ask(ELSEWHERE, "--collection", "基準")
    assert said.startswith("資料にありません。\n\n近い箇所\n[1] ")


def test_what_only_comes_close_is_shown_and_said_not_to_be_certain(ask, ask_json):
    question = "プレキャスト部材の鉄筋のかぶりは何mmですか"
    status, answer, _ = ask_json(question, "--collection", "基準")
    assert (status, answer["verdict"], "かぶり" in answer["answer"]) == (0, "near", True)
    _, said, _ = ask(question, "--collection", "基準")
    assert "近い記述はありますが、確かではありません。" in said
    assert "出典" in said


def test_a_collection_that_is_not_there_is_named(ask_json):
    status, said, told = ask_json("質問", "--collection", "要領")
    assert (status, said["error"]["code"]) == (3, "unknown_collection")
    assert "要領" in told


def test_the_manual_answers_a_first_question_with_nothing_prepared(ask_json):
    status, answer, told = ask_json("モデルを追加するには？", "--collection", "Kotae の使い方")
    assert (status, answer["verdict"]) == (0, "answered"), told
    assert "GGUF ファイルを取り込む" in answer["answer"]
    assert answer["sources"][0]["heading"][-1] == "モデルを追加するには"


@pytest.mark.parametrize(
    ("language", "line"),
    [("ja", "回答は、長さの上限に達して途中で切れています。"), ("en", "The answer was cut off at its length limit.")],
)
def test_an_answer_that_was_cut_off_is_named_as_such(ask, monkeypatch, language, line):
    monkeypatch.setenv("KOTAE_ENGINE", "echo")
    status, _, told = ask("!say 一二三四五", "--max-tokens", "3", "--adapter", "none", "--lang", language)
    assert status == 0, told
    assert line in told.splitlines()


def test_a_file_answers_one_question_and_nothing_of_it_stays(ask_json, trial_data, tmp_path):
    path = tmp_path / "契約書.md"
    path.write_text("# 契約\n\n## 第8条（損害賠償）\n\n損害賠償の額は委託料の120パーセントを上限とする。\n", "utf-8")
    status, answer, told = ask_json("損害賠償の上限は？", "--file", path, "--file", path)
    assert (status, answer["verdict"]) == (0, "answered"), told
    (source,) = answer["sources"]
    assert (source["collection"], source["document"], source["heading"][-1]) == (
        "会話のファイル",
        "契約書.md",
        "第8条（損害賠償）",
    )
    _, both, _ = ask_json(QUESTION, "--file", path, "--collection", "基準")
    assert both["sources"][0]["collection"] == "基準"
    with closing(Library.open_second(trial_data / "documents.sqlite")) as library:
        assert [one.name for one in library.collections(has_attached=True) if not one.is_builtin] == ["内規", "基準"]
        assert all("契約書" not in one.name for one in library.labelled())


def test_a_file_that_cannot_be_read_is_named_and_nothing_of_it_stays(ask_json, trial_data, tmp_path):
    (tmp_path / "空.txt").write_text("\n", "utf-8")
    for name in ("空.txt", "ない.pdf"):
        status, said, told = ask_json("質問", "--file", tmp_path / name)
        assert (status, said["error"]["code"].partition("_")[0], name in told) == (3, "attached", True)
    with closing(Library.open_second(trial_data / "documents.sqlite")) as library:
        assert not any(one.attached for one in library.collections(has_attached=True))


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_what_a_killed_command_left_goes_with_the_next_file(ask_json, trial_data, tmp_path):
    long, path = tmp_path / "長い.md", tmp_path / "覚書.txt"
    long.write_text("".join(f"## {n}\n\n{COVER}{n}\n\n" for n in range(4000)), "utf-8")
    path.write_text("点検は5年に1回とする。", "utf-8")

    def attached() -> list[str]:
        with closing(Library.open_second(trial_data / "documents.sqlite")) as library:
            return [one.attached for one in library.collections(has_attached=True) if one.attached]

    command = [sys.executable, "-m", "app", "ask", "質問", "--file", str(long), "--data-dir", str(trial_data)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as process:
        while not attached():
            assert process.poll() is None
        process.kill()
    assert attached() == [str(process.pid)]
    assert ask_json("点検は何年に1回ですか", "--file", path)[0] == 0
    assert attached() == []


def test_where_words_do_not_decide_the_sentence_that_is_near_in_meaning_is_quoted_first(ask_json, tmp_path):
    said = "出水のときは、浮子を流す見通し線に人を置く。夜間も位置を確認できるよう、浮子には発光体を付ける。"
    (tmp_path / "観測.md").write_text(f"# 流量観測\n\n{said}出水の記録は夜のうちに整理する。", "utf-8")
    question = "出水の夜に浮子のライトは必要ですか"
    status, answer, told = ask_json(question, "--file", tmp_path / "観測.md")
    assert (status, "発光体" in answer["answer"].partition("\n")[0]) == (0, True), told
