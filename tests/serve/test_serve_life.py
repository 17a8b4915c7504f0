"""The life of `kotae serve`: answers one at a time, clients and engines that go, its end; and only this PC hears it."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from app.base.isolation import network_guard
from app.chat.store import Store
from app.inference.local_model import RemoteModel
from app.models import model_registry
from app.serve import request_queue, server
from app.serve.cli import serve
from tests.command_fixtures import Kotae
from tests.faults.ledger import Tally
from tests.serve.served import ROOT, Answered, Served, begun, say, serving
from tests.waiting import LIMIT_S, wait_until

LONG = {"model": "kotae", "messages": say("あ" * 3000, slowly=True), "max_tokens": 3000}  # takes five minutes


def test_answers_are_made_one_at_a_time_and_too_many_are_told_to_come_back(served: Served) -> None:
    waiting = [served.begin(LONG) for _ in range(request_queue.WAITING_MOST + 1)]
    wait_until(lambda: served.waiting() == len(waiting))
    refused = served.post(LONG)
    assert (refused.status, refused.error["type"], refused.error["code"]) == (429, "rate_limit_error", "busy")
    assert int(refused.headers["Retry-After"]) > 0
    for connection in waiting:
        connection.close()
    wait_until(lambda: served.waiting() == 0)
    with served.client() as client:
        assert client.chat.completions.create(model="kotae", messages=say("次")).choices[0].message.content == "次"


def test_one_that_waits_is_answered_after_the_one_before(served: Served) -> None:
    first = served.begin({"model": "kotae", "messages": say("一二三四五", slowly=True)})
    wait_until(lambda: served.waiting() == 1)
    second = served.begin({"model": "kotae", "messages": say("六")})
    contents = [Answered.of(one.getresponse()).data["choices"][0]["message"]["content"] for one in (first, second)]
    assert contents == ["一二三四五", "六"]


def test_an_answer_whose_client_has_gone_is_ended(served: Served) -> None:
    import openai

    with served.client() as client:
        stream = client.chat.completions.create(**LONG, stream=True)  # type: ignore[call-overload]
        next(stream)
        assert served.waiting() == 1
        stream.close()
    wait_until(lambda: served.waiting() == 0)
    with served.client(timeout=0.5) as client, pytest.raises(openai.APITimeoutError):
        client.chat.completions.create(**LONG)  # type: ignore[call-overload]
    wait_until(lambda: served.waiting() == 0)


def test_a_killed_engine_is_an_error_and_the_next_answer_comes(own_served: Served) -> None:
    import openai

    with own_served.client() as client:
        stream = client.chat.completions.create(**LONG, stream=True)  # type: ignore[call-overload]
        next(stream)
        own_served.engine().kill()
        with pytest.raises(openai.APIError, match="モデルの処理が止まりました"):
            list(stream)
        for _ in range(2):
            with pytest.raises(openai.InternalServerError, match="engine_died"):
                client.chat.completions.create(model="kotae", messages=say("!crash"))
        assert client.chat.completions.create(model="kotae", messages=say("次")).choices[0].message.content == "次"


def test_a_failure_of_the_engine_has_its_own_sentence(served: Served) -> None:
    answered = served.post({"model": "kotae", "messages": [{"role": "user", "content": "!memory"}]})
    assert (answered.status, answered.error["type"], answered.error["code"]) == (500, "server_error", "out_of_memory")
    long = served.post({"model": "kotae", "messages": say("長い" * 3000)})
    assert (long.status, long.error["code"]) == (400, "context_length_exceeded")
    assert "4096" in long.error["message"]


@pytest.mark.fault("S19")
def test_idle_connections_give_way_to_those_who_ask(served: Served, tally: Tally) -> None:
    """Any user of this machine can connect; without the key that keeps nobody out."""
    kinds = {"silent": b"", "half a head": b"GET / HTTP/1.1\r\nX: ", "no key": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"}
    for part in kinds.values():
        idle = [socket.create_connection(("127.0.0.1", served.port), LIMIT_S) for _ in range(40)]
        for connection in idle:
            connection.sendall(part)
        for _ in range(5):
            assert served.get("/health").status == 200
        with contextlib.suppress(ConnectionResetError):  # the oldest has been let go, with what it had sent unread
            assert idle[0].recv(1 << 16) == b"" or part.endswith(b"\r\n\r\n")
        for connection in idle:
            connection.close()
    tally.tried(len(kinds))


def test_whoever_is_answered_gives_way_to_nobody(served: Served) -> None:
    running = served.begin({"model": "kotae", "messages": say("一二三四五六七八九十", slowly=True)})
    wait_until(lambda: served.waiting() == 1)
    idle = [socket.create_connection(("127.0.0.1", served.port), LIMIT_S) for _ in range(2 * server.CONNECTIONS_MOST)]
    assert running.getresponse().status == 200
    for connection in idle:
        connection.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_cleanly_and_tells_those_who_wait(own_served: Served, number: int) -> None:
    waiting = [own_served.begin(LONG) for _ in range(2)]
    wait_until(lambda: own_served.waiting() == 2)
    engine = own_served.engine()
    assert own_served.interrupt(number) == 0
    assert not engine.is_running()
    told = [Answered.of(connection.getresponse()) for connection in waiting]
    assert [(one.status, one.error["code"]) for one in told] == [(503, "serve_ending")] * 2
    out, log = own_served.process.communicate()
    assert (out, "Traceback" in log) == ("", False)


def test_it_is_heard_on_this_machine_alone(served: Served) -> None:
    own = {
        address.address
        for addresses in psutil.net_if_addrs().values()
        for address in addresses
        if address.family == socket.AF_INET and address.address != "127.0.0.1"
    }
    for address in {*own, "127.0.0.2"}:
        with pytest.raises(OSError):
            socket.create_connection((address, served.port), 5)
    listening = [one for one in psutil.Process(served.pid).net_connections("all") if one.status == psutil.CONN_LISTEN]
    assert [(one.laddr.ip, one.laddr.port) for one in listening] == [("127.0.0.1", served.port)]
    if network_guard.is_filter_supported():
        status = Path(f"/proc/{served.pid}/status").read_text("ascii")
        assert re.search(r"^Seccomp:\s2$", status, re.MULTILINE)  # no further socket can be had


def test_its_system_calls_bind_one_socket_and_connect_to_nothing(data: Path, base: Path, tmp_path: Path) -> None:
    if shutil.which("strace") is None or subprocess.run(["strace", "-f", "true"], capture_output=True).returncode:
        pytest.skip("there is no strace, or this machine does not permit ptrace")
    trace = tmp_path / "trace"
    before = ["strace", "-f", "-e", "trace=%network,execve", "-e", "signal=none", "-s", "200", "-o", str(trace)]
    with socket.socket() as holder:  # where the usual port is taken, there is a second try
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # bound, it keeps the port from all but `serve`
        holder.bind(("127.0.0.1", 0))
        port = str(holder.getsockname()[1])
        with serving(data, "--model", str(base), "--port", port, engine=None, before=before) as served:
            with served.client() as client:
                client.chat.completions.create(model="kotae", messages=say("はい"), max_tokens=4)
            os.kill(served.pid, signal.SIGINT)
            assert served.process.wait(LIMIT_S) == 0
    lines = trace.read_text("utf-8", "replace").splitlines()
    made = [line for line in lines if re.search(r"\bsocket\(AF_", line) and "AF_UNIX" not in line]
    bound = [line for line in lines if re.search(r"\bbind\(", line) and "AF_UNIX" not in line]
    connected = [line for line in lines if re.search(r"\bconnect\(", line) and "AF_UNIX" not in line]
    assert len(made) == len(bound) == 1
    assert 'sin_addr=inet_addr("127.0.0.1")' in bound[0]
    assert connected == []
    assert any('"--engine"' in line for line in lines)  # it was traced too


def test_only_the_one_socket_may_be_bound_and_nothing_connected() -> None:
    code = """
