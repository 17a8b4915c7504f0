"""Who and what `kotae serve` refuses, in the protocol's own shape of errors."""

import http.client
import json
import socket
import time
from collections.abc import Sequence
from typing import Any

import pytest

from app.base import wording
from app.chat.presets import Choices
from app.inference.prompts import Turn
from app.serve import completion_request
from app.serve import server as serving
from app.serve.completion_request import CompletionRequest, HttpError
from app.serve.server import BODY_MOST_BYTES, HttpServer
from tests.faults.ledger import Tally
from tests.serve.served import Answered, Served, say
from tests.waiting import LIMIT_S, PAUSE_S, wait_until

QUESTION = {"role": "user", "content": "質問"}


def raw(served: Served, request: bytes, *more: bytes) -> tuple[int, dict[str, Any]]:
    """What a client hears that sends just these bytes and closes its end."""
    with socket.create_connection(("127.0.0.1", served.port), LIMIT_S) as client:
        for piece in (request, *more):
            client.sendall(piece)
        response = http.client.HTTPResponse(client)
        response.begin()
        answered = Answered.of(response)
    return answered.status, answered.data


def test_nothing_is_told_without_the_key(served: Served) -> None:
    import openai

    key = served.told["key"]
    for wrong in (None, "Bearer", "Bearer " + key[:-1], "Bearer " + key + "x", "Basic " + key, key, "Bearer キー"):
        headers = {"Authorization": wrong.encode("utf-8").decode("latin-1") if wrong else None}
        for path in ("/v1/models", "/v1/chat/completions", "/health", "/", "/v1/nothing"):
            answered = served.get(path, **headers)
            assert (answered.status, answered.error["code"]) == (401, "invalid_api_key"), (wrong, path)
            assert answered.headers["WWW-Authenticate"] == "Bearer"
            assert "Access-Control-Allow-Origin" not in answered.headers
    with served.client(api_key="x" * 30) as client, pytest.raises(openai.AuthenticationError, match="キーがないか"):
        client.models.list()


def test_a_name_that_leads_here_from_outside_is_refused(served: Served) -> None:
    port = served.port
    for host in (
        "evil.example",
        f"evil.example:{port}",
        "127.0.0.1",
        f"127.0.0.1:{port + 1}",
        f"127.0.0.1.:{port}",
        "",
    ):
        assert served.get("/v1/models", Host=host).error["code"] == "other_host", host
    for host in (f"127.0.0.1:{port}", f"localhost:{port}", f"LOCALHOST:{port}", f"[::1]:{port}"):
        assert served.get("/v1/models", Host=host).status == 200
    key = served.told["key"].encode()
    twice = b"GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nHost: a.b\r\nAuthorization: Bearer %s\r\n\r\n" % (
        port,
        key,
    )
    assert raw(served, twice)[0] == 400
    assert raw(served, b"GET /v1/models HTTP/1.1\r\nAuthorization: Bearer %s\r\n\r\n" % key)[0] == 400
    head = b"GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAuthorization: Bearer %s\r\n" % (port, key)
    assert raw(served, head + b"\r\n")[0] == 200
    for again in (b"Authorization: Bearer x", b"Content-Type: a/b\r\nContent-Type: c/d"):  # others may take that one
        assert raw(served, head + again + b"\r\n\r\n")[0] == 400


def test_a_web_page_is_refused_and_a_browser_gets_no_permission(served: Served) -> None:
    for origin in ("https://evil.example", "null", f"http://127.0.0.1:{served.port}", ""):
        answered = served.get("/v1/models", Origin=origin)
        assert (answered.status, answered.error["code"]) == (403, "web_page"), origin
        preflight = served.get("/v1/chat/completions", "OPTIONS", Origin=origin, Access_Control_Request_Method="POST")
        assert preflight.status == 403
        assert [name for name in preflight.headers if name.lower().startswith("access-control")] == []


