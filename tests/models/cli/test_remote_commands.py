"""`kotae models add-remote` and `kotae ask` of a model elsewhere, in this process."""

import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.command_fixtures import Kotae
from tests.inference.remote.servers import Script, end, llama_server, piece, scripted_server, stream_head, whole

CHAT = "POST /v1/chat/completions"


@pytest.fixture
def script() -> Iterator[Script]:
    with scripted_server() as script:
        script.says(CHAT, stream_head(), piece("東京です"), end(usage={"prompt_tokens": 9, "completion_tokens": 3}))
        yield script


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "データ"
    folder.mkdir()
    return folder


def added(kotae: Kotae, script: Script, *options: str) -> str:
    status, model, log = kotae("models", "add-remote", script.address, *options)
    assert status == 0, log
    assert model["remote"] == {
        "address": f"http://{script.address}/v1",
        "model": "m",
        "context_tokens": 0,
        "requests": 4,
        "sees_pictures": "--sees-pictures" in options,
    }
    return str(model["id"])


def test_a_model_is_added_asked_and_removed(kotae, script):
    model_id = added(kotae, script, "--name", "部署のモデル")
    status, answer, _ = kotae("ask", "首都は？", "--model", model_id, "--allow-remote", "--max-tokens", "9")
    assert (status, answer["answer"], answer["verdict"], answer["model"]) == (0, "東京です", "answered", model_id)
    assert answer["usage"] == {"prompt_tokens": 9, "cached_tokens": 0, "answer_tokens": 3}
    assert script.questions[0].body["max_tokens"] == 9
    (listed,) = kotae("models", "list")[1]["models"]
    assert (listed["name"], listed["is_present"], listed["size_bytes"]) == ("部署のモデル", True, 0)
    assert kotae("models", "remove", model_id)[0] == 0
    assert kotae("models", "list")[1]["models"] == []


def test_without_permission_nothing_is_sent(kotae, script):
    model_id = added(kotae, script)
    before = len(script.requests)
    status, said, log = kotae("ask", "首都は？", "--model", model_id)
    assert (status, said["error"]["code"]) == (3, "remote_not_allowed")
    assert "--allow-remote" in log
    assert len(script.requests) == before


def test_a_real_server_answers(kotae, tiny_model, tmp_path):
    with llama_server(tiny_model, tmp_path / "server.log", key="sesame") as address:
        key = tmp_path / "key.txt"
        key.write_text("sesame\n", "utf-8")
        status, said, _ = kotae("models", "add-remote", address, "--context", "512")
        assert (status, said["error"]["code"]) == (3, "remote_key_refused")
        status, model, log = kotae("models", "add-remote", address, "--context", "512", "--key-from", str(key))
        assert status == 0, log
        asked = ("ask", "a", "--model", model["id"], "--allow-remote", "--max-tokens", "8")
        assert kotae(*asked)[1]["error"]["code"] == "remote_key_refused"  # the key was kept nowhere
        status, answer, log = kotae(*asked, "--key-from", str(key))
        assert status == 0, log
        assert answer["verdict"] in ("answered", "length")


def test_a_file_of_questions_is_answered(kotae, script, tmp_path):
    model_id = added(kotae, script)
    questions, out = tmp_path / "質問.jsonl", tmp_path / "回答.jsonl"
    questions.write_text('{"question": "一"}\n{"question": "二"}\n', "utf-8")
    batch = ("ask", "--batch", str(questions), "--out", str(out), "--model", model_id)
    assert kotae(*batch)[1]["error"]["code"] == "remote_not_allowed"
    status, said, log = kotae(*batch, "--allow-remote")
    assert (status, said.get("answered")) == (0, 2), log
    assert len(script.questions) == 2


@pytest.mark.parametrize(
    ("name", "text"), [("settings.json", '{"network_allowed": false}'), ("policy.toml", 'network = "never"\n')]
)
def test_where_no_network_is_allowed_none_is_used(kotae, script, data, name, text):
    model_id = added(kotae, script)
    before = len(script.requests)
    (data / name).write_text(text, "utf-8")
    assert kotae("ask", "首都は？", "--model", model_id, "--allow-remote")[1]["error"]["code"] == "remote_no_network"
    assert kotae("models", "add-remote", script.address)[1]["error"]["code"] == "remote_network_off"
    assert len(script.requests) == before


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("8.8.8.8:80",), "remote_public"),
        (("http://user:secret@gpu",), "remote_bad_address"),
        (("no-such-server.invalid",), "remote_name_unknown"),
        (("127.0.0.1:9", "--key-from", "/nowhere/key"), "key_unreadable"),
        ((" ",), "remote_bad_address"),
    ],
)
def test_nonsense_is_refused_in_words(arguments, code, kotae):
    status, said, log = kotae("models", "add-remote", *arguments)
    assert (status, said["error"]["code"]) == (3, code)
    assert "secret" not in log
    assert "Traceback" not in log


def test_of_several_models_one_is_to_be_named(kotae, script):
    script.says("GET /v1/models", whole({"data": [{"id": "a"}, {"id": "m"}]}))
    status, said, log = kotae("models", "add-remote", script.address)
    assert (status, said["error"]["code"]) == (2, "bad_option")
    assert "a / m" in log
    assert kotae("models", "add-remote", script.address, "--model", "b")[1]["error"]["code"] == "remote_model_unknown"
    added(kotae, script, "--model", "m")


def test_what_needs_a_file_says_that_this_is_none(kotae, script):
    model_id = added(kotae, script)
    for action in ("show", "fit"):
        assert kotae("models", action, model_id)[1]["error"]["code"] == "remote_cannot"


def test_of_a_model_elsewhere_it_is_said_that_its_files_are_not_here(kotae, script):
    model_id = added(kotae, script, "--name", "部署のモデル")
    before = len(script.requests)
    status, said, _ = kotae("models", "verify", "部署のモデル")
    assert (status, said["error"]["code"]) == (3, "remote_unverifiable")
    assert script.address in said["error"]["message"]
    assert len(script.requests) == before
    command = shlex.split(said["error"]["next"].partition("kotae ")[2].partition(" で")[0])
    assert model_id in command
    assert kotae(*command)[1]["answer"] == "東京です"
    assert kotae("models", "verify", "ない")[1]["error"]["code"] == "unknown_model"


def test_where_all_models_are_elsewhere_none_is_verified_and_that_is_said(run, script):
    assert run("models", "add-remote", script.address).status == 0
    said = run("models", "verify")
    assert said.status == 0
    assert "LAN のモデル（1 件）" in said.out
    assert "モデルはまだありません" not in said.out