import json, socket
from app.base.isolation import network_guard as offline
offline.enforce_offline()
def tried(act):
    try:
        return act() or "done"
    except offline.NetworkRefusedError:
        return "refused"
listener = offline.listen_on_loopback(0)
other = socket.socket()
found = {
    "listening": listener.getsockname()[0],
    "another": tried(lambda: other.bind(("127.0.0.1", 0))),
    "wider": tried(lambda: listener.bind(("0.0.0.0", 0))),
    "connect": tried(lambda: other.connect(listener.getsockname())),
    "itself": tried(lambda: listener.connect(("127.0.0.1", 9))),
}
print(json.dumps(found))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    refused = dict.fromkeys(("another", "wider", "connect", "itself"), "refused")
    assert json.loads(done.stdout) == {"listening": "127.0.0.1", **refused}


# ----------------------------------------------------------------------------------------------------- key and port


def test_the_key_stays_until_a_new_one_is_wanted_and_is_for_this_user_alone(data: Path, base: Path) -> None:
    first = server.load_or_create_key(data)
    assert server.load_or_create_key(data) == first
    with serving(data, "--model", str(base), "--new-key") as served:
        assert server.load_or_create_key(data) == served.told["key"] != first
    assert len(first) == len(served.told["key"]) >= 43
    assert stat.S_IMODE((data / server.KEY_FILE).stat().st_mode) == 0o600