def test_paths_methods_and_bodies_that_are_none_are_refused_by_name(served: Served) -> None:
    ask = "/v1/chat/completions"
    found = {
        "unknown_path": served.get("/v1/files", "POST", b"{}"),
        "wrong_method": served.get(ask),
        "not_json": served.get(ask, "POST", b"{}", Content_Type="text/plain"),
        "no_length": served.get(ask, "POST", None, Transfer_Encoding="chunked", Content_Length=None),
        "bad_json": served.get(ask, "POST", b'{"model": "kotae", '),
    }
    assert {code: (one.error["code"], one.status) for code, one in found.items()} == {
        "unknown_path": ("unknown_path", 404),
        "wrong_method": ("wrong_method", 405),
        "not_json": ("not_json", 415),
        "no_length": ("no_length", 411),
        "bad_json": ("bad_json", 400),
    }
    assert found["wrong_method"].headers["Allow"] == "POST"
    assert served.get("/v1/models", "DELETE").status == 405
    assert served.get("/v1/models?limit=3").status == 200
    for error in (one.error for one in found.values()):
        assert set(error) == {"message", "type", "param", "code"}


def test_a_body_that_is_too_large_is_refused_before_it_is_read_and_the_client_hears_it(served: Served) -> None:
    import openai

    big = b" " * (BODY_MOST_BYTES + 1)
    answered = served.get("/v1/chat/completions", "POST", big)
    assert (answered.status, answered.error["code"]) == (413, "body_too_large")
    with served.client() as client, pytest.raises(openai.APIStatusError, match="body_too_large"):
        client.chat.completions.create(model="kotae", messages=[{"role": "user", "content": "あ" * BODY_MOST_BYTES}])
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAuthorization: Bearer %s\r\n" % (
        served.port,
        served.told["key"].encode(),
    )
    typed = head + b"Content-Type: application/json\r\n"
    assert raw(served, typed + b"Content-Length: 99999999999999999999\r\n\r\n")[0] == 413
    for length in (b"-1", b"+2", b"1e3", b"2\r\nContent-Length: 3", "２".encode()):
        assert raw(served, typed + b"Content-Length: " + length + b"\r\n\r\n{}")[0] == 400, length
    assert raw(served, typed + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}")[0] == 411
    with socket.create_connection(("127.0.0.1", served.port), LIMIT_S) as client:  # and what follows is not answered
        both = b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        client.sendall(typed + both + typed + b"Content-Length: 2\r\n\r\n{}")
        heard = b"".join(iter(lambda: client.recv(1 << 16), b""))
    assert heard.count(b"HTTP/1.1 ") == 1
    assert served.get("/health").status == 200


@pytest.mark.parametrize("length", [b"Content-Length: 0\r\nContent-Length: 4", b"Transfer-Encoding:"])
def test_what_may_be_a_body_is_never_read_as_the_next_request(served: Served, length: bytes) -> None:
    head = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAuthorization: Bearer %s\r\n" % (
        served.port,
        served.told["key"].encode(),
    )
    with socket.create_connection(("127.0.0.1", served.port), LIMIT_S) as client:
        client.sendall(head + length + b"\r\n\r\n" + head + b"\r\n")
        heard = b"".join(iter(lambda: client.recv(1 << 16), b""))
    assert heard.count(b"HTTP/1.1 ") == 1
    assert b"\r\nconnection: close\r\n" in heard.lower()


_BROKEN_FIELDS = (
    b"X Broken: 1\r\n", b"X: 1\rY: 2\r\n", b"X : 1\r\n", b"X\r\n", b": 1\r\n", b"X: \x00\r\n", b"X: \x0b\r\n",
    "Ｘ: 1\r\n".encode(), b"Host: a.b\r\n", b"Content-Length: 0\r\n", b"content-length: 7\r\n",
    b"Transfer-Encoding: x\r\n",
)  # fmt: skip
_BROKEN_LINES = (
    b"POST  /v1/chat/completions HTTP/1.1\r\n", b"POST /v1/chat/\x00completions HTTP/1.1\r\n",
    b"POST /a HTTP/1.1 x\r\n", b"\r\n",
)  # fmt: skip
# These have one meaning in RFC 9112, or are refused for what they ask.
_ODD_FIELDS = (b"X: 1\n", b"X: 1\r\n  more\r\n", b"Authorization: Bearer x\r\n", b"Content-Type: text/plain\r\n")
_ODD_LINES = (
    b"POST http://127.0.0.1/v1/models HTTP/1.1\r\n", b"POST /v1/chat/completions HTTP/1.1\n",
    b"post /v1/chat/completions HTTP/1.1\r\n", b"POST * HTTP/1.1\r\n",
)  # fmt: skip


