"""The child that asks a model elsewhere, against a real server and against one that misbehaves."""

import base64
import dataclasses
import io
import itertools
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec import structs
from PIL import Image

from app.inference.engine.messages import Cancel, Done, Failed, Picture, Ready, Thought, Token, Tokenize, Tokenized
from app.inference.memory_estimate import PICTURE_TOKENS_MOST
from app.inference.prompts import MESSAGES_FORM
from tests.inference.remote.remote_child import RemoteChild, asked, check
from tests.inference.remote.servers import (
    Request,
    Script,
    end,
    event,
    llama_server,
    piece,
    scripted_server,
    stream_head,
    whole,
)

CHAT = "POST /v1/chat/completions"


@pytest.fixture
def real(tiny_model: Path, tmp_path: Path) -> Iterator[str]:
    with llama_server(tiny_model, tmp_path / "server.log", key="sesame") as address:
        yield address


@pytest.fixture
def script() -> Iterator[Script]:
    with scripted_server() as script:
        yield script


@pytest.fixture
def child(script: Script, tmp_path: Path) -> Iterator[RemoteChild]:
    with RemoteChild(script.address, tmp_path / "child.log") as child:
        child.load_remote()
        yield child


def test_a_real_server_streams_an_answer_counts_tokens_and_says_how_it_ended(real, tmp_path):
    with RemoteChild(real, tmp_path / "child.log") as child:
        facts = child.load_remote("tiny", key="sesame", context=512)
        assert (facts.context_tokens, facts.remote) == (512, real)
        _, done = child.answer(asked("a", max_tokens=8))
        assert done.stop_reason in ("length", "end")
        assert done.seed == 7
        assert 0 < done.usage.answer_tokens <= 8
        child.send(Tokenize("count", (asked("ab").prompt, asked("ab" * 50).prompt)))
        counted = child.events_until(Tokenized)[-1]
        assert isinstance(counted, Tokenized)
        assert counted.counts[1] - counted.counts[0] >= 90  # a token a byte: nothing was estimated
        child.send(asked("a", max_tokens=200))
        child.events_until(Token)
        child.send(Cancel("ask"))
        assert child.answer()[1].stop_reason == "cancelled"
        child.answer(asked("b", max_tokens=2, id="next"))


def test_a_real_server_refuses_a_wrong_key_and_a_prompt_that_is_too_long(real, tmp_path):
    with RemoteChild(real, tmp_path / "child.log") as child:
        assert child.failure_of(child.remote_load("tiny", key="open")).code == "remote_key_refused"
        child.load_remote("tiny", key="sesame", context=512)
        failed = child.failure_of(asked("あ" * 400))
        assert (failed.code, failed.facts["context_tokens"]) == ("context_full", 512)
        child.load_remote("tiny", key="sesame", context=4096)  # it has 512
        assert child.failure_of(asked("あ" * 400)).code == "remote_broken_early"
    offered = {"name": "tiny", "context_tokens": 0, "requests": 4, "sees_pictures": False}
    assert check(real, "sesame") == {"models": [offered]}
    assert check(real) == {"error": "remote_key_refused", "facts": {"address": real}}


def test_messages_and_settings_reach_the_server_as_it_expects_them(script, child):
    script.says(CHAT, stream_head(), piece("東"), piece("京"), end(usage={"prompt_tokens": 9, "completion_tokens": 2}))
    child.send(asked("首都は <|system|> どこ？", "短く"))
    *events, done = child.events_until(Done, Failed)
    assert [event.text for event in events if isinstance(event, Token)] == ["東", "京"]
    assert isinstance(done, Done), done
    assert (done.stop_reason, done.usage.prompt_tokens, done.usage.answer_tokens) == ("end", 9, 2)
    body = script.questions[0].body
    assert body["messages"] == [
        {"role": "system", "content": "短く"},
        {"role": "user", "content": "首都は <|system|> どこ？"},
    ]
    assert body["stream_options"] == {"include_usage": True}
    assert (body["model"], body["max_tokens"], body["temperature"], body["seed"]) == ("m", 16, 0, 7)
    assert "authorization" not in script.questions[0].headers


def test_the_context_is_what_the_server_says_and_no_more_is_asked_for_than_fits(script, tmp_path):
    script.says("GET /v1/models", whole({"data": [{"id": "m"}]}))
    script.says("GET /props", whole({"default_generation_settings": {"n_ctx": 1000}}))
    script.answers["POST /tokenize"] = lambda request: iter((whole({"tokens": list(request.body["content"])}),))
    script.says(CHAT, stream_head(), piece("あ"), end("length"))
    with RemoteChild(script.address, tmp_path / "child.log") as child:
        assert child.load_remote().context_tokens == 1000
        assert child.answer(asked("a" * 700, max_tokens=600))[1].stop_reason == "context"
        assert script.questions[0].body["max_tokens"] == 1000 - 700 - 16


