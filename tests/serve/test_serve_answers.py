"""`kotae serve` asked by the official client: models, answers whole and streamed, answers from documents."""

import dataclasses
import json
import socket
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from app.base.settings import Settings
from app.chat.services.answer_run import AnswerRequest
from app.documents.grounding.grounding_record import CollectionRef
from app.documents.library import Library
from app.documents.retrieval import excerpts
from app.inference.local_model import LocalModel
from app.inference.services.engine import EngineClient
from app.models import local_models, starter
from app.serve.endpoint import Endpoint
from app.serve.request_queue import RequestQueue
from app.serve.served_models import ServedModels
from app.serve.server import HttpServer
from tests.faults.ledger import Tally
from tests.scene import ECHO
from tests.serve.served import COVER, Served, add_collection, say, serving

COVER_ASKED: list[Any] = [{"role": "user", "content": "土に接する部材の鉄筋のかぶりは何mmですか"}]
QUOTED = f"**「{COVER}」[1]**"
SOURCE = "[1] 基準.pdf　第2章 材料 2.2 鉄筋のかぶり（標準）　p.14"


def test_the_model_and_the_collections_that_are_not_confidential_are_listed(served: Served) -> None:
    with served.client() as client:
        listed = client.models.list().data
    assert [model.id for model in listed] == ["kotae", "kotae/基準"] == served.told["models"]
    assert {model.object for model in listed} == {"model"}


@pytest.mark.fault("S16")
def test_a_confidential_collection_is_offered_with_a_yes_and_each_answer_is_on_record(
    data: Path, base: Path, tally: Tally
) -> None:
    for name, label in (("基準", "internal"), ("要領", "internal"), ("入札", "secret")):
        add_collection(data, name, label)  # type: ignore[arg-type]
    named = ("--collection", "基準", "--collection", "入札")
    with serving(data, "--model", str(base), *named, "--allow-secret") as served, served.client() as client:
        listed = [model.id for model in client.models.list().data]
        answer = client.chat.completions.create(model="kotae/基準+入札", messages=COVER_ASKED)
    assert listed == ["kotae", "kotae/基準", "kotae/入札", "kotae/基準+入札"]
    assert {source["collection"] for source in answer.kotae["sources"]} <= {"基準", "入札"}  # type: ignore[attr-defined]
    (line,) = (data / "exports.log").read_text("utf-8").splitlines()
    assert (json.loads(line)["what"], json.loads(line)["target"].split(":")[0]) == ("served", "127.0.0.1")
    tally.tried(2)


@pytest.mark.fault("S16")
def test_a_model_that_has_learned_from_secret_documents_is_offered_with_a_yes_only(
    data: Path, base: Path, tmp_path: Path
) -> None:
    run = tmp_path / "runs" / "学習"
    run.mkdir(parents=True)
    (run / "run.json").write_text("{}", "utf-8")
    (run / "lineage.json").write_text(json.dumps({"label": "secret"}), "utf-8")
    model = dataclasses.replace(local_models.describe(base), path=str(run / "merged.gguf"))
    documents, log = data / "documents.sqlite", data / "exports.log"
    assert ServedModels(documents, log, model).offered_models() == []
    agreed = ServedModels(documents, log, model, is_agreed=True)
    (offer,) = agreed.offered_models()
    agreed.permit_answer(offer, "127.0.0.1:1")
    assert json.loads(log.read_text("utf-8"))["label"] == "secret"


@pytest.mark.fault("S16")
def test_named_collections_are_no_longer_offered_once_they_are_confidential(
    data: Path, base: Path, tally: Tally
) -> None:
    import openai

    for name in ("基準", "要領"):
        add_collection(data, name)
    named = ("--collection", "基準", "--collection", "要領")
    with serving(data, "--model", str(base), *named) as served, served.client() as client:
        before = [model.id for model in client.models.list().data]
        library = Library.open_second(data / "documents.sqlite")
        library.set_label(library.collection("基準").id, "secret")
        library.close()
        after = [model.id for model in client.models.list().data]
        refused = 0
        for name in ("kotae/基準", "kotae/基準+要領"):
            with pytest.raises(openai.NotFoundError, match="model_not_found"):
                client.chat.completions.create(model=name, messages=COVER_ASKED)
            refused += 1
        client.chat.completions.create(model="kotae/要領", messages=COVER_ASKED)
    assert before == ["kotae", "kotae/基準", "kotae/要領", "kotae/基準+要領"]
    assert after == ["kotae", "kotae/要領"]
    assert not (data / "exports.log").exists()
    tally.tried(2 + refused)