@pytest.mark.fault("S19")
def test_a_malformed_head_is_refused_whole_and_nothing_behind_it_is_answered(served: Served, tally: Tally) -> None:
    """What another program before this one understands otherwise would make the body the next request."""
    key = f"Authorization: Bearer {served.told['key']}\r\n".encode()
    host = b"Host: 127.0.0.1:%d\r\n" % served.port
    inner = b"GET /v1/models HTTP/1.1\r\n" + host + key + b"\r\n"
    rest = host + key + b"Content-Type: application/json\r\nContent-Length: %d\r\n" % len(inner)
    line = b"POST /v1/chat/completions HTTP/1.1\r\n"
    broken = [line + field + rest for field in _BROKEN_FIELDS] + [line + rest + field for field in _BROKEN_FIELDS]
    broken += [first + rest for first in _BROKEN_LINES]
    last = rest + b"Connection: close\r\n"
    odd = [line + field + last for field in _ODD_FIELDS] + [first + last for first in _ODD_LINES]
    for head in broken + odd:
        with socket.create_connection(("127.0.0.1", served.port), LIMIT_S) as client:
            client.sendall(head + b"\r\n" + inner)
            heard = b"".join(iter(lambda: client.recv(1 << 16), b""))
        assert heard.startswith(b"HTTP/1.1 4"), head
        assert heard.count(b"HTTP/1.1 ") == 1, head
        assert head in odd or (heard.startswith(b"HTTP/1.1 400 ") and b"\r\nconnection: close\r\n" in heard.lower())
    tally.tried(len(broken + odd))


def test_what_is_no_http_is_refused_in_the_same_shape(served: Served) -> None:
    for request, status in (
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"GET /v1/models HTTP/1.0\r\n\r\n", 403),
        (b"GET /v1/models HTTP/2.0\r\n\r\n", 403),
        (b"GET /v1/models\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nX: " + b"y" * 400_000, 400),
        (b"GET /" + b"y" * 400_000, 400),
    ):
        found, data = raw(served, request)
        assert (found, set(data)) == (status, {"error"}), request[:40]
    assert served.get("/health").data["status"] == "ok"


def drip(client: socket.socket) -> None:
    """A header that has no end, slowly; returns where nobody minds for too long."""
    for _ in range(round(LIMIT_S / PAUSE_S)):
        client.sendall(b"X")
        time.sleep(PAUSE_S)