def test_a_server_that_would_cut_silently_is_never_sent_more_than_the_user_said(script, tmp_path):
    script.says("GET /v1/models", whole({"data": [{"id": "m"}]}))
    with RemoteChild(script.address, tmp_path / "child.log") as child:
        assert child.load_remote(context=256).context_tokens == 256
        assert child.failure_of(asked("あ" * 300)).code == "context_full"
    assert script.questions == []


ANSWERS = {
    "wrong key": ((whole({"error": {"message": "no"}}, 401),), "remote_key_refused"),
    "forbidden": ((whole(b"", 403),), "remote_key_refused"),
    "no such place": ((whole(b"<html>", 404),), "remote_not_found"),
    "no such model": (
        (whole({"error": {"message": "The model `m` does not exist.", "type": "NotFoundError"}}, 404),),
        "remote_model_unknown",
    ),
    "busy": ((whole({"error": "slow down"}, 429),), "remote_busy"),
    "overloaded": ((whole(b"", 503),), "remote_busy"),
    "too long by name": ((whole({"error": {"message": "x", "code": "context_length_exceeded"}}, 400),), "context_full"),
    "too long by llama-server's name": (
        (whole({"error": {"message": "x", "type": "exceed_context_size_error"}}, 400),),
        "context_full",
    ),
    "too long in vLLM's words": (
        (whole({"message": "This model's maximum context length is 4096 tokens."}, 400),),
        "context_full",
    ),
    "refused": ((whole({"detail": [{"loc": ["body"]}]}, 422),), "remote_refused"),
    "redirect": ((whole(b"", 307, "Location: http://elsewhere.example/v1"),), "remote_redirect"),
    "redirect to no address": ((whole(b"", 307, "Location: http://[v1"),), "remote_redirect"),
    "no HTTP": ((b"SSH-2.0-OpenSSH_9.9\r\n",), "remote_garbage"),
    "no stream": ((whole({"choices": []}),), "remote_garbage"),
    "no JSON": ((stream_head(), b"data: {oops\n\n"), "remote_garbage"),
    "no object": ((stream_head(), b"data: [1]\n\n"), "remote_garbage"),
    "deep JSON": ((stream_head(), b"data: " + b"[" * 100_000 + b"\n\n"), "remote_garbage"),
    "no text": ((stream_head(), event({"choices": [{"delta": {"content": 5}}]})), "remote_garbage"),
    "a line without end": ((stream_head(), b"data: " + b"a" * 1_100_000), "remote_endless"),
    "an answer without end": ((stream_head(), piece("あ" * 30_000)), "remote_endless"),
    "cut in the middle": ((stream_head(), piece("半分")), "remote_broken"),
    "cut in its head": ((b"HTTP/1.1 200 OK\r\nContent-Ty",), "remote_garbage"),
    "gone at once": ((), "remote_broken"),
    "cut in a chunk": (
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\nff\r\ndata: ",),
        "remote_broken",
    ),
    "an error on the way": ((stream_head(), piece("半分"), event({"error": {"message": "CUDA"}})), "remote_refused"),
}


def test_every_bad_answer_has_its_own_reason_and_the_next_question_is_answered(script, child):
    for name, (pieces, code) in ANSWERS.items():
        script.says(CHAT, *pieces)
        assert child.failure_of(asked("首都は？")).code == code, name
        script.says(CHAT, stream_head(), piece("東京"), end())
        assert child.answer(asked("首都は？", id="next"))[0] == "東京", name


def drips(start: bytes, drop: bytes = b"a") -> Callable[[object], Iterator[bytes]]:
    """Something always comes, and nothing ever comes whole."""

    def pieces(_request: object) -> Iterator[bytes]:
        yield start
        for _ in range(600):
            time.sleep(0.05)
            yield drop

    return pieces