def test_a_collection_that_becomes_confidential_is_no_longer_offered(own_served: Served, data: Path) -> None:
    import openai

    library = Library.open_second(data / "documents.sqlite")
    library.set_label(library.collection("基準").id, "secret")
    library.close()
    with own_served.client() as client:
        assert [model.id for model in client.models.list().data] == ["kotae"]
        with pytest.raises(openai.NotFoundError, match="model_not_found"):
            client.chat.completions.create(model="kotae/基準", messages=COVER_ASKED)


def test_an_answer_comes_whole_with_its_usage_and_our_own_field(served: Served) -> None:
    with served.client() as client:
        answer = client.chat.completions.create(model="kotae", messages=say("橋脚です。"), seed=7, user="だれか")
    (choice,) = answer.choices
    assert (choice.message.role, choice.message.content, choice.finish_reason) == ("assistant", "橋脚です。", "stop")
    assert answer.usage is not None
    assert answer.usage.completion_tokens == len("橋脚です。")
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    empty = {"sources": [], "claims": [], "unchecked": 0, "is_excerpt": False, "verdict": "answered"}
    assert answer.kotae == empty  # type: ignore[attr-defined]


def test_an_answer_that_is_cut_off_says_so(served: Served) -> None:
    with served.client() as client:
        for limit in ({"max_tokens": 3}, {"max_completion_tokens": 3, "max_tokens": 9}):
            answer = client.chat.completions.create(model="kotae", messages=say("一二三四五"), **limit)  # type: ignore[call-overload]
            assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == ("一二三", "length")
            assert answer.kotae["verdict"] == "length"


def test_a_stream_gives_the_pieces_the_reason_our_field_and_the_usage(served: Served) -> None:
    with served.client() as client:
        stream = client.chat.completions.create(
            model="kotae", messages=say("はい。そうです。"), stream=True, stream_options={"include_usage": True}
        )
        chunks = list(stream)
    *pieces, last, used = chunks
    assert pieces[0].choices[0].delta.role == "assistant"
    assert "".join(chunk.choices[0].delta.content or "" for chunk in pieces) == "はい。そうです。"
    assert len(pieces) > 3
    assert {chunk.choices[0].finish_reason for chunk in pieces} == {None}
    assert (last.choices[0].finish_reason, last.kotae["verdict"]) == ("stop", "answered")  # type: ignore[attr-defined]
    assert used.choices == []
    assert used.usage is not None
    assert used.usage.completion_tokens == len("はい。そうです。")
    assert len({chunk.id for chunk in chunks}) == 1


def test_a_collection_answers_with_its_sources_below_and_in_our_field(served: Served) -> None:
    with served.client() as client:
        answer = client.chat.completions.create(model="kotae/基準", messages=COVER_ASKED)
    content = answer.choices[0].message.content or ""
    assert content.splitlines()[0] == QUOTED
    assert content.splitlines()[-2:] == ["出典", SOURCE]
    told = answer.kotae  # type: ignore[attr-defined]
    assert told["verdict"] == "answered"
    assert (told["sources"][0]["page"], told["sources"][0]["quote"]) == (14, COVER)
    assert told["claims"] == [{"sentence": QUOTED.strip("*"), "sources": [1], "supported": True, "numbers_missing": []}]


def test_a_stream_from_a_collection_is_the_same_text(served: Served) -> None:
    with served.client() as client:
        whole = client.chat.completions.create(model="kotae/基準", messages=COVER_ASKED)
        chunks = list(client.chat.completions.create(model="kotae/基準", messages=COVER_ASKED, stream=True))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert text == whole.choices[0].message.content
    assert chunks[-1].kotae == whole.kotae  # type: ignore[attr-defined]


def test_what_the_documents_do_not_have_is_said(served: Served) -> None:
    asked: list[Any] = [{"role": "user", "content": "航空法で定めるポンプの飛行高度の上限は？"}]
    with served.client() as client:
        answer = client.chat.completions.create(model="kotae/基準", messages=asked)
    content = answer.choices[0].message.content or ""
    assert content.startswith("資料にありません。\n\n近い箇所\n[1] ")
    assert answer.kotae["verdict"] == "not_in_documents"  # type: ignore[attr-defined]


