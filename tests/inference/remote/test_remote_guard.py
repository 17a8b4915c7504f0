"""Only one address, only in the local network, only encrypted where it was said to be."""

import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

from app.base import addresses
from app.base.errors import AppError
from app.base.isolation import network_guard
from app.inference import local_model
from app.inference.remote.model_server import RemoteServer
from tests.inference.remote.remote_child import RemoteChild, check
from tests.inference.remote.servers import scripted_server
from tests.line_child import ROOT

# What a process says that has the guard for one server, and then reaches for others.
REACHING = """
import json, socket, sys
from app.base.isolation import network_guard as offline
offline.enforce_offline(("127.0.0.1", int(sys.argv[1])))

def said(act):
    try:
        act()
    except offline.NetworkRefusedError:
        return "refused"
    except OSError as error:
        return type(error).__name__
    return "done"

def connect(host, port):
    with socket.socket() as endpoint:
        endpoint.settimeout(5)
        endpoint.connect((host, port))

own, other = int(sys.argv[1]), int(sys.argv[2])
print(json.dumps([
    said(lambda: connect("127.0.0.1", own)),
    said(lambda: offline.allow_address("127.0.0.1", own)),
    said(lambda: connect("127.0.0.1", own)),
    said(lambda: connect("127.0.0.1", other)),
    said(lambda: connect("127.0.0.2", own)),
    said(lambda: socket.getaddrinfo("127.0.0.1", own)),
    said(lambda: socket.getaddrinfo("example.com", own)),
    said(lambda: socket.getaddrinfo("127.0.0.1", other)),
    said(lambda: offline.allow_address("127.0.0.1", other)),
    said(lambda: offline.allow_address("8.8.8.8", own)),
    said(lambda: socket.socket().bind(("127.0.0.1", 0))),
    said(lambda: socket.gethostbyname("example.com")),
]))
"""


def test_the_process_reaches_one_address_and_no_other() -> None:
    with scripted_server() as own, scripted_server() as other:
        ports = [script.address.partition(":")[2] for script in (own, other)]
        command = [sys.executable, "-c", REACHING, *ports]
        said = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    before, door, then, *others = json.loads(said.stdout)
    assert (before, door, then) == ("refused", "done", "done")
    looked_up, *rest = others[2], *others[:2], *others[3:]
    assert looked_up == "done"
    assert set(rest) == {"refused"}


@pytest.mark.parametrize(
    ("address", "is_local"),
    [
        ("127.0.0.1", True),
        ("10.1.2.3", True),
        ("172.16.0.1", True),
        ("172.32.0.1", False),
        ("192.168.255.255", True),
        ("192.169.0.1", False),
        ("169.254.1.1", True),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("8.8.8.8", False),
        ("::1", True),
        ("fd00::1", True),
        ("fe80::1%eth0", True),
        ("2001:db8::1", False),
        ("::ffff:8.8.8.8", False),
        ("::ffff:192.168.0.1", True),
        ("gpu-server", False),
        ("", False),
    ],
)
def test_the_local_network_is_told_from_the_rest(address: str, is_local: bool) -> None:
    assert addresses.is_local_address(address) is is_local


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("gpu-server:8000", "http://gpu-server:8000/v1"),
        (" http://192.168.0.5:8000/ ", "http://192.168.0.5:8000/v1"),
        ("https://gpu/llm/v1/", "https://gpu/llm/v1"),
        ("[fd00::1]:8000", "http://[fd00::1]:8000/v1"),
        ("ｇｐｕ－ｓｅｒｖｅｒ：８０００", "http://gpu-server:8000/v1"),
    ],
)
def test_an_address_is_kept_with_all_that_was_left_out(typed: str, kept: str) -> None:
    assert local_model.normalize_address(typed) == kept
    assert local_model.normalize_address(kept) == kept