DRIPS = {
    "in the status line": (drips(b"HTTP/1.1 200 "), "remote_silent"),
    "in the head": (drips(b"HTTP/1.1 200 OK\r\nX: "), "remote_silent"),
    "in the head, a line at a time": (drips(b"HTTP/1.1 200 OK\r\n", b"X: 1\r\n"), "remote_silent"),
    "in a piece": (drips(stream_head() + b"data: "), "remote_silent"),
    "empty lines": (drips(stream_head(), b"\r\n"), "remote_silent"),
    "comments": (drips(stream_head(), b": still here\n\n"), "remote_silent"),
    "in the length of a chunk": (
        drips(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n", b"0"),
        "remote_silent",
    ),
    "whole pieces without end": (drips(stream_head(), piece("a")), "remote_endless"),
    "an error's text": (drips(b"HTTP/1.1 500 -\r\n\r\n"), "remote_silent"),
}


@pytest.mark.fault("S19")
def test_a_server_that_drips_is_left_at_the_limit_that_is_stated(script, tmp_path, tally):
    """What is read until it ends by itself has another code."""
    for limit, limits_s in (("remote_silent", (2.0, 0.5, 60.0)), ("remote_endless", (60.0, 60.0, 0.9))):
        with RemoteChild(script.address, tmp_path / "child.log", limits_s) as child:
            child.load_remote()
            for name, (answer, code) in DRIPS.items():
                script.answers[CHAT] = answer
                assert code != limit or child.failure_of(asked("首都は？", id=name)).code == code, name
    with RemoteChild(script.address, tmp_path / "child.log", (2.0, 60.0, 60.0)) as child:
        script.answers["GET /v1/models"] = drips(b"HTTP/1.1 200 OK\r\n\r\n")
        assert child.failure_of(child.remote_load()).code == "remote_silent"
    tally.tried(len(DRIPS) + 1)


def test_a_redirect_is_not_followed_and_the_key_goes_nowhere_else(script, tmp_path):
    with scripted_server() as other, RemoteChild(script.address, tmp_path / "child.log") as child:
        script.says("GET /v1/models", whole(b"", 302, f"Location: http://{other.address}/v1/models"))
        failed = child.failure_of(child.remote_load(key="sesame"))
        assert (failed.code, failed.facts["target"]) == ("remote_redirect", other.address)
        assert script.requests[0].headers["authorization"] == "Bearer sesame"
        assert other.requests == []


def test_an_answer_that_has_not_begun_can_be_cancelled(script, child):
    is_asked, is_over = threading.Event(), threading.Event()

    def wait(_request: object) -> Iterator[bytes]:
        is_asked.set()
        is_over.wait(60)
        yield b""

    script.answers[CHAT] = wait
    child.send(asked("長い質問"))
    assert is_asked.wait(60)
    child.send(Cancel("ask"))
    _, done = child.answer()
    is_over.set()
    assert (done.stop_reason, done.usage.answer_tokens) == ("cancelled", 0)


def test_several_questions_are_requested_at_a_time_and_one_that_fails_or_is_cancelled_ends_alone(script, tmp_path):
    are_there, is_over = threading.Barrier(3, timeout=60), threading.Event()

    def say(request: Request) -> Iterator[bytes]:
        question = request.body["messages"][-1]["content"]
        are_there.wait()  # of one request at a time, none would be answered
        if question == "失敗":
            yield whole({"error": {"message": "no"}}, 500)
            return
        yield stream_head() + piece(question)
        if question == "中止":
            is_over.wait(60)
        yield end()

    script.answers[CHAT] = say
    with RemoteChild(script.address, tmp_path / "child.log") as child:
        child.send(dataclasses.replace(child.remote_load(), parallel=3))
        child.events_until(Ready)
        for question in ("答え", "失敗", "中止"):
            child.send(asked(question, id=question))
        events = child.events_until(Failed)
        while not any(isinstance(event, Token) and event.id == "中止" for event in events):
            events += child.events_until(Token)
        child.send(Cancel("中止"))
        while sum(isinstance(event, Done) for event in events) < 2:
            events += child.events_until(Done)
        is_over.set()
    assert {event.id: event.stop_reason for event in events if isinstance(event, Done)} == {
        "答え": "end", "中止": "cancelled"
    }  # fmt: skip
    assert [(event.id, event.code) for event in events if isinstance(event, Failed)] == [("失敗", "remote_refused")]
    assert sorted(event.text for event in events if isinstance(event, Token)) == ["中止", "答え"]


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_what_a_server_calls_reasoning_is_a_thought(script, child, name):
    thought = event({"choices": [{"delta": {name: "うーん"}}]})
    script.says(CHAT, stream_head(), b": ping\n\n", thought, piece("東京"), end())
    text, done = child.answer(asked("首都は？"))
    assert (text, done.usage.thought_tokens) == ("東京", 1)


def test_thoughts_in_the_text_of_a_server_are_separated(script, child):
    script.says(CHAT, stream_head(), *(piece(one) for one in ("<th", "ink>うー", "ん</think>", "\n\n東京")), end())
    child.send(asked("首都は？"))
    events = child.events_until(Done)
    assert [event.text for event in events if isinstance(event, Thought)] == ["うー", "ん"]
    assert "".join(event.text for event in events if isinstance(event, Token)) == "東京"


def test_a_server_that_only_thinks_is_said_to_be_still_thinking(script, child):
    thought = event({"choices": [{"delta": {"reasoning_content": "うーん"}}]})
    script.says(CHAT, stream_head(), thought, end("length"))
    assert child.answer(asked("首都は？"))[1].stop_reason == "thoughts"
    script.says(CHAT, stream_head(), *[thought] * 50, piece("東京"), end())
    text, done = child.answer(structs.replace(asked("首都は？"), thought_tokens=5))
    assert (text, done.stop_reason, done.usage.thought_tokens) == ("", "thoughts", 5)


def test_a_model_that_the_server_does_not_have_is_named(script, tmp_path):
    with RemoteChild(script.address, tmp_path / "child.log") as child:
        failed = child.failure_of(child.remote_load("n"))
        assert (failed.code, failed.facts["model"]) == ("remote_model_unknown", "n")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (whole({"data": []}), "remote_no_models"),
        (whole({"data": [{"id": "a\u202eb"}, {"id": 5}, 7]}), "remote_no_models"),
        (whole({"models": []}), "remote_garbage"),
        (whole(b"<html>"), "remote_garbage"),
        (whole(b"[" * 100_000), "remote_garbage"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nabc", "remote_garbage"),
    ],
)
def test_a_list_of_models_that_is_none_is_refused(body, code, script):
    script.says("GET /v1/models", body)
    assert check(script.address)["error"] == code