def test_a_client_that_sends_bit_by_bit_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is for all of its headers, not for each byte."""
    monkeypatch.setattr(serving, "HEAD_S", 0.5)
    listener = socket.create_server(("127.0.0.1", 0))
    server = HttpServer(listener, "k" * 20, [])
    server.start()
    with socket.create_connection(("127.0.0.1", server.port), LIMIT_S) as slow:
        slow.sendall(b"GET / HTTP/1.1\r\n")
        with pytest.raises(ConnectionError):
            drip(slow)
    server.stop()


def test_a_hundred_continue_is_said_only_where_the_body_is_wanted(served: Served) -> None:
    body = json.dumps({"model": "kotae", "messages": say("はい")}).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\nExpect: 100-continue\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n"
    )
    assert raw(served, f"{head}\r\n".encode())[0] == 401
    with socket.create_connection(("127.0.0.1", served.port), LIMIT_S) as client:
        client.sendall(f"{head}Authorization: Bearer {served.told['key']}\r\n\r\n".encode())
        assert client.recv(64) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(body)
        assert client.recv(15) == b"HTTP/1.1 200 OK"


def test_one_connection_asks_again_and_again(served: Served) -> None:
    kept = http.client.HTTPConnection("127.0.0.1", served.port, timeout=LIMIT_S)
    for path, method, body in (
        ("/v1/models", "GET", None),
        ("/v1/chat/completions", "POST", json.dumps({"model": "kotae", "messages": say("一")})),
        ("/v1/chat/completions", "POST", json.dumps({"model": "kotae", "messages": say("二"), "stream": True})),
        ("/v1/chat/completions", "POST", "{}"),
        ("/health", "GET", None),
    ):
        kept.request(method, path, body, served.headers())
        own = kept.sock
        response = kept.getresponse()
        response.read()
        assert kept.sock is own
    kept.close()


def wish(**changes: Any) -> CompletionRequest:
    return completion_request.parse_chat(json.dumps({"model": "kotae", "messages": [QUESTION], **changes}).encode())


def chat(*messages: tuple[str, Any]) -> list[dict[str, Any]]:
    return [{"role": role, "content": content} for role, content in messages]


URL, IMAGE = "data:image/png;base64,AAAA", "messages[0].content[0].image_url"


def shown(url: str | None) -> list[dict[str, Any]]:
    return [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": "何の図ですか"}]


@pytest.mark.parametrize(("model", "code"), [("kotae", "no_pictures"), ("kotae/基準", "no_pictures_of_documents")])
def test_a_picture_that_nobody_would_look_at_is_refused(served: Served, model: str, code: str) -> None:
    answered = served.post({"model": model, "messages": chat(("user", shown(URL)))})
    assert (answered.status, answered.error["code"]) == (400, code)


@pytest.mark.fault("S19")
def test_a_hundred_thousand_messages_cost_no_more_than_their_length(served: Served, tally: Tally) -> None:
    many = chat(*[("user", "x" * 10)] * 60_000)
    turns = chat(*[("user", "x"), ("assistant", "y")] * 4_999, ("user", "z"))
    one_sided = chat(*[("user", "x" * 100)] * 10_000)
    parts = chat(("user", [{"type": "text", "text": "x"}] * 100_000))
    for messages in (many, turns, one_sided, parts):
        begun = served.processor_s()
        answered = served.post({"model": "kotae", "messages": messages, "max_tokens": 1})
        assert answered.status in (200, 400)
        assert served.processor_s() - begun < 5
    tally.tried(4)


def test_messages_become_turns() -> None:
    messages = chat(
        ("system", "短く"), ("user", "一"), ("user", [{"type": "text", "text": "二"}, {"type": "text", "text": "三"}]),
        ("assistant", "答"), ("assistant", "え"), ("developer", "正確に"), ("user", "四"),
    )  # fmt: skip
    found = wish(messages=messages, temperature=0, seed=-1, top_p=1, stop="。", n=1, logprobs=False, tools=[])
    assert found.turns == (Turn("一\n\n二\n三", "答\n\nえ"), Turn("四"))
    assert found.choices == Choices("短く\n\n正確に", temperature=0, top_p=1, seed=(1 << 32) - 1)
    assert found.stop == ("。",)
    assert wish(max_tokens=1 << 40).choices.max_tokens == 1 << 20
    assert wish(unknown={"x": 1}, stream=None, stop=None, response_format={"type": "text"}) == wish()


@pytest.mark.parametrize(
    ("changes", "tokens"),
    [
        ({}, None),
        ({"reasoning_effort": "none"}, 0),
        ({"reasoning_effort": "low"}, 1024),
        ({"reasoning_effort": "high"}, 8192),
        ({"reasoning": {"effort": "low"}}, 1024),
        ({"chat_template_kwargs": {"enable_thinking": False}}, 0),
        ({"chat_template_kwargs": {"enable_thinking": True}}, 2048),
        ({"chat_template_kwargs": {"enable_thinking": True}, "reasoning_effort": "low"}, 1024),
        ({"chat_template_kwargs": {"other": 1}}, None),
    ],
)
def test_a_client_says_in_its_own_words_whether_the_model_shall_think(changes: dict[str, Any], tokens: int) -> None:
    assert wish(**changes).choices.thought_tokens == tokens


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"reasoning_effort": "very"}, "reasoning_effort", "wrong_type"),
        ({"reasoning_effort": 3}, "reasoning_effort", "wrong_type"),
        ({"chat_template_kwargs": True}, "chat_template_kwargs", "wrong_type"),
        ({"chat_template_kwargs": {"enable_thinking": "no"}}, "chat_template_kwargs.enable_thinking", "wrong_type"),
        ({"model": None}, "model", "missing"),
        ({"model": 3}, "model", "wrong_type"),
        ({"messages": None}, "messages", "missing"),
        ({"messages": "質問"}, "messages", "wrong_type"),
        ({"messages": []}, "messages", "last_is_not_user"),
        ({"messages": ["質問"]}, "messages[0]", "wrong_type"),
        ({"messages": chat(("robot", "x"))}, "messages[0].role", "unknown_role"),
        ({"messages": [{"role": "assistant", "tool_calls": [{}]}]}, "messages[0].tool_calls", "wrong_type"),
        ({"messages": chat((["user"], "x"))}, "messages[0].role", "unknown_role"),  # type: ignore[arg-type]
        ({"messages": chat(("user", None))}, "messages[0].content", "wrong_type"),
        ({"messages": chat(("user", ["x"]))}, "messages[0].content[0]", "wrong_type"),
        ({"messages": chat(("user", [{"type": "text"}]))}, "messages[0].content[0].text", "wrong_type"),
        ({"messages": chat(("user", [{"type": "input_audio"}]))}, "messages[0].content[0]", "only_text"),
        ({"messages": chat(("system", shown(URL)), ("user", "y"))}, "messages[0].content[0]", "only_text"),
        ({"messages": chat(("user", shown("http://127.0.0.1:1/a.png")))}, IMAGE, "picture_outside"),
        ({"messages": chat(("user", shown("file:///etc/passwd")))}, IMAGE, "picture_outside"),
        ({"messages": chat(("user", shown("data:image/svg+xml;base64,AAAA")))}, IMAGE, "picture_outside"),
        ({"messages": chat(("user", shown(URL + "=(")))}, IMAGE, "picture_not_base64"),
        ({"messages": chat(("user", shown(None)))}, IMAGE, "wrong_type"),
        ({"messages": chat(("user", shown(URL) * 5))}, "messages", "many_pictures"),
        ({"messages": chat(("user", " \n"))}, "messages", "empty_question"),
        ({"messages": chat(("assistant", "x"), ("user", "y"))}, "messages", "first_is_not_user"),
        ({"messages": chat(("user", "x"), ("assistant", "y"))}, "messages", "last_is_not_user"),
        ({"temperature": "0"}, "temperature", "wrong_type"),
        ({"temperature": True}, "temperature", "wrong_type"),
        ({"temperature": -0.1}, "temperature", "out_of_range"),
        ({"top_p": 1.1}, "top_p", "out_of_range"),
        ({"max_tokens": 0}, "max_tokens", "out_of_range"),
        ({"max_tokens": 2.5}, "max_tokens", "wrong_type"),
        ({"max_completion_tokens": "9", "max_tokens": 9}, "max_completion_tokens", "wrong_type"),
        ({"seed": 1 << 64}, "seed", "out_of_range"),
        ({"stream": 1}, "stream", "wrong_type"),
        ({"stream_options": True}, "stream_options", "wrong_type"),
        ({"stream_options": {"include_usage": 1}}, "stream_options.include_usage", "wrong_type"),
        ({"stop": ""}, "stop", "wrong_type"),
        ({"stop": {}}, "stop", "wrong_type"),
        ({"stop": ["a", "b", "c", "d", "e"]}, "stop", "out_of_range"),
        ({"n": 2}, "n", "only_one"),
        ({"n": True}, "n", "only_one"),
        ({"tools": "x"}, "tools", "wrong_type"),
        ({"tools": [{"type": "function"}]}, "tools[0]", "unsupported"),
        ({"tools": [{"type": "web_search"}]}, "tools[0]", "unsupported"),
        ({"tools": [{"type": "function", "function": {"name": "a b"}}]}, "tools[0].function.name", "wrong_type"),
        ({"tools": [{"type": "function", "function": {"name": "a", "parameters": [3]}}]},
         "tools[0].function.parameters", "wrong_type"),
        ({"tools": [{"type": "function", "function": {"name": "a"}}], "tool_choice": "b"}, "tool_choice",
         "wrong_type"),
        ({"tools": [{"type": "function", "function": {"name": "a"}}], "tool_choice": {"function": {"name": "b"}}},
         "tool_choice", "wrong_type"),
        ({"tools": [{"type": "function", "function": {"name": "a"}}], "response_format": {"type": "json_object"}},
         "response_format", "unsupported"),
        ({"functions": [{"name": "a"}]}, "functions", "unsupported"),
        ({"best_of": 2}, "best_of", "only_one"),
        ({"logprobs": True}, "logprobs", "unsupported"),
        ({"response_format": "json"}, "response_format", "wrong_type"),
        ({"response_format": {"type": "xml"}}, "response_format.type", "wrong_type"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema.schema", "wrong_type"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("language", wording.LANGUAGES)
def test_a_wrong_value_is_refused_by_the_name_of_its_field(
    changes: dict[str, Any], field: str, code: str, language: str
) -> None:
    wording.use_language(language)
    with pytest.raises(HttpError) as found:
        wish(**changes)
    body = found.value.body()["error"]
    assert (found.value.status, body["param"], body["code"]) == (400, field, code)
    assert field in body["message"]
    assert "{" not in body["message"]


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"null", b"{", b"\xff\xfe{}", b'{"a": NaN}', b'{"n": 1, "n": 2}', b"[" * 200_000,
     b'{"seed": ' + b"9" * 5000 + b"}", b'{"a": "\\ud800"}', b'{"temperature": 1e999}', b'{"a": [-1e999]}'],
)  # fmt: skip
def test_a_body_that_is_no_object_is_refused(body: Sequence[int]) -> None:
    with pytest.raises(HttpError) as found:
        completion_request.parse_chat(bytes(body))
    assert found.value.code == "bad_json"


@pytest.mark.parametrize(
    ("parse", "changes", "field", "code"),
    [
        (completion_request.parse_text, {"prompt": None}, "prompt", "missing"),
        (completion_request.parse_text, {"prompt": ["a", "b"]}, "prompt", "wrong_type"),
        (completion_request.parse_text, {"prompt": "x", "echo": True}, "echo", "unsupported"),
        (completion_request.parse_text, {"prompt": "x", "logprobs": 1}, "logprobs", "unsupported"),
        (completion_request.parse_response, {"input": None}, "input", "missing"),
        (completion_request.parse_response, {"input": [3]}, "input[0]", "wrong_type"),
        (completion_request.parse_response, {"input": "x", "previous_response_id": "r"}, "previous_response_id",
         "unsupported"),
        (completion_request.parse_response, {"input": "x", "tools": [{"type": "web_search"}]}, "tools[0]",
         "unsupported"),
    ],
)  # fmt: skip
def test_the_other_forms_of_a_request_are_refused_by_the_names_of_their_fields(
    parse: Any, changes: dict[str, Any], field: str, code: str
) -> None:
    with pytest.raises(HttpError) as found:
        parse(json.dumps({"model": "kotae", **changes}).encode())
    body = found.value.body()["error"]
    assert (body["param"], body["code"]) == (field, code)


def test_a_call_and_its_result_are_turns_of_the_conversation() -> None:
    called = {"function": {"name": "weather", "arguments": '{"city": "東京"}'}}
    messages = [QUESTION, {"role": "assistant", "content": None, "tool_calls": [called]},
                {"role": "tool", "tool_call_id": "x", "content": "晴れ"}]  # fmt: skip
    tool = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
    found = wish(messages=messages, tools=[tool])
    assert found.turns == (
        Turn("質問", '{"tool": "weather", "arguments": {"city": "東京"}}'),
        Turn(wording.phrase("serve.tool_result", text="晴れ")),
    )
    assert "weather" in (found.choices.system_prompt or "")
    assert len(json.loads(found.json_schema)["anyOf"]) == 2
    assert len(json.loads(wish(tools=[tool], tool_choice="required").json_schema)["anyOf"]) == 1
    assert wish(tools=[tool], tool_choice="none") == wish()


def test_a_question_to_documents_has_a_length(served: Served) -> None:
    """All its words are looked for: a megabyte of them would take a minute of the only answer at a time."""
    begun = served.processor_s()
    answered = served.post({"model": "kotae/基準", "messages": chat(("user", "かぶり 1 " * 100_000))})
    assert (answered.status, answered.error["code"]) == (400, "long_question")
    assert served.processor_s() - begun < 5


def test_a_client_that_reads_nothing_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would hold its answer, and its place, for ever."""
    from starlette.responses import Response
    from starlette.routing import Route

    monkeypatch.setattr(serving, "WRITE_S", 0.5)
    monkeypatch.setattr(serving, "IDLE_S", 10 * round(LIMIT_S))
    listener = socket.create_server(("127.0.0.1", 0))
    server = HttpServer(listener, "k" * 20, [Route("/v1/big", lambda _request: Response(b"x" * (64 << 20)))])
    server.start()
    request = f"GET /v1/big HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nAuthorization: Bearer {'k' * 20}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), LIMIT_S) as deaf:
        deaf.sendall(request.encode())
        wait_until(lambda: len(server._server.server_state.connections) == 1)
        wait_until(lambda: not server._server.server_state.connections)
    server.stop()


def test_a_format_cannot_be_asked_of_a_collection(served: Served) -> None:
    answered = served.post({"model": "kotae/基準", "messages": [QUESTION], "response_format": {"type": "json_object"}})
    assert (answered.status, answered.error["code"], answered.error["param"]) == (
        400,
        "no_format_of_documents",
        "response_format",
    )