def test_a_key_can_be_given_as_a_file(data: Path, base: Path, tmp_path: Path) -> None:
    given = tmp_path / "鍵.txt"
    given.write_text("0123456789abcdef-team\n")
    with serving(data, "--model", str(base), "--key-file", str(given)) as served:
        assert served.told["key"] == "0123456789abcdef-team"
        assert served.get("/health").status == 200
    assert not (data / server.KEY_FILE).exists()


def test_a_port_that_is_taken_is_said_and_the_usual_one_gives_way(data: Path, base: Path) -> None:
    with socket.socket() as usual:
        usual.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server, which was here a moment ago
        with contextlib.suppress(OSError):  # another program has it
            usual.bind(("127.0.0.1", serve.PORT))
            usual.listen()
        with serving(data, "--model", str(base)) as served:
            assert served.port != serve.PORT
            second = begun(data, "--model", str(base), "--port", str(served.port))
            out, log = second.communicate(timeout=LIMIT_S)
            assert (second.returncode, json.loads(out)["error"]["code"]) == (3, "serve_port_taken")
            assert str(served.port) in log
            assert served.interrupt() == 0
            assert f"ポート {serve.PORT} は" in served.process.communicate()[1]


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("--port", "80"), 2, "1024"),
        (("--port", "x"), 2, "整数"),
        (("--host", "0.0.0.0"), 2, "--host"),
        (("--key-file", "{folder}/none"), 3, "見つかりません"),
        (("--key-file", "{folder}/short"), 3, "16〜512"),
        (("--key-file", "{folder}/none", "--new-key"), 2, "一緒に使えません"),
        (("--collection", "なし"), 3, "なし"),
        (("--model", "なし"), 3, "なし"),
        (("--model", "{folder}/short"), 3, "GGUF"),
        (("--context", "1"), 2, "256"),
    ],
)
def test_bad_options_get_one_sentence(
    kotae: Kotae, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...], status: int, words: str,
) -> None:  # fmt: skip
    monkeypatch.delattr(serve, "_listener")  # none is listened for
    (tmp_path / "short").write_text("abc")
    given = [argument.format(folder=tmp_path) for argument in arguments]
    found, _, log = kotae("serve", *given, *([] if "--model" in given else ["--model", str(base)]))
    assert found == status, log
    assert words in log
    assert "Traceback" not in log


def test_a_model_of_another_machine_is_not_passed_on(kotae: Kotae, data: Path) -> None:
    store = Store.open(data / "kotae.sqlite", data / "backups")
    model_registry.put_remote_model(
        store, model_registry.describe_remote_model("遠く", RemoteModel("http://192.168.0.9:8000/v1", "far", 0), [])
    )
    store.close()
    status, told, log = kotae("serve")
    assert (status, told["error"]["code"]) == (3, "remote_cannot"), log


def test_nothing_that_was_asked_or_answered_is_in_a_log_or_on_the_terminal(data: Path, base: Path) -> None:
    with serving(data, "--model", str(base)) as served:
        served.post({"model": "kotae", "messages": say("ひみつのこたえ")})
        served.post({"model": "ひみつのこたえ", "messages": say("x")})
        served.get("/v1/%E3%81%B2%E3%81%BF%E3%81%A4?q=himitsu-no-kotae")
        assert served.interrupt() == 0
        out, log = served.process.communicate()
    kept = out + log + "".join(path.read_text("utf-8") for path in (data / "logs").rglob("*") if path.is_file())
    assert "ひみつのこたえ" not in kept
    assert "himitsu" not in kept