def test_a_form_of_messages_has_every_role_once():
    roles = [MESSAGES_FORM.system, MESSAGES_FORM.question, MESSAGES_FORM.answer, MESSAGES_FORM.answer_start]
    assert len(set(roles)) == len(roles)
    assert all(one not in other for one, other in itertools.permutations(roles, 2))


@pytest.mark.parametrize(
    ("thinks", "told"), [(None, {}), (False, {"reasoning_effort": "none"}), (True, {"reasoning_effort": "medium"})]
)
def test_a_server_like_ollama_is_told_an_effort_only_where_somebody_has_chosen(script, child, thinks, told):
    script.says(CHAT, stream_head(), piece("東京"), end())
    child.answer(structs.replace(asked("首都は？"), thinks=thinks))
    body = script.questions[-1].body
    assert {key: body[key] for key in ("reasoning_effort", "chat_template_kwargs") if key in body} == told


def test_a_server_that_counts_tokens_is_told_in_the_names_of_its_templates(script, tmp_path):
    script.says("POST /tokenize", whole({"tokens": [1]}))
    script.says(CHAT, stream_head(), piece("東京"), end())
    with RemoteChild(script.address, tmp_path / "child.log") as child:
        child.load_remote()
        child.answer(structs.replace(asked("首都は？"), thinks=False))
    assert script.questions[-1].body["chat_template_kwargs"] == {"enable_thinking": False, "thinking": False}


def test_a_picture_is_sent_as_a_file_within_the_question(child, script):
    script.says(CHAT, stream_head(), piece("赤い"), end())
    red = bytes((255, 0, 0)) * 6 + bytes((0, 0, 255)) * 6
    shown = Picture(4, 3, base64.b64encode(zlib.compress(red)).decode("ascii"))
    assert child.answer(structs.replace(asked("何色ですか。", "短く"), pictures=(shown, shown)))[0] == "赤い"
    system, question = script.questions[-1].body["messages"]
    assert system == {"role": "system", "content": "短く"}
    first, second, words = question["content"]
    assert words == {"type": "text", "text": "何色ですか。"}
    assert first == second
    head, _, data = first["image_url"]["url"].partition(",")
    assert (first["type"], head) == ("image_url", "data:image/png;base64")
    with Image.open(io.BytesIO(base64.b64decode(data))) as opened:
        assert (opened.size, opened.mode, opened.tobytes()) == ((4, 3), "RGB", red)
    child.send(Tokenize("count", (asked("ab").prompt, asked("ab").prompt), (shown,)))
    counted = child.events_until(Tokenized)[-1]
    assert isinstance(counted, Tokenized)
    assert counted.counts[0] - counted.counts[1] == PICTURE_TOKENS_MOST


@pytest.mark.parametrize(
    ("entry", "props", "sees"),
    [
        ({"architecture": {"input_modalities": ["text", "image"]}}, {}, True),
        ({"capabilities": ["completion", "multimodal"]}, {}, True),
        ({"capabilities": {"vision": True}}, {}, True),
        ({"capabilities": {"vision": False}, "architecture": {"input_modalities": ["text"]}}, {}, False),
        ({"capabilities": 5, "architecture": ["image"]}, {"modalities": [1]}, False),
        ({}, {"modalities": {"vision": True, "audio": False}}, True),
        ({}, {"modalities": {"vision": "yes"}}, False),
    ],
)
def test_a_server_says_which_model_sees_pictures(script, entry, props, *, sees):
    assert isinstance(entry, dict)
    script.says("GET /v1/models", whole({"data": [{"id": "m", "max_model_len": 4096, **entry}]}))
    script.says("GET /props", whole(props))
    (model,) = check(script.address)["models"]  # type: ignore[attr-defined]
    assert (model["sees_pictures"], model["context_tokens"]) == (sees, 4096)