@pytest.mark.parametrize(
    "typed",
    [
        *("", "http://", "ftp://gpu", "http://user:secret@gpu", "http://gpu?key=secret", "http://gpu#x", "gpu:99999"),
        *("gpu server", "http://gpu/\r\nHost: x", "http://サーバー", "http://[fd00::1", "a" * 400),
    ],
)
def test_what_is_no_address_is_refused_and_no_secret_of_it_is_shown(typed: str) -> None:
    with pytest.raises(AppError) as refused:
        local_model.normalize_address(typed)
    assert refused.value.code == "remote_bad_address"
    assert "user" not in refused.value.facts["address"]


def test_a_public_address_is_refused_before_anything_is_sent() -> None:
    assert check("http://8.8.8.8:8000")["error"] == "remote_public"


def test_a_name_that_nobody_knows_and_a_port_that_nobody_hears_are_told_apart() -> None:
    assert check("http://no-such-server.invalid:8000")["error"] == "remote_name_unknown"
    with scripted_server() as script:
        address = script.address
    assert check(address)["error"] == "remote_unreachable"


def test_a_name_of_this_machine_is_looked_up_and_asked(tmp_path: Path) -> None:
    with scripted_server() as script:
        port = script.address.partition(":")[2]
        with RemoteChild(f"localhost:{port}", tmp_path / "child.log") as child:
            child.load_remote()
        assert script.requests[0].headers["host"] == f"localhost:{port}"


def test_a_name_with_several_addresses_is_asked_at_the_first_that_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    """As localhost, which many systems tell by IPv6 first."""
    both = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, 0)) for ip in ("127.0.0.2", "127.0.0.1", "8.8.8.8")]
    opened: list[str] = []
    with scripted_server() as script:
        port = int(script.address.partition(":")[2])
        told = [(*one[:4], (one[4][0], port)) for one in both]
        monkeypatch.setattr("socket.getaddrinfo", lambda *_asked, **_kind: told)
        monkeypatch.setattr(network_guard, "allow_address", lambda ip, _port: opened.append(ip))
        assert RemoteServer(local_model.normalize_address(f"localhost:{port}")).json("/models")["data"][0]["id"] == "m"
    assert opened == ["127.0.0.2", "127.0.0.1"]


def test_a_child_loads_nothing_of_another_server(tmp_path: Path) -> None:
    with scripted_server() as own, scripted_server() as other:
        with RemoteChild(own.address, tmp_path / "child.log") as child:
            child.address = local_model.normalize_address(other.address)
            assert child.failure_of(child.remote_load()).code == "remote_bad_address"
        assert (own.requests, other.requests) == ([], [])


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with scripted_server() as script, scripted_server() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://{proxy.address}")
        with RemoteChild(script.address, tmp_path / "child.log") as child:
            child.load_remote()
        assert proxy.requests == []


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
def test_a_certificate_counts_only_when_the_system_trusts_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate, key = tmp_path / "server.pem", tmp_path / "server.key"
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    made = ["-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(["openssl", "req", *made, *names], capture_output=True, check=True)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    with scripted_server(tls) as script:
        address = f"https://{script.address}"
        assert check(address)["error"] == "remote_certificate"
        assert script.requests == []
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert check(address)["models"] == [
            {"name": "m", "context_tokens": 4096, "requests": 4, "sees_pictures": False}
        ]
        assert [request.line for request in script.requests] == ["GET /v1/models", "GET /props"]


def test_a_server_without_encryption_is_told_from_one_that_is_not_trusted() -> None:
    with scripted_server() as script:
        assert check(f"https://{script.address}")["error"] == "remote_no_tls"


def test_no_key_stands_in_the_log_or_the_command_line(tmp_path: Path) -> None:
    with scripted_server() as script, RemoteChild(script.address, tmp_path / "child.log") as child:
        child.load_remote(key="sesame-opens")
        command = Path(f"/proc/{child.process.pid}/cmdline")
        if os.name == "posix" and command.exists():
            assert b"sesame" not in command.read_bytes()
    assert "sesame" not in child.log.read_text("utf-8")