def test_sentences_that_their_sources_do_not_hold_are_named_below_a_written_answer(
    data: Path, model: LocalModel, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In this process, where the documents are not quoted although the model is small."""
    import openai

    monkeypatch.setattr(excerpts, "PARAMETERS_MIN", 0)
    add_collection(data, "基準")
    documents = data / "documents.sqlite"
    engine = EngineClient(ECHO, tmp_path / "engine.log")
    request = AnswerRequest(model, (), Settings())
    desk = RequestQueue(engine, request, documents)
    endpoint = Endpoint(
        desk, ServedModels(documents, data / "exports.log", model, [CollectionRef(1, "基準")]), model.name
    )
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    server = HttpServer(listener, "k" * 20, endpoint.routes)
    server.start()

    def ask() -> Any:
        with openai.OpenAI(base_url=server.address, api_key="k" * 20, max_retries=0) as client:
            return client.chat.completions.create(
                model="kotae/基準",
                messages=[
                    {"role": "system", "content": "短く"},
                    {"role": "user", "content": "土に接する部材の鉄筋のかぶりは50mm以上です[1]。"},
                ],
            )

    with ThreadPoolExecutor() as threads:
        asked: Future[Any] = threads.submit(ask)
        qtbot.waitUntil(asked.done)
    desk.end()
    server.stop()
    engine.shut_down()
    answer = asked.result()
    lines = answer.choices[0].message.content.splitlines()
    assert lines[0] == "土に接する部材の鉄筋のかぶりは50mm以上です[1]。"
    assert any("50mm以上" in line for line in lines[1:-2])
    assert lines[-2:] == ["出典", SOURCE]
    assert answer.kotae["claims"][0]["numbers_missing"] == ["50mm以上"]


@pytest.mark.model
@pytest.mark.skipif(not starter.is_available(), reason="the starter's package is not installed")
def test_the_trial_model_answers_ends_at_a_text_and_keeps_to_a_schema(data: Path, starter_model: Path) -> None:
    import openai

    asked: list[Any] = [{"role": "user", "content": "日本の首都はどこですか？"}]
    schema = {"type": "object", "properties": {"city": {"enum": ["東京", "大阪"]}}, "required": ["city"]}
    formats: list[Any] = [
        {"type": "json_schema", "json_schema": {"name": "capital", "schema": schema}},
        {"type": "json_object"},
        {"type": "json_schema", "json_schema": {"name": "x", "schema": {"$ref": "#/nowhere"}}},
    ]
    with serving(data, "--model", str(starter_model), engine=None) as served, served.client() as client:
        create = client.chat.completions.create
        whole = create(model="kotae", messages=asked, temperature=0, max_tokens=40).choices[0]
        ended = create(model="kotae", messages=asked, temperature=0, max_tokens=40, stop=["京"]).choices[0]
        shaped = create(model="kotae", messages=asked, temperature=0, response_format=formats[0]).choices[0]
        free = create(model="kotae", messages=asked, temperature=0, max_tokens=200, response_format=formats[1])
        again = [create(model="kotae", messages=asked, temperature=1.5, seed=3, max_tokens=8) for _ in range(2)]
        with pytest.raises(openai.BadRequestError, match="context_length_exceeded"):
            create(model="kotae", messages=[{"role": "user", "content": "橋 脚 " * 5000}])
        with pytest.raises(openai.BadRequestError, match="grammar_invalid"):
            create(model="kotae", messages=asked, response_format=formats[2])
    assert "東京" in (whole.message.content or "")
    assert (ended.message.content, ended.finish_reason) == ("東", "stop")
    assert json.loads(shaped.message.content or "")["city"] in ("東京", "大阪")
    assert isinstance(json.loads(free.choices[0].message.content or ""), dict)
    assert again[0].choices[0].message.content == again[1].choices[0].message.content


def test_what_a_model_thinks_is_no_part_of_its_answer(served: Served) -> None:
    asked: list[Any] = [{"role": "user", "content": "!say <think>足し算だ。</think>二です。\n以上。"}]
    with served.client() as client:
        whole = client.chat.completions.create(model="kotae", messages=asked)
        pieces = [
            chunk.choices[0].delta
            for chunk in client.chat.completions.create(model="kotae", messages=asked, stream=True)
            if chunk.choices
        ]
    message = whole.choices[0].message
    assert (message.content, message.reasoning_content) == ("二です。", "足し算だ。")  # type: ignore[attr-defined]
    assert whole.usage is not None
    assert whole.usage.completion_tokens_details is not None
    assert whole.usage.completion_tokens_details.reasoning_tokens > 0
    assert "".join(piece.content or "" for piece in pieces) == "二です。"
    assert "".join(getattr(piece, "reasoning_content", None) or "" for piece in pieces) == "足し算だ。"
